import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

extension Prune {
    struct Log: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show past runs, or what one of them did and why.",
            discussion: """
                Records are kept for 90 days, and 100 for each repository.

                Examples:
                  larder prune log
                  larder prune log team/app --limit 10
                  larder prune log --run 7
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Show only runs in this repository.") var name: String?
        @Option(name: .customLong("run"), help: "Number of the run whose decisions are shown.") var id: Int64?
        @Option(help: "Most runs, or decisions of a run, that are shown. Default: 50 runs, all decisions.")
        var limit: Int?
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            if let limit, limit < 1 { throw ValidationError("--limit is a whole number from 1") }
        }

        func run() async throws {
            let (name, id, limit, json) = (name, id, limit, json)
            try await location.withServer { client in
                if let id {
                    let details = try await client.run(id, atMost: limit ?? .max)
                    if let name, details.run.repository != name {
                        throw ClientError("run \(id) was one of \(details.run.repository)")
                    }
                    if json { return try printJSON(details) }
                    return Self.print(details)
                }
                let runs = try await client.runs(of: name, atMost: limit ?? 50)
                if json { return try printJSON(runs) }
                if runs.isEmpty { return Swift.print("no runs yet") }
                printTable(
                    ["RUN", "REPOSITORY", "STARTED", "BY", "REMOVED", "TAGS", "ARCHIVED", "PLANNED", "FREED", "NOTE"],
                    runs.map(Self.cells)
                )
            }
        }

        private static func cells(_ run: RunMessage) -> [String] {
            let freed = [run.plannedBytes, run.freedBytes].map { ByteCount($0).description }
            return [
                "\(run.id)", run.repository, ago(run.startedAt), run.actor, "\(run.removed)", "\(run.tagsRemoved)",
                "\(run.archived)", freed[0], freed[1], run.note ?? (run.endedAt == nil ? "goes on" : ""),
            ]
        }

        private static func print(_ details: RunDetailsMessage) {
            let run = details.run
            let end = run.endedAt.map { "to \(moment($0))" } ?? "and goes on"
            Swift.print("run         \(run.id)")
            Swift.print("repository  \(run.repository)")
            Swift.print("time        \(moment(run.startedAt)) \(end)")
            Swift.print("by          \(printable(run.actor))")
            Swift.print("looked at   \(run.considered) entries, of which \(run.skipped) changed meanwhile")
            Swift.print("removed     \(run.removed) entries, \(run.tagsRemoved) tags; archived \(run.archived)")
            Swift.print("freed       \(ByteCount(run.freedBytes)) of \(ByteCount(run.plannedBytes))")
            if let note = run.note { Swift.print("note        \(printable(note))") }
            guard !details.decisions.isEmpty else { return }
            Swift.print()
            printTable(
                ["OUTCOME", "NAME", "TAGS", "FREED", "WHY"],
                details.decisions.map { decision in
                    [
                        decision.outcome, shortName(decision.name), shortList(decision.tags),
                        decision.bytes == 0 ? "-" : ByteCount(decision.bytes).description, decision.explanation,
                    ]
                }
            )
            if details.next != nil { Swift.print("and more; see --limit") }
        }
    }
}
