import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Synchronization
import Testing

@testable import LarderClient

/// What a restore must not do: leave its folder, or leave half of anything.
@Suite struct RestoreSafetyTests {
    private func folder(_ root: Int, _ path: String = "") -> FileTree.Entry {
        FileTree.Entry(root: root, path: path, mode: 0o755, modified: 0, content: .folder)
    }

    private func file(_ root: Int, _ path: String, _ text: String) -> FileTree.Entry {
        FileTree.Entry(
            root: root,
            path: path,
            mode: 0o644,
            modified: 0,
            content: .file(IncrementalHasher.digest(of: Array(text.utf8)), size: Int64(text.utf8.count))
        )
    }

    private func link(_ root: Int, _ path: String, _ target: String) -> FileTree.Entry {
        FileTree.Entry(root: root, path: path, mode: 0o777, modified: 0, content: .symbolicLink(target: target))
    }

    private func restorer(_ files: TreeFiles, _ roots: [String] = [], home: String? = nil) throws -> TreeRestorer {
        let local = try scan(files, roots.isEmpty ? ["m"] : roots, home: home, onTrouble: .leaveOut)
        return TreeRestorer(base: files.path, home: home, allowedRoots: roots, local: local, indexFolder: nil)
    }

    // MARK: - Roots

    @Test(arguments: ["/etc", "~/.npm", "~", "..", "../m", "m/../../x", "/"])
    func rootsThatLeaveTheFolderMustBeAllowed(root: String) async throws {
        try await withTwoFolders { to, home in
            let tree = try FileTree(roots: [root], entries: [folder(0), file(0, "x", "x")])
            let restorer = TreeRestorer(
                base: to.path,
                home: home.path,
                allowedRoots: [],
                local: nil,
                indexFolder: nil
            )
            #expect {
                try restorer.plan(tree)
            } throws: {
                $0 is ClientError && "\($0)".contains("allow it with --path '\(root)'")
            }
            #expect(try to.things().isEmpty)
            #expect(try home.things().isEmpty)
        }
    }

    @Test func rootsInTheFolderNeedNotBeNamed() async throws {
        try await withTwoFolders { to, _ in
            let tree = try FileTree(roots: ["m", "other"], entries: [folder(0), folder(1)])
            let restorer = try restorer(to, ["./m/"])
            #expect(try restorer.plan(tree).isEmpty)
            restorer.abandon()
        }
    }

    @Test func aLinkThatLeadsOutIsRefused() async throws {
        try await withTwoFolders { to, other in
            try to.link("vendor", to: other.path)
            let tree = try FileTree(roots: ["vendor/m"], entries: [folder(0), file(0, "x", "x")])
            for roots in [[], ["vendor/m"]] {
                let restorer = TreeRestorer(
                    base: to.path,
                    home: nil,
                    allowedRoots: roots,
                    local: nil,
                    indexFolder: nil
                )
                #expect { try restorer.plan(tree) } throws: { "\($0)".contains("outside") }
            }
            #expect(try other.things().isEmpty)
        }
    }

    /// The tree itself brings the link that another root would be written through.
    @Test func aRootBelowALinkOfTheTreeIsRefused() async throws {
        try await withTwoFolders { to, other in
            for entry in [link(0, "", other.path), file(0, "", "x")] {
                let tree = try FileTree(roots: ["m", "m/in"], entries: [entry, folder(1), file(1, "x", "x")])
                #expect { try restorer(to).plan(tree) } throws: { "\($0)".contains("below a file or link") }
            }
            let inner = try FileTree(
                roots: ["m", "m/in/er"],
                entries: [folder(0), link(0, "in", other.path), folder(1), file(1, "x", "x")]
            )
            #expect { try restorer(to).plan(inner) } throws: { "\($0)".contains("below a file or link") }
            #expect(try other.things().isEmpty)
        }
    }

    @Test func oneRootInAnother() async throws {
        try await withTwoFolders { to, _ in
            let tree = try FileTree(
                roots: ["m", "m/in"],
                entries: [folder(0), file(0, "x", "x"), folder(1), file(1, "y", "y")]
            )
            try restore(SavedTree(tree, contents: [Array("x".utf8), Array("y".utf8)]), into: to)
            #expect(try to.things().keys.sorted() == ["m", "m/in", "m/in/y", "m/x"])
        }
    }

    // MARK: - Links in the destination

    @Test func aLinkInPlaceOfAFolderIsReplacedNotFollowed() async throws {
        try await withTwoFolders { to, other in
            try other.write("x", "victim")
            try to.makeFolder("m")
            try to.link("m/in", to: other.path)
            let tree = try FileTree(roots: ["m"], entries: [folder(0), folder(0, "in"), file(0, "in/x", "new")])
            try restore(SavedTree(tree, contents: [Array("new".utf8)]), into: to)
            #expect(try other.text("x") == "victim")
            #expect(try to.text("m/in/x") == "new")
            #expect(try to.things()["m/in"]?.kind == "folder")
        }
    }

    /// The link came after the scan, when the plan was that the folder stays.
    @Test func aLinkThatCameAfterTheScanIsReplacedNotFollowed() async throws {
        try await withTwoFolders { to, other in
            try other.write("x", "victim")
            try to.write("m/in/y", "y")
            let tree = try FileTree(
                roots: ["m"],
                entries: [folder(0), folder(0, "in"), file(0, "in/x", "new"), file(0, "in/y", "y")]
            )
            let restorer = try restorer(to)
            let needed = try restorer.plan(tree)
            try SavedTree(tree, contents: [Array("new".utf8)]).send(needed, to: restorer)
            try to.remove("m/in")
            try to.link("m/in", to: other.path)
            _ = try? restorer.finish()
            #expect(try other.things().keys.sorted() == ["x"])
            #expect(try other.text("x") == "victim")
        }
    }

    @Test func aRootThatIsALinkIsReplacedNotFollowed() async throws {
        try await withTwoFolders { to, other in
            try to.link("m", to: other.path)
            let tree = try FileTree(roots: ["m"], entries: [folder(0), file(0, "x", "x")])
            try restore(SavedTree(tree, contents: [[UInt8(ascii: "x")]]), into: to)
            #expect(try other.things().isEmpty)
            #expect(try to.text("m/x") == "x")
            #expect(try to.things()["m"]?.kind == "folder")
        }
    }

    // MARK: - What is in the way

    @Test func whatIsInTheWayIsFoundBeforeAnythingIsFetched() async throws {
        try await withTwoFolders { to, _ in
            try to.write("b/mine", "mine")
            let before = try to.things()
            let tree = try FileTree(roots: ["a", "b"], entries: [folder(0), file(0, "x", "x"), file(1, "", "y")])
            let restorer = try restorer(to, ["a", "b"])
            #expect { try restorer.plan(tree) } throws: { "\($0)".contains("/b is a folder with files in it") }
            #expect(try to.things() == before)
        }
    }

    @Test func whatGetsInTheWayIsFoundBeforeAnythingIsPutInPlace() async throws {
        try await withTwoFolders { to, _ in
            try to.write("a/x", "old")
            let tree = try FileTree(roots: ["a", "b"], entries: [folder(0), file(0, "x", "x"), file(1, "", "y")])
            let restorer = try restorer(to, ["a", "b"])
            try SavedTree(tree, contents: [Array("x".utf8), Array("y".utf8)])
                .send(try restorer.plan(tree), to: restorer)
            try to.write("b/mine", "mine")
            #expect { try restorer.finish() } throws: { "\($0)".contains("/b is a folder with files in it") }
            #expect(try to.things().keys.sorted() == ["a", "a/x", "b", "b/mine"])
            #expect(try to.text("a/x") == "old")
        }
    }

    // MARK: - What breaks off

    /// A tree to restore over an earlier one, and how many calls that takes.
    private func prepare(_ from: TreeFiles, _ to: TreeFiles) throws -> SavedTree {
        for number in 0..<20 { try from.write("m/\(number % 3)/\(number)", "content \(number)") }
        try from.write("m/large", Array(repeating: 7, count: (1 << 20) + 1))
        try from.link("m/link", to: "x")
        try to.write("m/0/0", "old")
        try to.write("m/1", "a file where a folder comes")
        try to.write("m/mine", "mine")
        return try SavedTree(try scan(from, ["m"]))
    }

    /// Makes calls until `limit` is reached; the calls are those that `restore` makes.
    private final class CountingSink: PackSink {
        let sink: TreeRestorer
        let limit: Int
        let count = Mutex(0)

        init(_ sink: TreeRestorer, limit: Int) {
            self.sink = sink
            self.limit = limit
        }

        func next() throws {
            let count = count.withLock {
                $0 += 1
                return $0
            }
            if count > limit { throw CancellationError() }
        }

        func note(_ json: [UInt8]) throws {}
        func begin(_ digest: Digest, size: Int64) throws {
            try next()
            try sink.begin(digest, size: size)
        }
        func write(_ bytes: UnsafeRawBufferPointer) throws {
            try next()
            try sink.write(bytes)
        }
        func end() throws {
            try next()
            try sink.end()
        }
        func missing(_ digest: Digest) throws { try sink.missing(digest) }
    }

    @Test(arguments: [false, true])
    func whereverItIsGivenUpNothingHasChanged(isDropped: Bool) async throws {
        try await withTwoFolders { from, to in
            let saved = try prepare(from, to)
            let before = try to.things()
            var limit = 0
            while true {
                var restorer: TreeRestorer? = try restorer(to)
                let needed = try restorer?.plan(saved.tree) ?? []
                var isWhole = false
                if let given = restorer {
                    do {
                        try saved.send(needed, to: CountingSink(given, limit: limit), pieceLength: 1 << 18)
                        isWhole = true
                    } catch is CancellationError {}
                    if isDropped {
                        // Nobody calls anything any more.
                    } else {
                        given.abandon()
                        #expect(throws: RestoreFailure.abandoned) { try given.finish() }
                        #expect(throws: RestoreFailure.abandoned) { try given.end() }
                        given.abandon()
                    }
                }
                restorer = nil
                #expect(try to.things() == before, "after \(limit) calls")
                if isWhole { break }
                limit += 1
            }
            #expect(limit > 60)
            try restore(saved, into: to)
            #expect(try to.text("m/0/0") == "content 0")
        }
    }

    @Test func aDamagedBlobLeavesNothing() async throws {
        try await withTwoFolders { from, to in
            var saved = try prepare(from, to)
            let before = try to.things()
            for digest in saved.contents.keys {
                let good = try #require(saved.contents[digest])
                var bad = good
                bad[bad.count / 2] ^= 1
                saved.contents[digest] = bad
                #expect(throws: RestoreFailure.lost(digest)) { try restore(saved, into: to) }
                #expect(try to.things() == before)
                saved.contents[digest] = nil
                #expect(throws: RestoreFailure.lost(digest)) { try restore(saved, into: to) }
                #expect(try to.things() == before)
                saved.contents[digest] = good
            }
        }
    }

    @Test func whatDidNotComeIsLost() async throws {
        try await withTwoFolders { from, to in
            let saved = try prepare(from, to)
            let before = try to.things()
            let restorer = try restorer(to)
            let needed = try restorer.plan(saved.tree)
            try saved.send(Array(needed.dropLast()), to: restorer)
            let last = try #require(needed.last?.digest)
            #expect(throws: RestoreFailure.lost(last)) { try restorer.finish() }
            #expect(try to.things() == before)
        }
    }

    @Test func aLocalFileThatChangedIsLost() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/new", "content")
            try to.write("m/old", "content")
            let restorer = try restorer(to)
            try to.write("m/old", "changed")
            #expect(try restorer.plan(try scan(from, ["m"]).tree).isEmpty)
            #expect(throws: RestoreFailure.lost(IncrementalHasher.digest(of: Array("content".utf8)))) {
                try restorer.finish()
            }
            #expect(try to.things().keys.sorted() == ["m", "m/old"])
        }
    }

    @Test func whatWasNotAskedForIsRefused() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/x", "12345")
            let saved = try SavedTree(try scan(from, ["m"]))
            let digest = IncrementalHasher.digest(of: Array("12345".utf8))
            func isRefused(_ body: (TreeRestorer) throws -> Void) throws -> Bool {
                let restorer = try restorer(to)
                _ = try restorer.plan(saved.tree)
                do {
                    try body(restorer)
                } catch RestoreFailure.unexpected {
                    return true
                }
                return false
            }
            let bytes = Array("123456".utf8)
            #expect(try isRefused { try $0.begin(.emptySHA256, size: 0) })
            #expect(try isRefused { try $0.begin(digest, size: 6) })
            #expect(try isRefused { try $0.end() })
            #expect(
                try isRefused {
                    try $0.begin(digest, size: 5)
                    try $0.begin(digest, size: 5)
                }
            )
            #expect(
                try isRefused { restorer in
                    try restorer.begin(digest, size: 5)
                    try bytes.withUnsafeBytes { try restorer.write($0) }
                }
            )
            #expect(
                try isRefused { restorer in
                    try restorer.begin(digest, size: 5)
                    try restorer.end()
                }
            )
            #expect(
                try isRefused { restorer in
                    for _ in 0..<2 {
                        try restorer.begin(digest, size: 5)
                        try bytes.prefix(5).withUnsafeBytes { try restorer.write($0) }
                        try restorer.end()
                    }
                }
            )
            #expect(try to.things().isEmpty)
        }
    }

    @Test func anotherThreadMayGiveUp() async throws {
        try await withTwoFolders { from, to in
            let saved = try prepare(from, to)
            let before = try to.things()
            for delay in 0..<20 {
                let restorer = try restorer(to)
                async let abandoned: Void = {
                    for _ in 0..<(delay * 50) { await Task.yield() }
                    restorer.abandon()
                }()
                var wasGivenUp = false
                do {
                    try saved.send(try restorer.plan(saved.tree), to: restorer, pieceLength: 1 << 16)
                } catch RestoreFailure.abandoned {
                    wasGivenUp = true
                }
                await abandoned
                if !wasGivenUp { #expect(throws: RestoreFailure.abandoned) { try restorer.finish() } }
                #expect(try to.things() == before)
            }
        }
    }

    // MARK: - What killed restores leave

    @Test func whatAKilledRestoreLeftIsRemoved() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/x", "x")
            let saved = try SavedTree(try scan(from, ["m"]))
            // The lock of a dead program is free.
            try to.write(".larder-restore-dead/.lock", "")
            try to.write(".larder-restore-dead/0/in/file", "unfinished")
            try to.set(".larder-restore-dead/0/in", mode: 0o555)
            // No lock yet, and young: another program may be about to make it.
            try to.makeFolder(".larder-restore-young")
            try to.makeFolder(".larder-restore-lonely/0")
            try to.setTime(".larder-restore-lonely", 1_000_000_000_000_000_000)
            try to.write(".larder-restore-file", "no folder")
            let live = try StagingFolder.make(in: try OpenDescriptor(path: to.path), path: to.path)
            try restore(saved, into: to)
            let names = try FileManager.default.contentsOfDirectory(atPath: to.path).sorted()
            #expect(names == [".larder-restore-file", live.name, ".larder-restore-young", "m"].sorted())
            #expect(try to.status("\(live.name)/.lock").st_nlink == 1)
            live.remove()
            #expect(!FileManager.default.fileExists(atPath: "\(to.path)/\(live.name)"))
        }
    }

    @Test func anUnchangedTreeNeedsNoStagingButCleansUp() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/x", "x")
            let saved = try SavedTree(try scan(from, ["m"]))
            try restore(saved, into: to)
            try to.write(".larder-restore-dead/.lock", "")
            let before = FileStamp(try to.status("m"))
            #expect(try restore(saved, into: to).keptFileCount == 1)
            #expect(try to.things().keys.sorted() == ["m", "m/x"])
            #expect(FileStamp(try to.status("m")) == before)
        }
    }

    /// The folder that the root is in can't be written (as when it belongs to somebody else).
    @Test func stagingLiesInTheRootWhereItsFolderIsNotWritable() async throws {
        guard geteuid() != 0 else { return }
        try await withTwoFolders { from, to in
            try from.write("m/x", "x")
            try to.makeFolder("m")
            try to.set("", mode: 0o555)
            defer { chmod(to.path, 0o755) }
            try restore(try SavedTree(try scan(from, ["m"])), into: to)
            #expect(try to.things().keys.sorted() == ["m", "m/x"])
        }
    }
}
