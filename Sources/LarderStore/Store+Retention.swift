package import LarderCore
import LarderMetadata
package import LarderRetention

/// Policies, runs, pins, and what can be brought back.
extension Store {
    /// Lines of what can be restored that one call returns.
    package static let removedEntriesMax = 10_000

    // MARK: - Policies

    /// The policy that holds for a repository: its own, or the default of its kind; nil: there is none.
    ///
    /// - Throws: `notFound`.
    package func policy(of name: RepositoryName) async throws -> (text: String, isDefault: Bool)? {
        let repository = try repository(name)
        return try await pruner.policy(of: repository).map { ($0, repository.policySetAt == nil) }
    }

    /// Sets a repository's policy; nil takes it away, and the default of the kind holds.
    ///
    /// - Throws: `notFound`; `malformed` for a text that is no policy, or could never match there.
    package func setPolicy(_ text: String?, of name: RepositoryName) async throws(StoreError) {
        let repository = try repository(name)
        if let text { _ = try Self.checkedPolicy(text, for: repository.kind) }
        let now = now()
        let changed = try await committer.commit { try $0.setPolicy(text, of: repository.id, now: now) }
        guard let changed else { throw .notFound("repository \(name)") }
        directory.update(repository.id, policySetAt: changed.policySetAt)
    }

    /// Policies of repositories that have none of their own.
    package var defaultPolicies: [RepositoryKind: String] { pruner.defaultPolicies.mapValues(\.text) }

    /// Sets the policy of repositories of a kind that have none of their own; nil takes it away.
    ///
    /// - Throws: `malformed`.
    package func setDefaultPolicy(_ text: String?, of kind: RepositoryKind) async throws(StoreError) {
        if let text { _ = try Self.checkedPolicy(text, for: kind) }
        let now = now()
        try await committer.commit { try $0.setDefaultPolicy(text, of: kind, now: now) }
        pruner.noteDefaultPolicy(text, of: kind, at: now)
    }

    /// Reads a policy and checks that it can be applied to a kind of repository.
    ///
    /// - Throws: `malformed`, with the place.
    package static func checkedPolicy(
        _ text: String,
        for kind: RepositoryKind?
    ) throws(StoreError) -> RetentionPolicy {
        do {
            let policy = try RetentionPolicy(text)
            if let kind { try policy.check(for: kind) }
            return policy
        } catch {
            throw .malformed("policy: \(error)")
        }
    }

    /// Checks a schedule: `off`, or a cron expression.
    ///
    /// - Throws: `malformed`.
    package static func checkSchedule(_ text: String) throws(StoreError) {
        try RetentionService.check(text)
    }

    /// When a repository's policy is applied next by schedule; nil: never.
    package func nextRun(of name: RepositoryName) throws(StoreError) -> Timestamp? {
        retention.nextRun(of: try repository(name))
    }

    // MARK: - Previews and runs

    /// What a policy would do to a repository now; changes nothing.
    ///
    /// `text`: nil: the policy that holds there.
    ///
    /// - Throws: `notFound` also when there is no policy; `malformed` for a text that is none.
    package func previewPolicy(_ text: String?, of name: RepositoryName) async throws -> PrunePreview {
        let repository = try repository(name)
        guard let text = try await text == nil ? pruner.policy(of: repository) : text else {
            throw StoreError.notFound("policy of \(name); set one with: larder policy set \(name) --file FILE")
        }
        let policy = try Self.checkedPolicy(text, for: repository.kind)
        let prepared = try await pruner.prepare(repository, policy: policy)
        return PrunePreview(
            repository: name,
            policy: text,
            lines: prepared.lines,
            readTime: prepared.readTime,
            planTime: prepared.planTime
        )
    }

    /// Applies a repository's policy now.
    ///
    /// `actor`: Who asked for it.
    ///
    /// - Throws: `notFound` also when there is no policy; `notAllowed` while another run goes on there.
    package func prune(_ name: RepositoryName, actor: String) async throws -> RunRecord {
        let repository = try repository(name)
        guard let record = try await pruner.prune(repository, reason: .person, actor: actor) else {
            throw StoreError.notFound("policy of \(name); set one with: larder policy set \(name) --file FILE")
        }
        return record
    }

    /// Records of runs, the newest first.
    ///
    /// `name`: nil: of all repositories.
    ///
    /// `before`: Those with smaller numbers; nil: all.
    package func runs(of name: RepositoryName?, before: Int64?, atMost limit: Int) async throws -> [RunRecord] {
        let id = try name.map { (name) throws(StoreError) in try repository(name).id }
        return try await read { try $0.runs(in: id, before: before, atMost: limit) }
    }

    /// A run, and what it did behind a number.
    ///
    /// - Throws: `notFound`.
    package func run(
        _ id: Int64,
        decisionsAfter number: Int,
        atMost limit: Int
    ) async throws -> (record: RunRecord, decisions: [(number: Int, decision: RunDecision)]) {
        let found = try await read { snapshot in
            try snapshot.run(id).map { ($0, try snapshot.decisions(of: id, after: number, atMost: limit)) }
        }
        guard let found else { throw StoreError.notFound("run \(id)") }
        return found
    }

    // MARK: - Pins

    /// Pins an entry, or whatever a tag names: nothing automatic removes it.
    ///
    /// `until`: nil: for good.
    ///
    /// - Throws: `notFound`; `malformed` for a time that is over.
    package func pin(
        _ item: PinnedItem,
        reason: String,
        until: Timestamp?,
        in name: RepositoryName
    ) async throws(StoreError) {
        let repository = try repository(name)
        let now = now()
        if let until, until <= now { throw .malformed("the time of the pin is over already") }
        guard !reason.isEmpty, reason.utf8.count <= 1000, !reason.utf8.contains(where: { $0 < 0x20 }) else {
            throw .malformed("reason: 1 to 1,000 bytes of text on one line")
        }
        try await committer.commit { try $0.pin(item, reason: reason, until: until, in: repository.id, now: now) }
    }

    /// Takes a pin away; false when there is none.
    package func unpin(_ item: PinnedItem, in name: RepositoryName) async throws(StoreError) -> Bool {
        let repository = try repository(name)
        return try await committer.commit { try $0.unpin(item, in: repository.id) }
    }

    /// The pins of a repository.
    package func pins(in name: RepositoryName) async throws -> [Pin] {
        let repository = try repository(name)
        let now = now()
        return try await read { try $0.pins(in: repository.id) }.filter { $0.pinnedUntil.map { $0 > now } ?? true }
    }

    // MARK: - Undo

    /// What can be brought back in a repository, what was removed last first.
    package func removedEntries(in name: RepositoryName) async throws -> [RemovedEntry] {
        let repository = try repository(name)
        return try await read { try $0.removedEntries(in: repository.id, atMost: Self.removedEntriesMax) }
    }

    /// Brings back what was removed: an entry by its key with its tags, or what a tag named.
    ///
    /// `tags`: nil: those that it had, which must not name anything else by now; else these, wherever they are.
    ///
    /// - Throws: `notFound`, `conditionFailed`, `notAllowed`.
    package func restore(
        _ item: PinnedItem,
        tags: [Tag]?,
        in name: RepositoryName
    ) async throws(StoreError) -> Restoration {
        let repository = try repository(name)
        let now = now()
        let rule = TagRule(repository.settings, condition: .none)
        return try await committer.commit(rowCount: 500) { transaction in
            switch item {
            case .entry(let key):
                try transaction.restore(key: key, tags: tags, rule: rule, in: repository.id, now: now)
            case .tag(let tag):
                try transaction.restore(tag: tag, as: tags, rule: rule, in: repository.id, now: now)
            }
        }
    }
}
