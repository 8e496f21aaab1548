import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// The hash of files is the one that GitHub's `hashFiles` makes.
@Suite struct FileHashTests {
    /// `printf one | sha256sum | xxd -r -p`, the same for two, and `sha256sum` over both.
    private static let hashOfOneAndTwo = "11914c19a28a98c57d12f3cce6c32b7944784f4b4781a706c24eb1dc284e2856"

    private func expected(_ contents: [String]) -> String {
        sha256Hex(contents.flatMap { IncrementalHasher.digest(of: Array($0.utf8)).bytes })
    }

    @Test func theHashIsOverTheDigestsInOrder() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(
                ["a/yarn.lock": "one", "a-b/yarn.lock": "two", "yarn.lock": "three", "x": "four"],
                in: folder
            )
            try #expect(FileHash.hex(matching: ["**/yarn.lock"], in: folder) == expected(["one", "two", "three"]))
            try #expect(FileHash.hex(matching: ["yarn.lock", "yarn.*"], in: folder) == expected(["three"]))
            try #expect(
                FileHash.hex(matching: ["**/yarn.lock", "!a*/**/*"], in: folder) == expected(["three"])
            )
        }
    }

    /// Written out, so that the way of hashing stays what it is: keys of yesterday must be found tomorrow.
    @Test func theHashOfTwoFilesIsKnown() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["a": "one", "b": "two"], in: folder)
            try #expect(FileHash.hex(matching: ["a", "b"], in: folder) == Self.hashOfOneAndTwo)
            try #expect(FileHash.hex(matching: ["b", "a"], in: folder) == Self.hashOfOneAndTwo)
        }
    }

    @Test func noFileGivesNothing() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["empty/": ""], in: folder)
            try #expect(FileHash.hex(matching: ["**/*"], in: folder) == "")
            try #expect(FileHash.hex(matching: [], in: folder) == "")
        }
    }

    @Test func aLinkCountsAsItsFile() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["real": "one", "folder/": ""], in: folder)
            try makeLink("\(folder)/lock", to: "real")
            try makeLink("\(folder)/lost", to: "nowhere")
            try makeLink("\(folder)/to-folder", to: "folder")
            try #expect(FileHash.hex(matching: ["lock", "lost", "to-folder"], in: folder) == expected(["one"]))
        }
    }

    @Test func onlyFilesBelowTheFolderCount() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["a": "one"], in: folder)
            try #expect(FileHash.hex(matching: ["\(folder)/a"], in: folder) == expected(["one"]))
            for path in ["/etc/passwd", "../a", "~/a"] {
                #expect(throws: ClientError.self) { try FileHash.hex(matching: [path], in: folder) }
            }
        }
    }

    @Test func aLargeFileIsHashedWhole() async throws {
        try await withTemporaryFolder { folder in
            let content = String(repeating: "0123456789abcdef", count: 50_000)
            try makeFiles(["a": content], in: folder)
            try #expect(FileHash.hex(matching: ["a"], in: folder) == expected([content]))
        }
    }
}
