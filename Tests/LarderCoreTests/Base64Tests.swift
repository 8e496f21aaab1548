import Foundation
import LarderCore
import Testing

/// Base64 in its standard alphabet with padding (RFC 4648, section 4).
@Suite struct Base64Tests {
    @Test(arguments: [
        (text: "", bytes: ""),
        (text: "Zg==", bytes: "f"),
        (text: "Zm8=", bytes: "fo"),
        (text: "Zm9v", bytes: "foo"),
        (text: "Zm9vYg==", bytes: "foob"),
        (text: "Zm9vYmE=", bytes: "fooba"),
        (text: "Zm9vYmFy", bytes: "foobar"),
    ])
    func vectorsOfTheSpecificationAreDecoded(text: String, bytes: String) {
        #expect(decodeBase64(text) == Array(bytes.utf8))
    }

    @Test(arguments: 0...70)
    func everyLengthIsDecoded(length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length &* 101) }
        #expect(decodeBase64(Data(bytes).base64EncodedString()) == bytes)
    }

    @Test func everyCharacterOfTheAlphabetHasItsValue() throws {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        let bytes = try #require(decodeBase64(alphabet))
        #expect(bytes.count == 48)
        #expect(Data(bytes).base64EncodedString() == alphabet)
    }

    @Test(arguments: [
        // Lengths.
        "Z", "Zg", "Zg=", "Zm9", "Zm9vY", "Zm9vYg", "Zm9vYg=",
        // Padding.
        "=", "==", "====", "Z===", "Zg===", "Zm9v====", "Zm9v=", "=Zm9", "Zg==Zg==", "Z=g=", "A=A=", "AAA=AAAA",
        // Characters.
        "Zm9\n", "Zm9v\n", " Zm9", "Zm 9", "Zm-_", "Zm9*", "Zm\u{e9}", "Zm9\u{0}", "Zg=\u{3d}\u{301}",
    ])
    func anythingElseIsNone(text: String) {
        #expect(decodeBase64(text) == nil)
    }
}
