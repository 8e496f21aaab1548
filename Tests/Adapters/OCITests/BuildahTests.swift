import Foundation
import LarderTestSupport
import Testing

/// Debian's buildah 1.28.2.
///
/// What is relied on in that version:
/// - `commit` keeps layers unpacked; `push` compresses them without knowing their length, so the digest that the
///   registry gets is not the one of the image store. `--digestfile` tells it.
/// - With the `vfs` driver `mount` only tells where the files lie.
@Suite
struct BuildahTests {
    @Test
    func whatOneMachineBuildsAnotherPulls() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let (builder, user) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "user"))
                let content = Array("built here\n".utf8)
                let source = "\(folder)/source"
                try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: false)
                try Data(content).write(to: URL(fileURLWithPath: "\(source)/greeting"))

                let container = try await builder.buildah("from", "scratch")
                try await builder.buildah("copy", "--quiet", container, source, "/data")
                try await builder.buildah("config", "--label", "team=cache", container)
                try await builder.buildah("commit", "--quiet", container, "localhost/built:1")
                let digest = try await builder.push("localhost/built:1", to: "\(server.host)/team/built:1")
                #expect(try await server.digest(of: "1", in: "team/built") == digest)

                let name = "\(server.host)/team/built:1"
                try await user.buildah("pull", "--quiet", "--tls-verify=false", "docker://\(name)")
                #expect(try await user.digests(of: name) == [digest])
                let copy = try await user.buildah("from", "--pull-never", name)
                let root = try await user.buildah("mount", copy)
                let files = try folderContents("\(root)/data")
                #expect(files == ["greeting": content])
                try await user.buildah("umount", copy)
            }
        }
    }

    /// The second build adds a layer to the first one's, which is in the registry already.
    @Test
    func aLayerOnTopOfAnotherImageIsAllThatIsSent() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--access-log"]) { server in
                let (one, other) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "other"))
                let image = ImageLayout("\(folder)/image")
                try await one.makeImage(in: image, layerCount: 2)
                let base = "\(server.host)/team/base:1"
                try await one.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", "docker://\(base)")
                let added = "\(folder)/added"
                try "new".write(toFile: added, atomically: false, encoding: .utf8)

                let container = try await other.buildah("from", "--quiet", "--tls-verify=false", base)
                try await other.buildah("copy", "--quiet", container, added, "/added")
                try await other.buildah("commit", "--quiet", container, "localhost/built:1")
                let digest = try await other.push("localhost/built:1", to: "\(server.host)/team/base:2")
                #expect(try await server.digest(of: "2", in: "team/base") == digest)

                let reply = try await server.get("/v2/team/base/manifests/2")
                let manifest = try JSONDecoder().decode(LayoutManifest.self, from: Data(reply.bytes))
                let layers = try image.manifest("app").layers.map(\.digest)
                #expect(manifest.layers.count == 3)
                #expect(Array(manifest.layers.prefix(2).map(\.digest)) == layers)
                // Twice two layers and a config, without the two layers that were there.
                #expect(server.loggedRequests.count { $0.method == "PATCH" } == 5)
            }
        }
    }
}

extension ClientMachine {
    /// Pushes an image; returns the digest that it has in the registry.
    fileprivate func push(_ image: String, to name: String) async throws -> String {
        let file = "\(folder)/tmp/digest"
        try await buildah(
            "push",
            "--quiet",
            "--tls-verify=false",
            "--digestfile=\(file)",
            image,
            "docker://\(name)"
        )
        return readText(file)
    }

    /// The digests under which an image is kept.
    fileprivate func digests(of name: String) async throws -> [String] {
        struct Row: Decodable {
            let digest: String
            let names: [String]?
        }
        let text = try await buildah("images", "--json")
        let rows = try JSONDecoder().decode([Row].self, from: Data(text.utf8))
        return rows.filter { $0.names?.contains(name) == true }.map(\.digest)
    }
}
