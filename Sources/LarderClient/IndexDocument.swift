import Foundation
import LarderCore

/// An index that is changed: the `index.json` of a folder, or a list of referrers.
///
/// What others wrote into it, members that are not known here included, is kept.
struct IndexDocument {
    static let nameKey = "org.opencontainers.image.ref.name"

    /// One manifest that the index names.
    struct Entry {
        let descriptor: Descriptor
        /// The name it has in a folder.
        let name: String?
    }

    private var members: [String: JSONValue]

    init() {
        members = [
            "schemaVersion": .integer(2), "mediaType": .string(ManifestType.ociIndex), "manifests": .array([]),
        ]
    }

    /// Reads an index.
    ///
    /// - Throws: `ClientError` when it is none.
    init(_ data: Data) throws(ClientError) {
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: data), case .object(let members) = value,
            case .array = members["manifests"]
        else { throw ClientError("an index is expected and something else is there") }
        self.members = members
    }

    /// The manifests that can be read here: those whose digest is of a known kind.
    var entries: [Entry] { elements.compactMap(Self.entry) }

    private var elements: [JSONValue] {
        if case .array(let elements) = members["manifests"] { elements } else { [] }
    }

    private static func entry(_ element: JSONValue) -> Entry? {
        guard let mediaType = element["mediaType"]?.text, let digest = element["digest"]?.text.flatMap({ Digest($0) }),
            case .integer(let size) = element["size"]
        else { return nil }
        var descriptor = Descriptor(mediaType: mediaType, digest: digest, size: size)
        descriptor.artifactType = element["artifactType"]?.text
        return Entry(descriptor: descriptor, name: element["annotations"]?[nameKey]?.text)
    }

    /// Names a manifest with its annotations, as a list of referrers does; false when it is named already.
    mutating func add(_ manifest: StoredManifest) throws -> Bool {
        guard !entries.contains(where: { $0.descriptor.digest == manifest.digest }) else { return false }
        let text = manifest.manifest.referrerText(digest: manifest.digest, size: manifest.size)
        let element = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        members["manifests"] = .array(elements + [element])
        return true
    }

    /// Names a manifest as a folder does: the name is taken from whatever had it.
    mutating func set(_ manifest: StoredManifest, name: String?) {
        var kept = elements
        if let name {
            // One without a name becomes the one with a name.
            kept.removeAll { element in
                guard let entry = Self.entry(element) else { return false }
                return entry.name == name || (entry.name == nil && entry.descriptor.digest == manifest.digest)
            }
        } else if kept.contains(where: { Self.entry($0)?.descriptor.digest == manifest.digest }) {
            return
        }
        var element: [String: JSONValue] = [
            "mediaType": .string(manifest.manifest.mediaType), "digest": .string(manifest.digest.description),
            "size": .integer(manifest.size),
        ]
        if let type = manifest.manifest.artifactType { element["artifactType"] = .string(type) }
        if let name { element["annotations"] = .object([Self.nameKey: .string(name)]) }
        members["manifests"] = .array(kept + [.object(element)])
    }

    /// As it is written.
    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(members)
    }
}
