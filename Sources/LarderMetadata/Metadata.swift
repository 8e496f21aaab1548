import Foundation
import GRDB
package import LarderCore
package import LarderMigrations

/// The database: everything the store knows beside the bytes of larger blobs.
///
/// One connection writes, a bounded number read. Opened once, by the process that holds the data folder's lock.
package final class Metadata: Sendable {
    /// The writer; its own readers only migrate.
    private let pool: DatabasePool
    private let readers: ReaderPool
    /// A connection of its own, so that the log is moved into the database while the writer goes on.
    private let checkpointer: DatabaseQueue
    /// Another, whose snapshot keeps the log from beginning anew while the first one works.
    private let logKeeper: DatabaseQueue
    private let log: WriteAheadLog
    private let path: String

    /// Opens the database and brings its schema up to date.
    ///
    /// Blocks.
    ///
    /// A copy (`larder.sqlite.before-<step>`) is made before an existing database is upgraded.
    ///
    /// `readerCountMax`: Connections for reading; each holds up to 12 MiB of pages.
    ///
    /// Throws `notAllowed` when a newer program wrote the database, `corrupt` or `io` when it can't be read.
    package init(
        path: String,
        readerCountMax: Int,
        now: Timestamp,
        migrations: [Migrations.Step] = Migrations.all
    ) throws(StoreError) {
        self.path = path
        do {
            var configuration = Configuration()
            configuration.maximumReaderCount = 1
            configuration.label = "larder"
            // Bounded, in KiB.
            configuration.prepareDatabase { db in try db.execute(sql: "PRAGMA cache_size = -8192") }
            pool = try DatabasePool(path: path, configuration: configuration)
            try Self.migrate(pool, path: path, migrations: migrations)
            readers = try ReaderPool(path: path, count: readerCountMax)
            var plain = Configuration()
            plain.label = "larder.checkpointer"
            checkpointer = try DatabaseQueue(path: path, configuration: plain)
            logKeeper = try DatabaseQueue(path: path, configuration: plain)
            // A connection knows of the log from its first read on.
            for connection in [checkpointer, logKeeper] {
                _ = try connection.read { try $0.first("SELECT id FROM store") { $0.integer(0) } }
            }
            log = try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                // Debian's SQLite overwrites what is deleted with zeros, which writes all of it to the log: a full disk
                // could not be freed, as eviction would need as much room as it makes.
                try db.execute(sql: "PRAGMA secure_delete = OFF")
                try db.run("INSERT OR IGNORE INTO store (id, created_at) VALUES (1, ?)", .integer(now.milliseconds))
                let log = try WriteAheadLog(path: "\(path)-wal")
                log.attach(to: db)
                return log
            }
        } catch {
            throw StoreError(metadata: error, doing: "open \(path)")
        }
    }

    private static func migrate(_ pool: DatabasePool, path: String, migrations: [Migrations.Step]) throws {
        var migrator = DatabaseMigrator()
        for step in migrations {
            migrator.registerMigration(step.identifier) { db in try db.execute(sql: step.sql) }
        }
        let (applied, isSuperseded, isComplete) = try pool.read { db in
            (
                try migrator.appliedIdentifiers(db), try migrator.hasBeenSuperseded(db),
                try migrator.hasCompletedMigrations(db)
            )
        }
        if isSuperseded {
            let known = Set(migrations.map(\.identifier))
            let unknown = applied.subtracting(known).sorted().joined(separator: ", ")
            throw StoreError.notAllowed(
                "\(path) was written by a newer larder (it has \(unknown)): use that version or a newer one"
            )
        }
        if isComplete { return }
        if !applied.isEmpty, let next = migrations.first(where: { !applied.contains($0.identifier) }) {
            let copy = "\(path).before-\(next.identifier)"
            try? FileManager.default.removeItem(atPath: copy)
            try pool.writeWithoutTransaction { db in try db.execute(sql: "VACUUM INTO ?", arguments: [copy]) }
        }
        try migrator.migrate(pool)
    }

    /// Raises the number of starts and returns it: the base of this process's generations.
    ///
    /// Durable on return. Blocks.
    package func recordStart() throws(StoreError) -> Int64 {
        do {
            let count = try pool.write { db in
                try db.run("UPDATE store SET start_count = start_count + 1 WHERE id = 1")
                return try db.first("SELECT start_count FROM store WHERE id = 1") { $0.integer(0) } ?? 0
            }
            try log.synchronize()
            return count
        } catch {
            throw StoreError(metadata: error, doing: "record the start")
        }
    }

    /// Runs one transaction: when it returns, every reader sees it, but only `synchronize` makes it durable.
    ///
    /// Blocks: for the committer's thread.
    ///
    /// - Returns: The body's value and what the transaction changed, for whoever mirrors it in memory.
    /// - Throws: What the body throws, after rolling everything back.
    package func write<Value>(
        _ body: (MetadataTransaction) throws -> Value
    ) throws(StoreError) -> (value: Value, effects: MetadataEffects) {
        do {
            return try pool.writeWithoutTransaction { db in
                let transaction = MetadataTransaction(db)
                // As statements of ours, which stay prepared; GRDB's own would be compiled for every transaction.
                try db.run("BEGIN IMMEDIATE")
                do {
                    let value = try body(transaction)
                    try transaction.writeCounters()
                    try db.run("COMMIT")
                    return (value, transaction.effects)
                } catch {
                    // Some failures have rolled back already.
                    if db.isInsideTransaction { try? db.run("ROLLBACK") }
                    throw error
                }
            }
        } catch {
            throw StoreError(metadata: error, doing: "write")
        }
    }

    /// Makes every transaction that returned before durable: they survive a power cut from here on.
    ///
    /// Blocks. After a failure nobody knows what the disk has of them: nothing more may be promised by this process.
    package func synchronize() throws(StoreError) {
        try log.synchronize()
    }

    /// Reads in one snapshot.
    ///
    /// Blocks: for threads of the file pool. Keep it well under a second.
    package func read<Value>(_ body: (MetadataSnapshot) throws -> Value) throws(StoreError) -> Value {
        do {
            return try readers.read { try body(MetadataSnapshot($0)) }
        } catch {
            throw StoreError(metadata: error, doing: "read")
        }
    }

    /// Moves the write-ahead log into the database and cuts it, as far as readers let it.
    ///
    /// On a full disk this is what makes the next transaction possible: the database's pages have their places, the log
    /// would have to grow.
    package func checkpoint() async {
        _ = try? await pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
    }

    /// Bytes of the write-ahead log that commits have used since it was begun anew.
    package var walLength: ByteCount { ByteCount(Int64(log.length) * WriteAheadLog.pageSize) }

    /// Moves what the write-ahead log holds into the database and has it synced, while transactions go on.
    ///
    /// Blocks for as long as the disk needs.
    ///
    /// - Returns: Bytes of the log that are in the database now; the rest was committed meanwhile, or a reader needs the
    ///   older state. nil when nothing could be moved.
    package func moveLog() -> ByteCount? {
        // While a reader has a snapshot the log can't begin anew. SQLite before 3.51.3 needs that: a checkpoint that began on
        // a log which the writer then resets would mark frames as moved that are not ("The WAL-reset bug").
        let frameCount = try? logKeeper.inDatabase { reader in
            try reader.run("BEGIN")
            defer { try? reader.run("COMMIT") }
            _ = try reader.first("SELECT id FROM store") { $0.integer(0) }
            return try checkpointer.inDatabase { db in
                let count = try db.checkpoint(.passive).checkpointedFrameCount
                // SQLite itself leaves the sync to the checkpoint that catches up with the log.
                db.synchronizeFile()
                return count
            }
        }
        return frameCount.map { ByteCount(Int64(max(0, $0)) * WriteAheadLog.pageSize) }
    }

    /// Moves the rest, on the writer's connection: if no reader is in the way, the next transaction begins the log anew.
    ///
    /// Blocks; short after `moveLog`.
    package func finishMovingLog() {
        _ = try? pool.writeWithoutTransaction { db in try db.checkpoint(.passive) }
    }

    /// Size of the write-ahead log's file in bytes; it is kept when the log begins anew.
    package var walByteCount: Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: "\(path)-wal")
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }

    /// Rewrites the database without its free pages.
    ///
    /// Suspends for as long as that takes; nothing is written meanwhile.
    ///
    /// - Returns: Bytes of the database file before and after.
    package func compact() async throws(StoreError) -> (before: Int64, after: Int64) {
        do {
            return try await pool.writeWithoutTransaction { [path] db in
                func size() -> Int64 {
                    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                    return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
                }
                try db.checkpoint(.truncate)
                let before = size()
                try db.execute(sql: "VACUUM")
                try db.checkpoint(.truncate)
                return (before, size())
            }
        } catch {
            throw StoreError(metadata: error, doing: "compact")
        }
    }

    /// Moves the WAL into the database file and closes all connections.
    ///
    /// Blocks.
    package func close() throws(StoreError) {
        do {
            // So that the one file is all there is to copy.
            // On a full disk the log stays, and the next start reads it.
            _ = try? pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
            try checkpointer.close()
            try logKeeper.close()
            try readers.close()
            try pool.close()
        } catch {
            throw StoreError(metadata: error, doing: "close")
        }
    }
}

/// What a transaction changed, for the state in memory that mirrors it.
package struct MetadataEffects: Sendable {
    /// Change of the store's used bytes.
    package var usedBytes: Int64 = 0
    /// Change of the number of blobs.
    package var blobCount: Int64 = 0
    /// Changes by repository.
    package var repositories: [RepositoryID: RepositoryChange] = [:]
    /// Names that no longer read as before: what the hot set must forget before anybody is answered (V1).
    package var changedNames: [StoredName] = []
    /// Whether a blob was quarantined or healed: the number of quarantined blobs is to be read again.
    var quarantineChanged = false
    /// Blobs in quarantine after the transaction, if it changed their number.
    package internal(set) var quarantinedCount: Int64?
    /// Whether files wait for their removal.
    package var hasRemovals = false
    /// Whether dead entries wait for their references to go.
    package var hasDeadEntries = false

    package struct RepositoryChange: Sendable {
        package var usedBytes: Int64 = 0
        package var entryCount: Int64 = 0
    }
}
