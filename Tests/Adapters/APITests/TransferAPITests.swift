import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Blobs come and go many at a time, whole or not at all.
@Suite(.serialized)
struct TransferAPITests {
    private static func contents(_ sizes: [Int], seed: UInt64 = 1) -> [[UInt8]] {
        var generator = SeededGenerator(seed: seed)
        return sizes.map { generator.bytes($0) }
    }

    // MARK: What is there

    @Test
    func whatIsMissingIsToldBitByBit() async throws {
        try await withLiveServer { server in
            let contents = Self.contents(Array(1...19))
            #expect(try await server.missing(contents, in: "a/b/c") == Array(0..<19))
            try await server.push([0, 7, 8, 18].map { contents[$0] }, to: "a/b/c")
            #expect(
                try await server.missing(contents, in: "a/b/c") == Array(0..<19).filter { ![0, 7, 8, 18].contains($0) }
            )
            #expect(try await server.missing([], in: "a/b/c") == [])
            // What another repository has need not be sent, and is there then.
            #expect(try await server.missing([contents[0], contents[1]], in: "other", kind: "registry") == [1])
            let fetched = try await server.fetch([digest(of: contents[0])], from: "other", kind: "registry")
            #expect(fetched == [.blob(contents[0]), .end(1)])
            // Without a word it is a cache.
            let reply = try await server.ask("POST", "blobs/other/missing", body: [UInt8](repeating: 0, count: 32))
            #expect(reply.status == 409)
        }
    }

    @Test
    func sizesOfLargeBlobsAreKnown() async throws {
        try await withLiveServer { server in
            let large = 16 << 20
            try await server.push(Self.contents([large, large - 1]), to: "main")
            let reply = try await server.ask(
                "POST",
                "blobs/elsewhere/sizes",
                json: #"{"sizes":[1,\#(large - 1),\#(large),\#(large + 1),\#(large)]}"#
            )
            #expect(try reply.json(KnownSizesMessage.self).known == [false, false, true, false, true])
            let many = Array(repeating: "16777215", count: 10_000).joined(separator: ",")
            let answer = try await server.ask("POST", "blobs/main/sizes", json: "{\"sizes\":[\(many)]}")
            #expect(try answer.json(KnownSizesMessage.self).known.count == 10_000)
        }
    }

    // MARK: Packs

    private static let sizes = [0, 1, 1024, 16_384, 16_385, 1 << 20, (1 << 20) + 1, 3 << 20, 77]

    @Test(arguments: ["cache", "registry"])
    func aPackIsStoredAndSurvives(kind: String) async throws {
        try await withLiveServer { server in
            let contents = Self.contents(Self.sizes)
            let reply = try await server.ask(
                "POST",
                "blobs/main/pack",
                ["kind": kind],
                body: Pack.bytes(of: contents + contents)
            )
            let total = Int64(Self.sizes.reduce(0, +))
            #expect(try reply.json() == PackReceiptMessage(blobCount: 18, byteCount: 2 * total))
            try await server.killAndRestart()
            #expect(try await server.missing(contents, in: "main", kind: kind) == [])
            let items = try await server.fetch(contents.map { digest(of: $0) }, from: "main", kind: kind)
            #expect(items == contents.map { .blob($0) } + [.end(9)])
            if kind == "registry" {
                let blob = try await server.get("/v2/main/blobs/\(digest(of: contents[7]))")
                #expect(blob.bytes == contents[7])
            }
        }
    }

    @Test
    func manySmallBlobsAreOnePack() async throws {
        try await withLiveServer { server in
            let contents = Self.contents((0..<3000).map { $0 % 700 })
            try await server.push(contents, to: "main")
            #expect(try await server.missing(contents, in: "main") == [])
            let items = try await server.fetch(contents.map { digest(of: $0) }, from: "main")
            #expect(Set(items.map { "\($0)" }).count == items.count)
            #expect(items.last == .end(Int64(items.count - 1)))
        }
    }

    @Test(arguments: [1, 40, 41, 42, 1000, 100_000])
    func aPackMayComeInChunksOfAnyLength(length: Int) async throws {
        try await withLiveServer { server in
            let contents = Self.contents(length == 1 ? [0, 5, 300] : Self.sizes)
            let connection = try WireConnection(port: server.port)
            await connection.send("POST", "/api/v1/blobs/main/pack", headers: ["Transfer-Encoding: chunked"])
            await connection.send(chunked(Pack.bytes(of: contents), each: length))
            #expect(try await connection.readReply(to: "POST").status == 200)
            #expect(try await server.missing(contents, in: "main") == [])
        }
    }

    @Test
    func aPackOfNothingIsOne() async throws {
        try await withLiveServer { server in
            let reply = try await server.ask("POST", "blobs/main/pack", body: Pack.bytes(of: []))
            #expect(try reply.json() == PackReceiptMessage(blobCount: 0, byteCount: 0))
        }
    }

    @Test
    func whatIsNoPackIsRefused() async throws {
        let small = Self.contents([100])[0]
        let large = Self.contents([2 << 20], seed: 2)[0]
        let named = digest(of: [1])
        let end = PackFrame.end(blobCount: 1).head
        let packs: [(what: String, body: [UInt8], status: Int, says: String)] = [
            ("nothing", [], 400, "ends too early"),
            ("no end", Pack.frame(small), 400, "ends too early"),
            ("garbage", Array("this is no pack, and was never meant to be one".utf8), 400, "no pack"),
            ("garbage behind a blob", Pack.frame(small) + [UInt8](repeating: 9, count: 100), 400, "no pack"),
            ("a small wrong digest", PackFrame.blob(named, size: 100).head + small + end, 400, "\(named)"),
            ("a large wrong digest", PackFrame.blob(named, size: 2 << 20).head + large + end, 400, "\(named)"),
            ("too few blobs", Pack.frame(small) + PackFrame.end(blobCount: 2).head, 400, "not as many blobs"),
            ("too many blobs", Pack.frame(small) + PackFrame.end(blobCount: 0).head, 400, "not as many blobs"),
            ("bytes behind the end", Pack.bytes(of: [small]) + [0], 400, "not as many blobs"),
            ("a note", PackFrame.note(size: 2).head + Array("{}".utf8) + end, 400, "holds blobs only"),
            ("a missing blob", PackFrame.missing(named).head + end, 400, "holds blobs only"),
            (
                "a blob larger than any may be", PackFrame.blob(named, size: (4 << 20) + 1).head, 413,
                "larger than the limit"
            ),
            ("a blob of 8 EiB", PackFrame.blob(named, size: .max).head, 413, "larger than the limit"),
        ]
        try await withLiveServer(arguments: ["--max-blob-size", "4MiB"]) { server in
            try await server.push([[2]], to: "main")
            for (what, body, status, says) in packs {
                let reply = try await server.ask("POST", "blobs/main/pack", body: body)
                #expect(reply.status == status, "\(what)")
                #expect(reply.failure?.contains(says) == true, "\(what): \(reply.text)")
                try await waitUntil("no upload is left of \(what)") { server.uploadFiles.isEmpty }
                let items = try await server.fetch([named, digest(of: large)], from: "main")
                #expect(items == [.missing(named), .missing(digest(of: large)), .end(0)], "\(what)")
            }
        }
    }

    @Test
    func aBlobThatTheStoreHasNoRoomForIsRefused() async throws {
        try await withLiveServer { server in
            let head = PackFrame.blob(digest(of: [1]), size: 1 << 42).head
            let reply = try await server.ask("POST", "blobs/main/pack", body: head)
            #expect(reply.status == 507)
            #expect(reply.failure?.contains("no space") == true)
        }
    }

    /// Blobs that came whole may be there, and are right then; of others nothing is.
    @Test
    func aPackThatIsCutAnywhereLeavesWholeBlobs() async throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        try await withLiveServer { server in
            for round in 0..<16 {
                let sizes = [10, 300_000, 1_500_000, 0, 900_000, 20_000, 1 << 20, 5, 700_000]
                let contents = sizes.map { generator.bytes($0) }
                let pack = Pack.bytes(of: contents)
                let cut = Int.random(in: 0..<pack.count, using: &generator)
                var (arrived, length) = (0, 0)
                for bytes in contents {
                    length += PackFrame.headLength + bytes.count
                    if length <= cut { arrived += 1 }
                }
                let comment: Comment = "cut at \(cut) in round \(round), LARDER_TEST_SEED=\(seed)"
                let connection = try WireConnection(port: server.port)
                await connection.send("POST", "/api/v1/blobs/main/pack", headers: ["Content-Length: \(pack.count)"])
                await connection.send(Array(pack.prefix(cut)))
                if round.isMultiple(of: 2) {
                    connection.reset()
                } else {
                    connection.finishSending()
                    let (answer, _) = await connection.readToEnd()
                    #expect(!answer.starts(with: Array("HTTP/1.1 2".utf8)), comment)
                }
                try await waitUntil("no upload is left") { server.uploadFiles.isEmpty }
                let missing = Set(try await server.missing(contents, in: "main"))
                // The empty blob came in an earlier round.
                let late = (arrived..<contents.count).filter { !contents[$0].isEmpty }
                #expect(missing.isSuperset(of: late), comment)
                let there = contents.indices.filter { !missing.contains($0) }
                let items = try await server.fetch(there.map { digest(of: contents[$0]) }, from: "main")
                #expect(items == there.map { .blob(contents[$0]) } + [.end(Int64(there.count))], comment)
                // The rest goes through.
                try await server.push(missing.sorted().map { contents[$0] }, to: "main")
                #expect(try await server.missing(contents, in: "main") == [], comment)
            }
        }
    }

    // MARK: Fetching

    @Test
    func blobsComeInTheOrderAskedEachOnce() async throws {
        try await withLiveServer { server in
            let contents = Self.contents([5, 0, 3 << 20, 100])
            try await server.push(contents, to: "main")
            try await server.push([[7]], to: "other")
            let order = [2, 0, 2, 1, 0, 3]
            let lost = digest(of: [7])
            let items = try await server.fetch(order.map { digest(of: contents[$0]) } + [lost], from: "main")
            let expected: [Pack.Item] = [2, 0, 1, 3].map { .blob(contents[$0]) } + [.missing(lost), .end(4)]
            #expect(items == expected)
            #expect(try await server.fetch([], from: "main") == [.end(0)])
        }
    }

    // MARK: Mistakes

    @Test
    func mistakesAreNamed() async throws {
        let oneDigest = [UInt8](repeating: 0, count: 32)
        let mistakes = [
            Mistake("POST", "blobs/Bad/missing", body: oneDigest, is: 400, says: "repository name"),
            Mistake("POST", "blobs/main/missing", body: Array(oneDigest.dropLast()), is: 400, says: "32 bytes each"),
            Mistake("POST", "blobs/main/missing", [("kind", "registry")], body: oneDigest, is: 409, says: "is a cache"),
            Mistake(
                "POST",
                "blobs/main/missing",
                body: [UInt8](repeating: 0, count: 9 << 20),
                is: 413,
                says: "larger than the limit"
            ),
            Mistake("POST", "blobs/main/fetch", body: oneDigest + [0], is: 400, says: "32 bytes each"),
            Mistake("POST", "blobs/nowhere/fetch", body: oneDigest, is: 404, says: "repository nowhere"),
            Mistake(
                "POST",
                "blobs/main/fetch",
                [("kind", "registry")],
                body: oneDigest,
                is: 404,
                says: "repository main"
            ),
            Mistake("POST", "blobs/main/sizes", json: "{}", is: 400, says: "body: not the JSON of sizes"),
            Mistake("POST", "blobs/main/sizes", json: "", is: 400, says: "body: not the JSON of sizes"),
            Mistake(
                "POST",
                "blobs/main/sizes",
                json: "{\"sizes\":[\(Array(repeating: "1", count: 10_001).joined(separator: ","))]}",
                is: 400,
                says: "sizes: at most 10000"
            ),
            Mistake(
                "POST",
                "blobs/main/pack",
                [("kind", "registry")],
                body: Pack.bytes(of: [[1]]),
                is: 409,
                says: "is a cache"
            ),
        ]
        try await withLiveServer { server in
            try await server.push([[1]], to: "main")
            let differences = try await server.differences(from: mistakes)
            #expect(differences == [])
        }
    }
}
