import APIMessages
import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOHTTP1
import Synchronization

extension BlobTransfer {
    /// Sends blobs as one streamed request.
    ///
    /// When that breaks off the server is asked what it still lacks, and only that is sent again. `progress` hears of
    /// bytes as they are sent; of a negative number when some must be sent again.
    ///
    /// - Throws: `ClientError`, also when a file is not what it was said to be; `CancellationError`.
    package func send(
        _ blobs: [OutgoingBlob],
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws {
        var left = blobs
        var retrying = Retrying(server)
        while !left.isEmpty {
            let attempt = AttemptProgress(progress)
            let length = PackWriter.length(of: left)
            do {
                return try await sendOnce(left, length: length) { attempt.add($0) }
            } catch {
                try await retrying.wait(after: error)
            }
            let sent = attempt.close()
            let missing = try await missing(left.map(\.digest))
            left.removeAll { !missing.contains($0.digest) }
            // What arrived counts, the rest is still to come.
            progress(length - (left.isEmpty ? 0 : PackWriter.length(of: left)) - sent)
        }
    }

    private func sendOnce(
        _ blobs: [OutgoingBlob],
        length: Int64,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var request = request("POST", "blobs", "pack")
        request.headers.add(name: "Content-Type", value: "application/octet-stream")
        request.body = .stream(ReadAhead(PackWriter(blobs, progress: progress)), length: .known(length))
        let response = try await TransferHTTP.respond(to: request, from: server, isPatient: true)
        guard (200..<300).contains(response.status.code) else {
            let refusal = await ServerClient.refusal(in: response)
            if response.status == .badRequest { try await Self.checkFiles(of: blobs) }
            throw refusal
        }
        let body = try await TransferHTTP.collect(response, from: server, limit: 64 << 10)
        let receipt: PackReceiptMessage = try server.decode(Data(body))
        guard receipt.blobCount == blobs.count else { throw Self.notUnderstood }
    }

    /// Looks for the file that is no longer what it was when it was hashed.
    private static func checkFiles(of blobs: [OutgoingBlob]) async throws {
        for blob in blobs {
            guard case .file(let path) = blob.source else { continue }
            let digest = try await SourceFile(path, size: blob.size).digest()
            guard digest == blob.digest else { throw SourceFile.changed(path) }
        }
    }

    /// Reads blobs as one streamed request, in the order asked, each once.
    ///
    /// When that breaks off it goes on where it ended, and the sink sees nothing of it. `progress` hears of bytes as
    /// they come.
    ///
    /// - Throws: `ClientError`, also when one of the blobs is not there; what the sink throws; `CancellationError`.
    package func fetch(
        _ digests: [Digest],
        into sink: some PackSink,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws {
        var seen: Set<Digest> = []
        let distinct = digests.filter { seen.insert($0).inserted }
        for start in stride(from: 0, to: distinct.count, by: PackFrame.digestCountMax) {
            let batch = Array(distinct[start..<min(start + PackFrame.digestCountMax, distinct.count)])
            try await fetchBatch(batch, into: sink, progress: progress)
        }
    }

    private func fetchBatch(
        _ digests: [Digest],
        into sink: some PackSink,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let resuming = ResumingSink(digests, sink)
        var retrying = Retrying(server)
        while true {
            do {
                let left = resuming.beginAgain()
                // It may have broken off behind the last blob.
                if left.isEmpty { break }
                let request = request("POST", "blobs", "fetch", body: Self.list(left))
                guard try await receive(request, into: resuming, progress: progress) else { throw Self.notUnderstood }
                break
            } catch {
                try await retrying.wait(after: error)
            }
        }
        try resuming.checkWhole()
    }

    /// Sends a request that is answered by a pack.
    ///
    /// Nothing is tried again: what broke off throws an error that `isTransient`.
    ///
    /// `path`: Below the server's address, with its query, ready to be sent.
    ///
    /// - Returns: false when the server has nothing to answer (204).
    /// - Throws: `ClientError`; what the sink throws; `CancellationError`.
    package func receivePack(
        path: String,
        body: [UInt8],
        into sink: some PackSink,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws -> Bool {
        var request = HTTPClientRequest(url: server.base + path)
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: body))
        return try await receive(request, into: sink, progress: progress)
    }

    private func receive(
        _ request: HTTPClientRequest,
        into sink: some PackSink,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> Bool {
        let response = try await TransferHTTP.execute(request, from: server)
        if response.status == .noContent { return false }
        let lane = WorkLane("pack")
        let intake = PackIntake(sink)
        do {
            try await TransferHTTP.read(response, from: server) { piece in
                progress(Int64(piece.readableBytes))
                try await lane.add(byteCount: piece.readableBytes) { try intake.take(piece) }
            }
            try await lane.finish()
            try intake.finish()
        } catch {
            // The caller may use the sink again at once.
            await lane.drain()
            throw error
        }
        return true
    }
}

/// A reader of a pack and its sink, used by one thread at a time; the lock says so to the compiler.
private final class PackIntake<Sink: PackSink>: Sendable {
    private let reader = Mutex(PackReader())
    private let sink: Sink

    init(_ sink: Sink) {
        self.sink = sink
    }

    func take(_ piece: ByteBuffer) throws {
        try reader.withLock { reader in
            try piece.withUnsafeReadableBytes { try reader.take($0, into: sink) }
        }
    }

    func finish() throws(ClientError) {
        try reader.withLock { (reader) throws(ClientError) in try reader.finish() }
    }
}
