import LarderTestSupport
import Testing

@testable import LarderClient

/// What is checked out is read from git's files in all the shapes they have.
@Suite struct GitFolderTests {
    private static let commit = String(repeating: "1a", count: 20)
    private static let other = String(repeating: "2b", count: 20)

    private func read(_ files: [String: String], from folder: String = "/w/src") -> GitFolder? {
        GitFolder(containing: folder) { path in
            // As a system would, with the dots taken out.
            var parts: [Substring] = []
            for part in path.split(separator: "/") {
                if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
            }
            return files["/" + parts.joined(separator: "/")].map { Array($0.utf8) }
        }
    }

    @Test func aBranchIsReadWithItsCommit() {
        let git = read([
            "/w/.git/HEAD": "ref: refs/heads/feature/x\n", "/w/.git/refs/heads/feature/x": "\(Self.commit)\n",
            "/w/.git/config":
                "[core]\n\turl = no\n[remote \"origin\"]\n\turl = https://host/x.git\n[remote \"b\"]\nurl=c\n",
        ])
        #expect(git?.reference == "refs/heads/feature/x")
        #expect(git?.commit == Self.commit)
        #expect(git?.origin == "https://host/x.git")
    }

    @Test func aDetachedHeadIsACommit() {
        let git = read(["/w/src/.git/HEAD": "\(Self.commit)\n"])
        #expect(git?.reference == nil)
        #expect(git?.commit == Self.commit)
    }

    @Test func packedReferencesAreRead() {
        let packed =
            "# pack-refs with: peeled\n\(Self.other) refs/heads/x/main\n\(Self.commit) refs/heads/main\n^\(Self.other)\n"
        let git = read(["/w/.git/HEAD": "ref: refs/heads/main\n", "/w/.git/packed-refs": packed])
        #expect(git?.commit == Self.commit)
    }

    @Test func aWorktreeSharesReferences() {
        let git = read([
            "/w/src/.git": "gitdir: /repo/.git/worktrees/src\n",
            "/repo/.git/worktrees/src/HEAD": "ref: refs/heads/x\n",
            "/repo/.git/worktrees/src/commondir": "../..\n",
            "/repo/.git/packed-refs": "\(Self.commit) refs/heads/x\n",
            "/repo/.git/config": "[remote \"origin\"]\n  url = git@host:x.git\n",
        ])
        #expect(git?.reference == "refs/heads/x")
        #expect(git?.commit == Self.commit)
        #expect(git?.origin == "git@host:x.git")
    }

    @Test func aSubmoduleLiesInItsParent() {
        let git = read([
            "/w/src/.git": "gitdir: ../.git/modules/src",
            "/w/.git/modules/src/HEAD": "ref: refs/heads/m",
            "/w/.git/modules/src/refs/heads/m": Self.commit,
            "/w/.git/HEAD": "ref: refs/heads/parent",
        ])
        #expect(git?.reference == "refs/heads/m")
        #expect(git?.commit == Self.commit)
    }

    @Test func aBranchWithoutCommitsHasNone() {
        let git = read(["/w/.git/HEAD": "ref: refs/heads/main\n"])
        #expect(git?.reference == "refs/heads/main")
        #expect(git?.commit == nil)
    }

    @Test func otherFormatsAndDamageAreUnknown() {
        #expect(read(["/w/.git/HEAD": "ref: refs/heads/.invalid\n"])?.reference == nil)
        #expect(read(["/w/.git/HEAD": "what\n"])?.commit == nil)
        #expect(read(["/w/.git/HEAD": "ref: ../../etc/passwd\n"])?.reference == nil)
        #expect(read(["/w/.git": "what\n"]) == nil)
        #expect(read([:]) == nil)
        #expect(read([:], from: "/") == nil)
        // References that go round.
        let round = read(["/w/.git/HEAD": "ref: refs/heads/a", "/w/.git/refs/heads/a": "ref: refs/heads/a"])
        #expect(round?.commit == nil)
    }

    @Test func theProgramsOwnRepositoriesAreRead() async throws {
        try await withTemporaryFolder { folder in
            let script = """
                set -e; cd "$1"; git init -q -b trunk repo; cd repo
                git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x
                git remote add origin https://me:secret@host/x.git
                git branch side; git pack-refs --all; git worktree add -q ../tree side; git rev-parse HEAD
                """
            let environment = ["HOME": folder, "GIT_CONFIG_NOSYSTEM": "1"]
            let result = try await runProgram("sh", ["-c", script, "sh", folder], environment: environment)
            try #require(result.status == 0, "\(result.errors)")
            let commit = result.output.filter { $0 != "\n" }
            for (place, branch) in [("repo", "trunk"), ("tree", "side")] {
                let job = try JobEnvironment.current(environment: ["USER": "ann"], folder: "\(folder)/\(place)")
                #expect(job.commit == commit)
                #expect(job.branch == branch)
                #expect(job.source == "https://host/x.git")
                #expect(job.actor == "ann")
                #expect(job.scopes == ["refs/heads/\(branch)", "refs/heads/main", "refs/heads/master"])
            }
        }
    }
}
