import Foundation

/// A JSON document that can be written as YAML.
enum JSONTree: Decodable {
    case object([String: JSONTree])
    case array([JSONTree])
    case string(String)
    case integer(Int)
    case flag(Bool)

    init(_ text: String) throws {
        self = try JSONDecoder().decode(JSONTree.self, from: Data(text.utf8))
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            self = .integer(number)
        } else if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let elements = try? container.decode([JSONTree].self) {
            self = .array(elements)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    var yaml: String { lines.map { $0 + "\n" }.joined() }

    /// In block style, with quotes only where a plain word would be read as something else.
    private var lines: [String] {
        switch self {
        case .integer(let number): ["\(number)"]
        case .flag(let flag): ["\(flag)"]
        case .string(let text): [Self.isPlain(text) ? text : "'\(text.replacing("'", with: "''"))'"]
        case .array(let elements):
            elements.flatMap { element in
                element.lines.enumerated().map { ($0.offset == 0 ? "- " : "  ") + $0.element }
            }
        case .object(let members):
            members.sorted { $0.key < $1.key }.flatMap { key, value -> [String] in
                switch value {
                case .integer, .flag, .string: ["\(key): \(value.lines.joined())"]
                case .array, .object: ["\(key):"] + value.lines.map { "  " + $0 }
                }
            }
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7a).contains(first) else { return false }
        return text.utf8.allSatisfy { (0x61...0x7a).contains($0 | 0x20) || $0 == UInt8(ascii: "-") }
    }
}
