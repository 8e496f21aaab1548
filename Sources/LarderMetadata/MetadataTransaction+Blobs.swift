import GRDB
package import LarderCore

/// Where a new blob's bytes are.
package enum BlobContent: Sendable {
    /// In the database.
    case inline([UInt8])
    /// In a file that is already durable under its final name (W1).
    case file(generation: Int64)

    var generation: Int64? {
        if case .file(let generation) = self { generation } else { nil }
    }
}

/// A blob that was uploaded, for the row.
package struct UploadedBlob: Sendable {
    /// SHA-256.
    package let digest: Digest
    /// Further digests that name it.
    package let aliases: [Digest]
    package let size: Int64
    package let content: BlobContent

    package init(digest: Digest, aliases: [Digest] = [], size: Int64, content: BlobContent) {
        self.digest = digest
        self.aliases = aliases
        self.size = size
        self.content = content
    }
}

/// A blob's row in short.
package struct BlobRow: Sendable, Equatable {
    package let id: Int64
    package let digest: Digest
    package let size: Int64
    /// nil: inline.
    package let generation: Int64?
    package let isQuarantined: Bool
}

/// How the times of an operation are counted.
package struct UseClock: Sendable {
    package let now: Timestamp
    /// A stored last use is renewed only when it is older than this.
    package let precision: Duration

    package init(now: Timestamp, precision: Duration) {
        self.now = now
        self.precision = precision
    }
}

extension MetadataTransaction {
    /// Stores a blob, or finds it, and links it in a repository.
    ///
    /// `isExplicit`: Whether it was uploaded under its digest (a CAS upload) and so outlives its entries.
    ///
    /// Returns The blob's number, and whether the content given was stored: when it was not, there was a sound blob
    /// of that digest and the caller removes its own file.
    package func putBlob(
        _ blob: UploadedBlob,
        in repository: RepositoryID,
        isExplicit: Bool,
        clock: UseClock
    ) throws -> (id: Int64, isStored: Bool) {
        let (row, isStored) = try storeAndLink(
            blob,
            in: repository,
            isExplicit: isExplicit,
            entryCount: 0,
            clock: clock
        )
        return (row.id, isStored)
    }

    /// Stores a blob, or finds it, and links it with entries that refer to it.
    func storeAndLink(
        _ blob: UploadedBlob,
        in repository: RepositoryID,
        isExplicit: Bool,
        entryCount: Int64,
        clock: UseClock
    ) throws -> (row: BlobRow, isStored: Bool) {
        // Most uploads are of new blobs: to try saves them a look-up. A new blob has no link yet either.
        if let row = try insertBlob(blob, linkCount: 1) {
            try insertLink(repository, row, isExplicit: isExplicit, entryCount: entryCount, clock: clock)
            return (row, true)
        }
        let (row, isStored) = try findOrHeal(blob)
        try addLink(repository, row, isExplicit: isExplicit, entryCount: entryCount, clock: clock)
        return (row, isStored)
    }

    /// The blob that the store has, healed with the new bytes if it was damaged.
    private func findOrHeal(_ blob: UploadedBlob) throws -> (row: BlobRow, isStored: Bool) {
        guard let row = try blobRow(blob.digest) else {
            throw StoreError.corrupt("the blob \(blob.digest) is there and is not")
        }
        try insertAliases(blob.aliases, of: row.id)
        guard row.isQuarantined else { return (row, false) }
        let generation = blob.content.generation
        try heal(row, with: blob.content, generation: generation)
        let healed = BlobRow(
            id: row.id,
            digest: row.digest,
            size: row.size,
            generation: generation,
            isQuarantined: false
        )
        return (healed, true)
    }

    /// The row of a new blob; nil when the store has one of that digest.
    private func insertBlob(_ blob: UploadedBlob, linkCount: Int64) throws -> BlobRow? {
        let generation = blob.content.generation
        try db.run(
            """
            INSERT INTO blob (sha256, size, generation, link_count) VALUES (?, ?, ?, ?)
            ON CONFLICT (sha256) DO NOTHING
            """,
            .digest(blob.digest),
            .integer(blob.size),
            .optional(generation),
            .integer(linkCount)
        )
        guard db.changesCount == 1 else { return nil }
        let id = db.lastInsertedRowID
        if case .inline(let bytes) = blob.content {
            try db.run("INSERT INTO blob_bytes (blob_id, bytes) VALUES (?, ?)", .integer(id), .bytes(bytes))
        }
        try insertAliases(blob.aliases, of: id)
        effects.usedBytes += blob.size
        effects.blobCount += 1
        return BlobRow(id: id, digest: blob.digest, size: blob.size, generation: generation, isQuarantined: false)
    }

    private func insertAliases(_ aliases: [Digest], of blobID: Int64) throws {
        for alias in aliases {
            try db.run(
                "INSERT OR IGNORE INTO digest (algorithm, hash, blob_id) VALUES (?, ?, ?)",
                .integer(Int64(alias.algorithm.rawValue)),
                .digest(alias),
                .integer(blobID)
            )
        }
    }

    /// A damaged blob was uploaded again: the new bytes take the row, the old file goes.
    private func heal(_ row: BlobRow, with content: BlobContent, generation: Int64?) throws {
        if let old = row.generation { try queueRemoval(row.digest, generation: old) }
        try db.run("DELETE FROM blob_bytes WHERE blob_id = ?", .integer(row.id))
        if case .inline(let bytes) = content {
            try db.run("INSERT INTO blob_bytes (blob_id, bytes) VALUES (?, ?)", .integer(row.id), .bytes(bytes))
        }
        try db.run(
            "UPDATE blob SET generation = ?, is_quarantined = 0 WHERE id = ?",
            .optional(generation),
            .integer(row.id)
        )
        effects.quarantineChanged = true
    }

    /// Renews the mark of a link whose blob is sound and has the size named (D2), as a link of its own right.
    ///
    /// - Returns: false when there is no such link.
    package func renewLink(_ blob: BlobDescriptor, in repository: RepositoryID, clock: UseClock) throws -> Bool {
        guard try db.linkedBlob(blob, in: repository) != nil, let row = try blobRow(blob.digest) else { return false }
        try addLink(repository, row, isExplicit: true, entryCount: 0, clock: clock)
        return true
    }

    /// Marks a blob as damaged if it still is the copy that was found so; everything that names it misses from then on.
    ///
    /// - Returns: Whether it was marked: false when it was replaced or removed meanwhile, or marked before.
    package func quarantine(_ blob: BlobRow) throws -> Bool {
        guard let row = try blobRow(blob.digest), row == blob, !row.isQuarantined else { return false }
        try db.run("UPDATE blob SET is_quarantined = 1 WHERE id = ?", .integer(row.id))
        effects.quarantineChanged = true
        return true
    }

    /// Links a blob that the repository's own client proved to have, or renews the link's mark (D2).
    func addLink(
        _ repository: RepositoryID,
        _ blob: BlobRow,
        isExplicit: Bool,
        entryCount: Int64,
        clock: UseClock
    ) throws {
        let link = try db.first(
            "SELECT last_used, is_explicit FROM link WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blob.id)
        ) { (lastUsed: Timestamp(milliseconds: $0.integer(0)), isExplicit: $0.flag(1)) }
        guard let link else {
            try insertLink(repository, blob, isExplicit: isExplicit, entryCount: entryCount, clock: clock)
            try db.run("UPDATE blob SET link_count = link_count + 1 WHERE id = ?", .integer(blob.id))
            return
        }
        let isStale = clock.now - link.lastUsed > clock.precision
        guard isStale || entryCount != 0 || (isExplicit && !link.isExplicit) else { return }
        try db.run(
            """
            UPDATE link SET last_used = ?, entry_count = entry_count + ?, is_explicit = ?
            WHERE repository_id = ? AND blob_id = ?
            """,
            .integer(isStale ? clock.now.milliseconds : link.lastUsed.milliseconds),
            .integer(entryCount),
            .flag(link.isExplicit || isExplicit),
            .integer(repository),
            .integer(blob.id)
        )
    }

    private func insertLink(
        _ repository: RepositoryID,
        _ blob: BlobRow,
        isExplicit: Bool,
        entryCount: Int64,
        clock: UseClock
    ) throws {
        try db.run(
            """
            INSERT INTO link (repository_id, blob_id, size, pushed_at, last_used, entry_count, is_explicit)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            .integer(repository),
            .integer(blob.id),
            .integer(blob.size),
            .integer(clock.now.milliseconds),
            .integer(clock.now.milliseconds),
            .integer(entryCount),
            .flag(isExplicit)
        )
        charge(repository, bytes: blob.size)
    }

    /// One entry less refers to the blob: when it was the last, the blob becomes a candidate as old as that entry's last
    /// use, or goes at once if nobody uploaded it for itself.
    ///
    /// `untouchedSince`: It also goes at once when nobody has asked for it since; nil: it does not.
    func releaseLink(
        _ repository: RepositoryID,
        blobID: Int64,
        lastUsed: Timestamp,
        untouchedSince: Timestamp? = nil
    ) throws {
        let link = try db.first(
            "SELECT entry_count, is_explicit, last_used FROM link WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blobID)
        ) {
            (entryCount: $0.integer(0), isExplicit: $0.flag(1), lastUsed: Timestamp(milliseconds: $0.integer(2)))
        }
        guard let link else { return }
        let isUntouched = untouchedSince.map { link.lastUsed <= $0 } ?? false
        if link.entryCount <= 1
            && (!link.isExplicit
                || (isUntouched && isClaimed(.link(repository: repository, blobID: blobID))))
        {
            try dropLink(repository, blobID: blobID)
            return
        }
        try db.run(
            """
            UPDATE link SET entry_count = max(entry_count - 1, 0), last_used = max(last_used, ?)
            WHERE repository_id = ? AND blob_id = ?
            """,
            .integer(lastUsed.milliseconds),
            .integer(repository),
            .integer(blobID)
        )
    }

    /// Removes a link, and the blob with its last link (D1: the row goes first, the file later).
    func dropLink(_ repository: RepositoryID, blobID: Int64) throws {
        let blob = try db.first(
            "SELECT sha256, size, generation, link_count, is_quarantined FROM blob WHERE id = ?",
            .integer(blobID)
        ) {
            (
                digest: try $0.digest(0), size: $0.integer(1), generation: $0.optionalInteger(2),
                linkCount: $0.integer(3), isQuarantined: $0.flag(4)
            )
        }
        guard let blob else { throw StoreError.corrupt("a link names the blob \(blobID), which has no row") }
        try db.run(
            "DELETE FROM lease WHERE repository_id = ? AND blob_id = ?",
            .integer(repository),
            .integer(blobID)
        )
        try db.run("DELETE FROM link WHERE repository_id = ? AND blob_id = ?", .integer(repository), .integer(blobID))
        charge(repository, bytes: -blob.size)
        effects.changedNames.append(StoredName(repository: repository, item: .blob(blob.digest)))
        // The hot set holds contents under every digest they were read by.
        try db.forEachRow("SELECT hash FROM digest WHERE blob_id = ?", .integer(blobID)) { row in
            if let alias = Digest(.sha512, bytes: row.bytes(0)) {
                effects.changedNames.append(StoredName(repository: repository, item: .blob(alias)))
            }
            return true
        }
        if blob.linkCount > 1 {
            try db.run("UPDATE blob SET link_count = link_count - 1 WHERE id = ?", .integer(blobID))
            return
        }
        try db.run("DELETE FROM blob_bytes WHERE blob_id = ?", .integer(blobID))
        try db.run("DELETE FROM digest WHERE blob_id = ?", .integer(blobID))
        try db.run("DELETE FROM blob WHERE id = ?", .integer(blobID))
        if let generation = blob.generation { try queueRemoval(blob.digest, generation: generation) }
        if blob.isQuarantined { effects.quarantineChanged = true }
        effects.usedBytes -= blob.size
        effects.blobCount -= 1
    }

    private func queueRemoval(_ digest: Digest, generation: Int64) throws {
        try db.run(
            "INSERT INTO removal (sha256, generation) VALUES (?, ?)",
            .digest(digest),
            .integer(generation)
        )
        effects.hasRemovals = true
    }

    func blobRow(_ digest: Digest) throws -> BlobRow? {
        try db.blobRow(digest)
    }
}

extension Database {
    func blobRow(_ digest: Digest) throws -> BlobRow? {
        precondition(digest.algorithm == .sha256, "rows are named by SHA-256")
        return try first(
            "SELECT id, size, generation, is_quarantined FROM blob WHERE sha256 = ?",
            .digest(digest)
        ) {
            BlobRow(
                id: $0.integer(0),
                digest: digest,
                size: $0.integer(1),
                generation: $0.optionalInteger(2),
                isQuarantined: $0.flag(3)
            )
        }
    }
}
