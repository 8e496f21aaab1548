import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Synchronization
import Testing

@testable import LarderClient

/// Large blobs go in parts, each of which may break.
@Suite struct LargeTransferTests {
    /// Small pieces, and more connections at once.
    private static let width = TransferWidth(
        pieceSize: 30_000,
        aloneSize: 30_000,
        connectionCount: 4,
        trialTime: .zero,
        fastByteCount: .max
    )

    private func withFile<Value>(_ bytes: [UInt8], _ body: (String) async throws -> Value) async throws -> Value {
        try await withTemporaryFolder { folder in
            try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/file"))
            return try await body("\(folder)/file")
        }
    }

    private func fetch(
        _ digest: Digest,
        size: Int,
        _ transfer: BlobTransfer,
        width: TransferWidth = width
    ) async throws -> [UInt8] {
        try await withTemporaryFolder { folder in
            let descriptor = open("\(folder)/got", O_RDWR | O_CREAT | O_TRUNC, 0o600)
            defer { close(descriptor) }
            let blob = BlobDescriptor(digest: digest, size: Int64(size))
            try await transfer.fetchLarge(blob, to: descriptor, width: width) { _ in }
            return Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/got")))
        }
    }

    @Test(arguments: [0, 1, 29_999, 30_000, 30_001, 500_000])
    func aBlobComesWhole(size: Int) async throws {
        var generator = SeededGenerator(seed: 3)
        let bytes = generator.bytes(size)
        let server = try PretendServer()
        let digest = server.keep(bytes)
        let transfer = try await server.transfer(kind: "registry")
        #expect(try await fetch(digest, size: size, transfer) == bytes)
        let cache = try await server.transfer(kind: "cache")
        #expect(try await fetch(digest, size: size, cache) == bytes)
    }

    @Test func oneFastConnectionStaysAlone() async throws {
        var generator = SeededGenerator(seed: 3)
        let bytes = generator.bytes(500_000)
        let server = try PretendServer()
        let digest = server.keep(bytes)
        var width = Self.width
        width.fastByteCount = 0
        let transfer = try await server.transfer(kind: "registry")
        #expect(try await fetch(digest, size: bytes.count, transfer, width: width) == bytes)
        #expect(server.requestCount("/v2/") == 17)
    }

    @Test func aBlobComesOverConnectionsThatAreCutAnywhere() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let bytes = generator.bytes(Int.random(in: 100_000...600_000, using: &generator))
            let server = try PretendServer()
            let digest = server.keep(bytes)
            let cuts = (0..<5).map { _ in Int.random(in: 300...100_000, using: &generator) }
            let transfer = try await server.transfer(kind: "registry", cuts: cuts)
            #expect(try await fetch(digest, size: bytes.count, transfer) == bytes, "seed \(seed)")
        }
    }

    @Test func otherBytesAreNotTakenForTheBlob() async throws {
        let server = try PretendServer()
        let digest = IncrementalHasher.digest(of: [UInt8](repeating: 0, count: 100_000))
        server.state.withLock { $0.blobs[digest] = [UInt8](repeating: 1, count: 100_000) }
        for kind in ["registry", "cache"] {
            let transfer = try await server.transfer(kind: kind)
            await #expect(throws: ClientError.self) { try await fetch(digest, size: 100_000, transfer) }
        }
    }

    @Test func aBlobThatIsNotThereIsAnError() async throws {
        let server = try PretendServer()
        let transfer = try await server.transfer(kind: "registry")
        await #expect(throws: ClientError.self) { try await fetch(.emptySHA256, size: 100_000, transfer) }
        #expect(server.requestCount("/v2/") <= 4)
    }

    @Test(arguments: [0, 1, 999, 1000, 1001, 50_500])
    func aFileIsSentInParts(size: Int) async throws {
        var generator = SeededGenerator(seed: 4)
        let bytes = generator.bytes(size)
        let server = try PretendServer()
        try await withFile(bytes) { path in
            let sent = ByteTally()
            let digest = try await server.transfer().sendLarge(path, size: Int64(size), digest: nil) { sent.add($0) }
            #expect(digest == IncrementalHasher.digest(of: bytes))
            #expect(server.state.withLock { $0.blobs[digest] } == bytes)
            #expect(sent.count == size)
            #expect(server.requestCount("/part") == (size + 999) / 1000)
        }
    }

    @Test func aFileArrivesOverConnectionsThatAreCutAnywhere() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let bytes = generator.bytes(Int.random(in: 100_000...600_000, using: &generator))
            let server = try PretendServer()
            server.state.withLock { $0.partSize = 40_000 }
            let cuts = (0..<5).map { _ in Int.random(in: 300...150_000, using: &generator) }
            let transfer = try await server.transfer(cuts: cuts)
            try await withFile(bytes) { path in
                let sent = ByteTally()
                let digest = try await transfer.sendLarge(path, size: Int64(bytes.count), digest: nil) { sent.add($0) }
                #expect(server.state.withLock { $0.blobs[digest] } == bytes, "seed \(seed)")
                #expect(sent.count == bytes.count, "seed \(seed)")
            }
        }
    }

    @Test func anUploadThatWasForgottenIsBegunAnew() async throws {
        let server = try PretendServer()
        server.plan("/part", try .error(404, "no such upload"))
        let bytes = [UInt8](repeating: 5, count: 5000)
        try await withFile(bytes) { path in
            let sent = ByteTally()
            let digest = try await server.transfer().sendLarge(path, size: 5000, digest: nil) { sent.add($0) }
            #expect(server.state.withLock { $0.blobs[digest] } == bytes)
            #expect(server.state.withLock { $0.uploadCount } == 2)
            #expect(sent.count == 5000)
        }
    }

    @Test func anUploadThatIsForgottenAgainAndAgainIsGivenUp() async throws {
        let server = try PretendServer()
        server.plan("/finish", try .error(404, "no such upload"), times: 9)
        let transfer = try await server.transfer()
        try await withFile([1, 2, 3]) { path in
            await #expect(throws: ClientError.self) {
                try await transfer.sendLarge(path, size: 3, digest: nil) { _ in }
            }
            #expect(server.state.withLock { $0.uploadCount } == 3)
        }
    }

    @Test func partsThatTheServerLostAreSentAgain() async throws {
        let server = try PretendServer()
        server.state.withLock { $0.beforeFinish = { upload in upload.parts[2000] = nil } }
        let bytes = [UInt8](repeating: 6, count: 5000)
        try await withFile(bytes) { path in
            let sent = ByteTally()
            let digest = try await server.transfer().sendLarge(path, size: 5000, digest: nil) { sent.add($0) }
            #expect(server.state.withLock { $0.blobs[digest] } == bytes)
            #expect(server.state.withLock { $0.uploadCount } == 1)
            #expect(sent.count == 5000)
        }
    }

    @Test(arguments: ["/part", "/finish"])
    func anEarlierRequestThatIsNotOverYetIsWaitedFor(suffix: String) async throws {
        let server = try PretendServer()
        server.plan(suffix, try .error(409, "another request is sending these bytes"), times: 3)
        let bytes = [UInt8](repeating: 7, count: 900)
        try await withFile(bytes) { path in
            let sent = ByteTally()
            let digest = try await server.transfer().sendLarge(path, size: 900, digest: nil) { sent.add($0) }
            #expect(server.state.withLock { $0.blobs[digest] } == bytes)
            #expect(server.requestCount("/part") == (suffix == "/part" ? 4 : 1))
            #expect(sent.count == 900)
        }
    }

    @Test func aLostAnswerToTheLastRequestIsNoFailure() async throws {
        let server = try PretendServer()
        let bytes: [UInt8] = [1, 2, 3]
        // It was finished, and the second attempt is told that the upload is gone.
        server.keep(bytes)
        server.plan("/finish", try .error(503, "later"))
        server.plan("/finish", try .error(404, "no such upload"))
        try await withFile(bytes) { path in
            let digest = try await server.transfer().sendLarge(path, size: 3, digest: nil) { _ in }
            #expect(digest == IncrementalHasher.digest(of: bytes))
            #expect(server.state.withLock { $0.uploadCount } == 1)
        }
    }

    @Test func afterARefusalTheUploadIsRemoved() async throws {
        let server = try PretendServer()
        server.plan("/finish", try .error(507, "the disk is full"))
        let transfer = try await server.transfer()
        try await withFile([1, 2, 3]) { path in
            let error = await #expect(throws: ClientError.self) {
                try await transfer.sendLarge(path, size: 3, digest: nil) { _ in }
            }
            #expect(error?.description == "the disk is full")
            #expect(server.state.withLock { $0.uploads.isEmpty })
        }
    }

    @Test func aFileThatChangesMeanwhileIsNamed() async throws {
        let server = try PretendServer()
        let transfer = try await server.transfer()
        try await withFile([1, 2, 3]) { path in
            let times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
            let error = await #expect(throws: ClientError.self) {
                try await transfer.sendLarge(path, size: 3, digest: nil) { _ in
                    // As if somebody had written to it.
                    utimensat(AT_FDCWD, path, times, 0)
                }
            }
            #expect(error?.description.hasPrefix("\(path) changed") == true)
            #expect(server.state.withLock { $0.uploads.isEmpty })
            await #expect(throws: ClientError.self) {
                try await transfer.sendLarge(path, size: 4, digest: nil) { _ in }
            }
        }
    }
}
