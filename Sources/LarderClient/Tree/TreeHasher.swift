import Dispatch
import Glibc
import LarderCore
import Synchronization

/// From where the files of a root are opened.
struct TreeAnchor: Sendable {
    /// The root, or the folder that it is in when it is no folder.
    let folder: OpenDescriptor
    /// The root's name in that folder; empty: the root is the folder.
    let name: String
    /// The root's absolute path, for people.
    let path: String
}

/// Reads files on several threads, and tells their digests.
struct TreeHasher: Sendable {
    struct HashedFile: Sendable {
        let digest: Digest
        let stamp: FileStamp
        let mode: UInt16
    }

    struct Outcome: Sendable {
        let entry: Int
        let result: Result<HashedFile, ClientError>
    }

    /// Times that a file is read which changes all the while.
    private static let attemptCount = 5
    private static let threadCountMax = 8
    /// Files that a thread takes at once.
    private static let stride = 16

    let entries: [FileTree.Entry]
    let stamps: [FileStamp]
    let anchors: [TreeAnchor]

    /// Hashes the files of some entries; the outcomes come in no order.
    func hash(_ files: [Int]) -> [Outcome] {
        // Large files first, so that none is left alone at the end.
        let large = files.filter { stamps[$0].size > FileCalls.pieceLength }
            .sorted { stamps[$0].size > stamps[$1].size }
        let files = large + files.filter { stamps[$0].size <= FileCalls.pieceLength }
        let width = min(
            max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            Self.threadCountMax,
            files.count / Self.stride + 1
        )
        let next = Atomic(0)
        let outcomes = Mutex<[Outcome]>([])
        DispatchQueue.concurrentPerform(iterations: width) { _ in
            let own = hash(files, largeCount: large.count, next: next)
            outcomes.withLock { $0.append(contentsOf: own) }
        }
        return outcomes.withLock { $0 }
    }

    /// Takes files until none is left.
    private func hash(_ files: [Int], largeCount: Int, next: borrowing Atomic<Int>) -> [Outcome] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FileCalls.pieceLength, alignment: 4096)
        defer { buffer.deallocate() }
        var outcomes: [Outcome] = []
        while true {
            // Large files are taken one by one.
            let start = next.load(ordering: .relaxed)
            let count = start < largeCount ? 1 : Self.stride
            guard start < files.count else { return outcomes }
            let (isOurs, _) = next.compareExchange(expected: start, desired: start + count, ordering: .relaxed)
            guard isOurs else { continue }
            for file in files[start..<min(start + count, files.count)] {
                outcomes.append(
                    Outcome(entry: file, result: Result { () throws(ClientError) in try hash(file, buffer) })
                )
            }
        }
    }

    private func hash(_ file: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(ClientError) -> HashedFile {
        let entry = entries[file]
        let anchor = anchors[entry.root]
        let path = anchor.name.isEmpty ? entry.path : anchor.name
        if path.utf8.count <= FileCalls.pathLengthMax {
            // A link in place of a folder would be followed here: the inode tells.
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
            let descriptor = openat(anchor.folder.descriptor, path, flags)
            guard descriptor >= 0 else { throw FileCalls.trouble("read", text(of: entry)) }
            defer { close(descriptor) }
            if let hashed = try read(descriptor, before: stamps[file], entry, buffer) { return hashed }
        }
        return try hashChanging(path, entry, in: anchor.folder, buffer)
    }

    /// Reads a file that changes until it is the same before and after.
    private func hashChanging(
        _ path: String,
        _ entry: FileTree.Entry,
        in folder: OpenDescriptor,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(ClientError) -> HashedFile {
        for _ in 0..<Self.attemptCount {
            let descriptor = FileCalls.openStepwise(path, in: folder.descriptor, flags: O_RDONLY | O_NONBLOCK)
            guard descriptor >= 0 else { throw FileCalls.trouble("read", text(of: entry)) }
            defer { close(descriptor) }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { throw FileCalls.trouble("read", text(of: entry)) }
            guard status.isFile else { throw ClientError("\(text(of: entry)) was replaced while it was read") }
            if let hashed = try read(descriptor, before: FileStamp(status), entry, buffer) { return hashed }
        }
        throw ClientError("\(text(of: entry)) keeps changing while it is read")
    }

    /// Hashes an open file; nil when it is not afterwards what it was before.
    private func read(
        _ file: Int32,
        before: FileStamp,
        _ entry: FileTree.Entry,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(ClientError) -> HashedFile? {
        var hasher = IncrementalHasher()
        var digest: Digest?
        var count: Int64 = 0
        while count < before.size {
            let length = Int(min(Int64(buffer.count), before.size - count))
            let read = FileCalls.read(file, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<length]))
            guard read >= 0 else { throw FileCalls.trouble("read", text(of: entry)) }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<read])
            count += Int64(read)
            if Int64(read) == before.size {
                digest = IncrementalHasher.digest(of: bytes)
            } else {
                hasher.update(bytes)
            }
            if read < length { break }
        }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw FileCalls.trouble("read", text(of: entry)) }
        guard count == before.size, FileStamp(status) == before else { return nil }
        guard let digest = digest ?? hasher.finalize().first else { preconditionFailure("SHA-256 is always computed") }
        return HashedFile(digest: digest, stamp: before, mode: status.permissions)
    }

    private func text(of entry: FileTree.Entry) -> String {
        let root = anchors[entry.root].path
        return entry.path.isEmpty ? root : "\(root)/\(entry.path)"
    }
}
