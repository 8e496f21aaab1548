import Foundation
import LarderTestSupport
import Testing

/// What the server tells about itself, and to whom.
@Suite(.serialized)
struct MetricsTests {
    private static let hit = "/ccache/team/00112233445566778899aabbccddeeff00112233"
    private static let miss = "/ccache/team/99112233445566778899aabbccddeeff00112233"

    @Test(arguments: [(path: "/healthz", text: "ok\n"), (path: "/readyz", text: "ready\n")])
    func probesAreAnswered(path: String, text: String) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let get = try await connection.exchange("GET", path)
            #expect(get.status == 200)
            #expect(get.text == text)
            let head = try await connection.exchange("HEAD", path)
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "\(text.utf8.count)")
            #expect(try await connection.exchange("POST", path, body: []).status == 405)
        }
    }

    @Test
    func requestsAreCountedByToolAndRepository() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let small = [UInt8](repeating: 1, count: 1000)
            let large = [UInt8](repeating: 2, count: 100_000)
            _ = try await connection.exchange("PUT", Self.hit, body: small)
            _ = try await connection.exchange("PUT", "/gradle/android/abc", body: large)
            for _ in 0..<3 {
                _ = try await connection.exchange("GET", Self.hit)
            }
            _ = try await connection.exchange("HEAD", Self.hit)
            _ = try await connection.exchange("GET", "/gradle/android/abc")
            _ = try await connection.exchange("GET", Self.miss)
            _ = try await connection.exchange("POST", Self.miss, body: [])
            _ = try await connection.exchange("DELETE", Self.hit)

            let lines = try await metrics(connection)
            for line in [
                #"larder_requests_total{tool="ccache",repository="team",method="PUT",status="2xx"} 1"#,
                #"larder_requests_total{tool="ccache",repository="team",method="GET",status="2xx"} 3"#,
                #"larder_requests_total{tool="ccache",repository="team",method="GET",status="4xx"} 1"#,
                #"larder_requests_total{tool="ccache",repository="team",method="HEAD",status="2xx"} 1"#,
                #"larder_requests_total{tool="ccache",repository="team",method="POST",status="4xx"} 1"#,
                #"larder_requests_total{tool="ccache",repository="team",method="DELETE",status="2xx"} 1"#,
                #"larder_hits_total{tool="ccache",repository="team"} 4"#,
                #"larder_misses_total{tool="ccache",repository="team"} 1"#,
                #"larder_received_bytes_total{tool="ccache",repository="team"} 1000"#,
                #"larder_hits_total{tool="gradle",repository="android"} 1"#,
                #"larder_misses_total{tool="gradle",repository="android"} 0"#,
                #"larder_received_bytes_total{tool="gradle",repository="android"} 100000"#,
                #"larder_sent_bytes_total{tool="gradle",repository="android"} 100000"#,
                #"larder_repository_used_bytes{repository="android"} 100000"#,
                #"larder_repository_entries{repository="android"} 1"#,
                #"larder_repository_entries{repository="team"} 0"#,
                #"larder_request_duration_seconds_count{tool="gradle"} 2"#,
                "larder_store_reserved_bytes 0",
                "# TYPE larder_requests_total counter",
                "# TYPE larder_store_used_bytes gauge",
                "# TYPE larder_request_duration_seconds histogram",
            ] {
                #expect(lines.contains(line), "\(line)")
            }
        }
    }

    @Test
    func namesThatNobodyCreatedAreNoLabels() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            for number in 0..<20 {
                let path = "/ccache/made-up-\(number)/00112233445566778899aabbccddeeff00112233"
                #expect(try await connection.exchange("GET", path).status == 404)
            }
            let text = try await connection.exchange("GET", "/metrics").text
            #expect(!text.contains("made-up"))
            #expect(text.contains(#"larder_misses_total{tool="ccache",repository="-"} 20"#))
        }
    }

    @Test
    func labelsAreBounded() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            // The later names sort before the earlier ones.
            for (prefix, count) in [("n", 120), ("m", 30)] {
                for number in 0..<count {
                    let path = "/ccache/\(prefix)\(number)/00112233445566778899aabbccddeeff00112233"
                    #expect(try await connection.exchange("PUT", path, body: [1]).status == 200)
                }
                _ = try await metrics(connection)
            }
            let lines = try await metrics(connection)
            for family in [
                "larder_requests_total", "larder_hits_total", "larder_received_bytes_total",
                "larder_repository_used_bytes", "larder_repository_entries",
            ] {
                let names = Set(lines.filter { $0.hasPrefix("\(family){") }.compactMap(Self.repository))
                #expect((90...102).contains(names.count), "\(family) has \(names.count) repositories")
            }
            let received = lines.first {
                $0.hasPrefix(#"larder_received_bytes_total{tool="ccache",repository="other"}"#)
            }
            // What has no label of its own is counted all the same: 150 bytes in 100 series and `other`.
            let other = received.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
            #expect((48...52).contains(other))
        }
    }

    @Test
    func aRepositoryThatIsGoneHasNoSizeAnyMore() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            _ = try await connection.exchange("PUT", Self.hit, body: [1, 2, 3])
            let before = try await metrics(connection)
            #expect(before.contains(#"larder_repository_used_bytes{repository="team"} 3"#))
            #expect(try await server.larder("repo", "rm", "team").status == 0)
            let after = try await metrics(connection)
            #expect(!after.contains { $0.hasPrefix(#"larder_repository_used_bytes{repository="team"}"#) })
        }
    }

    @Test(arguments: [
        (method: "GET", path: "/api/v1/tokens"), (method: "PUT", path: "/api/v1/repositories/evil"),
        (method: "PATCH", path: "/api/v1/repositories/team"), (method: "DELETE", path: "/api/v1/repositories/team"),
        (method: "POST", path: "/api/v1/repositories/team/flush"), (method: "POST", path: "/api/v1/check"),
        (method: "POST", path: "/api/v1/check?repair=true"), (method: "POST", path: "/api/v1/compact"),
        (method: "POST", path: "/api/v1/tokens"), (method: "GET", path: "/api/v1/policies/team"),
        (method: "PUT", path: "/api/v1/policies/team"), (method: "GET", path: "/api/v1/default-policies"),
        (method: "PUT", path: "/api/v1/default-policies/cache"), (method: "POST", path: "/api/v1/previews/team"),
        (method: "POST", path: "/api/v1/prunes/team"), (method: "GET", path: "/api/v1/runs"),
        (method: "PUT", path: "/api/v1/pins/team?tag=1"), (method: "GET", path: "/api/v1/removed/team"),
        (method: "POST", path: "/api/v1/restores/team"), (method: "DELETE", path: "/api/v1/tokens/ci"),
    ])
    func nobodyAdministersWithoutAToken(method: String, path: String) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            _ = try await connection.exchange("PUT", Self.hit, body: [1, 2, 3])
            let body: [UInt8]? = method == "GET" ? nil : []
            let reply = try await connection.exchange(method, path, body: body)
            #expect(reply.status == 401)
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.headers["www-authenticate"] == #"Bearer realm="Larder""#)
            #expect(reply.text.hasPrefix(#"{"error":"a token is needed to administer "#))
            #expect(try await connection.exchange("GET", Self.hit).body == [1, 2, 3])
        }
    }

    @Test
    func theSocketIsForItsOwnerOnly() async throws {
        try await withLiveServer { server in
            for name in ["larder.sock", "larder.sqlite", "LOCK", "FORMAT"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(server.dataFolder)/\(name)")
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
            }
        }
    }

    private func metrics(_ connection: WireConnection) async throws -> [String] {
        let reply = try await connection.exchange("GET", "/metrics")
        #expect(reply.status == 200)
        #expect(reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        return reply.text.split(separator: "\n").map(String.init)
    }

    private static func repository(_ line: String) -> String? {
        guard let mark = line.firstRange(of: "repository=\"") else { return nil }
        return String(line[mark.upperBound...].prefix { $0 != "\"" })
    }
}
