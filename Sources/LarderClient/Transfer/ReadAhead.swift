import Dispatch
import NIOCore
import Synchronization

/// Makes the chunks of a body, one after the other; called by one thread at a time, and may block.
protocol ChunkSource: Sendable {
    /// The next chunk; nil: that was all.
    func next() throws -> ByteBuffer?
}

/// Chunks that a thread makes ahead of who takes them.
struct ReadAhead: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Chunks that lie ready at most.
    private static let readyCountMax = 3

    private let source: any ChunkSource

    init(_ source: any ChunkSource) {
        self.source = source
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(feed: Feed(source)) }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let feed: Feed

        mutating func next() async throws -> ByteBuffer? {
            await TransferHTTP.settle()
            return try await feed.next()
        }
    }

    fileprivate final class Feed: Sendable {
        private typealias Waiter = CheckedContinuation<ByteBuffer?, any Error>

        private struct State {
            var ready: [ByteBuffer] = []
            /// How it ended, once it has; told to one caller.
            var ending: Result<ByteBuffer?, any Error>?
            var isWorking = false
            var waiter: Waiter?
        }

        private let source: any ChunkSource
        private let queue = DispatchQueue(label: "larder.read")
        private let state = Mutex(State())

        init(_ source: any ChunkSource) {
            self.source = source
        }

        func next() async throws -> ByteBuffer? {
            try await withCheckedThrowingContinuation { continuation in
                let (result, starts) = state.withLock { state in
                    var result: Result<ByteBuffer?, any Error>?
                    if !state.ready.isEmpty {
                        result = .success(state.ready.removeFirst())
                    } else if let ending = state.ending {
                        result = ending
                    } else {
                        state.waiter = continuation
                    }
                    let starts = !state.isWorking && state.ending == nil
                    if starts { state.isWorking = true }
                    return (result, starts)
                }
                if starts { queue.async { self.work() } }
                if let result { continuation.resume(with: result) }
            }
        }

        /// Makes chunks until enough lie ready.
        private func work() {
            while true {
                let made = Result { try source.next() }
                let (waiter, goesOn) = state.withLock { state in take(made, &state) }
                waiter?.resume(with: made)
                if !goesOn { return }
            }
        }

        /// Hands what was made to who waits for it, or puts it aside; whether there is to be more now.
        private func take(_ made: Result<ByteBuffer?, any Error>, _ state: inout State) -> (Waiter?, Bool) {
            let waiter = state.waiter
            state.waiter = nil
            guard case .success(let chunk?) = made else {
                state.ending = made
                state.isWorking = false
                return (waiter, false)
            }
            if waiter == nil { state.ready.append(chunk) }
            state.isWorking = state.ready.count < ReadAhead.readyCountMax
            return (waiter, state.isWorking)
        }
    }
}
