package import Foundation

/// The names of types in documents of artifacts.
package enum ArtifactMediaType {
    package static let manifest = "application/vnd.oci.image.manifest.v1+json"
    package static let artifact = "application/vnd.larder.artifact.v1"
    package static let config = "application/vnd.larder.artifact.config.v1+json"
    package static let file = "application/octet-stream"
    /// A folder as one layer.
    package static let bundle = "application/vnd.oci.image.layer.v1.tar+gzip"
    package static let reports = "application/vnd.larder.reports.v1"
    package static let reportsConfig = "application/vnd.larder.reports.config.v1+json"
}

/// The names of annotations in documents of artifacts.
package enum ArtifactAnnotation {
    /// The path of a layer's file or folder (OCI image specification 1.1, "Pre-Defined Annotation Keys").
    package static let title = "org.opencontainers.image.title"
    /// `true`: the layer is an archive of a folder, which ORAS unpacks.
    package static let unpack = "io.deis.oras.content.unpack"
    /// The digest of the archive before it was compressed.
    package static let unpackedDigest = "io.deis.oras.content.digest"
    /// The commit.
    package static let revision = "org.opencontainers.image.revision"
    /// The address of the repository of sources.
    package static let source = "org.opencontainers.image.source"
    package static let branch = "dev.larder.branch"
    /// The number or the address of the run.
    package static let run = "dev.larder.run"
    package static let actor = "dev.larder.actor"
    /// Which CI: `github`, `gitlab` and so on.
    package static let ci = "dev.larder.ci"
    package static let reportGroup = "dev.larder.report.group"
    package static let reportFormat = "dev.larder.report.format"

    /// Those that say where an artifact comes from; the others of a manifest are labels.
    package static let provenance = [revision, source, branch, run, actor, ci]
}

/// A blob that a manifest names.
package struct ArtifactDescriptor: Codable, Sendable, Equatable {
    package var mediaType: String
    package var digest: String
    package var size: Int64
    package var annotations: [String: String]?

    package init(mediaType: String, digest: String, size: Int64, annotations: [String: String]? = nil) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
    }

    /// The path of what the layer holds; nil: it has none.
    package var title: String? { annotations?[ArtifactAnnotation.title] }

    /// Whether the layer is an archive of a folder that is to be unpacked.
    ///
    /// ORAS says so by an annotation. ORAS for Python only by the type, which then also archives have that somebody pushed
    /// as files; those are told by their names.
    package var isBundle: Bool {
        if let unpack = annotations?[ArtifactAnnotation.unpack] { return unpack == "true" }
        guard mediaType == ArtifactMediaType.bundle, let title else { return false }
        return !title.hasSuffix(".tar.gz") && !title.hasSuffix(".tgz")
    }
}

/// The manifest of an artifact or of its reports (OCI image specification 1.1, "Image Manifest").
package struct ArtifactManifest: Codable, Sendable, Equatable {
    package var schemaVersion: Int
    package var mediaType: String?
    package var artifactType: String?
    package var config: ArtifactDescriptor
    package var layers: [ArtifactDescriptor]
    package var subject: ArtifactDescriptor?
    package var annotations: [String: String]?

    package init(
        artifactType: String,
        config: ArtifactDescriptor,
        layers: [ArtifactDescriptor],
        subject: ArtifactDescriptor? = nil,
        annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        mediaType = ArtifactMediaType.manifest
        self.artifactType = artifactType
        self.config = config
        self.layers = layers
        self.subject = subject
        self.annotations = annotations
    }

    /// The document in bytes: the same manifest gives the same bytes.
    package func encoded() throws -> Data { try ArtifactEncoding.encode(self) }

    package init(encoded data: Data) throws { self = try JSONDecoder().decode(Self.self, from: data) }
}

/// What the layers of an artifact do not say of its files.
package struct ArtifactConfig: Codable, Sendable, Equatable {
    package struct Bundle: Codable, Sendable, Equatable {
        package var fileCount: Int64
        /// Of the files in it.
        package var byteCount: Int64

        package init(fileCount: Int64, byteCount: Int64) {
            self.fileCount = fileCount
            self.byteCount = byteCount
        }
    }

    /// By path, in octal digits, of files whose mode is not 644.
    package var modes: [String: String]
    package var links: [ArtifactLinkMessage]
    /// Those that are empty or whose mode is not 755.
    package var folders: [ArtifactFolderMessage]
    /// By the path of the folder.
    package var bundles: [String: Bundle]

    package init(
        modes: [String: String] = [:],
        links: [ArtifactLinkMessage] = [],
        folders: [ArtifactFolderMessage] = [],
        bundles: [String: Bundle] = [:]
    ) {
        self.modes = modes
        self.links = links
        self.folders = folders
        self.bundles = bundles
    }

    private enum CodingKeys: String, CodingKey {
        case modes, links, folders, bundles
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        modes = try container.decodeIfPresent([String: String].self, forKey: .modes) ?? [:]
        links = try container.decodeIfPresent([ArtifactLinkMessage].self, forKey: .links) ?? []
        folders = try container.decodeIfPresent([ArtifactFolderMessage].self, forKey: .folders) ?? []
        bundles = try container.decodeIfPresent([String: Bundle].self, forKey: .bundles) ?? [:]
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if !modes.isEmpty { try container.encode(modes, forKey: .modes) }
        if !links.isEmpty { try container.encode(links, forKey: .links) }
        if !folders.isEmpty { try container.encode(folders, forKey: .folders) }
        if !bundles.isEmpty { try container.encode(bundles, forKey: .bundles) }
    }

    /// The document in bytes: the same configuration gives the same bytes.
    package func encoded() throws -> Data { try ArtifactEncoding.encode(self) }

    package init(encoded data: Data) throws { self = try JSONDecoder().decode(Self.self, from: data) }
}

/// The totals of the reports that are kept with an artifact.
package struct ArtifactReportsConfig: Codable, Sendable, Equatable {
    package var reports: [ArtifactReportMessage]

    package init(reports: [ArtifactReportMessage]) {
        self.reports = reports
    }

    /// The document in bytes: the same reports give the same bytes.
    package func encoded() throws -> Data { try ArtifactEncoding.encode(self) }

    package init(encoded data: Data) throws { self = try JSONDecoder().decode(Self.self, from: data) }
}

private enum ArtifactEncoding {
    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
