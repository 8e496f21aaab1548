import LarderBlobs
import LarderCore
import LarderMetadata
import Logging
import ServiceLifecycle

/// Frees what nobody in a registry refers to any more: blobs without a manifest, manifests that lost their index or their
/// subject, uploads that nobody goes on with.
///
/// D2: what was pushed, pulled or asked for within `StoreConfiguration.unreferencedAge` stays, so a push that takes hours
/// keeps the layers that it was told are there.
final class RegistrySweeper: Service {
    private static let period: Duration = .seconds(60)
    private static let rowsPerSlice = 250
    private static let slicesPerRound = 40
    private static let registriesPerRead = 500

    private let metadata: Metadata
    private let committer: Committer
    private let directory: RepositoryDirectory
    private let sweeper: Sweeper
    private let uses: UseTracker
    private let pool: FilePool
    /// Manifests that are unused for so long go, by their stored times, which may be older than the last use by their
    /// precision.
    private let grace: Duration
    /// The same of blobs, whose uses in a registry are all noted.
    private let blobGrace: Duration
    /// The same when a write would be refused otherwise.
    private let pressureGrace: Duration
    /// See `StoreConfiguration.startGrace`.
    private let startGrace: Duration
    private let now: TimeSource
    private let created = ContinuousClock().now
    private let expireUploads: @Sendable () -> Void
    private let logger: Logger

    init(
        metadata: Metadata,
        committer: Committer,
        directory: RepositoryDirectory,
        sweeper: Sweeper,
        uses: UseTracker,
        pool: FilePool,
        grace: Duration,
        blobGrace: Duration,
        pressureGrace: Duration,
        startGrace: Duration,
        now: @escaping TimeSource,
        logger: Logger,
        expireUploads: @escaping @Sendable () -> Void
    ) {
        self.metadata = metadata
        self.committer = committer
        self.directory = directory
        self.sweeper = sweeper
        self.uses = uses
        self.pool = pool
        self.grace = grace
        self.blobGrace = blobGrace
        self.pressureGrace = pressureGrace
        self.startGrace = startGrace
        self.now = now
        self.logger = logger
        self.expireUploads = expireUploads
    }

    func run() async throws {
        let start = ContinuousClock().now
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: Self.period)
                do {
                    if ContinuousClock().now - start < min(self.startGrace, self.grace) {
                        self.expireUploads()
                    } else {
                        try await self.sweep()
                    }
                } catch StoreError.shuttingDown {
                    return
                } catch is CancellationError {
                    return
                } catch {
                    self.logger.error("could not sweep the registries", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// One round over everything that is due.
    func sweep() async throws {
        expireUploads()
        // Rows are judged by their stored times.
        try await sweeper.writeUses()
        let unusedSince = now() - grace
        var manifestCount = 0
        for _ in 0..<Self.slicesPerRound {
            let (dueCount, count) = try await settleReviews(unusedSince: unusedSince)
            manifestCount += count
            if count == 0 && dueCount < Self.rowsPerSlice { break }
            // Large ones only lose their names at first.
            try await sweeper.removeDeadEntries()
        }
        let freed = try await removeUnreferenced(unusedSince: now() - blobGrace)
        if manifestCount + freed.count > 0 {
            logger.info(
                "freed what no manifest refers to",
                metadata: ["manifests": "\(manifestCount)", "blobs": "\(freed.count)", "bytes": "\(freed.bytes)"]
            )
        }
    }

    /// Frees blobs without a manifest that nobody asked for lately, earlier than else.
    ///
    /// `repository`: Whose quota is at stake; nil: in all.
    func sweepUnderPressure(in repository: RepositoryID?) async throws {
        // As after every start, uses that the process before did not get to write are unknown.
        guard ContinuousClock().now - created >= min(startGrace, blobGrace) else { return }
        try await sweeper.writeUses()
        let freed = try await removeUnreferenced(
            in: repository.map { [$0] },
            unusedSince: now() - min(blobGrace, pressureGrace)
        )
        if freed.count > 0 {
            logger.info(
                "freed early what no manifest refers to",
                metadata: ["blobs": "\(freed.count)", "bytes": "\(freed.bytes)"]
            )
        }
    }

    /// `repositories`: nil: all registries.
    private func removeUnreferenced(
        in repositories: [RepositoryID]? = nil,
        unusedSince: Timestamp
    ) async throws -> (bytes: Int64, count: Int) {
        var blobCount = 0
        var byteCount: Int64 = 0
        var registries = (repositories ?? directory.ids(of: .registry)).filter {
            directory.find($0)?.kind == .registry
        }[...]
        while !registries.isEmpty {
            let slice = Array(registries.prefix(Self.registriesPerRead))
            registries = registries.dropFirst(slice.count)
            let due = try await read { snapshot in
                try slice.filter {
                    try !snapshot.unreferencedLinks(in: $0, unusedSince: unusedSince, atMost: 1).isEmpty
                }
            }
            // What a sparse manifest names may come later and is known to nobody until then.
            for id in due where directory.find(id)?.hasBeenSparse == false {
                while true {
                    let removed = try await removeUnreferenced(in: id, unusedSince: unusedSince)
                    blobCount += removed.count
                    byteCount += removed.bytes
                    if removed.count < Self.rowsPerSlice { break }
                }
            }
        }
        return (byteCount, blobCount)
    }

    private func settleReviews(unusedSince: Timestamp) async throws -> (dueCount: Int, removedCount: Int) {
        let now = now()
        let due = try await read { try $0.dueReviews(at: now, atMost: Self.rowsPerSlice) }
        let count = try await committer.commit(
            rowCount: Self.rowsPerSlice * 4,
            claimingFrom: uses
        ) { [grace] transaction in
            // U1: what was used since, and is not written yet, is looked at in the next round.
            try transaction.settleReviews(of: due, unusedSince: unusedSince, grace: grace)
                .count { try transaction.removeReviewed($0) }
        }
        return (due.count, count)
    }

    private func removeUnreferenced(
        in repository: RepositoryID,
        unusedSince: Timestamp
    ) async throws -> (bytes: Int64, count: Int) {
        let candidates = try await read {
            try $0.unreferencedLinks(in: repository, unusedSince: unusedSince, atMost: Self.rowsPerSlice)
        }
        if candidates.isEmpty { return (0, 0) }
        return try await committer.commit(rowCount: candidates.count * 4, claimingFrom: uses) {
            try $0.evict(candidates)
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (MetadataSnapshot) throws -> Value
    ) async throws -> Value {
        try await metadata.read(on: pool, body)
    }
}
