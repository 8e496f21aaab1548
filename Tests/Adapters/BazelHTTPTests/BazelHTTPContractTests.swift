import LarderTestSupport
import Testing

/// Bazel's routes to blobs keep the rules that every HTTP adapter keeps, with and without an instance name.
@Suite(.serialized)
struct BazelHTTPContractTests {
    @Test(arguments: ["/bazel/main", "/bazel/main/some/instance", "", "/some/instance"])
    func keepsTheContractOfEveryAdapter(prefix: String) async throws {
        let contract = AdapterContract(
            path: { "\(prefix)/cas/\($0)" },
            isContentAddressed: true,
            allowedMethods: "GET, HEAD, PUT",
            malformedPaths: [
                "\(prefix)/cas/xyz", "\(prefix)/cas/", "\(prefix)/cas/\(String(repeating: "A", count: 64))",
                "\(prefix)/cas/\(String(repeating: "a", count: 63))",
                "\(prefix)/cas/\(String(repeating: "a", count: 65))",
                "\(prefix)/ac/\(String(repeating: "a", count: 40))",
                "/bazel/Main/cas/\(String(repeating: "a", count: 64))",
                "/bazel/cas/\(String(repeating: "a", count: 64))",
            ]
        )
        let violations = try await contract.violations()
        #expect(violations == [])
    }
}
