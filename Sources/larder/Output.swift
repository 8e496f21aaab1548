import APIMessages
import Foundation
import LarderCore

/// Prints a value as JSON for scripts.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints columns as wide as their contents.
func printTable(_ header: [String], _ rows: [[String]]) {
    let rows = rows.map { $0.map(printable) }
    let widths = header.indices.map { column in
        ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    for row in [header] + rows {
        let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        print(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
    }
}

func printRepositories(_ repositories: [RepositoryMessage]) {
    printTable(
        ["REPOSITORY", "KIND", "SIZE", "ENTRIES", "QUOTA"],
        repositories.map { repository in
            [
                repository.name, repository.kind, ByteCount(repository.usedBytes).description,
                "\(repository.entryCount)", quota(of: repository),
            ]
        }
    )
}

/// A repository's limits in words.
func quota(of repository: RepositoryMessage) -> String {
    let parts = [
        repository.quotaBytes.map { ByteCount($0).description }, repository.quotaEntries.map { "\($0) entries" },
    ].compactMap { $0 }
    return parts.isEmpty ? "-" : parts.joined(separator: ", ")
}

/// A bar on a terminal, a line now and then in a log.
struct ProgressBar {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var lastPhase = ""
    private var lastTenth = -1

    mutating func update(phase: String, done: Int64, total: Int64) {
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
        if isTerminal {
            let width = 30
            let filled = Int(share * Double(width))
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
            write("\r\(phase.padding(toLength: 9, withPad: " ", startingAt: 0)) [\(bar)] \(done)/\(total)\u{1b}[K")
            return
        }
        let tenth = Int(share * 10)
        guard phase != lastPhase || tenth != lastTenth else { return }
        lastPhase = phase
        lastTenth = tenth
        write("\(phase): \(done) of \(total)\n")
    }

    func finish() {
        if isTerminal { write("\r\u{1b}[K") }
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}

/// A text of a stranger without what would command the terminal.
func printable(_ text: String) -> String {
    String(
        text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "\u{fffd}" : Character(scalar)
        }
    )
}
