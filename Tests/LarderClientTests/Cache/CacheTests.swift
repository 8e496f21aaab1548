import APIMessages
import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Synchronization
import Testing

@testable import LarderClient

/// What is saved comes back, and only what differs is moved.
@Suite struct CacheTests {
    /// A job with folders of its own, and the server.
    private struct Job {
        let server: PretendServer
        let folder: String
        let client: ServerClient

        init(_ server: PretendServer, folder: String) throws {
            self.server = server
            self.folder = folder
            client = server.newClient()
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }

        func write(_ path: String, _ text: String) throws {
            let parent = "\(folder)/\(path)".split(separator: "/").dropLast().joined(separator: "/")
            try FileManager.default.createDirectory(atPath: "/\(parent)", withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
        }

        func read(_ path: String) -> String? {
            FileManager.default.contents(atPath: "\(folder)/\(path)").map { String(decoding: $0, as: UTF8.self) }
        }

        /// Names in the folder, those of staging folders included.
        func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

        func save(
            _ key: String,
            _ patterns: [String] = ["modules"],
            scope: String = "main",
            isReplacing: Bool = false
        ) async throws -> CacheSave.Result {
            let save = CacheSave(
                server: client,
                repository: "main",
                key: CacheKey(key, scope: scope, version: ""),
                paths: CachePaths(try patterns.map { try PathPattern($0) }),
                isReplacing: isReplacing,
                provenance: ProvenanceMessage(commit: "abc"),
                scanner: TreeScanner(base: folder, home: nil, indexFolder: "\(folder)/.index")
            )
            return try await save.run(plan: { _ in }, progress: { _ in })
        }

        func restore(
            _ key: String,
            restoreKeys: [String] = [],
            scopes: [String] = ["main"],
            _ patterns: [String]? = ["modules"]
        ) async throws -> CacheRestore.Result {
            let restore = CacheRestore(
                server: client,
                repository: "main",
                wanted: CacheFindMessage(key: key, restoreKeys: restoreKeys, scopes: scopes, version: ""),
                paths: try patterns.map { CachePaths(try $0.map { try PathPattern($0) }) },
                base: folder,
                home: nil,
                indexFolder: "\(folder)/.index"
            )
            return try await restore.run(plan: { _ in }, progress: { _ in })
        }
    }

    /// Two jobs, of which the first has files.
    private func withJobs(_ body: (_ first: Job, _ second: Job) async throws -> Void) async throws {
        try await withTemporaryFolder { folder in
            let server = try PretendServer()
            let first = try Job(server, folder: "\(folder)/first")
            try first.write("modules/a", "one")
            try first.write("modules/deep/er/b", "two")
            try first.write("modules/same", "one")
            try first.write("other/c", "three")
            try await body(first, try Job(server, folder: "\(folder)/second"))
        }
    }

    @Test func whatIsSavedComesBack() async throws {
        try await withJobs { first, second in
            let saved = try await first.save("k")
            #expect(saved.outcome == .saved)
            #expect((saved.fileCount, saved.byteCount) == (3, 9))
            // One content has two names.
            #expect((saved.sentFileCount, saved.sentByteCount) == (2, 6))
            let restored = try await second.restore("k")
            #expect(restored.outcome == .exact)
            #expect(restored.fileCount == 3)
            #expect(second.read("modules/deep/er/b") == "two")
            #expect(second.read("modules/same") == "one")
            #expect(second.read("other/c") == nil)
            #expect(first.server.state.withLock { $0.entries.first?.provenance?.commit } == "abc")
        }
    }

    @Test func theSameSavedTwiceSendsNothing() async throws {
        try await withJobs { first, _ in
            _ = try await first.save("k")
            // Also with other times.
            try first.write("modules/a", "one")
            let again = try await first.save("k")
            #expect(again.outcome == .unchanged)
            #expect(again.sentFileCount == 0)
            #expect(first.server.requestCount("/missing") == 1)
        }
    }

    @Test func otherContentOfAKeyStaysUnlessItIsToGo() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            try first.write("modules/a", "changed")
            guard case .taken(let text) = try await first.save("k").outcome else {
                Issue.record("the key was overwritten")
                return
            }
            #expect(text.contains("k has other content already"))
            #expect(first.server.requestCount("/pack") == 1)
            let replaced = try await first.save("k", isReplacing: true)
            #expect(replaced.outcome == .saved)
            #expect(replaced.sentFileCount == 1)
            _ = try await second.restore("k")
            #expect(second.read("modules/a") == "changed")
        }
    }

    @Test func aSaveSendsOnlyWhatTheServerLacks() async throws {
        try await withJobs { first, _ in
            _ = try await first.save("k1")
            try first.write("modules/new", "four")
            let saved = try await first.save("k2")
            #expect((saved.fileCount, saved.sentFileCount, saved.sentByteCount) == (4, 1, 4))
        }
    }

    @Test func aRestoreFetchesOnlyWhatDiffers() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k1")
            _ = try await second.restore("k1")
            try first.write("modules/a", "changed")
            _ = try await first.save("k2")
            let restored = try await second.restore("k2")
            #expect(restored.report.receivedBlobCount == 1)
            #expect(restored.report.receivedByteCount == 7)
            #expect(second.read("modules/a") == "changed")
            #expect(second.read("modules/same") == "one")
        }
    }

    @Test func withoutPathsAllRootsComeBack() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k", ["modules", "other"])
            let restored = try await second.restore("k", nil)
            #expect(restored.fileCount == 4)
            #expect(second.read("other/c") == "three")
            let again = try await second.restore("k", nil)
            #expect(again.report.receivedBlobCount == 0)
        }
    }

    @Test func patternsSayWhatIsTaken() async throws {
        try await withJobs { first, _ in
            let saved = try await first.save("k", ["modules/**/b", "other/*", "modules/same"])
            let tree = try first.server.state.withLock { state in
                try FileTree(encoded: state.blobs[Digest(state.entries[0].tree) ?? .emptySHA256] ?? [])
            }
            #expect(saved.fileCount == 3)
            #expect(tree.roots == ["modules", "other", "modules/same"])
        }
    }

    @Test func restoreKeysAreBeginnings() async throws {
        try await withJobs { first, second in
            _ = try await first.save("npm-1")
            let found = try await second.restore("npm-2", restoreKeys: ["yarn-", "npm-"])
            #expect(found.outcome == .fallback(restoreKey: "npm-"))
            #expect(found.entry?.key == "npm-1")
            #expect(second.read("modules/a") == "one")
            #expect(try await second.restore("npm-2").outcome == .miss(reason: nil))
            #expect(try await second.restore("npm-2", nil).outcome == .miss(reason: nil))
        }
    }

    @Test func aReaderSeesItsScopesOnly() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k", scope: "refs/heads/feature")
            #expect(try await second.restore("k").outcome == .miss(reason: nil))
            let found = try await second.restore("k", scopes: ["refs/heads/mine", "refs/heads/feature"])
            #expect(found.entry?.scope == "refs/heads/feature")
        }
    }

    @Test func aCacheThatLostAFileIsAMissAndLeavesNothing() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            let lost = IncrementalHasher.digest(of: Array("two".utf8))
            first.server.state.withLock { $0.blobs[lost] = nil }
            guard case .miss(let reason) = try await second.restore("k").outcome else {
                Issue.record("half a cache was restored")
                return
            }
            #expect(reason?.contains(lost.description) == true)
            #expect(first.server.requestCount("/restore") == 3)
            #expect(try second.names().filter { $0 != ".index" } == [])
        }
    }

    @Test func aCacheWithAWrongByteIsAMissAndLeavesWhatIsThere() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            let damaged = IncrementalHasher.digest(of: Array("two".utf8))
            first.server.state.withLock { $0.blobs[damaged] = Array("tWo".utf8) }
            try second.write("modules/a", "mine")
            guard case .miss(_?) = try await second.restore("k").outcome else {
                Issue.record("wrong bytes were restored")
                return
            }
            #expect(second.read("modules/a") == "mine")
            #expect(try second.names().filter { $0 != ".index" } == ["modules"])
        }
    }

    @Test func aCacheThatLostItsTreeIsAMiss() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            let lost = first.server.state.withLock { state in
                let tree = Digest(state.entries[0].tree) ?? .emptySHA256
                state.blobs[tree] = nil
                return tree
            }
            let restored = try await second.restore("k", nil)
            #expect(restored.outcome == .miss(reason: "\(RestoreFailure.lost(lost))"))
            #expect(first.server.requestCount("/fetch") == 3)
        }
    }

    @Test func aServerInTroubleIsWaitedForByARestore() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            first.server.plan("/restore", try .error(503, "later"), times: 5)
            #expect(try await second.restore("k").outcome == .exact)
            #expect(first.server.requestCount("/restore") == 6)
            first.server.plan("/restore", try .error(503, "later"), times: 6)
            await #expect(throws: ClientError.self) { try await second.restore("k") }
            #expect(first.server.requestCount("/restore") == 12)
            // Questions are waited for once, not again by what they are part of.
            let before = first.server.requestCount("/find")
            first.server.plan("/find", try .error(503, "later"), times: 6)
            await #expect(throws: ClientError.self) { try await second.restore("k", nil) }
            #expect(first.server.requestCount("/find") == before + 6)
        }
    }

    @Test func aServerThatNeverAnsweredIsNotWaitedFor() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            first.server.loseAnswer("/restore")
            await #expect(throws: ClientError.self) { try await second.restore("k") }
            #expect(first.server.requestCount("/restore") == 1)
        }
    }

    @Test func answersThatAreLostMakeNoDifferenceToASave() async throws {
        try await withJobs { first, second in
            // Before any answer nothing is asked for again.
            #expect(await first.client.isAnswering())
            for suffix in ["/find", "/missing", "/pack", "/caches/main"] { first.server.loseAnswer(suffix) }
            let saved = try await first.save("k")
            #expect(saved.outcome == .saved)
            #expect(first.server.requestCount("/find") == 2)
            #expect(first.server.requestCount("PUT /api/v1/caches/main") == 2)
            let entryCount = first.server.state.withLock { $0.entries.count }
            #expect(entryCount == 1)
            #expect(try await second.restore("k").outcome == .exact)
        }
    }

    @Test func aRestoreSurvivesConnectionsThatBreak() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k")
            _ = try await second.client.findCache(
                in: "main",
                CacheFindMessage(key: "k", restoreKeys: [], scopes: ["main"], version: "")
            )
            let whole = try await BlobTransfer(server: first.client, repository: "main", kind: "cache").missing([])
            #expect(whole.isEmpty)
            first.server.plan("/restore", PretendServer.Answer(body: Array("\u{4}broken".utf8)), times: 2)
            #expect(try await second.restore("k").outcome == .exact)
            #expect(second.read("modules/a") == "one")
            #expect(try second.names().filter { $0 != ".index" } == ["modules"])
        }
    }

    @Test func rootsOutsideMustBeNamed() async throws {
        try await withJobs { first, second in
            _ = try await first.save("k", ["\(second.folder)/elsewhere", "modules"])
            try second.write("elsewhere/x", "outside")
            _ = try await first.save("k2", ["\(second.folder)/elsewhere"])
            try FileManager.default.removeItem(atPath: "\(second.folder)/elsewhere")
            await #expect(throws: ClientError.self) { try await second.restore("k2", nil) }
            await #expect(throws: ClientError.self) { try await second.restore("k2", ["modules"]) }
            #expect(try await second.restore("k2", ["\(second.folder)/elsewhere"]).outcome == .exact)
            #expect(second.read("elsewhere/x") == "outside")
        }
    }

    @Test func nothingToSaveIsAnError() async throws {
        try await withJobs { _, second in
            let error = await #expect(throws: ClientError.self) { try await second.save("k", ["absent", "gone/**"]) }
            #expect(error?.description.contains("absent, gone") == true)
        }
    }

    @Test func filesThatTheServerDroppedMeanwhileAreSentAgain() async throws {
        try await withJobs { first, second in
            first.server.plan("/caches/main", try .error(400, "files are missing"))
            #expect(try await first.save("k").outcome == .saved)
            #expect(try await second.restore("k").outcome == .exact)
        }
    }

    @Test func entriesAreListedAndRemoved() async throws {
        try await withJobs { first, _ in
            for key in ["a-1", "a-2", "a-3", "b"] { _ = try await first.save(key) }
            let page = try await first.client.cacheEntries(in: "main", prefix: "a-")
            #expect(page.entries.map(\.key) == ["a-1", "a-2"])
            let rest = try await first.client.cacheEntries(in: "main", prefix: "a-", after: page.next)
            #expect(rest.entries.map(\.key) == ["a-3"])
            #expect(rest.next == nil)
            let key = CacheKey("a-2", scope: "main", version: "")
            #expect(try await first.client.removeCache(in: "main", key))
            #expect(try await !first.client.removeCache(in: "main", key))
        }
    }

    @Test func aRemovalWhoseAnswerIsLostIsARemoval() async throws {
        try await withJobs { first, _ in
            _ = try await first.save("k")
            first.server.loseAnswer("/caches/main")
            #expect(try await first.client.removeCache(in: "main", CacheKey("k", scope: "main", version: "")))
            #expect(first.server.requestCount("DELETE") == 2)
            #expect(first.server.state.withLock { $0.entries.isEmpty })
        }
    }
}
