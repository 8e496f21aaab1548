import Foundation
import LarderTestSupport

/// A folder in the OCI image layout.
struct ImageLayout: Sendable {
    let path: String

    init(_ path: String) {
        self.path = path
    }

    /// All blobs, by their SHA-256.
    var blobs: [String: [UInt8]] {
        get throws { try folderContents("\(path)/blobs/sha256") }
    }

    /// What is tagged.
    var index: LayoutIndex {
        get throws {
            let text = try Data(contentsOf: URL(fileURLWithPath: "\(path)/index.json"))
            return try JSONDecoder().decode(LayoutIndex.self, from: text)
        }
    }

    /// What a tag names.
    func descriptor(_ tag: String) throws -> LayoutDescriptor {
        for descriptor in try index.manifests where descriptor.annotations?[LayoutDescriptor.tagKey] == tag {
            return descriptor
        }
        throw TestFailure("\(path) has no tag \(tag)")
    }

    /// The bytes of a tag's manifest or index.
    func manifestBytes(_ tag: String) throws -> [UInt8] {
        let name = try descriptor(tag).digest.dropFirst("sha256:".count)
        return Array(try Data(contentsOf: URL(fileURLWithPath: "\(path)/blobs/sha256/\(name)")))
    }

    /// A tag's manifest.
    func manifest(_ tag: String) throws -> LayoutManifest {
        try JSONDecoder().decode(LayoutManifest.self, from: Data(try manifestBytes(tag)))
    }

    /// Joins images to one for several platforms, which is then the only one that has a tag.
    func join(_ images: [(tag: String, architecture: String)], as tag: String) throws {
        let manifests = try images.map { image in
            var entry = try self.descriptor(image.tag)
            entry.annotations = nil
            entry.platform = LayoutDescriptor.Platform(architecture: image.architecture, os: "linux")
            return entry
        }
        let mediaType = "application/vnd.oci.image.index.v1+json"
        let joined = try Self.json(LayoutIndex(mediaType: mediaType, manifests: manifests))
        let name = sha256Hex(Array(joined))
        try joined.write(to: URL(fileURLWithPath: "\(path)/blobs/sha256/\(name)"))
        let entry = LayoutDescriptor(
            mediaType: mediaType,
            digest: "sha256:\(name)",
            size: joined.count,
            annotations: [LayoutDescriptor.tagKey: tag]
        )
        try Self.json(LayoutIndex(manifests: [entry])).write(to: URL(fileURLWithPath: "\(path)/index.json"))
    }

    private static func json(_ index: LayoutIndex) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(index)
    }
}

struct LayoutDescriptor: Codable, Sendable {
    static let tagKey = "org.opencontainers.image.ref.name"

    struct Platform: Codable, Sendable {
        let architecture: String
        let os: String
    }

    let mediaType: String
    let digest: String
    let size: Int
    var annotations: [String: String]?
    var platform: Platform?
}

/// `index.json`, or an image for several platforms.
struct LayoutIndex: Codable, Sendable {
    var schemaVersion = 2
    var mediaType: String?
    let manifests: [LayoutDescriptor]
}

/// The manifest of one image.
struct LayoutManifest: Decodable, Sendable {
    let mediaType: String?
    let artifactType: String?
    let config: LayoutDescriptor
    let layers: [LayoutDescriptor]
}
