import Foundation
import Glibc
import LarderClient
import LarderTestSupport
import Testing

/// `larder artifact` and a server: what is pushed comes back, and other clients see it.
@Suite struct ArtifactCommandTests {
    private let python = "python"

    /// Runs a command in a folder; fails the test when it does.
    private func artifact(
        _ server: LiveServer,
        _ arguments: [String],
        in folder: String,
        environment: [String: String] = [:]
    ) async throws -> String {
        let result = try await command(server, arguments, in: folder, environment: environment)
        guard result.status == 0 else { throw TestFailure("\(arguments): \(result.errors)") }
        return result.output
    }

    private func command(
        _ server: LiveServer,
        _ arguments: [String],
        in folder: String,
        environment: [String: String] = [:]
    ) async throws -> ProgramResult {
        // The job that runs the tests is no job of the tests.
        let silenced = ["GITHUB_ACTIONS", "GITLAB_CI", "CODEBUILD_BUILD_ID", "BUILDKITE", "CIRCLECI"]
        var variables = Dictionary(uniqueKeysWithValues: silenced.map { ($0, "") })
        variables["LARDER_URL"] = server.url
        return try await runProgram(
            larderPath,
            ["artifact"] + arguments,
            environment: variables.merging(environment) { $1 },
            in: folder
        )
    }

    private func makeTree(_ folder: String) throws {
        try write("hello", to: "\(folder)/dist/app.js")
        try write("tool", to: "\(folder)/dist/bin/tool", mode: 0o755)
        try write("", to: "\(folder)/dist/nothing")
        try FileManager.default.createDirectory(atPath: "\(folder)/dist/empty", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/dist/latest", withDestinationPath: "bin")
    }

    private static let tree = [
        "dist/ 755", "dist/app.js 644 hello", "dist/bin/ 755", "dist/bin/tool 755 tool", "dist/empty/ 755",
        "dist/latest -> bin", "dist/nothing 644 ",
    ]

    @Test func whatIsPushedComesBack() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "team/app:1,latest", "dist", "--label", "a=b"], in: folder)
                _ = try await artifact(server, ["pull", "team/app:1", "-o", "out"], in: folder)
                #expect(try listing(of: "\(folder)/out") == Self.tree)
                let again = try await artifact(server, ["push", "team/app:1", "dist", "--label", "a=b"], in: folder)
                #expect(again.contains("nothing had to be sent"))
                let kept = try await artifact(server, ["pull", "team/app", "-o", "out"], in: folder)
                #expect(kept.contains("3 were there already"))
                let file = try await artifact(server, ["cat", "team/app:1", "dist/bin/tool"], in: folder)
                #expect(file == "tool")
            }
        }
    }

    @Test func aTemporaryFolderIsNeededForBundlesOnly() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            for number in 0...4_000 { try write("\(number)", to: "\(folder)/many/\(number)") }
            let environment = ["TMPDIR": "\(folder)/nowhere"]
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "app:1", "dist"], in: folder, environment: environment)
                let refused = try await command(
                    server,
                    ["push", "app:2", "many"],
                    in: folder,
                    environment: environment
                )
                #expect(refused.status == 1)
                #expect(refused.errors.contains("can't make a folder in \(folder)/nowhere"))
            }
        }
    }

    @Test func anArchiveAppearsOnlyWhenItIsWhole() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try FileManager.default.createDirectory(atPath: "\(folder)/out", withIntermediateDirectories: false)
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "app:1", "dist"], in: folder)
                let refused = try await command(server, ["pull", "app:2", "--zip", "out/app.zip"], in: folder)
                #expect(refused.status == 1)
                #expect(try listing(of: "\(folder)/out").isEmpty)
                _ = try await artifact(server, ["pull", "app:1", "--zip", "out/app.zip"], in: folder)
                #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/out") == ["app.zip"])
            }
        }
    }

    @Test func aVersionIsNeverRewrittenAndTagsMoveWhenAsked() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "app:1", "dist"], in: folder)
                try write("changed", to: "\(folder)/dist/app.js")
                let refused = try await command(server, ["push", "app:1", "dist"], in: folder)
                #expect(refused.status == 1)
                #expect(refused.errors.contains("never rewritten"))
                _ = try await artifact(server, ["push", "app:2,live", "dist"], in: folder)
                let diff = try await artifact(server, ["diff", "app:1", "app:2"], in: folder)
                #expect(diff.hasPrefix("~ dist/app.js"))
                #expect(diff.split(separator: "\n").count == 1)
                let tagged = try await command(server, ["tag", "app:1", "live"], in: folder)
                #expect(tagged.status == 1)
                #expect(tagged.errors.contains("larder artifact promote app:1 live"))
                _ = try await artifact(server, ["promote", "app:1", "live"], in: folder)
                #expect(try await artifact(server, ["cat", "app:live", "dist/app.js"], in: folder) == "hello")
            }
        }
    }

    @Test func manyFilesAreFoldersToORASToo() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            for number in 0...4_000 { try write("\(number)", to: "\(folder)/many/\(number % 10)/\(number)") }
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/many/link", withDestinationPath: "1/1")
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "app:1", "dist", "many"], in: folder)
                _ = try await artifact(server, ["pull", "app:1", "-o", "out"], in: folder)
                #expect(try listing(of: "\(folder)/out/many") == listing(of: "\(folder)/many"))
                let script = """
                    import oras.client
                    client = oras.client.OrasClient(hostname="127.0.0.1:\(server.port)", insecure=True)
                    client.pull(target="127.0.0.1:\(server.port)/app:1", outdir="oras")
                    """
                let result = try await runProgram(python, ["-c", script], in: folder)
                try #require(result.status == 0, "\(result.errors)")
                #expect(try listing(of: "\(folder)/oras/many") == listing(of: "\(folder)/many"))
                #expect(readText("\(folder)/oras/dist/bin/tool") == "tool")
            }
        }
    }

    @Test func whatORASPushedIsPulled() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try write("top", to: "\(folder)/top.txt")
            try await withLiveServer { server in
                let script = """
                    import oras.client
                    client = oras.client.OrasClient(hostname="127.0.0.1:\(server.port)", insecure=True)
                    client.push(target="127.0.0.1:\(server.port)/app:1", files=["top.txt", "dist"])
                    """
                let result = try await runProgram(python, ["-c", script], in: folder)
                try #require(result.status == 0, "\(result.errors)")
                _ = try await artifact(server, ["pull", "app:1", "-o", "out"], in: folder)
                #expect(try listing(of: "\(folder)/out") == Self.tree + ["top.txt 644 top"])
            }
        }
    }

    /// Hands on what a server answers, up to so many bytes, and then nothing more.
    private static let stallingProxy = """
        import socket, sys, threading
        left = [int(sys.argv[2])]
        def forward(source, sink, limited):
            while data := source.recv(65536):
                if limited:
                    left[0] -= len(data)
                    if left[0] < 0: threading.Event().wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            threading.Thread(target=forward, args=(client, server, False), daemon=True).start()
            threading.Thread(target=forward, args=(server, client, True), daemon=True).start()
        """

    @Test func aPullThatIsInterruptedLeavesNothing() async throws {
        try await withTemporaryFolder { folder in
            let random = try #require(FileHandle(forReadingAtPath: "/dev/urandom")?.readData(ofLength: 40 << 20))
            try random.write(to: URL(fileURLWithPath: "\(folder)/big"))
            try write("small", to: "\(folder)/small")
            try await withLiveServer { server in
                _ = try await artifact(server, ["push", "app:1", "big", "small"], in: folder)
                let proxy = try RunningProgram(
                    try findProgram(python),
                    ["-c", Self.stallingProxy, "\(server.port)", "\(8 << 20)"],
                    output: "\(folder)/port",
                    errors: "\(folder)/proxy-errors"
                )
                defer { proxy.signal(SIGKILL) }
                try await waitUntil("the proxy listens") { readText("\(folder)/port").hasSuffix("\n") }
                let port = readText("\(folder)/port").dropLast()
                let output = "\(folder)/out"
                let pull = try RunningProgram(
                    larderPath,
                    ["artifact", "pull", "app:1", "-o", output],
                    environment: ["LARDER_URL": "http://127.0.0.1:\(port)"],
                    output: "\(folder)/stdout",
                    errors: "\(folder)/stderr"
                )
                try await waitUntil("files come") {
                    (try? FileManager.default.subpathsOfDirectory(atPath: output))?
                        .contains { $0.contains("/") && !$0.hasSuffix("/.lock") } == true
                }
                pull.signal(SIGTERM)
                #expect(try await pull.wait() == 128 + SIGTERM)
                #expect(try listing(of: output).isEmpty)
                _ = try await artifact(server, ["pull", "app:1", "-o", "out"], in: folder)
                #expect(FileManager.default.contents(atPath: "\(output)/big") == random)
            }
        }
    }

    @Test func aBuildspecSaysWhatIsPushed() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try write("[{\"name\":\"web\",\"imageUri\":\"app\"}]", to: "\(folder)/imagedefinitions.json")
            try write("<testsuite tests=\"2\" failures=\"1\" time=\"3\"/>", to: "\(folder)/out/junit.xml")
            let buildspec = """
                version: 0.2
                artifacts:
                  name: rel/$NUMBER
                  files: ['dist/**/*', imagedefinitions.json]
                  exclude-paths: ['dist/app.js']
                  secondary-artifacts:
                    Tools: {base-directory: dist/bin, files: ['**/*']}
                    named: {base-directory: dist/bin, files: ['**/*'], name: own-$NUMBER}
                reports:
                  unit: {base-directory: out, files: ['*.xml']}
                """
            try write(buildspec, to: "\(folder)/buildspec.yml")
            try await withLiveServer { server in
                let push = ["push", "app", "--buildspec", "buildspec.yml"]
                let refused = try await command(server, push, in: folder, environment: ["NUMBER": "7"])
                #expect(refused.status == 1)
                #expect(refused.errors.contains("neither a tag nor a digest"))
                try write("[{\"name\":\"web\",\"imageUri\":\"app:1\"}]", to: "\(folder)/imagedefinitions.json")
                _ = try await artifact(server, push, in: folder, environment: ["NUMBER": "7"])
                let shown = try await artifact(server, ["show", "app:rel-7"], in: folder)
                #expect(shown.contains("dist/bin/tool"))
                #expect(!shown.contains("dist/app.js"))
                #expect(shown.contains("2 tests, 1 failed, 3 s"))
                #expect(try await artifact(server, ["cat", "app/tools:rel-7", "tool"], in: folder) == "tool")
                #expect(try await artifact(server, ["cat", "app/named:own-7", "tool"], in: folder) == "tool")
                #expect(try await command(server, ["cat", "app/named:rel-7", "tool"], in: folder).status == 1)
                // A tag on the command line is that of all.
                _ = try await artifact(server, ["push", "app:8", "--buildspec", "buildspec.yml"], in: folder)
                #expect(try await artifact(server, ["cat", "app/named:8", "tool"], in: folder) == "tool")
            }
        }
    }

    @Test func provenanceAndLabelsAreShownAndSearched() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            let job = [
                "GITHUB_ACTIONS": "true", "GITHUB_SHA": String(repeating: "ab", count: 20),
                "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "9", "GITHUB_RUN_NUMBER": "4",
                "GITHUB_REPOSITORY": "team/app", "GITHUB_SERVER_URL": "https://forge.example", "GITHUB_ACTOR": "ada",
                "GITHUB_RUN_ATTEMPT": "1",
            ]
            try await withLiveServer { server in
                let push = ["push", "app", "dist", "--label", "channel=nightly"]
                _ = try await artifact(server, push, in: folder, environment: job)
                _ = try await artifact(server, ["push", "app:other", "dist/app.js"], in: folder)
                let shown = try await artifact(server, ["show", "app:abababababab-4"], in: folder)
                for text in ["branch    main", "by        ada", "https://forge.example/team/app", "channel=nightly"] {
                    #expect(shown.contains(text))
                }
                for label in ["channel=nightly", "dev.larder.branch=main"] {
                    let list = try await artifact(server, ["ls", "app", "--label", label], in: folder)
                    #expect(list.contains("abababababab-4"))
                    #expect(!list.contains("other"))
                }
            }
        }
    }
}
