import APIMessages
import Foundation
import LarderCore

/// How the files of an artifact become layers: one each, and above the limits some folders as one archive each.
///
/// The same files with the same annotations give the same plan.
package struct ArtifactPlan: Sendable, Equatable {
    /// A folder that becomes one layer.
    package struct Bundle: Sendable, Equatable {
        package let folder: String
        /// All that is in it; paths begin with the folder.
        package let content: ArtifactFiles
    }

    /// A manifest has at most so many layers.
    package static let layerCountMax = 4_000
    /// A manifest, and a configuration, are at most so large, in bytes.
    package static let documentSizeMax = 4 << 20

    /// What stands in the manifest and configuration itself.
    package let loose: ArtifactFiles
    /// By folder, bytewise.
    package let bundles: [Bundle]

    /// Makes the plan.
    ///
    /// While there are too many layers, or a document would be too large, the folder at the top with most files becomes
    /// a bundle.
    ///
    /// `annotations`: Those of the manifest.
    ///
    /// - Throws: `ClientError` when too much lies in no folder at all.
    package init(_ files: ArtifactFiles, annotations: [String: String]) throws {
        var sizes = try Sizes(annotations: annotations)
        var groups: [PathKey: Group] = [:]
        for file in files.files {
            let cost = sizes.cost(of: file)
            sizes.add(cost, times: 1)
            guard let folder = ArtifactPath.topFolder(file.path) else { continue }
            groups[PathKey(folder), default: Group()].add(cost, isFile: true)
        }
        for (path, cost) in sizes.costs(of: files.links) + sizes.costs(of: files.folders) {
            sizes.add(cost, times: 1)
            // A folder at the top goes with what is in it.
            groups[PathKey(ArtifactPath.topFolder(path) ?? path), default: Group()].add(cost, isFile: false)
        }
        for link in files.links where ArtifactPath.topFolder(link.path) == nil { groups[PathKey(link.path)] = nil }
        var bundled: Set<PathKey> = []
        while !sizes.fit {
            guard let (folder, group) = groups.max(by: Self.isSmaller) else { throw Self.tooLarge(sizes) }
            groups[folder] = nil
            bundled.insert(folder)
            sizes.add(group.cost, times: -1)
            sizes.add(sizes.cost(ofBundle: folder.path), times: 1)
        }
        try self.init(files, bundled: bundled)
    }

    private init(_ files: ArtifactFiles, bundled: Set<PathKey>) throws(ClientError) {
        func folder(of path: String) -> PathKey? {
            let folder = PathKey(ArtifactPath.topFolder(path) ?? path)
            return bundled.contains(folder) ? folder : nil
        }
        let (fileGroups, linkGroups, folderGroups) = (
            Dictionary(grouping: files.files) { folder(of: $0.path) },
            Dictionary(grouping: files.links) { folder(of: $0.path) },
            Dictionary(grouping: files.folders) { folder(of: $0.path) }
        )
        func content(of folder: PathKey?) throws(ClientError) -> ArtifactFiles {
            try ArtifactFiles(
                files: fileGroups[folder] ?? [],
                links: linkGroups[folder] ?? [],
                folders: folderGroups[folder] ?? []
            )
        }
        loose = try content(of: nil)
        var bundles: [Bundle] = []
        for folder in bundled.sorted(by: { ArtifactPath.precedes($0.path, $1.path) }) {
            bundles.append(Bundle(folder: folder.path, content: try content(of: folder)))
        }
        self.bundles = bundles
    }

    private static func isSmaller(
        _ left: (key: PathKey, value: Group),
        _ right: (key: PathKey, value: Group)
    ) -> Bool {
        let (first, second) = (left.value, right.value)
        if first.fileCount != second.fileCount { return first.fileCount < second.fileCount }
        if first.otherCount != second.otherCount { return first.otherCount < second.otherCount }
        return ArtifactPath.precedes(right.key.path, left.key.path)
    }

    private static func tooLarge(_ sizes: Sizes) -> ClientError {
        ClientError(
            sizes.layerCount > layerCountMax
                ? "\(sizes.layerCount) files lie in no folder, and an artifact takes \(layerCountMax) such; put them into "
                    + "a folder"
                : "the paths and labels of what lies in no folder take more than \(documentSizeMax >> 20) MiB; put files "
                    + "into a folder, or use fewer labels"
        )
    }
}

extension ArtifactPlan {
    /// What something adds to the documents.
    private struct Cost {
        var layers = 0
        var manifestBytes = 0
        var configBytes = 0
    }

    /// What is in one folder at the top.
    private struct Group {
        var fileCount = 0
        var otherCount = 0
        var cost = Cost()

        mutating func add(_ cost: Cost, isFile: Bool) {
            if isFile { fileCount += 1 } else { otherCount += 1 }
            self.cost.layers += cost.layers
            self.cost.manifestBytes += cost.manifestBytes
            self.cost.configBytes += cost.configBytes
        }
    }

    /// How large the documents get, from above.
    private struct Sizes {
        /// Digits of the largest size.
        private static let digitCountMax = 19

        private(set) var layerCount = 0
        private var manifestBytes: Int
        private var configBytes: Int
        private let fileBytes: Int
        private let bundleBytes: Int

        init(annotations: [String: String]) throws {
            let digest = "sha256:" + String(repeating: "0", count: 64)
            let size = Int64.max
            func bytes(_ layers: [ArtifactDescriptor]) throws -> Int {
                try ArtifactManifest(
                    artifactType: ArtifactMediaType.artifact,
                    config: .init(mediaType: ArtifactMediaType.config, digest: digest, size: size),
                    layers: layers,
                    annotations: annotations
                ).encoded().count
            }
            manifestBytes = try bytes([])
            // One more for the comma.
            fileBytes = 1 + (try bytes([.file("", digest: digest, size: size)])) - manifestBytes
            bundleBytes =
                1 + (try bytes([.bundle("", digest: digest, size: size, unpackedDigest: digest)])) - manifestBytes
            configBytes = "{\"bundles\":{},\"folders\":[],\"links\":[],\"modes\":{}}".utf8.count
        }

        var fit: Bool {
            layerCount <= layerCountMax && manifestBytes <= documentSizeMax && configBytes <= documentSizeMax
        }

        mutating func add(_ cost: Cost, times factor: Int) {
            layerCount += cost.layers * factor
            manifestBytes += cost.manifestBytes * factor
            configBytes += cost.configBytes * factor
        }

        func cost(of file: ArtifactFiles.File) -> Cost {
            let path = Self.length(file.path)
            let isPlain = file.mode == ArtifactFiles.fileMode
            return Cost(
                layers: 1,
                manifestBytes: fileBytes + path,
                configBytes: isPlain ? 0 : path + "\"\":\"777\",".utf8.count
            )
        }

        func costs(of links: [ArtifactFiles.Link]) -> [(String, Cost)] {
            let frame = "{\"path\":\"\",\"target\":\"\"},".utf8.count
            return links.map { link in
                (link.path, Cost(configBytes: Self.length(link.path) + Self.length(link.target) + frame))
            }
        }

        func costs(of folders: [ArtifactFiles.Folder]) -> [(String, Cost)] {
            let frame = "{\"mode\":\"777\",\"path\":\"\"},".utf8.count
            return folders.map { ($0.path, Cost(configBytes: Self.length($0.path) + frame)) }
        }

        func cost(ofBundle folder: String) -> Cost {
            let path = Self.length(folder)
            let frame = "\"\":{\"byteCount\":,\"fileCount\":},".utf8.count + 2 * Self.digitCountMax
            return Cost(layers: 1, manifestBytes: bundleBytes + path, configBytes: path + frame)
        }

        /// Of a text in JSON, without the quotes; control characters take six.
        private static func length(_ text: String) -> Int {
            text.utf8.reduce(0) { count, byte in
                switch byte {
                case 0..<0x20, 0x7f: count + 6
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): count + 2
                default: count + 1
                }
            }
        }
    }
}

extension ArtifactDescriptor {
    /// The layer of one file.
    static func file(_ path: String, digest: String, size: Int64) -> ArtifactDescriptor {
        ArtifactDescriptor(
            mediaType: ArtifactMediaType.file,
            digest: digest,
            size: size,
            annotations: [ArtifactAnnotation.title: path]
        )
    }

    /// The layer of a folder.
    static func bundle(_ folder: String, digest: String, size: Int64, unpackedDigest: String) -> ArtifactDescriptor {
        ArtifactDescriptor(
            mediaType: ArtifactMediaType.bundle,
            digest: digest,
            size: size,
            annotations: [
                ArtifactAnnotation.title: folder,
                ArtifactAnnotation.unpack: "true",
                ArtifactAnnotation.unpackedDigest: unpackedDigest,
            ]
        )
    }
}
