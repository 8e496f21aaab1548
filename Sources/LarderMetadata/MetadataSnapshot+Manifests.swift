import GRDB
package import LarderCore

extension MetadataSnapshot {
    private static let manifestColumns = """
        e.id, e.last_used, e.pushed_at, b.id, b.sha256, b.size, b.generation, b.is_quarantined, i.bytes,
            m.media_type, m.digest
        """
    private static let manifestJoins = """
        JOIN manifest m ON m.entry_id = e.id
        JOIN blob b ON b.id = e.blob_id LEFT JOIN blob_bytes i ON i.blob_id = b.id
        """

    /// Looks a manifest up by its digest.
    func findManifest(_ digest: Digest, in repository: RepositoryID) throws -> FoundBlob? {
        guard let sha256 = try db.sha256(of: digest) else { return nil }
        return try db.first(
            """
            SELECT \(Self.manifestColumns) FROM entry e \(Self.manifestJoins)
            WHERE e.repository_id = ? AND e.scope = '' AND e.key = ? AND e.hidden_at IS NULL
            """,
            .integer(repository),
            .text("\(sha256)")
        ) { try Self.foundManifest($0, named: digest) } ?? nil
    }

    /// Looks a manifest up by a tag.
    func findTag(_ tag: Tag, in repository: RepositoryID) throws -> FoundBlob? {
        try db.first(
            """
            SELECT \(Self.manifestColumns) FROM tag t JOIN entry e ON e.id = t.entry_id \(Self.manifestJoins)
            WHERE t.repository_id = ? AND t.name = ? AND e.hidden_at IS NULL AND e.is_dead = 0
            """,
            .integer(repository),
            .text(tag.text)
        ) { try Self.foundManifest($0, named: nil) } ?? nil
    }

    private static func foundManifest(_ row: SQLRow, named: Digest?) throws -> FoundBlob? {
        if row.flag(7) { return nil }
        guard let pushed = Digest(row.text(10)) else {
            throw StoreError.corrupt("manifest \(row.integer(0)) has a malformed digest")
        }
        let blob = BlobRow(
            id: row.integer(3),
            digest: try row.digest(4),
            size: row.integer(5),
            generation: row.optionalInteger(6),
            isQuarantined: false
        )
        return FoundBlob(
            blob: blob,
            inlineBytes: blob.generation == nil ? row.bytes(8) : nil,
            used: .entry(row.integer(0)),
            lastUsed: Timestamp(milliseconds: row.integer(1)),
            isComplete: true,
            pushedAt: Timestamp(milliseconds: row.integer(2)),
            manifest: ManifestFacts(mediaType: row.text(9), digest: named ?? pushed)
        )
    }

    /// Tags behind one, in the order of their bytes.
    package func tags(in repository: RepositoryID, after last: String?, atMost limit: Int) throws -> [String] {
        try db.all(
            "SELECT name FROM tag WHERE repository_id = ? AND name > ? ORDER BY name LIMIT ?",
            .integer(repository),
            .text(last ?? ""),
            .integer(Int64(limit))
        ) { $0.text(0) }
    }

    /// Descriptors, as JSON, of manifests that are about another one, in the order of their push.
    ///
    /// `subject`: As the manifests write it.
    ///
    /// `cursor`: Those with numbers above it.
    ///
    /// `byteCountMax`: Of all descriptors together, but for the first.
    ///
    /// `scanMax`: Manifests that are looked at.
    ///
    /// - Returns: The descriptors that `isWanted` takes, and the cursor of the next page; nil behind the last.
    package func referrers(
        of subject: Digest,
        in repository: RepositoryID,
        after cursor: Int64,
        byteCountMax: Int,
        scanMax: Int,
        isWanted: (String) -> Bool
    ) throws -> (descriptors: [String], next: Int64?) {
        var descriptors: [String] = []
        var (byteCount, scanCount, last) = (0, 0, cursor)
        var hasMore = false
        try db.forEachRow(
            """
            SELECT m.entry_id, m.referrer FROM manifest m JOIN entry e ON e.id = m.entry_id
            WHERE m.repository_id = ? AND m.subject = ? AND m.entry_id > ? AND e.is_dead = 0 AND e.hidden_at IS NULL
            ORDER BY m.entry_id
            """,
            .integer(repository),
            .text("\(subject)"),
            .integer(cursor)
        ) { row in
            let descriptor = row.text(1)
            let isListed = isWanted(descriptor)
            if isListed { byteCount += descriptor.utf8.count }
            hasMore = scanCount == scanMax || (isListed && byteCount > byteCountMax && !descriptors.isEmpty)
            if hasMore { return false }
            if isListed { descriptors.append(descriptor) }
            scanCount += 1
            last = row.integer(0)
            return true
        }
        return (descriptors, hasMore ? last : nil)
    }
}
