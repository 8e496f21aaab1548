import AsyncHTTPClient
import Foundation
import LarderCore
import NIOCore
import Synchronization

/// A repository of a registry as a place of images.
final class RegistryRepository: ImageStore {
    private static let attemptCountMax = 3

    let name: String
    private let client: RegistryClient
    private let repository: RepositoryName
    private let scope: RegistryScope
    /// Where uploads go on that have come to no end.
    private let uploads = Mutex<Set<String>>([])

    init(_ client: RegistryClient, _ repository: RepositoryName, isDestination: Bool) {
        self.client = client
        self.repository = repository
        name = client.isOwnServer ? repository.text : "\(client.origin.label)/\(repository)"
        // One token serves for everything at a destination.
        scope = isDestination ? .push(repository) : .pull(repository)
    }

    func manifest(_ reference: ManifestReference?, mediaType: String?) async throws -> StoredManifest? {
        try await client.manifest(reference ?? .tag(.latest), in: repository, mediaType: mediaType, scope: scope)
    }

    func referrers(of digest: Digest) async throws -> [Descriptor] {
        try await client.referrers(of: digest, in: repository)
    }

    func bytes(of blob: Descriptor, from offset: Int64) async throws -> BlobBytes {
        try await client.bytes(of: blob, from: offset, in: repository, scope: scope)
    }

    func add(
        _ blob: Descriptor,
        from source: any ImageStore,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> BlobOutcome {
        if try await client.hasBlob(blob, in: repository, scope: scope) { return .present }
        var attempt = 1
        while true {
            do {
                return try await upload(blob, from: source, progress: progress)
            } catch let error as ClientError where error.isTransient && attempt < Self.attemptCountMax {
                try await Task.sleep(for: .seconds(attempt))
                attempt += 1
            }
        }
    }

    private func upload(
        _ blob: Descriptor,
        from source: any ImageStore,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> BlobOutcome {
        let other = mountSource(source)
        let begun = try await client.beginUpload(of: blob, to: repository, mountingFrom: other)
        guard let location = begun else { return other == nil ? .present : .mounted }
        uploads.withLock { _ = $0.insert(location) }
        let body: HTTPClientRequest.Body
        if blob.size == 0 {
            try VerifiedBlob.checkEmpty(blob)
            body = .bytes(ByteBuffer())
        } else {
            body = .stream(VerifiedBlob(blob, from: source, progress: progress), length: .known(blob.size))
        }
        try await client.finishUpload(at: location, of: blob, to: repository, body: body)
        uploads.withLock { _ = $0.remove(location) }
        return .copied
    }

    /// The repository from which the registry itself can take a blob of the source.
    private func mountSource(_ source: any ImageStore) -> RepositoryName? {
        guard let other = source as? RegistryRepository, other.client.isSameRegistry(as: client),
            other.repository != repository
        else { return nil }
        return other.repository
    }

    func put(_ manifest: StoredManifest, as role: ManifestRole) async throws {
        var reference = ManifestReference.digest(manifest.digest)
        if case .image(let tag?) = role { reference = .tag(tag) }
        let answer = try await client.put(manifest, in: repository, as: reference)
        if let subject = manifest.manifest.subject, !answer.knowsSubject {
            try await list(manifest, atSubject: subject.digest)
        }
    }

    /// Keeps the list of referrers for a registry that keeps none (distribution specification 1.1, "Pushing Manifests
    /// with Subject").
    private func list(_ manifest: StoredManifest, atSubject subject: Digest) async throws {
        guard let tag = Tag.referrers(of: subject) else { return }
        let old = try await client.manifest(.tag(tag), in: repository, mediaType: nil, scope: scope)
        var index = try old.map { try IndexDocument(Data($0.bytes)) } ?? IndexDocument()
        guard try index.add(manifest) else { return }
        let bytes = Array(try index.encoded())
        let list = try StoredManifest(bytes, digest: nil, mediaType: ManifestType.ociIndex)
        _ = try await client.put(list, in: repository, as: .tag(tag))
    }

    func abandonUploads() async {
        for location in uploads.withLock({ $0 }) {
            await client.cancelUpload(at: location, to: repository)
        }
    }
}
