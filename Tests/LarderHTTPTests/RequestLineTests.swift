import LarderHTTP
import LarderTestSupport
import Testing

/// Targets are taken apart once, and what no client has reason to send is refused.
@Suite struct RequestLineTests {
    private static func segments(_ target: String) -> [String]? {
        RequestLine(method: .get, target: target)?.segments.map { String($0) }
    }

    @Test(arguments: [
        (target: "/", segments: [""]),
        (target: "/a", segments: ["a"]),
        (target: "/a/", segments: ["a", ""]),
        (target: "/a/b", segments: ["a", "b"]),
        (target: "/cas/0123/", segments: ["cas", "0123", ""]),
        (target: "/a/b/c/d/e/f/g/h/i/j", segments: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]),
        (target: "/a.b/..c/d..", segments: ["a.b", "..c", "d.."]),
        (target: "/...", segments: ["..."]),
        (target: "/a:b@c!$&'()*+,;=~_-", segments: ["a:b@c!$&'()*+,;=~_-"]),
        (target: "/a%20b", segments: ["a b"]),
        (target: "/%61%62/%7e", segments: ["ab", "~"]),
        (target: "/%3F%23%25", segments: ["?#%"]),
        (target: "/a%2eb", segments: ["a.b"]),
        (target: "/%c3%a9/%E6%97%A5", segments: ["é", "日"]),
        (target: "/é", segments: ["é"]),
        (target: "/%2525", segments: ["%25"]),
        (target: "/%252F", segments: ["%2F"]),
        (target: "/api/v1/a%2fb/c%2F", segments: ["api", "v1", "a/b", "c/"]),
        // What combines with a slash is still behind it.
        (target: "/a/%CC%81b", segments: ["a", "\u{301}b"]),
        (target: "/\u{301}a", segments: ["\u{301}a"]),
        (target: "/a/\u{301}b", segments: ["a", "\u{301}b"]),
    ])
    func pathIsSplitAndDecoded(target: String, segments: [String]) {
        #expect(Self.segments(target) == segments)
        #expect(Self.segments("\(target)?q=1") == segments)
    }

    @Test(arguments: [
        "", "a", "a/b", "*", "?", "?/a", "http://host/a", "host:443", " /a",
        // Empty segments.
        "//", "//a", "/a//b", "/a//", "///", "//?q",
        // Segments that climb, plain and encoded.
        "/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/./b", "/a/../b", "/a/../", "/%2e", "/%2e%2e", "/%2E%2E/a",
        "/.%2e/a", "/a/%2e%2e/b", "/a/..?q", "/../../etc/passwd",
        // Encoded slashes.
        "/a%2fb", "/a%2Fb", "/v2/api/a%2Fb", "/API/a%2Fb", "/api%2Fv1", "/%2f", "/a%5cb", "/a%5Cb", "/..%2f..%2fetc",
        // Broken escapes.
        "/%", "/%4", "/a%", "/a%4", "/%zz", "/%4g", "/%g4", "/%%41", "/% 41", "/a%/b", "/a%4/1", "/%+1", "/%é",
        // Invalid UTF-8: stray, cut off, overlong, a surrogate, past the last.
        "/%80", "/%ff", "/%c3", "/%c3/%a9", "/%c0%ae", "/%c0%af", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80",
        // Spaces and control characters.
        "/a b", "/ ", "/a ", "/a\tb", "/a\nb", "/a\r\nb", "/a\u{0}", "/a\u{1f}", "/a\u{7f}", "/%00", "/%0a", "/%0D",
        "/%1f", "/%7f", "/%7F",
    ])
    func targetsThatNoClientSendsAreRefused(target: String) {
        #expect(Self.segments(target) == nil)
    }

    @Test(arguments: 0...255)
    func escapesOfASCIICharactersStandForThem(byte: Int) {
        let digits = Array("0123456789ABCDEF")
        let target = "/x%\(digits[byte / 16])\(digits[byte % 16])y"
        let isRefused = byte < 0x20 || byte == 0x2f || byte == 0x5c || byte >= 0x7f
        let decoded = isRefused ? nil : ["x\(Unicode.Scalar(UInt8(byte)))y"]
        #expect(Self.segments(target) == decoded)
        #expect(Self.segments(target.lowercased()) == decoded)
    }

    @Test(arguments: [
        (target: "/a", query: String?.none),
        (target: "/a?", query: ""),
        (target: "/?", query: ""),
        (target: "/a?b=c", query: "b=c"),
        (target: "/?b", query: "b"),
        (target: "/a?b?c", query: "b?c"),
        (target: "/a?b/../c//d", query: "b/../c//d"),
        (target: "/a?%2f%zz", query: "%2f%zz"),
        (target: "/a%3Fb", query: nil),
        (target: "/a?\u{301}b", query: "\u{301}b"),
    ])
    func queryIsKeptAsItIs(target: String, query: String?) throws {
        let line = try #require(RequestLine(method: .get, target: target))
        #expect(line.query.map { String($0) } == query)
    }

    @Test(arguments: [
        (target: "/", isFolder: true),
        (target: "/a/", isFolder: true),
        (target: "/a/?q", isFolder: true),
        (target: "/a", isFolder: false),
        (target: "/a?q/", isFolder: false),
    ])
    func pathThatEndsInASlashIsAFolder(target: String, isFolder: Bool) throws {
        #expect(try #require(RequestLine(method: .get, target: target)).isFolder == isFolder)
    }

    @Test(arguments: [4095, 4096, 4097, 5000, 100_000])
    func targetsHaveAtMost4096Bytes(length: Int) {
        let isValid = length <= 4096
        #expect((Self.segments("/" + String(repeating: "a", count: length - 1)) != nil) == isValid)
        #expect((Self.segments("/?" + String(repeating: "a", count: length - 2)) != nil) == isValid)
        let folders = String(repeating: "a/", count: length / 2).prefix(length - 2)
        #expect((Self.segments("/\(folders)a") != nil) == isValid)
    }

    @Test func lengthIsCountedInBytes() {
        #expect(Self.segments("/" + String(repeating: "é", count: 2047)) != nil)
        #expect(Self.segments("/" + String(repeating: "é", count: 2048)) == nil)
    }

    /// Whatever bytes come: a segment holds no slash, no control character, does not climb, and only the last is empty.
    @Test func noTargetYieldsADangerousSegment() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "/", "/", "/", ".", "..", "%2e", "%2F", "%5c", "%", "%00", "%c3", "%a9", "a", "b", "?", "\\", "\u{301}",
            "\u{200d}", "\u{600}", "é", "\r\n", " ", "%20", "🙂",
        ]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...8, using: &generator)
            let target = "/" + (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            guard let segments = RequestLine(method: .get, target: target)?.segments else { continue }
            let isSafe = segments.allSatisfy { segment in
                segment != "." && segment != ".."
                    && segment.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }
            }
            #expect(isSafe, "\(target.debugDescription), LARDER_TEST_SEED=\(seed)")
            #expect(
                !segments.isEmpty && segments.dropLast().allSatisfy { !$0.isEmpty },
                "\(target.debugDescription), LARDER_TEST_SEED=\(seed)"
            )
        }
    }

    @Test(arguments: [
        (name: "GET", method: RequestMethod.get, isRead: true),
        (name: "HEAD", method: .head, isRead: true),
        (name: "PUT", method: .put, isRead: false),
        (name: "POST", method: .post, isRead: false),
        (name: "DELETE", method: .delete, isRead: false),
        (name: "OPTIONS", method: .options, isRead: false),
        (name: "PATCH", method: .patch, isRead: false),
        (name: "PROPFIND", method: .propfind, isRead: false),
        (name: "MKCOL", method: .mkcol, isRead: false),
        (name: "TRACE", method: .other, isRead: false),
        // Methods are case-sensitive (RFC 9110, section 9.1).
        (name: "get", method: .other, isRead: false),
        (name: "", method: .other, isRead: false),
        (name: "-", method: .other, isRead: false),
    ])
    func methodsAreToldApart(name: String, method: RequestMethod, isRead: Bool) {
        #expect(RequestMethod(name: name) == method)
        #expect(RequestMethod(name: name).isRead == isRead)
        #expect(RequestLine(method: method, target: "/a")?.method == method)
    }
}
