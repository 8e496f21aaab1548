import Foundation
import LarderTestSupport
import Testing

/// The tests of `conformance.py`: distribution specification 1.1 as its own suites test it, what its main branch adds,
/// and what we demand beyond.
@Suite
struct ConformanceTests {
    @Test
    func allTestsPassAndStillDoAfterARestart() async throws {
        try await withLiveServer { server in
            let creation = try await server.larder(
                "repo",
                "create",
                "conformance/sparse",
                "--kind",
                "registry",
                "--allow-sparse",
                "true"
            )
            try #require(creation.status == 0, "\(creation.errors)")

            let results = try await Self.run(on: server.host, ["--sparse-repo", "conformance/sparse"])
            #expect(Self.failures(results) == [])
            #expect(results.count >= 690)
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)\(check.errors)")

            try await server.restart()
            let again = try await Self.run(on: server.host, ["--groups", "1.1"])
            #expect(Self.failures(again) == [])
            #expect(again.count >= 350)
        }
    }

    /// Shows that the tests can fail, and that what they demand of us is what others do too, but for what came later.
    @Test
    func dockerRegistryFailsWhereItIsKnownTo() async throws {
        try await withDockerRegistry { registry in
            let results = try await Self.run(on: registry.host, ["--groups", "1.1", "--seed", "peer"])
            let names = Set(results.filter { !$0.passed }.map(\.name))
            #expect(names.subtracting(Self.knownFailures).sorted() == [])
            #expect(Self.knownFailures.subtracting(names).sorted() == [])
            #expect(results.count >= 350)
        }
    }

    // MARK: - What docker-registry 2.8.2 fails

    private static let dataSets = [
        "artifact", "artifact-index", "artifact-without-layers", "artifacts-with-subject", "custom-fields",
        "data-field", "empty-index", "image", "image-uncompressed", "index", "index-with-subject", "large-manifest",
        "missing-subject", "nested-index", "no-layers", "non-distributable-layers",
    ]

    /// Every name of a group stands behind every of its beginnings.
    private static let groups: [(beginnings: [String], names: [String])] = [
        // Referrers came with specification 1.1, two years after this version: no list of them, and no OCI-Subject.
        (dataSets, ["referrers"]),
        (["bad-digest-image", "empty", "sha512"], ["referrers"]),
        (["referrers"], ["exact-count", "subject-header", "type-of-config", "unknown-digest", "unknown-repository"]),
        (["artifacts-with-subject", "index-with-subject", "missing-subject"], ["push"]),
        // Tags are listed whole and in no order: `n` and `last` are ignored.
        (dataSets, ["tag-list"]),
        (["pages"], ["last", "n", "n-and-last", "n-zero"]),
        // Only a digest can be deleted; a tag is a malformed one.
        (dataSets, ["delete/tag-delete"]),
        (["delete"], ["tag-count-falls"]),
        // The digest and the body of a POST are ignored, as is `mount` without `from`: an upload begins.
        (["sha256 blobs", "sha512 blobs"], ["bad digest post only", "mount anonymous", "post only"]),
        // A PATCH is taken wherever its Content-Range says that it begins; then there is no blob to look at.
        (["chunked"], ["range-of-each-answer"]),
        (["sha256 blobs", "sha512 blobs"], ["chunked out-of-order", "chunked out-of-order and put chunk"]),
        (
            [
                "sha256 blobs/chunked out-of-order", "sha256 blobs/chunked out-of-order and put chunk",
                "sha512 blobs/chunked out-of-order", "sha512 blobs/chunked out-of-order and put chunk",
            ],
            ["blob-delete", "blob-get", "blob-head"]
        ),
        // A SHA-512 is verified, but all answers name the SHA-256 instead, also those to the requests that follow.
        (
            ["sha512 blobs"],
            [
                "chunked multi", "chunked multi and put chunk", "chunked single", "empty", "emptyJSON", "mount missing",
                "post+put", "stream", "stream with length",
            ]
        ),
        (
            [
                "sha512 blobs/chunked multi", "sha512 blobs/chunked multi and put chunk", "sha512 blobs/chunked single",
                "sha512 blobs/empty", "sha512 blobs/emptyJSON", "sha512 blobs/mount anonymous",
                "sha512 blobs/mount missing", "sha512 blobs/post only", "sha512 blobs/post+put", "sha512 blobs/stream",
                "sha512 blobs/stream with length",
            ],
            ["blob-get", "blob-head"]
        ),
        (["sha512"], ["head/blob-head", "pull/blob-get"]),
        // A mount finds no SHA-512, and a manifest has none.
        (["sha512 blobs"], ["mount", "mount/blob-delete", "mount/blob-get", "mount/blob-head"]),
        (
            ["sha512"],
            ["delete/manifest-delete", "head/manifest-head-by-digest", "pull/manifest-by-digest", "push"]
        ),
        // What is no digest becomes an error 500 where it is to name a manifest.
        (["invalid-digest-format"], ["manifest-get", "manifest-put"]),
    ]

    private static let knownFailures = Set(groups.flatMap { join($0.beginnings, $0.names) })

    private static func join(_ beginnings: [String], _ names: [String]) -> [String] {
        beginnings.flatMap { beginning in names.map { "\(beginning)/\($0)" } }
    }

    // MARK: - Running

    private struct Outcome: Decodable {
        let name: String
        let passed: Bool
        let message: String
    }

    private static func failures(_ outcomes: [Outcome]) -> [String] {
        outcomes.filter { !$0.passed }.map { "\($0.name): \($0.message)" }
    }

    private static func run(on host: String, _ arguments: [String]) async throws -> [Outcome] {
        try await withTemporaryFolder { folder in
            let results = "\(folder)/results.json"
            let program = try await runProgram(
                "python3",
                ["\(packageFolder)/Tests/Adapters/OCITests/conformance.py", "--registry", host, "--json", results]
                    + arguments,
                timeoutSeconds: 300
            )
            // 1 is a failed test; those are looked at by name.
            try #require(program.status <= 1, "\(program.output)\(program.errors)")
            return try JSONDecoder().decode([Outcome].self, from: Data(contentsOf: URL(fileURLWithPath: results)))
        }
    }
}
