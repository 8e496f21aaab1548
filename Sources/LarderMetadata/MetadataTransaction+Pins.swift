import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Pins something that is there; a pin that it has is replaced.
    ///
    /// - Throws: `notFound`.
    package func pin(
        _ item: PinnedItem,
        reason: String,
        until: Timestamp?,
        in repository: RepositoryID,
        now: Timestamp
    ) throws {
        let isLiving = try db.first(
            "SELECT 1 FROM repository WHERE id = ? AND is_deleted = 0",
            .integer(repository)
        ) { _ in true }
        guard isLiving != nil else { throw StoreError.notFound("the repository is being removed") }
        let isThere =
            switch item {
            case .entry:
                try db.first(
                    """
                    SELECT 1 FROM entry
                    WHERE repository_id = ?1 AND scope = '' AND key = ?2 AND is_dead = 0 AND hidden_at IS NULL
                    UNION ALL SELECT 1 FROM entry WHERE repository_id = ?1 AND scope > '' AND scope <> '#pending'
                    AND key = ?2 AND is_dead = 0 AND hidden_at IS NULL LIMIT 1
                    """,
                    .integer(repository),
                    .text(item.name)
                ) { _ in true }
            case .tag:
                try db.first(
                    "SELECT 1 FROM tag WHERE repository_id = ? AND name = ?",
                    .integer(repository),
                    .text(item.name)
                ) { _ in true }
            }
        guard isThere != nil else { throw StoreError.notFound("\(item.kind) \(item.name)") }
        try db.run(
            """
            INSERT OR REPLACE INTO pin (repository_id, item, name, reason, pinned_at, pinned_until)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            .integer(repository),
            .text(item.kind),
            .text(item.name),
            .text(reason),
            .integer(now.milliseconds),
            .optional(until?.milliseconds)
        )
    }

    /// Takes a pin away; false when there is none.
    package func unpin(_ item: PinnedItem, in repository: RepositoryID) throws -> Bool {
        try db.run(
            "DELETE FROM pin WHERE repository_id = ? AND item = ? AND name = ?",
            .integer(repository),
            .text(item.kind),
            .text(item.name)
        )
        return db.changesCount > 0
    }

    /// Forgets pins whose time is over.
    package func forgetPins(until now: Timestamp) throws {
        try db.run("DELETE FROM pin WHERE pinned_until <= ?", .integer(now.milliseconds))
    }

    /// Why an entry may not be removed: it, or a tag of it, is pinned; nil when it may.
    func pinReason(_ entry: Int64) throws -> String? {
        try db.first(
            """
            SELECT p.reason FROM entry e JOIN pin p ON p.repository_id = e.repository_id AND p.item = 'entry'
                AND p.name = e.key WHERE e.id = ?1
            UNION ALL
            SELECT p.reason FROM tag t JOIN pin p ON p.repository_id = t.repository_id AND p.item = 'tag'
                AND p.name = t.name WHERE t.entry_id = ?1
            LIMIT 1
            """,
            .integer(entry)
        ) { $0.text(0) }
    }

    func isPinned(_ entry: Int64) throws -> Bool { try pinReason(entry) != nil }

    /// - Throws: `notAllowed` when an entry, or a tag of it, is pinned.
    func checkPins(_ entry: Int64) throws {
        if let reason = try pinReason(entry) {
            throw StoreError.notAllowed("it is pinned (\(reason)); take the pin away first with: larder pin rm")
        }
    }

    func isPinned(_ tag: Tag, in repository: RepositoryID) throws -> Bool {
        try pinReason(tag, in: repository) != nil
    }

    private func pinReason(_ tag: Tag, in repository: RepositoryID) throws -> String? {
        try db.first(
            "SELECT reason FROM pin WHERE repository_id = ? AND item = 'tag' AND name = ?",
            .integer(repository),
            .text(tag.text)
        ) { $0.text(0) }
    }

    /// - Throws: `notAllowed` when a tag is pinned.
    func checkPin(_ tag: Tag, in repository: RepositoryID) throws {
        if let reason = try pinReason(tag, in: repository) {
            throw StoreError.notAllowed("tag \(tag) is pinned (\(reason)); take the pin away first with: larder pin rm")
        }
    }
}

extension MetadataSnapshot {
    /// The pins of a repository, by name.
    package func pins(in repository: RepositoryID) throws -> [Pin] {
        try db.all(
            """
            SELECT item, name, reason, pinned_at, pinned_until FROM pin WHERE repository_id = ? ORDER BY item, name
            """,
            .integer(repository)
        ) { row -> Pin? in
            let item: PinnedItem? =
                row.text(0) == "tag" ? Tag(row.text(1)).map { .tag($0) } : EntryKey(row.text(1)).map { .entry($0) }
            return item.map {
                Pin(
                    item: $0,
                    reason: row.text(2),
                    pinnedAt: Timestamp(milliseconds: row.integer(3)),
                    pinnedUntil: row.optionalInteger(4).map { Timestamp(milliseconds: $0) }
                )
            }
        }.compactMap(\.self)
    }
}
