import LarderCore
import LarderRetention
import LarderTestSupport

/// A policy that was drawn; it may be one that is refused.
struct PolicyDraft {
    struct Rule {
        var priority: Int
        /// Texts of JSON by the names of members.
        var selection: [String: String]
        var countNumber: Int
        var isSize = false
        var action: String
    }

    var isExtended: Bool
    var rules: [Rule]

    var text: String {
        let rules = rules.map { rule -> String in
            var members = rule.selection
            members["countNumber"] = rule.isSize ? "\"\(rule.countNumber)B\"" : "\(rule.countNumber)"
            return """
                {"rulePriority": \(rule.priority), "selection": \(Self.object(members)), "action": \(rule.action)}
                """
        }
        return "{" + (isExtended ? "\"version\": 1, " : "") + "\"rules\": [\n" + rules.joined(separator: ",\n") + "]}"
    }

    static func object(_ members: [String: String]) -> String {
        "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }
}

/// Draws policies and inventories in which ties, shared blobs, pins and relations of all kinds are common.
struct RandomPolicies {
    static let now = Timestamp(milliseconds: 1_780_000_000_000)

    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func shuffled<Value>(_ values: [Value]) -> [Value] { values.shuffled(using: &generator) }

    mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...(values.count - 1))] }

    /// A JSON array of texts.
    private mutating func list(_ values: [String], _ counts: ClosedRange<Int>) -> String {
        "[" + values.shuffled(using: &generator).prefix(number(counts)).joined(separator: ", ") + "]"
    }

    // MARK: - Policies

    mutating func policy(isExtended: Bool, ruleCount: ClosedRange<Int> = 1...4) -> PolicyDraft {
        let count = number(ruleCount)
        let priorities = Array(1...9).shuffled(using: &generator)
        var rules = (0..<count).map { index in
            isExtended ? extendedRule(priorities[index]) : rule(priorities[index])
        }
        // What identifies everything is refused anywhere but at the end.
        for index in rules.indices where rules[index].selection["tagStatus"] == "\"any\"" {
            rules[index].priority += 10
        }
        return PolicyDraft(isExtended: isExtended, rules: rules)
    }

    /// A rule of Amazon ECR's grammar.
    private mutating func rule(_ priority: Int) -> PolicyDraft.Rule {
        var selection = ["tagStatus": pick(["\"any\"", "\"untagged\"", "\"tagged\"", "\"tagged\"", "\"tagged\""])]
        if selection["tagStatus"] == "\"tagged\"" {
            let (name, texts) = tagList()
            selection[name] = texts
        }
        let expire = #"{"type": "expire"}"#
        let transition = #"{"type": "transition", "targetStorageClass": "archive"}"#
        if chance(50) {
            selection["countType"] = "\"imageCountMoreThan\""
            return .init(priority: priority, selection: selection, countNumber: number(1...6), action: expire)
        }
        selection["countUnit"] = "\"days\""
        var (action, days) = (expire, pick([1, 2, 7, 30, 90, 365]))
        switch number(1...10) {
        case 1, 2:
            selection["countType"] = "\"sinceImageTransitioned\""
            selection["storageClass"] = "\"archive\""
            days = pick([90, 365])
        case 3, 4:
            selection["countType"] = "\"sinceImagePulled\""
            action = transition
        default:
            selection["countType"] = "\"sinceImagePushed\""
            if chance(20) { action = transition }
        }
        return .init(priority: priority, selection: selection, countNumber: days, action: action)
    }

    private mutating func tagList() -> (name: String, texts: String) {
        if chance(40) {
            let prefixes = [#""v""#, #""v1.""#, #""main-""#, #""pr-""#, #""release""#, #""sha-""#, #""l""#]
            return ("tagPrefixList", list(prefixes, 1...(chance(20) ? 2 : 1)))
        }
        let patterns = [
            #""v*""#, #""*""#, #""main-*""#, #""release-*""#, #""pr-*-*""#, #""latest""#, #""*-1""#, #""v1.*""#,
            #""*a*""#,
        ]
        return ("tagPatternList", list(patterns, 1...(chance(30) ? 2 : 1)))
    }

    /// A rule with what Larder adds.
    private mutating func extendedRule(_ priority: Int) -> PolicyDraft.Rule {
        var rule = rule(priority)
        if rule.selection["tagStatus"] == "\"tagged\"" && chance(30) {
            rule.selection["tagPatternList"] = nil
            rule.selection["tagPrefixList"] = nil
        }
        if chance(30) || (rule.selection["tagStatus"] == "\"tagged\"" && chance(30)) {
            rule.selection["include"] = filter()
        }
        if chance(25) { rule.selection["exclude"] = filter() }
        if chance(30) { extendLimit(&rule) }
        let isCount = rule.selection["countUnit"] == nil
        if !isCount && chance(50) { rule.selection["keepAtLeast"] = "\(number(1...3))" }
        if isCount || rule.selection["keepAtLeast"] != nil {
            if chance(45) { rule.selection["groupBy"] = grouping() }
            if chance(50) { rule.selection["orderBy"] = pick(["\"version\"", "\"lastUse\"", "\"pushed\""]) }
        }
        if chance(25) {
            rule.selection["target"] = pick(["\"tags\"", "\"tags\"", "\"images\""])
        }
        return rule
    }

    private mutating func extendLimit(_ rule: inout PolicyDraft.Rule) {
        guard rule.selection["storageClass"] == nil else { return }
        switch number(1...4) {
        case 1:
            rule.selection["countType"] = "\"imageBytesMoreThan\""
            rule.selection["countUnit"] = nil
            rule.countNumber = number(1...50) * 10
            rule.isSize = chance(30)
        case 2:
            rule.selection["countType"] = "\"sinceImageUntagged\""
            rule.selection["countUnit"] = "\"days\""
            rule.selection["tagStatus"] = "\"untagged\""
            rule.selection["tagPatternList"] = nil
            rule.selection["tagPrefixList"] = nil
            rule.countNumber = pick([1, 7, 30])
        default:
            rule.selection["countType"] = pick(["\"sinceImagePushed\"", "\"sinceImagePulled\""])
            let (number, unit) = pick([
                (30, "minutes"), (45, "minutes"), (1, "hours"), (24, "hours"), (1, "weeks"), (1, "months"),
                (3, "months"), (1, "years"),
            ])
            rule.countNumber = number
            rule.selection["countUnit"] = "\"\(unit)\""
        }
    }

    private mutating func filter() -> String {
        var members: [String: String] = [:]
        let tags = [
            #""v*""#, #""release-*""#, #""/^v\\d+\\.\\d+$/""#, #""/-[12]$/""#, #""latest""#, #""main-*""#, #""/a/""#,
        ]
        repeat {
            switch number(1...9) {
            case 1...4: members["tags"] = list(tags, 1...2)
            case 5: members["keys"] = list([#""sha256:0*""#, #""*1""#, #""/[0-7]$/""#, #""*""#], 1...2)
            case 6: members["scopes"] = list([#""main""#, #""pr*""#, #""""#, #""/^.{2}$/""#], 1...2)
            case 7: members["writers"] = list([#""ci-*""#, #""ann""#, #""/\\d/""#, #""*""#], 1...2)
            default:
                members["labels"] = PolicyDraft.object([
                    pick(["team", "stage"]): list([#""a""#, #""/^(a|prod)$/""#, #""dev*""#, #""*""#], 1...2)
                ])
            }
        } while chance(25)
        return PolicyDraft.object(members)
    }

    private mutating func grouping() -> String {
        pick([
            #"{"tag": "^(.+)-\\d+$"}"#, #"{"tag": "^([a-z]+)"}"#, #"{"tag": "^v(\\d+)"}"#, #"{"tag": "^pr-(\\d+)?"}"#,
            #"{"key": "(.)$"}"#, #"{"label": "team"}"#, #"{"label": "stage"}"#, #"{"scope": true}"#,
            #"{"writer": true}"#,
        ])
    }
}
