package import LarderCore
import NIOPosix

/// The threads on which everything that blocks runs: file system calls, hashing, reads of the database.
///
/// Owned by `LarderServer`, which shuts it down last.
package final class FilePool: Sendable {
    private let threads: NIOThreadPool

    /// Starts the threads.
    ///
    /// - Parameter threadCount: 1 or more.
    package init(threadCount: Int) {
        precondition(threadCount > 0, "a pool has a thread")
        threads = NIOThreadPool(numberOfThreads: threadCount)
        threads.start()
    }

    /// Runs blocking work and waits for it.
    ///
    /// Work that has not begun when the task is cancelled is not begun.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await threads.runIfActive(work)
        } catch is NIOThreadPoolError.ThreadPoolInactive {
            throw StoreError.shuttingDown
        }
    }

    /// Runs blocking work and waits for its end, also when the task is cancelled before it began.
    package func runToEnd(_ work: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            submit {
                work()
                continuation.resume()
            }
        }
    }

    /// Runs blocking work that may fail and waits for its end, also when the task is cancelled before it began.
    package func runToEnd(_ work: @escaping @Sendable () throws(StoreError) -> Void) async throws(StoreError) {
        let result: Result<Void, StoreError> = await withCheckedContinuation { continuation in
            submit { continuation.resume(returning: Result(catching: work)) }
        }
        try result.get()
    }

    /// Runs blocking work that must happen whether or not anybody still waits, such as cleaning up.
    ///
    /// When the pool has already stopped the work runs at once on the calling thread: cleaning up is never left out.
    package func submit(_ work: @escaping @Sendable () -> Void) {
        threads.submit { _ in work() }
    }

    /// Finishes what is queued and ends the threads.
    package func shutdown() async throws {
        try await threads.shutdownGracefully()
    }
}
