import LarderRetention
import Testing

/// What must not be refused: Amazon ECR's policies with everything that looks like a defect and is none.
@Suite struct PolicyAcceptanceTests {
    private typealias Text = PolicyText

    @Test(arguments: [
        (name: "I07 four stars", Text.policy(Text.rule(1, stars, Text.count))),
        (name: "I08 a large count", Text.policy(Text.rule(1, Text.any, large))),
        (
            name: "I10 one of each class",
            Text.policy(Text.rule(1, Text.any, Text.count), Text.rule(2, Text.any, Text.archived))
        ),
        (
            name: "I10 any after all of its class",
            Text.policy(
                Text.rule(9, Text.any, Text.count),
                Text.rule(3, Text.tagged, Text.count),
                Text.rule(5, Text.untagged, Text.count),
                Text.rule(20, Text.tagged, Text.archived)
            )
        ),
        (
            name: "I11 one of each class",
            Text.policy(Text.rule(1, Text.untagged, Text.count), Text.rule(2, Text.untagged, Text.archived))
        ),
        (
            name: "I12 one of each class",
            Text.policy(Text.rule(1, Text.tagged, Text.count), Text.rule(2, Text.tagged, Text.archived))
        ),
        (
            name: "I12 a part of the set",
            Text.policy(Text.rule(1, prefixes(#""a", "b""#), Text.count), Text.rule(2, prefixes(#""a""#), Text.count))
        ),
        (
            name: "I12 a prefix and a pattern",
            Text.policy(Text.rule(1, prefixes(#""v*""#), Text.count), Text.rule(2, Text.tagged, Text.count))
        ),
        (name: "I13 to the archive", Text.policy(Text.rule(1, Text.any, Text.age, action: Text.transition))),
        (name: "I14 after 90 days", Text.policy(Text.rule(1, Text.any, Text.archived))),
        (name: "I14 pulled", Text.policy(Text.rule(1, Text.any, pulled, action: Text.transition))),
        (
            name: "I15 said to be standard",
            Text.policy(Text.rule(1, Text.any, Text.count, #""storageClass": "standard""#))
        ),
        (name: "the guide", guide),
    ])
    func whatAmazonAcceptsIsAccepted(name: String, text: String) throws {
        let policy = try RetentionPolicy(text)
        #expect(policy.text == text)
        #expect(!policy.isExtended)
        #expect(try RetentionPolicy(#"{"version": 1, "# + text.dropFirst()).rules == policy.rules)
    }

    private static let stars = #""tagStatus": "tagged", "tagPatternList": ["*a*b*c*"]"#
    private static let large = #""countType": "imageCountMoreThan", "countNumber": 9223372036854775807"#
    private static let pulled = #""countType": "sinceImagePulled", "countUnit": "days", "countNumber": 1"#

    private static func prefixes(_ texts: String) -> String { #""tagStatus": "tagged", "tagPrefixList": [\#(texts)]"# }

    private static let guide = #"""
        {"rules":[{"rulePriority":1,"description":"Keep last 10 images","selection":{"tagStatus":"any",\#
        "countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}
        """#

    @Test func thePolicyOfTheGuideIsRead() throws {
        let rule = try #require(try RetentionPolicy(Self.guide).rules.first)
        #expect(rule.priority == 1)
        #expect(rule.note == "Keep last 10 images")
        #expect(rule.selection.tagStatus == .any)
        #expect(rule.limit == .count(10))
        #expect(rule.action == .expire)
        #expect(rule.target == .entries)
        #expect(rule.keepAtLeast == 0)
        #expect(!rule.selection.isArchived)
    }

    @Test func rulesAreSortedByPriority() throws {
        let policy = try RetentionPolicy(
            Text.policy(
                Text.rule(20, Text.any, Text.count),
                Text.rule(3, Text.tagged, Text.count),
                Text.rule(11, Text.untagged, Text.count)
            )
        )
        #expect(policy.rules.map(\.priority) == [3, 11, 20])
    }
}
