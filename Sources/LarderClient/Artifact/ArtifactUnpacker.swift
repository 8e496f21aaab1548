import Glibc
import LarderArchive
import LarderCore

/// Takes the archive of a folder apart, into files that are not in place yet.
///
/// Blocks. What is not wanted is passed over; what leads out of the folder is an error.
struct ArtifactUnpacker {
    /// What was found, and where files lie.
    struct Unpacked: Sendable {
        var contents = ArtifactContents()
        /// Names in the staging folder.
        var staged: [PathKey: String] = [:]
    }

    /// An archive may grow by so much: the best that deflate can do.
    private static let growthMax: Int64 = 1100

    private let folder: String
    private let patterns: [PathPattern]
    private let staging: ArtifactStaging
    /// What begins the names of files in the staging folder.
    private let prefix: String
    private var files: [PathKey: ArtifactContents.File] = [:]
    private var links: [PathKey: ArtifactFiles.Link] = [:]
    private var folders: [PathKey: ArtifactFiles.Folder] = [:]
    private var staged: [PathKey: String] = [:]
    private var fileCount = 0
    private var current: (path: String, name: String, mode: UInt16, file: Int32, hasher: IncrementalHasher)?

    /// `folder`: The one that the archive is of; all its members lie in it.
    init(folder: String, patterns: [PathPattern], staging: ArtifactStaging, prefix: String) {
        self.folder = folder
        self.patterns = patterns
        self.staging = staging
        self.prefix = prefix
    }

    /// Unpacks an archive of so many bytes that lies in the staging folder.
    ///
    /// - Throws: `ClientError`, `StoreError` for an archive that is damaged; what `checkCancellation` throws.
    mutating func unpack(
        _ archive: String,
        size: Int64,
        checkCancellation: () throws -> Void
    ) throws -> Unpacked {
        let (limit, overflows) = size.multipliedReportingOverflow(by: Self.growthMax)
        var gzip = GzipReader(outputLimit: ByteCount(overflows ? .max : limit + Int64(ArtifactDisk.pieceLength)))
        var tar = TarReader()
        defer { if let current { close(current.file) } }
        try ArtifactDisk.read("\(staging.path)/\(archive)") { bytes in
            try checkCancellation()
            try gzip.feed(bytes) { try tar.feed($0) { try take($0) } }
        }
        try gzip.finish()
        try tar.finish()
        let contents = ArtifactContents(
            files: Array(files.values),
            links: Array(links.values),
            folders: Array(folders.values)
        )
        return Unpacked(contents: contents, staged: staged)
    }

    private mutating func take(_ event: TarReader.Event) throws {
        switch event {
        case .member(let member): try begin(member)
        case .contents(let bytes):
            guard current != nil else { return }
            current?.hasher.update(bytes)
            if let current { try ArtifactDisk.write(bytes, to: current.file, current.path) }
        case .endOfMember: try end()
        case .endOfArchive: break
        }
    }

    private mutating func begin(_ member: TarMember) throws {
        guard let path = ArchivePath.components(member.name)?.joined(separator: "/"),
            path.utf8.elementsEqual(folder.utf8) || path.hasBytePrefix("\(folder)/")
        else {
            throw ClientError("the archive of \(folder) has a member '\(member.name)', which is not in it; refused")
        }
        guard ArtifactContents.isWanted(path, patterns) else { return }
        let mode = member.mode & 0o777
        switch member.content {
        case .folder:
            forget(path)
            folders[PathKey(path)] = .init(path: path, mode: mode)
        case .symbolicLink(let target):
            forget(path)
            links[PathKey(path)] = .init(path: path, target: target)
        case .file:
            forget(path)
            let name = nextName()
            current = (path, name, mode, try staging.create(name), IncrementalHasher())
        case .hardLink(let target):
            try copy(target, to: path)
        case .other: throw ClientError("the archive's \(path) is neither a file, a folder nor a link; refused")
        }
    }

    private mutating func end() throws {
        guard let current else { return }
        close(current.file)
        files[PathKey(current.path)] = .init(
            path: current.path,
            digest: current.hasher.finalize()[0],
            size: current.hasher.byteCount,
            mode: current.mode
        )
        staged[PathKey(current.path)] = current.name
        self.current = nil
    }

    /// A hard link is another file with the same contents.
    private mutating func copy(_ target: String, to path: String) throws {
        guard let original = ArchivePath.components(target).map({ PathKey($0.joined(separator: "/")) }),
            original != PathKey(path), var file = files[original], let name = staged[original]
        else {
            throw ClientError("the archive's \(path) is another name of '\(target)', which is not before it; refused")
        }
        forget(path)
        let copy = nextName()
        try staging.copy(name, to: copy)
        file.path = path
        files[PathKey(path)] = file
        staged[PathKey(path)] = copy
    }

    /// The later of two members with one name counts.
    private mutating func forget(_ path: String) {
        let key = PathKey(path)
        files[key] = nil
        links[key] = nil
        folders[key] = nil
        if let name = staged.removeValue(forKey: key) { staging.remove(name) }
    }

    private mutating func nextName() -> String {
        fileCount += 1
        return "\(prefix)-\(fileCount)"
    }
}
