/// Who a request's sender is: GET /api/v1/principal.
package struct PrincipalMessage: Codable, Sendable {
    /// `anonymous`, `administrator` or the token's name.
    package var name: String
    package var grants: [String]
    /// Whose what they write to caches is; empty: nobody's.
    package var scope: String
    /// The scopes that they are given entries of, in order.
    package var readScopes: [String]
    /// nil: it does not end by itself.
    package var expiresAt: Int64?

    package init(name: String, grants: [String], scope: String, readScopes: [String], expiresAt: Int64?) {
        self.name = name
        self.grants = grants
        self.scope = scope
        self.readScopes = readScopes
        self.expiresAt = expiresAt
    }
}

/// A token, without its secret.
package struct TokenMessage: Codable, Sendable {
    package var name: String
    /// Such as `images/*:read,write`.
    package var grants: [String]
    /// Whose what it writes to caches is; empty: nobody's.
    package var scope: String
    /// The scopes that it is given entries of, in order.
    package var readScopes: [String]
    package var createdAt: Int64
    /// nil: it does not end by itself.
    package var expiresAt: Int64?
    /// To some minutes; nil: never.
    package var lastUsedAt: Int64?

    package init(
        name: String,
        grants: [String],
        scope: String,
        readScopes: [String],
        createdAt: Int64,
        expiresAt: Int64?,
        lastUsedAt: Int64?
    ) {
        self.name = name
        self.grants = grants
        self.scope = scope
        self.readScopes = readScopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
    }
}

/// POST /api/v1/tokens.
package struct TokenRequestMessage: Codable, Sendable {
    package var name: String
    package var grants: [String]
    /// Whose what it writes to caches is, such as `refs/pull/7/merge`; nil: nobody's.
    package var scope: String?
    /// Further scopes that it is given entries of, in order; only with `scope`.
    package var readScopes: [String]?
    /// How long it lives; nil: until it is revoked.
    package var seconds: Int64?

    package init(name: String, grants: [String], scope: String?, readScopes: [String]?, seconds: Int64?) {
        self.name = name
        self.grants = grants
        self.scope = scope
        self.readScopes = readScopes
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
