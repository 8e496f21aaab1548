import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Tags that one transaction removes.
    private static let tagsPerSlice = 500
    /// Hidden manifests that go with a blob which a person removes.
    private static let hiddenPerBlobMax = 1000

    /// Removes a tag and nothing else; false when there is none.
    ///
    /// - Throws: `notAllowed` when it is pinned.
    package func deleteTag(_ tag: Tag, in repository: RepositoryID, _ removal: Removal) throws -> Bool {
        try forgetPins(until: removal.now)
        try checkPin(tag, in: repository)
        let entry = try db.first(
            "SELECT entry_id FROM tag WHERE repository_id = ? AND name = ?",
            .integer(repository),
            .text(tag.text)
        ) { $0.integer(0) }
        guard let entry else { return false }
        return try removeTag(tag, of: entry, in: repository, removal)
    }

    /// Removes a manifest and all tags that name it, so that it can be brought back if `removal` says so.
    ///
    /// What only it kept is put up for review when it can't be brought back any more: its own manifests when it is an index,
    /// and what is about it.
    ///
    /// - Throws: `notAllowed` when it or a tag of it is pinned.
    package func deleteManifest(
        _ digest: Digest,
        in repository: RepositoryID,
        _ removal: Removal
    ) throws -> RegistryRemoval {
        guard let sha256 = try db.sha256(of: digest), let entry = try db.manifestEntry(sha256, in: repository),
            try !isHidden(entry)
        else { return .missing }
        guard try !isReferredTo(entry) else { return .inUse }
        try forgetPins(until: removal.now)
        try checkPins(entry)
        let tags = try tags(of: entry, atMost: Self.tagsPerSlice)
        for tag in tags { _ = try removeTag(tag, of: entry, in: repository, removal) }
        if tags.count == Self.tagsPerSlice { return .unfinished }
        guard removal.undoUntil == nil else {
            _ = try remove(entry, with: nil, removal)
            return .removed
        }
        try endHolders(of: entry)
        try removeEntry(entry)
        return .removed
    }

    /// Removes a blob's link from a registry, if no manifest needs it.
    ///
    /// Manifests that are hidden don't count: they can't be brought back after this.
    package func deleteBlob(_ digest: Digest, in repository: RepositoryID) throws -> RegistryRemoval {
        guard let row = try db.linkedContent(digest, in: repository) else { return .missing }
        let count = try entryCount(ofLink: row.id, in: repository)
        if count == 0 {
            try dropLink(repository, blobID: row.id)
            return .removed
        }
        let hidden = try db.all(
            """
            SELECT h.entry_id FROM hidden h JOIN entry e ON e.id = h.entry_id
            WHERE h.repository_id = ?1 AND (e.blob_id = ?2
                OR EXISTS (SELECT 1 FROM reference r WHERE r.entry_id = h.entry_id AND r.blob_id = ?2))
            """,
            .integer(repository),
            .integer(row.id)
        ) { $0.integer(0) }
        guard let count, count <= hidden.count else { return .inUse }
        if !hidden.isEmpty {
            guard hidden.count <= Self.hiddenPerBlobMax else { return .inUse }
            _ = try endUndo(of: hidden)
            // A large one lets go in slices.
            if try entryCount(ofLink: row.id, in: repository) ?? 0 > 0 { return .unfinished }
        }
        if try db.isLinked(row.id, in: repository) { try dropLink(repository, blobID: row.id) }
        return .removed
    }

    /// Entries of a repository that refer to a blob; nil when it is not linked.
    private func entryCount(ofLink blobID: Int64, in repository: RepositoryID) throws -> Int64? {
        try db.first(
            "SELECT entry_count FROM link WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blobID)
        ) { $0.integer(0) }
    }

    /// Whether a visible manifest, or one that is being pushed, refers to this one.
    func isReferredTo(_ entry: Int64) throws -> Bool {
        // Entries of a cache share values without having anything to do with each other.
        try isManifest(entry) && holderCount(of: entry, alsoHidden: false) > 0
    }

    /// Other manifests that refer to one: its bytes' link counts them, beside itself.
    private func holderCount(of entry: Int64, alsoHidden: Bool) throws -> Int64 {
        let count =
            try db.first(
                """
                SELECT l.entry_count FROM entry e
                JOIN link l ON l.repository_id = e.repository_id AND l.blob_id = e.blob_id WHERE e.id = ?
                """,
                .integer(entry)
            ) { $0.integer(0) - 1 } ?? 0
        if alsoHidden || count <= 0 { return count }
        let hidden =
            try db.first(
                """
                SELECT count(*) FROM entry e
                JOIN manifest_child c ON c.repository_id = e.repository_id AND c.blob_id = e.blob_id
                JOIN hidden h ON h.entry_id = c.entry_id WHERE e.id = ?
                """,
                .integer(entry)
            ) { $0.integer(0) } ?? 0
        return count - hidden
    }

    /// Removes the tags of a manifest that goes for good.
    private func removeTags(of entry: Int64, in repository: RepositoryID) throws {
        for tag in try tags(of: entry, atMost: Int.max) { try dropTag(tag, in: repository) }
    }

    private func dropTag(_ tag: Tag, in repository: RepositoryID) throws {
        try db.run("DELETE FROM tag WHERE repository_id = ? AND name = ?", .integer(repository), .text(tag.text))
        if db.changesCount > 0 { effects.changedNames.append(StoredName(repository: repository, item: .tag(tag))) }
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
        try removeTags(of: entry, in: repository)
        for name in names {
            try db.run(
                """
                INSERT OR IGNORE INTO review (entry_id, due_at)
                SELECT m.entry_id, 0 FROM manifest m JOIN entry e ON e.id = m.entry_id AND e.hidden_at IS NULL
                WHERE m.repository_id = ? AND m.subject = ?
                """,
                .integer(repository),
                .text(name)
            )
            try removeCompanions(of: name, in: repository)
        }
    }

    /// Takes tags away that stand for what belongs to a manifest, and puts up for review what they named.
    private func removeCompanions(of digest: String, in repository: RepositoryID) throws {
        for tag in CompanionTag.tags(of: digest) where try !isPinned(tag, in: repository) {
            try db.run(
                """
                INSERT OR IGNORE INTO review (entry_id, due_at)
                SELECT entry_id, 0 FROM tag WHERE repository_id = ? AND name = ?
                """,
                .integer(repository),
                .text(tag.text)
            )
            try dropTag(tag, in: repository)
        }
    }

    /// Puts a manifest up for review whose index lets go of it.
    func reviewChild(blobID: Int64, in repository: RepositoryID) throws {
        try db.run(
            """
            INSERT OR IGNORE INTO review (entry_id, due_at)
            SELECT e.id, 0 FROM blob b
            JOIN entry e ON e.repository_id = ? AND e.scope = '' AND e.key = 'sha256:' || lower(hex(b.sha256))
            JOIN manifest m ON m.entry_id = e.id WHERE b.id = ? AND e.hidden_at IS NULL
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
                "SELECT last_used FROM entry WHERE id = ? AND is_dead = 0 AND hidden_at IS NULL",
                .integer(entry)
            ) { Timestamp(milliseconds: $0.integer(0)) }
            if let until = try removedTagsUntil(entry), try lastUsed != nil && isKeptByNothing(entry) {
                // A tag of it can still be brought back.
                try db.run(
                    "UPDATE review SET due_at = ? WHERE entry_id = ?",
                    .integer(until + 1),
                    .integer(entry)
                )
                continue
            }
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

    /// Until when a tag of an entry can be brought back; nil: none can.
    private func removedTagsUntil(_ entry: Int64) throws -> Int64? {
        try db.first("SELECT max(undo_until) FROM removed_tag WHERE entry_id = ?", .integer(entry)) {
            $0.optionalInteger(0)
        } ?? nil
    }

    /// Removes a manifest that `settleReviews` returned in the same transaction; false when `claim` has it stay.
    @discardableResult
    package func removeReviewed(_ entry: Int64) throws -> Bool {
        guard isClaimed(.entry(entry)) else { return false }
        try db.run("DELETE FROM review WHERE entry_id = ?", .integer(entry))
        try removeEntry(entry)
        return true
    }

    private func isKeptByNothing(_ entry: Int64) throws -> Bool {
        // What can be brought back keeps what belongs to it.
        if try holderCount(of: entry, alsoHidden: true) > 0 || isPinned(entry) { return false }
        let isTagged = try db.first("SELECT 1 FROM tag WHERE entry_id = ? LIMIT 1", .integer(entry)) { _ in true }
        return try isTagged == nil && !hasSubject(entry, isVisible: false)
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
