import Crypto
import Foundation
package import LarderCore

/// A token that the server gives out for one that it knows: it says whose it is, for how long and for what, and is signed.
///
/// Nothing is stored of it. It ends with the token that it was given for.
package struct SignedToken: Equatable, Sendable {
    package enum Purpose: UInt8, Sendable {
        /// Shown with requests.
        case access = 1
        /// Changed for ones of `access`.
        case refresh = 2
    }

    package var purpose: Purpose
    /// nil: anonymous.
    package var tokenID: Int64?
    package var expiresAt: Timestamp
    /// What it is limited to.
    package var grants: [Grant]

    package init(_ purpose: Purpose, tokenID: Int64?, expiresAt: Timestamp, grants: [Grant] = []) {
        self.purpose = purpose
        self.tokenID = tokenID
        self.expiresAt = expiresAt
        self.grants = grants
    }

    private static let prefix = "larder.1."
    private static let signatureLength = 32
    private static let headLength = 17

    /// As it is sent: what it says and an HMAC with SHA-256 of that, in base64.
    package func text(signedWith key: [UInt8]) -> String {
        var bytes = [purpose.rawValue]
        for number in [tokenID ?? 0, expiresAt.milliseconds] {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: grants.map(\.description).joined(separator: "\n").utf8)
        let signature = HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key))
        return Self.prefix + base64URLEncoded(Array(signature) + bytes)
    }

    /// Reads a token; nil for what this key did not sign.
    package init?(_ text: String, signedWith key: [UInt8]) {
        guard text.hasPrefix(Self.prefix), let all = base64Decoded(String(text.dropFirst(Self.prefix.count))),
            all.count >= Self.signatureLength + Self.headLength
        else { return nil }
        let bytes = Array(all[Self.signatureLength...])
        // Compares in constant time.
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                all[..<Self.signatureLength],
                authenticating: bytes,
                using: SymmetricKey(data: key)
            ), let purpose = Purpose(rawValue: bytes[0])
        else { return nil }
        func number(at start: Int) -> Int64 { bytes[start..<(start + 8)].reduce(0) { $0 << 8 | Int64($1) } }
        let lines = String(decoding: bytes[Self.headLength...], as: UTF8.self).split(separator: "\n")
        self.purpose = purpose
        tokenID = number(at: 1) == 0 ? nil : number(at: 1)
        expiresAt = Timestamp(milliseconds: number(at: 9))
        grants = lines.compactMap { Grant(String($0)) }
    }

    /// Whether a text has the form of one.
    static func isOne(_ text: String) -> Bool { text.hasPrefix(prefix) }
}
