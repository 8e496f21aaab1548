/// The JSON of `/api/v1`, shared by the server's adapter and the command line. Sizes are bytes, durations seconds, times
/// seconds since 1970.

/// GET /api/v1/status.
package struct StatusMessage: Codable, Sendable {
    package struct Space: Codable, Sendable {
        package var usedBytes: Int64
        package var reservedBytes: Int64
        /// What may be held now: the limit, or less when the disk has less.
        package var capacityBytes: Int64
        package var limitBytes: Int64
        package var diskFreeBytes: Int64
        package var diskTotalBytes: Int64
        package var freeDiskFloorBytes: Int64

        package init(
            usedBytes: Int64,
            reservedBytes: Int64,
            capacityBytes: Int64,
            limitBytes: Int64,
            diskFreeBytes: Int64,
            diskTotalBytes: Int64,
            freeDiskFloorBytes: Int64
        ) {
            self.usedBytes = usedBytes
            self.reservedBytes = reservedBytes
            self.capacityBytes = capacityBytes
            self.limitBytes = limitBytes
            self.diskFreeBytes = diskFreeBytes
            self.diskTotalBytes = diskTotalBytes
            self.freeDiskFloorBytes = freeDiskFloorBytes
        }
    }

    package struct Reads: Codable, Sendable {
        package var tool: String
        package var repository: String
        package var hits: Int64
        package var misses: Int64

        package init(tool: String, repository: String, hits: Int64, misses: Int64) {
            self.tool = tool
            self.repository = repository
            self.hits = hits
            self.misses = misses
        }
    }

    package var version: String
    package var uptimeSeconds: Double
    package var space: Space
    package var blobCount: Int64
    package var quarantinedCount: Int64
    package var evictedBytes: Int64
    package var evictedCount: Int64
    package var lastEvictedAgeSeconds: Double?
    package var oldestKeptAgeSeconds: Double?
    package var queueLength: Int
    package var walBytes: Int64
    package var repositories: [RepositoryMessage]
    package var reads: [Reads]

    package init(
        version: String,
        uptimeSeconds: Double,
        space: Space,
        blobCount: Int64,
        quarantinedCount: Int64,
        evictedBytes: Int64,
        evictedCount: Int64,
        lastEvictedAgeSeconds: Double?,
        oldestKeptAgeSeconds: Double?,
        queueLength: Int,
        walBytes: Int64,
        repositories: [RepositoryMessage],
        reads: [Reads]
    ) {
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.space = space
        self.blobCount = blobCount
        self.quarantinedCount = quarantinedCount
        self.evictedBytes = evictedBytes
        self.evictedCount = evictedCount
        self.lastEvictedAgeSeconds = lastEvictedAgeSeconds
        self.oldestKeptAgeSeconds = oldestKeptAgeSeconds
        self.queueLength = queueLength
        self.walBytes = walBytes
        self.repositories = repositories
        self.reads = reads
    }
}

/// GET /api/v1/repositories, GET/PUT/PATCH /api/v1/repositories/NAME.
package struct RepositoryMessage: Codable, Sendable {
    package var name: String
    /// `cache`, `registry` or `bucket`.
    package var kind: String
    package var createdAt: Int64
    package var usedBytes: Int64
    package var entryCount: Int64
    package var quotaBytes: Int64?
    package var quotaEntries: Int64?
    package var validatesContent: Bool
    package var allowsSparse: Bool
    /// Whether what was saved in a dependency cache may be saved again with other content.
    package var allowsOverwrite: Bool
    package var tagsAreImmutable: Bool
    /// Patterns of tags that move nevertheless.
    package var mutableTags: [String]
    /// For so long what was removed can be brought back; nil: as the server has it.
    package var undoTimeSeconds: Int64?
    /// A cron expression, or `off`; nil: as the server has it.
    package var pruneSchedule: String?
    /// Whether a policy holds, its own or the default of its kind.
    package var hasPolicy: Bool

    package init(
        name: String,
        kind: String,
        createdAt: Int64,
        usedBytes: Int64,
        entryCount: Int64,
        quotaBytes: Int64?,
        quotaEntries: Int64?,
        validatesContent: Bool,
        allowsSparse: Bool,
        allowsOverwrite: Bool,
        tagsAreImmutable: Bool,
        mutableTags: [String],
        undoTimeSeconds: Int64?,
        pruneSchedule: String?,
        hasPolicy: Bool
    ) {
        self.name = name
        self.kind = kind
        self.createdAt = createdAt
        self.usedBytes = usedBytes
        self.entryCount = entryCount
        self.quotaBytes = quotaBytes
        self.quotaEntries = quotaEntries
        self.validatesContent = validatesContent
        self.allowsSparse = allowsSparse
        self.allowsOverwrite = allowsOverwrite
        self.tagsAreImmutable = tagsAreImmutable
        self.mutableTags = mutableTags
        self.undoTimeSeconds = undoTimeSeconds
        self.pruneSchedule = pruneSchedule
        self.hasPolicy = hasPolicy
    }
}

/// The body of PUT (create) and PATCH (change): absent fields stay as they are; a quota or an undo time of -1 and an empty
/// schedule take away what the repository has of its own.
package struct RepositoryChangeMessage: Codable, Sendable {
    package var kind: String?
    package var quotaBytes: Int64?
    package var quotaEntries: Int64?
    package var validatesContent: Bool?
    package var allowsSparse: Bool?
    package var allowsOverwrite: Bool?
    package var tagsAreImmutable: Bool?
    package var mutableTags: [String]?
    package var undoTimeSeconds: Int64?
    package var pruneSchedule: String?

    package init(
        kind: String? = nil,
        quotaBytes: Int64? = nil,
        quotaEntries: Int64? = nil,
        validatesContent: Bool? = nil,
        allowsSparse: Bool? = nil,
        allowsOverwrite: Bool? = nil,
        tagsAreImmutable: Bool? = nil,
        mutableTags: [String]? = nil,
        undoTimeSeconds: Int64? = nil,
        pruneSchedule: String? = nil
    ) {
        self.kind = kind
        self.quotaBytes = quotaBytes
        self.quotaEntries = quotaEntries
        self.validatesContent = validatesContent
        self.allowsSparse = allowsSparse
        self.allowsOverwrite = allowsOverwrite
        self.tagsAreImmutable = tagsAreImmutable
        self.mutableTags = mutableTags
        self.undoTimeSeconds = undoTimeSeconds
        self.pruneSchedule = pruneSchedule
    }
}

/// POST /api/v1/repositories/NAME/flush.
package struct FlushMessage: Codable, Sendable {
    package var freedBytes: Int64

    package init(freedBytes: Int64) {
        self.freedBytes = freedBytes
    }
}

/// One line of POST /api/v1/check, which answers with lines of JSON: progress, and at the end the report.
package struct CheckLine: Codable, Sendable {
    package var phase: String?
    package var done: Int64?
    package var total: Int64?
    package var report: CheckReportMessage?
    /// The check could not go on.
    package var error: String?

    package init(
        phase: String? = nil,
        done: Int64? = nil,
        total: Int64? = nil,
        report: CheckReportMessage? = nil,
        error: String? = nil
    ) {
        self.phase = phase
        self.done = done
        self.total = total
        self.report = report
        self.error = error
    }
}

/// The result of a check.
package struct CheckReportMessage: Codable, Sendable {
    package var blobCount: Int64
    package var byteCount: Int64
    package var problems: [String]
    package var problemCount: Int
    package var repairedCount: Int

    package init(blobCount: Int64, byteCount: Int64, problems: [String], problemCount: Int, repairedCount: Int) {
        self.blobCount = blobCount
        self.byteCount = byteCount
        self.problems = problems
        self.problemCount = problemCount
        self.repairedCount = repairedCount
    }
}

/// POST /api/v1/compact.
package struct CompactMessage: Codable, Sendable {
    package var bytesBefore: Int64
    package var bytesAfter: Int64

    package init(bytesBefore: Int64, bytesAfter: Int64) {
        self.bytesBefore = bytesBefore
        self.bytesAfter = bytesAfter
    }
}

/// The body of every refusal.
package struct ErrorMessage: Codable, Sendable {
    package var error: String

    package init(error: String) {
        self.error = error
    }
}
