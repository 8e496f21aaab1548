import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore

/// A manifest with what the repository says of it.
package struct DescribedManifest: Sendable {
    /// As it was pushed.
    package let digest: Digest
    package let mediaType: String
    package let pushedAt: Timestamp
    package let tags: [String]
    package let labels: [String: String]
    package let bytes: ByteBuffer
}

extension Store {
    /// Manifests that one page looks at.
    private static let manifestsPerRead = 2000

    /// Manifests of a registry that are about no other one, the newest first, with the labels wanted.
    ///
    /// Suspends.
    ///
    /// - Returns: The manifests, and the cursor of the next page, which may come before a page is full; nil behind the last.
    package func manifests(
        in name: RepositoryName,
        labels: [(name: String, value: String)],
        before cursor: Int64?,
        atMost limit: Int
    ) async throws -> (manifests: [DescribedManifest], next: Int64?) {
        guard let id = directory.id(of: name, kind: .registry) else { return ([], nil) }
        return try await pool.run {
            let page = try self.metadata.read {
                try $0.manifests(
                    in: id,
                    labels: labels,
                    before: cursor,
                    atMost: limit,
                    scanMax: Self.manifestsPerRead
                )
            }
            return (try page.manifests.compactMap { try self.described($0, in: id) }, page.next)
        }
    }

    /// A manifest by its tag or digest; nil when there is none.
    ///
    /// Suspends. A use is noted.
    package func manifest(_ item: StoredName.Item, in name: RepositoryName) async throws -> DescribedManifest? {
        guard let id = directory.id(of: name, kind: .registry) else { return nil }
        return try await pool.run {
            let name = StoredName(repository: id, item: item)
            guard let manifest = try self.metadata.read({ try $0.manifest(name) }) else { return nil }
            // U1: one that is being removed is none.
            guard self.uses.note(manifest.value.used, at: self.now()) else { return nil }
            return try self.described(manifest, in: id)
        }
    }

    /// nil for one whose bytes are damaged.
    private func described(_ manifest: ListedManifest, in repository: RepositoryID) throws -> DescribedManifest? {
        let name = StoredName(repository: repository, item: .manifest(manifest.digest))
        guard let body = body(of: manifest.value, name: name) else { return nil }
        return DescribedManifest(
            digest: manifest.digest,
            mediaType: manifest.value.manifest?.mediaType ?? "",
            pushedAt: manifest.pushedAt,
            tags: manifest.tags,
            labels: manifest.labels,
            bytes: try bytes(of: body, size: manifest.value.blob.size, atMost: Manifest.sizeLimit)
        )
    }
}
