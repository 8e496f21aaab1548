import Foundation
import LarderTestSupport
import Testing

/// The same blob, sent by several clients at once, is stored once and refused to nobody.
@Suite(.serialized)
struct ConcurrentUploadTests {
    @Test(arguments: [(count: 2, size: 8 << 20), (count: 8, size: 100_000), (count: 8, size: 1000)])
    func oneBlobSentByManyIsStoredOnce(count: Int, size: Int) async throws {
        try await withLiveServer { server in
            var chance = SeededGenerator(seed: testSeed())
            let body = chance.bytes(size)
            let path = "/bazel/main/cas/\(sha256Hex(body))"
            let port = server.port
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        try await WireConnection(port: port).exchange("PUT", path, body: body).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: count))
            let reply = try await WireConnection(port: port).exchange("GET", path)
            #expect(reply.body == body)
            try await waitUntil("what lost the race is removed") {
                Self.files(server, "uploads").isEmpty && Self.files(server, "blobs").count == (size > 16 << 10 ? 1 : 0)
            }
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)")
            #expect(check.output.contains("checked 1 blobs"))
        }
    }

    @Test
    func oneEntryWrittenByManyHasTheBytesOfOneOfThem() async throws {
        try await withLiveServer { server in
            let bodies = (0..<8).map { [UInt8](repeating: UInt8($0), count: 100_000 + $0) }
            let port = server.port
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for body in bodies {
                    group.addTask {
                        try await WireConnection(port: port).exchange("PUT", "/gradle/main/abcdef", body: body).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 8))
            let reply = try await WireConnection(port: port).exchange("GET", "/gradle/main/abcdef")
            #expect(bodies.contains(reply.body))
            try await waitUntil("uploads/ is empty") { Self.files(server, "uploads").isEmpty }
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)")
        }
    }

    /// Paths of all files below a folder of the data folder.
    private static func files(_ server: LiveServer, _ folder: String) -> [String] {
        let root = "\(server.dataFolder)/\(folder)"
        let names = FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(root)/\(name)", isDirectory: &isFolder)
                && !isFolder.boolValue
        }
    }
}
