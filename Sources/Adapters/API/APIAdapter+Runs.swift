import APIMessages
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/prunes/NAME` and `/api/v1/runs[/ID]`.
extension APIAdapter {
    /// Runs, or decisions of one, that one answer has at most.
    private static let pageSizeMax: Int64 = 1000
    private static let runsPageSize: Int64 = 50

    func prune(_ call: APICall) async throws -> Response {
        let name = try call.name
        if try call.flag("dry-run") { return Self.stream(try await call.store.previewPolicy(nil, of: name)) }
        return try Self.json(RunMessage(try await call.store.prune(name, actor: call.actor)))
    }

    func listRuns(_ call: APICall) async throws -> Response {
        var name: RepositoryName?
        if let text = call.query["repository"] { name = try APICall.name(text) }
        let runs = try await call.store.runs(
            of: name,
            before: try call.number("before", in: 1...Int64.max),
            atMost: Int(try call.number("limit", in: 1...Self.pageSizeMax) ?? Self.runsPageSize)
        )
        return try Self.json(runs.map(RunMessage.init))
    }

    func getRun(_ call: APICall) async throws -> Response {
        guard let id = Int64(call.argument), id > 0 else { throw StoreError.malformed("run: a whole number from 1") }
        let after = try call.number("after", in: 0...Int64(Int32.max)) ?? 0
        let limit = Int(try call.number("limit", in: 1...Self.pageSizeMax) ?? Self.pageSizeMax)
        // One more tells whether there are more.
        let (run, found) = try await call.store.run(id, decisionsAfter: Int(after), atMost: limit + 1)
        let decisions = found.prefix(limit).map { RunDecisionMessage($0.decision, number: $0.number) }
        return try Self.json(
            RunDetailsMessage(
                run: RunMessage(run),
                decisions: decisions,
                next: found.count > limit ? decisions.last?.number : nil
            )
        )
    }
}

extension RunMessage {
    fileprivate init(_ run: RunRecord) {
        self.init(
            id: run.id,
            repository: run.repository,
            startedAt: run.startedAt.seconds,
            endedAt: run.endedAt?.seconds,
            reason: run.reason.rawValue,
            actor: run.actor,
            policy: run.policy,
            considered: run.counts.considered,
            removed: run.counts.removed,
            tagsRemoved: run.counts.tags,
            archived: run.counts.archived,
            skipped: run.counts.skipped,
            plannedBytes: run.counts.plannedBytes,
            freedBytes: run.freedBytes,
            note: run.note
        )
    }
}

extension RunDecisionMessage {
    fileprivate init(_ decision: RunDecision, number: Int) {
        self.init(
            number: number,
            name: decision.name,
            tags: decision.tags,
            outcome: decision.outcome.rawValue,
            rule: decision.rule,
            explanation: decision.explanation,
            bytes: decision.bytes
        )
    }
}
