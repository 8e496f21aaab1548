import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore

/// Registries: manifests, tags, and the blobs that they name.
extension Store {
    /// Repositories that one read looks through for a blob.
    private static let repositoriesPerRead = 500
    /// Manifests that one page of referrers looks at.
    private static let referrersPerRead = 5000

    /// Stores a manifest and gives it tags: visible together, durable on return.
    ///
    /// `bytes`: As sent; what the digest names.
    ///
    /// `digest`: The digest under which it was sent, which it must have; nil: its SHA-256.
    ///
    /// `mediaType`: As the sender named it; nil: what the manifest says.
    ///
    /// `condition`: What the tags must be before.
    ///
    /// - Returns: What the manifest says, and its digest.
    /// - Throws: As `admit`; `invalidContent`, `digestMismatch`, `missingContent` for what it names and is not there,
    ///   `notAllowed` for a tag that may not move, `conditionFailed`.
    package func putManifest(
        _ bytes: ByteBuffer,
        digest: Digest?,
        mediaType: String?,
        tags: [Tag],
        condition: TagCondition = .none,
        in name: RepositoryName
    ) async throws -> (manifest: Manifest, digest: Digest) {
        guard bytes.readableBytes <= Int(Manifest.sizeLimit.bytes) else {
            throw StoreError.tooLarge(limit: Manifest.sizeLimit)
        }
        try admit(name, kind: .registry, length: Int64(bytes.readableBytes), limit: configuration.blobSizeLimit)
        let (manifest, digests) = try await pool.run {
            var hasher = IncrementalHasher(alsoSHA512: digest?.algorithm == .sha512)
            bytes.withUnsafeReadableBytes { hasher.update($0) }
            return (try Manifest(Array(bytes.readableBytesView), contentType: mediaType), hasher.finalize())
        }
        if let digest, !digests.contains(digest) {
            throw StoreError.digestMismatch(expected: digest, actual: digests.last ?? digests[0])
        }
        let repository = try await repositoryForWriting(name, kind: .registry)
        let named = digest ?? digests[0]
        let labels = try await labels(of: manifest, in: repository.id)
        // One that is there takes nothing of the repository's quota.
        var isThere = false
        if repository.settings.quotaEntries != nil || repository.settings.quotaBytes != nil {
            isThere = try await read { try $0.hasManifest(digests[0], in: repository.id) }
        }
        try await withStoredContent(bytes, digests: digests, repository: repository, entries: isThere ? 0 : 1) {
            (value, reservation) async throws(StoreError) in
            try await self.commit(
                NewManifest(
                    value: value,
                    manifest: manifest,
                    digest: named,
                    isSparse: repository.settings.allowsSparse,
                    completesReferences: repository.hasBeenSparse,
                    labels: labels
                ),
                tags: tags,
                rule: TagRule(repository.settings, condition: condition),
                in: repository,
                reservation
            )
        }
        return (manifest, named)
    }

    /// Removes a tag; false when there is none.
    package func deleteTag(_ tag: Tag, in name: RepositoryName) async throws(StoreError) -> Bool {
        guard let repository = directory.find(name), repository.kind == .registry else { return false }
        let removal = pruner.removal(from: repository)
        return try await committer.commit { try $0.deleteTag(tag, in: repository.id, removal) }
    }

    /// Removes a manifest with all its tags.
    ///
    /// It can be brought back until its undo time is over. What only it kept goes after that, when nothing has asked for it for
    /// a while: its manifests if it is an index, the signatures and attestations about it, and blobs.
    package func deleteManifest(_ digest: Digest, in name: RepositoryName) async throws(StoreError) -> RegistryRemoval {
        guard let repository = directory.find(name), repository.kind == .registry else { return .missing }
        let removal = pruner.removal(from: repository)
        while true {
            let result = try await committer.commit(rowCount: 500) {
                try $0.deleteManifest(digest, in: repository.id, removal)
            }
            guard result == .unfinished else { return result }
        }
    }

    /// Removes a blob from a registry, if no manifest there refers to it.
    package func deleteBlob(_ digest: Digest, in name: RepositoryName) async throws(StoreError) -> RegistryRemoval {
        guard let id = directory.id(of: name, kind: .registry) else { return .missing }
        while true {
            let result = try await committer.commit { try $0.deleteBlob(digest, in: id) }
            guard result == .unfinished else { return result }
            do {
                try await sweeper.removeDeadEntries()
            } catch let error as StoreError {
                throw error
            } catch {
                throw .shuttingDown
            }
        }
    }

    /// Links a blob of another repository, so that it need not be sent.
    ///
    /// `source`: The registry that has it; nil: any.
    ///
    /// `isReadable`: Whether the asker may read a repository, and so take blobs from there.
    ///
    /// - Returns: false when it is not there, or the quota has no room for it.
    package func mountBlob(
        _ digest: Digest,
        from source: RepositoryName?,
        in name: RepositoryName,
        isReadable: (RepositoryName) -> Bool = { _ in true }
    ) async throws -> Bool {
        let repository = try await repositoryForWriting(name, kind: .registry)
        let candidates: [RepositoryID]
        if let source {
            candidates = isReadable(source) ? directory.id(of: source, kind: .registry).map { [$0] } ?? [] : []
        } else {
            candidates = directory.ids(of: .registry, where: isReadable)
        }
        guard try await read({ try $0.blob(digest) }) != nil else { return false }
        var rest = candidates[...]
        while !rest.isEmpty {
            let slice = rest.prefix(Self.repositoriesPerRead)
            rest = rest.dropFirst(slice.count)
            let found = try await read { try $0.linkedBlob(digest, among: slice) }
            guard let (id, size) = found else { continue }
            if repository.isOverQuota(bytes: size, entries: 0) { return false }
            let clock = useClock(in: .registry)
            return try await committer.commit {
                try $0.mountBlob(digest, from: id, to: repository.id, clock: clock)
            }
        }
        return false
    }

    /// Tags of a registry behind one, in the order of their bytes; nil when there is no such registry.
    package func tags(in name: RepositoryName, after last: String?, atMost limit: Int) async throws -> [String]? {
        guard let id = directory.id(of: name, kind: .registry) else { return nil }
        return try await read { try $0.tags(in: id, after: last, atMost: limit) }
    }

    /// A page of descriptors of manifests that are about another one; see `MetadataSnapshot.referrers`.
    package func referrers(
        of subject: Digest,
        in name: RepositoryName,
        after cursor: Int64,
        byteCountMax: Int,
        isWanted: @escaping @Sendable (String) -> Bool
    ) async throws -> (descriptors: [String], next: Int64?) {
        guard let id = directory.id(of: name, kind: .registry) else { return ([], nil) }
        return try await read {
            try $0.referrers(
                of: subject,
                in: id,
                after: cursor,
                byteCountMax: byteCountMax,
                scanMax: Self.referrersPerRead,
                isWanted: isWanted
            )
        }
    }

    // MARK: - Parts

    /// The annotations of a manifest, and the labels of its configuration where that is one of an image.
    private func labels(of manifest: Manifest, in repository: RepositoryID) async throws -> [String: String] {
        var labels: [String: String] = [:]
        if let config = manifest.config, ManifestType.imageConfigurations.contains(config.mediaType) {
            switch try await read(StoredName(repository: repository, item: .blob(config.digest))) {
            case .found(let content) where content.size <= ImageLabels.configurationSizeMax.bytes:
                let bytes = try await bytes(of: content, atMost: ImageLabels.configurationSizeMax)
                labels = ImageLabels.read(configuration: Array(bytes.readableBytesView))
            case .failed(let error): throw error
            case .found, .incomplete, .miss: break
            }
        }
        guard let annotations = manifest.annotationsText else { return labels }
        return labels.merging(ImageLabels.read(annotations: annotations)) { _, annotation in annotation }
    }

    /// Commits a manifest: at once, or, when it has many references, in slices that nobody sees before the last.
    private func commit(
        _ manifest: NewManifest,
        tags: [Tag],
        rule: TagRule,
        in repository: Repository,
        _ reservation: Reservation
    ) async throws(StoreError) -> Commitment<Void> {
        let (id, clock) = (repository.id, useClock(in: .registry))
        let sliceLength = MetadataTransaction.referencesPerSlice
        guard manifest.content.count + manifest.children.count > sliceLength else {
            let isStored = try await commit(reservation) {
                try $0.putManifest(manifest, tags: tags, rule: rule, in: id, clock: clock)
            }
            return Commitment(isStored: isStored, outcome: .success(()))
        }
        let (entry, isStored) = try await commit(reservation) {
            try $0.beginEntry(manifest.value, in: id, clock: clock)
        }
        do {
            var (content, children) = (manifest.content[...], manifest.children[...])
            while !content.isEmpty || !children.isEmpty {
                let slice = Array(content.prefix(sliceLength))
                let childSlice = Array(children.prefix(sliceLength - slice.count))
                content = content.dropFirst(slice.count)
                children = children.dropFirst(childSlice.count)
                try await committer.commit(rowCount: sliceLength * 2) {
                    try $0.addPendingReferences(
                        content: slice,
                        children: childSlice,
                        isSparse: manifest.isSparse,
                        to: entry,
                        in: id
                    )
                }
            }
            try await committer.commit {
                try $0.finishManifest(manifest, entry: entry, tags: tags, rule: rule, in: id, clock: clock)
            }
        } catch {
            // What was begun goes in slices, its bytes with it.
            try? await committer.commit { try $0.abandonEntry(entry) }
            return Commitment(isStored: isStored, outcome: .failure(error))
        }
        return Commitment(isStored: isStored, outcome: .success(()))
    }
}
