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
        var newest: ScopedEntry?
        try db.forEachRow(
            """
            SELECT \(Self.scopedColumns)
            WHERE e.repository_id = ?1 AND e.scope = ?2 AND e.key >= ?3 AND (?4 IS NULL OR e.key < ?4) AND \(Self.areVisible)
            ORDER BY e.pushed_at DESC, e.id DESC
            """,
            .integer(repository),
            .text(scope.text),
            .text(prefix.text),
            Self.end(ofPrefix: prefix.text).map { .text($0) } ?? .null
        ) { row in
            let entry = try Self.scopedEntry(row)
            if try checkingQuarantine && db.isDamaged(entry: entry.id) { return true }
            newest = entry
            return false
        }
        return newest
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
        try db.all(
            """
            SELECT \(Self.scopedColumns)
            WHERE e.repository_id = ?1 AND (e.scope, e.key) > (?2, ?3) AND (?4 IS NULL OR e.scope = ?4)
                AND e.key >= ?5 AND (?6 IS NULL OR e.key < ?6) AND \(Self.areVisible)
            ORDER BY e.scope, e.key LIMIT ?7
            """,
            .integer(repository),
            .text(last?.scope ?? ""),
            .text(last?.key ?? ""),
            scope.map { .text($0.text) } ?? .null,
            .text(prefix.text),
            Self.end(ofPrefix: prefix.text).map { .text($0) } ?? .null,
            .integer(Int64(limit))
        ) { try Self.scopedEntry($0) }
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
