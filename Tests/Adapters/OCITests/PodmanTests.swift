import Foundation
import LarderTestSupport
import Testing

/// Debian's podman 4.3.1; no container runs.
///
/// What is relied on in that version:
/// - `pull` of a layout gives the image no name that could be foreseen, but prints its number.
/// - `manifest add` of an image in a registry notes its digest and platform; `manifest push --all` copies it along.
/// - An image that was pulled through an index is kept under the digests of both.
@Suite
struct PodmanTests {
    @Test
    func whatOneMachinePushesAnotherPulls() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let (one, other) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "other"))
                let image = ImageLayout("\(folder)/image")
                try await one.makeImage(in: image)
                let name = "\(server.host)/team/app:1"

                let number = try await one.podman("pull", "--quiet", "oci:\(image.path):app")
                let digestFile = "\(folder)/digest"
                try await one.podman(
                    "push",
                    "--quiet",
                    "--tls-verify=false",
                    "--digestfile=\(digestFile)",
                    number,
                    "docker://\(name)"
                )
                let digest = readText(digestFile)
                #expect(try await server.digest(of: "1", in: "team/app") == digest)

                #expect(try await other.podman("pull", "--quiet", "--tls-verify=false", name) == number)
                let kept = try await other.podman("image", "inspect", "--format={{.Digest}}", name)
                #expect(kept == digest)
                let byDigest = "\(server.host)/team/app@\(digest)"
                #expect(try await other.podman("pull", "--quiet", "--tls-verify=false", byDigest) == number)
            }
        }
    }

    @Test
    func aListOfTwoPlatformsIsPushedWithItsImages() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let (one, other) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "other"))
                let image = ImageLayout("\(folder)/image")
                var digests: [String] = []
                for (number, architecture) in ["amd64", "arm64"].enumerated() {
                    try await one.makeImage(
                        architecture,
                        in: image,
                        layerCount: 2,
                        architecture: architecture,
                        seed: UInt64(number) + 1
                    )
                    let part = "docker://\(server.host)/team/\(architecture):1"
                    try await one.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):\(architecture)", part)
                    digests.append(try image.descriptor(architecture).digest)
                }

                let list = "localhost/list:1"
                try await one.podman("manifest", "create", list)
                for architecture in ["amd64", "arm64"] {
                    let part = "docker://\(server.host)/team/\(architecture):1"
                    try await one.podman("manifest", "add", "--tls-verify=false", list, part)
                }
                let name = "\(server.host)/team/both:1"
                try await one.podman("manifest", "push", "--all", "--tls-verify=false", list, "docker://\(name)")

                let reply = try await server.get("/v2/team/both/manifests/1")
                let index = try JSONDecoder().decode(LayoutIndex.self, from: Data(reply.bytes))
                #expect(index.manifests.map(\.digest) == digests)
                #expect(index.manifests.compactMap { $0.platform?.architecture } == ["amd64", "arm64"])
                for digest in digests {
                    #expect(try await server.digest(of: digest, in: "team/both") == digest)
                }
                try await other.podman("pull", "--quiet", "--arch=arm64", "--tls-verify=false", name)
                let format = "--format={{.Architecture}} {{.RepoDigests}}"
                let kept = try await other.podman("image", "inspect", format, name)
                #expect(kept.hasPrefix("arm64 "))
                #expect(kept.contains("team/both@\(digests[1])"))
            }
        }
    }
}
