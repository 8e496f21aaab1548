import LarderRetention
import LarderTestSupport
import Testing

/// Regular expressions: what they mean, what is refused, and that time stays in proportion.
@Suite struct RegularExpressionTests {
    // MARK: - Meaning

    private static let meanings: [(expression: String, texts: [String], others: [String])] = [
        (expression: "", texts: ["", "a"], others: []),
        (expression: "b", texts: ["b", "abc", "éb"], others: ["", "a", "B"]),
        (expression: "^b", texts: ["b", "bc"], others: ["ab", "a\nb"]),
        (expression: "b$", texts: ["b", "ab"], others: ["ba", "b\n", "b\na"]),
        (expression: "^$", texts: [""], others: ["a", "\n"]),
        (expression: "a^b|a$b", texts: [], others: ["ab", "a"]),
        (expression: "^(a|^b)$", texts: ["a", "b"], others: ["ab", ""]),
        (expression: "^.$", texts: ["a", "é", "😀", "\t"], others: ["", "\n", "ab", "e\u{301}"]),
        (expression: "^é$", texts: ["\u{e9}"], others: ["e\u{301}"]),
        (expression: "^[a-c_]$", texts: ["a", "b", "c", "_"], others: ["d", "-", "A", "ab"]),
        (expression: "^[^a-c]$", texts: ["d", "é", "\n", "^"], others: ["a", ""]),
        (expression: "^[-a]$", texts: ["-", "a"], others: ["b"]),
        (expression: "^[a-]$", texts: ["-", "a"], others: ["b"]),
        (expression: "^[a-b-d]$", texts: ["a", "b", "-", "d"], others: ["c"]),
        (expression: "^[a^.$*(|{[]$", texts: ["a", "^", ".", "$", "*", "(", "|", "{", "["], others: ["b"]),
        (expression: "^[\\]\\\\\\-\\^]$", texts: ["]", "\\", "-", "^"], others: ["["]),
        (expression: "^[α-ω]$", texts: ["α", "λ", "ω"], others: ["a", "Ω"]),
        (expression: "^[^α-ω]$", texts: ["a", "Ω"], others: ["λ"]),
        (expression: "^[😀-😂]$", texts: ["😀", "😁", "😂"], others: ["😃", "\u{5f600}", "\u{1f640}", "a"]),
        (expression: "^[あ-ん]$", texts: ["あ", "ん"], others: ["ア", "\u{3342}", "b"]),
        (expression: "^[a-a]$", texts: ["a"], others: ["b", "-"]),
        (expression: "^[a-zb-c]$", texts: ["a", "d", "z"], others: ["A"]),
        (expression: "^[b-ya-cx-z]$", texts: ["a", "b", "m", "z"], others: ["A", "{", "`"]),
        (expression: "^\\d$", texts: ["0", "9"], others: ["a", "\u{661}", ""]),
        (expression: "^\\D$", texts: ["a", "\u{661}"], others: ["0"]),
        (expression: "^\\w$", texts: ["a", "Z", "0", "_"], others: ["-", "é"]),
        (expression: "^\\W$", texts: ["-", "é"], others: ["a", "_"]),
        (expression: "^\\s$", texts: [" ", "\t", "\n", "\r", "\u{b}", "\u{c}"], others: ["a", "\u{a0}"]),
        (expression: "^\\S$", texts: ["a", "\u{a0}"], others: [" "]),
        (expression: "^[\\d\\s]$", texts: ["1", " "], others: ["a"]),
        (expression: "^[^\\W_]$", texts: ["a", "1"], others: ["_", "-"]),
        (expression: "^[\\D]$", texts: ["a"], others: ["1"]),
        (expression: "^\\t\\.\\/\\_\\ \\-$", texts: ["\t./_ -"], others: ["\ta/_ -"]),
        (expression: "a|b|", texts: ["", "a", "c"], others: []),
        (expression: "^(?:a|bc|)$", texts: ["a", "bc", ""], others: ["b", "abc"]),
        (expression: "^()$", texts: [""], others: ["a"]),
        (expression: "^a*$", texts: ["", "aaa"], others: ["ab"]),
        (expression: "^a+$", texts: ["a", "aaa"], others: [""]),
        (expression: "^a?$", texts: ["", "a"], others: ["aa"]),
        (expression: "^a{2}$", texts: ["aa"], others: ["a", "aaa"]),
        (expression: "^a{2,}$", texts: ["aa", "aaaa"], others: ["a"]),
        (expression: "^a{1,3}$", texts: ["a", "aaa"], others: ["", "aaaa"]),
        (expression: "^a{0}$", texts: [""], others: ["a"]),
        (expression: "^a{0,900}$", texts: ["", String(repeating: "a", count: 900)], others: ["b"]),
        (expression: "^(?:ab){2}$", texts: ["abab"], others: ["abb"]),
        (expression: "^a*?a+?a??a{1,2}?a{0,}?$", texts: ["aa", "aaaaaaa"], others: ["a", "ab"]),
        (expression: "^(a*)*$", texts: ["", "aa"], others: ["b"]),
        (expression: "^(?:a*)+$", texts: ["", "aa"], others: ["b"]),
        (expression: "^(?:|a)+$", texts: ["", "aa"], others: ["b"]),
        (expression: "^(?:(?:(?:(?:){1000}){1000}){1000}){1000}$", texts: [""], others: ["a"]),
        (expression: "(?i)^aÉ[b-d][^x]\\w$", texts: ["aÉbéa", "AÉDyZ"], others: ["aébaa", "aÉbXa", "aÉBxa"]),
        (expression: "(?i)", texts: [""], others: []),
        (expression: "^v\\d+(?:\\.\\d+){2}$", texts: ["v1.2.3", "v10.20.30"], others: ["v1.2", "1.2.3", "v1.2.3-rc"]),
        (
            expression: "^(main|release-\\d+)-[0-9a-f]{7,40}$",
            texts: ["main-0123abc", "release-12-0123456789abcdef"],
            others: ["main-0123ab", "release--0123abc", "main-0123abg", "xmain-0123abc"]
        ),
    ]

    @Test(arguments: meanings)
    func expressionsMatch(expression: String, texts: [String], others: [String]) throws {
        let compiled = try RegularExpression(expression)
        for text in texts {
            #expect(compiled.matches(text), "\(text)")
        }
        for text in others {
            #expect(!compiled.matches(text), "\(text)")
            #expect(compiled.capture(in: text) == nil, "\(text)")
        }
    }

    private static let captures: [(expression: String, text: String, capture: String?)] = [
        // The whole match without a group.
        (expression: "", text: "abc", capture: ""),
        (expression: "b+", text: "abbcbbb", capture: "bb"),
        (expression: "(?:b|c)+", text: "abcd", capture: "bc"),
        (expression: "é+", text: "aéé😀", capture: "éé"),
        (expression: "$", text: "abc", capture: ""),
        (expression: "b", text: "ac", capture: nil),
        // The first group, in the order of the opening brackets.
        (expression: "^(main|release-\\d+)-", text: "release-12-abc", capture: "release-12"),
        (expression: "a(b(c))", text: "abc", capture: "bc"),
        (expression: "(?:a(b))(c)", text: "abc", capture: "b"),
        (expression: "a()b", text: "ab", capture: ""),
        // A group that took no part.
        (expression: "a|(b)", text: "ab", capture: nil),
        (expression: "a(b)?", text: "ac", capture: nil),
        (expression: "a(b){0}", text: "ab", capture: nil),
        // The leftmost match, then priorities.
        (expression: "(a|ab)", text: "xab", capture: "a"),
        (expression: "(ab|a)", text: "xab", capture: "ab"),
        (expression: "(a|ab)$", text: "xab", capture: "ab"),
        (expression: "(bcd|a)", text: "xabcd", capture: "a"),
        (expression: "(a+)", text: "baaab", capture: "aaa"),
        (expression: "(a+?)", text: "baaab", capture: "a"),
        (expression: "(a*)", text: "baaab", capture: ""),
        (expression: "(a+?)b", text: "baaab", capture: "aaa"),
        (expression: "(a{1,2})", text: "aaa", capture: "aa"),
        (expression: "(a{1,2}?)", text: "aaa", capture: "a"),
        (expression: "(a{2,})", text: "aaa", capture: "aaa"),
        (expression: "(a{2,}?)", text: "aaa", capture: "aa"),
        (expression: "a(b??)", text: "ab", capture: ""),
        (expression: "^(.*)-", text: "a-b-c", capture: "a-b"),
        (expression: "^(.*?)-", text: "a-b-c", capture: "a"),
        // The last round, also if the group took part only in an earlier one.
        (expression: "(?:(a)|b)*", text: "abab", capture: "a"),
        (expression: "(a|b)*", text: "abab", capture: "b"),
        (expression: "(a|b){2}", text: "abab", capture: "b"),
        // No empty round after one with letters.
        (expression: "(a*)*", text: "aa", capture: "aa"),
        (expression: "(a*)*", text: "b", capture: nil),
        (expression: "(a*)+", text: "aa", capture: "aa"),
    ]

    @Test(arguments: captures)
    func firstGroupIsCaptured(expression: String, text: String, capture: String?) throws {
        #expect(try RegularExpression(expression).capture(in: text) == capture)
    }

    @Test(arguments: [
        (expression: "a", count: 0), (expression: "(?:a)", count: 0), (expression: "\\(a[(]", count: 0),
        (expression: "(a)", count: 1), (expression: "(a(b))(?:c)(d)", count: 3), (expression: "((a){2})", count: 2),
    ])
    func groupsAreCounted(expression: String, count: Int) throws {
        #expect(try RegularExpression(expression).captureCount == count)
    }

    @Test func equalExpressionsAreWrittenAlike() throws {
        let expression = try RegularExpression("a|b")
        #expect(expression.text == "a|b")
        #expect(try expression == RegularExpression("a|b"))
        #expect(try expression.hashValue == RegularExpression("a|b").hashValue)
        #expect(try expression != RegularExpression("[ab]"))
        #expect(try RegularExpression("\u{e9}") != RegularExpression("e\u{301}"))
    }

    // MARK: - Refusals

    private static let refusals: [(expression: String, offset: Int, problem: String)] = [
        (expression: "ab)", offset: 2, problem: "a ) without its ("),
        (expression: "(a))|b", offset: 3, problem: "a ) without its ("),
        (expression: "a(b", offset: 1, problem: "a ( without its )"),
        (expression: "a(b(c)", offset: 1, problem: "a ( without its )"),
        (expression: "é(?:b", offset: 1, problem: "a ( without its )"),
        (expression: "a[b", offset: 1, problem: "a [ without its ]"),
        (expression: "a[b\\]", offset: 1, problem: "a [ without its ]"),
        (expression: "a[b-", offset: 1, problem: "a [ without its ]"),
        (expression: "a[", offset: 1, problem: "a [ without its ]"),
        (expression: "a[]b]", offset: 1, problem: "an empty class; the character is written \\]"),
        (expression: "a[^]", offset: 1, problem: "an empty class; the character is written \\]"),
        (expression: "ab]", offset: 2, problem: "nothing is open; the character is written \\]"),
        (expression: "ab}", offset: 2, problem: "nothing is open; the character is written \\}"),
        (expression: "[[:alpha:]]", offset: 1, problem: "POSIX classes are not available"),
        (expression: "[z-a]", offset: 1, problem: "a range whose ends are reversed"),
        (expression: "[0-9z-a]", offset: 4, problem: "a range whose ends are reversed"),
        (expression: "[\\d-z]", offset: 1, problem: "a range between classes of characters"),
        (expression: "[a-\\d]", offset: 1, problem: "a range between classes of characters"),
        (expression: "*a", offset: 0, problem: "nothing to repeat"),
        (expression: "a|+", offset: 2, problem: "nothing to repeat"),
        (expression: "a(?:?)", offset: 4, problem: "nothing to repeat"),
        (expression: "^*", offset: 1, problem: "nothing to repeat"),
        (expression: "a${2}", offset: 2, problem: "nothing to repeat"),
        (expression: "(?i)*", offset: 4, problem: "nothing to repeat"),
        (expression: "{2}", offset: 0, problem: "nothing to repeat; the character is written \\{"),
        (expression: "a**", offset: 2, problem: "a repetition cannot be repeated without a group"),
        (expression: "a{2}{3}", offset: 4, problem: "a repetition cannot be repeated without a group"),
        (expression: "a*?+", offset: 3, problem: "a repetition cannot be repeated without a group"),
        (expression: "a??*", offset: 3, problem: "a repetition cannot be repeated without a group"),
        (expression: "a*+", offset: 2, problem: "possessive repetitions are not available"),
        (expression: "a++", offset: 2, problem: "possessive repetitions are not available"),
        (expression: "a{2}+", offset: 4, problem: "possessive repetitions are not available"),
        (expression: "a{3,2}", offset: 1, problem: "a repetition whose ends are reversed"),
        (expression: "a{1001}", offset: 2, problem: "a count larger than 1000"),
        (expression: "a{1,99999999999999999999}", offset: 4, problem: "a count larger than 1000"),
        (expression: "a{", offset: 1, problem: "a { is followed by n}, n,} or n,m}; the character is written \\{"),
        (expression: "a{,2}", offset: 1, problem: "a { is followed by n}, n,} or n,m}; the character is written \\{"),
        (expression: "a{2", offset: 1, problem: "a { is followed by n}, n,} or n,m}; the character is written \\{"),
        (expression: "a{2,b}", offset: 1, problem: "a { is followed by n}, n,} or n,m}; the character is written \\{"),
        (expression: "a{-1}", offset: 1, problem: "a { is followed by n}, n,} or n,m}; the character is written \\{"),
        (expression: "(a)\\1", offset: 3, problem: "back-references are not available"),
        (expression: "\\bmain", offset: 0, problem: "word boundaries are not available"),
        (expression: "main\\B", offset: 4, problem: "word boundaries are not available"),
        (expression: "a[\\b]", offset: 2, problem: "word boundaries are not available"),
        (expression: "a\\n", offset: 1, problem: "an unknown escape"),
        (expression: "a\\0", offset: 1, problem: "an unknown escape"),
        (expression: "\\Aa\\z", offset: 0, problem: "an unknown escape"),
        (expression: "[a-\\q]", offset: 3, problem: "an unknown escape"),
        (expression: "\\é", offset: 0, problem: "an unknown escape"),
        (expression: "a\\", offset: 1, problem: "nothing follows the \\"),
        (expression: "a(?=b)", offset: 1, problem: "look-around is not available"),
        (expression: "a(?!b)", offset: 1, problem: "look-around is not available"),
        (expression: "(?<=a)b", offset: 0, problem: "look-around is not available"),
        (expression: "(?<!a)b", offset: 0, problem: "look-around is not available"),
        (expression: "(?<name>a)", offset: 0, problem: "groups have no names"),
        (expression: "(?P<name>a)", offset: 0, problem: "groups have no names"),
        (expression: "a(?i)b", offset: 1, problem: "(?i) may only come first"),
        (expression: "(?i)(?i)b", offset: 4, problem: "(?i) may only come first"),
        (expression: "(?>a)", offset: 0, problem: "of the groups with (? there is only (?: ), and (?i) at the start"),
        (expression: "(?i:a)", offset: 0, problem: "of the groups with (? there is only (?: ), and (?i) at the start"),
        (expression: "(?m)a", offset: 0, problem: "of the groups with (? there is only (?: ), and (?i) at the start"),
        (expression: "a(?", offset: 1, problem: "of the groups with (? there is only (?: ), and (?i) at the start"),
    ]

    @Test(arguments: refusals)
    func otherExpressionsAreRefused(expression: String, offset: Int, problem: String) {
        #expect(throws: PatternError(problem: problem, offset: offset)) { try RegularExpression(expression) }
    }

    @Test func errorsSayWhere() {
        #expect(PatternError(problem: "nothing to repeat", offset: 2).description == "nothing to repeat at character 2")
    }

    // MARK: - Limits

    @Test func expressionsHaveAtMost256Characters() throws {
        // Of two and four bytes.
        _ = try RegularExpression(String(repeating: "é😀", count: 128))
        #expect(throws: PatternError(problem: "longer than 256 characters", offset: 256)) {
            try RegularExpression(String(repeating: "a", count: 257))
        }
    }

    @Test func groupsAreNestedAtMost32Deep() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "a" + String(repeating: ")", count: depth)
        }
        #expect(try RegularExpression(nested(32)).capture(in: "bab") == "a")
        #expect(throws: PatternError(problem: "groups nested deeper than 32", offset: 32)) {
            try RegularExpression(nested(33))
        }
    }

    /// Refused while it is built: written out it would have more places than any memory.
    @Test(arguments: [
        (expression: "((a{50}){50}){50}", offset: 13),
        (expression: "b(?:(?:(?:(?:(?:a{1000}){1000}){1000}){1000}){1000}){1000}", offset: 52),
        (expression: "(?:(?:(?:(?:a{0,1000}){0,1000}){0,1000}){0,1000}){0,1000}", offset: 49),
        (expression: "(?:(?:(?:){0,1000}){1000}){1000}", offset: 26),
        (expression: "a{1000}b{998}", offset: 8),
    ])
    func expressionsHaveAtMost2000Instructions(expression: String, offset: Int) {
        let problem = "the repetition makes the expression larger than 2000 instructions"
        #expect(throws: PatternError(problem: problem, offset: offset)) { try RegularExpression(expression) }
    }

    @Test func twoThousandInstructionsAreAllowed() throws {
        // Begin and end of the whole match and the match itself are three more.
        let expression = try RegularExpression("a{1000}b{997}")
        #expect(expression.matches(String(repeating: "a", count: 1000) + String(repeating: "b", count: 997)))
    }

    /// With backtracking most of these would not end.
    @Test(arguments: [
        "(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+b", "(a*?)*?b", "(.*)(.*)(.*)(.*)(.*)b", "^(([a-z])+.)+[A-Z]$",
        "a*a*a*b", "(((a*)*)*)*b", "(?:a?){30}a{30}b",
    ])
    func longTextsEnd(expression: String) throws {
        let compiled = try RegularExpression(expression)
        let text = String(repeating: "a", count: 100_000)
        #expect(!compiled.matches(text))
        #expect(compiled.capture(in: text) == nil)
    }

    @Test func longMatchesEnd() throws {
        let text = String(repeating: "a", count: 100_000)
        #expect(try RegularExpression("(a|aa)*$").capture(in: text) == "a")
        #expect(try RegularExpression("(?:a|aa)*?$").capture(in: text) == text)
    }
}
