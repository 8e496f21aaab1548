import LarderCore
import Testing

@testable import LarderRetention

/// Plans about what belongs together: rules one behind the other, tags, pins, indexes and referrers, the archive.
@Suite struct RetentionRelationTests {
    private typealias Example = RetentionExample
    private typealias Verdict = RetentionVerdict
    private typealias Decision = RetentionTagDecision

    private static func plan(_ rules: String, _ items: [RetentionItem]) throws -> RetentionPlan {
        let policy = try RetentionPolicy("version: 1\nrules:\n" + rules)
        return RetentionPlan.make(RetentionInventory(items), policy: policy, now: Example.now)
    }

    private static func rule(_ priority: Int, _ selection: String, action: String = "{type: expire}") -> String {
        "- {rulePriority: \(priority), selection: {\(selection)}, action: \(action)}\n"
    }

    /// All but the first so many.
    private static func keep(_ count: Int) -> String { "countType: imageCountMoreThan, countNumber: \(count)" }

    private static func older(than days: Int) -> String {
        "countType: sinceImagePushed, countUnit: days, countNumber: \(days)"
    }

    // MARK: - Several rules

    @Test func theFirstRuleThatIdentifiesAnEntryDecides() throws {
        let rules =
            Self.rule(2, "tagStatus: any, \(Self.keep(1))")
            + Self.rule(1, "tagStatus: tagged, include: {tags: [release-*]}, \(Self.keep(1000))")
        let items = [
            Example.item(1, 4, "release-1"), Example.item(2, 3, "dev-1"), Example.item(3, 2, "release-2"),
            Example.item(4, 1),
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .kept(rule: 1, .rank(2, of: 1000)), .expired(rule: 2, .rank(3, of: 1)),
                .kept(rule: 1, .rank(1, of: 1000)), .kept(rule: 2, .rank(1, of: 1)),
            ]
        )
    }

    // MARK: - Rules on tags

    @Test func anImageGoesWithItsLastTag() throws {
        let rules = Self.rule(1, "tagStatus: tagged, tagPrefixList: [pr-], target: tags, \(Self.keep(1))")
        let items = [
            Example.item(1, 4, "pr-1"), Example.item(2, 3, "pr-2", "v1"), Example.item(3, 2, "pr-3"),
            Example.item(4, 1, "v2"),
            Example.item(5, 9),
        ]
        let plan = try Self.plan(rules, items)
        #expect(
            plan.verdicts == [.expired(rule: 1, .rank(3, of: 1)), .unclaimed, .unclaimed, .unclaimed, .unclaimed]
        )
        #expect(
            plan.tagDecisions == [
                Decision(item: 1, tag: "pr-1", verdict: .expired(rule: 1, .rank(3, of: 1))),
                Decision(item: 2, tag: "pr-2", verdict: .expired(rule: 1, .rank(2, of: 1))),
                Decision(item: 3, tag: "pr-3", verdict: .kept(rule: 1, .rank(1, of: 1))),
            ]
        )
    }

    @Test func tagsAreCountedByThemselves() throws {
        let rules = Self.rule(
            1,
            #"tagStatus: any, target: tags, groupBy: {tag: '^(.+)-\d+$'}, orderBy: version, \#(Self.keep(1))"#
        )
        // No tag has both a version and a group but these.
        let items = [Example.item(1, 1, "v1-1", "v1-2"), Example.item(2, 2, "v2-1", "latest", "main-7")]
        #expect(
            try Self.plan(rules, items).tagDecisions == [
                Decision(item: 1, tag: "v1-1", verdict: .expired(rule: 1, .rank(2, of: 1))),
                Decision(item: 1, tag: "v1-2", verdict: .kept(rule: 1, .rank(1, of: 1))),
                Decision(item: 2, tag: "v2-1", verdict: .kept(rule: 1, .rank(1, of: 1))),
            ]
        )
    }

    @Test func tagsAgeFromWhenTheyWereGiven() throws {
        let rules = Self.rule(1, "tagStatus: any, target: tags, keepAtLeast: 1, \(Self.older(than: 7))")
        let items = [
            Example.item(1, 90) {
                $0.tags = [
                    RetentionTag(name: "new", givenAt: Example.now - Example.days(1)),
                    RetentionTag(name: "old", givenAt: Example.now - Example.days(8)),
                ]
            }
        ]
        #expect(
            try Self.plan(rules, items).tagDecisions == [
                Decision(item: 1, tag: "new", verdict: .kept(rule: 1, .age(Example.days(1), limit: Example.days(7)))),
                Decision(
                    item: 1,
                    tag: "old",
                    verdict: .expired(rule: 1, .age(Example.days(8), limit: Example.days(7)))
                ),
            ]
        )
    }

    @Test func aTagIsDecidedByTheFirstRuleThatIdentifiesItOrItsImage() throws {
        let rules =
            Self.rule(1, "tagStatus: tagged, tagPrefixList: [a-], target: tags, \(Self.keep(1))")
            + Self.rule(2, "tagStatus: tagged, tagPrefixList: [b-], \(Self.keep(9))")
            + Self.rule(3, "tagStatus: any, target: tags, \(Self.keep(1))")
        let items = [Example.item(1, 3, "a-1", "b-1", "c-1"), Example.item(2, 2, "a-2"), Example.item(3, 1, "c-2")]
        let plan = try Self.plan(rules, items)
        #expect(plan.verdicts == [.kept(rule: 2, .rank(1, of: 9)), .unclaimed, .unclaimed])
        #expect(
            plan.tagDecisions == [
                Decision(item: 1, tag: "a-1", verdict: .expired(rule: 1, .rank(2, of: 1))),
                Decision(item: 2, tag: "a-2", verdict: .kept(rule: 1, .rank(1, of: 1))),
                Decision(item: 3, tag: "c-2", verdict: .kept(rule: 3, .rank(1, of: 1))),
            ]
        )
    }

    /// Whichever way the tags are listed.
    @Test(arguments: [["a-1", "b-1"], ["b-1", "a-1"]])
    func theRuleThatTakesTheLastTagTakesTheImage(tags: [String]) throws {
        let rules =
            Self.rule(1, "tagStatus: tagged, tagPrefixList: [b-], target: tags, \(Self.older(than: 1))")
            + Self.rule(2, "tagStatus: tagged, tagPrefixList: [a-], target: tags, \(Self.older(than: 2))")
        let items = [
            Example.item(1, 9) { item in item.tags = tags.map { RetentionTag(name: $0, givenAt: item.pushedAt) } }
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [.expired(rule: 2, .age(Example.days(9), limit: Example.days(2)))]
        )
    }

    // MARK: - Pins

    @Test func whatIsPinnedStaysAndCounts() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.keep(1))")
        let items = [
            Example.item(1, 4, "v1"), Example.item(2, 3, "v2") { $0.pin = "audit" },
            Example.item(3, 2) {
                $0.tags = [
                    RetentionTag(name: "live", givenAt: $0.pushedAt, pin: "deployed"),
                    RetentionTag(name: "v3", givenAt: $0.pushedAt),
                ]
            },
            Example.item(4, 1, "v4") { $0.pin = "audit" },
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .expired(rule: 1, .rank(4, of: 1)), .pinned(reason: "audit"), .pinned(reason: "deployed"),
                .kept(rule: 1, .rank(1, of: 1)),
            ]
        )
    }

    @Test func whatIsPinnedIsNotArchived() throws {
        let archive = "{type: transition, targetStorageClass: archive}"
        let rules = Self.rule(1, "tagStatus: any, \(Self.older(than: 1))", action: archive)
        let items = [Example.item(1, 3), Example.item(2, 3) { $0.pin = "audit" }]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .archived(rule: 1, .age(Example.days(3), limit: Example.days(1))), .pinned(reason: "audit"),
            ]
        )
    }

    @Test func pinnedTagsAndTagsOfPinnedImagesStay() throws {
        let rules = Self.rule(1, "tagStatus: any, target: tags, \(Self.older(than: 1))")
        let items = [
            Example.item(1, 4, "v1") { $0.pin = "audit" },
            Example.item(2, 3) {
                $0.tags = [
                    RetentionTag(name: "live", givenAt: $0.pushedAt, pin: "deployed"),
                    RetentionTag(name: "v2", givenAt: $0.pushedAt),
                ]
            },
        ]
        let plan = try Self.plan(rules, items)
        #expect(plan.verdicts == [.unclaimed, .unclaimed])
        #expect(
            plan.tagDecisions == [
                Decision(item: 1, tag: "v1", verdict: .pinned(reason: "audit")),
                Decision(item: 2, tag: "live", verdict: .pinned(reason: "deployed")),
                Decision(item: 2, tag: "v2", verdict: .expired(rule: 1, .age(Example.days(3), limit: Example.days(1)))),
            ]
        )
    }

    @Test func aPinnedChildOutlivesItsIndex() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.keep(1))")
        let items = [
            Example.item(1, 9) { $0.pin = "audit" }, Example.item(2, 9),
            Example.item(3, 9, "v1") { $0.children = [1, 2] },
            Example.item(4, 1, "v2"),
        ]
        let plan = try Self.plan(rules, items)
        #expect(
            plan.verdicts == [
                .pinned(reason: "audit"), .follows(3), .expired(rule: 1, .rank(2, of: 1)),
                .kept(rule: 1, .rank(1, of: 1)),
            ]
        )
        #expect(plan.followers == [1])
    }

    // MARK: - What belongs to what

    private static func companion(of id: Int64, _ suffix: String) -> String {
        Example.key(id).replacing(":", with: "-") + suffix
    }

    @Test func companionTagsMakeAnImageFollow() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.keep(1))")
        let items = [
            Example.item(1, 9, "v1"), Example.item(2, 8, Self.companion(of: 1, ".sig")), Example.item(3, 2, "v2"),
            Example.item(4, 1, Self.companion(of: 3, ".att"), Self.companion(of: 3, ".sbom")),
            Example.item(5, 1, Self.companion(of: 1, "")), Example.item(6, 7) { $0.subject = Example.key(2) },
        ]
        let plan = try Self.plan(rules, items)
        #expect(
            plan.verdicts == [
                .expired(rule: 1, .rank(2, of: 1)), .follows(1), .kept(rule: 1, .rank(1, of: 1)), .held(by: 3),
                .follows(1), .follows(2),
            ]
        )
        #expect(Set(plan.followers) == [1, 4, 5])
    }

    @Test(arguments: [".sig2", ".SIG", "0", "-sig"])
    func otherTagsOfThatKindAreOrdinary(suffix: String) throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.keep(1))")
        let items = [Example.item(1, 1, "v1"), Example.item(2, 2, Self.companion(of: 1, suffix))]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .kept(rule: 1, .rank(1, of: 1)), .expired(rule: 1, .rank(2, of: 1)),
            ]
        )
    }

    @Test func whatIsAboutSomethingThatNeverCameIsOrdinaryAfterADay() throws {
        let rules = Self.rule(1, "tagStatus: untagged, countType: sinceImagePushed, countUnit: minutes, countNumber: 1")
        let missing = Example.key(77)
        let day = Example.now - Example.days(1)
        var late = RetentionItem(id: 3, key: Example.key(3), pushedAt: day - .milliseconds(1), lastUsed: day)
        late.subject = missing
        let items = [
            Example.item(1, 0.5) { $0.subject = missing }, Example.item(2, 1) { $0.subject = missing }, late,
            Example.item(4, 0.5),
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .waiting, .waiting,
                .expired(rule: 1, .age(.milliseconds(86_400_001), limit: .seconds(60))),
                .expired(rule: 1, .age(Example.days(0.5), limit: .seconds(60))),
            ]
        )
    }

    @Test func whatIsLeftOfSomethingThatWasDeletedIsNotCounted() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.keep(1))")
        let items = [
            Example.item(1, 1) { $0.isLeaving = true }, Example.item(2, 2, "v1"),
            Example.item(3, 3) {
                $0.isLeaving = true
                $0.children = [4]
            },
            Example.item(4, 3), Example.item(5, 4, "v2") { $0.children = [6] },
            Example.item(6, 4) { $0.isLeaving = true },
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .leaving, .kept(rule: 1, .rank(1, of: 1)), .leaving, .held(by: 3), .expired(rule: 1, .rank(2, of: 1)),
                .follows(5),
            ]
        )
    }

    @Test func whatSeveralKeepGoesWithTheLast() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.older(than: 5))")
        let items = [
            Example.item(1, 9), Example.item(2, 9) { $0.children = [1] },
            Example.item(3, 9, "v1") { $0.children = [2, 1] },
            Example.item(4, 8, "v2") { $0.children = [1] }, Example.item(5, 7, "own") { $0.subject = Example.key(3) },
        ]
        let expired = { (days: Double) in Verdict.expired(rule: 1, .age(Example.days(days), limit: Example.days(5))) }
        let plan = try Self.plan(rules, items)
        #expect(plan.verdicts[1...] == [.follows(3), expired(9), expired(8), .unclaimed])
        #expect(plan.verdicts[0].isRemoval)
        #expect(plan.followers == [1, 0])
    }

    /// No digest can do that; a tag of another's digest can.
    @Test func thingsThatOnlyKeepEachOtherAreOrdinary() throws {
        let rules = Self.rule(1, "tagStatus: any, \(Self.older(than: 5))")
        let items = [
            Example.item(1, 9, Self.companion(of: 2, "")), Example.item(2, 8, Self.companion(of: 1, "")),
            Example.item(3, 1, Self.companion(of: 3, "")),
        ]
        #expect(
            try Self.plan(rules, items).verdicts == [
                .expired(rule: 1, .age(Example.days(9), limit: Example.days(5))),
                .expired(rule: 1, .age(Example.days(8), limit: Example.days(5))),
                .kept(rule: 1, .age(Example.days(1), limit: Example.days(5))),
            ]
        )
    }

    // MARK: - The archive

    @Test func whatComesBackFromTheArchiveRanksByItsReturn() throws {
        let rules =
            Self.rule(
                1,
                "tagStatus: any, \(Self.keep(1))",
                action: "{type: transition, targetStorageClass: archive}"
            )
            + Self.rule(
                2,
                "tagStatus: any, storageClass: archive, countType: sinceImageTransitioned, countUnit: days, "
                    + "countNumber: 90, keepAtLeast: 1"
            )
        let items = [
            Example.item(1, 300) {
                $0.archivedAt = Example.now - Example.days(100)
                $0.lastUsed = Example.now - Example.days(1)
            },
            Example.item(2, 2),
            Example.item(3, 400) { $0.archivedAt = Example.now - Example.days(95) },
            Example.item(4, 200) { $0.archivedAt = Example.now - Example.days(99) },
            Example.item(5, 91) { $0.archivedAt = Example.now - Example.days(90) },
        ]
        let limit = Example.days(90)
        #expect(
            try Self.plan(rules, items).verdicts == [
                .kept(rule: 1, .rank(1, of: 1)), .archived(rule: 1, .rank(2, of: 1)),
                .expired(rule: 2, .age(Example.days(95), limit: limit)),
                .expired(rule: 2, .age(Example.days(99), limit: limit)), .kept(rule: 2, .age(limit, limit: limit)),
            ]
        )
    }
}
