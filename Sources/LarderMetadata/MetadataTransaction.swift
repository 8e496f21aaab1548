import GRDB
import GRDBSQLite
package import LarderCore

/// The writes of one transaction.
///
/// Valid only inside `Metadata.write`.
///
/// Counters (used bytes, entries) are summed up here and written once at the end, however many operations of a batch
/// changed them.
package final class MetadataTransaction {
    let db: Database
    package internal(set) var effects = MetadataEffects()
    /// What removed manifests let go of, goes at once when it was not used since; nil: it waits for the sweeper (D2).
    package var unusedSince: Timestamp?
    /// Asked before a row goes because it was not used since (U1): false when a use of it is not written yet.
    package var claim: ((UsedRow) -> Bool)?

    func isClaimed(_ row: UsedRow) -> Bool { claim?(row) ?? true }

    init(_ db: Database) {
        self.db = db
    }

    /// Rows changed so far by this connection: an operation that failed without raising it has left no trace.
    package var changeCount: Int64 { Int64(sqlite3_total_changes64(db.sqliteConnection)) }

    func charge(_ repository: RepositoryID, bytes: Int64 = 0, entries: Int64 = 0) {
        var change = effects.repositories[repository] ?? .init()
        change.usedBytes += bytes
        change.entryCount += entries
        effects.repositories[repository] = change
    }

    func writeCounters() throws {
        if effects.quarantineChanged {
            effects.quarantinedCount = try MetadataSnapshot(db).quarantinedCount()
        }
        if effects.usedBytes != 0 || effects.blobCount != 0 {
            try db.run(
                "UPDATE store SET used_bytes = used_bytes + ?, blob_count = blob_count + ? WHERE id = 1",
                .integer(effects.usedBytes),
                .integer(effects.blobCount)
            )
        }
        for (id, change) in effects.repositories where change.usedBytes != 0 || change.entryCount != 0 {
            try db.run(
                "UPDATE repository SET used_bytes = used_bytes + ?, entry_count = entry_count + ? WHERE id = ?",
                .integer(change.usedBytes),
                .integer(change.entryCount),
                .integer(id)
            )
        }
    }
}

/// Reads of one snapshot.
///
/// Valid only inside `Metadata.read`.
package struct MetadataSnapshot {
    let db: Database

    init(_ db: Database) {
        self.db = db
    }
}
