import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

@Suite struct TreeIndexTests {
    /// Waits until the file system's clock shows another time than now.
    private func waitForTick(_ index: TreeIndex) async throws {
        let start = try #require(index.now())
        try await waitUntil("the clock ticks") { (index.now() ?? 0) > start }
    }

    @Test func unchangedFilesAreNotReadAgain() async throws {
        try await withTwoFolders { files, other in
            for number in 0..<50 { try files.write("a/\(number % 7)/\(number)", "content \(number)") }
            let index = "\(other.path)/cache/trees"
            try await waitForTick(TreeIndex(folder: index))
            let first = try scan(files, ["a"], index: index)
            #expect(first.hashedFileCount == 50)
            let second = try scan(files, ["./a/"], index: index)
            #expect(second.hashedFileCount == 0)
            #expect(second.tree == first.tree)
            #expect(try other.status("cache").st_mode & 0o777 == 0o700)

            try files.write("a/3/new", "new")
            try files.remove("a/3/3")
            try files.write("a/4/4", "longer than before")
            try await waitForTick(TreeIndex(folder: index))
            let third = try scan(files, ["a"], index: index)
            #expect(third.hashedFileCount == 2)
            #expect(third.tree == (try scan(files, ["a"]).tree))
            #expect(try scan(files, ["a"], index: index).hashedFileCount == 0)
        }
    }

    @Test func aChangeThatKeepsSizeAndTimeIsSeen() async throws {
        try await withTwoFolders { files, other in
            try files.write("a/x", "before", modified: 1_000_000_000_000_000_007)
            let index = "\(other.path)/trees"
            try await waitForTick(TreeIndex(folder: index))
            _ = try scan(files, ["a"], index: index)
            #expect(try scan(files, ["a"], index: index).hashedFileCount == 0)
            try files.write("a/x", "after!", modified: 1_000_000_000_000_000_007)
            let scanned = try scan(files, ["a"], index: index)
            #expect(scanned.hashedFileCount == 1)
            #expect(scanned.digests == [IncrementalHasher.digest(of: Array("after!".utf8))])
        }
    }

    /// A change within the tick of the clock in which the scan began would not show.
    @Test func aFileAsYoungAsTheScanIsNotKept() async throws {
        try await withTwoFolders { files, other in
            let index = "\(other.path)/trees"
            var wasYoung = false
            // The clock may tick between the two calls, but not every time.
            for round in 0..<200 where !wasYoung {
                try files.write("a/x", "round \(round)")
                let changed = FileStamp(try files.status("a/x")).changed
                let scanned = try scan(files, ["a"], index: index)
                guard changed >= (scanned.moment ?? 0) else { continue }
                wasYoung = true
                #expect(try scan(files, ["a"], index: index).hashedFileCount == 1)
            }
            #expect(wasYoung)
        }
    }

    @Test(arguments: [
        (changed: Int64(99_999_999_999), isKept: true), (100_000_000_001, false), (100_000_000_002, false),
        // Whole seconds: a file system that knows no others.
        (99_000_000_000, false), (98_000_000_000, true),
    ])
    func trustsStampsFromBeforeTheScan(changed: Int64, isKept: Bool) {
        var stamp = FileStamp(size: 1, modified: 5, changed: changed, inode: 1, device: 1)
        #expect(stamp.wouldShowChange(since: 100_000_000_001) == isKept)
        (stamp.modified, stamp.changed) = (changed, 5)
        #expect(stamp.wouldShowChange(since: 100_000_000_001) == isKept)
    }

    @Test func anItemIsFoundOnlyWithTheSameStamp() throws {
        let stamp = FileStamp(size: 5, modified: -1, changed: 2, inode: 3, device: 4)
        let digest = IncrementalHasher.digest(of: [1, 2, 3])
        let bytes = TreeIndex.encoded(
            [
                TreeIndex.Item(path: "a/b", stamp: stamp, digest: digest),
                .init(path: "a.b", stamp: stamp, digest: digest),
            ],
            root: "/r"
        )
        func find(_ path: String, _ stamp: FileStamp) throws -> Digest? {
            var cursor = try #require(TreeIndexCursor(bytes, root: "/r"))
            #expect(cursor.itemCount == 2)
            return Array(path.utf8).withUnsafeBufferPointer { cursor.digest(at: $0, stamp: stamp) }
        }
        #expect(try find("a/b", stamp) == digest)
        #expect(try find("a.b", stamp) == digest)
        for path in ["", "a", "a/a", "a/b/c", "a/c", "b", "a-b"] { #expect(try find(path, stamp) == nil, "\(path)") }
        for change: (inout FileStamp) -> Void in [
            { $0.size = 6 }, { $0.modified = 1 }, { $0.changed = 1 }, { $0.inode = 1 }, { $0.device = 1 },
        ] {
            var other = stamp
            change(&other)
            #expect(try find("a/b", other) == nil)
        }
        #expect(TreeIndexCursor(bytes, root: "/other") == nil)
    }

    @Test func aDamagedIndexIsIgnored() async throws {
        let stamp = FileStamp(size: 5, modified: 1, changed: 2, inode: 3, device: 4)
        let items = (0..<3).map { TreeIndex.Item(path: "\($0)", stamp: stamp, digest: .emptySHA256) }
        let bytes = TreeIndex.encoded(items, root: "/r")
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= 1
            #expect(TreeIndexCursor(damaged, root: "/r") == nil, "byte \(position)")
            #expect(TreeIndexCursor(Array(bytes[..<position]), root: "/r") == nil, "cut at \(position)")
        }
        try await withTwoFolders { files, other in
            try files.write("a/x", "x")
            let index = TreeIndex(folder: "\(other.path)/trees")
            try await waitForTick(index)
            _ = try scan(files, ["a"], index: index.folder)
            let name = try #require(try FileManager.default.contentsOfDirectory(atPath: index.folder).first)
            try other.write("trees/\(name)", "nonsense")
            #expect(try scan(files, ["a"], index: index.folder).hashedFileCount == 1)
            #expect(try scan(files, ["a"], index: index.folder).hashedFileCount == 0)
        }
    }

    @Test func oldIndexesGo() async throws {
        try await withTemporaryFolder { folder in
            let index = TreeIndex(folder: folder)
            for number in 0..<230 { index.save([], root: "/\(number)") }
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names.count <= 200)
            #expect(index.cursor(for: "/229") != nil)
        }
    }

    @Test func aFolderThatCannotBeWrittenOnlyCostsTime() async throws {
        try await withTwoFolders { files, _ in
            try files.write("a/x", "x")
            let scanned = try scan(files, ["a"], index: "\(files.path)/a/x/trees")
            #expect(scanned.tree.fileCount == 1)
        }
    }

    @Test func aRestoreLeavesAnIndexOfWhatItMade() async throws {
        try await withTwoFolders { from, to in
            for number in 0..<300 { try from.write("a/\(number % 7)/\(number)", "content \(number)") }
            let saved = try SavedTree(try scan(from, ["a"]))
            let index = "\(to.path)/../trees"
            try restore(saved, into: to, index: index)
            // Files as young as the moment before they were put in place are not in it.
            let second = try scan(to, ["a"], index: index)
            #expect(second.tree == saved.tree)
            #expect(second.hashedFileCount < 300)
            let report = try restore(saved, into: to, index: index)
            #expect(report.keptFileCount == 300)
            #expect(report.receivedBlobCount == 0)
        }
    }
}
