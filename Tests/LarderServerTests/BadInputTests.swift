import Foundation
import LarderTestSupport
import Testing

/// Whatever a client sends, or fails to send, costs the server nothing that lasts, and a mistake is named with a 4xx.
@Suite(.serialized)
struct BadInputTests {
    private static let key = "/ccache/main/00112233445566778899aabbccddeeff00112233"

    // MARK: - Mistakes

    private struct Mistake {
        let what: String
        let status: Int
        let request: String

        init(_ what: String, _ status: Int, _ request: String) {
            self.what = what
            self.status = status
            self.request = request
        }
    }

    private static func put(_ headers: String, _ body: String = "") -> String {
        "PUT \(key) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n\r\n\(body)"
    }

    private static func get(_ headers: String, path: String = key, version: String = "HTTP/1.1") -> String {
        "GET \(path) \(version)\r\nHost: localhost\r\n\(headers)\r\n"
    }

    private static let brokenRequests = [
        Mistake("garbage instead of a request line", 400, "GARBAGE\r\n\r\n"),
        Mistake("TLS spoken to a plain port", 400, "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{3}\u{3}\r\n\r\n"),
        Mistake("HTTP/2's preface", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Mistake("a version that is none", 400, get("", version: "HTTP/9.9")),
        Mistake("a method that is none", 400, "BREW \(key) HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Mistake("a space before the colon of a header", 400, "GET \(key) HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        Mistake("a zero byte in a header", 400, get("X: a\0b\r\n")),
        Mistake("one header of 40,000 bytes", 431, get("X: \(String(repeating: "a", count: 40_000))\r\n")),
        Mistake("300 headers", 431, get((0..<300).map { "X\($0): a\r\n" }.joined())),
        Mistake("a path of 50,000 bytes", 431, get("", path: "/\(String(repeating: "a", count: 50_000))")),
        Mistake("both a length and chunks", 400, put("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        Mistake("two different lengths", 400, put("Content-Length: 5\r\nContent-Length: 6", "hello!")),
        Mistake("a negative length", 400, put("Content-Length: -5")),
        Mistake("a length that is no number", 400, put("Content-Length: abc")),
        Mistake("a length with a sign", 400, put("Content-Length: +5", "hello")),
        Mistake("a length beyond all integers", 400, put("Content-Length: 99999999999999999999999999")),
        Mistake("a chunk whose size is no number", 400, put("Transfer-Encoding: chunked", "zz\r\nabc\r\n")),
        Mistake("a chunk longer than it says", 400, put("Transfer-Encoding: chunked", "3\r\nabcdef\r\n0\r\n\r\n")),
        Mistake("an unknown transfer coding", 400, put("Transfer-Encoding: gzip", "abc")),
    ]

    @Test
    func whatIsNoHTTPIsRefusedAndTheConnectionClosed() async throws {
        try await withLiveServer { server in
            for mistake in Self.brokenRequests {
                let connection = try WireConnection(port: server.port)
                await connection.send(mistake.request)
                do {
                    let reply = try await connection.readReply()
                    #expect(reply.status == mistake.status, "\(mistake.what)")
                    #expect(reply.headers["connection"] == "close", "\(mistake.what)")
                } catch {
                    Issue.record(error, "\(mistake.what)")
                    continue
                }
                let (rest, ending) = await connection.readToEnd()
                #expect(rest.isEmpty, "\(mistake.what)")
                #expect(ending == .closed, "\(mistake.what)")
                let lookup = try await WireConnection(port: server.port).exchange("GET", Self.key)
                #expect(lookup.status == 404, "\(mistake.what)")
            }
        }
    }

    private static let wrongRequests = [
        Mistake("no Host", 400, "GET \(key) HTTP/1.1\r\n\r\n"),
        Mistake("two hosts", 400, "GET \(key) HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
        Mistake("no path", 400, get("", path: "*")),
        Mistake("a whole URL as path", 400, get("", path: "http://localhost\(key)")),
        Mistake("a path of 5,000 bytes", 400, get("", path: "/\(String(repeating: "a", count: 5000))")),
        Mistake("an unknown path", 404, get("", path: "/nothing/here")),
        Mistake("an unknown path of the API", 404, get("", path: "/api/v2/status")),
        Mistake("a method that the path does not have", 405, put("Content-Length: 0").replacing("PUT", with: "PATCH")),
        Mistake("an upload without a length", 411, put("X: y")),
        Mistake("an unknown expectation", 417, put("Expect: 200-maybe\r\nContent-Length: 3", "abc")),
        Mistake("a foreign host", 421, "GET \(key) HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        Mistake("a host like ours", 421, "GET \(key) HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n"),
        Mistake("a host like our address", 421, "GET \(key) HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n"),
        Mistake("a web page", 403, get("Origin: http://localhost\r\n")),
        Mistake("a web page in a sandbox", 403, get("Origin: null\r\n")),
        Mistake("a web page that uploads", 403, put("Origin: http://evil.example\r\nContent-Length: 3", "abc")),
    ]

    @Test
    func whatMeansNothingIsRefusedAndTheConnectionKept() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            for mistake in Self.wrongRequests {
                await connection.send(mistake.request)
                let reply = try await connection.readReply()
                #expect(reply.status == mistake.status, "\(mistake.what)")
                #expect(reply.headers["connection"] == nil, "\(mistake.what)")
            }
            let lookup = try await connection.exchange("GET", Self.key)
            #expect(lookup.status == 404)
        }
    }

    @Test
    func namesOfTheLoopbackAreAccepted() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            for host in [
                "localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:7878", "127.3.2.1:80", "[::1]", "[::1]:7878",
            ] {
                await connection.send("GET \(Self.key) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                let reply = try await connection.readReply()
                #expect(reply.status == 404, "\(host)")
            }
        }
    }

    @Test
    func namesOfTheConfigurationAreAccepted() async throws {
        try await withLiveServer(arguments: ["--host", "cache.example, other.example"]) { server in
            let connection = try WireConnection(port: server.port)
            for (host, status) in [
                ("cache.example", 404), ("Cache.Example:7878", 404), ("other.example", 404), ("third.example", 421),
            ] {
                await connection.send("GET \(Self.key) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                let reply = try await connection.readReply()
                #expect(reply.status == status, "\(host)")
            }
        }
    }

    @Test(arguments: [5, 100_000])
    func bytesBehindABodyAreNotPartOfIt(length: Int) async throws {
        try await withLiveServer { server in
            let body = [UInt8](repeating: 0x61, count: length)
            let connection = try WireConnection(port: server.port)
            await connection.send("PUT", Self.key, headers: ["Content-Length: \(length)"])
            await connection.send(body + Array("surplus\r\n\r\n".utf8))
            #expect(try await connection.readReply(to: "PUT").status == 200)
            let surplus = try await connection.readReply()
            #expect(surplus.status == 400)
            let (rest, ending) = await connection.readToEnd()
            #expect(rest.isEmpty)
            #expect(ending == .closed)
            let stored = try await WireConnection(port: server.port).exchange("GET", Self.key)
            #expect(stored.body == body)
        }
    }

    // MARK: - Slow clients

    private static let impatience = ["--head-timeout", "1s", "--idle-timeout", "1s", "--stall-timeout", "1s"]

    @Test(arguments: [(what: "nothing", text: ""), (what: "half a head", text: "GET / HTTP/1.1\r\nHost: loc")])
    func aClientThatNeverAsksIsCutOff(what: String, text: String) async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send(text)
            let (answer, ending) = await connection.readToEnd()
            #expect(answer.isEmpty, "\(what)")
            #expect(ending == .closed, "\(what)")
        }
    }

    @Test
    func aHeadThatComesInDropsIsCutOff() async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send("GET / HTTP/1.1\r\nX: ")
            try await waitUntil("the connection is closed", timeoutSeconds: 20) { await !connection.send("a") }
        }
    }

    @Test
    func aConnectionThatAsksNoMoreIsClosed() async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let connection = try WireConnection(port: server.port)
            #expect(try await connection.exchange("GET", Self.key).status == 404)
            let (rest, ending) = await connection.readToEnd()
            #expect(rest.isEmpty)
            #expect(ending == .closed)
        }
    }

    @Test(arguments: [
        (what: "a small upload", path: key, framing: "Content-Length: 100"),
        (what: "a large upload", path: key, framing: "Content-Length: 1000000"),
        (what: "a chunked upload", path: key, framing: "Transfer-Encoding: chunked"),
        (what: "a refused upload", path: "/ccache/main/XYZ", framing: "Content-Length: 100000"),
    ])
    func aBodyThatDoesNotComeOnIsCutOff(what: String, path: String, framing: String) async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send("PUT", path, headers: [framing])
            await connection.send(framing.hasPrefix("Transfer") ? "3\r\nabc\r\n" : "abc")
            let reply = try await connection.readReply(to: "PUT")
            #expect(reply.status == 408)
            #expect(reply.headers["connection"] == "close")
            connection.finishSending()
            let (rest, ending) = await connection.readToEnd()
            #expect(rest.isEmpty)
            #expect(ending == .closed)
            try await Self.expectNoUploads(server)
            let lookup = try await WireConnection(port: server.port).exchange("GET", Self.key)
            #expect(lookup.status == 404)
        }
    }

    @Test
    func aBodyThatComesInDropsIsCutOff() async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let connection = try WireConnection(port: server.port)
            await connection.send("PUT", Self.key, headers: ["Content-Length: 1000000"])
            // 10 ms between two bytes: far below the 4 KiB that a window must bring.
            try await waitUntil("the connection is closed", timeoutSeconds: 20) { await !connection.send("a") }
            try await Self.expectNoUploads(server)
        }
    }

    @Test
    func aClientThatNeverReadsItsAnswerIsCutOff() async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let body = [UInt8](repeating: 0x62, count: 32 << 20)
            let sender = try WireConnection(port: server.port)
            #expect(try await sender.exchange("PUT", Self.key, body: body).status == 200)
            let connection = try WireConnection(port: server.port, receiveBuffer: 4096)
            await connection.send("GET", Self.key)
            try await waitUntil("the answer has begun") { server.hasOpen("/blobs/sha256/") }
            try await waitUntil("the answer was given up") { !server.hasOpen("/blobs/sha256/") }
            let (bytes, ending) = await connection.readToEnd()
            #expect(bytes.count < body.count)
            #expect(ending != .silent)
        }
    }

    @Test
    func aClientThatReadsSlowlyButSteadilyGetsItAll() async throws {
        try await withLiveServer(arguments: Self.impatience) { server in
            let body = [UInt8](repeating: 0x63, count: 16 << 20)
            let sender = try WireConnection(port: server.port)
            #expect(try await sender.exchange("PUT", Self.key, body: body).status == 200)
            let connection = try WireConnection(port: server.port, receiveBuffer: 64 << 10)
            await connection.send("GET", Self.key, headers: ["Connection: close"])
            // At least 10 ms lie between two questions: 400 kB a second at most, for as long as four stall times.
            // What the kernel holds back must not be taken for a client that does not read.
            var received = 0
            let end = ContinuousClock.now + .seconds(4)
            try await waitUntil("four stall times are over") {
                received += try await connection.readBytes(4000).count
                return ContinuousClock.now > end
            }
            let rest = await connection.readToEnd()
            #expect(rest.ending == .closed)
            #expect(received + rest.bytes.count > body.count)
        }
    }

    // MARK: - Many clients

    @Test
    func aThousandShortConnectionsAreServedAtOnce() async throws {
        try await withLiveServer { server in
            let clock = ContinuousClock()
            let port = server.port
            let before = server.descriptorCount
            // ccache gives a connection up after 100 ms; a full backlog shows as a second try after 1 s.
            let durations = try await withThrowingTaskGroup(of: Duration.self) { group in
                for _ in 0..<1000 {
                    group.addTask {
                        let start = clock.now
                        let connection = try WireConnection(port: port)
                        let duration = clock.now - start
                        let reply = try await connection.exchange("GET", Self.key)
                        guard reply.status == 404 else { throw TestFailure("answered \(reply.status)") }
                        return duration
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(durations.count == 1000)
            // A thread that had to wait for a processor is no full backlog.
            #expect(durations.count { $0 > .milliseconds(900) } < 10)
            try await waitUntil("the descriptors are closed") { server.descriptorCount <= before + 10 }
        }
    }

    @Test
    func clientsThatVanishLeaveNothingBehind() async throws {
        try await withLiveServer { server in
            // What the process takes once (pools, the allocator's arenas) is taken by the first two rounds.
            try await Self.vanish(clientCount: 200, server)
            try await Self.vanish(clientCount: 200, server)
            let (descriptors, memory) = (server.descriptorCount, server.residentKiB)
            try await Self.vanish(clientCount: 200, server)
            try await Self.vanish(clientCount: 200, server)
            try await waitUntil("the descriptors are closed") { server.descriptorCount <= descriptors + 5 }
            // A leak of one buffer for each client would be 200 MiB a round.
            #expect(server.residentKiB < memory + (80 << 10))
            let lookup = try await WireConnection(port: server.port).exchange("GET", Self.key)
            #expect(lookup.status == 404)
        }
    }

    /// Clients that all stop in the middle of an upload.
    private static func vanish(clientCount: Int, _ server: LiveServer) async throws {
        let part = [UInt8](repeating: 0x64, count: 2 << 20)
        let port = server.port
        let connections = try await withThrowingTaskGroup(of: WireConnection.self) { group in
            for number in 0..<clientCount {
                group.addTask {
                    let connection = try WireConnection(port: port)
                    await connection.send(
                        "PUT",
                        "/gradle/main/\(String(number + 0xabc0000, radix: 16))",
                        headers: ["Content-Length: \(8 << 20)"]
                    )
                    await connection.send(part)
                    return connection
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        try await waitUntil("all uploads have begun") { uploads(server).count == clientCount }
        for connection in connections { connection.reset() }
        try await expectNoUploads(server)
    }

    private static func uploads(_ server: LiveServer) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(server.dataFolder)/uploads")) ?? []
    }

    private static func expectNoUploads(_ server: LiveServer) async throws {
        try await waitUntil("uploads/ is empty") { uploads(server).isEmpty }
    }
}
