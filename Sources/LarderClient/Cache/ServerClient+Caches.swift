package import APIMessages
import AsyncHTTPClient
import Foundation
import LarderCore
import NIOCore
import NIOHTTP1

/// Dependency caches.
extension ServerClient {
    /// What became of an entry that was to be saved.
    enum CachePut: Sendable {
        case stored(CacheEntryMessage)
        /// The key has other content already; the server's words.
        case taken(String)
        /// Files that the entry needs are not in the repository; the server's words.
        case incomplete(String)
    }

    /// The entry that a reader is given; nil: there is none.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func findCache(in repository: String, _ wanted: CacheFindMessage) async throws -> CacheEntryMessage? {
        var request = HTTPClientRequest(url: cacheURL(repository, "find"))
        request.method = .POST
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(wanted)))
        return try await retrying { () async throws -> CacheEntryMessage? in
            let response = try await execute(request, timeout: .seconds(60))
            return response.status == .noContent ? nil : try await decodeBody(of: response)
        }
    }

    /// Makes an entry of a tree whose blobs are there.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    func putCache(
        in repository: String,
        _ key: CacheKey,
        tree: Digest,
        isReplacing: Bool,
        provenance: ProvenanceMessage
    ) async throws -> CachePut {
        var items = key.queryItems + [("tree", tree.description)]
        if isReplacing { items.append(("overwrite", "true")) }
        var request = HTTPClientRequest(url: cacheURL(repository, items: items))
        request.method = .PUT
        request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(CacheSaveMessage(provenance: provenance))))
        // Where an answer was lost the entry may be there: to the server the same content again is no conflict.
        return try await retrying { () async throws -> CachePut in
            // Large trees are looked through before the answer.
            let response = try await TransferHTTP.respond(to: request, from: self, isPatient: true)
            switch response.status {
            case .conflict: return .taken(await Self.refusal(in: response).description)
            case .badRequest: return .incomplete(await Self.refusal(in: response).description)
            case .ok, .created: return .stored(try await decodeBody(of: response))
            default: throw await Self.refusal(in: response)
            }
        }
    }

    /// A page of entries.
    ///
    /// `prefix`: What their keys begin with. `scope`: nil: all. `after`: `next` of the page before.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func cacheEntries(
        in repository: String,
        prefix: String? = nil,
        scope: String? = nil,
        after: String? = nil
    ) async throws -> CacheEntryListMessage {
        let given = [("prefix", prefix), ("scope", scope), ("limit", "1000"), ("after", after)]
        let items = given.compactMap { name, value in value.map { (name, $0) } }
        let request = HTTPClientRequest(url: cacheURL(repository, items: items))
        return try await retrying { try await decodeBody(of: execute(request, timeout: .seconds(60))) }
    }

    /// Removes an entry; false: there is none.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func removeCache(in repository: String, _ key: CacheKey) async throws -> Bool {
        var request = HTTPClientRequest(url: cacheURL(repository, items: key.queryItems))
        request.method = .DELETE
        return try await remove(request)
    }

    private func cacheURL(
        _ repository: String,
        _ operation: String? = nil,
        items: [(String, String)] = []
    ) -> String {
        let query = items.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
        return base + Self.contentPath("caches", repository, operation) + (query.isEmpty ? "" : "?\(query)")
    }

    private func decodeBody<Value: Decodable>(of response: HTTPClientResponse) async throws -> Value {
        let body = try await TransferHTTP.collect(response, from: self, limit: 16 << 20)
        return try decode(Data(body))
    }
}

/// What names an entry of a dependency cache.
package struct CacheKey: Hashable, Sendable {
    package var text: String
    /// Whose it is: a branch, a pull request.
    package var scope: String
    /// What tells entries of one key apart: a digest of the paths, or nothing.
    package var version: String

    package init(_ text: String, scope: String, version: String) {
        self.text = text
        self.scope = scope
        self.version = version
    }

    var queryItems: [(String, String)] { [("key", text), ("scope", scope), ("version", version)] }
}
