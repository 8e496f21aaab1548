import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore
import Synchronization

/// An entry that was found by its key or by what its key begins with.
package struct FoundEntry: Sendable {
    package let scope: EntryScope
    package let key: EntryKey
    package let pushedAt: Timestamp
    package let lastUsed: Timestamp
    /// Its value.
    package let value: ByteBuffer
}

/// Entries of caches that have a scope and refer to any number of blobs.
extension Store {
    /// Values are descriptions of what an entry refers to, and kept in memory.
    package static let scopedValueSizeLimit = ByteCount.kibibytes(64)

    /// Stores an entry with everything it refers to: visible at once, durable on return.
    ///
    /// `value`: Up to `scopedValueSizeLimit`. `references`: Each must be linked in the repository; any number, written
    /// in slices between other work.
    ///
    /// `isReplacing`: Whether an entry with another value that has the key goes; else it stays, and this says so.
    ///
    /// - Throws: As `admit`; `missingContent`.
    package func putEntry(
        _ key: EntryKey,
        scope: EntryScope,
        value: ByteBuffer,
        references: [BlobDescriptor],
        isReplacing: Bool,
        in name: RepositoryName
    ) async throws -> EntryOutcome {
        let length = Int64(value.readableBytes)
        try admit(name, kind: .cache, length: length, limit: Self.scopedValueSizeLimit)
        let repository = try await repositoryForWriting(name, kind: .cache)
        let (id, clock) = (repository.id, useClock(in: .cache))
        let digest = IncrementalHasher.digest(of: value.readableBytesView)
        return try await withStoredContent(value, digests: [digest], repository: repository, entries: 1) {
            (blob, reservation) async throws(StoreError) in
            let (entry, isStored) = try await self.commit(reservation) { try $0.beginEntry(blob, in: id, clock: clock) }
            do throws(StoreError) {
                try await self.addPending(references, to: entry, in: id)
                let outcome = try await self.committer.commit {
                    let outcome = try $0.finishEntry(
                        entry,
                        key: key,
                        scope: scope,
                        isReplacing: isReplacing,
                        in: id,
                        clock: clock
                    )
                    if outcome == .exists { try $0.abandonEntry(entry) }
                    return outcome
                }
                return Commitment(isStored: isStored, outcome: .success(outcome))
            } catch {
                // What was begun goes in slices, its bytes with it.
                try? await self.committer.commit { try $0.abandonEntry(entry) }
                return Commitment(isStored: isStored, outcome: .failure(error))
            }
        }
    }

    private func addPending(
        _ references: [BlobDescriptor],
        to entry: Int64,
        in repository: RepositoryID
    ) async throws(StoreError) {
        var rest = references[...]
        while !rest.isEmpty {
            let slice = Array(rest.prefix(MetadataTransaction.referencesPerSlice))
            rest = rest.dropFirst(slice.count)
            try await committer.commit(rowCount: slice.count * 2) {
                try $0.addPendingReferences(content: slice, to: entry, in: repository)
            }
        }
    }

    /// The entry of a key, or the newest of those whose keys begin with one of some texts.
    ///
    /// All scopes are asked for the key, in order; then for the first prefix, and so on. One that names a blob which is
    /// damaged is none.
    ///
    /// Suspends. A hit is noted as a use.
    ///
    /// - Returns: The entry, and which prefix found it; nil for the key itself.
    package func findEntry(
        _ key: EntryKey,
        prefixes: [EntryKey],
        scopes: [EntryScope],
        in name: RepositoryName
    ) async throws -> (entry: FoundEntry, prefix: EntryKey?)? {
        guard let id = directory.id(of: name, kind: .cache) else { return nil }
        for prefix in [nil] + prefixes.map({ Optional($0) }) {
            for scope in scopes {
                let entry = try await pool.run { () throws -> FoundEntry? in
                    try self.findEntry(key, prefix: prefix, scope: scope, in: id)
                }
                if let entry { return (entry, prefix) }
            }
        }
        return nil
    }

    /// Entries whose keys begin with a text, by scope and key, behind one; without noting a use.
    ///
    /// - Returns: The entries, and what the next page comes behind; nil behind the last.
    package func entries(
        prefix: EntryKey,
        scope: EntryScope?,
        after last: (scope: EntryScope, key: EntryKey)?,
        in name: RepositoryName,
        atMost limit: Int
    ) async throws -> (entries: [FoundEntry], next: (scope: EntryScope, key: EntryKey)?) {
        guard let id = directory.id(of: name, kind: .cache) else { return ([], nil) }
        return try await pool.run {
            let rows = try self.metadata.read {
                try $0.scopedEntries(
                    prefix: prefix,
                    scope: scope,
                    after: last.map { ($0.scope.text, $0.key.text) },
                    in: id,
                    atMost: limit
                )
            }
            let entries = try rows.compactMap { try self.content(of: $0, in: id, isUse: false) }
            guard rows.count == limit, let end = rows.last, let scope = EntryScope(end.scope),
                let key = EntryKey(end.key)
            else { return (entries, nil) }
            return (entries, (scope, key))
        }
    }

    /// Removes an entry; false when there is none.
    package func deleteEntry(_ key: EntryKey, in name: RepositoryName) async throws(StoreError) -> Bool {
        guard let repository = directory.find(name), repository.kind == .cache else { return false }
        let removal = pruner.removal(from: repository)
        return try await committer.commit { try $0.deleteEntry(key, in: repository.id, removal) }
    }

    private func findEntry(
        _ key: EntryKey,
        prefix: EntryKey?,
        scope: EntryScope,
        in id: RepositoryID
    ) throws -> FoundEntry? {
        let isChecking = quarantinedCount.load(ordering: .acquiring) > 0
        // A damaged value is quarantined, and one that is being evicted is another's next time.
        for _ in 0..<3 {
            let found = try metadata.read { snapshot in
                if let prefix {
                    try snapshot.newestEntry(prefix: prefix, scope: scope, in: id, checkingQuarantine: isChecking)
                } else {
                    try snapshot.scopedEntry(key, scope: scope, in: id, checkingQuarantine: isChecking)
                }
            }
            guard let found else { return nil }
            if let entry = try content(of: found, in: id, isUse: true) { return entry }
        }
        return nil
    }

    /// The value of an entry; nil when it is damaged, or the entry is on its way out.
    private func content(
        of entry: ScopedEntry,
        in repository: RepositoryID,
        isUse: Bool
    ) throws -> FoundEntry? {
        guard let key = EntryKey(entry.key), let scope = EntryScope(entry.scope) else {
            throw StoreError.corrupt("an entry has a key or scope that none can have")
        }
        let name = StoredName(repository: repository, item: .entry(key))
        guard let body = body(of: entry.value, name: name) else { return nil }
        // U1. The value is in the table of another name, so the hot set is not asked.
        if isUse, now() - entry.lastUsed > configuration.lastUsePrecision, !uses.note(.entry(entry.id), at: now()) {
            return nil
        }
        let value = try bytes(of: body, size: entry.value.blob.size, atMost: Self.scopedValueSizeLimit)
        return FoundEntry(scope: scope, key: key, pushedAt: entry.pushedAt, lastUsed: entry.lastUsed, value: value)
    }
}
