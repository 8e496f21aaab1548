extension RegularExpression {
    /// Where the group begins and ends in bytes of the text, as far as a thread has met that.
    struct Bounds {
        var start: Int?
        var end: Int?
    }

    /// One way through the program that fits the text so far.
    struct Thread {
        /// The instruction that comes next.
        var place: Int32
        var bounds: Bounds
    }
}

extension RegularExpression.Program {
    /// Looks for the leftmost match in a text of valid UTF-8; nil when there is none.
    ///
    /// `stopsAtFirstMatch`: Whether any match will do, so that the bounds mean nothing.
    func run(_ text: UnsafeBufferPointer<UInt8>, stopsAtFirstMatch: Bool) -> RegularExpression.Bounds? {
        let count = instructions.count
        // One allocation each for a whole text: two lists of threads and a stack, none longer than the program.
        return withUnsafeTemporaryAllocation(of: RegularExpression.Thread.self, capacity: 3 * count) { threads in
            withUnsafeTemporaryAllocation(of: Int.self, capacity: count) { visits in
                visits.initialize(repeating: -1)
                return instructions.withUnsafeBufferPointer { instructions in
                    masks.withUnsafeBufferPointer { masks in
                        var machine = RegularExpression.Machine(
                            program: self,
                            text: text,
                            instructions: instructions,
                            masks: masks,
                            threads: threads,
                            visits: visits
                        )
                        return machine.run(stopsAtFirstMatch: stopsAtFirstMatch)
                    }
                }
            }
        }
    }
}

extension RegularExpression {
    /// Follows all threads through a text, one character at a time.
    ///
    /// No two threads are at one place, so each character costs one visit of each instruction at most.
    struct Machine {
        private let program: Program
        private let text: UnsafeBufferPointer<UInt8>
        private let instructions: UnsafeBufferPointer<Instruction>
        private let masks: UnsafeBufferPointer<ASCIIMask>
        /// Which position in the text an instruction was last visited for.
        private let visits: UnsafeMutableBufferPointer<Int>
        /// The threads at this position, those to be preferred first; only `take` and `match` come next in them.
        private var current: UnsafeMutablePointer<Thread>
        private var currentCount = 0
        /// The threads behind the next character.
        private var next: UnsafeMutablePointer<Thread>
        private var nextCount = 0
        /// The second ways of splits; each split is visited once, so it is never longer than the program.
        private let stack: UnsafeMutablePointer<Thread>

        init(
            program: Program,
            text: UnsafeBufferPointer<UInt8>,
            instructions: UnsafeBufferPointer<Instruction>,
            masks: UnsafeBufferPointer<ASCIIMask>,
            threads: UnsafeMutableBufferPointer<Thread>,
            visits: UnsafeMutableBufferPointer<Int>
        ) {
            let count = instructions.count
            precondition(threads.count >= 3 * count && visits.count >= count, "scratch smaller than the program")
            guard let base = threads.baseAddress else { preconditionFailure("a program has instructions") }
            self.program = program
            self.text = text
            self.instructions = instructions
            self.masks = masks
            self.visits = visits
            (current, next, stack) = (base, base + count, base + 2 * count)
        }
    }
}

extension RegularExpression.Machine {
    mutating func run(stopsAtFirstMatch: Bool) -> RegularExpression.Bounds? {
        var match: RegularExpression.Bounds?
        var position = 0
        while true {
            if match == nil, position == 0 || mayBegin(at: position) {
                follow(RegularExpression.Thread(place: 0, bounds: .init()), at: position)
            }
            swap(&current, &next)
            (currentCount, nextCount) = (nextCount, 0)
            if currentCount == 0, match != nil || program.isAnchored { return match }
            let (scalar, length) = character(at: position)
            if let found = step(scalar, to: position + length) {
                if stopsAtFirstMatch { return found }
                match = found
            }
            guard length > 0 else { return match }
            position += length
        }
    }

    /// Whether a match can begin here, behind the start of the text.
    private func mayBegin(at position: Int) -> Bool {
        guard !program.isAnchored else { return false }
        guard position < text.count, text[position] < 0x80 else { return true }
        return program.firsts.contains(UInt32(text[position]))
    }

    /// Takes one character with each thread; returns the match that ends before it, if there is one.
    ///
    /// Behind the end of the text there is no character, `scalar` is nil.
    private mutating func step(_ scalar: UInt32?, to position: Int) -> RegularExpression.Bounds? {
        for index in 0..<currentCount {
            let thread = current[index]
            switch instructions[Int(thread.place)] {
            case .take(let set):
                guard let scalar, accepts(scalar, set) else { continue }
                follow(RegularExpression.Thread(place: thread.place + 1, bounds: thread.bounds), at: position)
            case .match:
                // The threads that follow are less preferred.
                return thread.bounds
            default:
                continue
            }
        }
        return nil
    }

    @inline(__always)
    private func accepts(_ scalar: UInt32, _ set: Int32) -> Bool {
        scalar < 0x80 ? masks[Int(set)].contains(scalar) : program.sets[Int(set)].contains(scalar)
    }

    /// Adds a thread to the next ones: all threads that it becomes before it takes a character.
    private mutating func follow(_ first: RegularExpression.Thread, at position: Int) {
        var stackCount = 0
        var thread = first
        while true {
            let place = Int(thread.place)
            if visits[place] != position {
                visits[place] = position
                switch instructions[place] {
                case .take, .match:
                    (next + nextCount).initialize(to: thread)
                    nextCount += 1
                case .split(let preferred, let other):
                    (stack + stackCount).initialize(to: RegularExpression.Thread(place: other, bounds: thread.bounds))
                    stackCount += 1
                    thread.place = preferred
                    continue
                case .jump(let target):
                    thread.place = target
                    continue
                case .beginGroup:
                    thread.bounds = RegularExpression.Bounds(start: position)
                    thread.place += 1
                    continue
                case .endGroup:
                    thread.bounds.end = position
                    thread.place += 1
                    continue
                case .textStart where position == 0, .textEnd where position == text.count:
                    thread.place += 1
                    continue
                case .textStart, .textEnd:
                    break
                }
            }
            guard stackCount > 0 else { return }
            stackCount -= 1
            thread = stack[stackCount]
        }
    }

    /// The character at a position and its length in bytes; nil and 0 at the end of the text.
    @inline(__always)
    private func character(at position: Int) -> (scalar: UInt32?, length: Int) {
        guard position < text.count else { return (nil, 0) }
        let first = UInt32(text[position])
        switch first {
        case ..<0x80: return (first, 1)
        case ..<0xe0: return ((first & 0x1f) << 6 | rest(position + 1), 2)
        case ..<0xf0: return ((first & 0x0f) << 12 | rest(position + 1) << 6 | rest(position + 2), 3)
        default:
            let high = (first & 0x07) << 18 | rest(position + 1) << 12
            return (high | rest(position + 2) << 6 | rest(position + 3), 4)
        }
    }

    private func rest(_ position: Int) -> UInt32 { UInt32(text[position]) & 0x3f }
}
