import Foundation
import LarderTestSupport
import Testing

/// A blob that comes in pieces: what was acknowledged is there whatever happens to the server, and nothing else counts.
@Suite
struct ChunkedUploadTests {
    enum Interruption: CaseIterable {
        case restart
        case kill
    }

    private static let blob: [UInt8] = {
        var chance = SeededGenerator(seed: 1)
        return chance.bytes(3_000_000)
    }()

    @Test(arguments: Interruption.allCases)
    func anUploadGoesOnAfterTheServerWasGone(interruption: Interruption) async throws {
        try await withLiveServer { server in
            let upload = try await Upload(server)
            #expect(try await upload.patch(Self.blob, 0..<1_000_000).headers["range"] == "0-999999")
            #expect(try await upload.patch(Self.blob, 1_000_000..<1_500_000).headers["range"] == "0-1499999")

            switch interruption {
            case .restart: try await server.restart()
            case .kill: try await server.killAndRestart()
            }

            let progress = try await upload.send("GET")
            #expect(progress.status == 204)
            #expect(progress.headers["range"] == "0-1499999")
            #expect(progress.headers["location"] == upload.path)
            try await Self.finish(upload, from: 1_500_000, server)
        }
    }

    @Test
    func halfOfAPieceIsForgottenWithTheServer() async throws {
        try await withLiveServer { server in
            let upload = try await Upload(server)
            #expect(try await upload.patch(Self.blob, 0..<1_500_000).status == 202)
            let connection = try WireConnection(port: server.port)
            await connection.send(
                "PATCH",
                upload.path,
                headers: ["Content-Range: 1500000-2499999", "Content-Length: 1000000"]
            )
            await connection.send(Array(Self.blob[1_500_000..<2_000_000]))
            // The bytes are in the file, but nobody was told so.
            try await waitUntil("half of the piece has arrived") { Self.uploadedByteCount(server) == 2_000_000 }

            try await server.killAndRestart()

            let progress = try await upload.send("GET")
            #expect(progress.status == 204)
            #expect(progress.headers["range"] == "0-1499999")
            let tooFar = try await upload.patch(Self.blob, 2_000_000..<2_500_000)
            #expect(tooFar.status == 416)
            #expect(tooFar.headers["range"] == "0-1499999")
            try await Self.finish(upload, from: 1_500_000, server)
        }
    }

    /// A client that goes away takes nothing with it: what arrived is kept.
    @Test
    func halfOfAPieceIsKeptWhenTheClientGoes() async throws {
        try await withLiveServer { server in
            let upload = try await Upload(server)
            #expect(try await upload.patch(Self.blob, 0..<1_500_000).status == 202)
            let connection = try WireConnection(port: server.port)
            await connection.send(
                "PATCH",
                upload.path,
                headers: ["Content-Range: 1500000-2499999", "Content-Length: 1000000"]
            )
            await connection.send(Array(Self.blob[1_500_000..<2_000_000]))
            try await waitUntil("half of the piece has arrived") { Self.uploadedByteCount(server) == 2_000_000 }
            connection.reset()

            // Until the server has noticed, the upload is in use.
            var next: WireReply?
            try await waitUntil("the upload is free") {
                next = try await upload.patch(Self.blob, 2_000_000..<2_500_000)
                return next?.status != 409
            }
            #expect(next?.status == 202)
            #expect(next?.headers["range"] == "0-2499999")
            try await server.killAndRestart()
            try await Self.finish(upload, from: 2_500_000, server)
        }
    }

    @Test
    func aCancelledUploadLeavesNothing() async throws {
        try await withLiveServer { server in
            let upload = try await Upload(server)
            #expect(try await upload.patch(Self.blob, 0..<1_500_000).status == 202)
            #expect(server.uploadFiles.count == 1)

            #expect(try await upload.send("DELETE").status == 204)

            try await waitUntil("uploads/ is empty") { server.uploadFiles == [] }
            for method in ["GET", "PATCH", "DELETE"] {
                #expect(try await upload.send(method, body: []).status == 404, "\(method)")
            }
            try await server.killAndRestart()
            #expect(try await upload.send("GET").status == 404)
            #expect(server.uploadFiles == [])
        }
    }

    // MARK: - Memory

    private static let manifestType = "application/vnd.oci.image.manifest.v1+json"

    enum Monster: CaseIterable {
        case fiveMebibytes
        case openLists
        case nestedLists
        case nestedObjects

        var status: Int { self == .fiveMebibytes ? 413 : 400 }

        /// All but the first have a megabyte, and their trees would be many times as large.
        var text: String {
            switch self {
            case .fiveMebibytes: "{" + String(repeating: " ", count: 5 << 20) + "}"
            case .openLists: String(repeating: "[", count: 1_000_000)
            case .nestedLists: Self.nest("[", "]", count: 500_000)
            case .nestedObjects: Self.nest(#"{"x":"#, "}", count: 166_000)
            }
        }

        private static func nest(_ start: String, _ end: String, count: Int) -> String {
            #"{"x":"# + String(repeating: start, count: count) + "1" + String(repeating: end, count: count) + "}"
        }
    }

    @Test(arguments: Monster.allCases)
    func aMonstrousManifestCostsNoMemory(monster: Monster) async throws {
        let body = Array(monster.text.utf8)
        try await withLiveServer { server in
            // What the process takes once (pools, an arena of the allocator for each thread) is taken by the first.
            try await Self.put(body, times: 40, expecting: monster.status, server)
            let before = server.residentKiB
            try await Self.put(body, times: 20, expecting: monster.status, server)
            // A leak of the smallest body alone would be 20 MiB.
            #expect(server.residentKiB < before + (8 << 10))
        }
    }

    private static func put(_ body: [UInt8], times: Int, expecting status: Int, _ server: LiveServer) async throws {
        for _ in 0..<times {
            let connection = try WireConnection(port: server.port)
            let path = "/v2/team/app/manifests/monster"
            let reply = try await connection.exchange(
                "PUT",
                path,
                headers: ["Content-Type: \(manifestType)"],
                body: body
            )
            try #require(reply.status == status, "\(reply.text)")
        }
    }

    // MARK: - Parts

    /// Sends the rest of the blob, the last piece of it with the PUT, and reads it back.
    private static func finish(_ upload: Upload, from offset: Int, _ server: LiveServer) async throws {
        let last = 2_700_000
        #expect(try await upload.patch(blob, offset..<last).headers["range"] == "0-\(last - 1)")
        let digest = "sha256:\(sha256Hex(blob))"
        let range = "Content-Range: \(last)-\(blob.count - 1)"
        let reply = try await upload.send(
            "PUT",
            query: "?digest=\(digest)",
            headers: [range],
            body: Array(blob[last...])
        )
        #expect(reply.status == 201)
        #expect(reply.headers["docker-content-digest"] == digest)
        let path = try #require(reply.headers["location"])
        let stored = try await WireConnection(port: server.port).exchange("GET", path)
        #expect(stored.status == 200)
        #expect(stored.body == blob)
        #expect(try await upload.send("GET").status == 404)
        try await waitUntil("uploads/ is empty") { server.uploadFiles == [] }
    }

    private static func uploadedByteCount(_ server: LiveServer) -> Int {
        server.uploadFiles.reduce(0) { sum, name in
            let file = URL(fileURLWithPath: "\(server.dataFolder)/uploads/\(name)")
            return sum + ((try? Data(contentsOf: file))?.count ?? 0)
        }
    }
}

/// One upload, each request on a connection of its own, so that the server may come and go.
private struct Upload {
    let server: LiveServer
    let path: String

    init(_ server: LiveServer) async throws {
        let connection = try WireConnection(port: server.port)
        let reply = try await connection.exchange("POST", "/v2/team/app/blobs/uploads/", body: [])
        try #require(reply.status == 202)
        self.server = server
        path = try #require(reply.headers["location"])
    }

    func send(
        _ method: String,
        query: String = "",
        headers: [String] = [],
        body: [UInt8]? = nil
    ) async throws -> WireReply {
        try await WireConnection(port: server.port).exchange(method, path + query, headers: headers, body: body)
    }

    func patch(_ bytes: [UInt8], _ range: Range<Int>) async throws -> WireReply {
        let header = "Content-Range: \(range.lowerBound)-\(range.upperBound - 1)"
        return try await send("PATCH", headers: [header], body: Array(bytes[range]))
    }
}
