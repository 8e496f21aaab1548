import LarderCore

/// Where images are copied from and to: a repository of a registry, or a folder.
protocol ImageStore: Sendable {
    /// What messages and summaries call it.
    var name: String { get }

    /// Reads a manifest; nil when there is none.
    ///
    /// The reference is nil for the one that is meant where none is named, the media type that under which another
    /// manifest refers to it.
    func manifest(_ reference: ManifestReference?, mediaType: String?) async throws -> StoredManifest?

    /// The manifests that refer to one.
    func referrers(of digest: Digest) async throws -> [Descriptor]

    /// The bytes of a blob from an offset on, unverified.
    func bytes(of blob: Descriptor, from offset: Int64) async throws -> BlobBytes

    /// Takes a blob that it does not have from another store; `progress` hears how many bytes have come so far.
    func add(
        _ blob: Descriptor,
        from source: any ImageStore,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> BlobOutcome

    /// Takes a manifest whose parts it has.
    func put(_ manifest: StoredManifest, as role: ManifestRole) async throws

    /// Clears away what uploads left that came to no end.
    ///
    /// Called once, after all uploads, by a task that is not cancelled: theirs may be, and could send nothing any more.
    func abandonUploads() async
}

/// What became of a blob that an image needs.
package enum BlobOutcome: String, Sendable {
    case copied
    /// It was there already.
    case present
    /// The registry took it from another of its repositories.
    case mounted
}

/// What a manifest is to the image that is copied.
enum ManifestRole: Hashable, Sendable {
    /// Another manifest of the image names it.
    case part
    /// It refers to a manifest of the image.
    case referrer
    /// It is the image.
    case image(Tag?)
}
