/// Reads the templates of keys, character by character.
struct KeyTemplateParser {
    private static let lengthMax = 4096
    private static let dateFormatLengthMax = 64

    private let text: String
    private let characters: [Character]
    private var position = 0

    init(_ text: String) {
        self.text = text
        characters = Array(text)
    }

    mutating func parse() throws(ClientError) -> [KeyTemplate.Piece] {
        guard text.utf8.count <= Self.lengthMax else {
            throw ClientError("the key \(text.prefix(40))… is longer than \(Self.lengthMax) bytes")
        }
        var pieces: [KeyTemplate.Piece] = []
        var plain = ""
        while position < characters.count {
            guard startsWith("{{") else {
                plain.append(characters[position])
                position += 1
                continue
            }
            if !plain.isEmpty { pieces.append(.text(plain)) }
            plain = ""
            pieces.append(try expression())
        }
        if !plain.isEmpty { pieces.append(.text(plain)) }
        return pieces
    }

    /// Reads from `{{` to behind `}}`.
    private mutating func expression() throws(ClientError) -> KeyTemplate.Piece {
        let start = position
        position += 2
        skipSpace()
        if position < characters.count, characters[position] == "\"" || characters[position] == "'" {
            let text = try quoted()
            try close(start)
            return .text(text)
        }
        let nameStart = position
        while position < characters.count, characters[position].isLetter || characters[position].isNumber {
            position += 1
        }
        let name = String(characters[nameStart..<position])
        guard !name.isEmpty else {
            guard position < characters.count else { throw error("{{ has no }}", at: start) }
            throw error("a function is wanted", at: position)
        }
        let arguments = try arguments(start)
        return try piece(name, arguments, at: nameStart)
    }

    private mutating func arguments(_ start: Int) throws(ClientError) -> [String] {
        var arguments: [String] = []
        skipSpace()
        while position < characters.count, characters[position] == "\"" || characters[position] == "'" {
            arguments.append(try quoted())
            skipSpace()
        }
        try close(start)
        return arguments
    }

    private mutating func close(_ start: Int) throws(ClientError) {
        skipSpace()
        guard position < characters.count else { throw error("{{ has no }}", at: start) }
        guard startsWith("}}") else {
            throw error("a text in quotes or }} is wanted, not '\(characters[position])'", at: position)
        }
        position += 2
    }

    private mutating func quoted() throws(ClientError) -> String {
        let start = position
        let quote = characters[position]
        var text = ""
        position += 1
        while position < characters.count {
            let character = characters[position]
            position += 1
            if character == quote { return text }
            // Other backslashes are left for patterns, where they have a meaning.
            if character == "\\", quote == "\"", position < characters.count, "\"\\".contains(characters[position]) {
                text.append(characters[position])
                position += 1
            } else {
                text.append(character)
            }
        }
        throw error("the quote has no end", at: start)
    }

    private func piece(_ name: String, _ arguments: [String], at place: Int) throws(ClientError) -> KeyTemplate.Piece {
        func want(_ counts: ClosedRange<Int>, _ usage: String) throws(ClientError) {
            guard counts.contains(arguments.count) else { throw error("it is written {{ \(usage) }}", at: place) }
        }
        switch name {
        case "hash":
            try want(1...Int.max, "hash \"FILE OR PATTERN\"…")
            return .hash(patterns: arguments)
        case "os":
            try want(0...0, "os")
            return .system
        case "arch":
            try want(0...0, "arch")
            return .machine
        case "branch":
            try want(0...0, "branch")
            return .branch
        case "env":
            try want(1...2, "env \"NAME\" \"OTHERWISE\"")
            return .variable(name: arguments[0], fallback: arguments.count > 1 ? arguments[1] : nil)
        case "date":
            try want(1...1, "date \"%Y-%m\"")
            try checkDate(arguments[0], at: place)
            return .date(format: arguments[0])
        default:
            throw error("'\(name)' is no function; there are hash, os, arch, env, branch and date", at: place)
        }
    }

    private func checkDate(_ format: String, at place: Int) throws(ClientError) {
        guard (1...Self.dateFormatLengthMax).contains(format.utf8.count), !format.utf8.contains(0) else {
            throw error("a date's format has 1 to \(Self.dateFormatLengthMax) bytes", at: place)
        }
        var rest = Substring(format)
        while let character = rest.popFirst() {
            guard character == "%" else { continue }
            let letter = rest.popFirst()
            guard let letter, KeyTemplate.dateLetters.contains(letter) else {
                let known = KeyTemplate.dateLetters.map { "%\($0)" }.sorted().joined(separator: " ")
                throw error("%\(letter.map { String($0) } ?? "") is no part of a date; there are \(known)", at: place)
            }
        }
    }

    private mutating func skipSpace() {
        while position < characters.count, characters[position].isWhitespace { position += 1 }
    }

    private func startsWith(_ mark: String) -> Bool { characters[position...].starts(with: mark) }

    private func error(_ problem: String, at place: Int) -> ClientError {
        ClientError("the key '\(text)': \(problem) (at character \(place + 1))")
    }
}
