import LarderTestSupport
import Testing

/// Gradle's routes keep the rules that every HTTP adapter keeps; only what is too large is accepted and forgotten.
@Suite
struct GradleContractTests {
    @Test
    func keepsTheContractOfEveryAdapter() async throws {
        let contract = AdapterContract(
            path: { "/gradle/main/\($0.prefix(32))" },
            oversizeStatus: 200,
            allowedMethods: "GET, HEAD, PUT",
            malformedPaths: [
                "/gradle/main/xyz", "/gradle/main/", "/gradle/main", "/gradle/main/ABCDEF", "/gradle/main/ab/cd",
                "/gradle/Main/abcdef", "/gradle/main/\(String(repeating: "a", count: 129))",
            ]
        )
        let violations = try await contract.violations()
        #expect(violations == [])
    }
}
