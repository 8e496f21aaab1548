import LarderCore
import LarderTestSupport
import Testing

private let abc256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
private let abc512 = """
    ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
    """

/// Digests are parsed strictly and written as they were read.
@Suite struct DigestTests {
    @Test func hexadecimalDigitsBecomeTheRawHash() throws {
        let digest = try #require(Digest(.sha256, hex: abc256.utf8))
        #expect(digest.algorithm == .sha256)
        #expect(
            digest.bytes == [
                0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
            ]
        )
        #expect(digest.hex == abc256)
    }

    @Test(arguments: [
        (algorithm: DigestAlgorithm.sha256, hex: abc256, text: "sha256:\(abc256)"),
        (algorithm: .sha512, hex: abc512, text: "sha512:\(abc512)"),
    ])
    func writtenDigestIsReadBack(algorithm: DigestAlgorithm, hex: String, text: String) throws {
        let digest = try #require(Digest(text))
        #expect(digest.algorithm == algorithm)
        #expect(digest.hex == hex)
        #expect(digest.description == text)
        #expect(Digest(algorithm, hex: hex.utf8) == digest)
        #expect(Digest(algorithm, bytes: digest.bytes) == digest)
        #expect(digest.bytes.count == algorithm.byteCount)
    }

    @Test(arguments: DigestAlgorithm.allCases)
    func randomBytesSurviveEveryForm(algorithm: DigestAlgorithm) throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = generator.bytes(algorithm.byteCount)
            let digest = try #require(Digest(algorithm, bytes: bytes), "LARDER_TEST_SEED=\(seed)")
            #expect(digest.bytes == bytes, "LARDER_TEST_SEED=\(seed)")
            #expect(Digest(algorithm, hex: digest.hex.utf8) == digest, "LARDER_TEST_SEED=\(seed)")
            #expect(Digest(digest.description) == digest, "LARDER_TEST_SEED=\(seed)")
        }
    }

    @Test(arguments: 0...130)
    func onlyTheAlgorithmsOwnLengthIsADigest(length: Int) {
        let digits = String(repeating: "a", count: length)
        let bytes = [UInt8](repeating: 0xaa, count: length)
        #expect((Digest(.sha256, hex: digits.utf8) != nil) == (length == 64))
        #expect((Digest(.sha512, hex: digits.utf8) != nil) == (length == 128))
        #expect((Digest("sha256:\(digits)") != nil) == (length == 64))
        #expect((Digest("sha512:\(digits)") != nil) == (length == 128))
        #expect((Digest(.sha256, bytes: bytes) != nil) == (length == 32))
        #expect((Digest(.sha512, bytes: bytes) != nil) == (length == 64))
    }

    @Test(arguments: 0...255)
    func onlyLowercaseHexadecimalDigitsAreAccepted(character: Int) {
        let byte = UInt8(character)
        let isDigit = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
        for position in [0, 1, 15, 16, 31, 62, 63] {
            var digits = Array(abc256.utf8)
            digits[position] = byte
            #expect((Digest(.sha256, hex: digits) != nil) == isDigit)
        }
    }

    @Test(arguments: [
        "",
        ":",
        "sha256",
        "sha256:",
        abc256,
        ":\(abc256)",
        "sha256\(abc256)",
        "sha256::\(abc256)",
        "sha256: \(abc256)",
        " sha256:\(abc256)",
        "sha256:\(abc256) ",
        "sha256:\(abc256)\n",
        "sha256:\(abc256.uppercased())",
        "SHA256:\(abc256)",
        "Sha256:\(abc256)",
        "sha512:\(abc256)",
        "sha256:\(abc512)",
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
        "md5:900150983cd24fb0d6963f7d28e17f72",
        "sha256+b64:\(abc256)",
        "sha256:0x\(abc256.dropFirst(2))",
        "sha256:\(abc256.dropLast())é",
    ])
    func anythingElseIsNoDigest(text: String) {
        #expect(Digest(text) == nil)
    }

    @Test(arguments: 0..<64)
    func digestsThatDifferInOneDigitAreDifferent(position: Int) throws {
        let zeros = [UInt8](repeating: 0x30, count: 64)
        var other = zeros
        other[position] = 0x31
        let left = try #require(Digest(.sha256, hex: zeros))
        let right = try #require(Digest(.sha256, hex: other))
        #expect(left != right)
        #expect(Set([left, right, left]).count == 2)
    }

    @Test func sameWordsUnderAnotherAlgorithmAreAnotherDigest() throws {
        let short = try #require(Digest(.sha256, bytes: [UInt8](repeating: 0, count: 32)))
        let long = try #require(Digest(.sha512, bytes: [UInt8](repeating: 0, count: 64)))
        #expect(short != long)
    }

    @Test func digestOfNoBytesIsTheKnownOne() {
        #expect(
            Digest.emptySHA256.description
                == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        )
    }

    @Test func digitsAreWrittenToTheStartOfALongerBuffer() throws {
        let digest = try #require(Digest(.sha256, hex: abc256.utf8))
        var buffer = [UInt8](repeating: 0x2e, count: 66)
        let length = buffer.withUnsafeMutableBytes { digest.writeHex(to: $0) }
        #expect(length == 64)
        #expect(String(decoding: buffer, as: UTF8.self) == "\(abc256)..")
    }

    @Test func algorithmsHaveTheirRegisteredNamesAndNumbers() {
        // The numbers are stored in the database, so they never change.
        #expect(DigestAlgorithm.allCases.map(\.rawValue) == [1, 2])
        #expect(DigestAlgorithm.allCases.map(\.name) == ["sha256", "sha512"])
        #expect(DigestAlgorithm.allCases.map(\.byteCount) == [32, 64])
    }
}
