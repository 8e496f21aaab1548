import Foundation
import Glibc
import LarderCore
import LarderTestSupport

@testable import LarderClient

/// A folder of a test, in which files are made and looked at by other means than those under test.
struct TreeFiles {
    /// What a path is.
    struct Thing: Equatable, CustomStringConvertible {
        var kind: String
        var mode: UInt16
        var modified: Int64
        /// The contents of a file, or the target of a link.
        var content: [UInt8]

        var description: String {
            "\(kind) \(String(mode, radix: 8)) \(modified) \(String(decoding: content.prefix(40), as: UTF8.self))"
        }
    }

    let path: String

    init(_ path: String) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    private func absolute(_ name: String) -> String { name.isEmpty ? path : "\(path)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8], mode: UInt16 = 0o644, modified: Int64? = nil) throws {
        try makeParent(name)
        guard FileManager.default.createFile(atPath: absolute(name), contents: Data(bytes)) else {
            throw TestFailure("can't write \(name)")
        }
        try set(name, mode: mode, modified: modified)
    }

    func write(_ name: String, _ text: String, mode: UInt16 = 0o644, modified: Int64? = nil) throws {
        try write(name, Array(text.utf8), mode: mode, modified: modified)
    }

    func makeFolder(_ name: String, mode: UInt16 = 0o755, modified: Int64? = nil) throws {
        try FileManager.default.createDirectory(atPath: absolute(name), withIntermediateDirectories: true)
        try set(name, mode: mode, modified: modified)
    }

    func link(_ name: String, to target: String, modified: Int64? = nil) throws {
        try makeParent(name)
        guard symlink(target, absolute(name)) == 0 else { throw TestFailure("can't link \(name): \(errno)") }
        if let modified { try setTime(name, modified) }
    }

    func hardLink(_ name: String, to other: String) throws {
        try makeParent(name)
        guard Glibc.link(absolute(other), absolute(name)) == 0 else {
            throw TestFailure("can't link \(name): \(errno)")
        }
    }

    func set(_ name: String, mode: UInt16, modified: Int64? = nil) throws {
        guard chmod(absolute(name), mode_t(mode)) == 0 else { throw TestFailure("can't chmod \(name): \(errno)") }
        if let modified { try setTime(name, modified) }
    }

    func setTime(_ name: String, _ modified: Int64) throws {
        let time = timespec(
            tv_sec: Int((Double(modified) / 1e9).rounded(.down)),
            tv_nsec: Int(((modified % 1_000_000_000) + 1_000_000_000) % 1_000_000_000)
        )
        guard utimensat(AT_FDCWD, absolute(name), [time, time], AT_SYMLINK_NOFOLLOW) == 0 else {
            throw TestFailure("can't set the time of \(name): \(errno)")
        }
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: absolute(name))
    }

    func status(_ name: String) throws -> stat {
        var status = stat()
        guard lstat(absolute(name), &status) == 0 else { throw TestFailure("nothing at \(name)") }
        return status
    }

    func text(_ name: String) throws -> String {
        try String(contentsOfFile: absolute(name), encoding: .utf8)
    }

    /// All that is below the folder, by path.
    func things(below name: String = "") throws -> [String: Thing] {
        var things: [String: Thing] = [:]
        try collect(name, into: &things)
        return things
    }

    private func collect(_ name: String, into things: inout [String: Thing]) throws {
        let status = try status(name)
        var thing = Thing(
            kind: "other",
            mode: UInt16(status.st_mode & 0o7777),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            content: []
        )
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            thing.kind = "folder"
            for inner in try FileManager.default.contentsOfDirectory(atPath: absolute(name)) {
                try collect(name.isEmpty ? inner : "\(name)/\(inner)", into: &things)
            }
        case S_IFREG:
            thing.kind = "file"
            thing.content = Array(FileManager.default.contents(atPath: absolute(name)) ?? Data("unreadable".utf8))
        case S_IFLNK:
            thing.kind = "link"
            thing.content = Array(try FileManager.default.destinationOfSymbolicLink(atPath: absolute(name)).utf8)
        default: break
        }
        if !name.isEmpty { things[name] = thing }
    }

    /// Makes what is below writable, so that a user who is not root can remove it.
    func unlock() {
        for (name, thing) in (try? things()) ?? [:] where thing.kind == "folder" {
            chmod(absolute(name), 0o755)
        }
    }

    private func makeParent(_ name: String) throws {
        let parent = (absolute(name) as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    }
}

/// A tree as a store keeps it: its encoded form and the contents of its files.
struct SavedTree {
    let tree: FileTree
    var contents: [Digest: [UInt8]] = [:]

    init(_ scanned: ScannedTree) throws {
        tree = try FileTree(encoded: scanned.tree.encoded())
        for digest in scanned.digests {
            guard let path = scanned.path(of: digest), let data = FileManager.default.contents(atPath: path) else {
                throw TestFailure("can't read \(digest)")
            }
            contents[digest] = Array(data)
        }
    }

    init(_ tree: FileTree, contents: [[UInt8]] = []) {
        self.tree = tree
        for content in contents { self.contents[IncrementalHasher.digest(of: content)] = content }
    }

    /// Sends what is needed, in pieces, as a server does.
    func send(_ needed: [BlobDescriptor], to sink: some PackSink, pieceLength: Int = 1000) throws {
        for blob in needed {
            guard let bytes = contents[blob.digest] else {
                try sink.missing(blob.digest)
                continue
            }
            try sink.begin(blob.digest, size: Int64(bytes.count))
            for start in stride(from: 0, to: bytes.count, by: pieceLength) {
                try Array(bytes[start..<min(start + pieceLength, bytes.count)]).withUnsafeBytes { try sink.write($0) }
            }
            try sink.end()
        }
    }
}

/// Scans roots of a folder without an index.
func scan(
    _ files: TreeFiles,
    _ roots: [String],
    home: String? = nil,
    index: String? = nil,
    onTrouble: TreeScanner.TroubleRule = .fail
) throws -> ScannedTree {
    try TreeScanner(base: files.path, home: home, indexFolder: index, onTrouble: onTrouble)
        .scan(roots.map { TreePath($0) })
}

/// Restores a tree into a folder.
@discardableResult
func restore(
    _ saved: SavedTree,
    into files: TreeFiles,
    roots: [String] = [],
    home: String? = nil,
    index: String? = nil,
    pieceLength: Int = 1000
) throws -> RestoreReport {
    let local = try scan(
        files,
        roots.isEmpty ? saved.tree.roots : roots,
        home: home,
        index: index,
        onTrouble: .leaveOut
    )
    let restorer = TreeRestorer(
        base: files.path,
        home: home,
        allowedRoots: roots,
        local: local,
        indexFolder: index
    )
    try saved.send(try restorer.plan(saved.tree), to: restorer, pieceLength: pieceLength)
    return try restorer.finish()
}

/// Calls `body` with two folders of a test: one to save from, one to restore to.
func withTwoFolders(_ body: (_ from: TreeFiles, _ to: TreeFiles) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
        let (from, to) = (try TreeFiles("\(folder)/from"), try TreeFiles("\(folder)/to"))
        defer {
            from.unlock()
            to.unlock()
        }
        try await body(from, to)
    }
}
