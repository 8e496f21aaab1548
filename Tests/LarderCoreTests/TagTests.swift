import LarderCore
import LarderTestSupport
import Testing

private let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/// Tags by the grammar of the OCI distribution specification 1.1: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
@Suite struct TagTests {
    @Test(arguments: [
        "a", "A", "0", "_", "latest", "v1.2.3", "1.0-rc.1", "a..b", "a--b", "a-", "a.", "__", "_.-", "sha256-\(hash)",
        "sha256-\(hash).sig", String(repeating: "t", count: 128),
    ])
    func tagsOfTheGrammarAreValid(text: String) throws {
        let tag = try #require(ImageTag(text))
        #expect(tag.text == text)
        #expect(tag.description == text)
    }

    @Test(arguments: [
        "", " ", ".", "-", ".a", "-a", "a b", " a", "a ", "a\n", "a\u{0}", "a/b", "a:b", "a@b", "a+b", "a#b", "a%20b",
        "a*", "é", "aé", "a\u{301}", "ａ", String(repeating: "t", count: 129),
    ])
    func anythingElseIsNoTag(text: String) {
        #expect(ImageTag(text) == nil)
    }

    @Test(arguments: 0...127)
    func dotsAndDashesDoNotComeFirst(character: Int) {
        let scalar = Unicode.Scalar(UInt8(character))
        let isWord = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar)
        let isFirst = isWord || scalar == "_"
        #expect((ImageTag(String(scalar)) != nil) == isFirst)
        #expect((ImageTag("a\(scalar)") != nil) == (isFirst || scalar == "." || scalar == "-"))
    }

    @Test(arguments: 0...140)
    func tagsHaveAtMost128Characters(length: Int) {
        let tag = ImageTag(String(repeating: "9", count: length))
        #expect((tag != nil) == (1...128).contains(length))
    }

    @Test func partsOfATextAreAccepted() {
        #expect(ImageTag("a:latest".split(separator: ":")[1])?.text == "latest")
    }
}

/// References are digests when a colon is in them, else tags.
@Suite struct ManifestReferenceTests {
    @Test func digestsAndTagsAreToldApart() throws {
        let digest = try #require(Digest("sha256:\(hash)"))
        let long = try #require(Digest("sha512:\(hash)\(hash)"))
        let tag = try #require(ImageTag("latest"))
        let plain = try #require(ImageTag(hash))
        let companion = try #require(ImageTag("sha256-\(hash)"))
        #expect(ManifestReference("sha256:\(hash)") == ManifestReference.digest(digest))
        #expect(ManifestReference("sha512:\(hash)\(hash)") == ManifestReference.digest(long))
        #expect(ManifestReference("latest") == ManifestReference.tag(tag))
        #expect(ManifestReference("a/latest".split(separator: "/")[1]) == ManifestReference.tag(tag))
        // Without the colon it is a name like any other.
        #expect(ManifestReference(hash) == ManifestReference.tag(plain))
        #expect(ManifestReference("sha256-\(hash)") == ManifestReference.tag(companion))
    }

    @Test(arguments: [
        "", ":", "a:b", "sha256:", "sha256:\(hash.dropLast())", "sha256:\(hash.uppercased())", "sha512:\(hash)",
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d", "latest:sha256:\(hash)", "-latest", ".latest", "a b",
    ])
    func anythingElseIsNoReference(text: String) {
        #expect(ManifestReference(text) == nil)
    }
}

/// Patterns describe whole tags; a star stands for any run of characters.
@Suite struct TagPatternTests {
    @Test(arguments: [
        "*", "**", "latest", "v*", "*-dev", "v*.*.*", "-a", ".a", "*.*", "_", String(repeating: "*", count: 128),
        String(repeating: "t", count: 128), String(repeating: "t", count: 127) + "*",
    ])
    func charactersOfTagsAndStarsArePatterns(text: String) throws {
        let pattern = try #require(TagPattern(text))
        #expect(pattern.text == text)
        #expect(pattern.description == text)
    }

    @Test(arguments: [
        "", " ", "a b", "a/b", "v?", "v[0-9]", "a:b", "a,b", "é", "a\n", "v\\*", String(repeating: "t", count: 129),
        String(repeating: "*", count: 129),
        // The last character counts too.
        String(repeating: "t", count: 127) + "!", String(repeating: "t", count: 127) + " ",
    ])
    func anythingElseIsNoPattern(text: String) {
        #expect(TagPattern(text) == nil)
    }

    @Test(arguments: [
        (pattern: "latest", tag: "latest", matches: true),
        (pattern: "latest", tag: "latest1", matches: false),
        (pattern: "latest", tag: "lates", matches: false),
        (pattern: "latest", tag: "Latest", matches: false),
        (pattern: "*", tag: "latest", matches: true),
        (pattern: "***", tag: "a", matches: true),
        (pattern: "v*", tag: "v", matches: true),
        (pattern: "v*", tag: "v1.2", matches: true),
        (pattern: "v*", tag: "1v", matches: false),
        (pattern: "*v", tag: "1v", matches: true),
        (pattern: "*v", tag: "v1", matches: false),
        (pattern: "*-dev", tag: "main-dev", matches: true),
        (pattern: "*-dev", tag: "main-dev-2", matches: false),
        (pattern: "main-*", tag: "main", matches: false),
        (pattern: "main-*", tag: "main-", matches: true),
        (pattern: "v*.*", tag: "v1.2", matches: true),
        (pattern: "v*.*", tag: "v12", matches: false),
        (pattern: "*.*", tag: "a.", matches: true),
        (pattern: "a*a", tag: "a", matches: false),
        (pattern: "a*a", tag: "aa", matches: true),
        (pattern: "a*a", tag: "aba", matches: true),
        (pattern: "a*a", tag: "abab", matches: false),
        (pattern: "*ab", tag: "aab", matches: true),
        (pattern: "*ab", tag: "abab", matches: true),
        (pattern: "*ab", tag: "aba", matches: false),
        (pattern: "*a*b*", tag: "xxaxxbxx", matches: true),
        (pattern: "*a*b*", tag: "xxbxxaxx", matches: false),
        (pattern: "*aab*aab", tag: "aaab-aaab", matches: true),
        (pattern: "*aab*aab", tag: "aaab", matches: false),
        (pattern: ".*", tag: "a.b", matches: false),
    ])
    func patternsDescribeWholeTags(pattern: String, tag: String, matches: Bool) throws {
        let name = try #require(ImageTag(tag))
        #expect(try #require(TagPattern(pattern)).matches(name) == matches)
    }

    /// Against the plain recursive meaning of a star, on a small alphabet where much nearly fits.
    @Test func randomPatternsMeanWhatAStarMeans() throws {
        func fits(_ pattern: Substring, _ name: Substring) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == "*" {
                return fits(pattern.dropFirst(), name) || (!name.isEmpty && fits(pattern, name.dropFirst()))
            }
            return name.first == first && fits(pattern.dropFirst(), name.dropFirst())
        }
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let text = Self.random("ab*", length: Int.random(in: 1...7, using: &generator), using: &generator)
            let name = Self.random("ab", length: Int.random(in: 1...8, using: &generator), using: &generator)
            let pattern = try #require(TagPattern(text))
            let tag = try #require(ImageTag(name))
            #expect(
                pattern.matches(tag) == fits(text[...], name[...]),
                "\(text) and \(name), LARDER_TEST_SEED=\(seed)"
            )
        }
    }

    private static func random(
        _ characters: String,
        length: Int,
        using generator: inout SeededGenerator
    ) -> String {
        var result = ""
        while result.count < length {
            if let character = characters.randomElement(using: &generator) { result.append(character) }
        }
        return result
    }

    @Test func manyStarsTakeNoLongTime() throws {
        let pattern = try #require(TagPattern(String(repeating: "a*", count: 63) + "b"))
        let tag = try #require(ImageTag(String(repeating: "a", count: 128)))
        for _ in 0..<1000 {
            #expect(!pattern.matches(tag))
        }
    }
}
