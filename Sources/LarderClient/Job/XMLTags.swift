/// Why a text is no XML, and where.
struct XMLError: Error, Hashable, Sendable, CustomStringConvertible {
    let problem: String
    /// From 1.
    let line: Int

    var description: String { "line \(line): \(problem)" }
}

/// Reads the tags of an XML text one after the other, and nothing else of it.
///
/// For reports of tests, which may be damaged or anything: text, comments, CDATA, processing instructions and the document
/// type are passed over, nothing is looked up or expanded but the five entities of XML and numbers in values that are asked
/// for, and nesting is bounded. Prefixes of namespaces are left away. Tags must match.
struct XMLTags {
    enum Event: Hashable, Sendable {
        case open(name: String)
        case close(name: String)
    }

    static let depthMax = 256
    private static let attributeCountMax = 1000

    private let bytes: [UInt8]
    private var position = 0
    /// The names of the elements around the place, with their prefixes.
    private var open: [Range<Int>] = []
    private var attributes: [(name: Range<Int>, value: Range<Int>)] = []
    /// Whether the tag just opened has no content, so that its end is told next.
    private var isEmptyElement = false
    private var hasRoot = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    }

    /// How many elements are around the place; right after an opening tag its own is among them.
    var depth: Int { open.count }

    /// The next tag, of which an empty element counts as two; nil at the end.
    mutating func next() throws(XMLError) -> Event? {
        if isEmptyElement {
            isEmptyElement = false
            attributes.removeAll(keepingCapacity: true)
            return .close(name: localName(open.removeLast()))
        }
        attributes.removeAll(keepingCapacity: true)
        while true {
            try passText()
            guard position < bytes.count else {
                if let name = open.last { throw error("<\(text(name))> has no end") }
                guard hasRoot else { throw error("there is no element") }
                return nil
            }
            if startsWith("<!--") {
                try pass("-->", from: 4)
            } else if startsWith("<![CDATA[") {
                try pass("]]>", from: 9)
            } else if startsWith("<?") {
                try pass("?>", from: 2)
            } else if startsWith("<!DOCTYPE") {
                try passDocumentType()
            } else {
                return startsWith("</") ? try closingTag() : try openingTag()
            }
        }
    }

    /// A value of the tag that was opened last; nil when it has no such attribute.
    func attribute(_ name: String) -> String? {
        attributes.first { bytes[localRange($0.name)].elementsEqual(name.utf8) }.map { value($0.value) }
    }

    // MARK: - Tags

    private mutating func openingTag() throws(XMLError) -> Event {
        position += 1
        let name = try takeName()
        guard open.count < Self.depthMax else { throw error("nested deeper than \(Self.depthMax)") }
        guard !hasRoot || !open.isEmpty else { throw error("<\(text(name))> follows the end of the document") }
        hasRoot = true
        open.append(name)
        while true {
            let hadSpace = skipSpace()
            guard position < bytes.count else { throw error("<\(text(name)) has no >") }
            if bytes[position] == UInt8(ascii: ">") {
                position += 1
                break
            }
            if startsWith("/>") {
                position += 2
                isEmptyElement = true
                break
            }
            guard hadSpace else { throw error("a space is wanted in <\(text(name))") }
            try takeAttribute()
        }
        return .open(name: localName(name))
    }

    private mutating func takeAttribute() throws(XMLError) {
        let name = try takeName()
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else {
            throw error("\(text(name)) has no value")
        }
        position += 1
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") || bytes[position] == UInt8(ascii: "'")
        else {
            throw error("the value of \(text(name)) has no quotes")
        }
        let quote = bytes[position]
        let start = position + 1
        guard let end = bytes[start...].firstIndex(of: quote) else {
            throw error("the value of \(text(name)) has no end")
        }
        guard !bytes[start..<end].contains(UInt8(ascii: "<")) else { throw error("the value of \(text(name)) has a <") }
        guard attributes.count < Self.attributeCountMax else { throw error("a tag has too many attributes") }
        attributes.append((name, start..<end))
        position = end + 1
    }

    private mutating func closingTag() throws(XMLError) -> Event {
        position += 2
        let name = try takeName()
        skipSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: ">") else {
            throw error("</\(text(name)) has no >")
        }
        guard let opened = open.last else { throw error("</\(text(name))> ends nothing") }
        guard bytes[opened] == bytes[name] else { throw error("</\(text(name))> where </\(text(opened))> is wanted") }
        position += 1
        open.removeLast()
        return .close(name: localName(name))
    }

    private mutating func takeName() throws(XMLError) -> Range<Int> {
        let start = position
        while position < bytes.count, Self.isNameByte(bytes[position]) { position += 1 }
        guard position > start, !(0x30...0x39).contains(bytes[start]), !"-.".utf8.contains(bytes[start]) else {
            throw error("a name is wanted")
        }
        return start..<position
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...: true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        default: false
        }
    }

    // MARK: - What is passed over

    private mutating func passText() throws(XMLError) {
        while position < bytes.count, bytes[position] != UInt8(ascii: "<") {
            if open.isEmpty, ![0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
                throw error("text outside of the document's element; the file is no XML in UTF-8")
            }
            position += 1
        }
    }

    private mutating func pass(_ end: String, from offset: Int) throws(XMLError) {
        let mark = Array(end.utf8)
        var place = position + offset
        while place + mark.count <= bytes.count {
            if bytes[place] == mark[0], bytes[place..<(place + mark.count)].elementsEqual(mark) {
                position = place + mark.count
                return
            }
            place += 1
        }
        throw error("\(end) is missing")
    }

    /// Goes behind `<!DOCTYPE …>` with what it may declare between brackets.
    private mutating func passDocumentType() throws(XMLError) {
        guard open.isEmpty, !hasRoot else { throw error("<!DOCTYPE within the document") }
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                guard let end = bytes[(position + 1)...].firstIndex(of: bytes[position]) else {
                    throw error("a quote has no end")
                }
                position = end
            case UInt8(ascii: "<") where startsWith("<!--"):
                try pass("-->", from: 4)
                continue
            case UInt8(ascii: "<"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ">"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            position += 1
            if depth == 0 { return }
        }
        throw error("<!DOCTYPE has no end")
    }

    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = position
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
        return position > start
    }

    private func startsWith(_ mark: StaticString) -> Bool {
        guard position + mark.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<mark.utf8CodeUnitCount where bytes[position + index] != mark.utf8Start[index] { return false }
        return true
    }

    // MARK: - Texts

    private func localRange(_ name: Range<Int>) -> Range<Int> {
        bytes[name].lastIndex(of: UInt8(ascii: ":")).map { ($0 + 1)..<name.upperBound } ?? name
    }

    private func localName(_ name: Range<Int>) -> String { text(localRange(name)) }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private func value(_ range: Range<Int>) -> String {
        var rest = bytes[range]
        guard rest.contains(UInt8(ascii: "&")) else { return text(range) }
        var result: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "&"), let end = rest.prefix(12).firstIndex(of: UInt8(ascii: ";")),
                let character = Self.entity(String(decoding: rest[..<end], as: UTF8.self))
            else {
                result.append(byte)
                continue
            }
            result += Array(String(Character(character)).utf8)
            rest = rest[(end + 1)...]
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// What an entity stands for; nil for those that a document type would have to declare, which stay as they are.
    private static func entity(_ name: String) -> Unicode.Scalar? {
        switch name {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let isHexadecimal = name.hasPrefix("#x")
            let digits = name.dropFirst(isHexadecimal ? 2 : 1)
            guard digits.first?.isHexDigit == true else { return nil }
            return UInt32(digits, radix: isHexadecimal ? 16 : 10).flatMap { Unicode.Scalar($0) }
        }
    }

    private func error(_ problem: String) -> XMLError {
        XMLError(problem: problem, line: 1 + bytes[..<min(position, bytes.count)].count { $0 == UInt8(ascii: "\n") })
    }
}
