/// Who sends a request, and what they may do.
package final class Principal: Sendable {
    /// Who it is.
    package enum Identity: Hashable, Sendable {
        /// Whoever names no credentials.
        case anonymous
        /// The user who runs the server, through `larder.sock`.
        case administrator
        case token(id: Int64, name: String)
    }

    package let identity: Identity
    private let grants: [Grant]
    /// What a registry's token was asked for: nothing else is allowed; nil: it is no such token.
    private let limit: [Grant]?
    /// Whose what they write to caches is, and what they are given from them.
    package let scopes: ScopeList
    /// When the credentials end.
    package let expiresAt: Timestamp?

    package init(
        _ identity: Identity,
        grants: [Grant],
        limit: [Grant]? = nil,
        scopes: ScopeList = .trusted,
        expiresAt: Timestamp? = nil
    ) {
        self.identity = identity
        self.grants = grants
        self.scopes = scopes
        self.limit = limit
        self.expiresAt = expiresAt
    }

    /// Who may do everything, through `larder.sock`.
    package static let administrator = Principal(.administrator, grants: [Grant(Glob("*"), .admin)])

    /// For people: `anonymous`, `administrator` or the token's name.
    package var name: String {
        switch identity {
        case .anonymous: "anonymous"
        case .administrator: "administrator"
        case .token(_, let name): name
        }
    }

    package var isAnonymous: Bool { identity == .anonymous }

    /// The same, for nothing but what is asked for; `expiresAt` when that comes first.
    package func limited(to limit: [Grant], expiresAt: Timestamp) -> Principal {
        let end = self.expiresAt.map { min($0, expiresAt) } ?? expiresAt
        return Principal(identity, grants: grants, limit: limit, scopes: scopes, expiresAt: end)
    }

    /// Whether this is one who asked for less than they may do.
    package var isLimited: Bool { limit != nil }

    /// Whether all these actions are allowed in a repository.
    package func allows(_ actions: RepositoryActions, in repository: RepositoryName) -> Bool {
        self.actions(in: repository).isSuperset(of: actions)
    }

    /// What is allowed in a repository.
    package func actions(in repository: RepositoryName) -> RepositoryActions {
        let actions = grants.actions(in: repository)
        return limit.map { actions.intersection($0.actions(in: repository)) } ?? actions
    }

    /// Whether they would be allowed without the limit.
    package func couldBeAllowed(_ actions: RepositoryActions, in repository: RepositoryName) -> Bool {
        grants.actions(in: repository).isSuperset(of: actions)
    }

    /// Whether these actions are allowed in every repository, and so for the server as a whole.
    package func allowsEverywhere(_ actions: RepositoryActions) -> Bool {
        guard limit == nil else { return false }
        let general = grants.filter(\.pattern.matchesEverything)
        return general.reduce(into: RepositoryActions()) { $0.formUnion($1.actions) }.isSuperset(of: actions)
    }

    /// Whether there can be a repository in which an action is allowed.
    package func allowsSomewhere(_ action: RepositoryActions) -> Bool {
        grants.contains { $0.actions.isSuperset(of: action) }
    }

    /// What is allowed, as it is written.
    package var grantTexts: [String] { grants.map(\.description) }
}
