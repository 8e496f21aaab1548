import APIMessages
import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOHTTP1

/// Where to write and read blobs of one repository.
///
/// What breaks off is taken up again, a few times and after growing waits; but a server that never answered at all is
/// not waited for.
package struct BlobTransfer: Sendable {
    /// Blobs from this size on go alone, smaller ones in packs; in bytes.
    package static let largeSize: Int64 = 16 << 20
    /// Sizes that one request asks for at most.
    private static let sizeCountMax = 10_000

    let server: ServerClient
    let repository: String
    /// `cache` or `registry`.
    let kind: String

    /// `kind`: What the repository is or is to be: `cache` or `registry`.
    package init(server: ServerClient, repository: String, kind: String) {
        self.server = server
        self.repository = repository
        self.kind = kind
    }

    /// Those of some blobs that the repository does not have, and that must be sent.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func missing(_ digests: [Digest]) async throws -> Set<Digest> {
        var missing: Set<Digest> = []
        for start in stride(from: 0, to: digests.count, by: PackFrame.digestCountMax) {
            let batch = digests[start..<min(start + PackFrame.digestCountMax, digests.count)]
            let body = Self.list(batch)
            let bitmap = try await retrying {
                let request = request("POST", "blobs", "missing", body: body)
                let response = try await TransferHTTP.execute(request, from: server)
                return try await TransferHTTP.collect(response, from: server, limit: PackFrame.digestCountMax)
            }
            guard bitmap.count >= (batch.count + 7) / 8 else { throw Self.notUnderstood }
            for (index, digest) in batch.enumerated() where bitmap[index / 8] >> UInt8(index % 8) & 1 == 1 {
                missing.insert(digest)
            }
        }
        return missing
    }

    /// Those of some sizes that any large blob of the store has: others need not be asked for by digest.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func haveSizes(_ sizes: [Int64]) async throws -> Set<Int64> {
        var found: Set<Int64> = []
        for start in stride(from: 0, to: sizes.count, by: Self.sizeCountMax) {
            let batch = Array(sizes[start..<min(start + Self.sizeCountMax, sizes.count)])
            let body = [UInt8](try JSONEncoder().encode(BlobSizesMessage(sizes: batch)))
            let answer: KnownSizesMessage = try await retrying {
                try await exchange(request("POST", "blobs", "sizes", body: body))
            }
            guard answer.known.count == batch.count else { throw Self.notUnderstood }
            for (size, isKnown) in zip(batch, answer.known) where isKnown { found.insert(size) }
        }
        return found
    }

    static let notUnderstood = ClientError(
        "the server's answer is not understood; is it another version of larder?"
    )

    /// Digests as a body: one after the other, without anything between.
    static func list(_ digests: some Collection<Digest>) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(digests.count * 32)
        for digest in digests { body += digest.bytes }
        return body
    }

    /// A request for something of the repository; `parameters` are encoded here.
    func request(
        _ method: String,
        _ family: String,
        _ operation: String? = nil,
        parameters: [(String, String)] = [],
        body: [UInt8]? = nil
    ) -> HTTPClientRequest {
        let path = ServerClient.contentPath(family, repository, operation)
        let query = ([("kind", kind)] + parameters).map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: "\(server.base)\(path)?\(query)")
        request.method = .RAW(value: method)
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        return request
    }

    /// Sends a request that is answered by a message.
    func exchange<Answer: Decodable>(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await TransferHTTP.execute(request, from: server)
        return try server.decode(Data(try await TransferHTTP.collect(response, from: server, limit: 1 << 20)))
    }

    /// Does something until it works, or can't.
    func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await server.retrying(body)
    }
}
