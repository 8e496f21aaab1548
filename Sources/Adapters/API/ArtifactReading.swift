import APIMessages
import Foundation
import LarderCore

/// What the documents of an artifact say; what the store knows beside it (tags, times) is not here.
///
/// Files that are not in a bundle are listed; a bundle's own are not, as nobody looks into it for this. What ORAS wrote is
/// read as well: layers with titles, and folders without a word on how much is in them.
struct ArtifactReading: Sendable, Equatable {
    /// What is said of bundles that nobody counted.
    private static let uncounted = ArtifactConfig.Bundle(fileCount: 0, byteCount: 0)

    let artifactType: String?
    /// The manifest's annotations.
    let labels: [String: String]
    /// Of all layers, in bytes.
    let size: Int64
    let fileCount: Int64
    let files: [ArtifactFileMessage]
    let links: [ArtifactLinkMessage]
    let folders: [ArtifactFolderMessage]
    let bundles: [ArtifactBundleMessage]
    let reports: [ArtifactReportMessage]

    /// Reads the documents.
    ///
    /// `config`: nil when it is not there, or too large to be read. `reports`: The referrers with reports, the newest first;
    /// of two that have a group in common the first counts.
    ///
    /// - Throws: `invalidContent` when the manifest is none of an artifact, such as an index.
    init(
        manifest: [UInt8],
        config: [UInt8]?,
        reports: [(manifest: [UInt8], config: [UInt8]?)] = []
    ) throws(StoreError) {
        guard let document = try? ArtifactManifest(encoded: Data(manifest)) else {
            throw .invalidContent("this is no manifest of an artifact: it has no layers")
        }
        self.init(document, config: config, reports: reports)
    }

    /// Takes a manifest that was read already.
    init(
        _ document: ArtifactManifest,
        config: [UInt8]?,
        reports: [(manifest: [UInt8], config: [UInt8]?)] = []
    ) {
        let isOurs = document.config.mediaType == ArtifactMediaType.config
        let details = isOurs ? config.flatMap { try? ArtifactConfig(encoded: Data($0)) } : nil
        var layers: [PathKey: ArtifactDescriptor] = [:]
        // ORAS for Python titles layers by the names of files alone: the last of several is what it gets itself.
        for layer in document.layers { if let title = layer.title { layers[PathKey(title)] = layer } }
        let ordered = layers.map { ($0.path, $1) }.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        files = ordered.filter { !$0.1.isBundle }.map { path, layer in
            let mode = details?.modes[path] ?? "644"
            return ArtifactFileMessage(path: path, size: layer.size, mode: mode, digest: layer.digest)
        }
        bundles = ordered.filter { $0.1.isBundle }.map { path, layer in
            let counts = details?.bundles[path] ?? Self.uncounted
            return ArtifactBundleMessage(
                path: path,
                digest: layer.digest,
                size: layer.size,
                fileCount: counts.fileCount,
                byteCount: counts.byteCount
            )
        }
        links = details?.links ?? []
        folders = details?.folders ?? []
        artifactType = document.artifactType ?? document.config.mediaType
        labels = document.annotations ?? [:]
        size = document.layers.map { max(0, $0.size) }.saturatingSum
        fileCount = ([Int64(files.count)] + bundles.map { max(0, $0.fileCount) }).saturatingSum
        self.reports = Self.reports(reports)
    }

    private static func reports(_ documents: [(manifest: [UInt8], config: [UInt8]?)]) -> [ArtifactReportMessage] {
        var reports: [ArtifactReportMessage] = []
        for document in documents {
            guard let config = document.config.flatMap({ try? ArtifactReportsConfig(encoded: Data($0)) }) else {
                continue
            }
            for report in config.reports where !reports.contains(where: { $0.group == report.group }) {
                reports.append(report)
            }
        }
        return reports
    }
}
