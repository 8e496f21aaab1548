import LarderCore
import Testing

/// Keys are any printable text of bounded length.
@Suite struct EntryKeyTests {
    @Test(arguments: [
        "a", " ", "bazel/ac/0123", "gradle/ab:cd", "ccache/../x", "päckchen", "日本語", "a b", "🙂", "#1", "%00",
        "\u{80}",
    ])
    func printableTextIsAKey(text: String) throws {
        let key = try #require(EntryKey(text))
        #expect(key.text == text)
        #expect(key.description == text)
    }

    @Test(arguments: 0...255)
    func controlCharactersAreRefusedAnywhere(character: Int) throws {
        let scalar = try #require(Unicode.Scalar(UInt32(character)))
        let isControl = character < 0x20 || character == 0x7f
        for text in ["\(scalar)", "\(scalar)a", "a\(scalar)", "a\(scalar)b"] {
            #expect((EntryKey(text) == nil) == isControl)
        }
    }

    @Test(arguments: [
        (count: 0, isValid: false),
        (count: 1, isValid: true),
        (count: 1023, isValid: true),
        (count: 1024, isValid: true),
        (count: 1025, isValid: false),
        (count: 100_000, isValid: false),
    ])
    func keysHaveAtMost1024Bytes(count: Int, isValid: Bool) {
        #expect((EntryKey(String(repeating: "k", count: count)) != nil) == isValid)
    }

    @Test func lengthIsCountedInBytesOfUTF8() {
        #expect(EntryKey(String(repeating: "é", count: 512)) != nil)
        #expect(EntryKey(String(repeating: "é", count: 513)) == nil)
    }
}
