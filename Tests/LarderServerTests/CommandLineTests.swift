import Foundation
import LarderTestSupport
import Testing

/// The command line as a person and a script meet it: exit codes, standard output, and sentences on standard error.
@Suite(.serialized)
struct CommandLineTests {
    private static let small = "/ccache/team/00112233445566778899aabbccddeeff00112233"
    private static let large = "/ccache/team/11112233445566778899aabbccddeeff00112233"

    // MARK: - Help

    @Test(arguments: [
        [], ["serve"], ["status"], ["check"], ["compact"], ["repo"], ["repo", "ls"], ["repo", "show"],
        ["repo", "create"], ["repo", "set"], ["repo", "flush"], ["repo", "rm"], ["config"], ["config", "check"],
        ["setup"], ["policy"], ["policy", "show"], ["policy", "set"], ["policy", "rm"], ["policy", "check"],
        ["policy", "preview"], ["prune"], ["prune", "run"], ["prune", "log"], ["pin"], ["pin", "add"], ["pin", "ls"],
        ["pin", "rm"], ["restore"],
    ])
    func everyHelpHasAnExample(command: [String]) async throws {
        let result = try await runProgram(larderPath, command + ["--help"])
        #expect(result.status == 0)
        #expect(result.errors == "")
        #expect(result.output.contains("OVERVIEW: "))
        #expect(result.output.contains("Example"))
        let ownLine = "  " + (["larder"] + command).joined(separator: " ")
        #expect(result.output.contains(ownLine))
    }

    @Test(arguments: [
        (arguments: ["bogus"], says: "Unexpected argument 'bogus'"),
        (arguments: ["status", "--bogus"], says: "Unknown option '--bogus'"),
        (
            arguments: ["setup", "make"],
            says: "The value 'make' is invalid for '<tool>'. Please provide one of the following:"
        ),
        (arguments: ["repo", "create"], says: "Missing expected argument '<name>'"),
        (arguments: ["repo", "create", "a", "--quota", "lots"], says: "--quota is a size such as 50GiB, or none"),
        (arguments: ["repo", "set", "a", "--quota-entries", "-5"], says: "quota-entries"),
        (arguments: ["repo", "set", "a", "--undo-time", "soon"], says: "--undo-time is a duration such as 48h, 0"),
        (arguments: ["policy", "show"], says: "name a repository, or a kind with --default"),
        (arguments: ["policy", "rm", "a", "--default", "cache"], says: "name a repository, or a kind with --default"),
        (arguments: ["policy", "rm", "--default", "shelf"], says: "--default is registry, cache or bucket"),
        (arguments: ["policy", "check", "--file", "x", "--kind", "y"], says: "--kind is registry, cache or bucket"),
        (arguments: ["policy", "set", "a"], says: "Missing expected argument '--file <file>'"),
        (arguments: ["prune"], says: "name a repository, or say --all"),
        (arguments: ["prune", "a", "--all"], says: "name a repository, or say --all"),
        (arguments: ["prune", "log", "--limit", "0"], says: "--limit is a whole number from 1"),
        (arguments: ["pin", "rm", "a"], says: "name a --tag or a --key"),
        (arguments: ["pin", "add", "a", "--tag", "1", "--reason", "r", "--for", "0"], says: "--for is a duration"),
        (arguments: ["restore", "a", "--tag", "1"], says: "--tag needs something to restore"),
    ])
    func mistakesOnTheCommandLineEndWith64(arguments: [String], says: String) async throws {
        let result = try await runProgram(larderPath, arguments)
        #expect(result.status == 64)
        #expect(result.output == "")
        #expect(result.errors.contains(says))
    }

    @Test
    func versionIsOneLine() async throws {
        let result = try await runProgram(larderPath, ["--version"])
        #expect(result.status == 0)
        #expect(result.output == "0.1.0\n")
    }

    // MARK: - serve

    @Test
    func theBannerSaysWhatToPasteIntoEachTool() async throws {
        try await withLiveServer { server in
            let url = server.url
            for text in [
                "larder 0.1.0", "listening on  \(url)", "data          \(server.dataFolder)",
                "--remote_cache=\(url)/bazel/main", "remote_storage = \(url)/ccache/main",
                "SCCACHE_WEBDAV_ENDPOINT=\(url)/sccache/main", "url = '\(url)/gradle/main/'",
                "<url>\(url)/maven/main</url>",
            ] {
                #expect(server.output.contains(text), "\(text)")
            }
        }
    }

    @Test(arguments: [
        (tool: "bazel", says: "build --remote_cache=http://cache.example:7878/bazel/android"),
        (tool: "ccache", says: "remote_storage = http://cache.example:7878/ccache/android"),
        (tool: "sccache", says: "SCCACHE_WEBDAV_ENDPOINT=http://cache.example:7878/sccache/android"),
        (tool: "gradle", says: "url = 'http://cache.example:7878/gradle/android/'"),
        (tool: "maven", says: "<url>http://cache.example:7878/maven/android</url>"),
    ])
    func setupNamesAddressAndRepository(tool: String, says: String) async throws {
        let address = "http://cache.example:7878"
        let byFlag = try await runProgram(larderPath, ["setup", tool, "--repo", "android", "--url", "\(address)/"])
        #expect(byFlag.status == 0)
        #expect(byFlag.output.contains(says))
        let byVariable = try await runProgram(
            larderPath,
            ["setup", tool, "--repo", "android"],
            environment: ["LARDER_URL": address]
        )
        #expect(byVariable.output == byFlag.output)
        let byDefault = try await runProgram(larderPath, ["setup", tool])
        #expect(byDefault.output.contains("http://127.0.0.1:7878/\(tool)/main"))
    }

    // MARK: - status

    @Test
    func statusShowsSpaceRepositoriesAndHitRates() async throws {
        try await withLiveServer { server in
            try await Self.fill(server)
            let result = try await server.larder("status")
            #expect(result.status == 0)
            #expect(result.errors == "")
            for text in [
                "version       0.1.0", "98.6 KiB of 4 GiB, 0 B reserved, in 2 blobs",
                "team        cache  98.6 KiB  2        -", "ccache  team        2     1       67 %",
            ] {
                #expect(result.output.contains(text), "\(text)")
            }
            let byAddress = try await runProgram(larderPath, ["status", "--url", server.url])
            #expect(byAddress.status == 0)
            #expect(byAddress.output.contains("98.6 KiB of 4 GiB"))
        }
    }

    @Test
    func statusSpeaksJSON() async throws {
        struct Status: Decodable {
            struct Space: Decodable {
                let usedBytes: Int
                let reservedBytes: Int
                let limitBytes: Int
            }
            struct Repository: Decodable {
                let name: String
                let kind: String
                let usedBytes: Int
                let entryCount: Int
            }
            struct Reads: Decodable {
                let tool: String
                let repository: String
                let hits: Int
                let misses: Int
            }
            let version: String
            let blobCount: Int
            let space: Space
            let repositories: [Repository]
            let reads: [Reads]
        }
        try await withLiveServer { server in
            try await Self.fill(server)
            let result = try await server.larder("status", "--json")
            let status = try JSONDecoder().decode(Status.self, from: Data(result.output.utf8))
            #expect(status.version == "0.1.0")
            #expect(status.blobCount == 2)
            #expect(status.space.usedBytes == 101_000)
            #expect(status.space.reservedBytes == 0)
            #expect(status.space.limitBytes == 4 << 30)
            let repository = try #require(status.repositories.first)
            #expect(status.repositories.count == 1)
            #expect(repository.name == "team")
            #expect(repository.kind == "cache")
            #expect(repository.usedBytes == 101_000)
            #expect(repository.entryCount == 2)
            let reads = try #require(status.reads.first)
            #expect(status.reads.count == 1)
            #expect((reads.tool, reads.repository, reads.hits, reads.misses) == ("ccache", "team", 2, 1))
        }
    }

    @Test
    func commandsWithoutAServerSayWhatToDo() async throws {
        try await withTemporaryFolder { folder in
            for command in [["status"], ["check"], ["compact"], ["repo", "ls"]] {
                let result = try await runProgram(larderPath, command + ["--data-dir", "\(folder)/none"])
                #expect(result.status == 1)
                #expect(result.output == "")
                #expect(result.errors.contains("\(folder)/none is no data folder of larder"), "\(command)")
                #expect(result.errors.contains("larder serve"), "\(command)")
            }
        }
        try await withLiveServer { server in
            try await server.stop()
            let result = try await server.larder("status")
            #expect(result.status == 1)
            #expect(result.errors.contains("no server runs on \(server.dataFolder); start one with: larder serve"))
        }
        let unreachable = try await runProgram(larderPath, ["status", "--url", "http://127.0.0.1:1"])
        #expect(unreachable.status == 1)
        #expect(unreachable.errors.contains("no answer from the server at http://127.0.0.1:1"))
    }

    // MARK: - repo

    @Test(arguments: [true, false])
    func repositoriesAreManagedWithAndWithoutAServer(isRunning: Bool) async throws {
        try await withLiveServer { server in
            try await Self.fill(server)
            if !isRunning { try await server.stop() }
            let steps: [(arguments: [String], says: String)] = [
                (["ls"], "team        cache  98.6 KiB  2        -"),
                (["create", "android", "--quota", "5GiB", "--quota-entries", "100"], "created cache android"),
                (["ls"], "android     cache  0 B       0        5 GiB, 100 entries"),
                (["create", "images/base", "--kind", "registry"], "created registry images/base"),
                (["show", "images/base"], "kind      registry"),
                (["set", "android", "--quota", "none"], "android: quota 100 entries, validate true"),
                (["set", "android", "--validate", "false"], "android: quota 100 entries, validate false"),
                (["show", "android"], "validate  false"),
                (["show", "team"], "entries   2"),
                (["flush", "team"], "removed 98.6 KiB from team"),
                (["show", "team"], "size      0 B"),
                (["rm", "android"], "removed android"),
                (["rm", "images/base"], "removed images/base"),
            ]
            for (arguments, says) in steps {
                let result = try await Self.repo(server, arguments)
                #expect(result.status == 0, "\(arguments): \(result.errors)")
                #expect(result.errors == "", "\(arguments)")
                #expect(result.output.contains(says), "\(arguments): \(result.output)")
            }
            let left = try await Self.repo(server, ["ls"])
            #expect(!left.output.contains("android"))
            if !isRunning { try await server.startAgain() }
            #expect(try await WireConnection(port: server.port).exchange("GET", Self.small).status == 404)
        }
    }

    @Test(arguments: [
        (arguments: ["show", "nope"], says: "not found: repository nope"),
        (arguments: ["set", "nope", "--quota", "1GiB"], says: "not found: repository nope"),
        (arguments: ["flush", "nope"], says: "not found: repository nope"),
        (arguments: ["rm", "nope"], says: "not found: repository nope"),
        (arguments: ["create", "team"], says: "repository team exists already"),
        (arguments: ["create", "Bad_Name"], says: "repository name: lowercase letters and digits"),
        (arguments: ["create", "a", "--kind", "weird"], says: "one of cache, registry, bucket"),
    ])
    func refusalsAreSentences(arguments: [String], says: String) async throws {
        try await withLiveServer { server in
            try await Self.fill(server)
            let result = try await Self.repo(server, arguments)
            #expect(result.status == 1)
            #expect(result.output == "")
            #expect(result.errors.hasPrefix("Error: "))
            #expect(result.errors.contains(says))
        }
    }

    @Test
    func repositoriesAreListedAsJSON() async throws {
        struct Repository: Decodable {
            let name: String
            let quotaBytes: Int?
            let validatesContent: Bool
        }
        try await withLiveServer { server in
            let empty = try await server.larder("repo", "ls")
            #expect(empty.output == "no repositories yet; the first write to one creates it\n")
            #expect(try await server.larder("repo", "create", "a", "--quota", "1KiB").status == 0)
            let output = try await server.larder("repo", "ls", "--json").output
            let repositories = try JSONDecoder().decode([Repository].self, from: Data(output.utf8))
            #expect(repositories.map(\.name) == ["a"])
            #expect(repositories.map(\.quotaBytes) == [1024])
            #expect(repositories.map(\.validatesContent) == [true])
        }
    }

    // MARK: - check and compact

    @Test(arguments: [true, false])
    func damageIsFoundAndRepaired(isRunning: Bool) async throws {
        try await withLiveServer { server in
            try await Self.fill(server)
            let clean = try await server.larder("check")
            #expect(clean.status == 0)
            #expect(clean.output == "checked 2 blobs, 98.6 KiB: no problems\n")

            if !isRunning { try await server.stop() }
            let digest = sha256Hex(Self.largeBody)
            try Self.flipByte(ofBlob: digest, in: server.dataFolder)
            let stray = "blobs/sha256/00/\(String(repeating: "0", count: 64)).99"
            try "x".write(toFile: "\(server.dataFolder)/\(stray)", atomically: false, encoding: .utf8)

            let damaged = try await server.larder("check")
            #expect(damaged.status == 1)
            #expect(damaged.output.contains("sha256:\(digest) is damaged"))
            #expect(damaged.output.contains("\(stray) belongs to no blob"))
            #expect(damaged.output.contains("2 problems; `larder check --repair`"))

            let repaired = try await server.larder("check", "--repair")
            #expect(repaired.status == 0)
            #expect(repaired.output.contains("2 problems, 2 repaired"))
            #expect(!FileManager.default.fileExists(atPath: "\(server.dataFolder)/\(stray)"))

            if !isRunning { try await server.startAgain() }
            let connection = try WireConnection(port: server.port)
            #expect(try await connection.exchange("GET", Self.large).status == 404)
            #expect(try await connection.exchange("GET", Self.small).status == 200)
            #expect(try await connection.exchange("PUT", Self.large, body: Self.largeBody).status == 200)
            #expect(try await connection.exchange("GET", Self.large).body == Self.largeBody)
            let again = try await server.larder("check")
            #expect(again.status == 0, "\(again.output)")
        }
    }

    @Test
    func checkSpeaksJSON() async throws {
        struct Report: Decodable {
            let blobCount: Int
            let byteCount: Int
            let problems: [String]
            let problemCount: Int
            let repairedCount: Int
        }
        try await withLiveServer { server in
            try await Self.fill(server)
            try Self.flipByte(ofBlob: sha256Hex(Self.largeBody), in: server.dataFolder)
            let result = try await server.larder("check", "--json")
            #expect(result.status == 1)
            let report = try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
            #expect(report.blobCount == 2)
            #expect(report.byteCount == 101_000)
            #expect(report.problems.count == 1)
            #expect(report.problemCount == 1)
            #expect(report.repairedCount == 0)
        }
    }

    @Test(arguments: [true, false])
    func compactGivesPagesBack(isRunning: Bool) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            for number in 0..<300 {
                let body = [UInt8](repeating: UInt8(number % 251), count: 8000 + number)
                _ = try await connection.exchange("PUT", "/gradle/team/\(String(number, radix: 16))", body: body)
            }
            #expect(try await server.larder("repo", "flush", "team").status == 0)
            if !isRunning { try await server.stop() }
            let result = try await server.larder("compact")
            #expect(result.status == 0)
            #expect(result.output.hasPrefix("database: "))
            let size = try FileManager.default.attributesOfItem(atPath: "\(server.dataFolder)/larder.sqlite")[.size]
            #expect((size as? Int ?? .max) < 1 << 20)
        }
    }

    // MARK: - config

    @Test
    func aGoodConfigurationIsShownWithTheOriginOfEachValue() async throws {
        let result = try await checkConfiguration(
            """
            max-size: 20GiB
            listen: 127.0.0.1:7999
            access-log: true
            repositories:
              android:
                quota: 5GiB
              images:
                kind: registry
            """,
            environment: ["LARDER_MAX_CONNECTIONS": "5", "LARDER_NOPE": "1"],
            flags: ["--hot-set-size", "1MiB"]
        )
        #expect(result.status == 0)
        #expect(result.errors == "")
        for pattern in [
            #/\nmax-size +20GiB +.*larder\.yaml: max-size\n/#, #/\nmax-connections +5 +LARDER_MAX_CONNECTIONS\n/#,
            #/\nhot-set-size +1MiB +--hot-set-size\n/#, #/\naccess-log +true +.*larder\.yaml: access-log\n/#,
            #/\nidle-timeout +- +default\n/#, #/\naddress: 127\.0\.0\.1:7999\n/#,
            #/\nrepository: android \(cache\)\nrepository: images \(registry\)\n/#,
            #/\nwarning: the variable LARDER_NOPE is no setting of larder\n/#, #/\nthe configuration is valid\n/#,
        ] {
            #expect(result.output.firstMatch(of: pattern) != nil)
        }
    }

    @Test(arguments: [
        (yaml: "max-sizze: 20GiB", says: "unknown setting `max-sizze`; known: data-dir, listen, max-size,"),
        (yaml: "max-size: lots", says: "max-size: `lots` is not valid; expected a size such as 20GiB"),
        (yaml: "max-size: [1, 2]", says: "`max-size` needs one plain value"),
        (yaml: "inline-limit: 1MiB", says: "inline-limit: `1MiB` is not valid; expected a size from 0 to 256KiB"),
        (yaml: "stall-timeout: 10", says: "stall-timeout: `10` is not valid; expected a duration such as 2m or 30s"),
        (yaml: "listen: nowhere", says: "listen: `nowhere` is not valid; expected HOST:PORT"),
        (yaml: "log-level: loud", says: "log-level: `loud` is not valid"),
        (yaml: "- a", says: "expected settings as `name: value` lines"),
        (yaml: ": : [", says: "is not valid YAML"),
        (yaml: "repositories:\n  Bad_Name:", says: "repositories: Bad_Name: not a valid name"),
        (yaml: "repositories:\n  a:\n    colour: red", says: "unknown setting `colour`; known: kind, quota"),
        (yaml: "repositories:\n  a:\n    kind: weird", says: "kind is cache, registry or bucket"),
        (yaml: "repositories:\n  a:\n    quota: lots", says: "quota is a size such as 5GiB"),
    ])
    func aBadConfigurationIsRefusedWithItsPlace(yaml: String, says: String) async throws {
        let result = try await checkConfiguration(yaml)
        #expect(result.status == 1)
        #expect(!result.output.contains("the configuration is valid"))
        #expect(result.errors.contains("larder.yaml"))
        #expect(result.errors.contains(says), "\(result.errors)")
    }

    @Test
    func declaredRepositoriesAreThereFromTheStart() async throws {
        try await withTemporaryFolder { folder in
            let file = "\(folder)/larder.yaml"
            try "repositories:\n  android:\n    quota: 5GiB\n".write(toFile: file, atomically: true, encoding: .utf8)
            try await withLiveServer(arguments: ["--config", file]) { server in
                let result = try await server.larder("repo", "show", "android")
                #expect(result.output.contains("quota     5 GiB"))
            }
        }
    }

    // MARK: - Helpers

    private static let smallBody = [UInt8](repeating: 0x61, count: 1000)
    private static let largeBody = [UInt8](repeating: 0x62, count: 100_000)

    /// Two entries, two hits and a miss in the repository `team`.
    private static func fill(_ server: LiveServer) async throws {
        let connection = try WireConnection(port: server.port)
        for (path, body) in [(small, smallBody), (large, largeBody)] {
            try #require(try await connection.exchange("PUT", path, body: body).status == 200)
            try #require(try await connection.exchange("GET", path).body == body)
        }
        try #require(try await connection.exchange("GET", "/ccache/team/00000000000000000000").status == 404)
    }

    private static func repo(_ server: LiveServer, _ arguments: [String]) async throws -> ProgramResult {
        try await runProgram(larderPath, ["repo"] + arguments + ["--data-dir", server.dataFolder])
    }

    /// Turns one bit of a blob's file around.
    private static func flipByte(ofBlob digest: String, in dataFolder: String) throws {
        let folder = "\(dataFolder)/blobs/sha256/\(digest.prefix(2))"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let name = try #require(names.first { $0.hasPrefix(digest) })
        var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
        bytes[bytes.count / 2] ^= 1
        let file = try #require(FileHandle(forWritingAtPath: "\(folder)/\(name)"))
        try file.write(contentsOf: bytes)
        try file.close()
    }

    private func checkConfiguration(
        _ yaml: String,
        environment: [String: String] = [:],
        flags: [String] = []
    ) async throws -> ProgramResult {
        try await withTemporaryFolder { folder in
            let file = "\(folder)/larder.yaml"
            try yaml.write(toFile: file, atomically: true, encoding: .utf8)
            return try await runProgram(
                larderPath,
                ["config", "check", "--config", file] + flags,
                environment: environment
            )
        }
    }
}
