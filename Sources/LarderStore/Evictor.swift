import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import Logging
import ServiceLifecycle
import Synchronization

/// Makes room in cache repositories, least recently used first, in bounded batches, off the request path.
///
/// It runs when the account passes the high watermark, when a repository passes its quota, and when a write waits for
/// room. A write that can't be helped learns so at the end of a round.
package final class Evictor: Service {
    /// Things evicted by one transaction.
    private static let batchCount = 250
    /// Plans in one round of which nothing could be carried out.
    private static let fruitlessMax = 3
    /// What a write wants: room in the store, or in its repository.
    enum Wish: Sendable {
        case store(bytes: Int64)
        case repository(RepositoryID, bytes: Int64, entries: Int64)

        fileprivate var storeBytes: Int64 {
            if case .store(let bytes) = self { bytes } else { 0 }
        }

        fileprivate var repositoryID: RepositoryID? {
            if case .repository(let id, _, _) = self { id } else { nil }
        }
    }

    /// Totals since the start.
    package struct Totals: Sendable {
        package var bytes: Int64 = 0
        package var count: Int64 = 0
        package var refusals: Int64 = 0
        /// How long the thing evicted last had not been used.
        package var lastEvictedAge: Duration?
    }

    private struct State {
        var waiters: [(wish: Wish, continuation: CheckedContinuation<StoreError?, Never>)] = []
        var totals = Totals()
        /// Repositories that passed their quota.
        var overQuota: Set<RepositoryID> = []
        var isStopped = false
        /// What is tried before a write is refused.
        var pressure: Pressure?
    }

    private let metadata: Metadata
    private let committer: Committer
    private let sweeper: Sweeper
    private let directory: RepositoryDirectory
    private let account: SpaceAccount
    private let uses: UseTracker
    private let pool: FilePool
    private let configuration: StoreConfiguration
    private let ballast: Ballast
    private let now: TimeSource
    private let logger: Logger
    private let state = Mutex(State())
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init(
        metadata: Metadata,
        committer: Committer,
        sweeper: Sweeper,
        directory: RepositoryDirectory,
        account: SpaceAccount,
        uses: UseTracker,
        pool: FilePool,
        configuration: StoreConfiguration,
        ballast: Ballast,
        now: @escaping TimeSource,
        logger: Logger
    ) {
        self.metadata = metadata
        self.committer = committer
        self.sweeper = sweeper
        self.directory = directory
        self.account = account
        self.uses = uses
        self.pool = pool
        self.configuration = configuration
        self.ballast = ballast
        self.now = now
        self.logger = logger
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Says what is tried before a write is refused; once, before `run`.
    func connect(_ pressure: Pressure) {
        state.withLock { $0.pressure = pressure }
    }

    package var totals: Totals { state.withLock { $0.totals } }

    /// Starts a round if there is none.
    func wake() {
        wakeUp.yield()
    }

    /// After a commit: starts a round when a limit was passed.
    func noteCommit(_ effects: MetadataEffects) {
        var isOver = effects.usedBytes > 0 && account.excess() > 0
        for (id, change) in effects.repositories where change.usedBytes > 0 || change.entryCount > 0 {
            guard let repository = directory.find(id), repository.isOverQuota(bytes: 0, entries: 0) else { continue }
            state.withLock { _ = $0.overQuota.insert(id) }
            isOver = true
        }
        if isOver { wake() }
    }

    /// Waits until a round of eviction has been tried for a wish.
    ///
    /// - Throws: `noSpace` or `quotaExceeded` when nothing evictable is left for it.
    func waitForRoom(_ wish: Wish) async throws(StoreError) {
        let failure = await withCheckedContinuation { continuation in
            let isStopped = state.withLock { state in
                if !state.isStopped { state.waiters.append((wish, continuation)) }
                return state.isStopped
            }
            if isStopped { continuation.resume(returning: .shuttingDown) } else { wake() }
        }
        if let failure {
            state.withLock { $0.totals.refusals += 1 }
            throw failure
        }
    }

    /// Makes room whenever it is woken, until shutdown; whoever still waits then gets `shuttingDown`.
    package func run() async throws {
        await withGracefulShutdownHandler {
            for await _ in wakeUps {
                await round()
            }
        } onGracefulShutdown: {
            self.wakeUp.finish()
        }
        let waiters = state.withLock { state in
            state.isStopped = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: .shuttingDown) }
    }

    /// One round: the store's limit, then quotas, then everybody who waited when it began.
    private func round() async {
        let (waiters, overQuota) = state.withLock { state in
            defer {
                state.waiters = []
                state.overQuota = []
            }
            return (state.waiters, state.overQuota)
        }
        var isStoreExhausted = false
        var exhausted: Set<RepositoryID> = []
        do {
            // The plan goes by stored times; what a full disk does not let us write is passed over.
            try? await sweeper.writeUses()
            try await reclaim()
            let wanted = waiters.map(\.wish.storeBytes).max() ?? 0
            isStoreExhausted = try await makeRoom(in: nil) {
                EvictionDemand(bytes: self.account.excess(extra: wanted))
            }
            if isStoreExhausted && wanted > 0 {
                try await relieve(nil) { self.account.hasRoom(for: wanted) }
            }
            for id in overQuota.union(waiters.compactMap(\.wish.repositoryID)) {
                let (bytes, entries) = Self.largestWish(in: id, of: waiters.map(\.wish))
                let isExhausted = try await makeRoom(in: id) {
                    self.directory.find(id)?.quotaDemand(bytes: bytes, entries: entries) ?? EvictionDemand(bytes: 0)
                }
                if isExhausted { exhausted.insert(id) }
                if bytes + entries > 0, isExhausted || directory.kind(of: id) != .cache {
                    try await relieve(id) {
                        !(self.directory.find(id)?.isOverQuota(bytes: bytes, entries: entries) ?? false)
                    }
                }
            }
        } catch {
            logger.error("eviction failed", metadata: ["error": "\(error)"])
            isStoreExhausted = true
        }
        for waiter in waiters {
            waiter.continuation.resume(
                returning: refusal(of: waiter.wish, isStoreExhausted: isStoreExhausted, exhausted: exhausted)
            )
        }
        ballast.restore(free: ByteCount(account.current.disk.free))
    }

    /// The last that is tried before a write is refused.
    private func relieve(
        _ repository: RepositoryID?,
        until isEnough: @escaping @Sendable () -> Bool
    ) async throws {
        guard !isEnough(), let pressure = state.withLock({ $0.pressure }) else { return }
        // A server that stops refuses what waits.
        try await cancelWhenGracefulShutdown {
            try await pressure.relieve(repository, until: isEnough) { try await self.reclaim() }
        }
        try await reclaim()
    }

    private static func largestWish(in repository: RepositoryID, of wishes: [Wish]) -> (bytes: Int64, entries: Int64) {
        var largest: (bytes: Int64, entries: Int64) = (0, 0)
        for case .repository(repository, let bytes, let entries) in wishes {
            largest = (max(largest.bytes, bytes), max(largest.entries, entries))
        }
        return largest
    }

    /// nil: there was room, or others may have taken it; the writer tries again.
    private func refusal(of wish: Wish, isStoreExhausted: Bool, exhausted: Set<RepositoryID>) -> StoreError? {
        switch wish {
        case .repository(let id, let bytes, let entries):
            guard let repository = directory.find(id), repository.isOverQuota(bytes: bytes, entries: entries),
                exhausted.contains(id) || repository.kind != .cache
            else { return nil }
            return .quotaExceeded("repository \(repository.name) is full and nothing in it may be evicted")
        case .store(let bytes):
            // Nobody is refused on an old reading of the disk.
            account.forgetDiskReading()
            if account.reserve(bytes) {
                // Whoever waited reserves for itself; a newcomer may be faster, then it waits again.
                account.release(bytes)
                return nil
            }
            return isStoreExhausted ? .noSpace("the store is full and nothing in it may be evicted") : nil
        }
    }

    /// Lets what was evicted count: files are removed, and free pages of the database are known.
    private func reclaim() async throws {
        guard account.isBoundByDisk else { return }
        try await sweeper.sweep()
        await metadata.checkpoint()
        account.update(freePages: try await pool.run { [metadata] in try metadata.read { try $0.freePageBytes() } })
    }

    /// Evicts until the demand is met or nothing evictable is left.
    ///
    /// `repository` nil: from all caches.
    ///
    /// - Returns: Whether nothing evictable was left.
    private func makeRoom(
        in repository: RepositoryID?,
        demand: @escaping @Sendable () -> EvictionDemand
    ) async throws -> Bool {
        var fruitlessCount = 0
        while true {
            let demand = demand()
            if demand.isMet { return false }
            let plan = try await plan(in: repository, demand: demand)
            let evicted = plan.evicted
            if evicted.isEmpty {
                // Behind what was used lately, and is not written yet, may stand what was not.
                let isHidden = plan.decisions.contains { $0.decision == .notNeeded }
                fruitlessCount += 1
                guard isHidden, fruitlessCount < Self.fruitlessMax, (try? await sweeper.writeUses()) != nil else {
                    return true
                }
                continue
            }
            let result = try await evict(evicted)
            if result.count == 0 {
                // All of them were used since the plan was made.
                fruitlessCount += 1
                if fruitlessCount == Self.fruitlessMax { return true }
                continue
            }
            note(result, oldest: evicted.last)
            // Large entries only lose their key at first.
            try await sweeper.removeDeadEntries()
            try await reclaim()
        }
    }

    /// Evicts; when the disk is too full even for that, once more without the ballast.
    private func evict(_ candidates: [EvictionCandidate]) async throws -> (bytes: Int64, count: Int) {
        do {
            return try await commitEviction(of: candidates)
        } catch {
            guard case .noSpace = error, ballast.release() else { throw error }
            logger.warning("the disk is full: gave up the ballast so that eviction can go on")
            await metadata.checkpoint()
            return try await commitEviction(of: candidates)
        }
    }

    private func commitEviction(
        of candidates: [EvictionCandidate]
    ) async throws(StoreError) -> (bytes: Int64, count: Int) {
        try await committer.commit(rowCount: candidates.count * 4, claimingFrom: uses) { try $0.evict(candidates) }
    }

    private func note(_ result: (bytes: Int64, count: Int), oldest: EvictionCandidate?) {
        let age = oldest.map { now() - $0.lastUsed }
        state.withLock { state in
            state.totals.bytes += result.bytes
            state.totals.count += Int64(result.count)
            state.totals.lastEvictedAge = age
        }
        logger.debug("evicted", metadata: ["count": "\(result.count)", "bytes": "\(result.bytes)"])
    }

    private func plan(in repository: RepositoryID?, demand: EvictionDemand) async throws -> EvictionPlan {
        let caches = repository.map { [$0] } ?? directory.all.filter { $0.kind == .cache }.map(\.id)
        let guaranteedUntil = guaranteedUntil()
        let recentUses = uses.snapshot
        return try await pool.run { [metadata] in
            try metadata.read { snapshot in
                let candidates = try caches.flatMap {
                    try snapshot.evictionCandidates(in: $0, atMost: Self.batchCount)
                }
                return EvictionPlan.make(
                    candidates: candidates,
                    recentUses: recentUses,
                    demand: demand,
                    guaranteedUntil: guaranteedUntil,
                    countMax: Self.batchCount
                )
            }
        }
    }

    /// What was last used before this moment may go.
    ///
    /// A stored last use may be older than the real one by the precision, so that is added to the guarantee.
    private func guaranteedUntil() -> Timestamp {
        guard configuration.guaranteedAge > .zero else { return now() + .milliseconds(1) }
        return now() - configuration.guaranteedAge - configuration.lastUsePrecision
    }
}

extension Repository {
    /// Whether more would pass the quota.
    func isOverQuota(bytes: Int64, entries: Int64) -> Bool {
        if let quota = settings.quotaBytes, usedBytes + bytes > quota.bytes { return true }
        if let quota = settings.quotaEntries, entryCount + entries > quota { return true }
        return false
    }

    /// What must go to hold the quota with some air, so that not every write evicts.
    func quotaDemand(bytes: Int64, entries: Int64) -> EvictionDemand {
        guard kind == .cache, isOverQuota(bytes: bytes, entries: entries) else { return EvictionDemand(bytes: 0) }
        var demand = EvictionDemand(bytes: 0)
        if let quota = settings.quotaBytes, usedBytes + bytes > quota.bytes {
            demand.bytes = usedBytes - min(quota.percent(95).bytes, quota.bytes - bytes)
        }
        if let quota = settings.quotaEntries, entryCount + entries > quota {
            demand.entries = entryCount - min(quota * 95 / 100, quota - entries)
        }
        return demand
    }
}
