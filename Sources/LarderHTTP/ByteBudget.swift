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
        guard free.wrappingSubtract(byteCount, ordering: .relaxed).newValue >= 0 else {
            free.wrappingAdd(byteCount, ordering: .relaxed)
            throw StoreError.overloaded
        }
        defer { free.wrappingAdd(byteCount, ordering: .relaxed) }
        return try await body()
    }
}
