import Glibc

/// System calls on files as this folder uses them: relative to open folders, repeated when a signal came between, and
/// with errors that name the path.
///
/// All of them block.
enum FileCalls {
    /// What a read or write moves at most.
    static let pieceLength = 1 << 20
    /// A path that is longer is walked step by step: the kernel takes 4096 bytes with the end (`PATH_MAX`).
    static let pathLengthMax = 4000
    private static let folderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    /// Says in a sentence what could not be done, from `errno` unless a code is given.
    static func trouble(_ what: String, _ path: String, code: Int32 = errno) -> ClientError {
        ClientError("can't \(what) \(path): \(String(cString: strerror(code)))")
    }

    // MARK: - Opening

    /// Opens a folder by a name in another one; follows no link.
    static func openFolder(_ name: UnsafePointer<CChar>, in folder: Int32) -> OpenDescriptor? {
        let descriptor = openat(folder, name, folderFlags)
        return descriptor >= 0 ? OpenDescriptor(descriptor) : nil
    }

    /// Opens what lies at a path below a folder, and follows no link on the way: step by step.
    ///
    /// - Returns: The descriptor, or a negative number with `errno` set.
    static func openStepwise(_ path: String, in folder: Int32, flags: Int32) -> Int32 {
        var steps = path.pathParts
        guard let last = steps.popLast() else {
            errno = ENOENT
            return -1
        }
        var current = OpenDescriptor(borrowing: folder)
        for step in steps {
            guard let next = openFolder(step, in: current.descriptor) else { return -1 }
            current = next
        }
        return withExtendedLifetime(current) {
            openat(current.descriptor, last, flags | O_NOFOLLOW | O_CLOEXEC)
        }
    }

    // MARK: - Reading and writing

    /// Reads until the buffer is full or the file ends; a negative number with `errno` set when it fails.
    static func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        while count < buffer.count {
            let piece = Glibc.read(file, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            if piece < 0 && errno == EINTR { continue }
            guard piece >= 0 else { return -1 }
            if piece == 0 { break }
            count += piece
        }
        return count
    }

    /// Writes all bytes; false with `errno` set when that fails.
    static func write(_ bytes: UnsafeRawBufferPointer, to file: Int32) -> Bool {
        var count = 0
        while count < bytes.count {
            let piece = Glibc.write(file, bytes.baseAddress.map { $0 + count }, bytes.count - count)
            if piece < 0 && errno == EINTR { continue }
            guard piece > 0 else { return false }
            count += piece
        }
        return true
    }

    /// Copies the rest of one file to another; false with `errno` set when that fails.
    static func copy(_ source: Int32, to file: Int32) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: pieceLength, alignment: 64) { buffer in
            while true {
                let count = read(source, into: buffer)
                guard count > 0 else { return count == 0 }
                guard write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: file) else { return false }
            }
        }
    }

    /// Copies a file or link with its mode and time to another folder, also on another file system.
    ///
    /// False with `errno` set when that fails.
    ///
    /// `copy`: Its name there, which nothing has yet.
    static func copyAcross(
        _ name: UnsafePointer<CChar>,
        from folder: Int32,
        to target: Int32,
        as copy: UnsafePointer<CChar>
    ) -> Bool {
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return false }
        if status.kind == S_IFLNK {
            guard let link = linkTarget(name, in: folder),
                symlinkat(String(decoding: link, as: UTF8.self), target, copy) == 0
            else { return false }
        } else {
            let source = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
            guard source >= 0 else { return false }
            defer { close(source) }
            let file = openat(target, copy, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard file >= 0 else { return false }
            defer { close(file) }
            guard Self.copy(source, to: file), fchmod(file, mode_t(status.permissions)) == 0 else { return false }
        }
        return setModified(status.st_mtim.nanoseconds, of: copy, in: target)
    }

    /// Whether things can be put into an open folder, or taken out of it; false with `errno` set when not.
    static func isWritable(_ folder: Int32) -> Bool { faccessat(folder, ".", W_OK | X_OK, 0) == 0 }

    /// The text of a small file of the system (`/proc`), at most 1 MiB of it; nil when it can't be read.
    static func contents(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: pieceLength) { buffer, count in
            count = max(0, read(file, into: UnsafeMutableRawBufferPointer(buffer)))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The target of a symbolic link; nil with `errno` set when it can't be read.
    static func linkTarget(_ name: UnsafePointer<CChar>, in folder: Int32) -> [UInt8]? {
        var result = 0
        let target = [UInt8](unsafeUninitializedCapacity: 4097) { buffer, count in
            result = buffer.withMemoryRebound(to: CChar.self) { buffer in
                buffer.baseAddress.map { readlinkat(folder, name, $0, buffer.count) } ?? -1
            }
            count = max(0, result)
        }
        return result >= 0 ? target : nil
    }

    // MARK: - Times

    /// Sets when contents changed last, and leaves the time of the last reading.
    static func setModified(_ nanoseconds: Int64, of file: Int32) -> Bool {
        withTimes(nanoseconds) { futimens(file, $0) == 0 }
    }

    /// The same for a name in a folder; of a link itself.
    static func setModified(_ nanoseconds: Int64, of name: UnsafePointer<CChar>, in folder: Int32) -> Bool {
        withTimes(nanoseconds) { utimensat(folder, name, $0, AT_SYMLINK_NOFOLLOW) == 0 }
    }

    private static func withTimes<Value>(_ modified: Int64, _ body: (UnsafePointer<timespec>) -> Value) -> Value {
        // UTIME_OMIT of <sys/stat.h>, which Swift does not import.
        let omit = timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
        return withUnsafeTemporaryAllocation(of: timespec.self, capacity: 2) { times in
            times[0] = omit
            times[1] = timespec(nanoseconds: modified)
            guard let first = times.baseAddress else { preconditionFailure("two times have an address") }
            return body(UnsafePointer(first))
        }
    }

    // MARK: - Removing

    /// Folders in folders that are removed, at most.
    private static let removalDepthMax = 800

    /// Removes a file, a link, or a folder with all that is in it, and follows no link.
    ///
    /// - Returns: Whether it is gone; `errno` says why not.
    @discardableResult
    static func remove(_ name: UnsafePointer<CChar>, in folder: Int32, depth: Int = 0) -> Bool {
        if unlinkat(folder, name, 0) == 0 || errno == ENOENT { return true }
        guard errno == EISDIR || errno == EPERM else { return false }
        if unlinkat(folder, name, AT_REMOVEDIR) == 0 { return true }
        guard errno == ENOTEMPTY || errno == EEXIST || errno == EACCES, depth < removalDepthMax else { return false }
        guard let opened = openForRemoval(name, in: folder) else { return false }
        guard let names = FolderNames(of: opened.descriptor) else { return false }
        for index in names.indices {
            guard names.withName(index, { remove($0, in: opened.descriptor, depth: depth + 1) }) else { return false }
        }
        return unlinkat(folder, name, AT_REMOVEDIR) == 0
    }

    private static func openForRemoval(_ name: UnsafePointer<CChar>, in folder: Int32) -> OpenDescriptor? {
        if let opened = openFolder(name, in: folder) {
            var status = stat()
            if fstat(opened.descriptor, &status) == 0, status.st_mode & 0o700 != 0o700 {
                _ = fchmod(opened.descriptor, 0o700)
            }
            return opened
        }
        // A folder that its owner may not read. That it is one and no link, the failed removal has said.
        guard errno == EACCES, fchmodat(folder, name, 0o700, 0) == 0 else { return nil }
        return openFolder(name, in: folder)
    }
}

/// An open folder or file that is closed when nobody uses it any more.
final class OpenDescriptor: Sendable {
    let descriptor: Int32
    private let isOwned: Bool

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        isOwned = true
    }

    /// Takes a descriptor that somebody else closes.
    init(borrowing descriptor: Int32) {
        self.descriptor = descriptor
        isOwned = false
    }

    /// Opens a folder by its path, through links.
    convenience init(path: String) throws(ClientError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileCalls.trouble("open the folder", path) }
        self.init(descriptor)
    }

    deinit {
        if isOwned { close(descriptor) }
    }
}

/// The names in a folder, in the order of their bytes.
struct FolderNames {
    /// Each with a zero behind it.
    private var bytes: [CChar] = []
    private var starts: [Int32] = []

    /// Lists an open folder; nil with `errno` set when that fails.
    init?(of folder: Int32) {
        let copy = fcntl(folder, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return nil }
        guard let stream = fdopendir(copy) else {
            close(copy)
            return nil
        }
        defer { closedir(stream) }
        // The copy shares its place in the folder with the descriptor.
        rewinddir(stream)
        errno = 0
        while let item = readdir(stream) {
            withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { add($0) }
            }
        }
        guard errno == 0 else { return nil }
        sort()
    }

    var indices: Range<Int> { starts.indices }

    private mutating func add(_ name: UnsafePointer<CChar>) {
        if name[0] == 0x2e && (name[1] == 0 || name[1] == 0x2e && name[2] == 0) { return }
        starts.append(Int32(bytes.count))
        bytes.append(contentsOf: UnsafeBufferPointer(start: name, count: strlen(name) + 1))
    }

    private mutating func sort() {
        guard starts.count > 1 else { return }
        bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            starts.sort { strcmp(base + Int($0), base + Int($1)) < 0 }
        }
    }

    func withName<Value>(_ index: Int, _ body: (UnsafePointer<CChar>) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { preconditionFailure("a name has at least its zero") }
            return try body(base + Int(starts[index]))
        }
    }
}
