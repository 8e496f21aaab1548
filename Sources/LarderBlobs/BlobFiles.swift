package import LarderCore

/// The file system calls that the store makes, and nothing else: the place where tests make calls fail.
///
/// All functions block. Every failure is a `StoreError`: `noSpace` for a full disk or quota, `io` for the rest.
package protocol BlobFiles: Sendable {
    /// Creates a file that must not exist, for writing, mode 0600; returns its descriptor.
    func create(_ path: String) throws(StoreError) -> Int32
    /// Opens a file for writing and reading; nil when there is none.
    func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)?
    /// Cuts a file to a length.
    func truncate(_ file: Int32, to byteCount: Int64, path: String) throws(StoreError)
    /// Writes all bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int64, path: String) throws(StoreError)
    /// Hints that a range shall go to the disk soon, so that the final sync has less to wait for. Never fails.
    func startWriteback(of file: Int32, from offset: Int64, length: Int64)
    /// Returns when the file's bytes and length are on the disk.
    func synchronize(_ file: Int32, path: String) throws(StoreError)
    /// Gives a file a second name.
    func link(_ path: String, to newPath: String) throws(StoreError)
    /// Gives a file another name; an existing file of that name is replaced.
    func rename(_ path: String, to newPath: String) throws(StoreError)
    /// Returns when the names in a folder are on the disk.
    func synchronizeFolder(_ path: String) throws(StoreError)
    /// Removes a name; a name that is not there is a success.
    func remove(_ path: String) throws(StoreError)
    /// The names in a folder, in no order.
    func list(_ folder: String) throws(StoreError) -> [String]
    /// Opens a file for reading; nil when there is none.
    func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)?
    /// Reads up to the buffer's length at an offset; 0 at the end.
    func read(_ file: Int32, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer, path: String)
        throws(StoreError) -> Int
    /// Closes a descriptor.
    func close(_ file: Int32)
    /// What the disk below a folder has.
    func diskSpace(at folder: String) throws(StoreError) -> DiskSpace
}

/// Size and free space of the disk that holds the data folder, as an unprivileged program sees them.
package struct DiskSpace: Sendable, Equatable {
    package let total: ByteCount
    package let free: ByteCount

    package init(total: ByteCount, free: ByteCount) {
        self.total = total
        self.free = free
    }
}
