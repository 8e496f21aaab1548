import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

extension Policy {
    struct Preview: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a policy would do to a repository now, and why.",
            discussion: """
                Changes nothing. With --json every entry is a line of JSON, and the sums are the last one.

                Examples:
                  larder policy preview team/app
                  larder policy preview team/app --file keep.json --removed
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @Option(help: "File with the policy to try, JSON or YAML; - for standard input. Default: the one that holds.")
        var file: String?
        @Flag(help: "Show only what would change.") var removed = false
        @Flag(help: "Print JSON, one object a line.") var json = false

        func run() async throws {
            let text = try file.map { try readPolicy($0) }
            let (name, onlyChanges, json) = (name, removed, json)
            try await location.withServer { client in
                try await printPreview(name, policy: text, onlyChanges: onlyChanges, asJSON: json, client)
            }
        }
    }
}

/// Asks for a preview and prints it, as a table or as lines of JSON.
///
/// `policy`: nil: the one that holds.
func printPreview(
    _ name: String,
    policy: String?,
    onlyChanges: Bool,
    asJSON: Bool,
    _ client: ServerClient
) async throws {
    var rows: [[String]] = []
    let summary = try await client.preview(name, policy: policy) { entry in
        if onlyChanges && entry.decision == "kept" { return }
        if asJSON { return try printJSONLine(PreviewLine.entry(entry)) }
        rows.append(cells(entry))
    }
    if asJSON { return try printJSONLine(PreviewLine.summary(summary)) }
    if !rows.isEmpty {
        printTable(["DECISION", "NAME", "TAGS", "PUSHED", "FREED", "WHY"], rows)
        print()
    }
    print("\(summary.repository): \(summary.sentence)")
}

private func cells(_ entry: PreviewEntryMessage) -> [String] {
    let tags = entry.removedTags.isEmpty ? entry.tags : entry.removedTags
    let freed = entry.bytes == 0 ? "-" : ByteCount(entry.bytes).description
    return [
        entry.decision, shortName(entry.name), shortList(tags), ago(entry.pushedAt), freed, entry.explanation,
    ]
}

extension PreviewSummaryMessage {
    fileprivate var sentence: String {
        var parts = ["\(removed) of \(entries) entries go"]
        if tagsRemoved > 0 { parts.append("\(tagsRemoved) tags go from what stays") }
        if archived > 0 { parts.append("\(archived) are archived") }
        parts.append("\(ByteCount(bytes)) become free when the undo time is over")
        return parts.joined(separator: ", ")
    }
}
