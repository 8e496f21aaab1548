import Foundation
import LarderTestSupport
import Testing

/// What one writes into a cache under a scope is given to those alone who read that scope.
@Suite struct ScopeTests {
    private struct Tokens {
        /// A build of the main branch: what it writes is everybody's.
        let trusted: String
        /// Builds of pull requests.
        let seven: String
        let eight: String
    }

    private func token(_ name: String, _ arguments: [String], of server: LiveServer) async throws -> String {
        let command = ["token", "create", name, "--grant", "*:read,write,delete", "--data-dir", server.dataFolder]
        let result = try await runProgram(larderPath, command + arguments)
        try #require(result.status == 0, "\(result.errors)")
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func withTokens(_ body: (LiveServer, Tokens) async throws -> Void) async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let tokens = Tokens(
                trusted: try await token("main", [], of: server),
                seven: try await token(
                    "seven",
                    ["--scope", "refs/pull/7/merge", "--read-scope", "refs/heads/main"],
                    of: server
                ),
                eight: try await token("eight", ["--scope", "refs/pull/8/merge"], of: server)
            )
            try await body(server, tokens)
        }
    }

    fileprivate func request(
        _ method: String,
        _ path: String,
        as token: String,
        _ server: LiveServer,
        _ body: [UInt8]? = nil
    ) async throws -> HTTPReply {
        try await server.request(method, path, body: body, headers: ["Authorization": "Bearer \(token)"])
    }

    /// Small values take the express lane, others the slow road.
    @Test(
        arguments: [
            "/ccache/main/0123456789abcdef0123456789abcdef01234567", "/sccache/main/a/b/c/abc", "/gradle/main/abc",
            "/maven/main/v1/group/artifact/checksum/file",
        ],
        [100, 100_000]
    )
    func whatAPullRequestWritesIsItsOwn(path: String, size: Int) async throws {
        try await withTokens { server, tokens in
            func value(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: size) }
            func read(as token: String) async throws -> [UInt8]? {
                let reply = try await request("GET", path, as: token, server)
                return reply.status == 200 ? reply.bytes : nil
            }
            let poison = try await request("PUT", path, as: tokens.seven, server, value(7))
            #expect((200..<300).contains(poison.status))
            #expect(try await read(as: tokens.seven) == value(7))
            #expect(try await read(as: tokens.trusted) == nil)
            #expect(try await read(as: tokens.eight) == nil)

            let good = try await request("PUT", path, as: tokens.trusted, server, value(1))
            #expect((200..<300).contains(good.status))
            #expect(try await read(as: tokens.trusted) == value(1))
            // Their own comes first; who has none is given everybody's.
            #expect(try await read(as: tokens.seven) == value(7))
            #expect(try await read(as: tokens.eight) == value(1))

            // Over everybody's own nobody writes.
            _ = try await request("PUT", path, as: tokens.eight, server, value(8))
            #expect(try await read(as: tokens.trusted) == value(1))
            #expect(try await read(as: tokens.seven) == value(7))
            #expect(try await read(as: tokens.eight) == value(8))

            try await server.killAndRestart()
            #expect(try await read(as: tokens.trusted) == value(1))
            #expect(try await read(as: tokens.seven) == value(7))

            if path.hasPrefix("/ccache") || path.hasPrefix("/sccache") {
                _ = try await request("DELETE", path, as: tokens.seven, server)
                #expect(try await read(as: tokens.seven) == value(1))
                #expect(try await read(as: tokens.trusted) == value(1))
            }
        }
    }

    @Test func bytesUnderTheirDigestAreEverybodys() async throws {
        try await withTokens { server, tokens in
            let path = "/cas/\(sha256Hex([1, 2, 3]))"
            let stored = try await request("PUT", path, as: tokens.seven, server, [1, 2, 3])
            #expect(stored.status == 200)
            let found = try await request("GET", path, as: tokens.trusted, server)
            #expect(found.bytes == [1, 2, 3])
        }
    }

    @Test func listsOfAPullRequestShowItsOwnFirst() async throws {
        try await withTokens { server, tokens in
            let path = "/sccache/main/a/b"
            _ = try await request("PUT", path, as: tokens.seven, server, [7, 7, 7])
            func length(as token: String) async throws -> Bool {
                let reply = try await request("PROPFIND", path, as: token, server)
                return reply.status == 207 && reply.text.contains("<D:getcontentlength>3<")
            }
            #expect(try await length(as: tokens.seven))
            #expect(try await !length(as: tokens.trusted))
        }
    }

    @Test func dependencyCachesAreBoundToTheScopeOfTheToken() async throws {
        try await withTokens { server, tokens in
            try await withJob(at: server.url) { job in
                try job.write("tree/file", "good")
                let main = ["LARDER_TOKEN": tokens.trusted, "LARDER_SCOPE": "refs/heads/main"]
                let seven = ["LARDER_TOKEN": tokens.seven, "LARDER_SCOPE": "refs/pull/7/merge"]
                let eight = ["LARDER_TOKEN": tokens.eight, "LARDER_SCOPE": "refs/pull/8/merge"]
                try await job.succeed("cache", "save", "--key", "k-1", "--path", "tree", environment: main)

                // It may not write where others read, whatever it says of itself.
                try job.write("tree/file", "poison")
                let liar = ["LARDER_TOKEN": tokens.seven, "LARDER_SCOPE": "refs/heads/main"]
                let arguments = ["cache", "save", "--key", "k-2", "--path", "tree", "--strict"]
                let refused = try await job.run(arguments, liar)
                #expect(refused.status != 0)
                #expect(refused.errors.contains("writes to the scope refs/pull/7/merge only"))

                try await job.succeed("cache", "save", "--key", "k-2", "--path", "tree", environment: seven)
                let own = try await job.report("restore", "--key", "k-2", "--path", "tree", environment: seven)
                #expect(own.outcome == "exact")
                for other in [main, eight] {
                    let report = try await job.report("restore", "--key", "k-2", "--path", "tree", environment: other)
                    #expect(report.outcome == "miss")
                }
                // It reads what its token lets it fall back to, and no more.
                let fallback = ["--read-scope", "refs/pull/7/merge", "--read-scope", "refs/heads/main"]
                let wanted = ["cache", "restore", "--key", "k-1", "--path", "tree", "--json"] + fallback
                let found = try await job.run(wanted, seven)
                #expect(found.output.contains("\"outcome\":\"exact\"") || found.output.contains("\"exact\""))
                let missed = try await job.run(wanted, eight)
                #expect(missed.output.contains("\"miss\""))
            }
        }
    }
}
