import NIOHTTP1
import Testing

@testable import LarderHTTP

/// The headers that decide what happens to a request.
@Suite struct RequestFactsTests {
    private static func facts(_ headers: (name: String, value: String)...) -> RequestFacts {
        RequestFacts(
            HTTPRequestHead(
                version: .http1_1,
                method: .PUT,
                uri: "/",
                headers: HTTPHeaders(headers.map { ($0.name, $0.value) })
            )
        )
    }

    @Test func nothingIsAssumedWithoutHeaders() {
        let facts = Self.facts()
        #expect(facts.host == nil)
        #expect(!facts.hasOrigin)
        #expect(!facts.expectsContinue)
        #expect(!facts.hasUnknownExpectation)
        #expect(facts.contentLength == nil)
        #expect(!facts.hasInvalidLength)
        #expect(!facts.isChunked)
        #expect(facts.range == nil)
        #expect(facts.conditions.areAbsent)
    }

    @Test(arguments: [
        ["Host", "Range", "Origin", "Transfer-Encoding"],
        ["host", "range", "origin", "transfer-encoding"],
        ["HOST", "RANGE", "ORIGIN", "TRANSFER-ENCODING"],
        ["hOsT", "rAnGe", "oRiGiN", "tRaNsFeR-eNcOdInG"],
    ])
    func namesAreReadInAnyCase(names: [String]) {
        let facts = Self.facts(
            (names[0], "localhost:80"),
            (names[1], "bytes=0-1"),
            (names[2], "null"),
            (names[3], "chunked")
        )
        #expect(facts.host == "localhost:80")
        #expect(facts.range == "bytes=0-1")
        #expect(facts.hasOrigin)
        #expect(facts.isChunked)
    }

    @Test func listsInSeveralLinesAreOne() {
        let facts = Self.facts(
            ("If-Match", "\"a\""),
            ("If-None-Match", "\"b\""),
            ("if-match", "\"c\""),
            ("if-none-match", "\"d\"")
        )
        #expect(facts.conditions.ifMatch == "\"a\", \"c\"")
        #expect(facts.conditions.ifNoneMatch == "\"b\", \"d\"")
    }

    @Test func severalHostsAreSeen() {
        #expect(!Self.facts(("Host", "a")).hasSeveralHosts)
        #expect(Self.facts(("Host", "a"), ("host", "a")).hasSeveralHosts)
        #expect(Self.facts(("Host", "a"), ("Host", "b"), ("X", "c")).hasSeveralHosts)
    }

    @Test func conditionsAreTakenFromTheirOwnHeaders() {
        let facts = Self.facts(
            ("If-Match", "a"),
            ("If-None-Match", "b"),
            ("If-Modified-Since", "c"),
            ("If-Unmodified-Since", "d"),
            ("If-Range", "e")
        )
        #expect(
            facts.conditions
                == RequestFacts.Conditions(
                    ifMatch: "a",
                    ifNoneMatch: "b",
                    ifModifiedSince: "c",
                    ifUnmodifiedSince: "d",
                    ifRange: "e"
                )
        )
        #expect(!facts.conditions.areAbsent)
    }

    @Test(arguments: ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"])
    func eachConditionCounts(name: String) {
        #expect(!Self.facts((name, "x")).conditions.areAbsent)
    }

    @Test(arguments: [
        (value: "0", length: Int64?.some(0)),
        (value: "1", length: 1),
        (value: "007", length: 7),
        (value: "1048576", length: 1_048_576),
        (value: "9223372036854775807", length: .max),
        (value: "9223372036854775808", length: nil),
        (value: "-1", length: nil),
        (value: "+1", length: nil),
        (value: "-0", length: nil),
        (value: "", length: nil),
        (value: "1 2", length: nil),
        (value: "1,1", length: nil),
        (value: "0x10", length: nil),
        (value: "1.0", length: nil),
        (value: "abc", length: nil),
        (value: "１", length: nil),
    ])
    func lengthIsDigitsOnly(value: String, length: Int64?) {
        let facts = Self.facts(("Content-Length", value))
        #expect(facts.hasInvalidLength == (length == nil))
        if let length { #expect(facts.contentLength == length) }
    }

    @Test(arguments: [
        (value: "100-continue", isContinue: true),
        (value: "100-Continue", isContinue: true),
        (value: "100-CONTINUE", isContinue: true),
        (value: "", isContinue: false),
        (value: "100", isContinue: false),
        (value: "100-continue, x", isContinue: false),
        (value: "200-ok", isContinue: false),
    ])
    func onlyOneExpectationIsKnown(value: String, isContinue: Bool) {
        let facts = Self.facts(("Expect", value))
        #expect(facts.expectsContinue == isContinue)
        #expect(facts.hasUnknownExpectation == !isContinue)
    }

    /// Names of the same length as those that count.
    @Test(arguments: [
        "Hose", "Ranch", "Expert", "Origen", "If-Patch", "If-Ranch", "If-Nine-Match", "Content-Lengtj",
        "If-Modified-Sinca", "Transfer-Encodins", "If-Unmodified-Sinca", "", "X",
    ])
    func otherHeadersAreNoFacts(name: String) {
        let facts = Self.facts((name, "5"))
        #expect(facts.host == nil)
        #expect(!facts.hasOrigin)
        #expect(!facts.expectsContinue)
        #expect(!facts.hasUnknownExpectation)
        #expect(facts.contentLength == nil)
        #expect(!facts.hasInvalidLength)
        #expect(!facts.isChunked)
        #expect(facts.range == nil)
        #expect(facts.conditions.areAbsent)
    }

    @Test(arguments: [
        (text: "host", isSame: true),
        (text: "HOST", isSame: true),
        (text: "hOsT", isSame: true),
        (text: "hos", isSame: false),
        (text: "hosts", isSame: false),
        (text: "", isSame: false),
        (text: "hose", isSame: false),
        // `@` and backtick lie beside the letters, 0x20 apart.
        (text: "h@st", isSame: false),
        (text: "hÓst", isSame: false),
    ])
    func lettersOfEitherCaseAreTheSame(text: String, isSame: Bool) {
        #expect(text.isSame("host") == isSame)
    }

    @Test func charactersBesideTheLettersHaveNoCase() {
        #expect(!"@".isSame("`"))
        #expect(!"[".isSame("{"))
        #expect("-".isSame("-"))
        #expect("Z".isSame("z"))
        #expect("A".isSame("a"))
    }
}
