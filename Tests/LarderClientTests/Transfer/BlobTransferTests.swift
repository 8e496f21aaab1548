import Foundation
import LarderCore
import LarderTestSupport
import Synchronization
import Testing

@testable import LarderClient

/// Blobs arrive whole, also over connections that break.
@Suite struct BlobTransferTests {
    private static func contents(_ sizes: [Int], seed: UInt64 = 1) -> [[UInt8]] {
        var generator = SeededGenerator(seed: seed)
        return sizes.map { generator.bytes($0) }
    }

    @Test func whatIsMissingIsAskedBitByBit() async throws {
        let server = try PretendServer()
        let contents = Self.contents(Array(1...19))
        let digests = contents.map { IncrementalHasher.digest(of: $0) }
        for index in [0, 7, 8, 18] { server.keep(contents[index]) }
        let missing = try await server.transfer().missing(digests)
        #expect(missing == Set(digests).subtracting([0, 7, 8, 18].map { digests[$0] }))
    }

    @Test func onlyKnownSizesAreToldOf() async throws {
        let server = try PretendServer()
        server.keep(Self.contents([100])[0])
        #expect(try await server.transfer().haveSizes([99, 100, 101]) == [100])
    }

    @Test func aPackArrives() async throws {
        let server = try PretendServer()
        let contents = Self.contents([0, 10, 3 << 20, 1])
        let sent = ByteTally()
        try await server.transfer().send(contents.map { OutgoingBlob($0) }) { sent.add($0) }
        for bytes in contents {
            #expect(server.state.withLock { $0.blobs[IncrementalHasher.digest(of: bytes)] } == bytes)
        }
        #expect(sent.count == PackWriter.length(of: contents.map { OutgoingBlob($0) }))
    }

    @Test func aPackArrivesOverConnectionsThatAreCutAnywhere() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let server = try PretendServer()
            let contents = (0..<40).map { _ in generator.bytes(Int.random(in: 0...20_000, using: &generator)) }
            let cuts = (0..<4).map { _ in Int.random(in: 100...400_000, using: &generator) }
            let blobs = contents.map { OutgoingBlob($0) }
            let sent = ByteTally()
            try await server.transfer(cuts: cuts).send(blobs) { sent.add($0) }
            let kept = server.state.withLock { $0.blobs.count }
            #expect(kept == Set(blobs.map(\.digest)).count, "seed \(seed)")
            #expect(sent.count == PackWriter.length(of: blobs), "seed \(seed)")
        }
    }

    @Test func whatArrivedIsNotSentAgain() async throws {
        let server = try PretendServer()
        let contents = Self.contents([200_000, 200_000, 200_000])
        // Cut within the third blob.
        try await server.transfer(cuts: [500_000]).send(contents.map { OutgoingBlob($0) }) { _ in }
        #expect(server.requestCount("/missing") == 1)
        #expect(server.requestCount("/pack") == 1)
        #expect(server.state.withLock { $0.blobs.count } == 3)
    }

    @Test func aFileThatChangedKeepingItsLengthIsNamed() async throws {
        try await withTemporaryFolder { folder in
            let server = try PretendServer()
            let path = "\(folder)/f"
            try Data("new".utf8).write(to: URL(fileURLWithPath: path))
            let digest = IncrementalHasher.digest(of: Array("old".utf8))
            let transfer = try await server.transfer()
            let error = await #expect(throws: ClientError.self) {
                try await transfer.send([OutgoingBlob(digest: digest, size: 3, source: .file(path: path))]) { _ in }
            }
            #expect(error?.description.hasPrefix("\(path) changed") == true)
        }
    }

    @Test func blobsAreFetchedInOrderAndOnce() async throws {
        let server = try PretendServer()
        let contents = Self.contents([5, 0, 2 << 20, 100])
        let digests = contents.map { server.keep($0) }
        let sink = RecordingSink()
        try await server.transfer().fetch(digests + digests, into: sink) { _ in }
        #expect(sink.blobs == contents)
    }

    @Test func fetchingGoesOnWhereItBrokeOff() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10 {
            let server = try PretendServer()
            let contents = (0..<40).map { _ in generator.bytes(Int.random(in: 0...20_000, using: &generator)) }
            let digests = contents.map { server.keep($0) }
            let distinct = digests.indices.filter { digests.firstIndex(of: digests[$0]) == $0 }.map { contents[$0] }
            let cuts = (0..<5).map { _ in Int.random(in: 2000...150_000, using: &generator) }
            let sink = RecordingSink()
            try await server.transfer(cuts: cuts).fetch(digests, into: sink) { _ in }
            #expect(sink.blobs == distinct, "seed \(seed)")
        }
    }

    @Test func aMissingBlobIsAnErrorAfterTheOthersCame() async throws {
        let server = try PretendServer()
        let kept = server.keep([1, 2, 3])
        let lost = IncrementalHasher.digest(of: [UInt8(9)])
        let sink = RecordingSink()
        let transfer = try await server.transfer()
        let error = await #expect(throws: ClientError.self) {
            try await transfer.fetch([lost, kept], into: sink) { _ in }
        }
        #expect(error?.description.contains(lost.description) == true)
        #expect(sink.events == [.missing(lost), .blob(kept, [1, 2, 3])])
    }

    @Test func otherBlobsThanAskedForAreRefused() async throws {
        let server = try PretendServer()
        let (asked, other) = (server.keep([1]), server.keep([2]))
        let pack = server.state.withLock { PretendServer.pack(of: [other], $0) }
        server.plan("/fetch", PretendServer.Answer(body: pack))
        let transfer = try await server.transfer()
        await #expect(throws: ClientError.self) { try await transfer.fetch([asked], into: RecordingSink()) { _ in } }
    }

    @Test func anErrorOfTheSinkEndsTheTransfer() async throws {
        struct Full: Error {}
        struct Sink: PackSink {
            func note(_ json: [UInt8]) throws {}
            func begin(_ digest: Digest, size: Int64) throws { throw Full() }
            func write(_ bytes: UnsafeRawBufferPointer) throws {}
            func end() throws {}
            func missing(_ digest: Digest) throws {}
        }
        let server = try PretendServer()
        let digest = server.keep([1, 2, 3])
        let transfer = try await server.transfer()
        await #expect(throws: Full.self) { try await transfer.fetch([digest], into: Sink()) { _ in } }
        #expect(server.requestCount("/fetch") == 1)
    }

    @Test func anAnswerWithoutContentIsNoPack() async throws {
        let server = try PretendServer()
        server.plan("/restore", PretendServer.Answer(status: 204))
        let path = "/api/v1/caches/main/restore"
        let isHit = try await server.transfer().receivePack(path: path, body: [], into: RecordingSink()) { _ in }
        #expect(!isHit)
    }

    @Test(arguments: [500, 502, 503, 429])
    func aServerInTroubleIsAskedAgain(status: Int) async throws {
        let server = try PretendServer()
        server.plan("/missing", try .error(status, "later"), times: 5)
        #expect(try await server.transfer().missing([.emptySHA256]) == [.emptySHA256])
        #expect(server.requestCount("/missing") == 6)
    }

    @Test(arguments: [400, 401, 403, 404, 409, 413, 507])
    func aRefusalIsFinal(status: Int) async throws {
        let server = try PretendServer()
        server.plan("/missing", try .error(status, "no, because"), times: 2)
        let transfer = try await server.transfer()
        let error = await #expect(throws: ClientError.self) { try await transfer.missing([.emptySHA256]) }
        #expect(error?.description == "no, because")
        #expect(server.requestCount("/missing") == 1)
    }

    @Test func patienceEnds() async throws {
        let server = try PretendServer()
        server.plan("/missing", try .error(503, "later"), times: 20)
        let transfer = try await server.transfer()
        await #expect(throws: ClientError.self) { try await transfer.missing([.emptySHA256]) }
        #expect(server.requestCount("/missing") == 6)
    }

    @Test func whereNobodyListensThatIsSaidAtOnce() async throws {
        let server = try PretendServer()
        server.stop()
        let transfer = BlobTransfer(server: ServerClient(.url(server.url)), repository: "main", kind: "cache")
        let start = ContinuousClock.now
        let error = await #expect(throws: ClientError.self) { try await transfer.missing([.emptySHA256]) }
        #expect(error?.description.contains("no answer from the server at \(server.url)") == true)
        #expect(error?.description.contains("larder serve") == true)
        #expect(start.duration(to: .now) < .seconds(60))
    }

    @Test func theTokenGoesWithEveryRequest() async throws {
        let server = try PretendServer()
        let transfer = try await server.transfer(token: "secret")
        _ = try await transfer.missing([.emptySHA256])
        try await transfer.send([OutgoingBlob([1])]) { _ in }
        #expect(server.state.withLock { $0.authorizations } == Array(repeating: "Bearer secret", count: 3))
    }
}
