import Foundation
import LarderTestSupport
import Testing

/// ORAS's package for Python, PyPI's `oras` 0.2.43, installed by `Tests/clients.sh`.
///
/// What is relied on in that version:
/// - A file is sent with POST and PUT, or in chunks with POST, PATCH and PUT; the config is a file without bytes.
/// - It writes no `artifactType`: the type of the artifact is the media type of its config.
/// - A folder is sent as a compressed tar and unpacked again.
/// - `delete_tags` deletes the manifest that a tag names, by its digest.
@Suite
struct ORASTests {
    /// Run in a folder with the files; writes down what it got.
    private static let program = """
        import json, sys
        import oras.client, oras.oci

        host, chunked = sys.argv[1], sys.argv[2] == "true"
        client = oras.client.OrasClient(hostname=host, insecure=True)
        name = host + "/team/report"
        report = client.push(
            name + ":1",
            files=["report.txt:text/plain", "table.bin:application/octet-stream", "logs"],
            manifest_config="/dev/null:application/vnd.example.report",
            manifest_annotations={"org.example.job": "42"},
            do_chunked=chunked,
            chunk_size=400_000,
        )
        manifest = client.get_manifest(name + ":1")
        client.pull(target=name + ":1", outdir="out")
        signature = client.push(
            name + ":signature",
            files=["report.txt:text/plain"],
            manifest_config="/dev/null:application/vnd.example.signature",
            subject=oras.oci.Subject.from_manifest(manifest),
        )
        tags = client.get_tags(name)
        pages = client.get_tags(name, N=1)
        deleted = client.delete_tags(name, ["1", "never"])
        result = {
            "digest": report.headers["Docker-Content-Digest"],
            "subject": signature.headers["OCI-Subject"],
            "annotations": manifest["annotations"],
            "types": [layer["mediaType"] for layer in manifest["layers"]],
            "tags": tags,
            "firstTag": pages,
            "deleted": deleted,
            "tagsAtLast": client.get_tags(name),
        }
        with open("result.json", "w") as file:
            json.dump(result, file)
        """

    private struct Outcome: Decodable {
        let digest: String
        let subject: String
        let annotations: [String: String]
        let types: [String]
        let tags: [String]
        let firstTag: [String]
        let deleted: [String]
        let tagsAtLast: [String]
    }

    @Test(arguments: [false, true])
    func anArtifactComesBackAndGoes(isChunked: Bool) async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                var chance = SeededGenerator(seed: 1)
                let report = Array("all green\n".utf8)
                // Three chunks, the last of them short.
                let table = chance.bytes(1_000_000)
                let log = chance.bytes(5000)
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/logs",
                    withIntermediateDirectories: false
                )
                for (name, bytes) in [("report.txt", report), ("table.bin", table), ("logs/build.log", log)] {
                    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
                }

                let outcome = try await Self.run(in: folder, host: server.host, isChunked: isChunked)

                let out = "\(folder)/out"
                let logs = try folderContents("\(out)/logs")
                #expect(logs == ["build.log": log])
                for (name, bytes) in [("report.txt", report), ("table.bin", table)] {
                    let received = try Data(contentsOf: URL(fileURLWithPath: "\(out)/\(name)"))
                    #expect(Array(received) == bytes, "\(name)")
                }
                #expect(outcome.annotations == ["org.example.job": "42"])
                #expect(
                    outcome.types
                        == ["text/plain", "application/octet-stream", "application/vnd.oci.image.layer.v1.tar+gzip"]
                )
                #expect(outcome.tags == ["1", "signature"])
                #expect(outcome.firstTag == ["1"])
                #expect(outcome.subject == outcome.digest)
                #expect(outcome.deleted == ["1"])
                #expect(outcome.tagsAtLast == ["signature"])
                #expect(try await server.digest(of: outcome.digest, in: "team/report") == nil)
            }
        }
    }

    /// A signature is found through what it signs, by the type of its config.
    @Test
    func anArtifactIsFoundThroughItsSubject() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer { server in
                for name in ["report.txt", "table.bin"] {
                    try name.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
                }
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/logs",
                    withIntermediateDirectories: false
                )
                let subject = try await Self.run(in: folder, host: server.host, isChunked: false).digest
                let signature = try #require(try await server.digest(of: "signature", in: "team/report"))

                let expectations: [(type: String, digests: [String])] = [("signature", [signature]), ("nothing", [])]
                for (type, expected) in expectations {
                    let query = "artifactType=application/vnd.example.\(type)"
                    let reply = try await server.get("/v2/team/report/referrers/\(subject)?\(query)")
                    #expect(reply.headers["oci-filters-applied"] == "artifactType")
                    let index = try JSONDecoder().decode(LayoutIndex.self, from: Data(reply.bytes))
                    #expect(index.manifests.map(\.digest) == expected, "\(type)")
                }
            }
        }
    }

    private static func run(in folder: String, host: String, isChunked: Bool) async throws -> Outcome {
        let script = "\(folder)/exchange.py"
        try program.write(toFile: script, atomically: false, encoding: .utf8)
        let result = try await runProgram(
            "python3",
            [script, host, "\(isChunked)"],
            environment: ["HOME": folder, "NO_PROXY": "127.0.0.1", "TMPDIR": folder],
            in: folder
        )
        try #require(result.status == 0, "\(result.output)\(result.errors)")
        let text = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/result.json"))
        return try JSONDecoder().decode(Outcome.self, from: text)
    }
}
