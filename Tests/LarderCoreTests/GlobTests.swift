import LarderCore
import LarderTestSupport
import Testing

private let manyStars = String(repeating: "a*", count: 10_000)
private let manyLetters = String(repeating: "a", count: 50_000)

/// Globs describe whole texts; a star stands for any run of characters.
@Suite struct GlobTests {
    @Test(arguments: [
        (pattern: "", text: "", matches: true),
        (pattern: "", text: "a", matches: false),
        (pattern: "a", text: "", matches: false),
        (pattern: "latest", text: "latest", matches: true),
        (pattern: "latest", text: "latest1", matches: false),
        (pattern: "latest", text: "lates", matches: false),
        (pattern: "latest", text: "Latest", matches: false),
        (pattern: "*", text: "", matches: true),
        (pattern: "*", text: "a/b\nc", matches: true),
        (pattern: "***", text: "", matches: true),
        (pattern: "v*", text: "v", matches: true),
        (pattern: "v*", text: "v1.2", matches: true),
        (pattern: "v*", text: "1v", matches: false),
        (pattern: "v*", text: "", matches: false),
        (pattern: "*v", text: "1v", matches: true),
        (pattern: "*v", text: "v1", matches: false),
        (pattern: "a*a", text: "a", matches: false),
        (pattern: "a*a", text: "aa", matches: true),
        (pattern: "a*a", text: "abab", matches: false),
        (pattern: "ab*ba", text: "aba", matches: false),
        (pattern: "a**b", text: "ab", matches: true),
        (pattern: "*ab", text: "abab", matches: true),
        (pattern: "*a*b*", text: "xxaxxbxx", matches: true),
        (pattern: "*a*b*", text: "xxbxxaxx", matches: false),
        (pattern: "*aab*aab", text: "aaab", matches: false),
        (pattern: "*aab*", text: "aaaab", matches: true),
        (pattern: "*abab*ab", text: "ababab", matches: true),
        (pattern: "*abab*ab", text: "abab", matches: false),
        (pattern: "a*b*c", text: "abbc", matches: true),
        (pattern: "a*bc*c", text: "abc", matches: false),
        // No other character is special.
        (pattern: "v?", text: "v1", matches: false),
        (pattern: "v[0-9]", text: "v1", matches: false),
        (pattern: "v[0-9]", text: "v[0-9]", matches: true),
        (pattern: "\\*", text: "*", matches: false),
        (pattern: "\\*", text: "\\a", matches: true),
        // Bytes count, so two encodings of one accent differ.
        (pattern: "caf\u{e9}", text: "caf\u{e9}", matches: true),
        (pattern: "caf\u{e9}", text: "cafe\u{301}", matches: false),
        (pattern: "cafe*", text: "cafe\u{301}", matches: true),
        (pattern: "*\u{301}", text: "cafe\u{301}", matches: true),
        (pattern: "a*z", text: "a\u{1f600}z", matches: true),
    ])
    func globsDescribeWholeTexts(pattern: String, text: String, matches: Bool) {
        #expect(Glob(pattern).matches(text) == matches)
        // Part of a longer text, which is not stored by itself.
        #expect(Glob(pattern).matches("<\(text)>".dropFirst().dropLast()) == matches)
    }

    @Test(arguments: [
        (pattern: "", starCount: 0, matchesEverything: false),
        (pattern: "a", starCount: 0, matchesEverything: false),
        (pattern: "*", starCount: 1, matchesEverything: true),
        (pattern: "***", starCount: 3, matchesEverything: true),
        (pattern: "a*", starCount: 1, matchesEverything: false),
        (pattern: "*a", starCount: 1, matchesEverything: false),
        (pattern: "*a*", starCount: 2, matchesEverything: false),
        (pattern: "a**b*c", starCount: 3, matchesEverything: false),
    ])
    func starsAreCounted(pattern: String, starCount: Int, matchesEverything: Bool) {
        let glob = Glob(pattern)
        #expect(glob.starCount == starCount)
        #expect(glob.matchesEverything == matchesEverything)
        #expect(glob.text == pattern)
        #expect(glob.description == pattern)
    }

    @Test func equalGlobsAreWrittenAlike() {
        #expect(Glob("a*") == Glob("a*"))
        #expect(Glob("a*").hashValue == Glob("a*").hashValue)
        #expect(Glob("a*") != Glob("a**"))
        #expect(Glob("\u{e9}") != Glob("e\u{301}"))
    }

    /// Against the plain recursive meaning of a star, on a small alphabet where much nearly fits.
    @Test func randomGlobsMeanWhatAStarMeans() {
        func fits(_ pattern: Substring, _ text: Substring) -> Bool {
            guard let first = pattern.first else { return text.isEmpty }
            if first == "*" {
                return fits(pattern.dropFirst(), text) || (!text.isEmpty && fits(pattern, text.dropFirst()))
            }
            return text.first == first && fits(pattern.dropFirst(), text.dropFirst())
        }
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<10_000 {
            let pattern = Self.random("aab*", length: Int.random(in: 0...9, using: &generator), using: &generator)
            let text = Self.random("aab", length: Int.random(in: 0...12, using: &generator), using: &generator)
            #expect(
                Glob(pattern).matches(text) == fits(pattern[...], text[...]),
                "\(pattern) and \(text), LARDER_TEST_SEED=\(seed)"
            )
        }
    }

    private static func random(
        _ characters: String,
        length: Int,
        using generator: inout SeededGenerator
    ) -> String {
        String((0..<length).compactMap { _ in characters.randomElement(using: &generator) })
    }

    /// With backtracking these would not end.
    @Test(arguments: [
        (pattern: "*a*a*a*a*b", matches: false),
        (pattern: "*a*a*a*a*b*", matches: false),
        (pattern: "\(manyStars)b*", matches: false),
        (pattern: manyStars, matches: true),
        (pattern: "*\(manyLetters)b*", matches: false),
        (pattern: "*\(manyLetters)*", matches: true),
    ])
    func longTextsEnd(pattern: String, matches: Bool) {
        #expect(Glob(pattern).matches(String(repeating: "a", count: 100_000)) == matches)
    }
}
