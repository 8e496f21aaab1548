import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Files get their places whole, and never through a link.
@Suite struct ArtifactTargetTests {
    /// Puts texts into a folder as if they had been fetched.
    private func place(
        _ texts: KeyValuePairs<String, String>,
        links: [ArtifactFiles.Link] = [],
        folders: [ArtifactFiles.Folder] = [],
        mode: UInt16 = 0o644,
        in folder: String,
        stagedIn stagingFolder: String? = nil
    ) throws -> ArtifactTarget.Counts {
        var contents = ArtifactContents(links: links, folders: folders)
        var staged: [PathKey: String] = [:]
        let target = ArtifactTarget(folder)
        _ = try ArtifactFolder(folder)
        let staging = try ArtifactStaging(in: stagingFolder ?? folder)
        for (path, text) in texts {
            let digest = IncrementalHasher.digest(of: Array(text.utf8))
            contents.files.append(.init(path: path, digest: digest, size: Int64(text.utf8.count), mode: mode))
            staged[PathKey(path)] = digest.hex
            guard !FileManager.default.fileExists(atPath: "\(staging.path)/\(digest.hex)") else { continue }
            try write(text, to: "\(staging.path)/\(digest.hex)")
        }
        let kept = try target.inspect(contents) {}
        return try target.place(contents, known: kept, staged: staged, from: staging) {}
    }

    @Test func everythingIsPutInPlaceAndNothingElseIsLeft() async throws {
        try await withTemporaryFolder { folder in
            let counts = try place(
                ["a/b/c": "1", "a/d": "1", "e": "22"],
                links: [.init(path: "a/link", target: "../e")],
                folders: [.init(path: "a/b", mode: 0o500), .init(path: "empty/deep", mode: 0o755)],
                mode: 0o755,
                in: "\(folder)/new/out"
            )
            #expect(counts.kept == 0)
            #expect(counts.overwritten == 0)
            #expect(
                try listing(of: "\(folder)/new/out") == [
                    "a/ 755", "a/b/ 500", "a/b/c 755 1", "a/d 755 1", "a/link -> ../e", "e 755 22", "empty/ 755",
                    "empty/deep/ 755",
                ]
            )
            chmod("\(folder)/new/out/a/b", 0o755)
        }
    }

    @Test func sameContentsAreKeptAndOthersOverwritten() async throws {
        try await withTemporaryFolder { folder in
            try write("same", to: "\(folder)/same", mode: 0o600)
            try write("old", to: "\(folder)/changed")
            try write("mine", to: "\(folder)/other")
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/was-link", withDestinationPath: "other")
            var before = stat()
            stat("\(folder)/same", &before)
            let counts = try place(["same": "same", "changed": "new", "was-link": "file"], in: folder)
            #expect(counts.kept == 1)
            #expect(counts.overwritten == 2)
            #expect(
                try listing(of: folder) == ["changed 644 new", "other 644 mine", "same 644 same", "was-link 644 file"]
            )
            var after = stat()
            stat("\(folder)/same", &after)
            #expect(before.st_ino == after.st_ino)
        }
    }

    @Test func nothingIsWrittenThroughALinkThatIsThere() async throws {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: "\(folder)/outside", withIntermediateDirectories: false)
            try FileManager.default.createDirectory(atPath: "\(folder)/in", withIntermediateDirectories: false)
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/in/a", withDestinationPath: "../outside")
            let target = "\(folder)/in"
            #expect(throws: ClientError.self) { try place(["a/b": "1", "c": "2"], in: target) }
            #expect(throws: ClientError.self) { try place([:], links: [.init(path: "a/l", target: "x")], in: target) }
            #expect(throws: ClientError.self) { try place([:], folders: [.init(path: "a/f", mode: 0o755)], in: target) }
            #expect(throws: ClientError.self) { try place([:], folders: [.init(path: "a", mode: 0o700)], in: target) }
            #expect(try listing(of: "\(folder)/outside") == [])
            // Nor is anything else, as all is looked at first.
            #expect(try listing(of: target) == ["a -> ../outside"])
        }
    }

    @Test func whatIsInTheWayIsFoundBeforeAnythingIsPutInPlace() async throws {
        try await withTemporaryFolder { folder in
            try write("old", to: "\(folder)/a")
            try write("file", to: "\(folder)/z")
            let tries: [KeyValuePairs<String, String>] = [["a": "new", "z/b": "1"], ["a": "new", "z/in/b": "1"]]
            for texts in tries {
                let error = #expect(throws: ClientError.self) { try place(texts, in: folder) }
                #expect(try #require(error).description.contains("\(folder)/z is no folder"))
            }
            #expect(throws: ClientError.self) {
                try place(["a": "new"], folders: [.init(path: "z", mode: 0o755)], in: folder)
            }
            #expect(try listing(of: folder) == ["a 644 old", "z 644 file"])
        }
    }

    @Test func aFolderThatCannotBeWrittenIsFoundBeforeAnythingIsPutInPlace() async throws {
        // Root can write everywhere.
        guard geteuid() != 0 else { return }
        try await withTemporaryFolder { folder in
            try write("old", to: "\(folder)/a")
            try write("old", to: "\(folder)/locked/b")
            chmod("\(folder)/locked", 0o555)
            defer { chmod("\(folder)/locked", 0o755) }
            let tries: [KeyValuePairs<String, String>] = [
                ["a": "new", "locked/b": "new"], ["a": "new", "locked/in/c": "1"],
            ]
            for texts in tries {
                let error = #expect(throws: ClientError.self) { try place(texts, in: folder) }
                #expect(try #require(error).description.contains("can't write in \(folder)/locked: "))
            }
            let link = ArtifactFiles.Link(path: "locked/l", target: "b")
            #expect(throws: ClientError.self) { try place(["a": "new"], links: [link], in: folder) }
            #expect(readText("\(folder)/a") == "old")
            // What is there with the same contents needs no right to write.
            #expect(try place(["a": "new", "locked/b": "old"], in: folder).kept == 1)
        }
    }

    /// As where another file system is mounted below the folder; memory is one on most machines.
    @Test func whatIsStagedOnAnotherFileSystemIsCopied() async throws {
        let memory = "/dev/shm/larder-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        guard mkdir(memory, 0o700) == 0 else { return }
        defer { try? FileManager.default.removeItem(atPath: memory) }
        try await withTemporaryFolder { folder in
            try write("old", to: "\(folder)/a/b")
            let counts = try place(
                ["a/b": "1", "a/c": "1"],
                links: [.init(path: "a/k", target: "b"), .init(path: "l", target: "a")],
                mode: 0o750,
                in: folder,
                stagedIn: memory
            )
            #expect(counts.overwritten == 1)
            #expect(try listing(of: folder) == ["a/ 755", "a/b 750 1", "a/c 750 1", "a/k -> b", "l -> a"])
        }
    }

    @Test func pathsInDifferentBytesAreDifferentFiles() async throws {
        try await withTemporaryFolder { folder in
            let (decomposed, composed) = ("e\u{301}", "\u{e9}")
            let link = ArtifactFiles.Link(path: "l", target: composed)
            #expect(symlink(decomposed, "\(folder)/l") == 0)
            let counts = try place(["e\u{301}": "one", "\u{e9}": "two"], links: [link], in: folder)
            #expect(counts.overwritten == 1)
            #expect(try ArtifactDisk.bytes(of: "\(folder)/\(decomposed)", atMost: 10) == Array("one".utf8))
            #expect(try ArtifactDisk.bytes(of: "\(folder)/\(composed)", atMost: 10) == Array("two".utf8))
            #expect(try PathKey(ArtifactDisk.target(ofLink: "\(folder)/l")) == PathKey(composed))
        }
    }

    @Test func aFolderInAFilesPlaceIsNotRemoved() async throws {
        try await withTemporaryFolder { folder in
            try write("1", to: "\(folder)/a/b")
            let error = #expect(throws: ClientError.self) { try place(["a": "2"], in: folder) }
            #expect(try #require(error).description.contains("is a folder"))
            #expect(try listing(of: folder) == ["a/ 755", "a/b 644 1"])
        }
    }

    @Test func whatAKilledPullLeftIsRemoved() async throws {
        try await withTemporaryFolder { folder in
            let left = "\(folder)/.larder-restore-abcdef"
            try write("part", to: "\(left)/x")
            var times = [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]
            utimes(left, &times)
            // One of a pull that goes on.
            let other = try ArtifactStaging(in: folder)
            utimes(other.path, &times)
            #expect(FileManager.default.fileExists(atPath: left) == false)
            _ = try place(["a": "1"], in: folder)
            #expect(FileManager.default.fileExists(atPath: other.path))
        }
    }
}
