import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

@testable import LarderStore

extension StoreHarness {
    fileprivate var tokens: TokenDirectory { store.tokens }

    /// Makes a token; returns it with its secret.
    fileprivate func makeToken(
        _ text: String,
        _ grantTexts: [String] = ["*:read"],
        lifetime: Duration? = nil
    ) async throws -> (token: AccessToken, secret: String) {
        let bytes = (0..<TokenSecret.byteCount).map { _ in UInt8.random(in: 0 ... .max) }
        let secret = TokenSecret(bytes: bytes)
        let name = try #require(TokenName(text))
        let grants = try grantTexts.map { try #require(Grant($0)) }
        let end = lifetime.map { time.now + $0 }
        let token = try await store.createToken(name, secret: secret, grants: grants, expiresAt: end)
        return (token, secret.text)
    }

    /// Whether there was one to revoke.
    fileprivate func revoke(_ text: String) async throws -> Bool {
        let name = try #require(TokenName(text))
        return try await store.revokeToken(name)
    }
}

/// Tokens as the store keeps them: in memory for every request, and in the database for the next start.
@Suite
struct TokenTests {
    // MARK: - Coming and going

    @Test
    func aTokenIsFoundByItsSecretAndItsNumber() async throws {
        try await withStore { (harness) async throws in
            let grants = ["team/*:read,write", "*:read"]
            let (token, secret) = try await harness.makeToken("ci", grants, lifetime: .seconds(9))
            #expect(token.name.text == "ci")
            #expect(token.grants.map(\.description) == grants)
            #expect(token.createdAt == harness.time.now)
            #expect(token.expiresAt == harness.time.now + .seconds(9))
            #expect(token.lastUsed == nil)
            #expect(harness.tokens.find(secret: secret) == token)
            #expect(harness.tokens.find(token.id) == token)
            #expect(harness.tokens.find(token.id + 1) == nil)
            #expect(harness.tokens.all == [token])
            #expect(harness.tokens.count == 1)
        }
    }

    @Test
    func otherTextsFindNothing() async throws {
        try await withStore { (harness) async throws in
            let secret = try await harness.makeToken("ci").secret
            let others = [
                "", "larder_", "ci", String(secret.dropLast()), secret + "a", " " + secret, secret.uppercased(),
                String(secret.dropFirst(7)), "larder_" + String(repeating: "a", count: 52),
            ]
            for other in others {
                #expect(harness.tokens.find(secret: other) == nil, "\(other)")
            }
        }
    }

    @Test
    func aNameIsGivenOnce() async throws {
        try await withStore { (harness) async throws in
            let (token, secret) = try await harness.makeToken("ci", ["app:read"])
            let error = try await storeError { _ = try await harness.makeToken("ci", ["*:admin"]) }
            #expect(caseName(error) == "conditionFailed")
            #expect(harness.tokens.all == [token])
            #expect(harness.tokens.find(secret: secret) == token)
            // Upper case is another name.
            _ = try await harness.makeToken("CI")
            #expect(harness.tokens.all.map(\.name.text) == ["CI", "ci"])
        }
    }

    @Test
    func manyTokensComeAtOnce() async throws {
        try await withStore { (harness) async throws in
            let secrets = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<50 {
                    group.addTask { try await harness.makeToken("token-\(number)").secret }
                }
                var secrets: [String] = []
                for try await secret in group { secrets.append(secret) }
                return secrets
            }
            #expect(Set(secrets.compactMap { harness.tokens.find(secret: $0)?.id }).count == 50)
            #expect(harness.tokens.all.count == 50)
        }
    }

    @Test
    func aRevokedTokenIsFoundNoMore() async throws {
        try await withStore { (harness) async throws in
            let (token, secret) = try await harness.makeToken("ci")
            let (other, otherSecret) = try await harness.makeToken("other")
            let isRevoked = try await harness.revoke("ci")
            #expect(isRevoked)
            #expect(harness.tokens.find(secret: secret) == nil)
            #expect(harness.tokens.find(token.id) == nil)
            #expect(harness.tokens.find(secret: otherSecret) == other)
            let isRevokedAgain = try await harness.revoke("ci")
            #expect(!isRevokedAgain)
        }
    }

    /// Signed tokens name a number: it must not become another token's.
    @Test
    func aNameIsGivenAgainButNoNumber() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let (first, secret) = try await withStore(in: folder, time: time) { harness in
                let (token, secret) = try await harness.makeToken("ci")
                _ = try await harness.revoke("ci")
                let again = try await harness.makeToken("ci", ["*:admin"])
                #expect(again.token.id > token.id)
                #expect(harness.tokens.find(secret: secret) == nil)
                #expect(harness.tokens.find(secret: again.secret) == again.token)
                _ = try await harness.revoke("ci")
                return (again.token.id, again.secret)
            }
            try await withStore(in: folder, time: time) { (harness) async throws in
                let third = try await harness.makeToken("ci").token
                #expect(third.id > first)
                #expect(harness.tokens.find(secret: secret) == nil)
            }
        }
    }

    @Test
    func whoeverRemembersASenderIsToldOfEveryChange() async throws {
        try await withStore { (harness) async throws in
            var seen = [harness.tokens.generation]
            let (token, secret) = try await harness.makeToken("ci")
            seen.append(harness.tokens.generation)
            _ = try await harness.makeToken("other")
            seen.append(harness.tokens.generation)
            _ = try await harness.revoke("ci")
            seen.append(harness.tokens.generation)
            #expect(Set(seen).count == 4)
            // What changes nothing makes nobody ask again.
            _ = try await storeError { _ = try await harness.makeToken("other") }
            _ = try await harness.revoke("nobody")
            _ = harness.tokens.find(secret: secret)
            harness.tokens.noteUse(of: token, at: harness.time.now)
            #expect(harness.tokens.generation == seen.last)
        }
    }

    // MARK: - The next start

    @Test
    func tokensSurviveAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let kept = try await withStore(in: folder, time: time) { harness in
                _ = try await harness.makeToken("gone")
                let kept = [
                    try await harness.makeToken("ci", ["team/*:read,write", "*:read"], lifetime: .seconds(60)),
                    try await harness.makeToken("laptop", ["*:admin"], lifetime: nil),
                ]
                _ = try await harness.revoke("gone")
                return kept
            }
            // Time that passes changes nothing: those who ask look at the end.
            time.advance(by: .seconds(3600))
            try await withStore(in: folder, time: time) { (harness) async throws in
                let tokens = kept.map { $0.token }
                #expect(harness.tokens.all == tokens)
                for (token, secret) in kept {
                    #expect(harness.tokens.find(secret: secret) == token)
                    #expect(harness.tokens.find(token.id) == token)
                }
            }
        }
    }

    /// Whoever shows something is let in as anonymous only where nobody was ever told a secret.
    @Test
    func thatThereWereTokensIsRemembered() async throws {
        try await withTemporaryFolder { folder in
            try await withStore(in: folder) { (harness) async throws in #expect(!harness.tokens.isInUse) }
            try await withStore(in: folder) { (harness) async throws in
                #expect(!harness.tokens.isInUse)
                _ = try await harness.makeToken("ci")
                #expect(harness.tokens.isInUse)
                _ = try await harness.revoke("ci")
                #expect(harness.tokens.isInUse)
            }
            try await withStore(in: folder) { (harness) async throws in
                #expect(harness.tokens.isInUse)
                #expect(harness.tokens.all == [])
            }
        }
    }

    @Test(arguments: [
        "UPDATE token SET grants = 'team/*:read' || char(10) || 'everything'", "UPDATE token SET grants = 'TEAM:read'",
        "UPDATE token SET name = 'a b'",
    ])
    func whatNoTokenCanBeIsDamage(sql: String) async throws {
        try await withTemporaryFolder { folder in
            try await withStore(in: folder) { (harness) async throws in _ = try await harness.makeToken("ci") }
            try await editDatabase(in: folder, sql)
            let error = try await storeError { try await withStore(in: folder) { (_) async throws in } }
            #expect(caseName(error) == "corrupt")
        }
    }

    @Test
    func theSigningKeyIsMadeOnce() async throws {
        func key(in folder: String, ifNone new: UInt8) async throws -> [UInt8] {
            try await withStore(in: folder) { harness in
                try await harness.store.committer.commit {
                    try $0.signingKey(for: "tokens", ifNone: [UInt8](repeating: new, count: 32))
                }
            }
        }
        try await withTemporaryFolder { folder in
            let (one, other) = ("\(folder)/one", "\(folder)/other")
            let first = try await key(in: one, ifNone: 1)
            let second = try await key(in: one, ifNone: 2)
            let third = try await key(in: other, ifNone: 3)
            #expect(first == [UInt8](repeating: 1, count: 32))
            #expect(second == first)
            #expect(third == [UInt8](repeating: 3, count: 32))
        }
    }

    // MARK: - Last uses

    @Test
    func aUseIsNotedToFiveMinutes() async throws {
        try await withStore { (harness) async throws in
            let (token, _) = try await harness.makeToken("ci")
            let start = harness.time.now
            let steps: [(seconds: Int64, noted: Int64)] = [
                (0, 0), (1, 0), (299, 0), (300, 300), (599, 300), (9000, 9000),
            ]
            for (seconds, noted) in steps {
                harness.tokens.noteUse(of: token, at: start + .seconds(seconds))
                let lastUsed = harness.tokens.all.first?.lastUsed
                #expect(lastUsed == start + .seconds(noted), "\(seconds) s")
            }
        }
    }

    @Test
    func lastUsesSurviveAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let start = time.now
            let id = try await withStore(in: folder, time: time) { harness in
                let (token, _) = try await harness.makeToken("used")
                _ = try await harness.makeToken("unused")
                harness.tokens.noteUse(of: token, at: start + .seconds(1))
                return token.id
            }
            try await withStore(in: folder, time: time) { (harness) async throws in
                let lastUses = harness.tokens.all.map(\.lastUsed)
                #expect(lastUses == [nil, start + .seconds(1)])
                // What is in the database counts as well.
                let token = try #require(harness.tokens.find(id))
                harness.tokens.noteUse(of: token, at: start + .seconds(300))
                #expect(harness.tokens.find(id)?.lastUsed == start + .seconds(1))
                harness.tokens.noteUse(of: token, at: start + .seconds(301))
            }
            try await withStore(in: folder, time: time) { (harness) async throws in
                #expect(harness.tokens.find(id)?.lastUsed == start + .seconds(301))
            }
        }
    }

    /// Two parts of the store may write uses at once.
    @Test
    func aLastUseNeverGoesBack() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let (start, later) = (time.now, time.now + .seconds(1000))
            let id = try await withStore(in: folder, time: time) { harness in
                let (token, _) = try await harness.makeToken("ci")
                for moment in [later, start] {
                    try await harness.store.committer.commit {
                        try $0.recordTokenUses([(id: token.id, time: moment), (id: token.id + 1, time: moment)])
                    }
                }
                return token.id
            }
            try await withStore(in: folder, time: time) { (harness) async throws in
                #expect(harness.tokens.find(id)?.lastUsed == later)
                #expect(harness.tokens.all.count == 1)
            }
        }
    }

    // MARK: - Those whose time is over

    @Test
    func tokensGoSomeTimeAfterTheirEnd() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            try await withStore(in: folder, time: time) { (harness) async throws in
                let first = try await harness.makeToken("first", lifetime: .seconds(10)).token
                _ = try await harness.makeToken("second", lifetime: .seconds(11))
                _ = try await harness.makeToken("endless")
                let moment = harness.time.now + .seconds(11)
                let removed = try await harness.store.committer.commit { try $0.removeTokens(expiredBefore: moment) }
                #expect(removed == [first.id])
            }
            try await withStore(in: folder, time: time) { (harness) async throws in
                #expect(harness.tokens.all.map(\.name.text) == ["endless", "second"])
                // The name is free.
                _ = try await harness.makeToken("first")
            }
        }
    }
}
