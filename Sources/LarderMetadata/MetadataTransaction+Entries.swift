import GRDB
package import LarderCore

extension MetadataTransaction {
    /// References that one transaction writes at most; an entry with more is completed in slices at its first read.
    package static let referencesPerSlice = 500

    /// Stores an entry and its value; replaces the entry that has the key.
    ///
    /// An entry whose references are not all there is stored as incomplete: it misses until it can be completed.
    ///
    /// - Returns: Whether the value's content was stored (see `putBlob`).
    package func putEntry(
        _ key: EntryKey,
        value: UploadedBlob,
        references: EntryReferences,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> (isStored: Bool, isReplaced: Bool) {
        let name = StoredName(repository: repository, item: .entry(key))
        let old = try db.first(
            """
            SELECT id, blob_id, is_complete, hidden_at IS NOT NULL FROM entry
            WHERE repository_id = ? AND scope = ? AND key = ?
            """,
            .integer(repository),
            .text(key.scope.text),
            .text(key.text)
        ) { (id: $0.integer(0), blobID: $0.integer(1), isComplete: $0.flag(2), isHidden: $0.flag(3)) }
        if let old, old.isComplete, let row = try blobRow(value.digest), row.id == old.blobID, !row.isQuarantined {
            // The same bytes again, as a client that lost its answer sends them.
            if old.isHidden { _ = try unhide(old.id) }
            try db.run(
                "UPDATE entry SET pushed_at = ?, last_used = ? WHERE id = ?",
                .integer(clock.now.milliseconds),
                .integer(clock.now.milliseconds),
                .integer(old.id)
            )
            effects.changedNames.append(name)
            return (false, true)
        }
        // The new link is made first, so that a value both share is never dropped between them.
        let (blob, isStored) = try storeAndLink(value, in: repository, isExplicit: false, entryCount: 1, clock: clock)
        // The old entry gives its key away at once but goes last, so that what both name is never without an entry.
        if let old {
            try db.run("UPDATE entry SET key = ? WHERE id = ?", .text("\u{1}\(old.id)"), .integer(old.id))
        }
        let known = try resolve(references, in: repository)
        try db.run(
            """
            INSERT INTO entry (repository_id, scope, key, blob_id, pushed_at, last_used, is_complete, reference_count)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            .integer(repository),
            .text(key.scope.text),
            .text(key.text),
            .integer(blob.id),
            .integer(clock.now.milliseconds),
            .integer(clock.now.milliseconds),
            .flag(known != nil),
            .integer(Int64(known?.count ?? 0))
        )
        let id = db.lastInsertedRowID
        for blobID in known ?? [] {
            try addReference(id, repository, blobID: blobID)
        }
        if let old { try removeEntry(old.id) }
        charge(repository, entries: 1)
        effects.changedNames.append(name)
        return (isStored, old != nil)
    }

    /// The blobs that references name, each once; nil when one is missing, or when they are too many for one transaction.
    private func resolve(_ references: EntryReferences, in repository: RepositoryID) throws -> [Int64]? {
        switch references {
        case .none: return []
        case .unknown: return nil
        case .known(let blobs):
            guard blobs.count <= Self.referencesPerSlice else { return nil }
            var ids: Set<Int64> = []
            for blob in blobs {
                guard let id = try linkedBlob(blob, in: repository) else { return nil }
                ids.insert(id)
            }
            return ids.sorted()
        }
    }

    /// The sound blob that the descriptor names and the repository links; nil when there is none or its size differs.
    private func linkedBlob(_ blob: BlobDescriptor, in repository: RepositoryID) throws -> Int64? {
        try db.linkedBlob(blob, in: repository)
    }

    func addReference(_ entry: Int64, _ repository: RepositoryID, blobID: Int64) throws {
        let before = changeCount
        try db.run(
            "INSERT OR IGNORE INTO reference (entry_id, blob_id) VALUES (?, ?)",
            .integer(entry),
            .integer(blobID)
        )
        guard changeCount > before else { return }
        try db.run(
            "UPDATE link SET entry_count = entry_count + 1 WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blobID)
        )
    }

    /// Adds a slice of references to an incomplete entry: from then on they are protected by it.
    ///
    /// - Returns: false when the entry is gone or a blob is missing; nothing of the slice counts then.
    package func addReferences(
        _ blobs: some Collection<BlobDescriptor>,
        to entry: Int64,
        in repository: RepositoryID
    ) throws -> Bool {
        guard try isAlive(entry) else { return false }
        var ids: Set<Int64> = []
        for blob in blobs {
            guard let id = try linkedBlob(blob, in: repository) else { return false }
            ids.insert(id)
        }
        for id in ids.sorted() {
            try addReference(entry, repository, blobID: id)
        }
        return true
    }

    /// Makes an entry visible whose references were all added.
    ///
    /// - Returns: false when the entry is gone.
    package func completeEntry(_ entry: Int64) throws -> Bool {
        guard try isAlive(entry) else { return false }
        let count = try db.first("SELECT count(*) FROM reference WHERE entry_id = ?", .integer(entry)) { $0.integer(0) }
        try db.run(
            "UPDATE entry SET is_complete = 1, reference_count = ? WHERE id = ?",
            .integer(count ?? 0),
            .integer(entry)
        )
        return true
    }

    private func isAlive(_ entry: Int64) throws -> Bool {
        try db.first("SELECT 1 FROM entry WHERE id = ? AND is_dead = 0", .integer(entry)) { _ in true } ?? false
    }

    /// Removes an entry at once, or, when it has many references, takes its key away and leaves the rest to slices.
    func removeEntry(_ id: Int64) throws {
        let entry = try db.first(
            """
            SELECT repository_id, key, reference_count, is_complete, hidden_at IS NOT NULL, scope FROM entry
            WHERE id = ? AND is_dead = 0
            """,
            .integer(id)
        ) {
            (
                repository: $0.integer(0), key: $0.text(1), referenceCount: $0.integer(2), isComplete: $0.flag(3),
                isHidden: $0.flag(4), scope: $0.text(5)
            )
        }
        guard let entry else { return }
        if entry.isHidden {
            try db.run("DELETE FROM hidden WHERE entry_id = ?", .integer(id))
        } else {
            charge(entry.repository, entries: -1)
        }
        try retireManifest(id, in: entry.repository)
        if let key = EntryKey(entry.key), let scope = EntryScope(entry.scope) {
            effects.changedNames.append(StoredName(repository: entry.repository, item: .entry(key.inScope(scope))))
        }
        // An incomplete entry may have any number of references, added in slices.
        let referenceCount = try entry.isComplete ? entry.referenceCount : countedReferences(of: id)
        if referenceCount <= Self.referencesPerSlice {
            _ = try removeReferences(of: id, atMost: Int.max)
        } else {
            // Control characters are in no valid key, so the new key collides with none.
            try db.run(
                "UPDATE entry SET is_dead = 1, key = ? WHERE id = ?",
                .text("\u{1}\(id)"),
                .integer(id)
            )
            effects.hasDeadEntries = true
        }
    }

    /// References of an entry, counted as far as one slice goes.
    private func countedReferences(of id: Int64) throws -> Int64 {
        try db.first(
            "SELECT count(*) FROM (SELECT 1 FROM reference WHERE entry_id = ? LIMIT ?)",
            .integer(id),
            .integer(Int64(Self.referencesPerSlice + 1))
        ) { $0.integer(0) } ?? 0
    }

    /// Removes references of dead entries in a bounded slice, and the entries that have none left.
    ///
    /// - Returns: Whether more is left.
    package func removeDeadEntries(atMost limit: Int) throws -> Bool {
        let dead = try db.all("SELECT id FROM entry WHERE is_dead = 1 LIMIT 100") { $0.integer(0) }
        var budget = limit
        for id in dead {
            budget -= try removeReferences(of: id, atMost: budget)
            if budget <= 0 { return true }
        }
        return dead.count == 100
    }

    /// Whether an entry is a manifest, or was to become one.
    func isManifest(_ id: Int64) throws -> Bool {
        try db.first(
            """
            SELECT 1 FROM manifest WHERE entry_id = ?1
            UNION ALL SELECT 1 FROM entry WHERE id = ?1 AND scope = '#pending' LIMIT 1
            """,
            .integer(id)
        ) { _ in true } ?? false
    }

    /// Removes the rows that only manifests have.
    private func forgetManifest(_ id: Int64) throws {
        for table in ["manifest", "manifest_child", "label", "removed_tag"] {
            try db.run("DELETE FROM \(table) WHERE entry_id = ?", .integer(id))
        }
    }

    /// Until when links that are free may have been asked for to go at once; nil where they wait for the sweeper.
    private func untouchedSince(_ repository: RepositoryID) throws -> Timestamp? {
        // What a sparse manifest names may come later and is known to nobody until then.
        let hasBeenSparse = try db.first(
            "SELECT has_been_sparse FROM repository WHERE id = ?",
            .integer(repository)
        ) { $0.flag(0) }
        return hasBeenSparse == false ? unusedSince : nil
    }

    /// Releases references and, with the last, the entry's value and row.
    ///
    /// Returns the number of references released.
    private func removeReferences(of id: Int64, atMost limit: Int) throws -> Int {
        let entry = try db.first(
            "SELECT repository_id, blob_id, last_used, hidden_at IS NOT NULL FROM entry WHERE id = ?",
            .integer(id)
        ) {
            (
                repository: $0.integer(0), blobID: $0.integer(1), lastUsed: Timestamp(milliseconds: $0.integer(2)),
                isHidden: $0.flag(3)
            )
        }
        guard let entry else { return 0 }
        let blobs = try db.all(
            "SELECT blob_id FROM reference WHERE entry_id = ? LIMIT ?",
            .integer(id),
            .integer(Int64(min(limit, 1 << 30)))
        ) { $0.integer(0) }
        let isManifest = try isManifest(id)
        // D2: what nobody has asked for within the grace goes with it.
        let untouchedSince =
            isManifest && entry.isHidden ? try untouchedSince(entry.repository) : nil
        for blobID in blobs {
            try db.run(
                "DELETE FROM reference WHERE entry_id = ? AND blob_id = ?",
                .integer(id),
                .integer(blobID)
            )
            if isManifest {
                try reviewChild(blobID: blobID, in: entry.repository)
                try db.run(
                    "DELETE FROM manifest_child WHERE repository_id = ? AND blob_id = ? AND entry_id = ?",
                    .integer(entry.repository),
                    .integer(blobID),
                    .integer(id)
                )
            }
            try releaseLink(
                entry.repository,
                blobID: blobID,
                lastUsed: untouchedSince == nil ? entry.lastUsed : Timestamp(milliseconds: 0),
                untouchedSince: untouchedSince
            )
        }
        if blobs.count < limit {
            if isManifest { try forgetManifest(id) }
            try db.run("DELETE FROM review WHERE entry_id = ?", .integer(id))
            try db.run("DELETE FROM entry WHERE id = ?", .integer(id))
            try releaseLink(entry.repository, blobID: entry.blobID, lastUsed: entry.lastUsed)
        }
        return blobs.count + 1
    }
}

extension Database {
    /// The sound blob that a descriptor names, if the repository links it and the size is right.
    func linkedBlob(_ blob: BlobDescriptor, in repository: RepositoryID) throws -> Int64? {
        guard blob.digest.algorithm == .sha256, let row = try blobRow(blob.digest), !row.isQuarantined else {
            return nil
        }
        guard blob.size == nil || blob.size == row.size else { return nil }
        return try isLinked(row.id, in: repository) ? row.id : nil
    }

    /// Whether a repository links a blob.
    func isLinked(_ blobID: Int64, in repository: RepositoryID) throws -> Bool {
        try first(
            "SELECT 1 FROM link WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blobID)
        ) { _ in true } ?? false
    }
}
