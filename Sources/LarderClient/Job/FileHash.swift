import Glibc
import LarderCore

/// The hash of files that keys of caches are made with.
package enum FileHash {
    private static let pieceLength = 256 << 10

    /// The hash of what some patterns match: 64 lowercase digits, or nothing when they match no file.
    ///
    /// It is the `hashFiles` of GitHub: SHA-256 over the binary SHA-256 digests of the files, in the order of their paths,
    /// name by name. Only contents count: not names, not modes. A symbolic link counts as the file that it leads to, and not
    /// at all when it leads to none; a pattern with `!` in front leaves out what it matches; nothing else is left out. The
    /// same hash serves as `codebuild-hash-files`, whose way of hashing is not public: keys are the same from build to build,
    /// but not those that CodeBuild itself would make.
    ///
    /// `folder`: Patterns are relative to it, or absolute and below it. Blocks.
    ///
    /// - Throws: `ClientError` when a pattern leads out of the folder, or something can't be read.
    package static func hex(matching patterns: [String], in folder: String) throws(ClientError) -> String {
        var (wanted, excluded): ([PathPattern], [PathPattern]) = ([], [])
        for text in patterns {
            let isExclusion = text.hasPrefix("!")
            let pattern = try pattern(isExclusion ? String(text.dropFirst()) : text, in: folder)
            if isExclusion { excluded.append(pattern) } else { wanted.append(pattern) }
        }
        var hasher = IncrementalHasher()
        for found in try PathSearch.files(matching: wanted, excluding: excluded, in: folder) where found.kind != .folder
        {
            guard let digest = try digest(of: "\(folder)/\(found.path)") else { continue }
            digest.bytes.withUnsafeBytes { hasher.update($0) }
        }
        return hasher.byteCount == 0 ? "" : hasher.finalize()[0].hex
    }

    private static func pattern(_ text: String, in folder: String) throws(ClientError) -> PathPattern {
        let base = folder.hasSuffix("/") ? folder : folder + "/"
        let isBelow = folder.hasPrefix("/") && text.hasPrefix(base)
        let pattern = try PathPattern(isBelow ? String(text.dropFirst(base.count)) : text)
        guard pattern.staysInside else {
            throw ClientError("can't hash \(text): only files below \(folder) count; write the path relative to it")
        }
        return pattern
    }

    /// The digest of a file; nil when it is none, or is there no longer.
    private static func digest(of path: String) throws(ClientError) -> Digest? {
        // A pipe that took the file's place must not make us wait.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 {
            if errno == ENOENT || errno == ELOOP { return nil }
            throw ClientError("can't read \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
        var hasher = IncrementalHasher()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceLength, alignment: 16)
        defer { piece.deallocate() }
        while true {
            let count = read(descriptor, piece.baseAddress, piece.count)
            if count == 0 { return hasher.finalize().first }
            if count < 0 {
                if errno == EINTR { continue }
                throw ClientError("can't read \(path): \(String(cString: strerror(errno)))")
            }
            hasher.update(UnsafeRawBufferPointer(rebasing: piece[..<count]))
        }
    }
}
