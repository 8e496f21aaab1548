import LarderRetention
import Testing

/// Texts of strangers: too long, nested too deep, cyclic, or broken somewhere in the middle.
@Suite struct PolicyTextTests {
    private typealias Text = PolicyText

    private static func unreadable(_ text: String, hint: String, at place: PolicyPlace? = nil) {
        do {
            _ = try RetentionPolicy(text)
            Issue.record("accepted")
        } catch {
            #expect(error.reason == Text.unreadable)
            #expect(error.hint.contains(hint), "\(error)")
            #expect(error.path.isEmpty)
            if let place { #expect(error.place == place) }
        }
    }

    // MARK: - Limits

    @Test func textsHaveALimit() throws {
        let policy = Text.policy(Text.rule(1, Text.any, Text.count))
        let space = String(repeating: " ", count: 30_720 - policy.utf8.count)
        #expect(try RetentionPolicy(policy + space).rules.count == 1)
        let error = #expect(throws: PolicyError.self) { try RetentionPolicy(policy + space + " ") }
        #expect(error?.reason.contains("30720") == true)
        // Bytes count, not characters.
        let letters = String(repeating: "\u{e9}", count: 15_361)
        let other = #expect(throws: PolicyError.self) { try RetentionPolicy("# " + letters) }
        #expect(other?.reason.contains("30724") == true)
    }

    private static func rules(_ count: Int) -> String {
        let rules = (1...count).map { number in
            Text.rule(number, #""tagStatus": "tagged", "tagPrefixList": ["a\#(number)-"]"#, Text.count)
        }
        return #"{"rules": ["# + rules.joined(separator: ",\n") + "]}"
    }

    @Test func policiesHaveFiftyRulesAtMost() throws {
        #expect(try RetentionPolicy(Self.rules(50)).rules.count == 50)
        Refusal("", Self.rules(51), says: "51", "50", path: "rules").check()
    }

    private static func list(_ count: Int) -> String {
        "[" + (1...count).map { "\"a\($0)\"" }.joined(separator: ", ") + "]"
    }

    @Test func listsHaveAHundredPatternsAtMost() throws {
        func tagged(_ count: Int) -> String {
            Text.policy(Text.rule(1, #""tagStatus": "tagged", "tagPatternList": \#(Self.list(count))"#, Text.count))
        }
        #expect(try RetentionPolicy(tagged(100)).rules[0].selection.tagPatterns.count == 100)
        Refusal("", tagged(101), says: "101", "100", path: "rules[0].selection.tagPatternList").check()
        func included(_ count: Int) -> String {
            Text.extended(Text.rule(1, Text.any, #""include": {"labels": {"a": \#(Self.list(count))}}"#, Text.count))
        }
        #expect(try RetentionPolicy(included(100)).rules[0].selection.included?.labels["a"]?.count == 100)
        Refusal("", included(101), says: "101", "100", path: "rules[0].selection.include.labels.a").check()
    }

    @Test func expressionsHave256CharactersAtMost() throws {
        let expression = String(repeating: "a", count: 256)
        let text = Text.extended(Text.rule(1, Text.any, #""include": {"scopes": ["/\#(expression)/"]}"#, Text.count))
        #expect(try RetentionPolicy(text).rules[0].selection.included?.scopes.count == 1)
    }

    // MARK: - Nesting

    @Test(arguments: [
        (name: "brackets", text: String(repeating: "[", count: 30_000)),
        (name: "braces", text: String(repeating: #"{"a":"#, count: 6000)),
        (name: "brackets in YAML", text: "rules: " + String(repeating: "[", count: 30_000)),
        (name: "brackets on lines in YAML", text: "rules:\n" + String(repeating: "  [\n", count: 7000)),
        (name: "braces in YAML", text: "rules: " + String(repeating: "{a: ", count: 7000)),
        (name: "dashes", text: String(repeating: "- ", count: 15_000)),
        (name: "questions", text: String(repeating: "? ", count: 15_000)),
        (name: "dashes and questions", text: String(repeating: "- ? ", count: 7000)),
    ])
    func deepNestingIsRefused(name: String, text: String) {
        Self.unreadable(text, hint: "nested")
    }

    @Test(arguments: [
        (name: "colons", text: String(repeating: ": ", count: 15_000)),
        (name: "colons behind a key", text: "a" + String(repeating: ": ", count: 15_000)),
        (name: "dashes and colons", text: String(repeating: "- : ", count: 7000)),
        (name: "questions, dashes and colons", text: String(repeating: "? - : ", count: 5000)),
        (name: "types", text: String(repeating: "!a ", count: 10_000)),
    ])
    func otherNestingIsRefused(name: String, text: String) {
        Self.unreadable(text, hint: "")
    }

    @Test func deepIndentationIsRefused() {
        let lines = (0..<160).map { String(repeating: " ", count: $0) + "a:\n" }
        Self.unreadable(lines.joined(), hint: "too large")
        let more = (0..<240).map { String(repeating: " ", count: $0) + "a:\n" }
        Self.unreadable(more.joined(), hint: "nested too deep", at: PolicyPlace(line: 162, column: 1))
    }

    @Test func bracketsWithinTextsAreNoNesting() throws {
        let rules = (1...20).map { number in
            """
            - rulePriority: \(number)
              description: 'the last [3 of {a'
              selection: {tagStatus: tagged, tagPrefixList: [\(number)-], countType: imageCountMoreThan, countNumber: 3}
              action: {type: expire} # or [so {on

            """
        }
        #expect(try RetentionPolicy("rules:\n" + rules.joined()).rules.count == 20)
    }

    // MARK: - Aliases

    /// Each line stands for ten times the one before.
    private static let bomb =
        "a0: &a0 [x]\n"
        + (1...12).map { number in
            "a\(number): &a\(number) [" + Array(repeating: "*a\(number - 1)", count: 10).joined(separator: ", ") + "]\n"
        }
        .joined()

    @Test(arguments: [
        (name: "values", text: bomb),
        (name: "a policy", text: bomb + "rules: *a12\n"),
        (name: "a merge", text: bomb + "<<: *a12\n"),
        (name: "a chain", text: "a0: &a0 [x]\n" + (1...1200).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()),
    ])
    func aliasesThatStandForTooMuchAreRefused(name: String, text: String) {
        Self.unreadable(text, hint: "anchors")
    }

    /// Keys are compared with each other when a text is read.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            (name: "a key", text: bomb + "? *a12\n: 1\n"),
            (name: "keys in a flow", text: bomb + "z: {*a12 : 1, *a11 : 2}\n"),
        ]
    )
    func keysThatStandForTooMuchAreRefused(name: String, text: String) {
        Self.unreadable(text, hint: "")
    }

    @Test func anAliasMayNotContainItself() {
        Self.unreadable("rules: &a [*a]\n", hint: "aliases", at: PolicyPlace(line: 1, column: 1))
    }

    @Test func anAliasNeedsItsAnchor() {
        Self.unreadable("rules:\n  - *nothing\n", hint: "alias", at: PolicyPlace(line: 2, column: 5))
    }

    /// They could stand for very much, and nobody needs them here.
    @Test func anchorsAreRefused() {
        Self.unreadable("rules: &a [x]\n", hint: "anchors", at: PolicyPlace(line: 1, column: 1))
        // What looks like the beginning of a quoted text, or like a comment, hides none.
        let bomb = "\n" + Self.bomb + "? *a12\n: 1\n"
        for start in ["note: it 's", "note: 'it''s", "# c\r", "note: \"a\\\"", "note: [it 's]"] {
            Self.unreadable(start + bomb, hint: "anchors")
        }
    }

    @Test func ampersandsWithinTextsAreNoAnchors() throws {
        let texts = ["R&D", "build & test", "'&quoted'", "\"&quoted\""]
        for text in texts {
            let policy = try RetentionPolicy(
                """
                rules:
                - rulePriority: 1
                  description: \(text)
                  selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 3}
                  action: {type: expire}
                """
            )
            #expect(policy.rules.count == 1)
        }
    }

    // MARK: - Keys

    @Test func keysOfJSONComeOnce() {
        let text = """
            {"rules": [{
              "rulePriority": 1,
              "rulePriority": 2
            }]}
            """
        Self.unreadable(text, hint: "the key rulePriority comes twice")
        Self.unreadable(#"{"rules": [], "rules": []}"#, hint: "the key rules comes twice")
    }

    @Test(arguments: [
        "rules: []\nrules: []\n", "rules:\n- {action: 1, action: 1}\n", "rules:\n- action: 1\n  \"action\": 2\n",
    ])
    func keysOfYAMLComeOnce(text: String) {
        Self.unreadable(text, hint: "comes twice")
    }

    @Test func keysAreWords() {
        Self.unreadable("rules: []\n[a]: 1\n", hint: "plain word", at: PolicyPlace(line: 2, column: 1))
        Self.unreadable("rules: []\n? {a: 1}\n: 1\n", hint: "plain word", at: PolicyPlace(line: 2, column: 3))
    }

    // MARK: - Places

    @Test func brokenYAMLIsRefusedWithItsPlace() {
        Self.unreadable(
            "rules:\n- rulePriority: 1\n\tselection: 1\n",
            hint: "YAML",
            at: PolicyPlace(line: 3, column: 1)
        )
        Self.unreadable("rules: [\n  {a: 1},\n", hint: "YAML", at: PolicyPlace(line: 3, column: 1))
        Self.unreadable("rules:\n- 'open\n", hint: "YAML", at: PolicyPlace(line: 3, column: 1))
        Self.unreadable("rules: *\n", hint: "YAML", at: PolicyPlace(line: 1, column: 9))
        Self.unreadable("rules: []\n---\nrules: []\n", hint: "YAML", at: PolicyPlace(line: 2, column: 1))
    }

    @Test func brokenJSONIsRefusedWithItsPlace() {
        Self.unreadable("{\n  \"rules\": [\n    {,}\n  ]\n}", hint: "string", at: PolicyPlace(line: 3, column: 6))
        Self.unreadable("{\n  \"rules\": [\n", hint: "too early", at: PolicyPlace(line: 3, column: 1))
        Self.unreadable("\n\n  {\"rules\": nil}", hint: "no value", at: PolicyPlace(line: 3, column: 13))
        // Columns are characters: the text before has one of two bytes and one of four.
        Self.unreadable("{\"\u{e9}\u{1F980}\": !}", hint: "no value", at: PolicyPlace(line: 1, column: 8))
    }

    @Test func defectsOfJSONHaveTheirPlace() {
        let text = """
            {
              "rules": [
                {
                  "rulePriority": 1,
                  "selection": {
                    "tagStatus": "any",
                    "countType": "imageCountMoreThan",
                    "countNumber": 0
                  },
                  "action": {"type": "expire"}
                }
              ]
            }
            """
        Refusal(
            "",
            text,
            reason: "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
            path: "rules[0].selection.countNumber",
            at: PolicyPlace(line: 8, column: 24)
        )
        .check()
        Refusal(
            "",
            text.replacing("\"countNumber\": 0", with: "\"countNumber\": 1")
                .replacing("\"expire\"", with: "\"expire\", \"foo\": 1"),
            reason: #"object instance has properties which are not allowed by the schema: (["foo"])"#,
            path: "rules[0].action",
            at: PolicyPlace(line: 10, column: 36)
        )
        .check()
    }

    private static let yaml = """
        version: 1
        rules:
          - rulePriority: 1
            selection:
              tagStatus: tagged
              tagPatternList: [v*]
              countType: imageCountMoreThan
              countNumber: 3
            action:
              type: expire
          - rulePriority: 2
            selection:
              tagStatus: any
              countType: sinceImagePushed
              countUnit: days
              countNumber: 30
              exclude:
                tags: [a, /b/]
            action: {type: expire}

        """

    @Test(arguments: [
        (
            old: "countNumber: 3\n", new: "countNumber: many\n", path: "rules[0].selection.countNumber", line: 8,
            column: 20
        ),
        (old: "type: expire\n", new: "type: forget\n", path: "rules[0].action.type", line: 10, column: 13),
        (old: "rulePriority: 2", new: "rulePriority: 1", path: "rules[1].rulePriority", line: 11, column: 5),
        (old: "  countUnit: days", new: "  countUnits: days", path: "rules[1].selection", line: 15, column: 7),
        (old: "/b/", new: "/(/", path: "rules[1].selection.exclude.tags[1]", line: 18, column: 15),
        (old: "tags: [a", new: "tag: [a", path: "rules[1].selection.exclude", line: 18, column: 9),
        (
            old: "  exclude:", new: "  orderBy: lastUse\n      exclude:", path: "rules[1].selection.orderBy", line: 17,
            column: 7
        ),
        (old: "[v*]", new: "[v*, a/b]", path: "rules[0].selection.tagPatternList", line: 6, column: 7),
        (old: "version: 1", new: "version: one", path: "version", line: 1, column: 10),
    ])
    func defectsOfYAMLHaveTheirPlace(old: String, new: String, path: String, line: Int, column: Int) throws {
        #expect(try RetentionPolicy(Self.yaml).rules.count == 2)
        let text = Self.yaml.replacing(old, with: new, maxReplacements: 1)
        Refusal("", text, path: path, at: PolicyPlace(line: line, column: column)).check()
    }

    @Test func quotedNumbersAreTexts() throws {
        let text = Self.yaml.replacing("countNumber: 3\n", with: "countNumber: '3'\n")
        let reason = #"instance type (string) does not match any allowed primitive type (allowed: ["integer"])"#
        Refusal("", text, reason: reason, path: "rules[0].selection.countNumber").check()
        // And plain numbers are no tags.
        let tag = Self.yaml.replacing("[v*]", with: "[1]")
        Refusal("", tag, says: "(integer)", path: "rules[0].selection.tagPatternList[0]").check()
        #expect(try RetentionPolicy(Self.yaml.replacing("[v*]", with: "['1', 1.2.3]")).rules.count == 2)
    }
}
