import Foundation
import Glibc
import LarderTestSupport
import Testing

@testable import LarderClient

/// A search finds what patterns name and follows no link.
@Suite struct PathSearchTests {
    private func paths(
        _ patterns: [String],
        excluding excluded: [String] = [],
        in folder: String
    ) throws -> [String] {
        let found = try PathSearch.files(
            matching: try patterns.map { try PathPattern($0) },
            excluding: try excluded.map { try PathPattern($0) },
            in: folder
        )
        return found.map { found in
            switch found.kind {
            case .file: found.path
            case .folder: "\(found.path)/"
            case .symbolicLink: "\(found.path)@"
            }
        }
    }

    @Test func whatMatchesIsFoundInOrderNameByName() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["b.txt": "", "a/x": "", "a-b": "", "a/.h/y": "", "a/empty/": "", "B": ""], in: folder)
            try makeLink("\(folder)/a/link", to: "x")
            try #expect(
                paths(["**/*"], in: folder)
                    == ["B", "a/", "a/.h/", "a/.h/y", "a/empty/", "a/link@", "a/x", "a-b", "b.txt"]
            )
            try #expect(paths(["a/*", "b.txt"], in: folder) == ["a/.h/", "a/empty/", "a/link@", "a/x", "b.txt"])
            try #expect(paths(["a"], excluding: ["**/.h/**/*"], in: folder) == ["a/", "a/empty/", "a/link@", "a/x"])
            try #expect(paths(["nothing"], in: folder) == [])
        }
    }

    @Test func linksAreNotFollowed() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["real/x": ""], in: folder)
            try makeLink("\(folder)/around", to: ".")
            try makeLink("\(folder)/alias", to: "real")
            try #expect(paths(["**/x"], in: folder) == ["real/x"])
            try #expect(paths(["alias/x"], in: folder) == [])
            try #expect(paths(["**/*"], in: folder) == ["alias@", "around@", "real/", "real/x"])
        }
    }

    @Test func foldersThatCannotHoldMatchesAreNotRead() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["dist/app.js": "", "private/x": ""], in: folder)
            // Deeper than a search goes: whoever enters it fails.
            try makeDeepFolder("\(folder)/private", depth: 300)
            try #expect(paths(["dist/**/*"], in: folder) == ["dist/app.js"])
            try #expect(paths(["**/*.js"], excluding: ["private"], in: folder) == ["dist/app.js"])
            #expect(throws: ClientError.self) { try paths(["**/*.js"], in: folder) }
        }
    }

    @Test func aMissingFolderIsAnError() async throws {
        try await withTemporaryFolder { folder in
            let error = #expect(throws: ClientError.self) { try paths(["**/*"], in: "\(folder)/none") }
            #expect(error?.description.contains("No such file or directory") == true)
        }
    }

    @Test func aPipeIsPassedOver() async throws {
        try await withTemporaryFolder { folder in
            #expect(mkfifo("\(folder)/pipe", 0o600) == 0)
            try #expect(paths(["**/*"], in: folder) == [])
        }
    }

    @Test func aNameThatIsNoTextIsAnErrorOnlyWhereItIsWanted() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["dist/a": ""], in: folder)
            let name = Array("\(folder)/dist/".utf8CString.dropLast()) + [-1, 0]
            let descriptor = open(name, O_WRONLY | O_CREAT, 0o600)
            try #require(descriptor >= 0)
            close(descriptor)
            defer { unlink(name) }
            try #expect(paths(["**/a"], in: folder) == ["dist/a"])
            #expect(throws: ClientError.self) { try paths(["dist/*"], in: folder) }
            try #expect(paths(["dist/*"], excluding: ["dist/[!a-z]"], in: folder) == ["dist/a"])
        }
    }

    /// Makes folders within folders; their path is longer than the system takes in one call.
    private func makeDeepFolder(_ path: String, depth: Int) throws {
        var descriptor = open(path, O_RDONLY | O_DIRECTORY)
        for _ in 0..<depth {
            try #require(mkdirat(descriptor, "d", 0o700) == 0)
            let next = openat(descriptor, "d", O_RDONLY | O_DIRECTORY)
            close(descriptor)
            descriptor = next
        }
        close(descriptor)
    }
}
