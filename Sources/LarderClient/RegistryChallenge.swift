import LarderCore

/// What a registry asks for before it answers (`WWW-Authenticate`, RFC 9110, section 11.6.1).
struct RegistryChallenge: Hashable, Sendable {
    /// In lowercase: `basic`, `bearer`.
    let scheme: String
    /// By their names in lowercase.
    private(set) var parameters: [String: String] = [:]

    init(scheme: String, parameters: [String: String] = [:]) {
        self.scheme = scheme
        self.parameters = parameters
    }

    /// Parses the values of all such headers; one may hold several challenges.
    static func parse(_ headers: [String]) -> [RegistryChallenge] {
        headers.flatMap { parseHeader($0) }
    }

    private static func parseHeader(_ header: String) -> [RegistryChallenge] {
        var result: [RegistryChallenge] = []
        var rest = Substring(header)
        while true {
            skip(" \t,", in: &rest)
            guard !rest.isEmpty else { return result }
            let name = token(in: &rest).lowercased()
            guard !name.isEmpty else {
                // No token begins here; passing it over keeps what follows readable.
                rest.removeFirst()
                continue
            }
            skip(" \t", in: &rest)
            if rest.first == "=", !result.isEmpty {
                rest.removeFirst()
                skip(" \t", in: &rest)
                result[result.count - 1].parameters[name] = value(in: &rest)
            } else {
                result.append(RegistryChallenge(scheme: name))
            }
        }
    }

    private static func skip(_ characters: String, in rest: inout Substring) {
        rest = rest.drop { characters.contains($0) }
    }

    private static func token(in rest: inout Substring) -> Substring {
        let token = rest.prefix { !" \t,=\"".contains($0) }
        rest = rest[token.endIndex...]
        return token
    }

    private static func value(in rest: inout Substring) -> String {
        guard rest.first == "\"" else { return String(token(in: &rest)) }
        rest.removeFirst()
        var text = ""
        while let character = rest.popFirst(), character != "\"" {
            guard character == "\\" else {
                text.append(character)
                continue
            }
            if let escaped = rest.popFirst() { text.append(escaped) }
        }
        return text
    }
}

/// What a request needs to be allowed, in the words of the registries' token protocol.
struct RegistryScope: Hashable, Sendable {
    let texts: [String]

    static let catalog = RegistryScope(texts: ["registry:catalog:*"])

    static func pull(_ repository: RepositoryName) -> RegistryScope {
        RegistryScope(texts: ["repository:\(repository):pull"])
    }

    static func push(_ repository: RepositoryName) -> RegistryScope {
        RegistryScope(texts: ["repository:\(repository):pull,push"])
    }

    static func delete(_ repository: RepositoryName) -> RegistryScope {
        RegistryScope(texts: ["repository:\(repository):pull,delete"])
    }

    /// Both together, as a mount needs it.
    func and(_ other: RegistryScope) -> RegistryScope {
        RegistryScope(texts: texts + other.texts.filter { !texts.contains($0) })
    }
}
