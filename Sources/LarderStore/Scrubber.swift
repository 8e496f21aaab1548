import LarderBlobs
import LarderCore
import LarderMetadata
import Logging
import ServiceLifecycle
import Synchronization

/// Verifies every file about once a period, slowly, and quarantines what is damaged.
final class Scrubber: Service {
    /// Slower than this the scrub never is; a small store is verified more often than it needs.
    private static let bytesPerSecondMin: Int64 = 1 << 20
    private static let filesPerPage = 64

    private let metadata: Metadata
    private let committer: Committer
    private let blobs: BlobStore
    private let pool: FilePool
    private let period: Duration?
    private let logger: Logger
    private let verified = Atomic<Int64>(0)

    init(
        metadata: Metadata,
        committer: Committer,
        blobs: BlobStore,
        pool: FilePool,
        period: Duration?,
        logger: Logger
    ) {
        self.metadata = metadata
        self.committer = committer
        self.blobs = blobs
        self.pool = pool
        self.period = period
        self.logger = logger
    }

    /// Files verified since the start.
    var verifiedCount: Int64 { verified.load(ordering: .relaxed) }

    func run() async throws {
        guard let period else {
            try? await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown {
            // Errors of the machine are logged and tried again; the loop ends by cancellation.
            while !Task.isCancelled {
                do {
                    let (byteCount, isWrapped) = try await self.scrubPage()
                    try await Task.sleep(for: self.pause(after: byteCount, isWrapped: isWrapped, period: period))
                } catch is CancellationError {
                    return
                } catch {
                    self.logger.error("the scrub failed", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .seconds(60))
                }
            }
        }
    }

    /// How long to wait so that the whole store takes a period: bytes verified at the rate of used bytes per period.
    private func pause(after byteCount: Int64, isWrapped: Bool, period: Duration) -> Duration {
        if isWrapped { return .seconds(3600) }
        let used = (try? metadata.read { try $0.account() })?.usedBytes ?? 0
        let rate = max(Self.bytesPerSecondMin, used / max(1, period.components.seconds))
        return .milliseconds(max(100, byteCount * 1000 / rate))
    }

    /// Verifies the next files behind the cursor.
    ///
    /// - Returns: Bytes verified, and whether the end was reached, so that the next call starts anew.
    func scrubPage() async throws -> (byteCount: Int64, isWrapped: Bool) {
        let page = try await pool.run { [metadata] in
            try metadata.read { try $0.files(after: $0.account().scrubCursor, atMost: Self.filesPerPage) }
        }
        guard let last = page.last else {
            try await committer.commit { try $0.setScrubCursor(0) }
            return (0, true)
        }
        var byteCount: Int64 = 0
        for row in page {
            try Task.checkCancellation()
            byteCount += row.size
            let isSound = try await pool.run { try self.isSound(row) }
            verified.wrappingAdd(1, ordering: .relaxed)
            if isSound { continue }
            if try await committer.commit({ try $0.quarantine(row) }) {
                logger.error("a blob is damaged and was quarantined", metadata: ["digest": "\(row.digest)"])
            }
        }
        try await committer.commit { try $0.setScrubCursor(last.id) }
        return (byteCount, false)
    }

    /// Whether a row's file is there and hashes to its name.
    ///
    /// A blob that is replaced meanwhile counts as not sound, and `quarantine` then finds another row.
    private func isSound(_ row: BlobRow) throws -> Bool {
        guard let generation = row.generation else { return true }
        do {
            guard let file = try blobs.open(row.digest, generation: generation, size: row.size) else { return false }
            return try file.digest() == row.digest
        } catch StoreError.corrupt, StoreError.io {
            // What the disk can't give back is as lost as what it gives back wrong.
            return false
        }
    }
}
