import Foundation
import LarderTestSupport
import Testing

/// Retention over the API, and what it says to mistakes.
@Suite(.serialized)
struct RetentionAPITests {
    @Test
    func theAPIPreviewsRunsAndRemembers() async throws {
        try await withLiveServer { server in
            for word in ["1", "2", "3"] { try await server.push(word, as: [word]) }
            let set = try await server.administer(
                "PUT",
                "/api/v1/policies/team/app",
                body: RetentionCommandTests.keepOne
            )
            #expect(set.status == 200)
            let preview = try await server.administer("POST", "/api/v1/previews/team/app", body: "")
            #expect(preview.headers["content-type"] == "application/x-ndjson")
            let lines = try preview.text.split(separator: "\n").map {
                try JSONDecoder().decode(PreviewAnswer.self, from: Data($0.utf8))
            }
            #expect(lines.map(\.decision) == ["removed", "removed", "kept", nil])
            #expect(lines.map(\.tags) == [["1"], ["2"], ["3"], nil])
            #expect(lines.map(\.rule) == [1, 1, 1, nil])
            #expect(lines.last?.summary?.entries == 3)
            #expect(lines.last?.summary?.removed == 2)
            let dry = try await server.administer("POST", "/api/v1/prunes/team/app?dry-run=true", body: "")
            #expect(dry.bytes == preview.bytes)
            let two = try await server.administer(
                "POST",
                "/api/v1/previews/team/app",
                body: RetentionCommandTests.keepTwoInYAML
            )
            #expect(two.text.contains("\"removed\":1"))

            let pruned = try await server.administer("POST", "/api/v1/prunes/team/app", body: "")
            let run = try JSONDecoder().decode(RunAnswer.self, from: Data(pruned.bytes))
            #expect((run.id, run.repository, run.removed, run.reason) == (1, "team/app", 2, "person"))
            #expect(run.actor == "local administrator")
            #expect(run.policy == RetentionCommandTests.keepOne)
            _ = try await server.administer("POST", "/api/v1/prunes/team/app", body: "")

            let runs = try await server.administer("GET", "/api/v1/runs?repository=team%2Fapp&limit=1&unknown=1")
            #expect(try JSONDecoder().decode([RunAnswer].self, from: Data(runs.bytes)).map(\.id) == [2])
            let older = try await server.administer("GET", "/api/v1/runs?before=2")
            #expect(try JSONDecoder().decode([RunAnswer].self, from: Data(older.bytes)).map(\.id) == [1])
            let first = try await server.administer("GET", "/api/v1/runs/1?limit=1")
            let page = try JSONDecoder().decode(RunDetailsAnswer.self, from: Data(first.bytes))
            #expect(page.decisions.map(\.outcome) == ["removed"])
            #expect(page.next == page.decisions.last?.number)
            let second = try await server.administer("GET", "/api/v1/runs/1?after=\(page.next ?? 0)")
            let rest = try JSONDecoder().decode(RunDetailsAnswer.self, from: Data(second.bytes))
            #expect(rest.decisions.count == 1)
            #expect(rest.next == nil)
        }
    }

    @Test
    func everybodyReadsTheDocumentOfTheAPI() async throws {
        try await withLiveServer { server in
            let reply = try await server.get("/api/v1/openapi.json")
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "application/json")
            let document = try JSONSerialization.jsonObject(with: Data(reply.bytes)) as? [String: Any]
            #expect(document?["openapi"] as? String == "3.1.0")
            #expect(try await server.get("/api/v1/policies/team/app").status == 401)
        }
    }

    private static let mistakes: [(method: String, path: String, body: String?, status: Int, says: String)] = [
        ("GET", "policies/Bad_Name", nil, 400, "repository name: lowercase letters and digits"),
        ("GET", "policies/nope", nil, 404, "repository nope"),
        ("GET", "policies/team/app", nil, 404, "larder policy set team/app --file FILE"),
        ("PUT", "policies/team/app", "", 400, "body: the text of a policy"),
        ("POST", "policies/team/app", "", 405, "allowed: GET, PUT, DELETE"),
        ("PUT", "default-policies/shelf", RetentionCommandTests.keepOne, 400, "kind: one of cache, registry, bucket"),
        ("POST", "prunes/team/app", "", 404, "policy of team/app"),
        ("POST", "prunes/team/app?dry-run=1", "", 400, "dry-run: true or false"),
        ("POST", "check?repair=yes", "", 400, "repair: true or false"),
        ("GET", "runs?limit=0", nil, 400, "limit: a whole number from 1 to 1000"),
        ("GET", "runs?limit=1001", nil, 400, "limit: a whole number from 1 to 1000"),
        ("GET", "runs?before=x", nil, 400, "before: a whole number from 1"),
        ("GET", "runs?repository=nope", nil, 404, "repository nope"),
        ("GET", "runs/x", nil, 400, "run: a whole number from 1"),
        ("GET", "runs/99", nil, 404, "run 99"),
        ("PUT", "pins/team/app", "{\"reason\":\"r\"}", 400, "name either a tag or a key"),
        ("PUT", "pins/team/app?tag=1&key=k", "{\"reason\":\"r\"}", 400, "name either a tag or a key"),
        ("PUT", "pins/team/app?tag=.1", "{\"reason\":\"r\"}", 400, "tag: 1 to 128"),
        ("PUT", "pins/team/app?tag=1", "r", 400, "body: not the JSON of a pin"),
        ("PUT", "pins/team/app?tag=1", "{\"reason\":\"\"}", 400, "reason: 1 to 1,000 bytes"),
        ("PUT", "pins/team/app?tag=1", "{\"reason\":\"r\",\"seconds\":0}", 400, "seconds: a whole number from 1"),
        ("PUT", "pins/team/app?tag=9", "{\"reason\":\"r\"}", 404, "tag 9"),
        ("DELETE", "pins/team/app?key=k", nil, 404, "pin of k"),
        ("POST", "restores/team/app", "{}", 400, "name either a tag or a key"),
        ("POST", "restores/team/app", "{\"tag\":\"1\",\"asTags\":[\"-\"]}", 400, "asTags"),
        ("POST", "restores/team/app", "{\"tag\":\"9\"}", 404, "tag 9 is not among what can be restored"),
        ("PATCH", "repositories/team/app", "{\"undoTimeSeconds\":86400000001}", 400, "undoTimeSeconds: at most"),
        ("PATCH", "repositories/team/app", "{\"pruneSchedule\":\"x\"}", 400, "schedule: A cron"),
        ("GET", "nothing", nil, 404, "no such path"),
    ]

    @Test
    func mistakesAreNamed() async throws {
        try await withLiveServer { server in
            try await server.push("1", as: ["1"])
            for mistake in Self.mistakes {
                let what: Comment = "\(mistake.method) \(mistake.path)"
                let reply = try await server.administer(
                    mistake.method,
                    "/api/v1/\(mistake.path)",
                    body: mistake.body
                )
                #expect(reply.status == mistake.status, what)
                let error = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(reply.bytes)).error
                #expect(error?.contains(mistake.says) == true, "\(what): \(reply.text)")
            }
            let long = String(repeating: " ", count: 65_537)
            #expect(try await server.administer("PUT", "/api/v1/policies/team/app", body: long).status == 413)
        }
    }
}
