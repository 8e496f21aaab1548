import Glibc
import LarderCore

/// The folder of a pull: what is in it already, and how verified files get their places.
///
/// Blocks.
struct ArtifactTarget: Sendable {
    /// What was in the place of files.
    struct Counts: Sendable {
        var kept = 0
        var overwritten = 0
    }

    /// Something that is to be put in place: its name in the staging folder, and its path.
    private typealias Staged = (name: String, path: String)

    private let path: String

    init(_ path: String) {
        self.path = path
    }

    /// Makes sure that everything can get its place; returns the paths of files that are there already.
    ///
    /// `known`: Such as are there for sure.
    func inspect(
        _ contents: ArtifactContents,
        known: Set<PathKey> = [],
        checkCancellation: () throws -> Void
    ) throws -> Set<PathKey> {
        let folder = try ArtifactFolder(path)
        for item in contents.folders { try folder.checkFolder(item.path, mode: item.mode) }
        for link in contents.links {
            if try !Self.isThere(link, in: folder) { try folder.checkWritable(link.path) }
        }
        var kept: Set<PathKey> = []
        for file in contents.files.sorted(by: { ArtifactPath.precedes($0.path, $1.path) }) {
            try checkCancellation()
            let key = PathKey(file.path)
            if case .file(file.size) = try folder.place(file.path),
                try known.contains(key) || Self.digest(of: file.path, in: folder, checkCancellation) == file.digest
            {
                try folder.checkMode(file.mode, of: file.path)
                kept.insert(key)
            } else {
                try folder.checkWritable(file.path)
            }
        }
        return kept
    }

    /// Puts everything in place: files first, then links, as nothing may be written through one; at last the folders.
    ///
    /// Before the first step all is looked at, and made ready in the staging folder. From then on nothing is cancelled.
    ///
    /// `known`: Files that are there already. `staged`: Where the others lie; several may lie in one.
    func place(
        _ contents: ArtifactContents,
        known: Set<PathKey>,
        staged: [PathKey: String],
        from staging: ArtifactStaging,
        checkCancellation: () throws -> Void
    ) throws -> Counts {
        let kept = try inspect(contents, known: known, checkCancellation: checkCancellation)
        let folder = try ArtifactFolder(path)
        let missing = contents.files.filter { !kept.contains(PathKey($0.path)) }
            .sorted { ArtifactPath.precedes($0.path, $1.path) }
        let files = try Self.stage(missing, staged, in: staging, checkCancellation)
        let links = try Self.stage(contents.links, in: staging, for: folder)
        var counts = Counts(kept: kept.count)
        for item in files + links {
            if case .nothing = try folder.place(item.path) {} else { counts.overwritten += 1 }
            try folder.put(item.name, from: staging.descriptor, at: item.path)
        }
        for file in contents.files where kept.contains(PathKey(file.path)) {
            try folder.setFileMode(file.mode, of: file.path)
        }
        for item in contents.folders { try folder.makeFolder(item.path) }
        // The innermost first: a folder may be closed to us from then on.
        for item in contents.folders.sorted(by: { ArtifactPath.precedes($1.path, $0.path) }) {
            try folder.setFolderMode(item.mode, of: item.path)
        }
        return counts
    }

    /// Gives every file one in the staging folder that is its own and has its mode.
    private static func stage(
        _ files: [ArtifactContents.File],
        _ staged: [PathKey: String],
        in staging: ArtifactStaging,
        _ checkCancellation: () throws -> Void
    ) throws -> [Staged] {
        var uses: [String: Int] = [:]
        for file in files {
            guard let name = staged[PathKey(file.path)] else { throw changed(file.path) }
            uses[name, default: 0] += 1
        }
        var result: [Staged] = []
        for file in files {
            try checkCancellation()
            guard var name = staged[PathKey(file.path)] else { continue }
            // The last one gets the file itself: its mode may forbid to read it.
            if let count = uses[name], count > 1 {
                uses[name] = count - 1
                try staging.copy(name, to: "\(name)-\(count)")
                name = "\(name)-\(count)"
            }
            try staging.setMode(file.mode, of: name)
            result.append((name, file.path))
        }
        return result
    }

    /// Makes the links that are not there yet.
    private static func stage(
        _ links: [ArtifactFiles.Link],
        in staging: ArtifactStaging,
        for folder: ArtifactFolder
    ) throws -> [Staged] {
        var result: [Staged] = []
        for link in links {
            if try isThere(link, in: folder) { continue }
            let name = "link-\(result.count)"
            try staging.makeLink(name, to: link.target)
            result.append((name, link.path))
        }
        return result
    }

    private static func isThere(_ link: ArtifactFiles.Link, in folder: ArtifactFolder) throws -> Bool {
        guard case .link(let target) = try folder.place(link.path) else { return false }
        return target.utf8.elementsEqual(link.target.utf8)
    }

    private static func digest(
        of path: String,
        in folder: ArtifactFolder,
        _ checkCancellation: () throws -> Void
    ) throws -> Digest {
        let file = try folder.open(path)
        defer { close(file) }
        var hasher = IncrementalHasher()
        try ArtifactDisk.read(file, path) { bytes in
            hasher.update(bytes)
            try checkCancellation()
        }
        return hasher.finalize()[0]
    }

    private static func changed(_ path: String) -> ClientError {
        ClientError("\(path) was changed while the artifact was pulled; pull again when nobody writes there")
    }
}
