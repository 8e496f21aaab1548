import LarderBlobs
import LarderCore
import LarderMetadata
import Logging
import ServiceLifecycle
import Synchronization

/// The one writer of metadata: takes what is queued, commits it as one durable transaction, mirrors the effects in
/// memory, and then answers everybody in the batch.
///
/// One fsync serves many requests.
///
/// It does nothing but SQLite: files and hashing are the business of the requests' own tasks.
package final class Committer: Service {
    /// Transactions are bounded, so that a reader's snapshot and the next request never wait long.
    private static let rowsPerBatch = 1000
    private static let timePerBatch: Duration = .milliseconds(10)

    /// One change that is to be committed.
    struct Operation: Sendable {
        let rowCount: Int
        /// Bytes that were reserved for it and are used by it once it is committed.
        var room = ReservedRoom()
        /// Runs inside the transaction; keeps its value for `finish`.
        let perform: @Sendable (MetadataTransaction) throws -> Void
        /// Answers the submitter, with the value or with why there is none.
        let finish: @Sendable (StoreError?) -> Void
    }

    private enum Admission {
        case queued
        case full
        case closed
    }

    private struct State {
        var queue: [Operation] = []
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let metadata: Metadata
    private let queueLengthMax: Int
    private let apply: @Sendable (MetadataEffects, ReservedRoom) -> Void
    private let logger: Logger
    private let state = Mutex(State())
    private let wakeUps: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation

    /// `apply`: Mirrors a commit's effects in memory, and the reserved bytes that it used up; runs after the
    /// commit and before any answer (V1).
    init(
        metadata: Metadata,
        queueLengthMax: Int,
        logger: Logger,
        apply: @escaping @Sendable (MetadataEffects, ReservedRoom) -> Void
    ) {
        self.metadata = metadata
        self.queueLengthMax = queueLengthMax
        self.apply = apply
        self.logger = logger
        (wakeUps, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Operations that wait.
    package var queueLength: Int { state.withLock { $0.queue.count } }

    /// Queues an operation without waiting.
    ///
    /// `rowCount`: Rows that it writes, roughly; bounds the transaction.
    ///
    /// `completion`: Called once, after the commit, on the committer's thread: keep it short.
    ///
    /// Returns false when the queue is full; the completion is not called then.
    func submit<Value: Sendable>(
        rowCount: Int = 4,
        room: ReservedRoom = ReservedRoom(),
        _ body: @escaping @Sendable (MetadataTransaction) throws -> Value,
        completion: @escaping @Sendable (Result<Value, StoreError>) -> Void
    ) -> Bool {
        let value = ValueBox<Value>()
        let operation = Operation(
            rowCount: rowCount,
            room: room,
            perform: { transaction in value.set(try body(transaction)) },
            finish: { error in
                if let error {
                    completion(.failure(error))
                } else if let result = value.get() {
                    completion(.success(result))
                } else {
                    completion(.failure(.shuttingDown))
                }
            }
        )
        let admission = state.withLock { state -> Admission in
            if state.isClosed { return .closed }
            guard state.queue.count < queueLengthMax else { return .full }
            state.queue.append(operation)
            return .queued
        }
        switch admission {
        case .queued: wakeUp.yield()
        case .full: return false
        case .closed: completion(.failure(.shuttingDown))
        }
        return true
    }

    /// Queues operations together; those that the queue has no room for finish with `overloaded`.
    func submit(_ operations: [Operation]) {
        let (accepted, refusal) = state.withLock { state -> (Int, StoreError) in
            if state.isClosed { return (0, .shuttingDown) }
            let room = min(operations.count, max(0, queueLengthMax - state.queue.count))
            state.queue.append(contentsOf: operations.prefix(room))
            return (room, .overloaded)
        }
        if accepted > 0 { wakeUp.yield() }
        for operation in operations.dropFirst(accepted) {
            operation.finish(refusal)
        }
    }

    /// Commits an operation: durable when this returns.
    ///
    /// Waits while the queue is full, ten seconds at most.
    ///
    /// Not cancellable once queued: its effect may already be on the disk.
    ///
    /// - Throws: What the operation throws, `overloaded`, or what SQLite says.
    func commit<Value: Sendable>(
        rowCount: Int = 4,
        room: ReservedRoom = ReservedRoom(),
        _ body: @escaping @Sendable (MetadataTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(10)
        while true {
            let result: Result<Value, StoreError>? = await withCheckedContinuation { continuation in
                if !submit(
                    rowCount: rowCount,
                    room: room,
                    body,
                    completion: { continuation.resume(returning: $0) }
                ) {
                    continuation.resume(returning: nil)
                }
            }
            if let result { return try result.get() }
            guard clock.now < deadline else { throw .overloaded }
            await withCheckedContinuation { continuation in
                let isFull = state.withLock { state in
                    guard state.queue.count >= queueLengthMax && !state.isClosed else { return false }
                    state.waiters.append(continuation)
                    return true
                }
                if !isFull { continuation.resume() }
            }
        }
    }

    /// Commits until shutdown, then what is still queued, then refuses.
    package func run() async throws {
        await withGracefulShutdownHandler {
            for await _ in wakeUps {
                await drain()
            }
        } onGracefulShutdown: {
            self.wakeUp.finish()
        }
        state.withLock { $0.isClosed = true }
        await drain()
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func drain() async {
        while let batch = takeBatch() {
            await commit(batch)
        }
    }

    private func takeBatch() -> [Operation]? {
        let (batch, waiters) = state.withLock { state -> ([Operation], [CheckedContinuation<Void, Never>]) in
            var rows = 0
            var count = 0
            for operation in state.queue {
                rows += operation.rowCount
                if count > 0 && rows > Self.rowsPerBatch { break }
                count += 1
            }
            let batch = Array(state.queue.prefix(count))
            state.queue.removeFirst(count)
            defer { state.waiters = [] }
            return (batch, state.waiters)
        }
        for waiter in waiters { waiter.resume() }
        return batch.isEmpty ? nil : batch
    }

    private func commit(_ batch: [Operation]) async {
        do {
            let (errors, effects) = try await metadata.write { transaction in
                try Self.perform(batch, in: transaction)
            }
            var released = ReservedRoom()
            for (operation, error) in zip(batch, errors) where error == nil {
                released.reserved += operation.room.reserved
                released.written += operation.room.written
            }
            apply(effects, released)
            for (operation, error) in zip(batch, errors) {
                operation.finish(error)
            }
            // What did not fit in the batch's time goes first in the next.
            if errors.count < batch.count {
                state.withLock { $0.queue.insert(contentsOf: batch[errors.count...], at: 0) }
            }
        } catch {
            guard batch.count > 1 else {
                if !error.isOrdinary {
                    logger.error("a transaction failed", metadata: ["error": "\(error)"])
                }
                batch[0].finish(error)
                return
            }
            // One operation broke the transaction and everything was rolled back: alone, each succeeds or fails for itself.
            for operation in batch {
                await commit([operation])
            }
        }
    }

    /// Runs operations until they are done or the time is over.
    ///
    /// An operation that fails before it wrote anything fails alone; one that fails later breaks the transaction.
    private static func perform(_ batch: [Operation], in transaction: MetadataTransaction) throws -> [StoreError?] {
        let clock = ContinuousClock()
        let deadline = clock.now + timePerBatch
        var errors: [StoreError?] = []
        errors.reserveCapacity(batch.count)
        for operation in batch {
            if !errors.isEmpty && clock.now > deadline { break }
            let before = transaction.changeCount
            do {
                try operation.perform(transaction)
                errors.append(nil)
            } catch let error as StoreError where transaction.changeCount == before {
                errors.append(error)
            }
        }
        return errors
    }
}

extension StoreError {
    /// Whether the failure is part of the operation's contract rather than of the machine's condition.
    fileprivate var isOrdinary: Bool {
        switch self {
        case .io, .corrupt, .noSpace: false
        default: true
        }
    }
}

/// Carries a value out of a transaction to its answer.
private final class ValueBox<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    func set(_ newValue: Value) { value.withLock { $0 = newValue } }
    func get() -> Value? { value.withLock { $0 } }
}
