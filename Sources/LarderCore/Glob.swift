/// A pattern for whole texts: `*` stands for any run of characters, also an empty one; everything else for itself.
///
/// Upper and lower case differ, and texts are compared as UTF-8, byte by byte. Matching takes time that grows with the
/// lengths of pattern and text added, whatever they are, so patterns of strangers may meet texts of strangers.
package struct Glob: Hashable, Sendable, CustomStringConvertible {
    /// The pattern as it was written.
    package let text: String
    /// How many stars are in it.
    package let starCount: Int
    /// What stands before the first star; the whole pattern when there is none.
    private let prefix: [UInt8]
    /// What stands between stars, without the empty parts.
    private let inner: [Part]
    /// What stands behind the last star.
    private let suffix: [UInt8]

    /// Reads a pattern; every text is one.
    package init(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        self.text = text
        starCount = parts.count - 1
        prefix = Array(parts[0])
        suffix = parts.count > 1 ? Array(parts[parts.count - 1]) : []
        inner = parts.dropFirst().dropLast().filter { !$0.isEmpty }.map { Part(Array($0)) }
    }

    package var description: String { text }

    /// Whether the pattern says nothing: it has stars only, and at least one.
    package var matchesEverything: Bool { starCount > 0 && prefix.isEmpty && inner.isEmpty && suffix.isEmpty }

    /// Whether the whole text is one that the pattern describes.
    package func matches(_ text: some StringProtocol) -> Bool {
        text.utf8.withContiguousStorageIfAvailable(describes) ?? Array(text.utf8).withUnsafeBufferPointer(describes)
    }

    /// The same without what it costs to accept any kind of text, which is several times what a match costs.
    package func matches(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable(describes) ?? Array(text.utf8).withUnsafeBufferPointer(describes)
    }

    /// The same for the bytes of a text.
    package func describes(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count >= prefix.count + suffix.count, Self.bytes(bytes, at: 0, are: prefix) else { return false }
        guard starCount > 0 else { return bytes.count == prefix.count }
        let end = bytes.count - suffix.count
        guard Self.bytes(bytes, at: end, are: suffix) else { return false }
        // The leftmost place leaves most for the parts that follow, so no other one has to be tried.
        var position = prefix.count
        for part in inner {
            guard let next = part.end(in: bytes, from: position, to: end) else { return false }
            position = next
        }
        return true
    }

    /// Whether a part stands at a place; the caller knows that it does not reach over the end.
    private static func bytes(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int, are part: [UInt8]) -> Bool {
        for index in part.indices where bytes[start + index] != part[index] { return false }
        return true
    }

    /// Equal patterns are written with the same bytes; `String` would ignore how an accent is encoded.
    package static func == (left: Glob, right: Glob) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

extension Glob {
    /// What stands between two stars, prepared for the search by Knuth, Morris and Pratt.
    ///
    /// "Fast Pattern Matching in Strings", SIAM Journal on Computing 6 (1977): no byte of the text is looked at again
    /// after it was passed, which a plain search does for texts like `aaaaaaab`.
    private struct Part: Sendable {
        let bytes: [UInt8]
        /// For each length but 0: how long the longest proper prefix is that is also a suffix of that much of the part.
        let borders: [Int]

        init(_ bytes: [UInt8]) {
            var borders = [0]
            var length = 0
            for index in bytes.indices.dropFirst() {
                while length > 0, bytes[index] != bytes[length] { length = borders[length - 1] }
                if bytes[index] == bytes[length] { length += 1 }
                borders.append(length)
            }
            self.bytes = bytes
            self.borders = borders
        }

        /// Where the leftmost occurrence between two places ends; nil when there is none.
        func end(in text: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Int? {
            var length = 0
            for position in start..<end {
                while length > 0, text[position] != bytes[length] { length = borders[length - 1] }
                if text[position] == bytes[length] { length += 1 }
                if length == bytes.count { return position + 1 }
            }
            return nil
        }
    }
}
