/// A version by the rules of Semantic Versioning 2.0.0, read from a tag as people write them.
///
/// The order is that of section 11 of the specification. What is ignored there (build metadata) or is a way of writing
/// (`v`, numbers left out) is ignored for equality too: `v1`, `1.0` and `1.0.0_build.7` are equal.
package struct SemanticVersion: Comparable, Hashable, Sendable {
    /// Digits of one number at most, so that it fits into 64 bits.
    package static let digitCountMax = 18

    /// The first number.
    package let major: Int
    /// The second number; 0 when it was left out.
    package let minor: Int
    /// The third number; 0 when it was left out.
    package let patch: Int
    private let prerelease: [Identifier]

    /// Reads a version; nil when the tag is something else.
    ///
    /// A `v` or `V` may come first. Then one to three numbers without leading zeros; then, after a `-`, the identifiers
    /// of a pre-release (section 9); then, after a `+` or a `_`, build metadata (section 10). A tag cannot hold a `+`:
    /// Helm writes a `_` for it.
    package init?(tag: some StringProtocol) {
        var core = Array(String(tag).utf8)[...]
        if let build = Self.cut(&core, at: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "_") }) {
            guard Self.identifiers(build) != nil else { return nil }
        }
        var prerelease: [Identifier] = []
        if let text = Self.cut(&core, at: { $0 == UInt8(ascii: "-") }) {
            guard let identifiers = Self.identifiers(text)?.map(Identifier.init),
                identifiers.allSatisfy({ !$0.hasLeadingZero })
            else { return nil }
            prerelease = identifiers
        }
        if core.first == UInt8(ascii: "v") || core.first == UInt8(ascii: "V") { core.removeFirst() }
        let numbers = core.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map(Self.number)
        guard numbers.count <= 3, let first = numbers.first, let major = first else { return nil }
        guard let minor = numbers.count > 1 ? numbers[1] : 0, let patch = numbers.count > 2 ? numbers[2] : 0 else {
            return nil
        }
        (self.major, self.minor, self.patch, self.prerelease) = (major, minor, patch, prerelease)
    }

    /// Whether it comes before the version of its three numbers.
    package var isPrerelease: Bool { !prerelease.isEmpty }

    /// The order of section 11.
    package static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        let (leftNumbers, rightNumbers) = (
            (left.major, left.minor, left.patch), (right.major, right.minor, right.patch)
        )
        if leftNumbers != rightNumbers { return leftNumbers < rightNumbers }
        // 11.3: a version without identifiers comes after those that have some. 11.4: else identifier by identifier, and
        // the shorter list first when it is the start of the longer one.
        guard left.isPrerelease, right.isPrerelease else { return left.isPrerelease }
        return left.prerelease.lexicographicallyPrecedes(right.prerelease)
    }

    // MARK: - Parts

    /// Cuts a text off at the first separator; returns what follows it, or nil when there is none.
    private static func cut(_ text: inout ArraySlice<UInt8>, at isSeparator: (UInt8) -> Bool) -> ArraySlice<UInt8>? {
        guard let index = text.firstIndex(where: isSeparator) else { return nil }
        defer { text = text[..<index] }
        return text[(index + 1)...]
    }

    /// Splits a text at its dots; nil when a part is empty or has other characters than letters, digits and `-`.
    private static func identifiers(_ text: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(isAllowed) } ? parts : nil
    }

    private static func isAllowed(_ character: UInt8) -> Bool {
        switch character {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...digitCountMax).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}

extension SemanticVersion {
    /// One of the parts of a pre-release that dots divide.
    private struct Identifier: Comparable, Hashable, Sendable {
        let characters: [UInt8]
        let isNumber: Bool

        init(_ characters: ArraySlice<UInt8>) {
            self.characters = Array(characters)
            isNumber = characters.allSatisfy { (0x30...0x39).contains($0) }
        }

        /// Section 9 forbids it in numbers; without it the longer number is the larger one.
        var hasLeadingZero: Bool { isNumber && characters.count > 1 && characters.first == UInt8(ascii: "0") }

        /// Numbers come first, by their value, of any length; the rest in ASCII order.
        static func < (left: Identifier, right: Identifier) -> Bool {
            guard left.isNumber == right.isNumber else { return left.isNumber }
            if left.isNumber, left.characters.count != right.characters.count {
                return left.characters.count < right.characters.count
            }
            return left.characters.lexicographicallyPrecedes(right.characters)
        }
    }
}
