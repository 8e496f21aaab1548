import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Who may only read finds, restores and fetches everything, and writes, removes and administers nothing.
@Suite
struct ReadOnlyAPITests {
    private static let digests = [digest(of: [1]), digest(of: [2])].flatMap(\.bytes)
    private static let arguments = ["--listen", "0.0.0.0:0", "--allow-anonymous", "read"]

    /// Who shows no token is told that one is needed, in a form that browsers do not ask people about.
    private static func expectRefusal(_ reply: HTTPReply, _ request: String) {
        #expect(reply.status == 401, "\(request): \(reply.text)")
        #expect(reply.failure?.hasPrefix("a token is needed to ") == true, "\(request): \(reply.text)")
        #expect(reply.headers["www-authenticate"] == #"Bearer realm="Larder""#, "\(request)")
    }

    @Test
    func readersReadEverythingAndWriteNothing() async throws {
        try await withTemporaryFolder { folder in
            let tree = try TestTree([("a", "one")])
            let version = TestArtifact([TestLayer("name", "1")])
            try await withLiveServer(dataFolder: folder) { server in
                try await server.store(tree, "k")
                try await server.push(version, ["1"])
            }
            let find = #"{"key":"k"}"#
            let upload = #"{"size":10}"#
            let asked: [(method: String, path: String, body: [UInt8]?, status: Int)] = [
                ("POST", "blobs/deps/sizes", Array(#"{"sizes":[1]}"#.utf8), 200),
                ("POST", "blobs/deps/fetch", Self.digests, 200),
                ("GET", "caches/deps", nil, 200),
                ("POST", "caches/deps/find", Array(find.utf8), 200),
                ("POST", "caches/deps/restore", Array("\(find)\n".utf8), 200),
                ("GET", "artifacts/app", nil, 200),
                ("GET", "artifacts/app/version?ref=1", nil, 200),
                ("GET", "artifacts/app/file?path=name", nil, 200),
                ("GET", "artifacts/app/zip", nil, 200),
                ("GET", "status", nil, 200),
                ("GET", "openapi.json", nil, 200),
                ("GET", "principal", nil, 200),
                ("GET", "repositories", nil, 200),
                ("GET", "repositories/deps", nil, 200),
                ("POST", "blobs/deps/missing", Self.digests, 401),
                ("POST", "blobs/deps/pack", Pack.bytes(of: [[1]]), 401),
                ("POST", "uploads/deps", Array(upload.utf8), 401),
                ("PUT", "uploads/deps/part?id=x&offset=0", [1], 401),
                ("POST", "uploads/deps/finish?id=x&digest=\(tree.digest)", [], 401),
                ("DELETE", "uploads/deps?id=x", nil, 401),
                ("PUT", "caches/deps?key=k2&tree=\(tree.digest)", [], 401),
                ("DELETE", "caches/deps?key=k", nil, 401),
                ("PUT", "artifacts/app?tag=2", try version.manifest, 401),
                ("PUT", "artifacts/app/tags?tag=2&ref=1", [], 401),
                ("DELETE", "artifacts/app?ref=1", nil, 401),
            ]
            try await withLiveServer(arguments: Self.arguments, dataFolder: folder) { server in
                for (method, path, body, status) in asked {
                    let reply = try await server.request(method, "/api/v1/\(path)", body: body)
                    #expect(reply.status == status, "\(method) \(path): \(reply.text)")
                    if status == 401 { Self.expectRefusal(reply, "\(method) \(path)") }
                }
                let restored = try #require(try await server.restore(find))
                #expect(restored.rest == [.blob(tree.bytes), .blob(tree.contents[0]), .end(2)])
                #expect(try await server.list().entries.map(\.key) == ["k"])
                #expect(server.uploadFiles == [])
            }
        }
    }

    @Test
    func readersAdministerNothing() async throws {
        let asked: [(method: String, path: String, body: String?)] = [
            ("PUT", "repositories/new", ""),
            ("PATCH", "repositories/deps", "{}"),
            ("POST", "repositories/deps/flush", ""),
            ("DELETE", "repositories/deps", nil),
            ("GET", "policies/deps", nil),
            ("POST", "previews/deps", ""),
            ("POST", "prunes/deps", ""),
            ("PUT", "pins/app?tag=1", "{}"),
            ("GET", "removed/app", nil),
            ("POST", "restores/app", #"{"tag":"1"}"#),
            ("GET", "default-policies", nil),
            ("GET", "runs", nil),
            ("POST", "check", ""),
            ("POST", "compact", ""),
            ("GET", "tokens", nil),
            ("POST", "tokens", #"{"name":"ci","grants":["*:admin"]}"#),
            ("DELETE", "tokens/ci", nil),
        ]
        try await withLiveServer(arguments: Self.arguments) { server in
            for (method, path, body) in asked {
                let reply = try await server.request(method, "/api/v1/\(path)", body: body.map { Array($0.utf8) })
                Self.expectRefusal(reply, "\(method) \(path)")
            }
            #expect(try await server.get("/api/v1/repositories/new").status == 404)
        }
    }

    @Test
    func readersAreToldWhatTheyMayDo() async throws {
        try await withLiveServer(arguments: Self.arguments) { server in
            let principal: PrincipalMessage = try await server.get("/api/v1/principal").json()
            #expect(principal.name == "anonymous")
            #expect(principal.grants == ["*:read"])
            #expect(principal.expiresAt == nil)
        }
    }
}
