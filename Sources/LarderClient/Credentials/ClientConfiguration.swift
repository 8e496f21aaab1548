import Foundation
import Glibc

/// Where the server of the commands of a job is, and with which token they come.
package struct ClientConfiguration: Sendable {
    /// Where the address is from.
    package enum Source: Sendable, Equatable {
        case flag
        case environment
        case login
        case localServer
        case standard
    }

    /// Where `larder serve` listens unless told otherwise.
    package static let standardURL = "http://127.0.0.1:7878"

    package let address: ServerClient.Address
    package let token: String?
    package let source: Source

    /// Looks where the server is: what is given, `LARDER_URL`, the stored login, the running server of this machine's
    /// data folder, the address where `larder serve` listens; and for the token: `LARDER_TOKEN`, the stored login.
    ///
    /// A stored token goes to the address that it was stored for, and nowhere else.
    ///
    /// `localSocket`: Finds the socket of the data folder; whether a server listens there is seen here.
    ///
    /// - Throws: `ClientError` when an address is none, or the file of the login can't be trusted or understood.
    package static func find(
        url: String?,
        environment: [String: String],
        home: String,
        localSocket: () -> String?
    ) throws(ClientError) -> ClientConfiguration {
        let token = environment["LARDER_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        let file = StoredLogin.file(environment: environment, home: home)
        let named =
            url.map { ($0, Source.flag, "--url") }
            ?? environment["LARDER_URL"].flatMap { $0.isEmpty ? nil : ($0, .environment, "LARDER_URL") }
        if let (text, source, label) = named {
            let url = try checked(text, label: label)
            // The file is not looked at where it is not needed: nothing about it can then be wrong.
            let login = token == nil ? try StoredLogin.read(file) : nil
            let stored = login?.url == url ? login?.token : nil
            return ClientConfiguration(address: .url(url), token: token ?? stored, source: source)
        }
        if let login = try StoredLogin.read(file) {
            let url = try checked(login.url, label: file)
            return ClientConfiguration(address: .url(url), token: token ?? login.token, source: .login)
        }
        if let socket = localSocket(), isListening(socket) {
            return ClientConfiguration(address: .socket(socket), token: token, source: .localServer)
        }
        return ClientConfiguration(address: .url(standardURL), token: token, source: .standard)
    }

    /// An address in the one form in which it is compared and stored.
    ///
    /// - Throws: `ClientError` naming `label` when it is none.
    package static func checked(_ text: String, label: String) throws(ClientError) -> String {
        var url = text.trimmingCharacters(in: .whitespaces)
        while url.hasSuffix("/") { url.removeLast() }
        let parts = URLComponents(string: url)
        guard let parts, ["http", "https"].contains(parts.scheme?.lowercased()), parts.host?.isEmpty == false,
            parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil
        else {
            // What it is may hold a password.
            throw ClientError(
                "\(label) is to be the address of a server, such as \(standardURL), without user, query or fragment"
            )
        }
        return url
    }

    /// Whether a server answers calls at a socket.
    private static func isListening(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }
}
