/// Who a request's sender is: GET /api/v1/principal.
package struct PrincipalMessage: Codable, Sendable {
    /// `anonymous`, `administrator` or the token's name.
    package var name: String
    package var grants: [String]
    /// nil: it does not end by itself.
    package var expiresAt: Int64?

    package init(name: String, grants: [String], expiresAt: Int64?) {
        self.name = name
        self.grants = grants
        self.expiresAt = expiresAt
    }
}

/// A token, without its secret.
package struct TokenMessage: Codable, Sendable {
    package var name: String
    /// Such as `images/*:read,write`.
    package var grants: [String]
    package var createdAt: Int64
    /// nil: it does not end by itself.
    package var expiresAt: Int64?
    /// To some minutes; nil: never.
    package var lastUsedAt: Int64?

    package init(name: String, grants: [String], createdAt: Int64, expiresAt: Int64?, lastUsedAt: Int64?) {
        self.name = name
        self.grants = grants
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
    }
}

/// POST /api/v1/tokens.
package struct TokenRequestMessage: Codable, Sendable {
    package var name: String
    package var grants: [String]
    /// How long it lives; nil: until it is revoked.
    package var seconds: Int64?

    package init(name: String, grants: [String], seconds: Int64?) {
        self.name = name
        self.grants = grants
        self.seconds = seconds
    }
}

/// A token that was just made, with its secret, which is told this once.
package struct NewTokenMessage: Codable, Sendable {
    package var token: TokenMessage
    package var secret: String

    package init(token: TokenMessage, secret: String) {
        self.token = token
        self.secret = secret
    }
}
