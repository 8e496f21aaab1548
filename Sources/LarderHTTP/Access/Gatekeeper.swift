package import LarderCore
package import LarderStore

/// Says who sends a request, and whether they may.
///
/// Asks memory only.
package struct Gatekeeper: Sendable {
    package enum Finding: Sendable {
        case known(Principal)
        /// The credentials let nobody in; why, in words.
        case wrong(String)
    }

    /// Access tokens of the registry live this long; clients ask for new ones by themselves.
    package static let accessTokenLifetime: Duration = .seconds(300)
    /// The same for what they are asked for with.
    package static let refreshTokenLifetime: Duration = .seconds(90 * 86_400)

    /// Who shows no credentials.
    package let anonymous: Principal
    private let tokens: TokenDirectory
    private let key: [UInt8]
    private let acceptsTokens: Bool
    private let now: TimeSource

    /// `key`: Signs the tokens of the registry.
    ///
    /// `anonymousActions`: What those may do, everywhere, who show no credentials.
    ///
    /// `acceptsTokens`: false where tokens would cross a network that others may listen to.
    package init(
        store: Store,
        key: [UInt8],
        anonymousActions: RepositoryActions,
        acceptsTokens: Bool = true,
        now: @escaping TimeSource
    ) {
        let grants = anonymousActions.isEmpty ? [] : [Grant(Glob("*"), anonymousActions)]
        anonymous = Principal(.anonymous, grants: grants)
        tokens = store.tokens
        self.key = key
        self.acceptsTokens = acceptsTokens
        self.now = now
    }

    /// Changes when what `identify` said may no longer hold.
    var generation: UInt64 { tokens.generation }

    // MARK: - Who

    /// Who shows these credentials.
    ///
    /// `authorization`: The value of that header; nil: there is none.
    package func identify(_ authorization: String?) -> Finding {
        guard let authorization else { return .known(anonymous) }
        // As long as none was made nobody can show one, and clients send what they were once set up with.
        guard tokens.isInUse else { return .known(anonymous) }
        switch Credentials(authorization) {
        case .none: return .known(anonymous)
        case .unknown: return .wrong("the Authorization header is neither Bearer nor Basic with a token")
        case .secret(let secret):
            let finding = SignedToken.isOne(secret) ? identify(signed: secret) : identify(secret: secret)
            // Nobody's tokens, which registries give for pulls without a login, are no secrets.
            if case .known(let principal) = finding, principal.isAnonymous { return finding }
            return acceptsTokens
                ? finding : .wrong("this server takes no tokens over plain HTTP (--insecure lets it)")
        }
    }

    private func identify(secret: String) -> Finding {
        guard let token = tokens.find(secret: secret) else { return .wrong("the token is unknown, or was revoked") }
        return principal(of: token)
    }

    private func identify(signed text: String) -> Finding {
        guard let signed = SignedToken(text, signedWith: key), signed.purpose == .access, signed.expiresAt > now()
        else {
            return .wrong("the registry's token is not valid, or its time is over")
        }
        guard let id = signed.tokenID else {
            return .known(anonymous.limited(to: signed.grants, expiresAt: signed.expiresAt))
        }
        guard let token = tokens.find(id) else { return .wrong("the token was revoked") }
        guard case .known(let principal) = principal(of: token) else { return .wrong("the token's time is over") }
        return .known(principal.limited(to: signed.grants, expiresAt: signed.expiresAt))
    }

    private func principal(of token: AccessToken) -> Finding {
        let now = now()
        if let end = token.expiresAt, end <= now { return .wrong("the token's time is over") }
        tokens.noteUse(of: token, at: now)
        return .known(
            Principal(
                .token(id: token.id, name: token.name.text),
                grants: token.grants,
                scopes: token.scopes,
                expiresAt: token.expiresAt
            )
        )
    }

    /// How long from now what `identify` said of somebody holds, unless `generation` changes: a minute at most.
    func lifetime(of principal: Principal) -> Duration {
        let longest = Duration.seconds(60)
        return principal.expiresAt.map { min(longest, $0 - now()) } ?? longest
    }

    // MARK: - Whether

    /// Why somebody may not; nil when they may.
    package func refusal(
        of principal: Principal,
        demand: HTTPRoute.Demand,
        repository: RepositoryName
    ) -> AccessRefusal.Reason? {
        let isAllowed: Bool
        var couldBe = false
        switch demand {
        case .nothing: return nil
        case .identity:
            // Clients show credentials only when they are asked here: as long as anything needs some, they are.
            isAllowed = !principal.isAnonymous || principal.isLimited || principal.allowsEverywhere([.read, .write])
        case .somewhere(let actions): isAllowed = principal.allowsSomewhere(actions)
        case .repository(let actions):
            isAllowed = principal.allows(actions, in: repository)
            couldBe = principal.couldBeAllowed(actions, in: repository)
        case .everywhere(let actions): isAllowed = principal.allowsEverywhere(actions)
        }
        if isAllowed { return nil }
        if principal.isLimited && couldBe { return .limited }
        return principal.isAnonymous ? .credentialsNeeded : .forbidden
    }

    // MARK: - Tokens of the registry

    /// A token for a while and a purpose.
    package func signedToken(_ purpose: SignedToken.Purpose, for principal: Principal, grants: [Grant] = []) -> String {
        let lifetime = purpose == .access ? Self.accessTokenLifetime : Self.refreshTokenLifetime
        let id: Int64? = if case .token(let id, _) = principal.identity { id } else { nil }
        return SignedToken(purpose, tokenID: id, expiresAt: now() + lifetime, grants: grants).text(signedWith: key)
    }

    /// Who was given a refresh token.
    package func identify(refreshToken text: String) -> Finding {
        guard acceptsTokens, let signed = SignedToken(text, signedWith: key), signed.purpose == .refresh,
            signed.expiresAt > now(), let token = signed.tokenID.flatMap({ tokens.find($0) })
        else { return .wrong("the refresh token is not valid, or its time is over") }
        return principal(of: token)
    }
}
