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

    private let path: String

    init(_ path: String) {
        self.path = path
    }

    /// Makes sure that everything can get its place; returns the paths of files that are there already.
    ///
    /// `known`: Such as are there for sure.
    func inspect(
        _ contents: ArtifactContents,
        known: Set<String> = [],
        checkCancellation: () throws -> Void
    ) throws -> Set<String> {
        let folder = try ArtifactFolder(path)
        for item in contents.folders { try folder.checkFolder(item.path) }
        for link in contents.links { _ = try folder.place(link.path) }
        var kept: Set<String> = []
        for file in contents.files.sorted(by: { ArtifactPath.precedes($0.path, $1.path) }) {
            guard case .file(file.size) = try folder.place(file.path) else { continue }
            let isKnown = known.contains(file.path)
            let isSame = try isKnown || Self.digest(of: file.path, in: folder, checkCancellation) == file.digest
            if isSame { kept.insert(file.path) }
        }
        return kept
    }

    /// Puts everything in place: files first, then links, as nothing may be written through one; at last the folders.
    ///
    /// `known`: Files that are there already. `staged`: Where the others lie; several may lie in one.
    func place(
        _ contents: ArtifactContents,
        known: Set<String>,
        staged: [String: String],
        from staging: ArtifactStaging,
        checkCancellation: () throws -> Void
    ) throws -> Counts {
        let folder = try ArtifactFolder(path)
        var counts = Counts()
        var uses: [String: Int] = [:]
        for name in staged.values { uses[name, default: 0] += 1 }
        // Everything is looked at before anything is touched.
        let kept = try inspect(contents, known: known, checkCancellation: checkCancellation)
        for file in contents.files.sorted(by: { ArtifactPath.precedes($0.path, $1.path) }) {
            try checkCancellation()
            if kept.contains(file.path) {
                counts.kept += 1
                try folder.setFileMode(file.mode, of: file.path)
                continue
            }
            guard var name = staged[file.path] else { throw Self.changed(file.path) }
            if let count = uses[name], count > 1 {
                uses[name] = count - 1
                try staging.copy(name, to: "\(name)-\(count)")
                name = "\(name)-\(count)"
            }
            if case .nothing = try folder.place(file.path) {} else { counts.overwritten += 1 }
            try staging.setMode(file.mode, of: name)
            try folder.put(name, from: staging.descriptor, at: file.path)
        }
        try placeLinks(contents.links, in: folder, from: staging, &counts)
        for item in contents.folders { try folder.makeFolder(item.path) }
        // The innermost first: a folder may be closed to us from then on.
        for item in contents.folders.sorted(by: { ArtifactPath.precedes($1.path, $0.path) }) {
            try folder.setFolderMode(item.mode, of: item.path)
        }
        return counts
    }

    private func placeLinks(
        _ links: [ArtifactFiles.Link],
        in folder: ArtifactFolder,
        from staging: ArtifactStaging,
        _ counts: inout Counts
    ) throws {
        for link in links {
            switch try folder.place(link.path) {
            case .link(link.target): continue
            case .nothing: break
            case .file, .link: counts.overwritten += 1
            }
            let name = "link"
            try staging.makeLink(name, to: link.target)
            try folder.put(name, from: staging.descriptor, at: link.path)
        }
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
