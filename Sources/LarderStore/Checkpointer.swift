import LarderBlobs
import LarderCore
import LarderMetadata
import Synchronization

/// Keeps the database's write-ahead log short without making commits wait.
///
/// A long log is moved into the database by a thread of its own while transactions go on. What they add meanwhile is a
/// small rest, which the committer moves between two transactions, and then the log begins anew.
final class Checkpointer: Sendable {
    /// The committer moves at most this part of a long log, unless commits are as fast as the disk.
    private static let restShare: Int64 = 32
    private static let roundMax = 5

    private enum Phase {
        case idle
        case moving
        /// Only the rest is left.
        case moved
    }

    private struct State {
        var phase = Phase.idle
        /// Length under which the log is not moved, however long it may be.
        var notBefore: Int64 = 0
        /// Bytes from the start of the log that are in the database.
        var movedBytes: Int64 = 0
        /// Whether there was a commit since the last tick.
        var isBusy = true
    }

    private let metadata: Metadata
    private let unmovedMax: @Sendable () -> ByteCount
    private let thread = FilePool(threadCount: 1)
    private let state: Mutex<State>

    /// `unmovedMax`: What the log may hold that is not in the database; asked after every commit.
    ///
    /// Above it commits wait; moving begins at half of it.
    init(metadata: Metadata, unmovedMax: @escaping @Sendable () -> ByteCount) {
        self.metadata = metadata
        self.unmovedMax = unmovedMax
        state = Mutex(State())
    }

    /// After a commit, on the committer's thread: starts or finishes what is due.
    func noteCommit() {
        let length = metadata.walLength.bytes
        let unmovedMax = unmovedMax().bytes
        let (phase, unmoved) = state.withLock { state -> (Phase, Int64) in
            state.isBusy = true
            // Shorter than before: it was begun anew.
            if length < state.movedBytes { state.movedBytes = 0 }
            let phase = state.phase
            switch phase {
            case .idle:
                if length < unmovedMax / 2 { state.notBefore = 0 }
                guard length >= max(unmovedMax / 2, state.notBefore) else { break }
                state.phase = .moving
                thread.submit { self.move() }
            case .moving: break
            case .moved:
                // A reader can keep the log from beginning anew; then it is not tried again at every commit.
                state.notBefore = length + unmovedMax / 4
                state.phase = .idle
            }
            return (phase, length - state.movedBytes)
        }
        switch phase {
        case .idle: break
        case .moving: if unmoved > unmovedMax { moveOnce() }
        case .moved: metadata.finishMovingLog()
        }
    }

    /// Every now and then: moves the log when nothing is being committed.
    ///
    /// Readers look for each page in a log that has not been moved, at a twentieth of what a lookup costs.
    func noteTick() {
        let length = metadata.walLength.bytes
        let isDue = state.withLock { state in
            defer { state.isBusy = false }
            guard !state.isBusy, case .idle = state.phase, length > state.movedBytes else { return false }
            state.phase = .moving
            return true
        }
        if isDue { thread.submit { self.move() } }
    }

    /// Waits for what is under way, and ends the thread.
    func end() async throws {
        try await thread.shutdown()
    }

    /// Each round moves what was committed during the one before, and so takes a fraction of its time.
    private func move() {
        for _ in 0..<Self.roundMax {
            moveOnce()
            let length = metadata.walLength.bytes
            if length - state.withLock({ $0.movedBytes }) <= unmovedMax().bytes / Self.restShare { break }
        }
        state.withLock { $0.phase = .moved }
    }

    /// Waits for its turn when two threads come here at once.
    private func moveOnce() {
        guard let moved = metadata.moveLog() else { return }
        state.withLock { $0.movedBytes = moved.bytes }
    }
}
