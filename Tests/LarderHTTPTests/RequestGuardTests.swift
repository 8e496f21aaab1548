import LarderHTTP
import Testing

/// A server that is open on loopback answers only to its own names, and never to web pages.
@Suite struct RequestGuardTests {
    private static func status(
        _ host: String?,
        hasOrigin: Bool = false,
        hosts: [String] = [],
        isEnforced: Bool = true
    ) -> Int? {
        RequestGuard(isEnforced: isEnforced, hosts: hosts)
            .refusal(host: host.map { $0[...] }, hasOrigin: hasOrigin)?.status
    }

    @Test(arguments: [
        "localhost", "localhost:7878", "LocalHost", "LOCALHOST:7878", "127.0.0.1", "127.0.0.1:7878",
        "127.0.0.2", "127.1.2.3:80", "127.255.255.255", "[::1]", "[::1]:7878", "::1",
    ])
    func loopbackNamesAreAccepted(host: String) {
        #expect(Self.status(host) == nil)
    }

    @Test(arguments: [
        "", ":", ":7878", "example.com", "example.com:7878", "localhost.example.com", "localhost.example.com:7878",
        "127.0.0.1.example.com", "127.0.0.1.nip.io:7878", "127.example.com", "127.a.b.c", "127.0.0", "127.1",
        "127.0.0.256", "127.0.0.1.", "127.0.0.", "0.0.0.0", "10.0.0.1:7878", "128.0.0.1", "1127.0.0.1", "2130706433",
        "0x7f000001", "[::2]", "[::1", "::2", "[::ffff:127.0.0.1]", "xlocalhost", "local host", "user@localhost",
        "localhost/",
    ])
    func otherNamesAreMisdirected(host: String) {
        #expect(Self.status(host) == 421)
    }

    @Test(arguments: [
        "localhost:x", "localhost:7878x", "localhost:evil.example", "127.0.0.1:evil.example", "[::1]:x", "localhost:７８",
    ])
    func onlyAPortFollowsTheColon(host: String) {
        #expect(Self.status(host) == 421)
    }

    @Test(arguments: ["cache.lan", "cache.lan:7878", "CACHE.LAN", "Cache.Lan:80", "10.0.0.7", "10.0.0.7:7878"])
    func furtherNamesAreAccepted(host: String) {
        #expect(Self.status(host, hosts: ["Cache.LAN", "10.0.0.7"]) == nil)
        #expect(Self.status(host) == 421)
    }

    @Test func furtherNamesAreNoPatterns() {
        #expect(Self.status("x.cache.lan", hosts: ["cache.lan"]) == 421)
        #expect(Self.status("cache.lan.example.com", hosts: ["cache.lan"]) == 421)
        #expect(Self.status("*", hosts: ["cache.lan"]) == 421)
    }

    @Test func webPagesAreRefusedUnderEveryName() {
        #expect(Self.status("localhost", hasOrigin: true) == 403)
        #expect(Self.status("example.com", hasOrigin: true) == 403)
        #expect(Self.status(nil, hasOrigin: true) == 403)
        #expect(Self.status("cache.lan", hasOrigin: true, hosts: ["cache.lan"]) == 403)
    }

    @Test func hostIsRequired() {
        #expect(Self.status(nil) == 400)
    }

    @Test func serverThatIsMeantForOthersRefusesNobody() {
        #expect(Self.status("example.com", isEnforced: false) == nil)
        #expect(Self.status(nil, isEnforced: false) == nil)
        #expect(Self.status("example.com", hasOrigin: true, isEnforced: false) == nil)
    }

    @Test func refusalsSayWhy() {
        let guardian = RequestGuard(isEnforced: true)
        #expect(
            guardian.refusal(host: "localhost", hasOrigin: true)?.text
                == "requests of web pages are refused (Origin header)\n"
        )
        #expect(guardian.refusal(host: nil, hasOrigin: false)?.text == "a Host header is required\n")
        #expect(
            guardian.refusal(host: "example.com", hasOrigin: false)?.text
                == "this server does not answer to the host name of this request\n"
        )
    }
}
