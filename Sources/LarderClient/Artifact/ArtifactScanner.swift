import Glibc
import LarderCore

/// Finds what is to be in an artifact.
///
/// Symbolic links are kept as links and never followed, but where a path is written with a slash at its end. Blocks.
package struct ArtifactScanner {
    private let base: String
    private var files: [PathKey: ArtifactFiles.File] = [:]
    private var links: [PathKey: (link: ArtifactFiles.Link, source: String)] = [:]
    private var folders: [PathKey: ArtifactFiles.Folder] = [:]

    /// `base`: The folder that arguments are relative to; empty: the working folder.
    package init(base: String = "") {
        self.base = base
    }

    /// All that was added.
    ///
    /// - Throws: `ClientError` when it can't be in one artifact.
    package func found() throws(ClientError) -> ArtifactFiles {
        try ArtifactFiles(
            files: Array(files.values),
            links: links.values.map(\.link),
            folders: Array(folders.values)
        )
    }

    /// Adds what an argument names: a file, a link, a folder with all that is in it, or a pattern.
    ///
    /// A folder keeps its name, unless it is written with a slash at its end (`dist/`), or as `.`: then it stands for what
    /// is in it. What is elsewhere (`/tmp/x`, `../x`) is named by its last part.
    ///
    /// `checkCancellation`: Called now and then; what it throws ends the work.
    ///
    /// - Throws: `ClientError` when there is nothing such, or it is neither file, folder nor link.
    package mutating func add(_ argument: String, checkCancellation: () throws -> Void = {}) throws {
        guard !argument.isEmpty else { throw ClientError("an empty argument names no file") }
        let source = onDisk(argument)
        let name = argument.pathParts.last ?? ""
        guard try ArtifactDisk.status(of: source) != nil else {
            if argument.hasSuffix("/"), try ArtifactDisk.status(of: onDisk(String(argument.dropLast()))) != nil {
                throw ClientError("\(argument) is no folder; write it without the slash at its end")
            }
            return try addMatches(argument, checkCancellation)
        }
        // The system follows a link when there is a slash behind it.
        if argument.hasSuffix("/") || name == "." || name == ".." {
            try addContents(of: source, as: "", checkCancellation)
        } else {
            try add(source, as: ArtifactPath.normalized(argument) ?? name, checkCancellation: checkCancellation)
        }
    }

    /// Adds one file, link or folder under a path of its own.
    package mutating func add(
        _ source: String,
        as path: String,
        checkCancellation: () throws -> Void = {}
    ) throws {
        try checkCancellation()
        guard let status = try ArtifactDisk.status(of: source) else { throw ClientError("there is no \(source)") }
        let (key, mode) = (PathKey(path), UInt16(status.st_mode & 0o777))
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            if let other = files[key], !other.source.utf8.elementsEqual(source.utf8) {
                throw Self.twice(path, other.source, source)
            }
            files[key] = ArtifactFiles.File(path: path, source: source, size: Int64(status.st_size), mode: mode)
        case S_IFLNK:
            if let other = links[key], !other.source.utf8.elementsEqual(source.utf8) {
                throw Self.twice(path, other.source, source)
            }
            links[key] = (.init(path: path, target: try ArtifactDisk.target(ofLink: source)), source)
        case S_IFDIR:
            let isEmpty = try addContents(of: source, as: path, checkCancellation)
            note(path, mode, isEmpty: isEmpty)
        default:
            throw ClientError("\(source) is neither a file, a folder nor a link; an artifact can't hold it")
        }
    }

    /// Adds a folder without what is in it.
    package mutating func addFolder(_ source: String, as path: String) throws(ClientError) {
        guard let status = try ArtifactDisk.status(of: source) else { throw ClientError("there is no \(source)") }
        let isEmpty = try ArtifactDisk.names(in: source).isEmpty
        note(path, UInt16(status.st_mode & 0o777), isEmpty: isEmpty)
    }

    private mutating func note(_ path: String, _ mode: UInt16, isEmpty: Bool) {
        guard isEmpty || mode != ArtifactFiles.folderMode else { return }
        folders[PathKey(path)] = .init(path: path, mode: mode)
    }

    /// Adds what is in a folder; returns whether nothing is.
    @discardableResult
    private mutating func addContents(
        of folder: String,
        as path: String,
        _ checkCancellation: () throws -> Void
    ) throws -> Bool {
        let names = try ArtifactDisk.names(in: folder).sorted(by: ArtifactPath.precedes)
        let prefix = folder.hasSuffix("/") ? folder : "\(folder)/"
        // What a restore or a pull keeps unfinished things in is passed over.
        for name in names where !name.hasBytePrefix(TreeScanner.stagingPrefix) {
            try add(prefix + name, as: path.isEmpty ? name : "\(path)/\(name)", checkCancellation: checkCancellation)
        }
        return names.isEmpty
    }

    /// Adds what a pattern matches; as in a shell that is a folder with all that is in it.
    private mutating func addMatches(_ argument: String, _ checkCancellation: () throws -> Void) throws {
        let pattern = try PathPattern(argument)
        guard !pattern.isLiteral else {
            throw ClientError("there is no \(onDisk(argument)); name files, folders or patterns that are there")
        }
        guard pattern.staysInside else {
            throw ClientError("\(argument): patterns are relative and go down; name the folder with --base")
        }
        let found = try PathSearch.files(matching: [pattern], in: base)
        guard !found.isEmpty else { throw ClientError("nothing in \(base.isEmpty ? "." : base) matches \(argument)") }
        for match in found { try add(onDisk(match.path), as: match.path, checkCancellation: checkCancellation) }
    }

    private func onDisk(_ path: String) -> String {
        guard !base.isEmpty, !path.hasBytePrefix("/") else { return path }
        return base.hasSuffix("/") ? base + path : "\(base)/\(path)"
    }

    private static func twice(_ path: String, _ first: String, _ second: String) -> ClientError {
        ClientError("\(path) would be both \(first) and \(second); leave one out, or put them into different folders")
    }
}

extension ArtifactFiles {
    /// Finds what arguments name, off the pool of tasks.
    ///
    /// - Throws: As `ArtifactScanner`; `CancellationError`.
    package static func find(_ arguments: [String], in base: String) async throws -> ArtifactFiles {
        try await ArtifactDisk.onThread { checkCancellation in
            var scanner = ArtifactScanner(base: base)
            for argument in arguments { try scanner.add(argument, checkCancellation: checkCancellation) }
            return try scanner.found()
        }
    }
}
