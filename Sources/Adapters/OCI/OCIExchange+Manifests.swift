import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// Pushing and deleting manifests and tags.
extension OCIExchange {
    /// Tags that one push gives to a manifest with `?tag=…&tag=…`.
    private static let tagCountMax = 100

    func manifest(_ name: RepositoryName, _ text: String) async throws -> Response {
        guard let reference = ManifestReference(text) else { return OCIAdapter.invalidDigest(text).response }
        switch method {
        case .put: return try await put(reference, in: name)
        case .delete: return try await delete(reference, in: name)
        default: return error(404, .manifestUnknown, "there is no such manifest")
        }
    }

    private func put(_ reference: ManifestReference, in name: RepositoryName) async throws -> Response {
        var tags: [Tag] = []
        var digest: Digest?
        switch reference {
        case .tag(let tag): tags = [tag]
        case .digest(let named):
            digest = named
            for text in query.all("tag") {
                guard let tag = Tag(text) else { return error(400, .manifestInvalid, "not a tag", details: [text]) }
                if !tags.contains(tag) { tags.append(tag) }
            }
            guard tags.count <= Self.tagCountMax else {
                return error(414, .manifestInvalid, "at most \(Self.tagCountMax) tags at once")
            }
        }
        let (reference, given) = (digest, tags)
        let (manifest, stored) = try await manifestBudget.withBytes(contentLength ?? Manifest.sizeLimit.bytes) {
            try await store.putManifest(
                try await body(),
                digest: reference,
                mediaType: mediaType,
                tags: given,
                condition: condition,
                in: name
            )
        }
        var headers = [
            (name: "Location", value: "/v2/\(name)/manifests/\(stored)"),
            (name: "Docker-Content-Digest", value: "\(stored)"),
        ]
        if let subject = manifest.subject { headers.append(("OCI-Subject", "\(subject.digest)")) }
        if digest != nil, !tags.isEmpty {
            headers.append(("OCI-Tag", tags.map(\.text).joined(separator: ", ")))
        }
        return answer(201, headers)
    }

    private func body() async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: Int(Manifest.sizeLimit.bytes))
        } catch is NIOTooManyBytesError {
            throw StoreError.tooLarge(limit: Manifest.sizeLimit)
        }
    }

    /// Without parameters; nil when the request names none.
    private var mediaType: String? {
        let type = request.headers[.contentType].map { String($0.prefix { $0 != ";" }.filter { $0 != " " }) }
        return type.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// What the request demands of the tag.
    private var condition: TagCondition {
        if request.headers[.ifNoneMatch] == "*" { return .isAbsent }
        guard let text = request.headers[.ifMatch], text != "*" else { return .none }
        return .names(text.split(separator: ",").map { String($0.filter { $0 != " " && $0 != "\"" }) })
    }

    private func delete(_ reference: ManifestReference, in name: RepositoryName) async throws -> Response {
        let unknown = error(404, .manifestUnknown, "there is no such manifest")
        switch reference {
        case .tag(let tag):
            return try await store.deleteTag(tag, in: name) ? answer(202, []) : unknown
        case .digest(let digest):
            switch try await store.deleteManifest(digest, in: name) {
            case .removed, .unfinished: return answer(202, [])
            case .missing: return unknown
            case .inUse: return error(405, .unsupported, "an index of the repository refers to it; delete that first")
            }
        }
    }
}
