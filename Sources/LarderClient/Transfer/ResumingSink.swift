import LarderCore
import Synchronization

/// Hands on what several packs bring as if it were one, and checks that what comes is what was asked for.
///
/// Of a blob in whose middle a pack broke off the next one brings the beginning again: that is left out.
final class ResumingSink<Sink: PackSink>: PackSink {
    private struct State {
        /// Blobs that came whole, or are not there.
        var doneCount = 0
        /// Size of the one in whose middle we are; nil: in none.
        var size: Int64?
        /// Bytes of it that were handed on.
        var passedBytes: Int64 = 0
        /// Bytes of it that come again.
        var repeatedBytes: Int64 = 0
        var firstMissing: Digest?
    }

    private let digests: [Digest]
    private let sink: Sink
    private let state = Mutex(State())

    /// `digests`: Each once.
    init(_ digests: [Digest], _ sink: Sink) {
        self.digests = digests
        self.sink = sink
    }

    /// What is still to be asked for.
    func beginAgain() -> ArraySlice<Digest> {
        state.withLock { state in
            state.repeatedBytes = state.passedBytes
            return digests[state.doneCount...]
        }
    }

    /// Checks that everything came.
    func checkWhole() throws(ClientError) {
        let (doneCount, firstMissing) = state.withLock { ($0.doneCount, $0.firstMissing) }
        if let firstMissing { throw ClientError("the server does not have \(firstMissing), or has it no longer") }
        guard doneCount == digests.count else {
            throw ClientError("the server's answer is damaged: it ends before all came that was asked for")
        }
    }

    func note(_ json: [UInt8]) throws {
        try sink.note(json)
    }

    func begin(_ digest: Digest, size: Int64) throws {
        try state.withLock { state in
            try check(digest, state)
            if let begun = state.size {
                guard begun == size else { throw Self.damaged }
                return
            }
            state.size = size
            try sink.begin(digest, size: size)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            let repeated = Int(min(state.repeatedBytes, Int64(bytes.count)))
            state.repeatedBytes -= Int64(repeated)
            guard repeated < bytes.count else { return }
            try sink.write(UnsafeRawBufferPointer(rebasing: bytes[repeated...]))
            state.passedBytes += Int64(bytes.count - repeated)
        }
    }

    func end() throws {
        try state.withLock { state in
            try sink.end()
            Self.advance(&state)
        }
    }

    func missing(_ digest: Digest) throws {
        try state.withLock { state in
            try check(digest, state)
            guard state.size == nil else {
                throw ClientError("the server lost \(digest) while it was being read; try again")
            }
            try sink.missing(digest)
            if state.firstMissing == nil { state.firstMissing = digest }
            Self.advance(&state)
        }
    }

    private static var damaged: ClientError { ClientError("the server answers other blobs than it was asked for") }

    private func check(_ digest: Digest, _ state: State) throws {
        guard state.doneCount < digests.count, digests[state.doneCount] == digest else { throw Self.damaged }
    }

    private static func advance(_ state: inout State) {
        state.doneCount += 1
        state.size = nil
        state.passedBytes = 0
        state.repeatedBytes = 0
    }
}
