import Foundation
import LarderTestSupport
import Testing

/// The real Bazel with a token in the address of its cache, as its users write it.
///
/// What is relied on in Debian's 4.2.3, beside what `BazelClientTests` names:
/// - What stands before the `@` is sent as Basic with every request, in the alphabet of base64 that is safe in URLs.
/// - A refusal is a warning that names "Remote Cache"; the build goes on.
@Suite(.serialized)
struct BazelLoginTests {
    private struct Step {
        let name: String
        let login: String
        let summary: String
        /// What is said of the cache; nil: nothing.
        let warning: String?
    }

    @Test
    func aTokenInTheAddressLetsBazelIn() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let reader = try await server.makeToken("reader", "app:read")
                let writer = try await server.makeToken("writer", "app:read,write")
                let workspace = try BazelWorkspace(in: folder)
                let (ran, hit) = ("4 processes: 1 internal, 3 local.", "4 processes: 3 remote cache hit, 1 internal.")
                let steps = [
                    Step(name: "nobody", login: "", summary: ran, warning: "a token is needed to read app"),
                    Step(name: "wrong", login: "ada:wrong", summary: ran, warning: "the token is unknown"),
                    Step(name: "reader", login: "ada:\(reader)", summary: ran, warning: "Writing to Remote Cache"),
                    // That it runs again shows that nothing was stored.
                    Step(name: "writer", login: "ada:\(writer)", summary: ran, warning: nil),
                    Step(name: "reader again", login: "ada:\(reader)", summary: hit, warning: nil),
                    Step(name: "token alone", login: reader, summary: hit, warning: nil),
                ]
                try await workspace.use {
                    for step in steps {
                        let report = try await workspace.build(server.address(step.login, "/bazel/app"))
                        #expect(report.contains(step.summary), "\(step.name): \(report)")
                        if let warning = step.warning {
                            #expect(report.contains(warning), "\(step.name): \(report)")
                        } else {
                            #expect(!report.contains("Remote Cache"), "\(step.name): \(report)")
                        }
                        #expect(!report.contains("larder_"), "\(step.name): \(report)")
                    }
                }
            }
        }
    }
}

/// Three genrules, and the Bazel server that builds them.
private struct BazelWorkspace {
    let folder: String
    let path: String

    init(in folder: String) throws {
        self.folder = folder
        path = "\(folder)/workspace"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var rules = ""
        for number in 0..<3 {
            rules += """
                genrule(name = "r\(number)", srcs = ["s\(number)"], outs = ["o\(number)"], cmd = "cp $< $@")

                """
            try "\(number)".write(toFile: "\(path)/s\(number)", atomically: false, encoding: .utf8)
        }
        try rules.write(toFile: "\(path)/BUILD", atomically: false, encoding: .utf8)
        try "workspace(name = \"login\")\n"
            .write(toFile: "\(path)/WORKSPACE", atomically: false, encoding: .utf8)
    }

    /// Runs `body` and ends the Bazel server, whatever happens.
    func use(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            _ = try? await run("shutdown")
            throw error
        }
        _ = try await run("shutdown")
    }

    /// Builds everything anew; returns what Bazel said.
    func build(_ cache: String) async throws -> String {
        _ = try await run("clean")
        // As in `BazelClientTests`.
        let flags = [
            "--host_javabase=@local_jdk//:jdk", "--spawn_strategy=local", "--incompatible_strict_action_env",
            "--experimental_convenience_symlinks=ignore", "--noshow_progress", "--color=no", "--curses=no",
        ]
        return try await run("build", flags + ["--remote_cache=\(cache)", "//:all"])
    }

    private func run(_ command: String, _ flags: [String] = []) async throws -> String {
        let common = [
            "--ignore_all_rc_files", "--install_base=/usr/share/bazel", "--trust_install_base",
            "--output_user_root=\(folder)/user", "--output_base=\(folder)/output", "--max_idle_secs=60",
            "--host_jvm_args=-XX:TieredStopAtLevel=1", "--host_jvm_args=-XX:+UseSerialGC", "--host_jvm_args=-Xmx512m",
        ]
        let result = try await runProgram(
            "bazel",
            common + [command] + flags,
            environment: ["JAVA_HOME": "/usr/lib/jvm/default-java"],
            in: path,
            timeoutSeconds: 600
        )
        try #require(result.status == 0, "bazel \(command): \(result.errors)")
        return result.errors
    }
}
