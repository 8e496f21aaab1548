import Foundation
import Glibc
import LarderTestSupport
import Testing

/// Transfers that end before they are done: by signals, by the end of the server, by connections that are cut.
@Suite struct CacheInterruptionTests {
    /// A first request and the head of its answer are shorter: what is cut later is cut after an answer.
    private static let firstAnswerBytes = 2000

    /// Makes a tree of small files and a large one; returns how many bytes it has.
    ///
    /// `largeSize`: Files from 16 MiB on are sent in parts.
    private func makeTree(_ job: Job, largeSize: Int, _ random: inout SeededGenerator) throws -> Int {
        for number in 0..<100 { try job.write("tree/\(number % 7)/\(number)", random.bytes(5000)) }
        let large = try #require(FileHandle(forReadingAtPath: "/dev/urandom")?.readData(ofLength: largeSize))
        try large.write(to: URL(fileURLWithPath: job.path("tree/large")))
        return 100 * 5000 + largeSize
    }

    private func through(_ proxy: BreakingProxy, _ job: Job) -> Job {
        var job = job
        job.url = proxy.url
        return job
    }

    // MARK: - Signals

    @Test(arguments: [SIGKILL, SIGTERM, SIGINT])
    func aSaveThatASignalEndsMakesNoEntry(signal: Int32) async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        try await withJob { server, job in
            let size = try makeTree(job, largeSize: 17 << 20, &random)
            let before = try job.snapshot("tree")
            // What the first one brought stays, so that the second one sends less.
            for _ in 0..<2 {
                let count = Int.random(in: 10..<size / 2, using: &random)
                try await BreakingProxy.with(server, [.stall(after: count)]) { proxy in
                    let save = try through(proxy, job).start(["cache", "save", "--key", "k", "--path", "tree"])
                    try await waitUntil("\(count) bytes pass, seed \(seed)") { proxy.events == ["stall"] }
                    save.signal(signal)
                    #expect(try await save.wait() == 128 + signal)
                }
                #expect(try await job.succeed("cache", "ls") == "no entries in main\n")
            }
            #expect(try await job.report("save", "--key", "k", "--path", "tree").outcome == "saved")
            try job.remove("tree")
            #expect(try await job.report("restore", "--key", "k").outcome == "exact")
            #expect(try job.snapshot("tree") == before)
        }
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGINT])
    func aRestoreThatASignalEndsPutsNothingInPlace(signal: Int32) async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        try await withJob { server, job in
            let size = try makeTree(job, largeSize: 4 << 20, &random)
            let saved = try job.snapshot("tree")
            try await job.succeed("cache", "save", "--key", "k", "--path", "tree")
            try job.remove("tree")
            for isThere in [false, true] {
                if isThere {
                    try job.write("tree/1/1", "edited")
                    try job.write("tree/own", "mine")
                }
                let before = try job.snapshot("tree")
                let count = Int.random(in: 10..<size - 10_000, using: &random)
                try await BreakingProxy.with(server, [.stall(after: count)]) { proxy in
                    let restore = try through(proxy, job).start(["cache", "restore", "--key", "k"])
                    try await waitUntil("\(count) bytes pass, seed \(seed)") { proxy.events == ["stall"] }
                    restore.signal(signal)
                    #expect(try await restore.wait() == 128 + signal)
                }
                #expect(try job.snapshot("tree") == before, "seed \(seed), after \(count) bytes")
                // Who is killed can clean up nothing; the next restore does.
                if signal != SIGKILL { #expect(try job.names() == (isThere ? ["tree"] : [])) }
            }
            #expect(try await job.report("restore", "--key", "k").outcome == "exact")
            #expect(job.text("tree/own") == "mine")
            try job.remove("tree/own")
            func files(_ lines: [String]) -> [String] { lines.filter { !$0.hasSuffix(" folder") } }
            #expect(try files(job.snapshot("tree")) == files(saved))
            #expect(try job.names() == ["tree"])
        }
    }

    // MARK: - The server's end

    /// Runs a command; the server is killed and started again when so many bytes have passed.
    private func runWhileServerDies(_ server: LiveServer, _ job: Job, _ arguments: [String]) async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        let count = Int.random(in: (1 << 20)..<(90 << 20), using: &random)
        try await BreakingProxy.with(server, [.stall(after: count)]) { proxy in
            let program = try through(proxy, job).start(arguments)
            try await waitUntil("\(count) bytes pass, seed \(seed)") { proxy.events == ["stall"] }
            try await server.killAndRestart()
            let status = try await program.wait()
            let told: Comment = "\(arguments), seed \(seed), \(count) bytes: \(readText("\(job.home)/errors"))"
            #expect(status == 0, told)
            #expect(!readText("\(job.home)/output").contains("miss"), told)
        }
    }

    @Test func aCacheIsSavedAndRestoredAlthoughTheServerIsKilled() async throws {
        try await withJob { server, job in
            var random = SeededGenerator(seed: 9)
            _ = try makeTree(job, largeSize: 100 << 20, &random)
            let before = try job.snapshot("tree")
            try await runWhileServerDies(server, job, ["cache", "save", "--key", "k", "--path", "tree", "--strict"])
            try job.remove("tree")
            try await runWhileServerDies(server, job, ["cache", "restore", "--key", "k", "--strict"])
            #expect(try job.snapshot("tree") == before)
            #expect(try job.names() == ["tree"])
            let check = try await server.larder("check")
            #expect(check.output.contains("no problems"), "\(check.output)")
        }
    }

    @Test func anArtifactIsPushedAndPulledAlthoughTheServerIsKilled() async throws {
        try await withJob { server, job in
            var random = SeededGenerator(seed: 10)
            _ = try makeTree(job, largeSize: 100 << 20, &random)
            try await runWhileServerDies(server, job, ["artifact", "push", "app:1", "tree"])
            try await runWhileServerDies(server, job, ["artifact", "pull", "app:1", "-o", "out"])
            let compared = try await runProgram("diff", ["-r", job.path("tree"), job.path("out/tree")])
            #expect(compared.status == 0, "\(compared.output)")
            #expect(try job.names() == ["out", "tree"])
            let check = try await server.larder("check")
            #expect(check.output.contains("no problems"), "\(check.output)")
        }
    }

    // MARK: - Cut connections

    @Test func transfersGoOnAfterConnectionsWereCut() async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        try await withJob { server, job in
            _ = try makeTree(job, largeSize: 24 << 20, &random)
            let before = try job.snapshot("tree")
            let commands = [
                ["cache", "save", "--key", "k", "--path", "tree", "--strict"], ["cache", "restore", "--key", "k"],
                ["artifact", "push", "app:1", "other"], ["artifact", "pull", "app:1", "-o", "out"],
            ]
            for arguments in commands {
                // In the middle of what is sent: before come questions, and the entry or manifest after it.
                let counts = (0..<2).map { _ in Int.random(in: 100_000..<(10 << 20), using: &random) }
                try await BreakingProxy.with(server, counts.map { .cut(after: $0) }) { proxy in
                    let result = try await through(proxy, job).run(arguments)
                    #expect(result.status == 0, "\(arguments), seed \(seed), \(counts): \(result.errors)")
                    #expect(proxy.events == ["cut", "cut"])
                }
                if arguments[1] == "save" {
                    try job.move("tree", to: "other")
                    let large = FileHandle(forReadingAtPath: "/dev/urandom")?.readData(ofLength: 24 << 20)
                    try #require(large).write(to: URL(fileURLWithPath: job.path("other/large")))
                }
            }
            #expect(try job.snapshot("tree") == before, "seed \(seed)")
            let compared = try await runProgram("diff", ["-r", job.path("other"), job.path("out/other")])
            #expect(compared.status == 0, "seed \(seed): \(compared.output)")
            #expect(try job.names() == ["other", "out", "tree"])
            #expect(try await server.larder("check").status == 0)
        }
    }

    /// Wherever the connection is cut: it succeeds, or, before any answer, nothing is there and the reason is told.
    @Test func aCommandWhoseConnectionIsCutAnywhereDoesAllOrNothing() async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        try await withJob { server, job in
            for number in 0..<50 { try job.write("tree/\(number)", random.bytes(1000)) }
            try await job.succeed("cache", "save", "--key", "k", "--path", "tree")
            try await job.succeed("artifact", "push", "app:1", "tree")
            try job.remove("tree")
            for arguments in [["cache", "restore", "--key", "k", "--exit-code"], ["artifact", "pull", "app:1"]] {
                let early = Array(repeating: 1..<Self.firstAnswerBytes, count: 2)
                let late = Array(repeating: Self.firstAnswerBytes..<60_000, count: 5)
                for range in early + late {
                    let count = Int.random(in: range, using: &random)
                    try await BreakingProxy.with(server, [.cut(after: count)]) { proxy in
                        let result = try await through(proxy, job).run(arguments)
                        let told: Comment = "\(arguments) after \(count) bytes, seed \(seed): \(result.errors)"
                        #expect(try job.names() == (result.status == 0 ? ["tree"] : []), told)
                        let mayFail = count < Self.firstAnswerBytes && !result.errors.isEmpty
                        #expect(result.status == 0 || mayFail, told)
                        if result.status == 0 { #expect(try job.snapshot("tree").count == 51, told) }
                    }
                    if job.exists("tree") { try job.remove("tree") }
                }
            }
        }
    }

    /// Also where the answer to what stores an entry or a manifest is lost: the same again is a success.
    @Test(arguments: ["save", "push"])
    func whatIsSentArrivesWhereverTheConnectionIsCut(command: String) async throws {
        let seed = testSeed()
        var random = SeededGenerator(seed: seed)
        try await withJob { server, job in
            var total = 0
            for number in 0..<6 {
                for index in 0..<50 { try job.write("tree/\(index)", random.bytes(1000)) }
                let arguments =
                    command == "save"
                    ? ["cache", "save", "--key", "k\(number)", "--path", "tree", "--strict"]
                    : ["artifact", "push", "app:\(number)", "tree"]
                // The first run tells how much passes; most of the others are cut where it is stored, near the end.
                let start = number == 1 ? Self.firstAnswerBytes : total - 1500
                let events: [BreakingProxy.Event] =
                    number == 0 ? [] : [.cut(after: Int.random(in: start..<total, using: &random))]
                let passed = try await BreakingProxy.with(server, events) { proxy in
                    let result = try await through(proxy, job).run(arguments)
                    #expect(result.status == 0, "\(arguments), \(events), seed \(seed): \(result.errors)")
                    return proxy.byteCount
                }
                if number == 0 { total = passed }
                try job.remove("tree")
                if command == "save" {
                    #expect(try await job.report("restore", "--key", "k\(number)").outcome == "exact")
                } else {
                    try await job.succeed("artifact", "pull", "app:\(number)")
                }
                #expect(try job.snapshot("tree").count == 51)
            }
        }
    }
}
