import Foundation
import LarderCore
import LarderTestSupport
import NIOCore
import Synchronization

@testable import LarderClient

/// A source of images that lie in files of a folder; it may break off, or give other bytes than it should.
final class MemoryStore: ImageStore {
    let name = "the store of the test"
    private let folder: String
    private let manifests = Mutex<[Digest: StoredManifest]>([:])
    /// Bytes after which the next readings end, in turn.
    private let breaks: Mutex<[Int64]>
    /// From where it was read, in turn.
    let offsets = Mutex<[Int64]>([])

    init(folder: String, breaks: [Int64] = []) {
        self.folder = folder
        self.breaks = Mutex(breaks)
    }

    /// Keeps bytes under a descriptor.
    func keep(_ bytes: [UInt8], mediaType: String = "application/octet-stream") throws -> Descriptor {
        let blob = Descriptor(
            mediaType: mediaType,
            digest: IncrementalHasher.digest(of: bytes),
            size: Int64(bytes.count)
        )
        try replace(blob, by: bytes)
        return blob
    }

    /// Keeps other bytes than the descriptor names.
    func replace(_ blob: Descriptor, by bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(blob)))
    }

    /// Keeps an image of one config and some layers.
    func keepImage(layers: [Descriptor], subject: Descriptor? = nil) throws -> StoredManifest {
        let config = try keep(Array("{}".utf8), mediaType: "application/vnd.oci.empty.v1+json")
        let parts = layers.map { text($0) }.joined(separator: ",")
        let tail = subject.map { ",\"subject\":\(text($0))" } ?? ""
        let json = """
            {"schemaVersion":2,"mediaType":"\(ManifestType.ociImage)","config":\(text(config)),"layers":[\(parts)]\(tail)}
            """
        let manifest = try StoredManifest(Array(json.utf8), digest: nil, mediaType: nil)
        manifests.withLock { $0[manifest.digest] = manifest }
        return manifest
    }

    private func text(_ blob: Descriptor) -> String {
        "{\"mediaType\":\"\(blob.mediaType)\",\"digest\":\"\(blob.digest)\",\"size\":\(blob.size)}"
    }

    private func path(_ blob: Descriptor) -> String { "\(folder)/\(blob.digest.hex)" }

    func manifest(_ reference: ManifestReference?, mediaType: String?) async throws -> StoredManifest? {
        guard let digest = reference?.namedDigest else { return nil }
        return manifests.withLock { $0[digest] }
    }

    func referrers(of digest: Digest) async throws -> [Descriptor] {
        manifests.withLock { $0.values.filter { $0.manifest.subject?.digest == digest } }.map {
            Descriptor(mediaType: $0.manifest.mediaType, digest: $0.digest, size: $0.size)
        }
    }

    func bytes(of blob: Descriptor, from offset: Int64) async throws -> BlobBytes {
        offsets.withLock { $0.append(offset) }
        let end: Int64? = breaks.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        guard let end else { return BlobBytes(file: path(blob), from: offset) }
        // The first bytes of the file, in a file of their own: reading ends where they do.
        let whole = try Data(contentsOf: URL(fileURLWithPath: path(blob)))
        let part = "\(folder)/part-\(end)"
        try Data(whole.prefix(Int(end))).write(to: URL(fileURLWithPath: part))
        return BlobBytes(file: part, from: offset)
    }

    func add(
        _ blob: Descriptor,
        from source: any ImageStore,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> BlobOutcome {
        throw TestFailure("nothing is copied into the store of the test")
    }

    func put(_ manifest: StoredManifest, as role: ManifestRole) async throws {
        throw TestFailure("nothing is copied into the store of the test")
    }

    func abandonUploads() async {}
}
