import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Caches that lost something, and trees that somebody made by hand: nothing half or wrong appears in place.
@Suite struct CacheDamageTests {
    // MARK: - Lost content

    /// The one file of a blob in the data folder.
    private func file(ofBlob bytes: [UInt8], in dataFolder: String) throws -> String {
        let digest = sha256Hex(bytes)
        let folder = "\(dataFolder)/blobs/sha256/\(digest.prefix(2))"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        return "\(folder)/\(try #require(names.first { $0.hasPrefix(digest) }))"
    }

    @Test(arguments: [true, false])
    func aCacheThatLostAFileIsAMiss(isRemoved: Bool) async throws {
        try await withJob { server, job in
            var random = SeededGenerator(seed: 8)
            let lost = random.bytes(100_000)
            for number in 0..<10 { try job.write("tree/\(number)", random.bytes(50_000)) }
            try job.write("tree/lost", lost)
            try await job.succeed("cache", "save", "--key", "k", "--path", "tree")
            try job.move("tree", to: "elsewhere")

            try await server.stop()
            let file = try file(ofBlob: lost, in: server.dataFolder)
            if isRemoved {
                try FileManager.default.removeItem(atPath: file)
            } else {
                var damaged = lost
                damaged[70_000] ^= 1
                try Data(damaged).write(to: URL(fileURLWithPath: file))
            }
            try await server.startAgain()

            for arguments in [["--key", "k"], ["--key", "k", "--path", "tree"]] {
                let result = try await job.run(["cache", "restore", "--exit-code"] + arguments)
                #expect(result.status == 4, "\(result.errors)")
                #expect(result.output.hasPrefix("miss: no entry for k"))
                #expect(try job.names() == ["elsewhere"])
            }
            // The next job that makes the files anew heals it.
            if !isRemoved { #expect(try await server.larder("check", "--repair").status == 0) }
            try job.move("elsewhere", to: "tree")
            let saved = try await job.report("save", "--key", "k", "--path", "tree")
            #expect((saved.outcome, saved.transferredFiles) == ("saved", 1))
            try job.remove("tree")
            #expect(try await job.report("restore", "--key", "k").outcome == "exact")
            #expect(FileManager.default.contents(atPath: job.path("tree/lost")) == Data(lost))
        }
    }

    // MARK: - Trees that leave their folder

    private static let evil = Array("evil\n".utf8)

    private static func entry(_ path: String, _ content: FileTree.Entry.Content, root: Int = 0) -> FileTree.Entry {
        FileTree.Entry(root: root, path: path, mode: 0o755, modified: 0, content: content)
    }

    private static func evilFile(_ path: String, root: Int = 0) -> FileTree.Entry {
        entry(path, .file(IncrementalHasher.digest(of: evil), size: Int64(evil.count)), root: root)
    }

    /// Sends a tree and its file, and asks for an entry of them.
    private func save(_ tree: [UInt8], as key: String, to server: LiveServer) async throws -> HTTPReply {
        var pack: [UInt8] = []
        for bytes in [tree, Self.evil] {
            pack += PackFrame.blob(IncrementalHasher.digest(of: bytes), size: Int64(bytes.count)).head + bytes
        }
        pack += PackFrame.end(blobCount: 2).head
        let sent = try await server.request("POST", "/api/v1/blobs/main/pack?kind=cache", body: pack)
        try #require(sent.status == 200, "\(sent.text)")
        let query = "key=\(key)&scope=default&version=&tree=sha256:\(sha256Hex(tree))"
        return try await server.request("PUT", "/api/v1/caches/main?\(query)", body: Array("{}".utf8))
    }

    @Test(arguments: [
        (entries: [evilFile("xx-out")], harmless: "xx-out", evil: "../out", says: "leaves its root"),
        (entries: [evilFile("x-out")], harmless: "x-out", evil: "/out1", says: "leaves its root"),
        (entries: [evilFile("a-b")], harmless: "a-b", evil: "a/.", says: "leaves its root"),
        (
            entries: [entry("a", .folder), evilFile("a-xx-xx-out")], harmless: "-xx-xx-out", evil: "/../../out",
            says: "leaves its root"
        ),
        (
            entries: [entry("a", .symbolicLink(target: "../..")), evilFile("a-out")], harmless: "-out", evil: "/out",
            says: "is in a folder that is none"
        ),
    ])
    func aTreeWithAPathThatLeadsOutIsRefused(
        entries: [FileTree.Entry],
        harmless: String,
        evil: String,
        says: String
    ) async throws {
        try await withJob { server, job in
            let tree = try FileTree(roots: ["tree"], entries: [Self.entry("", .folder)] + entries)
            var bytes = tree.encoded()
            bytes.replaceSubrange(try #require(bytes.firstRange(of: Array(harmless.utf8))), with: Array(evil.utf8))
            let reply = try await save(bytes, as: "k", to: server)
            #expect(reply.status == 400)
            #expect(reply.text.contains(says), "\(reply.text)")
            #expect(try await job.run(["cache", "restore", "--key", "k", "--exit-code"]).status == 4)
            #expect(try job.names() == [])
        }
    }

    @Test(arguments: ["../out", "a/../../out", "~/out", "/nowhere/out"])
    func aRootOutsideTheWorkingFolderIsRestoredOnlyWhereItIsNamed(root: String) async throws {
        try await withJob { server, job in
            let tree = try FileTree(roots: [root], entries: [Self.evilFile("")])
            #expect(try await save(tree.encoded(), as: "k", to: server).status == 201)
            for arguments in [[], ["--path", "out"], ["--path", "."]] {
                let restore = ["cache", "restore", "--key", "k"] + arguments
                let result = try await job.run(restore + ["--exit-code"])
                #expect(result.status == 5)
                #expect(result.errors.contains("the cache has files for \(root)"), "\(result.errors)")
                #expect(result.errors.contains("not among the paths to restore"))
                #expect(try await job.run(restore + ["--strict"]).status == 1)
            }
            #expect(try job.names() == [])
            #expect(!job.exists("../out"))
            #expect(!job.exists("\(job.home)/out"))
        }
    }

    @Test func aRootBehindALinkOfTheCacheIsRefused() async throws {
        try await withJob { server, job in
            let entries = [Self.entry("", .symbolicLink(target: "..")), Self.evilFile("", root: 1)]
            let tree = try FileTree(roots: ["l", "l/out"], entries: entries)
            #expect(try await save(tree.encoded(), as: "k", to: server).status == 201)
            let result = try await job.run(["cache", "restore", "--key", "k", "--exit-code"])
            #expect(result.status == 5)
            #expect(result.errors.contains("lies below a file or link of the cache"), "\(result.errors)")
            #expect(try job.names() == [])
            #expect(!job.exists("../out"))
        }
    }

    @Test func nothingIsWrittenThroughALinkInPlace() async throws {
        try await withJob { _, job in
            try job.write("l/tree/file", "text")
            try await job.succeed("cache", "save", "--key", "k", "--path", "l/tree")
            try job.remove("l")
            let outside = "\(job.home)/outside"
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: false)
            try job.link("l", to: outside)
            for arguments in [[], ["--path", "l/tree"]] {
                let result = try await job.run(["cache", "restore", "--key", "k", "--exit-code"] + arguments)
                #expect(result.status == 5)
                #expect(result.errors.contains("a link leads from there to"), "\(result.errors)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == [])
            #expect(try job.names() == ["l"])
        }
    }
}
