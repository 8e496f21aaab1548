import LarderCore
import Testing

/// Scopes are any printable text of bounded length that the store does not keep for itself.
@Suite struct EntryScopeTests {
    @Test(arguments: [
        "", "refs/heads/main", "refs/pull/7/merge", "a#", "a#pending", " #", " ", "päckchen", "日本語", "🙂", "%00",
        "\u{80}",
    ])
    func printableTextIsAScope(text: String) throws {
        let scope = try #require(EntryScope(text))
        #expect(scope.text == text)
        #expect(scope.description == text)
    }

    @Test(arguments: ["#", "#pending", "#a", "##"])
    func whatTheStoreKeepsForItselfIsNone(text: String) {
        #expect(EntryScope(text) == nil)
    }

    @Test(arguments: 0...255)
    func controlCharactersAreRefusedAnywhere(character: Int) throws {
        let scalar = try #require(Unicode.Scalar(UInt32(character)))
        let isControl = character < 0x20 || character == 0x7f
        for text in ["a\(scalar)", "a\(scalar)b"] {
            #expect((EntryScope(text) == nil) == isControl)
        }
        #expect((EntryScope("\(scalar)a") == nil) == (isControl || scalar == "#"))
    }

    @Test(arguments: [
        (count: 0, isValid: true), (count: 511, isValid: true), (count: 512, isValid: true),
        (count: 513, isValid: false), (count: 100_000, isValid: false),
    ])
    func scopesHaveAtMost512Bytes(count: Int, isValid: Bool) {
        #expect((EntryScope(String(repeating: "s", count: count)) != nil) == isValid)
    }

    @Test func lengthIsCountedInBytesOfUTF8() {
        #expect(EntryScope(String(repeating: "é", count: 256)) != nil)
        #expect(EntryScope(String(repeating: "é", count: 257)) == nil)
    }

    @Test func theEmptyScopeIsThatOfEntriesWithoutOne() throws {
        #expect(EntryScope.none.text == "")
        // Beside an optional's `none`.
        let empty: EntryScope = try #require(EntryScope(""))
        #expect(empty == EntryScope.none)
    }
}
