import APIMessages
import Foundation
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

extension APIAdapter {
    /// `/api/v1/repositories[/NAME[/flush]]`; the slashes of a name stand as they are.
    func respondToRepositories(
        _ path: [Substring],
        _ line: RequestLine,
        _ request: Request,
        _ context: HTTPContext
    ) async throws -> Response {
        let store = context.store
        if path.isEmpty {
            guard line.method.isRead else { return HTTPAnswer.methodNotAllowed("GET").response }
            return try Self.json(store.directory.all.map(RepositoryMessage.init))
        }
        let isFlush = path.last == "flush" && line.method == .post
        guard let name = RepositoryName((isFlush ? path.dropLast() : path[...]).joined(separator: "/")) else {
            throw StoreError.malformed(
                "repository name: lowercase letters and digits, joined by . _ - and separated by /"
            )
        }
        if isFlush {
            return try Self.json(FlushMessage(freedBytes: try await store.flushRepository(name).bytes))
        }
        switch line.method {
        case .get, .head:
            return try Self.json(RepositoryMessage(try store.repository(name)))
        case .put:
            let change = try await Self.change(request)
            guard let kind = RepositoryKind(rawValue: change.kind ?? "cache") else {
                throw StoreError.malformed("kind: one of cache, registry, bucket")
            }
            var settings = RepositorySettings()
            try settings.apply(change)
            return try Self.json(
                RepositoryMessage(try await store.createRepository(name, kind: kind, settings: settings)),
                status: 201
            )
        case .patch:
            let change = try await Self.change(request)
            if change.kind != nil { throw StoreError.notAllowed("a repository's kind can't be changed") }
            var settings = try store.repository(name).settings
            try settings.apply(change)
            return try Self.json(RepositoryMessage(try await store.setRepository(name, settings)))
        case .delete:
            try await store.removeRepository(name)
            return HTTPAnswer(204).response
        default:
            return HTTPAnswer.methodNotAllowed("GET, PUT, PATCH, DELETE").response
        }
    }

    private static func change(_ request: Request) async throws -> RepositoryChangeMessage {
        let body = try await request.body.collect(upTo: 64 << 10)
        if body.readableBytes == 0 { return RepositoryChangeMessage() }
        do {
            return try JSONDecoder().decode(RepositoryChangeMessage.self, from: Data(body.readableBytesView))
        } catch {
            throw StoreError.malformed("body: not the JSON of a repository's settings")
        }
    }
}

extension RepositoryMessage {
    init(_ repository: Repository) {
        self.init(
            name: repository.name.text,
            kind: repository.kind.rawValue,
            createdAt: repository.createdAt.milliseconds / 1000,
            usedBytes: repository.usedBytes,
            entryCount: repository.entryCount,
            quotaBytes: repository.settings.quotaBytes?.bytes,
            quotaEntries: repository.settings.quotaEntries,
            validatesContent: repository.settings.validatesContent,
            allowsSparse: repository.settings.allowsSparse,
            tagsAreImmutable: repository.settings.tagsAreImmutable,
            mutableTags: repository.settings.mutableTags.map(\.text)
        )
    }
}

extension RepositorySettings {
    /// - Throws: `malformed` for a pattern that matches no tag.
    mutating func apply(_ change: RepositoryChangeMessage) throws(StoreError) {
        if let bytes = change.quotaBytes { quotaBytes = bytes < 0 ? nil : ByteCount(bytes) }
        if let entries = change.quotaEntries { quotaEntries = entries < 0 ? nil : entries }
        if let validates = change.validatesContent { validatesContent = validates }
        if let allows = change.allowsSparse { allowsSparse = allows }
        if let areImmutable = change.tagsAreImmutable { tagsAreImmutable = areImmutable }
        if let patterns = change.mutableTags {
            mutableTags = patterns.compactMap { TagPattern($0) }
            guard mutableTags.count == patterns.count else {
                throw .malformed("pattern of tags: letters, digits, . _ - and * for any run of characters")
            }
        }
    }
}
