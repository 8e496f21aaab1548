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
                try recordUse(of: id, at: time)
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

    /// Writes the last use of an entry, which brings it back from the archive.
    func recordUse(of entry: Int64, at time: Timestamp) throws {
        try db.run(
            """
            UPDATE entry SET last_used = max(last_used, ?1), restored_at = CASE
                WHEN restored_at IS NULL AND archived_at < ?1 THEN ?1 ELSE restored_at END WHERE id = ?2
            """,
            .integer(time.milliseconds),
            .integer(entry)
        )
    }

    /// Evicts candidates that are still what the plan was made from: not used since, referred to by no entry.
    ///
    /// - Returns: Bytes and rows that went.
    package func evict(_ candidates: some Sequence<EvictionCandidate>) throws -> (bytes: Int64, count: Int) {
        let before = effects.usedBytes
        var count = 0
        for candidate in candidates {
            // Only what really goes is claimed, as that makes it a miss meanwhile.
            guard try isEvictable(candidate), isClaimed(candidate.row) else { continue }
            switch candidate.row {
            case .entry(let id): try removeEntry(id)
            case .link(let repository, let blobID): try dropLink(repository, blobID: blobID)
            }
            count += 1
        }
        return (before - effects.usedBytes, count)
    }

    private func isEvictable(_ candidate: EvictionCandidate) throws -> Bool {
        switch candidate.row {
        case .entry(let id):
            let lastUsed = try db.first(
                "SELECT last_used FROM entry WHERE id = ? AND is_dead = 0 AND hidden_at IS NULL",
                .integer(id)
            ) { $0.integer(0) }
            return try lastUsed == candidate.lastUsed.milliseconds && !isPinned(id)
        case .link(let repository, let blobID):
            let link = try db.first(
                "SELECT last_used, entry_count FROM link WHERE repository_id = ? AND blob_id = ?",
                .integer(repository),
                .integer(blobID)
            ) { (lastUsed: $0.integer(0), entryCount: $0.integer(1)) }
            return link.map { $0.lastUsed == candidate.lastUsed.milliseconds && $0.entryCount == 0 } ?? false
        }
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
