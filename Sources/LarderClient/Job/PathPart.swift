/// One part of a path's pattern, between two slashes: `*`, `?` and `[…]` stand for characters, the rest for itself.
///
/// Characters are Unicode scalars; names that are not UTF-8 are taken byte by byte. The time of a match is bounded by the
/// product of the lengths of pattern and name: after a failure only the last `*` is tried again, one character further.
struct PathPart: Hashable, Sendable {
    private enum Element: Hashable, Sendable {
        case byte(UInt8)
        case anyCharacter
        case anyRun
        case oneOf(ranges: [ClosedRange<UInt32>], isNegated: Bool)
    }

    private let elements: [Element]
    /// The name that is meant when there is nothing but that; bytes of UTF-8.
    let literal: [UInt8]?
    /// Whether it is a `*` alone.
    let matchesEverything: Bool

    static let anything = PathPart([UInt8(ascii: "*")])

    /// Reads the text of a part; `\` takes the meaning from the character behind it, a `[` without its `]` has none.
    init(_ text: some Collection<UInt8>) {
        var elements: [Element] = []
        var rest = Array(text)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"): elements.append(.byte(rest.popFirst() ?? byte))
            case UInt8(ascii: "*"): if elements.last != .anyRun { elements.append(.anyRun) }
            case UInt8(ascii: "?"): elements.append(.anyCharacter)
            case UInt8(ascii: "["): elements.append(Self.takeClass(&rest) ?? .byte(byte))
            default: elements.append(.byte(byte))
            }
        }
        var literal: [UInt8] = []
        for case .byte(let byte) in elements { literal.append(byte) }
        self.elements = elements
        self.literal = literal.count == elements.count ? literal : nil
        matchesEverything = elements == [.anyRun]
    }

    /// Reads a class from behind its bracket; nil, and nothing is read, when it has no end.
    private static func takeClass(_ rest: inout ArraySlice<UInt8>) -> Element? {
        var inner = rest
        let isNegated = inner.first == UInt8(ascii: "!") || inner.first == UInt8(ascii: "^")
        if isNegated { inner.removeFirst() }
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        while let byte = inner.first {
            if byte == UInt8(ascii: "]"), !isFirst {
                rest = inner.dropFirst()
                return .oneOf(ranges: ranges, isNegated: isNegated)
            }
            isFirst = false
            let low = takeScalar(&inner)
            guard inner.first == UInt8(ascii: "-"), let next = inner.dropFirst().first, next != UInt8(ascii: "]") else {
                ranges.append(low...low)
                continue
            }
            inner.removeFirst()
            let high = takeScalar(&inner)
            // A range from high to low holds nothing, as in the shell.
            if low <= high { ranges.append(low...high) }
        }
        return nil
    }

    private static func takeScalar(_ text: inout ArraySlice<UInt8>) -> UInt32 {
        if text.first == UInt8(ascii: "\\"), text.count > 1 { text.removeFirst() }
        let (value, length) = text.withUnsafeBufferPointer { scalar($0, at: 0) }
        text = text.dropFirst(length)
        return value
    }

    /// Whether the bytes of a name are what the part describes.
    func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        if let literal { return literal.count == name.count && literal.elementsEqual(name) }
        if matchesEverything { return true }
        var (element, position) = (0, 0)
        // Behind the last star seen, and where what it stands for ends.
        var retry: (element: Int, position: Int)?
        while position < name.count {
            if element < elements.count, elements[element] == .anyRun {
                element += 1
                retry = (element, position)
            } else if element < elements.count, let length = takes(elements[element], name, at: position) {
                element += 1
                position += length
            } else if let last = retry {
                element = last.element
                position = last.position + Self.scalar(name, at: last.position).length
                retry = (element, position)
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { $0 == .anyRun }
    }

    /// How many bytes of a name an element stands for; nil when it does not match.
    private func takes(_ element: Element, _ name: UnsafeBufferPointer<UInt8>, at position: Int) -> Int? {
        switch element {
        case .byte(let byte): return name[position] == byte ? 1 : nil
        case .anyCharacter: return Self.scalar(name, at: position).length
        case .oneOf(let ranges, let isNegated):
            let (value, length) = Self.scalar(name, at: position)
            return ranges.contains { $0.contains(value) } != isNegated ? length : nil
        case .anyRun: return nil
        }
    }

    /// The character at a place and its length; a byte that begins none is one by itself, with a value of no character.
    private static func scalar(_ text: UnsafeBufferPointer<UInt8>, at position: Int) -> (value: UInt32, length: Int) {
        let first = text[position]
        let (length, bits): (Int, UInt8) =
            switch first {
            case 0..<0x80: (1, first)
            case 0xc2..<0xe0: (2, first & 0x1f)
            case 0xe0..<0xf0: (3, first & 0x0f)
            case 0xf0..<0xf5: (4, first & 0x07)
            default: (0, 0)
            }
        guard length > 0, position + length <= text.count else { return (0x11_0000 + UInt32(first), 1) }
        var value = UInt32(bits)
        for next in text[(position + 1)..<(position + length)] {
            guard next & 0xc0 == 0x80 else { return (0x11_0000 + UInt32(first), 1) }
            value = value << 6 | UInt32(next & 0x3f)
        }
        return (value, length)
    }
}
