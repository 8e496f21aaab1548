import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import Testing

/// Every failure of the operating system becomes the store's own error, which says what was tried and where.
@Suite
struct PosixBlobFilesTests {
    private let files = PosixBlobFiles()

    @Test
    func whatIsNotThereIsNoFailureWhereItIsAnOutcome() async throws {
        try await withTemporaryFolder { folder in
            #expect(try files.open("\(folder)/none") == nil)
            try files.remove("\(folder)/none")
            #expect(try files.list(folder) == [])
        }
    }

    @Test
    func failuresNameTheCallThePathAndTheNumber() async throws {
        try await withTemporaryFolder { folder in
            let none = "\(folder)/none/file"
            let existing = "\(folder)/existing"
            let three: [UInt8] = [1, 2, 3]
            files.close(try files.create(existing))
            let cases: [(expected: StoreError, call: () throws -> Void)] = [
                (.io(operation: "create", path: none, code: ENOENT), { _ = try self.files.create(none) }),
                (.io(operation: "create", path: existing, code: EEXIST), { _ = try self.files.create(existing) }),
                (.io(operation: "link", path: existing, code: EEXIST), { try self.files.link(existing, to: existing) }),
                (
                    .io(operation: "link", path: "\(folder)/x", code: ENOENT),
                    { try self.files.link(none, to: "\(folder)/x") }
                ),
                (
                    .io(operation: "rename", path: "\(folder)/x", code: ENOENT),
                    { try self.files.rename(none, to: "\(folder)/x") }
                ),
                (.io(operation: "remove", path: folder, code: EISDIR), { try self.files.remove(folder) }),
                (.io(operation: "list", path: none, code: ENOENT), { _ = try self.files.list(none) }),
                (
                    .io(operation: "open folder", path: none, code: ENOENT),
                    { try self.files.synchronizeFolder(none) }
                ),
                (
                    .io(operation: "open", path: "\(existing)/file", code: ENOTDIR),
                    { _ = try self.files.open("\(existing)/file") }
                ),
                (.io(operation: "statvfs", path: none, code: ENOENT), { _ = try self.files.diskSpace(at: none) }),
                (.io(operation: "sync", path: "here", code: EBADF), { try self.files.synchronize(-1, path: "here") }),
                (
                    .io(operation: "write", path: "here", code: EBADF),
                    { try three.withUnsafeBytes { try self.files.write($0, to: -1, at: 0, path: "here") } }
                ),
                (
                    .io(operation: "read", path: "here", code: EBADF),
                    {
                        var buffer = [UInt8](repeating: 0, count: 3)
                        _ = try buffer.withUnsafeMutableBytes { try self.files.read(-1, at: 0, into: $0, path: "here") }
                    }
                ),
            ]
            for (expected, call) in cases {
                #expect(throws: expected) { try call() }
            }
        }
    }

    @Test
    func aFullDiskIsNoSpace() throws {
        // Every write to this device fails with ENOSPC.
        let file = open("/dev/full", O_WRONLY)
        try #require(file >= 0)
        defer { _ = close(file) }
        #expect(throws: StoreError.noSpace("the disk is full (write /dev/full)")) {
            let three: [UInt8] = [1, 2, 3]
            try three.withUnsafeBytes { try files.write($0, to: file, at: 0, path: "/dev/full") }
        }
    }

    @Test
    func bytesAreWrittenAndReadAtOffsets() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/file"
            let file = try files.create(path)
            try [1, 2, 3].withUnsafeBufferPointer { try files.write(Self.raw($0), to: file, at: 5, path: path) }
            try [9, 8].withUnsafeBufferPointer { try files.write(Self.raw($0), to: file, at: 0, path: path) }
            try files.write(UnsafeRawBufferPointer(start: nil, count: 0), to: file, at: 0, path: path)
            files.startWriteback(of: file, from: 0, length: 8)
            try files.synchronize(file, path: path)
            files.close(file)
            try files.link(path, to: "\(folder)/second")
            try files.rename(path, to: "\(folder)/third")
            try files.synchronizeFolder(folder)
            #expect(try files.list(folder).sorted() == ["second", "third"])
            let (open, byteCount) = try #require(try files.open("\(folder)/second"))
            defer { files.close(open) }
            #expect(byteCount == 8)
            var buffer = [UInt8](repeating: 0xff, count: 10)
            let count = try buffer.withUnsafeMutableBytes { try files.read(open, at: 1, into: $0, path: path) }
            #expect(count == 7)
            #expect(buffer == [8, 0, 0, 0, 1, 2, 3, 0xff, 0xff, 0xff])
            #expect(try buffer.withUnsafeMutableBytes { try files.read(open, at: 8, into: $0, path: path) } == 0)
        }
    }

    @Test
    func filesAreForTheirOwnerOnly() async throws {
        try await withTemporaryFolder { folder in
            files.close(try files.create("\(folder)/file"))
            let mode = try FileManager.default.attributesOfItem(atPath: "\(folder)/file")[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }

    @Test
    func theDiskHasSpace() async throws {
        try await withTemporaryFolder { folder in
            let space = try files.diskSpace(at: folder)
            #expect(space.total > .zero)
            #expect(space.free >= .zero)
            #expect(space.free <= space.total)
        }
    }

    private static func raw(_ buffer: UnsafeBufferPointer<UInt8>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(buffer)
    }
}
