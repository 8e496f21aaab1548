import LarderTestSupport
import Testing

/// sccache's WebDAV routes keep the rules that every HTTP adapter keeps.
@Suite
struct SccacheContractTests {
    @Test
    func keepsTheContractOfEveryAdapter() async throws {
        let contract = AdapterContract(
            path: { "/sccache/main/prefix/\($0.prefix(1))/\($0.dropFirst().prefix(1))/\($0)" },
            allowedMethods: "GET, HEAD, PUT, DELETE, OPTIONS, PROPFIND, MKCOL",
            malformedPaths: [
                "/sccache/main", "/sccache/main/", "/sccache/main/folder/", "/sccache/Main/a/b/c",
                "/sccache/main/\(String(repeating: "a", count: 1025))",
            ]
        )
        let violations = try await contract.violations()
        #expect(violations == [])
    }
}
