/// The script by which `/bin/sh` evaluates a text as it would within double quotes.
///
/// `$NAME`, `${NAME:-otherwise}`, `$(command)` and `$((1 + 1))` mean what they mean there, and so does `\`. Quotes and
/// backquotes of the text are kept as they are; within `$(…)`, and only there, they are the command's. Each `$(…)` is a
/// statement of its own, so that a command that fails is noticed wherever it stands: of several in one text the shell would
/// only tell how the last one ended.
///
/// To find where `$(…)` ends quotes, comments and parentheses are followed; a `case` in it has to write its patterns as
/// `(x)`. What is misread here is an error of the shell's grammar there, never another text.
struct ShellScript {
    private static let depthMax = 32

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private var statements: [String] = []
    /// What stands between the quotes of the statement under way.
    private var plain: [UInt8] = []

    /// The script for a text; its first argument is the folder to work in.
    ///
    /// - Throws: `ClientError` when something in the text has no end.
    static func make(_ text: String) throws(ClientError) -> String {
        guard !text.utf8.contains(0) else { throw ClientError("\(text.debugDescription) has a NUL in it") }
        var script = ShellScript(bytes: Array(text.utf8))
        try script.read()
        let names = script.statements.indices.map { "$larder_\($0)" }.joined()
        let lines = script.statements.enumerated().map { "larder_\($0.offset)=\($0.element)\n" }.joined()
        return "CDPATH= cd -- \"$1\" || exit 126\nshift\nset -e\n\(lines)printf '%s' \"\(names)\"\n"
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func read() throws(ClientError) {
        while position < bytes.count {
            guard startsCommand() else {
                try takePlain()
                continue
            }
            endStatement()
            let start = position
            try passCommand()
            statements.append(String(decoding: bytes[start..<position], as: UTF8.self))
        }
        endStatement()
    }

    private mutating func endStatement() {
        guard !plain.isEmpty else { return }
        statements.append("\"\(String(decoding: plain, as: UTF8.self))\"")
        plain = []
    }

    // MARK: - Between the quotes

    /// Takes what comes next, at least one byte, in the way that double quotes need.
    private mutating func takePlain() throws(ClientError) {
        switch bytes[position] {
        case UInt8(ascii: "\""), UInt8(ascii: "`"):
            plain += [UInt8(ascii: "\\"), bytes[position]]
            position += 1
        case UInt8(ascii: "\\"):
            takeBackslash()
        case UInt8(ascii: "$") where position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "{"):
            try takeBraces()
        default:
            plain.append(bytes[position])
            position += 1
        }
    }

    private mutating func takeBackslash() {
        position += 1
        guard position < bytes.count else {
            plain += [UInt8(ascii: "\\"), UInt8(ascii: "\\")]
            return
        }
        plain += [UInt8(ascii: "\\"), bytes[position]]
        position += 1
    }

    /// Takes `${…}`; a command in it cannot be a statement of its own.
    private mutating func takeBraces() throws(ClientError) {
        let start = position
        try enter(start)
        plain += [UInt8(ascii: "$"), UInt8(ascii: "{")]
        position += 2
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "}") {
                plain.append(bytes[position])
                position += 1
                depth -= 1
                return
            }
            if startsCommand() {
                let command = position
                try passCommand()
                plain += bytes[command..<position]
            } else {
                try takePlain()
            }
        }
        throw unfinished("${", start)
    }

    // MARK: - Commands

    private func startsCommand() -> Bool {
        bytes[position] == UInt8(ascii: "$") && position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "(")
    }

    /// Goes behind a `$(…)`.
    private mutating func passCommand() throws(ClientError) {
        let start = position
        try enter(start)
        position += 2
        var openCount = 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "("): openCount += 1
            case UInt8(ascii: ")"): openCount -= 1
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "'"): try passTo(UInt8(ascii: "'"), hasEscapes: false)
            case UInt8(ascii: "`"): try passTo(UInt8(ascii: "`"), hasEscapes: true)
            case UInt8(ascii: "\""): try passQuotes()
            case UInt8(ascii: "#") where " \t\n;&|(".utf8.contains(bytes[position - 1]):
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            default: break
            }
            position += 1
            if openCount == 0 {
                depth -= 1
                return
            }
        }
        throw unfinished("$(", start)
    }

    /// Goes from an opening quote to the closing one.
    private mutating func passTo(_ quote: UInt8, hasEscapes: Bool) throws(ClientError) {
        let start = position
        position += 1
        while position < bytes.count, bytes[position] != quote {
            position += hasEscapes && bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard position < bytes.count else { throw unfinished("a quote", start) }
    }

    private mutating func passQuotes() throws(ClientError) {
        let start = position
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            if startsCommand() {
                try passCommand()
            } else if bytes[position] == UInt8(ascii: "`") {
                try passTo(UInt8(ascii: "`"), hasEscapes: true)
                position += 1
            } else {
                position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
            }
        }
        guard position < bytes.count else { throw unfinished("a quote", start) }
    }

    private mutating func enter(_ start: Int) throws(ClientError) {
        depth += 1
        guard depth <= Self.depthMax else { throw unfinished("what is nested too deep", start) }
    }

    private func unfinished(_ what: String, _ start: Int) -> ClientError {
        ClientError("'\(String(decoding: bytes, as: UTF8.self))': \(what) has no end (at byte \(start + 1))")
    }
}
