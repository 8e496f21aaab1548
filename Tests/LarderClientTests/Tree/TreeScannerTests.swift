import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

@Suite struct TreeScannerTests {
    private func paths(_ scanned: ScannedTree) -> [String] {
        scanned.tree.entries.map { "\(scanned.tree.roots[$0.root]):\($0.path)" }
    }

    @Test func takesFilesFoldersAndLinksInOrder() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/b.txt", "one", mode: 0o640, modified: 1_700_000_000_123_456_789)
            try files.write("a/b/c", "two", mode: 0o755, modified: -5_000_000_001)
            try files.link("a/link", to: "/nowhere/at all", modified: 77)
            try files.makeFolder("a/empty", mode: 0o700, modified: 1_000_000_000)
            let scanned = try scan(files, ["a"])
            #expect(paths(scanned) == ["a:", "a:b", "a:b/c", "a:b.txt", "a:empty", "a:link"])
            let entries = scanned.tree.entries
            #expect(entries[2].content == .file(IncrementalHasher.digest(of: Array("two".utf8)), size: 3))
            #expect(entries[2].modified == -5_000_000_001)
            #expect(entries[2].mode == 0o755)
            #expect(entries[3].modified == 1_700_000_000_123_456_789)
            #expect(entries[3].mode == 0o640)
            #expect(entries[4].content == .folder)
            #expect(entries[4].mode == 0o700)
            #expect(entries[5].content == .symbolicLink(target: "/nowhere/at all"))
            #expect(entries[5].modified == 77)
            #expect(scanned.hashedFileCount == 2)
            #expect(scanned.hashedByteCount == 6)
            #expect(scanned.warnings.isEmpty)
        }
    }

    @Test func tellsWhereEachContentLies() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x", "same")
            try files.write("a/y", "same")
            try files.write("a/z", "other")
            let scanned = try scan(files, ["a"])
            #expect(scanned.digests.count == 2)
            let real = try #require(RootLocation.realPath(files.path))
            #expect(scanned.path(of: IncrementalHasher.digest(of: Array("same".utf8))) == "\(real)/a/x")
            #expect(scanned.path(of: .emptySHA256) == nil)
        }
    }

    @Test func hardLinksNameTheFirstFile() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/1", "content")
            try files.hardLink("a/2", to: "a/1")
            try files.hardLink("b/3", to: "a/1")
            let scanned = try scan(files, ["a", "b"])
            #expect(paths(scanned) == ["a:", "a:1", "a:2", "b:", "b:3"])
            #expect(scanned.tree.entries[2].content == .hardLink(to: 1))
            #expect(scanned.tree.entries[4].content == .hardLink(to: 1))
            #expect(scanned.hashedFileCount == 1)
        }
    }

    @Test func aRootMayBeAFileALinkOrMissing() async throws {
        try await withTwoFolders { files, _ in
            try files.write("file", "x")
            try files.link("link", to: "file")
            let scanned = try scan(files, ["file/below", "file", "missing", "no/such/folder", "link"])
            #expect(scanned.tree.roots == ["file", "link"])
            #expect(paths(scanned) == ["file:", "link:"])
            #expect(scanned.tree.entries[1].content == .symbolicLink(target: "file"))
            #expect(
                scanned.warnings == [
                    "file/below does not exist", "missing does not exist", "no/such/folder does not exist",
                ]
            )
        }
    }

    @Test func rootsAreReachedThroughLinksAboveButNotBelow() async throws {
        try await withTwoFolders { files, _ in
            try files.write("real/in/x", "x")
            try files.link("alias", to: "real")
            try files.link("real/in/out", to: "..")
            let scanned = try scan(files, ["alias/in"])
            #expect(paths(scanned) == ["alias/in:", "alias/in:out", "alias/in:x"])
        }
    }

    @Test func rootsBelowTheHomeFolderAndAbsoluteOnes() async throws {
        try await withTwoFolders { files, other in
            try other.write(".npm/x", "x")
            let scanned = try scan(files, ["~/.npm/", "\(other.path)/.//.npm"], home: other.path)
            #expect(scanned.tree.roots == ["~/.npm"])
            #expect(throws: ClientError.self) { try scan(files, ["~/.npm"], home: nil) }
        }
    }

    @Test func aRootInsideAnEarlierOneIsTakenOnce() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/b/c", "x")
            #expect(try scan(files, ["a", "a/b", "./a//b/", "a"]).tree.roots == ["a"])
            let filtered = try TreeScanner(base: files.path, home: nil, indexFolder: nil)
                .scan([TreePath("a") { _, _ in true }, TreePath("a/b")])
            #expect(paths(filtered) == ["a:", "a:b", "a:b/c", "a/b:", "a/b:c"])
        }
    }

    @Test func aFilterTakesTheFoldersAboveWhatItTakes() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x/deep/1.js", "1")
            try files.write("a/x/deep/2.ts", "2")
            try files.write("a/y/3.ts", "3")
            try files.makeFolder("a/z")
            let scanned = try TreeScanner(base: files.path, home: nil, indexFolder: nil)
                .scan([
                    TreePath("a") { path, isFolder in isFolder ? path == "z" : path.hasSuffix(".js") },
                    TreePath("a/y") { _, _ in false },
                ])
            #expect(paths(scanned) == ["a:", "a:x", "a:x/deep", "a:x/deep/1.js", "a:z"])
        }
    }

    @Test func whatIsNoFileIsLeftOutWithAWarning() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x", "x")
            mkfifo("\(files.path)/a/pipe", 0o600)
            let name = Array("\(files.path)/a/bad".utf8CString.dropLast()) + [CChar(bitPattern: 0xff), 0]
            close(open(name, O_CREAT | O_WRONLY, 0o600))
            try files.write("a/.larder-restore-abc/unfinished", "x")
            let scanned = try scan(files, ["a"])
            #expect(paths(scanned) == ["a:", "a:x"])
            #expect(scanned.warnings.count == 2)
            #expect(scanned.warnings.contains { $0.contains("/a/pipe: a named pipe") })
            #expect(scanned.warnings.contains { $0.contains("not UTF-8") })
            unlink(name)
        }
    }

    @Test func warningsAreBounded() async throws {
        try await withTwoFolders { files, _ in
            try files.makeFolder("a")
            for index in 0..<150 { mkfifo("\(files.path)/a/\(index)", 0o600) }
            let warnings = try scan(files, ["a"]).warnings
            #expect(warnings.count == 101)
            #expect(warnings.last == "and 50 more warnings like these")
        }
    }

    @Test func largeAndManyFilesAreHashedRight() async throws {
        try await withTwoFolders { files, _ in
            var chance = SeededGenerator(seed: 5)
            var wanted: [String: Digest] = [:]
            for size in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20] {
                let bytes = chance.bytes(size)
                try files.write("a/large-\(size)", bytes)
                wanted["large-\(size)"] = IncrementalHasher.digest(of: bytes)
            }
            for index in 0..<200 {
                let bytes = chance.bytes(index)
                try files.write("a/small-\(index)", bytes)
                wanted["small-\(index)"] = IncrementalHasher.digest(of: bytes)
            }
            let scanned = try scan(files, ["a"])
            #expect(scanned.tree.fileCount == 206)
            for entry in scanned.tree.entries {
                guard case .file(let digest, _) = entry.content else { continue }
                #expect(digest == wanted[entry.path], "\(entry.path)")
            }
        }
    }

    @Test func aFileThatIsNotWhatTheWalkSawIsReadAgain() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x", "now")
            let status = try files.status("a/x")
            var stale = FileStamp(status)
            stale.size = 1000
            let entry = FileTree.Entry(
                root: 0,
                path: "x",
                mode: 0o600,
                modified: 0,
                content: .file(.emptySHA256, size: 1000)
            )
            let anchor = TreeAnchor(
                folder: try OpenDescriptor(path: "\(files.path)/a"),
                name: "",
                path: "\(files.path)/a"
            )
            let hasher = TreeHasher(entries: [entry], stamps: [stale], anchors: [anchor])
            let outcome = try #require(hasher.hash([0]).first)
            let file = try outcome.result.get()
            #expect(file.digest == IncrementalHasher.digest(of: Array("now".utf8)))
            #expect(file.stamp == FileStamp(status))
            #expect(file.mode == 0o644)
        }
    }

    @Test func aFileThatVanishedIsAnErrorOrLeftOut() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x", "x")
            var walk = TreeWalk(index: nil, onTrouble: .fail)
            var lenient = TreeWalk(index: nil, onTrouble: .leaveOut)
            let location = try RootLocation("a", base: files.path, home: nil)
            try files.write("a/y", "y")
            try files.hardLink("a/z", to: "a/y")
            _ = try walk.take(location, includes: nil)
            _ = try lenient.take(location, includes: nil)
            try files.remove("a/y")
            #expect { try walk.hash() } throws: { "\($0)".hasSuffix("/a/y: No such file or directory") }
            _ = try lenient.hash()
            #expect(lenient.entries.map(\.path) == ["", "x"])
            #expect(lenient.warnings.texts.count == 1)
        }
    }

    @Test func aLinkInPlaceOfAFolderIsNotFollowedAfterTheWalk() async throws {
        try await withTwoFolders { files, other in
            try files.write("a/in/x", "mine")
            try other.write("x", "other")
            var walk = TreeWalk(index: nil, onTrouble: .fail)
            _ = try walk.take(try RootLocation("a", base: files.path, home: nil), includes: nil)
            try files.remove("a/in")
            try files.link("a/in", to: other.path)
            #expect(throws: ClientError.self) { try walk.hash() }
        }
    }

    @Test func deepFoldersAndLongPaths() async throws {
        try await withTwoFolders { files, other in
            // 200 folders of 19 letters: 3,999 bytes, past what one call takes together with a folder's own path.
            let part = String(repeating: "d", count: 19)
            let path = "a/" + Array(repeating: part, count: 200).joined(separator: "/")
            var folder = try OpenDescriptor(path: files.path)
            for name in path.split(separator: "/").map(String.init) {
                #expect(mkdirat(folder.descriptor, name, 0o755) == 0)
                folder = try #require(FileCalls.openFolder(name, in: folder.descriptor))
            }
            let file = openat(folder.descriptor, "file-of-some-length", O_CREAT | O_WRONLY, 0o600)
            #expect(write(file, "deep", 4) == 4)
            close(file)
            let scanned = try scan(files, ["a"])
            #expect(scanned.tree.entries.count == 202)
            #expect(scanned.tree.entries.last?.path.utf8.count == 200 * 20 + 19)
            let saved = SavedTree(scanned.tree, contents: [Array("deep".utf8)])
            try restore(saved, into: other)
            #expect(try scan(other, ["a"]).tree == scanned.tree)
            for files in [files, other] { #expect(FileCalls.remove("\(files.path)/a", in: AT_FDCWD)) }
        }
    }

    @Test func tooDeepFoldersAreRefused() async throws {
        try await withTwoFolders { files, _ in
            try files.makeFolder("a/" + Array(repeating: "d", count: 260).joined(separator: "/"))
            #expect(throws: ClientError.self) { try scan(files, ["a"]) }
        }
    }
}
