import LarderCore
import LarderTestSupport
import Testing

private let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
private let zeros = String(repeating: "0", count: 64)

/// Frames are told apart by their heads, and what is no head is refused.
@Suite struct PackFrameTests {
    private static func frame(ofHex text: String) throws -> PackFrame {
        try bytes(ofHex: text).withUnsafeBytes { try PackFrame(head: $0) }
    }

    private static func digest() throws -> Digest { try #require(Digest(.sha256, hex: abc.utf8)) }

    @Test func everyKindHasItsHead() throws {
        let digest = try Self.digest()
        let frames: [(frame: PackFrame, head: String, bodyLength: Int64)] = [
            (.blob(digest, size: 0), "01\(abc)0000000000000000", 0),
            (.blob(digest, size: 0x0102_0304_0506_0708), "01\(abc)0102030405060708", 0x0102_0304_0506_0708),
            (.blob(digest, size: .max), "01\(abc)7fffffffffffffff", .max),
            (.end(blobCount: 0), "02\(zeros)0000000000000000", 0),
            (.end(blobCount: 250_000), "02\(zeros)000000000003d090", 0),
            (.missing(digest), "03\(abc)0000000000000000", 0),
            (.note(size: 0), "04\(zeros)0000000000000000", 0),
            (.note(size: 1 << 20), "04\(zeros)0000000000100000", 1 << 20),
        ]
        for (frame, head, bodyLength) in frames {
            #expect(frame.head == bytes(ofHex: head))
            #expect(frame.head.count == PackFrame.headLength)
            #expect(try Self.frame(ofHex: head) == frame)
            #expect(frame.bodyLength == bodyLength)
        }
    }

    @Test func whatAFrameSaysIsRead() throws {
        let blob = try Self.frame(ofHex: "01\(abc)00000000000000ff")
        #expect((blob.kind, blob.digest, blob.size) == (.blob, try Self.digest(), 255))
        let end = try Self.frame(ofHex: "02\(zeros)0000000000000007")
        #expect((end.kind, end.digest, end.size) == (.end, nil, 7))
        let missing = try Self.frame(ofHex: "03\(abc)0000000000000000")
        #expect((missing.kind, missing.digest, missing.size) == (.missing, try Self.digest(), 0))
        let note = try Self.frame(ofHex: "04\(zeros)0000000000000009")
        #expect((note.kind, note.digest, note.size) == (.note, nil, 9))
    }

    @Test(
        arguments: [
            "00\(abc)0000000000000000", "05\(abc)0000000000000000", "ff\(abc)0000000000000000",
            "00\(zeros)0000000000000000",
            // Sizes below zero.
            "01\(abc)ffffffffffffffff", "01\(abc)8000000000000000", "02\(zeros)ffffffffffffffff",
            "03\(abc)ffffffffffffffff", "04\(zeros)8000000000000000",
            // What is not there has no bytes.
            "03\(abc)0000000000000001",
            // Longer than a note may be.
            "04\(zeros)0000000000100001", "04\(zeros)7fffffffffffffff",
        ]
    )
    func anythingElseIsNoHead(head: String) {
        #expect(throws: StoreError.invalidContent("this is no pack, or it is damaged")) {
            try Self.frame(ofHex: head)
        }
    }

    @Test func anyBytesAreAHeadOrNone() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            var head = generator.bytes(PackFrame.headLength)
            head[0] = UInt8.random(in: 0...5, using: &generator)
            for index in 33..<Int.random(in: 33...41, using: &generator) { head[index] = 0 }
            guard let frame = try? head.withUnsafeBytes({ try PackFrame(head: $0) }) else { continue }
            if frame.digest == nil { head.replaceSubrange(1..<33, with: [UInt8](repeating: 0, count: 32)) }
            try #require(frame.head == head, "LARDER_TEST_SEED=\(seed)")
        }
    }
}
