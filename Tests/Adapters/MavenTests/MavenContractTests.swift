import LarderTestSupport
import Testing

/// The routes of Maven's build cache extension keep the rules that every HTTP adapter keeps.
@Suite
struct MavenContractTests {
    @Test
    func keepsTheContractOfEveryAdapter() async throws {
        let contract = AdapterContract(
            path: { "/maven/main/v1.2/org.example/app/\($0.prefix(16))/app.jar" },
            allowedMethods: "GET, HEAD, PUT, OPTIONS",
            malformedPaths: [
                "/maven/main/v1.2/app.jar", "/maven/main/", "/maven/main", "/maven/main/v1.2/org.example/app/0123/",
                "/maven/Main/v1.2/org.example/app/0123/app.jar", "/maven/main/v1.2/org.example/app/0123/a/app.jar",
            ]
        )
        let violations = try await contract.violations()
        #expect(violations == [])
    }
}
