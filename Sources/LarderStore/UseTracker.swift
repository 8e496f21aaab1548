import LarderCore
import Synchronization

/// Last uses that are not written yet.
///
/// A hit costs a note here at most, and only when the stored time is old enough.
final class UseTracker: Sendable {
    /// Uses kept at most; more are dropped until the next flush, which only makes eviction a little less exact.
    private static let countMax = 200_000

    private let uses = Mutex<[UsedRow: Timestamp]>([:])

    func note(_ row: UsedRow, at time: Timestamp) {
        uses.withLock { uses in
            guard uses.count < Self.countMax || uses[row] != nil else { return }
            uses[row] = time
        }
    }

    /// A copy of all that is not written, for a planner.
    var snapshot: [UsedRow: Timestamp] { uses.withLock { $0 } }

    var count: Int { uses.withLock { $0.count } }

    /// Takes up to `limit` uses out, to be written.
    func take(atMost limit: Int) -> [(row: UsedRow, time: Timestamp)] {
        uses.withLock { uses in
            let batch = uses.prefix(limit).map { (row: $0.key, time: $0.value) }
            for (row, _) in batch { uses[row] = nil }
            return batch
        }
    }
}
