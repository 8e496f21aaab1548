package import LarderCore
import Synchronization

/// The files of larger blobs: `blobs/sha256/ab/<digest>.<generation>`, and what is still being uploaded.
///
/// A generation is never used twice, so an upload and a removal of one digest never name the same path, and no lock is
/// needed between them. Rows are the metadata's business: a file without a row is nothing (W1, D1).
package final class BlobStore: Sendable {
    private let root: String
    private let files: any BlobFiles
    private let nextGeneration: Atomic<Int64>

    /// `root`: The data folder.
    ///
    /// `firstGeneration`: Larger than every generation that any earlier process used here.
    package init(root: String, files: any BlobFiles, firstGeneration: Int64) {
        self.root = root
        self.files = files
        nextGeneration = Atomic(firstGeneration)
    }

    /// Where a blob's file lives, relative to the data folder.
    package static func relativePath(of digest: Digest, generation: Int64) -> String {
        precondition(digest.algorithm == .sha256, "files are named by SHA-256")
        let hex = digest.hex
        return "blobs/sha256/\(hex.prefix(2))/\(hex).\(String(generation, radix: 16))"
    }

    /// Starts an upload with a file of its own.
    ///
    /// Blocks.
    package func beginUpload(alsoSHA512: Bool = false) throws(StoreError) -> BlobUpload {
        let generation = nextGeneration.wrappingAdd(1, ordering: .relaxed).oldValue
        return try BlobUpload(root: root, files: files, generation: generation, alsoSHA512: alsoSHA512)
    }

    /// Goes on with a resumable upload of an earlier process, cut to what was acknowledged.
    ///
    /// Blocks.
    ///
    /// - Returns: nil when its file is not there or has lost bytes.
    package func resumeUpload(fileName: String, length: Int64) throws(StoreError) -> BlobUpload? {
        let parts = fileName.split(separator: ".")
        guard parts.count == 2, parts[1] == "part", let generation = Int64(parts[0], radix: 16),
            let (file, byteCount) = try files.openForWriting("\(root)/uploads/\(fileName)")
        else { return nil }
        do {
            guard byteCount >= length else {
                files.close(file)
                return nil
            }
            try files.truncate(file, to: length, path: fileName)
        } catch {
            files.close(file)
            throw error
        }
        return BlobUpload(
            root: root,
            files: files,
            generation: generation,
            name: fileName,
            file: file,
            length: length
        )
    }

    /// Whether the file of a resumable upload is there with all that was acknowledged.
    ///
    /// Blocks.
    package func hasUpload(fileName: String, length: Int64) throws(StoreError) -> Bool {
        guard let (file, byteCount) = try files.open("\(root)/uploads/\(fileName)") else { return false }
        files.close(file)
        return byteCount >= length
    }

    /// Removes the file of a resumable upload that nobody goes on with.
    ///
    /// Blocks.
    package func removeUpload(fileName: String) throws(StoreError) {
        try files.remove("\(root)/uploads/\(fileName)")
    }

    /// Opens a blob's file.
    ///
    /// Blocks.
    ///
    /// - Returns: nil when the file is missing or its length is not `size`: the caller reads the row again, and takes
    ///   the same generation twice for damage (R1).
    package func open(_ digest: Digest, generation: Int64, size: Int64) throws(StoreError) -> OpenBlob? {
        let path = "\(root)/\(Self.relativePath(of: digest, generation: generation))"
        guard let (file, byteCount) = try files.open(path) else { return nil }
        guard byteCount == size else {
            files.close(file)
            return nil
        }
        return OpenBlob(file: file, size: size, path: path, files: files)
    }

    /// Removes a blob's file by its relative path, from the `removal` table.
    ///
    /// Blocks.
    package func remove(_ relativePath: String) throws(StoreError) {
        try files.remove("\(root)/\(relativePath)")
    }

    /// Makes removals durable, so that their rows can go.
    ///
    /// Blocks.
    package func synchronizeFolders(of relativePaths: some Sequence<String>) throws(StoreError) {
        let folders = Set(relativePaths.compactMap { path in path.lastIndex(of: "/").map { path[..<$0] } })
        for folder in folders {
            try files.synchronizeFolder("\(root)/\(folder)")
        }
    }

    /// What a process that ended left in `uploads/` (S1).
    ///
    /// Blocks.
    package func leftovers() throws(StoreError) -> [LeftoverUpload] {
        try files.list("\(root)/uploads").map { LeftoverUpload(name: $0) }
    }

    /// Removes a leftover: its name in `uploads/`, and its final name too unless a row names it.
    ///
    /// Blocks.
    package func discard(_ leftover: LeftoverUpload, keepingFile: Bool) throws(StoreError) {
        if !keepingFile, let blob = leftover.published {
            try files.remove("\(root)/\(Self.relativePath(of: blob.digest, generation: blob.generation))")
        }
        try files.remove("\(root)/uploads/\(leftover.name)")
    }

    /// The blobs whose files lie in one of the 256 folders, for `larder check`.
    ///
    /// Blocks.
    package func storedFiles(inFolder prefix: Int) throws(StoreError) -> [StoredBlobFile] {
        let folder = "blobs/sha256/\(DataFolder.twoDigits(prefix))"
        return try files.list("\(root)/\(folder)").map { name in
            StoredBlobFile(relativePath: "\(folder)/\(name)", blob: LeftoverUpload(name: name).published)
        }
    }

    /// Whether an upload of exactly this file is finished but not settled.
    package func isUploading(_ digest: Digest, generation: Int64) throws(StoreError) -> Bool {
        try exists("uploads/\(digest.hex).\(String(generation, radix: 16))")
    }

    /// Whether there is a file of a relative path.
    ///
    /// Blocks.
    package func exists(_ relativePath: String) throws(StoreError) -> Bool {
        guard let (file, _) = try files.open("\(root)/\(relativePath)") else { return false }
        files.close(file)
        return true
    }

    /// What the disk has.
    package func diskSpace() throws(StoreError) -> DiskSpace {
        try files.diskSpace(at: root)
    }
}

/// A file under `blobs/`, and the blob its name says it is; nil for a name that no blob has.
package struct StoredBlobFile: Sendable {
    package let relativePath: String
    package let blob: (digest: Digest, generation: Int64)?
}

/// A name in `uploads/`: `<generation>.part` while bytes arrive, `<digest>.<generation>` from then on.
package struct LeftoverUpload: Sendable {
    package let name: String

    /// The digest and generation, once the upload got as far as its final name.
    package var published: (digest: Digest, generation: Int64)? {
        let parts = name.split(separator: ".")
        guard parts.count == 2, let digest = Digest(.sha256, hex: parts[0].utf8),
            let generation = Int64(parts[1], radix: 16)
        else { return nil }
        return (digest, generation)
    }
}
