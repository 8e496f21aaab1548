import LarderCore
import LarderHTTP
import LarderTestSupport
import Testing

/// Queries are taken apart at `&` and the first `=`, and decoded after that.
@Suite struct QueryParametersTests {
    private static func values(_ query: String, _ name: String) -> [String] {
        QueryParameters(query[...]).all(name)
    }

    @Test(arguments: [
        (query: "", values: [String]()),
        (query: "a", values: [""]),
        (query: "a=", values: [""]),
        (query: "a=1", values: ["1"]),
        (query: "b=1", values: []),
        (query: "aa=1", values: []),
        (query: "A=1", values: []),
        (query: "a=1&b=2", values: ["1"]),
        (query: "b=2&a=1", values: ["1"]),
        (query: "a=1&a=2&b=3&a=1", values: ["1", "2", "1"]),
        (query: "&&a=1&&", values: ["1"]),
        (query: "a=1=2", values: ["1=2"]),
        (query: "a==", values: ["="]),
        (query: "a=1;a=2", values: ["1;a=2"]),
        (query: "=1&a=2", values: ["2"]),
        (query: "a=x+y", values: ["x+y"]),
        (query: "a=?&a=/", values: ["?", "/"]),
    ])
    func parametersAreFoundByName(query: String, values: [String]) {
        #expect(Self.values(query, "a") == values)
        #expect(QueryParameters(query[...])["a"] == values.first)
    }

    @Test(arguments: [
        (query: "a=%41", value: "A"),
        (query: "a=%20", value: " "),
        (query: "a=%2B", value: "+"),
        (query: "a=%26b%3D1", value: "&b=1"),
        (query: "%61=1", value: "1"),
        (query: "a=sha256%3Aab", value: "sha256:ab"),
        (query: "a=%c3%A9", value: "é"),
        (query: "a=é", value: "é"),
        (query: "a=%F0%9F%99%82", value: "🙂"),
        (query: "a=%00", value: "\u{0}"),
        (query: "a=%2541", value: "%41"),
        (query: "a=%25%34%31", value: "%41"),
    ])
    func namesAndValuesAreDecoded(query: String, value: String) {
        #expect(QueryParameters(query[...])["a"] == value)
    }

    @Test(arguments: [
        "%", "%%", "%4", "%g0", "%0g", "%zz", "x%", "x%4", "%é", "%+1", "%-1", "% 1", "%4%", "100%",
    ])
    func brokenEscapesStandForThemselves(text: String) {
        #expect(QueryParameters("a=\(text)&b=1"[...])["a"] == text)
        #expect(QueryParameters("b=1&a=\(text)"[...])["a"] == text)
    }

    @Test func decodingGoesOnBehindABrokenEscape() {
        #expect(Self.values("a=%%41", "a") == ["%A"])
        #expect(Self.values("a=%4%41", "a") == ["%4A"])
        #expect(Self.values("a=%g%41", "a") == ["%gA"])
    }

    @Test func bytesThatAreNoTextAreReplaced() {
        #expect(Self.values("a=x%ffy", "a") == ["x\u{fffd}y"])
    }

    @Test func noQueryHasNoParameters() {
        #expect(QueryParameters(nil)["a"] == nil)
        #expect(QueryParameters(nil).all("a") == [])
        #expect(QueryParameters("")[""] == nil)
    }

    @Test(arguments: [
        (text: "", encoded: ""),
        (text: "azAZ09-._~", encoded: "azAZ09-._~"),
        (text: "a b", encoded: "a%20b"),
        (text: "a+b&c=d", encoded: "a%2Bb%26c%3Dd"),
        (text: "application/vnd.x+json", encoded: "application%2Fvnd.x%2Bjson"),
        (text: "sha256:ab", encoded: "sha256%3Aab"),
        (text: "é🙂", encoded: "%C3%A9%F0%9F%99%82"),
        (text: "%41", encoded: "%2541"),
        (text: "\u{0}\u{f}\u{7f}\"<>", encoded: "%00%0F%7F%22%3C%3E"),
    ])
    func valuesAreEncoded(text: String, encoded: String) {
        #expect(percentEncoded(text) == encoded)
        #expect(QueryParameters("a=\(encoded)"[...])["a"] == text)
    }

    @Test func whatIsEncodedIsDecodedAgain() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var text = ""
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                let limit: UInt32 = Bool.random(using: &generator) ? 0x80 : 0x11_0000
                guard let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) else { continue }
                text.unicodeScalars.append(scalar)
            }
            let encoded = percentEncoded(text)
            let decoded = QueryParameters("x=1&a=\(encoded)&a=2"[...])["a"] ?? "-"
            #expect(Array(decoded.utf8) == Array(text.utf8), "LARDER_TEST_SEED=\(seed)")
        }
    }
}
