import APIMessages
import Foundation
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// `/api/v1/artifacts/NAME`: versions of artifacts, which are manifests of a registry whose layers are files.
extension APIAdapter {
    private static let listLengthMax: Int64 = 200
    /// Manifests that are read for one page; what was asked for beyond comes with the next.
    private static let pageLengthMax: Int64 = 20
    private static let tagCountMax = 100
    private static let labelCountMax = 10

    func listArtifacts(_ call: APICall) async throws -> Response {
        let labels = try call.query.all("label").map { text throws(StoreError) in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw .malformed("label: NAME=VALUE")
            }
            return (name: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
        }
        let name = try call.name
        guard labels.count <= Self.labelCountMax else {
            throw StoreError.malformed("label: at most \(Self.labelCountMax)")
        }
        let limit = min(try call.number("limit", in: 1...Self.listLengthMax) ?? .max, Self.pageLengthMax)
        let share = try readBudget.take(limit * Manifest.sizeLimit.bytes)
        defer { share.release() }
        let page = try await call.store.manifests(
            in: name,
            labels: labels,
            before: try call.number("after", in: 0...(.max)),
            atMost: Int(limit)
        )
        var versions: [ArtifactVersionMessage] = []
        for manifest in page.manifests {
            versions.append(try await ArtifactContent(manifest, in: name, call.store).message(withFiles: false))
        }
        return try Self.json(ArtifactListMessage(versions: versions, next: page.next.map { "\($0)" }))
    }

    func getArtifact(_ call: APICall) async throws -> Response {
        let share = try readBudget.take(ArtifactContent.memoryLimit.bytes)
        defer { share.release() }
        let content = try await ArtifactContent(
            try await Self.manifest(call),
            in: try call.name,
            call.store,
            withReports: true
        )
        return try Self.json(content.message(withFiles: true))
    }

    func putArtifact(_ call: APICall) async throws -> Response {
        let tags = try Self.tags(call.query.all("tag"))
        let name = try call.name
        return try await transferBudget.withBytes(Manifest.sizeLimit.bytes) {
            let bytes = try await call.body(atMost: Manifest.sizeLimit)
            let (_, digest) = try await call.store.putManifest(
                bytes,
                digest: nil,
                mediaType: nil,
                tags: tags,
                condition: try call.flag("move") ? .none : .staysPut,
                in: name
            )
            return try await Self.tagged(.manifest(digest), in: name, call.store, status: 201)
        }
    }

    func tagArtifact(_ call: APICall) async throws -> Response {
        let name = try call.name
        let tags = try Self.tags(call.query.all("tag"))
        guard !tags.isEmpty else { throw StoreError.malformed("tag: the tag that is to be set") }
        // Somebody may mean a repository `NAME/tags`, and push to it.
        guard try await call.body().readableBytes == 0 else {
            throw StoreError.malformed("body: none is expected; no artifact can be named …/tags")
        }
        let manifest = try await Self.manifest(call)
        // It is there, so this changes nothing but its tags.
        _ = try await call.store.putManifest(
            manifest.bytes,
            digest: manifest.digest,
            mediaType: manifest.mediaType,
            tags: tags,
            condition: try call.flag("move") ? .none : .staysPut,
            in: name
        )
        return try await Self.tagged(.manifest(manifest.digest), in: name, call.store, status: 200)
    }

    func removeArtifact(_ call: APICall) async throws -> Response {
        let name = try call.name
        if try call.flag("tagOnly") {
            guard let tag = Tag(call.query["ref"] ?? "") else { throw StoreError.malformed("ref: a tag") }
            guard try await call.store.deleteTag(tag, in: name) else { throw StoreError.notFound("tag \(tag)") }
            return HTTPAnswer(204).response
        }
        // What is newest may be another one by now: a removal says what it means.
        guard call.query["ref"]?.isEmpty == false else { throw StoreError.malformed("ref: a tag or digest is needed") }
        let manifest = try await Self.manifest(call)
        switch try await call.store.deleteManifest(manifest.digest, in: name) {
        case .removed, .unfinished: return HTTPAnswer(204).response
        case .missing: throw StoreError.notFound("version \(manifest.digest)")
        case .inUse: throw StoreError.notAllowed("an index names \(manifest.digest); remove that first")
        }
    }

    func getArtifactFile(_ call: APICall) async throws -> Response {
        guard let path = call.query["path"] else { throw StoreError.malformed("path: that of the file") }
        let content = try await Self.content(call)
        if let file = content.files.first(where: { haveSameBytes($0.path, path) }) {
            return try await content.read(file.digest, of: path).response(
                store: call.store,
                request: call.request.headers,
                headers: [.contentType: "application/octet-stream"]
            )
        }
        guard let bundle = content.bundle(holding: path) else {
            throw StoreError.notFound("a file \(path) in \(content.name)\(content.reference)")
        }
        return try await BundleFile(path: path, bundle: bundle, content: content).response()
    }

    func getArtifactZip(_ call: APICall) async throws -> Response {
        let content = try await Self.content(call)
        let archive = ArtifactArchive(content)
        let body = ResponseBody { writer in
            try await archive.write { try await writer.write($0) }
            try await writer.finish(nil)
        }
        let name = content.name.text.split(separator: "/").last ?? "artifact"
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/zip",
                .contentDisposition: "attachment; filename=\"\(name).zip\"",
            ],
            body: body
        )
    }

    // MARK: - Parts

    private static func tags(_ texts: [String]) throws(StoreError) -> [Tag] {
        let tags = texts.compactMap { Tag($0) }
        guard tags.count == texts.count, tags.count <= tagCountMax else {
            throw .malformed("tag: up to \(tagCountMax), each 1 to 128 letters, digits, . _ and -, the first no . or -")
        }
        return tags
    }

    /// The manifest that `ref` in the query names; the newest when it names none.
    private static func manifest(_ call: APICall) async throws -> DescribedManifest {
        let name = try call.name
        let reference = call.query["ref"] ?? ""
        let found: DescribedManifest?
        if reference.isEmpty {
            found = try await call.store.manifests(in: name, labels: [], before: nil, atMost: 1).manifests.first
        } else if let digest = Digest(reference) {
            found = try await call.store.manifest(.manifest(digest), in: name)
        } else if let tag = Tag(reference) {
            found = try await call.store.manifest(.tag(tag), in: name)
        } else {
            throw StoreError.malformed("ref: a tag, or a digest such as sha256:…")
        }
        guard let found else {
            throw StoreError.notFound(reference.isEmpty ? "a version of \(name)" : "version \(reference) of \(name)")
        }
        return found
    }

    private static func content(_ call: APICall) async throws -> ArtifactContent {
        try await ArtifactContent(try await manifest(call), in: try call.name, call.store)
    }

    private static func tagged(
        _ item: StoredName.Item,
        in name: RepositoryName,
        _ store: Store,
        status: Int
    ) async throws -> Response {
        guard let manifest = try await store.manifest(item, in: name) else {
            throw StoreError.notFound("the version was removed meanwhile")
        }
        return try json(ArtifactTagsMessage(digest: manifest.digest.description, tags: manifest.tags), status: status)
    }
}
