import Glibc
import LarderCore

/// The files that a part of a buildspec means.
package struct BuildspecFiles: Hashable, Sendable {
    package struct File: Hashable, Sendable {
        /// In the artifact.
        package let path: String
        /// On the disk.
        package let source: String
        package let kind: PathSearch.Kind
    }

    /// Sorted by path, name by name; folders come before what is in them.
    package fileprivate(set) var files: [File] = []
    /// Sentences about patterns that match nothing, and about files that lost their place to others.
    package fileprivate(set) var warnings: [String] = []

    /// Whether only folders were found, or nothing.
    package var isEmpty: Bool { files.allSatisfy { $0.kind == .folder } }
}

extension Buildspec.FileSet {
    /// Finds the files; see `BuildspecFiles`.
    ///
    /// Folders are among them where a pattern matches them, for their modes and because they may be empty; with
    /// `discard-paths` they are not. Of two files that come to have one path the later one stays.
    ///
    /// `folder`: Where the job runs. Blocks.
    ///
    /// - Throws: `ClientError` when the base directory is missing, nothing at all is found, or something can't be read.
    package func find(in folder: String) throws(ClientError) -> BuildspecFiles {
        var result = BuildspecFiles()
        var collected: [PathKey: BuildspecFiles.File] = [:]
        var unmatched = files
        for base in try bases(in: folder) {
            let found = try PathSearch.files(
                matching: files.map(\.pattern),
                excluding: excludePaths.map(\.pattern),
                in: base
            )
            for entry in found {
                unmatched.removeAll { $0.pattern.matches(entry.path) }
                if discardsPaths && entry.kind == .folder { continue }
                let path = discardsPaths ? Self.lastPart(entry.path) : entry.path
                let file = BuildspecFiles.File(path: path, source: "\(base)/\(entry.path)", kind: entry.kind)
                guard let earlier = collected.updateValue(file, forKey: PathKey(path)) else { continue }
                if let warning = try Self.warning(earlier, file) { result.warnings.append(warning) }
            }
        }
        result.files = collected.values.sorted { Self.precedes($0.path, $1.path) }
        for pattern in unmatched { result.warnings.append("line \(pattern.line): \(pattern.pattern) matches nothing") }
        guard !result.isEmpty else {
            let patterns = files.map(\.pattern.text).joined(separator: ", ")
            let place = baseDirectory.map { "\(folder)/\($0.pattern)" } ?? folder
            throw ClientError("no file matches (\(patterns)) in \(place); did the build make them?")
        }
        try Self.checkFolders(collected)
        return result
    }

    /// The folders that paths are relative to.
    private func bases(in folder: String) throws(ClientError) -> [String] {
        guard let base = baseDirectory else { return [folder] }
        let pattern = base.pattern
        if pattern.isLiteral {
            let path = pattern.text.hasPrefix("/") ? pattern.literalRoot : "\(folder)/\(pattern.literalRoot)"
            var information = stat()
            guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
                throw ClientError("the base-directory \(pattern) (line \(base.line)) is no folder in \(folder)")
            }
            return [path]
        }
        guard pattern.staysInside else {
            throw ClientError("the base-directory \(pattern) (line \(base.line)) leads out of \(folder)")
        }
        var bases: [String] = []
        // A pattern that ends in a name matches what is below, too.
        for found in try PathSearch.files(matching: [pattern], in: folder) where found.kind == .folder {
            if !bases.contains(where: { found.path.hasPrefix("\($0)/") }) { bases.append(found.path) }
        }
        guard !bases.isEmpty else {
            throw ClientError("the base-directory \(pattern) (line \(base.line)) matches no folder in \(folder)")
        }
        return bases.map { "\(folder)/\($0)" }
    }

    /// What there is to say when two things come to have one path: nothing of two folders.
    private static func warning(
        _ earlier: BuildspecFiles.File,
        _ later: BuildspecFiles.File
    ) throws(ClientError) -> String? {
        switch (earlier.kind == .folder, later.kind == .folder) {
        case (true, true): return nil
        case (false, false):
            return "\(earlier.source) and \(later.source) are both \(later.path) in the artifact; the latter is kept"
        default:
            throw ClientError("\(earlier.source) and \(later.source) can't both be \(later.path): one is a folder")
        }
    }

    private static func lastPart(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// Name by name, where a byte comparison would put `a-b` before `a/b`.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8) { left, right in
            let slash = UInt8(ascii: "/")
            return left != right && (left == slash || right != slash && left < right)
        }
    }

    /// What is a file in one base directory may be a folder with files in another, and can't be both.
    private static func checkFolders(_ collected: [PathKey: BuildspecFiles.File]) throws(ClientError) {
        for file in collected.values {
            var path = file.path[...]
            while let slash = path.lastIndex(of: "/") {
                path = path[..<slash]
                if let parent = collected[PathKey(String(path))], parent.kind != .folder {
                    throw ClientError(
                        "\(parent.source) can't be kept beside \(file.source), which needs a folder \(path)"
                    )
                }
            }
        }
    }
}
