package import LarderCore

/// Versions of an artifact, as people write them: `NAME`, `NAME:TAG`, `NAME:TAG,TAG…` or `NAME@DIGEST`.
package struct ArtifactReference: Hashable, Sendable, CustomStringConvertible {
    package let repository: RepositoryName
    /// In the order in which they are written, each once.
    package let tags: [Tag]
    package let digest: Digest?

    package init(repository: RepositoryName, tags: [Tag] = []) {
        self.repository = repository
        self.tags = tags
        digest = nil
    }

    package init(repository: RepositoryName, digest: Digest) {
        self.repository = repository
        tags = []
        self.digest = digest
    }

    /// Parses a reference.
    ///
    /// - Throws: `ClientError` that says which part is wrong and how it is written.
    package init(_ text: String) throws(ClientError) {
        if let at = text.firstIndex(of: "@") {
            guard let digest = Digest(String(text[text.index(after: at)...])) else {
                throw ClientError("\(text): what follows the @ is no digest; one is sha256: and 64 digits")
            }
            let name = text[..<at]
            guard !name.contains(":") else {
                throw ClientError("\(text): name a tag or a digest, not both: NAME:TAG or NAME@DIGEST")
            }
            self.init(repository: try Self.repository(name, of: text), digest: digest)
            return
        }
        guard let colon = text.firstIndex(of: ":") else {
            self.init(repository: try Self.repository(text[...], of: text))
            return
        }
        var tags: [Tag] = []
        for written in text[text.index(after: colon)...].split(separator: ",", omittingEmptySubsequences: false) {
            let tag = try Self.tag(written, of: text)
            if !tags.contains(tag) { tags.append(tag) }
        }
        self.init(repository: try Self.repository(text[..<colon], of: text), tags: tags)
    }

    private static func tag(_ written: Substring, of text: String) throws(ClientError) -> Tag {
        guard let tag = Tag(written) else {
            throw ClientError(
                written.contains("/")
                    ? "\(text): an artifact is written NAME:TAG; the server is named with --url or LARDER_URL"
                    : "\(text): '\(written)' is no tag; one has up to 128 letters, digits, _ . and -"
            )
        }
        return tag
    }

    private static func repository(_ name: Substring, of text: String) throws(ClientError) -> RepositoryName {
        guard let repository = RepositoryName(name) else {
            throw ClientError(
                "\(text): '\(name)' is no name; one has lowercase letters and digits, joined by . _ or - and separated by /"
            )
        }
        return repository
    }

    /// The one version that is meant, as the API names it: a digest, a tag, or nothing, which is the newest.
    ///
    /// - Throws: `ClientError` when several tags are written.
    package var version: String {
        get throws(ClientError) {
            guard tags.count <= 1 else { throw ClientError("\(self): name one tag here") }
            return digest?.description ?? tags.first?.text ?? ""
        }
    }

    package var description: String {
        let tags = tags.isEmpty ? "" : ":" + tags.map(\.text).joined(separator: ",")
        return repository.text + tags + (digest.map { "@\($0)" } ?? "")
    }
}
