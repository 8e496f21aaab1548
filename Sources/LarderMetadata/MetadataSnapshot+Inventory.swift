import GRDB
package import LarderCore

/// An entry, for a planner.
package struct InventoryRow: Sendable {
    package let id: Int64
    package let key: String
    package let scope: String
    package let writer: String?
    package let pushedAt: Timestamp
    package let lastUsed: Timestamp
    package let untaggedAt: Timestamp?
    package let archivedAt: Timestamp?
    package let restoredAt: Timestamp?
    /// The blob of its value.
    package let blobID: Int64
    package let size: Int64
}

/// A blob that an entry refers to.
package struct ReferenceRow: Sendable {
    package let entry: Int64
    package let blobID: Int64
    package let size: Int64
}

/// What decides whether a blob's bytes become free.
package struct LinkState: Sendable {
    package let size: Int64
    /// Entries of the repository that refer to it.
    package let entryCount: Int64
    package let isExplicit: Bool
    /// Repositories that link it.
    package let linkCount: Int64
}

/// What planners read, in slices: no read takes long, however large the repository is.
extension MetadataSnapshot {
    /// Visible entries behind one, by scope and key.
    package func inventory(
        in repository: RepositoryID,
        after last: (scope: String, key: String)?,
        atMost limit: Int
    ) throws -> [InventoryRow] {
        try db.all(
            """
            SELECT e.id, e.key, e.scope, e.writer, e.pushed_at, e.last_used, e.untagged_at, e.archived_at, e.blob_id,
                coalesce(b.size, 0), e.restored_at
            FROM entry e LEFT JOIN blob b ON b.id = e.blob_id
            WHERE e.repository_id = ?1 AND (e.scope, e.key) > (?2, ?3) AND e.is_dead = 0 AND e.hidden_at IS NULL
                AND e.scope <> '#pending'
            ORDER BY e.scope, e.key LIMIT ?4
            """,
            .integer(repository),
            .text(last?.scope ?? ""),
            .text(last?.key ?? ""),
            .integer(Int64(limit))
        ) { row in
            InventoryRow(
                id: row.integer(0),
                key: row.text(1),
                scope: row.text(2),
                writer: row.isNull(3) ? nil : row.text(3),
                pushedAt: Timestamp(milliseconds: row.integer(4)),
                lastUsed: Timestamp(milliseconds: row.integer(5)),
                untaggedAt: row.optionalInteger(6).map { Timestamp(milliseconds: $0) },
                archivedAt: row.optionalInteger(7).map { Timestamp(milliseconds: $0) },
                restoredAt: row.optionalInteger(10).map { Timestamp(milliseconds: $0) },
                blobID: row.integer(8),
                size: row.integer(9)
            )
        }
    }

    /// Tags behind one, with the entries that they name.
    package func inventoryTags(
        in repository: RepositoryID,
        after last: String,
        atMost limit: Int
    ) throws -> [(name: String, entry: Int64, givenAt: Timestamp)] {
        try db.all(
            "SELECT name, entry_id, updated_at FROM tag WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
            .integer(repository),
            .text(last),
            .integer(Int64(limit))
        ) { ($0.text(0), $0.integer(1), Timestamp(milliseconds: $0.integer(2))) }
    }

    /// Which blobs the indexes of a repository refer to that are manifests, behind a pair.
    package func inventoryChildren(
        in repository: RepositoryID,
        after last: (blobID: Int64, entry: Int64),
        atMost limit: Int
    ) throws -> [(blobID: Int64, entry: Int64)] {
        try db.all(
            """
            SELECT blob_id, entry_id FROM manifest_child
            WHERE repository_id = ? AND (blob_id, entry_id) > (?, ?) ORDER BY blob_id, entry_id LIMIT ?
            """,
            .integer(repository),
            .integer(last.blobID),
            .integer(last.entry),
            .integer(Int64(limit))
        ) { ($0.integer(0), $0.integer(1)) }
    }

    /// What manifests of a repository are about, by their SHA-256 where that is known.
    package func inventorySubjects(
        in repository: RepositoryID,
        after last: (subject: String, entry: Int64),
        atMost limit: Int
    ) throws -> [(subject: String, entry: Int64, key: String)] {
        try db.all(
            """
            SELECT subject, entry_id FROM manifest
            WHERE repository_id = ? AND subject IS NOT NULL AND (subject, entry_id) > (?, ?)
            ORDER BY subject, entry_id LIMIT ?
            """,
            .integer(repository),
            .text(last.subject),
            .integer(last.entry),
            .integer(Int64(limit))
        ) { row in
            let digest = Digest(row.text(0))
            let sha256 = try digest.flatMap { try db.sha256(of: $0) }
            return (row.text(0), row.integer(1), sha256.map { "\($0)" } ?? row.text(0))
        }
    }

    /// A label of some entries.
    package func labels(
        of entries: some Sequence<Int64>,
        named names: Set<String>
    ) throws -> [(entry: Int64, name: String, value: String)] {
        var result: [(entry: Int64, name: String, value: String)] = []
        for entry in entries {
            for name in names {
                let value = try db.first(
                    "SELECT value FROM label WHERE entry_id = ? AND name = ?",
                    .integer(entry),
                    .text(name)
                ) { $0.text(0) }
                if let value { result.append((entry, name, value)) }
            }
        }
        return result
    }

    /// What some entries refer to beside their values.
    package func references(of entries: some Sequence<Int64>) throws -> [ReferenceRow] {
        try entries.flatMap { entry in
            try db.all(
                "SELECT r.blob_id, b.size FROM reference r JOIN blob b ON b.id = r.blob_id WHERE r.entry_id = ?",
                .integer(entry)
            ) { ReferenceRow(entry: entry, blobID: $0.integer(0), size: $0.integer(1)) }
        }
    }

    /// Hidden entries of a repository with the blobs of their values, behind a number.
    package func hiddenEntries(
        in repository: RepositoryID,
        after last: Int64,
        atMost limit: Int
    ) throws -> [(entry: Int64, blobID: Int64)] {
        try db.all(
            """
            SELECT h.entry_id, e.blob_id FROM hidden h JOIN entry e ON e.id = h.entry_id
            WHERE h.repository_id = ? AND h.entry_id > ? ORDER BY h.entry_id LIMIT ?
            """,
            .integer(repository),
            .integer(last),
            .integer(Int64(limit))
        ) { ($0.integer(0), $0.integer(1)) }
    }

    /// Visible manifests without other tags that are about some entries, or whose tags say so.
    package func followers(of entries: some Sequence<Int64>, in repository: RepositoryID) throws -> [Int64] {
        var result: [Int64] = []
        for entry in entries {
            let names = try db.first(
                "SELECT m.digest, e.key FROM manifest m JOIN entry e ON e.id = m.entry_id WHERE m.entry_id = ?",
                .integer(entry)
            ) { Set([$0.text(0), $0.text(1)]) }
            for name in names ?? [] {
                result += try db.all(
                    """
                    SELECT m.entry_id FROM manifest m WHERE m.repository_id = ? AND m.subject = ?
                        AND NOT EXISTS (SELECT 1 FROM tag t WHERE t.entry_id = m.entry_id)
                    """,
                    .integer(repository),
                    .text(name)
                ) { $0.integer(0) }
                for tag in CompanionTag.tags(of: name) {
                    let companion = try db.first(
                        "SELECT entry_id FROM tag WHERE repository_id = ? AND name = ?",
                        .integer(repository),
                        .text(tag.text)
                    ) { $0.integer(0) }
                    if let companion { result.append(companion) }
                }
            }
        }
        return result
    }

    /// Manifests of a repository that are under review.
    package func reviews(in repository: RepositoryID) throws -> [Int64] {
        try db.all(
            "SELECT r.entry_id FROM review r JOIN entry e ON e.id = r.entry_id WHERE e.repository_id = ?",
            .integer(repository)
        ) { $0.integer(0) }
    }

    /// What decides about some blobs of a repository.
    package func linkStates(
        of blobs: some Sequence<Int64>,
        in repository: RepositoryID
    ) throws -> [(blobID: Int64, state: LinkState)] {
        try blobs.compactMap { blobID in
            try db.first(
                """
                SELECT l.size, l.entry_count, l.is_explicit, b.link_count FROM link l JOIN blob b ON b.id = l.blob_id
                WHERE l.repository_id = ? AND l.blob_id = ?
                """,
                .integer(repository),
                .integer(blobID)
            ) {
                LinkState(
                    size: $0.integer(0),
                    entryCount: $0.integer(1),
                    isExplicit: $0.flag(2),
                    linkCount: $0.integer(3)
                )
            }.map { (blobID, $0) }
        }
    }
}
