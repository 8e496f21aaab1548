package import APIMessages
package import Foundation
package import LarderCore

/// The documents of an artifact, from what is known of its files.
///
/// There are no times in them: the same files with the same annotations give the same documents.
package struct ArtifactDraft: Sendable {
    /// The blob of a layer.
    package struct Blob: Sendable, Hashable {
        package let digest: Digest
        /// In bytes.
        package let size: Int64

        package init(digest: Digest, size: Int64) {
            self.digest = digest
            self.size = size
        }
    }

    /// A folder that became an archive.
    package struct BundleBlob: Sendable {
        package let blob: Blob
        /// Of the archive before it was compressed.
        package let unpackedDigest: Digest

        package init(blob: Blob, unpackedDigest: Digest) {
            self.blob = blob
            self.unpackedDigest = unpackedDigest
        }
    }

    /// Report files of one group, and their totals.
    package struct Report: Sendable {
        /// Its `files` are set here.
        package var totals: ArtifactReportMessage
        /// Paths are those that the files are kept under.
        package var files: [ArtifactFiles.File]

        package init(totals: ArtifactReportMessage, files: [ArtifactFiles.File]) {
            self.totals = totals
            self.files = files
        }
    }

    /// The configuration.
    ///
    /// - Throws: `ClientError` when two modes can't be told apart in it.
    package static func config(of plan: ArtifactPlan) throws -> Data {
        try checkModes(plan.loose.files)
        let modes = plan.loose.files.filter { $0.mode != ArtifactFiles.fileMode }
        let bundles = plan.bundles.map { bundle in
            let count = Int64(bundle.content.files.count)
            return (bundle.folder, ArtifactConfig.Bundle(fileCount: count, byteCount: bundle.content.byteCount))
        }
        return try ArtifactConfig(
            modes: Dictionary(modes.map { ($0.path, ArtifactPath.text(ofMode: $0.mode)) }) { $1 },
            links: plan.loose.links.map { ArtifactLinkMessage(path: $0.path, target: $0.target) },
            folders: plan.loose.folders.map {
                ArtifactFolderMessage(path: $0.path, mode: ArtifactPath.text(ofMode: $0.mode))
            },
            bundles: Dictionary(bundles) { $1 }
        ).encoded()
    }

    /// Who reads the configuration may take paths that look alike for one, and so their modes.
    private static func checkModes(_ files: [ArtifactFiles.File]) throws(ClientError) {
        let modes = Dictionary(files.map { ($0.path, $0.mode) }) { first, _ in first }
        guard let other = files.first(where: { modes[$0.path] != $0.mode }) else { return }
        throw ClientError(
            "two files are named \(other.path), written in different bytes, and have different modes; rename one"
        )
    }

    /// The manifest.
    ///
    /// `digests`: By where each loose file lies on the disk. `bundles`: By folder.
    ///
    /// - Throws: `ClientError` when it is too large.
    package static func manifest(
        of plan: ArtifactPlan,
        digests: [PathKey: Digest],
        bundles: [PathKey: BundleBlob],
        config: Data,
        annotations: [String: String]
    ) throws -> Data {
        var layers = plan.loose.files.compactMap { file in
            digests[PathKey(file.source)].map { digest in
                ArtifactDescriptor.file(file.path, digest: digest.description, size: file.size)
            }
        }
        layers += plan.bundles.compactMap { bundle in
            bundles[PathKey(bundle.folder)].map { made in
                ArtifactDescriptor.bundle(
                    bundle.folder,
                    digest: made.blob.digest.description,
                    size: made.blob.size,
                    unpackedDigest: made.unpackedDigest.description
                )
            }
        }
        precondition(layers.count == plan.loose.files.count + plan.bundles.count, "every layer has its digest")
        layers.sort { ArtifactPath.precedes($0.title ?? "", $1.title ?? "") }
        let manifest = ArtifactManifest(
            artifactType: ArtifactMediaType.artifact,
            config: descriptor(of: config, mediaType: ArtifactMediaType.config),
            layers: layers,
            annotations: annotations.isEmpty ? nil : annotations
        )
        return try checked(manifest.encoded())
    }

    /// The configuration of reports.
    ///
    /// `digests`: By where a report's file lies on the disk.
    package static func reportsConfig(_ reports: [Report], digests: [PathKey: Digest]) throws -> Data {
        let messages = reports.map { report in
            var message = report.totals
            message.files = report.files.compactMap { file in
                digests[PathKey(file.source)].map { .init(path: file.path, digest: $0.description, size: file.size) }
            }
            return message
        }
        return try ArtifactReportsConfig(reports: messages).encoded()
    }

    /// The manifest of reports on an artifact.
    ///
    /// `digests`: By where a report's file lies on the disk.
    package static func reportsManifest(
        _ reports: [Report],
        digests: [PathKey: Digest],
        config: Data,
        subject: Data
    ) throws -> Data {
        let layers = reports.flatMap { report in
            report.files.compactMap { file in
                digests[PathKey(file.source)].map { digest in
                    var layer = ArtifactDescriptor.file(file.path, digest: digest.description, size: file.size)
                    layer.annotations?[ArtifactAnnotation.reportGroup] = report.totals.group
                    layer.annotations?[ArtifactAnnotation.reportFormat] = report.totals.format
                    return layer
                }
            }
        }
        let manifest = ArtifactManifest(
            artifactType: ArtifactMediaType.reports,
            config: descriptor(of: config, mediaType: ArtifactMediaType.reportsConfig),
            layers: layers,
            subject: descriptor(of: subject, mediaType: ArtifactMediaType.manifest)
        )
        return try checked(manifest.encoded())
    }

    private static func descriptor(of document: Data, mediaType: String) -> ArtifactDescriptor {
        ArtifactDescriptor(
            mediaType: mediaType,
            digest: IncrementalHasher.digest(of: document).description,
            size: Int64(document.count)
        )
    }

    private static func checked(_ manifest: Data) throws(ClientError) -> Data {
        guard manifest.count <= ArtifactPlan.documentSizeMax else {
            throw ClientError("the manifest takes more than \(ArtifactPlan.documentSizeMax >> 20) MiB; use fewer files")
        }
        return manifest
    }
}
