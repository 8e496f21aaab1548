import Foundation
import LarderTestSupport
import Testing

/// `larder login` and `logout`: what is stored, who reads it, and where the token goes.
@Suite struct LoginCommandTests {
    private static let token = "t0ken-of-the-tests"

    private func file(_ job: Job) -> String { "\(job.home)/.config/larder/client.json" }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// Runs a command without the variables that win over what is stored.
    private func run(_ job: Job, _ arguments: String...) async throws -> ProgramResult {
        let result = try await job.run(arguments, ["LARDER_URL": "", "LARDER_TOKEN": ""])
        // Whatever happens, a log of a CI is no place for it.
        #expect(!(result.output + result.errors).contains(Self.token), "\(arguments)")
        return result
    }

    /// Logs in with the token.
    private func logIn(_ job: Job, _ url: String) async throws {
        try job.write("token", "\(Self.token)\n")
        let result = try await run(job, "login", url, "--token-file", "token")
        try #require(result.status == 0, "\(result.errors)")
        #expect(result.output.hasPrefix("larder "))
        #expect(result.output.contains(file(job)))
    }

    @Test func whatIsStoredIsTheUsersAloneAndFindsTheServer() async throws {
        try await withJob { server, job in
            try await BreakingProxy.with(server) { proxy in
                try await logIn(job, "\(proxy.url)/")
                #expect(try mode(file(job)) == 0o600)
                #expect(try mode("\(job.home)/.config/larder") == 0o700)
                #expect(proxy.events == ["Authorization: Bearer \(Self.token)"])

                try job.write("file", "text")
                #expect(try await run(job, "cache", "save", "--key", "k", "--path", "file").status == 0)
                #expect(try await run(job, "artifact", "push", "app:1", "file").status == 0)
                #expect(proxy.events.count > 3)
                #expect(Set(proxy.events) == ["Authorization: Bearer \(Self.token)"])
                #expect(try await job.succeed("cache", "ls").contains("k "))

                #expect(try await run(job, "logout").output == "removed \(file(job))\n")
                #expect(!job.exists(file(job)))
                let count = proxy.events.count
                // No address is known any more, and none of its old one is used.
                #expect(try await run(job, "cache", "ls", "--url", proxy.url).status == 0)
                #expect(proxy.events.count == count)
                let again = try await run(job, "logout")
                #expect((again.status, again.output) == (0, "there is no login in \(file(job))\n"))
            }
        }
    }

    @Test func variablesWinOverWhatIsStored() async throws {
        try await withJob { server, job in
            try await BreakingProxy.with(server) { stored in
                try await BreakingProxy.with(server) { named in
                    try await logIn(job, stored.url)
                    let count = stored.events.count
                    // The token goes to the server that it was stored for, and to no other.
                    #expect(try await job.run(["cache", "ls"], ["LARDER_URL": named.url]).status == 0)
                    #expect(named.events == [])
                    #expect(named.byteCount > 0)
                    let other = ["LARDER_URL": named.url, "LARDER_TOKEN": "other"]
                    #expect(try await job.run(["cache", "ls"], other).status == 0)
                    #expect(named.events == ["Authorization: Bearer other"])
                    #expect(stored.events.count == count)
                    #expect(try await job.run(["cache", "ls"], ["LARDER_URL": stored.url]).status == 0)
                    #expect(stored.events.last == "Authorization: Bearer \(Self.token)")
                    let mixed = ["LARDER_URL": "", "LARDER_TOKEN": "other"]
                    #expect(try await job.run(["cache", "ls"], mixed).status == 0)
                    #expect(stored.events.last == "Authorization: Bearer other")
                }
            }
        }
    }

    @Test func aFileThatOthersCanReadIsNotUsed() async throws {
        try await withJob { server, job in
            try await BreakingProxy.with(server) { proxy in
                try await logIn(job, proxy.url)
                let count = proxy.events.count
                try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file(job))
                for (arguments, status) in [(["cache", "ls"], 1), (["artifact", "ls", "app"], 1)] {
                    let refused = try await job.run(arguments, ["LARDER_URL": ""])
                    #expect(Int(refused.status) == status)
                    #expect(refused.errors.contains("is open to others and not used"))
                    #expect(!refused.errors.contains(Self.token))
                }
                let restore = try await run(job, "cache", "restore", "--key", "k")
                #expect((restore.status, restore.output) == (0, ""))
                #expect(restore.errors.contains("warning: the cache was not restored: "))
                #expect(proxy.events.count == count)
                // Logging in again settles it.
                try await logIn(job, proxy.url)
                #expect(try mode(file(job)) == 0o600)
                #expect(try await run(job, "cache", "ls").status == 0)
            }
        }
    }

    @Test func aTokenIsReadFromStandardInput() async throws {
        try await withJob { server, job in
            try await BreakingProxy.with(server) { proxy in
                let script = "printf '%s\\n' \(Self.token) | \"$0\" login \(proxy.url) --token-stdin"
                let result = try await runProgram("sh", ["-c", script, larderPath], environment: job.variables)
                #expect(result.status == 0, "\(result.errors)")
                #expect(!result.output.contains(Self.token))
                #expect(proxy.events == ["Authorization: Bearer \(Self.token)"])
                #expect(readText(file(job)).contains(Self.token))
            }
        }
    }

    @Test(arguments: [
        (arguments: ["http://127.0.0.1:1"], status: 1, says: "no answer from the server at http://127.0.0.1:1"),
        (arguments: ["cache.example"], status: 1, says: "is to be the address of a server"),
        (arguments: ["http://user:word@cache.example"], status: 1, says: "is to be the address of a server"),
        (arguments: ["http://127.0.0.1:1", "--token-file", "nope"], status: 1, says: "can't read the token in nope"),
        (arguments: ["http://127.0.0.1:1", "--token-file", "two"], status: 1, says: "a token is one word"),
        (arguments: ["http://127.0.0.1:1", "--token-file", "none"], status: 1, says: "a token is one word"),
        (arguments: ["--token-file", "two", "--token-stdin"], status: 64, says: "not both"),
        (arguments: ["--token", "word"], status: 64, says: "Unknown option '--token'"),
    ])
    func aLoginThatFailsStoresNothing(arguments: [String], status: Int, says: String) async throws {
        try await withJob(at: "") { job in
            try job.write("two", "two words\n")
            try job.write("none", "\n")
            let result = try await job.run(["login"] + arguments)
            #expect(Int(result.status) == status)
            #expect(result.output == "")
            #expect(result.errors.contains(says), "\(result.errors)")
            #expect(!job.exists(file(job)))
        }
    }
}
