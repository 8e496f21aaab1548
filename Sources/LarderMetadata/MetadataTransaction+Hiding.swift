import GRDB
package import LarderCore

/// How something is removed: for good, or so that it can be brought back for a while.
package struct Removal: Sendable {
    package let now: Timestamp
    /// Until when it can be brought back; nil: it goes for good.
    package let undoUntil: Timestamp?
    /// The run of retention that removes it; nil: a person does.
    package let run: Int64?

    package init(now: Timestamp, undoUntil: Timestamp?, run: Int64? = nil) {
        self.now = now
        self.undoUntil = undoUntil
        self.run = run
    }
}

extension MetadataTransaction {
    /// Hides an entry, its tags with it, or removes it at once when the removal is for good.
    ///
    /// `root`: The entry with which it goes; nil: it goes for itself.
    ///
    /// - Returns: false when it is gone or hidden already.
    func remove(_ entry: Int64, with root: Int64?, _ removal: Removal) throws -> Bool {
        // Also where nothing is kept for an undo: it tells that its blobs were asked for by nobody since (D2).
        try db.run(
            "UPDATE entry SET hidden_at = ? WHERE id = ? AND hidden_at IS NULL AND is_dead = 0",
            .integer(removal.now.milliseconds),
            .integer(entry)
        )
        guard db.changesCount > 0, let row = try hiddenNames(entry) else { return false }
        charge(row.repository, entries: -1)
        for tag in try tags(of: entry, atMost: Int.max) {
            _ = try removeTag(tag, of: entry, in: row.repository, removal)
        }
        guard let undoUntil = removal.undoUntil else {
            try endHolders(of: entry)
            try removeEntry(entry)
            return true
        }
        effects.changedNames.append(contentsOf: row.names)
        try db.run("DELETE FROM review WHERE entry_id = ?", .integer(entry))
        try db.run(
            "INSERT INTO hidden (entry_id, repository_id, root_id, undo_until, run_id) VALUES (?, ?, ?, ?, ?)",
            .integer(entry),
            .integer(row.repository),
            .integer(root ?? entry),
            .integer(undoUntil.milliseconds),
            .optional(removal.run)
        )
        return true
    }

    /// Takes a tag away and remembers it for as long as it can be brought back.
    ///
    /// - Returns: false when there is no such tag, or it names another entry.
    func removeTag(_ tag: Tag, of entry: Int64, in repository: RepositoryID, _ removal: Removal) throws -> Bool {
        try db.run(
            "DELETE FROM tag WHERE repository_id = ? AND name = ? AND entry_id = ?",
            .integer(repository),
            .text(tag.text),
            .integer(entry)
        )
        guard db.changesCount > 0 else { return false }
        effects.changedNames.append(StoredName(repository: repository, item: .tag(tag)))
        try noteUntagged(entry, now: removal.now)
        if let undoUntil = removal.undoUntil {
            try db.run(
                """
                INSERT INTO removed_tag (repository_id, name, entry_id, removed_at, undo_until, run_id)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                .integer(repository),
                .text(tag.text),
                .integer(entry),
                .integer(removal.now.milliseconds),
                .integer(undoUntil.milliseconds),
                .optional(removal.run)
            )
        }
        return true
    }

    /// Notes the time if an entry has no tag any more.
    func noteUntagged(_ entry: Int64, now: Timestamp) throws {
        try db.run(
            """
            UPDATE entry SET untagged_at = ?1 WHERE id = ?2 AND NOT EXISTS (SELECT 1 FROM tag WHERE entry_id = ?2)
            """,
            .integer(now.milliseconds),
            .integer(entry)
        )
    }

    /// Tags of an entry, in no order.
    func tags(of entry: Int64, atMost limit: Int) throws -> [Tag] {
        try db.all(
            "SELECT name FROM tag WHERE entry_id = ? LIMIT ?",
            .integer(entry),
            .integer(Int64(min(limit, 1 << 30)))
        ) { Tag($0.text(0)) }.compactMap(\.self)
    }

    /// Everything by which an entry can be asked for, but for tags.
    private func hiddenNames(_ entry: Int64) throws -> (repository: RepositoryID, names: [StoredName])? {
        let row = try db.first(
            "SELECT repository_id, key, blob_id, scope FROM entry WHERE id = ?",
            .integer(entry)
        ) { (repository: $0.integer(0), key: $0.text(1), blobID: $0.integer(2), scope: $0.text(3)) }
        guard let row else { return nil }
        var names: [StoredName] = []
        func add(_ item: StoredName.Item) { names.append(StoredName(repository: row.repository, item: item)) }
        if let key = EntryKey(row.key), let scope = EntryScope(row.scope) { add(.entry(key.inScope(scope))) }
        if let digest = Digest(row.key) { add(.manifest(digest)) }
        try db.forEachRow("SELECT hash FROM digest WHERE blob_id = ?", .integer(row.blobID)) { alias in
            if let alias = Digest(.sha512, bytes: alias.bytes(0)) { add(.manifest(alias)) }
            return true
        }
        return (row.repository, names)
    }

    /// Whether what a manifest is about is there.
    func hasSubject(_ entry: Int64, isVisible: Bool) throws -> Bool {
        let subject = try db.first(
            "SELECT repository_id, subject FROM manifest WHERE entry_id = ? AND subject IS NOT NULL",
            .integer(entry)
        ) { (repository: $0.integer(0), digest: Digest($0.text(1))) }
        guard let subject, let digest = subject.digest, let sha256 = try db.sha256(of: digest) else { return false }
        guard let found = try db.manifestEntry(sha256, in: subject.repository) else { return false }
        return try !isVisible || !isHidden(found)
    }

    // MARK: - Back again

    /// Whether an entry is hidden.
    func isHidden(_ entry: Int64) throws -> Bool {
        try db.first("SELECT 1 FROM entry WHERE id = ? AND hidden_at IS NOT NULL", .integer(entry)) { _ in true }
            ?? false
    }

    /// Makes an entry visible again that was removed for itself, with what went with it: tags that stand for this come back
    /// where they name nothing else by now.
    ///
    /// - Returns: Entries that came back, tags that did, and tags that name something else.
    func unhideWithFollowers(_ entry: Int64, now: Timestamp) throws -> (entries: [Int64], tags: [Tag], taken: [Tag]) {
        let followers = try db.all(
            """
            SELECT h.entry_id, e.hidden_at, h.repository_id FROM hidden h JOIN entry e ON e.id = h.entry_id
            WHERE h.root_id = ?1 AND h.entry_id <> ?1
            """,
            .integer(entry)
        ) { (id: $0.integer(0), hiddenAt: Timestamp(milliseconds: $0.integer(1)), repository: $0.integer(2)) }
        var result: (entries: [Int64], tags: [Tag], taken: [Tag]) = (try unhide(entry), [], [])
        for follower in followers {
            result.entries += try unhide(follower.id)
            for tag in try removedTags(of: follower.id, at: follower.hiddenAt) {
                if try tagTarget(tag, in: follower.repository) == nil {
                    try giveTags([tag], to: follower.id, in: follower.repository, now: now)
                    result.tags.append(tag)
                } else {
                    result.taken.append(tag)
                }
            }
        }
        return result
    }

    /// Makes an entry visible again, and the manifests that it refers to; its tags stay away.
    ///
    /// - Returns: Entries that came back.
    func unhide(_ entry: Int64) throws -> [Int64] {
        var result: [Int64] = []
        var waiting = [entry]
        while let next = waiting.popLast() {
            try db.run("UPDATE entry SET hidden_at = NULL WHERE id = ? AND hidden_at IS NOT NULL", .integer(next))
            guard db.changesCount > 0, let row = try hiddenNames(next) else { continue }
            result.append(next)
            try db.run("DELETE FROM hidden WHERE entry_id = ?", .integer(next))
            charge(row.repository, entries: 1)
            effects.changedNames.append(contentsOf: row.names)
            // W2: what a visible manifest refers to is visible.
            waiting += try db.all(
                """
                SELECT e.id FROM manifest_child c JOIN blob b ON b.id = c.blob_id
                JOIN entry e ON e.repository_id = c.repository_id AND e.scope = ''
                    AND e.key = 'sha256:' || lower(hex(b.sha256))
                WHERE c.entry_id = ? AND e.hidden_at IS NOT NULL AND e.is_dead = 0
                """,
                .integer(next)
            ) { $0.integer(0) }
        }
        return result
    }

    // MARK: - For good

    /// Ends the undo of entries that `MetadataSnapshot.endedUndos` or `removableUndos` returned: they go for good.
    ///
    /// Of what only they referred to, that goes with them which was not used since `unusedSince`; the rest waits.
    ///
    /// - Returns: Entries that went, and bytes that this freed in the store.
    package func endUndo(of entries: some Sequence<Int64>) throws -> (count: Int, freedBytes: Int64) {
        let start = effects.usedBytes
        var count = 0
        for entry in entries { count += try endUndo(of: entry) }
        return (count, start - effects.usedBytes)
    }

    /// Ends the undo of an entry, and before that of hidden indexes that could not be brought back whole without it.
    private func endUndo(of entry: Int64) throws -> Int {
        let count = try endHolders(of: entry)
        let run = try db.first("SELECT run_id FROM hidden WHERE entry_id = ?", .integer(entry)) {
            $0.optionalInteger(0)
        }
        guard let run else { return count }
        let before = effects.usedBytes
        try removeEntry(entry)
        if let run {
            try db.run(
                "UPDATE run SET freed_bytes = freed_bytes + ? WHERE id = ?",
                .integer(before - effects.usedBytes),
                .integer(run)
            )
        }
        return count + 1
    }

    @discardableResult
    func endHolders(of entry: Int64) throws -> Int {
        let holders = try db.all(
            """
            SELECT h.entry_id FROM entry e
            JOIN manifest_child c ON c.repository_id = e.repository_id AND c.blob_id = e.blob_id
            JOIN hidden h ON h.entry_id = c.entry_id WHERE e.id = ?
            """,
            .integer(entry)
        ) { $0.integer(0) }
        return try holders.reduce(0) { try $0 + endUndo(of: $1) }
    }

    /// Forgets tags whose undo is over.
    ///
    /// - Returns: Whether more are left.
    package func forgetRemovedTags(until now: Timestamp, atMost limit: Int) throws -> Bool {
        try db.run(
            """
            DELETE FROM removed_tag WHERE id IN (SELECT id FROM removed_tag WHERE undo_until <= ? ORDER BY undo_until LIMIT ?)
            """,
            .integer(now.milliseconds),
            .integer(Int64(limit))
        )
        return db.changesCount == limit
    }
}

extension MetadataSnapshot {
    /// Entries whose undo is over, those that were hidden first first.
    ///
    /// A manifest comes after the indexes that refer to it.
    package func endedUndos(at now: Timestamp, atMost limit: Int) throws -> [Int64] {
        try db.all(
            """
            SELECT h.entry_id FROM hidden h WHERE h.undo_until <= ?1 AND NOT EXISTS (
                SELECT 1 FROM entry e JOIN manifest_child c ON c.repository_id = e.repository_id AND c.blob_id = e.blob_id
                JOIN hidden p ON p.entry_id = c.entry_id WHERE e.id = h.entry_id)
            ORDER BY h.undo_until, h.entry_id LIMIT ?2
            """,
            .integer(now.milliseconds),
            .integer(Int64(limit))
        ) { $0.integer(0) }
    }

    /// Entries whose undo may end early, those that would end first first: what runs removed, never what a person did.
    ///
    /// `repository`: nil: of all.
    package func removableUndos(
        in repository: RepositoryID?,
        atMost limit: Int
    ) throws -> [(entry: Int64, repository: RepositoryID)] {
        // An index comes before what it refers to, so that no undo brings back half of an image.
        try db.all(
            """
            SELECT h.entry_id, h.repository_id FROM hidden h
            WHERE h.run_id IS NOT NULL AND \(repository == nil ? "?1 IS NULL" : "h.repository_id = ?1")
                AND NOT EXISTS (
                    SELECT 1 FROM entry e
                    JOIN manifest_child c ON c.repository_id = e.repository_id AND c.blob_id = e.blob_id
                    JOIN hidden p ON p.entry_id = c.entry_id WHERE e.id = h.entry_id)
            ORDER BY h.undo_until, h.entry_id LIMIT ?2
            """,
            .optional(repository),
            .integer(Int64(limit))
        ) { ($0.integer(0), $0.integer(1)) }
    }
}
