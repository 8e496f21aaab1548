/// Whose an entry is within its repository: what one branch or pull request saved, and who may be given it.
///
/// Readers name the scopes that they look into, in order. The empty scope is that of entries without one.
package struct EntryScope: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    /// Longer ones are refused.
    package static let lengthMax = 512

    /// The scope of what has none.
    package static let none = EntryScope(unchecked: "")

    /// Validates a scope, such as `refs/heads/main`: up to 512 bytes of UTF-8 without control characters, not beginning
    /// with `#`, which the store keeps for itself.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.count <= Self.lengthMax, bytes.first != UInt8(ascii: "#"),
            bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { return nil }
        self.text = text
    }

    private init(unchecked text: String) {
        self.text = text
    }

    package var description: String { text }

    /// Scopes are what their bytes are.
    package static func == (left: EntryScope, right: EntryScope) -> Bool { haveSameBytes(left.text, right.text) }
}

/// What became of an entry that was to get a key.
package enum EntryOutcome: Sendable, Equatable {
    case stored
    /// The key has an entry, and that was not to be replaced.
    case exists
}
