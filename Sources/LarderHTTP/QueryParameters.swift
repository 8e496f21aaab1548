/// The parameters of a request's query, percent-decoded.
package struct QueryParameters: Sendable {
    private let items: [(name: String, value: String)]

    /// - Parameter query: What follows `?`, not decoded; a `+` stands for itself.
    package init(_ query: Substring?) {
        items = (query ?? "").split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decode(parts[0]), parts.count > 1 ? Self.decode(parts[1]) : "")
        }
    }

    /// The first value of a name; nil when it is not there.
    package subscript(name: String) -> String? {
        items.first { $0.name == name }?.value
    }

    /// All values of a name, in order.
    package func all(_ name: String) -> [String] {
        items.filter { $0.name == name }.map(\.value)
    }

    /// Decodes escapes; one that is broken stands for itself.
    private static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let character = rest.popFirst() {
            guard character == UInt8(ascii: "%"), rest.prefix(2).count == 2,
                rest.prefix(2).allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16)
            else {
                bytes.append(character)
                continue
            }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
