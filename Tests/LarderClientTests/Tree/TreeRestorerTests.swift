import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

@Suite struct TreeRestorerTests {
    /// A tree with something of everything.
    private func fill(_ files: TreeFiles) throws {
        try files.write("m/index.js", "index", mode: 0o644, modified: 1_700_000_000_123_456_789)
        try files.write("m/bin/tool", "#!/bin/sh\n", mode: 0o755, modified: -1)
        try files.write("m/secret", "secret", mode: 0o600, modified: 1)
        try files.write("m/read-only", "read", mode: 0o444, modified: 2)
        // Others than root can't read a file of no mode, and so not save it.
        try files.write("m/nothing", "none", mode: geteuid() == 0 ? 0o000 : 0o400, modified: 3)
        try files.write("m/empty-file", "", modified: 4)
        try files.write("m/copy/1", "same", modified: 5)
        try files.write("m/copy/2", "same", mode: 0o755, modified: 6)
        try files.write("m/large", SeededGenerator.bytes(3 << 20), modified: 7)
        try files.write("m/copy/large", SeededGenerator.bytes(3 << 20), modified: 8)
        try files.link("m/bin/link", to: "../index.js", modified: 9_000_000_001)
        try files.link("m/absolute", to: "/etc/passwd", modified: 10)
        try files.link("m/outside", to: "../../../..", modified: 11)
        try files.hardLink("m/hard/second", to: "m/index.js")
        try files.makeFolder("m/empty", mode: 0o700, modified: 12)
        try files.makeFolder("m/locked/in", modified: 13)
        try files.write("m/locked/in/file", "locked", modified: 14)
        try files.set("m/locked/in", mode: 0o555, modified: 15)
        try files.set("m/locked", mode: 0o500, modified: 16)
        for (index, name) in ["m/bin", "m/copy", "m/hard", "m"].enumerated() {
            try files.set(name, mode: 0o755, modified: Int64(1_000_000_000_000_000_000 + index))
        }
    }

    @Test func everythingComesBack() async throws {
        try await withTwoFolders { from, to in
            try fill(from)
            let saved = try SavedTree(try scan(from, ["m"]))
            let report = try restore(saved, into: to)
            #expect(try to.things(below: "m") == from.things(below: "m"))
            #expect(try to.status("m/hard/second").st_ino == to.status("m/index.js").st_ino)
            #expect(try to.status("m/copy/1").st_ino != to.status("m/copy/2").st_ino)
            #expect(try FileManager.default.contentsOfDirectory(atPath: to.path) == ["m"])
            #expect(report.writtenFileCount == 11)
            #expect(report.writtenByteCount == saved.tree.byteCount)
            #expect(report.receivedBlobCount == 9)
            #expect(report.keptFileCount == 0)
        }
    }

    @Test func whatIsThereIsNotTouched() async throws {
        try await withTwoFolders { from, to in
            try fill(from)
            let saved = try SavedTree(try scan(from, ["m"]))
            try restore(saved, into: to)
            let (things, before) = (try to.things(below: "m"), FileStamp(try to.status("m/bin/tool")))
            let report = try restore(SavedTree(saved.tree), into: to)
            #expect(report.writtenFileCount == 0)
            #expect(report.keptFileCount == 11)
            #expect(report.receivedBlobCount == 0)
            #expect(try to.things(below: "m") == things)
            #expect(FileStamp(try to.status("m/bin/tool")) == before)
        }
    }

    @Test func onlyModesAndTimesThatDifferAreSet() async throws {
        try await withTwoFolders { from, to in
            try fill(from)
            let saved = try SavedTree(try scan(from, ["m"]))
            try restore(saved, into: to)
            let before = FileStamp(try to.status("m/secret"))
            try to.set("m/index.js", mode: 0o640, modified: 99)
            try to.set("m/bin/tool", mode: 0o755, modified: 99)
            try to.setTime("m/bin/link", 99)
            try to.set("m/empty", mode: 0o755, modified: 99)
            let inode = try to.status("m/bin/tool").st_ino
            let report = try restore(SavedTree(saved.tree), into: to)
            #expect(report.writtenFileCount == 0)
            #expect(try to.things(below: "m") == from.things(below: "m"))
            #expect(try to.status("m/bin/tool").st_ino == inode)
            #expect(FileStamp(try to.status("m/secret")) == before)
        }
    }

    @Test func onlyWhatDiffersComes() async throws {
        try await withTwoFolders { from, to in
            for number in 0..<100 { try from.write("m/\(number % 10)/\(number)", "content \(number)") }
            try restore(try SavedTree(try scan(from, ["m"])), into: to)
            try from.write("m/3/33", "changed")
            try from.write("m/new/er/file", "new")
            try from.remove("m/4/4")
            try to.write("m/5/mine", "mine")
            let saved = try SavedTree(try scan(from, ["m"]))
            let report = try restore(saved, into: to)
            #expect(report.receivedBlobCount == 2)
            #expect(report.writtenFileCount == 2)
            #expect(report.keptFileCount == 98)
            #expect(try to.text("m/3/33") == "changed")
            #expect(try to.text("m/new/er/file") == "new")
            // What the tree does not name stays.
            #expect(try to.text("m/4/4") == "content 4")
            #expect(try to.text("m/5/mine") == "mine")
        }
    }

    @Test func aFileUnderAnotherPathIsCopiedFromHere() async throws {
        try await withTwoFolders { from, to in
            let large = SeededGenerator.bytes(3 << 20)
            for name in ["m/a", "m/b/c"] { try from.write(name, large) }
            for number in 0..<100 { try from.write("m/\(number)", "content \(number)") }
            try to.write("m/old/large", large)
            for number in 0..<100 { try to.write("m/old/\(number)", "content \(number)") }
            let report = try restore(SavedTree(try scan(from, ["m"]).tree), into: to)
            #expect(report.receivedBlobCount == 0)
            #expect(report.writtenFileCount == 102)
            #expect(try to.things(below: "m/b") == from.things(below: "m/b"))
            #expect(try to.text("m/77") == "content 77")
            #expect(try to.text("m/old/77") == "content 77")
        }
    }

    /// Two files that change places: each is needed for the other.
    @Test func filesThatChangePlaces() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/a", "one")
            try from.write("m/b", "two")
            try to.write("m/a", "two")
            try to.write("m/b", "one")
            try restore(SavedTree(try scan(from, ["m"]).tree), into: to)
            #expect(try to.things(below: "m") == from.things(below: "m"))
        }
    }

    @Test func otherKindsAreReplaced() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/folder-for-file/x", "x")
            try from.write("m/folder-for-link/y/z", "z")
            try from.write("m/file-for-folder", "file")
            try from.link("m/link-for-folder", to: "target")
            try from.write("m/file-for-link", "no link")
            try from.link("m/link-for-file", to: "target")
            try to.write("m/folder-for-file", "file")
            try to.makeFolder("elsewhere/y")
            try to.link("m/folder-for-link", to: "../elsewhere")
            try to.write("m/file-for-folder/in/it", "it")
            try to.link("m/file-for-folder/in/link", to: "../../../elsewhere")
            try to.makeFolder("m/link-for-folder/in")
            try to.link("m/file-for-link", to: "../elsewhere/victim")
            try to.write("m/link-for-file", "file")
            try to.write("m/stays", "stays")
            try restore(try SavedTree(try scan(from, ["m"])), into: to)
            var things = try to.things(below: "m")
            #expect(things.removeValue(forKey: "m/stays")?.kind == "file")
            let wanted = try from.things(below: "m")
            // The folder "m" has the time of the tree, as all others.
            #expect(things == wanted)
            #expect(try to.things(below: "elsewhere").keys.sorted() == ["elsewhere", "elsewhere/y"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: to.path).sorted() == ["elsewhere", "m"])
        }
    }

    @Test func rootsOfEveryKind() async throws {
        try await withTwoFolders { from, to in
            let homes = (try TreeFiles("\(from.path)/home"), try TreeFiles("\(to.path)/home"))
            try from.write("one-file", "1")
            try from.link("one-link", to: "one-file")
            try from.makeFolder("deep/er/folder", modified: 5)
            try homes.0.write(".npm/_cacache/x", "x")
            let roots = ["one-file", "one-link", "deep/er/folder", "~/.npm"]
            let saved = try SavedTree(try scan(from, roots, home: homes.0.path))
            try restore(saved, into: to, roots: roots, home: homes.1.path)
            #expect(try to.text("one-file") == "1")
            #expect(try to.things(below: "deep")["deep/er/folder"]?.modified == 5)
            #expect(try to.text("home/.npm/_cacache/x") == "x")
            #expect(try to.things(below: "one-link")["one-link"]?.kind == "link")
        }
    }

    @Test func theWorkingFolderItselfIsARoot() async throws {
        try await withTwoFolders { from, to in
            try from.write("a/b", "b")
            try from.set("", mode: 0o750, modified: 7)
            try to.write("mine", "mine")
            try restore(try SavedTree(try scan(from, ["."])), into: to)
            #expect(try to.text("a/b") == "b")
            #expect(try to.text("mine") == "mine")
            #expect(try FileManager.default.contentsOfDirectory(atPath: to.path).sorted() == ["a", "mine"])
            #expect(FileStamp(try to.status("")).modified == 7)
        }
    }

    @Test func setUserAndGroupBitsAreDropped() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/tool", "tool", mode: 0o6755)
            try from.makeFolder("m/shared", mode: 0o1777)
            try from.makeFolder("m/group", mode: 0o2755)
            let saved = try SavedTree(try scan(from, ["m"]))
            #expect(saved.tree.entries.map(\.mode).contains(0o6755))
            try restore(saved, into: to)
            #expect(try to.status("m/tool").st_mode & 0o7777 == 0o755)
            #expect(try to.status("m/shared").st_mode & 0o7777 == 0o1777)
            #expect(try to.status("m/group").st_mode & 0o7777 == 0o755)
        }
    }

    @Test func hardLinksToFilesThatStay() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/1", "content")
            try restore(try SavedTree(try scan(from, ["m"])), into: to)
            try from.hardLink("m/2", to: "m/1")
            try from.hardLink("m/new/3", to: "m/1")
            let saved = try SavedTree(try scan(from, ["m"]))
            #expect(try restore(saved, into: to).keptFileCount == 1)
            #expect(try to.status("m/1").st_nlink == 3)
            #expect(try restore(saved, into: to).writtenFileCount == 0)
            // One name has become a file of its own: it is linked again.
            try to.remove("m/2")
            try to.write("m/2", "content")
            try restore(saved, into: to)
            #expect(try to.status("m/2").st_ino == to.status("m/1").st_ino)
            #expect(try to.things(below: "m") == from.things(below: "m"))
        }
    }

    /// Files that are one here and two in the tree must not stay one: a write to one would change both.
    @Test func linkedFilesAreParted() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/1", "content", modified: 1)
            try from.write("m/2", "content", modified: 2)
            try to.write("m/1", "content")
            try to.hardLink("m/2", to: "m/1")
            try restore(SavedTree(try scan(from, ["m"]).tree), into: to)
            #expect(try to.status("m/1").st_nlink == 1)
            #expect(try to.things(below: "m") == from.things(below: "m"))
        }
    }

    /// What the server sends of files that stay, as no request has room for all digests, is dropped.
    @Test func contentsOfFilesThatStayMayCome() async throws {
        try await withTwoFolders { from, to in
            try from.write("m/small", "content")
            try from.write("m/large", SeededGenerator.bytes(2 << 20))
            let saved = try SavedTree(try scan(from, ["m"]))
            try restore(saved, into: to)
            let local = try scan(to, ["m"])
            var receiver = try RestoreReceiver(
                RestorePlan(tree: saved.tree, local: local),
                places: try RestorePlace.find(saved.tree, base: to.path, home: nil, allowed: []),
                local: local,
                have: [],
                threadCount: 1
            )
            #expect(receiver.needed.count == 2)
            for (digest, bytes) in saved.contents {
                try receiver.begin(digest, size: Int64(bytes.count), batchedSizeMax: 1000)
                try bytes.withUnsafeBytes { try receiver.write($0) }
                try receiver.end()
            }
            #expect(try receiver.complete(isStopped: { false }).isEmpty)
            receiver.abandon()
            #expect(try to.things(below: "m") == from.things(below: "m"))
        }
    }

    @Test func tenThousandFiles() async throws {
        try await withTwoFolders { from, to in
            var chance = SeededGenerator(seed: 3)
            for number in 0..<10_000 {
                let folder = "m/package-\(number % 200)/lib"
                if number < 200 { try from.makeFolder(folder) }
                let bytes = chance.bytes(Int.random(in: 0..<2000, using: &chance))
                let file = open("\(from.path)/\(folder)/\(number)", O_CREAT | O_WRONLY, 0o644)
                #expect(bytes.withUnsafeBytes { FileCalls.write($0, to: file) })
                close(file)
            }
            let index = "\(to.path)/../trees"
            let saved = try SavedTree(try scan(from, ["m"]))
            let report = try restore(saved, into: to, index: index)
            #expect(report.writtenFileCount == 10_000)
            #expect(try scan(to, ["m"]).tree == saved.tree)
            #expect(try restore(SavedTree(saved.tree), into: to, index: index).keptFileCount == 10_000)
        }
    }
}

extension SeededGenerator {
    fileprivate static func bytes(_ count: Int) -> [UInt8] {
        var chance = SeededGenerator(seed: 9)
        return chance.bytes(count)
    }
}
