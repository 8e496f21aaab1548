import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

struct Restore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring back what was removed, or list what can be.",
        discussion: """
            What people and policies removed from registries and buckets can be brought back until the undo time is \
            over, with its tags and with what went with it. When a tag of it names something else by now nothing is \
            restored: say with --tag under which tags it comes back, which are moved if they exist.

            Examples:
              larder restore team/app
              larder restore team/app 1.3
              larder restore team/app sha256:… --tag rescued
            """,
    )

    @OptionGroup var location: ServerLocation

    @Argument(help: "Name of the repository.")
    var name: String

    @Argument(help: "What to bring back: a tag or digest of an image, the key of anything else. Default: list it.")
    var reference: String?

    @Option(name: .customLong("tag"), help: "A tag to come back with, instead of those that it had. Can be repeated.")
    var tags: [String] = []

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        if reference == nil && !tags.isEmpty { throw ValidationError("--tag needs something to restore") }
    }

    func run() async throws {
        let (name, reference, tags, json) = (name, reference, tags, json)
        try await location.withServer { client in
            guard let reference else { return try await Self.list(name, asJSON: json, client) }
            // No tag has a colon, and digests do.
            let isTag = try await client.repository(name).kind == "registry" && !reference.contains(":")
            let request = RestoreRequestMessage(
                tag: isTag ? reference : nil,
                key: isTag ? nil : reference,
                asTags: tags.isEmpty ? nil : tags
            )
            let result = try await client.restore(request, in: name)
            if json { return try printJSON(result) }
            Self.print(result, reference, in: name)
        }
    }

    private static func print(_ result: RestorationMessage, _ reference: String, in name: String) {
        let others = result.keys.count - 1
        let more = others > 0 ? " and \(others) more that went with it" : ""
        Swift.print("restored \(printable(result.keys.first ?? "the tag \(reference)"))\(more) in \(name)")
        if !result.tags.isEmpty { Swift.print("tags: \(result.tags.joined(separator: " "))") }
        if !result.takenTags.isEmpty {
            let taken = result.takenTags.joined(separator: " ")
            Swift.print("left where they are, because they name something else by now: \(taken)")
        }
    }

    private static func list(_ name: String, asJSON: Bool, _ client: ServerClient) async throws {
        let entries = try await client.removedEntries(in: name)
        if asJSON { return try printJSON(entries) }
        if entries.isEmpty { return Swift.print("nothing can be restored in \(name)") }
        // Keys are whole, because they are what is pasted to restore something.
        printTable(
            ["NAME", "TAGS", "REMOVED", "BY", "GOES FOR GOOD", "WITH"],
            entries.map { entry in
                [
                    entry.isTagOnly ? "only the tag" : entry.key, shortList(entry.tags), ago(entry.removedAt),
                    entry.run.map { "run \($0)" } ?? (entry.removedBy == "run" ? "a run" : "a person"),
                    fromNow(entry.undoUntil), entry.root.map(shortName) ?? "-",
                ]
            }
        )
        // As many as the server lists at most.
        if entries.count >= 10_000 { Swift.print("and perhaps more, removed earlier") }
    }
}
