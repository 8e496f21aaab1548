import APIMessages
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/tokens[/NAME]` and `/api/v1/principal`.
extension APIAdapter {
    private static let grantCountMax = 100
    private static let readScopeCountMax = 10
    /// A century, in seconds.
    private static let lifetimeMax: Int64 = 100 * 366 * 86_400

    func getPrincipal(_ call: APICall) throws -> Response {
        let principal = call.context.principal
        return try Self.json(
            PrincipalMessage(
                name: principal.name,
                grants: principal.grantTexts,
                scope: principal.scopes.own.text,
                readScopes: principal.scopes.readable.map(\.text),
                expiresAt: principal.expiresAt?.seconds
            )
        )
    }

    func listTokens(_ call: APICall) throws -> Response {
        try Self.json(call.store.tokens.all.map(TokenMessage.init))
    }

    func createToken(_ call: APICall) async throws -> Response {
        let message: TokenRequestMessage = try await call.message(
            "a token, such as {\"name\": \"ci\", \"grants\": [\"images/*:read,write\"], \"seconds\": 7776000}"
        )
        guard let name = TokenName(message.name) else {
            throw StoreError.malformed(
                "name: up to \(TokenName.lengthMax) letters, digits and . _ - @ +, beginning with a letter or digit"
            )
        }
        guard (1...Self.grantCountMax).contains(message.grants.count) else {
            throw StoreError.malformed("grants: 1 to \(Self.grantCountMax)")
        }
        let grants = try message.grants.map { text in
            guard let grant = Grant(text) else { throw StoreError.malformed("grant \(text): \(Grant.form)") }
            return grant
        }
        let own = try Self.scope(message.scope ?? "")
        let others = try (message.readScopes ?? []).map { try Self.scope($0) }
        guard own != .none || others.isEmpty, others.count <= Self.readScopeCountMax else {
            throw StoreError.malformed("readScopes: at most \(Self.readScopeCountMax), and only with a scope")
        }
        if let seconds = message.seconds, !(1...Self.lifetimeMax).contains(seconds) {
            throw StoreError.malformed("seconds: a whole number from 1 to \(Self.lifetimeMax)")
        }
        let expiresAt = message.seconds.map { sources.now() + Duration.seconds($0) }
        let secret = sources.makeTokenSecret()
        let token = try await call.store.createToken(
            name,
            secret: secret,
            grants: grants,
            scopes: ScopeList(own: own, others: others),
            expiresAt: expiresAt
        )
        var response = try Self.json(NewTokenMessage(token: TokenMessage(token), secret: secret.text), status: 201)
        response.headers[.cacheControl] = "no-store"
        return response
    }

    func revokeToken(_ call: APICall) async throws -> Response {
        guard let name = TokenName(call.argument), try await call.store.revokeToken(name) else {
            throw StoreError.notFound("token \(call.argument)")
        }
        return HTTPAnswer(204).response
    }
}

extension TokenMessage {
    fileprivate init(_ token: AccessToken) {
        self.init(
            name: token.name.text,
            grants: token.grants.map(\.description),
            scope: token.scopes.own.text,
            readScopes: token.scopes.readable.map(\.text),
            createdAt: token.createdAt.seconds,
            expiresAt: token.expiresAt?.seconds,
            lastUsedAt: token.lastUsed?.seconds
        )
    }
}
