import Foundation
import LarderHTTP
import LarderTestSupport
import Testing

/// The part of WebDAV that sccache speaks (build-cache reference, section 9.1); one wrong property, and it only reads.
@Suite(.serialized)
struct WebDAVTests {
    /// As sccache 0.16.0 sends it.
    private static let question = Array(
        #"<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>"#.utf8
    )

    @Test
    func theStartOfSccacheSucceedsOnAnEmptyStore() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let base = "/sccache/main/prefix"
            #expect(try await connection.exchange("GET", "\(base)/.sccache_check").status == 404)
            #expect(try await Self.find(connection, "\(base)/").status == 207)
            let greeting = Array("Hello, World!".utf8)
            #expect(try await connection.exchange("PUT", "\(base)/.sccache_check", body: greeting).status == 200)
            #expect(try await connection.exchange("GET", "\(base)/.sccache_check").body == greeting)
        }
    }

    @Test(arguments: ["/sccache/main", "/sccache/main/", "/sccache/main/a/", "/sccache/never-written/a/b/c/"])
    func everyFolderIsThere(path: String) async throws {
        try await withLiveServer { server in
            let reply = try await Self.find(WireConnection(port: server.port), path)
            #expect(reply.status == 207)
            #expect(reply.headers["content-type"] == "application/xml; charset=utf-8")
            #expect(
                reply.text == """
                    <?xml version="1.0" encoding="utf-8"?>
                    <D:multistatus xmlns:D="DAV:"><D:response><D:href>\(path)</D:href><D:propstat><D:prop>\
                    <D:getlastmodified>Thu, 01 Jan 1970 00:00:00 GMT</D:getlastmodified>\
                    <D:resourcetype><D:collection/></D:resourcetype></D:prop>\
                    <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>

                    """
            )
        }
    }

    @Test(arguments: [5, 100_000])
    func aFileIsThereWhenItWasPut(size: Int) async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let path = "/sccache/main/4/3/d/43d8"
            #expect(try await Self.find(connection, path).status == 404)
            let body = [UInt8](repeating: 0x61, count: size)
            #expect(try await connection.exchange("PUT", path, body: body).status == 200)

            let reply = try await Self.find(connection, path)
            #expect(reply.status == 207)
            let modified = try #require(try await connection.exchange("HEAD", path).headers["last-modified"])
            for part in [
                "<D:href>\(path)</D:href>", "<D:getlastmodified>\(modified)</D:getlastmodified>", "<D:resourcetype/>",
                "<D:getcontentlength>\(size)</D:getcontentlength>",
                "<D:getetag>&quot;\(sha256Hex(body))&quot;</D:getetag>", "<D:status>HTTP/1.1 200 OK</D:status>",
            ] {
                #expect(reply.text.contains(part), "\(part)")
            }

            #expect(try await connection.exchange("DELETE", path).status == 204)
            #expect(try await Self.find(connection, path).status == 404)
            #expect(try await connection.exchange("DELETE", path).status == 404)
        }
    }

    /// sccache refuses to write when the weekday does not belong to the date.
    @Test
    func theWeekdayOfAFileIsRight() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let before = Date()
            _ = try await connection.exchange("PUT", "/sccache/main/a", body: [1])
            let text = try await Self.find(connection, "/sccache/main/a").text
            let match = try #require(text.firstMatch(of: #/<D:getlastmodified>([^<]*)</D:getlastmodified>/#))
            let formatter = DateFormatter()
            formatter.locale = Locale(identifier: "en_US_POSIX")
            formatter.timeZone = TimeZone(identifier: "GMT")
            formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
            let date = try #require(formatter.date(from: String(match.1)))
            #expect(formatter.string(from: date) == String(match.1))
            #expect(abs(date.timeIntervalSince(before)) < 60)
        }
    }

    @Test(arguments: [
        (seconds: 0, text: "Thu, 01 Jan 1970 00:00:00 GMT"),
        (seconds: 86_399, text: "Thu, 01 Jan 1970 23:59:59 GMT"),
        (seconds: 784_111_777, text: "Sun, 06 Nov 1994 08:49:37 GMT"),
        (seconds: 951_782_400, text: "Tue, 29 Feb 2000 00:00:00 GMT"),
        (seconds: 1_709_164_800, text: "Thu, 29 Feb 2024 00:00:00 GMT"),
        (seconds: 1_735_689_599, text: "Tue, 31 Dec 2024 23:59:59 GMT"),
        (seconds: 1_780_000_000, text: "Thu, 28 May 2026 20:26:40 GMT"),
        (seconds: 4_102_444_800, text: "Fri, 01 Jan 2100 00:00:00 GMT"),
    ])
    func datesHaveTheirWeekday(seconds: Int64, text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text) == seconds)
    }

    @Test
    func namesAreEscapedTwiceForXMLAndForURLs() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            // RFC 4918, section 8.3: a href is a URL, so what was escaped in the request is escaped in the answer.
            let reply = try await Self.find(connection, "/sccache/main/a%20%3Cb%3E&c/")
            #expect(reply.status == 207)
            #expect(reply.text.contains("<D:href>/sccache/main/a%20%3Cb%3E&amp;c/</D:href>"), "\(reply.text)")
        }
    }

    @Test
    func foldersAreMadeWithoutAWord() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            for path in ["/sccache/main/a/", "/sccache/main/a/", "/sccache/main/a/b/"] {
                let reply = try await connection.exchange("MKCOL", path)
                #expect(reply.status == 201)
                #expect(reply.headers["content-length"] == "0")
            }
            let options = try await connection.exchange("OPTIONS", "/sccache/main/a")
            #expect(options.status == 200)
            #expect(options.headers["dav"] == "1")
        }
    }

    @Test
    func aQuestionOfAnyLengthIsBounded() async throws {
        try await withLiveServer { server in
            let connection = try WireConnection(port: server.port)
            let long = [UInt8](repeating: 0x20, count: 70_000)
            #expect(try await Self.find(connection, "/sccache/main/", long).status == 413)
            // Short enough to be read for nothing: the connection goes on.
            #expect(try await Self.find(connection, "/sccache/main/", []).status == 207)
        }
    }

    private static func find(
        _ connection: WireConnection,
        _ path: String,
        _ body: [UInt8] = question
    ) async throws -> WireReply {
        try await connection.exchange(
            "PROPFIND",
            path,
            headers: ["Depth: 0", "Content-Type: application/xml"],
            body: body
        )
    }
}
