import Glibc
package import LarderCore

/// The real file system.
package struct PosixBlobFiles: BlobFiles {
    package init() {}

    package func create(_ path: String) throws(StoreError) -> Int32 {
        let file = Glibc.open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("create", path) }
        return file
    }

    package func write(
        _ bytes: UnsafeRawBufferPointer,
        to file: Int32,
        at offset: Int64,
        path: String
    ) throws(StoreError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(file, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + done)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            done += count
        }
    }

    package func startWriteback(of file: Int32, from offset: Int64, length: Int64) {
        // Linux answers this advice by starting to write the range's dirty pages; those stay in the page cache.
        _ = posix_fadvise(file, off_t(offset), off_t(length), POSIX_FADV_DONTNEED)
    }

    package func synchronize(_ file: Int32, path: String) throws(StoreError) {
        guard fdatasync(file) == 0 else { throw failure("sync", path) }
    }

    package func link(_ path: String, to newPath: String) throws(StoreError) {
        guard Glibc.link(path, newPath) == 0 else { throw failure("link", newPath) }
    }

    package func rename(_ path: String, to newPath: String) throws(StoreError) {
        guard Glibc.rename(path, newPath) == 0 else { throw failure("rename", newPath) }
    }

    package func synchronizeFolder(_ path: String) throws(StoreError) {
        let folder = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("open folder", path) }
        defer { _ = Glibc.close(folder) }
        guard fsync(folder) == 0 else { throw failure("sync folder", path) }
    }

    package func remove(_ path: String) throws(StoreError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("remove", path) }
    }

    package func list(_ folder: String) throws(StoreError) -> [String] {
        guard let stream = opendir(folder) else { throw failure("list", folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while let item = readdir(stream) {
            let name = withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    package func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try open(path, O_RDONLY)
    }

    package func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try open(path, O_RDWR)
    }

    package func truncate(_ file: Int32, to byteCount: Int64, path: String) throws(StoreError) {
        guard ftruncate(file, off_t(byteCount)) == 0 else { throw failure("truncate", path) }
    }

    private func open(_ path: String, _ mode: Int32) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        let file = Glibc.open(path, mode | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT { return nil }
            throw failure("open", path)
        }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            let error = failure("stat", path)
            _ = Glibc.close(file)
            throw error
        }
        return (file, Int64(status.st_size))
    }

    package func read(
        _ file: Int32,
        at offset: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        path: String
    ) throws(StoreError) -> Int {
        while true {
            let count = pread(file, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw failure("read", path) }
        }
    }

    package func close(_ file: Int32) {
        _ = Glibc.close(file)
    }

    package func diskSpace(at folder: String) throws(StoreError) -> DiskSpace {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw failure("statvfs", folder) }
        let unit = Int64(status.f_frsize)
        return DiskSpace(
            total: ByteCount(Int64(status.f_blocks) * unit),
            free: ByteCount(Int64(status.f_bavail) * unit),
        )
    }

    private func failure(_ operation: String, _ path: String) -> StoreError {
        switch errno {
        case ENOSPC, EDQUOT: .noSpace("the disk is full (\(operation) \(path))")
        default: .io(operation: operation, path: path, code: errno)
        }
    }
}
