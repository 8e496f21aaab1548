import Glibc
import LarderCore

/// Remembers the digests of files below one root, so that those which did not change need not be read again.
///
/// One file per root: a magic line; the root's absolute path as length (four bytes) and text; the number of files
/// (eight bytes); each file as the number of bytes that its path shares with the one before, that of the rest (two
/// bytes each), the rest, times of change of contents and of anything, inode and device (eight bytes each), and digest
/// and size as the head of a frame of a pack. All in the order of paths, numbers little-endian but in that head, and a
/// SHA-256 of all that is before at the end. What is damaged is as good as nothing.
///
/// Only stamps in which a later change would show are kept, so all that is in an index can be trusted.
struct TreeIndex: Sendable {
    /// A file that the index knows.
    struct Item {
        var path: String
        var stamp: FileStamp
        var digest: Digest
    }

    /// A longer index is not read.
    private static let lengthMax = 512 << 20
    /// More indexes are not kept: those written longest ago go.
    private static let fileCountMax = 200
    fileprivate static let magic = Array("larder.index.1\n".utf8)
    fileprivate static let digestLength = 32
    private static let nameTail = ".index"

    /// Where the indexes of this user lie.
    let folder: String

    private func name(of root: String) -> String {
        IncrementalHasher.digest(of: Array(root.utf8)).hex.prefix(40) + Self.nameTail
    }

    // MARK: - Reading

    /// What is known of a root (absolute path); nil: nothing.
    func cursor(for root: String) -> TreeIndexCursor? {
        let file = open("\(folder)/\(name(of: root))", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size > Self.digestLength, status.st_size <= Self.lengthMax else {
            return nil
        }
        let length = Int(status.st_size)
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            count = max(0, FileCalls.read(file, into: UnsafeMutableRawBufferPointer(buffer)))
        }
        guard bytes.count == length else { return nil }
        return TreeIndexCursor(bytes, root: root)
    }

    // MARK: - Writing

    /// The moment of now by the clock of the file system; nil when the index's folder can't be written.
    ///
    /// A file that changes from here on has this time or a later one.
    func now() -> Int64? {
        guard makeFolder(), let (path, file) = makeTemporaryFile() else { return nil }
        defer {
            unlink(path)
            close(file)
        }
        var status = stat()
        return fstat(file, &status) == 0 ? status.st_ctim.nanoseconds : nil
    }

    /// Keeps what is known of a root in place of what was; a failure only costs time later.
    ///
    /// `items`: In the order of their paths.
    func save(_ items: [Item], root: String) {
        let bytes = Self.encoded(items, root: root)
        guard makeFolder(), let (path, file) = makeTemporaryFile() else { return }
        let isWritten = bytes.withUnsafeBytes { FileCalls.write($0, to: file) }
        close(file)
        guard isWritten, rename(path, "\(folder)/\(name(of: root))") == 0 else {
            unlink(path)
            return
        }
        removeOldest()
    }

    static func encoded(_ items: [Item], root: String) -> [UInt8] {
        var writer = IndexWriter()
        writer.bytes.reserveCapacity(items.count * 128 + root.utf8.count + 100)
        writer.bytes += magic
        writer.write(UInt32(root.utf8.count))
        writer.bytes += root.utf8
        writer.write(UInt64(items.count))
        var last = ""
        for item in items {
            writer.write(path: item.path, after: last)
            writer.write(UInt64(bitPattern: item.stamp.modified))
            writer.write(UInt64(bitPattern: item.stamp.changed))
            writer.write(item.stamp.inode)
            writer.write(item.stamp.device)
            writer.bytes += PackFrame.blob(item.digest, size: item.stamp.size).head
            last = item.path
        }
        writer.bytes += IncrementalHasher.digest(of: writer.bytes).bytes
        return writer.bytes
    }

    private func makeFolder() -> Bool {
        if access(folder, W_OK | X_OK) == 0 { return true }
        var path = ""
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            _ = mkdir(path, 0o700)
        }
        return access(folder, W_OK | X_OK) == 0
    }

    private func makeTemporaryFile() -> (path: String, file: Int32)? {
        let path = "\(folder)/.\(String(UInt64.random(in: 0 ... .max), radix: 36)).part"
        let file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        return file >= 0 ? (path, file) : nil
    }

    /// Removes indexes above the number that is kept, and what killed programs left.
    private func removeOldest() {
        guard let opened = try? OpenDescriptor(path: folder), let names = FolderNames(of: opened.descriptor),
            names.indices.count > Self.fileCountMax
        else { return }
        var files: [(name: String, modified: Int64)] = []
        for index in names.indices {
            names.withName(index) { name in
                var status = stat()
                guard fstatat(opened.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.isFile else { return }
                files.append((String(cString: name), status.st_mtim.nanoseconds))
            }
        }
        files.sort { $0.modified < $1.modified }
        for file in files.dropLast(Self.fileCountMax * 3 / 4)
        where file.name.hasSuffix(Self.nameTail) || file.name.hasSuffix(".part") {
            unlinkat(opened.descriptor, file.name, 0)
        }
    }
}

/// Goes through an index once, beside a walk in the same order.
struct TreeIndexCursor {
    private let bytes: [UInt8]
    private var position: Int
    /// Items from the present one on.
    private var countLeft: Int
    private var path: [UInt8] = []
    private var stamp = FileStamp.none
    private var digest = Digest.emptySHA256
    /// Items of the whole index.
    private(set) var itemCount: Int

    /// Takes an index; nil when it is damaged or another root's.
    init?(_ bytes: [UInt8], root: String) {
        let bodyLength = bytes.count - TreeIndex.digestLength
        guard bodyLength >= TreeIndex.magic.count, bytes.starts(with: TreeIndex.magic) else { return nil }
        let isWhole = bytes.withUnsafeBytes { bytes in
            IncrementalHasher.digest(of: UnsafeRawBufferPointer(rebasing: bytes[..<bodyLength])).bytes
                .elementsEqual(bytes[bodyLength...])
        }
        guard isWhole else { return nil }
        self.bytes = bytes
        position = TreeIndex.magic.count
        (countLeft, itemCount) = (0, 0)
        guard let length: UInt32 = number(), Int(length) <= bodyLength - position,
            bytes[position..<(position + Int(length))].elementsEqual(root.utf8)
        else { return nil }
        position += Int(length)
        guard let count: UInt64 = number(), count <= UInt64(FileTree.entryCountMax) else { return nil }
        itemCount = Int(count)
        countLeft = itemCount
        if countLeft > 0 { readItem() }
    }

    /// The digest of a file that stands at a path now, if it is as it was.
    ///
    /// Paths are to be asked for in their order.
    mutating func digest(at wanted: UnsafeBufferPointer<UInt8>, stamp wantedStamp: FileStamp) -> Digest? {
        while countLeft > 0 {
            switch order(of: wanted) {
            case 0: return stamp == wantedStamp ? digest : nil
            case ..<0: return nil
            default:
                countLeft -= 1
                if countLeft > 0 { readItem() }
            }
        }
        return nil
    }

    /// Negative: the wanted path stands before the present one; `/` is the lowest byte.
    private func order(of wanted: UnsafeBufferPointer<UInt8>) -> Int {
        path.withUnsafeBufferPointer { path in
            let shared = min(path.count, wanted.count)
            var index = 0
            while index < shared, path[index] == wanted[index] { index += 1 }
            guard index < shared else { return wanted.count - path.count }
            if wanted[index] == 0x2f { return -1 }
            return path[index] == 0x2f || path[index] < wanted[index] ? 1 : -1
        }
    }

    /// Reads the item at `position`, or ends when it is none.
    private mutating func readItem() {
        guard let shared: UInt16 = number(), let rest: UInt16 = number(), Int(shared) <= path.count,
            bytes.count - position >= Int(rest) + 32 + PackFrame.headLength
        else {
            countLeft = 0
            return
        }
        path.removeSubrange(Int(shared)...)
        path.append(contentsOf: bytes[position..<(position + Int(rest))])
        position += Int(rest)
        let head = bytes.withUnsafeBytes { bytes in
            try? PackFrame(
                head: UnsafeRawBufferPointer(rebasing: bytes[(position + 32)..<(position + 32 + PackFrame.headLength)])
            )
        }
        guard let modified: Int64 = number(), let changed: Int64 = number(), let inode: UInt64 = number(),
            let device: UInt64 = number(), let head, let digest = head.digest
        else {
            countLeft = 0
            return
        }
        position += PackFrame.headLength
        self.digest = digest
        stamp = FileStamp(size: head.size, modified: modified, changed: changed, inode: inode, device: device)
    }

    private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>() -> Number? {
        let length = MemoryLayout<Number>.size
        guard bytes.count - position >= length else { return nil }
        defer { position += length }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self))
        }
    }
}

private struct IndexWriter {
    var bytes: [UInt8] = []

    mutating func write(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(path: String, after last: String) {
        var shared = 0
        for (left, right) in zip(path.utf8, last.utf8) {
            guard left == right else { break }
            shared += 1
        }
        let rest = path.utf8.dropFirst(shared)
        write(UInt16(shared))
        write(UInt16(rest.count))
        bytes += rest
    }
}

/// Devices whose file systems lie on other machines, or are made by programs.
///
/// Their clocks are not this machine's, and their times and numbers are what others make of them: no index is kept.
struct ForeignDevices {
    private static let kinds = [
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "ocfs2",
        "orangefs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    ]
    private var devices: Set<UInt64> = []

    /// Reads the table of mounts.
    init() {
        guard let text = FileCalls.contents(of: "/proc/self/mountinfo") else { return }
        for line in text.split(separator: "\n") {
            // 36 35 98:0 /root /where options… - kind source options
            let fields = line.split(separator: " ")
            guard fields.count > 3, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let kind = fields[dash + 1]
            guard kind.hasPrefix("fuse") || Self.kinds.contains(String(kind)) else { continue }
            let numbers = fields[2].split(separator: ":").compactMap { UInt32($0) }
            guard numbers.count == 2 else { continue }
            devices.insert(Self.device(major: UInt64(numbers[0]), minor: UInt64(numbers[1])))
        }
    }

    func contains(_ device: UInt64) -> Bool { devices.contains(device) }

    /// As `makedev` of glibc, which is a macro.
    private static func device(major: UInt64, minor: UInt64) -> UInt64 {
        (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xff) << 12 | (major & ~0xfff) << 32
    }
}
