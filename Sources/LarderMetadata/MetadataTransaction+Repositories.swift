import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Creates a repository, or returns the one of that name.
    ///
    /// - Throws: `notAllowed` when it exists with another kind.
    package func createRepository(
        _ name: RepositoryName,
        kind: RepositoryKind,
        settings: RepositorySettings,
        now: Timestamp
    ) throws -> Repository {
        if let existing = try db.repositories(where: "name = ?", .text(name.text)).first {
            guard existing.kind == kind else {
                throw StoreError.notAllowed("repository \(name) exists and is a \(existing.kind.rawValue)")
            }
            return existing
        }
        try db.run(
            """
            INSERT INTO repository (name, kind, created_at, quota_bytes, quota_entries, validates_content,
                allows_sparse, has_been_sparse, has_immutable_tags, mutable_tags, undo_time, prune_schedule,
                allows_overwrite)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12)
            """,
            .text(name.text),
            .text(kind.rawValue),
            .integer(now.milliseconds),
            .optional(settings.quotaBytes?.bytes),
            .optional(settings.quotaEntries),
            .flag(settings.validatesContent),
            .flag(settings.allowsSparse),
            .flag(settings.tagsAreImmutable),
            .text(Self.text(of: settings.mutableTags)),
            .optional(settings.undoTime?.wholeMilliseconds),
            settings.pruneSchedule.map { .text($0) } ?? .null,
            .flag(settings.allowsOverwrite)
        )
        return Repository(
            id: db.lastInsertedRowID,
            name: name,
            kind: kind,
            createdAt: now,
            settings: settings,
            usedBytes: 0,
            entryCount: 0
        )
    }

    /// Replaces a repository's settings; nil when it is gone.
    package func setRepository(_ id: RepositoryID, settings: RepositorySettings) throws -> Repository? {
        try db.run(
            """
            UPDATE repository SET quota_bytes = ?, quota_entries = ?, validates_content = ?,
                allows_sparse = ?4, has_been_sparse = max(has_been_sparse, ?4), has_immutable_tags = ?, mutable_tags = ?,
                undo_time = ?, prune_schedule = ?, allows_overwrite = ?
            WHERE id = ?
            """,
            .optional(settings.quotaBytes?.bytes),
            .optional(settings.quotaEntries),
            .flag(settings.validatesContent),
            .flag(settings.allowsSparse),
            .flag(settings.tagsAreImmutable),
            .text(Self.text(of: settings.mutableTags)),
            .optional(settings.undoTime?.wholeMilliseconds),
            settings.pruneSchedule.map { .text($0) } ?? .null,
            .flag(settings.allowsOverwrite),
            .integer(id)
        )
        return try db.repositories(where: "id = ?", .integer(id)).first
    }

    /// No tag has a space in it, and so no pattern.
    private static func text(of patterns: [TagPattern]) -> String {
        patterns.map(\.text).joined(separator: " ")
    }

    /// Frees a repository's name and marks it for removal in slices (`flushRepository`, then `dropRepository`).
    package func deleteRepository(_ id: RepositoryID) throws {
        // `#` is in no valid name, so the new name collides with none.
        try db.run(
            "UPDATE repository SET is_deleted = 1, name = name || '#' || id WHERE id = ? AND is_deleted = 0",
            .integer(id)
        )
        try db.run("DELETE FROM pin WHERE repository_id = ?", .integer(id))
    }

    /// Removes a bounded number of entries and loose links that were pushed until a moment, for good.
    ///
    /// What is pinned stays.
    ///
    /// - Returns: Whether more is left.
    package func flushRepository(_ id: RepositoryID, pushedUntil: Timestamp, atMost limit: Int) throws -> Bool {
        try db.run(
            "DELETE FROM pin WHERE repository_id = ?1 AND EXISTS "
                + "(SELECT 1 FROM repository WHERE id = ?1 AND is_deleted = 1)",
            .integer(id)
        )
        // A manifest that was tagged since was pushed again; one that an index names goes after the index, if that goes.
        let entries = try db.all(
            """
            SELECT e.id FROM entry e WHERE e.repository_id = ?1 AND e.is_dead = 0 AND e.pushed_at <= ?2
                AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.entry_id = e.id AND t.updated_at > ?2)
                AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.repository_id = ?1 AND p.item = 'entry' AND p.name = e.key)
                AND NOT EXISTS (SELECT 1 FROM tag t JOIN pin p ON p.repository_id = t.repository_id
                    AND p.item = 'tag' AND p.name = t.name WHERE t.entry_id = e.id)
                AND NOT EXISTS (SELECT 1 FROM manifest m
                    JOIN link l ON l.repository_id = e.repository_id AND l.blob_id = e.blob_id AND l.entry_count > 1
                    WHERE m.entry_id = e.id)
            LIMIT ?3
            """,
            .integer(id),
            .integer(pushedUntil.milliseconds),
            .integer(Int64(limit))
        ) { $0.integer(0) }
        for entry in entries {
            try removeEntry(entry)
        }
        if entries.count == limit { return true }
        if try removeDeadEntries(atMost: limit) { return true }
        let links = try db.all(
            "SELECT blob_id FROM link WHERE repository_id = ? AND entry_count = 0 AND pushed_at <= ? LIMIT ?",
            .integer(id),
            .integer(pushedUntil.milliseconds),
            .integer(Int64(limit))
        ) { $0.integer(0) }
        for blobID in links {
            try dropLink(id, blobID: blobID)
        }
        // What went may have been all that kept something else.
        return !entries.isEmpty || !links.isEmpty
    }

    /// Removes the row of a deleted repository that is empty by now.
    package func dropRepository(_ id: RepositoryID) throws {
        try db.run("DELETE FROM upload WHERE repository_id = ?", .integer(id))
        try db.run("DELETE FROM tag WHERE repository_id = ?", .integer(id))
        try db.run("DELETE FROM repository WHERE id = ? AND is_deleted = 1", .integer(id))
        effects.repositories[id] = nil
    }
}

extension Database {
    func repositories(where condition: String, _ value: SQLValue) throws -> [Repository] {
        try all(
            """
            SELECT id, name, kind, created_at, quota_bytes, quota_entries, validates_content, used_bytes, entry_count,
                allows_sparse, has_immutable_tags, mutable_tags, has_been_sparse, undo_time, prune_schedule,
                policy_set_at, pruned_at, allows_overwrite
            FROM repository WHERE is_deleted = 0 AND \(condition)
            """,
            value
        ) { row in
            guard let name = RepositoryName(row.text(1)), let kind = RepositoryKind(rawValue: row.text(2)) else {
                throw StoreError.corrupt("repository \(row.integer(0)) has an invalid name or kind")
            }
            var settings = RepositorySettings(
                quotaBytes: row.optionalInteger(4).map { ByteCount($0) },
                quotaEntries: row.optionalInteger(5),
                validatesContent: row.flag(6)
            )
            settings.allowsSparse = row.flag(9)
            settings.tagsAreImmutable = row.flag(10)
            settings.mutableTags = row.text(11).split(separator: " ").compactMap { TagPattern($0) }
            settings.undoTime = row.optionalInteger(13).map { .milliseconds($0) }
            settings.pruneSchedule = row.isNull(14) ? nil : row.text(14)
            settings.allowsOverwrite = row.flag(17)
            var repository = Repository(
                id: row.integer(0),
                name: name,
                kind: kind,
                createdAt: Timestamp(milliseconds: row.integer(3)),
                settings: settings,
                usedBytes: row.integer(7),
                entryCount: row.integer(8),
                hasBeenSparse: row.flag(12)
            )
            repository.policySetAt = row.optionalInteger(15).map { Timestamp(milliseconds: $0) }
            repository.prunedAt = row.optionalInteger(16).map { Timestamp(milliseconds: $0) }
            return repository
        }
    }
}
