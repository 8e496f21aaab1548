import LarderCore
import Testing

/// Grants as they are written, and what several of them allow together.
@Suite struct GrantTests {
    private static func name(_ text: String) throws -> RepositoryName { try #require(RepositoryName(text)) }

    // MARK: - Texts

    @Test(
        arguments: [
            (text: "app:read", pattern: "app", actions: .read),
            (text: "app:write", pattern: "app", actions: .write),
            (text: "app:delete", pattern: "app", actions: .delete),
            (text: "app:read,write", pattern: "app", actions: [.read, .write]),
            (text: "app:write,read,write", pattern: "app", actions: [.read, .write]),
            (text: "app:delete,write,read", pattern: "app", actions: [.read, .write, .delete]),
            // One who rules may do the rest.
            (text: "app:admin", pattern: "app", actions: .all),
            (text: "app:read,admin", pattern: "app", actions: .all),
            (text: "*:admin", pattern: "*", actions: .all),
            (text: "images/*:read,write", pattern: "images/*", actions: [.read, .write]),
            (text: "*/cache:read", pattern: "*/cache", actions: .read),
            (text: "a.b_c-d/0/9*:read", pattern: "a.b_c-d/0/9*", actions: .read),
            // No name can be like these, which does no harm.
            (text: "/:read", pattern: "/", actions: .read),
            (text: "-:read", pattern: "-", actions: .read),
        ] as [(text: String, pattern: String, actions: RepositoryActions)]
    )
    func aGrantIsAPatternAndItsActions(text: String, pattern: String, actions: RepositoryActions) throws {
        let grant = try #require(Grant(text))
        #expect(grant.pattern.text == pattern)
        #expect(grant.actions == actions)
    }

    @Test(arguments: [
        "", ":", "app", "app:", ":read", "app:reed", "app:Read", "app:READ", "app:read,", "app:,read",
        "app:read,,write", "app: read", "app:read ", "app:read, write", "app:*", "app:all", "app:pull",
        "app:read;write", "app:read write", "App:read", "app :read", " app:read", "a b:read", "a:b:read",
        "app::read", "ap?:read", "app[1]:read", "a\\b:read", "é:read", "a\n:read", "app:read\n", "a+b:read",
        "a@b:read", "a,b:read", "a%2fb:read",
    ])
    func othersAreNone(text: String) {
        #expect(Grant(text) == nil)
    }

    @Test(arguments: [(length: 255, isOne: true), (length: 256, isOne: false)])
    func aPatternIsNoLongerThanANameCanBe(length: Int, isOne: Bool) {
        let grant = Grant(String(repeating: "a", count: length) + ":read")
        #expect((grant != nil) == isOne)
    }

    @Test(arguments: [
        (text: "app:write,read", description: "app:read,write"),
        (text: "app:delete,read", description: "app:read,delete"),
        (text: "app:read,write,delete", description: "app:read,write,delete"),
        (text: "app:read,write,delete,admin", description: "app:admin"),
        (text: "*:admin,read", description: "*:admin"),
    ])
    func aGrantIsWrittenInOneWay(text: String, description: String) throws {
        let grant = try #require(Grant(text))
        #expect(grant.description == description)
    }

    /// What is written down is read again as the same: the database and the registry's tokens rely on it.
    @Test(arguments: UInt8(1)...15)
    func whatIsWrittenIsReadAgain(rawValue: UInt8) throws {
        for pattern in ["*", "app", "images/*", "*/a*b/*", "a.b_c-d", "**"] {
            let grant = Grant(Glob(pattern), RepositoryActions(rawValue: rawValue))
            let again = try #require(Grant(grant.description))
            #expect(again == grant)
            #expect(again.description == grant.description)
        }
    }

    @Test func aGrantForARepositoryIsForThatOneAlone() throws {
        let (app, other) = (try Self.name("team/app"), try Self.name("team/app/x"))
        let grants = [Grant(app, [.read, .write])]
        #expect(grants.map(\.description) == ["team/app:read,write"])
        #expect(grants.actions(in: app) == [.read, .write])
        #expect(grants.actions(in: other) == [])
    }

    // MARK: - Lists of actions

    @Test(arguments: ["", ",", "read,", ",read", "read,,write", "Read", "reads", " read", "read write", "*", "rea"])
    func listsWithOtherWordsAreNone(text: String) {
        #expect(RepositoryActions(text) == nil)
    }

    @Test func aListIsWrittenInTheOrderOfItsPower() {
        #expect(RepositoryActions("admin,delete,write,read")?.description == "read,write,delete,admin")
        #expect(RepositoryActions("delete,read")?.description == "read,delete")
        #expect(RepositoryActions.all == [.read, .write, .delete, .admin])
        #expect(RepositoryActions().description == "")
    }

    // MARK: - What is allowed

    @Test(arguments: [
        (pattern: "*", name: "app", fits: true),
        (pattern: "*", name: "team/deep/app", fits: true),
        (pattern: "app", name: "app", fits: true),
        (pattern: "app", name: "apps", fits: false),
        (pattern: "app", name: "ap", fits: false),
        (pattern: "app", name: "team/app", fits: false),
        (pattern: "app", name: "app/team", fits: false),
        (pattern: "images/*", name: "images/app", fits: true),
        // A star goes over slashes.
        (pattern: "images/*", name: "images/team/app", fits: true),
        (pattern: "images/*", name: "images", fits: false),
        (pattern: "images/*", name: "my/images/app", fits: false),
        (pattern: "images*", name: "images", fits: true),
        (pattern: "images*", name: "images2/app", fits: true),
        (pattern: "*/cache", name: "team/deep/cache", fits: true),
        (pattern: "*/cache", name: "cache", fits: false),
        (pattern: "team/*/cache", name: "team/a/b/cache", fits: true),
        (pattern: "team/*/cache", name: "team/cache", fits: false),
        (pattern: "a.b", name: "axb", fits: false),
    ])
    func aPatternDescribesWholeNames(pattern: String, name: String, fits: Bool) throws {
        let (grant, name) = (try #require(Grant("\(pattern):read")), try Self.name(name))
        let expected: RepositoryActions = fits ? .read : []
        #expect([grant].actions(in: name) == expected)
    }

    @Test(
        arguments: [
            (grants: [], name: "app", actions: []),
            (grants: ["other:admin"], name: "app", actions: []),
            (grants: ["app:read", "app:write"], name: "app", actions: [.read, .write]),
            (grants: ["*:read", "te*:write", "team/app:delete"], name: "team/app", actions: [.read, .write, .delete]),
            (grants: ["*:read", "te*:write", "team/app:delete"], name: "team/lib", actions: [.read, .write]),
            (grants: ["*:read", "te*:write", "team/app:delete"], name: "app", actions: .read),
            // What one allows another does not take.
            (grants: ["app:admin", "*:read"], name: "app", actions: .all),
            (grants: ["*:read", "app:admin"], name: "app", actions: .all),
            (grants: ["*:read", "app:admin"], name: "lib", actions: .read),
        ] as [(grants: [String], name: String, actions: RepositoryActions)]
    )
    func severalGrantsAllowWhatAnyAllows(grants: [String], name: String, actions: RepositoryActions) throws {
        let (read, name) = (try grants.map { try #require(Grant($0)) }, try Self.name(name))
        let reversed = Array(read.reversed())
        #expect(read.actions(in: name) == actions)
        #expect(reversed.actions(in: name) == actions)
    }
}
