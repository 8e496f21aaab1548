import APIMessages
import ArgumentParser
import LarderClient
import LarderCore
import Synchronization

struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Apply policies now, or look at what was done.",
        discussion: """
            What goes can be brought back with `larder restore` until the undo time is over; then its space is free.

            Examples:
              larder prune team/app --dry-run
              larder prune team/app
              larder prune --all
              larder prune log team/app
            """,
        subcommands: [Run.self, Log.self],
        defaultSubcommand: Run.self,
    )

    struct Run: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply the policy of a repository now.",
            discussion: """
                With --all the policies of all repositories that have one; when one fails, the others are applied all \
                the same, and the exit code is 1.

                Examples:
                  larder prune run team/app --dry-run
                  larder prune run --all
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String?
        @Flag(help: "Apply the policies of all repositories that have one.") var all = false
        @Flag(help: "Show only what would change.") var dryRun = false
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            guard (name == nil) == all else { throw ValidationError("name a repository, or say --all") }
        }

        func run() async throws {
            let (name, dryRun, json) = (name, dryRun, json)
            let hasFailed = Mutex(false)
            try await location.withServer { client in
                guard let name else {
                    let isComplete = try await Self.runAll(dryRun: dryRun, json: json, client)
                    return hasFailed.withLock { $0 = !isComplete }
                }
                if dryRun {
                    return try await printPreview(name, policy: nil, onlyChanges: true, asJSON: json, client)
                }
                let run = try await client.prune(name)
                if json { return try printJSON(run) }
                print(run.sentence)
            }
            if hasFailed.withLock({ $0 }) { throw ExitCode.failure }
        }

        /// Goes on after a failure; tells whether there was none.
        private static func runAll(dryRun: Bool, json: Bool, _ client: ServerClient) async throws -> Bool {
            var runs: [RunMessage] = []
            var isComplete = true
            let repositories = try await client.repositories().filter(\.hasPolicy)
            for repository in repositories {
                do {
                    if dryRun {
                        try await printPreview(
                            repository.name,
                            policy: nil,
                            onlyChanges: true,
                            asJSON: json,
                            client
                        )
                        continue
                    }
                    let run = try await client.prune(repository.name)
                    if json { runs.append(run) } else { print(run.sentence) }
                } catch let error as ClientError {
                    isComplete = false
                    writeError("\(repository.name): \(error)")
                }
            }
            if json && !dryRun { try printJSON(runs) }
            if repositories.isEmpty && !json { print("no repository has a policy; see: larder policy --help") }
            return isComplete
        }
    }
}

extension RunMessage {
    fileprivate var sentence: String {
        var parts = ["removed \(removed) of \(considered) entries"]
        if tagsRemoved > 0 { parts.append("\(tagsRemoved) tags of what stays") }
        if archived > 0 { parts.append("archived \(archived)") }
        if skipped > 0 { parts.append("left \(skipped) that changed meanwhile") }
        parts.append("\(ByteCount(plannedBytes)) become free when the undo time is over")
        return "\(repository): run \(id) \(parts.joined(separator: ", "))"
    }
}
