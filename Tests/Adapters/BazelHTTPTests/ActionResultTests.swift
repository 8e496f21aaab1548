import BazelHTTPMessages
import Foundation
import LarderTestSupport
import SwiftProtobuf
import Testing

/// Action results are checked when they come (build-cache reference, section 3.2), and are hits only while everything
/// that they name is there (section 3.3).
@Suite(.serialized)
struct ActionResultTests {
    private typealias Directory = Build_Bazel_Remote_Execution_V2_Directory
    private typealias Tree = Build_Bazel_Remote_Execution_V2_Tree

    // MARK: - Uploads

    struct Refusal: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: [UInt8]
        let says: String

        init(_ what: String, _ body: [UInt8], says: String) {
            testDescription = what
            self.body = body
            self.says = says
        }

        fileprivate init(_ what: String, says: String, _ build: (inout ActionResult) -> Void) {
            self.init(what, encode(.with { build(&$0) }), says: says)
        }
    }

    private static let refusals = [
        Refusal("garbage", [0xff, 0xff, 0xff], says: "not an action result"),
        Refusal("a text", Array("hello world".utf8), says: "not an action result"),
        Refusal("nothing", [], says: "an action result is not empty"),
        Refusal("a file with an absolute path", says: "an output file has no relative path") {
            $0.outputFiles = [file("/etc/passwd", [1])]
        },
        Refusal("a file without a path", says: "an output file has no relative path") {
            $0.outputFiles = [file("", [1])]
        },
        Refusal("a file without a digest", says: "the output file a has no digest") {
            $0.outputFiles = [.with { $0.path = "a" }]
        },
        Refusal("a digest that is too short", says: "a digest is no SHA-256 with a size") {
            $0.outputFiles = [file("a", digest("abc", 1))]
        },
        Refusal("a digest in uppercase", says: "a digest is no SHA-256 with a size") {
            $0.outputFiles = [file("a", digest(String(repeating: "A", count: 64), 1))]
        },
        Refusal("a negative size", says: "a digest is no SHA-256 with a size") {
            $0.outputFiles = [file("a", digest(sha256Hex([1]), -1))]
        },
        Refusal("a broken digest of standard output", says: "a digest is no SHA-256 with a size") {
            $0.stdoutDigest = digest("zz", 1)
        },
        Refusal("a broken digest of standard error", says: "a digest is no SHA-256 with a size") {
            $0.stderrDigest = digest("zz", 1)
        },
        Refusal("a folder with an absolute path", says: "an output directory has an absolute path") {
            $0.outputDirectories = [
                .with {
                    $0.path = "/out"
                    $0.treeDigest = digest(of: [1])
                }
            ]
        },
        Refusal("a folder without a digest", says: "the output directory out has no digest") {
            $0.outputDirectories = [.with { $0.path = "out" }]
        },
        Refusal("a symbolic link without a target", says: "the symbolic link a has no target") {
            $0.outputSymlinks = [.with { $0.path = "a" }]
        },
        Refusal("a symbolic link without a path", says: "a symbolic link has no relative path") {
            $0.outputSymlinks = [.with { $0.target = "b" }]
        },
        Refusal("an old symbolic link to a file, without a target", says: "the symbolic link a has no target") {
            $0.outputFileSymlinks = [.with { $0.path = "a" }]
        },
        Refusal("an old link to a folder, with an absolute path", says: "a symbolic link has no relative path") {
            $0.outputDirectorySymlinks = [
                .with {
                    $0.path = "/a"
                    $0.target = "b"
                }
            ]
        },
    ]

    @Test
    func whatIsNoActionResultIsRefused() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            for refusal in Self.refusals {
                let reply = try await cache.connection.exchange("PUT", cache.path(1), body: refusal.body)
                #expect(reply.status == 400, "\(refusal.testDescription)")
                #expect(reply.text.contains(refusal.says), "\(refusal.testDescription): \(reply.text)")
                #expect(try await cache.status(1) == 404, "\(refusal.testDescription)")
            }
        }
    }

    @Test
    func anActionResultAboveEightMebibytesIsRefused() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let body = [UInt8](repeating: 0x61, count: 8 << 20 | 1)
            #expect(try await cache.connection.exchange("PUT", cache.path(1), body: body).status == 413)
            #expect(try await BazelCache(server).status(1) == 404)
        }
    }

    @Test
    func whatReachesTheClientIsWhatWasSent() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            // Field 15 is none that the server knows.
            let body = encode(.with { $0.exitCode = 3 }) + [0x7a, 3, 1, 2, 3]
            try await cache.put(body, as: 1)
            let reply = try await cache.connection.exchange("GET", cache.path(1))
            #expect(reply.status == 200)
            #expect(reply.body == body)
            #expect(reply.headers["content-type"] == "application/octet-stream")
        }
    }

    // MARK: - Completeness

    @Test
    func aMissingOutputIsAMissUntilItIsThere() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let (small, large) = ([UInt8](repeating: 1, count: 10), [UInt8](repeating: 2, count: 50_000))
            let result = encode(
                .with {
                    $0.outputFiles = [file("small", small), file("large", large)]
                    $0.stdoutDigest = digest(of: [3])
                    $0.stderrDigest = digest(of: [4])
                }
            )
            try await cache.put(result, as: 1)
            for blob in [small, large, [3], [4]] {
                #expect(try await cache.status(1) == 404)
                #expect(try await cache.status(1, method: "HEAD") == 404)
                try await cache.put(blob)
            }
            #expect(try await cache.status(1, method: "HEAD") == 200)
            #expect(try await cache.body(1) == result)
            try await server.restart()
            #expect(try await BazelCache(server).body(1) == result)
        }
    }

    @Test
    func whatNeedsNoBlobIsComplete() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            try await cache.put(
                encode(
                    .with {
                        $0.outputFiles = [
                            file("empty", []),
                            .with {
                                $0.path = "inlined"
                                $0.digest = digest(of: [1, 2, 3])
                                $0.contents = Data([1, 2, 3])
                            },
                        ]
                        $0.stdoutDigest = digest(of: [])
                        $0.outputSymlinks = [
                            .with {
                                $0.path = "link"
                                $0.target = "empty"
                            }
                        ]
                    }
                ),
                as: 1
            )
            #expect(try await cache.status(1) == 200)
        }
    }

    @Test
    func aBlobOfAnotherSizeIsMissing() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            try await cache.put([1, 2, 3])
            try await cache.put(encode(.with { $0.outputFiles = [file("a", digest(sha256Hex([1, 2, 3]), 4))] }), as: 1)
            try await cache.put(encode(.with { $0.outputFiles = [file("a", digest(sha256Hex([1, 2, 3]), 3))] }), as: 2)
            #expect(try await cache.status(1) == 404)
            #expect(try await cache.status(2) == 200)
        }
    }

    @Test
    func everyFileOfATreeMustBeThere() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let (top, deep, shallow): ([UInt8], [UInt8], [UInt8]) = ([1], [2], [3])
            let tree = try bytes(
                Tree.with {
                    $0.root = directory(["top": top])
                    $0.children = [directory(["deep": deep]), directory(["again": top, "empty": []])]
                }
            )
            let result = encode(
                .with {
                    $0.outputFiles = [file("shallow", shallow)]
                    $0.outputDirectories = [
                        .with {
                            $0.path = "out"
                            $0.treeDigest = digest(of: tree)
                        }
                    ]
                }
            )
            try await cache.put(result, as: 1)
            for blob in [tree, top, deep, shallow] {
                #expect(try await cache.status(1) == 404)
                try await cache.put(blob)
            }
            #expect(try await cache.body(1) == result)
            // The second time without a look into the tree.
            #expect(try await cache.body(1) == result)
        }
    }

    @Test
    func everyDirectoryBelowARootMustBeThere() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let leaf: [UInt8] = [1, 2, 3]
            let inner = try bytes(directory(["leaf": leaf]))
            let root = try bytes(
                Directory.with { root in
                    root.files = directory(["leaf": leaf]).files
                    root.directories = ["first", "second"].map { name in
                        .with {
                            $0.name = name
                            $0.digest = digest(of: inner)
                        }
                    }
                }
            )
            let result = encode(
                .with {
                    $0.outputDirectories = [
                        .with {
                            $0.path = ""
                            $0.rootDirectoryDigest = digest(of: root)
                        }
                    ]
                }
            )
            try await cache.put(result, as: 1)
            for blob in [root, inner, leaf] {
                #expect(try await cache.status(1) == 404)
                try await cache.put(blob)
            }
            #expect(try await cache.body(1) == result)
        }
    }

    @Test
    func aTreeThatIsNoneIsAMiss() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let noTree: [UInt8] = [0xff, 0xff, 1, 2]
            try await cache.put(noTree)
            for (number, isRoot) in [(1, false), (2, true)] {
                var folder = Build_Bazel_Remote_Execution_V2_OutputDirectory()
                if isRoot {
                    folder.rootDirectoryDigest = digest(of: noTree)
                } else {
                    folder.treeDigest = digest(of: noTree)
                }
                try await cache.put(encode(.with { $0.outputDirectories = [folder] }), as: number)
                #expect(try await cache.status(number) == 404)
            }
        }
    }

    @Test
    func oneOfTwelveHundredReferencesIsMissed() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let blobs = (0..<1200).map { Array("output \($0)".utf8) }
            let files = blobs.enumerated().map { file("f\($0.offset)", $0.element) }
            try await cache.put(encode(.with { $0.outputFiles = files }), as: 1)
            for (number, blob) in blobs.enumerated() where number != 777 {
                try await cache.put(blob)
            }
            #expect(try await cache.status(1) == 404)
            try await cache.put(blobs[777])
            #expect(try await cache.status(1) == 200)
        }
    }

    @Test
    func anotherRepositorysBlobDoesNotCount() async throws {
        try await withLiveServer { server in
            let (own, other) = (try BazelCache(server), try BazelCache(server, prefix: "/bazel/other"))
            try await other.put([1, 2, 3])
            try await own.put(encode(.with { $0.outputFiles = [file("a", [1, 2, 3])] }), as: 1)
            #expect(try await own.status(1) == 404)
            try await own.put([1, 2, 3])
            #expect(try await own.status(1) == 200)
        }
    }

    // MARK: - Names

    @Test
    func instancesSeparateResultsAndShareBlobs() async throws {
        try await withLiveServer { server in
            let plain = try BazelCache(server)
            let first = try BazelCache(server, prefix: "/bazel/main/first")
            let second = try BazelCache(server, prefix: "/bazel/main/second/deeper")
            try await plain.put([1])
            for (cache, exitCode) in [(plain, 1), (first, 2)] {
                try await cache.put(
                    encode(
                        .with {
                            $0.exitCode = Int32(exitCode)
                            $0.outputFiles = [file("a", [1])]
                        }
                    ),
                    as: 1
                )
            }
            #expect(try ActionResult(serializedBytes: try await plain.body(1)).exitCode == 1)
            #expect(try ActionResult(serializedBytes: try await first.body(1)).exitCode == 2)
            #expect(try await second.status(1) == 404)
            let blob = try await second.connection.exchange("GET", "/bazel/main/second/deeper/cas/\(sha256Hex([1]))")
            #expect(blob.body == [1])
        }
    }

    @Test
    func oneHashNamesAResultAndABlob() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let blob: [UInt8] = [1, 2, 3]
            let result = encode(.with { $0.exitCode = 1 })
            let (resultPath, blobPath) = ("/bazel/main/ac/\(sha256Hex(blob))", "/bazel/main/cas/\(sha256Hex(blob))")
            #expect(try await cache.connection.exchange("PUT", resultPath, body: result).status == 200)
            #expect(try await cache.connection.exchange("GET", blobPath).status == 404)
            #expect(try await cache.connection.exchange("PUT", blobPath, body: blob).status == 200)
            #expect(try await cache.connection.exchange("GET", resultPath).body == result)
            #expect(try await cache.connection.exchange("GET", blobPath).body == blob)
        }
    }

    @Test
    func aSecondResultReplacesTheFirst() async throws {
        try await withLiveServer { server in
            let cache = try BazelCache(server)
            let first = encode(.with { $0.outputFiles = [file("a", [1])] })
            let second = encode(.with { $0.outputFiles = [file("a", [2])] })
            try await cache.put([1])
            try await cache.put(first, as: 1)
            #expect(try await cache.body(1) == first)
            try await cache.put(second, as: 1)
            #expect(try await cache.status(1) == 404)
            try await cache.put([2])
            #expect(try await cache.body(1) == second)
        }
    }

    /// A result that must be completed takes another road in the middle of its exchange; what came behind it stays there.
    @Test
    func whatCameBehindAnIncompleteResultIsAnsweredBehindIt() async throws {
        try await withLiveServer { server in
            let result = encode(.with { $0.outputFiles = [file("a", [1])] })
            let large = [UInt8](repeating: 9, count: 9000)
            for round in 0..<30 {
                // A repository of its own: the result is incomplete in each.
                let root = "/bazel/r\(round)"
                let key = sha256Hex([UInt8(round)])
                let connection = try WireConnection(port: server.port)
                #expect(try await connection.exchange("PUT", "\(root)/ac/\(key)", body: result).status == 200)
                #expect(try await connection.exchange("PUT", "\(root)/cas/\(sha256Hex([1]))", body: [1]).status == 200)
                let put = WireConnection.request("PUT", "\(root)/cas/\(sha256Hex(large))", body: large)
                await connection.send("GET", "\(root)/ac/\(key)")
                await connection.send(Array(put.prefix(4000)))
                await connection.send(Array(put.dropFirst(4000)))
                await connection.send("GET", "\(root)/cas/\(sha256Hex([1]))")
                #expect(try await connection.readReply().body == result)
                #expect(try await connection.readReply(to: "PUT").status == 200)
                #expect(try await connection.readReply().body == [1])
            }
        }
    }

    @Test
    func theEmptyBlobIsAlwaysThere() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
            for path in ["/cas/\(hash)", "/bazel/never-written/cas/\(hash)", "/any/prefix/cas/\(hash)"] {
                for method in ["GET", "HEAD"] {
                    let reply = try await connection.exchange(method, path)
                    #expect(reply.status == 200, "\(method) \(path)")
                    #expect(reply.headers["content-length"] == "0", "\(method) \(path)")
                }
            }
        }
    }

    // MARK: - Settings and pressure

    @Test
    func aRepositoryThatDoesNotValidateTakesAnything() async throws {
        try await withLiveServer { server in
            let create = try await server.larder("repo", "create", "raw", "--validate", "false")
            #expect(create.status == 0)
            let cache = try BazelCache(server, prefix: "/bazel/raw")
            for (number, body) in [[0xff, 0xff], [], [UInt8](repeating: 0xcc, count: 100_000)].enumerated() {
                try await cache.put(body, as: number)
                #expect(try await cache.body(number) == body)
            }
            try await cache.put(encode(.with { $0.outputFiles = [file("a", [1])] }), as: 7)
            #expect(try await cache.status(7) == 200)

            let set = try await server.larder("repo", "set", "raw", "--validate", "true")
            #expect(set.status == 0)
            let reply = try await cache.connection.exchange("PUT", cache.path(8), body: [0xff, 0xff])
            #expect(reply.status == 400)
        }
    }

    @Test
    func aHitNeverNamesAnEvictedBlob() async throws {
        let pressure = ["--max-size", "8MiB", "--guaranteed-age", "0s", "--last-use-precision", "0s"]
        try await withLiveServer(arguments: pressure) { server in
            let cache = try BazelCache(server)
            var chance = SeededGenerator(seed: testSeed())
            var outputs: [[[UInt8]]] = []
            // Result 0 is asked for all the time, its outputs never are.
            for number in 0..<120 {
                let blobs = (0..<3).map { _ in chance.bytes(60_000) }
                outputs.append(blobs)
                for blob in blobs { try await cache.put(blob) }
                let files = blobs.enumerated().map { file("f\($0.offset)", $0.element) }
                try await cache.put(encode(.with { $0.outputFiles = files }), as: number)
                #expect(try await cache.status(0) == 200, "after \(number) results")
            }
            var hits = 0
            for (number, blobs) in outputs.enumerated() where try await cache.status(number) == 200 {
                hits += 1
                for blob in blobs {
                    let reply = try await cache.connection.exchange("GET", "/bazel/main/cas/\(sha256Hex(blob))")
                    #expect(reply.body == blob, "an output of \(number)")
                }
            }
            // 8 MiB hold about 45 results of 180 kB; if all were there, nothing was tried.
            #expect((10...50).contains(hits))
            #expect(try await cache.status(0) == 200)
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)")
        }
    }
}

fileprivate typealias ActionResult = Build_Bazel_Remote_Execution_V2_ActionResult

/// One connection to one repository or instance.
private struct BazelCache {
    let connection: WireConnection
    let prefix: String

    init(_ server: LiveServer, prefix: String = "/bazel/main") throws {
        connection = try WireConnection(port: server.port)
        self.prefix = prefix
    }

    /// The path of an action result.
    func path(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "\(prefix)/ac/\(String(repeating: "0", count: 64 - digits.count))\(digits)"
    }

    func put(_ result: [UInt8], as number: Int) async throws {
        let reply = try await connection.exchange("PUT", path(number), body: result)
        try #require(reply.status == 200, "result \(number): \(reply.text)")
    }

    func put(_ blob: [UInt8]) async throws {
        let reply = try await connection.exchange("PUT", "\(prefix)/cas/\(sha256Hex(blob))", body: blob)
        try #require(reply.status == 200, "\(reply.text)")
    }

    func status(_ number: Int, method: String = "GET") async throws -> Int {
        try await connection.exchange(method, path(number)).status
    }

    func body(_ number: Int) async throws -> [UInt8] {
        let reply = try await connection.exchange("GET", path(number))
        try #require(reply.status == 200, "result \(number)")
        return reply.body
    }
}

// MARK: - Messages

private func bytes(_ message: some Message) throws -> [UInt8] { try message.serializedBytes() }

private func encode(_ result: ActionResult) -> [UInt8] {
    do {
        return try bytes(result)
    } catch {
        preconditionFailure("an action result can always be written: \(error)")
    }
}

private func digest(_ hash: String, _ size: Int64) -> Build_Bazel_Remote_Execution_V2_Digest {
    .with {
        $0.hash = hash
        $0.sizeBytes = size
    }
}

private func digest(of bytes: [UInt8]) -> Build_Bazel_Remote_Execution_V2_Digest {
    digest(sha256Hex(bytes), Int64(bytes.count))
}

private func file(
    _ path: String,
    _ digest: Build_Bazel_Remote_Execution_V2_Digest
) -> Build_Bazel_Remote_Execution_V2_OutputFile {
    .with {
        $0.path = path
        $0.digest = digest
    }
}

private func file(_ path: String, _ bytes: [UInt8]) -> Build_Bazel_Remote_Execution_V2_OutputFile {
    file(path, digest(of: bytes))
}

private func directory(_ files: [String: [UInt8]]) -> Build_Bazel_Remote_Execution_V2_Directory {
    .with { directory in
        directory.files = files.sorted { $0.key < $1.key }.map { name, bytes in
            .with {
                $0.name = name
                $0.digest = digest(of: bytes)
            }
        }
    }
}
