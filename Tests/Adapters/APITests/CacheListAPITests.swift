import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// What there is in a dependency cache, how it goes, and what it says to mistakes.
@Suite(.serialized)
struct CacheListAPITests {
    private static let tree = [(path: "a", text: "one"), (path: "b", text: "two")]

    @Test
    func entriesAreListedPageByPage() async throws {
        try await withLiveServer { server in
            let tree = try TestTree(Self.tree)
            for (scope, key, version) in [
                ("b", "npm-1", ""), ("a", "npm-1", ""), ("a", "npm-2", ""), ("a", "yarn-1", ""), ("a", "npm-3", "0b"),
                ("", "npm-1", ""),
            ] {
                try await server.store(tree, key, scope: scope, version: version)
            }
            // Entries of tools, which are none of a dependency cache.
            #expect(try await server.put("/gradle/deps/abc", [1, 2, 3]).status == 200)
            func names(_ query: KeyValuePairs<String, String>) async throws -> [String] {
                try await server.list(query).entries.map { "\($0.scope) \($0.key) \($0.version)" }
            }
            let all = [" npm-1 ", "a npm-1 ", "a npm-2 ", "a yarn-1 ", "a npm-3 0b", "b npm-1 "]
            #expect(try await names([:]) == all)
            #expect(try await names(["scope": "a"]) == Array(all[1...4]))
            #expect(try await names(["scope": ""]) == [all[0]])
            #expect(try await names(["prefix": "npm-"]) == all.filter { !$0.contains("yarn") })
            #expect(try await names(["prefix": "npm-", "version": "0b"]) == ["a npm-3 0b"])
            #expect(try await names(["prefix": "npm-", "version": ""]) == [all[0], all[1], all[2], all[5]])
            #expect(try await names(["prefix": "n_"]) == [])
            for limit in 1...7 {
                var (pages, after) = ([[String]](), String?.none)
                repeat {
                    let page = try await server.list(
                        after.map { ["limit": "\(limit)", "after": $0] } ?? ["limit": "\(limit)"]
                    )
                    pages.append(page.entries.map { "\($0.scope) \($0.key) \($0.version)" })
                    #expect(page.entries.count <= limit)
                    after = page.next
                } while after != nil && pages.count < 20
                #expect(pages.flatMap { $0 } == all)
            }
            let entry = try #require(try await server.list().entries.first)
            #expect((entry.fileCount, entry.byteCount, entry.tree) == (2, 6, "\(tree.digest)"))
            #expect(try await server.ask("GET", "caches/nowhere").json(CacheEntryListMessage.self).entries == [])
        }
    }

    @Test
    func anEntryIsRemovedFromItsScopeAndVersion() async throws {
        try await withLiveServer { server in
            let tree = try TestTree(Self.tree)
            for (scope, version) in [("a", ""), ("a", "0b"), ("", "")] {
                try await server.store(tree, "k", scope: scope, version: version)
            }
            #expect(try await server.ask("DELETE", "caches/deps", ["key": "k", "scope": "a"]).status == 204)
            let again = try await server.ask("DELETE", "caches/deps", ["key": "k", "scope": "a"])
            #expect(again.status == 404)
            #expect(again.failure == "not found: key k in scope 'a'")
            #expect(try await server.find(#"{"key":"k","scopes":["a"]}"#) == nil)
            #expect(try await server.find(#"{"key":"k","scopes":["a"],"version":"0b"}"#) != nil)
            #expect(try await server.ask("DELETE", "caches/deps", ["key": "k"]).status == 204)
            #expect(try await server.list().entries.map(\.version) == ["0b"])
        }
    }

    @Test
    func mistakesAreNamed() async throws {
        let tree = ("tree", "\(Digest.emptySHA256)")
        let long = String(repeating: "k", count: 513)
        let many = Array(repeating: "\"s\"", count: 101).joined(separator: ",")
        let mistakes = [
            Mistake("PUT", "caches/Deps", [("key", "k"), tree], is: 400, says: "repository name"),
            Mistake("PUT", "caches/deps", [tree], is: 400, says: "key: is needed"),
            Mistake("PUT", "caches/deps", [("key", ""), tree], is: 400, says: "key: is needed"),
            Mistake("PUT", "caches/deps", [("key", long), tree], is: 400, says: "key: up to 512 bytes"),
            Mistake("PUT", "caches/deps", [("key", "a\u{1}"), tree], is: 400, says: "key: up to 512 bytes"),
            Mistake("PUT", "caches/deps", [("key", "k")], is: 400, says: "tree: a digest such as"),
            Mistake("PUT", "caches/deps", [("key", "k"), ("tree", "x")], is: 400, says: "tree: a digest such as"),
            Mistake("PUT", "caches/deps", [("key", "k"), ("scope", "#pending"), tree], is: 400, says: "scope: up to"),
            Mistake("PUT", "caches/deps", [("key", "k"), ("scope", long), tree], is: 400, says: "scope: up to"),
            Mistake("PUT", "caches/deps", [("key", "k"), ("version", "A"), tree], is: 400, says: "version: up to 64"),
            Mistake(
                "PUT",
                "caches/deps",
                [("key", "k"), ("version", "a/b"), tree],
                is: 400,
                says: "version: up to 64"
            ),
            Mistake(
                "PUT",
                "caches/deps",
                [("key", "k"), ("overwrite", "1"), tree],
                is: 400,
                says: "overwrite: true or"
            ),
            Mistake(
                "PUT",
                "caches/deps",
                [("key", "k"), tree],
                json: "x",
                is: 400,
                says: "body: not the JSON of a save"
            ),
            Mistake("PUT", "caches/images", [("key", "k"), tree], is: 400, says: "not there"),
            Mistake("POST", "caches/deps/find", json: "", is: 400, says: "body: not the JSON of what to look for"),
            Mistake("POST", "caches/deps/find", json: "{}", is: 400, says: "body: not the JSON of what to look for"),
            Mistake(
                "POST",
                "caches/deps/find",
                json: #"{"key":"k","scopes":[\#(many)]}"#,
                is: 400,
                says: "at most 100 scopes"
            ),
            Mistake(
                "POST",
                "caches/deps/find",
                json: #"{"key":"k","restoreKeys":[\#(many)]}"#,
                is: 400,
                says: "100 restore keys"
            ),
            Mistake("POST", "caches/deps/find", json: ##"{"key":"k","scopes":["#"]}"##, is: 400, says: "scope: up to"),
            Mistake("POST", "caches/deps/restore", json: #"{"key":"k"}"#, is: 400, says: "body: a line of JSON"),
            Mistake("POST", "caches/deps/restore", json: "\n", is: 400, says: "body: not the JSON of what to look for"),
            Mistake("POST", "caches/deps/restore", json: "{\"key\":\"k\"}\nabc", is: 400, says: "32 bytes each"),
            Mistake("GET", "caches/deps", [("limit", "0")], is: 400, says: "limit: a whole number from 1 to 1000"),
            Mistake("GET", "caches/deps", [("limit", "1001")], is: 400, says: "limit: a whole number from 1 to 1000"),
            Mistake("GET", "caches/deps", [("after", "x")], is: 400, says: "after: what an answer gave as next"),
            Mistake(
                "GET",
                "caches/deps",
                [("after", "#\ntree//k")],
                is: 400,
                says: "after: what an answer gave as next"
            ),
            Mistake("GET", "caches/deps", [("scope", "#")], is: 400, says: "scope: up to"),
            Mistake("GET", "caches/deps", [("version", "a/b")], is: 400, says: "version: up to 64"),
            Mistake("DELETE", "caches/deps", is: 400, says: "key: is needed"),
            Mistake("DELETE", "caches/deps", [("key", "k")], is: 404, says: "key k in scope ''"),
            Mistake("DELETE", "caches/nowhere", [("key", "k")], is: 404, says: "key k in scope ''"),
        ]
        try await withLiveServer { server in
            try await server.push([[1]], to: "deps")
            try await server.push([[1]], to: "images", kind: "registry")
            let differences = try await server.differences(from: mistakes)
            #expect(differences == [])
        }
    }
}
