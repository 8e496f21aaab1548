import Foundation
import Synchronization

/// What every HTTP adapter owes its clients, whatever its paths look like.
///
/// A suite joins with one line: `#expect(try await contract.violations() == [])`.
package struct AdapterContract: Sendable {
    /// The path of what 64 hexadecimal digits name: the content's SHA-256 where content is addressed so, else a key.
    package let path: @Sendable (String) -> String
    /// Whether the path names the content, so that it can't be overwritten with another.
    package let isContentAddressed: Bool
    /// The status for an upload above `--max-blob-size`.
    package let oversizeStatus: Int
    /// The `Allow` header of a 405.
    package let allowedMethods: String
    /// Paths that an upload is refused at with 400.
    package let malformedPaths: [String]

    package init(
        path: @escaping @Sendable (String) -> String,
        isContentAddressed: Bool = false,
        oversizeStatus: Int = 413,
        allowedMethods: String,
        malformedPaths: [String]
    ) {
        self.path = path
        self.isContentAddressed = isContentAddressed
        self.oversizeStatus = oversizeStatus
        self.allowedMethods = allowedMethods
        self.malformedPaths = malformedPaths
    }

    /// Blobs up to this size live in the database.
    package static let inlineLimit = 16 << 10
    /// The server under test takes nothing larger.
    package static let sizeLimit = 2 << 20

    /// Checks all rules, one after the other, against one server; a line for each that is broken.
    package func violations() async throws -> [String] {
        try await withLiveServer(arguments: ["--max-blob-size", "2MiB", "--inline-limit", "16KiB"]) { server in
            let run = ContractRun(contract: self, server: server)
            var broken: [String] = []
            for (name, check) in ContractRun.rules {
                do {
                    try await check(run)()
                } catch {
                    broken.append("\(name): \(error)")
                }
            }
            return broken
        }
    }
}

/// One run of the contract against one server.
private final class ContractRun: Sendable {
    let contract: AdapterContract
    let server: LiveServer
    private let generator = Mutex(SeededGenerator(seed: 7878))

    init(contract: AdapterContract, server: LiveServer) {
        self.contract = contract
        self.server = server
    }

    static let rules: [(name: String, check: @Sendable (ContractRun) -> () async throws -> Void)] = [
        ("what is put comes back", { $0.checkRoundTrips }),
        ("a miss is a miss", { $0.checkMiss }),
        ("a second upload replaces the first", { $0.checkOverwrite }),
        ("content of another name is refused", { $0.checkDigest }),
        ("the size limit holds", { $0.checkSizeLimit }),
        ("an aborted upload leaves nothing behind", { $0.checkAborts }),
        ("a chunked upload is stored", { $0.checkChunked }),
        ("a chunked upload without its end is not stored", { $0.checkCutChunked }),
        ("HEAD has the headers of GET", { $0.checkHead }),
        ("ranges are served", { $0.checkRanges }),
        ("what the client has is not sent again", { $0.checkConditions }),
        ("an unknown method is refused with the known ones", { $0.checkMethods }),
        ("malformed keys are refused", { $0.checkMalformedPaths }),
        ("no path leads out", { $0.checkEscapes }),
        ("an upload says how long it is", { $0.checkLengthRequired }),
        ("a client that waits for leave gets it", { $0.checkExpectation }),
        ("a client that waits for leave in vain sends nothing", { $0.checkRefusedExpectation }),
        ("a refused upload does not cost the connection", { $0.checkRefusedUpload }),
        ("a refusal reaches a client that sends all the same", { $0.checkRefusedLargeUpload }),
        ("pipelined requests are answered in order", { $0.checkPipelining }),
        ("HTTP/1.0 gets its answer and the end", { $0.checkHTTP10 }),
        ("what was stored survives a restart", { $0.checkRestart }),
    ]

    // MARK: - Content

    private func checkRoundTrips() async throws {
        let limit = AdapterContract.inlineLimit
        let connection = try connect()
        for size in [1, 4 << 10, limit - 1, limit, limit + 1, 1 << 20, AdapterContract.sizeLimit] {
            let (bytes, path) = content(size)
            let put = try await connection.exchange("PUT", path, body: bytes)
            try expect(put.status, is: 200, "PUT of \(size) bytes")
            try expect(put.headers["content-length"], is: "0", "Content-Length of PUT's answer")
            let get = try await connection.exchange("GET", path)
            try expect(get.status, is: 200, "GET of \(size) bytes")
            try expect(get.body == bytes, "GET of \(size) bytes brought other bytes")
            let head = try await connection.exchange("HEAD", path)
            try expect(head.status, is: 200, "HEAD of \(size) bytes")
            try expect(head.headers["content-length"], is: "\(size)", "Content-Length of HEAD")
        }
    }

    private func checkMiss() async throws {
        let connection = try connect()
        for method in ["GET", "HEAD"] {
            let reply = try await connection.exchange(method, content(10).path)
            try expect(reply.status, is: 404, method)
            try expect(reply.headers["content-length"], is: "0", "Content-Length of \(method)")
        }
    }

    private func checkOverwrite() async throws {
        let connection = try connect()
        let sizes =
            contract.isContentAddressed
            ? [(100, 100), (1 << 20, 1 << 20)] : [(100, 200), (200, 1 << 20), (1 << 20, 7)]
        for (first, second) in sizes {
            let (old, path) = content(first)
            let new = contract.isContentAddressed ? old : content(second).bytes
            try expect(try await connection.exchange("PUT", path, body: old).status, is: 200, "first PUT")
            try expect(try await connection.exchange("GET", path).body == old, "GET after the first PUT")
            try expect(try await connection.exchange("PUT", path, body: new).status, is: 200, "second PUT")
            try expect(try await connection.exchange("GET", path).body == new, "GET after the second PUT")
        }
        try await expectNoUploads()
    }

    private func checkDigest() async throws {
        guard contract.isContentAddressed else { return }
        let connection = try connect()
        for size in [100, 1 << 20] {
            let (bytes, path) = content(size)
            let other = content(size).bytes
            try expect(try await connection.exchange("PUT", path, body: other).status, is: 400, "PUT of other bytes")
            try await expectMiss(path)
            try expect(try await connection.exchange("PUT", path, body: bytes).status, is: 200, "PUT of its bytes")
        }
        try await expectNoUploads()
    }

    private func checkSizeLimit() async throws {
        let (bytes, path) = content(AdapterContract.sizeLimit + 1)
        let declared = try connect()
        let reply = try await declared.exchange("PUT", path, body: bytes)
        try expect(reply.status, is: contract.oversizeStatus, "PUT above the limit")
        try await expectMiss(path)

        let undeclared = try connect()
        await undeclared.send("PUT", path, headers: ["Transfer-Encoding: chunked"])
        // The server may stop reading before the end.
        await undeclared.send(Self.chunks(bytes, ended: true))
        let chunkedReply = try await undeclared.readReply(to: "PUT")
        try expect(chunkedReply.status, is: contract.oversizeStatus, "chunked PUT above the limit")
        try await expectMiss(path)
        try await expectNoUploads()
    }

    private func checkAborts() async throws {
        let descriptorsBefore = server.descriptorCount
        for size in [8 << 10, 1 << 20] {
            var paths: [String] = []
            var connections: [WireConnection] = []
            for _ in 0..<20 {
                let (bytes, path) = content(size)
                let connection = try connect()
                await connection.send("PUT", path, headers: ["Content-Length: \(size)"])
                await connection.send(Array(bytes.prefix(size / 2)))
                paths.append(path)
                connections.append(connection)
            }
            if size > AdapterContract.inlineLimit {
                try await waitUntil("20 uploads have begun") { uploads.count == 20 }
            }
            for connection in connections { connection.reset() }
            try await expectNoUploads()
            for path in paths {
                try await expectMiss(path)
            }
        }
        // A reader or two of the database may have been opened meanwhile.
        try await waitUntil("the descriptors of 40 aborted uploads are closed") {
            server.descriptorCount <= descriptorsBefore + 10
        }
        try await waitUntil("nothing is reserved for aborted uploads") { try await reservedBytes() == 0 }
    }

    private func checkChunked() async throws {
        let connection = try connect()
        for size in [0, 3000, 1 << 20] where size > 0 || !contract.isContentAddressed {
            let (bytes, path) = content(size)
            await connection.send("PUT", path, headers: ["Transfer-Encoding: chunked"])
            await connection.send(Self.chunks(bytes, ended: true))
            try expect(try await connection.readReply(to: "PUT").status, is: 200, "chunked PUT of \(size) bytes")
            try expect(try await connection.exchange("GET", path).body == bytes, "GET of \(size) bytes")
        }
    }

    private func checkCutChunked() async throws {
        for size in [3000, 300_000] {
            for isReset in [false, true] {
                let (bytes, path) = content(size)
                let connection = try connect()
                await connection.send("PUT", path, headers: ["Transfer-Encoding: chunked"])
                await connection.send(Self.chunks(bytes, ended: false))
                if isReset {
                    connection.reset()
                } else {
                    connection.finishSending()
                    let (answer, _) = await connection.readToEnd()
                    try expect(!answer.starts(with: "HTTP/1.1 2".utf8), "an upload without its end was accepted")
                }
                try await expectNoUploads()
                try await expectMiss(path)
            }
        }
    }

    // MARK: - Reading

    private func checkHead() async throws {
        let connection = try connect()
        for size in [4 << 10, 1 << 20] {
            let path = try await store(size).path
            var get = try await connection.exchange("GET", path).headers
            var head = try await connection.exchange("HEAD", path).headers
            get["x-request-id"] = nil
            head["x-request-id"] = nil
            try expect(head, is: get, "headers of HEAD for \(size) bytes")
            try expect(get["etag"] != nil, "no ETag")
        }
    }

    private func checkRanges() async throws {
        let connection = try connect()
        for size in [4 << 10, 1 << 20] {
            let (bytes, path) = try await store(size)
            for (range, first, last) in [
                ("bytes=0-9", 0, 9), ("bytes=100-", 100, size - 1), ("bytes=-7", size - 7, size - 1),
                ("bytes=\(size - 1)-\(size + 50)", size - 1, size - 1),
            ] {
                let reply = try await connection.exchange("GET", path, headers: ["Range: \(range)"])
                try expect(reply.status, is: 206, range)
                try expect(reply.headers["content-range"], is: "bytes \(first)-\(last)/\(size)", range)
                try expect(reply.body == Array(bytes[first...last]), "\(range) brought other bytes")
            }
            let beyond = try await connection.exchange("GET", path, headers: ["Range: bytes=\(size)-"])
            try expect(beyond.status, is: 416, "a range behind the end")
            try expect(beyond.headers["content-range"], is: "bytes */\(size)", "Content-Range of 416")
            let backwards = try await connection.exchange("GET", path, headers: ["Range: bytes=5-1"])
            try expect(backwards.status, is: 416, "a range that ends before it begins")
            for ignored in ["lines=1-2", "bytes=", "bytes=a-b"] {
                let whole = try await connection.exchange("GET", path, headers: ["Range: \(ignored)"])
                try expect(whole.status, is: 200, ignored)
                try expect(whole.body == bytes, "\(ignored) brought other bytes")
            }
            try await checkMultipleRanges(bytes, path, connection)
        }
    }

    private func checkMultipleRanges(_ bytes: [UInt8], _ path: String, _ connection: WireConnection) async throws {
        let reply = try await connection.exchange("GET", path, headers: ["Range: bytes=0-3, 10-13"])
        try expect(reply.status, is: 206, "two ranges")
        let type = reply.headers["content-type"] ?? ""
        try expect(type.hasPrefix("multipart/byteranges; boundary="), "two ranges came as \(type)")
        let boundary = type.dropFirst("multipart/byteranges; boundary=".count)
        let whole = try await connection.exchange("HEAD", path)
        var expected: [UInt8] = []
        for (first, last) in [(0, 3), (10, 13)] {
            expected += Array(
                """
                \r\n--\(boundary)\r\nContent-Type: \(whole.headers["content-type"] ?? "")\r\n\
                Content-Range: bytes \(first)-\(last)/\(bytes.count)\r\n\r\n
                """.utf8
            )
            expected += bytes[first...last]
        }
        expected += Array("\r\n--\(boundary)--\r\n".utf8)
        try expect(reply.body == expected, "two ranges came in a strange form: \(reply.text)")
    }

    private func checkConditions() async throws {
        let connection = try connect()
        for size in [4 << 10, 1 << 20] {
            let (bytes, path) = try await store(size)
            let tag = try await connection.exchange("HEAD", path).headers["etag"] ?? ""
            for method in ["GET", "HEAD"] {
                let same = try await connection.exchange(method, path, headers: ["If-None-Match: \(tag)"])
                try expect(same.status, is: 304, "\(method) with If-None-Match")
                try expect(same.headers["etag"], is: tag, "ETag of 304")
            }
            let other = try await connection.exchange("GET", path, headers: ["If-None-Match: \"other\""])
            try expect(other.status, is: 200, "If-None-Match with another tag")
            try expect(other.body == bytes, "If-None-Match with another tag brought other bytes")
            let failed = try await connection.exchange("GET", path, headers: ["If-Match: \"other\""])
            try expect(failed.status, is: 412, "If-Match with another tag")
        }
    }

    // MARK: - Refusals

    private func checkMethods() async throws {
        let connection = try connect()
        for method in ["POST", "PATCH", "LOCK"] {
            let reply = try await connection.exchange(method, content(10).path, body: [])
            try expect(reply.status, is: 405, method)
            try expect(reply.headers["allow"], is: contract.allowedMethods, "Allow of \(method)")
        }
    }

    private func checkMalformedPaths() async throws {
        let connection = try connect()
        for path in contract.malformedPaths {
            let reply = try await connection.exchange("PUT", path, body: [1, 2, 3])
            try expect(reply.status, is: 400, "PUT \(path)")
        }
    }

    private func checkEscapes() async throws {
        let connection = try connect()
        let path = content(10).path
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let (folder, key) = (path[..<slash], path[path.index(after: slash)...])
        for escape in [
            "\(folder)/../\(key)", "\(folder)/%2e%2e/\(key)", "\(folder)/.%2E/\(key)", "\(folder)/..%2f\(key)",
            "\(folder)/..%2F..%2Fetc%2Fpasswd", "\(folder)/%5c..%5c\(key)", "\(folder)/\(key)%00", "\(folder)/./\(key)",
            "\(folder)//\(key)", "\(folder)/\(key)%0d%0aX:%20y", "\(folder)/%zz\(key)", "\(folder)/%ff%fe",
        ] {
            for method in ["GET", "PUT"] {
                let reply = try await connection.exchange(method, escape, body: method == "PUT" ? [1, 2, 3] : nil)
                try expect(reply.status, is: 400, "\(method) \(escape)")
            }
        }
    }

    private func checkLengthRequired() async throws {
        let connection = try connect()
        let path = content(10).path
        try expect(try await connection.exchange("PUT", path).status, is: 411, "PUT without a length")
        try expect(try await connection.exchange("GET", path).status, is: 404, "GET on the same connection")
    }

    private func checkExpectation() async throws {
        let connection = try connect()
        for size in [4 << 10, 1 << 20] {
            let (bytes, path) = content(size)
            await connection.send("PUT", path, headers: ["Expect: 100-continue", "Content-Length: \(size)"])
            try expect(try await connection.readReply(to: "PUT").status, is: 100, "the leave to send \(size) bytes")
            await connection.send(bytes)
            try expect(try await connection.readReply(to: "PUT").status, is: 200, "PUT of \(size) bytes")
            try expect(try await connection.exchange("GET", path).body == bytes, "GET of \(size) bytes")
        }
    }

    private func checkRefusedExpectation() async throws {
        let oversize = AdapterContract.sizeLimit + 1
        for (path, length, status) in [
            (contract.malformedPaths[0], 1000, 400), (contract.malformedPaths[0], 1 << 20, 400),
            (content(10).path, oversize, contract.oversizeStatus),
        ] {
            let connection = try connect()
            await connection.send("PUT", path, headers: ["Expect: 100-continue", "Content-Length: \(length)"])
            try expect(try await connection.readReply(to: "PUT").status, is: status, "PUT of \(length) bytes, refused")
            connection.finishSending()
            let (rest, ending) = await connection.readToEnd()
            try expect(rest.isEmpty && ending == .closed, "after the refusal came \(rest.count) bytes and \(ending)")
        }
    }

    private func checkRefusedUpload() async throws {
        let connection = try connect()
        let (bytes, path) = try await store(100)
        for refused in contract.malformedPaths {
            let reply = try await connection.exchange("PUT", refused, body: content(100 << 10).bytes)
            try expect(reply.status, is: 400, "PUT \(refused)")
            try expect(reply.headers["connection"], is: nil, "Connection header after \(refused)")
            try expect(try await connection.exchange("GET", path).body == bytes, "GET on the same connection")
        }
    }

    private func checkRefusedLargeUpload() async throws {
        let connection = try connect()
        let reply = try await connection.exchange("PUT", contract.malformedPaths[0], body: content(1_500_000).bytes)
        try expect(reply.status, is: 400, "PUT \(contract.malformedPaths[0])")
    }

    // MARK: - Connections

    private func checkPipelining() async throws {
        let (stored, storedPath) = try await store(1 << 20)
        let (small, smallPath) = content(100)
        let (large, largePath) = content(300_000)
        let missing = content(10).path
        let steps: [(method: String, path: String, sent: [UInt8]?, status: Int, received: [UInt8])] = [
            ("GET", storedPath, nil, 200, stored), ("GET", missing, nil, 404, []), ("PUT", smallPath, small, 200, []),
            ("GET", smallPath, nil, 200, small), ("PUT", largePath, large, 200, []),
            ("GET", largePath, nil, 200, large), ("HEAD", smallPath, nil, 200, []),
            ("GET", smallPath, nil, 200, small), ("GET", missing, nil, 404, []),
        ]
        let connection = try connect()
        async let isSent = connection.send(
            (steps + steps).flatMap { WireConnection.request($0.method, $0.path, body: $0.sent) }
        )
        for (index, step) in (steps + steps).enumerated() {
            let reply = try await connection.readReply(to: step.method)
            try expect(reply.status, is: step.status, "answer \(index) (\(step.method))")
            try expect(reply.body == step.received, "answer \(index) (\(step.method)) brought other bytes")
        }
        try expect(await isSent, "the server did not take all requests")
    }

    private func checkHTTP10() async throws {
        let (bytes, path) = content(4 << 10)
        let putting = try connect()
        await putting.send("PUT \(path) HTTP/1.0\r\nHost: localhost\r\nContent-Length: \(bytes.count)\r\n\r\n")
        await putting.send(bytes)
        try expect(try await putting.readReply(to: "PUT").status, is: 200, "PUT")
        let getting = try connect()
        await getting.send("GET \(path) HTTP/1.0\r\nHost: localhost\r\n\r\n")
        try expect(try await getting.readReply().body == bytes, "GET brought other bytes")
        for connection in [putting, getting] {
            let (rest, ending) = await connection.readToEnd()
            try expect(rest.isEmpty && ending == .closed, "after the answer came \(rest.count) bytes and \(ending)")
        }
    }

    private func checkRestart() async throws {
        let small = try await store(100)
        let large = try await store(1 << 20)
        try await server.restart()
        let connection = try connect()
        for (bytes, path) in [small, large] {
            let reply = try await connection.exchange("GET", path)
            try expect(reply.status, is: 200, "GET of \(bytes.count) bytes")
            try expect(reply.body == bytes, "GET of \(bytes.count) bytes brought other bytes")
        }
    }

    // MARK: - Helpers

    private func connect() throws -> WireConnection { try WireConnection(port: server.port) }

    /// Bytes that nobody sent before, and their path.
    private func content(_ count: Int) -> (bytes: [UInt8], path: String) {
        let (bytes, salt) = generator.withLock { ($0.bytes(count), $0.bytes(16)) }
        return (bytes, contract.path(sha256Hex(contract.isContentAddressed ? bytes : salt)))
    }

    private func store(_ count: Int) async throws -> (bytes: [UInt8], path: String) {
        let (bytes, path) = content(count)
        let reply = try await connect().exchange("PUT", path, body: bytes)
        try expect(reply.status, is: 200, "PUT of \(count) bytes")
        return (bytes, path)
    }

    private static func chunks(_ bytes: [UInt8], ended: Bool) -> [UInt8] {
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 65_000) {
            let chunk = bytes[start..<min(start + 65_000, bytes.count)]
            result += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
        }
        return ended ? result + Array("0\r\n\r\n".utf8) : result
    }

    private var uploads: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(server.dataFolder)/uploads")) ?? []
    }

    private func expectNoUploads() async throws {
        try await waitUntil("uploads/ is empty") { uploads.isEmpty }
    }

    private func expectMiss(_ path: String) async throws {
        try expect(try await connect().exchange("GET", path).status, is: 404, "GET of what must not be there")
    }

    private func reservedBytes() async throws -> Int64 {
        struct Status: Decodable {
            struct Space: Decodable {
                let reservedBytes: Int64
            }
            let space: Space
        }
        let reply = try await connect().exchange("GET", "/api/v1/status")
        return try JSONDecoder().decode(Status.self, from: Data(reply.body)).space.reservedBytes
    }
}

private func expect(_ claim: Bool, _ failure: @autoclosure () -> String) throws {
    if !claim { throw TestFailure(failure()) }
}

private func expect<Value: Equatable>(_ actual: Value, is expected: Value, _ what: String) throws {
    if actual != expected { throw TestFailure("\(what): expected \(expected), got \(actual)") }
}
