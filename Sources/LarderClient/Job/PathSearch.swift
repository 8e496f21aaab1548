import Glibc

/// Finds what lies below a folder by patterns.
///
/// Symbolic links are found but never followed, not even a link to a folder that a pattern names in the middle. The calls
/// block their thread.
package enum PathSearch {
    package enum Kind: Hashable, Sendable {
        case file, folder, symbolicLink
    }

    package struct Found: Hashable, Sendable {
        /// Relative to the folder that was searched.
        package let path: String
        package let kind: Kind

        package init(path: String, kind: Kind) {
            self.path = path
            self.kind = kind
        }
    }

    /// Folders within folders; deeper ones are an error.
    package static let depthMax = 255

    /// The files, folders and symbolic links below a folder that match one pattern and are not left out by another.
    ///
    /// Sorted name by name, so that a folder comes before what is in it. Sockets, pipes and devices are passed over, and so
    /// is what vanishes meanwhile.
    ///
    /// - Throws: `ClientError` when a folder that may hold matches can't be read or lies too deep, or when a name that
    ///   matches is not UTF-8.
    package static func files(
        matching patterns: [PathPattern],
        excluding excluded: [PathPattern] = [],
        in folder: String
    ) throws(ClientError) -> [Found] {
        let descriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ClientError("can't read the folder \(folder): \(String(cString: strerror(errno)))")
        }
        var walk = Walk(patterns: patterns, excluded: excluded, root: folder)
        try walk.visit(descriptor, path: "", depth: 0)
        return walk.found
    }
}

/// A search under way.
private struct Walk {
    /// A name in a folder as the system has it.
    private struct Name {
        let bytes: [CChar]
        let type: UInt8

        var text: String? { bytes.withUnsafeBufferPointer { $0.baseAddress.flatMap { String(validatingCString: $0) } } }
        /// With marks in the place of what is not UTF-8.
        var repaired: String { bytes.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" } }
    }

    let patterns: [PathPattern]
    let excluded: [PathPattern]
    let root: String
    private(set) var found: [PathSearch.Found] = []

    init(patterns: [PathPattern], excluded: [PathPattern], root: String) {
        self.patterns = patterns
        self.excluded = excluded
        self.root = root
    }

    /// Goes through a folder; `descriptor` is closed.
    mutating func visit(_ descriptor: Int32, path: String, depth: Int) throws(ClientError) {
        guard depth <= PathSearch.depthMax else {
            close(descriptor)
            throw ClientError(
                "folders are nested deeper than \(PathSearch.depthMax) below \(root): \(path.prefix(80))…"
            )
        }
        guard let stream = fdopendir(descriptor) else {
            let code = errno
            close(descriptor)
            throw unreadable(path, code)
        }
        defer { closedir(stream) }
        for name in try names(stream, path: path) {
            guard let text = name.text else {
                try pass(name, in: path)
                continue
            }
            let child = path.isEmpty ? text : "\(path)/\(text)"
            guard let kind = kind(of: name, in: descriptor) else { continue }
            if isWanted(child) { found.append(PathSearch.Found(path: child, kind: kind)) }
            guard kind == .folder, mayHoldWanted(child) else { continue }
            let folder = openat(descriptor, name.bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if folder < 0 {
                // It went, or something else took its place, since the name was read.
                if errno == ENOENT || errno == ENOTDIR || errno == ELOOP { continue }
                throw unreadable(child, errno)
            }
            try visit(folder, path: child, depth: depth + 1)
        }
    }

    private func isWanted(_ path: String) -> Bool {
        patterns.contains { $0.matches(path) } && !excluded.contains { $0.excludes(path) }
    }

    private func mayHoldWanted(_ folder: String) -> Bool {
        patterns.contains { $0.mayMatchBelow(folder: folder) }
            && !excluded.contains { $0.matchesAllBelow(folder: folder) }
    }

    /// A name that is no text has no place in an artifact or a cache, which is a failure only when it is wanted there.
    private func pass(_ name: Name, in path: String) throws(ClientError) {
        let child = path.isEmpty ? name.repaired : "\(path)/\(name.repaired)"
        guard isWanted(child) else { return }
        throw ClientError("the name of \(root)/\(child) is not UTF-8; rename it, or leave it out")
    }

    private func unreadable(_ path: String, _ code: Int32) -> ClientError {
        let place = path.isEmpty ? root : "\(root)/\(path)"
        return ClientError("can't read the folder \(place): \(String(cString: strerror(code)))")
    }

    /// The names in a folder, sorted by their bytes.
    private func names(_ stream: OpaquePointer, path: String) throws(ClientError) -> [Name] {
        var names: [Name] = []
        guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { preconditionFailure("dirent has d_name") }
        errno = 0
        while let entry = readdir(stream) {
            // The record may be shorter than the structure, so it is never copied whole.
            let start = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
            let bytes = Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
            if bytes != [0x2e, 0] && bytes != [0x2e, 0x2e, 0] {
                names.append(Name(bytes: bytes, type: entry.pointee.d_type))
            }
            errno = 0
        }
        guard errno == 0 else { throw unreadable(path, errno) }
        return names.sorted { left, right in
            left.bytes.lexicographicallyPrecedes(right.bytes) { UInt8(bitPattern: $0) < UInt8(bitPattern: $1) }
        }
    }

    private func kind(of name: Name, in descriptor: Int32) -> PathSearch.Kind? {
        switch Int(name.type) {
        case Int(DT_REG): return .file
        case Int(DT_DIR): return .folder
        case Int(DT_LNK): return .symbolicLink
        case Int(DT_UNKNOWN): break
        default: return nil
        }
        // Not every file system says it with the name.
        var information = stat()
        guard fstatat(descriptor, name.bytes, &information, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        switch information.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        case S_IFLNK: return .symbolicLink
        default: return nil
        }
    }
}
