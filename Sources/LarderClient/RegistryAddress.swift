/// The address of another registry: a name or an IP address, and a port where one is written.
package struct RegistryAddress: Hashable, Sendable, CustomStringConvertible {
    /// As it was written, in lowercase: `registry.example:5000`, `[::1]:5000`.
    package let host: String
    /// Whether it is spoken to without TLS.
    package var isPlain: Bool
    private let name: String

    /// Validates an address; nil when it is none.
    package init?(_ text: some StringProtocol, isPlain: Bool) {
        let host = text.lowercased()
        var name = Substring(host)
        var port: Substring?
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return nil }
            name = host[...end]
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            port = rest.isEmpty ? nil : rest.dropFirst()
            guard name.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                return nil
            }
        } else {
            if let colon = host.firstIndex(of: ":") {
                name = host[..<colon]
                port = host[host.index(after: colon)...]
            }
            guard name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }) else {
                return nil
            }
        }
        guard !name.isEmpty else { return nil }
        if let port {
            guard port.allSatisfy(\.isWholeNumber), let number = Int(port), (1...65535).contains(number) else {
                return nil
            }
        }
        self.host = host
        self.name = String(name)
        self.isPlain = isPlain
    }

    package var description: String { host }

    /// Whether it is this machine, where plain HTTP is tried too.
    package var isLoopback: Bool {
        if name == "localhost" || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    var isDockerHub: Bool { ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) }

    /// Under which name logins are kept.
    var loginHost: String { isDockerHub ? "docker.io" : host }

    /// Where the registry really answers.
    var apiHost: String { isDockerHub ? "registry-1.docker.io" : host }
}
