package import APIMessages
import AsyncHTTPClient
import Foundation
import LarderCore
import NIOCore
import NIOHTTP1

/// Policies, runs, pins, and what can be brought back.
extension ServerClient {
    /// Runs, or decisions of one, that are asked for at once.
    private static let pageSize = 100

    // MARK: - Policies

    package func policy(of name: String) async throws -> PolicyMessage {
        try await decode(send("GET", Self.path("policies", name)))
    }

    package func setPolicy(_ text: String, of name: String) async throws -> PolicyMessage {
        try await decode(send("PUT", Self.path("policies", name), text: text))
    }

    package func removePolicy(of name: String) async throws {
        _ = try await send("DELETE", Self.path("policies", name))
    }

    package func defaultPolicies() async throws -> [DefaultPolicyMessage] {
        try await decode(send("GET", "/api/v1/default-policies"))
    }

    package func setDefaultPolicy(_ text: String, of kind: String) async throws -> DefaultPolicyMessage {
        try await decode(send("PUT", Self.path("default-policies", kind), text: text))
    }

    package func removeDefaultPolicy(of kind: String) async throws {
        _ = try await send("DELETE", Self.path("default-policies", kind))
    }

    /// Asks what a policy would do now.
    ///
    /// `policy`: Its text; nil: the one that holds.
    ///
    /// `body`: Called with every entry as it comes.
    ///
    /// - Throws: `ClientError` when the server refuses or ends early; what `body` throws.
    package func preview(
        _ name: String,
        policy: String? = nil,
        _ body: (PreviewEntryMessage) throws -> Void
    ) async throws -> PreviewSummaryMessage {
        var request = HTTPClientRequest(url: base + Self.path("previews", name))
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: policy ?? ""))
        let response = try await execute(request, timeout: .hours(12))
        var summary: PreviewSummaryMessage?
        try await readLines(of: response) { data in
            let line: PreviewLine = try decode(data)
            switch line {
            case .entry(let entry): try body(entry)
            case .summary(let message): summary = message
            }
            return summary != nil
        }
        guard let result = summary else { throw ClientError("the server ended the preview early; its log says why") }
        return result
    }

    // MARK: - Runs

    package func prune(_ name: String) async throws -> RunMessage {
        try await decode(send("POST", Self.path("prunes", name), timeout: .hours(12)))
    }

    /// Records of runs, the newest first.
    ///
    /// `name`: nil: of all repositories.
    package func runs(of name: String?, atMost limit: Int) async throws -> [RunMessage] {
        var result: [RunMessage] = []
        while result.count < limit {
            let count = min(Self.pageSize, limit - result.count)
            var query = "?limit=\(count)"
            if let name { query += "&repository=\(percentEncoded(name))" }
            if let last = result.last { query += "&before=\(last.id)" }
            let page: [RunMessage] = try await decode(send("GET", "/api/v1/runs\(query)"))
            result += page
            if page.count < count { break }
        }
        return result
    }

    /// A run and what it did.
    package func run(_ id: Int64, atMost limit: Int) async throws -> RunDetailsMessage {
        var details: RunDetailsMessage = try await decode(
            send("GET", "/api/v1/runs/\(id)?limit=\(min(Self.pageSize, limit))")
        )
        while let next = details.next, details.decisions.count < limit {
            let count = min(Self.pageSize, limit - details.decisions.count)
            let page: RunDetailsMessage = try await decode(
                send("GET", "/api/v1/runs/\(id)?after=\(next)&limit=\(count)")
            )
            details.decisions += page.decisions
            details.next = page.next
        }
        return details
    }

    // MARK: - Pins

    package func pins(in name: String) async throws -> [PinMessage] {
        try await decode(send("GET", Self.path("pins", name)))
    }

    /// Pins what a tag names, or the entry of a key.
    package func pin(tag: String?, key: String?, in name: String, _ pin: PinRequestMessage) async throws -> PinMessage {
        try await decode(send("PUT", Self.path("pins", name) + Self.query(tag: tag, key: key), body: pin))
    }

    package func unpin(tag: String?, key: String?, in name: String) async throws {
        _ = try await send("DELETE", Self.path("pins", name) + Self.query(tag: tag, key: key))
    }

    // MARK: - Undo

    package func removedEntries(in name: String) async throws -> [RemovedEntryMessage] {
        try await decode(send("GET", Self.path("removed", name)))
    }

    package func restore(_ request: RestoreRequestMessage, in name: String) async throws -> RestorationMessage {
        try await decode(send("POST", Self.path("restores", name), body: request))
    }

    private static func path(_ family: String, _ name: String) -> String {
        let segments = name.split(separator: "/", omittingEmptySubsequences: false)
        return "/api/v1/\(family)/" + segments.map { percentEncoded(String($0)) }.joined(separator: "/")
    }

    private static func query(tag: String?, key: String?) -> String {
        let items = [tag.map { "tag=\(percentEncoded($0))" }, key.map { "key=\(percentEncoded($0))" }]
        return "?" + items.compactMap(\.self).joined(separator: "&")
    }
}
