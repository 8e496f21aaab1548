package import LarderCore
import LarderMetadata
import Synchronization

/// The store at one moment, for people and metrics.
package struct StoreStatus: Sendable {
    package let balance: SpaceAccount.Balance
    /// What the store may hold now: the limit, or less when the disk has less.
    package let capacity: ByteCount
    package let limit: ByteCount
    package let freeDiskFloor: ByteCount
    package let blobCount: Int64
    package let quarantinedCount: Int64
    package let hotSetBytes: Int
    package let queueLength: Int
    package let walBytes: Int64
    package let evicted: Evictor.Totals
    package let scrubbedCount: Int64
    package let repositories: [Repository]
    /// How long the least recently used thing in all caches has not been used.
    package let oldestKeptAge: Duration?
}

extension Store {
    /// Asks for everything that `larder status` shows.
    ///
    /// Suspends.
    package func status() async throws -> StoreStatus {
        let repositories = directory.all
        let caches = repositories.filter { $0.kind == .cache }.map(\.id)
        let (blobCount, oldest) = try await read { snapshot in
            (try snapshot.account().blobCount, try caches.compactMap { try snapshot.oldestUse(in: $0) }.min())
        }
        let balance = account.current
        return StoreStatus(
            balance: balance,
            capacity: ByteCount(account.capacity(balance)),
            limit: account.limit,
            freeDiskFloor: account.freeDiskFloor,
            blobCount: blobCount,
            quarantinedCount: quarantinedCount.load(ordering: .relaxed),
            hotSetBytes: hotSet.byteCount,
            queueLength: committer.queueLength,
            walBytes: metadata.walByteCount,
            evicted: evictor.totals,
            scrubbedCount: scrubber.verifiedCount,
            repositories: repositories,
            oldestKeptAge: oldest.map { now() - $0 }
        )
    }

    /// Whether writes are possible: the committer answers.
    package func isReady() async -> Bool {
        (try? await committer.commit { _ in true }) ?? false
    }

    /// Rewrites the database without its free pages; writes wait meanwhile.
    package func compact() async throws -> (before: ByteCount, after: ByteCount) {
        let (before, after) = try await metadata.compact()
        return (ByteCount(before), ByteCount(after))
    }
}
