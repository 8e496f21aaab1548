import GRDB
package import LarderCore

/// A manifest that was pushed, for its rows.
package struct NewManifest: Sendable {
    /// The manifest's own bytes.
    package let value: UploadedBlob
    package let mediaType: String
    /// The digest under which it was pushed.
    package let digest: Digest
    /// Content that must be there: configuration and layers.
    package let content: [BlobDescriptor]
    /// Manifests that must be there.
    package let children: [BlobDescriptor]
    package let subject: Digest?
    /// Its descriptor in the list of its subject's referrers, as JSON.
    package let referrer: String?
    /// Whether it may name content that is not there.
    package let isSparse: Bool
    /// Whether one that is there may lack references to content that came after it.
    package let completesReferences: Bool
    /// Its annotations, and the labels of its configuration.
    package let labels: [String: String]

    package init(
        value: UploadedBlob,
        manifest: Manifest,
        digest: Digest,
        isSparse: Bool,
        completesReferences: Bool = false,
        labels: [String: String] = [:]
    ) {
        self.value = value
        self.labels = labels
        self.digest = digest
        self.isSparse = isSparse
        self.completesReferences = completesReferences || isSparse
        mediaType = manifest.mediaType
        // BuildKit's cache is an index that names layers.
        let children = manifest.manifests.filter { ManifestType.all.contains($0.mediaType) }
        let others = manifest.manifests.filter { !ManifestType.all.contains($0.mediaType) }
        content = (manifest.blobReferences + others).map { BlobDescriptor(digest: $0.digest, size: $0.size) }
        self.children = children.map { BlobDescriptor(digest: $0.digest, size: $0.size) }
        subject = manifest.subject?.digest
        referrer = manifest.subject.map { _ in manifest.referrerText(digest: digest, size: value.size) }
    }

    var key: String { value.digest.description }
    var referenceCount: Int { content.count + children.count }
}

/// A rule on tags: which of them stay with the manifest that they were given to first, and what a push demands of them.
package struct TagRule: Sendable {
    package let areImmutable: Bool
    package let mutablePatterns: [TagPattern]
    package let condition: TagCondition

    package init(_ settings: RepositorySettings, condition: TagCondition) {
        areImmutable = settings.tagsAreImmutable
        mutablePatterns = settings.mutableTags
        self.condition = condition
    }

    /// - Throws: `conditionFailed`.
    func check(_ tag: Tag, names digest: String?) throws(StoreError) {
        switch condition {
        case .none, .staysPut: return
        case .isAbsent:
            if let digest { throw .conditionFailed("tag \(tag) exists and names \(digest)") }
        case .names(let digests):
            guard let digest, digests.contains(digest) else {
                throw .conditionFailed("tag \(tag) names \(digest ?? "nothing")")
            }
        }
    }

    func protects(_ tag: Tag) -> Bool {
        condition == .staysPut || areImmutable && !mutablePatterns.contains { $0.matches(tag) }
    }
}

extension MetadataTransaction {
    /// Stores a manifest with everything it names, and gives it tags: all of it or nothing.
    ///
    /// One that is there is only given the tags; the time of its push stays.
    ///
    /// `manifest`: With at most `referencesPerSlice` references.
    ///
    /// - Returns: Whether the value's content was stored (see `putBlob`).
    /// - Throws: `missingContent`, `invalidContent` for a wrong size, `notAllowed` for a tag that may not move.
    package func putManifest(
        _ manifest: NewManifest,
        tags: [Tag],
        rule: TagRule,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> Bool {
        try check(tags, of: manifest, rule, in: repository)
        if let isStored = try tagExisting(manifest, tags: tags, in: repository, clock: clock) { return isStored }
        let references = try resolve(manifest.content, manifest.children, isSparse: manifest.isSparse, in: repository)
        let (entry, isStored) = try insertEntry(
            manifest.value,
            scope: "",
            key: manifest.key,
            referenceCount: references.count,
            in: repository,
            clock: clock
        )
        try addReferences(references, to: entry, in: repository)
        try publish(manifest, as: entry, in: repository)
        try setTags(tags, to: entry, in: repository, clock: clock)
        return isStored
    }

    /// Adds a slice of references to what `beginEntry` began; from then on they are protected by the entry.
    ///
    /// - Throws: `missingContent`, `invalidContent` for a wrong size, `notFound` when the entry is gone.
    package func addPendingReferences(
        content: some Collection<BlobDescriptor> & Sendable,
        children: some Collection<BlobDescriptor> & Sendable = [],
        isSparse: Bool = false,
        to entry: Int64,
        in repository: RepositoryID
    ) throws {
        try requirePending(entry)
        let references = try resolve(content, children, isSparse: isSparse, in: repository)
        try addReferences(references, to: entry, in: repository)
    }

    /// Makes a manifest visible whose references were all added, with its tags.
    package func finishManifest(
        _ manifest: NewManifest,
        entry: Int64,
        tags: [Tag],
        rule: TagRule,
        in repository: RepositoryID,
        clock: UseClock
    ) throws {
        try requirePending(entry)
        try check(tags, of: manifest, rule, in: repository)
        // Its bytes are those that the pending entry has already.
        if try tagExisting(manifest, tags: tags, heals: false, in: repository, clock: clock) != nil {
            // Somebody else pushed the same meanwhile.
            return try removeEntry(entry)
        }
        let count = try db.first("SELECT count(*) FROM reference WHERE entry_id = ?", .integer(entry)) { $0.integer(0) }
        try db.run(
            "UPDATE entry SET scope = '', key = ?, is_complete = 1, reference_count = ? WHERE id = ?",
            .text(manifest.key),
            .integer(count ?? 0),
            .integer(entry)
        )
        try publish(manifest, as: entry, in: repository)
        try setTags(tags, to: entry, in: repository, clock: clock)
    }

    // MARK: - Parts

    /// Gives tags to the manifest if the repository has it, and new bytes if those were damaged.
    ///
    /// Returns whether the value's content was stored; nil when the repository has no such manifest.
    private func tagExisting(
        _ manifest: NewManifest,
        tags: [Tag],
        heals: Bool = true,
        in repository: RepositoryID,
        clock: UseClock
    ) throws -> Bool? {
        guard let entry = try db.manifestEntry(manifest.value.digest, in: repository) else { return nil }
        var missing = ManifestReferences()
        if manifest.completesReferences, manifest.referenceCount <= Self.referencesPerSlice {
            missing = try resolve(manifest.content, manifest.children, isSparse: manifest.isSparse, in: repository)
        }
        let isStored =
            try heals
            && storeAndLink(
                manifest.value,
                in: repository,
                isExplicit: false,
                entryCount: 0,
                clock: clock
            ).isStored
        // D2: a push renews the mark, also of what is there. The time of the first push stays.
        if try isHidden(entry) {
            _ = try unhideWithFollowers(entry, now: clock.now)
            // It was gone: this is its push.
            try db.run("UPDATE entry SET pushed_at = ? WHERE id = ?", .integer(clock.now.milliseconds), .integer(entry))
        }
        try recordUse(of: entry, at: clock.now)
        try db.run(
            "UPDATE manifest SET digest = ?1 WHERE entry_id = ?2 AND digest <> ?1",
            .text("\(manifest.digest)"),
            .integer(entry)
        )
        if db.changesCount > 0 {
            // What its tags tell.
            try db.forEachRow("SELECT name FROM tag WHERE entry_id = ?", .integer(entry)) { row in
                if let tag = Tag(row.text(0)) {
                    effects.changedNames.append(StoredName(repository: repository, item: .tag(tag)))
                }
                return true
            }
        }
        noteChange(of: manifest, in: repository)
        try setLabels(manifest.labels, of: entry)
        if missing.count > 0 {
            // Some of it may have come meanwhile.
            try addReferences(missing, to: entry, in: repository)
            try db.run(
                """
                UPDATE entry SET reference_count = (SELECT count(*) FROM reference WHERE entry_id = ?1) WHERE id = ?1
                """,
                .integer(entry)
            )
        }
        try setTags(tags, to: entry, in: repository, clock: clock)
        return isStored
    }

    private func publish(_ manifest: NewManifest, as entry: Int64, in repository: RepositoryID) throws {
        try db.run(
            """
            INSERT INTO manifest (entry_id, repository_id, media_type, digest, subject, referrer)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            .integer(entry),
            .integer(repository),
            .text(manifest.mediaType),
            .text("\(manifest.digest)"),
            manifest.subject.map { .text("\($0)") } ?? .null,
            manifest.referrer.map { .text($0) } ?? .null
        )
        try setLabels(manifest.labels, of: entry)
        noteChange(of: manifest, in: repository)
    }

    private func setLabels(_ labels: [String: String], of entry: Int64) throws {
        for (name, value) in labels {
            try db.run(
                "INSERT OR REPLACE INTO label (entry_id, name, value) VALUES (?, ?, ?)",
                .integer(entry),
                .text(name),
                .text(value)
            )
        }
    }

    private func addReferences(_ references: ManifestReferences, to entry: Int64, in repository: RepositoryID) throws {
        for id in references.blobs { try addReference(entry, repository, blobID: id) }
        for id in references.children {
            try db.run(
                "INSERT OR IGNORE INTO manifest_child (repository_id, blob_id, entry_id) VALUES (?, ?, ?)",
                .integer(repository),
                .integer(id),
                .integer(entry)
            )
        }
    }

    private func noteChange(of manifest: NewManifest, in repository: RepositoryID) {
        for digest in [manifest.value.digest] + manifest.value.aliases {
            effects.changedNames.append(StoredName(repository: repository, item: .manifest(digest)))
        }
    }

    /// Whether tags may be given to a manifest: asked before anything is written, as a refusal then breaks no batch.
    private func check(_ tags: [Tag], of manifest: NewManifest, _ rule: TagRule, in repository: RepositoryID) throws {
        for tag in tags {
            let current = try db.first(
                """
                SELECT e.key, m.digest FROM tag t JOIN entry e ON e.id = t.entry_id
                JOIN manifest m ON m.entry_id = t.entry_id WHERE t.repository_id = ? AND t.name = ?
                """,
                .integer(repository),
                .text(tag.text)
            ) { (key: $0.text(0), digest: $0.text(1)) }
            try rule.check(tag, names: current?.digest)
            guard let current, current.key != manifest.key, rule.protects(tag) else { continue }
            throw StoreError.notAllowed(
                rule.condition == .staysPut
                    ? "tag \(tag) names \(current.digest), and was not to be moved to \(manifest.digest)"
                    : "tag \(tag) is immutable and names \(current.digest); push \(manifest.digest) under another tag"
            )
        }
    }

    func setTags(_ tags: [Tag], to entry: Int64, in repository: RepositoryID, clock: UseClock) throws {
        for tag in tags {
            let old = try db.first(
                "SELECT entry_id FROM tag WHERE repository_id = ? AND name = ?",
                .integer(repository),
                .text(tag.text)
            ) { $0.integer(0) }
            try db.run(
                """
                INSERT INTO tag (repository_id, name, entry_id, updated_at) VALUES (?, ?, ?, ?)
                ON CONFLICT (repository_id, name) DO UPDATE SET entry_id = excluded.entry_id,
                    updated_at = excluded.updated_at
                """,
                .integer(repository),
                .text(tag.text),
                .integer(entry),
                .integer(clock.now.milliseconds)
            )
            if let old, old != entry { try noteUntagged(old, now: clock.now) }
            try forgetRemoval(of: tag, from: entry)
            effects.changedNames.append(StoredName(repository: repository, item: .tag(tag)))
        }
        if !tags.isEmpty { try db.run("UPDATE entry SET untagged_at = NULL WHERE id = ?", .integer(entry)) }
    }

    /// W2: everything that a manifest names, each once; in a sparse one what is there of it.
    private func resolve(
        _ content: some Collection<BlobDescriptor>,
        _ children: some Collection<BlobDescriptor>,
        isSparse: Bool,
        in repository: RepositoryID
    ) throws -> ManifestReferences {
        var ids: Set<Int64> = []
        var childIDs: Set<Int64> = []
        var hidden: [Int64] = []
        var missing: [Digest] = []
        func take(_ descriptor: BlobDescriptor, isManifest: Bool) throws {
            let blob = try db.linkedContent(descriptor.digest, in: repository)
            let manifest = isManifest ? try blob.flatMap { try db.manifestEntry($0.digest, in: repository) } : nil
            guard let blob, !isManifest || manifest != nil else {
                if missing.count < 100 { missing.append(descriptor.digest) }
                return
            }
            guard descriptor.size == nil || descriptor.size == blob.size else {
                throw StoreError.invalidContent(
                    "\(descriptor.digest) has \(blob.size) bytes, the manifest says \(descriptor.size ?? 0)"
                )
            }
            ids.insert(blob.id)
            guard let manifest else { return }
            childIDs.insert(blob.id)
            if try isHidden(manifest) { hidden.append(manifest) }
        }
        for descriptor in content { try take(descriptor, isManifest: false) }
        for descriptor in children { try take(descriptor, isManifest: true) }
        if !missing.isEmpty && !isSparse { throw StoreError.missingContent(missing) }
        // To name what was removed is to push it again.
        for manifest in hidden { _ = try unhide(manifest) }
        return ManifestReferences(blobs: ids.sorted(), children: childIDs.sorted())
    }
}

/// Blobs that a manifest refers to, by their numbers.
private struct ManifestReferences {
    /// All of them.
    var blobs: [Int64] = []
    /// Of these, the bytes of manifests.
    var children: [Int64] = []

    var count: Int { blobs.count }
}

extension Database {
    /// The SHA-256 that a digest stands for; nil when no blob has an alias of that name.
    func sha256(of digest: Digest) throws -> Digest? {
        guard digest.algorithm != .sha256 else { return digest }
        return try first(
            """
            SELECT b.sha256 FROM digest d JOIN blob b ON b.id = d.blob_id WHERE d.algorithm = ? AND d.hash = ?
            """,
            .integer(Int64(digest.algorithm.rawValue)),
            .digest(digest)
        ) { try $0.digest(0) }
    }

    /// The entry of a manifest of a SHA-256, hidden or not.
    func manifestEntry(_ digest: Digest, in repository: RepositoryID) throws -> Int64? {
        try first(
            """
            SELECT e.id FROM entry e JOIN manifest m ON m.entry_id = e.id
            WHERE e.repository_id = ? AND e.scope = '' AND e.key = ?
            """,
            .integer(repository),
            .text("\(digest)")
        ) { $0.integer(0) }
    }

    /// The sound blob of a digest, whichever algorithm, if the repository links it.
    func linkedContent(_ digest: Digest, in repository: RepositoryID) throws -> BlobRow? {
        guard let sha256 = try sha256(of: digest), let row = try blobRow(sha256), !row.isQuarantined else { return nil }
        return try isLinked(row.id, in: repository) ? row : nil
    }
}
