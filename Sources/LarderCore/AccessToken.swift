/// A token as the server knows it: everything but the secret.
package struct AccessToken: Hashable, Sendable {
    package let id: Int64
    /// Unique among the tokens that there are.
    package let name: TokenName
    package let grants: [Grant]
    /// Whose what it writes to caches is, and what it is given from them.
    package let scopes: ScopeList
    package let createdAt: Timestamp
    /// nil: it does not end by itself.
    package let expiresAt: Timestamp?
    /// When it was last used, to some minutes; nil: never.
    package var lastUsed: Timestamp?

    package init(
        id: Int64,
        name: TokenName,
        grants: [Grant],
        scopes: ScopeList,
        createdAt: Timestamp,
        expiresAt: Timestamp?,
        lastUsed: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.grants = grants
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsed = lastUsed
    }
}

/// The scopes of somebody in caches: what they write is seen by those alone who may read their scope.
package struct ScopeList: Hashable, Sendable {
    /// Whose what they write is; none: what everybody is given who may read at all.
    package let own: EntryScope
    /// The scopes that are asked for a key, in order; the first is their own.
    package let readable: [EntryScope]

    /// Those of somebody who is trusted: nobody's, and of caches with names for scopes any.
    package static let trusted = ScopeList(own: .none, others: [])

    /// `others`: What is read behind their own.
    ///
    /// What nobody's is comes last, unless it has a place: only who is trusted writes that.
    package init(own: EntryScope, others: [EntryScope]) {
        self.own = own
        var readable = [own]
        for scope in others + [.none] where !readable.contains(scope) { readable.append(scope) }
        self.readable = readable
    }

    /// Whether they are bound to these scopes.
    package var isBound: Bool { own != .none }
}

/// What people call a token: up to 100 letters, digits and `. _ - @ +`, beginning with a letter or digit.
package struct TokenName: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package static let lengthMax = 100

    package init?(_ text: some StringProtocol) {
        let characters = text.utf8
        guard characters.count <= Self.lengthMax, let first = characters.first, Self.isAlphanumeric(first),
            characters.allSatisfy({ Self.isAlphanumeric($0) || [UInt8]("._-@+".utf8).contains($0) })
        else { return nil }
        self.text = String(text)
    }

    private static func isAlphanumeric(_ character: UInt8) -> Bool {
        switch character {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }

    package var description: String { text }
}

/// What a client shows: `larder_` and 52 characters, which say 256 random bits.
///
/// The server keeps its SHA-256 only: of so many bits nobody finds the secret to a digest, so no slow hash is needed.
package struct TokenSecret: Sendable {
    package let text: String

    private static let prefix = "larder_"
    private static let alphabet = [UInt8]("abcdefghijklmnopqrstuvwxyz234567".utf8)
    package static let byteCount = 32
    private static let textLength = prefix.utf8.count + (byteCount * 8 + 4) / 5

    /// Makes a secret of 32 random bytes.
    package init(bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount)
        var characters = [UInt8](Self.prefix.utf8)
        var (bits, count) = (0 as UInt32, 0 as UInt32)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 5 {
                count -= 5
                characters.append(Self.alphabet[Int(bits >> count & 31)])
            }
        }
        if count > 0 { characters.append(Self.alphabet[Int(bits << (5 - count) & 31)]) }
        text = String(decoding: characters, as: UTF8.self)
    }

    /// Whether a text could be a secret.
    ///
    /// Others are not hashed and looked up.
    package static func isOne(_ text: some StringProtocol) -> Bool {
        text.utf8.count == textLength && text.hasPrefix(prefix)
    }

    /// What the server keeps of a secret.
    package static func digest(of text: some StringProtocol) -> Digest {
        IncrementalHasher.digest(of: Array(text.utf8))
    }
}
