/// The name of a repository, valid for every protocol.
///
/// The grammar is the one of OCI repositories (distribution specification 1.1, "Pulling manifests"): segments of
/// lowercase letters and digits, joined by `.`, `_`, `__` or dashes, separated by `/`; 255 characters at most.
package struct RepositoryName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package static let lengthMax = 255

    /// Validates a name; nil when it breaks the grammar.
    package init?(_ text: some StringProtocol) {
        guard Self.isValid(text.utf8) else { return nil }
        self.text = String(text)
    }

    private init(trusted: String) {
        text = trusted
    }

    /// The repository of clients that name none (`/ac/…`, `/cas/…`).
    package static let `default` = RepositoryName(trusted: "default")

    package var description: String { text }

    /// Whether the name has one segment, as the paths of build caches (`/ccache/NAME/…`) need it.
    package var isSingleSegment: Bool { !text.utf8.contains(UInt8(ascii: "/")) }

    private static func isValid(_ characters: some Collection<UInt8>) -> Bool {
        guard !characters.isEmpty, characters.count <= lengthMax else { return false }
        // What the separator before the current place was: a segment starts and ends with a letter or digit, and
        // `.`, `_` stand alone, `__` alone, dashes in any number.
        var separator: [UInt8] = []
        var atStart = true
        for character in characters {
            switch character {
            case 0x61...0x7a, 0x30...0x39:
                guard separatorIsValid(separator) else { return false }
                separator = []
                atStart = false
            case UInt8(ascii: "/"):
                guard !atStart, separator.isEmpty else { return false }
                atStart = true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                guard !atStart else { return false }
                separator.append(character)
            default:
                return false
            }
        }
        return !atStart && separator.isEmpty
    }

    private static func separatorIsValid(_ separator: [UInt8]) -> Bool {
        guard let first = separator.first, separator.count > 1 else { return true }
        if first == UInt8(ascii: "-") {
            return separator.allSatisfy { $0 == first }
        }
        return first == UInt8(ascii: "_") && separator.count == 2 && separator[1] == first
    }
}

/// What a repository is for; decides what may be removed from it without asking.
package enum RepositoryKind: String, Sendable, CaseIterable {
    /// Entries and loose blobs are evicted under pressure, least recently used first.
    case cache
    /// Manifests and tags; never evicted.
    case registry
    /// Keys to objects; never evicted.
    case bucket
}
