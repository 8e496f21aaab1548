/// Files, folders and links below some roots, as a dependency cache keeps them: what stands where, not the contents.
///
/// The encoded form is a blob that the store keeps, and what a client restores from. So it is checked wherever it is
/// read: an entry's folder is an entry before it, nothing comes twice, and no path leaves its root, also not through a
/// link, as a link has nothing below it.
package struct FileTree: Sendable, Equatable {
    /// One file, folder or link.
    package struct Entry: Sendable, Equatable {
        /// What stands there.
        package enum Content: Sendable, Equatable {
            case folder
            /// `digest`: SHA-256. `size`: In bytes.
            case file(Digest, size: Int64)
            case symbolicLink(target: String)
            /// Another name of a file: the index of its entry, which comes before.
            case hardLink(to: Int)
        }

        /// Index of its root in `roots`.
        package var root: Int
        /// Relative to the root, without `.`, `..` or empty parts; empty: the root itself.
        package var path: String
        /// Permission bits, at most 0o7777.
        package var mode: UInt16
        /// When the contents changed last, in nanoseconds since 1970 (UTC).
        package var modified: Int64
        package var content: Content

        package init(root: Int, path: String, mode: UInt16, modified: Int64, content: Content) {
            self.root = root
            self.path = path
            self.mode = mode
            self.modified = modified
            self.content = content
        }
    }

    /// A tree holds no more entries than this.
    package static let entryCountMax = 1_000_000
    /// An encoded tree is no longer than this.
    package static let encodedSizeMax = ByteCount.mebibytes(128)
    /// Paths and targets of links are no longer than this, in bytes (Linux: `PATH_MAX`).
    package static let pathLengthMax = 4096
    /// More roots are refused.
    package static let rootCountMax = 1000
    /// Folders below folders, at most.
    package static let depthMax = 255

    /// As the user named them: relative to the working folder, below `~`, or absolute.
    package let roots: [String]
    /// By root, then as `precedes` says: a folder right before what is in it.
    package let entries: [Entry]

    /// Checks entries that are in their order already.
    ///
    /// - Throws: `invalidContent`.
    package init(roots: [String], entries: [Entry]) throws(StoreError) {
        guard roots.count <= Self.rootCountMax, entries.count <= Self.entryCountMax else {
            throw .invalidContent("a tree has at most \(Self.rootCountMax) roots and \(Self.entryCountMax) entries")
        }
        for root in roots where !Self.isText(root) || root.isEmpty {
            throw .invalidContent("a tree's root has no path, or one that is too long")
        }
        var check = OrderCheck(rootCount: roots.count)
        for (index, entry) in entries.enumerated() {
            try check.take(entry, at: index, in: entries)
        }
        self.roots = roots
        self.entries = entries
    }

    /// Whether one path of a root stands before another: `/` is lower than every other byte, so that what is in a folder
    /// follows it.
    package static func precedes(_ first: String, _ second: String) -> Bool {
        var (first, second) = (first.utf8.makeIterator(), second.utf8.makeIterator())
        while true {
            guard let right = second.next() else { return false }
            guard let left = first.next() else { return true }
            if left == right { continue }
            if left == UInt8(ascii: "/") { return true }
            return right != UInt8(ascii: "/") && left < right
        }
    }

    /// Files, those with the same contents counted each.
    package var fileCount: Int {
        entries.reduce(0) { if case .file = $1.content { $0 + 1 } else { $0 } }
    }

    /// Bytes of all files.
    package var byteCount: Int64 {
        entries.reduce(0) { if case .file(_, let size) = $1.content { $0 + size } else { $0 } }
    }

    /// The contents of the files, each once, in the order in which they come.
    package var blobs: [BlobDescriptor] {
        var seen: Set<Digest> = []
        seen.reserveCapacity(entries.count)
        return entries.compactMap { entry in
            guard case .file(let digest, let size) = entry.content, seen.insert(digest).inserted else { return nil }
            return BlobDescriptor(digest: digest, size: size)
        }
    }

    /// The digest of all but the times: the same for the same files.
    package var contentDigest: Digest {
        IncrementalHasher.digest(of: encoded(withTimes: false))
    }

    fileprivate static func isText(_ text: String) -> Bool {
        text.utf8.count <= pathLengthMax && !text.utf8.contains(0)
    }
}

extension FileTree {
    /// Looks at entries one after the other.
    private struct OrderCheck {
        let rootCount: Int
        /// That of the last entry.
        private var root: Int?
        /// Paths of the folders that the last entry is in, itself included if it is one.
        private var folders: [String] = []
        private var last: String?
        private var byteCount: Int64 = 0

        init(rootCount: Int) {
            self.rootCount = rootCount
        }

        mutating func take(_ entry: Entry, at index: Int, in entries: [Entry]) throws(StoreError) {
            func refusal(_ why: String) -> StoreError { .invalidContent("the tree's entry \(index) \(why)") }
            guard entry.mode <= 0o7777 else { throw refusal("has no valid mode") }
            if entry.root != root {
                guard entry.root > root ?? -1, entry.root < rootCount else {
                    throw refusal("is in no root, or out of order")
                }
                root = entry.root
                folders = []
                last = nil
            }
            if let last {
                guard FileTree.precedes(last, entry.path) else { throw refusal("is out of order or comes twice") }
                guard FileTree.isRelative(entry.path) else { throw refusal("has a path that leaves its root") }
                let parent = FileTree.parent(of: entry.path)
                // Byte by byte: to `String`, an accent is the same however it is encoded.
                while let folder = folders.last, !folder.utf8.elementsEqual(parent.utf8) { folders.removeLast() }
                guard !folders.isEmpty else { throw refusal("is in a folder that is none") }
            } else {
                guard entry.path.isEmpty else { throw refusal("is in a root that is no folder") }
            }
            last = entry.path
            switch entry.content {
            case .folder:
                guard folders.count < FileTree.depthMax else { throw refusal("is in too many folders") }
                folders.append(entry.path)
            case .file(let digest, let size):
                guard digest.algorithm == .sha256, size >= 0 else { throw refusal("has no valid content") }
                let (sum, isTooLarge) = byteCount.addingReportingOverflow(size)
                guard !isTooLarge else { throw refusal("has no valid size") }
                byteCount = sum
            case .symbolicLink(let target):
                guard !target.isEmpty, FileTree.isText(target) else { throw refusal("links to nothing") }
            case .hardLink(let other):
                guard other >= 0, other < index, case .file = entries[other].content else {
                    throw refusal("is another name of what is no file before it")
                }
            }
        }
    }

    private static func parent(of path: String) -> Substring {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[..<$0] } ?? ""
    }

    /// Whether a path is not empty, has no part that is empty, `.` or `..`, and can be one.
    private static func isRelative(_ path: String) -> Bool {
        guard !path.isEmpty, isText(path) else { return false }
        // The length of the part so far, and whether it has only dots.
        var (length, areDots) = (0, true)
        func isName() -> Bool { length > 0 && !(areDots && length <= 2) }
        for byte in path.utf8 {
            if byte == UInt8(ascii: "/") {
                guard isName() else { return false }
                (length, areDots) = (0, true)
            } else {
                length += 1
                if byte != UInt8(ascii: ".") { areDots = false }
            }
        }
        return isName()
    }
}

extension FileTree {
    /// What an encoded tree begins with.
    private static let magic = Array("larder.tree.1\n".utf8)

    /// The tree in bytes: the same tree gives the same bytes.
    ///
    /// Numbers are in groups of seven bits, the lowest first (as in Protocol Buffers). Behind the magic: the number of
    /// roots, each as length and text; the number of entries; each entry as its kind (0 folder, 1 file, 2 symbolic link, 3
    /// hard link), by how much its root's index grew, how many bytes its path shares with the one before, the rest as length
    /// and text, its mode, the difference of its time to the one before (zigzag), and: size and 32 bytes of SHA-256 of a
    /// file; length and text of a link's target; by how much the entry that a hard link names is before it.
    package func encoded() -> [UInt8] { encoded(withTimes: true) }

    private func encoded(withTimes: Bool) -> [UInt8] {
        var writer = TreeWriter()
        writer.bytes.reserveCapacity(entries.count * 80)
        writer.bytes += Self.magic
        writer.write(UInt64(roots.count))
        for root in roots { writer.write(root.utf8[...]) }
        writer.write(UInt64(entries.count))
        var (root, time, path) = (0, Int64(0), "")
        for (index, entry) in entries.enumerated() {
            let kind: UInt8 =
                switch entry.content {
                case .folder: 0
                case .file: 1
                case .symbolicLink: 2
                case .hardLink: 3
                }
            writer.bytes.append(kind)
            writer.write(UInt64(entry.root - root))
            if entry.root != root { path = "" }
            writer.write(path: entry.path, after: path)
            writer.write(UInt64(entry.mode))
            if withTimes {
                writer.write(signed: entry.modified &- time)
                time = entry.modified
            }
            (root, path) = (entry.root, entry.path)
            switch entry.content {
            case .folder: break
            case .file(let digest, let size):
                writer.write(UInt64(size))
                writer.bytes += digest.bytes
            case .symbolicLink(let target): writer.write(target.utf8[...])
            case .hardLink(let other): writer.write(UInt64(index - other))
            }
        }
        return writer.bytes
    }

    /// Reads an encoded tree.
    ///
    /// Time and memory grow with its length.
    ///
    /// - Throws: `invalidContent`, `tooLarge`.
    package init(encoded bytes: UnsafeRawBufferPointer) throws(StoreError) {
        guard bytes.count <= Self.encodedSizeMax.bytes else { throw .tooLarge(limit: Self.encodedSizeMax) }
        var reader = TreeReader(bytes: bytes)
        guard try reader.read(Self.magic.count).elementsEqual(Self.magic) else {
            throw .invalidContent("this is no tree")
        }
        var roots: [String] = []
        for _ in 0..<(try reader.count(atMost: Self.rootCountMax)) { roots.append(try reader.text()) }
        let entryCount = try reader.count(atMost: Self.entryCountMax)
        var entries: [Entry] = []
        // An entry has at least six bytes: what is announced falsely is not reserved.
        entries.reserveCapacity(min(entryCount, bytes.count / 6))
        var (root, time) = (0, Int64(0))
        var path: [UInt8] = []
        // Paths share their beginnings, so a few bytes can stand for long ones.
        var pathBytes = Self.pathBytes(encodedLength: bytes.count)
        for index in 0..<entryCount {
            let kind = try reader.read(1)[0]
            let step = try reader.count(atMost: Self.rootCountMax)
            if step > 0 { path = [] }
            root += step
            try reader.path(into: &path)
            pathBytes -= path.count
            guard pathBytes >= 0 else { throw .invalidContent("the tree's paths are too long for what it holds") }
            guard let text = String(validating: path, as: UTF8.self) else {
                throw .invalidContent("the tree has a path that is not UTF-8")
            }
            let mode = try reader.count(atMost: 0o7777)
            time &+= try reader.signed()
            let content: Entry.Content
            switch kind {
            case 0: content = .folder
            case 1:
                let size = try reader.number()
                guard let size = Int64(exactly: size), let digest = Digest(.sha256, bytes: try reader.read(32)) else {
                    throw .invalidContent("the tree has a file of no valid size")
                }
                content = .file(digest, size: size)
            case 2: content = .symbolicLink(target: try reader.text())
            case 3: content = .hardLink(to: index - (try reader.count(atMost: Self.entryCountMax)))
            default: throw .invalidContent("the tree has an entry of no known kind")
            }
            entries.append(Entry(root: root, path: text, mode: UInt16(mode), modified: time, content: content))
        }
        guard reader.isAtEnd else { throw .invalidContent("the tree has bytes behind its end") }
        try self.init(roots: roots, entries: entries)
    }

    /// What the paths of an encoded tree may take altogether, in bytes; decoding it takes about as much again.
    package static func pathBytes(encodedLength: Int) -> Int { encodedLength * 16 + 1 << 20 }

    /// Reads an encoded tree from memory.
    ///
    /// - Throws: `invalidContent`, `tooLarge`.
    package init(encoded bytes: [UInt8]) throws(StoreError) {
        self = try bytes.withUnsafeBufferPointer { (bytes) throws(StoreError) in
            try FileTree(encoded: UnsafeRawBufferPointer(bytes))
        }
    }
}

/// Writes the parts of an encoded tree.
private struct TreeWriter {
    var bytes: [UInt8] = []

    mutating func write(_ number: UInt64) {
        var rest = number
        while rest > 0x7f {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(signed number: Int64) {
        write(UInt64(bitPattern: (number << 1) ^ (number >> 63)))
    }

    mutating func write(_ text: Substring.UTF8View) {
        write(UInt64(text.count))
        bytes += text
    }

    mutating func write(path: String, after last: String) {
        var shared = 0
        for (left, right) in zip(path.utf8, last.utf8) {
            guard left == right else { break }
            shared += 1
        }
        write(UInt64(shared))
        write(path.utf8.dropFirst(shared))
    }
}

/// Reads the parts of an encoded tree.
private struct TreeReader {
    let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    private static let tooShort = StoreError.invalidContent("the tree ends too early")

    mutating func read(_ count: Int) throws(StoreError) -> UnsafeRawBufferPointer {
        guard count <= bytes.count - position else { throw Self.tooShort }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
    }

    mutating func number() throws(StoreError) -> UInt64 {
        var (value, shift) = (UInt64(0), UInt64(0))
        while true {
            guard position < bytes.count else { throw Self.tooShort }
            let byte = bytes[position]
            position += 1
            guard shift < 63 || byte <= 1 else { throw .invalidContent("the tree has a number that is too large") }
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }

    mutating func count(atMost limit: Int) throws(StoreError) -> Int {
        let number = try number()
        guard number <= UInt64(limit) else { throw .invalidContent("the tree has a number that is too large") }
        return Int(number)
    }

    mutating func signed() throws(StoreError) -> Int64 {
        let number = try number()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    mutating func text() throws(StoreError) -> String {
        let count = try count(atMost: FileTree.pathLengthMax)
        guard let text = String(validating: try read(count), as: UTF8.self) else {
            throw .invalidContent("the tree has a text that is not UTF-8")
        }
        return text
    }

    mutating func path(into path: inout [UInt8]) throws(StoreError) {
        let shared = try count(atMost: path.count)
        let rest = try read(try count(atMost: FileTree.pathLengthMax))
        guard shared + rest.count <= FileTree.pathLengthMax else {
            throw .invalidContent("the tree has a path that is too long")
        }
        path.removeSubrange(shared...)
        path.append(contentsOf: rest)
    }
}
