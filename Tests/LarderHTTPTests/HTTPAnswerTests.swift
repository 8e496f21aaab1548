import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import Testing

/// Short answers, and what each failure of the store looks like to a cache client.
@Suite struct HTTPAnswerTests {
    @Test func textIsPlainAndHasALength() {
        let response = HTTPAnswer(413, "too large\n").response
        #expect(response.status.code == 413)
        #expect(response.headers[.contentType] == "text/plain; charset=utf-8")
        #expect(response.body.contentLength == 10)
    }

    @Test func lengthIsCountedInBytes() {
        #expect(HTTPAnswer(400, "é\n").response.body.contentLength == 3)
    }

    @Test func answerWithoutTextIsEmptyAndHasNoType() {
        let response = HTTPAnswer(404).response
        #expect(response.status.code == 404)
        #expect(response.headers[.contentType] == nil)
        #expect(response.body.contentLength == 0)
    }

    @Test func headersAreKept() throws {
        let answer = HTTPAnswer(
            200,
            "{}",
            headers: [("Content-Type", "application/json"), ("DAV", "1"), ("dav", "2")]
        )
        let response = answer.response
        #expect(response.headers[.contentType] == "application/json")
        #expect(response.headers[values: try #require(HTTPField.Name("DAV"))] == ["1", "2"])
    }

    @Test func bodyOfTheRequestIsReadToABoundUnlessSaidOtherwise() {
        #expect(HTTPAnswer(404).bodyHandling == .drainBounded)
        #expect(HTTPAnswer(200, bodyHandling: .discard).bodyHandling == .discard)
    }

    @Test func missIsAnEmpty404AndOkAnEmpty200() {
        #expect(HTTPAnswer.miss.status == 404)
        #expect(HTTPAnswer.miss.text.isEmpty)
        #expect(HTTPAnswer.miss.headers.isEmpty)
        #expect(HTTPAnswer.ok.status == 200)
        #expect(HTTPAnswer.ok.text.isEmpty)
        #expect(HTTPAnswer.ok.headers.isEmpty)
    }

    /// RFC 9110, section 15.5.6: a 405 says what is allowed.
    @Test func methodNotAllowedSaysWhatIs() {
        let answer = HTTPAnswer.methodNotAllowed("GET, HEAD, PUT")
        #expect(answer.status == 405)
        #expect(answer.text == "method not allowed here; allowed: GET, HEAD, PUT\n")
        #expect(answer.response.headers[.allow] == "GET, HEAD, PUT")
    }

    @Test(arguments: [
        (error: StoreError.malformed("digest"), status: 400, text: "malformed digest\n"),
        (error: .notFound("repository main"), status: 404, text: ""),
        (
            error: .lengthMismatch(expected: 5, actual: 3), status: 400,
            text: "3 bytes arrived where 5 were declared\n"
        ),
        (error: .invalidContent("no action result"), status: 400, text: "invalid content: no action result\n"),
        (error: .tooLarge(limit: .kibibytes(16)), status: 413, text: "larger than the limit of 16 KiB\n"),
        (error: .noSpace("the disk is full"), status: 507, text: "no space: the disk is full\n"),
        (error: .quotaExceeded("main is full"), status: 507, text: "quota exceeded: main is full\n"),
        (error: .notAllowed("main is a registry"), status: 403, text: "not allowed: main is a registry\n"),
        (error: .overloaded, status: 503, text: "too many writes are waiting; try again\n"),
        (error: .shuttingDown, status: 503, text: "the server is stopping\n"),
        (
            error: .io(operation: "open", path: "/secret/place", code: 13), status: 500,
            text: "the server could not read or write its data\n"
        ),
        (error: .corrupt("blob 7 at /secret/place"), status: 500, text: "the server found damaged data\n"),
    ])
    func failuresOfTheStoreAreTranslated(error: StoreError, status: Int, text: String) {
        let answer = HTTPAnswer.cacheError(error)
        #expect(answer.status == status)
        #expect(answer.text == text)
        #expect(answer.bodyHandling == .drainBounded)
    }

    @Test func digestMismatchNamesBothDigests() throws {
        let zeros = String(repeating: "0", count: 64)
        let ones = String(repeating: "1", count: 64)
        let expected = try #require(Digest("sha256:\(zeros)"))
        let actual = try #require(Digest("sha256:\(ones)"))
        let answer = HTTPAnswer.cacheError(.digestMismatch(expected: expected, actual: actual))
        #expect(answer.status == 400)
        #expect(answer.text == "the content's digest is sha256:\(ones), not sha256:\(zeros) as named\n")
    }

    @Test(arguments: [
        (error: StoreError.overloaded, seconds: String?.some("1")),
        (error: .shuttingDown, seconds: "5"),
        (error: .noSpace("full"), seconds: nil),
        (error: .corrupt("blob 7"), seconds: nil),
    ])
    func clientsLearnWhenToComeAgain(error: StoreError, seconds: String?) {
        #expect(HTTPAnswer.cacheError(error).response.headers[.retryAfter] == seconds)
    }
}
