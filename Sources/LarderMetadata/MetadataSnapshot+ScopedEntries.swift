import GRDB
package import LarderCore

/// An entry of a scope, as it is listed and looked up.
package struct ScopedEntry: Sendable {
    package let id: Int64
    package let scope: String
    package let key: String
    package let pushedAt: Timestamp
    package let lastUsed: Timestamp
    /// Its value.
    package let value: FoundBlob
}

/// What a repository knows of a blob that somebody asks about.
package enum BlobPresence: Sendable, Equatable {
    /// It is there; when it was last used as far as the database knows.
    case linked(blobID: Int64, lastUsed: Timestamp)
    /// Another repository has it.
    case elsewhere(RepositoryID, size: Int64)
    case missing
}

extension MetadataSnapshot {
    private static let scopedColumns = """
        e.id, e.scope, e.key, e.pushed_at, e.last_used, b.id, b.sha256, b.size, b.generation, i.bytes
        FROM entry e JOIN blob b ON b.id = e.blob_id LEFT JOIN blob_bytes i ON i.blob_id = b.id
        """
    private static let areVisible = """
        e.is_complete = 1 AND e.is_dead = 0 AND e.hidden_at IS NULL AND b.is_quarantined = 0
        """

    /// The entry of a key in a scope; nil when there is none, or what it refers to is damaged.
    package func scopedEntry(
        _ key: EntryKey,
        scope: EntryScope,
        in repository: RepositoryID,
        checkingQuarantine: Bool
    ) throws -> ScopedEntry? {
        let entry = try db.first(
            """
            SELECT \(Self.scopedColumns)
            WHERE e.repository_id = ? AND e.scope = ? AND e.key = ? AND \(Self.areVisible)
            """,
            .integer(repository),
            .text(scope.text),
            .text(key.text)
        ) { try Self.scopedEntry($0) }
        guard let entry, try !checkingQuarantine || !db.isDamaged(entry: entry.id) else { return nil }
        return entry
    }

    /// The entry of a scope that was saved last among those whose keys begin with a prefix, and of which nothing is damaged.
    ///
    /// Takes time that grows with the number of such keys.
    package func newestEntry(
        prefix: EntryKey,
        scope: EntryScope,
        in repository: RepositoryID,
        checkingQuarantine: Bool
    ) throws -> ScopedEntry? {
        // Sorted without what they hold.
        let ids = try db.all(
            """
            SELECT id FROM entry
            WHERE repository_id = ?1 AND scope = ?2 AND key >= ?3 AND (?4 IS NULL OR key < ?4)
                AND is_complete = 1 AND is_dead = 0 AND hidden_at IS NULL
            ORDER BY pushed_at DESC, id DESC
            """,
            .integer(repository),
            .text(scope.text),
            .text(prefix.text),
            Self.end(ofPrefix: prefix.text).map { .text($0) } ?? .null
        ) { $0.integer(0) }
        for id in ids {
            let entry = try db.first(
                "SELECT \(Self.scopedColumns) WHERE e.id = ? AND b.is_quarantined = 0",
                .integer(id)
            ) { try Self.scopedEntry($0) }
            if let entry, try !checkingQuarantine || !db.isDamaged(entry: id) { return entry }
        }
        return nil
    }

    /// Entries whose keys begin with a prefix, by scope and key, behind one.
    ///
    /// `scope`: nil: all.
    package func scopedEntries(
        prefix: EntryKey,
        scope: EntryScope?,
        after last: (scope: String, key: String)?,
        in repository: RepositoryID,
        atMost limit: Int
    ) throws -> [ScopedEntry] {
        var entries: [ScopedEntry] = []
        // Scope by scope, as entries of other adapters may lie between their keys.
        var current = try scope?.text ?? last?.scope ?? firstScope(in: repository, behind: nil)
        while let text = current, entries.count < limit {
            entries += try db.all(
                """
                SELECT \(Self.scopedColumns)
                WHERE e.repository_id = ?1 AND e.scope = ?2 AND e.key >= ?3 AND e.key > ?4 AND (?5 IS NULL OR e.key < ?5)
                    AND \(Self.areVisible)
                ORDER BY e.key LIMIT ?6
                """,
                .integer(repository),
                .text(text),
                .text(prefix.text),
                .text(last?.scope == text ? last?.key ?? "" : ""),
                Self.end(ofPrefix: prefix.text).map { .text($0) } ?? .null,
                .integer(Int64(limit - entries.count))
            ) { try Self.scopedEntry($0) }
            current = try scope == nil ? firstScope(in: repository, behind: text) : nil
        }
        return entries
    }

    /// The first scope that has entries, behind one; nil when there is none.
    private func firstScope(in repository: RepositoryID, behind scope: String?) throws -> String? {
        try db.first(
            """
            SELECT scope FROM entry WHERE repository_id = ?1 AND (?2 IS NULL OR scope > ?2) AND scope <> '#pending'
            ORDER BY scope LIMIT 1
            """,
            .integer(repository),
            scope.map { .text($0) } ?? .null
        ) { $0.text(0) }
    }

    /// Where blobs are.
    ///
    /// `others`: Repositories beside this one that may be looked into.
    package func presence(
        of digests: some Sequence<Digest>,
        in repository: RepositoryID,
        others: [RepositoryID]
    ) throws -> [BlobPresence] {
        try digests.map { digest in
            let row = try db.first(
                """
                SELECT b.id, b.size, b.is_quarantined, l.last_used FROM blob b
                LEFT JOIN link l ON l.repository_id = ? AND l.blob_id = b.id WHERE b.sha256 = ?
                """,
                .integer(repository),
                .digest(digest)
            ) {
                (
                    id: $0.integer(0), size: $0.integer(1), isQuarantined: $0.flag(2),
                    lastUsed: $0.optionalInteger(3).map { Timestamp(milliseconds: $0) }
                )
            }
            guard let row, !row.isQuarantined else { return .missing }
            if let lastUsed = row.lastUsed { return .linked(blobID: row.id, lastUsed: lastUsed) }
            for other in others where try db.isLinked(row.id, in: other) {
                return .elsewhere(other, size: row.size)
            }
            return .missing
        }
    }

    /// Which of some sizes a blob of at least 16 MiB has.
    package func largeBlobSizes(among sizes: some Sequence<Int64>) throws -> Set<Int64> {
        var known: Set<Int64> = []
        for size in sizes {
            let isKnown = try db.first(
                "SELECT 1 FROM blob WHERE size = ? AND size >= 16777216 LIMIT 1",
                .integer(size)
            ) { _ in true }
            if isKnown != nil { known.insert(size) }
        }
        return known
    }

    /// The lowest text that stands behind all that begin with a prefix; nil when every text behind it does.
    ///
    /// UTF-8 sorts as its scalars do, so a range finds prefixes byte by byte, whatever characters are in them.
    static func end(ofPrefix prefix: String) -> String? {
        var scalars = Array(prefix.unicodeScalars)
        while let last = scalars.popLast() {
            // Behind U+D7FF come the surrogates, which are no scalars.
            guard let next = Unicode.Scalar(last.value == 0xd7ff ? 0xe000 : last.value + 1) else { continue }
            scalars.append(next)
            var text = ""
            text.unicodeScalars.append(contentsOf: scalars)
            return text
        }
        return nil
    }

    private static func scopedEntry(_ row: SQLRow) throws -> ScopedEntry {
        let blob = BlobRow(
            id: row.integer(5),
            digest: try row.digest(6),
            size: row.integer(7),
            generation: row.optionalInteger(8),
            isQuarantined: false
        )
        let (pushedAt, lastUsed) = (Timestamp(milliseconds: row.integer(3)), Timestamp(milliseconds: row.integer(4)))
        return ScopedEntry(
            id: row.integer(0),
            scope: row.text(1),
            key: row.text(2),
            pushedAt: pushedAt,
            lastUsed: lastUsed,
            value: FoundBlob(
                blob: blob,
                inlineBytes: blob.generation == nil ? row.bytes(9) : nil,
                used: .entry(row.integer(0)),
                lastUsed: lastUsed,
                isComplete: true,
                pushedAt: pushedAt
            )
        )
    }
}
