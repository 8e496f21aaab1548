import LarderCore
import LarderTestSupport
import Testing

/// What clients show, and what the server keeps of it.
@Suite struct TokenSecretTests {
    private static let alphabet = Set("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let vector = "nrqxezdfojwgc4temvzgyylsmrsxe3dbojsgk4tmmfzgizlsnrqq"

    @Test(
        arguments: [
            (bytes: [UInt8](repeating: 0, count: 32), text: String(repeating: "a", count: 52)),
            // 256 bits are 51 characters and one bit, which leads the last one.
            (bytes: [UInt8](repeating: 255, count: 32), text: String(repeating: "7", count: 51) + "q"),
            (bytes: [0x80] + [UInt8](repeating: 0, count: 31), text: "q" + String(repeating: "a", count: 51)),
            (bytes: [UInt8](repeating: 0, count: 31) + [1], text: String(repeating: "a", count: 51) + "q"),
            // As `base32` of coreutils writes it.
            (bytes: Array("larderlarderlarderlarderlarderla".utf8), text: vector),
        ] as [(bytes: [UInt8], text: String)]
    )
    func bytesAreWrittenInBase32(bytes: [UInt8], text: String) {
        #expect(TokenSecret(bytes: bytes).text == "larder_\(text)")
    }

    @Test func secretsAreLongPlainAndDistinct() {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        var texts: Set<String> = []
        for _ in 0..<1000 {
            let text = TokenSecret(bytes: random.bytes(TokenSecret.byteCount)).text
            #expect(text.utf8.count == 59, "LARDER_TEST_SEED=\(seed)")
            #expect(text.hasPrefix("larder_"), "LARDER_TEST_SEED=\(seed)")
            #expect(Self.alphabet.isSuperset(of: text.utf8.dropFirst(7)), "LARDER_TEST_SEED=\(seed)")
            #expect(TokenSecret.isOne(text), "LARDER_TEST_SEED=\(seed)")
            texts.insert(text)
        }
        #expect(texts.count == 1000, "LARDER_TEST_SEED=\(seed)")
    }

    /// No bit of the bytes is lost.
    @Test(arguments: 0..<256)
    func everyBitCounts(bit: Int) {
        var bytes = [UInt8](repeating: 0x5a, count: 32)
        let text = TokenSecret(bytes: bytes).text
        bytes[bit / 8] ^= 0x80 >> UInt8(bit % 8)
        #expect(TokenSecret(bytes: bytes).text != text)
    }

    @Test(arguments: [
        "", "larder_", "larder_" + String(repeating: "a", count: 51), "larder_" + String(repeating: "a", count: 53),
        "Larder_" + String(repeating: "a", count: 52), "larder-" + String(repeating: "a", count: 52),
        " larder_" + String(repeating: "a", count: 51), String(repeating: "a", count: 59),
        // 59 characters, but more bytes.
        "larder_" + String(repeating: "a", count: 51) + "é",
    ])
    func othersCanBeNone(text: String) {
        #expect(!TokenSecret.isOne(text))
    }

    @Test func theServerKeepsTheSHA256() {
        let text = "larder_" + String(repeating: "a", count: 52)
        // By `sha256sum`.
        let digest = "9ae4a2d82e77aca27eae5842bf017491b4c588d98c41bd13b68f09d42e5a793a"
        #expect(TokenSecret.digest(of: text).hex == digest)
        #expect(TokenSecret.digest(of: text[...]).hex == digest)
    }
}

/// What people call their tokens.
@Suite struct TokenNameTests {
    @Test(arguments: [
        "a", "7", "ci", "CI", "ada@example.org", "team-a_b.c+d", "0-0", "a.", String(repeating: "a", count: 100),
    ])
    func namesAreKeptAsTheyAre(text: String) {
        #expect(TokenName(text)?.text == text)
        #expect(TokenName(text)?.description == text)
    }

    @Test(arguments: [
        "", " ", "a b", " a", "a ", ".a", "_a", "-a", "@a", "+a", "a/b", "a:b", "a,b", "a*", "é", "a\n", "a\u{0}",
        "a%20b", String(repeating: "a", count: 101),
    ])
    func othersAreNone(text: String) {
        #expect(TokenName(text) == nil)
    }
}
