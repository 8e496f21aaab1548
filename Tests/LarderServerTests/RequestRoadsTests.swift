import LarderTestSupport
import Testing

/// A request is answered the same whichever road it takes: past the codec, through it, or through Hummingbird; whole, in
/// pieces, or with others behind it.
@Suite
struct RequestRoadsTests {
    private struct Step {
        let method: String
        let bytes: [UInt8]
        let check: @Sendable (WireReply) -> Bool
        let what: String
    }

    /// What the server holds, and the generator of what is asked next.
    private struct Model {
        var generator: SeededGenerator
        var values: [String: [UInt8]] = [:]

        mutating func next(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

        mutating func step() -> Step {
            let path = "/ccache/main/" + String(repeating: "0", count: 38) + "\(10 + next(0..<12))"
            switch next(0..<10) {
            case 0..<4: return put(path)
            case 4..<8: return get(path)
            case 8: return getRange(path)
            default: return head(path)
            }
        }

        private mutating func put(_ path: String) -> Step {
            // The last is above the inline limit.
            let size = [0, 1, 300, 5000, 16_384, 40_000][next(0..<6)]
            let body = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let isChunked = next(0..<4) == 0
            values[path] = body
            var bytes: [UInt8]
            if isChunked {
                bytes = WireConnection.request("PUT", path, headers: ["Transfer-Encoding: chunked"])
                if size > 0 { bytes += Array("\(String(size, radix: 16))\r\n".utf8) + body + Array("\r\n".utf8) }
                bytes += Array("0\r\n\r\n".utf8)
            } else {
                bytes = WireConnection.request("PUT", path, body: body)
            }
            let what = "PUT \(path), \(size) bytes\(isChunked ? ", in chunks" : "")"
            return Step(method: "PUT", bytes: bytes, check: { (200..<300).contains($0.status) }, what: what)
        }

        private mutating func get(_ path: String) -> Step {
            let value = values[path]
            // A condition that does not hold takes the long way.
            let headers = next(0..<4) == 0 ? ["If-None-Match: \"0\""] : ["User-Agent: test"]
            return Step(
                method: "GET",
                bytes: WireConnection.request("GET", path, headers: headers),
                check: { $0.status == (value == nil ? 404 : 200) && $0.body == value ?? [] },
                what: "GET \(path), \(headers)"
            )
        }

        private func getRange(_ path: String) -> Step {
            let value = values[path]
            let status = value.map { $0.isEmpty ? 416 : 206 } ?? 404
            return Step(
                method: "GET",
                bytes: WireConnection.request("GET", path, headers: ["Range: bytes=0-9"]),
                check: { $0.status == status && $0.body == Array((value ?? []).prefix(10)) },
                what: "GET \(path), a range"
            )
        }

        private func head(_ path: String) -> Step {
            let value = values[path]
            return Step(
                method: "HEAD",
                bytes: WireConnection.request("HEAD", path),
                check: {
                    $0.status == (value == nil ? 404 : 200)
                        && $0.headers["content-length"] == "\(value?.count ?? 0)"
                },
                what: "HEAD \(path)"
            )
        }
    }

    @Test(arguments: [testSeed(), 1])
    func everyRoadAnswersTheSame(seed: UInt64) async throws {
        try await withLiveServer { server in
            var model = Model(generator: SeededGenerator(seed: seed))
            for connectionNumber in 0..<4 {
                let connection = try WireConnection(port: server.port)
                for round in 0..<60 {
                    let place = "LARDER_TEST_SEED=\(seed), connection \(connectionNumber), round \(round)"
                    let steps = (0..<[1, 1, 1, 2, 4][model.next(0..<5)]).map { _ in model.step() }
                    try await send(steps.flatMap(\.bytes), inPieces: model.next(0..<3) == 0, &model, connection)
                    for step in steps {
                        let reply = try await connection.readReply(to: step.method)
                        #expect(step.check(reply), "\(place): \(step.what): status \(reply.status)")
                    }
                }
            }
        }
    }

    /// As `printf … | nc` does: all is said, and then the client listens.
    @Test
    func aClientThatHasSaidAllStillGetsItsAnswers() async throws {
        try await withLiveServer { server in
            let paths = (0..<4).map { "/ccache/main/" + String(repeating: "1", count: 39) + "\($0)" }
            let sizes = [10, 5000, 40_000, 100]
            let puts = zip(paths, sizes).map { path, size in
                WireConnection.request("PUT", path, body: [UInt8](repeating: 7, count: size))
            }
            for requests in [[puts[0]], [puts[1]], [puts[2]], puts] {
                let connection = try WireConnection(port: server.port)
                await connection.send(requests.flatMap { $0 })
                connection.finishSending()
                for _ in requests {
                    #expect((200..<300).contains(try await connection.readReply(to: "PUT").status))
                }
                let (rest, ending) = await connection.readToEnd()
                #expect(rest.isEmpty && ending == .closed)
            }
            // Nothing is in memory: the answers come from the disk.
            try await server.restart()
            let gets = paths.map { WireConnection.request("GET", $0) }
            for (requests, expected) in [([gets[0]], [10]), ([gets[2]], [40_000]), (gets, sizes)] {
                let connection = try WireConnection(port: server.port)
                await connection.send(requests.flatMap { $0 })
                connection.finishSending()
                for size in expected {
                    #expect(try await connection.readReply().body == [UInt8](repeating: 7, count: size))
                }
                let (rest, ending) = await connection.readToEnd()
                #expect(rest.isEmpty && ending == .closed)
            }
        }
    }

    /// A client that asks and asks and reads nothing costs bounded memory, and gets everything once it reads.
    @Test
    func answersThatNobodyReadsAreNotPiledUp() async throws {
        try await withLiveServer { server in
            let path = "/ccache/main/" + String(repeating: "2", count: 40)
            let body = [UInt8](repeating: 3, count: 16_000)
            let connection = try WireConnection(port: server.port, receiveBuffer: 4096)
            #expect(try await connection.exchange("PUT", path, body: body).status == 200)
            let requests = (0..<4000).flatMap { _ in WireConnection.request("GET", path) }
            async let isSent = connection.send(requests)
            try await Task.sleep(for: .seconds(1))
            let status = readText("/proc/\(server.processID)/status")
            let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM") }?.split(separator: " ")
            let kibibytes = try #require(peak.flatMap { $0.count > 1 ? Int($0[1]) : nil })
            // All answers are 64 MB.
            #expect(kibibytes < 150_000)
            for _ in 0..<4000 {
                #expect(try await connection.readReply().body.count == body.count)
            }
            #expect(await isSent)
        }
    }

    /// The end of the connection waits for the answer.
    @Test
    func aLongAnswerOnALastRequestIsWhole() async throws {
        try await withLiveServer(arguments: ["--inline-limit", "256KiB"]) { server in
            let path = "/ccache/main/" + String(repeating: "3", count: 40)
            let body = [UInt8](repeating: 4, count: 250_000)
            let first = try WireConnection(port: server.port)
            #expect(try await first.exchange("PUT", path, body: body).status == 200)
            for _ in 0..<5 {
                let connection = try WireConnection(port: server.port, receiveBuffer: 4096)
                await connection.send("GET", path, headers: ["Connection: close"])
                try await Task.sleep(for: .milliseconds(100))
                #expect(try await connection.readReply().body == body)
                let (rest, ending) = await connection.readToEnd()
                #expect(rest.isEmpty && ending == .closed)
            }
        }
    }

    private func send(
        _ bytes: [UInt8],
        inPieces: Bool,
        _ model: inout Model,
        _ connection: WireConnection
    ) async throws {
        var rest = bytes[...]
        while inPieces && rest.count > 1 && model.next(0..<4) > 0 {
            let count = model.next(1..<min(rest.count, 200))
            await connection.send(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            // So that the pieces arrive one by one.
            try await Task.sleep(for: .milliseconds(2))
        }
        await connection.send(Array(rest))
    }
}
