import LarderBlobs
import LarderCore
import Synchronization

/// The real file system, which says that the disk is small: what the files of blobs hold is missing from what is free.
final class SmallDisk: BlobFiles {
    private let real = PosixBlobFiles()
    private let total: Int64
    private let room: Int64
    private let sizes = Mutex<[String: Int64]>([:])
    private let paths = Mutex<[Int32: String]>([:])

    /// - Parameters:
    ///   - total: Bytes that the disk says it has.
    ///   - reserve: Bytes that blobs may take before the disk is full.
    init(total: Int64, reserve: Int64) {
        self.total = total
        room = reserve
    }

    func create(_ path: String) throws(StoreError) -> Int32 {
        let file = try real.create(path)
        paths.withLock { $0[file] = path }
        sizes.withLock { $0[path] = 0 }
        return file
    }

    func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        let open = try real.openForWriting(path)
        if let open { paths.withLock { $0[open.file] = path } }
        return open
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
        let name = paths.withLock { $0[file] } ?? path
        let isFull = sizes.withLock { sizes in
            let used = sizes.values.reduce(0, +)
            if used + Int64(bytes.count) > room { return true }
            sizes[name, default: 0] += Int64(bytes.count)
            return false
        }
        if isFull { throw .noSpace("the disk is full (write \(path))") }
        try real.write(bytes, to: file, at: offset, path: path)
    }

    func startWriteback(of file: Int32, from offset: Int64, length: Int64) {}

    func synchronize(_ file: Int32, path: String) throws(StoreError) {
        try real.synchronize(file, path: path)
    }

    func link(_ path: String, to newPath: String) throws(StoreError) {
        try real.link(path, to: newPath)
        sizes.withLock { sizes in
            // The bytes are counted under the name that stays.
            sizes[newPath] = sizes[path] ?? 0
            sizes[path] = 0
        }
    }

    func rename(_ path: String, to newPath: String) throws(StoreError) {
        try real.rename(path, to: newPath)
        sizes.withLock { sizes in sizes[newPath] = sizes.removeValue(forKey: path) ?? 0 }
    }

    func synchronizeFolder(_ path: String) throws(StoreError) {
        try real.synchronizeFolder(path)
    }

    func remove(_ path: String) throws(StoreError) {
        try real.remove(path)
        _ = sizes.withLock { $0.removeValue(forKey: path) }
    }

    func list(_ folder: String) throws(StoreError) -> [String] {
        try real.list(folder)
    }

    func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try real.open(path)
    }

    func read(
        _ file: Int32,
        at offset: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        path: String
    ) throws(StoreError) -> Int {
        try real.read(file, at: offset, into: buffer, path: path)
    }

    func close(_ file: Int32) {
        _ = paths.withLock { $0.removeValue(forKey: file) }
        real.close(file)
    }

    func diskSpace(at folder: String) throws(StoreError) -> DiskSpace {
        let used = sizes.withLock { $0.values.reduce(0, +) }
        return DiskSpace(total: ByteCount(total), free: ByteCount(max(0, room - used)))
    }
}
