import LarderBlobs
import LarderCore
import LarderMetadata
import Logging
import ServiceLifecycle

/// Clears away what transactions left to be done: files whose row is gone (D1), entries too large to go at once,
/// repositories that were removed, tokens whose time is long over; and writes last uses.
final class Sweeper: Service {
    private static let removalsPerRound = 256
    private static let rowsPerSlice = 250
    private static let usesPerBatch = 1000
    /// Last uses are written this often; also the longest that a failed removal waits.
    private static let period: Duration = .seconds(30)

    private let metadata: Metadata
    private let committer: Committer
    private let blobs: BlobStore
    private let uses: UseTracker
    private let tokens: TokenDirectory
    private let pool: FilePool
    private let now: TimeSource
    private let logger: Logger
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    init(
        metadata: Metadata,
        committer: Committer,
        blobs: BlobStore,
        uses: UseTracker,
        tokens: TokenDirectory,
        pool: FilePool,
        now: @escaping TimeSource,
        logger: Logger
    ) {
        self.metadata = metadata
        self.committer = committer
        self.blobs = blobs
        self.uses = uses
        self.tokens = tokens
        self.pool = pool
        self.now = now
        self.logger = logger
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func wake() {
        wakeUp.yield()
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    // Ends with the group, when the stream of wake-ups does.
                    while (try? await Task.sleep(for: Self.period)) != nil {
                        await self.attempt("write last uses") { try await self.writeUses() }
                        await self.attempt("remove expired tokens") { try await self.removeExpiredTokens() }
                        self.wake()
                    }
                }
                for await _ in wakeUps {
                    await attempt("sweep") { try await self.sweep() }
                }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.wakeUp.finish()
        }
        // Last uses survive a restart.
        await attempt("write last uses") { try await self.writeUses() }
    }

    /// Writes all last uses that are due, between other work.
    func writeUses() async throws {
        while true {
            let batch = uses.unwritten(atMost: Self.usesPerBatch)
            if batch.isEmpty { break }
            try await committer.commit(rowCount: batch.count) { try $0.recordUses(batch) }
            uses.noteWritten(batch)
        }
        let tokenUses = tokens.unwrittenUses
        if !tokenUses.isEmpty {
            try await committer.commit(rowCount: tokenUses.count) { try $0.recordTokenUses(tokenUses) }
            tokens.noteWritten(tokenUses)
        }
    }

    /// Removes tokens that nobody can use any more and few want to see.
    private func removeExpiredTokens() async throws {
        let moment = now() - Store.expiredTokenAge
        guard tokens.hasOne(expiredBefore: moment) else { return }
        tokens.remove(try await committer.commit { try $0.removeTokens(expiredBefore: moment) })
    }

    /// Releases what dead entries refer to, in slices.
    func removeDeadEntries() async throws {
        while try await committer.commit(
            rowCount: Self.rowsPerSlice,
            {
                try $0.removeDeadEntries(atMost: Self.rowsPerSlice)
            }
        ) {}
    }

    func sweep() async throws {
        try await removeDeadEntries()
        for id in try await read({ try $0.deletedRepositories() }) {
            while try await committer.commit(
                rowCount: Self.rowsPerSlice * 4,
                {
                    try $0.flushRepository(
                        id,
                        pushedUntil: Timestamp(milliseconds: .max),
                        atMost: Self.rowsPerSlice
                    )
                }
            ) {}
            try await committer.commit { try $0.dropRepository(id) }
        }
        try await removeFiles()
    }

    /// Files first, their folders synced, then the rows that say they are to go: a crash only repeats a removal.
    private func removeFiles() async throws {
        while true {
            let removals = try await read { try $0.removals(atMost: Self.removalsPerRound) }
            if removals.isEmpty { return }
            // The commits that queued them may not be durable yet.
            try await committer.barrier()
            try await pool.run { [blobs] in
                let paths = removals.map { BlobStore.relativePath(of: $0.digest, generation: $0.generation) }
                for path in paths {
                    try blobs.remove(path)
                }
                try blobs.synchronizeFolders(of: paths)
            }
            try await committer.commit(rowCount: removals.count) { try $0.finishRemovals(removals) }
        }
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (MetadataSnapshot) throws -> Value
    ) async throws -> Value {
        try await metadata.read(on: pool, body)
    }

    private func attempt(_ what: String, _ work: () async throws -> Void) async {
        do {
            try await work()
        } catch is CancellationError {
            return
        } catch StoreError.shuttingDown {
            return
        } catch {
            logger.error("could not \(what)", metadata: ["error": "\(error)"])
        }
    }
}
