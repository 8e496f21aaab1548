package import LarderCore
package import LarderRetention

/// The limits of a store.
///
/// All have defaults that suit a machine of its own.
package struct StoreConfiguration: Sendable {
    /// Bytes of blobs at most.
    package var sizeLimit: SizeLimit
    /// Free disk under which nothing is written, whatever the limit says; nil: 2 % of the disk, 1 GiB at most.
    package var freeDiskFloor: ByteCount?
    /// Blobs up to this size live in the database.
    ///
    /// 0 to 256 KiB.
    package var inlineLimit: ByteCount
    /// Largest blob or entry that is accepted; nil: no limit of its own.
    package var blobSizeLimit: ByteCount?
    /// Bytes that the hot set may hold.
    package var hotSetLimit: ByteCount
    /// What was used within this time is never evicted.
    ///
    /// Bazel counts on finding the outputs of a build that runs.
    package var guaranteedAge: Duration
    /// How old a stored last use may grow before a further use is written.
    package var lastUsePrecision: Duration
    /// Eviction begins above this share of the limit, in percent.
    package var highWatermark: Int
    /// Eviction stops at this share of the limit, in percent.
    package var lowWatermark: Int
    /// Changes that may wait for the committer.
    package var queueLengthMax: Int
    /// How long what was removed from a kind of repository can be brought back.
    package func undoTime(of kind: RepositoryKind) -> Duration {
        kind == .cache ? cacheUndoTime : undoTime
    }

    /// Repositories that clients create by writing; a person may create more.
    package var implicitRepositoriesMax: Int
    /// Whether a cache repository is created by the first write to it.
    package var createsOnWrite: Bool
    /// A resumable upload is given up when nothing was sent for so long.
    package var uploadLifetime: Duration
    /// What no manifest of a registry refers to stays for so long after it was pushed, pulled or asked for.
    package var unreferencedAge: Duration
    /// For so long what was removed from a registry or bucket can be brought back.
    package var undoTime: Duration
    /// The same for caches.
    package var cacheUndoTime: Duration
    /// When policies are applied; nil: only where a repository says so.
    package var pruneSchedule: CronSchedule?
    /// How often schedules, and what can't be brought back any more, are looked at; nil: never.
    package var retentionPeriod: Duration?
    /// So long after the start nothing goes because it was not used lately: uses that the process before did not get to
    /// write are unknown.
    package var startGrace: Duration
    /// Threads for blocking work.
    package var fileThreadCount: Int
    /// Database connections for reading.
    package var databaseReaderCount: Int
    /// Every file is verified about once in this time; nil: no scrub.
    package var scrubPeriod: Duration?

    package init() {
        sizeLimit = .default
        freeDiskFloor = nil
        inlineLimit = .kibibytes(16)
        blobSizeLimit = nil
        hotSetLimit = .mebibytes(64)
        guaranteedAge = .seconds(3 * 3600)
        lastUsePrecision = .seconds(3600)
        highWatermark = 95
        lowWatermark = 90
        queueLengthMax = 4096
        implicitRepositoriesMax = 100_000
        createsOnWrite = true
        uploadLifetime = .seconds(24 * 3600)
        unreferencedAge = .seconds(24 * 3600)
        undoTime = .seconds(24 * 3600)
        cacheUndoTime = .zero
        pruneSchedule = try? CronSchedule("0 3 * * *")
        retentionPeriod = .seconds(10)
        startGrace = .seconds(900)
        fileThreadCount = 8
        databaseReaderCount = 4
        scrubPeriod = .seconds(14 * 24 * 3600)
    }
}
