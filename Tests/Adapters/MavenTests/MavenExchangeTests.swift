import LarderTestSupport
import Testing

/// The exchanges of Maven's build cache extension 1.2 over the resolver's Apache transport (build-cache reference,
/// section 7), replayed: Debian's Maven is too old to run the extension.
@Suite(.serialized)
struct MavenExchangeTests {
    private static let folder = "/maven/main/v1.2/org.example/app/9f86d081884c7d65"
    /// What the transport adds to every request.
    private static let always = [
        "Cache-Control: no-cache, no-store", "Pragma: no-cache", "User-Agent: Apache-Maven/3.9.9 (Java 17; Linux 6.1)",
        "Connection: Keep-Alive",
    ]

    @Test(arguments: [20, 200_000])
    func aSavedBuildIsRestored(artifactSize: Int) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            // The lookup of a build that nobody made yet.
            let lookup = try await Self.get(connection, "buildinfo.xml")
            #expect(lookup.status == 404)
            #expect(lookup.headers["content-length"] == "0")

            // Artifacts first; buildinfo.xml commits them.
            let files: [(name: String, body: [UInt8])] = [
                ("app.jar", [UInt8](repeating: 0x50, count: artifactSize)), ("app-sources.jar", [1, 2, 3]),
                ("app.pom", Array("<project/>".utf8)), ("buildinfo.xml", Array("<build/>".utf8)),
            ]
            for (name, body) in files {
                try await Self.put(connection, "\(Self.folder)/\(name)", body)
            }
            let report = "/maven/main/v1.2/org.example/app/0b14-uuid/build-cache-report.xml"
            try await Self.put(connection, report, Array("<report/>".utf8))

            // Another machine restores.
            let other = try WireConnection(port: server.port)
            for (name, body) in files.reversed() {
                let reply = try await Self.get(other, name)
                #expect(reply.status == 200, "\(name)")
                #expect(reply.body == body, "\(name)")
                #expect(reply.headers["content-encoding"] == nil, "\(name)")
            }
            #expect(try await Self.get(other, "buildinfo.xml").headers["content-type"] == "application/xml")
            #expect(try await Self.get(other, "app.jar").headers["content-type"] == "application/octet-stream")
        }
    }

    @Test(arguments: [4096, 200_000])
    func anInterruptedDownloadIsResumed(size: Int) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) }
            try await Self.put(connection, "\(Self.folder)/app.jar", body)
            let modified = try #require(try await Self.get(connection, "app.jar").headers["last-modified"])

            let resumed = try await Self.get(
                connection,
                "app.jar",
                ["Range: bytes=1000-", "If-Unmodified-Since: \(modified)", "Accept-Encoding: identity"]
            )
            #expect(resumed.status == 206)
            #expect(resumed.headers["content-range"] == "bytes 1000-\(size - 1)/\(size)")
            #expect(resumed.headers["content-length"] == "\(size - 1000)")
            #expect(resumed.body == Array(body[1000...]))

            // The file was replaced since: the client starts again without a range.
            let changed = try await Self.get(
                connection,
                "app.jar",
                [
                    "Range: bytes=1000-", "If-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT",
                    "Accept-Encoding: identity",
                ]
            )
            #expect(changed.status == 412)
            #expect(changed.headers["content-length"] == "0")
            #expect(try await Self.get(connection, "app.jar").body == body)
        }
    }

    @Test
    func aRefusedUploadIsAnsweredBeforeItsBody() async throws {
        try await withLiveServer(arguments: ["--max-blob-size", "1MiB"]) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send(
                "PUT",
                "\(Self.folder)/app.jar",
                headers: Self.always + ["Expect: 100-continue", "Content-Length: 2000000"]
            )
            // Never 417, which would make the client send it again without `Expect`.
            #expect(try await connection.readReply(to: "PUT").status == 413)
        }
    }

    /// With a `DAV` header the client would make every folder with MKCOL first.
    @Test(arguments: ["/maven/main", "/maven/main/", "/maven/main/v1.2/org.example/", "\(folder)/app.jar"])
    func optionsPromiseNoWebDAV(path: String) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let reply = try await connection.exchange("OPTIONS", path, headers: Self.always)
            #expect(reply.status == 200)
            #expect(reply.headers["dav"] == nil)
            #expect(reply.headers["allow"] == "GET, HEAD, PUT, OPTIONS")
            #expect(reply.headers["content-length"] == "0")
        }
    }

    @Test(arguments: [
        "/maven/main/v1.2/org.example/app/maven-metadata.xml", "/maven/main/v1.2/org.example/", "/maven/main",
        "\(folder)/app.jar.sha1",
    ])
    func whatWasNeverSavedIsAMiss(path: String) async throws {
        try await withLiveServer { server in
            let reply = try await WireConnection(port: server.port).exchange("GET", path, headers: Self.always)
            #expect(reply.status == 404)
            #expect(reply.headers["content-length"] == "0")
        }
    }

    private static func get(
        _ connection: WireConnection,
        _ name: String,
        _ headers: [String] = []
    ) async throws -> WireReply {
        try await connection.exchange("GET", "\(folder)/\(name)", headers: always + headers)
    }

    /// The head, the server's leave, the body.
    private static func put(_ connection: WireConnection, _ path: String, _ body: [UInt8]) async throws {
        await connection.send(
            "PUT",
            path,
            headers: always + ["Expect: 100-continue", "Content-Length: \(body.count)"]
        )
        try #require(try await connection.readReply(to: "PUT").status == 100)
        await connection.send(body)
        try #require(try await connection.readReply(to: "PUT").status == 200)
    }
}
