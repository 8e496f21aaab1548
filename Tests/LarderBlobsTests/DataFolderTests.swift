import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import Testing

/// The data folder has its layout, its version, and one user at a time.
@Suite
struct DataFolderTests {
    @Test
    func theLayoutIsMadeWithItsParents() async throws {
        try await withTemporaryFolder { root in
            let folder = try DataFolder(at: "\(root)/some/where/data")
            defer { folder.unlock() }
            #expect(folder.path == "\(root)/some/where/data")
            #expect(folder.databasePath == "\(root)/some/where/data/larder.sqlite")
            #expect(folder.socketPath == "\(root)/some/where/data/larder.sock")
            #expect(folder.uploadsPath == "\(root)/some/where/data/uploads")
            #expect(folder.ballastPath == "\(root)/some/where/data/ballast")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                    "FORMAT", "LOCK", "blobs", "uploads",
                ]
            )
            let folders = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/blobs/sha256").sorted()
            #expect(folders.count == 256)
            #expect(folders.first == "00")
            #expect(folders[10] == "0a")
            #expect(folders.last == "ff")
            #expect(readText("\(folder.path)/FORMAT") == "larder 1\n")
            #expect(readText("\(folder.path)/LOCK") == "\(getpid())\n")
            let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
        }
    }

    @Test
    func aSecondUserIsRefusedAndToldThePid() async throws {
        try await withTemporaryFolder { root in
            let first = try DataFolder(at: "\(root)/data")
            #expect(
                throws: StoreError.notAllowed(
                    "the data folder is in use by process \(getpid()) (it holds \(root)/data/LOCK)"
                )
            ) {
                _ = try DataFolder(at: "\(root)/data")
            }
            // A refusal takes nothing from the first.
            #expect(readText("\(root)/data/LOCK") == "\(getpid())\n")
            #expect(throws: StoreError.self) { _ = try DataFolder(at: "\(root)/data") }
            first.unlock()
            let second = try DataFolder(at: "\(root)/data")
            second.unlock()
        }
    }

    @Test(
        arguments: [
            "restic 1\n", "larder\n", "larder one\n", "larder 1 2\n", "1\n",
            "something else entirely that is rather long\n",
        ])
    func aForeignFolderIsRefused(format: String) async throws {
        try await withTemporaryFolder { root in
            try format.write(toFile: "\(root)/FORMAT", atomically: false, encoding: .utf8)
            #expect(throws: StoreError.notAllowed("\(root) is not a data folder of larder (see its file FORMAT)")) {
                _ = try DataFolder(at: root)
            }
            // Nothing was changed but for the lock, which is free again.
            #expect(readText("\(root)/FORMAT") == format)
            #expect(try FileManager.default.contentsOfDirectory(atPath: root).sorted() == ["FORMAT", "LOCK"])
            try "larder 1\n".write(toFile: "\(root)/FORMAT", atomically: false, encoding: .utf8)
            try DataFolder(at: root).unlock()
        }
    }

    @Test
    func aFolderOfANewerVersionIsRefused() async throws {
        try await withTemporaryFolder { root in
            try "larder 2\n".write(toFile: "\(root)/FORMAT", atomically: false, encoding: .utf8)
            #expect(
                throws: StoreError.notAllowed(
                    "\(root) has layout version 2, this program knows 1: use a newer larder"
                )
            ) {
                _ = try DataFolder(at: root)
            }
            #expect(readText("\(root)/FORMAT") == "larder 2\n")
        }
    }

    @Test
    func aFileInTheWayIsAnError() async throws {
        try await withTemporaryFolder { root in
            try "x".write(toFile: "\(root)/file", atomically: false, encoding: .utf8)
            #expect(throws: StoreError.self) { _ = try DataFolder(at: "\(root)/file/data") }
        }
    }

    @Test
    func reopeningKeepsWhatIsThere() async throws {
        try await withTemporaryFolder { root in
            let path = "\(root)/data"
            try DataFolder(at: path).unlock()
            try "bytes".write(toFile: "\(path)/blobs/sha256/ab/file", atomically: false, encoding: .utf8)
            try FileManager.default.removeItem(atPath: "\(path)/blobs/sha256/cd")
            try DataFolder(at: path).unlock()
            #expect(readText("\(path)/blobs/sha256/ab/file") == "bytes")
            #expect(FileManager.default.fileExists(atPath: "\(path)/blobs/sha256/cd"))
        }
    }
}
