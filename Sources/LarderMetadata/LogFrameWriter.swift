import GRDB
import GRDBSQLite
import Glibc

/// Writes each frame of the log with one system call, where SQLite makes two: 24 bytes of header, then the page.
///
/// Half of all system calls of a small upload were these, and every one of them on the way of the next transaction.
///
/// SQLite calls a file through the table of functions that its handle points to. This is a copy of that table with
/// another `xWrite`, which keeps the header of a new frame back until its page comes with the very next call. So nothing
/// is ever late: a header without its page means nothing, and failures are those of the call that brings the page.
///
/// It is bound to the one connection that writes, and used under that connection's lock.
struct LogFrameWriter {
    /// SQLite: "WAL-Frame Header" (file format, section 4.1).
    private static let headerLength = 24
    /// SQLITE_IOERR_WRITE, which the importer does not know.
    private static let writeFailed = SQLITE_IOERR | (3 << 8)

    /// What SQLite sees; first, so that a pointer to it is one to the whole.
    private var methods: sqlite3_io_methods
    private let original: UnsafePointer<sqlite3_io_methods>
    private let descriptor: Int32
    /// The header that waits, and where it belongs.
    private let header: UnsafeMutableRawPointer
    private var headerOffset: sqlite3_int64?
    /// Where the frames end that were written since the log began anew.
    ///
    /// Only a header from here on is a new frame's: SQLite also rewrites headers of old frames, without their pages.
    private var end: sqlite3_int64 = .max

    /// Takes the place of the log's functions on a connection that has written before.
    ///
    /// `descriptor`: The log, open for writing for as long as the connection is.
    ///
    /// Never freed, as the connection may be used until the process ends; some 200 bytes.
    static func install(on db: Database, descriptor: Int32) {
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard
            sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK,
            let file, let original = file.pointee.pMethods
        else { return }
        var methods = original.pointee
        methods.xWrite = { file, bytes, count, offset in
            guard let file, let bytes, let table = file.pointee.pMethods else { return LogFrameWriter.writeFailed }
            let writer = UnsafeMutableRawPointer(mutating: UnsafeRawPointer(table))
                .assumingMemoryBound(to: LogFrameWriter.self)
            return writer.pointee.write(bytes, Int(count), at: offset, to: file)
        }
        let writer = UnsafeMutablePointer<LogFrameWriter>.allocate(capacity: 1)
        writer.initialize(
            to: LogFrameWriter(
                methods: methods,
                original: original,
                descriptor: descriptor,
                header: .allocate(byteCount: headerLength, alignment: 8)
            )
        )
        file.pointee.pMethods = UnsafePointer(UnsafeRawPointer(writer).assumingMemoryBound(to: sqlite3_io_methods.self))
    }

    private mutating func write(
        _ bytes: UnsafeRawPointer,
        _ count: Int,
        at offset: sqlite3_int64,
        to file: UnsafeMutablePointer<sqlite3_file>
    ) -> Int32 {
        if let headerOffset {
            self.headerOffset = nil
            if offset == headerOffset + sqlite3_int64(Self.headerLength) {
                return writeFrame(bytes, count, at: headerOffset)
            }
            // Not what SQLite does; but nothing that it wrote may be lost.
            let code = writeThrough(header, Self.headerLength, at: headerOffset, to: file)
            guard code == SQLITE_OK else { return code }
        }
        // The log's own header begins it anew.
        if offset == 0 { end = sqlite3_int64(count) }
        guard count == Self.headerLength, offset >= end else {
            return writeThrough(bytes, count, at: offset, to: file)
        }
        header.copyMemory(from: bytes, byteCount: count)
        headerOffset = offset
        return SQLITE_OK
    }

    private func writeThrough(
        _ bytes: UnsafeRawPointer,
        _ count: Int,
        at offset: sqlite3_int64,
        to file: UnsafeMutablePointer<sqlite3_file>
    ) -> Int32 {
        original.pointee.xWrite?(file, bytes, Int32(count), offset) ?? Self.writeFailed
    }

    private mutating func writeFrame(_ page: UnsafeRawPointer, _ count: Int, at start: sqlite3_int64) -> Int32 {
        let wanted = Self.headerLength + count
        let written = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
            parts[0] = iovec(iov_base: header, iov_len: Self.headerLength)
            parts[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: page), iov_len: count)
            while true {
                let written = pwritev(descriptor, parts.baseAddress, 2, off_t(start))
                if written >= 0 || errno != EINTR { return written }
            }
        }
        if written == wanted {
            end = start + sqlite3_int64(wanted)
            return SQLITE_OK
        }
        // As SQLite's own: what is written short has no room.
        return written < 0 && errno != ENOSPC && errno != EDQUOT ? Self.writeFailed : SQLITE_FULL
    }
}
