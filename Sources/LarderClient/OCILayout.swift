import Foundation
import Glibc
import LarderCore
import NIOCore
import NIOFoundationCompat

/// A folder in the OCI image layout (image specification 1.1, "Image Layout") as a place of images.
///
/// File calls block their thread, which is shared with up to three other blobs that are copied: calls are of 1 MiB at
/// most, and the program does nothing else meanwhile. (Foundation's `FileHandle` rather than swift-nio's file system,
/// which only `LarderBlobs` uses.)
struct OCILayout: ImageStore {
    private static let versionText = "{\"imageLayoutVersion\":\"1.0.0\"}\n"

    let folder: String
    var name: String { "oci:\(folder)" }

    private var indexPath: String { "\(folder)/index.json" }
    private var versionPath: String { "\(folder)/oci-layout" }

    /// Takes a folder that images are read from.
    ///
    /// - Throws: `ClientError` when it is none.
    init(source folder: String) throws {
        self.folder = folder
        guard FileManager.default.fileExists(atPath: indexPath) else {
            throw ClientError("\(folder) is no OCI layout folder: it has no index.json")
        }
    }

    /// Takes a folder that images are written to, and makes it where it is missing.
    ///
    /// - Throws: `ClientError` when it holds something else.
    init(destination folder: String) throws {
        self.folder = folder
        let files = FileManager.default
        let content = (try? files.contentsOfDirectory(atPath: folder)) ?? []
        guard content.isEmpty || files.fileExists(atPath: versionPath) else {
            throw ClientError("\(folder) holds other files and no image; name a new or empty folder")
        }
        try makeFolder("\(folder)/blobs/sha256")
        if !files.fileExists(atPath: versionPath) { try replace(versionPath, by: Data(Self.versionText.utf8)) }
        if !files.fileExists(atPath: indexPath) { try replace(indexPath, by: try IndexDocument().encoded()) }
    }

    func path(of digest: Digest) -> String { "\(folder)/blobs/\(digest.algorithm.name)/\(digest.hex)" }

    // MARK: - Reading

    func manifest(_ reference: ManifestReference?, mediaType: String?) async throws -> StoredManifest? {
        switch reference {
        case .digest(let digest)?:
            return try readManifest(digest, mediaType: mediaType)
        case .tag(let tag)?:
            guard let entry = try readIndex().entries.first(where: { $0.name == tag.text }) else { return nil }
            return try readManifest(entry.descriptor.digest, mediaType: entry.descriptor.mediaType)
        case nil:
            let entries = try readIndex().entries
            guard entries.count == 1, let entry = entries.first else {
                let names = entries.compactMap(\.name).sorted().joined(separator: ", ")
                throw ClientError("\(name) holds \(entries.count) images; name one by its tag: \(names)")
            }
            return try readManifest(entry.descriptor.digest, mediaType: entry.descriptor.mediaType)
        }
    }

    private func readManifest(_ digest: Digest, mediaType: String?) throws -> StoredManifest? {
        guard let size = size(of: digest) else { return nil }
        guard size <= Manifest.sizeLimit.bytes else {
            throw ClientError("\(path(of: digest)) is no manifest: it is larger than \(Manifest.sizeLimit)")
        }
        guard let data = FileManager.default.contents(atPath: path(of: digest)) else {
            throw ClientError("can't read \(path(of: digest))")
        }
        return try StoredManifest(Array(data), digest: digest, mediaType: mediaType)
    }

    func referrers(of digest: Digest) async throws -> [Descriptor] {
        try readIndex().entries.map(\.descriptor).filter { descriptor in
            try readManifest(descriptor.digest, mediaType: descriptor.mediaType)?.manifest.subject?.digest == digest
        }
    }

    func bytes(of blob: Descriptor, from offset: Int64) async throws -> BlobBytes {
        guard size(of: blob.digest) == blob.size else {
            throw ClientError("\(path(of: blob.digest)) is missing, or has another size than \(blob.size) bytes")
        }
        return BlobBytes(file: path(of: blob.digest), from: offset)
    }

    private func readIndex() throws -> IndexDocument {
        guard let data = FileManager.default.contents(atPath: indexPath) else {
            throw ClientError("can't read \(indexPath)")
        }
        do {
            return try IndexDocument(data)
        } catch {
            throw ClientError("\(indexPath): \(error)")
        }
    }

    /// The size of a blob in bytes; nil when it is not there.
    private func size(of digest: Digest) -> Int64? {
        var information = stat()
        guard stat(path(of: digest), &information) == 0 else { return nil }
        return Int64(information.st_size)
    }

    // MARK: - Writing

    func add(
        _ blob: Descriptor,
        from source: any ImageStore,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> BlobOutcome {
        if size(of: blob.digest) == blob.size { return .present }
        let target = path(of: blob.digest)
        try makeFolder("\(folder)/blobs/\(blob.digest.algorithm.name)")
        let part = try PartFile(beside: target)
        defer { part.discard() }
        for try await piece in VerifiedBlob(blob, from: source, progress: progress) {
            try part.append(Data(buffer: piece))
        }
        try part.commit(as: target)
        return .copied
    }

    func put(_ manifest: StoredManifest, as role: ManifestRole) async throws {
        if size(of: manifest.digest) != manifest.size {
            try makeFolder("\(folder)/blobs/\(manifest.digest.algorithm.name)")
            try replace(path(of: manifest.digest), by: Data(manifest.bytes))
        }
        var index = try readIndex()
        switch role {
        case .part: return
        case .referrer: index.set(manifest, name: nil)
        case .image(let tag): index.set(manifest, name: tag?.text)
        }
        try replace(indexPath, by: try index.encoded())
    }

    /// Nothing is left to clear: unfinished files went when their uploads ended.
    func abandonUploads() async {}

    private func makeFolder(_ path: String) throws {
        try FileTrouble.describing("make the folder", path) {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
    }

    private func replace(_ path: String, by content: Data) throws {
        let part = try PartFile(beside: path)
        defer { part.discard() }
        try part.append(content)
        try part.commit(as: path)
    }
}

/// A file that takes its final name only when it is whole and synced.
private struct PartFile {
    private let path: String
    private let folder: String
    private let file: FileHandle

    init(beside target: String) throws {
        let url = URL(fileURLWithPath: target)
        folder = url.deletingLastPathComponent().path
        path = "\(folder)/.\(url.lastPathComponent.prefix(16)).\(UUID().uuidString).part"
        guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
        else { throw ClientError("can't write in \(folder)") }
        self.file = file
    }

    func append(_ data: Data) throws {
        try FileTrouble.describing("write", path) { try file.write(contentsOf: data) }
    }

    /// Syncs the file, gives it its name, and syncs the folder.
    func commit(as target: String) throws {
        try FileTrouble.describing("write", path) { try file.synchronize() }
        guard rename(path, target) == 0 else {
            throw ClientError("can't rename \(path) to \(target): \(String(cString: strerror(errno)))")
        }
        let descriptor = open(folder, O_RDONLY)
        guard descriptor >= 0 else { throw ClientError("can't open \(folder): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw ClientError("can't sync \(folder): \(String(cString: strerror(errno)))")
        }
    }

    /// Removes the file unless it has its name.
    func discard() {
        try? file.close()
        unlink(path)
    }
}
