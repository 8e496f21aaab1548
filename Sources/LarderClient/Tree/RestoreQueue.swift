import Dispatch
import Foundation
import LarderCore
import Synchronization

/// Blobs that came, in one piece of memory, until their files are made.
struct BlobBatch: Sendable {
    struct Blob: Sendable {
        let digest: Digest
        let range: Range<Int>
    }

    /// Handed over when it has as many bytes or blobs.
    static let byteCountMax = 256 << 10
    static let blobCountMax = 64

    private(set) var bytes: [UInt8] = []
    private(set) var blobs: [Blob] = []

    var isFull: Bool { bytes.count >= Self.byteCountMax || blobs.count >= Self.blobCountMax }

    mutating func append(_ piece: UnsafeRawBufferPointer) {
        if bytes.capacity == 0 { bytes.reserveCapacity(max(Self.byteCountMax * 5 / 4, piece.count)) }
        bytes.append(contentsOf: piece)
    }

    /// Ends a blob that the bytes since the last one's end are.
    mutating func endBlob(_ digest: Digest) {
        blobs.append(Blob(digest: digest, range: (blobs.last?.range.upperBound ?? 0)..<bytes.count))
    }
}

/// Threads that make files from what another thread receives.
///
/// What waits is bounded: the receiver waits when there is more.
final class RestoreQueue: Sendable {
    enum Job: Sendable {
        /// Verify blobs and make their files.
        case blobs(BlobBatch)
        /// Make the files of these contents from others on this machine.
        case copies([Digest])
        /// Make all other files of a content whose first file is made.
        case duplicates(Digest)

        fileprivate var byteCount: Int {
            if case .blobs(let batch) = self { batch.bytes.count } else { 0 }
        }
    }

    /// A file that was made: its entry, and what the system says of it.
    typealias Made = (entry: Int, stamp: FileStamp)

    private struct State {
        var jobs: [Job] = []
        /// The first of `jobs` that nobody took.
        var next = 0
        var byteCount = 0
        var isReceiverWaiting = false
        /// No more jobs come.
        var isClosed = false
        /// What is in the queue is not to be done any more.
        var isCancelled = false
        var failure: (any Error)?
        var made: [Made] = []
    }

    /// Bytes that wait at most.
    private static let byteCountMax = 8 << 20

    private let state = Mutex(State())
    /// Counts jobs that nobody took, and at the end the threads.
    private let available = DispatchSemaphore(value: 0)
    private let room = DispatchSemaphore(value: 0)
    private let threads = DispatchGroup()
    private let threadCount: Int

    /// Starts the threads.
    init(threadCount: Int, perform: @escaping @Sendable (Job) throws -> [Made]) {
        self.threadCount = threadCount
        // Not Dispatch's: its pool has no more threads than the machine has cores, and those that wait here would keep
        // everybody else's work waiting until it adds one, after a second.
        for _ in 0..<threadCount {
            threads.enter()
            Thread {
                self.run(perform)
                self.threads.leave()
            }.start()
        }
    }

    /// Hands a job over; waits while too much is queued.
    ///
    /// - Throws: What an earlier job failed with.
    func add(_ job: Job) throws {
        let mustWait = try state.withLock { state in
            if let failure = state.failure { throw failure }
            if state.isCancelled { throw RestoreFailure.abandoned }
            state.jobs.append(job)
            state.byteCount += job.byteCount
            state.isReceiverWaiting = state.byteCount > Self.byteCountMax
            return state.isReceiverWaiting
        }
        available.signal()
        if mustWait { room.wait() }
    }

    /// Waits until all is done, and ends the threads.
    ///
    /// - Throws: What a job failed with.
    func finish() throws -> [Made] {
        close(isCancelled: false)
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            if state.isCancelled { throw RestoreFailure.abandoned }
            return state.made
        }
    }

    /// Drops what waits, and returns when the threads have ended.
    func cancel() {
        close(isCancelled: true)
    }

    private func close(isCancelled: Bool) {
        let (isFirst, mustWake) = state.withLock { state in
            defer { state.isClosed = true }
            state.isCancelled = state.isCancelled || isCancelled
            defer { if isCancelled { state.isReceiverWaiting = false } }
            return (!state.isClosed, isCancelled && state.isReceiverWaiting)
        }
        if mustWake { room.signal() }
        if isFirst {
            for _ in 0..<threadCount { available.signal() }
        }
        threads.wait()
    }

    private func run(_ perform: (Job) throws -> [Made]) {
        while true {
            available.wait()
            let job: Job? = state.withLock { state in
                guard state.next < state.jobs.count else { return nil }
                defer { state.next += 1 }
                let job = state.jobs[state.next]
                // The bytes are let go when the job is done.
                state.jobs[state.next] = .copies([])
                return state.isCancelled || state.failure != nil ? .copies([]) : job
            }
            guard let job else { return }
            let result = Result { try perform(job) }
            complete(job, result)
        }
    }

    private func complete(_ job: Job, _ result: Result<[Made], any Error>) {
        let mustWake = state.withLock { state in
            switch result {
            case .success(let made): state.made.append(contentsOf: made)
            case .failure(let error): state.failure = state.failure ?? error
            }
            state.byteCount -= job.byteCount
            let hasRoom = state.byteCount <= Self.byteCountMax / 2 || state.failure != nil
            defer { if hasRoom { state.isReceiverWaiting = false } }
            return hasRoom && state.isReceiverWaiting
        }
        if mustWake { room.signal() }
    }
}
