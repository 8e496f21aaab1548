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

/// Where lines begin, for places of offsets.
private struct LineTable {
    private let bytes: [UInt8]
    private let starts: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        starts = [0] + bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    func place(of offset: Int) -> PolicyPlace {
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= offset { low = middle } else { high = middle }
        }
        let before = bytes[starts[low]..<min(max(offset, starts[low]), bytes.count)]
        return PolicyPlace(line: low + 1, column: String(decoding: before, as: UTF8.self).count + 1)
    }
}
