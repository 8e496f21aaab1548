import LarderTestSupport
import NIOCore
import NIOHTTP1
import Testing

@testable import LarderHTTP

private func plain(_ text: String) -> PlainRequest? {
    PlainRequest(ByteBuffer(string: text))
}

/// Only what is certainly plain goes past the codec.
@Suite
struct PlainRequestTests {
    @Test
    func aPlainGetIsRead() throws {
        let text =
            "GET /cas/ab?x=1 HTTP/1.1\r\nHost: 127.0.0.1:7878\r\nUser-Agent: bazel/4\r\nAccept-Encoding: gzip\r\n\r\n"
        let request = try #require(plain(text))
        #expect(request.method == .get)
        #expect(request.target == "/cas/ab?x=1")
        #expect(request.host == "127.0.0.1:7878")
        #expect(request.contentLength == nil)
        #expect(request.headLength == text.utf8.count)
    }

    @Test
    func aPlainPutIsReadWithItsBody() throws {
        let request = try #require(plain("PUT /cas/ab HTTP/1.1\r\ncontent-LENGTH:\t5 \r\nHOST:a \r\n\r\nhello"))
        #expect(request.method == .put)
        #expect(request.host == "a")
        #expect(request.contentLength == 5)
        #expect(plain("PUT /cas/ab HTTP/1.1\r\nContent-Length: 0\r\n\r\n")?.contentLength == 0)
    }

    @Test
    func aConnectionThatIsKeptIsPlain() {
        #expect(plain("HEAD /a HTTP/1.1\r\nConnection: Keep-Alive\r\n\r\n")?.method == .head)
    }

    @Test(arguments: [
        "",
        "GET /a HTTP/1.1\r\n",
        "GET /a HTTP/1.1\r\n\r",
        "GET /a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/2.0\r\n\r\n",
        "GET  /a HTTP/1.1\r\n\r\n",
        "GET /a  HTTP/1.1\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\n\r\n",
        "GET /a\u{7f} HTTP/1.1\r\n\r\n",
        "get /a HTTP/1.1\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "DELETE /a HTTP/1.1\r\n\r\n",
        "\r\nGET /a HTTP/1.1\r\n\r\n",
        // Two requests, a body that is not whole, one that is too long.
        "GET /a HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n",
        "PUT /a HTTP/1.1\r\nContent-Length: 6\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\n\r\nhello",
        // Lengths that are none.
        "PUT /a HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\nContent-Length: 5 5\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\nContent-Length:\r\n\r\n",
        "PUT /a HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "PUT /a HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
        // Broken lines.
        "GET /a HTTP/1.1\r\nHost: a\nb: c\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /a HTTP/1.1\r\n: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost\r\n\r\n",
        "GET /a HTTP/1.1\r\nHo(st: a\r\n\r\n",
        "GET /a HTTP/1.1\r\nX: a\u{0}b\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ])
    func whatIsBrokenOrDoubtfulIsForTheCodec(text: String) {
        #expect(plain(text) == nil)
    }

    @Test(arguments: [
        "Range: bytes=0-1", "Expect: 100-continue", "Origin: null", "Upgrade: h2c", "If-Match: *", "If-None-Match: *",
        "If-Modified-Since: x", "If-Unmodified-Since: x", "If-Range: x", "Transfer-Encoding: chunked",
        "Connection: close", "Connection: keep-alive, upgrade", "rANGE: bytes=0-1",
    ])
    func headersThatChangeTheMeaningAreForTheCodec(field: String) {
        #expect(plain("GET /a HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n") == nil)
    }

    @Test
    func longHeadsAreForTheCodec() {
        #expect(plain("GET /\(String(repeating: "a", count: 4095)) HTTP/1.1\r\n\r\n") != nil)
        #expect(plain("GET /\(String(repeating: "a", count: 4096)) HTTP/1.1\r\n\r\n") == nil)
        let many = (0..<50).map { "X-\($0): 1\r\n" }.joined()
        #expect(plain("GET /a HTTP/1.1\r\n\(many)\r\n") != nil)
        #expect(plain("GET /a HTTP/1.1\r\n\(many)Y: 1\r\n\r\n") == nil)
        #expect(plain("GET /a HTTP/1.1\r\nX: \(String(repeating: "a", count: 8192))\r\n\r\n") == nil)
    }

    /// A header that the express lane acts on but that is neither read nor called unusual would be overlooked.
    @Test
    func everyHeaderThatCountsMakesTheSameFacts() throws {
        let fields = [
            ("host", "h"), ("range", "bytes=0-1"), ("expect", "100-continue"), ("origin", "o"), ("if-match", "m"),
            ("if-range", "r"), ("if-none-match", "n"), ("if-modified-since", "s"), ("if-unmodified-since", "u"),
            ("content-length", "0"), ("transfer-encoding", "chunked"), ("authorization", "Basic eDp5"), ("accept", "a"),
            ("x-other", "b"),
        ]
        for (name, value) in fields {
            guard let request = plain("PUT /a HTTP/1.1\r\n\(name): \(value)\r\n\r\n") else { continue }
            let head = HTTPRequestHead(version: .http1_1, method: .PUT, uri: "/a", headers: [name: value])
            let facts = RequestFacts(head)
            let own = RequestFacts(
                contentLength: request.contentLength.map { Int64($0) },
                authorization: request.authorization
            )
            #expect(facts.authorization == own.authorization, "\(name)")
            #expect(facts.host.map { String($0) } == request.host, "\(name)")
            #expect(facts.contentLength == own.contentLength, "\(name)")
            #expect(facts.range == own.range, "\(name)")
            #expect(facts.conditions == own.conditions, "\(name)")
            #expect(facts.isChunked == own.isChunked, "\(name)")
            #expect(facts.hasOrigin == own.hasOrigin, "\(name)")
            #expect(facts.expectsContinue == own.expectsContinue, "\(name)")
            #expect(facts.hasUnknownExpectation == own.hasUnknownExpectation, "\(name)")
        }
    }

    /// Random damage to a plain request never makes one that reads beyond its bytes or that has another length.
    @Test
    func damagedRequestsAreReadWhollyOrNotAtAll() {
        var generator = SeededGenerator(seed: testSeed())
        let original = Array(
            "PUT /cas/abc HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-Y: z\r\n\r\nhello, world".utf8
        )
        for _ in 0..<20_000 {
            var bytes = original
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: position)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &generator)], at: position)
                }
            }
            guard let request = PlainRequest(ByteBuffer(bytes: bytes)) else { continue }
            #expect(request.headLength + (request.contentLength ?? 0) == bytes.count)
            #expect(Array(bytes[..<request.headLength].suffix(4)) == Array("\r\n\r\n".utf8))
        }
    }
}
