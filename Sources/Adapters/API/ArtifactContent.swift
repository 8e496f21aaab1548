import APIMessages
import Foundation
import LarderCore
import LarderStore
import NIOCore

/// A version of an artifact, read: what its manifest and its configuration say.
struct ArtifactContent: Sendable {
    /// Configurations and lists of reports are read whole.
    private static let documentSizeLimit = ByteCount.mebibytes(4)
    private static let reportCountMax = 20
    private static let reportBytesMax = 16 << 20
    /// What one version with its reports takes while it is read.
    static let memoryLimit = ByteCount.mebibytes(48)

    let name: RepositoryName
    let store: Store
    private let described: DescribedManifest
    private let repository: RepositoryID
    /// nil for what is no artifact, such as an index.
    private let reading: ArtifactReading?

    /// Reads a manifest of any kind: one that is no artifact's has no files.
    ///
    /// `withReports`: Whether the reports about it are read too.
    ///
    /// - Throws: As reads do; `notFound` when the repository is gone.
    init(
        _ described: DescribedManifest,
        in name: RepositoryName,
        _ store: Store,
        withReports: Bool = false
    ) async throws {
        guard let repository = store.directory.id(of: name, kind: .registry) else {
            throw StoreError.notFound("repository \(name)")
        }
        self.described = described
        self.name = name
        self.store = store
        self.repository = repository
        guard let document = Self.document(described) else {
            reading = nil
            return
        }
        let config = try await Self.config(of: document, type: ArtifactMediaType.config, in: repository, store)
        let reports =
            withReports ? try await Self.reports(about: described.digest, in: name, repository, store) : []
        reading = ArtifactReading(document, config: config, reports: reports)
    }

    /// For people: which version.
    var reference: String { described.tags.first.map { ":\($0)" } ?? "@\(described.digest)" }

    /// Those that are layers of their own.
    var files: [ArtifactFileMessage] { reading?.files ?? [] }

    var bundles: [ArtifactBundleMessage] { reading?.bundles ?? [] }

    var links: [ArtifactLinkMessage] { reading?.links ?? [] }

    var folders: [ArtifactFolderMessage] { reading?.folders ?? [] }

    /// The folder that is kept as an archive and holds a path.
    func bundle(holding path: String) -> ArtifactBundleMessage? {
        bundles.filter { path.hasPrefix($0.path + "/") }.max { $0.path.utf8.count < $1.path.utf8.count }
    }

    /// The content of a file or bundle.
    ///
    /// - Throws: `notFound` when it was lost.
    func read(_ digest: String, of path: String) async throws -> StoredContent {
        guard let digest = Digest(digest),
            case .found(let content) = try await store.read(StoredName(repository: repository, item: .blob(digest)))
        else { throw StoreError.notFound("the content of \(path)") }
        return content
    }

    /// `withFiles`: Whether it lists them.
    func message(withFiles: Bool) -> ArtifactVersionMessage {
        var message = ArtifactVersionMessage(
            repository: name.text,
            digest: described.digest.description,
            tags: described.tags,
            pushedAt: described.pushedAt.text,
            size: reading?.size ?? 0,
            fileCount: reading?.fileCount ?? 0,
            artifactType: reading?.artifactType ?? described.mediaType,
            labels: described.labels
        )
        guard withFiles else { return message }
        message.files = files
        message.links = links
        message.folders = folders
        message.bundles = bundles
        message.reports = reading?.reports ?? []
        return message
    }

    /// The documents of reports that are about a version.
    private static func reports(
        about digest: Digest,
        in name: RepositoryName,
        _ repository: RepositoryID,
        _ store: Store
    ) async throws -> [(manifest: [UInt8], config: [UInt8]?)] {
        let page = try await store.referrers(
            of: digest,
            in: name,
            after: 0,
            byteCountMax: Int(documentSizeLimit.bytes),
            isWanted: { $0.contains(ArtifactMediaType.reports) }
        )
        var reports: [(manifest: [UInt8], config: [UInt8]?)] = []
        var byteCount = 0
        for text in page.descriptors.suffix(reportCountMax).reversed() where byteCount < reportBytesMax {
            guard let descriptor = try? JSONDecoder().decode(ArtifactDescriptor.self, from: Data(text.utf8)),
                let digest = Digest(descriptor.digest),
                let described = try await store.manifest(.manifest(digest), in: name)
            else { continue }
            let config =
                if let document = document(described) {
                    try await config(of: document, type: ArtifactMediaType.reportsConfig, in: repository, store)
                } else {
                    [UInt8]?.none
                }
            let bytes = Array(described.bytes.readableBytesView)
            byteCount += bytes.count + (config?.count ?? 0)
            reports.append((bytes, config))
        }
        return reports
    }

    /// The configuration that a manifest names; nil when it is of another type, not there, or not small.
    private static func config(
        of manifest: ArtifactManifest,
        type: String,
        in repository: RepositoryID,
        _ store: Store
    ) async throws -> [UInt8]? {
        guard manifest.config.mediaType == type, let digest = Digest(manifest.config.digest),
            case .found(let content) = try await store.read(StoredName(repository: repository, item: .blob(digest))),
            content.size <= documentSizeLimit.bytes
        else { return nil }
        return Array(try await store.bytes(of: content, atMost: documentSizeLimit).readableBytesView)
    }

    /// nil for what is no manifest of an artifact.
    private static func document(_ manifest: DescribedManifest) -> ArtifactManifest? {
        try? ArtifactManifest(encoded: Data(manifest.bytes.readableBytesView))
    }
}
