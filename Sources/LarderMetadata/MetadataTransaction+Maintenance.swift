import GRDB
package import LarderCore

/// A file that waits for its removal.
package struct PendingRemoval: Sendable {
    package let id: Int64
    package let digest: Digest
    package let generation: Int64
}

extension MetadataTransaction {
    /// Writes last uses; rows that are gone are passed over.
    package func recordUses(_ uses: some Sequence<(row: UsedRow, time: Timestamp)>) throws {
        for (row, time) in uses {
            switch row {
            case .entry(let id):
                try db.run(
                    """
                    UPDATE entry SET last_used = max(last_used, ?1), restored_at = CASE
                        WHEN restored_at IS NULL AND archived_at < ?1 THEN ?1 ELSE restored_at END WHERE id = ?2
                    """,
                    .integer(time.milliseconds),
                    .integer(id)
                )
            case .link(let repository, let blobID):
                try db.run(
                    "UPDATE link SET last_used = max(last_used, ?) WHERE repository_id = ? AND blob_id = ?",
                    .integer(time.milliseconds),
                    .integer(repository),
                    .integer(blobID)
                )
            }
        }
    }

    /// Those of some candidates that are still what a plan was made from: not used since, referred to by no entry.
    package func evictable(_ candidates: [EvictionCandidate]) throws -> [EvictionCandidate] {
        try candidates.filter { candidate in
            switch candidate.row {
            case .entry(let id):
                try db.first(
                    "SELECT 1 FROM entry WHERE id = ? AND last_used = ? AND is_dead = 0 AND hidden_at IS NULL",
                    .integer(id),
                    .integer(candidate.lastUsed.milliseconds)
                ) { _ in true } != nil && !isPinned(id)
            case .link(let repository, let blobID):
                try db.first(
                    """
                    SELECT 1 FROM link WHERE repository_id = ? AND blob_id = ? AND last_used = ? AND entry_count = 0
                    """,
                    .integer(repository),
                    .integer(blobID),
                    .integer(candidate.lastUsed.milliseconds)
                ) { _ in true } != nil
            }
        }
    }

    /// Evicts candidates that `evictable` returned in the same transaction.
    ///
    /// What an earlier one took with it is passed over.
    ///
    /// - Returns: Bytes and rows that went.
    package func evict(_ candidates: some Sequence<EvictionCandidate>) throws -> (bytes: Int64, count: Int) {
        let before = effects.usedBytes
        var count = 0
        for candidate in candidates {
            switch candidate.row {
            case .entry(let id):
                let lastUsed = try db.first(
                    "SELECT last_used FROM entry WHERE id = ? AND is_dead = 0 AND hidden_at IS NULL",
                    .integer(id)
                ) { $0.integer(0) }
                guard lastUsed == candidate.lastUsed.milliseconds, try !isPinned(id) else { continue }
                try removeEntry(id)
            case .link(let repository, let blobID):
                let link = try db.first(
                    "SELECT last_used, entry_count FROM link WHERE repository_id = ? AND blob_id = ?",
                    .integer(repository),
                    .integer(blobID)
                ) { (lastUsed: $0.integer(0), entryCount: $0.integer(1)) }
                guard let link, link.lastUsed == candidate.lastUsed.milliseconds, link.entryCount == 0 else { continue }
                try dropLink(repository, blobID: blobID)
            }
            count += 1
        }
        return (before - effects.usedBytes, count)
    }

    /// Forgets files that were removed durably.
    package func finishRemovals(_ removals: some Sequence<PendingRemoval>) throws {
        for removal in removals {
            // Numbers of rows are used again, generations never.
            try db.run(
                "DELETE FROM removal WHERE id = ? AND generation = ?",
                .integer(removal.id),
                .integer(removal.generation)
            )
        }
    }

    /// Remembers where the scrub goes on.
    package func setScrubCursor(_ blobID: Int64) throws {
        try db.run("UPDATE store SET scrub_cursor = ? WHERE id = 1", .integer(blobID))
    }
}
