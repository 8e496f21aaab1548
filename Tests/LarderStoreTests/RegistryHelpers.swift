import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore

@testable import LarderStore

/// A small inline limit, so that both kinds of blobs are short; a grace of an hour, also when space runs out.
var registryConfiguration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    configuration.unreferencedAge = .seconds(3600)
    configuration.guaranteedAge = .seconds(3600)
    return configuration
}

/// The text of a manifest and what names it.
struct RegistryManifest: Sendable {
    let bytes: [UInt8]
    let type: String

    var digest: Digest { IncrementalHasher.digest(of: bytes) }
    var size: Int64 { Int64(bytes.count) }
    var descriptor: String { Self.describe(digest, size, type) }

    private init(type: String, members: String) {
        self.type = type
        bytes = Array(#"{"schemaVersion":2,"mediaType":"\#(type)",\#(members)}"#.utf8)
    }

    private static func describe(_ digest: Digest, _ size: Int64, _ type: String = "a/b") -> String {
        #"{"mediaType":"\#(type)","digest":"\#(digest)","size":\#(size)}"#
    }

    private static func blob(_ bytes: [UInt8]) -> String {
        describe(IncrementalHasher.digest(of: bytes), Int64(bytes.count))
    }

    /// `note`: Anything; other notes make other manifests, long ones large manifests.
    static func image(
        config: [UInt8],
        layers: [[UInt8]] = [],
        about subject: RegistryManifest? = nil,
        note: String = ""
    ) -> RegistryManifest {
        let layerTexts = layers.map { blob($0) }.joined(separator: ",")
        let subjectText = subject.map { #","subject":\#($0.descriptor)"# } ?? ""
        return RegistryManifest(
            type: ManifestType.ociImage,
            members: #""config":\#(blob(config)),"layers":[\#(layerTexts)]\#(subjectText),"#
                + #""annotations":{"note":"\#(note)"}"#
        )
    }

    static func index(of manifests: [RegistryManifest], note: String = "") -> RegistryManifest {
        let manifestTexts = manifests.map(\.descriptor).joined(separator: ",")
        return RegistryManifest(
            type: ManifestType.ociIndex,
            members: #""manifests":[\#(manifestTexts)],"annotations":{"note":"\#(note)"}"#
        )
    }
}

extension StoreHarness {
    static func tag(_ text: String) throws -> LarderCore.Tag {
        guard let tag = ImageTag(text) else { throw TestFailure("\(text) is no tag") }
        return tag
    }

    @discardableResult
    func createRegistry(
        _ text: String = "images",
        _ settings: RepositorySettings = RepositorySettings()
    ) async throws -> Repository {
        try await store.createRepository(try name(text), kind: .registry, settings: settings)
    }

    func blobTarget(_ digest: Digest, in repository: String = "images") throws -> WriteTarget {
        WriteTarget(repository: try name(repository), kind: .registry, item: .blob(digest))
    }

    /// Stores a blob in a registry, under its SHA-256.
    @discardableResult
    func pushBlob(_ bytes: [UInt8], in repository: String = "images") async throws -> Digest {
        let digest = IncrementalHasher.digest(of: bytes)
        try await store.put(try blobTarget(digest, in: repository), bytes: ByteBuffer(bytes: bytes))
        return digest
    }

    @discardableResult
    func push(
        _ manifest: RegistryManifest,
        as digest: Digest? = nil,
        tags: [String] = [],
        condition: TagCondition = .none,
        in repository: String = "images"
    ) async throws -> Digest {
        try await store.putManifest(
            ByteBuffer(bytes: manifest.bytes),
            digest: digest,
            mediaType: nil,
            tags: try tags.map { try Self.tag($0) },
            condition: condition,
            in: try name(repository)
        ).digest
    }

    /// Stores an image with all its blobs.
    @discardableResult
    func pushImage(
        config: [UInt8],
        layers: [[UInt8]] = [],
        about subject: RegistryManifest? = nil,
        note: String = "",
        tags: [String] = [],
        in repository: String = "images"
    ) async throws -> RegistryManifest {
        for bytes in [config] + layers { try await pushBlob(bytes, in: repository) }
        let image = RegistryManifest.image(config: config, layers: layers, about: subject, note: note)
        try await push(image, tags: tags, in: repository)
        return image
    }

    /// The bytes of the manifest that a tag names; nil is a miss.
    func tagged(_ tag: String, in repository: String = "images") async throws -> [UInt8]? {
        try await read(.tag(try Self.tag(tag)), in: repository)
    }

    func manifest(_ digest: Digest, in repository: String = "images") async throws -> [UInt8]? {
        try await read(.manifest(digest), in: repository)
    }

    /// What an answer with a manifest tells.
    func facts(_ item: StoredName.Item, in repository: String = "images") async throws -> ManifestFacts? {
        let name = StoredName(repository: try self.repository(repository).id, item: item)
        guard case .found(let content) = try await store.read(name) else { return nil }
        return content.manifest
    }

    func deleteTag(_ tag: String, in repository: String = "images") async throws -> Bool {
        try await store.deleteTag(try Self.tag(tag), in: try name(repository))
    }

    func deleteManifest(_ digest: Digest, in repository: String = "images") async throws -> RegistryRemoval {
        try await store.deleteManifest(digest, in: try name(repository))
    }

    func deleteBlob(_ digest: Digest, in repository: String = "images") async throws -> RegistryRemoval {
        try await store.deleteBlob(digest, in: try name(repository))
    }

    func mount(_ digest: Digest, from source: String?, in repository: String) async throws -> Bool {
        try await store.mountBlob(digest, from: try source.map { try name($0) }, in: try name(repository))
    }

    /// Which of some blobs a repository links, by their index.
    ///
    /// Reading renews their last use, so the database is asked.
    func linked(_ digests: [Digest], in repository: String = "images") async throws -> [Int] {
        let id = try self.repository(repository).id
        return try await store.read { snapshot in
            try digests.indices.filter {
                try snapshot.hasAll([BlobDescriptor(digest: digests[$0], size: nil)], in: id)
            }
        }
    }

    /// Whether a repository has a manifest; asks the database.
    func hasManifest(_ manifest: RegistryManifest, in repository: String = "images") async throws -> Bool {
        try await lastUse(of: .manifest(manifest.digest), in: repository) != nil
    }

    /// The stored last use of something; nil when it is not there.
    func lastUse(of item: StoredName.Item, in repository: String = "images") async throws -> Timestamp? {
        let name = StoredName(repository: try self.repository(repository).id, item: item)
        return try await store.read { try $0.find(name, checkingQuarantine: false)?.lastUsed }
    }

    /// Resumable uploads that have a row.
    func uploadRows() async throws -> [UploadRow] {
        try await store.read { try $0.uploads() }
    }

    /// Waits until the file pool, if it has one thread, has done what was submitted so far.
    func poolIsDrained() async throws {
        try await store.pool.run {}
    }
}

extension StoreHarness {
    /// Descriptors of what is about a manifest.
    func referrers(of subject: Digest, in repository: String = "images") async throws -> [String] {
        try await store.referrers(of: subject, in: try name(repository), after: 0, byteCountMax: 1 << 20) { _ in true }
            .descriptors
    }
}
