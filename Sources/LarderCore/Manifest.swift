/// What one manifest says about another blob or manifest (OCI image specification 1.1, "Descriptor").
package struct Descriptor: Hashable, Sendable {
    package var mediaType: String
    package var digest: Digest
    /// Bytes, 0 or more.
    package var size: Int64
    package var artifactType: String?
    /// `os/architecture`, with `/variant` where there is one.
    package var platform: String?
    /// The title that says which file a layer is (`org.opencontainers.image.title`).
    package var title: String?
    /// Whether it says where else the content is to be had.
    package var hasURLs = false

    package init(mediaType: String, digest: Digest, size: Int64) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
    }

    /// Whether registries do without the content: layers that may not be passed on ("non-distributable", "foreign").
    package var isElsewhere: Bool {
        mediaType.contains(".nondistributable.") || (hasURLs && mediaType.contains(".foreign."))
    }
}

/// The media types of manifests that have rules.
package enum ManifestType {
    package static let ociImage = "application/vnd.oci.image.manifest.v1+json"
    package static let ociIndex = "application/vnd.oci.image.index.v1+json"
    package static let dockerImage = "application/vnd.docker.distribution.manifest.v2+json"
    package static let dockerList = "application/vnd.docker.distribution.manifest.list.v2+json"

    /// All that this program can take or give.
    package static let all = [ociImage, ociIndex, dockerImage, dockerList]

    /// Configurations of images, which have labels.
    package static let imageConfigurations = [
        "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json",
    ]

    /// RFC 6838, section 4.2: what may stand in a header.
    static func isWellFormed(_ type: String) -> Bool {
        type.utf8.count <= 255
            && type.utf8.allSatisfy { character in
                switch character {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "!#$&-^_.+/".utf8.contains(character)
                }
            }
    }

    static func isImage(_ type: String) -> Bool { type == ociImage || type == dockerImage }
    static func isIndex(_ type: String) -> Bool { type == ociIndex || type == dockerList }
    static func isSchema1(_ type: String) -> Bool { type.hasPrefix("application/vnd.docker.distribution.manifest.v1+") }
}

/// A manifest, read from its bytes: what it refers to and what a registry tells about it.
///
/// The bytes themselves are kept as they came and are what the digest names.
package struct Manifest: Sendable {
    /// Larger ones are refused (distribution specification 1.1, "Pushing manifests").
    package static let sizeLimit = ByteCount.mebibytes(4)

    package private(set) var mediaType: String
    package private(set) var artifactType: String?
    package private(set) var config: Descriptor?
    package private(set) var layers: [Descriptor] = []
    /// The manifests of an index.
    package private(set) var manifests: [Descriptor] = []
    package private(set) var subject: Descriptor?
    /// The annotations as a JSON object, as they stand in the manifest; nil when there are none.
    package private(set) var annotationsText: String?

    package var isIndex: Bool { ManifestType.isIndex(mediaType) }

    /// The content that must be there before the manifest is, in the order of the text.
    package var blobReferences: [Descriptor] {
        (config.map { [$0] } ?? []) + layers.filter { !$0.isElsewhere }
    }

    /// The type under which a list of referrers shows it (distribution specification 1.1, "Listing Referrers").
    package var effectiveArtifactType: String? {
        artifactType ?? (isIndex ? nil : config?.mediaType)
    }

    /// The descriptor in a list of referrers, as JSON.
    package func referrerText(digest: Digest, size: Int64) -> String {
        var text = "{\"mediaType\":\(jsonString(mediaType)),\"digest\":\"\(digest)\",\"size\":\(size)"
        if let type = effectiveArtifactType { text += ",\"artifactType\":\(jsonString(type))" }
        if let annotationsText { text += ",\"annotations\":\(annotationsText)" }
        return text + "}"
    }

    /// Reads a manifest and checks everything that its bytes alone can tell.
    ///
    /// `bytes`: The manifest, at most `sizeLimit`.
    ///
    /// `contentType`: The media type under which it was sent, without parameters; nil when none was named.
    ///
    /// - Throws: `invalidContent` for anything that the specifications rule out: no JSON, a schema other than 2, a media type
    ///   that differs from the one named, an image that is also an index (CVE-2021-41190), descriptors with malformed
    ///   digests, negative sizes or embedded data of another digest, and keys that come twice.
    package init(_ bytes: [UInt8], contentType: String?) throws(StoreError) {
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw .invalidContent("the manifest is not UTF-8")
        }
        var scanner = JSONScanner(bytes)
        var parts = Parts()
        do {
            try parts.read(&scanner)
            try scanner.finish()
        } catch {
            throw .invalidContent("the manifest can't be read: \(error)")
        }
        guard let type = contentType ?? parts.mediaType else {
            throw .invalidContent("the manifest names no media type")
        }
        if let named = parts.mediaType, named != type {
            throw .invalidContent("the manifest was sent as \(type) and calls itself \(named)")
        }
        mediaType = type
        try parts.check(as: type)
        artifactType = parts.artifactType.flatMap { $0.isEmpty ? nil : $0 }
        config = parts.config
        layers = parts.layers ?? []
        manifests = parts.manifests ?? []
        subject = parts.subject
        annotationsText = parts.annotationsText
    }
}

/// The members of a manifest that matter here, as they come.
private struct Parts {
    var schemaVersion: Int64?
    var mediaType: String?
    var artifactType: String?
    var config: Descriptor?
    var layers: [Descriptor]?
    var manifests: [Descriptor]?
    var subject: Descriptor?
    var annotationsText: String?
    var hasSchema1Parts = false

    mutating func read(_ scanner: inout JSONScanner) throws(JSONError) {
        var parts = Parts()
        try scanner.readObject { (scanner, key) throws(JSONError) in
            // Encoders that write absent members write them so.
            if try scanner.takeNull() { return }
            switch key {
            case "schemaVersion": parts.schemaVersion = try scanner.readInteger()
            case "mediaType": parts.mediaType = try scanner.readString()
            case "artifactType": parts.artifactType = try scanner.readString()
            case "config": parts.config = try Self.readDescriptor(&scanner)
            case "layers": parts.layers = try Self.readDescriptors(&scanner)
            case "manifests": parts.manifests = try Self.readDescriptors(&scanner)
            case "subject": parts.subject = try Self.readDescriptor(&scanner)
            case "annotations": parts.annotationsText = try Self.readAnnotations(&scanner)
            case "fsLayers", "signatures":
                parts.hasSchema1Parts = true
                try scanner.skip()
            default: try scanner.skip()
            }
        }
        self = parts
    }

    func check(as type: String) throws(StoreError) {
        // Types that nobody has described yet are kept as they come, if they are a vendor's and JSON.
        guard type.hasPrefix("application/vnd."), type.hasSuffix("json") || type.hasSuffix("+prettyjws"),
            ManifestType.isWellFormed(type)
        else { throw .invalidContent("\(type.prefix(255)) is no type of a manifest") }
        if ManifestType.isSchema1(type) || hasSchema1Parts {
            throw .invalidContent("manifests of schema 1 are not taken: push the image with a current client")
        }
        guard schemaVersion == 2 else { throw .invalidContent("schemaVersion is not 2") }
        if ManifestType.isImage(type) {
            guard manifests == nil else { throw .invalidContent("an image manifest has no \"manifests\"") }
            guard config != nil else { throw .invalidContent("an image manifest needs a \"config\"") }
            guard layers != nil else { throw .invalidContent("an image manifest needs \"layers\"") }
        } else if ManifestType.isIndex(type) {
            guard layers == nil, config == nil else {
                throw .invalidContent("an index has neither \"layers\" nor a \"config\"")
            }
            guard manifests != nil else { throw .invalidContent("an index needs \"manifests\"") }
        }
    }

    private static func readDescriptors(_ scanner: inout JSONScanner) throws(JSONError) -> [Descriptor] {
        var result: [Descriptor] = []
        try scanner.readArray { (scanner) throws(JSONError) in result.append(try readDescriptor(&scanner)) }
        return result
    }

    private static func readDescriptor(_ scanner: inout JSONScanner) throws(JSONError) -> Descriptor {
        var mediaType: String?
        var digest: Digest?
        var size: Int64?
        var data: String?
        var descriptor = Descriptor(mediaType: "", digest: .emptySHA256, size: 0)
        try scanner.readObject { (scanner, key) throws(JSONError) in
            if try scanner.takeNull() { return }
            switch key {
            case "mediaType": mediaType = try scanner.readString()
            case "digest":
                let text = try scanner.readString()
                digest = Digest(text)
                if digest == nil { throw JSONError(problem: "\(text.prefix(160)) is no digest", offset: 0) }
            case "size": size = try scanner.readInteger()
            case "data": data = try scanner.readString()
            case "artifactType": descriptor.artifactType = try scanner.readString()
            case "platform": descriptor.platform = try readPlatform(&scanner)
            case "annotations": descriptor.title = try readTitle(&scanner)
            case "urls":
                try scanner.readArray { (scanner) throws(JSONError) in
                    descriptor.hasURLs = true
                    try scanner.skip()
                }
            default: try scanner.skip()
            }
        }
        guard let mediaType, let digest, let size, size >= 0 else {
            throw JSONError(problem: "a descriptor needs mediaType, digest and size", offset: 0)
        }
        descriptor.mediaType = mediaType
        descriptor.digest = digest
        descriptor.size = size
        if let data { try check(data, is: descriptor) }
        return descriptor
    }

    /// Content embedded in a descriptor must be what the descriptor names (image specification 1.1, "Embedded Content").
    private static func check(_ data: String, is descriptor: Descriptor) throws(JSONError) {
        var hasher = IncrementalHasher(alsoSHA512: descriptor.digest.algorithm == .sha512)
        guard let bytes = decodeBase64(data), Int64(bytes.count) == descriptor.size else {
            throw JSONError(problem: "embedded data are not of the descriptor's size", offset: 0)
        }
        bytes.withUnsafeBytes { hasher.update($0) }
        guard hasher.finalize().contains(descriptor.digest) else {
            throw JSONError(problem: "embedded data have another digest", offset: 0)
        }
    }

    private static func readPlatform(_ scanner: inout JSONScanner) throws(JSONError) -> String {
        var (os, architecture, variant) = ("", "", "")
        try scanner.readObject { (scanner, key) throws(JSONError) in
            if try scanner.takeNull() { return }
            switch key {
            case "os": os = try scanner.readString()
            case "architecture": architecture = try scanner.readString()
            case "variant": variant = try scanner.readString()
            default: try scanner.skip()
            }
        }
        return [os, architecture, variant].filter { !$0.isEmpty }.joined(separator: "/")
    }

    private static func readTitle(_ scanner: inout JSONScanner) throws(JSONError) -> String? {
        var title: String?
        try scanner.readObject { (scanner, key) throws(JSONError) in
            if key == "org.opencontainers.image.title" { title = try scanner.readString() } else { try scanner.skip() }
        }
        return title
    }

    private static func readAnnotations(_ scanner: inout JSONScanner) throws(JSONError) -> String? {
        let text = try scanner.text { (scanner) throws(JSONError) in
            try scanner.readObject { (scanner, _) throws(JSONError) in _ = try scanner.readString() }
        }
        return String(validating: text, as: UTF8.self)
    }
}

/// Decodes base64 in its standard alphabet, with padding; nil for anything else.
package func decodeBase64(_ text: String) -> [UInt8]? {
    var result: [UInt8] = []
    var (buffer, bitCount, padding): (UInt32, Int, Int) = (0, 0, 0)
    guard text.utf8.count.isMultiple(of: 4) else { return nil }
    for character in text.utf8 {
        let value: UInt32
        switch character {
        case 0x41...0x5a: value = UInt32(character - 0x41)
        case 0x61...0x7a: value = UInt32(character - 0x61 + 26)
        case 0x30...0x39: value = UInt32(character - 0x30 + 52)
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        case UInt8(ascii: "="):
            padding += 1
            continue
        default: return nil
        }
        guard padding == 0 else { return nil }
        buffer = buffer << 6 | value
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            result.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bitCount)))
        }
    }
    return padding <= 2 ? result : nil
}
