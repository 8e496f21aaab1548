import Foundation
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Logins are found where podman and docker leave them.
@Suite struct RegistryCredentialsTests {
    private func find(_ host: String, _ repository: String, in content: String) async throws -> RegistryCredentials? {
        try await withTemporaryFolder { folder in
            let file = "\(folder)/auth.json"
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
            let name = try #require(RepositoryName(repository))
            return try RegistryCredentials.find(host: host, repository: name, files: ["\(folder)/missing", file])
        }
    }

    private func auth(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    @Test func theMostSpecificLoginCounts() async throws {
        let content = """
            {"auths": {"r.example": {"auth": "\(auth("all:1"))"}, "r.example/team": {"auth": "\(auth("team:2"))"},
            "r.example/team/app": {"auth": "\(auth("app:3:4"))"}, "other.example": {"auth": "\(auth("no:5"))"}}}
            """
        let app = try await find("r.example", "team/app", in: content)
        #expect(app == RegistryCredentials(user: "app", password: "3:4"))
        let team = try await find("r.example", "team/apples", in: content)
        #expect(team == RegistryCredentials(user: "team", password: "2"))
        let all = try await find("r.example", "teams/app", in: content)
        #expect(all == RegistryCredentials(user: "all", password: "1"))
        let none = try await find("r.example:5000", "team/app", in: content)
        #expect(none == nil)
    }

    @Test(arguments: [
        (key: "https://index.docker.io/v1/", host: "docker.io"), (key: "index.docker.io", host: "docker.io"),
        (key: "docker.io", host: "docker.io"), (key: "https://r.example", host: "r.example"),
        (key: "https://r.example/v2/", host: "r.example"), (key: "http://localhost:5000", host: "localhost:5000"),
    ])
    func keysAreReadInAllTheirForms(key: String, host: String) async throws {
        let found = try await find(host, "library/alpine", in: "{\"auths\":{\"\(key)\":{\"auth\":\"\(auth("u:p"))\"}}}")
        #expect(found == RegistryCredentials(user: "u", password: "p"))
    }

    @Test(arguments: ["{}", "", "{\"auths\":{}}", "{\"auths\":{\"r.example\":{}}}", "{\"credsStore\":\"x\"}"])
    func aFileWithoutTheLoginIsPassedOver(content: String) async throws {
        #expect(try await find("r.example", "a", in: content) == nil)
    }

    @Test func aBrokenFileIsNamed() async throws {
        await #expect(throws: ClientError.self) { try await find("r.example", "a", in: "{") }
    }

    @Test func zerosAfterThePasswordAreNotPartOfIt() async throws {
        let content = "{\"auths\":{\"r.example\":{\"auth\":\"\(auth("u:p\0\0"))\"}}}"
        #expect(try await find("r.example", "a", in: content)?.password == "p")
    }

    @Test func filesAreAskedInTheirOrder() {
        let environment = ["REGISTRY_AUTH_FILE": "/a", "XDG_RUNTIME_DIR": "/run/user/7", "DOCKER_CONFIG": "/d"]
        #expect(
            RegistryCredentials.files(environment: environment, home: "/home/u", userID: 7) == [
                "/a", "/run/user/7/containers/auth.json", "/d/config.json", "/home/u/.docker/config.json",
            ]
        )
        #expect(
            RegistryCredentials.files(environment: [:], home: "/root", userID: 0) == [
                "/run/containers/0/auth.json", "/root/.docker/config.json",
            ]
        )
    }
}
