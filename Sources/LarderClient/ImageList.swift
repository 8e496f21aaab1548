import LarderCore

/// One tag and what it names.
package struct ImageRow: Encodable, Sendable {
    package let repository: String
    package let tag: String
    package let digest: String
    package let mediaType: String
    package let artifactType: String?
    /// Config and layers; of an index the sum over its manifests.
    package let sizeBytes: Int64
    /// `os/architecture`, with a variant where there is one.
    package let platforms: [String]
}

extension RegistryClient {
    /// Requests that are under way at a time.
    private static let listConcurrency = 8
    /// Indexes in indexes are counted no deeper.
    private static let indexDepthMax = 4

    /// All tagged images of the repositories whose names begin so.
    package func images(prefix: String) async throws -> [ImageRow] {
        var rows: [ImageRow] = []
        for repository in try await repositories() where repository.text.hasPrefix(prefix) {
            rows += try await images(in: repository)
        }
        return rows
    }

    private func images(in repository: RepositoryName) async throws -> [ImageRow] {
        // A tag that goes meanwhile is not listed.
        let tags = try await tags(of: repository) ?? []
        let digests = try await concurrentMap(tags, width: Self.listConcurrency) { tag in
            try await digest(of: .tag(tag), in: repository)
        }
        let distinct = Array(Set(digests.compactMap { $0 }))
        let measured = try await concurrentMap(distinct, width: Self.listConcurrency) { digest in
            try await measure(digest, in: repository)
        }
        let facts = Dictionary(uniqueKeysWithValues: zip(distinct, measured))
        return zip(tags, digests).compactMap { tag, digest in
            guard let digest, let fact = facts[digest] ?? nil else { return nil }
            return ImageRow(
                repository: repository.text,
                tag: tag.text,
                digest: digest.description,
                mediaType: fact.manifest.mediaType,
                artifactType: fact.manifest.effectiveArtifactType,
                sizeBytes: fact.sizeBytes,
                platforms: fact.platforms
            )
        }
    }

    private struct Measure: Sendable {
        let manifest: Manifest
        let sizeBytes: Int64
        let platforms: [String]
    }

    private func measure(_ digest: Digest, in repository: RepositoryName) async throws -> Measure? {
        guard let manifest = try await manifest(.digest(digest), in: repository)?.manifest else { return nil }
        return Measure(
            manifest: manifest,
            sizeBytes: try await contentSize(of: manifest, in: repository),
            platforms: try await platforms(of: manifest, in: repository)
        )
    }

    /// The bytes of config and layers; of an index the sum over its manifests.
    func contentSize(of manifest: Manifest, in repository: RepositoryName, depth: Int = 0) async throws -> Int64 {
        var sizes = manifest.blobReferences.map(\.size)
        guard depth < Self.indexDepthMax else { return sizes.saturatingSum }
        for child in manifest.manifests {
            guard ManifestType.all.contains(child.mediaType) else {
                sizes.append(child.size)
                continue
            }
            let part = try await self.manifest(.digest(child.digest), in: repository, mediaType: child.mediaType)
            if let part { sizes.append(try await contentSize(of: part.manifest, in: repository, depth: depth + 1)) }
        }
        return sizes.saturatingSum
    }

    /// The platforms that an index names, or the one of an image's config.
    func platforms(of manifest: Manifest, in repository: RepositoryName) async throws -> [String] {
        // What goes with an image, such as its attestations, stands in the index for no platform.
        if manifest.isIndex { return manifest.manifests.compactMap(\.platform).filter { $0 != "unknown/unknown" } }
        let store = RegistryRepository(self, repository, isDestination: false)
        return try await ImageConfig(of: manifest, from: store)?.platform.map { [$0] } ?? []
    }
}
