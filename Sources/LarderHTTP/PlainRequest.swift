import NIOCore

/// A request that came in one piece and asks for nothing unusual, read straight from its bytes.
///
/// Most requests of a build are so: a GET, HEAD or PUT of HTTP/1.1 with a few headers and a small body or none, and to
/// make the codec's strings of them costs more than to answer them.
///
/// Whatever is not certainly plain is no plain request: the codec takes it, which knows everything else, and what is to be
/// refused. So every header that the express lane acts on (`RequestFacts`) must be read here or be named in `isUnusual`.
struct PlainRequest {
    /// Longer heads, and more headers, are for the codec.
    private static let headLengthMax = 8 << 10
    private static let fieldCountMax = 50

    let method: RequestMethod
    let target: String
    let host: String?
    let authorization: String?
    /// Declared length of the body; nil: no header says any.
    let contentLength: Int?
    /// Length of the head in bytes, with its empty line.
    let headLength: Int

    /// Reads a buffer that holds exactly one plain request; nil for anything else.
    init?(_ buffer: ByteBuffer) {
        guard let request = buffer.withUnsafeReadableBytes({ Self.parse($0) }) else { return nil }
        self = request
    }

    private init(
        method: RequestMethod,
        target: String,
        host: String?,
        authorization: String?,
        contentLength: Int?,
        headLength: Int
    ) {
        self.method = method
        self.target = target
        self.host = host
        self.authorization = authorization
        self.contentLength = contentLength
        self.headLength = headLength
    }

    private static func parse(_ bytes: UnsafeRawBufferPointer) -> PlainRequest? {
        var cursor = Cursor(bytes: bytes)
        let method: RequestMethod
        if cursor.skip("GET ") {
            method = .get
        } else if cursor.skip("PUT ") {
            method = .put
        } else if cursor.skip("HEAD ") {
            method = .head
        } else {
            return nil
        }
        let target = cursor.take { $0 > 0x20 && $0 < 0x7f }
        guard target.count <= RequestLine.targetLengthMax, cursor.skip(" HTTP/1.1\r\n") else { return nil }
        var host: String?
        var authorization: String?
        var contentLength: Int?
        var fieldCount = 0
        while !cursor.skip("\r\n") {
            let name = cursor.take(while: isNameCharacter)
            guard !name.isEmpty, cursor.skip(":") else { return nil }
            _ = cursor.take { $0 == 0x20 || $0 == 0x09 }
            var value = cursor.take { ($0 >= 0x20 && $0 != 0x7f) || $0 == 0x09 }
            guard cursor.skip("\r\n") else { return nil }
            while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
            fieldCount += 1
            guard fieldCount <= fieldCountMax, cursor.position <= headLengthMax else { return nil }
            switch name.count {
            case 4 where name.isSame("host"):
                guard host == nil else { return nil }
                host = String(decoding: value, as: UTF8.self)
            case 13 where name.isSame("authorization"):
                guard authorization == nil else { return nil }
                authorization = String(decoding: value, as: UTF8.self)
            case 14 where name.isSame("content-length"):
                // Digits only (RFC 9110, section 8.6); no small body has more than nine.
                guard contentLength == nil, (1...9).contains(value.count) else { return nil }
                var length = 0
                for digit in value {
                    guard (0x30...0x39).contains(digit) else { return nil }
                    length = length * 10 + Int(digit - 0x30)
                }
                contentLength = length
            case 10 where name.isSame("connection"):
                guard value.isSame("keep-alive") else { return nil }
            default:
                if isUnusual(name) { return nil }
            }
        }
        let headLength = cursor.position
        guard bytes.count == headLength + (contentLength ?? 0) else { return nil }
        return PlainRequest(
            method: method,
            target: String(decoding: target, as: UTF8.self),
            host: host,
            authorization: authorization,
            contentLength: contentLength,
            headLength: headLength
        )
    }

    /// Headers that change what a request means.
    private static func isUnusual(_ name: Slice<UnsafeRawBufferPointer>) -> Bool {
        switch name.count {
        case 5: name.isSame("range")
        case 6: name.isSame("expect") || name.isSame("origin")
        case 7: name.isSame("upgrade")
        case 8: name.isSame("if-match") || name.isSame("if-range")
        case 13: name.isSame("if-none-match")
        case 17: name.isSame("if-modified-since") || name.isSame("transfer-encoding")
        case 19: name.isSame("if-unmodified-since")
        default: false
        }
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7a, 0x41...0x5a, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        private(set) var position = 0

        init(bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        /// Goes past a text if it stands here.
        mutating func skip(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard bytes.count - position >= count else { return false }
            for offset in 0..<count where bytes[position + offset] != text.utf8Start[offset] {
                return false
            }
            position += count
            return true
        }

        /// Goes past the bytes that satisfy a condition, and returns them.
        mutating func take(while isWanted: (UInt8) -> Bool) -> Slice<UnsafeRawBufferPointer> {
            let start = position
            while position < bytes.count, isWanted(bytes[position]) { position += 1 }
            return bytes[start..<position]
        }
    }
}
