import Foundation
import LarderTestSupport
import Testing

/// Many clients send the same image at the same time.
@Suite
struct ParallelPushTests {
    @Test
    func eightPushesOfOneImageAllSucceed() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                let image = ImageLayout("\(folder)/image")
                let machine = try ClientMachine(in: folder)
                try await machine.makeImage(in: image, layerCount: 10)
                let name = "docker://\(server.host)/team/app"

                // Each on a machine of its own: a common one lets them wait for each other.
                try await Self.together(8) { number in
                    let machine = try ClientMachine(in: folder, name: "sender\(number)")
                    let tag = "\(name):build-\(number)"
                    try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", tag)
                }

                let tags = (0..<8).map { "build-\($0)" }
                #expect(try await server.tags(in: "team/app") == tags)
                let sent = try image.blobs
                for tag in tags {
                    let back = ImageLayout("\(folder)/\(tag)")
                    try await machine.skopeo(
                        "copy",
                        "--src-tls-verify=false",
                        "\(name):\(tag)",
                        "oci:\(back.path):app"
                    )
                    let received = try back.blobs
                    #expect(differences(sent, received) == [], "\(tag)")
                }
                try await waitUntil("uploads/ is empty") { server.uploadFiles == [] }
                let check = try await server.larder("check")
                #expect(check.status == 0, "\(check.output)\(check.errors)")
            }
        }
    }

    private static func together(_ count: Int, _ work: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count { group.addTask { try await work(number) } }
            try await group.waitForAll()
        }
    }
}
