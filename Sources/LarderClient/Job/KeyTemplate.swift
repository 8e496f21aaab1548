import Glibc
package import LarderCore

/// What the templates of keys are evaluated with.
package struct KeyContext: Sendable {
    package var system: String
    package var machine: String
    package var environment: [String: String]
    /// The branch, or the tag of a build that has none; nil when neither is known.
    package var branch: String?
    package var now: Timestamp
    /// The hash of the files that some patterns match, empty when they match none; see `FileHash`.
    package var hash: @Sendable ([String]) throws(ClientError) -> String

    package init(
        system: String = KeyContext.ownSystem,
        machine: String = KeyContext.ownMachine,
        environment: [String: String],
        branch: String?,
        now: Timestamp,
        hash: @escaping @Sendable ([String]) throws(ClientError) -> String
    ) {
        self.system = system
        self.machine = machine
        self.environment = environment
        self.branch = branch
        self.now = now
        self.hash = hash
    }

    /// What `{{ os }}` is here.
    package static let ownSystem = "linux"

    /// What `{{ arch }}` is here: the name that `uname -m` gives.
    package static let ownMachine = {
        var names = utsname()
        guard uname(&names) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }()
}

/// The template of a cache's key: text with `{{ … }}` in it.
///
/// | Written | Stands for |
/// |---|---|
/// | `{{ hash "package-lock.json" "**/yarn.lock" }}` | the hash of the files that match |
/// | `{{ os }}`, `{{ arch }}` | `linux`; `x86_64` or `aarch64` |
/// | `{{ env "NAME" }}`, `{{ env "NAME" "otherwise" }}` | a variable; the second form when it may be missing or empty |
/// | `{{ branch }}` | the branch (or tag) that is built, with its slashes |
/// | `{{ date "%Y-%m" }}` | the date or time in UTC, for keys that change by the week (`%G-%V`) or month |
/// | `{{ "{{" }}` | that text itself |
///
/// Texts stand in double or single quotes; in double ones `\"` and `\\` are a quote and a backslash.
package struct KeyTemplate: Hashable, Sendable, CustomStringConvertible {
    enum Piece: Hashable, Sendable {
        case text(String)
        case hash(patterns: [String])
        case system
        case machine
        case variable(name: String, fallback: String?)
        case branch
        case date(format: String)
    }

    /// Longer keys are refused; in bytes.
    package static let keyLengthMax = 512

    /// The template as it was written.
    package let text: String
    let pieces: [Piece]

    /// Reads a template.
    ///
    /// - Throws: `ClientError` that says what is wrong and at which character.
    package init(_ text: String) throws(ClientError) {
        var parser = KeyTemplateParser(text)
        pieces = try parser.parse()
        self.text = text
    }

    package var description: String { text }

    /// Makes the key.
    ///
    /// - Throws: `ClientError` for a variable or branch that is missing, for files that can't be hashed, and for a result
    ///   that is no key.
    package func key(_ context: KeyContext) throws(ClientError) -> String {
        var key = ""
        for piece in pieces {
            switch piece {
            case .text(let text): key += text
            case .hash(let patterns): key += try context.hash(patterns)
            case .system: key += context.system
            case .machine: key += context.machine
            case .variable(let name, let fallback):
                let value = context.environment[name] ?? ""
                guard !value.isEmpty || fallback != nil else {
                    throw ClientError(
                        "the key '\(text)' needs the variable \(name), which is not set; set it, or write "
                            + "{{ env \"\(name)\" \"otherwise\" }}"
                    )
                }
                key += value.isEmpty ? fallback ?? "" : value
            case .branch:
                guard let branch = context.branch else {
                    throw ClientError(
                        "the key '\(text)' needs the branch, which is not known here; name it by --branch"
                    )
                }
                key += branch
            case .date(let format): key += Self.date(context.now, format)
            }
        }
        return try Self.checked(key)
    }

    /// Makes sure that a text can be a key: 1 to 512 bytes without control characters.
    package static func checked(_ key: String) throws(ClientError) -> String {
        guard !key.isEmpty else { throw ClientError("the key is empty; a key has at least one character") }
        guard key.utf8.count <= keyLengthMax else {
            throw ClientError("the key \(key.prefix(40))… has \(key.utf8.count) bytes; \(keyLengthMax) are allowed")
        }
        guard key.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }) else {
            throw ClientError(
                "the key \(key.debugDescription) has a control character in it, such as the end of a line"
            )
        }
        return key
    }

    /// The letters of formats that mean the same in every place of the world.
    static let dateLetters: Set<Character> = [
        "Y", "y", "m", "d", "e", "j", "H", "M", "S", "F", "G", "g", "V", "u", "w", "%",
    ]

    private static func date(_ moment: Timestamp, _ format: String) -> String {
        var seconds = time_t(moment.milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 1024)
        let length = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
