/// Which hosts a server answers to (design, section 8).
///
/// A server that is open on loopback must not be reachable by a web page: neither under a name that an attacker's DNS
/// points at 127.0.0.1 (a foreign `Host`), nor by scripts of any origin (an `Origin` header, which no build tool sends).
package struct RequestGuard: Sendable {
    private let isEnforced: Bool
    private let hosts: Set<String>

    /// - Parameters:
    ///   - isEnforced: Whether the server is open on loopback.
    ///   - hosts: Further names that are accepted, lowercase, without a port.
    package init(isEnforced: Bool, hosts: [String] = []) {
        self.isEnforced = isEnforced
        self.hosts = Set(["localhost", "127.0.0.1", "[::1]", "::1"] + hosts.map { $0.lowercased() })
    }

    /// Why a request is refused; nil when it is not.
    package func refusal(host: Substring?, hasOrigin: Bool) -> HTTPAnswer? {
        guard isEnforced else { return nil }
        if hasOrigin { return HTTPAnswer(403, "requests of web pages are refused (Origin header)\n") }
        guard let host else { return HTTPAnswer(400, "a Host header is required\n") }
        if isAccepted(host) { return nil }
        return HTTPAnswer(421, "this server does not answer to the host name of this request\n")
    }

    private func isAccepted(_ host: Substring) -> Bool {
        var name = host
        if let colon = host.utf8.lastIndex(of: UInt8(ascii: ":")) {
            let port = host.utf8[host.utf8.index(after: colon)...]
            let isPort = !port.isEmpty && port.count <= 5 && port.allSatisfy { (0x30...0x39).contains($0) }
            // The last colon of a bare IPv6 address begins no port.
            if isPort && (host.utf8.first == UInt8(ascii: "[") || host.utf8.firstIndex(of: UInt8(ascii: ":")) == colon)
            {
                name = host[..<colon]
            }
        }
        // The common spellings, without building a string.
        if name == "127.0.0.1" || name == "localhost" { return true }
        let lowered = name.lowercased()
        return hosts.contains(lowered) || isLoopbackAddress(lowered)
    }

    private func isLoopbackAddress(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
