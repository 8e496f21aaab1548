import GRDB
package import LarderCore

/// Entries with any number of references: written in slices that nobody sees, then visible at once.
extension MetadataTransaction {
    private static let pendingScope = "#pending"

    /// Begins an entry, which nothing leads to until it gets its key.
    ///
    /// - Returns: What `addPendingReferences` adds to, and whether the value's content was stored (see `putBlob`).
    package func beginEntry(
        _ value: UploadedBlob,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> (entry: Int64, isStored: Bool) {
        // The number of the next row is in no other key.
        let number = try db.first("SELECT coalesce(max(id), 0) + 1 FROM entry") { $0.integer(0) } ?? 1
        return try insertEntry(
            value,
            scope: Self.pendingScope,
            key: "\(value.digest)#\(number)",
            referenceCount: 0,
            in: repository,
            clock: clock
        )
    }

    /// Gives an entry that was begun, and whose references were all added, its key.
    ///
    /// One that is there with the same value stays, and is used by this; what was begun goes then.
    ///
    /// - Throws: `notFound` when what was begun is gone, `notAllowed` when the one that is to be replaced is pinned.
    package func finishEntry(
        _ entry: Int64,
        key: EntryKey,
        scope: EntryScope,
        isReplacing: Bool,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> EntryOutcome {
        try requirePending(entry)
        let old = try db.first(
            """
            SELECT o.id, o.hidden_at IS NOT NULL, o.blob_id = e.blob_id FROM entry o JOIN entry e ON e.id = ?
            WHERE o.repository_id = ? AND o.scope = ? AND o.key = ?
            """,
            .integer(entry),
            .integer(repository),
            .text(scope.text),
            .text(key.text)
        ) { (id: $0.integer(0), isHidden: $0.flag(1), isSame: $0.flag(2)) }
        if let old {
            let isDamaged = try isDamaged(old.id)
            if old.isSame && !isDamaged {
                if old.isHidden { _ = try unhide(old.id) }
                try recordUse(of: old.id, at: clock.now)
                try removeEntry(entry)
                return .stored
            }
            guard old.isHidden || isReplacing || isDamaged else { return .exists }
            if !old.isHidden {
                try forgetPins(until: clock.now)
                try checkPins(old.id)
            }
            try removeEntry(old.id)
        }
        let count = try db.first("SELECT count(*) FROM reference WHERE entry_id = ?", .integer(entry)) { $0.integer(0) }
        try db.run(
            """
            UPDATE entry SET scope = ?, key = ?, is_complete = 1, reference_count = ?, pushed_at = ?4, last_used = ?4
            WHERE id = ?
            """,
            .text(scope.text),
            .text(key.text),
            .integer(count ?? 0),
            .integer(clock.now.milliseconds),
            .integer(entry)
        )
        return .stored
    }

    /// Gives up an entry that was begun.
    package func abandonEntry(_ entry: Int64) throws {
        try removeEntry(entry)
    }

    /// Gives up what an earlier process began.
    package func abandonPendingEntries() throws {
        for entry in try db.all(
            "SELECT id FROM entry WHERE scope = '#pending' AND is_dead = 0",
            convert: { $0.integer(0) }
        ) {
            try removeEntry(entry)
        }
    }

    /// Removes an entry, so that it can be brought back if `removal` says so; false when there is none.
    ///
    /// - Throws: `notAllowed` when it is pinned.
    package func deleteEntry(
        _ key: EntryKey,
        in repository: RepositoryID,
        _ removal: Removal
    ) throws -> Bool {
        let id = try db.first(
            "SELECT id FROM entry WHERE repository_id = ? AND scope = ? AND key = ? AND hidden_at IS NULL",
            .integer(repository),
            .text(key.scope.text),
            .text(key.text)
        ) { $0.integer(0) }
        guard let id else { return false }
        try forgetPins(until: removal.now)
        try checkPins(id)
        guard removal.undoUntil != nil else {
            try removeEntry(id)
            return true
        }
        return try remove(id, with: nil, removal)
    }

    /// - Throws: `notFound` when what was begun is gone: somebody emptied or removed the repository.
    func requirePending(_ entry: Int64) throws {
        let isPending = try db.first(
            "SELECT 1 FROM entry WHERE id = ? AND scope = '#pending' AND is_dead = 0",
            .integer(entry)
        ) { _ in true }
        if isPending == nil { throw StoreError.notFound("the repository was emptied during the push") }
    }

    func insertEntry(
        _ value: UploadedBlob,
        scope: String,
        key: String,
        referenceCount: Int,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> (entry: Int64, isStored: Bool) {
        let (blob, isStored) = try storeAndLink(value, in: repository, isExplicit: false, entryCount: 1, clock: clock)
        try db.run(
            """
            INSERT INTO entry (repository_id, scope, key, blob_id, pushed_at, last_used, is_complete, reference_count)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .integer(repository),
            .text(scope),
            .text(key),
            .integer(blob.id),
            .integer(clock.now.milliseconds),
            .integer(clock.now.milliseconds),
            .flag(scope != Self.pendingScope),
            .integer(Int64(referenceCount))
        )
        charge(repository, entries: 1)
        return (db.lastInsertedRowID, isStored)
    }

    private func isDamaged(_ entry: Int64) throws -> Bool {
        try effects.quarantineChanged || MetadataSnapshot(db).quarantinedCount() > 0
            ? db.isDamaged(entry: entry) : false
    }
}

extension MetadataTransaction {
    /// Links blobs that other repositories link.
    ///
    /// `sources`: Where each was found.
    ///
    /// - Returns: Those that were still there.
    package func adoptBlobs(
        _ sources: [(digest: Digest, repository: RepositoryID)],
        to repository: RepositoryID,
        clock: UseClock
    ) throws -> Set<Digest> {
        var adopted: Set<Digest> = []
        for (digest, source) in sources
        where try mountBlob(digest, from: source, to: repository, clock: clock) {
            adopted.insert(digest)
        }
        return adopted
    }
}

extension Database {
    /// Whether a blob that an entry refers to, or is made of, is damaged.
    func isDamaged(entry: Int64) throws -> Bool {
        try first(
            """
            SELECT 1 FROM reference r JOIN blob b ON b.id = r.blob_id WHERE r.entry_id = ?1 AND b.is_quarantined = 1
            UNION ALL
            SELECT 1 FROM entry e JOIN blob b ON b.id = e.blob_id WHERE e.id = ?1 AND b.is_quarantined = 1 LIMIT 1
            """,
            .integer(entry)
        ) { _ in true } ?? false
    }
}
