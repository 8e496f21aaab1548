import Glibc
import LarderCore
import NIOCore
import Synchronization

/// A file that is being sent, open; whether it is still the one that was looked at before can be asked.
///
/// Its functions block.
final class SourceFile: Sendable {
    /// Bytes read at once.
    static let chunkSize = 512 << 10

    let path: String
    /// In bytes.
    let size: Int64
    private let descriptor: Int32
    private let modified: timespec

    /// Opens a file.
    ///
    /// - Throws: `ClientError` when it can't be read, is no plain file, or is not as long as it is said to be.
    init(_ path: String, size: Int64) throws(ClientError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ClientError("can't read \(path): \(String(cString: strerror(errno)))")
        }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, Int64(facts.st_size) == size else {
            close(descriptor)
            throw Self.changed(path)
        }
        self.path = path
        self.size = size
        modified = facts.st_mtim
    }

    deinit {
        close(descriptor)
    }

    static func changed(_ path: String) -> ClientError {
        ClientError("\(path) changed while it was being sent; try again when nothing writes to it")
    }

    /// Checks that the file has not changed since it was opened.
    func checkUnchanged() throws(ClientError) {
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, Int64(facts.st_size) == size,
            facts.st_mtim.tv_sec == modified.tv_sec, facts.st_mtim.tv_nsec == modified.tv_nsec
        else { throw Self.changed(path) }
    }

    /// Reads so many bytes from a place into a buffer.
    ///
    /// - Throws: `ClientError` when there are fewer.
    func read(_ count: Int, at offset: Int64, into buffer: inout ByteBuffer) throws {
        var done = 0
        while done < count {
            let length = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count - done) { bytes in
                let length = pread(descriptor, bytes.baseAddress, count - done, off_t(offset) + off_t(done))
                if length < 0 && errno != EINTR {
                    throw ClientError("can't read \(path): \(String(cString: strerror(errno)))")
                }
                if length == 0 { throw Self.changed(path) }
                return max(0, length)
            }
            done += length
        }
    }

    /// Checks that the file ends where it should.
    func checkEnd() throws(ClientError) {
        var byte: UInt8 = 0
        guard pread(descriptor, &byte, 1, off_t(size)) <= 0 else { throw Self.changed(path) }
    }

    /// Hashes some bytes from a place on.
    func hash(_ count: Int, at offset: Int64, into hasher: inout IncrementalHasher) throws {
        var buffer = ByteBufferAllocator().buffer(capacity: min(count, Self.chunkSize))
        var done = 0
        while done < count {
            buffer.clear()
            let length = min(count - done, Self.chunkSize)
            try read(length, at: offset + Int64(done), into: &buffer)
            buffer.withUnsafeReadableBytes { hasher.update($0) }
            done += length
        }
    }

    /// The SHA-256 of the whole file.
    ///
    /// Reads on threads, and gives up when the task is cancelled.
    func digest() async throws -> Digest {
        var hasher = IncrementalHasher()
        while hasher.byteCount < size {
            try Task.checkCancellation()
            let before = hasher
            hasher = try await WorkLane.run("hash") {
                var hasher = before
                let count = min(self.size - hasher.byteCount, 64 << 20)
                try self.hash(Int(count), at: hasher.byteCount, into: &hasher)
                return hasher
            }
        }
        return hasher.finalize()[0]
    }
}

/// Some bytes of a file as the chunks of a body.
final class FileChunks: ChunkSource {
    private struct State {
        var offset: Int64
        var buffers = BufferRing()
    }

    private let file: SourceFile
    private let end: Int64
    private let progress: @Sendable (Int64) -> Void
    /// One thread reads at a time; the lock says so to the compiler.
    private let state: Mutex<State>

    init(_ file: SourceFile, _ range: Range<Int64>, progress: @escaping @Sendable (Int64) -> Void) {
        self.file = file
        end = range.upperBound
        state = Mutex(State(offset: range.lowerBound))
        self.progress = progress
    }

    func next() throws -> ByteBuffer? {
        try state.withLock { state in
            guard state.offset < end else { return nil }
            let count = Int(min(end - state.offset, Int64(SourceFile.chunkSize)))
            let chunk = try state.buffers.fill(capacity: count) { chunk in
                try file.read(count, at: state.offset, into: &chunk)
            }
            state.offset += Int64(count)
            progress(Int64(count))
            return chunk
        }
    }
}

/// Buffers that are used again when whoever they were given to has let them go, as the system clears every page of a new
/// one.
struct BufferRing {
    /// More than those who take chunks hold at once.
    private static let count = 8

    private var buffers: [ByteBuffer] = []
    private var next = 0

    /// A buffer that `body` has filled.
    mutating func fill(capacity: Int, _ body: (inout ByteBuffer) throws -> Void) rethrows -> ByteBuffer {
        if buffers.count < Self.count {
            next = buffers.count
            buffers.append(ByteBufferAllocator().buffer(capacity: capacity))
        } else {
            next = (next + 1) % Self.count
            // One that somebody still holds is left to them, and a new one made.
            buffers[next].clear(minimumCapacity: capacity)
        }
        try body(&buffers[next])
        return buffers[next]
    }
}
