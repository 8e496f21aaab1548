import LarderTestSupport
import Testing

@testable import LarderClient

/// The files that a buildspec means are found, named for the artifact, and what is odd about them is told.
@Suite struct BuildspecFilesTests {
    private func find(_ artifacts: String, in folder: String) throws -> BuildspecFiles {
        let spec = try Buildspec(
            "version: 0.2\nartifacts:\n  \(artifacts.split(separator: ";").joined(separator: "\n  "))\n"
        )
        return try #require(spec.artifacts).fileSet.find(in: folder)
    }

    private func paths(_ artifacts: String, in folder: String) throws -> [String] {
        try find(artifacts, in: folder).files.filter { $0.kind != .folder }.map(\.path)
    }

    @Test func theGuidesArtifactsAreFound() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(
                ["imagedefinitions.json": "", "appspec.yml": "", "scripts/a.sh": "", "scripts/b/.c": "", "src/x": ""],
                in: folder
            )
            let result = try find(
                "files: [imagedefinitions.json, appspec.yml, scripts/**/*];discard-paths: no",
                in: folder
            )
            #expect(
                result.files.map(\.path)
                    == ["appspec.yml", "imagedefinitions.json", "scripts/a.sh", "scripts/b", "scripts/b/.c"]
            )
            #expect(result.files.map(\.source).first == "\(folder)/appspec.yml")
            #expect(result.files.map(\.kind) == [.file, .file, .file, .folder, .file])
            #expect(result.warnings == [])
        }
    }

    /// The trees of the reference of buildspecs.
    @Test func baseDirectoriesAreNotPartOfPaths() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(
                [
                    "my-build1/my-file1.txt": "", "my-build2/my-file2.txt": "",
                    "my-build2/my-subdirectory/my-file3.txt": "",
                ],
                in: folder
            )
            try #expect(
                paths("files: ['*/my-file3.txt'];base-directory: my-build2", in: folder)
                    == ["my-subdirectory/my-file3.txt"]
            )
            try #expect(
                paths("files: ['**/*'];base-directory: 'my-build*';discard-paths: yes", in: folder)
                    == ["my-file1.txt", "my-file2.txt", "my-file3.txt"]
            )
            try #expect(
                paths("files: ['**/*'];base-directory: 'my-build*'", in: folder)
                    == ["my-file1.txt", "my-file2.txt", "my-subdirectory/my-file3.txt"]
            )
            try #expect(paths("files: ['**/*'];base-directory: \(folder)/my-build1", in: folder) == ["my-file1.txt"])
            try #expect(
                paths("files: [my-file3.txt];base-directory: '*/my-subdirectory'", in: folder) == ["my-file3.txt"]
            )
        }
    }

    @Test func excludedPathsAreLeftOut() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(
                ["a.js": "", "a.js.map": "", "b/c.js.map": "", ".git/config": "", "b/.hidden": "", "b/secret": ""],
                in: folder
            )
            try #expect(
                paths("files: ['**/*'];exclude-paths: ['**/*.map', '**/.git/**/*', '**/secret/**/*']", in: folder)
                    == ["a.js", "b/.hidden"]
            )
        }
    }

    @Test func theLaterOfTwoFilesWithOneNameStays() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["a/x": "", "b/x": "", "b/y": ""], in: folder)
            let result = try find("files: ['**/*'];discard-paths: yes", in: folder)
            #expect(result.files.map(\.path) == ["x", "y"])
            #expect(result.files.map(\.source) == ["\(folder)/b/x", "\(folder)/b/y"])
            #expect(
                result.warnings == ["\(folder)/a/x and \(folder)/b/x are both x in the artifact; the latter is kept"]
            )
        }
    }

    @Test func aPatternWithoutMatchIsAWarningAndNoMatchAtAllAnError() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["a": "", "empty/": ""], in: folder)
            let result = try find("files:;  - a;  - nothing/**/*", in: folder)
            #expect(result.warnings == ["line 5: nothing/**/* matches nothing"])
            #expect(throws: ClientError.self) { try find("files: [nothing]", in: folder) }
            #expect(throws: ClientError.self) { try find("files: [empty]", in: folder) }
            #expect(throws: ClientError.self) { try find("files: [a];exclude-paths: [a]", in: folder) }
        }
    }

    @Test func aMissingBaseDirectoryIsAnError() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["a": ""], in: folder)
            for base in ["none", "'none*'", "a", "'../*'"] {
                #expect(throws: ClientError.self) { try find("files: ['**/*'];base-directory: \(base)", in: folder) }
            }
        }
    }

    @Test func whatIsAFileHereAndAFolderThereIsAnError() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["b1/x": "", "b2/x/y": ""], in: folder)
            #expect(throws: ClientError.self) { try find("files: ['**/*'];base-directory: 'b*'", in: folder) }
            try makeFiles(["c1/x/z": "", "c2/x/y": ""], in: folder)
            try #expect(paths("files: ['**/*'];base-directory: 'c*'", in: folder) == ["x/y", "x/z"])
        }
    }

    @Test func linksStayLinks() async throws {
        try await withTemporaryFolder { folder in
            try makeFiles(["dist/a": ""], in: folder)
            try makeLink("\(folder)/dist/b", to: "a")
            let result = try find("files: [dist]", in: folder)
            #expect(result.files.map(\.kind) == [.folder, .file, .symbolicLink])
        }
    }
}
