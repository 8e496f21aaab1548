import LarderTestSupport
import Testing

@testable import LarderClient

/// Patterns for paths mean what buildspecs mean by them, whatever they cost to match by trying.
@Suite struct PathPatternTests {
    @Test(arguments: [
        (
            "imagedefinitions.json", ["imagedefinitions.json", "./imagedefinitions.json"],
            ["a/imagedefinitions.json", "x"]
        ),
        ("scripts", ["scripts", "scripts/a", "scripts/b/.c"], ["scripts2", "a/scripts"]),
        ("scripts/", ["scripts", "scripts/a"], ["script"]),
        ("./scripts", ["scripts/a"], ["a/scripts"]),
        ("scripts/*", ["scripts/a", "scripts/.hidden"], ["scripts", "scripts/a/b"]),
        ("scripts/**/*", ["scripts/a", "scripts/a/b/c", "scripts/.git/x"], ["scripts", "other/a"]),
        ("scripts/**", ["scripts/a", "scripts/a/b"], ["scripts", "scripts2/a"]),
        ("**/*", ["a", "a/b", ".x/.y"], [""]),
        ("**", ["a", "a/b"], [""]),
        (".", ["a", "a/b", ""], ["/a"]),
        ("**/yarn.lock", ["yarn.lock", "a/yarn.lock", "a/b/yarn.lock"], ["a/yarn.lock2", "yarn.loc"]),
        (
            "packages/*/node_modules", ["packages/a/node_modules", "packages/a/node_modules/x/y"],
            ["packages/node_modules"]
        ),
        ("*.js", ["a.js", ".js"], ["a/b.js", "a.jsx"]),
        ("a?c", ["abc", "aéc", "a日c"], ["ac", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[!a-c]x", ["dx", "éx"], ["ax", "x"]),
        ("[^ab]", ["c"], ["a"]),
        ("[]-]", ["]", "-"], ["a"]),
        ("[é-ñ]", ["ê"], ["e", "z"]),
        ("[a", ["[a"], ["a"]),
        ("[a/b]", ["[a/b]"], ["a"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("\\*", ["*"], ["a"]),
        ("a\\[1\\]", ["a[1]"], ["a1"]),
        ("*.{js,css}", ["a.js", "a.css"], ["a.html", "a.{js,css}"]),
        ("{a,b/{c,d}}/*", ["a/x", "b/c/x", "b/d/x"], ["b/x", "c/x"]),
        ("{a}", ["{a}"], ["a"]),
        ("${X}/{a", ["${X}/{a"], ["a"]),
        ("\\{a,b\\}", ["{a,b}"], ["a"]),
        ("/root/.npm/**/*", ["/root/.npm/a", "/root/.npm/_cacache/b"], ["root/.npm/a", "/root/.npm", "/root/x"]),
        ("/", ["/", "/a/b"], ["a"]),
        ("~/.m2", ["~/.m2", "~/.m2/repository/x"], ["/root/.m2"]),
        ("../x/*", ["../x/a"], ["x/a"]),
        ("a/**/b/**/c/*", ["a/b/c/x", "a/1/b/2/3/c/x", "a/b/b/c/c/x"], ["a/b/c", "a/c/b/x"]),
    ])
    func aPatternMatches(text: String, matches: [String], others: [String]) throws {
        let pattern = try PathPattern(text)
        for path in matches { #expect(pattern.matches(path), "\(text) and \(path)") }
        for path in others { #expect(!pattern.matches(path), "\(text) and \(path)") }
    }

    @Test(arguments: [
        ("node_modules/**/*", "node_modules"), ("/root/.npm/**/*", "/root/.npm"), ("a*/b", "."), ("**/*", "."),
        ("scripts/x.sh", "scripts/x.sh"), ("~/.m2", "~/.m2"), ("./a/b/", "a/b"), (".", "."), ("/", "/"), ("/*", "/"),
        ("a/[bc]/d", "a"), ("a/b?", "a"), ("a/{b,c}/d", "a"), ("{a/b,a/c/*}/x", "a"), ("{a,b}", "."), ("{/a,b}", "."),
        ("a/\\*/b*", "a/*"), ("../x/*", "../x"), ("a//b/**", "a/b"), ("a/{b}/c", "a/{b}/c"),
    ])
    func theRootIsWhatComesBeforeTheFirstWildcard(text: String, root: String) throws {
        #expect(try PathPattern(text).literalRoot == root)
    }

    @Test(arguments: [
        ("a/b/*.js", ["", "a", "a/b"], ["b", "a/c", "a/b/c", "/a"]),
        ("**/x", ["", "a", "a/b/c"], []),
        ("a/**/x", ["", "a", "a/b"], ["b"]),
        ("dist", ["", "dist", "dist/a"], ["src"]),
        ("*/x.js", ["", "a"], ["a/b"]),
        ("/a/*", ["/", "/a"], ["", "a", "/b"]),
    ])
    func aWalkNeedsToGoWhereSomethingMayMatch(text: String, folders: [String], others: [String]) throws {
        let pattern = try PathPattern(text)
        for folder in folders { #expect(pattern.mayMatchBelow(folder: folder), "\(text) and \(folder)") }
        for folder in others { #expect(!pattern.mayMatchBelow(folder: folder), "\(text) and \(folder)") }
    }

    @Test(arguments: [
        ("node_modules", ["node_modules", "node_modules/a"], ["", "a"]),
        ("**/node_modules/**/*", ["node_modules", "a/node_modules", "a/node_modules/b"], ["", "a"]),
        ("**/.*/**/*", [".git", "a/.git/b"], ["", "a"]),
        ("**/.*", [], [".git", "a"]),
        ("**/*", ["", "a", "a/b"], []),
        ("*.js", [], ["", "a.js"]),
    ])
    func aWalkNeedNotGoWhereEverythingIsLeftOut(text: String, folders: [String], others: [String]) throws {
        let pattern = try PathPattern(text)
        for folder in folders { #expect(pattern.matchesAllBelow(folder: folder), "\(text) and \(folder)") }
        for folder in others { #expect(!pattern.matchesAllBelow(folder: folder), "\(text) and \(folder)") }
    }

    /// The guide of CodeBuild writes it so for a file in any folder.
    @Test func aPatternForEverythingBelowLeavesTheFileOutToo() throws {
        let pattern = try PathPattern("**/secret.txt/**/*")
        #expect(pattern.excludes("secret.txt"))
        #expect(pattern.excludes("a/secret.txt"))
        #expect(!pattern.excludes("a/secret.txt.pub"))
    }

    @Test(arguments: [
        ("a/b", true), ("**", true), ("/a", false), ("../a", false), ("a/../b", false), ("~/x", false), ("a/~", true),
        ("{a,/b}", false), ("..a/b..", true),
    ])
    func whatLeadsOutOfTheFolderIsKnown(text: String, staysInside: Bool) throws {
        #expect(try PathPattern(text).staysInside == staysInside)
    }

    @Test(arguments: ["", "a\nb", "a\u{0}", String(repeating: "a", count: 4097), String(repeating: "{a,b}", count: 9)])
    func whatIsNoPatternIsRefused(text: String) {
        #expect(throws: ClientError.self) { try PathPattern(text) }
    }

    /// Trying every way would take longer than the universe has.
    @Test func manyStarsCostLittle() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let name = String(repeating: "a", count: 200)
        let stars = try PathPattern("**/**/**/" + String(repeating: "a*", count: 60) + "b")
        #expect(!stars.matches(String(repeating: name + "/", count: 15) + name))
        let folders = try PathPattern(String(repeating: "**/a/", count: 200) + "b")
        #expect(!folders.matches(String(repeating: "a/", count: 1500) + "c"))
        #expect(clock.now - start < .seconds(10))
    }

    @Test func randomPatternsMeanWhatTryingEverythingMeans() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        var matchCount = 0
        let words = ["a", "b", "ab", "*", "?", "a*", "*b", "[ab]", "[!a]", "**", "é", "?*"]
        let names = ["a", "b", "ab", "ba", "é", "aab"]
        for _ in 0..<20_000 {
            let parts = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                words.randomElement(using: &generator) ?? "a"
            }
            let path = (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                names.randomElement(using: &generator) ?? "a"
            }
            let pattern = try PathPattern(parts.joined(separator: "/"))
            let text = path.joined(separator: "/")
            let expected = Naive.matches(parts, path)
            let comment: Comment = "\(pattern) and \(text), LARDER_TEST_SEED=\(seed)"
            #expect(pattern.matches(text) == expected, comment)
            matchCount += expected ? 1 : 0
            guard expected else { continue }
            for count in 0..<path.count {
                let folder = path.prefix(count).joined(separator: "/")
                #expect(pattern.mayMatchBelow(folder: folder), comment)
            }
        }
        #expect(matchCount > 1000)
    }

    @Test func foldersThatAreCoveredHoldNothingElse() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        var coveredCount = 0
        let words = ["a", "b", "*", "a*", "**", "**/*"]
        let names = ["a", "b", "ab"]
        for _ in 0..<20_000 {
            let parts = (0..<Int.random(in: 1...3, using: &generator)).compactMap { _ in
                words.randomElement(using: &generator)
            }
            let path = (0..<Int.random(in: 1...4, using: &generator)).compactMap { _ in
                names.randomElement(using: &generator)
            }
            let pattern = try PathPattern(parts.joined(separator: "/"))
            let folder = path.dropLast().joined(separator: "/")
            guard pattern.matchesAllBelow(folder: folder) else { continue }
            coveredCount += 1
            let file = path.joined(separator: "/")
            #expect(pattern.matches(file), "\(pattern) covers \(folder), not \(file), LARDER_TEST_SEED=\(seed)")
        }
        #expect(coveredCount > 500)
    }
}

/// The meaning of patterns, found by trying everything.
private enum Naive {
    static func matches(_ parts: [String], _ path: [String]) -> Bool {
        if parts.last == "**" { return steps(parts[...] + ["*"], path[...]) }
        let isPlain = parts.last.map { !$0.contains { "*?[".contains($0) } } ?? true
        return steps(isPlain ? parts[...] + ["**"] : parts[...], path[...])
    }

    private static func steps(_ parts: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
        guard let first = parts.first else { return path.isEmpty }
        if first == "**" {
            return steps(parts.dropFirst(), path) || !path.isEmpty && steps(parts, path.dropFirst())
        }
        guard let name = path.first else { return false }
        return part(Array(first)[...], Array(name)[...]) && steps(parts.dropFirst(), path.dropFirst())
    }

    private static func part(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        let rest = pattern.dropFirst()
        switch first {
        case "*": return part(rest, name) || !name.isEmpty && part(pattern, name.dropFirst())
        case "?": return !name.isEmpty && part(rest, name.dropFirst())
        case "[":
            guard let character = name.first, let end = rest.firstIndex(of: "]") else { return false }
            let isNegated = rest.first == "!"
            return rest[..<end].contains(character) != isNegated && part(pattern[(end + 1)...], name.dropFirst())
        default: return name.first == first && part(rest, name.dropFirst())
        }
    }
}
