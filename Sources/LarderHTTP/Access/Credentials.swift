import Foundation

/// What an `Authorization` header shows (RFC 9110, section 11.6.2).
enum Credentials: Equatable {
    /// Nothing: an empty user name and password, which some clients send for "I have none".
    case none
    /// A secret, from whichever form; user names mean nothing beside one.
    case secret(String)
    /// A form that is not understood.
    case unknown

    /// Reads Bearer (RFC 6750) and Basic (RFC 7617) in either alphabet of base64, padded or not.
    init(_ header: String) {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else {
            self = .unknown
            return
        }
        let value = parts[1].trimmingCharacters(in: .whitespaces)
        switch parts[0].lowercased() {
        case "bearer": self = value.isEmpty ? .none : .secret(value)
        case "basic": self = Self.basic(value)
        default: self = .unknown
        }
    }

    private static func basic(_ value: String) -> Credentials {
        guard let bytes = base64Decoded(value), let text = String(validating: bytes, as: UTF8.self) else {
            return .unknown
        }
        let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        let (user, password) = (text[..<(colon ?? text.endIndex)], colon.map { text[text.index(after: $0)...] } ?? "")
        if !password.isEmpty { return .secret(String(password)) }
        // Some tools only know addresses such as https://TOKEN@host.
        return user.isEmpty ? .none : .secret(String(user))
    }
}

/// The bytes of a text in base64, of either alphabet, padded or not (RFC 4648, sections 4 and 5); nil when it is none.
func base64Decoded(_ text: String) -> [UInt8]? {
    var text = text.replacing("-", with: "+").replacing("_", with: "/")
    while text.utf8.last == UInt8(ascii: "=") { text.removeLast() }
    text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    return Data(base64Encoded: text).map { [UInt8]($0) }
}

/// Bytes in the alphabet of base64 that is safe in URLs, without padding.
func base64URLEncoded(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}
