/// Where a registry is, and what the places mean that its answers name.
struct RegistryOrigin: Hashable, Sendable {
    /// Scheme and host without a slash at the end: `https://host:5000`, or `http+unix://` and the path of a socket.
    let base: String
    /// What messages call it.
    let label: String

    var isEncrypted: Bool { base.hasPrefix("https://") }
    private var isSocket: Bool { base.hasPrefix("http+unix://") }

    /// Whether credentials for the registry may be sent there.
    func owns(_ url: String) -> Bool { url.hasPrefix("\(base)/") }

    /// Makes a `Location` or `Link` absolute.
    ///
    /// Behind a proxy that ends TLS, registries name themselves by `http:`; that is taken for the address they were
    /// found under, so that neither credentials nor content go unencrypted.
    func url(of location: String, from current: String) -> String {
        let (authority, path) = Self.split(current)
        if location.hasPrefix("//") {
            let scheme = authority.prefix { $0 != ":" }
            return adopt("\(scheme):\(location)")
        }
        if location.hasPrefix("/") { return "\(authority)\(location)" }
        let file = path.prefix { $0 != "?" }
        if location.hasPrefix("?") { return "\(authority)\(file)\(location)" }
        let scheme = location.prefix { $0 != ":" }.lowercased()
        if scheme == "http" || scheme == "https" { return adopt(location) }
        let folder = file.lastIndex(of: "/").map { file[...$0] } ?? "/"
        return "\(authority)\(folder)\(location)"
    }

    /// Splits an address into what comes before the path and the path with all that follows.
    static func split(_ url: String) -> (authority: Substring, path: Substring) {
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        let end = url[start...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        return (url[..<end], url[end...])
    }

    private func adopt(_ url: String) -> String {
        let (authority, path) = Self.split(url)
        let isOwn = isSocket || (isEncrypted && Self.host(authority) == Self.host(Substring(base)))
        return isOwn ? "\(base)\(path.isEmpty ? "/" : path)" : url
    }

    private static func host(_ authority: Substring) -> String {
        let host = authority.firstRange(of: "://").map { authority[$0.upperBound...] } ?? authority
        let lower = host.lowercased()
        for port in [":443", ":80"] where lower.hasSuffix(port) {
            return String(lower.dropLast(port.count))
        }
        return lower
    }
}
