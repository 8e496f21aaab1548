import Testing

@testable import LarderClient

/// Challenges are read as registries write them.
@Suite struct RegistryChallengeTests {
    @Test func aBearerChallengeHasItsParameters() {
        let header = """
            Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"
            """
        #expect(
            RegistryChallenge.parse([header]) == [
                RegistryChallenge(
                    scheme: "bearer",
                    parameters: [
                        "realm": "https://auth.example/token", "service": "registry.example",
                        "scope": "repository:a/b:pull,push",
                    ]
                )
            ]
        )
    }

    @Test func oneHeaderHoldsSeveralChallenges() {
        let header = "Basic realm=\"a, b\" , BEARER  Realm = \"https://x/\", error=invalid_token, Negotiate"
        #expect(
            RegistryChallenge.parse([header]) == [
                RegistryChallenge(scheme: "basic", parameters: ["realm": "a, b"]),
                RegistryChallenge(scheme: "bearer", parameters: ["realm": "https://x/", "error": "invalid_token"]),
                RegistryChallenge(scheme: "negotiate"),
            ]
        )
    }

    @Test func severalHeadersAreOneList() {
        let challenges = RegistryChallenge.parse(["Basic realm=x", "Bearer realm=\"y\""])
        #expect(challenges.map(\.scheme) == ["basic", "bearer"])
    }

    @Test func quotedCharactersAreTakenAsTheyAre() {
        let challenges = RegistryChallenge.parse([#"Basic realm="a \"b\" \\c""#])
        #expect(challenges.first?.parameters["realm"] == #"a "b" \c"#)
    }

    @Test(arguments: ["", " , ,", "\"", "=", "\"\"=,", "Bearer realm=\"open"])
    func brokenHeadersEndTheReading(header: String) {
        #expect(RegistryChallenge.parse([header]).count <= 1)
    }
}
