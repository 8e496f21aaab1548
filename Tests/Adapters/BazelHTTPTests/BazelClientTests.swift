import Foundation
import LarderTestSupport
import Testing

/// The real Bazel as a client: Debian's `bazel-bootstrap` 4.2.3, installed by `Tests/clients.sh`.
///
/// What is relied on in that version:
/// - Its rules for C fetch `rules_cc` from the network, so the workspace calls gcc from genrules.
/// - It uploads before it reports an action as done, and asks for `ac/` before it runs one.
/// - It says in one line what became of its actions: "31 processes: 30 remote cache hit, 1 internal."
/// - It survives a broken cache with nothing but a warning that names "Remote Cache".
@Suite(.serialized)
struct BazelClientTests {
    @Test
    func everyActionIsAHitAfterCleanAfterARestartAndInASecondOutputBase() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let bazel = try Bazel(folder: folder, remoteCache: "\(server.url)/bazel/app")
                try await bazel.use {
                    let cold = try await bazel.build()
                    #expect(cold == Bazel.everythingRan)

                    try await bazel.clean()
                    let afterClean = try await bazel.build()
                    #expect(afterClean == Bazel.everythingWasAHit)

                    try await server.restart()
                    try await bazel.clean()
                    let afterRestart = try await bazel.build()
                    #expect(afterRestart == Bazel.everythingWasAHit)
                }
                // What another machine sees: nothing of the first build but the cache.
                let elsewhere = try await bazel.buildInFreshOutputBase()
                #expect(elsewhere == Bazel.everythingWasAHit)
            }
        }
    }

    @Test(arguments: [
        (layout: "root", path: ""),
        (layout: "instance prefix", path: "/some/team"),
    ])
    func everyActionIsAHitUnderThePathsOfOtherServers(layout: String, path: String) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let bazel = try Bazel(folder: folder, remoteCache: server.url + path)
                try await bazel.use {
                    let cold = try await bazel.build()
                    #expect(cold == Bazel.everythingRan, "\(layout)")

                    try await bazel.clean()
                    let afterClean = try await bazel.build()
                    #expect(afterClean == Bazel.everythingWasAHit, "\(layout)")
                }
            }
        }
    }
}

/// One workspace of genrules, and the Bazel server that builds it.
private struct Bazel {
    static let actions = 30
    /// Besides the genrules Bazel counts one action of its own, which is never cached.
    static let everythingRan = ["local": 30, "internal": 1]
    static let everythingWasAHit = ["remote cache hit": 30, "internal": 1]

    let folder: String
    let workspace: String
    let remoteCache: String

    init(folder: String, remoteCache: String) throws {
        self.folder = folder
        self.workspace = "\(folder)/workspace"
        self.remoteCache = remoteCache
        try FileManager.default.createDirectory(atPath: workspace, withIntermediateDirectories: true)
        try write("workspace(name = \"larder_test\")\n", to: "WORKSPACE")
        var rules = ""
        for number in 0..<Self.actions {
            rules += """
                genrule(
                    name = "object\(number)",
                    srcs = ["source\(number).c"],
                    outs = ["object\(number).o"],
                    cmd = "gcc -c $< -o $@",
                )

                """
            // The first object is 4 MiB, so that one body does not fit into any buffer on its way.
            let size = number == 0 ? 4 << 20 : 64 + number
            try write("char bytes\(number)[\(size)] = {1};\n", to: "source\(number).c")
        }
        try write(rules, to: "BUILD")
    }

    /// Runs `body` and ends the Bazel server of the first output base, whatever happens.
    func use(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            _ = try? await run("shutdown")
            throw error
        }
        _ = try await run("shutdown")
    }

    /// Builds everything and answers how many actions ended in which way.
    func build() async throws -> [String: Int] {
        try Self.counts(try await run("build", Self.buildFlags + ["--remote_cache=\(remoteCache)", "//:all"]))
    }

    /// The same from an empty output base, in one process: `--batch` leaves no server behind.
    func buildInFreshOutputBase() async throws -> [String: Int] {
        let flags = Self.buildFlags + ["--remote_cache=\(remoteCache)", "//:all"]
        return try Self.counts(try await run("build", flags, outputBase: "second", startup: ["--batch"]))
    }

    func clean() async throws {
        _ = try await run("clean")
    }

    // Sandboxes need more than a container gives; a fixed PATH keeps the machine's own out of the keys.
    private static let buildFlags = [
        "--host_javabase=@local_jdk//:jdk",
        "--spawn_strategy=local",
        "--incompatible_strict_action_env",
        "--experimental_convenience_symlinks=ignore",
        "--noshow_progress",
        "--color=no",
        "--curses=no",
    ]

    private func run(
        _ command: String,
        _ flags: [String] = [],
        outputBase: String = "first",
        startup: [String] = [],
    ) async throws -> String {
        // No configuration of this machine counts, so what Debian's own says has to be repeated: its Bazel
        // carries no archive in itself and finds its parts in --install_base.
        let common = [
            "--ignore_all_rc_files",
            "--install_base=/usr/share/bazel",
            "--trust_install_base",
            "--output_user_root=\(folder)/user",
            "--output_base=\(folder)/\(outputBase)",
            // A server that nobody shuts down, because the tests were killed, goes by itself.
            "--max_idle_secs=60",
            // A short life: the second compiler of the virtual machine would not pay off.
            "--host_jvm_args=-XX:TieredStopAtLevel=1",
            "--host_jvm_args=-XX:+UseSerialGC",
            "--host_jvm_args=-Xmx512m",
        ]
        let result = try await runProgram(
            "bazel",
            common + startup + [command] + flags,
            environment: ["JAVA_HOME": "/usr/lib/jvm/default-java"],
            in: workspace,
            timeoutSeconds: 600,
        )
        try #require(result.status == 0, "bazel \(command): \(result.errors)")
        return result.errors
    }

    /// "INFO: 31 processes: 30 remote cache hit, 1 internal." as `["remote cache hit": 30, "internal": 1]`.
    private static func counts(_ report: String) throws -> [String: Int] {
        #expect(!report.contains("Remote Cache"), "Bazel warns about the cache: \(report)")
        let lines = report.split(separator: "\n")
        let summary = try #require(lines.last { $0.contains(" processes: ") }, "no summary: \(report)")
        let parts = try #require(summary.split(separator: ": ").last).split(separator: ", ")
        var counts: [String: Int] = [:]
        for part in parts {
            let words = part.split(separator: " ", maxSplits: 1)
            try #require(words.count == 2, "not a count: \(part)")
            let kind = words[1].hasSuffix(".") ? words[1].dropLast() : words[1]
            let count: Int = try #require(Int(words[0]), "not a number: \(part)")
            counts[String(kind)] = count
        }
        return counts
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(workspace)/\(name)", atomically: false, encoding: .utf8)
    }
}
