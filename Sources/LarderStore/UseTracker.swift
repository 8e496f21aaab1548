import LarderCore
import LarderMetadata
import Synchronization

/// Last uses that are not written yet, and rows that are on their way out.
///
/// A hit costs a note here at most, and only when the stored time is old enough.
///
/// U1: what a read was told to be there is not evicted on an older plan. A use stays here until it is in the database,
/// an eviction begins only for rows without one, and while it is under way a read of such a row misses.
final class UseTracker: Sendable {
    /// Uses of entries kept at most; more are dropped until the next flush, which only makes eviction a little less exact.
    private static let countMax = 200_000
    /// The same for all rows: pushes rest on the uses of blobs.
    private static let linkCountMax = 1_000_000

    private struct State {
        var uses: [UsedRow: Timestamp] = [:]
        /// Rows that a transaction under way removes.
        var leaving: Set<UsedRow> = []
        var evictionCount = 0
    }

    private let state = Mutex(State())

    /// Notes a use; false when the row is being evicted, and what was found there must count as a miss.
    func note(_ row: UsedRow, at time: Timestamp) -> Bool {
        state.withLock { state in
            if state.leaving.contains(row) { return false }
            let limit = if case .link = row { Self.linkCountMax } else { Self.countMax }
            guard state.uses.count < limit || state.uses[row] != nil else { return true }
            state.uses[row] = time
            return true
        }
    }

    /// Evictions that have begun: a read during which it changed may have found what is gone by now.
    var evictionCount: Int { state.withLock { $0.evictionCount } }

    /// A copy of all that is not written, for a planner.
    var snapshot: [UsedRow: Timestamp] { state.withLock { $0.uses } }

    var count: Int { state.withLock { $0.uses.count } }

    /// Up to `limit` uses that are to be written.
    func unwritten(atMost limit: Int) -> [(row: UsedRow, time: Timestamp)] {
        state.withLock { $0.uses.prefix(limit).map { (row: $0.key, time: $0.value) } }
    }

    /// Forgets uses that were written, unless they were renewed meanwhile.
    func noteWritten(_ written: [(row: UsedRow, time: Timestamp)]) {
        state.withLock { state in
            for (row, time) in written where state.uses[row] == time { state.uses[row] = nil }
        }
    }

    /// Begins the removal of one row; false when a use of it is not written yet.
    ///
    /// `release` must follow, after the hot set has forgotten it.
    func claim(_ row: UsedRow) -> Bool {
        state.withLock { state in
            guard state.uses[row] == nil else { return false }
            state.leaving.insert(row)
            state.evictionCount += 1
            return true
        }
    }

    /// Ends what `claim` began: the rows are gone, or stay after all.
    func release(_ rows: [UsedRow]) {
        state.withLock { $0.leaving.subtract(rows) }
    }
}

extension Committer {
    /// Commits a removal of rows: those whose use is not written yet stay, and what goes is a miss until the hot set has
    /// forgotten it (U1).
    func commit<Value: Sendable>(
        rowCount: Int,
        claimingFrom uses: UseTracker,
        _ body: @escaping @Sendable (MetadataTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        let claims = UseClaims(uses)
        // Whatever way it ends.
        defer { claims.release() }
        return try await commit(rowCount: rowCount) { transaction in
            transaction.claim = { claims.claim($0) }
            defer { transaction.claim = nil }
            return try body(transaction)
        }
    }
}

/// Rows that one transaction removes.
private final class UseClaims: Sendable {
    private let uses: UseTracker
    private let rows = Mutex<[UsedRow]>([])

    init(_ uses: UseTracker) {
        self.uses = uses
    }

    func claim(_ row: UsedRow) -> Bool {
        guard uses.claim(row) else { return false }
        rows.withLock { $0.append(row) }
        return true
    }

    func release() {
        uses.release(rows.withLock { $0 })
    }
}
