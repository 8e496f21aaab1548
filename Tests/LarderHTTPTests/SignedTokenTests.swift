import LarderCore
import Testing

@testable import LarderHTTP

/// What the registry's clients are given: only what the server itself wrote is read.
@Suite struct SignedTokenTests {
    private static let key = (0..<32).map { UInt8($0) }
    private static let prefix = "larder.1."
    private static let end = Timestamp(milliseconds: 1_780_000_300_000)

    private static func token(_ texts: [String]) throws -> SignedToken {
        let grants = try texts.map { try #require(Grant($0)) }
        return SignedToken(.access, tokenID: 7, expiresAt: end, grants: grants)
    }

    /// The bytes behind the prefix: a signature of 32, the purpose, the token's number, the end, the grants.
    private static func bytes(of text: String) throws -> [UInt8] {
        try #require(base64Decoded(String(text.dropFirst(prefix.count))))
    }

    private static func text(of bytes: [UInt8]) -> String { prefix + base64URLEncoded(bytes) }

    // MARK: - Form

    /// Those that are on their way while the server is replaced stay good.
    @Test func theFormStaysTheSame() throws {
        // By Python's `hmac`.
        let text =
            "larder.1.8ECFgnWurqncaX6IrZjmgNusmeOgK36OqI7sox0ueCkBAAAAAAAAAAcAAAGecEkb4HRlYW0vYXBwOnJl"
            + "YWQsd3JpdGUKKjphZG1pbg"
        let token = try Self.token(["team/app:read,write", "*:admin"])
        #expect(token.text(signedWith: Self.key) == text)
        #expect(SignedToken(text, signedWith: Self.key) == token)
    }

    @Test(arguments: [SignedToken.Purpose.access, .refresh])
    func whatIsWrittenIsRead(purpose: SignedToken.Purpose) throws {
        let cases: [(id: Int64?, grants: [String])] = [
            (nil, []), (1, []), (1, ["a:read"]), (Int64.max, ["*:admin"]),
            (nil, ["a:read", "b/c:write,delete", "*:read"]),
        ]
        for (id, texts) in cases {
            let grants = try texts.map { try #require(Grant($0)) }
            for milliseconds in [0, 1, 1_780_000_000_000, Int64.max] {
                let end = Timestamp(milliseconds: milliseconds)
                let written = SignedToken(purpose, tokenID: id, expiresAt: end, grants: grants)
                let text = written.text(signedWith: Self.key)
                let read = try #require(SignedToken(text, signedWith: Self.key))
                #expect(read == written)
                #expect(read.purpose == purpose)
                #expect(read.tokenID == id)
                #expect(read.expiresAt == end)
                #expect(read.grants == grants)
            }
        }
    }

    /// It stands in headers, in JSON and in forms as it is.
    @Test func theTextNeedsNoEscapes() throws {
        for count in 0..<20 {
            let token = try Self.token(["a" + String(repeating: "b", count: count) + ":read"])
            let text = token.text(signedWith: Self.key)
            #expect(SignedToken.isOne(text))
            #expect(!TokenSecret.isOne(text))
            let isPlain = text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: [UInt8]("-_.".utf8).contains(byte)
                }
            }
            #expect(isPlain, "\(text)")
        }
    }

    // MARK: - Forgeries

    @Test func everyOtherByteIsRefused() throws {
        let text = try Self.token(["team/app:read"]).text(signedWith: Self.key)
        let bytes = try Self.bytes(of: text)
        #expect(Self.text(of: bytes) == text)
        for index in bytes.indices {
            for bit in 0..<8 {
                var others = bytes
                others[index] ^= 1 << UInt8(bit)
                #expect(SignedToken(Self.text(of: others), signedWith: Self.key) == nil, "byte \(index), bit \(bit)")
            }
        }
    }

    @Test func whatIsCutOrContinuedIsRefused() throws {
        let text = try Self.token(["team/app:read"]).text(signedWith: Self.key)
        for count in 0..<text.utf8.count {
            #expect(SignedToken(String(text.prefix(count)), signedWith: Self.key) == nil, "\(count) characters")
        }
        let bytes = try Self.bytes(of: text)
        for more in ["\n*:admin", ",write", "\n", "\u{0}"] {
            let longer = Self.text(of: bytes + Array(more.utf8))
            #expect(SignedToken(longer, signedWith: Self.key) == nil, "\(more)")
        }
    }

    @Test func whatAnotherKeySignedIsRefused() throws {
        let text = try Self.token(["team/app:read"]).text(signedWith: Self.key)
        for index in Self.key.indices {
            var other = Self.key
            other[index] ^= 0x10
            #expect(SignedToken(text, signedWith: other) == nil, "byte \(index)")
        }
        #expect(SignedToken(text, signedWith: Array(Self.key.dropLast())) == nil)
        #expect(SignedToken(text, signedWith: [0x20]) == nil)
    }

    @Test(arguments: [
        "", "larder.1", "larder.1.", "larder.1.AAAA", "larder.1.!!!!", "larder.1." + String(repeating: "A", count: 66),
        "larder.1." + String(repeating: "A", count: 200), "larder_" + String(repeating: "a", count: 52),
    ])
    func otherTextsAreRefused(text: String) {
        #expect(SignedToken(text, signedWith: Self.key) == nil)
    }

    /// Neither the version nor the signature can be had from another text.
    @Test func onlyTheRightPrefixIsRead() throws {
        let text = try Self.token([]).text(signedWith: Self.key)
        let rest = text.dropFirst(Self.prefix.count)
        for prefix in ["", "larder.2.", "Larder.1.", "larder-1.", " larder.1.", "larder.1..", "larder.1.\n"] {
            #expect(SignedToken(prefix + rest, signedWith: Self.key) == nil, "\(prefix)")
        }
    }

    // MARK: - The alphabet

    @Test(arguments: 0...70)
    func bytesOfEveryLengthAreReadAgain(length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ length &* 37) }
        let text = base64URLEncoded(bytes)
        #expect(text.utf8.count == (length * 4 + 2) / 3)
        #expect(base64Decoded(text) == bytes)
    }
}
