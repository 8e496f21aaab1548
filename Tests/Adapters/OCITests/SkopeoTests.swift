import Foundation
import LarderTestSupport
import Testing

/// Debian's skopeo 1.9.3, with images that umoci 0.4.7 made.
///
/// What is relied on in that version:
/// - It asks for every blob with HEAD before it sends it, and sends it with POST, PATCH without a range, and PUT.
/// - Between repositories of one registry it mounts layers, but reads and sends the config.
/// - `delete` resolves the tag and deletes the manifest by its digest.
/// - What it compresses on the way is sent without a length.
@Suite
struct SkopeoTests {
    @Test
    func anImageComesBackByteForByte() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let (image, back) = (ImageLayout("\(folder)/image"), ImageLayout("\(folder)/back"))
                let files = try await machine.makeImage(in: image)
                let name = "docker://\(server.host)/team/app:1"

                try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", name)
                let raw = try await machine.skopeo("inspect", "--tls-verify=false", "--raw", name)
                let manifest = try image.manifestBytes("app")
                // The output's last line break is trimmed, and so is the manifest's.
                #expect(raw == String(decoding: manifest, as: UTF8.self).trimmingCharacters(in: .newlines))
                #expect(try await machine.tags("\(server.host)/team/app") == ["1"])

                try await machine.skopeo("copy", "--src-tls-verify=false", name, "oci:\(back.path):app")
                let (sent, received) = (try image.blobs, try back.blobs)
                // Three layers, a config and a manifest.
                #expect(sent.count == 5)
                #expect(differences(sent, received) == [])
                let unpacked = try await machine.unpack("app", of: back)
                #expect(differences(unpacked, files) == [])
            }
        }
    }

    @Test
    func deleteRemovesTheImageWithItsTags() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image)
                let name = "docker://\(server.host)/team/app"
                for tagged in ["\(name):1", "\(name):latest"] {
                    try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", tagged)
                }
                #expect(try await machine.tags("\(server.host)/team/app") == ["1", "latest"])

                try await machine.skopeo("delete", "--tls-verify=false", "\(name):1")

                #expect(try await machine.tags("\(server.host)/team/app") == [])
                let inspection = try await machine.attempt("skopeo", "inspect", "--tls-verify=false", "\(name):latest")
                #expect(inspection.status != 0)
                #expect(inspection.errors.contains("manifest unknown"))
            }
        }
    }

    /// A `dir:` has the manifest as it came, where a layout would get it translated.
    @Test
    func anImageInDockersFormatComesBack() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image)
                let name = "docker://\(server.host)/team/app:1"

                try await machine.skopeo(
                    "copy",
                    "--format=v2s2",
                    "--dest-tls-verify=false",
                    "oci:\(image.path):app",
                    name
                )
                try await machine.skopeo("copy", "--src-tls-verify=false", name, "dir:\(folder)/back")

                var back = try folderContents("\(folder)/back")
                let manifest = try #require(back["manifest.json"])
                let document = try JSONDecoder().decode(LayoutManifest.self, from: Data(manifest))
                #expect(document.mediaType == "application/vnd.docker.distribution.manifest.v2+json")
                #expect(document.layers.count == 3)
                #expect(try await server.digest(of: "1", in: "team/app") == "sha256:\(sha256Hex(manifest))")
                for other in ["manifest.json", "version"] { back[other] = nil }
                // All but the manifest is as it was in the layout.
                let replaced = sha256Hex(try image.manifestBytes("app"))
                let kept = try image.blobs.filter { $0.key != replaced }
                #expect(differences(back, kept) == [])
            }
        }
    }

    @Test(arguments: ["gzip", "zstd"])
    func layersThatAreCompressedOnTheirWayComeBack(format: String) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image)
                let name = "docker://\(server.host)/team/app:\(format)"
                let (plain, back) = ("\(folder)/plain", "\(folder)/back")
                try await machine.skopeo("copy", "--dest-decompress", "oci:\(image.path):app", "dir:\(plain)")

                // One that has not seen them packed yet: it would look for those in the registry.
                let sender = try ClientMachine(in: folder, name: "sender")
                try await sender.skopeo(
                    "copy",
                    "--format=oci",
                    "--dest-compress-format=\(format)",
                    "--dest-tls-verify=false",
                    "dir:\(plain)",
                    name
                )
                let raw = try await machine.skopeo("inspect", "--tls-verify=false", "--raw", name)
                let manifest = try JSONDecoder().decode(LayoutManifest.self, from: Data(raw.utf8))
                #expect(
                    manifest.layers.map(\.mediaType)
                        == Array(repeating: "application/vnd.oci.image.layer.v1.tar+\(format)", count: 3)
                )
                try await machine.skopeo("copy", "--dest-decompress", "--src-tls-verify=false", name, "dir:\(back)")

                let (sent, received) = (try folderContents(plain), try folderContents(back))
                // Only the manifest tells how the layers were packed.
                #expect(sent.count == 6)
                #expect(differences(sent, received).filter { $0 != "manifest.json" } == [])
            }
        }
    }

    // MARK: - Several platforms

    @Test
    func anImageForTwoPlatformsComesBackByteForByte() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let (image, back) = (ImageLayout("\(folder)/image"), ImageLayout("\(folder)/back"))
                try await machine.makeImageForTwoPlatforms(in: image)
                let name = "docker://\(server.host)/team/app:1"

                try await machine.skopeo("copy", "--all", "--dest-tls-verify=false", "oci:\(image.path):app", name)
                let raw = try await machine.skopeo("inspect", "--tls-verify=false", "--raw", name)
                let manifest = try image.manifestBytes("app")
                #expect(Array(raw.utf8) == manifest)
                try await machine.skopeo("copy", "--all", "--src-tls-verify=false", name, "oci:\(back.path):app")

                let (sent, received) = (try image.blobs, try back.blobs)
                // Twice two layers, a config and a manifest; and the index.
                #expect(sent.count == 9)
                #expect(differences(sent, received) == [])
            }
        }
    }

    @Test
    func whatAnIndexNamesIsNotDeletedWhileItLives() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                let digests = try await machine.makeImageForTwoPlatforms(in: image)
                let name = "docker://\(server.host)/team/app"
                let tag = "\(name):1"
                try await machine.skopeo("copy", "--all", "--dest-tls-verify=false", "oci:\(image.path):app", tag)

                for digest in digests {
                    let child = "\(name)@\(digest)"
                    let refusal = try await machine.attempt("skopeo", "delete", "--tls-verify=false", child)
                    #expect(refusal.status != 0)
                    #expect(refusal.errors.contains("405"))
                    #expect(try await server.digest(of: digest, in: "team/app") == digest)
                }
                try await machine.skopeo("delete", "--tls-verify=false", tag)
                for digest in digests {
                    try await machine.skopeo("delete", "--tls-verify=false", "\(name)@\(digest)")
                    #expect(try await server.digest(of: digest, in: "team/app") == nil)
                }
            }
        }
    }

    // MARK: - Sparing transfers

    @Test
    func layersAreMountedFromAnotherRepository() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--access-log"]) { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image)
                let (one, other) = ("docker://\(server.host)/team/app:1", "docker://\(server.host)/other/app:1")
                try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", one)

                try await machine.skopeo("copy", "--src-tls-verify=false", "--dest-tls-verify=false", one, other)

                let requests = try await server.requests(ofPush: "/v2/other/app/manifests/1")
                let uploads = requests.filter { $0.path.hasPrefix("/v2/other/app/blobs/uploads/") }
                let mounts = uploads.filter { $0.method == "POST" && $0.path.contains("mount=") }
                #expect(mounts.map(\.status) == [201, 201, 201])
                // The config.
                #expect(uploads.count { $0.method == "PATCH" } == 1)
                let digest = try image.descriptor("app").digest
                #expect(try await server.digest(of: "1", in: "other/app") == digest)
            }
        }
    }

    @Test
    func whatIsThereAlreadyIsNotSentAgain() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--access-log"]) { server in
                let (first, second) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "second"))
                let image = ImageLayout("\(folder)/image")
                try await first.makeImage(in: image)
                let name = "docker://\(server.host)/team/app"

                try await first.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", "\(name):1")
                let before = try await server.requests(ofPush: "/v2/team/app/manifests/1").count { $0.method == "POST" }
                #expect(before == 4)
                try await second.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", "\(name):2")
                let after = try await server.requests(ofPush: "/v2/team/app/manifests/2").count { $0.method == "POST" }
                #expect(after == before)
            }
        }
    }
}

extension ClientMachine {
    /// What `skopeo list-tags` says.
    fileprivate func tags(_ repository: String) async throws -> [String] {
        struct List: Decodable {
            let tags: [String]

            enum CodingKeys: String, CodingKey {
                case tags = "Tags"
            }
        }
        let text = try await skopeo("list-tags", "--tls-verify=false", "docker://\(repository)")
        return try JSONDecoder().decode(List.self, from: Data(text.utf8)).tags
    }

    /// Makes `app`, an image for amd64 and arm64; returns the digests of the two.
    @discardableResult
    func makeImageForTwoPlatforms(in layout: ImageLayout) async throws -> [String] {
        let images = [(tag: "one", architecture: "amd64"), (tag: "two", architecture: "arm64")]
        for (number, image) in images.enumerated() {
            try await makeImage(
                image.tag,
                in: layout,
                layerCount: 2,
                architecture: image.architecture,
                seed: UInt64(number) + 1
            )
        }
        let digests = try images.map { try layout.descriptor($0.tag).digest }
        try layout.join(images, as: "app")
        return digests
    }
}

extension LiveServer {
    /// The requests up to the end of a push: an answer may reach the client before its line reaches the log.
    fileprivate func requests(ofPush path: String) async throws -> [LoggedRequest] {
        try await waitUntil("the log has the push of \(path)") {
            loggedRequests.contains { $0.method == "PUT" && $0.path == path }
        }
        return loggedRequests
    }
}
