package import LarderCore

/// An image in a repository, as people write it: `NAME`, `NAME:TAG`, `NAME@DIGEST` or `NAME:TAG@DIGEST`.
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    package let repository: RepositoryName
    package let tag: Tag?
    package let digest: Digest?

    package init(repository: RepositoryName, tag: Tag? = nil, digest: Digest? = nil) {
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// Parses a reference.
    ///
    /// - Throws: `ClientError` that says which part is wrong and how it is written.
    package init(_ text: String) throws(ClientError) {
        var name = Substring(text)
        var digest: Digest?
        var tag: Tag?
        if let at = name.firstIndex(of: "@") {
            digest = Digest(String(name[name.index(after: at)...]))
            guard digest != nil else {
                throw ClientError("\(text): what follows the @ is no digest; one is sha256: and 64 digits")
            }
            name = name[..<at]
        }
        if let colon = name.lastIndex(of: ":") {
            let written = name[name.index(after: colon)...]
            guard !written.contains("/") else {
                throw ClientError("\(text) is no image here; one of another registry is written docker://\(text)")
            }
            tag = Tag(written)
            guard tag != nil else {
                throw ClientError("\(text): '\(written)' is no tag; one has up to 128 letters, digits, _ . and -")
            }
            name = name[..<colon]
        }
        guard let repository = RepositoryName(name) else {
            throw ClientError(
                "\(text): '\(name)' is no name; one has lowercase letters and digits, joined by . _ or - and separated by /"
            )
        }
        self.init(repository: repository, tag: tag, digest: digest)
    }

    /// What is asked for: the digest where one is named, else the tag, else `latest`.
    package var manifest: ManifestReference {
        digest.map { ManifestReference.digest($0) } ?? .tag(tag ?? .latest)
    }

    package var description: String {
        repository.text + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }
}

extension Tag {
    /// What is meant where no tag is named.
    static let latest: Tag = {
        guard let tag = Tag("latest") else { preconditionFailure("latest is a tag") }
        return tag
    }()
}

/// Where an image is copied from or to.
package enum ImagePlace: Hashable, Sendable {
    /// The server of the data folder.
    case local(ImageReference)
    case registry(RegistryAddress, ImageReference)
    /// A folder in the OCI image layout.
    case layout(folder: String, tag: Tag?)

    /// Parses `NAME[:TAG|@DIGEST]`, `docker://HOST[:PORT]/NAME…`, `http://HOST[:PORT]/NAME…` or `oci:PATH[:TAG]`.
    ///
    /// - Throws: `ClientError` that says how a place is written.
    package init(_ text: String) throws(ClientError) {
        if text.hasPrefix("docker://") {
            self = try Self.parseRegistry(text.dropFirst("docker://".count), of: text, isPlain: false)
        } else if text.hasPrefix("http://") {
            self = try Self.parseRegistry(text.dropFirst("http://".count), of: text, isPlain: true)
        } else if text.hasPrefix("oci:") {
            self = try Self.parseLayout(text.dropFirst("oci:".count), of: text)
        } else if text.contains("://") {
            throw ClientError("\(text): images are at NAME, docker://HOST/NAME, http://HOST/NAME or oci:PATH")
        } else {
            self = .local(try ImageReference(text))
        }
    }

    /// The same place, spoken to without TLS.
    package var withPlainHTTP: ImagePlace {
        guard case .registry(var address, let reference) = self else { return self }
        address.isPlain = true
        return .registry(address, reference)
    }

    /// Whether it takes the server of the data folder.
    package var isLocal: Bool {
        if case .local = self { true } else { false }
    }

    private static func parseRegistry(
        _ rest: Substring,
        of text: String,
        isPlain: Bool
    ) throws(ClientError) -> ImagePlace {
        guard let slash = rest.firstIndex(of: "/"),
            let address = RegistryAddress(rest[..<slash], isPlain: isPlain)
        else {
            throw ClientError("\(text): a registry's image is written docker://HOST[:PORT]/NAME[:TAG|@DIGEST]")
        }
        var name = String(rest[rest.index(after: slash)...])
        // What Docker Hub calls alpine is at library/alpine.
        if address.isDockerHub, !name.contains("/") { name = "library/\(name)" }
        return .registry(address, try ImageReference(name))
    }

    private static func parseLayout(_ rest: Substring, of text: String) throws(ClientError) -> ImagePlace {
        var folder = rest
        var tag: Tag?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            let written = rest[rest.index(after: colon)...]
            tag = Tag(written)
            guard tag != nil else { throw ClientError("\(text): '\(written)' is no tag; write oci:PATH[:TAG]") }
            folder = rest[..<colon]
        }
        guard !folder.isEmpty else { throw ClientError("\(text): name the folder; write oci:PATH[:TAG]") }
        return .layout(folder: String(folder), tag: tag)
    }
}
