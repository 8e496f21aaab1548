import APIMessages
import Foundation
import LarderCore
import LarderTestSupport

/// A tree of files with their contents.
struct TestTree {
    let tree: FileTree
    /// Each once, in the order of the tree.
    let contents: [[UInt8]]

    /// `files`: Paths and contents, in the order of a tree.
    init(_ files: [(path: String, text: String)], modified: Int64 = 0) throws {
        var entries = [FileTree.Entry(root: 0, path: "", mode: 0o755, modified: modified, content: .folder)]
        var contents: [[UInt8]] = []
        for (path, text) in files {
            let bytes = Array(text.utf8)
            if !contents.contains(bytes) { contents.append(bytes) }
            entries.append(
                FileTree.Entry(
                    root: 0,
                    path: path,
                    mode: 0o644,
                    modified: modified,
                    content: .file(IncrementalHasher.digest(of: bytes), size: Int64(bytes.count))
                )
            )
        }
        tree = try FileTree(roots: ["node_modules"], entries: entries)
        self.contents = contents
    }

    var bytes: [UInt8] { tree.encoded() }
    var digest: Digest { IncrementalHasher.digest(of: bytes) }
}

extension LiveServer {
    /// Saves a tree whose blobs are there; the answer.
    func save(
        _ tree: TestTree,
        _ key: String,
        scope: String = "",
        version: String = "",
        overwrite: String? = nil,
        provenance: String = "",
        in repository: String = "deps"
    ) async throws -> HTTPReply {
        var query = [("key", key), ("scope", scope), ("version", version), ("tree", "\(tree.digest)")]
        if let overwrite { query.append(("overwrite", overwrite)) }
        let text = query.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        return try await request("PUT", "/api/v1/caches/\(repository)?\(text)", body: Array(provenance.utf8))
    }

    /// Sends a tree and saves it; the entry.
    @discardableResult
    func store(
        _ tree: TestTree,
        _ key: String,
        scope: String = "",
        version: String = "",
        in repository: String = "deps"
    ) async throws -> CacheEntryMessage {
        try await push(tree.contents + [tree.bytes], to: repository)
        let reply = try await save(tree, key, scope: scope, version: version, in: repository)
        guard reply.status == 201 else { throw TestFailure("not saved: \(reply.status) \(reply.text)") }
        return try reply.json()
    }

    /// The entry that is found; nil is a miss.
    func find(_ wanted: String, in repository: String = "deps") async throws -> CacheEntryMessage? {
        let reply = try await ask("POST", "caches/\(repository)/find", json: wanted)
        if reply.status == 204 { return nil }
        guard reply.status == 200 else { throw TestFailure("not found: \(reply.status) \(reply.text)") }
        return try reply.json()
    }

    /// The pack that is restored; nil is a miss.
    func restore(
        _ wanted: String,
        having contents: [[UInt8]] = [],
        in repository: String = "deps"
    ) async throws -> (entry: CacheEntryMessage, rest: [Pack.Item])? {
        let body = Array("\(wanted)\n".utf8) + contents.flatMap { digest(of: $0).bytes }
        let reply = try await ask("POST", "caches/\(repository)/restore", body: body)
        if reply.status == 204 { return nil }
        guard reply.status == 200 else { throw TestFailure("not restored: \(reply.status) \(reply.text)") }
        let items = try Pack.items(reply.bytes)
        guard case .note(let note) = items.first else { throw TestFailure("no note: \(items)") }
        return (try JSONDecoder().decode(CacheEntryMessage.self, from: Data(note.utf8)), Array(items.dropFirst()))
    }

    func list(_ query: KeyValuePairs<String, String> = [:]) async throws -> CacheEntryListMessage {
        let reply = try await ask("GET", "caches/deps", query)
        guard reply.status == 200 else { throw TestFailure("no list: \(reply.status) \(reply.text)") }
        return try reply.json()
    }
}
