import APIMessages
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// What is told of a transfer adds up to what was said that there is.
@Suite struct ArtifactProgressTests {
    private let total = ByteTally()
    private let done = ByteTally()

    private var progress: ArtifactProgress {
        ArtifactProgress(setTotal: { [total] in total.add($0) }, add: { [done] in done.add($0) })
    }

    @Test func aPullOverConnectionsThatAreCut() async throws {
        try await withTemporaryFolder { folder in
            let server = try PretendServer()
            var chance = SeededGenerator(seed: 1)
            var files: [ArtifactFileMessage] = []
            for number in 0..<40 {
                let digest = server.keep(chance.bytes(20_000)).description
                files.append(ArtifactFileMessage(path: "\(number)", size: 20_000, mode: "644", digest: digest))
            }
            let pull = ArtifactPull(
                server: try await server.transfer(cuts: [150_000, 250_000]).server,
                version: makeVersion(files: files),
                patterns: [],
                into: "\(folder)/out",
                progress: progress
            )
            #expect(try await pull.pull().fileCount == 40)
            #expect(server.requestCount("/fetch") > 1)
            #expect(total.count == 800_000)
            #expect(done.count == 800_000)
        }
    }

    @Test func aPush() async throws {
        try await withTemporaryFolder { folder in
            for number in 0..<10 { try write("content \(number)", to: "\(folder)/dist/\(number)") }
            try await withLiveServer { server in
                let push = ArtifactPush(
                    server: ServerClient(.url(server.url)),
                    repository: try #require(RepositoryName("app")),
                    tags: [],
                    movesTags: false,
                    progress: progress
                )
                let files = try await ArtifactFiles.find(["dist"], in: folder)
                #expect(try await push.push(files, annotations: [:]).sentCount == 11)
                #expect(done.count > 0)
                #expect(done.count == total.count)
            }
        }
    }
}
