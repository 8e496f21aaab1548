import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// Uploads and mounts of blobs (distribution specification 1.1, "Pushing blobs").
extension OCIExchange {
    /// POST …/blobs/uploads/: mounts, takes the whole blob at once, or begins an upload.
    func beginUpload(_ name: RepositoryName, id: String) async throws -> Response {
        if let name = query["digest-algorithm"], !DigestAlgorithm.allCases.map(\.name).contains(name) {
            return error(400, .digestInvalid, "digests are sha256 or sha512", details: [name])
        }
        if let text = query["digest"] {
            guard let digest = Digest(text) else { return OCIAdapter.invalidDigest(text).response }
            let target = WriteTarget(repository: name, kind: .registry, item: .blob(digest))
            try await store.put(target, body: request.body, length: contentLength)
            return created(digest, in: name)
        }
        if let text = query["mount"], let digest = Digest(text), try await mount(digest, in: name) {
            return created(digest, in: name)
        }
        try await store.beginUpload(id, in: name)
        return answer(202, progress(of: id, in: name, length: 0))
    }

    /// Without `from`, any registry will do; whatever does not work out becomes an upload.
    private func mount(_ digest: Digest, in name: RepositoryName) async throws -> Bool {
        var source: RepositoryName?
        if let from = query["from"] {
            guard let name = RepositoryName(from) else { return false }
            source = name
        }
        return try await store.mountBlob(digest, from: source, in: name) { principal.allows(.read, in: $0) }
    }

    /// Everything at an upload's own address.
    func upload(_ name: RepositoryName, _ id: String) async throws -> Response {
        switch method {
        case .patch, .put: try await receive(name, id)
        case .delete: try await store.cancelUpload(id, in: name) ? answer(204, []) : unknownUpload
        default:
            if let length = store.uploadLength(id, in: name) {
                answer(204, progress(of: id, in: name, length: length))
            } else {
                unknownUpload
            }
        }
    }

    private func receive(_ name: RepositoryName, _ id: String) async throws -> Response {
        var offset: Int64?
        var length = contentLength
        if let text = request.headers[.contentRange] {
            guard let range = Self.range(text) else {
                return error(400, .blobUploadInvalid, "Content-Range is FIRST-LAST", details: [text])
            }
            if let contentLength, contentLength != range.count {
                return error(400, .sizeInvalid, "Content-Range and Content-Length differ", details: [text])
            }
            offset = range.first
            length = range.count
        }
        guard method == .put else {
            let outcome = try await store.appendToUpload(
                id,
                in: name,
                at: offset,
                body: request.body,
                length: length
            )
            return response(to: outcome, name, id) { answer(202, progress(of: id, in: name, length: $0)) }
        }
        guard let text = query["digest"] else {
            return error(400, .digestInvalid, "the last request of an upload names the digest: ?digest=…")
        }
        guard let digest = Digest(text) else { return OCIAdapter.invalidDigest(text).response }
        let outcome = try await store.finishUpload(
            id,
            in: name,
            as: digest,
            at: offset,
            body: request.body,
            length: length
        )
        return response(to: outcome, name, id) { _ in created(digest, in: name) }
    }

    private func response(
        to outcome: UploadOutcome,
        _ name: RepositoryName,
        _ id: String,
        accepted: (Int64) -> Response
    ) -> Response {
        switch outcome {
        case .accepted(let length):
            return accepted(length)
        case .outOfOrder(let length):
            return HTTPAnswer.registryError(
                416,
                .blobUploadInvalid,
                "the upload goes on at byte \(length)",
                headers: progress(of: id, in: name, length: length)
            ).response
        case .busy:
            return error(409, .blobUploadInvalid, "another request is sending bytes of this upload")
        case .unknown:
            return unknownUpload
        }
    }

    /// DELETE …/blobs/DIGEST.
    func deleteBlob(_ name: RepositoryName, _ text: String) async throws -> Response {
        guard let digest = Digest(text) else { return OCIAdapter.invalidDigest(text).response }
        guard method == .delete else { return error(404, .blobUnknown, "the repository has no such blob") }
        switch try await store.deleteBlob(digest, in: name) {
        case .removed, .unfinished: return answer(202, [])
        case .missing: return error(404, .blobUnknown, "the repository has no such blob")
        case .inUse: return error(405, .unsupported, "a manifest of the repository refers to it; delete that first")
        }
    }

    private var unknownUpload: Response {
        error(404, .blobUploadUnknown, "there is no such upload: it ended, expired, or never was")
    }

    private func created(_ digest: Digest, in name: RepositoryName) -> Response {
        answer(201, [("Location", "/v2/\(name)/blobs/\(digest)"), ("Docker-Content-Digest", "\(digest)")])
    }

    /// What says how far an upload is.
    private func progress(of id: String, in name: RepositoryName, length: Int64) -> [(name: String, value: String)] {
        [
            ("Location", "/v2/\(name)/blobs/uploads/\(id)"), ("Docker-Upload-UUID", id),
            // For nothing there is no range; clients expect this one.
            ("Range", "0-\(max(0, length - 1))"),
        ]
    }

    /// Parses `FIRST-LAST`, both inclusive.
    static func range(_ text: String) -> (first: Int64, count: Int64)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...18).contains($0.utf8.count) && $0.utf8.allSatisfy(isDigit) }),
            let first = Int64(parts[0]), let last = Int64(parts[1]), first <= last
        else { return nil }
        return (first, last - first + 1)
    }

    private static func isDigit(_ character: UInt8) -> Bool { (0x30...0x39).contains(character) }
}
