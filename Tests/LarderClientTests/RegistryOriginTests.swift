import LarderCore
import Testing

@testable import LarderClient

private let links: [(header: String, target: String?)] = [
    (header: "</v2/_catalog?n=1&last=a>; rel=\"next\"", target: "/v2/_catalog?n=1&last=a"),
    (header: "<https://x/y>; title=z; rel=next", target: "https://x/y"),
    (header: "</a>; rel=\"prev\", </b>; rel=\"next\"", target: "/b"),
    (header: "</a>; rel=\"prev\"", target: nil), (header: "", target: nil), (header: "<", target: nil),
]

/// What registries name is resolved so that credentials stay where they belong.
@Suite struct RegistryOriginTests {
    private let origin = RegistryOrigin(base: "https://registry.example:5000", label: "registry.example:5000")
    private let socket = RegistryOrigin(base: "http+unix://%2Ftmp%2Flarder.sock", label: "the server")

    @Test(arguments: [
        (location: "/v2/a/blobs/uploads/1?s=2", url: "https://registry.example:5000/v2/a/blobs/uploads/1?s=2"),
        (location: "?n=1&last=x", url: "https://registry.example:5000/v2/a/tags/list?n=1&last=x"),
        (location: "more", url: "https://registry.example:5000/v2/a/tags/more"),
        (location: "https://registry.example:5000/v2/x", url: "https://registry.example:5000/v2/x"),
        (location: "http://registry.example:5000/v2/x", url: "https://registry.example:5000/v2/x"),
        (location: "//cdn.example/x", url: "https://cdn.example/x"),
        (location: "https://cdn.example/x?y=http://z", url: "https://cdn.example/x?y=http://z"),
    ])
    func locationsAreMadeAbsolute(location: String, url: String) {
        #expect(origin.url(of: location, from: "https://registry.example:5000/v2/a/tags/list?n=1") == url)
    }

    @Test func aLocationIsRelativeToWhereItCameFrom() {
        #expect(origin.url(of: "/x", from: "https://cdn.example/y/z") == "https://cdn.example/x")
    }

    @Test func aServerBehindItsSocketIsAlwaysMeantItself() {
        let url = socket.url(of: "http://localhost/v2/a/blobs/uploads/1", from: "\(socket.base)/v2/a/blobs/uploads/")
        #expect(url == "http+unix://%2Ftmp%2Flarder.sock/v2/a/blobs/uploads/1")
    }

    @Test(arguments: [
        (url: "https://registry.example:5000/v2/", isOwn: true),
        (url: "http://registry.example:5000/v2/", isOwn: false),
        (url: "https://registry.example/v2/", isOwn: false),
        (url: "https://registry.example:5000.evil.example/v2/", isOwn: false),
        (url: "https://cdn.example/v2/", isOwn: false),
    ])
    func credentialsGoToTheRegistryOnly(url: String, isOwn: Bool) {
        #expect(origin.owns(url) == isOwn)
    }

    @Test func valuesAreEncodedForQueries() {
        #expect(percentEncoded("sha256:a/b c+é~") == "sha256%3Aa%2Fb%20c%2B%C3%A9~")
    }

    @Test(arguments: links)
    func theNextPageIsFound(header: String, target: String?) {
        #expect(nextLink(in: header) == target)
    }
}
