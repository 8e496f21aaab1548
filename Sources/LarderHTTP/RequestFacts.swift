import NIOHTTP1

/// The headers that the express lane acts on, read in one pass.
struct RequestFacts {
    var host: Substring?
    /// More than one `Host`, which no two parties need read alike.
    var hasSeveralHosts = false
    var hasOrigin = false
    var authorization: String?
    /// More than one `Authorization`.
    var hasSeveralAuthorizations = false
    /// The codec stops after such a request.
    var wantsUpgrade = false
    var expectsContinue = false
    var hasUnknownExpectation = false
    var contentLength: Int64?
    var hasInvalidLength = false
    var isChunked = false
    var range: String?
    var conditions = Conditions()

    /// Conditional headers (RFC 9110, section 13).
    struct Conditions: Equatable {
        var ifMatch: String?
        var ifNoneMatch: String?
        var ifModifiedSince: String?
        var ifUnmodifiedSince: String?
        var ifRange: String?

        var areAbsent: Bool { self == Conditions() }
    }

    /// The facts of a plain request, whose host was checked.
    init(contentLength: Int64?, authorization: String?) {
        self.contentLength = contentLength
        self.authorization = authorization
    }

    init(_ head: HTTPRequestHead) {
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where name.isSame("host"):
                hasSeveralHosts = hasSeveralHosts || host != nil
                host = value[...]
            case 5 where name.isSame("range"): range = value
            case 6 where name.isSame("expect"):
                if value.isSame("100-continue") { expectsContinue = true } else { hasUnknownExpectation = true }
            case 6 where name.isSame("origin"): hasOrigin = true
            case 7 where name.isSame("upgrade"): wantsUpgrade = true
            case 8 where name.isSame("if-match"): conditions.ifMatch = Self.joined(conditions.ifMatch, value)
            case 8 where name.isSame("if-range"): conditions.ifRange = value
            case 13 where name.isSame("authorization"):
                hasSeveralAuthorizations = hasSeveralAuthorizations || authorization != nil
                authorization = value
            case 13 where name.isSame("if-none-match"):
                conditions.ifNoneMatch = Self.joined(conditions.ifNoneMatch, value)
            case 17 where name.isSame("if-modified-since"): conditions.ifModifiedSince = value
            case 19 where name.isSame("if-unmodified-since"): conditions.ifUnmodifiedSince = value
            case 14 where name.isSame("content-length"):
                // Digits only (RFC 9110, section 8.6): Int64 would take a sign.
                contentLength = value.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(value) : nil
                hasInvalidLength = contentLength == nil
            case 17 where name.isSame("transfer-encoding"): isChunked = true
            default: break
            }
        }
    }
}

extension RequestFacts {
    /// A list that came in several lines (RFC 9110, section 5.3).
    private static func joined(_ earlier: String?, _ value: String) -> String {
        earlier.map { "\($0), \(value)" } ?? value
    }
}

extension String {
    /// Whether two ASCII texts are the same but for case.
    func isSame(_ lowercased: StaticString) -> Bool { utf8.isSame(lowercased) }
}

extension Collection<UInt8> {
    /// Whether ASCII bytes are a lowercase text but for case.
    func isSame(_ lowercased: StaticString) -> Bool {
        guard count == lowercased.utf8CodeUnitCount else { return false }
        var position = 0
        for character in self {
            let lower = character >= 0x41 && character <= 0x5a ? character | 0x20 : character
            if lower != lowercased.utf8Start[position] { return false }
            position += 1
        }
        return true
    }
}
