import LarderClient
import LarderCore
import LarderTestSupport
import Testing

private let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

private let references: [(text: String, name: String, tag: String?, digest: String?)] = [
    (text: "app", name: "app", tag: nil, digest: nil),
    (text: "team/app:1.4", name: "team/app", tag: "1.4", digest: nil),
    (text: "team/app@sha256:\(hex)", name: "team/app", tag: nil, digest: "sha256:\(hex)"),
    (text: "team/app:v1@sha256:\(hex)", name: "team/app", tag: "v1", digest: "sha256:\(hex)"),
    (text: "registry.example/app:1", name: "registry.example/app", tag: "1", digest: nil),
]

/// Images and places are parsed as people write them, and what is wrong is said in words.
@Suite struct ImageReferenceTests {
    @Test(arguments: references)
    func partsAreTakenApart(text: String, name: String, tag: String?, digest: String?) throws {
        let reference = try ImageReference(text)
        #expect(reference.repository.text == name)
        #expect(reference.tag?.text == tag)
        #expect(reference.digest?.description == digest)
        #expect(reference.description == text)
    }

    @Test func theDigestCountsBeforeTheTagAndLatestComesLast() throws {
        let digest = try #require(Digest("sha256:\(hex)"))
        let (first, last) = (ImageTag("v1"), ImageTag("latest"))
        let (tag, latest) = (try #require(first), try #require(last))
        #expect(try ImageReference("app:v1@sha256:\(hex)").manifest == .digest(digest))
        #expect(try ImageReference("app:v1").manifest == .tag(tag))
        #expect(try ImageReference("app").manifest == .tag(latest))
    }

    @Test(arguments: [
        (text: "", says: "is no name"),
        (text: "App", says: "is no name"),
        (text: "app:", says: "is no tag"),
        (text: "app:-x", says: "is no tag"),
        (text: "app@sha256:abc", says: "is no digest"),
        (text: "localhost:5000/app", says: "docker://localhost:5000/app"),
    ])
    func mistakesAreExplained(text: String, says: String) {
        #expect(throws: ClientError.self) { try ImageReference(text) }
        do {
            _ = try ImageReference(text)
        } catch {
            #expect("\(error)".contains(says))
        }
    }
}

private let folders: [(text: String, folder: String, tag: String?)] = [
    (text: "oci:/tmp/x", folder: "/tmp/x", tag: nil),
    (text: "oci:/tmp/x:1.0", folder: "/tmp/x", tag: "1.0"),
    (text: "oci:x", folder: "x", tag: nil),
    (text: "oci:/a:b/x", folder: "/a:b/x", tag: nil),
]

/// The places that a copy goes from and to.
@Suite struct ImagePlaceTests {
    @Test func aNameIsOnTheServer() throws {
        #expect(try ImagePlace("team/app:1") == .local(ImageReference("team/app:1")))
        #expect(try ImagePlace("team/app:1").isLocal)
    }

    @Test(arguments: [
        (text: "docker://registry.example/a/b:1", host: "registry.example", name: "a/b:1", isPlain: false),
        (text: "docker://localhost:5000/app", host: "localhost:5000", name: "app", isPlain: false),
        (text: "docker://[::1]:5000/app", host: "[::1]:5000", name: "app", isPlain: false),
        (text: "http://10.0.0.1:5000/app:2", host: "10.0.0.1:5000", name: "app:2", isPlain: true),
        (text: "docker://docker.io/alpine:3", host: "docker.io", name: "library/alpine:3", isPlain: false),
        (text: "docker://docker.io/team/app", host: "docker.io", name: "team/app", isPlain: false),
    ])
    func aSchemeNamesAnotherRegistry(text: String, host: String, name: String, isPlain: Bool) throws {
        let address = try #require(RegistryAddress(host, isPlain: isPlain))
        let reference = try ImageReference(name)
        let place = try ImagePlace(text)
        #expect(place == .registry(address, reference))
        #expect(!place.isLocal)
    }

    @Test(arguments: folders)
    func ociNamesAFolder(text: String, folder: String, tag: String?) throws {
        #expect(try ImagePlace(text) == .layout(folder: folder, tag: tag.flatMap { ImageTag($0) }))
    }

    @Test(arguments: [
        "docker://app", "docker:///app", "docker://host:port/app", "docker://host:0/app", "docker://ho st/app",
        "docker://host/App", "ftp://host/app", "oci:", "oci::1", "oci:/tmp/x:-", "http://host",
    ])
    func anythingElseIsRefused(text: String) {
        #expect(throws: ClientError.self) { try ImagePlace(text) }
    }

    @Test func plainHTTPCanBeAskedForAfterwards() throws {
        let plain = try ImagePlace("docker://host/app").withPlainHTTP
        #expect(try plain == ImagePlace("http://host/app"))
        #expect(try ImagePlace("app").withPlainHTTP == ImagePlace("app"))
    }

    @Test(arguments: [
        (host: "localhost", isLoopback: true), (host: "localhost:5000", isLoopback: true),
        (host: "127.0.0.1", isLoopback: true), (host: "127.9.8.7:80", isLoopback: true),
        (host: "[::1]:5000", isLoopback: true), (host: "127.evil.example", isLoopback: false),
        (host: "127.0.0.1.evil.example", isLoopback: false), (host: "[::2]", isLoopback: false),
        (host: "localhost.example", isLoopback: false), (host: "10.0.0.1", isLoopback: false),
    ])
    func onlyThisMachineIsTriedWithoutTLS(host: String, isLoopback: Bool) throws {
        let address = try #require(RegistryAddress(host, isPlain: false))
        #expect(address.isLoopback == isLoopback)
    }
}
