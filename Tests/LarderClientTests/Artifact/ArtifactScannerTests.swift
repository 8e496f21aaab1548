import Foundation
import Glibc
import LarderClient
import LarderCore
import LarderTestSupport
import Testing

/// What arguments name is found, with the paths that it has in the artifact.
@Suite struct ArtifactScannerTests {
    private func scan(_ arguments: [String], in folder: String) throws -> ArtifactFiles {
        var scanner = ArtifactScanner(base: folder)
        for argument in arguments { try scanner.add(argument) }
        return try scanner.found()
    }

    private func makeTree(_ folder: String) throws {
        try write("1", to: "\(folder)/dist/app.js")
        try write("22", to: "\(folder)/dist/bin/tool", mode: 0o755)
        try write("3", to: "\(folder)/readme.txt", mode: 0o4644)
        try FileManager.default.createDirectory(atPath: "\(folder)/dist/empty", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: "\(folder)/dist/latest", withDestinationPath: "bin")
    }

    private static let arguments: [(arguments: [String], paths: [String])] = [
        (arguments: ["dist"], paths: ["dist/app.js", "dist/bin/tool"]),
        (arguments: ["./dist"], paths: ["dist/app.js", "dist/bin/tool"]),
        (arguments: ["dist/"], paths: ["app.js", "bin/tool"]),
        (arguments: ["dist/bin"], paths: ["dist/bin/tool"]),
        (arguments: ["."], paths: ["dist/app.js", "dist/bin/tool", "readme.txt"]),
        (arguments: ["dist/app.js", "readme.txt"], paths: ["dist/app.js", "readme.txt"]),
        (arguments: ["dist", "dist/app.js"], paths: ["dist/app.js", "dist/bin/tool"]),
        (arguments: ["*.txt"], paths: ["readme.txt"]),
        (arguments: ["dist/*"], paths: ["dist/app.js", "dist/bin/tool"]),
        (arguments: ["**/*.js"], paths: ["dist/app.js"]),
    ]

    @Test(arguments: arguments)
    func argumentsNameFiles(arguments: [String], paths: [String]) async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            #expect(try scan(arguments, in: folder).files.map(\.path) == paths)
        }
    }

    @Test func modesSizesLinksAndEmptyFoldersAreKept() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try write("part", to: "\(folder)/dist/.larder-restore-abc/1")
            chmod("\(folder)/dist/bin", 0o750)
            let found = try scan(["dist", "readme.txt"], in: folder)
            #expect(found.files.map(\.mode) == [0o644, 0o755, 0o644])
            #expect(found.files.map(\.size) == [1, 2, 1])
            #expect(found.links == [.init(path: "dist/latest", target: "bin")])
            #expect(found.folders == [.init(path: "dist/bin", mode: 0o750), .init(path: "dist/empty", mode: 0o755)])
        }
    }

    @Test func namesInDifferentBytesAreDifferentFiles() async throws {
        try await withTemporaryFolder { folder in
            let names = ["e\u{301}", "\u{e9}"]
            for name in names { close(open("\(folder)/\(name)", O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)) }
            let files = try scan(["."], in: folder).files
            #expect(files.map { PathKey($0.path) } == names.map { PathKey($0) })
        }
    }

    @Test func aCancelledScanEnds() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            var scanner = ArtifactScanner(base: folder)
            var count = 0
            #expect(throws: CancellationError.self) {
                try scanner.add("dist") {
                    count += 1
                    if count == 3 { throw CancellationError() }
                }
            }
            #expect(count == 3)
        }
    }

    @Test func aLinkIsFollowedOnlyWhenASlashAsksForIt() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            #expect(try scan(["dist/latest"], in: folder).links.map(\.path) == ["dist/latest"])
            #expect(try scan(["dist/latest/"], in: folder).files.map(\.path) == ["tool"])
        }
    }

    @Test func whatIsElsewhereKeepsItsNameOnly() async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            #expect(try scan(["\(folder)/dist/bin"], in: "").files.map(\.path) == ["bin/tool"])
            #expect(try scan(["../dist/app.js"], in: "\(folder)/dist").files.map(\.path) == ["app.js"])
        }
    }

    @Test(arguments: [
        (arguments: ["none"], says: "there is no"),
        (arguments: ["*.zip"], says: "matches *.zip"),
        (arguments: ["../*"], says: "--base"),
        (arguments: ["readme.txt/"], says: "without the slash"),
        (arguments: ["dist/", "other/"], says: "app.js would be both"),
        (arguments: ["pipe"], says: "neither a file"),
    ])
    func whatCannotBePushedIsExplained(arguments: [String], says: String) async throws {
        try await withTemporaryFolder { folder in
            try makeTree(folder)
            try write("other", to: "\(folder)/other/app.js")
            mkfifo("\(folder)/pipe", 0o644)
            let error = #expect(throws: ClientError.self) { try scan(arguments, in: folder) }
            #expect(try #require(error).description.contains(says))
        }
    }

    @Test(arguments: [["a", "a"], ["a", "a/b"], ["../a"], ["/a"], ["a//b"], ["a/./b"], [""], ["a/.."]])
    func pathsThatCannotBeInOneArtifactAreRefused(paths: [String]) {
        #expect(throws: ClientError.self) { try ArtifactFiles(files: makeFiles(paths)) }
    }
}
