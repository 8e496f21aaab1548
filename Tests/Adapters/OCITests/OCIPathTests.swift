import LarderCore
import LarderHTTP
import Testing

@testable import OCIAdapter

private let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/// A path in words, for tables.
private func described(_ path: OCIPath) -> String {
    switch path {
    case .base: "base"
    case .catalog: "catalog"
    case .token: "token"
    case .extensions: "extensions"
    case .manifest(let name, let reference): "manifest \(reference) of \(name)"
    case .blob(let name, let digest): "blob \(digest) of \(name)"
    case .uploads(let name): "uploads of \(name)"
    case .upload(let name, let id): "upload \(id) of \(name)"
    case .tags(let name): "tags of \(name)"
    case .referrers(let name, let digest): "referrers \(digest) of \(name)"
    case .invalidName(let name): "no name: \(name)"
    case .unknown: "unknown"
    }
}

private func path(_ target: String) throws -> OCIPath {
    let line = try #require(RequestLine(method: .get, target: target))
    return OCIPath(line.segments.dropFirst())
}

private let repositories: [(target: String, name: String?)] = [
    (target: "/v2/a/b/manifests/latest", name: "a/b"), (target: "/v2/a/b/blobs/x", name: "a/b"),
    (target: "/v2/a/b/blobs/uploads/", name: "a/b"), (target: "/v2/a/b/blobs/uploads/1", name: "a/b"),
    (target: "/v2/a/b/tags/list", name: "a/b"), (target: "/v2/a/b/referrers/x", name: "a/b"),
    (target: "/v2/", name: nil), (target: "/v2/_catalog", name: nil), (target: "/v2/A/tags/list", name: nil),
    (target: "/v2/a", name: nil),
]

/// Paths are read from their end, since names may have slashes and the words of the endpoints in them.
@Suite struct OCIPathTests {
    @Test(arguments: [
        (target: "/v2", text: "base"),
        (target: "/v2/", text: "base"),
        (target: "/v2/_catalog", text: "catalog"),
        (target: "/v2/_catalog?n=5&last=x", text: "catalog"),
        (target: "/v2/_oci/ext/discover", text: "extensions"),
        (target: "/v2/a/b/_oci/ext/discover", text: "extensions"),
        (target: "/v2/a/manifests/latest", text: "manifest latest of a"),
        (target: "/v2/a/manifests/sha256:\(hash)", text: "manifest sha256:\(hash) of a"),
        (target: "/v2/a/b/c/manifests/v1.0", text: "manifest v1.0 of a/b/c"),
        (target: "/v2/a/blobs/sha256:\(hash)", text: "blob sha256:\(hash) of a"),
        (target: "/v2/a/b/blobs/x", text: "blob x of a/b"),
        (target: "/v2/a/blobs/uploads", text: "uploads of a"),
        (target: "/v2/a/blobs/uploads/", text: "uploads of a"),
        (target: "/v2/a/b/blobs/uploads/?mount=x", text: "uploads of a/b"),
        (target: "/v2/a/blobs/uploads/0c5b-77", text: "upload 0c5b-77 of a"),
        (target: "/v2/a/tags/list", text: "tags of a"),
        (target: "/v2/a/b/tags/list", text: "tags of a/b"),
        (target: "/v2/a/referrers/sha256:\(hash)", text: "referrers sha256:\(hash) of a"),
        // Escapes are gone by now.
        (target: "/v2/a/blobs/sha256%3A\(hash)", text: "blob sha256:\(hash) of a"),
        (target: "/v2/%61/manifests/%6catest", text: "manifest latest of a"),
    ])
    func endpointsAreToldApart(target: String, text: String) throws {
        #expect(try described(path(target)) == text)
    }

    @Test(arguments: [
        // Names that end in a word of an endpoint.
        (target: "/v2/a/tags/manifests/latest", text: "manifest latest of a/tags"),
        (target: "/v2/a/tags/list/manifests/latest", text: "manifest latest of a/tags/list"),
        (target: "/v2/a/tags/tags/list", text: "tags of a/tags"),
        (target: "/v2/a/tags/list/tags/list", text: "tags of a/tags/list"),
        (target: "/v2/a/manifests/manifests/b", text: "manifest b of a/manifests"),
        (target: "/v2/a/manifests/blobs/x", text: "blob x of a/manifests"),
        (target: "/v2/a/blobs/manifests/b", text: "manifest b of a/blobs"),
        (target: "/v2/a/blobs/blobs/x", text: "blob x of a/blobs"),
        (target: "/v2/a/blobs/blobs/uploads/", text: "uploads of a/blobs"),
        (target: "/v2/a/blobs/tags/list", text: "tags of a/blobs"),
        (target: "/v2/a/referrers/referrers/x", text: "referrers x of a/referrers"),
        // Names that are such a word.
        (target: "/v2/manifests/manifests/manifests", text: "manifest manifests of manifests"),
        (target: "/v2/blobs/blobs/blobs", text: "blob blobs of blobs"),
        (target: "/v2/blobs/blobs/uploads/", text: "uploads of blobs"),
        (target: "/v2/blobs/blobs/uploads/uploads", text: "upload uploads of blobs"),
        (target: "/v2/tags/tags/list", text: "tags of tags"),
        (target: "/v2/list/tags/list", text: "tags of list"),
        (target: "/v2/uploads/blobs/uploads", text: "uploads of uploads"),
        (target: "/v2/v2/tags/list", text: "tags of v2"),
        // Names with `blobs/uploads` in them.
        (target: "/v2/blobs/uploads/tags/list", text: "tags of blobs/uploads"),
        (target: "/v2/blobs/uploads/manifests/latest", text: "manifest latest of blobs/uploads"),
        (target: "/v2/blobs/uploads/blobs/sha256:\(hash)", text: "blob sha256:\(hash) of blobs/uploads"),
        (target: "/v2/blobs/uploads/blobs/uploads/", text: "uploads of blobs/uploads"),
        (target: "/v2/blobs/uploads/blobs/uploads/id", text: "upload id of blobs/uploads"),
        (target: "/v2/a/blobs/uploads/referrers/x", text: "referrers x of a/blobs/uploads"),
        (target: "/v2/a/uploads/blobs/uploads", text: "uploads of a/uploads"),
        // References and ids that are such a word.
        (target: "/v2/a/manifests/list", text: "manifest list of a"),
        (target: "/v2/a/manifests/uploads", text: "manifest uploads of a"),
        (target: "/v2/a/blobs/list", text: "blob list of a"),
        (target: "/v2/a/blobs/uploads/list", text: "upload list of a"),
        (target: "/v2/a/blobs/uploads/manifests", text: "upload manifests of a"),
        (target: "/v2/a/tags/manifests/list", text: "manifest list of a/tags"),
    ])
    func namesMayHaveTheWordsOfEndpoints(target: String, text: String) throws {
        #expect(try described(path(target)) == text)
    }

    @Test(arguments: [
        (target: "/v2/A/manifests/latest", text: "no name: A"),
        (target: "/v2/a_/tags/list", text: "no name: a_"),
        (target: "/v2/a/B/blobs/uploads/", text: "no name: a/B"),
        (target: "/v2/a/_b/blobs/uploads/1", text: "no name: a/_b"),
        (target: "/v2/manifests/latest", text: "no name: "),
        (target: "/v2/tags/list", text: "no name: "),
        (target: "/v2/blobs/uploads/", text: "no name: "),
        (target: "/v2/a%20b/manifests/latest", text: "no name: a b"),
    ])
    func namesThatBreakTheGrammarAreSaid(target: String, text: String) throws {
        #expect(try described(path(target)) == text)
    }

    @Test(arguments: [
        "/v2/a", "/v2/a/", "/v2/a/b", "/v2/a/tags", "/v2/a/tags/", "/v2/a/tags/other", "/v2/a/tags/list/",
        "/v2/_catalog/", "/v2/_oci", "/v2/_oci/ext", "/v2/a/uploads/1", "/v2/a/manifest/latest",
        "/v2/a/blobs/uploads/1/2",
    ])
    func otherPathsAreUnknown(target: String) throws {
        #expect(try described(path(target)) == "unknown")
    }

    @Test func aReferenceMayBeEmpty() throws {
        // The route refuses it: it is neither a tag nor a digest.
        #expect(try described(path("/v2/a/manifests/")) == "manifest  of a")
        #expect(try described(path("/v2/a/blobs/")) == "blob  of a")
    }

    @Test(arguments: repositories)
    func pathsKnowTheirRepository(target: String, name: String?) throws {
        #expect(try path(target).repository?.text == name)
    }
}

/// `Content-Range` of uploads: first and last byte, without a unit.
@Suite struct ContentRangeTests {
    @Test(arguments: [
        (text: "0-0", first: Int64(0), count: Int64(1)),
        (text: "0-9", first: 0, count: 10),
        (text: "10-19", first: 10, count: 10),
        (text: "7-7", first: 7, count: 1),
        (text: "007-010", first: 7, count: 4),
        (text: "0-999999999999999999", first: 0, count: 1_000_000_000_000_000_000),
        (text: "999999999999999999-999999999999999999", first: 999_999_999_999_999_999, count: 1),
    ])
    func firstAndLastByteAreRead(text: String, first: Int64, count: Int64) throws {
        let range = try #require(OCIExchange.range(text))
        #expect(range.first == first)
        #expect(range.count == count)
    }

    @Test(arguments: [
        "", "-", "0", "0-", "-0", "-5", "5-4", "0-0-0", "a-b", "0-x", "x-0", " 0-1", "0-1 ", "0 - 1", "+0-1", "0-+1",
        "0--1", "0-1/2", "0-1/*", "bytes 0-1", "bytes=0-1", "0,1", "0–1", "٠-١", "0x0-0x1", "1e0-1e1",
        "0-1000000000000000000", "0-9223372036854775808", "99999999999999999999-99999999999999999999",
    ])
    func anythingElseIsNoRange(text: String) {
        #expect(OCIExchange.range(text) == nil)
    }
}
