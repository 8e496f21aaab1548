import Glibc
package import LarderCore

/// The data folder: its layout, its format version, and the lock that lets one process at a time use it.
///
/// `design.md`'s layout: `FORMAT`, `LOCK`, `larder.sock`, `larder.sqlite`, `blobs/sha256/00…ff/`, `uploads/`, `ballast`.
package final class DataFolder: Sendable {
    /// The only layout so far.
    package static let formatVersion = 1

    /// Absolute path without a slash at its end.
    package let path: String
    private let lock: Int32

    package var databasePath: String { "\(path)/larder.sqlite" }
    package var socketPath: String { "\(path)/larder.sock" }
    package var uploadsPath: String { "\(path)/uploads" }
    package var ballastPath: String { "\(path)/ballast" }

    /// Creates the layout where it is missing, takes the lock and checks the format.
    ///
    /// Blocks.
    ///
    /// - Throws: `notAllowed` when another process holds the lock (the text names its pid) or the folder was written by
    ///   a newer program; `io` or `noSpace` when the layout can't be made.
    package init(at path: String) throws(StoreError) {
        self.path = path
        try Self.makeFolder(path)
        lock = try Self.takeLock("\(path)/LOCK")
        do {
            try Self.checkFormat(in: path)
            try Self.makeFolder("\(path)/uploads")
            try Self.makeFolder("\(path)/blobs")
            try Self.makeFolder("\(path)/blobs/sha256")
            for prefix in 0..<256 {
                try Self.makeFolder("\(path)/blobs/sha256/\(Self.twoDigits(prefix))")
            }
            // A folder's own name must be durable before a blob in it counts as durable.
            let files = PosixBlobFiles()
            for folder in ["\(path)/blobs/sha256", "\(path)/blobs", path] {
                try files.synchronizeFolder(folder)
            }
        } catch {
            _ = close(lock)
            throw error
        }
    }

    /// Gives up the lock: the last act of the process that uses the folder.
    package func unlock() {
        // Explicitly: a child process that is just being started may hold the descriptor a little longer.
        _ = flock(lock, LOCK_UN)
        _ = close(lock)
    }

    static func twoDigits(_ value: Int) -> String {
        let text = String(value, radix: 16)
        return value < 16 ? "0\(text)" : text
    }

    private static func makeFolder(_ path: String) throws(StoreError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        // Parents of the data folder itself may be missing too.
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeFolder(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        }
        throw .io(operation: "create folder", path: path, code: errno)
    }

    private static func takeLock(_ path: String) throws(StoreError) -> Int32 {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .io(operation: "open", path: path, code: errno) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let holder = readText(file).filter(\.isNumber)
            _ = close(file)
            throw .notAllowed("the data folder is in use by process \(holder) (it holds \(path))")
        }
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(file, 0)
        _ = pwrite(file, text, text.count, 0)
        return file
    }

    private static func checkFormat(in folder: String) throws(StoreError) {
        let path = "\(folder)/FORMAT"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .io(operation: "open", path: path, code: errno) }
        defer { _ = close(file) }
        let text = readText(file)
        if text.isEmpty {
            let line = Array("larder \(formatVersion)\n".utf8)
            guard pwrite(file, line, line.count, 0) == line.count, fdatasync(file) == 0 else {
                throw .io(operation: "write", path: path, code: errno)
            }
            return
        }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, words[0] == "larder", let version = Int(words[1]) else {
            throw .notAllowed("\(folder) is not a data folder of larder (see its file FORMAT)")
        }
        guard version <= formatVersion else {
            throw .notAllowed(
                "\(folder) has layout version \(version), this program knows \(formatVersion): use a newer larder"
            )
        }
    }

    private static func readText(_ file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(file, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : ""
    }
}
