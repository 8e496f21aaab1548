import GRDB
package import LarderCore

/// A resumable upload, as its row has it.
package struct UploadRow: Sendable, Equatable {
    package let id: String
    package let repository: RepositoryID
    /// Its file's name in `uploads/`; nil before the first byte.
    package let fileName: String?
    /// What was acknowledged.
    package let length: Int64
    package let expiresAt: Timestamp
}

extension MetadataTransaction {
    /// Begins a resumable upload without a byte.
    package func insertUpload(_ id: String, in repository: RepositoryID, now: Timestamp, expiresAt: Timestamp) throws {
        try db.run(
            """
            INSERT INTO upload (id, repository_id, file_name, length, started_at, expires_at)
            VALUES (?, ?, '', 0, ?, ?)
            """,
            .text(id),
            .integer(repository),
            .integer(now.milliseconds),
            .integer(expiresAt.milliseconds)
        )
    }

    /// Acknowledges the bytes of an upload's file, which are durable, and renews its time.
    package func setUpload(_ id: String, fileName: String, length: Int64, expiresAt: Timestamp) throws {
        try db.run(
            "UPDATE upload SET file_name = ?, length = ?, expires_at = ? WHERE id = ?",
            .text(fileName),
            .integer(length),
            .integer(expiresAt.milliseconds),
            .text(id)
        )
    }

    /// Forgets an upload.
    package func deleteUpload(_ id: String) throws {
        try db.run("DELETE FROM upload WHERE id = ?", .text(id))
    }

    /// Links a blob that another repository links; false when that one has none.
    package func mountBlob(
        _ digest: Digest,
        from source: RepositoryID,
        to repository: RepositoryID,
        clock: UseClock
    ) throws -> Bool {
        guard let row = try db.linkedContent(digest, in: source) else { return false }
        try addLink(repository, row, isExplicit: true, entryCount: 0, clock: clock)
        return true
    }

}

extension MetadataSnapshot {
    /// All resumable uploads, but for those of repositories that are being removed.
    package func uploads() throws -> [UploadRow] {
        try db.all(
            """
            SELECT u.id, u.repository_id, u.file_name, u.length, u.expires_at FROM upload u
            JOIN repository r ON r.id = u.repository_id AND r.is_deleted = 0
            """
        ) {
            UploadRow(
                id: $0.text(0),
                repository: $0.integer(1),
                fileName: $0.text(2).isEmpty ? nil : $0.text(2),
                length: $0.integer(3),
                expiresAt: Timestamp(milliseconds: $0.integer(4))
            )
        }
    }

    /// Whether a repository has a visible manifest.
    package func hasManifest(_ digest: Digest, in repository: RepositoryID) throws -> Bool {
        try db.first(
            """
            SELECT 1 FROM entry e JOIN manifest m ON m.entry_id = e.id
            WHERE e.repository_id = ? AND e.scope = '' AND e.key = ? AND e.hidden_at IS NULL
            """,
            .integer(repository),
            .text("\(digest)")
        ) { _ in true } ?? false
    }

    /// The first of some repositories that links a blob, and the blob's size.
    package func linkedBlob(
        _ digest: Digest,
        among ids: some Sequence<RepositoryID>
    ) throws -> (repository: RepositoryID, size: Int64)? {
        guard let sha256 = try db.sha256(of: digest), let row = try db.blobRow(sha256), !row.isQuarantined else {
            return nil
        }
        for id in ids where try db.isLinked(row.id, in: id) { return (id, row.size) }
        return nil
    }

    /// Loose links of a registry that were not used since a moment, least recently used first.
    package func unreferencedLinks(
        in repository: RepositoryID,
        unusedSince: Timestamp,
        atMost limit: Int
    ) throws -> [EvictionCandidate] {
        try db.all(
            """
            SELECT blob_id, last_used, size FROM link
            WHERE repository_id = ? AND entry_count = 0 AND last_used <= ? ORDER BY last_used LIMIT ?
            """,
            .integer(repository),
            .integer(unusedSince.milliseconds),
            .integer(Int64(limit))
        ) {
            EvictionCandidate(
                row: .link(repository: repository, blobID: $0.integer(0)),
                repository: repository,
                lastUsed: Timestamp(milliseconds: $0.integer(1)),
                size: $0.integer(2)
            )
        }
    }
}
