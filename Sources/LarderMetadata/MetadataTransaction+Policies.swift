import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Sets a repository's own policy; nil takes it away.
    ///
    /// - Returns: The repository; nil when it is gone.
    package func setPolicy(_ text: String?, of repository: RepositoryID, now: Timestamp) throws -> Repository? {
        try db.run(
            "UPDATE repository SET policy = ?, policy_set_at = ? WHERE id = ?",
            text.map { .text($0) } ?? .null,
            .optional(text == nil ? nil : now.milliseconds),
            .integer(repository)
        )
        return try db.repositories(where: "id = ?", .integer(repository)).first
    }

    /// Sets the policy of repositories of a kind that have none of their own; nil takes it away.
    package func setDefaultPolicy(_ text: String?, of kind: RepositoryKind, now: Timestamp) throws {
        guard let text else {
            try db.run("DELETE FROM default_policy WHERE kind = ?", .text(kind.rawValue))
            return
        }
        try db.run(
            "INSERT OR REPLACE INTO default_policy (kind, policy, set_at) VALUES (?, ?, ?)",
            .text(kind.rawValue),
            .text(text),
            .integer(now.milliseconds)
        )
    }

    /// Carries out one removal of a plan, if the entry still is what the plan was made from (D2).
    ///
    /// `tags`: The tags that it had, with the times at which they were given to it.
    ///
    /// - Returns: Whether it went.
    package func prune(
        _ entry: Int64,
        lastUsed: Timestamp,
        tags: [(name: String, givenAt: Timestamp)],
        with root: Int64?,
        _ removal: Removal
    ) throws -> Bool {
        guard try isUnchanged(entry, lastUsed: lastUsed, tags: tags, mayHaveLostTags: root != nil),
            try !isReferredTo(entry), try !isPinned(entry), isClaimed(.entry(entry))
        else { return false }
        // What it is about may have come meanwhile.
        guard try !hasSubject(entry, isVisible: true) else { return false }
        // What goes with another one must be kept by nothing by now.
        guard try root == nil || !isVisibleCompanion(tags.map(\.name), entry) else { return false }
        return try remove(entry, with: root, removal)
    }

    /// Moves an entry to the archive, if it still is what the plan was made from.
    package func archive(
        _ entry: Int64,
        lastUsed: Timestamp,
        tags: [(name: String, givenAt: Timestamp)],
        now: Timestamp
    ) throws -> Bool {
        guard try isUnchanged(entry, lastUsed: lastUsed, tags: tags), try !isPinned(entry) else { return false }
        try db.run(
            "UPDATE entry SET archived_at = ?, restored_at = NULL WHERE id = ?",
            .integer(now.milliseconds),
            .integer(entry)
        )
        return true
    }

    /// Takes a tag away, if it was not given anew since the plan was made.
    package func prune(
        _ tag: Tag,
        of entry: Int64,
        givenAt: Timestamp,
        in repository: RepositoryID,
        _ removal: Removal
    ) throws -> Bool {
        let isSame = try db.first(
            "SELECT 1 FROM tag WHERE repository_id = ? AND name = ? AND entry_id = ? AND updated_at = ?",
            .integer(repository),
            .text(tag.text),
            .integer(entry),
            .integer(givenAt.milliseconds)
        ) { _ in true }
        guard isSame != nil, try !isPinned(tag, in: repository) else { return false }
        return try removeTag(tag, of: entry, in: repository, removal)
    }

    /// Whether one of an entry's tags stands for its belonging to a manifest that is visible.
    private func isVisibleCompanion(_ tags: [String], _ entry: Int64) throws -> Bool {
        for tag in tags {
            guard let subject = CompanionTag.subject(of: tag) else { continue }
            let isVisible = try db.first(
                """
                SELECT 1 FROM entry e JOIN entry s ON s.repository_id = e.repository_id AND s.scope = '' AND s.key = ?
                    AND s.hidden_at IS NULL AND s.is_dead = 0 WHERE e.id = ?
                """,
                .text(subject),
                .integer(entry)
            ) { _ in true }
            if isVisible != nil { return true }
        }
        return false
    }

    private func isUnchanged(
        _ entry: Int64,
        lastUsed: Timestamp,
        tags: [(name: String, givenAt: Timestamp)],
        mayHaveLostTags: Bool = false
    ) throws -> Bool {
        let isSame = try db.first(
            "SELECT 1 FROM entry WHERE id = ? AND last_used = ? AND hidden_at IS NULL AND is_dead = 0",
            .integer(entry),
            .integer(lastUsed.milliseconds)
        ) { _ in true }
        guard isSame != nil else { return false }
        let current = try db.all("SELECT name, updated_at FROM tag WHERE entry_id = ?", .integer(entry)) {
            ($0.text(0), $0.integer(1))
        }
        let known = Dictionary(tags.map { ($0.name, $0.givenAt.milliseconds) }) { first, _ in first }
        return (current.count == known.count || mayHaveLostTags) && current.allSatisfy { known[$0.0] == $0.1 }
    }
}

extension MetadataSnapshot {
    /// The policy that a repository has of its own.
    package func policy(of repository: RepositoryID) throws -> String? {
        try db.first("SELECT policy FROM repository WHERE id = ?", .integer(repository)) {
            $0.isNull(0) ? nil : $0.text(0)
        } ?? nil
    }

    /// Policies of repositories that have none of their own, and when they were set.
    package func defaultPolicies() throws -> [RepositoryKind: (text: String, setAt: Timestamp)] {
        var result: [RepositoryKind: (text: String, setAt: Timestamp)] = [:]
        try db.forEachRow("SELECT kind, policy, set_at FROM default_policy") { row in
            if let kind = RepositoryKind(rawValue: row.text(0)) {
                result[kind] = (row.text(1), Timestamp(milliseconds: row.integer(2)))
            }
            return true
        }
        return result
    }
}
