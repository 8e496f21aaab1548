import APIMessages
import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOHTTP1

/// A large file on its way to the server, in parts.
struct LargeUpload: Sendable {
    /// The server does not know the upload any more.
    private struct Forgotten: Error {}

    /// Uploads that are begun anew after one was forgotten.
    private static let renewalCountMax = 2
    private static let connectionCount = 3

    let transfer: BlobTransfer
    let file: SourceFile
    /// What it is to be; nil: it is hashed meanwhile.
    let digest: Digest?
    let progress: @Sendable (Int64) -> Void

    /// Sends all of it; its digest.
    ///
    /// - Throws: `ClientError`, also when the file changes meanwhile; `CancellationError`.
    func run() async throws -> Digest {
        // Waited for before anything that follows a failure: a task of this scope.
        async let computed = digest == nil ? file.digest() : digest
        for _ in 0...Self.renewalCountMax {
            let upload = try await begin()
            do {
                try await sendParts(of: upload, from: upload.receivedBytes)
                try file.checkUnchanged()
                guard let digest = try await computed else { throw BlobTransfer.notUnderstood }
                try file.checkUnchanged()
                try await finish(upload, digest)
                return digest
            } catch is Forgotten {
                // What was sent of it is to be sent again.
                continue
            } catch {
                await abandon(upload)
                throw error
            }
        }
        throw ClientError("the server forgot the upload of \(file.path) again and again; its log says why")
    }

    private func begin() async throws -> UploadMessage {
        let body = [UInt8](try JSONEncoder().encode(UploadRequestMessage(size: file.size)))
        let upload: UploadMessage = try await transfer.retrying {
            try await transfer.exchange(transfer.request("POST", "uploads", body: body))
        }
        guard upload.partSize > 0, (0...file.size).contains(upload.receivedBytes) else {
            throw BlobTransfer.notUnderstood
        }
        return upload
    }

    private func request(
        _ method: String,
        _ operation: String?,
        _ upload: UploadMessage,
        _ parameters: [(String, String)] = []
    ) -> HTTPClientRequest {
        transfer.request(method, "uploads", operation, parameters: [("id", upload.id)] + parameters)
    }

    private func sendParts(of upload: UploadMessage, from start: Int64) async throws {
        let parts = PieceList(size: file.size, pieceSize: upload.partSize, from: start)
        let sent = ByteTally()
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<min(Self.connectionCount, Int(clamping: parts.count)) {
                    group.addTask {
                        while let part = parts.take() {
                            try await send(part, of: upload)
                            sent.add(Int64(part.count))
                        }
                    }
                }
                try await group.waitForAll()
            }
        } catch let error as Forgotten {
            progress(-sent.count)
            throw error
        }
    }

    private func send(_ part: Range<Int64>, of upload: UploadMessage) async throws {
        var retrying = Retrying(transfer.server)
        while true {
            let attempt = AttemptProgress(progress)
            do {
                var request = request("PUT", "part", upload, [("offset", "\(part.lowerBound)")])
                let chunks = FileChunks(file, part) { attempt.add($0) }
                request.body = .stream(ReadAhead(chunks), length: .known(Int64(part.count)))
                return try await execute(request)
            } catch {
                progress(-attempt.close())
                try await retrying.wait(after: error)
            }
        }
    }

    private func execute(_ request: HTTPClientRequest) async throws {
        let response = try await TransferHTTP.respond(to: request, from: transfer.server)
        if response.status == .notFound { throw Forgotten() }
        guard (200..<300).contains(response.status.code) else {
            let refusal = await ServerClient.refusal(in: response)
            // After a break the server may not have noticed yet that nobody sends the part any more.
            guard response.status == .conflict else { throw refusal }
            throw ClientError(refusal.description, isTransient: true)
        }
        _ = try await TransferHTTP.collect(response, from: transfer.server, limit: 1 << 20)
    }

    /// Has the server check the whole; sends again what it lost, as it may when it was started anew meanwhile.
    private func finish(_ upload: UploadMessage, _ digest: Digest) async throws {
        var retrying = Retrying(transfer.server)
        while true {
            do {
                return try await finishOnce(upload, digest)
            } catch {
                try await retrying.wait(after: error)
            }
        }
    }

    private func finishOnce(_ upload: UploadMessage, _ digest: Digest) async throws {
        let request = request("POST", "finish", upload, [("digest", digest.description)])
        let response = try await TransferHTTP.respond(to: request, from: transfer.server, isPatient: true)
        switch response.status.code {
        case 200..<300: return
        case 404:
            // Or it is finished, and only the answer was lost.
            guard try await transfer.missing([digest]).isEmpty else { throw Forgotten() }
        case 409:
            let refusal = await ServerClient.refusal(in: response)
            let known = try await transfer.retrying { try await status(of: upload) }
            // Nothing is missing when another request, whose end we did not hear, is finishing it.
            if known.receivedBytes < file.size {
                progress(known.receivedBytes - file.size)
                try await sendParts(of: upload, from: known.receivedBytes)
            }
            throw ClientError(refusal.description, isTransient: true)
        default:
            throw await ServerClient.refusal(in: response)
        }
    }

    private func status(of upload: UploadMessage) async throws -> UploadMessage {
        let response = try await TransferHTTP.respond(to: request("GET", nil, upload), from: transfer.server)
        if response.status == .notFound { throw Forgotten() }
        guard response.status == .ok else { throw await ServerClient.refusal(in: response) }
        let body = try await TransferHTTP.collect(response, from: transfer.server, limit: 64 << 10)
        let message: UploadMessage = try transfer.server.decode(Data(body))
        guard (0...file.size).contains(message.receivedBytes) else { throw BlobTransfer.notUnderstood }
        return message
    }

    private func abandon(_ upload: UploadMessage) async {
        // A task of its own, waited for right here, because this one may be cancelled and could send nothing more.
        await Task {
            var request = request("DELETE", nil, upload)
            request.headers.add(name: "Connection", value: "close")
            _ = try? await transfer.server.respond(to: request, timeout: .seconds(5))
        }.value
    }
}

extension BlobTransfer {
    /// One large file in parts that go at once, sent again when they break off.
    ///
    /// It is hashed meanwhile unless its digest is known. `size`: Which the file must have, in bytes. `progress` hears of
    /// bytes as they are sent; of a negative number when some must be sent again.
    ///
    /// - Returns: Its digest.
    /// - Throws: `ClientError`, also when the file changes meanwhile; `CancellationError`.
    package func sendLarge(
        _ path: String,
        size: Int64,
        digest: Digest?,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws -> Digest {
        if size == 0 {
            let empty = OutgoingBlob([])
            try await send([empty]) { _ in }
            return empty.digest
        }
        let file = try await WorkLane.run("open") { try SourceFile(path, size: size) }
        return try await LargeUpload(transfer: self, file: file, digest: digest, progress: progress).run()
    }
}
