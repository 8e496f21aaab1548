import LarderCore
import LarderTestSupport
import NIOCore
import Synchronization
import Testing

@testable import LarderClient

/// Bytes are passed on only as far as they can still be the right ones.
@Suite struct VerifiedBlobTests {
    private func read(_ blob: Descriptor, from store: MemoryStore) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await piece in VerifiedBlob(blob, from: store, progress: { _ in }) {
            bytes += piece.readableBytesView
        }
        return bytes
    }

    private func someBytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }

    @Test(arguments: [0, 1, 1 << 20, 3 << 20 + 5])
    func goodContentComesWhole(count: Int) async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let blob = try store.keep(someBytes(count))
            let bytes = try await read(blob, from: store)
            #expect(bytes == someBytes(count))
        }
    }

    @Test func whatBreaksOffGoesOnWhereItEnded() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder, breaks: [100, 700])
            let blob = try store.keep(someBytes(1000))
            let bytes = try await read(blob, from: store)
            #expect(bytes == someBytes(1000))
            #expect(store.offsets.withLock { $0 } == [0, 100, 700])
        }
    }

    @Test func aWrongByteStopsTheLastPiece() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            var bytes = someBytes(2 << 20)
            let blob = try store.keep(bytes)
            bytes[5] ^= 1
            try store.replace(blob, by: bytes)
            let passed = Mutex(0)
            await #expect(throws: ClientError.self) {
                for try await piece in VerifiedBlob(blob, from: store, progress: { _ in }) {
                    passed.withLock { $0 += piece.readableBytes }
                }
            }
            #expect(passed.withLock { $0 } < bytes.count)
        }
    }

    @Test func moreBytesThanNamedAreRefused() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder)
            let blob = try store.keep(someBytes(10))
            try store.replace(blob, by: someBytes(11))
            await #expect(throws: ClientError.self) { try await read(blob, from: store) }
        }
    }

    @Test func progressCountsTheBytesSoFar() async throws {
        try await withTemporaryFolder { folder in
            let store = MemoryStore(folder: folder, breaks: [4])
            let blob = try store.keep(someBytes(10))
            let heard = Mutex<[Int64]>([])
            let pieces = VerifiedBlob(blob, from: store, progress: { count in heard.withLock { $0.append(count) } })
            var pieceCount = 0
            for try await _ in pieces { pieceCount += 1 }
            #expect(pieceCount == 2)
            #expect(heard.withLock { $0 } == [4, 10])
        }
    }
}
