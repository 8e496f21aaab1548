/// A movable name of a manifest (OCI distribution specification 1.1, "Pulling manifests").
///
/// 1 to 128 letters, digits, `_`, `.` and `-`, of which `.` and `-` do not come first.
package struct Tag: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package static let lengthMax = 128

    /// Validates a tag; nil when it breaks the grammar.
    package init?(_ text: some StringProtocol) {
        let characters = text.utf8
        guard let first = characters.first, characters.count <= Self.lengthMax, first != UInt8(ascii: "."),
            first != UInt8(ascii: "-"), characters.allSatisfy(Self.isAllowed)
        else { return nil }
        self.text = String(text)
    }

    package var description: String { text }

    fileprivate static func isAllowed(_ character: UInt8) -> Bool {
        switch character {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"): true
        default: false
        }
    }
}

/// How a manifest is asked for: by a tag that may move, or by what it is.
package enum ManifestReference: Hashable, Sendable {
    case tag(Tag)
    case digest(Digest)

    /// Parses a reference: a digest when there is a colon in it, which no tag has; nil when it breaks the grammar.
    package init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let digest = Digest(String(text)) else { return nil }
            self = .digest(digest)
        } else {
            guard let tag = Tag(text) else { return nil }
            self = .tag(tag)
        }
    }
}

/// A pattern for tags: `*` stands for any run of characters, also an empty one; everything else for itself.
package struct TagPattern: Hashable, Sendable, CustomStringConvertible {
    private let glob: Glob

    /// Validates a pattern: characters of tags and `*`, 1 to 128 of them; nil for anything else.
    package init?(_ text: some StringProtocol) {
        guard (1...Tag.lengthMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ Tag.isAllowed($0) || $0 == UInt8(ascii: "*") })
        else { return nil }
        glob = Glob(String(text))
    }

    /// The pattern as it was written.
    package var text: String { glob.text }

    package var description: String { text }

    /// Whether the whole tag is one that the pattern describes; linear, as `Glob` is.
    package func matches(_ tag: Tag) -> Bool { glob.matches(tag.text) }
}
