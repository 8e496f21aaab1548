import Foundation
import LarderTestSupport
import Testing

/// The real ccache as a client: Debian's 4.7.5 and PyPI's 4.14.2, both installed by `Tests/clients.sh`.
///
/// What is relied on:
/// - A compilation found in the remote storage is one `remote_storage_hit` of two reads, manifest and result.
/// - With `CCACHE_REMOTE_ONLY` the local folder holds nothing but the statistics, so a folder for each run is a
///   counter for each run.
/// - A refused PUT is a `remote_storage_error`; a GET that is not answered with 2xx is only a miss.
/// - The keys differ: 40 hexadecimal digits in 4.14, 4 of them and 29 characters of 0-9a-v in 4.7.
@Suite
struct CcacheClientTests {
    @Test(arguments: CcacheProgram.allCases, CcacheLayout.allCases)
    func everyCompilationIsARemoteHitTheSecondTime(program: CcacheProgram, layout: CcacheLayout) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let ccache = try await Ccache(program, layout, folder: folder, url: "\(server.url)/ccache/app")
                try ccache.writeSources()

                try await ccache.compileSources(machine: "first")
                let first = try await ccache.counts(machine: "first")
                #expect(first == Ccache.everythingMissed)

                try await ccache.compileSources(machine: "second")
                let second = try await ccache.counts(machine: "second")
                #expect(second == Ccache.everythingWasAHit)
            }
        }
    }

    @Test(arguments: CcacheProgram.allCases)
    func everyCompilationIsARemoteHitAfterARestart(program: CcacheProgram) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let ccache = try await Ccache(program, .subdirs, folder: folder, url: "\(server.url)/ccache/app")
                try ccache.writeSources()
                try await ccache.compileSources(machine: "first")

                try await server.restart()

                try await ccache.compileSources(machine: "second")
                let second = try await ccache.counts(machine: "second")
                #expect(second == Ccache.everythingWasAHit)
            }
        }
    }

    /// A manifest lists the results of one source file with all headers seen so far, and is written again under the
    /// same key for each: if the second write were refused or lost, the second header would not be found directly.
    @Test(arguments: CcacheProgram.allCases, CcacheLayout.allCases)
    func aManifestIsReplacedByALongerOne(program: CcacheProgram, layout: CcacheLayout) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let ccache = try await Ccache(program, layout, folder: folder, url: "\(server.url)/ccache/app")
                try ccache.write("#include \"value.h\"\nint value(void) { return VALUE; }\n", to: "value.c")

                for machine in ["first", "second"] {
                    for value in 1...2 {
                        try ccache.write("#define VALUE \(value)\n", to: "value.h")
                        try await ccache.compile("value", machine: machine)
                    }
                }

                let counts = try await ccache.counts(machine: "second")
                #expect(counts["direct_cache_hit"] == 2)
                #expect(counts["remote_storage_hit"] == 2)
                #expect(counts["remote_storage_error"] == 0)
            }
        }
    }
}

enum CcacheProgram: CaseIterable {
    /// /usr/bin/ccache
    case debian
    /// ccache in the virtual environment
    case pypi

    var path: String { self == .debian ? "/usr/bin/ccache" : "ccache" }
    /// What `--version` begins with, because a search that finds the wrong program would prove nothing.
    var version: String { self == .debian ? "ccache version 4.7.5" : "ccache version 4.14.2" }

    /// The client gives up a connection after 100 ms by itself, too little beside a compiler on two cores.
    func storage(_ url: String, layout: CcacheLayout) -> String {
        switch self {
        case .debian: "\(url)|layout=\(layout)|connect-timeout=10000|operation-timeout=60000"
        case .pypi: "\(url) @layout=\(layout) @connect-timeout=10000 @operation-timeout=60000"
        }
    }
}

enum CcacheLayout: String, CaseIterable {
    case subdirs
    case flat
    case bazel
}

/// One ccache, a folder of sources, and machines: local folders that share nothing but the server.
private struct Ccache {
    static let sources = ["table", "one", "two"]
    static let everythingMissed = [
        "cache_miss": 3,
        "direct_cache_hit": 0,
        "remote_storage_error": 0,
        "remote_storage_hit": 0,
        "remote_storage_miss": 3,
        "remote_storage_timeout": 0,
        "remote_storage_write": 6,
    ]
    static let everythingWasAHit = [
        "cache_miss": 0,
        "direct_cache_hit": 3,
        "remote_storage_error": 0,
        "remote_storage_hit": 3,
        "remote_storage_miss": 0,
        "remote_storage_timeout": 0,
        "remote_storage_write": 0,
    ]

    let program: CcacheProgram
    let folder: String
    let storage: String

    init(_ program: CcacheProgram, _ layout: CcacheLayout, folder: String, url: String) async throws {
        self.program = program
        self.folder = folder
        self.storage = program.storage(url, layout: layout)
        let version = try await run(["--version"], machine: "version")
        try #require(version.hasPrefix(program.version), "another ccache: \(version)")
    }

    func writeSources() throws {
        // Half a megabyte that no compressor makes smaller, so that one body is longer than a buffer.
        let numbers = (0..<65_536).map { "\(UInt64($0) &* 0x9E37_79B9_7F4A_7C15)u" }
        try write("const unsigned long table[] = {\n\(numbers.joined(separator: ",\n"))\n};\n", to: "table.c")
        try write("int one(void) { return 1; }\n", to: "one.c")
        try write("int two(void) { return 2; }\n", to: "two.c")
    }

    func compileSources(machine: String) async throws {
        for source in Self.sources {
            try await compile(source, machine: machine)
        }
    }

    func compile(_ source: String, machine: String) async throws {
        let output = "\(folder)/\(source).o"
        try? FileManager.default.removeItem(atPath: output)
        _ = try await run(["gcc", "-c", "\(source).c", "-o", "\(source).o"], machine: machine)
        try #require(FileManager.default.fileExists(atPath: output))
    }

    /// The counters that `everythingMissed` names, of one machine.
    func counts(machine: String) async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in try await run(["--print-stats"], machine: machine).split(separator: "\n") {
            let columns = line.split(separator: "\t")
            guard columns.count == 2, Self.everythingMissed.keys.contains(String(columns[0])) else { continue }
            counts[String(columns[0])] = Int(columns[1])
        }
        return counts
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
    }

    private func run(_ arguments: [String], machine: String) async throws -> String {
        let result = try await runProgram(
            program.path,
            arguments,
            environment: [
                "CCACHE_CONFIGPATH": "/dev/null",
                "CCACHE_DIR": "\(folder)/\(machine)",
                "CCACHE_REMOTE_ONLY": "true",
                "CCACHE_REMOTE_STORAGE": storage,
                // A header that was written a moment ago would otherwise keep a manifest from being stored.
                "CCACHE_SLOPPINESS": "include_file_ctime,include_file_mtime",
            ],
            in: folder,
            timeoutSeconds: 120,
        )
        try #require(result.status == 0, "ccache \(arguments): \(result.errors)")
        return result.output
    }
}
