import AsyncHTTPClient
package import LarderCore
import NIOCore
import NIOHTTP1

/// How many connections carry one blob, and when.
struct TransferWidth: Sendable {
    /// Bytes that are asked for at once.
    var pieceSize: Int64 = 32 << 20
    /// Smaller blobs go over one connection.
    var aloneSize: Int64 = 64 << 20
    /// Connections at most.
    var connectionCount = 4
    /// A first connection that brought less than `fastByteCount` in this time gets company.
    ///
    /// A fast one does not: on one machine, or next to it, one connection brings all that can be written and hashed, and
    /// brings it in order.
    var trialTime = Duration.milliseconds(250)
    var fastByteCount: Int64 = 64 << 20

    static let standard = TransferWidth()
}

/// A large blob on its way into a file.
struct LargeDownload: Sendable {
    let transfer: BlobTransfer
    let digest: Digest
    /// In bytes.
    let size: Int64
    let descriptor: Int32
    let width: TransferWidth
    let progress: @Sendable (Int64) -> Void

    /// Fetches all of it.
    ///
    /// - Throws: `ClientError`, also when the bytes are not those that the digest names; `CancellationError`.
    func run() async throws {
        let file = VerifiedFile(descriptor: descriptor, size: size)
        do {
            try await fetchPieces(into: file)
        } catch {
            // The caller may close the file at once.
            await file.abandon()
            throw error
        }
        guard try await file.digest() == digest else {
            throw ClientError("the server sent other bytes than those of \(digest); `larder check` there finds out why")
        }
    }

    private func fetchPieces(into file: VerifiedFile) async throws {
        let pieces = PieceList(size: size, pieceSize: width.pieceSize)
        let received = ByteTally()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            // Whether it was the trial that ended.
            func addConnection() {
                group.addTask {
                    while let piece = pieces.take() {
                        try await fetch(piece, into: file) { received.add($0) }
                    }
                    return false
                }
            }
            addConnection()
            if size > width.aloneSize {
                group.addTask {
                    try? await Task.sleep(for: width.trialTime)
                    return true
                }
            }
            var connectionCount = 1
            while let isTrial = try await group.next() {
                if !isTrial {
                    connectionCount -= 1
                    if connectionCount == 0 { group.cancelAll() }
                } else if connectionCount > 0, received.count < width.fastByteCount {
                    for _ in 1..<max(1, min(width.connectionCount, Int(pieces.count) + 1)) {
                        connectionCount += 1
                        addConnection()
                    }
                }
            }
        }
    }

    private func fetch(_ piece: Range<Int64>, into file: VerifiedFile, _ note: (Int64) -> Void) async throws {
        var retrying = Retrying(transfer.server)
        var offset = piece.lowerBound
        while offset < piece.upperBound {
            do {
                try await fetch(offset..<piece.upperBound) { bytes in
                    try await file.write(bytes, at: offset)
                    offset += Int64(bytes.readableBytes)
                    note(Int64(bytes.readableBytes))
                    progress(Int64(bytes.readableBytes))
                }
                guard offset == piece.upperBound else {
                    throw ClientError("the server's answer broke off", isTransient: true)
                }
            } catch {
                try await retrying.wait(after: error)
            }
        }
    }

    private func fetch(_ range: Range<Int64>, _ body: (ByteBuffer) async throws -> Void) async throws {
        let server = transfer.server
        var request = HTTPClientRequest(url: "\(server.base)/v2/\(transfer.repository)/blobs/\(digest)")
        request.headers.add(name: "Range", value: "bytes=\(range.lowerBound)-\(range.upperBound - 1)")
        let response = try await TransferHTTP.execute(request, from: server)
        guard response.status == .partialContent || range == 0..<size else {
            throw ClientError("the server at \(server.name) gives no parts of a blob; is it another version of larder?")
        }
        var left = Int64(range.count)
        try await TransferHTTP.read(response, from: server) { piece in
            left -= Int64(piece.readableBytes)
            guard left >= 0 else { throw ClientError("the server gives more than the \(size) bytes of \(digest)") }
            try await body(piece)
        }
    }
}

extension BlobTransfer {
    /// One large blob into a file from its start on, verified.
    ///
    /// From a registry it comes in parts, over several connections where one is not enough; each part goes on where it
    /// broke off. `descriptor`: Open for reading and writing; not closed. `progress` hears of bytes as they come.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func fetchLarge(
        _ blob: BlobDescriptor,
        to descriptor: Int32,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws {
        try await fetchLarge(blob, to: descriptor, width: .standard, progress: progress)
    }

    func fetchLarge(
        _ blob: BlobDescriptor,
        to descriptor: Int32,
        width: TransferWidth,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws {
        guard kind == "registry", let size = blob.size, size > 0 else {
            return try await fetch([blob.digest], into: FileSink(descriptor: descriptor), progress: progress)
        }
        let download = LargeDownload(
            transfer: self,
            digest: blob.digest,
            size: size,
            descriptor: descriptor,
            width: width,
            progress: progress
        )
        try await download.run()
    }
}
