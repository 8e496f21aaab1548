/// A pattern for paths, as buildspecs write them.
///
/// `*` and `?` stay within one part of a path, `[…]` is a class of characters, `**` as a whole part stands for any number of
/// parts, `{a,b}` for either text, and `\` takes the meaning from the next character. Names that begin with a dot are
/// names like others. A pattern that ends in a plain name, or in a slash, means what has that name and, when that is a
/// folder, everything in it; `dir/*` means what lies in `dir` itself, `dir/**` and `dir/**/*` everything below it.
///
/// It is text only: no link is followed, no home folder is looked up, and an absolute pattern matches absolute paths only.
/// The time of a match is bounded by the product of the lengths of pattern and path.
package struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// Longer patterns are refused; in bytes.
    package static let lengthMax = 4096
    /// Patterns that stand for more texts than this by their braces are refused.
    package static let alternativeCountMax = 256

    /// The pattern as it was written.
    package let text: String
    /// The path before the first part that is not plain: `node_modules` of `node_modules/**/*`, `.` when there is none.
    package let literalRoot: String
    private let alternatives: [Alternative]

    /// Reads a pattern.
    ///
    /// - Throws: `ClientError` when it is empty, has a control character, or breaks a limit.
    package init(_ text: String) throws(ClientError) {
        guard !text.isEmpty else { throw ClientError("a path is empty; '.' means the whole folder") }
        guard text.utf8.count <= Self.lengthMax else {
            throw ClientError("the path \(text.prefix(40))… is longer than \(Self.lengthMax) bytes")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw ClientError("the path \(text.debugDescription) has a control character in it")
        }
        var texts: [[UInt8]] = []
        for alternative in try Self.expand(text) where !texts.contains(alternative) { texts.append(alternative) }
        self.text = text
        alternatives = texts.map { Alternative($0) }
        literalRoot = Self.commonRoot(alternatives)
    }

    package static func == (left: PathPattern, right: PathPattern) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }

    package var description: String { text }

    /// Whether the pattern cannot lead out of the folder it is applied to: it is not absolute, has no `..`, no `~` in front.
    package var staysInside: Bool { alternatives.allSatisfy(\.staysInside) }

    /// Whether it names one path, without a wildcard.
    package var isLiteral: Bool { alternatives.count == 1 && alternatives.allSatisfy(\.isLiteral) }

    /// Whether a path is one that the pattern describes.
    ///
    /// `path`: Relative or absolute; `.` and empty parts of it count for nothing.
    package func matches(_ path: String) -> Bool {
        var path = path
        return path.withUTF8 { bytes in alternatives.contains { $0.matches(bytes) } }
    }

    /// Whether something below a folder may match, as far as can be told from the folder's path; `""` is the root.
    package func mayMatchBelow(folder: String) -> Bool {
        var folder = folder
        return folder.withUTF8 { bytes in alternatives.contains { $0.mayMatchBelow(bytes) } }
    }

    /// Whether all that may be below a folder matches, so that a walk which leaves matches out need not go there.
    package func matchesAllBelow(folder: String) -> Bool {
        var folder = folder
        return folder.withUTF8 { bytes in alternatives.contains { $0.matchesAllBelow(bytes) } }
    }

    /// Whether a path is left out where the pattern says what is left out.
    ///
    /// That is what matches, and also what a pattern for "everything below" names as the folder: the guide of CodeBuild
    /// leaves a file out of all folders by `**/file-name/**/*`.
    package func excludes(_ path: String) -> Bool { matches(path) || matchesAllBelow(folder: path) }

    /// The longest path that all alternatives begin with.
    private static func commonRoot(_ alternatives: [Alternative]) -> String {
        guard let first = alternatives.first else { return "." }
        var parts = first.literalParts
        for other in alternatives.dropFirst() {
            guard other.isAbsolute == first.isAbsolute else { return "." }
            parts = zip(parts, other.literalParts).prefix { $0 == $1 }.map { $0.0 }
        }
        let path = parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
        if first.isAbsolute { return "/" + path }
        return path.isEmpty ? "." : path
    }
}

extension PathPattern {
    /// The texts that a pattern with braces stands for, in order.
    ///
    /// Braces without a comma, and those that are not closed, are ordinary characters.
    private static func expand(_ pattern: String) throws(ClientError) -> [[UInt8]] {
        var waiting = [Array(pattern.utf8)]
        var results: [[UInt8]] = []
        while let text = waiting.popLast() {
            guard let group = innermostGroup(text) else {
                results.append(text)
                continue
            }
            let places = [group.open] + group.commas + [group.close]
            // The last alternative goes in first, as the first one is taken out next.
            for (start, end) in zip(places, places.dropFirst()).reversed() {
                var expanded = Array(text[..<group.open])
                expanded += text[(start + 1)..<end]
                expanded += text[(group.close + 1)...]
                waiting.append(expanded)
            }
            guard waiting.count + results.count <= alternativeCountMax else {
                throw ClientError(
                    "the path \(pattern.prefix(80)) stands for more than \(alternativeCountMax); write several paths"
                )
            }
        }
        return results
    }

    /// The first group of alternatives that holds no other one.
    private static func innermostGroup(_ text: [UInt8]) -> (open: Int, commas: [Int], close: Int)? {
        var open: [(place: Int, commas: [Int])] = []
        var position = 0
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "{"): open.append((position, []))
            case UInt8(ascii: ",") where !open.isEmpty: open[open.count - 1].commas.append(position)
            case UInt8(ascii: "}"):
                if let group = open.popLast(), !group.commas.isEmpty { return (group.place, group.commas, position) }
            default: break
            }
            position += 1
        }
        return nil
    }
}

extension PathPattern {
    /// A pattern without braces.
    private struct Alternative: Sendable {
        private enum Step: Hashable, Sendable {
            case part(PathPart)
            /// Any number of parts, also none.
            case anyParts
        }

        let isAbsolute: Bool
        /// The plain names in front.
        let literalParts: [[UInt8]]
        let isLiteral: Bool
        private let steps: [Step]
        /// Matches a folder when `steps` match all that may be below it; nil when they do so for no folder.
        private let coveringSteps: [Step]?

        init(_ text: [UInt8]) {
            let names = text.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }
            var steps: [Step] = []
            for name in names {
                guard name.elementsEqual("**".utf8) else {
                    steps.append(.part(PathPart(name)))
                    continue
                }
                if steps.last != .anyParts { steps.append(.anyParts) }
            }
            var literalParts: [[UInt8]] = []
            for case .part(let part) in steps.prefix(while: { $0 != .anyParts }) {
                guard let literal = part.literal else { break }
                literalParts.append(literal)
            }
            isAbsolute = text.first == UInt8(ascii: "/")
            self.literalParts = literalParts
            isLiteral = literalParts.count == steps.count
            if steps.last == .anyParts {
                // Everything below, but not what the parts before name.
                steps.append(.part(.anything))
            } else if Self.namesFolder(steps) || text.last == UInt8(ascii: "/") {
                steps.append(.anyParts)
            }
            self.steps = steps
            if steps.last == .anyParts {
                coveringSteps = steps
            } else if steps.suffix(2) == [.anyParts, .part(.anything)] {
                coveringSteps = steps.dropLast()
            } else {
                coveringSteps = nil
            }
        }

        /// Whether the last part is a plain name; also for the folder itself, which has no parts.
        private static func namesFolder(_ steps: [Step]) -> Bool {
            guard let last = steps.last else { return true }
            if case .part(let part) = last { return part.literal != nil }
            return false
        }

        var staysInside: Bool {
            guard !isAbsolute, literalParts.first?.first != UInt8(ascii: "~") else { return false }
            return steps.allSatisfy { step in
                if case .part(let part) = step { part.literal.map { $0 != Array("..".utf8) } ?? true } else { true }
            }
        }

        func matches(_ path: UnsafeBufferPointer<UInt8>) -> Bool { Self.match(steps, path, isAbsolute: isAbsolute) }

        func matchesAllBelow(_ folder: UnsafeBufferPointer<UInt8>) -> Bool {
            coveringSteps.map { Self.match($0, folder, isAbsolute: isAbsolute) } ?? false
        }

        func mayMatchBelow(_ folder: UnsafeBufferPointer<UInt8>) -> Bool {
            var parts = PathParts(folder)
            guard parts.isAbsolute == isAbsolute else { return false }
            var index = 0
            while let name = parts.next() {
                guard index < steps.count else { return false }
                // From here on anything may come before what is left.
                guard case .part(let part) = steps[index] else { return true }
                guard part.matches(name) else { return false }
                index += 1
            }
            return index < steps.count
        }

        /// As in `PathPart`: only the last `**` is tried again, one part of the path further.
        private static func match(_ steps: [Step], _ path: UnsafeBufferPointer<UInt8>, isAbsolute: Bool) -> Bool {
            var parts = PathParts(path)
            guard parts.isAbsolute == isAbsolute else { return false }
            var index = 0
            var retry: (index: Int, parts: PathParts)?
            while true {
                if index < steps.count, case .anyParts = steps[index] {
                    index += 1
                    retry = (index, parts)
                    if index == steps.count { return true }
                    continue
                }
                guard let name = parts.next() else { return index == steps.count }
                if index < steps.count, case .part(let part) = steps[index], part.matches(name) {
                    index += 1
                } else if var last = retry {
                    guard last.parts.next() != nil else { return false }
                    retry = last
                    (index, parts) = last
                } else {
                    return false
                }
            }
        }
    }
}

/// The parts of a path one after the other, without those that say nothing.
private struct PathParts {
    let isAbsolute: Bool
    private let path: UnsafeBufferPointer<UInt8>
    private var position = 0

    init(_ path: UnsafeBufferPointer<UInt8>) {
        self.path = path
        isAbsolute = path.first == UInt8(ascii: "/")
    }

    mutating func next() -> UnsafeBufferPointer<UInt8>? {
        while position < path.count {
            let start = position
            while position < path.count, path[position] != UInt8(ascii: "/") { position += 1 }
            let name = UnsafeBufferPointer(rebasing: path[start..<position])
            position += 1
            if name.count > 1 || name.count == 1 && name[0] != UInt8(ascii: ".") { return name }
        }
        return nil
    }
}
