import Foundation
import Glibc
import LarderTestSupport
import Testing

@testable import LarderClient

/// Where commands find the server and its token.
@Suite struct ClientConfigurationTests {
    private func find(
        _ home: String,
        url: String? = nil,
        environment: [String: String] = [:],
        socket: String? = nil
    ) throws -> ClientConfiguration {
        try ClientConfiguration.find(url: url, environment: environment, home: home) { socket }
    }

    private func text(_ address: ServerClient.Address) -> String {
        switch address {
        case .url(let url): url
        case .socket(let path): path
        }
    }

    private func mode(_ path: String) -> mode_t {
        var facts = stat()
        return stat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
    }

    @Test func whatIsSaidNearerWins() async throws {
        try await withTemporaryFolder { home in
            let standard = try find(home)
            #expect(text(standard.address) == "http://127.0.0.1:7878")
            #expect(standard.source == .standard)
            #expect(standard.token == nil)
            let file = StoredLogin.file(environment: [:], home: home)
            try StoredLogin(url: "http://stored:1", token: "kept").write(to: file)
            let stored = try find(home)
            #expect(text(stored.address) == "http://stored:1")
            #expect(stored.token == "kept")
            let environment = ["LARDER_URL": "http://named:2/", "LARDER_TOKEN": "given"]
            let named = try find(home, environment: environment)
            #expect(text(named.address) == "http://named:2")
            #expect(named.token == "given")
            #expect(text(try find(home, url: "https://flag:3", environment: environment).address) == "https://flag:3")
        }
    }

    @Test func anEmptyVariableCountsAsNotSet() async throws {
        try await withTemporaryFolder { home in
            let empty = ["LARDER_URL": "", "LARDER_TOKEN": "", "XDG_CONFIG_HOME": ""]
            let standard = try find(home, environment: empty)
            #expect(standard.source == .standard)
            #expect(standard.token == nil)
            let file = StoredLogin.file(environment: empty, home: home)
            #expect(file == StoredLogin.file(environment: [:], home: home))
            try StoredLogin(url: "http://stored:1", token: "kept").write(to: file)
            let stored = try find(home, environment: empty)
            #expect(text(stored.address) == "http://stored:1")
            #expect(stored.token == "kept")
        }
    }

    @Test func aStoredTokenGoesOnlyWhereItIsFor() async throws {
        try await withTemporaryFolder { home in
            let file = StoredLogin.file(environment: [:], home: home)
            try StoredLogin(url: "https://stored.example", token: "kept").write(to: file)
            #expect(try find(home, url: "https://stored.example/").token == "kept")
            #expect(try find(home, url: "https://stored.example.org").token == nil)
            #expect(try find(home, url: "http://stored.example").token == nil)
            #expect(try find(home, environment: ["LARDER_URL": "https://other.example"]).token == nil)
            #expect(try find(home, environment: ["LARDER_TOKEN": "t"]).token == "t")
        }
    }

    @Test func theLoginIsTheUsersAlone() async throws {
        try await withTemporaryFolder { home in
            let file = StoredLogin.file(environment: ["XDG_CONFIG_HOME": "\(home)/settings"], home: "/nowhere")
            #expect(file == "\(home)/settings/larder/client.json")
            let login = StoredLogin(url: "http://a:1", token: "t")
            try login.write(to: file)
            #expect(mode(file) == 0o600)
            #expect(mode("\(home)/settings/larder") == 0o700)
            #expect(try StoredLogin.read(file) == login)
            chmod("\(home)/settings/larder", 0o755)
            try StoredLogin(url: "http://b:1", token: nil).write(to: file)
            #expect(mode("\(home)/settings/larder") == 0o700)
            #expect(try StoredLogin.read(file)?.token == nil)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(home)/settings/larder") == ["client.json"])
            #expect(try StoredLogin.remove(file))
            #expect(try !StoredLogin.remove(file))
            #expect(try StoredLogin.read(file) == nil)
        }
    }

    @Test(arguments: [mode_t(0o640), 0o604, 0o666])
    func aFileThatOthersCanReadIsRefused(mode: mode_t) async throws {
        try await withTemporaryFolder { home in
            let file = StoredLogin.file(environment: [:], home: home)
            try StoredLogin(url: "http://a:1", token: "t").write(to: file)
            chmod(file, mode)
            let error = #expect(throws: ClientError.self) { try find(home) }
            #expect(error?.description.contains("chmod 600") == true)
            // It is not needed where the environment says everything.
            #expect(try find(home, environment: ["LARDER_URL": "http://b:1", "LARDER_TOKEN": "u"]).token == "u")
        }
    }

    @Test(arguments: ["", "{", "[]", "{\"token\":\"t\"}"])
    func aFileThatIsNotUnderstoodIsNamed(content: String) async throws {
        try await withTemporaryFolder { home in
            let file = StoredLogin.file(environment: [:], home: home)
            try StoredLogin(url: "http://a:1", token: "t").write(to: file)
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
            chmod(file, 0o600)
            let error = #expect(throws: ClientError.self) { try find(home) }
            #expect(error?.description.contains(file) == true)
        }
    }

    @Test(arguments: ["localhost:7878", "ftp://a", "http://", "http://user:pw@a", "http://a?b", "x"])
    func whatIsNoAddressIsRefused(text: String) async throws {
        let error = #expect(throws: ClientError.self) { try find("/nowhere", environment: ["LARDER_URL": text]) }
        #expect(error?.description.hasPrefix("LARDER_URL") == true)
    }

    @Test func aRunningServerOfTheDataFolderIsFound() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sock"
            #expect(try find(folder, socket: path).source == .standard)
            let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(code == 0)
            // One that a killed server left behind.
            #expect(try find(folder, socket: path).source == .standard)
            listen(socket, 1)
            let found = try find(folder, socket: path)
            #expect(found.source == .localServer)
            #expect(text(found.address) == path)
            #expect(try find(folder, environment: ["LARDER_URL": "http://a:1"], socket: path).source == .environment)
        }
    }
}
