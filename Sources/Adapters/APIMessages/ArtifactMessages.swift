/// The JSON of artifacts in `/api/v1`. Sizes are bytes, times text such as `2026-11-24T12:00:00Z`, modes octal digits.

/// A version of an artifact: GET /api/v1/artifacts/NAME/version, and an element of GET /api/v1/artifacts/NAME, where
/// `files` and all that follows it is absent.
package struct ArtifactVersionMessage: Codable, Sendable, Equatable {
    package var repository: String
    /// Of its manifest.
    package var digest: String
    package var tags: [String]
    package var pushedAt: String
    /// Of all its layers as they are stored.
    package var size: Int64
    /// Those in bundles are counted as well.
    package var fileCount: Int64
    package var artifactType: String?
    /// The annotations of its manifest: labels, and where it comes from.
    package var labels: [String: String]
    package var files: [ArtifactFileMessage]?
    package var links: [ArtifactLinkMessage]?
    /// Those that are empty or whose mode is not 755.
    package var folders: [ArtifactFolderMessage]?
    package var bundles: [ArtifactBundleMessage]?
    package var reports: [ArtifactReportMessage]?

    package init(
        repository: String,
        digest: String,
        tags: [String],
        pushedAt: String,
        size: Int64,
        fileCount: Int64,
        artifactType: String? = nil,
        labels: [String: String],
        files: [ArtifactFileMessage]? = nil,
        links: [ArtifactLinkMessage]? = nil,
        folders: [ArtifactFolderMessage]? = nil,
        bundles: [ArtifactBundleMessage]? = nil,
        reports: [ArtifactReportMessage]? = nil
    ) {
        self.repository = repository
        self.digest = digest
        self.tags = tags
        self.pushedAt = pushedAt
        self.size = size
        self.fileCount = fileCount
        self.artifactType = artifactType
        self.labels = labels
        self.files = files
        self.links = links
        self.folders = folders
        self.bundles = bundles
        self.reports = reports
    }
}

/// A file of an artifact.
package struct ArtifactFileMessage: Codable, Sendable, Equatable {
    package var path: String
    package var size: Int64
    package var mode: String
    package var digest: String
    /// The folder in whose bundle it lies; nil: it is a blob of its own.
    package var bundle: String?

    package init(path: String, size: Int64, mode: String, digest: String, bundle: String? = nil) {
        self.path = path
        self.size = size
        self.mode = mode
        self.digest = digest
        self.bundle = bundle
    }
}

/// A symbolic link of an artifact.
package struct ArtifactLinkMessage: Codable, Sendable, Equatable {
    package var path: String
    package var target: String

    package init(path: String, target: String) {
        self.path = path
        self.target = target
    }
}

/// A folder of an artifact.
package struct ArtifactFolderMessage: Codable, Sendable, Equatable {
    package var path: String
    package var mode: String

    package init(path: String, mode: String) {
        self.path = path
        self.mode = mode
    }
}

/// A folder of an artifact that is kept as one archive.
package struct ArtifactBundleMessage: Codable, Sendable, Equatable {
    package var path: String
    /// Of the compressed archive.
    package var digest: String
    /// Of the compressed archive.
    package var size: Int64
    package var fileCount: Int64
    /// Of the files in it.
    package var byteCount: Int64

    package init(path: String, digest: String, size: Int64, fileCount: Int64, byteCount: Int64) {
        self.path = path
        self.digest = digest
        self.size = size
        self.fileCount = fileCount
        self.byteCount = byteCount
    }
}

/// What reports count; nil for what their format doesn't.
package struct ReportTotals: Codable, Hashable, Sendable {
    package var tests: Int?
    package var failures: Int?
    package var errors: Int?
    package var skipped: Int?
    package var seconds: Double?
    package var statements: Int?
    package var coveredStatements: Int?
    package var conditionals: Int?
    package var coveredConditionals: Int?
    package var methods: Int?
    package var coveredMethods: Int?
    package var elements: Int?
    package var coveredElements: Int?
    package var lines: Int?
    package var coveredLines: Int?
    package var branches: Int?
    package var coveredBranches: Int?

    package init() {}
}

/// The reports of one group; their totals stand beside the rest.
package struct ArtifactReportMessage: Codable, Sendable, Equatable {
    package struct File: Codable, Sendable, Equatable {
        package var path: String
        package var digest: String
        package var size: Int64

        package init(path: String, digest: String, size: Int64) {
            self.path = path
            self.digest = digest
            self.size = size
        }
    }

    package var group: String
    /// As a buildspec names it: `JUNITXML`, `CLOVERXML` and so on.
    package var format: String
    package var totals: ReportTotals
    package var files: [File]

    package init(group: String, format: String, totals: ReportTotals, files: [File]) {
        self.group = group
        self.format = format
        self.totals = totals
        self.files = files
    }

    private enum CodingKeys: String, CodingKey {
        case group, format, files
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        group = try container.decode(String.self, forKey: .group)
        format = try container.decode(String.self, forKey: .format)
        files = try container.decode([File].self, forKey: .files)
        totals = try ReportTotals(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(group, forKey: .group)
        try container.encode(format, forKey: .format)
        try container.encode(files, forKey: .files)
        try totals.encode(to: encoder)
    }
}

/// GET /api/v1/artifacts/NAME.
package struct ArtifactListMessage: Codable, Sendable {
    /// The newest first.
    package var versions: [ArtifactVersionMessage]
    /// What to ask for `after`; nil: that was all.
    package var next: String?

    package init(versions: [ArtifactVersionMessage], next: String? = nil) {
        self.versions = versions
        self.next = next
    }
}

/// The answer of PUT /api/v1/artifacts/NAME and PUT /api/v1/artifacts/NAME/tags.
package struct ArtifactTagsMessage: Codable, Sendable {
    /// Of the version.
    package var digest: String
    /// All that it has now.
    package var tags: [String]

    package init(digest: String, tags: [String]) {
        self.digest = digest
        self.tags = tags
    }
}
