package import LarderCore
import LarderMetadata

/// Tokens.
extension Store {
    /// Tokens whose time is over are shown for so long.
    static let expiredTokenAge: Duration = .seconds(7 * 86_400)
    /// More are refused: all are kept in memory.
    package static let tokenCountMax = 100_000

    /// Makes a token: valid at once, durable on return.
    ///
    /// `secret`: A new one, of which only the digest is kept.
    ///
    /// - Throws: `conditionFailed` when there is a token of the name; `notAllowed` when there are too many.
    package func createToken(
        _ name: TokenName,
        secret: TokenSecret,
        grants: [Grant],
        scopes: ScopeList = .trusted,
        expiresAt: Timestamp?
    ) async throws(StoreError) -> AccessToken {
        guard tokens.count < Self.tokenCountMax else {
            throw .notAllowed("there are \(Self.tokenCountMax) tokens already; revoke some")
        }
        let digest = TokenSecret.digest(of: secret.text)
        let now = now()
        let token = try await committer.commit {
            try $0.addToken(name, digest: digest, grants: grants, scopes: scopes, expiresAt: expiresAt, now: now)
        }
        guard let token else {
            throw .conditionFailed("there is a token named \(name) already; revoke it first, or choose another name")
        }
        tokens.add(token, digest: digest)
        return token
    }

    /// Takes a token back: nothing that its secret, or what was derived from it, is shown with from now on is let in.
    ///
    /// - Returns: false: there is none.
    package func revokeToken(_ name: TokenName) async throws(StoreError) -> Bool {
        guard let id = try await committer.commit({ try $0.removeToken(name) }) else { return false }
        tokens.remove([id])
        return true
    }

    /// The key of this data folder for signing what is derived from tokens.
    ///
    /// `new`: Random bytes, kept when there is none yet. To be called before the services run. Blocks.
    package func tokenKey(ifNone new: [UInt8]) throws(StoreError) -> [UInt8] {
        try metadata.write { try $0.signingKey(for: "tokens", ifNone: new) }.value
    }
}
