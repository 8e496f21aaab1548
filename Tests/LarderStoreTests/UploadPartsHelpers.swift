import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Synchronization

@testable import LarderStore

/// One thread, so that what follows in the pool's queue runs after all cleaning up that was submitted before.
var partsConfiguration: StoreConfiguration {
    var configuration = registryConfiguration
    configuration.fileThreadCount = 1
    configuration.uploadLifetime = .seconds(3600)
    return configuration
}

extension StoreHarness {
    /// Begins an upload in parts.
    func beginParts(_ id: String = "upload", size: Int64? = nil, kind: RepositoryKind = .cache) async throws {
        try await store.beginUpload(id, in: try name("main"), kind: kind)
        guard try declared(id, size: size) == 0 else { throw TestFailure("the upload \(id) is not new") }
    }

    func declared(_ id: String = "upload", size: Int64? = nil, in repository: String = "main") throws
        -> Int64?
    {
        store.declareUpload(id, size: size, in: try name(repository))
    }

    /// Sends some bytes of a whole as one part.
    func sendPart(
        _ range: Range<Int>,
        of bytes: [UInt8],
        to id: String = "upload",
        in repository: String = "main"
    ) async throws -> UploadOutcome {
        try await sendPart(Array(bytes[range]), at: range.lowerBound, to: id, in: repository)
    }

    func sendPart(
        _ part: [UInt8],
        at offset: Int,
        length: Int? = nil,
        fails: Bool = false,
        to id: String = "upload",
        in repository: String = "main"
    ) async throws -> UploadOutcome {
        try await store.putPart(
            of: id,
            in: try name(repository),
            at: Int64(offset),
            body: Chunks(part, each: 700, fails: fails),
            length: Int64(length ?? part.count)
        )
    }

    func finishParts(as digest: Digest, of id: String = "upload") async throws -> UploadOutcome {
        try await store.finishParts(of: id, in: try name("main"), kind: .cache, as: digest)
    }

    func cancelParts(_ id: String = "upload") async throws -> Bool {
        try await store.cancelUpload(id, in: try name("main"))
    }

    func partsSession(_ id: String = "upload") throws -> UploadSession {
        guard let session = store.session(id, in: try name("main")) else { throw TestFailure("no upload \(id)") }
        return session
    }

    /// What is left of uploads that have ended: nothing.
    func partsLeftovers() async throws -> [String] {
        try await poolIsDrained()
        // Rows go in the background too.
        try await store.committer.commit { _ in }
        var findings = files(in: "uploads")
        findings += try await uploadRows().map { "the row \($0.id)" }
        if reserved != 0 { findings.append("\(reserved) bytes are reserved") }
        if store.account.current.written != 0 { findings.append("bytes count as written") }
        findings += try await problems()
        return findings
    }

    /// Runs a body while a part of bytes 1000 to 2000 is being sent, which ends well then.
    func whileAPartIsSent(_ body: () async throws -> Void) async throws -> UploadOutcome? {
        let (part, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        return try await withThrowingTaskGroup(of: UploadOutcome.self) { (group) async throws in
            group.addTask {
                try await store.putPart(
                    of: "upload",
                    in: try name("main"),
                    at: 1000,
                    body: part,
                    length: 1000
                )
            }
            feed.yield(ByteBuffer(bytes: content(1, 3000)[1000..<1500]))
            try await waitUntil("a part is being sent") {
                try !files(in: "uploads").isEmpty && partsSession().state.withLock { $0.partCount } == 1
            }
            try await body()
            feed.yield(ByteBuffer(bytes: content(1, 3000)[1500..<2000]))
            feed.finish()
            return try await group.next()
        }
    }
}
