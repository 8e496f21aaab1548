import LarderBlobs
import LarderCore
import NIOCore
import Synchronization

/// Carries the chunks of an upload to the file pool: the next chunk is received while the last is hashed and written.
///
/// Used by one task; at most `queuedBytesMax` wait, then the sender does.
final class UploadPipe: Sendable {
    private static let queuedBytesMax = 2 << 20

    private struct State {
        var queue: [ByteBuffer] = []
        var queuedBytes = 0
        var isRunning = false
        var error: (any Error)?
        var sender: CheckedContinuation<Void, Never>?
    }

    private let pool: FilePool
    private let sink: @Sendable (UnsafeRawBufferPointer) throws -> Void
    private let state = Mutex(State())

    /// `sink`: Takes the bytes, in order, on threads of the pool, one call at a time.
    init(pool: FilePool, sink: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void) {
        self.pool = pool
        self.sink = sink
    }

    /// Hands a chunk over; suspends while too much is under way.
    ///
    /// - Throws: What the sink threw, at this call or a later one.
    func write(_ chunk: ByteBuffer) async throws {
        let mustStart = try state.withLock { state in
            if let error = state.error { throw error }
            state.queue.append(chunk)
            state.queuedBytes += chunk.readableBytes
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { pool.submit { self.drain() } }
        await wait { $0.queuedBytes <= Self.queuedBytesMax }
    }

    /// Waits until everything went through the sink.
    func finish() async throws {
        await wait { !$0.isRunning }
        try state.withLock { state in
            if let error = state.error { throw error }
        }
    }

    private func wait(until isReady: @Sendable (borrowing State) -> Bool) async {
        while !state.withLock({ isReady($0) }) {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if isReady(state) { return true }
                    state.sender = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func drain() {
        while let chunk = next() {
            do {
                try chunk.withUnsafeReadableBytes { try sink($0) }
                complete(chunk.readableBytes, error: nil)
            } catch {
                complete(chunk.readableBytes, error: error)
            }
        }
    }

    private func next() -> ByteBuffer? {
        let (chunk, sender) = state.withLock { state -> (ByteBuffer?, CheckedContinuation<Void, Never>?) in
            if !state.queue.isEmpty { return (state.queue.removeFirst(), nil) }
            state.isRunning = false
            return (nil, state.sender.take())
        }
        sender?.resume()
        return chunk
    }

    private func complete(_ byteCount: Int, error: (any Error)?) {
        let sender = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.queuedBytes -= byteCount
            if let error {
                state.error = error
                state.queuedBytes = 0
                state.queue = []
            }
            return state.queuedBytes <= Self.queuedBytesMax ? state.sender.take() : nil
        }
        sender?.resume()
    }
}
