import LarderCore

extension PolicyNode {
    static func readJSON(_ text: String) throws(PolicyError) -> PolicyNode {
        let bytes = Array(text.utf8)
        let lines = LineTable(bytes)
        var scanner = JSONScanner(bytes)
        do {
            let node = try scan(&scanner, lines)
            try scanner.finish()
            return node
        } catch {
            throw PolicyError(
                "Could not map policyString into LifecyclePolicy.",
                hint: error.problem,
                place: lines.place(of: error.offset)
            )
        }
    }

    private static func scan(_ scanner: inout JSONScanner, _ lines: LineTable) throws(JSONError) -> PolicyNode {
        let kind = try scanner.peek()
        let place = lines.place(of: scanner.offset)
        let value: Value
        switch kind {
        case .object:
            var members: [Member] = []
            try scanner.readObject { (scanner, key) throws(JSONError) in
                let place = lines.place(of: scanner.keyOffset)
                members.append(Member(key: key, place: place, value: try scan(&scanner, lines)))
            }
            value = .object(members)
        case .array:
            var elements: [PolicyNode] = []
            try scanner.readArray { (scanner) throws(JSONError) in elements.append(try scan(&scanner, lines)) }
            value = .array(elements)
        case .string:
            value = .string(try scanner.readString())
        case .number:
            value = .number(
                String(decoding: try scanner.text { (scanner) throws(JSONError) in try scanner.skip() }, as: UTF8.self)
            )
        case .literal:
            let text = try scanner.text { (scanner) throws(JSONError) in try scanner.skip() }
            value = text.elementsEqual("null".utf8) ? .null : .flag(text.elementsEqual("true".utf8))
        }
        return PolicyNode(value: value, place: place)
    }
}

/// Where offsets are in a text; asked in ascending order, each costs what lies between.
private final class LineTable {
    private let bytes: [UInt8]
    private var offset = 0
    private var line = 1
    private var column = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func place(of target: Int) -> PolicyPlace {
        if target < offset { (offset, line, column) = (0, 1, 1) }
        while offset < min(target, bytes.count) {
            if bytes[offset] == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if bytes[offset] & 0xc0 != 0x80 {
                // Continuation bytes belong to the character before.
                column += 1
            }
            offset += 1
        }
        return PolicyPlace(line: line, column: column)
    }
}
