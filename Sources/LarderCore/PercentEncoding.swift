/// Encodes a value for the query of an address: everything but letters, digits, `-`, `.`, `_` and `~` (RFC 3986,
/// section 2.3).
package func percentEncoded(_ text: String) -> String {
    let hex = Array("0123456789ABCDEF")
    var result = ""
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            result.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            result += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 0xf)])"
        }
    }
    return result
}
