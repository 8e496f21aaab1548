import APIMessages
import AsyncHTTPClient
import Foundation
import LarderCore
import Synchronization
import Testing

@testable import LarderClient

/// Short requests are asked again when they break off, as far as that is right.
@Suite struct RetryingTests {
    private static let wanted = CacheFindMessage(key: "k", restoreKeys: [], scopes: ["main"], version: "")

    private func name(_ text: String) throws -> RepositoryName { try #require(RepositoryName(text)) }

    @Test(arguments: [429, 500, 502, 503])
    func aServerInTroubleIsAskedAgain(status: Int) async throws {
        let server = try PretendServer()
        server.plan("/find", try .error(status, "later"), times: 5)
        #expect(try await server.client().findCache(in: "main", Self.wanted) == nil)
        #expect(server.requestCount("/find") == 6)
    }

    @Test(arguments: [400, 401, 403, 404, 409, 507])
    func aRefusalIsFinal(status: Int) async throws {
        let server = try PretendServer()
        server.plan("/find", try .error(status, "no, because"))
        let client = try await server.client()
        let error = await #expect(throws: ClientError.self) { try await client.findCache(in: "main", Self.wanted) }
        #expect(error?.description == "no, because")
        #expect(server.requestCount("/find") == 1)
    }

    @Test func beforeAnyAnswerNothingIsRepeated() async throws {
        let server = try PretendServer()
        server.loseAnswer("/find")
        let client = server.newClient()
        await #expect(throws: ClientError.self) { try await client.findCache(in: "main", Self.wanted) }
        #expect(server.requestCount("/find") == 1)
    }

    @Test func questionsWhoseAnswersAreLostAreAskedAgain() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        let version = makeVersion()
        server.plan("/version", try .message(version), times: 2)
        server.plan("/artifacts/app", try .message(ArtifactListMessage(versions: [version])), times: 2)
        for suffix in ["/caches/main", "/version", "/artifacts/app"] { server.loseAnswer(suffix) }
        #expect(try await client.cacheEntries(in: "main").entries.isEmpty)
        #expect(try await client.artifactVersion(of: name("app"), "1") == version)
        #expect(try await client.artifactVersions(of: name("app"), labels: [], atMost: 1) == [version])
        #expect(server.requestCount("GET") == 7)
    }

    @Test func whatIsStoredTwiceIsStored() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        let tag = try #require(Tag("1"))
        let answer = ArtifactTagsMessage(digest: makeDigest(0).description, tags: ["1"])
        for suffix in ["/artifacts/app", "/artifacts/app/tags"] {
            server.plan(suffix, try .message(answer), times: 2)
            server.loseAnswer(suffix)
        }
        let put = try await client.putArtifact(Data("{}".utf8), in: name("app"), tags: [tag], movesTags: false)
        #expect(put.tags == ["1"])
        let tagged = try await client.tagArtifact(in: name("app"), "1", as: tag, movesTag: false)
        #expect(tagged.tags == ["1"])
        #expect(server.requestCount("PUT") == 4)
    }

    @Test func whatIsGoneAtTheSecondAttemptWasRemoved() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        server.plan("/artifacts/app", PretendServer.Answer(status: 204))
        server.loseAnswer("/artifacts/app")
        server.plan("/artifacts/app", try .error(404, "no such version"), times: 2)
        try await client.removeArtifact(in: name("app"), "1", tagOnly: false)
        #expect(server.requestCount("DELETE") == 2)
        let error = await #expect(throws: ClientError.self) {
            try await client.removeArtifact(in: name("app"), "1", tagOnly: false)
        }
        #expect(error?.description.hasPrefix("there is no version 1 of app") == true)
        #expect(server.requestCount("DELETE") == 3)
    }

    @Test func whatChangesTheServerOtherwiseIsSentOnce() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        server.plan("/prunes/main", try .error(503, "later"), times: 2)
        await #expect(throws: ClientError.self) { try await client.prune("main") }
        #expect(server.requestCount("/prunes/main") == 1)
        server.plan("/repositories", try .error(503, "later"))
        server.plan("/repositories", try .message([String]()))
        #expect(try await client.repositories().isEmpty)
        #expect(server.requestCount("/repositories") == 2)
    }

    @Test func whatAnInnerRepetitionGaveUpAnOuterOneDoesNotBeginAgain() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        server.plan("/find", try .error(503, "later"), times: 12)
        let error = await #expect(throws: ClientError.self) {
            try await client.retrying { try await client.findCache(in: "main", Self.wanted) }
        }
        #expect(error?.description == "later")
        #expect(server.requestCount("/find") == 6)
    }

    @Test(
        arguments: [
            (error: .remoteConnectionClosed, isPatient: true, isTransient: true),
            (error: .connectTimeout, isPatient: true, isTransient: true),
            (error: .readTimeout, isPatient: false, isTransient: true),
            (error: .readTimeout, isPatient: true, isTransient: false),
            (error: .deadlineExceeded, isPatient: false, isTransient: false),
        ] as [(error: HTTPClientError, isPatient: Bool, isTransient: Bool)]
    )
    func noTimeIsWaitedTwiceThatIsAllThereIs(error: HTTPClientError, isPatient: Bool, isTransient: Bool) throws {
        let failure = ServerClient(.url("http://127.0.0.1:1")).noAnswer(error, isPatient: isPatient)
        let told = try #require(failure as? ClientError)
        #expect(told.isTransient == isTransient)
    }

    @Test func slashesInTheNameOfARepositoryAreEncoded() async throws {
        let server = try PretendServer()
        let client = try await server.client()
        _ = try await server.transfer().missing([.emptySHA256])
        _ = try await client.findCache(in: "team/find", Self.wanted)
        _ = try await client.removeCache(in: "team/find", CacheKey("k", scope: "", version: ""))
        server.plan("/version", try .message(makeVersion()))
        _ = try await client.artifactVersion(of: name("team/tags"), "1")
        let requests = server.state.withLock { $0.requests.filter { $0.contains("/api/") } }
        #expect(
            requests == [
                "POST /api/v1/blobs/team%2Fmain/missing", "POST /api/v1/caches/team%2Ffind/find",
                "DELETE /api/v1/caches/team%2Ffind", "GET /api/v1/artifacts/team%2Ftags/version",
            ]
        )
    }
}
