import Foundation
import Glibc
import LarderTestSupport
import Testing

/// The order of syncs and answers as the kernel sees it (rule W1): nothing is promised before it is on the disk.
@Suite(.serialized)
struct SyscallOrderTests {
    private static let traced =
        "fdatasync,fsync,sync_file_range,write,writev,pwrite64,pwritev,sendto,sendmsg,link,linkat,rename,renameat,"
        + "renameat2,unlink,unlinkat"

    @Test
    func answersLeaveOnlyAfterTheSyncsOfWhatTheyPromise() async throws {
        let trace = try await withTemporaryFolder { folder in
            let file = "\(folder)/trace"
            // -D: the server stays our own child, and gets our signals.
            let strace = ["strace", "-D", "-f", "-y", "-s", "64", "-o", file, "-e", "trace=\(Self.traced)"]
            return try await withLiveServer(arguments: ["--scrub-period", "0"], wrapper: strace) { server in
                let connection = try WireConnection(port: server.port)
                for size in [10, 4 << 10, 1 << 20, 4 << 10, 1 << 20] {
                    var chance = SeededGenerator(seed: testSeed())
                    let body = chance.bytes(size)
                    let reply = try await connection.exchange("PUT", "/bazel/main/cas/\(sha256Hex(body))", body: body)
                    try #require(reply.status == 200)
                }
                for size in [4 << 10, 1 << 20] {
                    let body = [UInt8](repeating: 0x65, count: size)
                    let reply = try await connection.exchange("PUT", "/gradle/main/abcdef", body: body)
                    try #require(reply.status == 200)
                }
                let processID = server.processID
                server.signal(SIGTERM)
                #expect(try await server.wait() == 0)
                try await waitUntil("the trace is complete") {
                    readText(file).split(separator: "\n").contains {
                        $0.hasPrefix("\(processID) ") && $0.contains("+++ exited")
                    }
                }
                return SyscallTrace(readText(file))
            }
        }
        try #require(trace.answers.count == 7)
        // The first upload also creates the repository.
        for (number, isFile) in [false, false, true, false, true, false, true].enumerated() {
            #expect(trace.violations(beforeAnswer: number, isFile: isFile) == [], "upload \(number)")
        }
    }

    // MARK: - The reader of traces

    /// An upload of 4 KiB, then one of 1 MiB.
    private static let recorded = """
        101 pwrite64(8</data/larder.sqlite-wal>, "\\0\\0\\0\\5"..., 24, 230752) = 24
        101 pwrite64(8</data/larder.sqlite-wal>, "\\r\\0\\0\\0"..., 4096, 230776) = 4096
        101 fdatasync(8</data/larder.sqlite-wal>) = 0
        102 write(17<anon_inode:[eventfd]>, "\\1\\0\\0\\0\\0\\0\\0\\0", 8) = 8
        103 write(24<socket:[314376]>, "HTTP/1.1 200 OK\\r\\nContent-Length:"..., 66) = 66
        103 write(24<socket:[314384]>, "HTTP/1.1 100 Continue\\r\\n\\r\\n", 25) = 25
        104 pwrite64(25</data/uploads/100.part>, "F!Z\\7"..., 12288, 0) = 12288
        105 pwrite64(25</data/uploads/100.part>, "\\326J"..., 16384, 12288 <unfinished ...>
        102 write(17<anon_inode:[eventfd]>, "\\1\\0\\0\\0\\0\\0\\0\\0", 8) = 8
        105 <... pwrite64 resumed>)          = 16384
        106 fdatasync(25</data/uploads/100.part> <unfinished ...>
        102 write(17<anon_inode:[eventfd]>, "\\1\\0\\0\\0\\0\\0\\0\\0", 8) = 8
        106 <... fdatasync resumed>)         = 0
        106 rename("/data/uploads/100.part", "/data/uploads/5b21.100") = 0
        106 link("/data/uploads/5b21.100", "/data/blobs/sha256/5b/5b21.100") = 0
        106 fsync(25</data/blobs/sha256/5b>) = 0
        101 pwrite64(8</data/larder.sqlite-wal>, "\\0\\0\\0\\4"..., 24, 259592) = 24
        101 pwrite64(8</data/larder.sqlite-wal>, "\\n\\0\\0\\0"..., 4096, 280216) = 4096
        101 fdatasync(8</data/larder.sqlite-wal>) = 0
        103 writev(24<socket:[314384]>, [{iov_base="HTTP/1.1 200 OK\\r\\n"..., iov_len=66}], 1) = 66
        107 unlink("/data/uploads/5b21.100") = 0
        100 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
        104 +++ exited with 0 +++
        """

    @Test
    func aGoodTraceHasNoViolations() {
        let trace = SyscallTrace(Self.recorded)
        #expect(trace.answers.count == 2)
        #expect(trace.violations(beforeAnswer: 0, isFile: false) == [])
        #expect(trace.violations(beforeAnswer: 1, isFile: true) == [])
        #expect(trace.violations(beforeAnswer: 2, isFile: true) == ["there is no answer 2"])
    }

    @Test(arguments: [
        (answer: 0, line: "101 fdatasync(8<", violation: "the rows are not synced before the answer"),
        (answer: 1, line: "106 fdatasync(25<", violation: "the file is not synced before the answer"),
        (answer: 1, line: "106 <... fdatasync", violation: "the file is not synced before the answer"),
        (answer: 1, line: "106 link(", violation: "the file gets no final name after its sync"),
        (answer: 1, line: "106 fsync(25<", violation: "the folder is not synced before the answer"),
        (answer: 1, line: "101 fdatasync(8<", violation: "the rows are not synced before the answer"),
    ])
    func aMissingCallIsFound(answer: Int, line: String, violation: String) throws {
        var lines = Self.recorded.split(separator: "\n")
        let index = try #require(
            answer == 0 ? lines.firstIndex { $0.hasPrefix(line) } : lines.lastIndex { $0.hasPrefix(line) }
        )
        lines.remove(at: index)
        let trace = SyscallTrace(lines.joined(separator: "\n"))
        #expect(trace.violations(beforeAnswer: answer, isFile: answer == 1).contains(violation))
    }

    @Test(arguments: [
        (answer: 0, line: "101 fdatasync(8<", violation: "the rows are not synced before the answer"),
        (answer: 1, line: "106 fsync(25<", violation: "the folder is not synced before the answer"),
        (answer: 1, line: "106 <... fdatasync", violation: "the file is not synced before the answer"),
        (answer: 1, line: "101 fdatasync(8<", violation: "the rows are not synced before the answer"),
    ])
    func aCallThatEndsAfterTheAnswerIsFound(answer: Int, line: String, violation: String) throws {
        var lines = Self.recorded.split(separator: "\n")
        let index = try #require(
            answer == 0 ? lines.firstIndex { $0.hasPrefix(line) } : lines.lastIndex { $0.hasPrefix(line) }
        )
        let late = lines.remove(at: index)
        let answers = lines.indices.filter { lines[$0].contains("HTTP/1.1 200") }
        lines.insert(late, at: answers[answer] + 1)
        let trace = SyscallTrace(lines.joined(separator: "\n"))
        #expect(trace.violations(beforeAnswer: answer, isFile: answer == 1).contains(violation))
    }

    @Test
    func aSyncThatFailedIsNone() {
        let failed = Self.recorded.replacing(
            "fsync(25</data/blobs/sha256/5b>) = 0",
            with: "fsync(25</data/blobs/sha256/5b>) = -1 EIO (Input/output error)"
        )
        let trace = SyscallTrace(failed)
        #expect(
            trace.violations(beforeAnswer: 1, isFile: true).contains("the folder is not synced before the answer")
        )
    }

    @Test
    func aRowBeforeItsFileIsSafeIsFound() throws {
        var lines = Self.recorded.split(separator: "\n")
        let folderSync = try #require(lines.firstIndex { $0.hasPrefix("106 fsync") })
        // The folder's sync comes after the commit: everything is synced before the answer, but in the wrong order.
        let sync = lines.remove(at: folderSync)
        lines.insert(sync, at: folderSync + 3)
        let trace = SyscallTrace(lines.joined(separator: "\n"))
        #expect(
            trace.violations(beforeAnswer: 1, isFile: true) == ["no row is written after the file is safe"]
        )
    }

    @Test
    func interruptedCallsAreJoined() throws {
        let calls = SyscallTrace(
            """
            7 write(4<socket:[1]>, "abc", 3 <unfinished ...>
            8 fsync(5</data/a>) = 0
            7 <... write resumed>) = 3
            9 link("/a", "/b") = -1 EEXIST (File exists)
            10 fsync(6</never> <unfinished ...>
            """
        ).calls
        try #require(calls.count == 4)
        #expect(calls[0].name == "write")
        #expect(calls[0].file == "socket:[1]")
        #expect(calls[0].texts == ["abc"])
        #expect((calls[0].begin, calls[0].end, calls[0].result) == (0, 2, 3))
        #expect((calls[1].begin, calls[1].end, calls[1].result) == (1, 1, 0))
        #expect(calls[2].texts == ["/a", "/b"])
        #expect(calls[2].result == -1)
        #expect(calls[3].end == Int.max)
    }
}
