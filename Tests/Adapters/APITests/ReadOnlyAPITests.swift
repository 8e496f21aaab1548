import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Who may only read finds, restores and fetches everything, and writes nothing.
@Suite
struct ReadOnlyAPITests {
    private static let digests = [digest(of: [1]), digest(of: [2])].flatMap(\.bytes)

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
                ("POST", "blobs/deps/missing", Self.digests, 403),
                ("POST", "blobs/deps/pack", Pack.bytes(of: [[1]]), 403),
                ("POST", "uploads/deps", Array(upload.utf8), 403),
                ("PUT", "uploads/deps/part?id=x&offset=0", [1], 403),
                ("POST", "uploads/deps/finish?id=x&digest=\(tree.digest)", [], 403),
                ("DELETE", "uploads/deps?id=x", nil, 403),
                ("PUT", "caches/deps?key=k2&tree=\(tree.digest)", [], 403),
                ("DELETE", "caches/deps?key=k", nil, 403),
                ("PUT", "artifacts/app?tag=2", try version.manifest, 403),
                ("PUT", "artifacts/app/tags?tag=2&ref=1", [], 403),
                ("DELETE", "artifacts/app?ref=1", nil, 403),
                ("GET", "repositories", nil, 403),
            ]
            let arguments = ["--listen", "0.0.0.0:0", "--allow-anonymous", "read"]
            try await withLiveServer(arguments: arguments, dataFolder: folder) { server in
                for (method, path, body, status) in asked {
                    let reply = try await server.request(method, "/api/v1/\(path)", body: body)
                    #expect(reply.status == status, "\(method) \(path): \(reply.text)")
                }
                let restored = try #require(try await server.restore(find))
                #expect(restored.rest == [.blob(tree.bytes), .blob(tree.contents[0]), .end(2)])
                #expect(try await server.list().entries.map(\.key) == ["k"])
                #expect(server.uploadFiles == [])
            }
        }
    }
}
