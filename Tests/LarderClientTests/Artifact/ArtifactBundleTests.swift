import Foundation
import Glibc
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// A folder becomes an archive that programs understand, and comes back out of it.
@Suite struct ArtifactBundleTests {
    private func makeBundle(_ folder: String, _ name: String = "lib") throws -> ArtifactPlan.Bundle {
        var scanner = ArtifactScanner(base: folder)
        try scanner.add(name)
        return ArtifactPlan.Bundle(folder: name, content: try scanner.found())
    }

    private func makeTree(_ folder: String) throws {
        try write("one", to: "\(folder)/lib/a/b/one.txt")
        try write("tool", to: "\(folder)/lib/tool", mode: 0o755)
        try FileManager.default.createDirectory(atPath: "\(folder)/lib/empty", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/lib/link", withDestinationPath: "a/b")
    }

    private func unpack(_ bundle: ArtifactBundle, in folder: String, patterns: [String] = []) throws -> [String] {
        _ = try ArtifactFolder(folder)
        let staging = try ArtifactStaging(in: folder)
        try FileManager.default.copyItem(atPath: bundle.path, toPath: "\(staging.path)/archive")
        var unpacker = ArtifactUnpacker(
            folder: bundle.folder,
            patterns: try patterns.map { try PathPattern($0) },
            staging: staging,
            prefix: "0"
        )
        let unpacked = try unpacker.unpack("archive", size: bundle.size) {}
        _ = try ArtifactTarget(folder).place(
            unpacked.contents,
            known: [],
            staged: unpacked.staged,
            from: staging
        ) {}
        return try listing(of: folder).filter { !$0.hasPrefix(".larder-restore") }
    }

    @Test func theSameFolderGivesTheSameBytes() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            let first = try ArtifactBundle(try makeBundle(folder), to: "\(folder)/1") {}
            var times = [timeval(tv_sec: 1, tv_usec: 0), timeval(tv_sec: 1, tv_usec: 0)]
            utimes("\(folder)/lib/tool", &times)
            let second = try ArtifactBundle(try makeBundle(folder), to: "\(folder)/2") {}
            #expect(first.digest == second.digest)
            #expect(first.unpackedDigest == second.unpackedDigest)
            #expect(first.fileCount == 2)
            #expect(first.byteCount == 7)
            let data = try #require(FileManager.default.contents(atPath: "\(folder)/1"))
            #expect(IncrementalHasher.digest(of: data) == first.digest)
            #expect(Int64(data.count) == first.size)
        }
    }

    @Test func whatGoesInComesOut() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            let bundle = try ArtifactBundle(try makeBundle(folder), to: "\(folder)/1") {}
            #expect(
                try unpack(bundle, in: "\(folder)/out") == [
                    "lib/ 755", "lib/a/ 755", "lib/a/b/ 755", "lib/a/b/one.txt 644 one", "lib/empty/ 755",
                    "lib/link -> a/b", "lib/tool 755 tool",
                ]
            )
            #expect(
                try unpack(bundle, in: "\(folder)/part", patterns: ["lib/tool"]) == ["lib/ 755", "lib/tool 755 tool"]
            )
        }
    }

    @Test func tarReadsIt() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            _ = try ArtifactBundle(try makeBundle(folder), to: "\(folder)/1") {}
            let result = try await runProgram("tar", ["tzf", "\(folder)/1"])
            #expect(result.status == 0)
            #expect(
                result.output.split(separator: "\n") == [
                    "lib/", "lib/a/", "lib/a/b/", "lib/a/b/one.txt", "lib/empty/", "lib/link", "lib/tool",
                ]
            )
        }
    }

    @Test func aFileThatGrowsMeanwhileIsAnError() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            let bundle = try makeBundle(folder)
            try write("longer than before", to: "\(folder)/lib/tool")
            #expect(throws: ClientError.self) { try ArtifactBundle(bundle, to: "\(folder)/1") {} }
        }
    }

    /// Archives of strangers, made by tar; `names`: what the one file in it is called.
    @Test(arguments: ["other/x", "../x", "lib/../../x", "libx/x", "/abs"])
    func whatIsNotInTheFolderIsRefused(name: String) async throws {
        try await withTemporaryFolder { folder in
            try write("1", to: "\(folder)/x")
            let archive = "\(folder)/a.tar.gz"
            let made = try await runProgram(
                "tar",
                ["-C", folder, "-czPf", archive, "--transform", "s,.*,\(name),", "x"]
            )
            try #require(made.status == 0)
            let error = #expect(throws: ClientError.self) { try unpackStranger(archive, in: folder) }
            #expect(try #require(error).description.contains("refused"))
            #expect(FileManager.default.fileExists(atPath: "\(folder)/out/lib") == false)
        }
    }

    @Test func otherNamesOfAFileAreFilesOfTheirOwn() async throws {
        try await withTemporaryFolder { folder in
            try write("1", to: "\(folder)/lib/x")
            link("\(folder)/lib/x", "\(folder)/lib/y")
            let archive = "\(folder)/a.tar.gz"
            try #require(try await runProgram("tar", ["-C", folder, "-czf", archive, "lib"]).status == 0)
            #expect(try unpackStranger(archive, in: folder) == ["lib/ 755", "lib/x 644 1", "lib/y 644 1"])
        }
    }

    private func unpackStranger(_ archive: String, in folder: String) throws -> [String] {
        let output = "\(folder)/out"
        _ = try ArtifactFolder(output)
        let staging = try ArtifactStaging(in: output)
        try FileManager.default.copyItem(atPath: archive, toPath: "\(staging.path)/archive")
        var unpacker = ArtifactUnpacker(folder: "lib", patterns: [], staging: staging, prefix: "0")
        let unpacked = try unpacker.unpack("archive", size: 10_000) {}
        _ = try ArtifactTarget(output).place(unpacked.contents, known: [], staged: unpacked.staged, from: staging) {}
        return try listing(of: output).filter { !$0.hasPrefix(".larder-restore") }
    }
}
