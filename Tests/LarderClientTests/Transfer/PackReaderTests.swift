import LarderCore
import LarderTestSupport
import Synchronization
import Testing

@testable import LarderClient

/// What a sink was told, in order.
final class RecordingSink: PackSink {
    enum Event: Equatable {
        case note([UInt8])
        case blob(Digest, [UInt8])
        case missing(Digest)
    }

    private struct State {
        var events: [Event] = []
        var open: (digest: Digest, size: Int64, bytes: [UInt8])?
    }

    private let state = Mutex(State())

    var events: [Event] { state.withLock { $0.events } }
    /// Of blobs that came whole.
    var blobs: [[UInt8]] {
        events.compactMap { if case .blob(_, let bytes) = $0 { bytes } else { nil } }
    }

    func note(_ json: [UInt8]) throws {
        state.withLock { $0.events.append(.note(json)) }
    }

    func begin(_ digest: Digest, size: Int64) throws {
        try state.withLock { state in
            guard state.open == nil else { throw TestFailure("a blob begins within another") }
            state.open = (digest, size, [])
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            guard state.open != nil else { throw TestFailure("bytes of no blob") }
            state.open?.bytes.append(contentsOf: bytes)
        }
    }

    func end() throws {
        try state.withLock { state in
            guard let open = state.open, open.size == open.bytes.count else { throw TestFailure("a blob ends wrongly") }
            state.events.append(.blob(open.digest, open.bytes))
            state.open = nil
        }
    }

    func missing(_ digest: Digest) throws {
        state.withLock { $0.events.append(.missing(digest)) }
    }
}

/// Packs are read in pieces of any length, and what is none is refused.
@Suite struct PackReaderTests {
    private static let first: [UInt8] = Array("hello".utf8)
    private static let second: [UInt8] = Array("a second blob".utf8)
    private static let lost = IncrementalHasher.digest(of: Array("lost".utf8))
    private static let note: [UInt8] = Array(#"{"key":"k"}"#.utf8)

    private static func blob(_ bytes: [UInt8]) -> [UInt8] {
        PackFrame.blob(IncrementalHasher.digest(of: bytes), size: Int64(bytes.count)).head + bytes
    }

    private static let pack: [UInt8] =
        PackFrame.note(size: note.count).head + note + blob(first) + PackFrame.missing(lost).head + blob([])
        + blob(second) + PackFrame.end(blobCount: 3).head

    private static let events: [RecordingSink.Event] = [
        .note(note), .blob(IncrementalHasher.digest(of: first), first), .missing(lost),
        .blob(.emptySHA256, []), .blob(IncrementalHasher.digest(of: second), second),
    ]

    private func read(_ pieces: [ArraySlice<UInt8>], into sink: RecordingSink = RecordingSink()) throws {
        var reader = PackReader()
        for piece in pieces {
            try piece.withUnsafeBytes { try reader.take($0, into: sink) }
        }
        try reader.finish()
    }

    @Test func everySplitInTwoGivesTheSame() throws {
        for place in 0...Self.pack.count {
            let sink = RecordingSink()
            try read([Self.pack[..<place], Self.pack[place...]], into: sink)
            #expect(sink.events == Self.events)
        }
    }

    @Test(arguments: 1...60)
    func piecesOfOneLengthGiveTheSame(length: Int) throws {
        let sink = RecordingSink()
        let starts = stride(from: 0, to: Self.pack.count, by: length)
        try read(starts.map { Self.pack[$0..<min($0 + length, Self.pack.count)] }, into: sink)
        #expect(sink.events == Self.events)
    }

    @Test func aPackThatBreaksOffAnywhereIsNotWhole() {
        for length in 0..<Self.pack.count {
            #expect(throws: ClientError.self) { try read([Self.pack[..<length]]) }
        }
    }

    @Test(arguments: [0, 2, 4])
    func aWrongCountIsDamage(count: Int) {
        let pack = Self.pack.dropLast(PackFrame.headLength) + PackFrame.end(blobCount: count).head
        #expect(throws: ClientError.self) { try read([pack]) }
    }

    @Test func bytesBehindTheEndAreDamage() {
        #expect(throws: ClientError.self) { try read([Self.pack + [0]]) }
        #expect(throws: ClientError.self) { try read([Self.pack[...], [1]]) }
    }

    @Test(arguments: [UInt8(0), 5, 255])
    func anUnknownKindIsDamage(kind: UInt8) {
        var pack = Self.pack
        pack[0] = kind
        #expect(throws: ClientError.self) { try read([pack[...]]) }
    }

    @Test func changedBytesAreReadOrRefused() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            var pack = Self.pack
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                pack[Int.random(in: 0..<pack.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let cut = Int.random(in: 0...pack.count, using: &generator)
            do {
                // Contents are not looked at here: a pack with other bytes in a blob is a pack.
                try read([pack[..<cut], pack[cut...]])
            } catch {
                #expect(error is ClientError, "seed \(seed)")
            }
        }
    }
}
