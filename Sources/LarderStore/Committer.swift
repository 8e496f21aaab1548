import Dispatch
import LarderBlobs
import LarderCore
import LarderMetadata
import Logging
import ServiceLifecycle
import Synchronization

/// The one writer of metadata: takes what is queued, commits it as one transaction, mirrors the effects in memory, has the
/// log synced, and then answers everybody in the batch.
///
/// One sync serves many requests, and while the disk works on it the next transaction is written: two threads, the first
/// for transactions, the second for syncs and answers. Answers keep the order of their operations.
///
/// It does nothing but SQLite: files and hashing are the business of the requests' own tasks.
package final class Committer: Service {
    /// Transactions are bounded, so that a reader's snapshot and the next request never wait long.
    private static let rowsPerBatch = 1000
    private static let timePerBatch: Duration = .milliseconds(10)
    /// The log is moved when there was no commit for so long.
    private static let idleTime: Duration = .seconds(1)
    /// Batches that are committed and wait for their sync, the one that is being synced included: while there are more,
    /// operations gather for one transaction.
    private static let unsyncedMax = 2

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

    /// Operations of one transaction, with what became of each.
    private struct Batch {
        let operations: [Operation]
        let errors: [StoreError?]
        /// Whether there is anything to sync beyond what earlier batches wait for.
        let hasChanges: Bool
    }

    private struct State {
        var queue: [Operation] = []
        /// Batches that are committed but not synced.
        var committed: [Batch] = []
        var isClosed = false
        /// No batch is written any more.
        var hasEnded = false
        /// Why nothing can be promised any more.
        var failure: StoreError?
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let metadata: Metadata
    private let queueLengthMax: Int
    private let synchronize: @Sendable () throws -> Void
    private let apply: @Sendable (MetadataEffects, ReservedRoom) -> Void
    private let logger: Logger
    private let state = Mutex(State())
    private let checkpoints: Checkpointer
    /// Raised for the writing thread: there are operations, or it is to end.
    private let work = DispatchSemaphore(value: 0)
    /// Raised for the syncing thread: there is a batch, or it is to end.
    private let commits = DispatchSemaphore(value: 0)
    /// Batches that may still be written before the next sync ends.
    private let room = DispatchSemaphore(value: Committer.unsyncedMax)

    /// `walLengthMax`: What the write-ahead log may hold that is not moved into the database.
    ///
    /// `synchronize`: Makes all commits so far durable; nil: `Metadata.synchronize`.
    ///
    /// `apply`: Mirrors a commit's effects in memory, and the reserved bytes that it used up; runs after the
    /// commit and before any answer (V1).
    init(
        metadata: Metadata,
        walLengthMax: @escaping @Sendable () -> ByteCount,
        queueLengthMax: Int,
        logger: Logger,
        synchronize: (@Sendable () throws -> Void)? = nil,
        apply: @escaping @Sendable (MetadataEffects, ReservedRoom) -> Void
    ) {
        self.metadata = metadata
        self.synchronize = synchronize ?? { try metadata.synchronize() }
        self.queueLengthMax = queueLengthMax
        self.apply = apply
        self.logger = logger
        checkpoints = Checkpointer(metadata: metadata, unmovedMax: walLengthMax)
    }

    /// Whether a sync failed: then nobody knows what of the last commits the disk has, and only the next start finds out.
    var hasFailed: Bool { state.withLock { $0.failure != nil } }

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
        case .queued: work.signal()
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
        if accepted > 0 { work.signal() }
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

    /// Waits until everything that was committed before is durable.
    func barrier() async throws(StoreError) {
        try await commit(rowCount: 1) { _ in }
    }

    /// Commits until shutdown, then what is still queued, then refuses.
    package func run() async throws {
        let threads = FilePool(threadCount: 2)
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                // Both begin even when the end has come already: each waits for the other.
                group.addTask { await threads.runToEnd { self.syncBatches() } }
                group.addTask { await threads.runToEnd { self.writeBatches() } }
                group.addTask {
                    try? await cancelWhenGracefulShutdown {
                        while true {
                            try await Task.sleep(for: Self.idleTime)
                            self.checkpoints.noteTick()
                        }
                    }
                }
            }
        } onCancelOrGracefulShutdown: {
            self.state.withLock { $0.isClosed = true }
            self.work.signal()
        }
        try await checkpoints.end()
        try await threads.shutdown()
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: - The writing thread

    private func writeBatches() {
        while true {
            work.wait()
            while hasWork {
                // Before the batch is taken: what comes meanwhile belongs to it.
                room.wait()
                guard let batch = takeBatch() else {
                    room.signal()
                    break
                }
                commit(batch)
                checkpoints.noteCommit()
            }
            let isOver = state.withLock { state in
                state.hasEnded = state.isClosed && state.queue.isEmpty
                return state.hasEnded
            }
            if isOver {
                commits.signal()
                return
            }
        }
    }

    private var hasWork: Bool { state.withLock { !$0.queue.isEmpty } }

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

    /// Commits a batch and hands it on to be synced; takes the room that was waited for.
    private func commit(_ operations: [Operation]) {
        if let failure = state.withLock({ $0.failure }) {
            return handOn(Batch(operations: operations, errors: operations.map { _ in failure }, hasChanges: false))
        }
        do {
            let ((errors, hasChanges), effects) = try metadata.write { transaction in
                let before = transaction.changeCount
                let errors = try Self.perform(operations, in: transaction)
                return (errors, transaction.changeCount != before)
            }
            var released = ReservedRoom()
            for (operation, error) in zip(operations, errors) where error == nil {
                released.reserved += operation.room.reserved
                released.written += operation.room.written
            }
            apply(effects, released)
            // What did not fit in the batch's time goes first in the next.
            if errors.count < operations.count {
                state.withLock { $0.queue.insert(contentsOf: operations[errors.count...], at: 0) }
            }
            handOn(
                Batch(operations: Array(operations.prefix(errors.count)), errors: errors, hasChanges: hasChanges)
            )
        } catch {
            guard operations.count > 1 else {
                if !error.isOrdinary {
                    logger.error("a transaction failed", metadata: ["error": "\(error)"])
                }
                return handOn(Batch(operations: operations, errors: [error], hasChanges: false))
            }
            // One operation broke the transaction and everything was rolled back: alone, each succeeds or fails for itself.
            for (index, operation) in operations.enumerated() {
                if index > 0 { room.wait() }
                commit([operation])
            }
        }
    }

    private func handOn(_ batch: Batch) {
        state.withLock { $0.committed.append(batch) }
        commits.signal()
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

    // MARK: - The syncing thread

    private func syncBatches() {
        while true {
            commits.wait()
            let (batches, hasEnded) = state.withLock { state in
                defer { state.committed = [] }
                return (state.committed, state.hasEnded)
            }
            // What changes nothing rests on what was committed before it, and so fails with it.
            let failure = batches.contains(where: \.hasChanges) ? sync() : state.withLock { $0.failure }
            for batch in batches {
                for (operation, error) in zip(batch.operations, batch.errors) {
                    operation.finish(error ?? failure)
                }
                room.signal()
            }
            if hasEnded { return }
        }
    }

    /// Makes all batches so far durable; when that fails, nothing is promised any more until the next start.
    private func sync() -> StoreError? {
        // The kernel reports a failure once: a later sync would succeed without what was lost.
        if let failure = state.withLock({ $0.failure }) { return failure }
        do {
            try synchronize()
            return nil
        } catch {
            logger.critical(
                "the database's log could not be synced: nothing is written until the next start",
                metadata: ["error": "\(error)"]
            )
            let failure = error as? StoreError ?? .io(operation: "sync", path: "database", code: -1)
            state.withLock { $0.failure = failure }
            return failure
        }
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
