import Foundation
import LarderTestSupport
import Testing

/// `larder cache` as a job calls it: what it restores, what it says, and how it ends.
@Suite struct CacheCommandTests {
    // MARK: - Round trip

    /// A tree with all that a cache keeps: 2,004 files and other things.
    private func makeTree(_ job: Job) throws {
        for number in 0..<2000 { try job.write("tree/many/\(number % 40)/\(number)", "file \(number)") }
        try job.write("tree/bin/tool", "#!/bin/sh\n", mode: 0o755)
        try job.write("tree/private/key", "secret", mode: 0o600)
        try job.write("tree/ünï/日本/ñ é.txt", "text")
        try job.write("tree/nothing", "")
        try FileManager.default.createDirectory(atPath: job.path("tree/empty"), withIntermediateDirectories: false)
        try job.link("tree/latest", to: "bin/tool")
        try job.link("tree/dangling", to: "../nowhere")
        try FileManager.default.linkItem(atPath: job.path("tree/bin/tool"), toPath: job.path("tree/bin/other"))
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: job.path("tree/private"))
        try job.setModified("tree/bin/tool", seconds: 981_173_106, nanoseconds: 123_456_789)
        try job.setModified("tree/nothing", seconds: 1, nanoseconds: 1)
        try job.setModified("tree/dangling", seconds: 1_000_000_000, nanoseconds: 999_999_999)
        try job.setModified("tree/empty", seconds: 1_100_000_000, nanoseconds: 7)
        try job.setModified("tree", seconds: 1_200_000_000, nanoseconds: 8)
    }

    @Test func aTreeComesBackAsItWas() async throws {
        try await withJob { _, job in
            try makeTree(job)
            let before = try job.snapshot("tree")
            let saved = try await job.succeed("cache", "save", "--key", "k", "--path", "tree")
            #expect(saved.hasPrefix("saved: k (2,004 files, "))
            try job.remove("tree")
            let restored = try await job.succeed("cache", "restore", "--key", "k")
            #expect(restored.hasPrefix("exact hit: k (2,004 files, "))
            #expect(try job.snapshot("tree") == before)
            let again = try await job.report("restore", "--key", "k", "--path", "tree")
            #expect(again.outcome == "exact")
            #expect((again.files, again.transferredFiles, again.transferredBytes) == (2004, 0, 0))
            #expect(try job.names() == ["tree"])
        }
    }

    // MARK: - What it says

    @Test func whatWasFoundIsToldByTextAndByExitCode() async throws {
        let cases: [(arguments: [String], status: Int32, says: String, outcome: String)] = [
            (["--key", "npm-1"], 0, "exact hit: npm-1 (1 file, 4 B; 0 files and 0 B transferred)\n", "exact"),
            (
                ["--key", "npm-2", "--restore-key", "go-", "--restore-key", "npm-"], 3,
                "fallback hit: npm-1 for restore key npm- (1 file, 4 B; 0 files and 0 B transferred)\n", "fallback"
            ),
            (["--key", "other"], 4, "miss: no entry for other\n", "miss"),
            // A key is no prefix.
            (["--key", "npm-"], 4, "miss: no entry for npm-\n", "miss"),
        ]
        try await withJob { _, job in
            try job.write("file", "text")
            try await job.succeed("cache", "save", "--key", "npm-1", "--path", "file")
            for (arguments, status, says, outcome) in cases {
                let plain = try await job.run(["cache", "restore"] + arguments)
                #expect((plain.status, plain.output) == (0, says))
                let coded = try await job.run(["cache", "restore", "--exit-code", "--json"] + arguments)
                #expect(coded.status == status, "\(arguments)")
                let report = try JSONDecoder().decode(Job.Report.self, from: Data(coded.output.utf8))
                #expect(report.outcome == outcome)
                #expect(report.matchedKey == (outcome == "miss" ? nil : "npm-1"))
                // A miss is nothing to fail for.
                #expect(try await job.run(["cache", "restore", "--strict"] + arguments).status == 0)
            }
        }
    }

    @Test(arguments: [
        (arguments: ["restore", "--key", "k"], status: 0),
        (arguments: ["restore", "--key", "k", "--exit-code"], status: 5),
        (arguments: ["restore", "--key", "k", "--strict"], status: 1),
        (arguments: ["save", "--key", "k", "--path", "file"], status: 0),
        (arguments: ["save", "--key", "k", "--path", "file", "--strict"], status: 1),
    ])
    func aServerThatIsDownIsAWarningUnlessStrict(arguments: [String], status: Int) async throws {
        try await withJob(at: "http://127.0.0.1:1") { job in
            try job.write("file", "text")
            let result = try await job.run(["cache"] + arguments)
            #expect(Int(result.status) == status)
            #expect(result.output == "")
            #expect(result.errors.hasPrefix(status == 1 ? "Error: " : "warning: the cache was not "))
            #expect(result.errors.contains("no answer from the server at http://127.0.0.1:1"))
        }
    }

    @Test(arguments: [
        (arguments: ["save", "--path", "file"], says: "name the entry by --key or --buildspec"),
        (arguments: ["save", "--key", "k"], says: "name what is to be saved by --path or --buildspec"),
        (arguments: ["restore"], says: "name the entry by --key or --buildspec"),
        (arguments: ["save", "--key", "", "--path", "file"], says: "the key is empty"),
        (arguments: ["save", "--key", "a\nb", "--path", "file"], says: "control character"),
        (arguments: ["save", "--key", "{{ when }}", "--path", "file"], says: "'when' is no function"),
        (arguments: ["save", "--key", "{{ os", "--path", "file"], says: "{{ has no }}"),
        (arguments: ["save", "--key", "{{ env \"NOPE\" }}", "--path", "file"], says: "needs the variable NOPE"),
        (arguments: ["save", "--key", "{{ branch }}", "--path", "file"], says: "name it by --branch"),
        (arguments: ["save", "--key", "k", "--path", ""], says: "a path is empty"),
        (arguments: ["save", "--key", "k", "--path", "file", "--repo", "No Name"], says: "is no name of a repository"),
        (arguments: ["save", "--key", "k", "--path", "file", "--scope", "a\nb"], says: "is no scope"),
        (arguments: ["restore", "--key", "k", "--restore-key", ""], says: "the key is empty"),
        (arguments: ["restore", "--buildspec", "nope.yml"], says: "can't read nope.yml"),
    ])
    func mistakesOnTheCommandLineEndWith64(arguments: [String], says: String) async throws {
        try await withJob(at: "http://127.0.0.1:1") { job in
            try job.write("file", "text")
            let result = try await job.run(["cache"] + arguments)
            #expect(result.status == 64)
            #expect(result.output == "")
            #expect(result.errors.contains(says), "\(result.errors)")
        }
    }

    // MARK: - Scopes

    private func github(_ reference: String, base: String = "") -> [String: String] {
        [
            "GITHUB_ACTIONS": "true", "GITHUB_REF": reference, "GITHUB_BASE_REF": base, "GITHUB_HEAD_REF": "",
            "GITHUB_EVENT_NAME": base.isEmpty ? "push" : "pull_request", "GITHUB_EVENT_PATH": "",
        ]
    }

    private func gitlab(_ branch: String, mergingInto target: String? = nil, main: String) -> [String: String] {
        [
            "GITLAB_CI": "true", "CI_COMMIT_BRANCH": target == nil ? branch : "", "CI_COMMIT_TAG": "",
            "CI_COMMIT_REF_NAME": branch, "CI_DEFAULT_BRANCH": main, "CI_EXTERNAL_PULL_REQUEST_IID": "",
            "CI_MERGE_REQUEST_IID": target == nil ? "" : "5", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": target ?? "",
        ]
    }

    @Test func aJobReadsItsOwnBranchThenTheBaseThenTheDefaultBranch() async throws {
        let own = "refs/heads/"
        let cases: [(job: [String: String], scope: String?)] = [
            (github("refs/heads/feature"), own + "feature"), (github("refs/heads/other"), own + "main"),
            (github("refs/heads/main"), own + "main"), (github("refs/pull/7/merge", base: "feature"), own + "feature"),
            (github("refs/pull/7/merge", base: "other"), own + "main"), (github("refs/tags/v1"), own + "main"),
            (gitlab("other", main: "trunk"), own + "trunk"), (gitlab("trunk", main: "trunk"), own + "trunk"),
            (gitlab("x", mergingInto: "feature", main: "trunk"), own + "feature"),
            (gitlab("other", main: "elsewhere"), nil), ([:], own + "main"),
        ]
        try await withJob { _, job in
            let saves = [
                github("refs/heads/main"), github("refs/heads/feature"), gitlab("trunk", main: "trunk"),
                // What a pull request saved is read by nobody else.
                github("refs/pull/9/merge", base: "main"),
            ]
            for (number, environment) in saves.enumerated() {
                try job.write("file", "\(number)")
                _ = try await job.report("save", "--key", "k", "--path", "file", environment: environment)
            }
            for (environment, scope) in cases {
                let report = try await job.report("restore", "--key", "k", environment: environment)
                #expect(report.scope == scope, "\(environment)")
                #expect(report.outcome == (scope == nil ? "miss" : "exact"), "\(environment)")
            }
            let named = try await job.report("restore", "--key", "k", "--read-scope", "refs/pull/9/merge")
            #expect(named.scope == "refs/pull/9/merge")
            #expect(job.text("file") == "3")
        }
    }

    // MARK: - Keys

    @Test func keysAreImmutableUnlessTheRepositoryAllowsOverwriting() async throws {
        let save = ["cache", "save", "--key", "k", "--path", "file"]
        try await withJob { server, job in
            try job.write("file", "one")
            try await job.succeed("cache", "save", "--key", "k", "--path", "file")
            // Times are no content.
            try job.setModified("file", seconds: 1_000_000_000, nanoseconds: 0)
            let unchanged = try await job.report("save", "--key", "k", "--path", "file")
            #expect((unchanged.outcome, unchanged.transferredFiles) == ("unchanged", 0))

            try job.write("file", "two")
            let taken = try await job.run(save)
            #expect((taken.status, taken.output) == (0, ""))
            #expect(taken.errors.contains("keys are immutable"))
            #expect(try await job.run(save + ["--strict"]).status == 1)
            let refused = try await job.run(save + ["--overwrite"])
            #expect(refused.status == 0)
            #expect(refused.errors.contains("larder repo set main --allow-overwrite true"))
            #expect(try await job.report("save", "--key", "k", "--path", "file").outcome == "taken")
            try await job.succeed("cache", "restore", "--key", "k")
            #expect(job.text("file") == "one")

            #expect(try await server.larder("repo", "set", "main", "--allow-overwrite", "true").status == 0)
            try job.write("file", "two")
            #expect(try await job.run(save).errors.contains("keys are immutable"))
            #expect(try await job.run(save + ["--overwrite", "--strict"]).output.hasPrefix("saved: k "))
            try job.remove("file")
            try await job.succeed("cache", "restore", "--key", "k")
            #expect(job.text("file") == "two")
        }
    }

    @Test func theNewestEntryOfAPrefixIsRestored() async throws {
        try await withJob { _, job in
            for key in ["p-1", "p-3", "q-1", "p-2"] {
                try job.write("file", key)
                try await job.succeed("cache", "save", "--key", key, "--path", "file")
            }
            for (prefixes, found) in [(["p-"], "p-2"), (["none-", "p-3", "p-"], "p-3"), (["q", "p-"], "q-1")] {
                let result = try await job.run(
                    ["cache", "restore", "--key", "p-9"] + prefixes.flatMap { ["--restore-key", $0] }
                )
                #expect(result.output.hasPrefix("fallback hit: \(found) for restore key "))
                #expect(job.text("file") == found)
            }
        }
    }

    @Test func keysAreTemplates() async throws {
        try await withJob { _, job in
            try job.write("package-lock.json", "{}")
            try job.write("a/b/yarn.lock", "# yarn")
            let hash = try await job.succeed("cache", "hash", "package-lock.json", "**/yarn.lock").dropLast()
            #expect(hash.count == 64)
            let hashed = try await job.report(
                "save",
                "--key",
                "npm-{{ hash \"package-lock.json\" \"**/yarn.lock\" }}",
                "--path",
                "a"
            )
            #expect(hashed.key == "npm-\(hash)")
            let named = try await job.report(
                "save",
                "--key",
                "{{ os }}-{{ arch }}-{{ env \"NODE\" }}-{{ env \"NOPE\" \"none\" }}-{{ branch }}",
                "--path",
                "a",
                environment: github("refs/heads/topic").merging(["NODE": "20"]) { $1 }
            )
            #expect(named.key.hasPrefix("linux-"))
            #expect(named.key.hasSuffix("-20-none-topic"))
            try job.write("a/b/yarn.lock", "# changed")
            let changed = try await job.report("restore", "--key", "npm-{{ hash \"**/yarn.lock\" }}")
            #expect(changed.outcome == "miss")
            let nothing = try await job.run(["cache", "hash", "*.nope"])
            #expect((nothing.status, nothing.output) == (0, "\n"))
            #expect(nothing.errors.contains("no file matches *.nope"))
        }
    }

    // MARK: - Looking at a cache

    @Test func entriesAreListedCountedAndRemoved() async throws {
        struct Entry: Decodable {
            let key: String
            let scope: String
            let fileCount: Int
        }
        try await withJob { _, job in
            #expect(try await job.succeed("cache", "ls") == "no entries in main\n")
            try job.write("file", "text")
            let branch = github("refs/heads/topic")
            try await job.succeed("cache", "save", "--key", "npm-1", "--path", "file")
            try await job.succeed("cache", "save", "--key", "npm-1", "--path", "file", environment: branch)
            try await job.succeed("cache", "save", "--key", "go-1", "--path", "file", environment: branch)

            let list = try await job.succeed("cache", "ls", "--json", "--prefix", "npm-")
            let entries = try JSONDecoder().decode([Entry].self, from: Data(list.utf8))
            #expect(entries.map(\.key) == ["npm-1", "npm-1"])
            #expect(Set(entries.map(\.scope)) == ["default", "refs/heads/topic"])
            #expect(entries.map(\.fileCount) == [1, 1])
            let lines = try await job.succeed("cache", "ls", "--scope", "refs/heads/topic").split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines[0].hasPrefix("KEY"))
            let stats = try await job.succeed("cache", "stats")
            for text in ["entries     3\n", "content     12 B\n", "most in     refs/heads/topic, 2\n"] {
                #expect(stats.contains(text), "\(stats)")
            }

            let removed = try await job.succeed("cache", "rm", "npm-1", "--scope", "default")
            #expect(removed == "removed npm-1 of default\n")
            let rest = try await job.run(["cache", "rm", "npm-1", "nope"])
            #expect(rest.status == 1)
            #expect(rest.output == "removed npm-1 of refs/heads/topic\n")
            #expect(rest.errors.contains("not in main: nope"))
            #expect(try await job.report("restore", "--key", "npm-1", environment: branch).outcome == "miss")
            #expect(try await job.report("restore", "--key", "go-1", environment: branch).outcome == "exact")
        }
    }

    @Test(arguments: [
        ["cache"], ["cache", "save"], ["cache", "restore"], ["cache", "ls"], ["cache", "rm"], ["cache", "stats"],
        ["cache", "hash"], ["artifact"], ["artifact", "push"], ["artifact", "pull"], ["artifact", "ls"],
        ["artifact", "show"], ["artifact", "cat"], ["artifact", "tag"], ["artifact", "promote"],
        ["artifact", "diff"], ["artifact", "rm"], ["login"], ["logout"],
    ])
    func everyHelpHasAnExample(command: [String]) async throws {
        let result = try await runProgram(larderPath, command + ["--help"])
        #expect((result.status, result.errors) == (0, ""))
        #expect(result.output.contains("Example"))
        #expect(result.output.contains("  " + (["larder"] + command).joined(separator: " ")))
    }
}
