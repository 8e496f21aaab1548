import LarderCore
import LarderTestSupport
import Testing

@testable import LarderClient

/// Templates of keys are read and evaluated without looking at the machine.
@Suite struct KeyTemplateTests {
    /// 2026-01-02 03:04:05 UTC, a Friday.
    private static let now = Timestamp(milliseconds: 1_767_323_045_000)

    private func context(branch: String? = "feature/x") -> KeyContext {
        KeyContext(
            system: "linux",
            machine: "x86_64",
            environment: ["NODE": "20", "EMPTY": "", "LINES": "a\nb"],
            branch: branch,
            now: Self.now
        ) { patterns throws(ClientError) in
            if patterns == ["bad"] { throw ClientError("bad files") }
            return "<" + patterns.joined(separator: "|") + ">"
        }
    }

    @Test(arguments: [
        ("plain", "plain"),
        ("linux-npm-{{ hash \"package-lock.json\" \"**/yarn.lock\" }}", "linux-npm-<package-lock.json|**/yarn.lock>"),
        ("{{os}}-{{ arch }}", "linux-x86_64"),
        ("node{{ env \"NODE\" }}", "node20"),
        ("{{ env \"MISSING\" \"none\" }}{{ env \"EMPTY\" \"\" }}.", "none."),
        ("{{ env 'NODE' 'x' }}", "20"),
        ("{{ branch }}-x", "feature/x-x"),
        (
            "{{ date \"%Y-%m\" }} {{ date \"%G-%V\" }} {{ date \"%F %H:%M:%S %j %u%%\" }}",
            "2026-01 2026-01 2026-01-02 03:04:05 002 5%"
        ),
        ("{{ \"{{\" }}x{{ '}}' }}", "{{x}}"),
        ("{{ hash \"a\\\"b\\\\c\\*\" }}", "<a\"b\\c\\*>"),
        ("{{ hash 'a\\' }}", "<a\\>"),
        ("a}}b {x} $X, y", "a}}b {x} $X, y"),
        ("{{\n  hash\n  \"a\"\n}}", "<a>"),
        ("ключ-{{ os }}", "ключ-linux"),
    ])
    func aTemplateBecomesAKey(text: String, key: String) throws {
        #expect(try KeyTemplate(text).key(context()) == key)
    }

    @Test(arguments: [
        ("a{{ foo }}", "'foo' is no function", 5), ("{{", "{{ has no }}", 1), ("x {{ os", "{{ has no }}", 3),
        ("{{ hash \"a }}", "the quote has no end", 9), ("{{ }}", "a function is wanted", 4),
        ("{{ hash }}", "it is written {{ hash", 4), ("{{ os \"x\" }}", "it is written {{ os }}", 4),
        ("{{ env }}", "it is written {{ env", 4), ("{{ env \"A\" \"B\" \"C\" }}", "it is written {{ env", 4),
        ("{{ os, }}", "is wanted, not ','", 6), ("{{ hash a }}", "is wanted, not 'a'", 9),
        ("{{ date \"%Q\" }}", "%Q is no part of a date", 4), ("{{ date \"x%\" }}", "% is no part of a date", 4),
        ("{{ date \"\" }}", "a date's format has", 4), ("{{ .Branch }}", "a function is wanted", 4),
        ("é{{ x }}", "'x' is no function", 5),
    ])
    func aMistakeIsToldWithItsPlace(text: String, problem: String, character: Int) {
        let error = #expect(throws: ClientError.self) { try KeyTemplate(text) }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("at character \(character))") == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("{{ env \"MISSING\" }}", "MISSING"), ("{{ env \"EMPTY\" }}", "EMPTY"), ("{{ hash \"bad\" }}", "bad files"),
        ("{{ env \"LINES\" }}", "control character"), ("", "empty"), ("{{ env \"EMPTY\" \"\" }}", "empty"),
        (String(repeating: "x", count: 513), "513 bytes"), ("a\u{7f}", "control character"), ("a\u{85}", "control"),
    ])
    func whatGivesNoKeyIsAnError(text: String, word: String) throws {
        let template = try KeyTemplate(text)
        let error = #expect(throws: ClientError.self) { try template.key(context()) }
        #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }

    @Test func aBranchThatIsNotKnownIsAnErrorOnlyWhereItIsWanted() throws {
        #expect(try KeyTemplate("{{ os }}").key(context(branch: nil)) == "linux")
        let template = try KeyTemplate("{{ branch }}")
        #expect(throws: ClientError.self) { try template.key(context(branch: nil)) }
    }

    @Test func theLongestKeyIsOne() throws {
        let key = String(repeating: "é", count: 256)
        #expect(try KeyTemplate(key).key(context()) == key)
    }

    @Test func anyTextIsReadOrRefused() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let words = ["{{", "}}", " ", "\"", "'", "hash", "env", "os", "\\", "x", "%Y", "date", "é", "\n", "{", "}"]
        var readCount = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
                words.randomElement(using: &generator) ?? ""
            }.joined()
            guard let template = try? KeyTemplate(text) else { continue }
            readCount += 1
            // What has no braces means itself.
            if !text.contains("{{"), let key = try? template.key(context()) {
                #expect(key == text, "LARDER_TEST_SEED=\(seed)")
            }
        }
        #expect(readCount > 1000)
    }
}
