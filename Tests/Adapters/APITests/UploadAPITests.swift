import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

extension LiveServer {
    /// Begins an upload in parts; returns its id.
    fileprivate func begin(_ size: Int, in repository: String = "main", kind: String = "cache") async throws -> String {
        let reply = try await ask("POST", "uploads/\(repository)", ["kind": kind], json: "{\"size\":\(size)}")
        guard reply.status == 201 else { throw TestFailure("no upload: \(reply.status) \(reply.text)") }
        let message = try reply.json(UploadMessage.self)
        guard message.partSize == 32 << 20, message.receivedBytes == 0 else { throw TestFailure(reply.text) }
        return message.id
    }

    fileprivate func put(
        _ bytes: some Collection<UInt8>,
        of id: String,
        at offset: Int,
        kind: String = "cache"
    ) async throws -> HTTPReply {
        try await ask(
            "PUT",
            "uploads/main/part",
            ["kind": kind, "id": id, "offset": "\(offset)"],
            body: Array(bytes)
        )
    }

    fileprivate func finish(_ id: String, as digest: Digest, kind: String = "cache") async throws -> HTTPReply {
        try await ask("POST", "uploads/main/finish", ["kind": kind, "id": id, "digest": "\(digest)"])
    }

    /// Bytes that need not be sent again; nil when there is no such upload.
    fileprivate func received(_ id: String) async throws -> Int64? {
        let reply = try await ask("GET", "uploads/main", ["id": id])
        return reply.status == 404 ? nil : try reply.json(UploadMessage.self).receivedBytes
    }
}

/// One large blob comes in parts, which are not sent again after a break.
@Suite(.serialized)
struct UploadAPITests {
    private static let bytes = {
        var generator = SeededGenerator(seed: 3)
        return generator.bytes(3_000_000)
    }()

    private static let whole = digest(of: bytes)

    @Test(arguments: ["cache", "registry"])
    func partsInAnyOrderBecomeABlob(kind: String) async throws {
        try await withLiveServer { server in
            let bytes = Self.bytes
            let id = try await server.begin(bytes.count, kind: kind)
            #expect(try await server.put(bytes[2_000_000...], of: id, at: 2_000_000, kind: kind).status == 204)
            #expect(try await server.received(id) == 0)
            #expect(try await server.put(bytes[..<1_000_000], of: id, at: 0, kind: kind).status == 204)
            #expect(try await server.received(id) == 1_000_000)
            let early = try await server.finish(id, as: Self.whole, kind: kind)
            #expect(early.status == 409)
            #expect(early.failure == "parts are missing behind the first 1000000 bytes")
            // Its answer was lost.
            #expect(try await server.put(bytes[..<1_000_000], of: id, at: 0, kind: kind).status == 204)
            #expect(try await server.put(bytes[1_000_000..<2_000_000], of: id, at: 1_000_000, kind: kind).status == 204)
            #expect(try await server.finish(id, as: Self.whole, kind: kind).status == 201)
            #expect(try await server.received(id) == nil)
            #expect(try await server.finish(id, as: Self.whole, kind: kind).status == 404)
            try await server.killAndRestart()
            #expect(try await server.fetch([Self.whole], from: "main", kind: kind) == [.blob(bytes), .end(1)])
            #expect(server.uploadFiles == [])
        }
    }

    @Test
    func partsGoSideBySide() async throws {
        try await withLiveServer { server in
            let id = try await server.begin(Self.bytes.count)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for start in stride(from: 0, to: 3_000_000, by: 250_000) {
                    group.addTask {
                        try await server.put(Self.bytes[start..<(start + 250_000)], of: id, at: start).status
                    }
                }
                for try await status in group { #expect(status == 204) }
            }
            #expect(try await server.finish(id, as: Self.whole).status == 201)
            #expect(try await server.missing([Self.bytes], in: "main") == [])
        }
    }

    @Test
    func aPartThatBreaksOffIsSentAgain() async throws {
        try await withLiveServer { server in
            let bytes = Self.bytes
            let id = try await server.begin(bytes.count)
            for (start, isReset) in [(0, true), (10, false)] {
                let connection = try WireConnection(port: server.port)
                await connection.send(
                    "PUT",
                    "/api/v1/uploads/main/part?id=\(id)&offset=\(start)",
                    headers: ["Content-Length: 2000000"]
                )
                await connection.send([UInt8](repeating: 9, count: 1_500_000))
                if isReset {
                    connection.reset()
                } else {
                    connection.finishSending()
                    _ = await connection.readToEnd()
                }
                // Until the server has seen that it broke off, the bytes are that part's.
                try await waitUntil("the part is taken again") {
                    try await server.put(bytes[start..<(start + 10)], of: id, at: start).status == 204
                }
                #expect(try await server.received(id) == Int64(start + 10))
            }
            #expect(try await server.put(bytes[20...], of: id, at: 20).status == 204)
            #expect(try await server.finish(id, as: Self.whole).status == 201)
            #expect(try await server.missing([bytes], in: "main") == [])
        }
    }

    @Test
    func anUploadIsKnownAfterARestart() async throws {
        try await withLiveServer { server in
            let id = try await server.begin(Self.bytes.count)
            #expect(try await server.put(Self.bytes, of: id, at: 0).status == 204)
            #expect(try await server.received(id) == 3_000_000)
            try await server.killAndRestart()
            // So little was never made durable.
            #expect(try await server.received(id) == 0)
            #expect(server.uploadFiles == [])
            #expect(try await server.put(Self.bytes, of: id, at: 0).status == 204)
            #expect(try await server.finish(id, as: Self.whole).status == 201)
        }
    }

    @Test
    func aWrongDigestEndsTheUpload() async throws {
        try await withLiveServer { server in
            let id = try await server.begin(Self.bytes.count)
            #expect(try await server.put(Self.bytes, of: id, at: 0).status == 204)
            let reply = try await server.finish(id, as: .emptySHA256)
            #expect(reply.status == 400)
            #expect(reply.failure == "the content's digest is \(Self.whole), not \(Digest.emptySHA256) as named")
            #expect(try await server.received(id) == nil)
            try await waitUntil("its file is gone") { server.uploadFiles.isEmpty }
            #expect(try await server.missing([Self.bytes], in: "main") == [0])
        }
    }

    @Test
    func anUploadThatIsCancelledLeavesNothing() async throws {
        try await withLiveServer { server in
            let id = try await server.begin(Self.bytes.count)
            #expect(try await server.put(Self.bytes, of: id, at: 0).status == 204)
            #expect(server.uploadFiles.count == 1)
            #expect(try await server.ask("DELETE", "uploads/main", ["id": id]).status == 204)
            #expect(try await server.received(id) == nil)
            try await waitUntil("its file is gone") { server.uploadFiles.isEmpty }
        }
    }

    @Test
    func aPartSaysHowLongItIs() async throws {
        try await withLiveServer { server in
            let id = try await server.begin(10)
            let connection = try WireConnection(port: server.port)
            await connection.send(
                "PUT",
                "/api/v1/uploads/main/part?id=\(id)&offset=0",
                headers: ["Transfer-Encoding: chunked"]
            )
            await connection.send(chunked([1, 2, 3], each: 3))
            #expect(try await connection.readReply(to: "PUT").status == 411)
        }
    }

    @Test
    func mistakesAreNamed() async throws {
        try await withLiveServer(arguments: ["--max-blob-size", "1MiB"]) { server in
            let id = try await server.begin(1000)
            let part = [("id", id), ("offset", "999")]
            let mistakes = [
                Mistake("POST", "uploads/main", json: "{}", is: 400, says: "body: not the JSON of an upload"),
                Mistake("POST", "uploads/main", json: "{\"size\":0}", is: 400, says: "size: bytes, 1 or more"),
                Mistake("POST", "uploads/main", json: "{\"size\":-1}", is: 400, says: "size: bytes, 1 or more"),
                Mistake("POST", "uploads/main", json: "{\"size\":1048577}", is: 413, says: "larger than the limit"),
                Mistake(
                    "POST",
                    "uploads/main",
                    [("kind", "registry")],
                    json: "{\"size\":1}",
                    is: 409,
                    says: "is a cache"
                ),
                Mistake("GET", "uploads/main", is: 400, says: "id: that of the upload"),
                Mistake("GET", "uploads/main", [("id", "x")], is: 404, says: "an upload of this id"),
                Mistake("GET", "uploads/other", [("id", id)], is: 404, says: "an upload of this id"),
                Mistake("PUT", "uploads/main/part", [("id", id)], body: [1], is: 400, says: "offset"),
                Mistake("PUT", "uploads/main/part", [("offset", "0")], body: [1], is: 400, says: "id"),
                Mistake(
                    "PUT",
                    "uploads/main/part",
                    [("id", id), ("offset", "-1")],
                    body: [1],
                    is: 400,
                    says: "offset: a whole number"
                ),
                Mistake("PUT", "uploads/main/part", part, body: [1, 2], is: 413, says: "larger than the limit"),
                Mistake(
                    "PUT",
                    "uploads/main/part",
                    [("id", "x"), ("offset", "0")],
                    body: [1],
                    is: 404,
                    says: "an upload of this id"
                ),
                Mistake("POST", "uploads/main/finish", [("id", id)], is: 400, says: "digest"),
                Mistake("POST", "uploads/main/finish", [("id", id), ("digest", "x")], is: 400, says: "digest"),
                Mistake(
                    "POST",
                    "uploads/main/finish",
                    [("id", "x"), ("digest", "\(Digest.emptySHA256)")],
                    is: 404,
                    says: "an upload of this id"
                ),
                Mistake("DELETE", "uploads/main", [("id", "x")], is: 404, says: "an upload of this id"),
            ]
            let differences = try await server.differences(from: mistakes)
            #expect(differences == [])
            #expect(try await server.received(id) == 0)
        }
    }
}
