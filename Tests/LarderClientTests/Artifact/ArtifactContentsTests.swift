import APIMessages
import LarderClient
import LarderCore
import Testing

/// Of what an artifact says only that is taken which is wanted, and only if all of it can be put into a folder.
@Suite struct ArtifactContentsTests {
    private static let unsafe: [String] = [
        "/etc/passwd", "../up", "a/../../up", "a/..", ".", "./a", "a//b", "a/", "", "a/\0",
        String(repeating: "x", count: 256),
    ]

    @Test(arguments: unsafe)
    func pathsThatLeaveTheFolderAreRefused(path: String) {
        let folder = ArtifactFolderMessage(path: path, mode: "755")
        let bundle = ArtifactBundleMessage(
            path: path,
            digest: makeDigest(1).description,
            size: 1,
            fileCount: 1,
            byteCount: 1
        )
        let versions = [
            makeVersion(files: [makeFileMessage(path, 1)]), makeVersion(links: [.init(path: path, target: "x")]),
            makeVersion(folders: [folder]), makeVersion(bundles: [bundle]),
        ]
        for version in versions {
            #expect(throws: ClientError.self) { try ArtifactContents(version, matching: []) }
        }
    }

    @Test func nothingIsWrittenThroughALinkOrFileOfTheArtifact() {
        let file = makeFileMessage("a/b/c", 1)
        let link = ArtifactLinkMessage(path: "a/b", target: "/etc")
        #expect(throws: ClientError.self) {
            try ArtifactContents(makeVersion(files: [file], links: [link]), matching: [])
        }
        let other = makeFileMessage("a", 2)
        #expect(throws: ClientError.self) { try ArtifactContents(makeVersion(files: [file, other]), matching: []) }
        let folder = ArtifactFolderMessage(path: "a/b/d", mode: "755")
        #expect(throws: ClientError.self) {
            try ArtifactContents(makeVersion(links: [link], folders: [folder]), matching: [])
        }
    }

    @Test(arguments: [
        (file: makeFileMessage("a", 1, size: -1), why: "size"),
        (file: makeFileMessage("a", 1, mode: "rw"), why: "mode"),
        (file: ArtifactFileMessage(path: "a", size: 1, mode: "644", digest: "sha256:1"), why: "digest"),
    ])
    func whatIsNotUnderstoodIsRefused(file: ArtifactFileMessage, why: String) {
        #expect(throws: ClientError.self, "\(why)") { try ArtifactContents(makeVersion(files: [file]), matching: []) }
    }

    @Test func ofSeveralFilesWithOnePathTheLastCounts() throws {
        let files = [makeFileMessage("a", 1), makeFileMessage("b", 2), makeFileMessage("a", 3)]
        let contents = try ArtifactContents(makeVersion(files: files), matching: [])
        #expect(contents.files.map(\.digest) == [makeDigest(3), makeDigest(2)])
    }

    @Test func pathsInDifferentBytesAreDifferentFiles() throws {
        let files = [makeFileMessage("e\u{301}", 1), makeFileMessage("\u{e9}", 2)]
        let contents = try ArtifactContents(makeVersion(files: files), matching: [])
        #expect(contents.files.map(\.digest) == [makeDigest(1), makeDigest(2)])
    }

    private static let patterns: [(patterns: [String], paths: [String], bundles: [String])] = [
        (patterns: [], paths: ["bin/tool", "conf/a.yml", "conf/b.json", "readme"], bundles: ["lib"]),
        (patterns: ["bin"], paths: ["bin/tool"], bundles: []),
        (patterns: ["conf/*.yml", "readme"], paths: ["conf/a.yml", "readme"], bundles: []),
        (patterns: ["lib/x.js"], paths: [], bundles: ["lib"]),
        (patterns: ["**/*.json"], paths: ["conf/b.json"], bundles: ["lib"]),
    ]

    @Test(arguments: patterns)
    func patternsTakeAPart(patterns: [String], paths: [String], bundles: [String]) throws {
        let bundle = ArtifactBundleMessage(
            path: "lib",
            digest: makeDigest(9).description,
            size: 1,
            fileCount: 1,
            byteCount: 1
        )
        let files = ["bin/tool", "conf/a.yml", "conf/b.json", "readme"].map { makeFileMessage($0, 1) }
        let contents = try ArtifactContents(
            makeVersion(files: files, bundles: [bundle]),
            matching: patterns.map { try PathPattern($0) }
        )
        #expect(contents.files.map(\.path) == paths)
        #expect(contents.bundles.map(\.folder) == bundles)
    }
}
