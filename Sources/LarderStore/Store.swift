package import LarderBlobs
package import LarderCore
import LarderMetadata
package import Logging
package import ServiceLifecycle
import Synchronization

/// The one door to everything that is kept: blobs, entries, repositories.
///
/// Adapters see nothing below it.
///
/// Reading is in `Store+Reading`, writing in `Store+Writing`, repositories in `Store+Repositories`. The background work
/// is in `services`; nothing can be written while they do not run.
package final class Store: Sendable {
    package let configuration: StoreConfiguration
    package let directory: RepositoryDirectory
    package let tokens: TokenDirectory
    package let hotSet: HotSet
    package let account: SpaceAccount
    package let committer: Committer
    package let evictor: Evictor
    let metadata: Metadata
    let blobs: BlobStore
    let pool: FilePool
    let uses: UseTracker
    let sweeper: Sweeper
    let scrubber: Scrubber
    let registrySweeper: RegistrySweeper
    let pruner: Pruner
    let retention: RetentionService
    let uploads = UploadSessions()
    let ballast: Ballast
    let now: TimeSource
    let logger: Logger
    /// Blobs in quarantine: while there are none, entries need not be asked what they name.
    let quarantinedCount: Atomic<Int64>

    /// Opens the store in a data folder: creates what is missing, upgrades the database, removes what unfinished
    /// uploads left.
    ///
    /// Never reads the whole store (S1). Blocks.
    ///
    /// - Throws: As `Metadata.init`, and what the file system says.
    package init(
        folder: DataFolder,
        files: any BlobFiles,
        pool: FilePool,
        configuration: StoreConfiguration,
        now: @escaping TimeSource,
        logger: Logger
    ) throws(StoreError) {
        self.configuration = configuration
        self.pool = pool
        self.now = now
        self.logger = logger
        let metadata = try Metadata(
            path: folder.databasePath,
            readerCountMax: configuration.databaseReaderCount,
            now: now()
        )
        self.metadata = metadata
        let startCount = try metadata.recordStart()
        let blobs = BlobStore(root: folder.path, files: files, firstGeneration: startCount << 40)
        self.blobs = blobs
        let openUploads = try Self.openUploads(of: blobs, metadata: metadata)
        try Self.discardLeftovers(of: blobs, metadata: metadata, keeping: openUploads, logger: logger)
        let started = now()
        _ = try metadata.write { transaction in
            try transaction.abandonPendingEntries()
            try transaction.closeInterruptedRuns(now: started)
        }
        tokens = try metadata.read { TokenDirectory(try $0.tokens(), isInUse: try $0.hasHadTokens()) }
        let (repositories, account, quarantined, policies) = try metadata.read { snapshot in
            (
                try snapshot.repositories(), try snapshot.account(), try snapshot.quarantinedCount(),
                try snapshot.defaultPolicies()
            )
        }
        let directory = RepositoryDirectory(repositories)
        let space = SpaceAccount(used: account.usedBytes, configuration: configuration) {
            (try? blobs.diskSpace()).map { .init(total: $0.total.bytes, free: $0.free.bytes) }
        }
        let hotSet = HotSet(limit: configuration.hotSetLimit)
        let uses = UseTracker()
        self.directory = directory
        self.account = space
        self.hotSet = hotSet
        self.uses = uses
        quarantinedCount = Atomic(quarantined)
        ballast = Ballast(path: folder.ballastPath, diskTotal: ByteCount(space.current.disk.total))
        ballast.restore(free: ByteCount(space.current.disk.free))
        // What follows the commit needs the parts that need the committer: they meet in this box, filled below.
        let aftermath = CommitAftermath(directory: directory, account: space, hotSet: hotSet)
        committer = Committer(
            metadata: metadata,
            walLengthMax: { Self.walLengthMax(space) },
            queueLengthMax: configuration.queueLengthMax,
            logger: logger
        ) {
            aftermath.apply($0, releasing: $1)
        }
        sweeper = Sweeper(
            metadata: metadata,
            committer: committer,
            blobs: blobs,
            uses: uses,
            tokens: tokens,
            pool: pool,
            now: now,
            logger: logger
        )
        evictor = Evictor(
            metadata: metadata,
            committer: committer,
            sweeper: sweeper,
            directory: directory,
            account: space,
            uses: uses,
            pool: pool,
            configuration: configuration,
            ballast: ballast,
            now: now,
            logger: logger
        )
        scrubber = Scrubber(
            metadata: metadata,
            committer: committer,
            blobs: blobs,
            pool: pool,
            period: configuration.scrubPeriod,
            logger: logger
        )
        let box = aftermath
        registrySweeper = RegistrySweeper(
            metadata: metadata,
            committer: committer,
            directory: directory,
            sweeper: sweeper,
            uses: uses,
            pool: pool,
            grace: configuration.unreferencedAge + configuration.lastUsePrecision,
            blobGrace: configuration.unreferencedAge,
            pressureGrace: configuration.guaranteedAge,
            startGrace: configuration.startGrace,
            now: now,
            logger: logger
        ) {
            box.store?.expireUploads()
        }
        pruner = Pruner(
            metadata: metadata,
            committer: committer,
            directory: directory,
            sweeper: sweeper,
            uses: uses,
            pool: pool,
            configuration: configuration,
            defaultPolicies: policies,
            now: now,
            logger: logger
        )
        retention = RetentionService(
            pruner: pruner,
            directory: directory,
            configuration: configuration,
            now: now,
            logger: logger
        )
        let pressure = Pressure(
            pruner: pruner,
            registrySweeper: registrySweeper,
            sweeper: sweeper,
            directory: directory,
            now: now,
            logger: logger
        )
        evictor.connect(pressure)
        aftermath.connect(self)
        for row in openUploads {
            let reservation = Reservation(store: self, repository: row.repository, entries: 0)
            _ = uploads.insert(UploadSession(row, reservation: reservation))
        }
        // What an earlier process could not finish.
        let isUnfinished = try metadata.read { snapshot in
            let hasRemovals = try !snapshot.removals(atMost: 1).isEmpty
            let hasDeletions = try !snapshot.deletedRepositories().isEmpty
            return try hasRemovals || hasDeletions || snapshot.hasDeadEntries()
        }
        if isUnfinished { sweeper.wake() }
    }

    /// The background work, in the order in which it is to be started; it is to be stopped in the reverse order, after
    /// the listeners.
    package var services: [any Service] { [committer, sweeper, evictor, scrubber, registrySweeper, retention] }

    /// Closes the database.
    ///
    /// To be called when the services have ended. Blocks.
    package func close() throws(StoreError) {
        // Sessions hold the store.
        uploads.removeAll()
        try metadata.close()
    }

    /// What the write-ahead log may hold that is not in the database.
    ///
    /// The longer it is, the more changes of one page reach the database as one. But it must be small beside the store, and
    /// moving it needs room: on a disk that is nearly full no more than the ballast can make.
    private static func walLengthMax(_ account: SpaceAccount) -> ByteCount {
        let balance = account.current
        let affordable = ByteCount(min(balance.disk.free, account.limit.bytes) / 16)
        return min(.mebibytes(192), max(Ballast.length(diskTotal: ByteCount(balance.disk.total)), affordable))
    }

    /// The resumable uploads that can be gone on with; the rows of others go.
    private static func openUploads(of blobs: BlobStore, metadata: Metadata) throws(StoreError) -> [UploadRow] {
        var uploads: [UploadRow] = []
        for row in try metadata.read({ try $0.uploads() }) {
            if let name = row.fileName, try !blobs.hasUpload(fileName: name, length: row.length) {
                // It was about to become a blob when the process ended.
                _ = try metadata.write { try $0.deleteUpload(row.id) }
            } else {
                uploads.append(row)
            }
        }
        return uploads
    }

    private static func discardLeftovers(
        of blobs: BlobStore,
        metadata: Metadata,
        keeping uploads: [UploadRow],
        logger: Logger
    ) throws(StoreError) {
        let kept = Set(uploads.compactMap(\.fileName))
        let leftovers = try blobs.leftovers().filter { !kept.contains($0.name) }
        for leftover in leftovers {
            var hasRow = false
            if let blob = leftover.published {
                hasRow = try metadata.read { try $0.blob(blob.digest) }?.generation == blob.generation
            }
            try blobs.discard(leftover, keepingFile: hasRow)
        }
        if !leftovers.isEmpty {
            logger.info("removed unfinished uploads", metadata: ["count": "\(leftovers.count)"])
        }
    }
}

/// Mirrors commits in memory, before anybody is answered (V1).
private final class CommitAftermath: Sendable {
    private let directory: RepositoryDirectory
    private let account: SpaceAccount
    private let hotSet: HotSet
    private let box = Mutex<WeakStore>(WeakStore())

    private struct WeakStore: Sendable {
        weak var store: Store?
    }

    init(directory: RepositoryDirectory, account: SpaceAccount, hotSet: HotSet) {
        self.directory = directory
        self.account = account
        self.hotSet = hotSet
    }

    var store: Store? { box.withLock { $0.store } }

    func connect(_ store: Store) {
        box.withLock { $0.store = store }
    }

    func apply(_ effects: MetadataEffects, releasing room: ReservedRoom) {
        account.apply(usedBytes: effects.usedBytes, releasing: room)
        directory.apply(effects.repositories)
        let store = store
        if let count = effects.quarantinedCount {
            // Entries that name the blob must miss at once, and which those are is not known here.
            store?.quarantinedCount.store(count, ordering: .releasing)
            hotSet.removeAll()
        } else {
            hotSet.invalidate(effects.changedNames)
        }
        if effects.hasRemovals || effects.hasDeadEntries { store?.sweeper.wake() }
        store?.evictor.noteCommit(effects)
    }
}
