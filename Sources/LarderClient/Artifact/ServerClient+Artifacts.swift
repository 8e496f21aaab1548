package import APIMessages
import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOHTTP1

/// Artifacts.
extension ServerClient {
    /// Versions that are asked for at once.
    private static let artifactPageSize = 100
    /// Answers of this kind are read whole: 4,000 files with paths of 4 KiB.
    private static let versionLengthMax = 64 << 20

    /// The versions of an artifact that have some labels, the newest first.
    ///
    /// `labels`: Written `NAME=VALUE`.
    package func artifactVersions(
        of repository: RepositoryName,
        labels: [String],
        atMost limit: Int
    ) async throws -> [ArtifactVersionMessage] {
        var versions: [ArtifactVersionMessage] = []
        var after: String?
        while versions.count < limit {
            var items = labels.map { ("label", $0) }
            items.append(("limit", "\(min(Self.artifactPageSize, limit - versions.count))"))
            if let after { items.append(("after", after)) }
            let list: ArtifactListMessage = try await artifactMessage("GET", repository, query: items)
            versions += list.versions
            after = list.next
            if after == nil { break }
        }
        return versions
    }

    /// One version with its files.
    ///
    /// `version`: A tag, a digest, or nothing, which is the newest.
    package func artifactVersion(
        of repository: RepositoryName,
        _ version: String
    ) async throws -> ArtifactVersionMessage {
        try await artifactMessage(
            "GET",
            repository,
            "version",
            query: Self.reference(version),
            missing: Self.missing(repository, version)
        )
    }

    private static func reference(_ version: String) -> [(String, String)] {
        version.isEmpty ? [] : [("ref", version)]
    }

    private static func missing(_ repository: RepositoryName, _ version: String) -> String {
        let what = version.isEmpty ? "version of \(repository)" : "version \(version) of \(repository)"
        return "there is no \(what); see: larder artifact ls"
    }

    /// The digest that a tag names; nil: there is no such tag.
    package func artifactDigest(of repository: RepositoryName, tag: Tag) async throws -> Digest? {
        var request = HTTPClientRequest(url: "\(base)/v2/\(repository)/manifests/\(tag)")
        request.method = .HEAD
        request.headers.add(name: "Accept", value: ManifestType.all.joined(separator: ", "))
        return try await retrying { () async throws -> Digest? in
            let response = try await respond(to: request, timeout: .seconds(60))
            if response.status == .notFound { return nil }
            guard response.status == .ok else { throw await Self.refusal(in: response) }
            return response.headers.first(name: "Docker-Content-Digest").flatMap { Digest($0) }
        }
    }

    /// Stores a manifest whose parts are there.
    ///
    /// One that is there already is only given the tags, so an attempt whose answer was lost can be made again.
    ///
    /// `movesTags`: Whether tags that name other versions are moved.
    func putArtifact(
        _ manifest: Data,
        in repository: RepositoryName,
        tags: [Tag],
        movesTags: Bool
    ) async throws -> ArtifactTagsMessage {
        var items = tags.map { ("tag", $0.text) }
        if movesTags { items.append(("move", "true")) }
        return try await artifactMessage("PUT", repository, query: items, body: manifest)
    }

    /// Gives a version a tag.
    ///
    /// `movesTag`: Whether it may name another version now.
    package func tagArtifact(
        in repository: RepositoryName,
        _ version: String,
        as tag: Tag,
        movesTag: Bool
    ) async throws -> ArtifactTagsMessage {
        let items = [("tag", tag.text), ("ref", version), ("move", movesTag ? "true" : "false")]
        return try await artifactMessage("PUT", repository, "tags", query: items)
    }

    /// Removes a version with all its tags, or only a tag.
    package func removeArtifact(in repository: RepositoryName, _ version: String, tagOnly: Bool) async throws {
        let request = artifactRequest(
            "DELETE",
            repository,
            query: Self.reference(version) + (tagOnly ? [("tagOnly", "true")] : [])
        )
        guard try await remove(request) else { throw ClientError(Self.missing(repository, version)) }
    }

    /// Writes a file of an artifact to an open file.
    package func writeArtifactFile(
        in repository: RepositoryName,
        _ version: String,
        path: String,
        to descriptor: Int32
    ) async throws {
        let request = artifactRequest("GET", repository, "file", query: Self.reference(version) + [("path", path)])
        try await write(request, to: descriptor, progress: { _ in })
    }

    /// Writes an artifact as a ZIP archive to an open file; it is made while it is sent, so its size is not known before.
    package func writeArtifactZip(
        in repository: RepositoryName,
        _ version: String,
        to descriptor: Int32,
        progress: @escaping @Sendable (_ bytes: Int64) -> Void
    ) async throws {
        let request = artifactRequest("GET", repository, "zip", query: Self.reference(version))
        try await write(request, missing: Self.missing(repository, version), to: descriptor, progress: progress)
    }

    /// Writes the body of an answer; one that ends too early is an error, with or without a declared length.
    private func write(
        _ request: HTTPClientRequest,
        missing: String? = nil,
        to descriptor: Int32,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        // What is written already may have been read: once the body comes nothing is tried again.
        let response = try await retrying { try await artifactResponse(request, missing: missing) }
        let expected = response.headers.first(name: "Content-Length").flatMap { Int64($0) }
        let lane = WorkLane("write")
        var count: Int64 = 0
        do {
            try await TransferHTTP.read(response, from: self) { piece in
                count += Int64(piece.readableBytes)
                try await lane.add(byteCount: piece.readableBytes) {
                    try piece.withUnsafeReadableBytes {
                        try ArtifactDisk.write($0, to: descriptor, "what was received")
                    }
                    progress(Int64(piece.readableBytes))
                }
            }
            try await lane.finish()
        } catch {
            // The caller closes the file.
            await lane.drain()
            throw error
        }
        guard expected == nil || count == expected else {
            throw ClientError("the server's answer broke off after \(ByteCount(count)); try again")
        }
    }

    private func artifactMessage<Message: Decodable & Sendable>(
        _ method: String,
        _ repository: RepositoryName,
        _ part: String? = nil,
        query: [(String, String)],
        body: Data? = nil,
        missing: String? = nil
    ) async throws -> Message {
        let request = artifactRequest(method, repository, part, query: query, body: body)
        return try await retrying { () async throws -> Message in
            let response = try await artifactResponse(request, missing: missing)
            return try decode(Data(try await TransferHTTP.collect(response, from: self, limit: Self.versionLengthMax)))
        }
    }

    private func artifactRequest(
        _ method: String,
        _ repository: RepositoryName,
        _ part: String? = nil,
        query: [(String, String)],
        body: Data? = nil
    ) -> HTTPClientRequest {
        let path = Self.contentPath("artifacts", repository.text, part)
        let query = query.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: base + path + (query.isEmpty ? "" : "?\(query)"))
        request.method = .RAW(value: method)
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        return request
    }

    /// `missing`: What is said where the server says that there is no such thing.
    private func artifactResponse(_ request: HTTPClientRequest, missing: String?) async throws -> HTTPClientResponse {
        let response = try await TransferHTTP.respond(to: request, from: self)
        if response.status == .notFound, let missing { throw ClientError(missing) }
        guard (200..<300).contains(response.status.code) else { throw await Self.refusal(in: response) }
        return response
    }
}
