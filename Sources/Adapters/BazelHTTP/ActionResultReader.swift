import BazelHTTPMessages
import LarderCore
import LarderStore
import NIOCore
import SwiftProtobuf

/// Finds out all that an action result refers to, the contents of its trees included.
struct ActionResultReader {
    /// Bytes of trees and directories that one lookup reads at most; above it the result counts as incomplete.
    static let treeBytesMax = ByteCount.mebibytes(16)
    /// Blobs that one result may refer to.
    static let referenceCountMax = 200_000

    let store: Store
    let repository: Repository

    /// All blobs of an action result; nil when a tree is missing, broken or too large.
    func references(of content: StoredContent) async throws -> [BlobDescriptor]? {
        let bytes = try await store.bytes(of: content, atMost: Store.inspectedSizeLimit)
        let result: ActionResult
        var blobs: Set<BlobDescriptor>
        do {
            result = try ActionResultInspection.parse(bytes)
            blobs = Set(try ActionResultInspection.check(result))
        } catch StoreError.invalidContent {
            return nil
        }
        var budget = Self.treeBytesMax.bytes
        for directory in result.outputDirectories {
            if directory.hasTreeDigest {
                guard let found = try await filesOfTree(directory.treeDigest, budget: &budget) else { return nil }
                blobs.formUnion(found)
            } else {
                guard let found = try await filesBelow(directory.rootDirectoryDigest, budget: &budget) else {
                    return nil
                }
                blobs.formUnion(found)
            }
            guard blobs.count <= Self.referenceCountMax else { return nil }
        }
        return Array(blobs)
    }

    private func filesOfTree(_ digest: MessageDigest, budget: inout Int64) async throws -> [BlobDescriptor]? {
        guard let bytes = try await read(digest, budget: &budget),
            let tree = try? Tree(serializedBytes: Array(bytes.readableBytesView))
        else { return nil }
        return try? ([tree.root] + tree.children).flatMap { try Self.files(of: $0) }
    }

    /// Walks directories from their root; each is read once, however often it is named.
    private func filesBelow(_ root: MessageDigest, budget: inout Int64) async throws -> [BlobDescriptor]? {
        var waiting = [root]
        var seen: Set<String> = [root.hash]
        var blobs: [BlobDescriptor] = []
        while let digest = waiting.popLast() {
            guard let bytes = try await read(digest, budget: &budget),
                let directory = try? Directory(serializedBytes: Array(bytes.readableBytesView)),
                let files = try? Self.files(of: directory), let own = try? ActionResultInspection.descriptor(digest)
            else { return nil }
            blobs.append(own)
            blobs.append(contentsOf: files)
            for child in directory.directories where seen.insert(child.digest.hash).inserted {
                waiting.append(child.digest)
            }
        }
        return blobs
    }

    private static func files(of directory: Directory) throws(StoreError) -> [BlobDescriptor] {
        var blobs: [BlobDescriptor] = []
        for file in directory.files {
            blobs.append(try ActionResultInspection.descriptor(file.digest))
        }
        return blobs
    }

    private func read(_ digest: MessageDigest, budget: inout Int64) async throws -> ByteBuffer? {
        guard let blob = try? ActionResultInspection.descriptor(digest) else { return nil }
        budget -= blob.size ?? 0
        guard budget >= 0 else { return nil }
        let name = StoredName(repository: repository.id, item: .blob(blob.digest))
        guard case .found(let content) = try await store.read(name), content.size == blob.size else { return nil }
        return try await store.bytes(of: content, atMost: Self.treeBytesMax)
    }
}
