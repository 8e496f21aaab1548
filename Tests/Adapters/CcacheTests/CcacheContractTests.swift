import LarderTestSupport
import Testing

/// ccache's routes keep the rules that every HTTP adapter keeps.
@Suite
struct CcacheContractTests {
    @Test
    func keepsTheContractOfEveryAdapter() async throws {
        let contract = AdapterContract(
            path: { "/ccache/main/\($0.prefix(2))/\($0.dropFirst(2).prefix(38))" },
            allowedMethods: "GET, HEAD, PUT, DELETE",
            malformedPaths: [
                "/ccache/main/XYZ", "/ccache/main/", "/ccache/main", "/ccache/main/abc",
                "/ccache/main/00/11/2233445566778899aabbccddeeff", "/ccache/main/0123456789ABCDEF0123",
                "/ccache/Main/00112233445566778899aabbccddeeff00112233",
                "/ccache/main/\(String(repeating: "a", count: 129))",
            ]
        )
        let violations = try await contract.violations()
        #expect(violations == [])
    }
}
