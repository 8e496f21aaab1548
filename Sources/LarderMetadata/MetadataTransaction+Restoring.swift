import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Brings back an entry by its key, that which was removed last of several scopes, with what went with it and the tags that it had.
    ///
    /// `tags`: nil: those that it had, and `askedFor`; else these, also if they exist.
    ///
    /// - Throws: `notFound`; `conditionFailed` when a tag that it had names something else by now; `notAllowed` when an
    ///   immutable tag would have to move.
    package func restore(
        key: EntryKey,
        tags: [Tag]?,
        and askedFor: Tag? = nil,
        rule: TagRule,
        in repository: RepositoryID,
        now: Timestamp
    ) throws -> Restoration {
        let entry = try db.first(
            """
            SELECT e.id, e.hidden_at, r.key FROM hidden h JOIN entry e ON e.id = h.entry_id
            LEFT JOIN entry r ON r.id = h.root_id AND r.id <> e.id AND r.hidden_at IS NOT NULL
            WHERE h.repository_id = ?1 AND h.undo_until > ?3 AND e.key = ?2 AND e.is_dead = 0
            ORDER BY e.hidden_at DESC LIMIT 1
            """,
            .integer(repository),
            .text(key.text),
            .integer(now.milliseconds)
        ) {
            (
                id: $0.integer(0), hiddenAt: Timestamp(milliseconds: $0.integer(1)),
                root: $0.isNull(2) ? nil : $0.text(2)
            )
        }
        if let root = entry?.root, tags == nil {
            throw StoreError.conditionFailed(
                "it went with \(root): restore that, or give it a tag of its own with --tag"
            )
        }
        guard let entry else { throw StoreError.notFound("\(key) is not among what can be restored") }
        var wanted = try tags ?? removedTags(of: entry.id, at: entry.hiddenAt)
        if tags == nil, let askedFor, !wanted.contains(askedFor) { wanted.append(askedFor) }
        try checkTags(wanted, for: entry.id, mayMove: tags != nil, rule, in: repository)
        let restored = try unhideWithFollowers(entry.id, now: now)
        try giveTags(wanted, to: entry.id, in: repository, now: now)
        let keys = try restored.entries.compactMap { id in
            try db.first("SELECT key FROM entry WHERE id = ?", .integer(id)) { $0.text(0) }
        }
        return Restoration(
            keys: keys,
            tags: (wanted + restored.tags).map(\.text),
            takenTags: restored.taken.map(\.text)
        )
    }

    /// Brings back a tag: with the entry that it named when that is hidden, else the tag alone.
    ///
    /// Of several removals the last one counts.
    ///
    /// - Throws: As `restore(key:…)`.
    package func restore(
        tag: Tag,
        as tags: [Tag]?,
        rule: TagRule,
        in repository: RepositoryID,
        now: Timestamp
    ) throws -> Restoration {
        let found = try db.first(
            """
            SELECT t.entry_id, e.key, e.hidden_at IS NOT NULL FROM removed_tag t JOIN entry e ON e.id = t.entry_id
            WHERE t.repository_id = ? AND t.name = ? AND t.undo_until > ? AND e.is_dead = 0
            ORDER BY t.removed_at DESC, t.id DESC LIMIT 1
            """,
            .integer(repository),
            .text(tag.text),
            .integer(now.milliseconds)
        ) { (entry: $0.integer(0), key: $0.text(1), isHidden: $0.flag(2)) }
        guard let found, let key = EntryKey(found.key) else {
            throw StoreError.notFound("tag \(tag) is not among what can be restored")
        }
        if found.isHidden { return try restore(key: key, tags: tags, and: tag, rule: rule, in: repository, now: now) }
        let wanted = tags ?? [tag]
        try checkTags(wanted, for: found.entry, mayMove: tags != nil, rule, in: repository)
        try giveTags(wanted, to: found.entry, in: repository, now: now)
        try forgetRemoval(of: tag, from: found.entry)
        return Restoration(keys: [], tags: wanted.map(\.text), takenTags: [])
    }

    /// The tags that an entry lost at a moment.
    func removedTags(of entry: Int64, at time: Timestamp) throws -> [Tag] {
        try db.all(
            "SELECT DISTINCT name FROM removed_tag WHERE entry_id = ? AND removed_at = ? ORDER BY name",
            .integer(entry),
            .integer(time.milliseconds)
        ) { Tag($0.text(0)) }.compactMap(\.self)
    }

    func tagTarget(_ tag: Tag, in repository: RepositoryID) throws -> (entry: Int64, key: String)? {
        try db.first(
            "SELECT t.entry_id, e.key FROM tag t JOIN entry e ON e.id = t.entry_id WHERE t.repository_id = ? AND t.name = ?",
            .integer(repository),
            .text(tag.text)
        ) { (entry: $0.integer(0), key: $0.text(1)) }
    }

    private func checkTags(
        _ tags: [Tag],
        for entry: Int64,
        mayMove: Bool,
        _ rule: TagRule,
        in repository: RepositoryID
    ) throws {
        for tag in tags {
            guard let target = try tagTarget(tag, in: repository), target.entry != entry else { continue }
            guard mayMove else {
                throw StoreError.conditionFailed(
                    "tag \(tag) names \(target.key) by now; say under which tag to restore with --tag"
                )
            }
            if rule.protects(tag) {
                throw StoreError.notAllowed(
                    "tag \(tag) is immutable and names \(target.key); restore under another tag"
                )
            }
        }
    }

    func giveTags(_ tags: [Tag], to entry: Int64, in repository: RepositoryID, now: Timestamp) throws {
        try setTags(tags, to: entry, in: repository, clock: UseClock(now: now, precision: .zero))
    }

    /// A tag is back where it was removed, or can't come back there.
    func forgetRemoval(of tag: Tag, from entry: Int64) throws {
        try db.run("DELETE FROM removed_tag WHERE entry_id = ? AND name = ?", .integer(entry), .text(tag.text))
    }
}

extension MetadataSnapshot {
    /// What can be brought back in a repository, what was removed last first.
    package func removedEntries(in repository: RepositoryID, atMost limit: Int) throws -> [RemovedEntry] {
        let hidden = try db.all(
            """
            SELECT e.key, e.scope, e.hidden_at, h.undo_until, h.run_id, r.key,
                (SELECT group_concat(name, ' ') FROM removed_tag t WHERE t.entry_id = e.id AND t.removed_at = e.hidden_at)
            FROM hidden h JOIN entry e ON e.id = h.entry_id LEFT JOIN entry r ON r.id = h.root_id AND r.id <> e.id
            WHERE h.repository_id = ? ORDER BY e.hidden_at DESC, e.id LIMIT ?
            """,
            .integer(repository),
            .integer(Int64(limit))
        ) { row in
            RemovedEntry(
                key: row.text(0),
                scope: row.text(1),
                tags: row.isNull(6) ? [] : row.text(6).split(separator: " ").map(String.init),
                removedAt: Timestamp(milliseconds: row.integer(2)),
                undoUntil: Timestamp(milliseconds: row.integer(3)),
                run: row.optionalInteger(4),
                root: row.isNull(5) ? nil : row.text(5),
                isVisible: false
            )
        }
        let tags = try db.all(
            """
            SELECT e.key, t.name, t.removed_at, t.undo_until, t.run_id
            FROM removed_tag t JOIN entry e ON e.id = t.entry_id
            WHERE t.repository_id = ? AND e.hidden_at IS NULL AND e.is_dead = 0 ORDER BY t.removed_at DESC LIMIT ?
            """,
            .integer(repository),
            .integer(Int64(limit))
        ) { row in
            RemovedEntry(
                key: row.text(0),
                scope: "",
                tags: [row.text(1)],
                removedAt: Timestamp(milliseconds: row.integer(2)),
                undoUntil: Timestamp(milliseconds: row.integer(3)),
                run: row.optionalInteger(4),
                root: nil,
                isVisible: true
            )
        }
        return Array((hidden + tags).sorted { $0.removedAt > $1.removedAt }.prefix(limit))
    }
}
