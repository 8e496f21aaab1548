import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Dependency caches over the API: saved whole, found in the order wanted, restored as one stream.
@Suite(.serialized)
struct CacheAPITests {
    private static func tree(_ name: String, modified: Int64 = 0) throws -> TestTree {
        try TestTree(
            [("a", "one of \(name)"), ("b", "the same"), ("c", "the same"), ("d", "")]
                + (0..<20).map { (path: String(format: "e%02d", $0), text: "file \($0)") },
            modified: modified
        )
    }

    // MARK: Saving

    @Test
    func anEntryIsSavedAndFound() async throws {
        try await withLiveServer { server in
            let tree = try Self.tree("1", modified: 1_700_000_000_000_000_000)
            try await server.push(tree.contents + [tree.bytes], to: "team/deps")
            let reply = try await server.save(
                tree,
                "npm-ü/1",
                scope: "refs/heads/main",
                version: "0a",
                provenance: #"{"provenance":{"commit":"4f0c","branch":"main","actor":"ü"}}"#,
                in: "team/deps"
            )
            #expect(reply.status == 201)
            let saved = try reply.json(CacheEntryMessage.self)
            #expect((saved.key, saved.scope, saved.version) == ("npm-ü/1", "refs/heads/main", "0a"))
            #expect(saved.tree == "\(tree.digest)")
            #expect(saved.contentDigest == "\(tree.tree.contentDigest)")
            #expect((saved.fileCount, saved.byteCount) == (24, tree.tree.byteCount))
            #expect(saved.provenance == ProvenanceMessage(commit: "4f0c", branch: "main", actor: "ü"))
            #expect(saved.match == nil)
            #expect(saved.savedAt.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)

            try await server.killAndRestart()
            let wanted = #"{"key":"npm-ü/1","scopes":["refs/heads/main"],"version":"0a"}"#
            var found = try #require(try await server.find(wanted, in: "team/deps"))
            #expect(found.match == "exact")
            found.match = nil
            found.lastUsedAt = saved.lastUsedAt
            #expect(found == saved)
            #expect(try await server.find(#"{"key":"npm-ü/1"}"#, in: "team/deps") == nil)
            #expect(try await server.find(wanted, in: "elsewhere") == nil)
        }
    }

    @Test
    func theSameAgainIsASuccess() async throws {
        try await withLiveServer { server in
            let first = try await server.store(try Self.tree("1"), "k")
            let later = try Self.tree("1", modified: 5)
            #expect(later.digest != (try Self.tree("1").digest))
            try await server.push(later.contents + [later.bytes], to: "deps")
            let reply = try await server.save(later, "k", provenance: #"{"provenance":{"commit":"other"}}"#)
            #expect(reply.status == 200)
            // The one that was first.
            #expect(try reply.json(CacheEntryMessage.self).tree == first.tree)
            #expect(try reply.json(CacheEntryMessage.self).provenance == nil)
        }
    }

    @Test
    func whatWasSavedStaysUnlessTheRepositoryAllowsOtherwise() async throws {
        try await withLiveServer { server in
            let other = try Self.tree("2")
            let first = try await server.store(try Self.tree("1"), "k")
            try await server.push(other.contents + [other.bytes], to: "deps")
            let refused = try await server.save(other, "k")
            #expect(refused.status == 409)
            #expect(refused.failure?.contains("key k has other content; save under another key") == true)
            let refusedToo = try await server.save(other, "k", overwrite: "true")
            #expect(refusedToo.status == 409)
            #expect(refusedToo.failure?.contains("larder repo set deps --allow-overwrite true") == true)
            #expect(try await server.find(#"{"key":"k"}"#)?.tree == first.tree)

            let changed = try await server.administer(
                "PATCH",
                "/api/v1/repositories/deps",
                body: #"{"allowsOverwrite":true}"#
            )
            #expect(changed.status == 200)
            #expect(try await server.save(other, "k").status == 409)
            #expect(try await server.save(other, "k", overwrite: "false").status == 409)
            let replaced = try await server.save(other, "k", overwrite: "true")
            #expect(replaced.status == 201)
            #expect(try replaced.json(CacheEntryMessage.self).tree == "\(other.digest)")
            #expect(try await server.find(#"{"key":"k"}"#)?.tree == "\(other.digest)")
        }
    }

    @Test
    func nothingIsSavedThatCouldNotBeRestored() async throws {
        try await withLiveServer { server in
            let tree = try Self.tree("1")
            try await server.push(Array(tree.contents.dropLast()), to: "deps")
            let without = try await server.save(tree, "k")
            #expect(without.status == 400)
            #expect(without.failure?.contains("not there: \(tree.digest)") == true)
            try await server.push([tree.bytes], to: "deps")
            let half = try await server.save(tree, "k")
            #expect(half.status == 400)
            #expect(half.failure?.contains("not there: \(digest(of: tree.contents.last ?? []))") == true)
            // What is no tree, whoever sent it.
            let text = Array("this is text, and no tree".utf8)
            try await server.push([text], to: "deps")
            let wrong = try await server.ask("PUT", "caches/deps", ["key": "k", "tree": "\(digest(of: text))"])
            #expect(wrong.status == 400)
            #expect(wrong.failure == "invalid content: this is no tree")
            #expect(try await server.find(#"{"key":"k"}"#) == nil)
            #expect(try await server.list().entries == [])
        }
    }

    @Test(arguments: [false, true])
    func ofManyJobsThatSaveOneKeyOneIsFirst(isSame: Bool) async throws {
        try await withLiveServer { server in
            let trees = try (0..<8).map { try Self.tree(isSame ? "all" : "\($0)", modified: Int64($0)) }
            for tree in trees { try await server.push(tree.contents + [tree.bytes], to: "deps") }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for tree in trees { group.addTask { try await server.save(tree, "k").status } }
                return try await group.reduce(into: [Int]()) { $0.append($1) }.sorted()
            }
            #expect(
                statuses == (isSame ? Array(repeating: 200, count: 7) + [201] : [201] + Array(repeating: 409, count: 7))
            )
            let found = try #require(try await server.find(#"{"key":"k"}"#))
            #expect(trees.contains { "\($0.digest)" == found.tree })
        }
    }

    // MARK: Finding

    @Test
    func keysAndPrefixesAreAskedScopeByScope() async throws {
        try await withLiveServer { server in
            for (scope, key, version) in [
                ("main", "npm-1", ""), ("main", "npm-2", ""), ("dev", "npm-1", "b"), ("", "npm-3", ""),
            ] {
                try await server.store(try Self.tree("\(scope) \(key)"), key, scope: scope, version: version)
            }
            let wanted: [(json: String, found: String?)] = [
                (#"{"key":"npm-1","scopes":["dev","main"]}"#, "main npm-1 exact"),
                (#"{"key":"npm-1","scopes":["dev","main"],"version":"b"}"#, "dev npm-1 exact"),
                (#"{"key":"npm-9","restoreKeys":["npm-"],"scopes":["dev","main"]}"#, "main npm-2 prefix"),
                (
                    #"{"key":"npm-9","restoreKeys":["yarn-","n"],"scopes":["dev","main"],"version":"b"}"#,
                    "dev npm-1 prefix"
                ),
                (#"{"key":"npm-2","restoreKeys":["npm-"],"scopes":["","main"]}"#, "main npm-2 exact"),
                (#"{"key":"npm-9","restoreKeys":["npm-"]}"#, " npm-3 prefix"),
                (#"{"key":"npm-9","restoreKeys":[""],"scopes":["main"]}"#, "main npm-2 prefix"),
                (#"{"key":"npm-9","restoreKeys":["npm_","%"],"scopes":["main"]}"#, nil),
                (#"{"key":"npm-9","restoreKeys":["npm-"],"version":"c"}"#, nil),
                (#"{"key":"npm"}"#, nil),
            ]
            for (json, found) in wanted {
                let entry = try await server.find(json)
                #expect(entry.map { "\($0.scope) \($0.key) \($0.match ?? "")" } == found, "\(json)")
            }
        }
    }

    // MARK: Restoring

    @Test
    func aTreeIsRestoredAsOneStream() async throws {
        try await withLiveServer { server in
            let tree = try Self.tree("1")
            let saved = try await server.store(tree, "npm-1")
            let all = [Pack.Item.blob(tree.bytes)] + tree.contents.map { .blob($0) }
            let exact = try #require(try await server.restore(#"{"key":"npm-1"}"#))
            #expect(exact.entry.match == "exact")
            #expect(exact.entry.tree == saved.tree)
            // The tree, then each content once, in the tree's order.
            #expect(exact.rest == all + [.end(Int64(all.count))])
            let prefix = try #require(try await server.restore(#"{"key":"npm-2","restoreKeys":["npm-"]}"#))
            #expect(prefix.entry.match == "prefix")
            #expect(prefix.rest == exact.rest)
            #expect(try await server.restore(#"{"key":"npm-2"}"#) == nil)
            #expect(try await server.restore(#"{"key":"npm-1"}"#, in: "elsewhere") == nil)
        }
    }

    @Test
    func whatTheClientHasIsNotSent() async throws {
        try await withLiveServer { server in
            let tree = try Self.tree("1")
            try await server.store(tree, "k")
            let present = [tree.contents[0], tree.contents[2], Array("something else".utf8), tree.contents[2]]
            let some = try #require(try await server.restore(#"{"key":"k"}"#, having: present))
            let rest = tree.contents.filter { !present.contains($0) }
            #expect(some.rest == [.blob(tree.bytes)] + rest.map { .blob($0) } + [.end(Int64(rest.count + 1))])
            let none = try #require(try await server.restore(#"{"key":"k"}"#, having: tree.contents))
            #expect(none.rest == [.blob(tree.bytes), .end(1)])
        }
    }

    @Test
    func anEntryThatLostAFileIsAMissOrSaysSo() async throws {
        try await withLiveServer(arguments: ["--inline-limit", "0"]) { server in
            let tree = try Self.tree("1")
            try await server.store(tree, "k-1")
            try await server.store(try Self.tree("0"), "k-0")
            let lost = digest(of: tree.contents[0])
            let names = FileManager.default.enumerator(atPath: "\(server.dataFolder)/blobs")?.allObjects as? [String]
            let name = try #require(names?.first { $0.contains(lost.hex) })
            try FileManager.default.removeItem(atPath: "\(server.dataFolder)/blobs/\(name)")
            // Nobody knows yet: the stream tells.
            let first = try #require(try await server.restore(#"{"key":"k-1"}"#))
            #expect(first.rest.contains(.missing(lost)))
            #expect(first.rest.count == tree.contents.count + 2)
            try await waitUntil("the loss is known") { try await server.find(#"{"key":"k-1"}"#) == nil }
            let next = try #require(try await server.restore(#"{"key":"k-1","restoreKeys":["k-"]}"#))
            #expect(next.entry.key == "k-0")
            // A job that has the file heals the entry.
            #expect(try await server.missing(tree.contents, in: "deps") == [0])
            try await server.push([tree.contents[0]], to: "deps")
            #expect(try await server.save(tree, "k-1").status == 200)
            #expect(try await server.find(#"{"key":"k-1"}"#)?.match == "exact")
        }
    }
}
