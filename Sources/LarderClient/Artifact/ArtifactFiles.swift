import LarderCore

/// What is to be in an artifact, and where it lies on the disk.
package struct ArtifactFiles: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        /// In the artifact.
        package var path: String
        /// On the disk.
        package var source: String
        /// In bytes.
        package var size: Int64
        /// Permission bits, at most 0o777.
        package var mode: UInt16

        package init(path: String, source: String, size: Int64, mode: UInt16) {
            self.path = path
            self.source = source
            self.size = size
            self.mode = mode
        }
    }

    package struct Link: Sendable, Equatable {
        package var path: String
        package var target: String

        package init(path: String, target: String) {
            self.path = path
            self.target = target
        }
    }

    /// A folder that is empty or has an unusual mode; others are where there is something in them.
    package struct Folder: Sendable, Equatable {
        package var path: String
        package var mode: UInt16

        package init(path: String, mode: UInt16) {
            self.path = path
            self.mode = mode
        }
    }

    /// What folders and files have when nothing is said of them.
    package static let folderMode: UInt16 = 0o755
    package static let fileMode: UInt16 = 0o644
    /// More files, links and folders are refused.
    package static let countMax = 1_000_000

    /// By path, bytewise, as are links and folders.
    package let files: [File]
    package let links: [Link]
    package let folders: [Folder]

    /// Sorts and checks.
    ///
    /// - Throws: `ClientError` for a path that leaves the artifact, or two things that can't be in one.
    package init(files: [File], links: [Link] = [], folders: [Folder] = []) throws(ClientError) {
        self.files = files.sorted { ArtifactPath.precedes($0.path, $1.path) }
        self.links = links.sorted { ArtifactPath.precedes($0.path, $1.path) }
        self.folders = folders.sorted { ArtifactPath.precedes($0.path, $1.path) }
        guard files.count + links.count + folders.count <= Self.countMax else {
            throw ClientError("an artifact has at most \(Self.countMax) files, links and folders")
        }
        try check()
    }

    package var isEmpty: Bool { files.isEmpty && links.isEmpty && folders.isEmpty }

    /// Bytes of all files.
    package var byteCount: Int64 { files.map(\.size).saturatingSum }

    private func check() throws(ClientError) {
        var leaves: Set<PathKey> = []
        for path in files.map(\.path) + links.map(\.path) {
            guard ArtifactPath.isSafe(path) else { throw ClientError("'\(path)' is no path in an artifact") }
            guard leaves.insert(PathKey(path)).inserted else {
                throw ClientError("\(path) comes twice; leave one out, or put them into different folders")
            }
        }
        var all = leaves
        for folder in folders {
            guard ArtifactPath.isSafe(folder.path) else {
                throw ClientError("'\(folder.path)' is no path in an artifact")
            }
            guard all.insert(PathKey(folder.path)).inserted else {
                throw ClientError("\(folder.path) is a folder here and a file or link there; leave one out")
            }
        }
        for path in all.map(\.path) {
            for folder in ArtifactPath.folders(of: path) where leaves.contains(PathKey(folder)) {
                throw ClientError("\(folder) is a file or link, and \(path) would be in it; leave one out")
            }
        }
    }
}
