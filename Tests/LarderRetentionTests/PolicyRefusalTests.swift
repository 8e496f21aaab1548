import LarderCore
import LarderRetention
import Testing

/// A text that is no policy, and what is said about it.
struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    /// The whole reason, where Amazon ECR's words are known.
    var reason: String?
    /// Parts of the whole message.
    var says: [String]
    let path: String
    var place: PolicyPlace?

    init(
        _ name: String,
        _ text: String,
        reason: String? = nil,
        says: String...,
        path: String = "",
        at place: PolicyPlace? = nil
    ) {
        testDescription = name
        self.text = text
        self.reason = reason
        self.says = says
        self.path = path
        self.place = place
    }

    func check(sourceLocation: SourceLocation = #_sourceLocation) {
        do {
            _ = try RetentionPolicy(text)
            Issue.record("accepted: \(text)", sourceLocation: sourceLocation)
        } catch {
            if let reason { #expect(error.reason == reason, sourceLocation: sourceLocation) }
            for part in says {
                #expect(error.description.contains(part), "\(error)", sourceLocation: sourceLocation)
            }
            #expect(error.path == path, "\(error)", sourceLocation: sourceLocation)
            if let place { #expect(error.place == place, "\(error)", sourceLocation: sourceLocation) }
        }
    }
}

/// Texts of policies, put together from parts.
enum PolicyText {
    static let unreadable = "Could not map policyString into LifecyclePolicy."
    static let expire = #"{"type": "expire"}"#
    static let transition = #"{"type": "transition", "targetStorageClass": "archive"}"#
    static let count = #""countType": "imageCountMoreThan", "countNumber": 3"#
    static let age = #""countType": "sinceImagePushed", "countUnit": "days", "countNumber": 3"#
    static let any = #""tagStatus": "any""#
    static let untagged = #""tagStatus": "untagged""#
    static let tagged = #""tagStatus": "tagged", "tagPatternList": ["v*"]"#
    static let archived = """
        "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90
        """

    static func policy(_ rules: String...) -> String { #"{"rules": ["# + rules.joined(separator: ", ") + "]}" }

    /// With what Larder adds.
    static func extended(_ rules: String...) -> String {
        #"{"version": 1, "rules": ["# + rules.joined(separator: ", ") + "]}"
    }

    static func rule(_ priority: Int = 1, _ selection: String..., action: String = expire) -> String {
        #"{"rulePriority": \#(priority), "selection": {\#(selection.joined(separator: ", "))}, "action": \#(action)}"#
    }
}

/// Every defect of the list I01…I15, which Amazon ECR refuses.
@Suite struct PolicyRefusalTests {
    private typealias Text = PolicyText

    @Test(arguments: documents + members + tagLists + counts + betweenRules + actions + storageClasses)
    func whatAmazonRefusesIsRefused(refusal: Refusal) {
        refusal.check()
    }

    /// I01: no policy at all.
    private static let documents = [
        Refusal("I01 no JSON", "keep the last ten", reason: Text.unreadable),
        Refusal(
            "I01 half of an object",
            #"{"rules": [}"#,
            reason: Text.unreadable,
            at: PolicyPlace(line: 1, column: 12)
        ),
        Refusal(
            "I01 more behind it",
            "{\"rules\": []}\n}",
            reason: Text.unreadable,
            at: PolicyPlace(line: 2, column: 1)
        ),
        Refusal("I01 nothing", "", reason: Text.unreadable),
        Refusal("I01 a number", "42", reason: Text.unreadable),
        Refusal("I01 null", "null", reason: Text.unreadable),
        Refusal("I01 an array", "[]", reason: Text.unreadable),
        Refusal(
            "I01 an array of policies",
            "[\(Text.policy(Text.rule(1, Text.any, Text.count)))]",
            reason: Text.unreadable
        ),
        Refusal("I01 no rules", "{}", reason: #"object has missing required properties (["rules"])"#),
        Refusal(
            "I01 rules are an object",
            #"{"rules": {}}"#,
            reason: #"instance type (object) does not match any allowed primitive type (allowed: ["array"])"#,
            path: "rules",
            at: PolicyPlace(line: 1, column: 11)
        ),
        Refusal("I01 no rule", #"{"rules": []}"#, says: "array has 0 elements", path: "rules"),
        Refusal(
            "I01 a rule is a text",
            #"{"rules": ["x"]}"#,
            reason: #"instance type (string) does not match any allowed primitive type (allowed: ["object"])"#,
            path: "rules[0]"
        ),
    ]

    /// I02 and I03: what is missing, and what is too much.
    private static let members = [
        missing("I02 no selection", #"{"rulePriority": 1, "action": {"type": "expire"}}"#, #""selection""#),
        missing("I02 no action", #"{"rulePriority": 1, "selection": {\#(Text.any), \#(Text.count)}}"#, #""action""#),
        missing(
            "I02 no rulePriority",
            #"{"selection": {\#(Text.any), \#(Text.count)}, "action": {"type": "expire"}}"#,
            #""rulePriority""#
        ),
        missing("I02 nothing", "{}", #""action", "rulePriority", "selection""#),
        missing("I02 no tagStatus", Text.rule(1, Text.count), #""tagStatus""#, path: "rules[0].selection"),
        missing("I02 no count", Text.rule(1, Text.any), #""countNumber", "countType""#, path: "rules[0].selection"),
        missing("I02 no type", Text.rule(1, Text.any, Text.count, action: "{}"), #""type""#, path: "rules[0].action"),
        unknown("I03 in the policy", #"{"foo": 1, "rules": []}"#, "", column: 2),
        unknown(
            "I03 in a rule",
            Text.policy(#"{"foo": 1, "rulePriority": 1, "selection": {\#(Text.any), \#(Text.count)}, "action": {}}"#),
            "rules[0]",
            column: 13
        ),
        unknown(
            "I03 in a selection",
            Text.policy(Text.rule(1, #""foo": 1"#, Text.any, Text.count)),
            "rules[0].selection"
        ),
        unknown(
            "I03 in an action",
            Text.policy(Text.rule(1, Text.any, Text.count, action: #"{"type": "expire", "foo": 1}"#)),
            "rules[0].action"
        ),
        Refusal(
            "I03 two of them",
            Text.policy(Text.rule(1, #""foo": 1, "bar": 2"#, Text.any, Text.count)),
            reason: #"object instance has properties which are not allowed by the schema: (["bar", "foo"])"#,
            path: "rules[0].selection"
        ),
    ]

    private static func missing(_ name: String, _ rule: String, _ names: String, path: String = "rules[0]") -> Refusal {
        Refusal(name, Text.policy(rule), reason: "object has missing required properties ([\(names)])", path: path)
    }

    private static func unknown(_ name: String, _ text: String, _ path: String, column: Int? = nil) -> Refusal {
        let reason = #"object instance has properties which are not allowed by the schema: (["foo"])"#
        return Refusal(name, text, reason: reason, path: path, at: column.map { PolicyPlace(line: 1, column: $0) })
    }

    /// I05 to I07.
    private static let tagLists = [
        list("I05 tagged without a list", #""tagStatus": "tagged""#, reason: noList, path: "tagStatus"),
        list("I05 no pattern", #""tagStatus": "tagged", "tagPatternList": []"#, reason: noList, path: "tagPatternList"),
        list("I05 no prefix", #""tagStatus": "tagged", "tagPrefixList": []"#, reason: noList, path: "tagPrefixList"),
        list("I05 both lists", Text.tagged + #", "tagPrefixList": ["v"]"#, says: "both", path: "tagPrefixList"),
        list("I05 an unknown tagStatus", #""tagStatus": "x""#, reason: noStatus, path: "tagStatus"),
        list(
            "I06 untagged, pattern",
            Text.untagged + #", "tagPatternList": ["v*"]"#,
            says: notTagged,
            path: "tagPatternList"
        ),
        list(
            "I06 untagged, prefix",
            Text.untagged + #", "tagPrefixList": ["v"]"#,
            says: notTagged,
            path: "tagPrefixList"
        ),
        list(
            "I06 untagged, empty list",
            Text.untagged + #", "tagPatternList": []"#,
            says: notTagged,
            path: "tagPatternList"
        ),
        list("I06 any, pattern", Text.any + #", "tagPatternList": ["v*"]"#, says: notTagged, path: "tagPatternList"),
        list("I06 any, prefix", Text.any + #", "tagPrefixList": ["v"]"#, says: notTagged, path: "tagPrefixList"),
        list("I06 any, empty list", Text.any + #", "tagPrefixList": []"#, says: notTagged, path: "tagPrefixList"),
        list("I07 five stars", pattern("*a*b*c*d*"), says: "*a*b*c*d*", "5", "4", path: "tagPatternList"),
        list("I07 five stars in a row", pattern("*****"), says: "5", "4", path: "tagPatternList"),
        list("an empty pattern", pattern(""), says: "empty", path: "tagPatternList"),
        list(
            "an empty prefix",
            #""tagStatus": "tagged", "tagPrefixList": ["a", ""]"#,
            says: "empty",
            path: "tagPrefixList"
        ),
        list(
            "a pattern is a number",
            #""tagStatus": "tagged", "tagPatternList": ["a", 1]"#,
            reason: #"instance type (integer) does not match any allowed primitive type (allowed: ["string"])"#,
            path: "tagPatternList[1]"
        ),
    ]

    private static let noList = "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."
    private static let noStatus =
        #"instance value (x) not found in enum :(possible values: ["any", "tagged", "untagged"])"#
    private static let notTagged = "only allowed when tagStatus=TAGGED"

    private static func pattern(_ text: String) -> String { #""tagStatus": "tagged", "tagPatternList": ["\#(text)"]"# }

    private static func list(
        _ name: String,
        _ selection: String,
        reason: String? = nil,
        says: String...,
        path: String
    ) -> Refusal {
        var refusal = Refusal(
            name,
            Text.policy(Text.rule(1, selection, Text.count)),
            reason: reason,
            path: "rules[0].selection.\(path)"
        )
        refusal.says = says
        return refusal
    }

    /// I08 and I09.
    private static let counts = [
        number("0", reason: "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        number("-1", reason: "numeric instance is lower than the required minimum (minimum: 1, found: -1)"),
        number("1.5", reason: noInteger("number")),
        number("\"10\"", reason: noInteger("string")),
        number("null", reason: noInteger("null")),
        number("true", reason: noInteger("boolean")),
        number("[1]", reason: noInteger("array")),
        number("{}", reason: noInteger("object")),
        number("99999999999999999999", reason: noInteger("number")),
        limit("I09 a unit of a count", Text.count + #", "countUnit": "days""#, says: "countUnit", path: "countUnit"),
        limit(
            "I09 an age without its unit",
            #""countType": "sinceImagePushed", "countNumber": 1"#,
            reason: #"object has missing required properties (["countUnit"])"#,
            path: "countType"
        ),
        limit(
            "I09 hours",
            #""countType": "sinceImagePushed", "countNumber": 1, "countUnit": "hours""#,
            reason: #"instance value (hours) not found in enum :(possible values: ["days"])"#,
            path: "countUnit"
        ),
        limit(
            "an unknown countType",
            #""countType": "x", "countNumber": 1"#,
            reason: "instance failed to match exactly one schema (matched 0 out of 2)",
            path: "countType"
        ),
        limit(
            "more than a thousand years",
            #""countType": "sinceImagePushed", "countNumber": 365001, "countUnit": "days""#,
            says: "thousand years",
            path: "countNumber"
        ),
        limit(
            "more than can be counted",
            #""countType": "sinceImagePushed", "countNumber": 9223372036854775807, "countUnit": "days""#,
            says: "thousand years",
            path: "countNumber"
        ),
    ]

    private static func noInteger(_ type: String) -> String {
        #"instance type (\#(type)) does not match any allowed primitive type (allowed: ["integer"])"#
    }

    private static func number(_ text: String, reason: String) -> Refusal {
        let selection = #""countType": "imageCountMoreThan", "countNumber": \#(text)"#
        return limit("I08 countNumber is \(text)", selection, reason: reason, path: "countNumber")
    }

    private static func limit(
        _ name: String,
        _ selection: String,
        reason: String? = nil,
        says: String = "",
        path: String
    ) -> Refusal {
        let text = Text.policy(Text.rule(1, Text.any, selection))
        return Refusal(name, text, reason: reason, says: says.isEmpty ? path : says, path: "rules[0].selection.\(path)")
    }

    /// I04 and I10 to I12: rules that do not go together.
    private static let betweenRules = [
        priority("0", reason: "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        priority("-3", reason: "numeric instance is lower than the required minimum (minimum: 1, found: -3)"),
        priority("\"1\"", reason: noInteger("string")),
        priority("1.5", reason: noInteger("number")),
        Refusal(
            "I04 the same rulePriority twice",
            Text.policy(Text.rule(7, Text.tagged, Text.count), Text.rule(7, Text.untagged, Text.count)),
            says: "rulePriority 7",
            path: "rules[1].rulePriority"
        ),
        catchAll("I10 any before tagged", Text.rule(1, Text.any, Text.count), Text.rule(2, Text.tagged, Text.count)),
        catchAll(
            "I10 any before untagged",
            Text.rule(1, Text.any, Text.count),
            Text.rule(2, Text.untagged, Text.count)
        ),
        catchAll("I10 any twice", Text.rule(1, Text.any, Text.count), Text.rule(2, Text.any, Text.age)),
        catchAll(
            "I10 in the archive",
            Text.rule(1, Text.any, Text.archived),
            Text.rule(2, Text.tagged, Text.archived)
        ),
        Refusal(
            "I10 by number, not by place",
            Text.policy(Text.rule(9, Text.tagged, Text.count), Text.rule(3, Text.any, Text.count)),
            reason: "Rule for tagStatus=ANY must have the lowest priority per storage class",
            path: "rules[1].selection.tagStatus"
        ),
        Refusal(
            "I11 untagged twice",
            Text.policy(Text.rule(1, Text.untagged, Text.count), Text.rule(2, Text.untagged, Text.age)),
            reason: "Only one rule can select Untagged images per storage class",
            path: "rules[1].selection.tagStatus"
        ),
        lists("I12 a prefix twice", #""tagPrefixList": ["a", "b"]"#, #""tagPrefixList": ["b", "a"]"#, "tagPrefixList"),
        lists(
            "I12 a pattern twice",
            #""tagPatternList": ["a*"]"#,
            #""tagPatternList": ["a*", "a*"]"#,
            "tagPatternList"
        ),
    ]

    private static func priority(_ text: String, reason: String) -> Refusal {
        let rule =
            #"{"rulePriority": \#(text), "selection": {\#(Text.any), \#(Text.count)}, "action": \#(Text.expire)}"#
        return Refusal("I04 rulePriority is \(text)", Text.policy(rule), reason: reason, path: "rules[0].rulePriority")
    }

    private static func catchAll(_ name: String, _ first: String, _ second: String) -> Refusal {
        Refusal(
            name,
            Text.policy(first, second),
            reason: "Rule for tagStatus=ANY must have the lowest priority per storage class",
            path: "rules[0].selection.tagStatus"
        )
    }

    private static func lists(_ name: String, _ first: String, _ second: String, _ key: String) -> Refusal {
        let tagged = #""tagStatus": "tagged""#
        let text = Text.policy(Text.rule(1, tagged, first, Text.count), Text.rule(2, tagged, second, Text.age))
        return Refusal(name, text, says: "rule 2", "rule 1", path: "rules[1].selection.\(key)")
    }

    /// I13.
    private static let actions = [
        action("I13 nowhere", #"{"type": "transition"}"#, says: "targetStorageClass", path: "type"),
        action(
            "I13 expired to the archive",
            #"{"type": "expire", "targetStorageClass": "archive"}"#,
            says: "targetStorageClass",
            path: "targetStorageClass"
        ),
        action(
            "I13 another class",
            #"{"type": "transition", "targetStorageClass": "standard"}"#,
            reason: #"instance value (standard) not found in enum :(possible values: ["archive"])"#,
            path: "targetStorageClass"
        ),
        action(
            "another action",
            #"{"type": "x"}"#,
            reason: #"instance value (x) not found in enum :(possible values: ["expire", "transition"])"#,
            path: "type"
        ),
        Refusal(
            "an action is a text",
            Text.policy(Text.rule(1, Text.any, Text.count, action: "\"expire\"")),
            reason: #"instance type (string) does not match any allowed primitive type (allowed: ["object"])"#,
            path: "rules[0].action"
        ),
    ]

    private static func action(
        _ name: String,
        _ action: String,
        reason: String? = nil,
        says: String = "",
        path: String
    ) -> Refusal {
        Refusal(
            name,
            Text.policy(Text.rule(1, Text.any, Text.age, action: action)),
            reason: reason,
            says: says.isEmpty ? path : says,
            path: "rules[0].action.\(path)"
        )
    }

    /// I14 and I15.
    private static let storageClasses = [
        stored("I14 pulled, expire", type: "sinceImagePulled", says: "transition", path: "countType"),
        stored(
            "I14 transitioned, transition",
            type: "sinceImageTransitioned",
            storageClass: "archive",
            action: Text.transition,
            says: "expire",
            path: "countType"
        ),
        stored(
            "I14 standard",
            type: "sinceImageTransitioned",
            storageClass: "standard",
            says: "archive",
            path: "countType"
        ),
        stored("I14 no class", type: "sinceImageTransitioned", says: "archive", path: "countType"),
        stored(
            "I14 89 days",
            type: "sinceImageTransitioned",
            days: 89,
            storageClass: "archive",
            says: "numeric instance is lower than the required minimum (minimum: 90, found: 89)",
            path: "countNumber"
        ),
        stored("I15 pushed", type: "sinceImagePushed", storageClass: "archive", says: "archive", path: "storageClass"),
        stored(
            "I15 another class",
            type: "sinceImagePushed",
            storageClass: "cold",
            says: "(cold)",
            path: "storageClass"
        ),
        Refusal(
            "I15 counted",
            Text.policy(Text.rule(1, Text.any, Text.count, #""storageClass": "archive""#)),
            says: "archive",
            path: "rules[0].selection.storageClass"
        ),
    ]

    private static func stored(
        _ name: String,
        type: String,
        days: Int = 100,
        storageClass: String? = nil,
        action: String = Text.expire,
        says: String,
        path: String
    ) -> Refusal {
        let limit = #""countType": "\#(type)", "countUnit": "days", "countNumber": \#(days)"#
        let suffix = storageClass.map { #", "storageClass": "\#($0)""# } ?? ""
        let text = Text.policy(Text.rule(1, Text.any, limit + suffix, action: action))
        return Refusal(name, text, says: says, path: "rules[0].selection.\(path)")
    }
}
