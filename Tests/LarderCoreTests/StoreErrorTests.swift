import LarderCore
import Testing

/// Every error has a sentence of its own.
@Suite struct StoreErrorTests {
    private static let zeros = "0000000000000000000000000000000000000000000000000000000000000000"
    private static let ones = "1111111111111111111111111111111111111111111111111111111111111111"

    @Test(arguments: [
        (error: StoreError.malformed("digest xyz"), text: "malformed: digest xyz"),
        (error: .notFound("repository main"), text: "not found: repository main"),
        (error: .lengthMismatch(expected: 5, actual: 3), text: "3 bytes arrived where 5 were declared"),
        (error: .tooLarge(limit: .kibibytes(16)), text: "larger than the limit of 16 KiB"),
        (error: .invalidContent("no action result"), text: "invalid content: no action result"),
        (error: .noSpace("the disk is full"), text: "no space: the disk is full"),
        (error: .quotaExceeded("main is full"), text: "quota exceeded: main is full"),
        (error: .notAllowed("main is a registry"), text: "not allowed: main is a registry"),
        (error: .overloaded, text: "too many writes are waiting; try again"),
        (error: .shuttingDown, text: "the server is stopping"),
        (error: .io(operation: "open", path: "/data/x", code: 13), text: "open /data/x failed with error 13"),
        (error: .corrupt("blob 7"), text: "damaged: blob 7"),
    ])
    func errorsExplainThemselves(error: StoreError, text: String) {
        #expect(error.description == text)
    }

    @Test func digestMismatchNamesBothDigests() throws {
        let expected = try #require(Digest("sha256:\(Self.zeros)"))
        let actual = try #require(Digest("sha256:\(Self.ones)"))
        #expect(
            StoreError.digestMismatch(expected: expected, actual: actual).description
                == "the content's digest is sha256:\(Self.ones), not sha256:\(Self.zeros) as named"
        )
    }
}
