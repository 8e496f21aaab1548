import Dispatch
import GRDB
import Synchronization

/// The connections that read, each with a page cache of its own.
///
/// GRDB's own pool asks the database for its schema's version at every read, a tenth of what a lookup costs, and takes
/// turns; here the connection that was used last is used next, so few of the caches are in use and those are warm.
///
/// Sendable because what is free is behind its lock, and a connection serializes its own use.
final class ReaderPool: Sendable {
    /// Of each connection, in KiB: the caches hold the indexes' pages; the operating system caches the rest of the file.
    private static let cacheSize = 12 << 10

    private let all: [DatabaseQueue]
    private let free: Mutex<[DatabaseQueue]>
    private let freeCount: DispatchSemaphore

    /// Opens connections to a database that is in WAL mode.
    ///
    /// Blocks.
    init(path: String, count: Int) throws {
        var configuration = Configuration()
        configuration.label = "larder.reader"
        configuration.readonly = true
        configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -\(Self.cacheSize)") }
        let connections = try (0..<count).map { _ in try DatabaseQueue(path: path, configuration: configuration) }
        all = connections
        free = Mutex(connections)
        freeCount = DispatchSemaphore(value: count)
    }

    /// Reads in one snapshot; blocks while all connections are in use.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        freeCount.wait()
        let connection = free.withLock { $0.popLast() }
        guard let connection else { preconditionFailure("the semaphore counts free connections") }
        defer {
            free.withLock { $0.append(connection) }
            freeCount.signal()
        }
        return try connection.unsafeRead { db in
            // The transaction is ours, as its statements stay prepared: GRDB's would be compiled for every read.
            try db.run("BEGIN")
            defer { try? db.run("COMMIT") }
            return try body(db)
        }
    }

    func close() throws {
        for connection in all { try connection.close() }
    }
}
