import GRDB
import GRDBSQLite
import Glibc
import LarderCore
import Synchronization

/// The database's write-ahead log as a file: how long it is, and its sync.
///
/// SQLite runs with `synchronous = NORMAL`: a commit is written to the log, and seen by every reader, but only the sync of
/// the log makes it survive a power cut. That sync is ours, so that one serves many commits and the next transaction runs
/// while the disk works. What survives is always a prefix of the commits: a frame that was torn ends the log.
final class WriteAheadLog: Sendable {
    /// Bytes of a frame without its header: SQLite's default, which no database of ours changes.
    static let pageSize: Int64 = 4096

    private let path: String
    private let frameCount = Atomic<Int>(0)
    private let descriptor: Int32

    /// Opens the log of a database whose writer has written.
    init(path: String) throws(StoreError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io(operation: "open", path: path, code: errno) }
    }

    deinit {
        Glibc.close(descriptor)
    }

    /// Frames that the last commit found in the log, its own included; each is a page of the database.
    var length: Int { frameCount.load(ordering: .relaxed) }

    /// Learns the length at every commit of the writer, in place of SQLite's automatic checkpoints, and has its frames
    /// written as they should be.
    ///
    /// The log must live as long as the connection.
    func attach(to db: Database) {
        LogFrameWriter.install(on: db, descriptor: descriptor)
        sqlite3_wal_hook(
            db.sqliteConnection,
            { context, _, _, count in
                guard let context else { return SQLITE_OK }
                let log = Unmanaged<WriteAheadLog>.fromOpaque(context).takeUnretainedValue()
                log.frameCount.store(Int(count), ordering: .relaxed)
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// Makes every commit so far durable.
    ///
    /// Blocks.
    func synchronize() throws(StoreError) {
        while fdatasync(descriptor) != 0 {
            guard errno == EINTR else { throw .io(operation: "sync", path: path, code: errno) }
        }
    }
}

extension Database {
    /// Syncs the database's file as far as it is written; when that fails, the next checkpoint does it.
    func synchronizeFile() {
        var file: UnsafeMutablePointer<sqlite3_file>?
        guard sqlite3_file_control(sqliteConnection, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK,
            let file, let methods = file.pointee.pMethods
        else { return }
        _ = methods.pointee.xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY)
    }
}
