/// The key of an entry in its repository.
///
/// Adapters put their protocol in front (`bazel/ac/…`, `gradle/…`), so two tools that share a repository never
/// answer each other's keys.
package struct EntryKey: Hashable, Sendable, CustomStringConvertible {
    package let text: String
    /// Whose the entry is; the same text in two scopes is two keys.
    package let scope: EntryScope

    /// Keys are indexed whole; longer ones are refused as malformed.
    package static let lengthMax = 1024

    /// Validates a key: 1 to 1,024 bytes of UTF-8 without control characters.
    package init?(_ text: String) {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= Self.lengthMax, bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            return nil
        }
        self.text = text
        scope = .none
    }

    private init(_ text: String, _ scope: EntryScope) {
        self.text = text
        self.scope = scope
    }

    /// The same key in a scope.
    package func inScope(_ scope: EntryScope) -> EntryKey { EntryKey(text, scope) }

    package var description: String { text }

    /// Keys are what their bytes are; `String` would ignore how an accent is encoded.
    package static func == (left: EntryKey, right: EntryKey) -> Bool {
        haveSameBytes(left.text, right.text) && left.scope == right.scope
    }
}

/// Whether two texts are the same byte by byte.
package func haveSameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.withContiguousStorageIfAvailable { left in
        right.utf8.withContiguousStorageIfAvailable { right in left.elementsEqual(right) }
    }?.flatMap { $0 } ?? left.utf8.elementsEqual(right.utf8)
}
