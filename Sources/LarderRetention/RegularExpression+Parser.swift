extension RegularExpression {
    /// A part of an expression.
    indirect enum Node {
        case characters(ScalarSet)
        case textStart
        case textEnd
        /// Nodes one after the other; nothing when there are none.
        case sequence([Node])
        /// The first comes first.
        case alternatives([Node])
        /// The first capturing group; the others are not told apart from `(?: )`.
        case firstGroup(Node)
        case repetition(Node, Repetition)
    }

    /// How often a part may come.
    struct Repetition {
        let minimum: Int
        /// Nil for no limit.
        let maximum: Int?
        var isLazy = false
        /// Where it stands in the expression.
        let offset: Int
    }

    /// Reads an expression character by character; recursion goes as deep as the groups, `depthMax` at most.
    struct Parser {
        private let scalars: [Unicode.Scalar]
        private var position = 0
        private var depth = 0
        private var ignoresCase = false
        private(set) var captureCount = 0

        init(_ text: String) {
            scalars = Array(text.unicodeScalars)
        }

        mutating func parse() throws(PatternError) -> Node {
            if comes("(?i)") {
                ignoresCase = true
                position += 4
            }
            let node = try parseAlternatives()
            guard position == scalars.count else { throw error("a ) without its (") }
            return node
        }

        private mutating func parseAlternatives() throws(PatternError) -> Node {
            var alternatives = [try parseSequence()]
            while take("|") { alternatives.append(try parseSequence()) }
            return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
        }

        private mutating func parseSequence() throws(PatternError) -> Node {
            var nodes: [Node] = []
            while let next = peek(), next != "|", next != ")" {
                let isAnchor = next == "^" || next == "$"
                let node = try parseOperand()
                guard let repetition = try parseRepetition() else {
                    nodes.append(node)
                    continue
                }
                guard !isAnchor else { throw error("nothing to repeat", at: repetition.offset) }
                nodes.append(.repetition(node, repetition))
            }
            return nodes.count == 1 ? nodes[0] : .sequence(nodes)
        }

        private mutating func parseOperand() throws(PatternError) -> Node {
            let start = position
            let scalar = scalars[position]
            position += 1
            switch scalar {
            case "^": return .textStart
            case "$": return .textEnd
            case ".": return .characters(.anyButLineFeed)
            case "(": return try parseGroup(from: start)
            case "[": return .characters(try parseClass(from: start))
            case "\\": return .characters(inItsCases(try parseEscape().set))
            case "*", "+", "?": throw error("nothing to repeat", at: start)
            case "{": throw error("nothing to repeat; the character is written \\{", at: start)
            case "]", "}": throw error("nothing is open; the character is written \\\(scalar)", at: start)
            default: return .characters(inItsCases(ScalarSet(scalar)))
            }
        }

        private func inItsCases(_ set: ScalarSet) -> ScalarSet { ignoresCase ? set.inBothCases : set }

        // MARK: - Groups

        private mutating func parseGroup(from start: Int) throws(PatternError) -> Node {
            let captures = try parseGroupKind(from: start)
            if captures { captureCount += 1 }
            let isFirst = captures && captureCount == 1
            depth += 1
            guard depth <= depthMax else { throw error("groups nested deeper than \(depthMax)", at: start) }
            let node = try parseAlternatives()
            guard take(")") else { throw error("a ( without its )", at: start) }
            depth -= 1
            return isFirst ? .firstGroup(node) : node
        }

        /// Passes over what follows the opening; whether the group captures.
        private mutating func parseGroupKind(from start: Int) throws(PatternError) -> Bool {
            guard take("?") else { return true }
            if take(":") { return false }
            let problem =
                if comes("=") || comes("!") || comes("<=") || comes("<!") {
                    "look-around is not available"
                } else if comes("<") || comes("P<") || comes("'") {
                    "groups have no names"
                } else if comes("i)") {
                    "(?i) may only come first"
                } else {
                    "of the groups with (? there is only (?: ), and (?i) at the start"
                }
            throw error(problem, at: start)
        }

        // MARK: - Repetitions

        private mutating func parseRepetition() throws(PatternError) -> Repetition? {
            guard var repetition = try parseRange() else { return nil }
            repetition.isLazy = take("?")
            let start = position
            switch peek() {
            case "+" where !repetition.isLazy: throw error("possessive repetitions are not available", at: start)
            case "*", "+", "?", "{": throw error("a repetition cannot be repeated without a group", at: start)
            default: return repetition
            }
        }

        private mutating func parseRange() throws(PatternError) -> Repetition? {
            let start = position
            if take("*") { return Repetition(minimum: 0, maximum: nil, offset: start) }
            if take("+") { return Repetition(minimum: 1, maximum: nil, offset: start) }
            if take("?") { return Repetition(minimum: 0, maximum: 1, offset: start) }
            guard take("{") else { return nil }
            let minimum = try parseCount()
            var maximum = minimum
            let isRange = take(",")
            if isRange { maximum = comes("}") ? nil : try parseCount() }
            guard let minimum, !isRange || maximum != nil || comes("}"), take("}") else {
                throw error("a { is followed by n}, n,} or n,m}; the character is written \\{", at: start)
            }
            if let maximum, maximum < minimum { throw error("a repetition whose ends are reversed", at: start) }
            return Repetition(minimum: minimum, maximum: maximum, offset: start)
        }

        /// Reads a number; nil when there is none.
        private mutating func parseCount() throws(PatternError) -> Int? {
            let start = position
            var count: Int?
            while let next = peek(), ("0"..."9").contains(next) {
                let value = (count ?? 0) * 10 + Int(next.value - 0x30)
                guard value <= repetitionMax else { throw error("a count larger than \(repetitionMax)", at: start) }
                count = value
                position += 1
            }
            return count
        }

        // MARK: - Characters

        /// Reads what follows a backslash; `single` is the character when it stands for one and not for a class.
        private mutating func parseEscape() throws(PatternError) -> (set: ScalarSet, single: Unicode.Scalar?) {
            let start = position - 1
            guard let scalar = peek() else { throw error("nothing follows the \\", at: start) }
            position += 1
            switch scalar {
            case "d": return (.digits, nil)
            case "D": return (ScalarSet.digits.inverted, nil)
            case "w": return (.words, nil)
            case "W": return (ScalarSet.words.inverted, nil)
            case "s": return (.spaces, nil)
            case "S": return (ScalarSet.spaces.inverted, nil)
            case "t": return (ScalarSet("\t"), "\t")
            case "b", "B": throw error("word boundaries are not available", at: start)
            case "1"..."9": throw error("back-references are not available", at: start)
            case "!"..."/", ":"..."@", "["..."`", "{"..."~", " ": return (ScalarSet(scalar), scalar)
            default: throw error("an unknown escape", at: start)
            }
        }

        private mutating func parseClass(from start: Int) throws(PatternError) -> ScalarSet {
            let isInverted = take("^")
            guard !comes("]") else { throw error("an empty class; the character is written \\]", at: start) }
            var set = ScalarSet([])
            while !take("]") {
                guard position < scalars.count else { throw error("a [ without its ]", at: start) }
                set = set.union(try parseClassRange(class: start))
            }
            set = inItsCases(set)
            return isInverted ? set.inverted : set
        }

        private mutating func parseClassRange(class classStart: Int) throws(PatternError) -> ScalarSet {
            let start = position
            let first = try parseClassCharacter()
            guard comes("-"), !comes("-]") else { return first.set }
            position += 1
            guard position < scalars.count else { throw error("a [ without its ]", at: classStart) }
            guard let lower = first.single, let upper = try parseClassCharacter().single else {
                throw error("a range between classes of characters", at: start)
            }
            guard lower <= upper else { throw error("a range whose ends are reversed", at: start) }
            return ScalarSet([lower.value...upper.value])
        }

        private mutating func parseClassCharacter() throws(PatternError) -> (set: ScalarSet, single: Unicode.Scalar?) {
            guard !comes("[:"), !comes("[."), !comes("[=") else { throw error("POSIX classes are not available") }
            let scalar = scalars[position]
            position += 1
            return scalar == "\\" ? try parseEscape() : (ScalarSet(scalar), scalar)
        }

        // MARK: - Reading

        private func peek() -> Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        private func comes(_ text: String) -> Bool { scalars[position...].starts(with: text.unicodeScalars) }

        private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard peek() == scalar else { return false }
            position += 1
            return true
        }

        private func error(_ problem: String, at offset: Int? = nil) -> PatternError {
            PatternError(problem: problem, offset: offset ?? position)
        }
    }
}
