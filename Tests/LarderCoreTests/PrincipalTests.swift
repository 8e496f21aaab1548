import LarderCore
import Testing

/// What those who send requests may do: with all their grants, and with a token that was asked for less.
@Suite struct PrincipalTests {
    private static let end = Timestamp(milliseconds: 2_000_000)

    private static func name(_ text: String) throws -> RepositoryName { try #require(RepositoryName(text)) }

    private static func grants(_ texts: [String]) throws -> [Grant] {
        try texts.map { try #require(Grant($0)) }
    }

    /// `limit`: nil: none.
    private static func principal(_ texts: [String], limit: [String]? = nil) throws -> Principal {
        let principal = Principal(.token(id: 7, name: "ci"), grants: try grants(texts))
        guard let limit else { return principal }
        return principal.limited(to: try grants(limit), expiresAt: end)
    }

    // MARK: - In a repository

    private struct Case: Sendable {
        let grants: [String]
        var limit: [String]?
        let allowed: RepositoryActions
        /// Without the limit.
        let possible: RepositoryActions
    }

    /// In `team/app`.
    private static let cases: [Case] = [
        Case(grants: [], allowed: [], possible: []),
        Case(grants: ["other:admin"], allowed: [], possible: []),
        Case(grants: ["team/app:read"], allowed: .read, possible: .read),
        Case(grants: ["team/*:read", "*:delete"], allowed: [.read, .delete], possible: [.read, .delete]),
        Case(grants: ["*:admin"], allowed: .all, possible: .all),
        // What was asked for is all there is.
        Case(grants: ["*:admin"], limit: [], allowed: [], possible: .all),
        Case(grants: ["*:admin"], limit: ["other:read"], allowed: [], possible: .all),
        Case(grants: ["*:admin"], limit: ["team/app:read"], allowed: .read, possible: .all),
        Case(grants: ["*:admin"], limit: ["team/*:read", "*/app:write"], allowed: [.read, .write], possible: .all),
        // It never adds.
        Case(grants: ["*:read"], limit: ["team/app:read,write"], allowed: .read, possible: .read),
        Case(grants: ["other:read"], limit: ["team/app:admin"], allowed: [], possible: []),
        Case(grants: [], limit: ["*:admin"], allowed: [], possible: []),
    ]

    @Test(arguments: cases.indices)
    func whatIsAllowedInARepository(index: Int) throws {
        let (test, app) = (Self.cases[index], try Self.name("team/app"))
        let principal = try Self.principal(test.grants, limit: test.limit)
        #expect(principal.actions(in: app) == test.allowed)
        for rawValue in UInt8(0)...15 {
            let actions = RepositoryActions(rawValue: rawValue)
            #expect(principal.allows(actions, in: app) == test.allowed.isSuperset(of: actions), "\(actions)")
            #expect(principal.couldBeAllowed(actions, in: app) == test.possible.isSuperset(of: actions), "\(actions)")
        }
        #expect(principal.isLimited == (test.limit != nil))
        #expect(principal.grantTexts == test.grants)
    }

    // MARK: - Everywhere and somewhere

    @Test(
        arguments: [
            (grants: [], everywhere: [], somewhere: []),
            (grants: ["app:admin"], everywhere: [], somewhere: .all),
            (grants: ["app*:admin", "a*:read"], everywhere: [], somewhere: .all),
            (grants: ["*:read"], everywhere: .read, somewhere: .read),
            (grants: ["*:read", "*:write"], everywhere: [.read, .write], somewhere: [.read, .write]),
            (grants: ["*:read", "app:write"], everywhere: .read, somewhere: [.read, .write]),
            (grants: ["**:read"], everywhere: .read, somewhere: .read),
            (grants: ["*:admin"], everywhere: .all, somewhere: .all),
            // Names with a slash are not all names.
            (grants: ["*/*:admin"], everywhere: [], somewhere: .all),
        ] as [(grants: [String], everywhere: RepositoryActions, somewhere: RepositoryActions)]
    )
    func onlyAStarIsEverywhere(
        grants: [String],
        everywhere: RepositoryActions,
        somewhere: RepositoryActions
    ) throws {
        let principal = try Self.principal(grants)
        for action in [.read, .write, .delete, .admin] as [RepositoryActions] {
            #expect(principal.allowsEverywhere(action) == everywhere.contains(action), "\(action)")
            #expect(principal.allowsSomewhere(action) == somewhere.contains(action), "\(action)")
        }
        #expect(principal.allowsEverywhere([.read, .write]) == everywhere.isSuperset(of: [.read, .write]))
    }

    /// A registry's token is for repositories that were named.
    @Test func whoIsLimitedMayDoNothingEverywhere() throws {
        let principal = try Self.principal(["*:admin"], limit: ["*:admin"])
        #expect(!principal.allowsEverywhere(.read))
        #expect(!principal.allowsEverywhere(.admin))
    }

    // MARK: - Who

    @Test func theAdministratorMayDoEverything() throws {
        let (administrator, name) = (Principal.administrator, try Self.name("any/name"))
        #expect(administrator.name == "administrator")
        #expect(!administrator.isAnonymous)
        #expect(administrator.allowsEverywhere(.all))
        #expect(administrator.allows(.all, in: name))
        #expect(administrator.expiresAt == nil)
    }

    @Test func everybodyHasAName() {
        let token = Principal(.token(id: 1, name: "ci"), grants: [])
        let anonymous = Principal(.anonymous, grants: [])
        #expect(token.name == "ci")
        #expect(!token.isAnonymous)
        #expect(anonymous.name == "anonymous")
        #expect(anonymous.isAnonymous)
    }

    @Test(
        arguments: [
            (own: nil, limit: 5, end: 5), (own: 3, limit: 5, end: 3), (own: 5, limit: 3, end: 3),
            (own: 5, limit: 5, end: 5),
        ] as [(own: Int64?, limit: Int64, end: Int64)]
    )
    func theEarlierEndCounts(own: Int64?, limit: Int64, end: Int64) {
        let principal = Principal(
            .token(id: 1, name: "ci"),
            grants: [],
            expiresAt: own.map { Timestamp(milliseconds: $0) }
        )
        let limited = principal.limited(to: [], expiresAt: Timestamp(milliseconds: limit))
        #expect(limited.expiresAt == Timestamp(milliseconds: end))
        #expect(limited.identity == principal.identity)
    }
}
