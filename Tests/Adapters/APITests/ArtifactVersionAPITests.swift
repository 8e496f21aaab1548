import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Versions of an artifact: listed, promoted, kept as they are, removed, and what is said to mistakes.
@Suite(.serialized)
struct ArtifactVersionAPITests {
    private static func version(_ name: String, labels: [String: String] = [:]) -> TestArtifact {
        TestArtifact([TestLayer("name", name)], annotations: labels)
    }

    private static func list(
        _ server: LiveServer,
        _ query: KeyValuePairs<String, String> = [:]
    ) async throws -> ArtifactListMessage {
        try await server.ask("GET", "artifacts/app", query).json()
    }

    /// The digest that a tag names.
    private static func tagged(_ tag: String, on server: LiveServer) async throws -> String? {
        let reply = try await server.ask("GET", "artifacts/app/version", ["ref": tag])
        return reply.status == 404 ? nil : try reply.json(ArtifactVersionMessage.self).digest
    }

    // MARK: Lists

    @Test
    func theNewestComesFirst() async throws {
        try await withLiveServer { server in
            let versions = (0..<7).map {
                Self.version(
                    "\($0)",
                    labels: ["number": "\($0)", "parity": $0.isMultiple(of: 2) ? "even" : "odd", "a=b": "c=d"]
                )
            }
            for (number, version) in versions.enumerated() { try await server.push(version, ["v\(number)"]) }
            // Not about itself.
            var about = Self.version("about")
            about.subjects = [versions[0]]
            try await server.push(about, [])
            let all = try await Self.list(server)
            #expect(all.versions.map(\.tags) == (0..<7).reversed().map { ["v\($0)"] })
            #expect(all.next == nil)
            #expect(all.versions[0].files == nil)
            #expect(all.versions[0].labels == ["number": "6", "parity": "even", "a=b": "c=d"])
            #expect(
                try await Self.list(server, ["label": "parity=odd"]).versions.map(\.tags) == [["v5"], ["v3"], ["v1"]]
            )
            let both = try await Self.list(server, ["label": "parity=odd", "label": "number=3"])
            #expect(both.versions.map(\.tags) == [["v3"]])
            #expect(try await Self.list(server, ["label": "parity=neither"]).versions == [])
            #expect(try await Self.list(server, ["label": "Parity=odd"]).versions == [])
            #expect(try await Self.list(server, ["label": "none="]).versions == [])
            for limit in 1...8 {
                var (tags, next, count) = ([String](), String?.none, 0)
                repeat {
                    let page = try await Self.list(
                        server,
                        next.map { ["limit": "\(limit)", "after": $0] } ?? ["limit": "\(limit)"]
                    )
                    #expect(page.versions.count <= limit)
                    tags += page.versions.flatMap(\.tags)
                    (next, count) = (page.next, count + 1)
                } while next != nil && count < 20
                #expect(tags == (0..<7).reversed().map { "v\($0)" })
            }
            #expect(try await server.ask("GET", "artifacts/nowhere").json(ArtifactListMessage.self).versions == [])
        }
    }

    @Test
    func reportsAreShownWithTheirVersion() async throws {
        try await withLiveServer { server in
            let version = Self.version("1")
            try await server.push(version, ["1"])
            let file = TestLayer("junit.xml", "<testsuite/>")
            var reports = TestArtifact(
                [file],
                config: .config(
                    #"{"reports":[{"group":"unit","format":"JUNITXML","tests":5,"failures":1,"seconds":1.5,"#
                        + #""files":[{"path":"junit.xml","digest":"\#(digest(of: file.bytes))","size":12}]}]}"#
                )
            )
            reports.type = "application/vnd.larder.reports.v1"
            reports.config.type = "application/vnd.larder.reports.config.v1+json"
            reports.subjects = [version]
            try await server.push(reports, [])
            let shown = try await server.ask("GET", "artifacts/app/version", ["ref": "1"])
            var totals = ReportTotals()
            (totals.tests, totals.failures, totals.seconds) = (5, 1, 1.5)
            #expect(
                try shown.json(ArtifactVersionMessage.self).reports == [
                    ArtifactReportMessage(
                        group: "unit",
                        format: "JUNITXML",
                        totals: totals,
                        files: [.init(path: "junit.xml", digest: "\(digest(of: file.bytes))", size: 12)]
                    )
                ]
            )
            #expect(try await Self.list(server).versions.count == 1)
        }
    }

    // MARK: Tags

    @Test
    func aTagStaysUnlessItIsMoved() async throws {
        try await withLiveServer { server in
            let (first, second) = (Self.version("1"), Self.version("2"))
            #expect(try await server.push(first, ["a", "b"]).status == 201)
            // The same again moves nothing.
            #expect(try await server.push(first, ["a"]).status == 201)
            let refused = try await server.push(second, ["c", "a"])
            #expect(refused.status == 409)
            #expect(refused.failure?.contains("a") == true)
            #expect(try await Self.tagged("c", on: server) == nil)
            #expect(try await server.push(second, ["c", "a"], move: "false").status == 409)
            #expect(try await Self.tagged("a", on: server) == first.digest)
            let moved = try await server.push(second, ["c", "a"], move: "true")
            #expect(moved.status == 201)
            #expect(try moved.json(ArtifactTagsMessage.self).tags == ["a", "c"])
            #expect(try await Self.tagged("a", on: server) == second.digest)
            #expect(try await Self.tagged("b", on: server) == first.digest)
        }
    }

    @Test
    func aVersionIsPromotedAsItIs() async throws {
        try await withLiveServer { server in
            let (first, second) = (Self.version("1"), Self.version("2"))
            try await server.push(first, ["1"])
            try await server.push(second, ["2"])
            for (tag, reference) in [("prod", "1"), ("canary", try second.digest), ("newest", "")] {
                let reply = try await server.ask("PUT", "artifacts/app/tags", ["tag": tag, "ref": reference])
                #expect(reply.status == 200)
                let expected = reference == "1" ? first : second
                #expect(try reply.json(ArtifactTagsMessage.self).digest == expected.digest)
                #expect(try reply.json(ArtifactTagsMessage.self).tags.contains(tag))
                #expect(try await Self.tagged(tag, on: server) == expected.digest)
            }
            let again = try await server.ask("PUT", "artifacts/app/tags", ["tag": "prod", "ref": "1"])
            #expect(again.status == 200)
            let refused = try await server.ask("PUT", "artifacts/app/tags", ["tag": "prod", "ref": "2"])
            #expect(refused.status == 409)
            let moved = try await server.ask("PUT", "artifacts/app/tags", ["tag": "prod", "ref": "2", "move": "true"])
            #expect(moved.status == 200)
            #expect(try await Self.tagged("prod", on: server) == second.digest)
        }
    }

    @Test
    func immutableTagsAreNotMovedByAnybody() async throws {
        try await withLiveServer { server in
            let (first, second) = (Self.version("1"), Self.version("2"))
            try await server.push(first, ["1", "latest"])
            try await server.push(second, ["2"])
            let changed = try await server.administer(
                "PATCH",
                "/api/v1/repositories/app",
                body: #"{"tagsAreImmutable":true,"mutableTags":["latest"]}"#
            )
            #expect(changed.status == 200)
            #expect(try await server.push(second, ["1"], move: "true").status == 409)
            let query: KeyValuePairs = ["tag": "1", "ref": "2", "move": "true"]
            #expect(try await server.ask("PUT", "artifacts/app/tags", query).status == 409)
            #expect(try await Self.tagged("1", on: server) == first.digest)
            #expect(try await server.push(second, ["latest"]).status == 409)
            #expect(try await server.push(second, ["latest"], move: "true").status == 201)
            #expect(try await server.push(second, ["3"]).status == 201)
        }
    }

    // MARK: Removal

    @Test
    func aTagOrAVersionIsRemoved() async throws {
        try await withLiveServer { server in
            let (first, second) = (Self.version("1"), Self.version("2"))
            try await server.push(first, ["a", "b", "c"])
            try await server.push(second, ["d"])
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": "a", "tagOnly": "true"]).status == 204)
            #expect(try await Self.tagged("a", on: server) == nil)
            #expect(try await Self.tagged("b", on: server) == first.digest)
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": "a", "tagOnly": "true"]).status == 404)
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": "b"]).status == 204)
            #expect(try await Self.tagged("c", on: server) == nil)
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": try first.digest]).status == 404)
            // What is meant has to be said.
            #expect(try await server.ask("DELETE", "artifacts/app").status == 400)
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": ""]).status == 400)
            #expect(try await Self.list(server).versions.map(\.tags) == [["d"]])
            #expect(try await server.ask("DELETE", "artifacts/app", ["ref": try second.digest]).status == 204)
            #expect(try await Self.list(server).versions == [])
        }
    }

    // MARK: Mistakes

    @Test
    func mistakesAreNamed() async throws {
        let lost = try Self.version("lost").manifest
        let none = "\(Digest.emptySHA256)"
        let mistakes = [
            Mistake("GET", "artifacts/App", is: 400, says: "repository name"),
            Mistake("GET", "artifacts/app", [("limit", "0")], is: 400, says: "limit: a whole number from 1 to 200"),
            Mistake("GET", "artifacts/app", [("after", "x")], is: 400, says: "after: a whole number from 0"),
            Mistake("GET", "artifacts/app", [("label", "team")], is: 400, says: "label: NAME=VALUE"),
            Mistake("GET", "artifacts/app", [("label", "=a")], is: 400, says: "label: NAME=VALUE"),
            Mistake("GET", "artifacts/app/version", [("ref", "nope")], is: 404, says: "version nope of app"),
            Mistake("GET", "artifacts/app/version", [("ref", none)], is: 404, says: "version \(none) of app"),
            Mistake("GET", "artifacts/app/version", [("ref", ".a")], is: 400, says: "ref: a tag, or a digest"),
            Mistake("GET", "artifacts/nowhere/version", is: 404, says: "a version of nowhere"),
            Mistake("GET", "artifacts/nowhere/zip", is: 404, says: "a version of nowhere"),
            Mistake("GET", "artifacts/cache/version", is: 404, says: "a version of cache"),
            Mistake("GET", "artifacts/app/file", is: 400, says: "path: that of the file"),
            Mistake("GET", "artifacts/app/file", [("path", "x")], is: 404, says: "a file x in app:1"),
            Mistake("PUT", "artifacts/app", [("tag", "2")], body: lost, is: 400, says: "not there"),
            Mistake("PUT", "artifacts/app", [("tag", ".2")], body: lost, is: 400, says: "tag: up to 100"),
            Mistake(
                "PUT",
                "artifacts/app",
                [("tag", "2"), ("move", "yes")],
                body: lost,
                is: 400,
                says: "move: true or"
            ),
            Mistake("PUT", "artifacts/app", [("tag", "2")], json: "{}", is: 400, says: "invalid content"),
            Mistake("PUT", "artifacts/app", [("tag", "2")], json: "", is: 400, says: "invalid content"),
            Mistake("PUT", "artifacts/cache", [("tag", "2")], body: lost, is: 409, says: "is a cache"),
            Mistake(
                "PUT",
                "artifacts/app",
                [("tag", "2")],
                body: [UInt8](repeating: 32, count: (4 << 20) + 1),
                is: 413,
                says: "larger than the limit"
            ),
            Mistake("PUT", "artifacts/app/tags", [("ref", "1")], is: 400, says: "tag: the tag that is to be set"),
            Mistake("PUT", "artifacts/app/tags", [("tag", "-"), ("ref", "1")], is: 400, says: "tag: up to 100"),
            Mistake(
                "PUT",
                "artifacts/app/tags",
                [("tag", "2"), ("ref", "nope")],
                is: 404,
                says: "version nope of app"
            ),
            Mistake("DELETE", "artifacts/app", [("ref", "nope")], is: 404, says: "version nope of app"),
            Mistake("DELETE", "artifacts/app", [("ref", "-"), ("tagOnly", "true")], is: 400, says: "ref: a tag"),
            Mistake("DELETE", "artifacts/app", [("ref", "1"), ("tagOnly", "1")], is: 400, says: "tagOnly: true or"),
        ]
        try await withLiveServer { server in
            try await server.push(Self.version("1"), ["1"])
            try await server.push([[1]], to: "cache")
            let differences = try await server.differences(from: mistakes)
            #expect(differences == [])
            #expect(try await Self.list(server).versions.map(\.tags) == [["1"]])
        }
    }
}
