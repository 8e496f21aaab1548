import Glibc
import LarderCore
import Synchronization

/// Writes the one blob of a pack into a file and verifies it.
final class FileSink: PackSink {
    private struct State {
        var digest: Digest?
        var hasher = IncrementalHasher()
    }

    private let descriptor: Int32
    private let state = Mutex(State())

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    func note(_ json: [UInt8]) throws {}

    func begin(_ digest: Digest, size: Int64) throws {
        state.withLock { $0.digest = digest }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            var done = 0
            while done < bytes.count {
                let place = off_t(state.hasher.byteCount) + off_t(done)
                let count = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, place)
                guard count > 0 || errno == EINTR else {
                    throw ClientError("can't write what was received: \(String(cString: strerror(errno)))")
                }
                done += max(0, count)
            }
            state.hasher.update(bytes)
        }
    }

    func end() throws {
        try state.withLock { state in
            guard let digest = state.digest, state.hasher.finalize()[0] == digest else {
                throw ClientError("the server sent other bytes than those of \(state.digest?.description ?? "a blob")")
            }
        }
    }

    func missing(_ digest: Digest) throws {}
}
