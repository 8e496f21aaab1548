import APIMessages
import Foundation
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// `/api/v1/caches/NAME`: dependency caches, which are trees of files under keys.
extension APIAdapter {
    private static let listLengthMax: Int64 = 1000
    private static let scopeCountMax = 100
    private static let restoreKeyCountMax = 100
    /// Pairs of a scope and a key that one request asks for.
    private static let lookupCountMax = 500
    /// What is kept of a save beside its tree, in bytes of JSON.
    private static let valueSizeMax = 8 << 10

    // MARK: - Reading

    func findCache(_ call: APICall) async throws -> Response {
        let message: CacheFindMessage = try await call.message(Self.wantedFind)
        let found = try await find(message, call)
        return try found.map { try Self.json($0) } ?? HTTPAnswer(204).response
    }

    /// Sends a tree, and all files of it that the client does not have.
    func restoreCache(_ call: APICall) async throws -> Response {
        let share = try digestShare(call)
        var body = try await call.body(atMost: APICall.digestListLimit)
        guard let end = body.readableBytesView.firstIndex(of: UInt8(ascii: "\n")),
            let line = body.readSlice(length: end - body.readerIndex)
        else { throw StoreError.malformed("body: a line of JSON, then the digests of what is there already") }
        body.moveReaderIndex(forwardBy: 1)
        let message: CacheFindMessage = try call.message(Self.wantedFind, in: line)
        let present = Set(try call.digests(in: body))
        let name = try call.name
        guard let found = try await find(message, call), let (digest, tree) = try await tree(of: found, call),
            let repository = call.store.directory.id(of: name, kind: .cache)
        else {
            call.context.countRead(name, false)
            return HTTPAnswer(204).response
        }
        call.context.countRead(name, true)
        let wanted = try await call.store.onPool { tree.blobs.map(\.digest).filter { !present.contains($0) } }
        share.release()
        let listShare = try readBudget.take(Int64(wanted.count) * Self.digestMemory)
        let note = ByteBuffer(bytes: try JSONEncoder().encode(found))
        return try pack(of: [digest] + wanted, in: repository, note: note, listShare, call.store)
    }

    func listCaches(_ call: APICall) async throws -> Response {
        let limit = try call.number("limit", in: 1...Self.listLengthMax) ?? Self.listLengthMax
        let scope = try call.query["scope"].map { text throws(StoreError) in try Self.scope(text) }
        let version = try call.query["version"].map { text throws(StoreError) in try Self.version(text) }
        let prefix = call.query["prefix"] ?? ""
        let page = try await call.store.entries(
            // Keys of one version stand together; of all, they are looked through.
            prefix: try Self.key(version ?? "", version == nil ? "" : prefix),
            scope: scope,
            after: try call.query["after"].flatMap { try Self.cursor($0) },
            in: try call.name,
            atMost: Int(limit)
        )
        return try Self.json(
            CacheEntryListMessage(
                entries: page.entries.filter { call.mayRead($0.scope) }.compactMap { CacheEntryMessage($0) }.filter {
                    $0.key.utf8.starts(with: prefix.utf8)
                },
                next: page.next.map { "\($0.scope)\n\($0.key)" }
            )
        )
    }

    private static let wantedFind = "what to look for, such as {\"key\": \"npm-1\", \"restoreKeys\": [\"npm-\"]}"

    private func find(_ message: CacheFindMessage, _ call: APICall) async throws -> CacheEntryMessage? {
        guard message.scopes.count <= Self.scopeCountMax, message.restoreKeys.count <= Self.restoreKeyCountMax else {
            throw StoreError.malformed(
                "at most \(Self.scopeCountMax) scopes and \(Self.restoreKeyCountMax) restore keys"
            )
        }
        let lookupCount = Set(message.scopes).count * (Set(message.restoreKeys).count + 1)
        guard lookupCount <= Self.lookupCountMax else {
            throw StoreError.malformed("at most \(Self.lookupCountMax) pairs of a scope and a key or restore key")
        }
        let version = try Self.version(message.version)
        let prefixes = try message.restoreKeys.map { try Self.key(version, $0) }
        let sender = call.context.principal.scopes
        var scopes = try message.scopes.map { try Self.scope($0) }
        if sender.isBound {
            scopes = scopes.isEmpty ? sender.readable : scopes.filter(sender.readable.contains)
            // Nothing that they may read was asked for.
            if scopes.isEmpty { return nil }
        }
        let found = try await call.store.findEntry(
            try Self.key(version, message.key),
            prefixes: prefixes,
            scopes: scopes.isEmpty ? [.none] : scopes,
            in: try call.name
        )
        guard let found, var entry = CacheEntryMessage(found.entry) else { return nil }
        entry.match = found.prefix == nil ? "exact" : "prefix"
        return entry
    }

    /// The tree of an entry; nil when it was lost.
    private func tree(of entry: CacheEntryMessage, _ call: APICall) async throws -> (Digest, FileTree)? {
        guard let digest = Digest(entry.tree) else { return nil }
        return try await tree(digest, call).map { (digest, $0) }
    }

    private func tree(_ digest: Digest, _ call: APICall) async throws -> FileTree? {
        guard let repository = call.store.directory.id(of: try call.name, kind: .cache) else { return nil }
        switch try await call.store.read(StoredName(repository: repository, item: .blob(digest))) {
        case .found(let content):
            let length = Int(min(content.size, FileTree.encodedSizeMax.bytes))
            return try await readBudget.withBytes(Int64(FileTree.pathBytes(encodedLength: length) + 4 * length)) {
                let bytes = try await call.store.bytes(of: content, atMost: FileTree.encodedSizeMax)
                return try await call.store.onPool {
                    try bytes.withUnsafeReadableBytes { try FileTree(encoded: $0) }
                }
            }
        case .failed(let error): throw error
        case .miss, .incomplete: return nil
        }
    }

    // MARK: - Writing

    func putCache(_ call: APICall) async throws -> Response {
        let message: CacheSaveMessage = try await call.message(
            "a save, such as {\"provenance\": {\"commit\": \"4f0c…\"}}",
            ifEmpty: CacheSaveMessage()
        )
        let name = try call.name
        guard let text = call.query["key"], !text.isEmpty else { throw StoreError.malformed("key: is needed") }
        let key = try Self.key(try Self.version(call.query["version"] ?? ""), text)
        let scope = try Self.writeScope(call)
        guard call.mayWrite(to: scope) else { return Self.refusal(of: scope, call) }
        let isOverwriting = try call.flag("overwrite")
        let digest = try call.digest("tree")
        guard let tree = try await tree(digest, call) else { throw StoreError.missingContent([digest]) }
        let (value, references) = try await call.store.onPool {
            let value = CacheValue(
                tree: digest.description,
                contentDigest: tree.contentDigest.description,
                fileCount: Int64(tree.fileCount),
                byteCount: tree.byteCount,
                provenance: message.provenance
            )
            return (value, tree.blobs + [BlobDescriptor(digest: digest, size: nil)])
        }
        let encoded = try value.encoded()
        guard encoded.count <= Self.valueSizeMax else {
            throw StoreError.malformed("provenance: at most \(Self.valueSizeMax) bytes")
        }
        // The same again is a success, also when its times differ; asked first, as it saves most of the work.
        if let same = try await entry(key, scope, in: name, ifSameAs: value, call) { return try Self.json(same) }
        let isReplacing = try isOverwriting && call.store.repository(name).settings.allowsOverwrite
        let outcome = try await call.store.putEntry(
            key,
            scope: scope,
            value: ByteBuffer(bytes: encoded),
            references: references,
            isReplacing: isReplacing,
            in: name
        )
        if outcome == .exists {
            // Another job may have saved the same meanwhile.
            if let same = try await entry(key, scope, in: name, ifSameAs: value, call) { return try Self.json(same) }
            throw StoreError.notAllowed(
                isOverwriting
                    ? "key \(text) has other content, and repository \(name) keeps what was saved first; allow it with: "
                        + "larder repo set \(name) --allow-overwrite true"
                    : "key \(text) has other content; save under another key, or ask for it to be overwritten"
            )
        }
        guard let stored = try await exact(key, scope, in: name, call) else { throw StoreError.overloaded }
        return try Self.json(stored, status: 201)
    }

    func removeCache(_ call: APICall) async throws -> Response {
        guard let text = call.query["key"] else { throw StoreError.malformed("key: is needed") }
        let key = try Self.key(try Self.version(call.query["version"] ?? ""), text)
        let scope = try Self.writeScope(call)
        guard call.mayWrite(to: scope) else { return Self.refusal(of: scope, call) }
        guard try await call.store.deleteEntry(key.inScope(scope), in: try call.name) else {
            throw StoreError.notFound("key \(text) in scope '\(scope)'")
        }
        return HTTPAnswer(204).response
    }

    private func exact(
        _ key: EntryKey,
        _ scope: EntryScope,
        in name: RepositoryName,
        _ call: APICall
    ) async throws -> CacheEntryMessage? {
        let found = try await call.store.findEntry(key, prefixes: [], scopes: [scope], in: name)
        return found.flatMap { CacheEntryMessage($0.entry) }
    }

    private func entry(
        _ key: EntryKey,
        _ scope: EntryScope,
        in name: RepositoryName,
        ifSameAs value: CacheValue,
        _ call: APICall
    ) async throws -> CacheEntryMessage? {
        let entry = try await exact(key, scope, in: name, call)
        return entry?.contentDigest == value.contentDigest ? entry : nil
    }

    // MARK: - Names

    /// Entries of other adapters in the same repository have other beginnings.
    private static let keyPrefix = "tree/"

    fileprivate static func parts(of key: EntryKey) -> (version: String, key: String)? {
        guard key.text.hasPrefix(keyPrefix) else { return nil }
        let rest = key.text.dropFirst(keyPrefix.count)
        guard let slash = rest.firstIndex(of: "/") else { return nil }
        return (String(rest[..<slash]), String(rest[rest.index(after: slash)...]))
    }

    /// `version`: With its slash, or empty for those of all versions.
    private static func key(_ version: String, _ text: String) throws(StoreError) -> EntryKey {
        guard text.utf8.count <= 512, let key = EntryKey(keyPrefix + version + text) else {
            throw .malformed("key: up to 512 bytes without control characters")
        }
        return key
    }

    private static func version(_ text: String) throws(StoreError) -> String {
        let isValid = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
        guard isValid, text.utf8.count <= 64 else { throw .malformed("version: up to 64 lowercase letters and digits") }
        return text + "/"
    }

    /// The scope that a request names, or else its sender's own.
    private static func writeScope(_ call: APICall) throws(StoreError) -> EntryScope {
        let named = try scope(call.query["scope"] ?? "")
        return named == .none ? call.context.principal.scopes.own : named
    }

    private static func refusal(of scope: EntryScope, _ call: APICall) -> Response {
        let own = call.context.principal.scopes.own
        return failure(403, "\(call.actor) writes to the scope \(own) only, not to \(scope)").response
    }

    static func scope(_ text: String) throws(StoreError) -> EntryScope {
        guard let scope = EntryScope(text) else {
            throw .malformed(
                "scope: up to \(EntryScope.lengthMax) bytes such as refs/heads/main, without control characters"
            )
        }
        return scope
    }

    private static func cursor(_ text: String) throws(StoreError) -> (EntryScope, EntryKey)? {
        let parts = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let scope = EntryScope(String(parts[0])), let key = EntryKey(String(parts[1])) else {
            throw .malformed("after: what an answer gave as next")
        }
        return (scope, key)
    }
}

/// The value of an entry: what is known of its tree without reading it.
private struct CacheValue: Codable, Sendable {
    var tree: String
    var contentDigest: String
    var fileCount: Int64
    var byteCount: Int64
    var provenance: ProvenanceMessage?

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}

extension CacheEntryMessage {
    /// nil for an entry that is none of a dependency cache.
    fileprivate init?(_ entry: FoundEntry) {
        guard let (version, key) = APIAdapter.parts(of: entry.key),
            let value = try? JSONDecoder().decode(CacheValue.self, from: Data(entry.value.readableBytesView))
        else { return nil }
        self.init(
            key: key,
            scope: entry.scope.text,
            version: version,
            tree: value.tree,
            contentDigest: value.contentDigest,
            fileCount: value.fileCount,
            byteCount: value.byteCount,
            savedAt: entry.pushedAt.text,
            lastUsedAt: entry.lastUsed.text,
            provenance: value.provenance
        )
    }
}

extension Timestamp {
    /// ISO 8601 in UTC, to the second.
    var text: String {
        Date(timeIntervalSince1970: Double(milliseconds / 1000)).formatted(.iso8601)
    }
}
