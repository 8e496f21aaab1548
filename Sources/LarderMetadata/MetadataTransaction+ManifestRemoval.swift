import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Tags that one transaction removes.
    private static let tagsPerSlice = 500
    /// What tools without referrers call the tags under which they keep what belongs to a manifest
    /// (distribution specification 1.1, "Referrers Tag Schema"; cosign).
    private static let companionSuffixes = ["", ".sig", ".att", ".sbom"]

    /// Removes a tag and nothing else; false when there is none.
    package func deleteTag(_ tag: Tag, in repository: RepositoryID) throws -> Bool {
        try db.run("DELETE FROM tag WHERE repository_id = ? AND name = ?", .integer(repository), .text(tag.text))
        guard db.changesCount > 0 else { return false }
        effects.changedNames.append(StoredName(repository: repository, item: .tag(tag)))
        return true
    }

    /// Removes a manifest and all tags that name it.
    ///
    /// What only it kept is put up for review: its own manifests when it is an index, and what is about it.
    package func deleteManifest(_ digest: Digest, in repository: RepositoryID) throws -> RegistryRemoval {
        guard let sha256 = try db.sha256(of: digest), let entry = try db.manifestEntry(sha256, in: repository) else {
            return .missing
        }
        guard try !isReferredTo(entry) else { return .inUse }
        if try !removeTags(of: entry, in: repository, atMost: Self.tagsPerSlice) { return .unfinished }
        try removeEntry(entry)
        return .removed
    }

    /// Removes a blob's link from a registry, if no manifest needs it.
    package func deleteBlob(_ digest: Digest, in repository: RepositoryID) throws -> RegistryRemoval {
        guard let row = try db.linkedContent(digest, in: repository) else { return .missing }
        let entryCount = try db.first(
            "SELECT entry_count FROM link WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(row.id)
        ) { $0.integer(0) }
        guard entryCount == 0 else { return .inUse }
        try dropLink(repository, blobID: row.id)
        return .removed
    }

    /// Whether another manifest refers to this one: its bytes' link then counts more than itself.
    private func isReferredTo(_ entry: Int64) throws -> Bool {
        try db.first(
            """
            SELECT 1 FROM entry e JOIN link l ON l.repository_id = e.repository_id AND l.blob_id = e.blob_id
            WHERE e.id = ? AND l.entry_count > 1
            """,
            .integer(entry)
        ) { _ in true } ?? false
    }

    /// Removes tags of a manifest; false when more are left.
    private func removeTags(of entry: Int64, in repository: RepositoryID, atMost limit: Int) throws -> Bool {
        let tags = try db.all(
            "SELECT name FROM tag WHERE entry_id = ? LIMIT ?",
            .integer(entry),
            .integer(Int64(min(limit, 1 << 30)))
        ) { $0.text(0) }
        for tag in tags.compactMap({ Tag($0) }) {
            _ = try deleteTag(tag, in: repository)
        }
        return tags.count < limit
    }

    /// Takes a manifest's names away before its entry goes, and puts up for review what is about it.
    ///
    /// For entries that are no manifests it does nothing.
    func retireManifest(_ entry: Int64, in repository: RepositoryID) throws {
        let row = try db.first(
            """
            SELECT m.digest, b.sha256, b.id FROM manifest m JOIN entry e ON e.id = m.entry_id
            JOIN blob b ON b.id = e.blob_id WHERE m.entry_id = ?
            """,
            .integer(entry)
        ) { (digest: $0.text(0), sha256: try $0.digest(1), blobID: $0.integer(2)) }
        guard let row else { return }
        var names: Set = [row.digest, "\(row.sha256)"]
        effects.changedNames.append(StoredName(repository: repository, item: .manifest(row.sha256)))
        try db.forEachRow("SELECT hash FROM digest WHERE blob_id = ?", .integer(row.blobID)) { alias in
            if let alias = Digest(.sha512, bytes: alias.bytes(0)) {
                names.insert("\(alias)")
                effects.changedNames.append(StoredName(repository: repository, item: .manifest(alias)))
            }
            return true
        }
        _ = try removeTags(of: entry, in: repository, atMost: Int.max)
        for name in names {
            try db.run(
                """
                INSERT OR IGNORE INTO review (entry_id, due_at)
                SELECT entry_id, 0 FROM manifest WHERE repository_id = ? AND subject = ?
                """,
                .integer(repository),
                .text(name)
            )
            try removeCompanions(of: name, in: repository)
        }
    }

    /// Takes tags away that stand for what belongs to a manifest, and puts up for review what they named.
    private func removeCompanions(of digest: String, in repository: RepositoryID) throws {
        let parts = digest.split(separator: ":")
        guard parts.count == 2 else { return }
        for suffix in Self.companionSuffixes {
            guard let tag = Tag("\(parts[0])-\(parts[1].prefix(64))\(suffix)") else { continue }
            try db.run(
                """
                INSERT OR IGNORE INTO review (entry_id, due_at)
                SELECT entry_id, 0 FROM tag WHERE repository_id = ? AND name = ?
                """,
                .integer(repository),
                .text(tag.text)
            )
            _ = try deleteTag(tag, in: repository)
        }
    }

    /// Puts a manifest up for review whose index lets go of it.
    func reviewChild(blobID: Int64, in repository: RepositoryID) throws {
        try db.run(
            """
            INSERT OR IGNORE INTO review (entry_id, due_at)
            SELECT e.id, 0 FROM blob b
            JOIN entry e ON e.repository_id = ? AND e.scope = '' AND e.key = 'sha256:' || lower(hex(b.sha256))
            JOIN manifest m ON m.entry_id = e.id WHERE b.id = ?
            """,
            .integer(repository),
            .integer(blobID)
        )
    }

    /// Which manifests under review nothing keeps: no tag, no index, no living subject, no use within the grace.
    ///
    /// The review of others ends, or is put off.
    ///
    /// `entries`: As `MetadataSnapshot.dueReviews` returned them.
    ///
    /// `unusedSince`: What was used later stays for now.
    ///
    package func settleReviews(
        of entries: some Sequence<Int64>,
        unusedSince: Timestamp,
        grace: Duration
    ) throws -> [Int64] {
        var result: [Int64] = []
        for entry in entries {
            let lastUsed = try db.first(
                "SELECT last_used FROM entry WHERE id = ? AND is_dead = 0",
                .integer(entry)
            ) { Timestamp(milliseconds: $0.integer(0)) }
            if let lastUsed, lastUsed > unusedSince, try isKeptByNothing(entry) {
                try db.run(
                    "UPDATE review SET due_at = ? WHERE entry_id = ?",
                    .integer((lastUsed + grace).milliseconds + 1),
                    .integer(entry)
                )
                continue
            }
            if try lastUsed != nil && isKeptByNothing(entry) {
                result.append(entry)
            } else {
                try db.run("DELETE FROM review WHERE entry_id = ?", .integer(entry))
            }
        }
        return result
    }

    /// Removes a manifest that `settleReviews` returned in the same transaction.
    package func removeReviewed(_ entry: Int64) throws {
        try db.run("DELETE FROM review WHERE entry_id = ?", .integer(entry))
        try removeEntry(entry)
    }

    private func isKeptByNothing(_ entry: Int64) throws -> Bool {
        if try isReferredTo(entry) { return false }
        let isTagged = try db.first("SELECT 1 FROM tag WHERE entry_id = ? LIMIT 1", .integer(entry)) { _ in true }
        if isTagged != nil { return false }
        let subject = try db.first(
            "SELECT repository_id, subject FROM manifest WHERE entry_id = ? AND subject IS NOT NULL",
            .integer(entry)
        ) { (repository: $0.integer(0), digest: Digest($0.text(1))) }
        guard let subject, let digest = subject.digest, let sha256 = try db.sha256(of: digest) else { return true }
        return try db.manifestEntry(sha256, in: subject.repository) == nil
    }
}

extension MetadataSnapshot {
    /// Manifests whose review is due, oldest first.
    package func dueReviews(at now: Timestamp, atMost limit: Int) throws -> [Int64] {
        try db.all(
            "SELECT entry_id FROM review WHERE due_at <= ? ORDER BY due_at LIMIT ?",
            .integer(now.milliseconds),
            .integer(Int64(limit))
        ) { $0.integer(0) }
    }
}
