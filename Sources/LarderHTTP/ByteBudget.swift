package import LarderCore
import Synchronization

/// Memory that bodies may take together while they are read whole.
package final class ByteBudget: Sendable {
    private let free: Atomic<Int64>

    package init(_ limit: ByteCount) {
        free = Atomic(limit.bytes)
    }

    /// Runs `body` with bytes of the budget.
    ///
    /// - Throws: `overloaded` when there are not enough.
    package func withBytes<Value>(_ byteCount: Int64, _ body: () async throws -> Value) async throws -> Value {
        let share = try take(byteCount)
        defer { share.release() }
        return try await body()
    }

    /// Takes bytes of the budget, until the share is released or forgotten.
    ///
    /// - Throws: `overloaded` when there are not enough.
    package func take(_ byteCount: Int64) throws(StoreError) -> Share {
        guard free.wrappingSubtract(byteCount, ordering: .relaxed).newValue >= 0 else {
            free.wrappingAdd(byteCount, ordering: .relaxed)
            throw .overloaded
        }
        return Share(budget: self, byteCount: byteCount)
    }

    /// Bytes that one request took.
    package final class Share: Sendable {
        private let budget: ByteBudget
        private let byteCount: Atomic<Int64>

        fileprivate init(budget: ByteBudget, byteCount: Int64) {
            self.budget = budget
            self.byteCount = Atomic(byteCount)
        }

        deinit { release() }

        /// Gives them back; more than once is once.
        package func release() {
            budget.free.wrappingAdd(byteCount.exchange(0, ordering: .relaxed), ordering: .relaxed)
        }
    }
}
