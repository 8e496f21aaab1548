import APIMessages
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// `/api/v1/policies/NAME`, `/api/v1/default-policies[/KIND]` and `/api/v1/previews/NAME`.
extension APIAdapter {
    /// Lines of a preview are sent in pieces of about so many bytes.
    private static let pieceLength = 64 << 10

    // MARK: - Policies

    func getPolicy(_ call: APICall) async throws -> Response {
        try await Self.policy(call)
    }

    func setPolicy(_ call: APICall) async throws -> Response {
        try await call.store.setPolicy(try await Self.givenPolicy(call), of: try call.name)
        return try await Self.policy(call)
    }

    func removePolicy(_ call: APICall) async throws -> Response {
        let name = try call.name
        guard try call.store.repository(name).policySetAt != nil else {
            throw StoreError.notFound("a policy of \(name)'s own")
        }
        try await call.store.setPolicy(nil, of: name)
        return HTTPAnswer(204).response
    }

    private static func policy(_ call: APICall) async throws -> Response {
        let name = try call.name
        guard let (text, isDefault) = try await call.store.policy(of: name) else {
            throw StoreError.notFound("policy of \(name); set one with: larder policy set \(name) --file FILE")
        }
        let nextRun = try call.store.nextRun(of: name)
        return try json(PolicyMessage(policy: text, isDefault: isDefault, nextRun: nextRun?.seconds))
    }

    private static func givenPolicy(_ call: APICall) async throws -> String {
        let text = try await call.text()
        guard !text.isEmpty else { throw StoreError.malformed("body: the text of a policy, JSON or YAML") }
        return text
    }

    // MARK: - Default policies

    func listDefaultPolicies(_ call: APICall) throws -> Response {
        let policies = call.store.defaultPolicies.map { DefaultPolicyMessage(kind: $0.rawValue, policy: $1) }
        return try Self.json(policies.sorted { $0.kind < $1.kind })
    }

    func setDefaultPolicy(_ call: APICall) async throws -> Response {
        let (kind, text) = (try call.kind, try await Self.givenPolicy(call))
        try await call.store.setDefaultPolicy(text, of: kind)
        return try Self.json(DefaultPolicyMessage(kind: kind.rawValue, policy: text))
    }

    func removeDefaultPolicy(_ call: APICall) async throws -> Response {
        let kind = try call.kind
        guard call.store.defaultPolicies[kind] != nil else {
            throw StoreError.notFound("default policy of the kind \(kind.rawValue)")
        }
        try await call.store.setDefaultPolicy(nil, of: kind)
        return HTTPAnswer(204).response
    }

    // MARK: - Previews

    func previewPolicy(_ call: APICall) async throws -> Response {
        let text = try await call.text()
        let preview = try await call.store.previewPolicy(text.isEmpty ? nil : text, of: try call.name)
        return Self.stream(preview)
    }

    /// Answers with lines of JSON that are encoded while they are sent.
    static func stream(_ preview: PrunePreview) -> Response {
        let body = ResponseBody { writer in
            var piece = ByteBuffer()
            for entry in preview.lines {
                piece.writeImmutableBuffer(try Self.line(PreviewLine.entry(PreviewEntryMessage(entry))))
                guard piece.readableBytes >= Self.pieceLength else { continue }
                try await writer.write(piece)
                piece = ByteBuffer()
            }
            piece.writeImmutableBuffer(try Self.line(PreviewLine.summary(PreviewSummaryMessage(preview))))
            try await writer.write(piece)
            try await writer.finish(nil)
        }
        var headers: HTTPFields = [.contentType: "application/x-ndjson"]
        // https://www.w3.org/TR/server-timing/, in milliseconds.
        if let name = HTTPField.Name("Server-Timing") {
            let (read, plan) = (preview.readTime.wholeMilliseconds, preview.planTime.wholeMilliseconds)
            headers[name] = "read;dur=\(read), plan;dur=\(plan)"
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}

extension PreviewEntryMessage {
    fileprivate init(_ line: PruneLine) {
        self.init(
            name: line.key,
            scope: line.scope.isEmpty ? nil : line.scope,
            tags: line.tags,
            pushedAt: line.pushedAt.seconds,
            lastUsedAt: line.lastUsed.seconds,
            decision: line.decision.rawValue,
            rule: line.rule,
            group: line.group,
            explanation: line.explanation,
            bytes: line.bytes,
            removedTags: line.removedTags
        )
    }
}

extension PreviewSummaryMessage {
    fileprivate init(_ preview: PrunePreview) {
        self.init(
            repository: preview.repository.text,
            entries: preview.lines.count,
            removed: preview.removedCount,
            archived: preview.archivedCount,
            tagsRemoved: preview.removedTagCount,
            bytes: preview.bytes
        )
    }
}
