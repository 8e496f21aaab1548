import Foundation
import Testing

@testable import LarderHTTP

/// What an `Authorization` header shows: clients differ in how they put a secret there.
@Suite struct CredentialsTests {
    /// Basic with a text in the usual alphabet.
    private static func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    // MARK: - Bearer

    @Test(arguments: [
        (header: "Bearer abc", secret: "abc"),
        (header: "bearer abc", secret: "abc"),
        (header: "BEARER abc", secret: "abc"),
        (header: "Bearer    abc  ", secret: "abc"),
        // What the secret is made of is not looked at here.
        (header: "Bearer a b", secret: "a b"),
        (header: "Bearer larder.1.AA-_", secret: "larder.1.AA-_"),
        (header: "Bearer YTpi", secret: "YTpi"),
    ])
    func aBearerTokenIsTheSecret(header: String, secret: String) {
        #expect(Credentials(header) == .secret(secret))
    }

    // MARK: - Basic

    @Test(arguments: [
        (pair: "ada:abc", secret: "abc"),
        (pair: "x-token:abc", secret: "abc"),
        // A password alone, and a user alone: https://:TOKEN@host, https://TOKEN@host, https://TOKEN:@host.
        (pair: ":abc", secret: "abc"),
        (pair: "abc", secret: "abc"),
        (pair: "abc:", secret: "abc"),
        // A user has no colon, a password may (RFC 7617, section 2).
        (pair: "ada:b:c", secret: "b:c"),
        (pair: "ada::", secret: ":"),
        (pair: "ada: ", secret: " "),
        (pair: "ädä:äbc", secret: "äbc"),
        // Bytes that the two alphabets write differently.
        (pair: "?>?>?>:~~~???>>>", secret: "~~~???>>>"),
    ])
    func thePasswordIsTheSecretOrElseTheUser(pair: String, secret: String) {
        let standard = Data(pair.utf8).base64EncodedString()
        let urlSafe = standard.replacing("+", with: "-").replacing("/", with: "_")
        for text in [standard, urlSafe] {
            let unpadded = text.prefix { $0 != "=" }
            for value in [text, String(unpadded)] {
                for scheme in ["Basic ", "basic ", "BASIC ", "Basic   "] {
                    #expect(Credentials(scheme + value) == .secret(secret), "\(scheme)\(value)")
                }
            }
        }
    }

    /// Bazel encodes what stands before the `@` in the alphabet that is safe in URLs.
    @Test func bothAlphabetsAreRead() {
        #expect(Credentials("Basic Pz4_Pj8-Og==") == .secret("?>?>?>"))
        #expect(Credentials("Basic Pz4/Pj8+Og==") == .secret("?>?>?>"))
    }

    // MARK: - Nothing

    /// Some clients send this for "I have none", docker among them.
    @Test(arguments: ["Basic Og==", "Basic Og", "basic Og==", "Basic  Og== ", "Bearer \t"])
    func nobodyIsAnonymous(header: String) {
        #expect(Credentials(header) == Credentials.none)
    }

    // MARK: - What is not understood

    @Test(arguments: [
        "", " ", "Bearer", "Basic", "abc", "Bearer\tabc", "Digest username=\"a\"", "Token abc", "Negotiate YTpi",
        "AWS4-HMAC-SHA256 Credential=a", "Bearerabc", "Basic:YTpi",
        // Broken base64.
        "Basic !!!!", "Basic Y", "Basic YTpiY", "Basic YQ=YQ==", "Basic YT pi", "Basic YTpi\u{e9}", "Basic a:b",
        // No UTF-8: 0xff, and `a:` 0xff.
        "Basic /w==", "Basic _w", "Basic YTr/",
    ])
    func othersAreUnknown(header: String) {
        #expect(Credentials(header) == .unknown)
    }

    /// No text of a stranger makes trouble, and none of them passes for nothing.
    @Test func noiseIsNeverNobody() {
        for length in 1...60 {
            let noise = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ length &* 41 | 1) }
            let credentials = Credentials("Basic " + Data(noise).base64EncodedString())
            #expect(credentials != Credentials.none, "\(noise)")
        }
        #expect(Credentials(Self.basic(String(repeating: "a", count: 100_000))) != Credentials.none)
    }
}
