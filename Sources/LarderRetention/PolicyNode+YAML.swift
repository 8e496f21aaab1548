import Yams

extension PolicyNode {
    private static let nestingMax = 16

    static func readYAML(_ text: String) throws(PolicyError) -> PolicyNode {
        try checkStructure(text)
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw unreadable(error)
        } catch {
            throw PolicyError("Could not map policyString into LifecyclePolicy.", hint: "\(error)", place: nil)
        }
        guard let root else {
            throw PolicyError("Could not map policyString into LifecyclePolicy.", hint: "the text is empty", place: nil)
        }
        var count = 0
        return try convert(root, depth: 0, count: &count)
    }

    private static func unreadable(_ error: YamlError) -> PolicyError {
        let reason = "Could not map policyString into LifecyclePolicy."
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let place = PolicyPlace(line: mark.line, column: mark.column)
            return PolicyError(reason, hint: "neither JSON nor YAML: \(problem)", place: place)
        case .duplicatedKeysInMapping(let duplicates, _):
            let keys = duplicates.map { "\($0)" }.sorted().joined(separator: ", ")
            return PolicyError(reason, hint: "the key \(keys.prefix(64)) comes twice", place: nil)
        default:
            return PolicyError(reason, hint: "neither JSON nor YAML", place: nil)
        }
    }

    /// The parser goes down with the text's nesting, and builds what aliases stand for, so both are bounded before: a
    /// policy needs seven levels and no alias.
    private static func checkStructure(_ text: String) throws(PolicyError) {
        var scan = YAMLScan()
        for byte in text.utf8 {
            scan.take(byte)
            if let problem = scan.problem {
                throw PolicyError(
                    "Could not map policyString into LifecyclePolicy.",
                    hint: problem,
                    place: PolicyPlace(line: scan.line, column: 1)
                )
            }
        }
    }

    private static func convert(_ node: Node, depth: Int, count: inout Int) throws(PolicyError) -> PolicyNode {
        let place = PolicyPlace(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        count += 1
        // Aliases may stand for a value many times over.
        guard count <= countMax, depth <= nestingMax else {
            throw PolicyError("Could not map policyString into LifecyclePolicy.", hint: "too large", place: place)
        }
        switch node {
        case .scalar(let scalar):
            return PolicyNode(value: resolve(scalar), place: place)
        case .sequence(let sequence):
            var elements: [PolicyNode] = []
            for element in sequence { elements.append(try convert(element, depth: depth + 1, count: &count)) }
            return PolicyNode(value: .array(elements), place: place)
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, value) in mapping {
                let keyPlace = PolicyPlace(line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
                guard case .scalar(let name) = key else {
                    throw PolicyError(
                        "Could not map policyString into LifecyclePolicy.",
                        hint: "a key is a plain word",
                        place: keyPlace
                    )
                }
                members.append(
                    Member(
                        key: name.string,
                        place: keyPlace,
                        value: try convert(value, depth: depth + 1, count: &count)
                    )
                )
            }
            return PolicyNode(value: .object(members), place: place)
        default:
            throw PolicyError(
                "Could not map policyString into LifecyclePolicy.",
                hint: "an alias without its anchor",
                place: place
            )
        }
    }

    /// What a plain scalar is by the core schema of YAML 1.2; a quoted one is a text.
    private static func resolve(_ scalar: Node.Scalar) -> Value {
        guard scalar.style == .plain || scalar.style == .any else { return .string(scalar.string) }
        switch scalar.string {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .flag(true)
        case "false", "False", "FALSE": return .flag(false)
        default:
            let isNumber =
                scalar.string.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }
                && Double(scalar.string) != nil
            return isNumber ? .number(scalar.string) : .string(scalar.string)
        }
    }
}

/// What can be told of a YAML text byte by byte: how deep it goes, and whether it has anchors.
///
/// It takes no notice of texts that go over several lines; what it misses of the nesting then, the parser's own limit stops.
private struct YAMLScan {
    private enum Quote {
        case none, single, double, comment
    }

    private static let nestingMax = 16
    private static let indentationMax = 160

    private(set) var line = 1
    private(set) var problem: String?
    private var quote = Quote.none
    private var isEscaped = false
    private var isAtLineStart = true
    private var indentation = 0
    private var markerCount = 0
    private var flowDepth = 0
    private var last = UInt8(ascii: "\n")
    /// The last one that is no space.
    private var lastMark = UInt8(ascii: "\n")
    /// Whether the last one may have begun an anchor.
    private var isAnchor = false

    mutating func take(_ byte: UInt8) {
        let isSpace = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
        let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        // Wherever it stands: what a text in quotes is, is not sure here.
        if isAnchor && !isSpace && !isLineEnd {
            problem = "anchors and aliases are not used in policies; behind `&` put a space"
        }
        isAnchor = byte == UInt8(ascii: "&") && " \t\n\r[{,:".utf8.contains(last)
        if isLineEnd { beginLine(byte) }
        switch quote {
        case .single: if byte == UInt8(ascii: "'") { quote = .none }
        case .double:
            if byte == UInt8(ascii: "\""), !isEscaped { quote = .none }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        case .comment: break
        case .none: takeUnquoted(byte)
        }
        last = byte
        if !isSpace { lastMark = byte }
        if indentation > Self.indentationMax || markerCount > Self.nestingMax || flowDepth > Self.nestingMax {
            problem = "nested too deep"
        }
    }

    private mutating func beginLine(_ byte: UInt8) {
        if byte == UInt8(ascii: "\n") { line += 1 }
        isAtLineStart = true
        (indentation, markerCount) = (0, 0)
        if quote == .comment { quote = .none }
    }

    private mutating func takeUnquoted(_ byte: UInt8) {
        noteIndentation(byte)
        // Within a plain text these characters mean nothing.
        let isTokenStart = " \t\n\r[{,:".utf8.contains(last) && "\n\r[{,:-?".utf8.contains(lastMark)
        switch byte {
        case UInt8(ascii: "'") where isTokenStart: quote = .single
        case UInt8(ascii: "\"") where isTokenStart: (quote, isEscaped) = (.double, false)
        case UInt8(ascii: "#") where " \t\n\r".utf8.contains(last): quote = .comment
        case UInt8(ascii: "[") where isTokenStart, UInt8(ascii: "{") where isTokenStart: flowDepth += 1
        case UInt8(ascii: "]"), UInt8(ascii: "}"): flowDepth = max(0, flowDepth - 1)
        default: break
        }
    }

    private mutating func noteIndentation(_ byte: UInt8) {
        guard isAtLineStart else { return }
        switch byte {
        case UInt8(ascii: " "): if markerCount == 0 { indentation += 1 }
        case UInt8(ascii: "-"), UInt8(ascii: "?"): markerCount += 1
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
        default: isAtLineStart = false
        }
    }
}
