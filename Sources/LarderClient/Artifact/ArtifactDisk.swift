import Glibc
import LarderCore
import Synchronization

/// Calls of the file system, with failures as sentences.
///
/// They block, so they belong into `onThread`.
enum ArtifactDisk {
    /// Bytes that are read or written at once.
    static let pieceLength = 1 << 20

    /// Does something that blocks on a thread where that is allowed.
    ///
    /// `body`: Gets a function that throws once the task is cancelled, for long work to call now and then.
    static func onThread<Value: Sendable>(
        _ body: @escaping @Sendable (_ checkCancellation: () throws -> Void) throws -> Value
    ) async throws -> Value {
        let isCancelled = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await WorkLane.run("artifact") { try body(isCancelled.check) }
        } onCancel: {
            isCancelled.set()
        }
    }

    private final class CancellationFlag: Sendable {
        private let isSet = Atomic(false)

        func set() { isSet.store(true, ordering: .relaxed) }

        func check() throws {
            if isSet.load(ordering: .relaxed) { throw CancellationError() }
        }
    }

    /// What the last call failed with.
    static func failure(_ verb: String, _ path: String) -> ClientError {
        ClientError("can't \(verb) \(path): \(String(cString: strerror(errno)))")
    }

    /// What is said of a file that is not what it was a moment ago.
    static func changed(_ path: String) -> ClientError {
        ClientError("\(path) changed while it was read; push again when nobody writes it")
    }

    /// What is at a path, itself and not what a link leads to; nil: nothing is.
    static func status(of path: String) throws(ClientError) -> stat? {
        var status = stat()
        if lstat(path, &status) == 0 { return status }
        guard errno == ENOENT || errno == ENOTDIR else { throw failure("look at", path) }
        return nil
    }

    /// The names in a folder, in no order.
    static func names(in folder: String) throws(ClientError) -> [String] {
        guard let stream = opendir(folder) else { throw failure("list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: Int(NAME_MAX) + 1) { bytes in
                    String(validating: UnsafeBufferPointer(start: bytes, count: strlen(bytes)), as: UTF8.self)
                }
            }
            guard let name else { throw ClientError("\(folder) has a name that is not UTF-8; rename it") }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw failure("list", folder) }
        return names
    }

    /// Where a symbolic link leads.
    static func target(ofLink path: String) throws(ClientError) -> String {
        try target(ofLink: path, in: AT_FDCWD, path)
    }

    /// Where a symbolic link in an open folder leads; `path` is for people.
    static func target(ofLink name: String, in folder: Int32, _ path: String) throws(ClientError) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = bytes.withUnsafeMutableBytes { buffer in
            buffer.assumingMemoryBound(to: CChar.self).baseAddress.map { readlinkat(folder, name, $0, buffer.count) }
                ?? 0
        }
        guard count > 0 else { throw failure("read the link", path) }
        guard let target = String(validating: bytes[..<count], as: UTF8.self) else {
            throw ClientError("the link \(path) leads to a name that is not UTF-8; remove it")
        }
        return target
    }

    /// Reads a file from its beginning to its end.
    static func read(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("read", path) }
        defer { _ = close(file) }
        try read(file, path, body)
    }

    /// Reads an open file from where it stands to its end.
    static func read(_ file: Int32, _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("read", path) }
        // Most files are small, and for them a large buffer costs more than the rest; one byte more finds the end.
        let length = min(max(Int(status.st_size) + 1, 4096), pieceLength)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(file, buffer.baseAddress, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            guard count > 0 else { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
        }
    }

    /// The bytes of a small file, and one more than the limit when it is larger.
    static func bytes(of path: String, atMost limit: Int) throws(ClientError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("read", path) }
        defer { _ = close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= limit {
            let count = Glibc.read(file, &piece, min(piece.count, limit + 1 - bytes.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return bytes
    }

    /// The digest of a file, and how many bytes it has.
    static func digest(
        of path: String,
        checkCancellation: () throws -> Void = {}
    ) throws -> (digest: Digest, size: Int64) {
        var hasher = IncrementalHasher()
        try read(path) { bytes in
            hasher.update(bytes)
            try checkCancellation()
        }
        return (hasher.finalize()[0], hasher.byteCount)
    }

    /// Writes bytes where an open file stands.
    static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String) throws(ClientError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(file, part.baseAddress, part.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            rest = rest.dropFirst(count)
        }
    }
}
