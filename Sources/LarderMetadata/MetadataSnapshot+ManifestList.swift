import GRDB
package import LarderCore

/// A manifest as it is listed: with its tags and labels.
package struct ListedManifest: Sendable {
    /// Of its entry: later pushes have larger ones.
    package let number: Int64
    /// As it was pushed.
    package let digest: Digest
    package let pushedAt: Timestamp
    package let tags: [String]
    package let labels: [String: String]
    /// Its bytes.
    package let value: FoundBlob
}

extension MetadataSnapshot {
    /// Manifests of a repository that are about no other one, the newest first.
    ///
    /// `labels`: What each must have.
    ///
    /// `cursor`: Those with numbers below it; nil: all.
    ///
    /// `scanMax`: Manifests that are looked at.
    ///
    /// - Returns: The manifests, and the cursor of the next page; nil behind the last.
    package func manifests(
        in repository: RepositoryID,
        labels: [(name: String, value: String)],
        before cursor: Int64?,
        atMost limit: Int,
        scanMax: Int
    ) throws -> (manifests: [ListedManifest], next: Int64?) {
        var numbers: [Int64] = []
        var (scanCount, last, hasMore) = (0, Int64.max, false)
        try db.forEachRow(
            """
            SELECT m.entry_id FROM manifest m JOIN entry e ON e.id = m.entry_id
            WHERE m.repository_id = ? AND m.entry_id < ? AND m.subject IS NULL AND e.is_dead = 0 AND e.hidden_at IS NULL
            ORDER BY m.entry_id DESC
            """,
            .integer(repository),
            .integer(cursor ?? .max)
        ) { row in
            hasMore = numbers.count == limit || scanCount == scanMax
            if hasMore { return false }
            last = row.integer(0)
            scanCount += 1
            if try hasLabels(labels, entry: last) { numbers.append(last) }
            return true
        }
        return (try numbers.compactMap { try manifest($0, in: repository) }, hasMore ? last : nil)
    }

    /// A manifest by its tag or digest; nil when there is none.
    package func manifest(_ name: StoredName) throws -> ListedManifest? {
        let found =
            switch name.item {
            case .manifest(let digest): try findManifest(digest, in: name.repository)
            case .tag(let tag): try findTag(tag, in: name.repository)
            case .blob, .entry: FoundBlob?.none
            }
        guard let found, case .entry(let number) = found.used else { return nil }
        return try listed(found, number)
    }

    private func manifest(_ number: Int64, in repository: RepositoryID) throws -> ListedManifest? {
        let digest = try db.first("SELECT digest FROM manifest WHERE entry_id = ?", .integer(number)) { $0.text(0) }
        guard let digest = digest.flatMap({ Digest($0) }), let found = try findManifest(digest, in: repository) else {
            return nil
        }
        return try listed(found, number)
    }

    private func listed(_ found: FoundBlob, _ number: Int64) throws -> ListedManifest {
        var labels: [String: String] = [:]
        try db.forEachRow("SELECT name, value FROM label WHERE entry_id = ?", .integer(number)) { row in
            labels[row.text(0)] = row.text(1)
            return true
        }
        return ListedManifest(
            number: number,
            digest: found.manifest?.digest ?? found.blob.digest,
            pushedAt: found.pushedAt,
            tags: try db.all("SELECT name FROM tag WHERE entry_id = ? ORDER BY name", .integer(number)) { $0.text(0) },
            labels: labels,
            value: found
        )
    }

    private func hasLabels(_ labels: [(name: String, value: String)], entry: Int64) throws -> Bool {
        for label in labels {
            let value = try db.first(
                "SELECT value FROM label WHERE entry_id = ? AND name = ?",
                .integer(entry),
                .text(label.name)
            ) { $0.text(0) }
            guard value == label.value else { return false }
        }
        return true
    }
}
