import APIMessages
import Foundation
import LarderClient
import LarderCore
import LarderTestSupport

/// Files of an artifact that are nowhere on the disk.
func makeFiles(_ paths: [String], size: Int64 = 1, mode: UInt16 = 0o644) -> [ArtifactFiles.File] {
    paths.map { ArtifactFiles.File(path: $0, source: "/nowhere/\($0)", size: size, mode: mode) }
}

/// A digest that is the same for the same number.
func makeDigest(_ number: Int) -> Digest { IncrementalHasher.digest(of: Array("\(number)".utf8)) }

/// A version as the API tells of it.
func makeVersion(
    files: [ArtifactFileMessage] = [],
    links: [ArtifactLinkMessage] = [],
    folders: [ArtifactFolderMessage] = [],
    bundles: [ArtifactBundleMessage] = []
) -> ArtifactVersionMessage {
    ArtifactVersionMessage(
        repository: "app",
        digest: makeDigest(0).description,
        tags: ["1"],
        pushedAt: "2026-11-24T12:00:00Z",
        size: 0,
        fileCount: Int64(files.count),
        labels: [:],
        files: files,
        links: links,
        folders: folders,
        bundles: bundles
    )
}

func makeFileMessage(_ path: String, _ number: Int, size: Int64 = 1, mode: String = "644") -> ArtifactFileMessage {
    ArtifactFileMessage(path: path, size: size, mode: mode, digest: makeDigest(number).description)
}

/// Writes a file, and the folders it lies in.
func write(_ text: String, to path: String, mode: Int = 0o644) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
        throw TestFailure("can't write \(path)")
    }
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
}

/// What lies below a folder, as lines: `path mode contents`, `path -> target`, `path/ mode`.
func listing(of folder: String) throws -> [String] {
    let files = FileManager.default
    return try files.subpathsOfDirectory(atPath: folder).sorted().map { path in
        let attributes = try files.attributesOfItem(atPath: "\(folder)/\(path)")
        let mode = String((attributes[.posixPermissions] as? Int) ?? 0, radix: 8)
        switch attributes[.type] as? FileAttributeType {
        case .typeSymbolicLink?: return "\(path) -> \(try files.destinationOfSymbolicLink(atPath: "\(folder)/\(path)"))"
        case .typeDirectory?: return "\(path)/ \(mode)"
        default: return "\(path) \(mode) \(readText("\(folder)/\(path)"))"
        }
    }
}
