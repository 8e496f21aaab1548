import Foundation
import LarderTestSupport
import Testing

/// The real ccache with a token as the password in its address, as its users write it.
///
/// What is relied on, beside what `CcacheClientTests` names:
/// - A login needs a user and a password; an address with one of them is an error of its own.
/// - An answer other than 2xx to a GET is a miss, to a PUT an error that ends the use of the storage for that run.
@Suite
struct CcacheLoginTests {
    private struct Step {
        let name: String
        let login: String
        var hits = 0
        var writes = 0
        var errors = 0
    }

    @Test(arguments: CcacheProgram.allCases)
    func aTokenInTheAddressLetsCcacheIn(program: CcacheProgram) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let reader = try await server.makeToken("reader", "app:read")
                let writer = try await server.makeToken("writer", "app:read,write")
                try "int one(void) { return 1; }\n"
                    .write(toFile: "\(folder)/one.c", atomically: false, encoding: .utf8)
                let steps = [
                    Step(name: "nobody", login: "", errors: 1), Step(name: "wrong", login: "ada:wrong", errors: 1),
                    Step(name: "reader", login: "ada:\(reader)", errors: 1),
                    // That it misses again shows that nothing was stored: a manifest and a result.
                    Step(name: "writer", login: "ada:\(writer)", writes: 2),
                    Step(name: "reader-again", login: "ada:\(reader)", hits: 1),
                    Step(name: "writer-again", login: "ada:\(writer)", hits: 1),
                ]
                for step in steps {
                    let storage = program.storage(server.address(step.login, "/ccache/app"), layout: .subdirs)
                    let counts = try await compile(with: program, storage, in: folder, machine: step.name)
                    #expect(counts["cache_miss"] == 1 - step.hits, "\(step.name)")
                    #expect(counts["remote_storage_hit"] == step.hits, "\(step.name)")
                    #expect(counts["remote_storage_write"] == step.writes, "\(step.name)")
                    #expect(counts["remote_storage_error"] == step.errors, "\(step.name)")
                    #expect(counts["remote_storage_timeout"] == 0, "\(step.name)")
                }
            }
        }
    }

    /// Compiles, which succeeds whatever becomes of the cache; returns the counters of a machine.
    private func compile(
        with program: CcacheProgram,
        _ storage: String,
        in folder: String,
        machine: String
    ) async throws -> [String: Int] {
        func run(_ arguments: [String]) async throws -> String {
            let result = try await runProgram(
                program.path,
                arguments,
                environment: [
                    "CCACHE_CONFIGPATH": "/dev/null", "CCACHE_DIR": "\(folder)/\(machine)",
                    "CCACHE_REMOTE_ONLY": "true", "CCACHE_REMOTE_STORAGE": storage,
                ],
                in: folder
            )
            try #require(result.status == 0, "ccache \(arguments): \(result.errors)")
            return result.output
        }
        try? FileManager.default.removeItem(atPath: "\(folder)/one.o")
        _ = try await run(["gcc", "-c", "one.c", "-o", "one.o"])
        try #require(FileManager.default.fileExists(atPath: "\(folder)/one.o"))
        var counts: [String: Int] = [:]
        for line in try await run(["--print-stats"]).split(separator: "\n") {
            let columns = line.split(separator: "\t")
            if columns.count == 2 { counts[String(columns[0])] = Int(columns[1]) }
        }
        return counts
    }
}
