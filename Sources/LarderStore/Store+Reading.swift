import LarderBlobs
package import LarderCore
import LarderMetadata
import Logging
package import NIOCore
import Synchronization

extension Store {
    /// What the hot set has under a name.
    ///
    /// Never blocks: for event loops.
    package func lookUp(_ name: StoredName) -> StoredContent? {
        if isAlwaysThere(name) { return .empty }
        guard let content = hotSet.find(name), noteUse(of: content, name: name) else { return nil }
        return content
    }

    /// Looks names up in one snapshot of the database; small contents enter the hot set.
    ///
    /// Blocks: for threads of the pool.
    ///
    /// `fillsHotSet`: Not for reads of so many blobs that they would drive out what is asked for one by one.
    ///
    /// A blob that turns out damaged is quarantined and misses.
    package func resolve(_ names: [StoredName], fillsHotSet: Bool = true) -> [ReadOutcome] {
        for _ in 0..<3 {
            // U1: an eviction between the snapshot and the notes of use would not see these.
            let evictionCount = uses.evictionCount
            let outcomes = resolveOnce(names, fillsHotSet: fillsHotSet)
            if uses.evictionCount == evictionCount { return outcomes }
        }
        return resolveOnce(names, fillsHotSet: fillsHotSet)
    }

    private func resolveOnce(_ names: [StoredName], fillsHotSet: Bool) -> [ReadOutcome] {
        // Tickets are taken before the snapshot begins (V1).
        let tickets = names.map { hotSet.ticket(for: $0) }
        let isChecking = quarantinedCount.load(ordering: .acquiring) > 0
        do {
            let found = try metadata.read { snapshot in
                try names.map {
                    try isAlwaysThere($0) ? nil : snapshot.find($0, checkingQuarantine: isChecking)
                }
            }
            return zip(names, zip(tickets, found)).map { name, read in
                outcome(of: name, found: read.1, ticket: fillsHotSet ? read.0 : nil)
            }
        } catch {
            return names.map { _ in .failed(error) }
        }
    }

    /// Looks one name up, in the hot set first.
    ///
    /// Suspends.
    package func read(_ name: StoredName) async throws -> ReadOutcome {
        if let content = lookUp(name) { return .found(content) }
        return try await pool.run { self.resolve([name])[0] }
    }

    /// Runs `resolve` on the pool and hands the outcomes to `completion` on one of its threads.
    package func resolve(_ names: [StoredName], completion: @escaping @Sendable ([ReadOutcome]) -> Void) {
        pool.submit { completion(self.resolve(names)) }
    }

    /// Reads content of bounded size into memory.
    ///
    /// Suspends.
    ///
    /// - Throws: `tooLarge` when there is more.
    package func bytes(of content: StoredContent, atMost limit: ByteCount) async throws -> ByteBuffer {
        if case .bytes(let buffer) = content.body, content.size <= limit.bytes { return buffer }
        return try await pool.run { try self.bytes(of: content.body, size: content.size, atMost: limit) }
    }

    /// The same for threads of the pool.
    ///
    /// Blocks.
    func bytes(of body: StoredContent.Body, size: Int64, atMost limit: ByteCount) throws -> ByteBuffer {
        guard size <= limit.bytes else { throw StoreError.tooLarge(limit: limit) }
        switch body {
        case .bytes(let buffer): return buffer
        case .file(let file): return ByteBuffer(bytes: try file.blob.read(at: 0, count: Int(size)))
        }
    }

    /// Makes an incomplete entry visible whose references the adapter found out, if they are all there.
    ///
    /// Large lists are written in slices between other work; what a slice added is protected by the entry from then on.
    ///
    /// - Returns: false when a blob is missing or the entry was replaced meanwhile: it still misses.
    package func complete(
        entry: Int64,
        references: [BlobDescriptor],
        in repository: RepositoryID
    ) async throws(StoreError) -> Bool {
        var rest = Set(references.filter { $0.digest != .emptySHA256 }).sorted { $0.digest.hex < $1.digest.hex }[...]
        while !rest.isEmpty {
            let slice = Array(rest.prefix(MetadataTransaction.referencesPerSlice))
            rest = rest.dropFirst(slice.count)
            let isThere = try await committer.commit(rowCount: slice.count * 2) {
                try $0.addReferences(slice, to: entry, in: repository)
            }
            guard isThere else { return false }
        }
        return try await committer.commit { try $0.completeEntry(entry) }
    }

    /// Whether a name is that of the empty blob in a cache, whose clients count on it; a registry has it when it was pushed.
    private func isAlwaysThere(_ name: StoredName) -> Bool {
        name.item == .blob(.emptySHA256) && directory.kind(of: name.repository) == .cache
    }

    /// Notes a hit where the stored time of use has grown old; false when it is being evicted: then it is a miss (U1).
    func noteUse(of content: StoredContent, name: StoredName) -> Bool {
        guard let used = content.used else { return true }
        let now = now()
        let precision = content.notesEveryUse ? .zero : configuration.lastUsePrecision
        guard now - content.lastUsed > precision else { return true }
        guard uses.note(used, at: now) else { return false }
        hotSet.noteUse(of: name, at: now)
        return true
    }

    private func outcome(of name: StoredName, found: FoundBlob?, ticket: HotSet.Ticket?) -> ReadOutcome {
        if isAlwaysThere(name) { return .found(.empty) }
        guard let found else { return .miss }
        guard let body = body(of: found, name: name) else { return .miss }
        var content = StoredContent(
            digest: found.blob.digest,
            size: found.blob.size,
            pushedAt: found.pushedAt,
            body: body,
            used: found.used,
            lastUsed: found.lastUsed,
            manifest: found.manifest
        )
        if case .link = found.used { content.notesEveryUse = directory.kind(of: name.repository) == .registry }
        guard noteUse(of: content, name: name) else { return .miss }
        if case .entry(let entry) = found.used, !found.isComplete { return .incomplete(entry: entry, content) }
        if case .bytes = body, let ticket { hotSet.insert(content, for: name, ticket: ticket) }
        return .found(content)
    }

    /// The bytes or the open file of a row; nil, after quarantining it, when it is damaged.
    func body(of found: FoundBlob, name: StoredName) -> StoredContent.Body? {
        if let bytes = found.inlineBytes {
            // Inline blobs are verified whenever they are read from the database, so the hot set holds only sound ones.
            guard IncrementalHasher.digest(of: bytes) == found.blob.digest else {
                quarantine(found.blob)
                return nil
            }
            return .bytes(ByteBuffer(bytes: bytes))
        }
        guard let file = openFile(of: found.blob, name: name) else { return nil }
        return .file(StoredFile(blob: file))
    }

    /// R1: a missing file means that the blob was replaced or removed since the row was read, unless a new snapshot shows
    /// the same generation again.
    private func openFile(of blob: BlobRow, name: StoredName) -> OpenBlob? {
        var blob = blob
        for attempt in 1...3 {
            guard let generation = blob.generation else { return nil }
            do {
                if let file = try blobs.open(blob.digest, generation: generation, size: blob.size) { return file }
                guard let row = try metadata.read({ try $0.blob(blob.digest) }), !row.isQuarantined else { return nil }
                if row.generation == generation {
                    quarantine(row)
                    return nil
                }
                blob = row
            } catch {
                logger.error(
                    "a blob could not be opened",
                    metadata: ["digest": "\(blob.digest)", "attempt": "\(attempt)", "error": "\(error)"]
                )
                return nil
            }
        }
        return nil
    }

    /// Notes that content which was read is not what its digest says: what names it misses from then on.
    ///
    /// Blocks: for threads of the pool.
    package func reportDamage(of digest: Digest) {
        // A copy that healed it meanwhile is quarantined too, until it is sent once more.
        guard let row = try? metadata.read({ try $0.blob(digest) }), !row.isQuarantined else { return }
        quarantine(row)
    }

    /// Quarantines a damaged blob without waiting for it.
    private func quarantine(_ row: BlobRow) {
        logger.error("a blob is damaged", metadata: ["digest": "\(row.digest)"])
        // A full queue only delays the mark until the next read finds the damage again.
        _ = committer.submit({ try $0.quarantine(row) }, completion: { _ in })
    }
}
