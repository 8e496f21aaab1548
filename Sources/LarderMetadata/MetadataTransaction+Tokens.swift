import GRDB
package import LarderCore

extension MetadataTransaction {
    /// Adds a token; nil when there is one of the name.
    package func addToken(
        _ name: TokenName,
        digest: Digest,
        grants: [Grant],
        scopes: ScopeList,
        expiresAt: Timestamp?,
        now: Timestamp
    ) throws -> AccessToken? {
        try db.run(
            """
            INSERT INTO token (name, digest, grants, scope, read_scopes, created_at, expires_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (name) DO NOTHING
            """,
            .text(name.text),
            .digest(digest),
            .text(grants.map(\.description).joined(separator: "\n")),
            .text(scopes.own.text),
            .text(scopes.readable.dropFirst().map { "=\($0)" }.joined(separator: "\n")),
            .integer(now.milliseconds),
            .optional(expiresAt?.milliseconds)
        )
        guard db.changesCount > 0 else { return nil }
        return AccessToken(
            id: db.lastInsertedRowID,
            name: name,
            grants: grants,
            scopes: scopes,
            createdAt: now,
            expiresAt: expiresAt,
            lastUsed: nil
        )
    }

    /// Removes a token; nil when there is none of the name.
    package func removeToken(_ name: TokenName) throws -> Int64? {
        try db.first("DELETE FROM token WHERE name = ? RETURNING id", .text(name.text)) { $0.integer(0) }
    }

    /// Removes tokens whose time was over before a moment.
    package func removeTokens(expiredBefore moment: Timestamp) throws -> [Int64] {
        try db.all("DELETE FROM token WHERE expires_at < ? RETURNING id", .integer(moment.milliseconds)) {
            $0.integer(0)
        }
    }

    /// Writes when tokens were used last.
    package func recordTokenUses(_ uses: [(id: Int64, time: Timestamp)]) throws {
        for use in uses {
            try db.run(
                "UPDATE token SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
                .integer(use.id),
                .integer(use.time.milliseconds)
            )
        }
    }

    /// The store's key for a purpose; the one given when there is none yet.
    package func signingKey(for purpose: String, ifNone new: [UInt8]) throws -> [UInt8] {
        try db.run(
            "INSERT INTO signing_key (purpose, bytes) VALUES (?, ?) ON CONFLICT (purpose) DO NOTHING",
            .text(purpose),
            .bytes(new)
        )
        let key = try db.first("SELECT bytes FROM signing_key WHERE purpose = ?", .text(purpose)) { $0.bytes(0) }
        return key ?? new
    }
}

extension MetadataSnapshot {
    /// Whether a token was ever made.
    package func hasHadTokens() throws -> Bool {
        // Kept by AUTOINCREMENT.
        try db.first("SELECT 1 FROM sqlite_sequence WHERE name = 'token'") { _ in true } ?? false
    }

    /// All tokens with the digests of their secrets, by name.
    ///
    /// - Throws: `corrupt` for one with a name or grant that none can have.
    package func tokens() throws -> [(digest: Digest, token: AccessToken)] {
        try db.all(
            """
            SELECT id, name, digest, grants, created_at, expires_at, last_used, scope, read_scopes FROM token
            ORDER BY name
            """
        ) { row in
            let texts = row.text(3).split(separator: "\n")
            let grants = texts.compactMap { Grant(String($0)) }
            let others = row.text(8).split(separator: "\n").map { EntryScope(String($0.dropFirst())) }
            guard let name = TokenName(row.text(1)), grants.count == texts.count, let own = EntryScope(row.text(7)),
                !others.contains(nil)
            else { throw StoreError.corrupt("token \(row.integer(0)) has a name, grant or scope that none can have") }
            let token = AccessToken(
                id: row.integer(0),
                name: name,
                grants: grants,
                scopes: ScopeList(own: own, others: others.compactMap(\.self)),
                createdAt: Timestamp(milliseconds: row.integer(4)),
                expiresAt: row.optionalInteger(5).map { Timestamp(milliseconds: $0) },
                lastUsed: row.optionalInteger(6).map { Timestamp(milliseconds: $0) }
            )
            return (try row.digest(2), token)
        }
    }
}
