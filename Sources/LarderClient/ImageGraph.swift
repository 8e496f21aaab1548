import LarderCore

/// Everything that belongs to an image: its manifests, in the order in which a registry takes them, and its blobs.
struct ImageGraph: Sendable {
    /// More manifests than this are no image.
    private static let manifestCountMax = 10_000
    /// Indexes in indexes go no deeper.
    private static let depthMax = 8

    struct Node: Sendable {
        let manifest: StoredManifest
        let isReferrer: Bool
    }

    /// Each after those that it names.
    private(set) var nodes: [Node] = []
    /// Each once, in the order of the manifests.
    private(set) var blobs: [Descriptor] = []
    private var seenManifests: Set<Digest> = []
    private var seenBlobs: Set<Digest> = []

    /// Reads all manifests of an image, and on request of what refers to any of them.
    ///
    /// - Throws: `ClientError` when one is missing.
    init(_ image: StoredManifest, from store: any ImageStore, includesReferrers: Bool) async throws {
        try await add(image, isReferrer: false, depth: 0, from: store)
        guard includesReferrers else { return }
        // What refers is referred to in its turn: a signature of a list of parts.
        var index = 0
        while index < nodes.count {
            let digest = nodes[index].manifest.digest
            for referrer in try await store.referrers(of: digest) where !seenManifests.contains(referrer.digest) {
                let manifest = try await Self.require(referrer, from: store)
                try await add(manifest, isReferrer: true, depth: 0, from: store)
            }
            index += 1
        }
    }

    private mutating func add(
        _ manifest: StoredManifest,
        isReferrer: Bool,
        depth: Int,
        from store: any ImageStore
    ) async throws {
        guard seenManifests.insert(manifest.digest).inserted else { return }
        guard depth <= Self.depthMax, seenManifests.count <= Self.manifestCountMax else {
            throw ClientError("\(store.name) names too many manifests, or too deep, for one image")
        }
        for child in manifest.manifest.manifests {
            // Caches of BuildKit list layers where an index has manifests.
            guard ManifestType.all.contains(child.mediaType) else {
                note(child)
                continue
            }
            guard !seenManifests.contains(child.digest) else { continue }
            let next = try await Self.require(child, from: store)
            try await add(next, isReferrer: false, depth: depth + 1, from: store)
        }
        for blob in manifest.manifest.blobReferences { note(blob) }
        nodes.append(Node(manifest: manifest, isReferrer: isReferrer))
    }

    private mutating func note(_ blob: Descriptor) {
        if seenBlobs.insert(blob.digest).inserted { blobs.append(blob) }
    }

    private static func require(_ part: Descriptor, from store: any ImageStore) async throws -> StoredManifest {
        guard let manifest = try await store.manifest(.digest(part.digest), mediaType: part.mediaType) else {
            throw ClientError(
                "\(store.name) lacks the manifest \(part.digest)"
                    + (part.platform.map { " for \($0); copy one platform with --platform" } ?? "")
            )
        }
        return manifest
    }
}

extension ImageGraph {
    /// The manifest for one platform, `os/architecture` with or without a variant.
    ///
    /// - Throws: `ClientError` that names the platforms there are.
    static func pick(
        _ platform: String,
        of image: StoredManifest,
        from store: any ImageStore
    ) async throws -> StoredManifest {
        guard image.manifest.isIndex else {
            let actual = try await ImageConfig(of: image.manifest, from: store)?.platform
            guard let actual, actual != platform, !actual.hasPrefix("\(platform)/") else { return image }
            throw ClientError("the image is for \(actual), not for \(platform)")
        }
        let children = image.manifest.manifests
        let exact = children.first { $0.platform == platform }
        let match = exact ?? children.first { $0.platform?.hasPrefix("\(platform)/") ?? false }
        guard let match else {
            let names = children.compactMap(\.platform).filter { $0 != "unknown/unknown" }
            throw ClientError("the image is not for \(platform), but for \(names.joined(separator: ", "))")
        }
        return try await require(match, from: store)
    }
}
