import GRDB
package import LarderCore

/// What a lookup found.
package struct FoundBlob: Sendable {
    package let blob: BlobRow
    /// The bytes when they are inline.
    package let inlineBytes: [UInt8]?
    /// The row whose last use a hit renews.
    package let used: UsedRow
    package let lastUsed: Timestamp
    /// Of an entry: whether all that it names is known to be there.
    package let isComplete: Bool
    /// Of an entry: when it was pushed; of a blob: when it was linked.
    package let pushedAt: Timestamp
    /// Of a manifest.
    package var manifest: ManifestFacts?
}

extension MetadataSnapshot {
    /// Looks a name up: the blob that a repository links, or the value of an entry.
    ///
    /// nil is a miss.
    ///
    /// Quarantined blobs miss. An entry that names a quarantined blob misses too; that costs a query for each of its
    /// references, so it is asked only while `checkingQuarantine` says that there are any.
    package func find(_ name: StoredName, checkingQuarantine: Bool) throws -> FoundBlob? {
        switch name.item {
        case .blob(let digest):
            if let sha256 = try db.sha256(of: digest) {
                try checkingQuarantine
                    ? findBlob(sha256, in: name.repository)
                    : findInlineBlob(sha256, in: name.repository) ?? findBlob(sha256, in: name.repository)
            } else {
                nil
            }
        case .entry(let key): try findEntry(key, in: name.repository, checkingQuarantine: checkingQuarantine)
        case .manifest(let digest): try findManifest(digest, in: name.repository)
        case .tag(let tag): try findTag(tag, in: name.repository)
        }
    }

    /// A blob in the database, found without its row: one page less to be read, of five.
    ///
    /// For a store that has no blob in quarantine.
    private func findInlineBlob(_ digest: Digest, in repository: RepositoryID) throws -> FoundBlob? {
        try db.first(
            """
            SELECT b.id, l.size, l.last_used, l.pushed_at, i.bytes
            FROM blob b JOIN link l ON l.repository_id = ? AND l.blob_id = b.id
            JOIN blob_bytes i ON i.blob_id = b.id
            WHERE b.sha256 = ?
            """,
            .integer(repository),
            .digest(digest)
        ) { row in
            FoundBlob(
                blob: BlobRow(
                    id: row.integer(0),
                    digest: digest,
                    size: row.integer(1),
                    generation: nil,
                    isQuarantined: false
                ),
                inlineBytes: row.bytes(4),
                used: .link(repository: repository, blobID: row.integer(0)),
                lastUsed: Timestamp(milliseconds: row.integer(2)),
                isComplete: true,
                pushedAt: Timestamp(milliseconds: row.integer(3))
            )
        }
    }

    private func findBlob(_ digest: Digest, in repository: RepositoryID) throws -> FoundBlob? {
        try db.first(
            """
            SELECT b.id, b.size, b.generation, b.is_quarantined, l.last_used, l.pushed_at, i.bytes
            FROM blob b JOIN link l ON l.repository_id = ? AND l.blob_id = b.id
            LEFT JOIN blob_bytes i ON i.blob_id = b.id
            WHERE b.sha256 = ?
            """,
            .integer(repository),
            .digest(digest)
        ) { row -> FoundBlob? in
            if row.flag(3) { return nil }
            let blob = BlobRow(
                id: row.integer(0),
                digest: digest,
                size: row.integer(1),
                generation: row.optionalInteger(2),
                isQuarantined: false
            )
            return FoundBlob(
                blob: blob,
                inlineBytes: blob.generation == nil ? row.bytes(6) : nil,
                used: .link(repository: repository, blobID: blob.id),
                lastUsed: Timestamp(milliseconds: row.integer(4)),
                isComplete: true,
                pushedAt: Timestamp(milliseconds: row.integer(5))
            )
        } ?? nil
    }

    private func findEntry(
        _ key: EntryKey,
        in repository: RepositoryID,
        checkingQuarantine: Bool
    ) throws -> FoundBlob? {
        let found =
            try db.first(
                """
                SELECT e.id, e.last_used, e.is_complete, e.pushed_at, b.id, b.sha256, b.size, b.generation,
                    b.is_quarantined, i.bytes
                FROM entry e JOIN blob b ON b.id = e.blob_id LEFT JOIN blob_bytes i ON i.blob_id = b.id
                WHERE e.repository_id = ? AND e.scope = ? AND e.key = ? AND e.hidden_at IS NULL
                """,
                .integer(repository),
                .text(key.scope.text),
                .text(key.text)
            ) { row -> FoundBlob? in
                if row.flag(8) { return nil }
                let blob = BlobRow(
                    id: row.integer(4),
                    digest: try row.digest(5),
                    size: row.integer(6),
                    generation: row.optionalInteger(7),
                    isQuarantined: false
                )
                return FoundBlob(
                    blob: blob,
                    inlineBytes: blob.generation == nil ? row.bytes(9) : nil,
                    used: .entry(row.integer(0)),
                    lastUsed: Timestamp(milliseconds: row.integer(1)),
                    isComplete: row.flag(2),
                    pushedAt: Timestamp(milliseconds: row.integer(3))
                )
            } ?? nil
        guard checkingQuarantine, let found, case .entry(let id) = found.used else { return found }
        return try db.isDamaged(entry: id) ? nil : found
    }

    /// Whether a repository has all of these blobs, sound and with the sizes named.
    package func hasAll(_ blobs: some Sequence<BlobDescriptor>, in repository: RepositoryID) throws -> Bool {
        for blob in blobs {
            guard try db.linkedBlob(blob, in: repository) != nil else { return false }
        }
        return true
    }

    /// Whether a key is taken.
    package func hasEntry(_ key: EntryKey, in repository: RepositoryID) throws -> Bool {
        try db.first(
            "SELECT 1 FROM entry WHERE repository_id = ? AND scope = ? AND key = ? AND hidden_at IS NULL",
            .integer(repository),
            .text(key.scope.text),
            .text(key.text)
        ) { _ in true } ?? false
    }

    /// The row of a blob, linked anywhere or nowhere.
    package func blob(_ digest: Digest) throws -> BlobRow? {
        guard let digest = try db.sha256(of: digest) else { return nil }
        return try db.blobRow(digest)
    }

    /// All repositories that are not being removed.
    package func repositories() throws -> [Repository] {
        try db.repositories(where: "1 = ?", .integer(1))
    }

    /// Repositories whose removal is not finished.
    package func deletedRepositories() throws -> [RepositoryID] {
        try db.all("SELECT id FROM repository WHERE is_deleted = 1") { $0.integer(0) }
    }

    /// The store's own counters.
    package func account() throws -> (usedBytes: Int64, blobCount: Int64, scrubCursor: Int64) {
        let row = try db.first("SELECT used_bytes, blob_count, scrub_cursor FROM store WHERE id = 1") {
            ($0.integer(0), $0.integer(1), $0.integer(2))
        }
        return row ?? (0, 0, 0)
    }

    /// Blobs in quarantine.
    package func quarantinedCount() throws -> Int64 {
        try db.first("SELECT count(*) FROM blob WHERE is_quarantined = 1") { $0.integer(0) } ?? 0
    }

    /// Bytes of the database's pages that hold nothing.
    package func freePageBytes() throws -> Int64 {
        let pages = try db.first("PRAGMA freelist_count") { $0.integer(0) } ?? 0
        return pages * (try db.first("PRAGMA page_size") { $0.integer(0) } ?? 4096)
    }

    /// Whether dead entries wait for their removal.
    package func hasDeadEntries() throws -> Bool {
        try db.first("SELECT 1 FROM entry WHERE is_dead = 1 LIMIT 1") { _ in true } ?? false
    }

    /// Files that wait for their removal, oldest first.
    package func removals(atMost limit: Int) throws -> [PendingRemoval] {
        try db.all("SELECT id, sha256, generation FROM removal ORDER BY id LIMIT ?", .integer(Int64(limit))) {
            PendingRemoval(id: $0.integer(0), digest: try $0.digest(1), generation: $0.integer(2))
        }
    }

    /// Sound blobs in files with numbers above one, in order.
    package func files(after id: Int64, atMost limit: Int) throws -> [BlobRow] {
        try db.all(
            """
            SELECT id, sha256, size, generation FROM blob
            WHERE id > ? AND generation IS NOT NULL AND is_quarantined = 0 ORDER BY id LIMIT ?
            """,
            .integer(id),
            .integer(Int64(limit))
        ) {
            BlobRow(
                id: $0.integer(0),
                digest: try $0.digest(1),
                size: $0.integer(2),
                generation: $0.integer(3),
                isQuarantined: false
            )
        }
    }

    /// Candidates of one repository, least recently used first: up to `limit` entries, and as many links that no entry refers
    /// to.
    ///
    /// What an entry with 800 references or more would free is estimated from 400 of them.
    package func evictionCandidates(in repository: RepositoryID, atMost limit: Int) throws -> [EvictionCandidate] {
        let entries = try db.all(
            """
            SELECT e.id, e.last_used, b.size + max(1, e.reference_count / 400) * (
                SELECT coalesce(sum(s.size), 0) FROM (
                    SELECT l.size * (l.entry_count = 1) AS size FROM reference r
                    JOIN link l ON l.repository_id = e.repository_id AND l.blob_id = r.blob_id
                    WHERE r.entry_id = e.id LIMIT 400) s)
            FROM entry e JOIN blob b ON b.id = e.blob_id
            WHERE e.repository_id = ? AND e.is_dead = 0 AND e.hidden_at IS NULL AND e.scope <> '#pending'
                AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.repository_id = e.repository_id AND p.item = 'entry'
                    AND p.name = e.key)
            ORDER BY e.last_used LIMIT ?
            """,
            .integer(repository),
            .integer(Int64(limit))
        ) {
            EvictionCandidate(
                row: .entry($0.integer(0)),
                repository: repository,
                lastUsed: Timestamp(milliseconds: $0.integer(1)),
                size: $0.integer(2)
            )
        }
        let links = try db.all(
            """
            SELECT blob_id, last_used, size FROM link
            WHERE repository_id = ? AND entry_count = 0
                AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.repository_id = link.repository_id
                    AND lease.blob_id = link.blob_id)
            ORDER BY last_used LIMIT ?
            """,
            .integer(repository),
            .integer(Int64(limit))
        ) {
            EvictionCandidate(
                row: .link(repository: repository, blobID: $0.integer(0)),
                repository: repository,
                lastUsed: Timestamp(milliseconds: $0.integer(1)),
                size: $0.integer(2)
            )
        }
        return (entries + links).sorted { $0.lastUsed < $1.lastUsed }
    }

    /// When the least recently used evictable thing of a repository was last used.
    package func oldestUse(in repository: RepositoryID) throws -> Timestamp? {
        try evictionCandidates(in: repository, atMost: 1).first?.lastUsed
    }
}
