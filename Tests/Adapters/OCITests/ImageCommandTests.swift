import Foundation
import LarderTestSupport
import Testing

/// `larder image`, against live servers and docker-registry, with images that umoci made and skopeo pushed.
@Suite
struct ImageCommandTests {
    // MARK: - Looking and tagging

    @Test
    func imagesAreListedAndShown() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let image = try await Self.push(to: server, in: folder)
                let (digest, manifest) = (try image.descriptor("app").digest, try image.manifest("app"))
                let size = manifest.layers.reduce(manifest.config.size) { $0 + $1.size }

                let rows = try await server.json([ImageRow].self, "ls", "team/")
                #expect(rows.map { "\($0.repository):\($0.tag)" } == ["team/app:1"])
                #expect(rows.map(\.digest) == [digest])
                #expect(rows.map(\.sizeBytes) == [size])
                #expect(try await server.json([ImageRow].self, "ls", "other/").isEmpty)
                let list = try await server.image("ls")
                #expect(list.split(separator: "\n").count == 2)
                #expect(list.contains("team/app"))

                let details = try await server.json(ImageDetails.self, "inspect", "team/app:1")
                #expect(details.digest == digest)
                #expect(details.layers.map(\.digest) == manifest.layers.map(\.digest))
                #expect(details.platforms.count == 1)
                let bytes = try image.manifestBytes("app")
                for name in ["team/app:1", "team/app@\(digest)"] {
                    let raw = try await server.image("inspect", name, "--raw")
                    #expect(Array(raw.utf8) == bytes)
                    #expect(try await server.image("inspect", name).contains(digest))
                }
            }
        }
    }

    @Test
    func tagsComeAndGo() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let digest = try await Self.push(to: server, in: folder).descriptor("app").digest

                try await server.image("tag", "team/app:1", "stable", "latest")
                #expect(try await server.image("tags", "team/app") == "1\nlatest\nstable\n")
                #expect(try await server.json([String].self, "tags", "team/app") == ["1", "latest", "stable"])
                #expect(try await server.digest(of: "stable", in: "team/app") == digest)

                try await server.image("rm", "team/app:1", "team/app:latest")
                #expect(try await server.tags(in: "team/app") == ["stable"])
                // A tag goes alone, a manifest with its tags.
                #expect(try await server.digest(of: digest, in: "team/app") == digest)
                try await server.image("rm", "--manifest", "team/app:stable")
                #expect(try await server.tags(in: "team/app") == [])
                #expect(try await server.digest(of: digest, in: "team/app") == nil)
            }
        }
    }

    // MARK: - Copying

    @Test
    func anImageIsCopiedToAFolderAndBack() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let image = try await Self.push(to: server, in: folder)
                let out = ImageLayout("\(folder)/out")
                let digest = try image.descriptor("app").digest
                let nothing = ImageCopyResult(copied: 0, mounted: 0, present: 4, digest: digest)
                let everything = ImageCopyResult(copied: 4, mounted: 0, present: 0, digest: digest)
                let links = ImageCopyResult(copied: 0, mounted: 4, present: 0, digest: digest)

                #expect(try await server.copy("team/app:1", "oci:\(out.path):app") == everything)
                let (sent, received) = (try image.blobs, try out.blobs)
                #expect(differences(sent, received) == [])
                let unpacked = try await ClientMachine(in: folder, name: "other").unpack("app", of: out)
                #expect(unpacked.count == 3)
                #expect(try await server.copy("team/app:1", "oci:\(out.path):app") == nothing)

                #expect(try await server.copy("oci:\(out.path):app", "back/app") == everything)
                // The tag is that of the source.
                #expect(try await server.digest(of: "app", in: "back/app") == digest)
                #expect(try await server.copy("team/app:1", "beside/app:2") == links)
                #expect(try await server.digest(of: "2", in: "beside/app") == digest)
            }
        }
    }

    @Test
    func imagesAreCopiedBetweenServers() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { one in
                try await withLiveServer { other in
                    let image = try await Self.pushForTwoPlatforms(to: one, in: folder)
                    let digest = try image.descriptor("app").digest

                    // A command may need neither of the two to be the one of the data folder.
                    let (here, there) = ("http://\(one.host)/team/app:1", "http://\(other.host)/team/app:2")
                    let whole = ImageCopyResult(copied: 6, mounted: 0, present: 0, digest: digest)
                    #expect(try await other.copy(here, there) == whole)
                    #expect(try await other.digest(of: "2", in: "team/app") == digest)
                    #expect(try await other.copy("team/app:2", "http://\(one.host)/back/app").digest == digest)
                    #expect(try await one.digest(of: "2", in: "back/app") == digest)

                    let part = try await other.copy(here, "arm/app", "--platform=linux/arm64")
                    #expect(part.mounted + part.copied == 3)
                    #expect(try await other.digest(of: "1", in: "arm/app") == part.digest)
                    let details = try await other.json(ImageDetails.self, "inspect", "arm/app:1")
                    #expect(details.platforms == ["linux/arm64"])
                }
            }
        }
    }

    @Test
    func imagesAreCopiedToDockerRegistryAndBack() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                try await withDockerRegistry { registry in
                    let image = try await Self.pushForTwoPlatforms(to: server, in: folder)
                    let digest = try image.descriptor("app").digest
                    let whole = ImageCopyResult(copied: 6, mounted: 0, present: 0, digest: digest)
                    let (there, beside) = ("http://\(registry.host)/peer/app:1", "http://\(registry.host)/beside/app:1")

                    #expect(try await server.copy("team/app:1", there) == whole)
                    #expect(try await server.copy(there, beside).digest == digest)
                    #expect(try await server.copy(beside, "back/app") == whole)
                    let machine = try ClientMachine(in: folder, name: "reader")
                    let pulled = ImageLayout("\(folder)/pulled")
                    try await machine.skopeo(
                        "copy",
                        "--all",
                        "--src-tls-verify=false",
                        "docker://\(server.host)/back/app:1",
                        "oci:\(pulled.path):app"
                    )
                    let (sent, received) = (try image.blobs, try pulled.blobs)
                    #expect(differences(sent, received) == [])
                }
            }
        }
    }

    @Test
    func theServerNeedNotRun() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let image = try await Self.push(to: server, in: folder)
                let out = ImageLayout("\(folder)/out")
                try await server.stop()

                #expect(try await server.image("tags", "team/app") == "1\n")
                try await server.image("copy", "team/app:1", "oci:\(out.path):app")
                let (sent, received) = (try image.blobs, try out.blobs)
                #expect(differences(sent, received) == [])
                try await server.image("copy", "oci:\(out.path):app", "back/app:1")

                try await server.startAgain()
                let digest = try image.descriptor("app").digest
                #expect(try await server.digest(of: "1", in: "back/app") == digest)
            }
        }
    }

    // MARK: - Mistakes

    /// Exit code 64 is a mistake in the command itself; such an answer goes on with how the command is used.
    private static let mistakes: [(arguments: [String], status: Int32, names: String)] = [
        (["inspect", "team/app:2"], 1, "team/app"),
        (["inspect", "never/app:1"], 1, "never/app"),
        (["tags", "never/app"], 1, "never/app"),
        (["tag", "team/app:2", "3"], 1, "team/app"),
        (["rm", "team/app:2"], 1, "team/app"),
        (["copy", "never/app:1", "other/app"], 1, "never/app"),
        (["copy", "http://127.0.0.1:1/team/app:1", "other/app"], 1, "127.0.0.1:1"),
        (["copy", "team/app:1", "http://127.0.0.1:1/team/app:1"], 1, "127.0.0.1:1"),
        (["copy", "oci:/nowhere/at/all:1", "other/app"], 1, "/nowhere/at/all"),
        (["copy", "team/app:1", "oci:/proc/nothing:1"], 1, "/proc/nothing"),
        (["copy", "team/app:1", "other/app", "--platform", "linux/s390x"], 1, "linux/s390x"),
        (["inspect", "Team/app:1"], 64, "Team/app"),
        (["inspect", "team/app@sha256:12"], 64, "team/app@sha256:12"),
        (["inspect", "team/app:1", "--raw", "--json"], 64, "--raw"),
        (["tag", "team/app:1", "no tag"], 64, "no tag"),
        (["tag", "team/app:1"], 64, "<tags>"),
        (["rm", "team/app"], 64, "team/app"),
        (["copy", "ftp://host/app:1", "other/app"], 64, "ftp://host/app:1"),
        (["copy", "team/app:1", "oci:"], 64, "oci:"),
        (["copy", "team/app:1"], 64, "<destination>"),
    ]

    @Test
    func aMistakeIsNamedInOneSentence() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let digest = try await Self.push(to: server, in: folder).descriptor("app").digest
                for mistake in Self.mistakes {
                    let result = try await server.attempt(mistake.arguments)
                    let lines = result.errors.split(separator: "\n")
                    #expect(result.status == mistake.status, "\(mistake.arguments): \(result.errors)")
                    #expect(result.output == "", "\(mistake.arguments)")
                    #expect(lines.first?.hasPrefix("Error: ") == true, "\(mistake.arguments): \(result.errors)")
                    #expect(lines.first?.contains(mistake.names) == true, "\(mistake.arguments): \(result.errors)")
                    #expect(lines.count == 1 || mistake.status == 64, "\(mistake.arguments): \(result.errors)")
                }
                // None of them did anything.
                #expect(try await server.json([ImageRow].self, "ls").map(\.digest) == [digest])
            }
        }
    }

    /// A folder whose blob is not what its name says, and one without a blob.
    @Test(arguments: [true, false])
    func aDamagedFolderIsRefused(isThere: Bool) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let image = ImageLayout("\(folder)/image")
                try await ClientMachine(in: folder).makeImage(in: image)
                let layer = try image.manifest("app").layers[1].digest.dropFirst("sha256:".count)
                let shortName = String(layer.prefix(12))
                let file = "\(image.path)/blobs/sha256/\(layer)"
                var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
                bytes[1000] ^= 1
                try FileManager.default.removeItem(atPath: file)
                if isThere { try Data(bytes).write(to: URL(fileURLWithPath: file)) }

                let result = try await server.attempt(["copy", "oci:\(image.path):app", "team/app:1"])

                #expect(result.status == 1)
                #expect(result.errors.contains("Error: "))
                #expect(result.errors.contains(shortName))
                #expect(try await server.digest(of: "1", in: "team/app") == nil)
                try await waitUntil("uploads/ is empty") { server.uploadFiles == [] }
            }
        }
    }

    // MARK: - Images

    /// Makes an image and pushes it as team/app:1.
    private static func push(to server: LiveServer, in folder: String) async throws -> ImageLayout {
        let (image, machine) = (ImageLayout("\(folder)/image"), try ClientMachine(in: folder))
        try await machine.makeImage(in: image)
        let name = "docker://\(server.host)/team/app:1"
        try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", name)
        return image
    }

    private static func pushForTwoPlatforms(to server: LiveServer, in folder: String) async throws -> ImageLayout {
        let (image, machine) = (ImageLayout("\(folder)/image"), try ClientMachine(in: folder))
        try await machine.makeImageForTwoPlatforms(in: image)
        let name = "docker://\(server.host)/team/app:1"
        try await machine.skopeo("copy", "--all", "--dest-tls-verify=false", "oci:\(image.path):app", name)
        return image
    }
}
