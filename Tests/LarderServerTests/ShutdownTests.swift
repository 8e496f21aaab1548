import Foundation
import Glibc
import LarderTestSupport
import Testing

/// How a server ends, and when it does not start at all.
@Suite(.serialized)
struct ShutdownTests {
    private static let key = "/ccache/main/00112233445566778899aabbccddeeff00112233"

    @Test(arguments: [(name: "SIGTERM", signal: SIGTERM), (name: "SIGINT", signal: SIGINT)])
    func anIdleServerEndsAtOnce(name: String, signal: Int32) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            #expect(try await connection.exchange("GET", Self.key).status == 404)
            server.signal(signal)
            #expect(try await server.wait() == 0, "\(name)")
            let (rest, ending) = await connection.readToEnd()
            #expect(rest.isEmpty)
            #expect(ending == .closed)
            #expect(!FileManager.default.fileExists(atPath: "\(server.dataFolder)/larder.sock"))
        }
    }

    @Test
    func runningTransfersFinishAndNewConnectionsAreRefused() async throws {
        try await withLiveServer(arguments: ["--shutdown-grace", "100s", "--stall-timeout", "100s"]) { server in
            let download = [UInt8](repeating: 0x61, count: 32 << 20)
            let connection = try WireConnection(port: server.port)
            #expect(try await connection.exchange("PUT", "/gradle/main/abc", body: download).status == 200)

            let uploading = try WireConnection(port: server.port)
            let upload = [UInt8](repeating: 0x62, count: 1 << 20)
            await uploading.send("PUT", Self.key, headers: ["Content-Length: \(upload.count)"])
            await uploading.send(Array(upload.prefix(100_000)))
            let downloading = try WireConnection(port: server.port, receiveBuffer: 4096)
            await downloading.send("GET", "/gradle/main/abc")
            try await waitUntil("both transfers have begun") {
                server.hasOpen("/uploads/") && server.hasOpen("/blobs/sha256/")
            }

            server.signal(SIGTERM)
            let port = server.port
            try await waitUntil("new connections are refused") { (try? WireConnection(port: port)) == nil }

            await uploading.send(Array(upload.dropFirst(100_000)))
            let reply = try await uploading.readReply(to: "PUT")
            #expect(reply.status == 200)
            #expect(reply.headers["connection"] == "close")
            #expect(try await downloading.readReply().body == download)
            #expect(try await server.wait() == 0)

            try await server.startAgain()
            let stored = try await WireConnection(port: server.port).exchange("GET", Self.key)
            #expect(stored.body == upload)
        }
    }

    /// A connection may be accepted in the moment in which the listener closes.
    @Test(arguments: 1...5)
    func connectionsThatComeAtTheEndDoNoHarm(round: Int) async throws {
        try await withLiveServer { server in
            let port = server.port
            server.signal(SIGTERM)
            while (try? WireConnection(port: port)) != nil {}
            let status = try await server.wait()
            #expect(status == 0, "\(server.log.suffix(2000))")
        }
    }

    @Test
    func aTransferThatDoesNotFinishIsCutOffAfterTheGrace() async throws {
        try await withLiveServer(arguments: ["--shutdown-grace", "1s"]) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send("PUT", Self.key, headers: ["Content-Length: 1000000"])
            await connection.send([UInt8](repeating: 0x63, count: 100_000))
            let uploads = "\(server.dataFolder)/uploads"
            try await waitUntil("the upload has begun") {
                try !FileManager.default.contentsOfDirectory(atPath: uploads).isEmpty
            }
            let start = ContinuousClock.now
            server.signal(SIGTERM)
            #expect(try await server.wait(timeoutSeconds: 30) == 0)
            #expect(ContinuousClock.now - start >= .seconds(1))
            #expect(try FileManager.default.contentsOfDirectory(atPath: uploads) == [])
            let (rest, _) = await connection.readToEnd()
            #expect(!rest.starts(with: "HTTP/1.1 2".utf8))
        }
    }

    @Test
    func aSecondServerOnTheSameFolderIsRefusedAndToldThePid() async throws {
        try await withLiveServer { server in
            let second = try await server.larder("serve", "--listen", "127.0.0.1:0")
            #expect(second.status == 1)
            #expect(second.errors.contains("is in use by process \(server.processID)"))
            #expect(try await WireConnection(port: server.port).exchange("GET", "/healthz").status == 200)
        }
    }

    @Test
    func aLockOfADeadServerIsNone() async throws {
        try await withLiveServer { server in
            try await server.killAndRestart()
            #expect(try await WireConnection(port: server.port).exchange("GET", "/healthz").status == 200)
            #expect(readText("\(server.dataFolder)/LOCK") == "\(server.processID)\n")
        }
    }

    @Test
    func anAddressInUseIsNamed() async throws {
        try await withLiveServer { server in
            try await withTemporaryFolder { folder in
                let second = try await runProgram(
                    larderPath,
                    ["serve", "--data-dir", folder, "--listen", "127.0.0.1:\(server.port)"]
                )
                #expect(second.status == 1)
                #expect(second.errors.lowercased().contains("address already in use"))
                #expect(second.errors.contains("\(server.port)"))
            }
        }
    }

    // MARK: - Other machines

    @Test(arguments: ["0.0.0.0:0", "[::]:0", "example.org:7878", "10.0.0.1:7878"])
    func anAddressThatOthersReachNeedsWords(address: String) async throws {
        try await withTemporaryFolder { folder in
            let result = try await runProgram(larderPath, ["serve", "--data-dir", folder, "--listen", address])
            #expect(result.status == 1)
            #expect(result.errors.contains("--allow-anonymous"))
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/FORMAT"))
        }
    }

    @Test
    func anonymousReadersMayReadOnly() async throws {
        try await withLiveServer(arguments: ["--listen", "0.0.0.0:0", "--allow-anonymous", "read"]) { server in
            let connection = try WireConnection(port: server.port)
            let cases: [(method: String, path: String, body: [UInt8]?, status: Int)] = [
                ("GET", Self.key, nil, 404), ("HEAD", "/gradle/main/abc", nil, 404), ("GET", "/healthz", nil, 200),
                ("PROPFIND", "/sccache/main/", [], 207), ("OPTIONS", "/maven/main/v1", nil, 200),
                ("PUT", Self.key, [1], 401), ("DELETE", Self.key, nil, 401), ("MKCOL", "/sccache/main/a/", nil, 401),
                ("PUT", "/bazel/main/cas/\(sha256Hex([1]))", [1], 401),
                ("PUT", "/maven/main/v1/g/a/c/f", [1], 401), ("PUT", "/sccache/main/a", [1], 401),
                // Gradle would switch its cache off for any other answer.
                ("PUT", "/gradle/main/abc", [1], 200), ("GET", "/gradle/main/abc", nil, 404),
                ("POST", "/api/v1/compact", [], 401),
            ]
            for (method, path, body, status) in cases {
                let reply = try await connection.exchange(method, path, body: body)
                #expect(reply.status == status, "\(method) \(path)")
            }
            // Whoever runs the server may do more.
            #expect(try await server.larder("repo", "create", "made-here").status == 0)
        }
    }

    @Test
    func anonymousWritersMayWriteUnderAnyHostName() async throws {
        try await withLiveServer(arguments: ["--listen", "0.0.0.0:0", "--allow-anonymous", "write"]) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send("PUT \(Self.key) HTTP/1.1\r\nHost: cache.example\r\nContent-Length: 1\r\n\r\nx")
            #expect(try await connection.readReply(to: "PUT").status == 200)
            #expect(try await connection.exchange("GET", Self.key).body == [0x78])
        }
    }
}
