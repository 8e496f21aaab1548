/// Why a text is no JSON, or not the JSON that was wanted, and where.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package let problem: String
    /// Bytes from the start of the text.
    package let offset: Int

    package var description: String { "\(problem) at byte \(offset)" }
}

/// Reads JSON (RFC 8259) value by value, in the order of the text.
///
/// For texts of strangers: what nobody asks for is passed over without being built, so memory is bounded by what the caller
/// keeps, and nesting by `depthMax`. A key that comes twice in an object which is read member by member is an error, since
/// parsers disagree on which one counts.
package struct JSONScanner {
    /// What a value is.
    package enum Kind: Sendable {
        case object, array, string, number, literal
    }

    /// Deeper nesting is refused.
    package static let depthMax = 64
    /// Members of one object that is read member by member.
    package static let memberCountMax = 10_000

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    /// Where the key begins whose member is being read, in bytes from the start of the text.
    package private(set) var keyOffset = 0

    /// Bytes that were read so far.
    package var offset: Int { position }

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    // MARK: - Values

    /// What kind of value comes next.
    package mutating func peek() throws(JSONError) -> Kind {
        skipSpace()
        guard position < bytes.count else { throw error("the text ends too early") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), 0x30...0x39: return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return .literal
        default: throw error("no value")
        }
    }

    /// Reads an object; `member` is called with each key and reads the value, or passes it over.
    package mutating func readObject(
        _ member: (inout JSONScanner, String) throws(JSONError) -> Void
    ) throws(JSONError) {
        try open(UInt8(ascii: "{"), "an object")
        var keys: Set<String> = []
        var isFirst = true
        while try !closes(UInt8(ascii: "}"), isFirst: isFirst) {
            isFirst = false
            skipSpace()
            keyOffset = position
            let key = try readString()
            guard keys.insert(key).inserted else { throw error("the key \(key.prefix(64)) comes twice") }
            guard keys.count <= Self.memberCountMax else { throw error("an object has too many members") }
            try expect(UInt8(ascii: ":"), "a colon")
            try member(&self, key)
        }
    }

    /// Reads an array; `element` is called for each element and reads it, or passes it over.
    package mutating func readArray(_ element: (inout JSONScanner) throws(JSONError) -> Void) throws(JSONError) {
        try open(UInt8(ascii: "["), "an array")
        var isFirst = true
        while try !closes(UInt8(ascii: "]"), isFirst: isFirst) {
            isFirst = false
            try element(&self)
        }
    }

    /// Reads a string.
    package mutating func readString() throws(JSONError) -> String {
        let start = try stringStart()
        let hasEscapes = try passString()
        let content = bytes[start..<(position - 1)]
        let text = hasEscapes ? try unescape(content) : String(validating: content, as: UTF8.self)
        guard let text else { throw error("a string is not UTF-8") }
        return text
    }

    /// Reads a whole number.
    package mutating func readInteger() throws(JSONError) -> Int64 {
        skipSpace()
        let start = position
        try passNumber()
        guard let text = String(validating: bytes[start..<position], as: UTF8.self), let number = Int64(text) else {
            throw error("not a whole number of 64 bits")
        }
        return number
    }

    /// Passes over a `null`; false, and nothing is read, when the next value is another.
    package mutating func takeNull() throws(JSONError) -> Bool {
        guard try peek() == .literal, bytes[position...].starts(with: "null".utf8) else { return false }
        position += 4
        return true
    }

    /// Passes over the next value, whatever it is.
    package mutating func skip() throws(JSONError) {
        switch try peek() {
        case .object:
            try open(UInt8(ascii: "{"), "an object")
            var isFirst = true
            while try !closes(UInt8(ascii: "}"), isFirst: isFirst) {
                isFirst = false
                _ = try stringStart()
                _ = try passString()
                try expect(UInt8(ascii: ":"), "a colon")
                try skip()
            }
        case .array:
            try readArray { (scanner) throws(JSONError) in try scanner.skip() }
        case .string:
            _ = try stringStart()
            _ = try passString()
        case .number:
            try passNumber()
        case .literal:
            try passLiteral()
        }
    }

    /// Reads the next value by `read` and returns its text as it stands.
    package mutating func text(
        of read: (inout JSONScanner) throws(JSONError) -> Void
    ) throws(JSONError) -> ArraySlice<UInt8> {
        skipSpace()
        let start = position
        try read(&self)
        return bytes[start..<position]
    }

    /// Makes sure that nothing but space is left.
    package mutating func finish() throws(JSONError) {
        skipSpace()
        guard position == bytes.count else { throw error("something follows the value") }
    }

    // MARK: - Parts

    private func error(_ problem: String) -> JSONError { JSONError(problem: problem, offset: position) }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[position]) { position += 1 }
    }

    private mutating func expect(_ character: UInt8, _ what: String) throws(JSONError) {
        skipSpace()
        guard position < bytes.count, bytes[position] == character else { throw error("\(what) is wanted") }
        position += 1
    }

    private mutating func open(_ character: UInt8, _ what: String) throws(JSONError) {
        try expect(character, what)
        depth += 1
        guard depth <= Self.depthMax else { throw error("nested deeper than \(Self.depthMax)") }
    }

    /// Whether an object or array ends here; if not, the comma before the next item is read.
    private mutating func closes(_ character: UInt8, isFirst: Bool) throws(JSONError) -> Bool {
        skipSpace()
        if position < bytes.count, bytes[position] == character {
            position += 1
            depth -= 1
            return true
        }
        if !isFirst { try expect(UInt8(ascii: ","), "a comma") }
        return false
    }

    private mutating func stringStart() throws(JSONError) -> Int {
        try expect(UInt8(ascii: "\""), "a string")
        return position
    }

    /// Goes behind the end of a string; returns whether it has escapes.
    private mutating func passString() throws(JSONError) -> Bool {
        var hasEscapes = false
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try passEscape()
            case 0..<0x20:
                throw error("a control character in a string")
            default:
                position += 1
            }
        }
        throw error("a string has no end")
    }

    private mutating func passEscape() throws(JSONError) {
        position += 1
        guard position < bytes.count else { throw error("a string has no end") }
        switch bytes[position] {
        case UInt8(ascii: "u"):
            let digits = bytes[(position + 1)...].prefix(4)
            guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else {
                throw error("a broken \\u escape")
            }
            position += 5
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        default:
            throw error("an unknown escape")
        }
    }

    private mutating func passNumber() throws(JSONError) {
        func digits(_ scanner: inout JSONScanner) -> Int {
            let start = scanner.position
            while scanner.position < scanner.bytes.count, (0x30...0x39).contains(scanner.bytes[scanner.position]) {
                scanner.position += 1
            }
            return scanner.position - start
        }
        func takes(_ characters: [UInt8], _ scanner: inout JSONScanner) -> Bool {
            guard scanner.position < scanner.bytes.count, characters.contains(scanner.bytes[scanner.position]) else {
                return false
            }
            scanner.position += 1
            return true
        }
        _ = takes([UInt8(ascii: "-")], &self)
        let start = position
        let count = digits(&self)
        guard count > 0, count == 1 || bytes[start] != UInt8(ascii: "0") else { throw error("not a number") }
        if takes([UInt8(ascii: ".")], &self), digits(&self) == 0 { throw error("not a number") }
        if takes([UInt8(ascii: "e"), UInt8(ascii: "E")], &self) {
            _ = takes([UInt8(ascii: "+"), UInt8(ascii: "-")], &self)
            if digits(&self) == 0 { throw error("not a number") }
        }
    }

    private mutating func passLiteral() throws(JSONError) {
        for literal in ["true", "false", "null"] where bytes[position...].starts(with: literal.utf8) {
            position += literal.utf8.count
            return
        }
        throw error("no value")
    }

    private func unescape(_ content: ArraySlice<UInt8>) throws(JSONError) -> String? {
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var rest = content
        while let character = rest.popFirst() {
            guard character == UInt8(ascii: "\\") else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\""): result.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): result.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "/"): result.append(UInt8(ascii: "/"))
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = Self.scalar(&rest) else { throw error("a broken \\u escape") }
                result.append(contentsOf: Array(String(Character(scalar)).utf8))
            default: throw error("an unknown escape")
            }
        }
        return String(validating: result, as: UTF8.self)
    }

    /// The character of a `\u` escape, or of two that are a surrogate pair.
    private static func scalar(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar? {
        func unit(_ rest: inout ArraySlice<UInt8>) -> UInt32? {
            guard rest.count >= 4, let text = String(validating: rest.prefix(4), as: UTF8.self),
                text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") })
            else { return nil }
            rest = rest.dropFirst(4)
            return UInt32(text, radix: 16)
        }
        guard let first = unit(&rest) else { return nil }
        guard (0xd800..<0xdc00).contains(first) else { return Unicode.Scalar(first) }
        guard rest.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else { return nil }
        rest = rest.dropFirst(2)
        guard let second = unit(&rest), (0xdc00..<0xe000).contains(second) else { return nil }
        return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
    }
}

/// Writes a text as a JSON string, quotes included.
package func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\u{0}"..<"\u{20}":
            let hex = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
