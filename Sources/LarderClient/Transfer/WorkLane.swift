import Dispatch
import Synchronization

/// Work that blocks, on one thread and in order.
///
/// A task hands pieces over without waiting until they are done, so that it can fetch the next ones meanwhile; only
/// when too many bytes wait does it wait too. After a failure the rest is passed over.
final class WorkLane: Sendable {
    private struct State {
        var waitingBytes = 0
        var failure: (any Error)?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let queue: DispatchQueue
    private let waitingBytesMax: Int
    private let state = Mutex(State())

    /// `waitingBytesMax`: While more wait, `add` does not return.
    init(_ label: String, waitingBytesMax: Int = 8 << 20) {
        queue = DispatchQueue(label: "larder.\(label)")
        self.waitingBytesMax = waitingBytesMax
    }

    /// Hands work over that holds some bytes.
    ///
    /// - Throws: What earlier work failed with.
    func add(byteCount: Int, _ work: @escaping @Sendable () throws -> Void) async throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        state.withLock { $0.waitingBytes += byteCount }
        queue.async { self.perform(byteCount, work) }
        while state.withLock({ $0.waitingBytes > waitingBytesMax }) {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    guard state.waitingBytes > waitingBytesMax else { return true }
                    state.waiters.append(continuation)
                    return false
                }
                if isDone { continuation.resume() }
            }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Waits until all is done that was handed over.
    ///
    /// - Throws: What some of it failed with.
    func finish() async throws {
        await drain()
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    /// Waits until all is done or passed over.
    func drain() async {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume() }
        }
    }

    private func perform(_ byteCount: Int, _ work: () throws -> Void) {
        if state.withLock({ $0.failure == nil }) {
            do {
                try work()
            } catch {
                state.withLock { $0.failure = error }
            }
        }
        let waiters = state.withLock { state in
            state.waitingBytes -= byteCount
            guard state.waitingBytes <= waitingBytesMax else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Runs something that blocks on a thread of its own and waits for it.
    static func run<Value: Sendable>(
        _ label: String,
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "larder.\(label)").async {
                continuation.resume(with: Result { try work() })
            }
        }
    }
}
