package import APIMessages
import LarderCore

/// Tokens.
extension ServerClient {
    /// Who the client's token makes it.
    package func principal() async throws -> PrincipalMessage {
        try await decode(send("GET", "/api/v1/principal"))
    }

    /// All tokens, by name.
    package func tokens() async throws -> [TokenMessage] {
        try await decode(send("GET", "/api/v1/tokens"))
    }

    package func createToken(_ request: TokenRequestMessage) async throws -> NewTokenMessage {
        try await decode(send("POST", "/api/v1/tokens", body: request))
    }

    package func revokeToken(_ name: String) async throws {
        _ = try await send("DELETE", "/api/v1/tokens/\(percentEncoded(name))")
    }
}
