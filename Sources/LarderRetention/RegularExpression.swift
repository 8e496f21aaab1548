/// Why a text is no regular expression, and where.
package struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A sentence for whoever wrote the expression.
    package let problem: String
    /// Characters (Unicode scalars) from the start of the expression.
    package let offset: Int

    package init(problem: String, offset: Int) {
        self.problem = problem
        self.offset = offset
    }

    package var description: String { "\(problem) at character \(offset)" }
}

/// A regular expression whose matching takes time in proportion to its instructions times the length of the text.
///
/// For expressions of strangers: nothing is tried twice. The expression is compiled to the instructions of a small machine
/// that follows all its threads through the text side by side (Ken Thompson, "Regular Expression Search Algorithm", 1968;
/// Rob Pike's variant keeps what a group matched). Back-references and look-around cannot be had that way and are refused.
///
/// Texts are sequences of Unicode scalars, never normalized. `.` stands for any but a line feed; `\d`, `\w` and `\s` and
/// their opposites have their ASCII meaning; `^` and `$` stand for the start and the end of the whole text. Which match
/// counts is decided as in Perl: the leftmost; there the first alternative, the longer of greedy and the shorter of lazy
/// repetitions. One difference: a repetition without a limit goes no further round for nothing, so that `(a*)*` keeps what
/// the last round with letters matched and `(?:|a)*` prefers the letters.
package struct RegularExpression: Hashable, Sendable {
    /// Longer expressions are refused; in characters (Unicode scalars).
    package static let lengthMax = 256
    /// Expressions that compile to more instructions are refused, which bounds the time for each character of a text.
    package static let instructionCountMax = 2000
    /// Groups nested deeper are refused.
    package static let depthMax = 32
    /// Larger numbers in `{n,m}` are refused.
    package static let repetitionMax = 1000

    /// The expression as it was written.
    package let text: String
    /// How many capturing groups there are.
    package let captureCount: Int

    /// Steps of the compiled program, which bound the time for each character.
    var instructionCount: Int { program.instructions.count }
    private let program: Program

    /// Compiles an expression; throws when it breaks the grammar, uses what is not to be had, or breaks a limit.
    package init(_ text: String) throws(PatternError) {
        guard text.unicodeScalars.count <= Self.lengthMax else {
            throw PatternError(problem: "longer than \(Self.lengthMax) characters", offset: Self.lengthMax)
        }
        var parser = Parser(text)
        let root = try parser.parse()
        self.text = text
        captureCount = parser.captureCount
        program = try Program(root, hasGroups: parser.captureCount > 0)
    }

    /// Whether the expression matches somewhere in a text.
    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { program.run($0, stopsAtFirstMatch: true) != nil }
    }

    /// The same for the bytes of a text.
    func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { program.run(bytes, stopsAtFirstMatch: true) != nil }

    /// What the first group matched, of the leftmost match; what the expression matched when it has no group.
    ///
    /// Nil when there is no match, and when the group took no part in it. Of a group that was repeated, the last round
    /// counts.
    package func capture(in text: String) -> String? {
        var text = text
        return text.withUTF8 { capture(in: $0) }
    }

    /// The same for the bytes of a text.
    func capture(in bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard let match = program.run(bytes, stopsAtFirstMatch: false), let start = match.start, let end = match.end
        else { return nil }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// Equal expressions are written with the same scalars; `String` would ignore how an accent is encoded.
    package static func == (left: RegularExpression, right: RegularExpression) -> Bool {
        left.text.unicodeScalars.elementsEqual(right.text.unicodeScalars)
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
