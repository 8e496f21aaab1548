import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOHTTP1

/// A manifest with its bytes as they came.
package struct StoredManifest: Sendable {
    package let digest: Digest
    package let bytes: [UInt8]
    package let manifest: Manifest

    package var size: Int64 { Int64(bytes.count) }

    /// Reads and verifies a manifest.
    ///
    /// - Parameters:
    ///   - bytes: As they came.
    ///   - digest: What it was asked for by, or said to be; nil when only its bytes tell.
    ///   - mediaType: As it was sent or referred to; nil when unknown.
    /// - Throws: `ClientError` when the bytes have another digest or are no manifest.
    init(_ bytes: [UInt8], digest: Digest?, mediaType: String?) throws(ClientError) {
        var hasher = IncrementalHasher(alsoSHA512: digest?.algorithm == .sha512)
        bytes.withUnsafeBytes { hasher.update($0) }
        let digests = hasher.finalize()
        if let digest, !digests.contains(digest) {
            throw ClientError("what came as the manifest \(digest) is something else: \(digests[0])")
        }
        do {
            manifest = try Self.parse(bytes, as: mediaType)
        } catch {
            throw ClientError("the manifest \(digests[0]): \(error)")
        }
        self.digest = digest ?? digests[0]
        self.bytes = bytes
    }

    private static func parse(_ bytes: [UInt8], as mediaType: String?) throws(StoreError) -> Manifest {
        if let type = mediaType, type.hasPrefix("application/vnd.") { return try Manifest(bytes, contentType: type) }
        if let manifest = try? Manifest(bytes, contentType: nil) { return manifest }
        // Early OCI manifests do not name their type; their members tell.
        if let index = try? Manifest(bytes, contentType: ManifestType.ociIndex) { return index }
        return try Manifest(bytes, contentType: ManifestType.ociImage)
    }
}

extension RegistryClient {
    /// Reads a manifest; nil when there is none.
    package func manifest(
        _ reference: ManifestReference,
        in repository: RepositoryName,
        mediaType: String? = nil
    ) async throws -> StoredManifest? {
        try await manifest(reference, in: repository, mediaType: mediaType, scope: .pull(repository))
    }

    func manifest(
        _ reference: ManifestReference,
        in repository: RepositoryName,
        mediaType: String?,
        scope: RegistryScope
    ) async throws -> StoredManifest? {
        var request = RegistryRequest(target: "/v2/\(repository)/manifests/\(reference.text)", scope: scope)
        request.headers.add(name: "Accept", value: ManifestType.all.joined(separator: ", "))
        let answer = try await send(request)
        if answer.status == 404 {
            await RegistryHTTP.drain(answer.response)
            return nil
        }
        guard answer.isSuccess else { throw await failure(answer, to: "give \(repository) \(reference.text)") }
        let limit = Int(Manifest.sizeLimit.bytes)
        let body = try await RegistryHTTP.read(answer.response, limit: limit, label: origin.label)
        let named = answer.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
        return try StoredManifest(
            Array(body.readableBytesView),
            digest: reference.namedDigest ?? named,
            mediaType: answer.mediaType ?? mediaType
        )
    }

    /// The digest behind a reference; nil when there is none.
    package func digest(of reference: ManifestReference, in repository: RepositoryName) async throws -> Digest? {
        var request = RegistryRequest(
            method: .HEAD,
            target: "/v2/\(repository)/manifests/\(reference.text)",
            scope: .pull(repository)
        )
        request.headers.add(name: "Accept", value: ManifestType.all.joined(separator: ", "))
        let answer = try await send(request)
        if answer.status == 404 { return nil }
        guard answer.isSuccess else { throw await failure(answer, to: "look up \(repository) \(reference.text)") }
        if let digest = answer.headers.first(name: "Docker-Content-Digest").flatMap({ Digest($0) }) { return digest }
        return try await manifest(reference, in: repository)?.digest
    }

    /// Stores a manifest under its digest, and under tags in the same step where the registry can.
    ///
    /// - Returns: Which tags the registry says to have made, and whether it lists the manifest at its subject.
    func put(
        _ manifest: StoredManifest,
        in repository: RepositoryName,
        as reference: ManifestReference,
        tags: [Tag] = []
    ) async throws -> (tags: Set<Tag>, knowsSubject: Bool) {
        let query = tags.isEmpty ? "" : "?" + tags.map { "tag=\($0)" }.joined(separator: "&")
        var request = RegistryRequest(
            method: .PUT,
            target: "/v2/\(repository)/manifests/\(reference.text)\(query)",
            scope: .push(repository)
        )
        request.headers.add(name: "Content-Type", value: manifest.manifest.mediaType)
        request.body = .bytes(ByteBuffer(bytes: manifest.bytes))
        let answer = try await send(request)
        guard answer.isSuccess else { throw await failure(answer, to: "take \(repository) \(reference.text)") }
        await RegistryHTTP.drain(answer.response)
        let named = answer.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
        if let named, named.algorithm == manifest.digest.algorithm, named != manifest.digest {
            throw ClientError("\(origin.label) stored \(manifest.digest) of \(repository) as something else: \(named)")
        }
        let made = answer.headers["OCI-Tag"].flatMap { $0.split(separator: ",") }
        return (
            Set(made.compactMap { Tag($0.trimmingCharacters(in: .whitespaces)) }),
            answer.headers.contains(name: "OCI-Subject")
        )
    }

    /// Gives a manifest more tags.
    package func addTags(_ tags: [Tag], to manifest: StoredManifest, in repository: RepositoryName) async throws {
        // A registry has to take at least 10 at a time (distribution specification, "Pushing Manifests").
        for start in stride(from: 0, to: tags.count, by: 10) {
            let some = Array(tags[start..<min(start + 10, tags.count)])
            let made = try await put(manifest, in: repository, as: .digest(manifest.digest), tags: some).tags
            for tag in some where !made.contains(tag) {
                _ = try await put(manifest, in: repository, as: .tag(tag))
            }
        }
    }

    /// Removes a tag, or a manifest with all its tags; false when there is no such thing.
    package func remove(_ reference: ManifestReference, in repository: RepositoryName) async throws -> Bool {
        let request = RegistryRequest(
            method: .DELETE,
            target: "/v2/\(repository)/manifests/\(reference.text)",
            scope: .delete(repository)
        )
        let answer = try await send(request)
        if answer.status == 404 { return false }
        guard answer.isSuccess else { throw await failure(answer, to: "remove \(repository) \(reference.text)") }
        await RegistryHTTP.drain(answer.response)
        return true
    }
}

extension RegistryAnswer {
    /// The media type without its parameters; nil where none is named.
    var mediaType: String? {
        headers.first(name: "Content-Type").map { String($0.prefix { $0 != ";" }).trimmingCharacters(in: .whitespaces) }
    }
}

extension ManifestReference {
    /// As it stands in paths.
    package var text: String {
        switch self {
        case .tag(let tag): tag.text
        case .digest(let digest): digest.description
        }
    }

    /// The digest, where it is one.
    package var namedDigest: Digest? {
        if case .digest(let digest) = self { digest } else { nil }
    }
}
