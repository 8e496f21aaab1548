import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import Logging
import Synchronization

/// Carries retention out: reads, plans, hides what goes, ends what can't be brought back any more, and keeps the record.
///
/// Everything goes in small batches through the committer, and each thing is looked at again in the transaction that
/// removes it; nothing is locked meanwhile.
final class Pruner: Sendable {
    /// Entries that one transaction hides.
    private static let entriesPerSlice = 100
    /// Entries that one transaction removes for good.
    private static let undosPerSlice = 20
    private static let rowsPerSlice = 250
    /// Records of runs that are kept for each repository, and for how long.
    private static let runCountMax = 100
    private static let runAgeMax: Duration = .seconds(90 * 24 * 3600)

    private struct State {
        var defaultPolicies: [RepositoryKind: (text: String, setAt: Timestamp)]
        var running: Set<RepositoryID> = []
    }

    let metadata: Metadata
    let committer: Committer
    let directory: RepositoryDirectory
    let sweeper: Sweeper
    let uses: UseTracker
    let pool: FilePool
    let configuration: StoreConfiguration
    let now: TimeSource
    let logger: Logger
    private let state: Mutex<State>
    private let created = ContinuousClock().now

    init(
        metadata: Metadata,
        committer: Committer,
        directory: RepositoryDirectory,
        sweeper: Sweeper,
        uses: UseTracker,
        pool: FilePool,
        configuration: StoreConfiguration,
        defaultPolicies: [RepositoryKind: (text: String, setAt: Timestamp)],
        now: @escaping TimeSource,
        logger: Logger
    ) {
        self.metadata = metadata
        self.committer = committer
        self.directory = directory
        self.sweeper = sweeper
        self.uses = uses
        self.pool = pool
        self.configuration = configuration
        self.now = now
        self.logger = logger
        state = Mutex(State(defaultPolicies: defaultPolicies))
    }

    // MARK: - Policies

    /// When the policy was set that holds for a repository; nil: there is none.
    func policySetAt(_ repository: Repository) -> Timestamp? {
        repository.policySetAt ?? state.withLock { $0.defaultPolicies[repository.kind]?.setAt }
    }

    var defaultPolicies: [RepositoryKind: (text: String, setAt: Timestamp)] { state.withLock { $0.defaultPolicies } }

    func noteDefaultPolicy(_ text: String?, of kind: RepositoryKind, at time: Timestamp) {
        state.withLock { $0.defaultPolicies[kind] = text.map { ($0, time) } }
    }

    /// The policy that holds for a repository, its own or the default of its kind; nil: there is none.
    func policy(of repository: Repository) async throws -> String? {
        if repository.policySetAt != nil,
            let text = try await metadata.read(on: pool, { try $0.policy(of: repository.id) })
        {
            return text
        }
        return state.withLock { $0.defaultPolicies[repository.kind]?.text }
    }

    /// How what is removed from a repository now can be brought back.
    func removal(from repository: Repository, run: Int64? = nil) -> Removal {
        let now = now()
        let undoTime = repository.settings.undoTime ?? configuration.undoTime(of: repository.kind)
        return Removal(now: now, undoUntil: undoTime > .zero ? now + undoTime : nil, run: run)
    }

    // MARK: - Plans

    /// What a policy would do now.
    func prepare(_ repository: Repository, policy: RetentionPolicy) async throws -> PreparedPlan {
        let now = now()
        let reader = InventoryReader(metadata: metadata, pool: pool, uses: uses.snapshot, now: now)
        let clock = ContinuousClock()
        let begun = clock.now
        let inventory = try await reader.read(repository, needs: policy.needs)
        let read = clock.now
        let precision = configuration.lastUsePrecision
        let plan = try await pool.run {
            RetentionPlan.make(inventory, policy: policy, now: now, usePrecision: precision)
        }
        let planned = clock.now
        let removed = zip(inventory.items, plan.verdicts).filter { $0.1.isRemoval }.map {
            (entry: $0.0.id, value: $0.0.value)
        }
        let bytes = try await reader.freedBytes(by: removed, in: repository)
        let lines = PruneLines(plan, bytes: bytes)
        return PreparedPlan(lines: lines, readTime: read - begun, planTime: planned - read)
    }

    // MARK: - Runs

    /// Applies a repository's policy; one run at a time for each.
    ///
    /// `isWanted`: Asked once more when no other run goes on.
    ///
    /// - Returns: The record; nil when the repository has no policy, or the run is not wanted any more.
    /// - Throws: `notAllowed` while another run goes on there.
    func prune(
        _ repository: Repository,
        reason: RunReason,
        actor: String,
        isWanted: (Repository) -> Bool = { _ in true }
    ) async throws -> RunRecord? {
        guard let text = try await policy(of: repository) else { return nil }
        let isFirst = state.withLock { $0.running.insert(repository.id).inserted }
        guard isFirst else { throw StoreError.notAllowed("a run of retention goes on in \(repository.name)") }
        defer { state.withLock { _ = $0.running.remove(repository.id) } }
        guard let repository = directory.find(repository.id), isWanted(repository) else { return nil }
        let begun = now()
        let run = try await committer.commit {
            try $0.beginRun(
                in: repository.id,
                named: repository.name,
                reason: reason,
                actor: actor,
                policy: text,
                now: begun
            )
        }
        if reason == .schedule { directory.update(repository.id, prunedAt: begun) }
        var counts = RunCounts()
        var failure: (any Error)?
        do {
            let policy: RetentionPolicy
            do {
                policy = try RetentionPolicy(text)
            } catch {
                throw StoreError.invalidContent("policy: \(error)")
            }
            let prepared = try await prepare(repository, policy: policy)
            try await carryOut(prepared, in: repository, run: run, counts: &counts)
        } catch  where reason == .schedule && Self.isEnd(error) {
            // The record stays open, so that the next start makes the run up.
            throw error
        } catch {
            failure = error
        }
        let (final, note) = (counts, failure.map { "failed: \($0)" })
        let ended = now()
        try await committer.commit { try $0.endRun(run, counts: final, note: note, now: ended) }
        try await forgetOldRuns(of: repository.id)
        if let failure { throw failure }
        if final.removed + final.tags + final.archived > 0 {
            logger.info(
                "pruned",
                metadata: [
                    "repository": "\(repository.name)", "run": "\(run)", "reason": "\(reason.rawValue)",
                    "removed": "\(final.removed)", "tags": "\(final.tags)", "bytes": "\(final.plannedBytes)",
                ]
            )
        }
        return try await metadata.read(on: pool) { try $0.run(run) }
    }

    /// Whether an error only says that the server stops.
    private static func isEnd(_ error: any Error) -> Bool {
        if case StoreError.shuttingDown = error { true } else { error is CancellationError }
    }

    /// Notes a run in which nothing was planned: undo that ended early.
    func recordPressure(in repository: Repository, note: String) async throws {
        let now = now()
        try await committer.commit { transaction in
            let run = try transaction.beginRun(
                in: repository.id,
                named: repository.name,
                reason: .pressure,
                actor: "server",
                policy: "",
                now: now
            )
            try transaction.endRun(run, counts: RunCounts(), note: note, now: now)
        }
        try await forgetOldRuns(of: repository.id)
    }

    private func forgetOldRuns(of repository: RepositoryID) async throws {
        let before = now() - Self.runAgeMax
        while try await committer.commit(
            rowCount: Self.rowsPerSlice,
            {
                try $0.forgetRuns(
                    endedBefore: before,
                    in: repository,
                    keeping: Self.runCountMax,
                    atMost: Self.rowsPerSlice
                )
            }
        ) {}
    }

    private func carryOut(
        _ prepared: PreparedPlan,
        in repository: Repository,
        run: Int64,
        counts: inout RunCounts
    ) async throws {
        counts.considered = Int64(prepared.plan.inventory.items.count)
        let now = now()
        try await committer.commit { try $0.forgetPins(until: now) }
        var number = 1
        for slice in PruneStep.steps(of: prepared).slices(of: Self.entriesPerSlice) {
            // What was hidden while the run went on can be brought back as long as what comes first.
            let removal = removal(from: repository, run: run)
            try await sweeper.writeUses()
            let first = number
            let decisions = try await commitRemoval(rowCount: slice.count * 5) { transaction in
                let used = transaction.effects.usedBytes
                let decisions = try slice.map { try $0.perform(transaction, in: repository.id, removal) }
                let freed = used - transaction.effects.usedBytes
                try transaction.record(decisions, of: run, from: first, freedBytes: freed)
                return decisions
            }
            number += decisions.count
            for decision in decisions {
                switch decision.outcome {
                case .removed:
                    counts.removed += 1
                    counts.plannedBytes += decision.bytes
                case .tagRemoved: counts.tags += 1
                case .archived: counts.archived += 1
                case .changed: counts.skipped += 1
                }
            }
            try await sweeper.removeDeadEntries()
            try Task.checkCancellation()
        }
    }

    /// Commits what may let go of links that nobody has used (U1, D2).
    ///
    /// `unusedFor`: What was used within this time stays for the sweeper; nil: as the configuration says.
    private func commitRemoval<Value: Sendable>(
        rowCount: Int,
        unusedFor: Duration? = nil,
        _ body: @escaping @Sendable (MetadataTransaction) throws -> Value
    ) async throws -> Value {
        // After the start uses that the process before did not get to write are unknown: the sweeper frees later.
        let isYoung = ContinuousClock().now - created < min(configuration.startGrace, configuration.unreferencedAge)
        let unusedSince = isYoung ? nil : now() - (unusedFor ?? configuration.unreferencedAge)
        return try await committer.commit(rowCount: rowCount, claimingFrom: uses) { transaction in
            transaction.unusedSince = unusedSince
            defer { transaction.unusedSince = nil }
            return try body(transaction)
        }
    }

    // MARK: - The end of undo

    /// Removes for good what can't be brought back any more.
    ///
    /// - Returns: Entries that went, and bytes that became free.
    @discardableResult
    func endUndos() async throws -> (count: Int, freedBytes: Int64) {
        // What was asked for lately is kept by that (D2).
        try await sweeper.writeUses()
        let now = now()
        try await committer.commit { try $0.forgetPins(until: now) }
        var result = (count: 0, freedBytes: Int64(0))
        while true {
            let ended = try await metadata.read(on: pool) { try $0.endedUndos(at: now, atMost: Self.undosPerSlice) }
            if ended.isEmpty { break }
            let (count, bytes) = try await endUndo(of: ended, unusedFor: configuration.unreferencedAge)
            result = (result.count + count, result.freedBytes + bytes)
        }
        while try await committer.commit(
            rowCount: Self.rowsPerSlice,
            {
                try $0.forgetRemovedTags(until: now, atMost: Self.rowsPerSlice)
            }
        ) {}
        if result.count > 0 {
            logger.info(
                "removed for good what could no longer be brought back",
                metadata: ["count": "\(result.count)", "bytes": "\(result.freedBytes)"]
            )
        }
        return result
    }

    private func endUndo(of entries: [Int64], unusedFor age: Duration) async throws -> (count: Int, freedBytes: Int64) {
        let result = try await commitRemoval(rowCount: entries.count * 20, unusedFor: age) {
            try $0.endUndo(of: entries)
        }
        try await sweeper.removeDeadEntries()
        return result
    }

    /// Ends undo early, the oldest first, until there is room; never that of what a person removed.
    ///
    /// `repository`: nil: in all.
    ///
    /// `reclaim`: Lets what went count.
    ///
    /// - Returns: Entries that went, and bytes that became free, by repository.
    func endUndosEarly(
        in repository: RepositoryID?,
        until isEnough: () -> Bool,
        reclaim: () async throws -> Void
    ) async throws -> [RepositoryID: (count: Int, freedBytes: Int64)] {
        try await sweeper.writeUses()
        var result: [RepositoryID: (count: Int, freedBytes: Int64)] = [:]
        while !isEnough() {
            let slice = try await metadata.read(on: pool) {
                try $0.removableUndos(in: repository, atMost: Self.undosPerSlice)
            }
            if slice.isEmpty { break }
            for (id, entries) in Dictionary(grouping: slice, by: \.repository) {
                let (count, bytes) = try await endUndo(of: entries.map(\.entry), unusedFor: configuration.guaranteedAge)
                let known = result[id] ?? (0, 0)
                result[id] = (known.count + count, known.freedBytes + bytes)
            }
            try await reclaim()
        }
        return result
    }
}
