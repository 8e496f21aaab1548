import Foundation
import LarderTestSupport
import Testing

/// What a save sends and a restore fetches: only what the other side does not have.
@Suite struct CacheTransferTests {
    @Test func aSecondSaveSendsOneChangedFileAndLittleElse() async throws {
        try await withJob { server, job in
            var random = SeededGenerator(seed: 5)
            for number in 0..<1000 { try job.write("tree/\(number % 20)/\(number)", random.bytes(3000)) }
            let firstBytes = try await BreakingProxy.with(server) { proxy in
                var measured = job
                measured.url = proxy.url
                let first = try await measured.report("save", "--key", "1", "--path", "tree")
                #expect((first.outcome, first.transferredFiles, first.files) == ("saved", 1000, 1000))
                return proxy.byteCount
            }
            #expect(firstBytes > 3_000_000)
            try job.write("tree/7/7", random.bytes(3000))
            let secondBytes = try await BreakingProxy.with(server) { proxy in
                var measured = job
                measured.url = proxy.url
                let second = try await measured.report("save", "--key", "2", "--path", "tree")
                #expect((second.outcome, second.transferredFiles, second.files) == ("saved", 1, 1000))
                #expect(second.transferredBytes == 3000)
                return proxy.byteCount
            }
            // The question for 1,000 digests, and the list of all files.
            #expect(secondBytes < 160_000, "\(secondBytes) bytes")
        }
    }

    @Test func contentIsSentOnceWhetherAnArtifactOrACacheBringsIt() async throws {
        try await withJob { _, job in
            var random = SeededGenerator(seed: 6)
            for number in 0..<20 { try job.write("tree/\(number)", random.bytes(20_000)) }
            // Large files go another way.
            try job.write("tree/large", random.bytes(17 << 20))
            try await job.succeed("artifact", "push", "app:1", "tree")
            let cached = try await job.report("save", "--key", "k", "--path", "tree")
            #expect((cached.files, cached.transferredFiles) == (21, 0))

            for number in 0..<20 { try job.write("tree/\(number)", random.bytes(20_000)) }
            let saved = try await job.report("save", "--key", "l", "--path", "tree")
            #expect((saved.files, saved.transferredFiles) == (21, 20))
            let pushed = try await job.succeed("artifact", "push", "app:2", "tree")
            #expect(pushed.contains("21 files, "))
            #expect(pushed.contains("nothing had to be sent"))
        }
    }

    @Test func aRestoreFetchesOnlyWhatDiffersFromWhatIsInPlace() async throws {
        struct Edit {
            let what: String
            /// Files that have to be fetched then.
            let count: Int
            let make: (Job) throws -> Void
        }
        let edits = [
            Edit(what: "nothing", count: 0) { _ in },
            Edit(what: "other bytes, the same size and time", count: 1) { job in
                try job.write("tree/a/1", "1 edited")
                try job.setModified("tree/a/1", seconds: 1_700_000_000, nanoseconds: 123_456_789)
            },
            Edit(what: "a longer file", count: 1) { try $0.write("tree/a/1", "1 is much longer now") },
            Edit(what: "a removed file", count: 1) { try $0.remove("tree/a/2") },
            Edit(what: "a removed folder", count: 10) { try $0.remove("tree/b") },
            Edit(what: "a link in place of a file", count: 1) { job in
                try job.remove("tree/a/3")
                try job.link("tree/a/3", to: "../../outside")
            },
            Edit(what: "a file in place of a folder", count: 10) { job in
                try job.remove("tree/b")
                try job.write("tree/b", "no folder")
            },
            Edit(what: "a folder in place of a file", count: 1) { job in
                try job.remove("tree/a/4")
                try job.write("tree/a/4/5/6", "no file")
            },
            Edit(what: "a link in place of a folder", count: 10) { job in
                try job.remove("tree/b")
                try job.link("tree/b", to: "../elsewhere")
            },
            Edit(what: "another mode and time", count: 0) { job in
                try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: job.path("tree/a/5"))
                try job.setModified("tree/a/6", seconds: 5, nanoseconds: 5)
            },
            Edit(what: "all of it removed", count: 20) { try $0.remove("tree") },
        ]
        try await withJob { _, job in
            for name in ["a", "b"] {
                for number in 0..<10 {
                    try job.write("tree/\(name)/\(number)", "\(number) of \(name)  ")
                    try job.setModified("tree/\(name)/\(number)", seconds: 1_700_000_000, nanoseconds: 123_456_789)
                }
            }
            try job.write("outside", "untouched")
            try job.write("elsewhere/0", "untouched")
            let before = try job.snapshot("tree").filter { !$0.hasSuffix(" folder") }
            try await job.succeed("cache", "save", "--key", "k", "--path", "tree")
            for edit in edits {
                try edit.make(job)
                let report = try await job.report("restore", "--key", "k", "--path", "tree")
                #expect(report.outcome == "exact", "\(edit.what)")
                #expect(report.transferredFiles == edit.count, "\(edit.what)")
                #expect(try job.snapshot("tree").filter { !$0.hasSuffix(" folder") } == before, "\(edit.what)")
            }
            #expect(job.text("outside") == "untouched")
            #expect(try job.snapshot("elsewhere").count == 2)
            // What the cache does not have stays.
            try job.write("tree/a/own", "mine")
            try job.remove("tree/a/1")
            #expect(try await job.report("restore", "--key", "k").transferredFiles == 1)
            #expect(job.text("tree/a/own") == "mine")
            #expect(try job.names() == ["elsewhere", "outside", "tree"])
        }
    }

    @Test func twoJobsSaveOneKeyAtOnce() async throws {
        try await withJob { server, first in
            try await withJob(at: server.url) { second in
                var random = SeededGenerator(seed: 7)
                for number in 0..<200 {
                    let bytes = random.bytes(5000)
                    for job in [first, second] { try job.write("tree/\(number)", bytes) }
                }
                async let one = first.report("save", "--key", "same", "--path", "tree")
                async let other = second.report("save", "--key", "same", "--path", "tree")
                let outcomes = try await [one.outcome, other.outcome]
                #expect(Set(outcomes).isSubset(of: ["saved", "unchanged"]))

                try first.write("tree/0", "first")
                try second.write("tree/0", "second")
                async let left = first.report("save", "--key", "other", "--path", "tree")
                async let right = second.report("save", "--key", "other", "--path", "tree")
                let reports = try await [left, right]
                #expect(Set(reports.map(\.outcome)) == ["saved", "taken"])
                try first.remove("tree")
                #expect(try await first.report("restore", "--key", "other").outcome == "exact")
                #expect(first.text("tree/0") == (reports[0].outcome == "saved" ? "first" : "second"))
                #expect(try first.names() == ["tree"])
            }
            #expect(try await server.larder("check").status == 0)
        }
    }
}
