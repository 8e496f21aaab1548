import APIMessages
import Foundation
import LarderArchive
import LarderCore
import LarderTestSupport
import Testing

/// Artifacts over the API: what they hold, file by file and as one archive.
@Suite(.serialized)
struct ArtifactAPITests {
    private static let tool = [UInt8](repeating: 7, count: 300_000)

    /// Files, links, folders, and a folder that is kept as an archive.
    private static func artifact() throws -> TestArtifact {
        let bundle = try TestLayer.bundle(
            "assets",
            [
                (TarMember(name: "assets/", mode: 0o755, content: .folder), []),
                (TarMember(name: "assets/a.txt", mode: 0o600, content: .file(size: 1)), Array("a".utf8)),
                (TarMember(name: "assets/big", mode: 0o644, content: .file(size: 100_000)), Array(tool[..<100_000])),
                (TarMember(name: "assets/empty", mode: 0o644, content: .file(size: 0)), []),
                (TarMember(name: "assets/latest", mode: 0o777, content: .symbolicLink(target: "a.txt")), []),
                (TarMember(name: "assets/same", mode: 0o600, content: .hardLink(target: "assets/a.txt")), []),
            ]
        )
        return TestArtifact(
            [TestLayer("bin/tool", tool), TestLayer("LICENSE-ü", "free"), TestLayer("empty.txt", ""), bundle],
            config: .config(
                #"{"modes":{"bin/tool":"755"},"links":[{"path":"current","target":"bin/tool"}],"#
                    + #""folders":[{"path":"logs","mode":"700"}],"bundles":{"assets":{"fileCount":3,"byteCount":100001}}}"#
            ),
            annotations: ["org.opencontainers.image.revision": "4f0c", "team": "a"]
        )
    }

    @Test
    func aVersionSaysWhatItHolds() async throws {
        try await withLiveServer { server in
            let artifact = try Self.artifact()
            let pushed = try await server.push(artifact, ["1.0", "latest"], to: "team/app")
            #expect(pushed.status == 201)
            #expect(try pushed.json(ArtifactTagsMessage.self).digest == artifact.digest)
            #expect(try pushed.json(ArtifactTagsMessage.self).tags == ["1.0", "latest"])
            try await server.killAndRestart()
            for reference in ["1.0", "latest", try artifact.digest, ""] {
                let reply = try await server.ask("GET", "artifacts/team/app/version", ["ref": reference])
                let version = try reply.json(ArtifactVersionMessage.self)
                let layers = artifact.layers
                func file(_ layer: TestLayer, mode: String = "644") -> ArtifactFileMessage {
                    ArtifactFileMessage(
                        path: layer.title ?? "",
                        size: Int64(layer.bytes.count),
                        mode: mode,
                        digest: "\(digest(of: layer.bytes))"
                    )
                }
                let expected = ArtifactVersionMessage(
                    repository: "team/app",
                    digest: try artifact.digest,
                    tags: ["1.0", "latest"],
                    pushedAt: version.pushedAt,
                    size: layers.reduce(0) { $0 + Int64($1.bytes.count) },
                    fileCount: 6,
                    artifactType: "application/vnd.larder.artifact.v1",
                    labels: ["org.opencontainers.image.revision": "4f0c", "team": "a"],
                    files: [file(layers[1]), file(layers[0], mode: "755"), file(layers[2])],
                    links: [ArtifactLinkMessage(path: "current", target: "bin/tool")],
                    folders: [ArtifactFolderMessage(path: "logs", mode: "700")],
                    bundles: [
                        ArtifactBundleMessage(
                            path: "assets",
                            digest: "\(digest(of: layers[3].bytes))",
                            size: Int64(layers[3].bytes.count),
                            fileCount: 3,
                            byteCount: 100_001
                        )
                    ],
                    reports: []
                )
                #expect(version == expected)
            }
            // Docker and ORAS see the same.
            let manifest = try await server.get("/v2/team/app/manifests/1.0")
            #expect(try manifest.bytes == artifact.manifest)
        }
    }

    // MARK: Files

    @Test
    func filesAreReadOneByOne() async throws {
        try await withLiveServer { server in
            try await server.push(try Self.artifact(), ["1"])
            func file(_ path: String, range: String? = nil) async throws -> HTTPReply {
                try await server.ask(
                    "GET",
                    "artifacts/app/file",
                    ["ref": "1", "path": path],
                    headers: range.map { ["Range": $0] } ?? [:]
                )
            }
            for (path, bytes) in [
                ("bin/tool", Self.tool), ("LICENSE-ü", Array("free".utf8)), ("empty.txt", []),
                ("assets/a.txt", Array("a".utf8)), ("assets/big", Array(Self.tool[..<100_000])), ("assets/empty", []),
            ] {
                let reply = try await file(path)
                #expect(reply.status == 200, "\(path)")
                #expect(reply.bytes == bytes, "\(path)")
                #expect(reply.headers["content-type"] == "application/octet-stream", "\(path)")
                #expect(reply.headers["content-length"] == "\(bytes.count)", "\(path)")
            }
            let ranges: [(range: String, status: Int, contentRange: String?, length: Int)] = [
                ("bytes=0-9", 206, "bytes 0-9/300000", 10), ("bytes=299999-", 206, "bytes 299999-299999/300000", 1),
                ("bytes=-7", 206, "bytes 299993-299999/300000", 7),
                ("bytes=10-400000", 206, "bytes 10-299999/300000", 299_990),
                ("bytes=300000-", 416, "bytes */300000", 0), ("lines=1-2", 200, nil, 300_000),
                ("bytes=0-1,5-6", 200, nil, 300_000),
            ]
            for (range, status, contentRange, length) in ranges {
                let reply = try await file("bin/tool", range: range)
                #expect(reply.status == status, "\(range)")
                #expect(reply.headers["content-range"] == contentRange, "\(range)")
                #expect(reply.bytes.count == length, "\(range)")
            }
            // A bundle is unpacked from its start.
            #expect(try await file("assets/big", range: "bytes=0-9").status == 200)
            for path in ["assets/none", "assets", "bin", "tool", "current", "", "/bin/tool", "assets/../bin/tool"] {
                #expect(try await file(path).status == 404, "\(path)")
            }
            let head = try await server.ask("HEAD", "artifacts/app/file", ["path": "bin/tool"])
            #expect((head.status, head.bytes.count) == (200, 0))
        }
    }

    // MARK: One archive

    @Test
    func aVersionIsOneZip() async throws {
        try await withLiveServer { server in
            try await server.push(try Self.artifact(), ["1"], to: "team/app")
            let reply = try await server.ask("GET", "artifacts/team/app/zip", ["ref": "1"])
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "application/zip")
            #expect(reply.headers["content-disposition"] == "attachment; filename=\"app.zip\"")
            #expect(
                try await server.unzip(reply.bytes) == [
                    "folder 700 logs/ ", "file 644 LICENSE-ü free", "file 755 bin/tool 300000", "file 644 empty.txt ",
                    "link 777 current bin/tool", "folder 755 assets/ ", "file 600 assets/a.txt a",
                    "file 644 assets/big 100000", "file 644 assets/empty ", "link 777 assets/latest a.txt",
                    "link 777 assets/same ../assets/a.txt",
                ]
            )
        }
    }

    @Test
    func nothingInAZipLeadsOutOfIt() async throws {
        try await withLiveServer { server in
            let bundle = try TestLayer.bundle(
                "b",
                [
                    (TarMember(name: "../evil", mode: 0o644, content: .file(size: 1)), [1]),
                    (TarMember(name: "/evil", mode: 0o644, content: .file(size: 1)), [1]),
                    (TarMember(name: "b/../../evil", mode: 0o644, content: .hardLink(target: "b/good")), []),
                    (TarMember(name: "b/good", mode: 0o644, content: .file(size: 1)), Array("g".utf8)),
                    (TarMember(name: "b/bad", mode: 0o644, content: .hardLink(target: "../../etc/passwd")), []),
                ]
            )
            let layers = ["../evil", "/evil", "a/../../evil", "a/good"].map { (path: String) in
                TestLayer(path, "x\(path)")
            }
            try await server.push(TestArtifact(layers + [bundle]), ["1"])
            let reply = try await server.ask("GET", "artifacts/app/zip")
            #expect(try await server.unzip(reply.bytes) == ["file 644 a/good xa/good", "file 644 b/good g"])
        }
    }

    @Test
    func aBundleThatIsNoArchiveBreaksOff() async throws {
        try await withLiveServer { server in
            var bundle = TestLayer("b", "this was never an archive")
            bundle.annotations["io.deis.oras.content.unpack"] = "true"
            try await server.push(TestArtifact([TestLayer("a", "1"), bundle]), ["1"])
            await #expect(throws: (any Error).self) {
                _ = try await server.ask("GET", "artifacts/app/zip")
            }
            let file = try await server.ask("GET", "artifacts/app/file", ["path": "b/x"])
            #expect(file.status == 400)
            #expect(file.failure?.contains("invalid content") == true)
            // The others are there.
            #expect(try await server.ask("GET", "artifacts/app/file", ["path": "a"]).text == "1")
        }
    }

    // MARK: What others wrote

    @Test
    func whatORASWroteIsAnArtifact() async throws {
        try await withLiveServer { server in
            var text = TestLayer("report.txt", "fine")
            text.type = "text/plain"
            let folder = try TestLayer.bundle(
                "logs",
                [
                    (TarMember(name: "logs", mode: 0o755, content: .folder), []),
                    (TarMember(name: "logs/1", mode: 0o644, content: .file(size: 2)), Array("l1".utf8)),
                ]
            )
            var artifact = TestArtifact([text, folder], config: .empty, annotations: ["job": "42"])
            artifact.type = "application/vnd.example.report"
            try await server.push(artifact, ["1"])
            let version = try await server.ask("GET", "artifacts/app/version").json(ArtifactVersionMessage.self)
            #expect(version.artifactType == "application/vnd.example.report")
            #expect(version.files?.map(\.path) == ["report.txt"])
            #expect(version.files?.map(\.mode) == ["644"])
            #expect(version.bundles?.map(\.path) == ["logs"])
            #expect((version.links, version.folders, version.reports) == ([], [], []))
            #expect(version.labels == ["job": "42"])
            #expect(try await server.ask("GET", "artifacts/app/file", ["path": "logs/1"]).text == "l1")
            let zip = try await server.ask("GET", "artifacts/app/zip")
            #expect(
                try await server.unzip(zip.bytes) == [
                    "file 644 report.txt fine", "folder 755 logs/ ", "file 644 logs/1 l1",
                ]
            )
        }
    }

    /// An index has no layers, an image's have no titles: neither has files, and neither breaks a list.
    @Test
    func imagesAndIndexesHaveNoFiles() async throws {
        try await withLiveServer { server in
            var image = TestArtifact([TestLayer(nil, "layer")], config: TestLayer(nil, "{}"))
            image.type = nil
            try await server.push(image, ["image"])
            let index = Array(
                try JSONSerialization.data(
                    withJSONObject: [
                        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                        "manifests": [try image.descriptor],
                    ],
                    options: [.sortedKeys]
                )
            )
            let put = try await server.put("/api/v1/artifacts/app?tag=index", index)
            #expect(put.status == 201)
            try await server.push(TestArtifact([TestLayer("a", "1")]), ["artifact"])
            let list = try await server.ask("GET", "artifacts/app").json(ArtifactListMessage.self)
            #expect(list.versions.map(\.tags) == [["artifact"], ["index"], ["image"]])
            #expect(list.versions.map(\.fileCount) == [1, 0, 0])
            for tag in ["image", "index"] {
                let version = try await server.ask("GET", "artifacts/app/version", ["ref": tag])
                #expect(try version.json(ArtifactVersionMessage.self).files == [])
                let zip = try await server.ask("GET", "artifacts/app/zip", ["ref": tag])
                #expect(try await server.unzip(zip.bytes) == [])
                #expect(try await server.ask("GET", "artifacts/app/file", ["ref": tag, "path": "a"]).status == 404)
            }
            let held = try await server.ask("DELETE", "artifacts/app", ["ref": "image"])
            #expect(held.status == 409)
            #expect(held.failure?.contains("an index names") == true)
        }
    }
}
