import Foundation
import LarderCore

/// How long ago a moment was, in seconds since 1970.
func ago(_ seconds: Int64) -> String {
    "\(Duration.seconds(max(0, Date().timeIntervalSince1970 - Double(seconds))).shortText) ago"
}

/// How long it is to a moment, in seconds since 1970.
func fromNow(_ seconds: Int64) -> String {
    "in \(Duration.seconds(max(0, Double(seconds) - Date().timeIntervalSince1970)).shortText)"
}

/// A moment to the minute: `2026-03-01 03:00 UTC`.
func moment(_ seconds: Int64) -> String {
    let text = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    return "\(text.prefix(16).replacing("T", with: " ")) UTC"
}

/// The key of an entry, or the first digits of an image's digest.
func shortName(_ key: String) -> String {
    Digest(key) == nil ? key : shortDigest(key)
}

/// The first words of a list, and how many more there are.
func shortList(_ words: [String]) -> String {
    let shown = 3
    if words.isEmpty { return "-" }
    return words.prefix(shown).joined(separator: " ") + (words.count > shown ? " +\(words.count - shown)" : "")
}

/// Prints a value as one line of JSON.
func printJSONLine(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Writes a line to standard error.
func writeError(_ text: String) {
    FileHandle.standardError.write(Data("\(printable(text))\n".utf8))
}
