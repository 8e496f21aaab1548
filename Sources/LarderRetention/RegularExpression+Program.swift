extension RegularExpression {
    /// One step of a thread; numbers are places in the program.
    enum Instruction: Sendable {
        /// Goes on if the next character is in the set of that number.
        case take(Int32)
        /// Goes on at both places; what is found from the first one is preferred.
        case split(Int32, Int32)
        case jump(Int32)
        /// Remembers where the group begins.
        case beginGroup
        /// Remembers where the group ends.
        case endGroup
        case textStart
        case textEnd
        case match
    }

    /// A compiled expression; it never changes.
    struct Program: Sendable {
        private(set) var instructions: ContiguousArray<Instruction> = []
        /// The ASCII part of each set.
        private(set) var masks: ContiguousArray<ASCIIMask> = []
        private(set) var sets: [ScalarSet] = []
        /// Whether a match can begin only where the text begins.
        private(set) var isAnchored = false
        /// The ASCII characters that a match can begin with behind the start of a text and before its end.
        ///
        /// A match there is never empty: what may match nothing does so at the start of the text or waits for its end.
        private(set) var firsts = ASCIIMask()
        /// Where the last repetition stands that is not within another one.
        private var repetitionOffset = 0
        private var isWithinRepetition = false

        /// Compiles an expression.
        ///
        /// `hasGroups`: False to remember where the whole expression matched, as if it were a group.
        init(_ root: Node, hasGroups: Bool) throws(PatternError) {
            try append(hasGroups ? root : .firstGroup(root))
            try emit(.match)
            masks = ContiguousArray(sets.map(\.asciiMask))
            inspectStart()
        }

        private mutating func append(_ node: Node) throws(PatternError) {
            switch node {
            case .characters(let set): try emit(.take(number(of: set)))
            case .textStart: try emit(.textStart)
            case .textEnd: try emit(.textEnd)
            case .sequence(let nodes): for node in nodes { try append(node) }
            case .alternatives(let nodes): try append(alternatives: nodes)
            case .firstGroup(let node):
                try emit(.beginGroup)
                try append(node)
                try emit(.endGroup)
            case .repetition(let node, let repetition): try append(node, repetition)
            }
        }

        private mutating func append(alternatives: [Node]) throws(PatternError) {
            var jumps: [Int] = []
            for node in alternatives.dropLast() {
                let split = try emit(.split(0, 0))
                try append(node)
                jumps.append(try emit(.jump(0)))
                instructions[split] = .split(Int32(split + 1), end)
            }
            if let last = alternatives.last { try append(last) }
            for jump in jumps { instructions[jump] = .jump(end) }
        }

        private mutating func append(_ node: Node, _ repetition: Repetition) throws(PatternError) {
            let isOutermost = !isWithinRepetition
            if isOutermost { repetitionOffset = repetition.offset }
            isWithinRepetition = true
            defer { isWithinRepetition = !isOutermost }
            for _ in 0..<repetition.minimum {
                let start = end
                try append(node)
                // What takes no instruction would take none each time, and could be repeated for ever within itself.
                guard end > start else { return }
            }
            if let maximum = repetition.maximum {
                try append(node, optional: maximum - repetition.minimum, isLazy: repetition.isLazy)
            } else {
                try appendLoop(node, isLazy: repetition.isLazy)
            }
        }

        /// `x{0,3}` is `(?:x(?:x(?:x)?)?)?`.
        private mutating func append(_ node: Node, optional count: Int, isLazy: Bool) throws(PatternError) {
            var splits: [Int] = []
            for _ in 0..<count {
                splits.append(try emit(.split(0, 0)))
                try append(node)
            }
            for split in splits { setSplit(split, body: Int32(split + 1), exit: end, isLazy: isLazy) }
        }

        private mutating func appendLoop(_ node: Node, isLazy: Bool) throws(PatternError) {
            let split = try emit(.split(0, 0))
            try append(node)
            try emit(.jump(Int32(split)))
            setSplit(split, body: Int32(split + 1), exit: end, isLazy: isLazy)
        }

        private mutating func setSplit(_ split: Int, body: Int32, exit: Int32, isLazy: Bool) {
            instructions[split] = isLazy ? .split(exit, body) : .split(body, exit)
        }

        /// Where the next instruction comes.
        private var end: Int32 { Int32(instructions.count) }

        @discardableResult
        private mutating func emit(_ instruction: Instruction) throws(PatternError) -> Int {
            guard instructions.count < instructionCountMax else {
                throw PatternError(
                    problem: "the repetition makes the expression larger than \(instructionCountMax) instructions",
                    offset: repetitionOffset
                )
            }
            instructions.append(instruction)
            return instructions.count - 1
        }

        private mutating func number(of set: ScalarSet) -> Int32 {
            if let index = sets.firstIndex(of: set) { return Int32(index) }
            sets.append(set)
            return Int32(sets.count - 1)
        }

        /// Finds out how a match can begin behind the start of a text.
        private mutating func inspectStart() {
            var isVisited = [Bool](repeating: false, count: instructions.count)
            var open: [Int32] = [0]
            isAnchored = true
            while let place = open.popLast() {
                guard !isVisited[Int(place)] else { continue }
                isVisited[Int(place)] = true
                switch instructions[Int(place)] {
                case .take(let set):
                    isAnchored = false
                    firsts.formUnion(masks[Int(set)])
                case .split(let first, let second): open += [first, second]
                case .jump(let target): open.append(target)
                case .beginGroup, .endGroup: open.append(place + 1)
                case .textStart: break
                case .textEnd, .match: isAnchored = false
                }
            }
        }
    }
}
