import LarderCore
import LarderRetention
import Testing

/// What is refused beside what Amazon ECR refuses: contradictions, and rules that can never match.
@Suite struct ExtendedRefusalTests {
    private typealias Text = PolicyText

    private static let path = "rules[0].selection"

    // MARK: - The version

    @Test(arguments: [
        (name: "include", member: #""include": {"tags": ["v*"]}"#),
        (name: "exclude", member: #""exclude": {"tags": ["v*"]}"#),
        (name: "target", member: #""target": "images""#),
        (name: "keepAtLeast", member: #""keepAtLeast": 1"#),
        (name: "orderBy", member: #""orderBy": "pushed""#),
        (name: "groupBy", member: #""groupBy": {"scope": true}"#),
    ])
    func whatLarderAddsNeedsTheVersion(name: String, member: String) throws {
        Refusal(
            name,
            Text.policy(Text.rule(1, Text.any, Text.count, member)),
            reason: #"object instance has properties which are not allowed by the schema: (["\#(name)"])"#,
            says: "version: 1",
            path: Self.path
        )
        .check()
    }

    @Test(arguments: ["sinceImageUntagged", "imageBytesMoreThan"])
    func countTypesOfLarderNeedTheVersion(type: String) {
        Refusal(
            type,
            Text.policy(Text.rule(1, Text.untagged, #""countType": "\#(type)", "countNumber": 1"#)),
            reason: "instance failed to match exactly one schema (matched 0 out of 2)",
            says: "version: 1",
            path: Self.path + ".countType"
        )
        .check()
    }

    @Test func expiringByLastUseNeedsTheVersion() {
        let pulled = #""countType": "sinceImagePulled", "countUnit": "days", "countNumber": 1"#
        let text = Text.policy(Text.rule(1, Text.any, pulled))
        Refusal("", text, says: "transition", "version: 1", path: Self.path + ".countType").check()
    }

    @Test(arguments: [
        Refusal("2", version("2"), says: "version 2", path: "version", at: PolicyPlace(line: 1, column: 13)),
        Refusal(
            "0",
            version("0"),
            reason: "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
            path: "version"
        ),
        Refusal(
            "a text",
            version("\"1\""),
            reason: #"instance type (string) does not match any allowed primitive type (allowed: ["integer"])"#,
            path: "version"
        ),
        Refusal(
            "a fraction",
            version("1.0"),
            reason: #"instance type (number) does not match any allowed primitive type (allowed: ["integer"])"#,
            path: "version"
        ),
        Refusal(
            "null",
            version("null"),
            reason: #"instance type (null) does not match any allowed primitive type (allowed: ["integer"])"#,
            path: "version"
        ),
    ])
    func otherVersionsAreRefused(refusal: Refusal) {
        refusal.check()
    }

    private static func version(_ text: String) -> String {
        #"{"version": \#(text), "rules": [\#(Text.rule(1, Text.any, Text.count))]}"#
    }

    // MARK: - Members

    @Test(arguments: members + filters + sizes)
    func whatLarderAddsIsChecked(refusal: Refusal) {
        refusal.check()
    }

    private static let members = [
        selection("an unknown member", Text.any, Text.count, #""foo": 1"#, says: #"(["foo"])"#, "groupBy", key: nil),
        selection("a target", Text.any, Text.count, #""target": "x""#, says: #"["images", "tags"]"#, key: "target"),
        selection(
            "an order",
            Text.any,
            Text.count,
            #""orderBy": "x""#,
            says: #"["lastUse", "pushed", "version"]"#,
            key: "orderBy"
        ),
        selection(
            "no entry",
            Text.any,
            Text.age,
            #""keepAtLeast": 0"#,
            says: "minimum: 1, found: 0",
            key: "keepAtLeast"
        ),
        selection("no number", Text.any, Text.age, #""keepAtLeast": "1""#, says: "(string)", key: "keepAtLeast"),
        selection("a group of nothing", Text.any, Text.count, #""groupBy": {}"#, says: "exactly one", key: "groupBy"),
        selection(
            "two groups",
            Text.any,
            Text.count,
            #""groupBy": {"scope": true, "label": "a"}"#,
            says: "exactly one",
            key: "groupBy"
        ),
        selection(
            "a group by the wind",
            Text.any,
            Text.count,
            #""groupBy": {"x": 1}"#,
            says: #"(["x"])"#,
            key: "groupBy"
        ),
        selection(
            "no scope",
            Text.any,
            Text.count,
            #""groupBy": {"scope": false}"#,
            says: "true",
            key: "groupBy.scope"
        ),
        selection("no writer", Text.any, Text.count, #""groupBy": {"writer": 1}"#, says: "true", key: "groupBy.writer"),
        selection("groups are texts", Text.any, Text.count, #""groupBy": "scope""#, says: "(string)", key: "groupBy"),
        selection(
            "no group in the expression",
            Text.any,
            Text.count,
            #""groupBy": {"tag": "^v"}"#,
            says: "one group",
            key: "groupBy.tag"
        ),
        selection(
            "two groups in the expression",
            Text.any,
            Text.count,
            #""groupBy": {"key": "(a)(b)"}"#,
            says: "one group",
            key: "groupBy.key"
        ),
        selection(
            "no expression",
            Text.any,
            Text.count,
            #""groupBy": {"tag": "(a"}"#,
            says: "(a is no expression",
            key: "groupBy.tag"
        ),
    ]

    private static let filters = [
        filter("nothing", "{}", says: "no patterns", key: ""),
        filter("no object", #"["v*"]"#, says: "(array)", key: ""),
        filter("an unknown kind", #"{"tag": ["v*"]}"#, says: #"(["tag"])"#, key: ""),
        filter("no list", #"{"tags": "v*"}"#, says: "(string)", key: ".tags"),
        filter("an empty list", #"{"scopes": []}"#, says: "empty list", key: ".scopes"),
        filter("a number", #"{"writers": ["a", 1]}"#, says: "(integer)", key: ".writers[1]"),
        filter("labels are a list", #"{"labels": ["a"]}"#, says: "(array)", key: ".labels"),
        filter("a label is a text", #"{"labels": {"team": "a"}}"#, says: "(string)", key: ".labels.team"),
        filter("no label", #"{"labels": {}}"#, says: "no patterns", key: ""),
        filter("a label without patterns", #"{"labels": {"team": []}}"#, says: "empty list", key: ".labels.team"),
        filter("an open group", #"{"tags": ["v*", "/(/"]}"#, says: "no expression", key: ".tags[1]"),
        filter("a look ahead", #"{"tags": ["/a(?=b)/"]}"#, says: "no expression", key: ".tags[0]"),
        filter(
            "a back reference",
            #"{"labels": {"team": ["/(a)\\1/"]}}"#,
            says: "no expression",
            key: ".labels.team[0]"
        ),
        filter(
            "an expression of 257 characters",
            #"{"tags": ["/\#(String(repeating: "a", count: 257))/"]}"#,
            says: "longer than 256",
            key: ".tags[0]"
        ),
    ]

    private static func filter(_ name: String, _ value: String, says: String, key: String) -> Refusal {
        selection(name, Text.any, Text.count, #""include": \#(value)"#, says: says, key: "include\(key)")
    }

    private static let sizes =
        ["\"0\"", "\"\"", "\"-5\"", "\"five\"", "\"5 parsecs\"", "0", "-1", "1.5", "null", "[]"].map {
            selection(
                "\($0) bytes",
                Text.any,
                #""countType": "imageBytesMoreThan", "countNumber": \#($0)"#,
                key: "countNumber"
            )
        } + [
            selection(
                "a unit of bytes",
                Text.any,
                #""countType": "imageBytesMoreThan", "countNumber": 1, "countUnit": "days""#,
                key: "countUnit"
            ),
            selection(
                "fortnights",
                Text.any,
                #""countType": "sinceImagePushed", "countNumber": 1, "countUnit": "fortnights""#,
                says: #"["days", "hours", "minutes", "months", "weeks", "years"]"#,
                key: "countUnit"
            ),
            selection(
                "1001 years",
                Text.any,
                #""countType": "sinceImagePushed", "countNumber": 1001, "countUnit": "years""#,
                says: "thousand years",
                key: "countNumber"
            ),
            selection(
                "more weeks than can be counted",
                Text.any,
                #""countType": "sinceImagePushed", "countNumber": 9223372036854775807, "countUnit": "weeks""#,
                says: "thousand years",
                key: "countNumber"
            ),
        ]

    private static func selection(
        _ name: String,
        _ members: String...,
        says: String...,
        key: String?
    ) -> Refusal {
        let rule =
            #"{"rulePriority": 1, "selection": {\#(members.joined(separator: ", "))}, "action": \#(Text.expire)}"#
        var refusal = Refusal(name, Text.extended(rule), path: key.map { "\(path).\($0)" } ?? path)
        refusal.says = says
        return refusal
    }

    // MARK: - Contradictions

    @Test(arguments: contradictions)
    func contradictionsAreRefused(refusal: Refusal) {
        refusal.check()
    }

    private static let onTags = #""target": "tags""#
    private static let bytes = #""countType": "imageBytesMoreThan", "countNumber": 1"#
    private static let untaggedAge = #""countType": "sinceImageUntagged", "countUnit": "days", "countNumber": 1"#

    private static let contradictions = [
        Refusal(
            "tags to the archive",
            Text.extended(Text.rule(1, Text.any, Text.age, onTags, action: Text.transition)),
            says: "archive",
            path: path + ".target"
        ),
        selection("tags of the archive", Text.any, Text.archived, onTags, says: "storageClass", key: "storageClass"),
        selection("bytes of tags", Text.any, bytes, onTags, says: "bytes", key: "countType"),
        selection("untagged since, with tags", Text.any, untaggedAge, says: "tagStatus untagged", key: "tagStatus"),
        selection("tagged, untagged since", Text.tagged, untaggedAge, says: "tagStatus untagged", key: "tagStatus"),
        selection(
            "a count and its opposite",
            Text.any,
            Text.count,
            #""keepAtLeast": 2"#,
            says: "keepAtLeast",
            key: "keepAtLeast"
        ),
        selection(
            "an order of nothing",
            Text.any,
            Text.age,
            #""orderBy": "lastUse""#,
            says: "no effect",
            key: "orderBy"
        ),
        selection(
            "groups of nothing",
            Text.any,
            Text.age,
            #""groupBy": {"scope": true}"#,
            says: "no effect",
            key: "groupBy"
        ),
        selection(
            "excluded tags of untagged images",
            Text.untagged,
            Text.count,
            #""exclude": {"tags": ["v*"]}"#,
            says: "no effect",
            key: "exclude"
        ),
    ]
}

/// Rules that can never match, each for one reason.
@Suite struct UnreachableRuleTests {
    private typealias Text = PolicyText

    @Test(arguments: alone + excluded)
    func rulesThatNeverMatchAreRefused(refusal: Refusal) {
        refusal.check()
    }

    private static let alone = [
        never("tags of untagged images", Text.untagged, #""target": "tags""#, key: "target"),
        never("versions of untagged images", Text.untagged, #""orderBy": "version""#, key: "orderBy"),
        never("untagged images with tags", Text.untagged, #""include": {"tags": ["v*"]}"#, key: "include"),
        never("groups by no tag", Text.untagged, #""groupBy": {"tag": "(.)"}"#, key: "groupBy"),
        never("no tag has a slash", tagged(#""a/*""#), key: "tagPatternList"),
        never("no tag begins with a dot", tagged(#""v*", ".x*""#), key: "tagPatternList"),
        never("no tag is so long", tagged(#""\#(String(repeating: "a", count: 129))""#), key: "tagPatternList"),
        never("no tag begins so", #""tagStatus": "tagged", "tagPrefixList": ["v", "-"]"#, key: "tagPrefixList"),
        never("no tag has a space", Text.any, #""include": {"tags": ["v*", "a b"]}"#, key: "include"),
    ]

    private static let excluded = [
        never("its own tags", Text.any, both("tags", #""v*", "w*""#, #""w*", "v*", "x""#), key: "exclude"),
        never("all tags", Text.any, both("tags", #""v*""#, #""*""#), key: "exclude"),
        never("all tags, in other words", Text.any, both("tags", #""v*""#, #""**""#), key: "exclude"),
        never("its own expression", Text.any, both("tags", #""/^v/""#, #""/^v/""#), key: "exclude"),
        never("its own keys", Text.any, both("keys", #""a*""#, #""a*""#), key: "exclude"),
        never("its own scopes", Text.any, both("scopes", #""a*""#, #""a*""#), key: "exclude"),
        never("its own writers", Text.any, both("writers", #""a*""#, #""*""#), key: "exclude"),
        never(
            "its own labels",
            Text.any,
            #""include": {"labels": {"a": ["x"], "b": ["y"]}}, "exclude": {"labels": {"b": ["y"]}}"#,
            key: "exclude"
        ),
        never("every tag of tagged images", Text.tagged, #""exclude": {"tags": ["*"]}"#, key: "exclude"),
    ]

    private static func tagged(_ patterns: String) -> String {
        #""tagStatus": "tagged", "tagPatternList": [\#(patterns)]"#
    }

    private static func both(_ kind: String, _ included: String, _ excluded: String) -> String {
        #""include": {"\#(kind)": [\#(included)]}, "exclude": {"\#(kind)": [\#(excluded)]}"#
    }

    private static func never(_ name: String, _ members: String..., key: String) -> Refusal {
        Refusal(
            name,
            Text.extended(Text.rule(1, members.joined(separator: ", "), Text.count)),
            says: key == "exclude" || !members[0].contains("untagged") ? "rule 1 can never match" : "never match",
            path: "rules[0].selection.\(key)"
        )
    }

    @Test(arguments: [
        (name: "any twice", first: Text.any, second: Text.any),
        (name: "any, then tagged", first: Text.any, second: Text.tagged),
        (name: "any, then some", first: Text.any, second: someTags),
        (name: "untagged twice", first: Text.untagged, second: Text.untagged),
        (
            name: "untagged, then some of them", first: Text.untagged,
            second: Text.untagged + #", "exclude": {"keys": ["a"]}"#
        ),
        (name: "every tag, then some", first: tagged(#""*""#), second: Text.tagged),
        (name: "every tag, then an expression", first: tagged(#""**""#), second: someTags),
        (name: "the same filter", first: someTags, second: someTags),
        (name: "the same lists", first: tagged(#""a*", "b*""#), second: tagged(#""b*", "a*""#)),
        (name: "all tags, then some", first: Text.any + onTags, second: Text.tagged + onTags),
        (name: "all versions, then newest versions", first: Text.any + byVersion, second: Text.tagged + byVersion),
        (name: "any, then newest versions", first: Text.any, second: Text.tagged + byVersion),
        (name: "the same groups", first: Text.any + byTeam, second: Text.tagged + byTeam),
        (name: "any, then groups", first: Text.any, second: Text.tagged + byTeam),
    ])
    func whatIsBehindARuleForAllIsRefused(name: String, first: String, second: String) {
        Refusal(
            name,
            Text.extended(Text.rule(2, second, Text.count), Text.rule(1, first, Text.count)),
            says: "rule 2 can never match",
            "rule 1",
            path: "rules[0].selection.tagStatus"
        )
        .check()
    }

    @Test(arguments: [
        (name: "by place only", first: Text.tagged, second: Text.any),
        (name: "other tags", first: tagged(#""v*""#), second: tagged(#""w*""#)),
        (name: "what has no team is left", first: Text.any + byTeam, second: Text.any),
        (
            name: "what has another group is left", first: Text.any + byTeam,
            second: Text.any + #", "groupBy": {"label": "b"}"#
        ),
        (name: "what has no version is left", first: Text.any + byVersion, second: Text.any),
        (name: "images after tags", first: Text.any + onTags, second: Text.any),
        (name: "untagged after every tag", first: tagged(#""*""#), second: Text.untagged),
        (name: "tagged after untagged", first: Text.untagged, second: Text.tagged),
        (name: "what is excluded is left", first: Text.any + #", "exclude": {"tags": ["v*"]}"#, second: Text.any),
        (name: "what is not included is left", first: someTags, second: Text.any),
    ])
    func whatMayStillMatchIsAccepted(name: String, first: String, second: String) throws {
        let text = Text.extended(Text.rule(1, first, Text.count), Text.rule(2, second, Text.count))
        #expect(try RetentionPolicy(text).rules.map(\.priority) == [1, 2])
    }

    @Test func classesDoNotHideEachOther() throws {
        let text = Text.extended(Text.rule(1, Text.any, Text.count), Text.rule(2, Text.any, Text.archived))
        #expect(try RetentionPolicy(text).isExtended)
    }

    private static let onTags = #", "target": "tags""#
    private static let byVersion = #", "orderBy": "version""#
    private static let byTeam = #", "groupBy": {"label": "team"}"#
    private static let someTags = #""tagStatus": "tagged", "include": {"tags": ["/^v/"]}"#

    // MARK: - Kinds of repositories

    @Test(arguments: [
        (name: "tagged", members: Text.tagged, says: "tags"),
        (name: "tags", members: Text.any + onTags, says: "tags"),
        (name: "versions", members: Text.any + byVersion, says: "tags"),
        (name: "included tags", members: Text.any + #", "include": {"tags": ["v*"]}"#, says: "tags"),
        (name: "groups by tag", members: Text.any + #", "groupBy": {"tag": "(.)"}"#, says: "tags"),
        (name: "included labels", members: Text.any + #", "include": {"labels": {"a": ["b"]}}"#, says: "labels"),
        (name: "groups by label", members: Text.any + byTeam, says: "labels"),
    ])
    func whatOnlyImagesHaveIsForRegistries(name: String, members: String, says: String) throws {
        let policy = try RetentionPolicy(Text.extended(Text.rule(4, members, Text.count)))
        try policy.check(for: .registry)
        for kind in [RepositoryKind.cache, .bucket] {
            let error = #expect(throws: PolicyError.self) { try policy.check(for: kind) }
            #expect(error?.reason == "rule 4 can never match: there are no \(says) in a \(kind.rawValue)")
        }
    }

    @Test(arguments: [
        (name: "included keys", members: #", "include": {"keys": ["a*"]}"#, says: "use tags"),
        (name: "groups by key", members: #", "groupBy": {"key": "(.)"}"#, says: "group by tag"),
    ])
    func keysAreForCachesAndBuckets(name: String, members: String, says: String) throws {
        let policy = try RetentionPolicy(Text.extended(Text.rule(1, Text.any + members, Text.count)))
        try policy.check(for: .cache)
        try policy.check(for: .bucket)
        let error = #expect(throws: PolicyError.self) { try policy.check(for: .registry) }
        #expect(error?.reason.contains(says) == true)
    }

    @Test(arguments: RepositoryKind.allCases)
    func everyKindTakesScopesAndWriters(kind: RepositoryKind) throws {
        let filters = #", "include": {"scopes": ["main"]}, "exclude": {"writers": ["ci-*"]}"#
        try RetentionPolicy(Text.extended(Text.rule(1, Text.any + filters, Text.count))).check(for: kind)
        let groups = #", "groupBy": {"writer": true}"#
        try RetentionPolicy(Text.extended(Text.rule(1, Text.untagged + groups, Text.count))).check(for: kind)
    }
}
