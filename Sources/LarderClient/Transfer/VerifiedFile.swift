import Dispatch
import Glibc
import LarderCore
import NIOCore
import Synchronization

/// A file that is written in several places at once and hashed meanwhile from its start on.
///
/// One thread writes, another hashes what is written up to there: a piece that comes just where the hash has got to is
/// hashed as it is, other ones are read back, which they are from memory.
final class VerifiedFile: Sendable {
    private struct State {
        /// What is written, in order, none touching the next.
        var written: [Range<Int64>] = []
        /// Pieces that are soon to be hashed, by their place.
        var pieces: [Int64: ByteBuffer] = [:]
        var hashedBytes: Int64 = 0
        var isHashing = false
        var isAbandoned = false
        var failure: (any Error)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private enum Step {
        case piece(ByteBuffer)
        case reading(Int)
        case rest
    }

    /// Pieces so far ahead of the hash are kept, in bytes.
    private static let windowSize: Int64 = 8 << 20

    private let descriptor: Int32
    private let size: Int64
    private let lane = WorkLane("write")
    private let hashQueue = DispatchQueue(label: "larder.hash")
    /// Used on `hashQueue` only; the lock says so to the compiler.
    private let hasher = Mutex(IncrementalHasher())
    private let state = Mutex(State())

    /// `descriptor`: Open for reading and writing, for as long as this is used.
    ///
    /// `size`: Of the whole, in bytes.
    init(descriptor: Int32, size: Int64) {
        self.descriptor = descriptor
        self.size = size
    }

    /// Has a piece written; waits only when many wait to be.
    ///
    /// - Throws: `ClientError` when an earlier one could not be written.
    func write(_ piece: ByteBuffer, at offset: Int64) async throws {
        try await lane.add(byteCount: piece.readableBytes) {
            try self.writeNow(piece, at: offset)
            self.note(piece, at: offset)
        }
    }

    /// Hashes no more, and waits until the file is not used any longer.
    func abandon() async {
        await lane.drain()
        state.withLock { $0.isAbandoned = true }
        await withCheckedContinuation { continuation in
            hashQueue.async { continuation.resume() }
        }
    }

    /// Waits until everything is written and hashed; the SHA-256 of the whole.
    ///
    /// - Throws: `ClientError` when something could not be written or read back.
    func digest() async throws -> Digest {
        try await lane.finish()
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                guard state.isHashing else { return true }
                state.waiter = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
        if let failure = state.withLock({ $0.failure }) { throw failure }
        return hasher.withLock { $0.finalize()[0] }
    }

    private func writeNow(_ piece: ByteBuffer, at offset: Int64) throws {
        try piece.withUnsafeReadableBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = pwrite(
                    descriptor,
                    bytes.baseAddress.map { $0 + done },
                    bytes.count - done,
                    off_t(offset) + off_t(done)
                )
                guard count > 0 || errno == EINTR else {
                    throw ClientError("can't write what was received: \(String(cString: strerror(errno)))")
                }
                done += max(0, count)
            }
        }
    }

    private func note(_ piece: ByteBuffer, at offset: Int64) {
        let starts = state.withLock { state in
            Self.add(offset..<offset + Int64(piece.readableBytes), to: &state.written)
            if offset >= state.hashedBytes, offset < state.hashedBytes + Self.windowSize {
                state.pieces[offset] = piece
            }
            guard !state.isHashing, state.failure == nil, Self.prefixEnd(state) > state.hashedBytes else {
                return false
            }
            state.isHashing = true
            return true
        }
        if starts { hashQueue.async { self.hash() } }
    }

    /// Hashes what can be.
    private func hash() {
        while true {
            do {
                switch nextStep() {
                case .piece(let piece): update(piece)
                case .reading(let count): try readBack(count)
                case .rest: return
                }
            } catch {
                let waiter = state.withLock { state in
                    state.failure = error
                    state.isHashing = false
                    state.pieces = [:]
                    return state.waiter
                }
                waiter?.resume()
                return
            }
        }
    }

    private func nextStep() -> Step {
        let (step, waiter) = state.withLock { state -> (Step, CheckedContinuation<Void, Never>?) in
            let place = state.isAbandoned ? Int64.max : state.hashedBytes
            if let piece = state.pieces.removeValue(forKey: place) {
                state.hashedBytes += Int64(piece.readableBytes)
                return (.piece(piece), nil)
            }
            // Only as far as the next piece at hand.
            let end = min(Self.prefixEnd(state), state.pieces.keys.min() ?? .max)
            if end > place {
                let count = min(Int(end - place), SourceFile.chunkSize)
                state.hashedBytes += Int64(count)
                return (.reading(count), nil)
            }
            state.isHashing = false
            defer { state.waiter = nil }
            return (.rest, state.waiter)
        }
        waiter?.resume()
        return step
    }

    private func update(_ piece: ByteBuffer) {
        hasher.withLock { hasher in piece.withUnsafeReadableBytes { hasher.update($0) } }
    }

    private func readBack(_ count: Int) throws {
        let offset = off_t(hasher.withLock { $0.byteCount })
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        var done = 0
        while done < count {
            done += try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count - done) { bytes in
                let length = pread(descriptor, bytes.baseAddress, count - done, offset + off_t(done))
                if length < 0 && errno == EINTR { return 0 }
                if length > 0 { return length }
                let reason = length < 0 ? String(cString: strerror(errno)) : "it is gone"
                throw ClientError("can't read back what was received: \(reason)")
            }
        }
        update(buffer)
    }

    private static func prefixEnd(_ state: State) -> Int64 {
        guard let first = state.written.first, first.lowerBound == 0 else { return 0 }
        return first.upperBound
    }

    /// Adds a range that overlaps no other.
    private static func add(_ range: Range<Int64>, to ranges: inout [Range<Int64>]) {
        let index = ranges.firstIndex { $0.lowerBound >= range.upperBound } ?? ranges.count
        var (merged, replaced) = (range, index..<index)
        if index < ranges.count, ranges[index].lowerBound == range.upperBound {
            merged = merged.lowerBound..<ranges[index].upperBound
            replaced = index..<index + 1
        }
        if index > 0, ranges[index - 1].upperBound == range.lowerBound {
            merged = ranges[index - 1].lowerBound..<merged.upperBound
            replaced = index - 1..<replaced.upperBound
        }
        ranges.replaceSubrange(replaced, with: [merged])
    }
}
