import LarderCore
import LarderTestSupport
import Testing

/// Hashing in pieces gives what hashing at once gives, and both give what the standard says.
@Suite struct IncrementalHasherTests {
    /// FIPS 180-4's examples.
    @Test(arguments: [
        (text: "", hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (text: "abc", hex: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            text: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            hex: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            text: String(repeating: "a", count: 1_000_000),
            hex: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func knownTextsHaveTheirSHA256(text: String, hex: String) {
        let bytes = Array(text.utf8)
        #expect(IncrementalHasher.digest(of: bytes).hex == hex)
        #expect(bytes.withUnsafeBytes { IncrementalHasher.digest(of: $0) }.hex == hex)
        #expect(hash(bytes, inPiecesOf: [7, 64, 1, 4096]).map(\.hex) == [hex])
    }

    @Test(arguments: [
        (
            text: "",
            hex: """
            cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
            47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
            """
        ),
        (
            text: "abc",
            hex: """
            ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
            2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
            """
        ),
    ])
    func sha512StandsBehindSHA256WhenItIsAskedFor(text: String, hex: String) throws {
        let digests = hash(Array(text.utf8), inPiecesOf: [1], alsoSHA512: true)
        try #require(digests.count == 2)
        #expect(digests[0] == IncrementalHasher.digest(of: Array(text.utf8)))
        #expect(digests[1].description == "sha512:\(hex)")
    }

    @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 129, 1000])
    func everyChunkingEqualsTheWhole(length: Int) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let bytes = generator.bytes(length)
        let whole = IncrementalHasher.digest(of: bytes)
        for size in 1...130 {
            #expect(hash(bytes, inPiecesOf: [size]) == [whole], "pieces of \(size), LARDER_TEST_SEED=\(seed)")
        }
        for _ in 0..<50 {
            let sizes = (0..<8).map { _ in Int.random(in: 0...200, using: &generator) } + [1]
            #expect(hash(bytes, inPiecesOf: sizes) == [whole], "pieces of \(sizes), LARDER_TEST_SEED=\(seed)")
        }
    }

    @Test func bytesAreCounted() {
        var hasher = IncrementalHasher()
        #expect(hasher.byteCount == 0)
        for length in [0, 1, 4096] {
            [UInt8](repeating: 7, count: length).withUnsafeBytes { hasher.update($0) }
        }
        #expect(hasher.byteCount == 4097)
    }

    @Test func finalizingInTheMiddleChangesNothing() {
        var hasher = IncrementalHasher()
        Array("ab".utf8).withUnsafeBytes { hasher.update($0) }
        #expect(
            hasher.finalize().map(\.hex) == ["fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"]
        )
        Array("c".utf8).withUnsafeBytes { hasher.update($0) }
        #expect(
            hasher.finalize().map(\.hex) == ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
        )
    }

    @Test func bytesThatLieApartAreHashedInOrder() {
        let bytes: [UInt8] = Array("cba".utf8)
        #expect(
            IncrementalHasher.digest(of: bytes.reversed()).hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    /// Feeds bytes in pieces of the sizes given, over and over.
    private func hash(_ bytes: [UInt8], inPiecesOf sizes: [Int], alsoSHA512: Bool = false) -> [Digest] {
        var hasher = IncrementalHasher(alsoSHA512: alsoSHA512)
        var offset = 0
        var turn = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + sizes[turn % sizes.count])
            bytes[offset..<end].withUnsafeBytes { hasher.update($0) }
            offset = end
            turn += 1
        }
        return hasher.finalize()
    }
}
