import LarderCore
import LarderRetention
import Testing

/// Entries with literal ages, in days.
enum RetentionExample {
    static let now = Timestamp(milliseconds: 1_780_000_000_000)

    static func days(_ count: Double) -> Duration { .milliseconds(Int64(count * 86_400_000)) }

    /// A digest that ends with a number.
    static func key(_ id: Int64) -> String {
        "sha256:" + String(repeating: "0", count: 64 - "\(id)".count) + "\(id)"
    }

    static func item(
        _ id: Int64,
        _ age: Double,
        _ tags: String...,
        change: (inout RetentionItem) -> Void = { _ in }
    ) -> RetentionItem {
        let time = now - days(age)
        var item = RetentionItem(id: id, key: key(id), pushedAt: time, lastUsed: time)
        item.tags = tags.map { RetentionTag(name: $0, givenAt: time) }
        change(&item)
        return item
    }
}

/// Plans on small inventories, whole and with their reasons.
@Suite struct RetentionPlanTests {
    private typealias Example = RetentionExample
    private typealias Verdict = RetentionVerdict

    /// A policy of one rule, or of several with the priorities 1, 2 and so on.
    private static func policy(_ selections: String..., action: String = "expire") throws -> RetentionPolicy {
        let rules = selections.enumerated().map { index, selection in
            "- {rulePriority: \(index + 1), selection: {\(selection)}, action: {type: \(action)}}\n"
        }
        return try RetentionPolicy("version: 1\nrules:\n" + rules.joined())
    }

    private static func plan(_ policy: RetentionPolicy, _ items: [RetentionItem]) -> RetentionPlan {
        RetentionPlan.make(RetentionInventory(items), policy: policy, now: Example.now)
    }

    /// The one place that compares a plan's decisions about entries.
    private static func expect(
        _ plan: RetentionPlan,
        _ verdicts: [Verdict],
        groups: [String?]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(plan.verdicts == verdicts, sourceLocation: sourceLocation)
        #expect(
            plan.groups == groups ?? Array(repeating: nil, count: verdicts.count),
            sourceLocation: sourceLocation
        )
    }

    private static let age = "countType: sinceImagePushed, countUnit: days"
    private static let count = "countType: imageCountMoreThan"

    // MARK: - Limits

    @Test func keepAtLeastKeepsTheYoungestOfWhatIsTooOld() throws {
        let policy = try Self.policy("tagStatus: any, \(Self.age), countNumber: 30, keepAtLeast: 2")
        let items = [Example.item(1, 50), Example.item(2, 40), Example.item(3, 31), Example.item(4, 1)]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .age(Example.days(50), limit: Example.days(30))),
                .expired(rule: 1, .age(Example.days(40), limit: Example.days(30))),
                .keptAtLeast(rule: 1, rank: 2),
                .kept(rule: 1, .age(Example.days(1), limit: Example.days(30))),
            ]
        )
    }

    @Test func sharedBlobsCountOnce() throws {
        let policy = try Self.policy("tagStatus: any, countType: imageBytesMoreThan, countNumber: 0.1KB")
        #expect(policy.needs.content)
        let (base, tools, app) = (
            ContentBlob(id: 1, size: 60), ContentBlob(id: 2, size: 10), ContentBlob(id: 3, size: 30)
        )
        let items = [
            Example.item(1, 5) { $0.content = [base, tools] },
            Example.item(2, 4) { $0.content = [ContentBlob(id: 4, size: 1)] },
            Example.item(3, 3) { $0.content = [base, app] },
            Example.item(4, 2) { $0.content = [tools, base, tools] },
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .bytes(101, limit: 100)),
                .expired(rule: 1, .bytes(101, limit: 100)),
                .kept(rule: 1, .bytes(100, limit: 100)),
                .kept(rule: 1, .bytes(70, limit: 100)),
            ]
        )
    }

    @Test func whatAnIndexKeepsCountsWithIt() throws {
        let policy = try Self.policy("tagStatus: any, countType: imageBytesMoreThan, countNumber: 30, keepAtLeast: 1")
        let items = [
            Example.item(1, 9) { $0.content = [ContentBlob(id: 1, size: 20)] },
            Example.item(2, 9) { $0.content = [ContentBlob(id: 2, size: 20)] },
            Example.item(3, 1, "v2") {
                $0.children = [1, 2]
                $0.content = [ContentBlob(id: 3, size: 5)]
            },
            Example.item(4, 2, "v1") { $0.content = [ContentBlob(id: 1, size: 20)] },
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .held(by: 3), .held(by: 3), .keptAtLeast(rule: 1, rank: 1),
                .expired(rule: 1, .bytes(45, limit: 30)),
            ]
        )
    }

    @Test(arguments: [
        (unit: "minutes", seconds: 60), (unit: "hours", seconds: 3600), (unit: "days", seconds: 86_400),
        (unit: "weeks", seconds: 604_800), (unit: "months", seconds: 2_592_000), (unit: "years", seconds: 31_536_000),
    ])
    func exactlyAsOldIsKept(unit: String, seconds: Int64) throws {
        let policy = try Self.policy(
            "tagStatus: any, countType: sinceImagePushed, countUnit: \(unit), countNumber: 2"
        )
        let limit = Duration.seconds(2 * seconds)
        let times = [Example.now - limit, Example.now - (limit + .milliseconds(1))]
        let items = times.enumerated().map { index, time in
            RetentionItem(id: Int64(index), key: Example.key(Int64(index)), pushedAt: time, lastUsed: time)
        }
        Self.expect(
            Self.plan(policy, items),
            [
                .kept(rule: 1, .age(limit, limit: limit)),
                .expired(rule: 1, .age(limit + .milliseconds(1), limit: limit)),
            ]
        )
    }

    @Test func untaggedImagesAgeFromTheLossOfTheirLastTag() throws {
        let policy = try Self.policy(
            "tagStatus: untagged, countType: sinceImageUntagged, countUnit: days, countNumber: 7"
        )
        let items = [
            Example.item(1, 90) { $0.untaggedAt = Example.now - Example.days(2) },
            Example.item(2, 90) { $0.untaggedAt = Example.now - Example.days(8) },
            Example.item(3, 10),
            Example.item(4, 90, "v1"),
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .kept(rule: 1, .age(Example.days(2), limit: Example.days(7))),
                .expired(rule: 1, .age(Example.days(8), limit: Example.days(7))),
                .expired(rule: 1, .age(Example.days(10), limit: Example.days(7))),
                .unclaimed,
            ]
        )
    }

    @Test func whatWasNeverUsedAgesFromItsPush() throws {
        let policy = try Self.policy(
            "tagStatus: any, countType: sinceImagePulled, countUnit: weeks, countNumber: 1"
        )
        let items = [
            Example.item(1, 90) { $0.lastUsed = Example.now - Example.days(3) }, Example.item(2, 90),
            Example.item(3, 5),
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .kept(rule: 1, .age(Example.days(3), limit: Example.days(7))),
                .expired(rule: 1, .age(Example.days(90), limit: Example.days(7))),
                .kept(rule: 1, .age(Example.days(5), limit: Example.days(7))),
            ]
        )
    }

    // MARK: - Groups

    @Test func imagesAreCountedByWhatTheirTagsCapture() throws {
        let policy = try Self.policy(#"tagStatus: any, groupBy: {tag: '^(.+)-\d+$'}, \#(Self.count), countNumber: 1"#)
        let items = [
            Example.item(1, 6, "main-1"), Example.item(2, 5, "main-2", "dev-1"), Example.item(3, 4, "main-3"),
            Example.item(4, 3, "latest"), Example.item(5, 2),
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .rank(3, of: 1)), .kept(rule: 1, .rank(1, of: 1)), .kept(rule: 1, .rank(1, of: 1)),
                .unclaimed, .unclaimed,
            ],
            groups: ["main", "dev", "main", nil, nil]
        )
    }

    @Test func imagesAreCountedByALabel() throws {
        let policy = try Self.policy("tagStatus: any, groupBy: {label: team}, \(Self.count), countNumber: 1")
        #expect(policy.needs.labels == ["team"])
        let items = [
            Example.item(1, 4) { $0.labels = ["team": "red"] }, Example.item(2, 3) { $0.labels = ["team": "blue"] },
            Example.item(3, 2) { $0.labels = ["team": "red"] }, Example.item(4, 1) { $0.labels = ["stage": "red"] },
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .rank(2, of: 1)), .kept(rule: 1, .rank(1, of: 1)), .kept(rule: 1, .rank(1, of: 1)),
                .unclaimed,
            ],
            groups: ["red", "blue", "red", nil]
        )
    }

    @Test func entriesAreCountedByScopeAndKey() throws {
        func item(_ id: Int64, _ key: String, _ scope: String) -> RetentionItem {
            let time = Example.now - Example.days(Double(10 - id))
            var item = RetentionItem(id: id, key: key, pushedAt: time, lastUsed: time)
            item.scope = scope
            return item
        }
        let items = [item(1, "ac/1", "main"), item(2, "cas/2", "pr"), item(3, "ac/3", ""), item(4, "cas/4", "main")]
        let kept = Verdict.kept(rule: 1, .rank(1, of: 1))
        let expired = Verdict.expired(rule: 1, .rank(2, of: 1))
        Self.expect(
            Self.plan(try Self.policy("tagStatus: any, groupBy: {scope: true}, \(Self.count), countNumber: 1"), items),
            [expired, kept, kept, kept],
            groups: ["main", "pr", "", "main"]
        )
        Self.expect(
            Self.plan(
                try Self.policy("tagStatus: any, groupBy: {key: '^(.*)/'}, \(Self.count), countNumber: 1"),
                items
            ),
            [expired, expired, kept, kept],
            groups: ["ac", "cas", "ac", "cas"]
        )
    }

    /// "What has no group is not selected": as of a label, so of a writer.
    @Test func whatHasNoWriterHasNoGroup() throws {
        let policy = try Self.policy("tagStatus: any, groupBy: {writer: true}, \(Self.count), countNumber: 1")
        let items = [
            Example.item(1, 4) { $0.writer = "ci" }, Example.item(2, 3), Example.item(3, 2) { $0.writer = "ci" },
            Example.item(4, 1),
        ]
        Self.expect(
            Self.plan(policy, items),
            [.expired(rule: 1, .rank(2, of: 1)), .unclaimed, .kept(rule: 1, .rank(1, of: 1)), .unclaimed],
            groups: ["ci", nil, "ci", nil]
        )
    }

    // MARK: - Order

    @Test func theLargestVersionsComeFirst() throws {
        let policy = try Self.policy("tagStatus: any, orderBy: version, \(Self.count), countNumber: 2")
        let items = [
            Example.item(1, 1, "v1.9.0"), Example.item(2, 2, "v1.10.0-rc.2", "next"), Example.item(3, 3, "v1.10.0"),
            Example.item(4, 4, "1.10.0-rc.10"), Example.item(5, 5, "nightly"), Example.item(6, 6, "v0.1", "2"),
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .rank(5, of: 2)), .expired(rule: 1, .rank(4, of: 2)), .kept(rule: 1, .rank(2, of: 2)),
                .expired(rule: 1, .rank(3, of: 2)), .unclaimed, .kept(rule: 1, .rank(1, of: 2)),
            ]
        )
    }

    @Test func theLastUsedComeFirst() throws {
        let policy = try Self.policy("tagStatus: any, orderBy: lastUse, \(Self.count), countNumber: 1")
        let items = [
            Example.item(1, 9) { $0.lastUsed = Example.now - Example.days(1) },
            Example.item(2, 8) { $0.lastUsed = Example.now - Example.days(1) },
            Example.item(3, 2),
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .rank(2, of: 1)), .kept(rule: 1, .rank(1, of: 1)), .expired(rule: 1, .rank(3, of: 1)),
            ]
        )
    }

    // MARK: - Filters

    @Test func everyKindMustBeIncluded() throws {
        let policy = try Self.policy(
            #"tagStatus: any, include: {tags: ['v*', '/^r\d/'], labels: {team: [a*]}}, \#(Self.count), countNumber: 1"#
        )
        let items = [
            Example.item(1, 5, "v1") { $0.labels = ["team": "ab"] },
            Example.item(2, 4, "x", "r2") { $0.labels = ["team": "a"] },
            Example.item(3, 3, "xr3") { $0.labels = ["team": "a"] }, Example.item(4, 2, "v4"),
            Example.item(5, 1, "v5") { $0.labels = ["team": "ba"] },
        ]
        Self.expect(
            Self.plan(policy, items),
            [
                .expired(rule: 1, .rank(2, of: 1)), .kept(rule: 1, .rank(1, of: 1)), .unclaimed, .unclaimed, .unclaimed,
            ]
        )
    }

    @Test func whatAnyPatternExcludesIsNotSelected() throws {
        let policy = try Self.policy(
            "tagStatus: any, exclude: {tags: [keep-*], scopes: [main], writers: [/^ann$/]}, \(Self.age), countNumber: 1"
        )
        let items = [
            Example.item(1, 9, "v1", "keep-1"), Example.item(2, 9, "v2") { $0.scope = "main" },
            Example.item(3, 9, "v3") { $0.writer = "ann" }, Example.item(4, 9, "v4") { $0.writer = "anna" },
            Example.item(5, 9),
        ]
        let expired = Verdict.expired(rule: 1, .age(Example.days(9), limit: Example.days(1)))
        Self.expect(Self.plan(policy, items), [.unclaimed, .unclaimed, .unclaimed, expired, expired])
    }

    /// `include` and `exclude` mean the same by a pattern: what one lets in, the other keeps out.
    @Test(arguments: ["'*'", "'/^$/'", "ci"])
    func includeAndExcludeAgreeOnWriters(pattern: String) throws {
        let items = [
            Example.item(1, 9), Example.item(2, 9) { $0.writer = "ci" }, Example.item(3, 9) { $0.writer = "" },
        ]
        let verdicts = try ["include", "exclude"].map { kind in
            let policy = try Self.policy(
                "tagStatus: any, \(kind): {writers: [\(pattern)]}, \(Self.age), countNumber: 1"
            )
            return Self.plan(policy, items).verdicts.map(\.isRemoval)
        }
        #expect(verdicts[0] == verdicts[1].map { !$0 })
    }
}
