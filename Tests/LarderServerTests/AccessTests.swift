import Foundation
import LarderTestSupport
import Testing

/// Who is let in as time goes on: tokens that come, go and end while a connection is kept.
@Suite(.serialized)
struct AccessTests {
    private static let path = "/ccache/lib/" + String(repeating: "0", count: 40)
    private static let value = Array("the value".utf8)

    private static func bearer(_ secret: String) -> [String] { ["Authorization: Bearer \(secret)"] }

    private static func basic(_ pair: String) -> String {
        "Authorization: Basic " + Data(pair.utf8).base64EncodedString()
    }

    /// How a request reaches those who decide.
    private enum Road: CaseIterable {
        /// Past the codec.
        case express
        case codec
        /// Through the codec and Hummingbird.
        case slow

        func send(_ secret: String, over connection: WireConnection) async throws -> WireReply {
            let headers = AccessTests.bearer(secret)
            switch self {
            case .express: return try await connection.exchange("GET", AccessTests.path, headers: headers)
            case .codec:
                // No plain request has a condition.
                let condition = ["If-None-Match: \"0\""]
                return try await connection.exchange("GET", AccessTests.path, headers: headers + condition)
            case .slow: return try await connection.exchange("PROPFIND", "/sccache/lib/", headers: headers)
            }
        }
    }

    /// A server without anonymous access that holds the value.
    private func withValue(_ body: (LiveServer) async throws -> Void) async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let root = try await server.makeToken("root", ["*:admin"])
            let connection = try WireConnection(port: server.port)
            let headers = Self.bearer(root)
            let stored = try await connection.exchange("PUT", Self.path, headers: headers, body: Self.value)
            try #require(stored.status == 200)
            try await body(server)
        }
    }

    private static func isLetIn(_ reply: WireReply) -> Bool { reply.status == 200 || reply.status == 207 }

    // MARK: - While a connection is kept

    @Test
    func aRevokedTokenIsRefusedAtOnce() async throws {
        try await withValue { server in
            let other = try await server.makeToken("other", ["lib:read"])
            for (number, road) in Road.allCases.enumerated() {
                let name = "ci-\(number)"
                let secret = try await server.makeToken(name, ["lib:read"])
                let connection = try WireConnection(port: server.port)
                for _ in 0..<3 {
                    let reply = try await road.send(secret, over: connection)
                    #expect(Self.isLetIn(reply), "\(road)")
                }
                try await server.revokeToken(name)
                for next in Road.allCases {
                    let reply = try await next.send(secret, over: connection)
                    #expect(reply.status == 401, "\(road), then \(next)")
                    #expect(reply.text == "the token is unknown, or was revoked\n", "\(road), then \(next)")
                }
                let reply = try await road.send(other, over: connection)
                #expect(Self.isLetIn(reply), "\(road)")
            }
        }
    }

    @Test
    func aTokenEndsInTheMiddleOfAConnection() async throws {
        try await withValue { server in
            let secret = try await server.makeToken("short", ["*:admin"], seconds: 2)
            let start = ContinuousClock.now
            let connections = try Road.allCases.map { road in (road, try WireConnection(port: server.port)) }
            for (road, connection) in connections {
                let reply = try await road.send(secret, over: connection)
                #expect(Self.isLetIn(reply), "\(road)")
            }
            for (road, connection) in connections {
                try await waitUntil("the token ends on the road \(road)", timeoutSeconds: 10) {
                    try await road.send(secret, over: connection).status == 401
                }
                #expect(ContinuousClock.now - start > .milliseconds(1900), "\(road)")
                let reply = try await road.send(secret, over: connection)
                #expect(reply.text == "the token's time is over\n", "\(road)")
            }
        }
    }

    @Test
    func aNewTokenOfTheNameHasItsOwnGrants() async throws {
        try await withValue { server in
            let old = try await server.makeToken("ci", ["lib:read"])
            let connection = try WireConnection(port: server.port)
            let first = try await connection.exchange("GET", Self.path, headers: Self.bearer(old))
            #expect(first.body == Self.value)
            try await server.revokeToken("ci")
            let new = try await server.makeToken("ci", ["lib:delete"])
            let steps: [(method: String, secret: String, status: Int)] = [
                ("GET", old, 401), ("GET", new, 403), ("DELETE", old, 401), ("DELETE", new, 204),
            ]
            for (method, secret, status) in steps {
                let reply = try await connection.exchange(method, Self.path, headers: Self.bearer(secret))
                #expect(reply.status == status, "\(method), \(secret == old ? "old" : "new")")
            }
        }
    }

    // MARK: - One request after the other

    /// What one sender may do does not rub off on the next request of the connection.
    @Test
    func everyRequestIsLookedAtOnItsOwn() async throws {
        try await withValue { server in
            let reader = Self.bearer(try await server.makeToken("reader", ["lib:read"]))
            let writer = Self.bearer(try await server.makeToken("writer", ["lib:write"]))
            let new = Array("another".utf8)
            let steps: [(method: String, headers: [String], body: [UInt8]?, status: Int, received: [UInt8]?)] = [
                ("GET", reader, nil, 200, Self.value), ("GET", [], nil, 401, nil), ("GET", writer, nil, 403, nil),
                ("PUT", reader, [1], 403, nil), ("PUT", [], [1], 401, nil), ("GET", reader, nil, 200, Self.value),
                ("PUT", writer, new, 200, nil), ("GET", reader, nil, 200, new), ("HEAD", [], nil, 401, nil),
                ("HEAD", reader, nil, 200, nil), ("DELETE", reader, nil, 403, nil), ("GET", reader, nil, 200, new),
            ]
            let oneByOne = try WireConnection(port: server.port)
            for (index, step) in steps.enumerated() {
                let reply = try await oneByOne.exchange(
                    step.method,
                    Self.path,
                    headers: step.headers,
                    body: step.body
                )
                #expect(reply.status == step.status, "step \(index)")
                if let received = step.received { #expect(reply.body == received, "step \(index)") }
            }
            let restored = try await oneByOne.exchange("PUT", Self.path, headers: writer, body: Self.value)
            #expect(restored.status == 200)

            let allAtOnce = try WireConnection(port: server.port)
            await allAtOnce.send(
                steps.flatMap { WireConnection.request($0.method, Self.path, headers: $0.headers, body: $0.body) }
            )
            for (index, step) in steps.enumerated() {
                let reply = try await allAtOnce.readReply(to: step.method)
                #expect(reply.status == step.status, "step \(index) of many at once")
                if let received = step.received { #expect(reply.body == received, "step \(index) of many at once") }
            }
        }
    }

    /// No two parties need read them alike.
    @Test
    func twoAuthorizationsAreOneTooMany() async throws {
        try await withValue { server in
            let secret = try await server.makeToken("ci", ["lib:read"])
            let right = Self.bearer(secret)
            let connection = try WireConnection(port: server.port)
            for headers in [right + right, right + Self.bearer("x"), Self.bearer("x") + right] {
                for more in [[], ["If-None-Match: \"0\""]] as [[String]] {
                    let reply = try await connection.exchange("GET", Self.path, headers: headers + more)
                    #expect(reply.status == 400)
                    #expect(reply.body != Self.value)
                }
            }
            let reply = try await connection.exchange("GET", Self.path, headers: right)
            #expect(reply.body == Self.value)
        }
    }

    /// A name and a password in an address, a token alone, or a header of its own.
    @Test
    func aSecretIsTakenInEveryForm() async throws {
        try await withValue { server in
            let secret = try await server.makeToken("ci", ["lib:read"])
            let connection = try WireConnection(port: server.port)
            let headers = [
                "Authorization: Bearer \(secret)", "authorization: bearer \(secret)", "AUTHORIZATION:BEARER \(secret) ",
                Self.basic("ada:\(secret)"), Self.basic(":\(secret)"), Self.basic("\(secret):"), Self.basic(secret),
                // What Bazel 4 makes of a user with such characters: the alphabet that is safe in URLs.
                Self.basic("?>?>?>:\(secret)").replacing("+", with: "-").replacing("/", with: "_"),
                Self.basic("ada:\(secret)").replacing("=", with: ""),
            ]
            for header in headers {
                for more in [[], ["If-None-Match: \"0\""]] as [[String]] {
                    let reply = try await connection.exchange("GET", Self.path, headers: [header] + more)
                    #expect(reply.body == Self.value, "\(header)")
                }
            }
        }
    }

    // MARK: - Uploads

    @Test
    func aRefusedUploadIsAnsweredBeforeItsBody() async throws {
        try await withValue { server in
            let reader = Self.bearer(try await server.makeToken("reader", ["lib:read"]))
            let cases: [(headers: [String], status: Int)] = [([], 401), (reader, 403), (Self.bearer("larder_x"), 401)]
            for (headers, status) in cases {
                let connection = try WireConnection(port: server.port)
                let lengths = ["Expect: 100-continue", "Content-Length: 5"]
                await connection.send("PUT", Self.path, headers: headers + lengths)
                // Not 100.
                let reply = try await connection.readReply(to: "PUT")
                #expect(reply.status == status)
                #expect(reply.headers["connection"] == "close")
            }
        }
    }

    /// Small ones are collected, larger ones streamed, those without a length come in chunks.
    @Test(arguments: [10, 100_000, 1_000_000])
    func aRefusedUploadLeavesNothingAndTheConnection(size: Int) async throws {
        try await withValue { server in
            let reader = Self.bearer(try await server.makeToken("reader", ["lib:read"]))
            let body = [UInt8](repeating: 7, count: size)
            let chunks = Array("\(String(size, radix: 16))\r\n".utf8) + body + Array("\r\n0\r\n\r\n".utf8)
            let connection = try WireConnection(port: server.port)
            let cases: [(headers: [String], status: Int)] = [([], 401), (reader, 403)]
            for (headers, status) in cases {
                let whole = try await connection.exchange("PUT", Self.path, headers: headers, body: body)
                #expect(whole.status == status)
                await connection.send("PUT", Self.path, headers: headers + ["Transfer-Encoding: chunked"])
                await connection.send(chunks)
                let chunked = try await connection.readReply(to: "PUT")
                #expect(chunked.status == status)
            }
            let reply = try await connection.exchange("GET", Self.path, headers: reader)
            #expect(reply.body == Self.value)
            let uploads = try FileManager.default.contentsOfDirectory(atPath: "\(server.dataFolder)/uploads")
            #expect(uploads == [])
        }
    }

    // MARK: - Before the first token, and after the last

    /// Clients send what they were once set up with; nobody can have been told a secret yet.
    @Test
    func untilATokenIsMadeNothingThatIsShownIsWrong() async throws {
        try await withLiveServer { server in
            let shown = ["Bearer x", "Basic eDp5", "Digest x", "Bearer larder_" + String(repeating: "a", count: 52)]
            func statuses() async throws -> [Int] {
                let connection = try WireConnection(port: server.port)
                var statuses: [Int] = []
                for headers in shown.map({ ["Authorization: \($0)"] }) + [[]] {
                    let reply = try await connection.exchange("GET", Self.path, headers: headers)
                    statuses.append(reply.status)
                }
                return statuses
            }
            let before = try await statuses()
            #expect(before == [404, 404, 404, 404, 404])
            _ = try await server.makeToken("ci", ["*:read"])
            let after = try await statuses()
            #expect(after == [401, 401, 401, 401, 404])
            // Whoever was told one is not to be taken for somebody else.
            try await server.revokeToken("ci")
            let revoked = try await statuses()
            #expect(revoked == [401, 401, 401, 401, 404])
            try await server.restart()
            let restarted = try await statuses()
            #expect(restarted == [401, 401, 401, 401, 404])
        }
    }

    @Test
    func tokensAndTheirLastUsesOutliveTheServer() async throws {
        struct Token: Decodable, Equatable {
            let name: String
            let grants: [String]
            let createdAt: Int
            let expiresAt: Int?
            let lastUsedAt: Int?
        }
        func tokens(of server: LiveServer) async throws -> [Token] {
            let reply = try await server.administer("GET", "/api/v1/tokens")
            return try JSONDecoder().decode([Token].self, from: Data(reply.bytes))
        }
        try await withValue { server in
            let secret = try await server.makeToken("ci", ["lib:read"], seconds: 3600)
            try await server.revokeToken("root")
            let unused = try await tokens(of: server)
            #expect(unused.map(\.lastUsedAt) == [nil])
            let first = try await WireConnection(port: server.port)
                .exchange("GET", Self.path, headers: Self.bearer(secret))
            #expect(first.body == Self.value)
            let used = try await tokens(of: server)
            #expect(used.first?.lastUsedAt != nil)
            try await server.restart()
            let restarted = try await tokens(of: server)
            #expect(restarted == used)
            let second = try await WireConnection(port: server.port)
                .exchange("GET", Self.path, headers: Self.bearer(secret))
            #expect(second.body == Self.value)
        }
    }

    // MARK: - What is told to whom

    @Test
    func everybodyIsToldWhoTheyAre() async throws {
        struct Principal: Decodable {
            let name: String
            let grants: [String]
            let expiresAt: Int?
        }
        try await withLiveServer(arguments: ["--allow-anonymous", "read"]) { server in
            let secret = try await server.makeToken("ci", ["team/*:write,read", "lib:admin"], seconds: 3600)
            let connection = try WireConnection(port: server.port)
            let named = try await connection.exchange("GET", "/api/v1/principal", headers: Self.bearer(secret))
            let ci = try JSONDecoder().decode(Principal.self, from: Data(named.body))
            #expect(ci.name == "ci")
            #expect(ci.grants == ["team/*:read,write", "lib:admin"])
            let end = try #require(ci.expiresAt)
            #expect(abs(Double(end) - Date().timeIntervalSince1970 - 3600) < 60)
            #expect(!named.text.contains(secret))
            let unnamed = try await connection.exchange("GET", "/api/v1/principal")
            let anonymous = try JSONDecoder().decode(Principal.self, from: Data(unnamed.body))
            #expect(anonymous.name == "anonymous")
            #expect(anonymous.grants == ["*:read"])
            let local = try await server.administer("GET", "/api/v1/principal")
            let administrator = try JSONDecoder().decode(Principal.self, from: Data(local.bytes))
            #expect(administrator.name == "administrator")
            #expect(administrator.grants == ["*:admin"])
        }
    }

    /// Lists and sums name no repository that their reader may not read.
    @Test
    func onlyReadableRepositoriesAreNamed() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let root = Self.bearer(try await server.makeToken("root", ["*:admin"]))
            let connection = try WireConnection(port: server.port)
            for name in ["open", "hidden", "written"] {
                let path = "/ccache/\(name)/" + String(repeating: "1", count: 40)
                for method in ["PUT", "GET"] {
                    let body: [UInt8]? = method == "PUT" ? [1] : nil
                    let reply = try await connection.exchange(method, path, headers: root, body: body)
                    #expect(reply.status == 200)
                }
            }
            let reader = Self.bearer(try await server.makeToken("reader", ["op*:read", "written:write"]))
            for path in ["/api/v1/status", "/api/v1/repositories"] {
                let all = try await connection.exchange("GET", path, headers: root)
                #expect(all.text.contains("\"hidden\"") && all.text.contains("\"written\""), "\(path)")
                let some = try await connection.exchange("GET", path, headers: reader)
                #expect(some.text.contains("\"open\""), "\(path)")
                #expect(!some.text.contains("hidden"), "\(path)")
                #expect(!some.text.contains("written"), "\(path)")
            }
        }
    }

    // MARK: - Networks that others may listen to

    @Test(arguments: [[], ["--allow-anonymous", "none"]])
    func anAddressThatOthersReachNeedsWords(arguments: [String]) async throws {
        try await withTemporaryFolder { folder in
            let command = ["serve", "--data-dir", folder, "--listen", "0.0.0.0:0"] + arguments
            let result = try await runProgram(larderPath, command)
            #expect(result.status == 1)
            #expect(result.output == "")
            #expect(result.errors.contains("--insecure"))
            #expect(result.errors.contains("--allow-anonymous read or write"))
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/FORMAT"))
        }
    }

    @Test(arguments: [[], ["--allow-anonymous", "read"]])
    func tokensCrossTheNetworkWhereThatWasSaid(arguments: [String]) async throws {
        try await withLiveServer(arguments: ["--listen", "0.0.0.0:0", "--insecure"] + arguments) { server in
            let writer = Self.bearer(try await server.makeToken("ci", ["lib:read,write"]))
            let connection = try WireConnection(port: server.port)
            let refused = try await connection.exchange("PUT", Self.path, body: Self.value)
            #expect(refused.status == 401)
            let stored = try await connection.exchange("PUT", Self.path, headers: writer, body: Self.value)
            #expect(stored.status == 200)
            let read = try await connection.exchange("GET", Self.path, headers: writer)
            #expect(read.body == Self.value)
            let anonymous = try await connection.exchange("GET", Self.path)
            #expect(anonymous.status == (arguments.isEmpty ? 401 : 200))
        }
    }

    /// The one who shows it is told, so that nobody goes on sending it.
    @Test
    func elsewhereATokenIsRefusedInWords() async throws {
        try await withLiveServer(arguments: ["--listen", "0.0.0.0:0", "--allow-anonymous", "read"]) { server in
            let secret = try await server.makeToken("ci", ["*:admin"])
            let connection = try WireConnection(port: server.port)
            let anonymous = try await connection.exchange("GET", Self.path)
            #expect(anonymous.status == 404)
            // Nothing is shown.
            let nobody = try await connection.exchange("GET", Self.path, headers: ["Authorization: Basic Og=="])
            #expect(nobody.status == 404)
            let words = "this server takes no tokens over plain HTTP"
            let headers = [Self.bearer(secret)[0], Self.basic("ada:\(secret)"), Self.basic("ada:wrong")]
            for header in headers {
                for path in [Self.path, "/api/v1/status", "/v2/", "/v2/token"] {
                    let reply = try await connection.exchange("GET", path, headers: [header])
                    #expect(reply.status == 401, "\(path)")
                    #expect(reply.text.contains(words), "\(path): \(reply.text)")
                    #expect(reply.text.contains("--insecure"), "\(path): \(reply.text)")
                }
            }
            let form = Array("grant_type=password&service=larder&username=ada&password=\(secret)".utf8)
            let type = ["Content-Type: application/x-www-form-urlencoded"]
            let exchange = try await connection.exchange("POST", "/v2/token", headers: type, body: form)
            #expect(exchange.status == 401)
            #expect(exchange.text.contains(words))
        }
    }
}
