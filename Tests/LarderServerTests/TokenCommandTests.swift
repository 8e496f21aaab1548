import Foundation
import Glibc
import LarderTestSupport
import Testing

/// `larder token`, and where a secret must never be found.
@Suite(.serialized)
struct TokenCommandTests {
    private struct Token: Decodable, Equatable {
        let name: String
        let grants: [String]
        let createdAt: Int
        let expiresAt: Int?
        let lastUsedAt: Int?
    }

    private struct NewToken: Decodable {
        let secret: String
        let token: Token
    }

    /// The exchange of a token at the registry.
    private struct Exchange: Decodable {
        let token: String
        let refreshToken: String?

        enum CodingKeys: String, CodingKey {
            case token
            case refreshToken = "refresh_token"
        }
    }

    private static let path = "/ccache/lib/" + String(repeating: "0", count: 40)

    private static func isSecret(_ text: Substring) -> Bool {
        text.utf8.count == 59 && text.hasPrefix("larder_") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }

    private func tokens(of server: LiveServer) async throws -> [Token] {
        let result = try await server.larder("token", "ls", "--json")
        try #require(result.status == 0, "\(result.errors)")
        return try JSONDecoder().decode([Token].self, from: Data(result.output.utf8))
    }

    /// The status of a read with a secret.
    private func status(_ secret: String, at server: LiveServer) async throws -> Int {
        let headers = ["Authorization": "Bearer \(secret)"]
        return try await server.request("GET", Self.path, headers: headers).status
    }

    // MARK: - While a server runs

    @Test
    func aSecretIsPrintedOnceAndAlone() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let made = try await server.larder(
                "token",
                "create",
                "ci",
                "--grant",
                "team/*:write,read",
                "--grant",
                "*:read",
                "--expires",
                "90d"
            )
            #expect(made.status == 0)
            let lines = made.output.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count == 2 && lines.last == "")
            let secret = try #require(lines.first)
            #expect(Self.isSecret(secret))
            #expect(made.errors.hasPrefix("token ci allows team/*:read,write *:read until "))
            #expect(!made.errors.contains(secret))
            #expect(try await status(String(secret), at: server) == 404)

            let list = try await server.larder("token", "ls")
            #expect(list.status == 0)
            #expect(list.errors == "")
            for text in ["TOKEN", "GRANTS", "EXPIRES", "LAST USED", "ci", "team/*:read,write *:read"] {
                #expect(list.output.contains(text), "\(text)")
            }
            let json = try await server.larder("token", "ls", "--json")
            for output in [list.output, json.output] {
                #expect(!output.contains("larder_"))
                #expect(!output.contains("secret"))
            }
        }
    }

    @Test
    func tokensAreListedByName() async throws {
        try await withLiveServer { server in
            let none = try await server.larder("token", "ls")
            #expect(none.status == 0)
            #expect(none.output == "there are no tokens; make one with: larder token create\n")
            let nothing = try await tokens(of: server)
            #expect(nothing == [])

            let made = try await server.larder("token", "create", "laptop", "--admin", "--json")
            #expect(made.status == 0)
            #expect(made.errors == "")
            let laptop = try JSONDecoder().decode(NewToken.self, from: Data(made.output.utf8))
            #expect(Self.isSecret(laptop.secret[...]))
            #expect(laptop.token.name == "laptop")
            #expect(laptop.token.grants == ["*:admin"])
            #expect(laptop.token.expiresAt == nil)
            #expect(laptop.token.lastUsedAt == nil)
            let arguments = ["--grant", "app:delete", "--expires", "60s", "--json"]
            let other = try await runProgram(
                larderPath,
                ["token", "create", "ci"] + arguments + ["--data-dir", server.dataFolder]
            )
            let ci = try JSONDecoder().decode(NewToken.self, from: Data(other.output.utf8))
            let end = try #require(ci.token.expiresAt)
            #expect(end - ci.token.createdAt == 60)

            #expect(try await status(laptop.secret, at: server) == 404)
            let listed = try await tokens(of: server)
            #expect(listed.map(\.name) == ["ci", "laptop"])
            #expect(listed.first == ci.token)
            let used = try #require(listed.last?.lastUsedAt)
            #expect(abs(Double(used) - Date().timeIntervalSince1970) < 60)
        }
    }

    @Test
    func revokedTokensLetNobodyIn() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            var secrets: [String] = []
            for name in ["one", "two", "three"] { secrets.append(try await server.makeToken(name, ["*:read"])) }
            let gone = try await server.larder("token", "revoke", "one", "two")
            #expect(gone.status == 0)
            #expect(gone.output == "revoked one\nrevoked two\n")
            #expect(gone.errors == "")
            #expect(try await status(secrets[0], at: server) == 401)
            #expect(try await status(secrets[1], at: server) == 401)
            #expect(try await status(secrets[2], at: server) == 404)
            try await server.refuses("token one", "token", "revoke", "one")
            // The name is free.
            let again = try await server.makeToken("one", ["*:read"])
            #expect(again != secrets[0])
            #expect(try await status(again, at: server) == 404)
            #expect(try await status(secrets[0], at: server) == 401)
        }
    }

    @Test
    func whatIsRefusedIsSaidInASentence() async throws {
        try await withLiveServer { server in
            let secret = try await server.makeToken("ci", ["*:read"])
            try await server.refuses("there is a token named ci already", "token", "create", "ci", "--admin")
            #expect(try await status(secret, at: server) == 404)
            try await server.refuses("name: up to 100 letters", "token", "create", ".ci", "--admin")
            try await server.refuses("name: up to 100 letters", "token", "create", "a b", "--admin")
            try await server.refuses("token nobody", "token", "revoke", "nobody")
            try await server.refuses("grants: 1 to 100", arguments: ["token", "create", "many"] + Self.manyGrants)
            let left = try await tokens(of: server)
            #expect(left.map(\.name) == ["ci"])
        }
    }

    private static let manyGrants = (0...100).flatMap { ["--grant", "app\($0):read"] }

    @Test(arguments: [
        (arguments: ["create"], says: "Missing expected argument '<name>'"),
        (arguments: ["create", "ci"], says: "say what the token allows: --grant, or --admin"),
        (arguments: ["create", "ci", "--grant", "app"], says: "--grant app: PATTERN:ACTIONS, such as images/*:read"),
        (arguments: ["create", "ci", "--grant", "App:read"], says: "--grant App:read: PATTERN:ACTIONS"),
        (arguments: ["create", "ci", "--grant", "app:rule"], says: "--grant app:rule: PATTERN:ACTIONS"),
        (arguments: ["create", "ci", "--admin", "--grant", ":read"], says: "--grant :read: PATTERN:ACTIONS"),
        (arguments: ["create", "ci", "--admin", "--expires", "soon"], says: "--expires is a duration such as 90d"),
        (arguments: ["create", "ci", "--admin", "--expires", "0"], says: "--expires is a duration such as 90d"),
        (arguments: ["create", "ci", "--admin", "--expires", "500ms"], says: "--expires is a duration such as 90d"),
        (arguments: ["revoke"], says: "Missing expected argument '<names> ...'"),
        (arguments: ["ls", "more"], says: "Unexpected argument 'more'"),
    ])
    func mistakesOnTheCommandLineEndWith64(arguments: [String], says: String) async throws {
        let result = try await runProgram(larderPath, ["token"] + arguments)
        #expect(result.status == 64)
        #expect(result.output == "")
        #expect(result.errors.contains(says), "\(result.errors)")
    }

    @Test(arguments: [["token"], ["token", "create"], ["token", "ls"], ["token", "revoke"]])
    func everyHelpHasAnExample(command: [String]) async throws {
        let result = try await runProgram(larderPath, command + ["--help"])
        #expect(result.status == 0)
        #expect(result.errors == "")
        #expect(result.output.contains("Example"))
        #expect(result.output.contains("  " + (["larder"] + command).joined(separator: " ")))
    }

    // MARK: - While none runs

    @Test
    func tokensAreMadeAndRevokedWithoutAServer() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let kept = try await server.makeToken("kept", ["*:read"])
            let doomed = try await server.makeToken("doomed", ["*:read"])
            try await server.stop()
            let made = try await server.larder("token", "create", "offline", "--grant", "*:read")
            #expect(made.status == 0)
            let secret = made.output.trimmingCharacters(in: .newlines)
            #expect(Self.isSecret(secret[...]))
            let revoked = try await server.larder("token", "revoke", "doomed")
            #expect(revoked.status == 0)
            try await server.refuses("there is a token named kept already", "token", "create", "kept", "--admin")
            let listed = try await tokens(of: server)
            #expect(listed.map(\.name) == ["kept", "offline"])
            // The folder is free again.
            try await server.startAgain()
            #expect(try await status(kept, at: server) == 404)
            #expect(try await status(secret, at: server) == 404)
            #expect(try await status(doomed, at: server) == 401)
        }
    }

    /// A server that can't be spoken to still has its folder to itself.
    @Test
    func theLockIsKept() async throws {
        try await withLiveServer { server in
            let socket = "\(server.dataFolder)/larder.sock"
            try FileManager.default.moveItem(atPath: socket, toPath: "\(socket).away")
            let words = "is in use by process \(server.processID)"
            try await server.refuses(words, "token", "create", "ci", "--admin")
            try await server.refuses(words, "token", "ls")
            try await server.refuses(words, "token", "revoke", "ci")
            try FileManager.default.moveItem(atPath: "\(socket).away", toPath: socket)
            let listed = try await tokens(of: server)
            #expect(listed == [])
        }
    }

    @Test
    func aFolderOfNobodyGetsNoToken() async throws {
        try await withTemporaryFolder { folder in
            let place = "\(folder)/none"
            let command = ["token", "create", "ci", "--admin", "--data-dir", place]
            let result = try await runProgram(larderPath, command)
            #expect(result.status == 1)
            #expect(result.output == "")
            #expect(result.errors.contains("\(place) is no data folder of larder"))
            #expect(!FileManager.default.fileExists(atPath: place))
        }
    }

    // MARK: - Secrets

    /// No log, no database and no answer but the first has a secret, or what the registry gave for it.
    @Test
    func noSecretIsEverFound() async throws {
        let arguments = ["--allow-anonymous", "none", "--access-log", "--log-level", "trace"]
        try await withLiveServer(arguments: arguments) { server in
            let made = try await server.larder("token", "create", "ci", "--grant", "lib:write", "--grant", "*:read")
            let secret = made.output.trimmingCharacters(in: .newlines)
            try #require(Self.isSecret(secret[...]))
            let stranger = "larder_" + String(repeating: "z", count: 52)
            let basic = Data("ada:\(secret)".utf8).base64EncodedString()
            var secrets = [secret, basic, stranger]
            var replies: [String] = []

            let connection = try WireConnection(port: server.port)
            let requests: [(method: String, path: String, body: [UInt8]?)] = [
                ("PUT", Self.path, [1]), ("GET", Self.path, nil), ("DELETE", Self.path, nil), ("GET", "/metrics", nil),
                ("GET", "/api/v1/status", nil), ("GET", "/api/v1/principal", nil), ("GET", "/api/v1/tokens", nil),
                ("GET", "/nowhere", nil), ("GET", "/%zz", nil), ("LOCK", Self.path, nil),
                ("GET", "/v2/img/app/manifests/1", nil), ("POST", "/v2/img/app/blobs/uploads/", []),
                ("PUT", "/v2/img/app/manifests/1", [1]), ("GET", "/api/v1/artifacts/img/app/zip?ref=1", nil),
                ("PUT", "/gradle/other/abc", [1]),
            ]
            let shown = ["Bearer \(secret)", "Basic \(basic)", "Bearer \(stranger)", "Strange \(secret)"]
            for header in shown {
                for (method, path, body) in requests {
                    let headers = ["Authorization: \(header)"]
                    replies.append(try await connection.exchange(method, path, headers: headers, body: body).text)
                }
            }

            let scope = "scope=repository:img/app:pull,push"
            let get = try await connection.exchange(
                "GET",
                "/v2/token?service=larder&account=ada&offline_token=true&\(scope)",
                headers: ["Authorization: Basic \(basic)"]
            )
            let first = try JSONDecoder().decode(Exchange.self, from: Data(get.body))
            let refreshToken = try #require(first.refreshToken)
            let forms = [
                "grant_type=password&username=ada&password=\(secret)&access_type=offline&\(scope)",
                "grant_type=refresh_token&refresh_token=\(refreshToken)&\(scope)",
            ]
            secrets += [first.token, refreshToken]
            for form in forms {
                let type = ["Content-Type: application/x-www-form-urlencoded"]
                let reply = try await connection.exchange("POST", "/v2/token", headers: type, body: Array(form.utf8))
                let exchange = try JSONDecoder().decode(Exchange.self, from: Data(reply.body))
                secrets += [exchange.token, try #require(exchange.refreshToken)]
            }
            for token in [first.token, refreshToken] {
                for (method, path, body) in requests {
                    let headers = ["Authorization: Bearer \(token)"]
                    replies.append(try await connection.exchange(method, path, headers: headers, body: body).text)
                }
            }
            replies.append(try await server.larder("token", "ls", "--json").output)
            replies.append(try await server.larder("status").output)

            var places: [String: Data] = ["the answers": Data(replies.joined().utf8)]
            func note(_ moment: String) throws {
                for name in try FileManager.default.contentsOfDirectory(atPath: server.dataFolder)
                where name.hasPrefix("larder.sqlite") {
                    let file = URL(fileURLWithPath: "\(server.dataFolder)/\(name)")
                    places["\(name) \(moment)"] = try Data(contentsOf: file)
                }
            }
            try note("of the running server")
            try await server.stop()
            try note("of the stopped server")
            places["the log"] = Data(server.log.utf8)
            places["the output"] = Data(server.output.utf8)
            #expect(server.log.contains("path=/v2/token"))
            for (place, bytes) in places {
                for secret in secrets {
                    // A part of it would be too much.
                    let start = Data(secret.utf8.prefix(40))
                    #expect(bytes.range(of: start) == nil, "\(place) has \(secret)")
                }
            }
        }
    }

    /// What the server and its commands make is for their user alone, whatever the umask.
    @Test
    func theDatabaseIsForItsUserAlone() async throws {
        try await withLiveServer { server in
            func modes() throws -> [String: UInt32] {
                var modes: [String: UInt32] = [:]
                for name in try FileManager.default.contentsOfDirectory(atPath: server.dataFolder) {
                    var status = stat()
                    let code = lstat("\(server.dataFolder)/\(name)", &status)
                    try #require(code == 0, "\(name)")
                    modes[name] = UInt32(status.st_mode & 0o777)
                }
                return modes
            }
            _ = try await server.makeToken("ci", ["*:admin"])
            let running = try modes()
            #expect(running["larder.sqlite"] == 0o600)
            #expect(running["larder.sqlite-wal"] == 0o600)
            #expect(running["larder.sock"] == 0o600)
            try await server.stop()
            let made = try await server.larder("token", "create", "offline", "--admin")
            #expect(made.status == 0)
            let all = try modes().merging(running) { $0 | $1 }
            for (name, mode) in all {
                #expect(mode & 0o077 == 0, "\(name): \(String(mode, radix: 8))")
            }
        }
    }
}
