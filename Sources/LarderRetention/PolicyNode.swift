/// A place in a policy's text.
package struct PolicyPlace: Hashable, Sendable, CustomStringConvertible {
    /// From 1.
    package let line: Int
    /// Characters from 1.
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package var description: String { "line \(line), column \(column)" }
}

/// Why a text is no policy, and where.
package struct PolicyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, in the words of Amazon ECR's validation where those are known.
    package let reason: String
    /// What to do about it; empty where the reason says it.
    package let hint: String
    package let place: PolicyPlace?
    /// Where in the document, such as `rules[0].selection.countNumber`; empty for the document itself.
    package let path: String

    package init(_ reason: String, hint: String = "", place: PolicyPlace?, path: String = "") {
        self.reason = reason
        self.hint = hint
        self.place = place
        self.path = path
    }

    package var description: String {
        let position = [place?.description ?? "", path].filter { !$0.isEmpty }.joined(separator: ", ")
        return (position.isEmpty ? "" : "\(position): ") + reason + (hint.isEmpty ? "" : " (\(hint))")
    }
}

/// A value of a policy's text, with its place.
struct PolicyNode: Sendable {
    struct Member: Sendable {
        let key: String
        let place: PolicyPlace
        let value: PolicyNode
    }

    enum Value: Sendable {
        case object([Member])
        case array([PolicyNode])
        case string(String)
        /// As it stands in the text.
        case number(String)
        case flag(Bool)
        case null
    }

    let value: Value
    let place: PolicyPlace

    /// Values of one text at most: the grammar needs a few for each rule.
    static let countMax = 20_000

    /// As JSON schema names the type.
    var typeName: String {
        switch value {
        case .object: "object"
        case .array: "array"
        case .string: "string"
        case .number(let text): Int64(text) == nil ? "number" : "integer"
        case .flag: "boolean"
        case .null: "null"
        }
    }

    /// Reads JSON when the text begins with a brace or a bracket, YAML otherwise.
    static func read(_ text: String) throws(PolicyError) -> PolicyNode {
        let first = text.utf8.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }
        switch first {
        case UInt8(ascii: "{"), UInt8(ascii: "["): return try readJSON(text)
        default: return try readYAML(text)
        }
    }
}
