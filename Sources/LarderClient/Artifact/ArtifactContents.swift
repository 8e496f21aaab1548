package import APIMessages
package import LarderCore

/// What of an artifact is to be put into a folder, as it stands on the disk in the end.
///
/// What an artifact says is what a stranger wrote: paths are checked before anything is made of them.
package struct ArtifactContents: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var path: String
        package var digest: Digest
        /// In bytes.
        package var size: Int64
        /// Permission bits, at most 0o777.
        package var mode: UInt16

        package init(path: String, digest: Digest, size: Int64, mode: UInt16) {
            self.path = path
            self.digest = digest
            self.size = size
            self.mode = mode
        }
    }

    /// A folder that is one archive.
    package struct Bundle: Sendable, Equatable {
        package var folder: String
        package var digest: Digest
        /// Of the archive, in bytes.
        package var size: Int64
    }

    package var files: [File] = []
    package var links: [ArtifactFiles.Link] = []
    package var folders: [ArtifactFiles.Folder] = []
    /// Archives that hold, or may hold, something that is wanted.
    package var bundles: [Bundle] = []

    package init(
        files: [File] = [],
        links: [ArtifactFiles.Link] = [],
        folders: [ArtifactFiles.Folder] = [],
        bundles: [Bundle] = []
    ) {
        self.files = files
        self.links = links
        self.folders = folders
        self.bundles = bundles
    }

    /// Takes what some patterns match out of a version; all of it when there are no patterns.
    ///
    /// - Throws: `ClientError` for a version that can't be put into a folder safely.
    package init(_ version: ArtifactVersionMessage, matching patterns: [PathPattern]) throws(ClientError) {
        // Where ORAS for Python gave several files one path, the last is what it gets itself.
        var places: [PathKey: Int] = [:]
        for file in version.files ?? [] where file.bundle == nil && Self.isWanted(file.path, patterns) {
            guard let mode = ArtifactPath.mode(file.mode), file.size >= 0 else { throw Self.unreadable(file.path) }
            let digest = try Self.digest(file.digest, of: file.path)
            let wanted = File(path: file.path, digest: digest, size: file.size, mode: mode)
            if let place = places[PathKey(file.path)] {
                files[place] = wanted
            } else {
                places[PathKey(file.path)] = files.count
                files.append(wanted)
            }
        }
        for link in version.links ?? [] where Self.isWanted(link.path, patterns) {
            links.append(.init(path: link.path, target: link.target))
        }
        for folder in version.folders ?? [] where Self.isWanted(folder.path, patterns) {
            guard let mode = ArtifactPath.mode(folder.mode) else { throw Self.unreadable(folder.path) }
            folders.append(.init(path: folder.path, mode: mode))
        }
        for bundle in version.bundles ?? [] {
            let mayMatch = patterns.contains { $0.matches(bundle.path) || $0.mayMatchBelow(folder: bundle.path) }
            guard patterns.isEmpty || mayMatch else { continue }
            guard bundle.size >= 0 else { throw Self.unreadable(bundle.path) }
            let digest = try Self.digest(bundle.digest, of: bundle.path)
            bundles.append(Bundle(folder: bundle.path, digest: digest, size: bundle.size))
        }
        try check()
    }

    package var isEmpty: Bool { files.isEmpty && links.isEmpty && folders.isEmpty && bundles.isEmpty }

    /// Whether a path is to be had.
    static func isWanted(_ path: String, _ patterns: [PathPattern]) -> Bool {
        patterns.isEmpty || patterns.contains { $0.matches(path) }
    }

    /// Checks that every path goes down only, comes once, and leads through no link or file of the artifact.
    ///
    /// - Throws: `ClientError`.
    package func check() throws(ClientError) {
        let leafPaths = files.map(\.path) + links.map(\.path)
        let folderPaths = folders.map(\.path) + bundles.map(\.folder)
        var leaves: Set<PathKey> = []
        for path in leafPaths {
            try Self.check(path)
            guard leaves.insert(PathKey(path)).inserted else { throw ClientError("the artifact has \(path) twice") }
        }
        for path in folderPaths {
            try Self.check(path)
            guard !leaves.contains(PathKey(path)) else { throw ClientError("the artifact has \(path) twice") }
        }
        for path in leafPaths + folderPaths {
            for folder in ArtifactPath.folders(of: path) where leaves.contains(PathKey(folder)) {
                throw ClientError("the artifact's \(path) would lie in \(folder), which is no folder; refused")
            }
        }
        for link in links where link.target.isEmpty || link.target.utf8.contains(0) {
            throw ClientError("the artifact's link \(link.path) leads nowhere; refused")
        }
    }

    private static func check(_ path: String) throws(ClientError) {
        guard ArtifactPath.isSafe(path) else {
            throw ClientError("the artifact's path '\(path)' leads out of the folder, or can't be one; refused")
        }
    }

    private static func digest(_ text: String, of path: String) throws(ClientError) -> Digest {
        guard let digest = Digest(text) else { throw unreadable(path) }
        guard digest.algorithm == .sha256 else {
            throw ClientError("\(path) is named by another digest than SHA-256; read it with: larder artifact cat")
        }
        return digest
    }

    private static func unreadable(_ path: String) -> ClientError {
        ClientError("what the server says of \(path) is not understood; is it another version of larder?")
    }
}
