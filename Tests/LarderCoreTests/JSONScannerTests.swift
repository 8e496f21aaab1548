import LarderCore
import LarderTestSupport
import Testing

/// Texts that no reader of JSON takes, whether they are read or passed over.
private let broken: [String] = [
    "", " ", "\n",
    // Brackets.
    "{", "}", "[", "]", "[[]", "[]]", "{}}", "[1", "[1}", "{\"a\":1", "{\"a\":1]",
    // Commas and colons.
    "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "{,}", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}",
    "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{\"a\",1}", "{:1}", "{\"a\"::1}", "1,", ",1",
    // Keys.
    "{a:1}", "{'a':1}", "{1:2}", "{null:1}", "{[]:1}",
    // Literals.
    "nul", "nulll", "NULL", "Null", "tru", "truetrue", "True", "fals", "falsey", "undefined", "NaN", "Infinity",
    "-Infinity", "[nullx]", "nullnull",
    // Numbers.
    "-", "--1", "+1", "01", "-01", "00", ".5", "-.5", "1.", "1.e5", "1e", "1e+", "1e1.5", "0x10", "1_000", "1.2.3",
    "1,5", "١",
    // Strings.
    "\"", "\"a", "'a'", "\"a\\\"", "\"\\", "\"a\nb\"", "\"\t\"", "\"\u{0}\"", "\"\u{1f}\"", "“a”",
    // What surrounds a value.
    "1 1", "{}x", "[] []", "null x", "1\u{0}", "\u{c}1", "\u{a0}1", "\u{feff}1", "// a\n1", "/* a */ 1", "# a\n1",
]

/// Strings whose escapes nobody can read.
private let brokenEscapes: [String] = [
    #""\x41""#, #""\a""#, #""\0""#, #""\'""#, #""\U0041""#, #""\u""#, #""\u4""#, #""\u41""#, #""\u004""#,
    #""\u004g""#, #""\u+041""#, #""\u-041""#, #""\u 041""#, #""\u00é""#, #""\ud800""#, #""\udbff""#, #""\udc00""#,
    #""\udfff""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\ud800""#, #""\udc00\ud800""#, #""\ud800\u0041""#,
    #""\ud800\udc0""#,
]

private let brokenUTF8: [[UInt8]] = [
    [0x22, 0xff, 0x22], [0x22, 0x80, 0x22], [0x22, 0xc3, 0x22], [0x22, 0xc0, 0xaf, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], [0x22, 0x5c, 0x6e, 0xff, 0x22],
]

/// Reads a text member by member and writes it again without spaces.
private func rewritten(_ text: String) throws(JSONError) -> String {
    var scanner = JSONScanner(Array(text.utf8))
    let result = try rewritten(&scanner)
    try scanner.finish()
    return result
}

private func rewritten(_ scanner: inout JSONScanner) throws(JSONError) -> String {
    switch try scanner.peek() {
    case .object:
        var members: [String] = []
        try scanner.readObject { (scanner, key) throws(JSONError) in
            let value = try rewritten(&scanner)
            members.append("\(jsonString(key)):\(value)")
        }
        return "{\(members.joined(separator: ","))}"
    case .array:
        var elements: [String] = []
        try scanner.readArray { (scanner) throws(JSONError) in
            elements.append(try rewritten(&scanner))
        }
        return "[\(elements.joined(separator: ","))]"
    case .string:
        return jsonString(try scanner.readString())
    case .number, .literal:
        let text = try scanner.text { (scanner) throws(JSONError) in try scanner.skip() }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Passes over a text that must be one value.
private func skip(_ text: String) throws(JSONError) {
    var scanner = JSONScanner(Array(text.utf8))
    try scanner.skip()
    try scanner.finish()
}

/// Texts of strangers are read strictly, in bounded memory and depth.
@Suite struct JSONScannerTests {
    @Test(arguments: [
        (text: "null", read: "null"),
        (text: "true", read: "true"),
        (text: "false", read: "false"),
        (text: "0", read: "0"),
        (text: "-0", read: "-0"),
        (text: "10", read: "10"),
        (text: "-17", read: "-17"),
        (text: "1.5", read: "1.5"),
        (text: "-0.0", read: "-0.0"),
        (text: "1e5", read: "1e5"),
        (text: "1E+05", read: "1E+05"),
        (text: "0.1e-10", read: "0.1e-10"),
        (text: "123456789012345678901234567890", read: "123456789012345678901234567890"),
        (text: "\"\"", read: "\"\""),
        (text: "\"a b\"", read: "\"a b\""),
        (text: "\"é 日本 🙂\"", read: "\"é 日本 🙂\""),
        (text: "\"\u{7f}\u{80}\u{2028}\"", read: "\"\u{7f}\u{80}\u{2028}\""),
        (text: #""\"\\\/\n\r\t""#, read: #""\"\\/\n\r\t""#),
        (text: #""\b\f\u0000\u001f""#, read: #""\u0008\u000c\u0000\u001f""#),
        (text: #""\u0041\u00e9\u65E5""#, read: "\"Aé日\""),
        (text: #""\ud83d\ude42 \uD83D\uDE42""#, read: "\"🙂 🙂\""),
        (text: #""\ud800\udc00\udbff\udfff""#, read: "\"\u{10000}\u{10ffff}\""),
        (text: #""\\u0041""#, read: #""\\u0041""#),
        (text: "[]", read: "[]"),
        (text: "[ ]", read: "[]"),
        (text: "[1,\"a\",null,[],{}]", read: "[1,\"a\",null,[],{}]"),
        (text: " [ 1 , 2 ] ", read: "[1,2]"),
        (text: "{}", read: "{}"),
        (text: "\t\r\n {\n}\n", read: "{}"),
        (text: "{\"a\":1}", read: "{\"a\":1}"),
        (text: #"{ "a" : { "a" : [ { "a" : true } ] } , "" : 0 }"#, read: #"{"a":{"a":[{"a":true}]},"":0}"#),
        (text: #"{"\u0061\"":1}"#, read: #"{"a\"":1}"#),
    ])
    func everyValueIsRead(text: String, read: String) throws {
        #expect(try rewritten(text) == read)
        #expect(try rewritten(read) == read)
        try skip(text)
    }

    @Test(arguments: broken)
    func whatIsNoValueIsRefused(text: String) {
        #expect(throws: JSONError.self) { try rewritten(text) }
        #expect(throws: JSONError.self) { try skip(text) }
    }

    @Test(arguments: brokenEscapes)
    func brokenEscapesAreRefusedWhereTheyAreRead(text: String) {
        #expect(throws: JSONError.self) { try rewritten(text) }
        #expect(throws: JSONError.self) { try rewritten("[\(text)]") }
        #expect(throws: JSONError.self) { try rewritten("{\(text):1}") }
    }

    @Test(arguments: brokenUTF8)
    func stringsAreUTF8(bytes: [UInt8]) {
        var scanner = JSONScanner(bytes)
        #expect(throws: JSONError.self) { try scanner.readString() }
    }

    @Test(arguments: 0...255)
    func onlyFourCharactersAreSpace(character: Int) {
        let byte = UInt8(character)
        var scanner = JSONScanner([byte, 0x31, byte])
        let isSpace = [0x09, 0x0a, 0x0d, 0x20].contains(character)
        // `111` is a number, `"1"` a string.
        let isOther = (0x31...0x39).contains(character) || character == 0x22
        let isRead = (try? scanner.skip()) != nil && (try? scanner.finish()) != nil
        #expect(isRead == (isSpace || isOther))
    }

    // MARK: Limits

    @Test(arguments: [
        (depth: 1, isRead: true), (depth: 63, isRead: true), (depth: 64, isRead: true), (depth: 65, isRead: false),
        (depth: 100_000, isRead: false),
    ])
    func nestingIsBounded(depth: Int, isRead: Bool) {
        let arrays = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let objects = String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)
        for text in [arrays, objects] {
            #expect(((try? rewritten(text)) != nil) == isRead)
            #expect(((try? skip(text)) != nil) == isRead)
        }
    }

    @Test func whatIsClosedCountsNoMore() throws {
        let many = "[" + Array(repeating: "[[]]", count: 1000).joined(separator: ",") + "]"
        #expect(try rewritten(many) == many)
        try skip(many)
    }

    @Test func aBombOfOpenBracketsEndsAtTheLimit() {
        let bomb = String(repeating: "[", count: 4_000_000)
        let error = #expect(throws: JSONError.self) { try skip(bomb) }
        #expect(error?.offset == 65)
    }

    @Test(arguments: [(count: 10_000, isRead: true), (count: 10_001, isRead: false)])
    func membersThatAreReadAreBounded(count: Int, isRead: Bool) throws {
        let text = "{" + (0..<count).map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(((try? rewritten(text)) != nil) == isRead)
        try skip(text)
    }

    @Test(arguments: [
        (text: #"{"a":1,"a":1}"#, isRead: false),
        (text: #"{"a":1,"b":2,"a":3}"#, isRead: false),
        (text: #"{"a":1,"\u0061":2}"#, isRead: false),
        (text: #"{"":1,"":2}"#, isRead: false),
        (text: #"{"a":{"b":1,"b":2}}"#, isRead: false),
        (text: #"{"a":{"a":1},"A":2,"a ":3}"#, isRead: true),
        (text: #"[{"a":1},{"a":1}]"#, isRead: true),
    ])
    func keysComeOnceWhereTheyAreRead(text: String, isRead: Bool) throws {
        #expect(((try? rewritten(text)) != nil) == isRead)
        try skip(text)
    }

    // MARK: Single values

    @Test(arguments: [
        (text: "0", number: Int64(0)),
        (text: "-0", number: 0),
        (text: " 42", number: 42),
        (text: "-42", number: -42),
        (text: "9223372036854775807", number: .max),
        (text: "-9223372036854775808", number: .min),
    ])
    func wholeNumbersAreRead(text: String, number: Int64) throws {
        var scanner = JSONScanner(Array(text.utf8))
        #expect(try scanner.readInteger() == number)
        try scanner.finish()
    }

    @Test(arguments: [
        "", "-", "+1", "01", "1.0", "1.5", "1e3", "\"1\"", "true", "null", "[1]", "9223372036854775808",
        "-9223372036854775809", "１",
    ])
    func nothingElseIsAWholeNumber(text: String) {
        var scanner = JSONScanner(Array(text.utf8))
        #expect(throws: JSONError.self) { try scanner.readInteger() }
    }

    @Test(arguments: ["1", "null", "[]", "{}", "true", "a", ""])
    func nothingElseIsAString(text: String) {
        var scanner = JSONScanner(Array(text.utf8))
        #expect(throws: JSONError.self) { try scanner.readString() }
    }

    @Test(arguments: [
        (text: "{", kind: JSONScanner.Kind.object), (text: " [", kind: .array), (text: "\"", kind: .string),
        (text: "-", kind: .number), (text: "7", kind: .number), (text: "t", kind: .literal),
        (text: "f", kind: .literal), (text: "n", kind: .literal),
    ])
    func whatComesNextIsToldByItsFirstCharacter(text: String, kind: JSONScanner.Kind) throws {
        var scanner = JSONScanner(Array(text.utf8))
        #expect(try scanner.peek() == kind)
        // Nothing was read.
        #expect(try scanner.peek() == kind)
    }

    @Test func nullsAreTakenAndNothingElse() throws {
        var scanner = JSONScanner(Array("[null, 1, nul]".utf8))
        var taken: [Bool] = []
        #expect(throws: JSONError.self) {
            try scanner.readArray { (scanner) throws(JSONError) in
                taken.append(try scanner.takeNull())
                if taken.last == false { try scanner.skip() }
            }
        }
        #expect(taken == [true, false, false])
    }

    @Test func textOfAValueIsGivenAsItStands() throws {
        let text = #"{ "a" :  [1, {"b" : "\u0041"}]  , "c":3 }"#
        var scanner = JSONScanner(Array(text.utf8))
        var found: [String: String] = [:]
        try scanner.readObject { (scanner, key) throws(JSONError) in
            let bytes = try scanner.text { (scanner) throws(JSONError) in try scanner.skip() }
            found[key] = String(decoding: bytes, as: UTF8.self)
        }
        try scanner.finish()
        #expect(found == ["a": #"[1, {"b" : "\u0041"}]"#, "c": "3"])
    }

    @Test(arguments: [
        (text: "[1,]", error: "no value at byte 3"),
        (text: "[1 2]", error: "a comma is wanted at byte 3"),
        (text: "{1:2}", error: "a string is wanted at byte 1"),
        (text: "{\"a\" 1}", error: "a colon is wanted at byte 5"),
        (text: "{\"a\":1,\"a\":2}", error: "the key a comes twice at byte 10"),
        (text: "[1] 2", error: "something follows the value at byte 4"),
        (text: "[", error: "the text ends too early at byte 1"),
        (text: "\"a", error: "a string has no end at byte 2"),
    ])
    func errorsSayWhatIsWrongAndWhere(text: String, error: String) {
        let thrown = #expect(throws: JSONError.self) { try rewritten(text) }
        #expect(thrown?.description == error)
    }

    // MARK: Writing

    @Test(arguments: [
        (text: "", written: "\"\""),
        (text: "a", written: #""a""#),
        (text: "\"\\/", written: #""\"\\/""#),
        (text: "\n\r\t", written: #""\n\r\t""#),
        (text: "\u{0}\u{8}\u{c}\u{1f}", written: #""\u0000\u0008\u000c\u001f""#),
        (text: "\r\n", written: #""\r\n""#),
        (text: "\u{7f}é🙂", written: "\"\u{7f}é🙂\""),
    ])
    func stringsAreWritten(text: String, written: String) {
        #expect(jsonString(text) == written)
    }

    @Test func anyStringThatIsWrittenIsReadBack() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var text = ""
            for _ in 0..<Int.random(in: 0...20, using: &generator) {
                let limit: UInt32 = Bool.random(using: &generator) ? 0x80 : 0x11_0000
                guard let scalar = Unicode.Scalar(UInt32.random(in: 0..<limit, using: &generator)) else { continue }
                text.unicodeScalars.append(scalar)
            }
            var scanner = JSONScanner(Array(jsonString(text).utf8))
            let read = try scanner.readString()
            // Equality of texts would take different spellings of one character for the same.
            #expect(Array(read.utf8) == Array(text.utf8), "LARDER_TEST_SEED=\(seed)")
            try scanner.finish()
        }
    }
}
