import LarderBlobs
import LarderCore
import Synchronization

/// The real file system with a bad sector: reading some files fails.
final class UnreadableFiles: BlobFiles {
    private let real = PosixBlobFiles()
    private let broken = Mutex<Set<String>>([])

    /// From now on every read of the blob's file fails.
    func breakFile(of digest: Digest) {
        _ = broken.withLock { $0.insert(digest.hex) }
    }

    func create(_ path: String) throws(StoreError) -> Int32 { try real.create(path) }

    func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try real.openForWriting(path)
    }

    func truncate(_ file: Int32, to byteCount: Int64, path: String) throws(StoreError) {
        try real.truncate(file, to: byteCount, path: path)
    }

    func write(
        _ bytes: UnsafeRawBufferPointer,
        to file: Int32,
        at offset: Int64,
        path: String
    ) throws(StoreError) {
        try real.write(bytes, to: file, at: offset, path: path)
    }

    func startWriteback(of file: Int32, from offset: Int64, length: Int64) {}

    func synchronize(_ file: Int32, path: String) throws(StoreError) { try real.synchronize(file, path: path) }

    func link(_ path: String, to newPath: String) throws(StoreError) { try real.link(path, to: newPath) }

    func rename(_ path: String, to newPath: String) throws(StoreError) { try real.rename(path, to: newPath) }

    func synchronizeFolder(_ path: String) throws(StoreError) { try real.synchronizeFolder(path) }

    func remove(_ path: String) throws(StoreError) { try real.remove(path) }

    func list(_ folder: String) throws(StoreError) -> [String] { try real.list(folder) }

    func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? { try real.open(path) }

    func read(
        _ file: Int32,
        at offset: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        path: String
    ) throws(StoreError) -> Int {
        let isBroken = broken.withLock { broken in broken.contains { path.contains($0) } }
        if isBroken { throw .io(operation: "read", path: path, code: 5) }
        return try real.read(file, at: offset, into: buffer, path: path)
    }

    func close(_ file: Int32) { real.close(file) }

    func diskSpace(at folder: String) throws(StoreError) -> DiskSpace { try real.diskSpace(at: folder) }
}
