import LarderCore
import LarderTestSupport
import Testing

@testable import LarderRetention

/// Random policies on random inventories: against a naive evaluator, and the laws that every plan obeys.
@Suite struct RetentionPropertyTests {
    /// What one case has drawn, and may draw from further.
    private struct Case {
        var random: RandomPolicies
        let draft: PolicyDraft
        let policy: RetentionPolicy
        let items: [RetentionItem]
        let comment: Comment

        func plan(_ items: [RetentionItem]? = nil, _ policy: RetentionPolicy? = nil) -> RetentionPlan {
            RetentionPlan.make(
                RetentionInventory(items ?? self.items),
                policy: policy ?? self.policy,
                now: RandomPolicies.now
            )
        }
    }

    /// Runs a law on cases whose policy is accepted and fits; others are drawn again.
    private static func check(
        _ count: Int,
        ruleCount: ClosedRange<Int> = 1...4,
        shape: RandomPolicies.Shape = RandomPolicies.Shape(),
        canBeExtended: Bool = true,
        where fits: (RetentionPolicy) -> Bool = { _ in true },
        _ law: (inout Case) throws -> Void
    ) throws {
        let seed = testSeed()
        for number in 0..<count {
            var random = RandomPolicies(seed: seed &+ UInt64(number))
            let isExtended = random.chance(65) && canBeExtended
            var accepted: (PolicyDraft, RetentionPolicy)?
            for _ in 0..<1000 where accepted == nil {
                let draft = random.policy(isExtended: isExtended, ruleCount: ruleCount)
                guard let policy = try? RetentionPolicy(draft.text), fits(policy) else { continue }
                accepted = (draft, policy)
            }
            let (draft, policy) = try #require(accepted)
            let items = random.inventory(shape)
            var drawn = Case(
                random: random,
                draft: draft,
                policy: policy,
                items: items,
                comment: "LARDER_TEST_SEED=\(seed), case \(number): \(draft.text)"
            )
            try law(&drawn)
        }
    }

    // MARK: - The naive evaluator

    @Test func plansAreThoseOfANaiveEvaluator() throws {
        var texts: Set<String> = []
        var kinds: [String: Int] = [:]
        try Self.check(4000) { drawn in
            let plan = drawn.plan()
            let expected = NaiveEvaluator(drawn.items, drawn.policy, now: RandomPolicies.now).evaluate()
            let outcome = Self.outcome(of: plan)
            texts.insert(drawn.draft.text)
            for fate in expected.fates.values { kinds[Self.kind(of: fate), default: 0] += 1 }
            let differences = Self.differences(outcome, expected, drawn.items)
            try #require(differences.isEmpty, drawn.comment)
        }
        #expect(texts.count >= 2000)
        // No kind is so rare that the comparison would say nothing about it.
        for kind in ["kept", "expired", "archived", "follows"] { #expect(kinds[kind, default: 0] > 200, "\(kind)") }
    }

    private static func outcome(of plan: RetentionPlan) -> NaiveOutcome {
        var outcome = NaiveOutcome()
        for (item, verdict) in zip(plan.inventory.items, plan.verdicts) {
            switch verdict {
            case .expired(let rule, _): outcome.fates[item.id] = .expired(by: rule)
            case .archived(let rule, _): outcome.fates[item.id] = .archived(by: rule)
            case .follows: outcome.fates[item.id] = .follows
            case .unclaimed, .kept, .keptAtLeast, .pinned, .held, .waiting, .leaving:
                outcome.fates[item.id] = .kept
            }
            guard verdict.isRemoval else { continue }
            outcome.goneTags.formUnion(item.tags.map { TagName(item: item.id, tag: $0.name) })
        }
        for decision in plan.tagDecisions where decision.verdict.isRemoval {
            outcome.goneTags.insert(TagName(item: decision.item, tag: decision.tag))
        }
        return outcome
    }

    private static func kind(of fate: NaiveFate) -> String {
        switch fate {
        case .kept: "kept"
        case .expired: "expired"
        case .archived: "archived"
        case .follows: "follows"
        }
    }

    /// For people, what differs and of which items.
    private static func differences(_ a: NaiveOutcome, _ b: NaiveOutcome, _ items: [RetentionItem]) -> [String] {
        let fates = items.filter { a.fates[$0.id] != b.fates[$0.id] }.map { item in
            "\(a.fates[item.id] ?? .kept) is not \(b.fates[item.id] ?? .kept): \(item)"
        }
        return fates + a.goneTags.symmetricDifference(b.goneTags).map { "tag \($0.tag) of \($0.item)" }
    }

    // MARK: - Ways of writing

    @Test func theSamePolicyInYAMLIsTheSame() throws {
        try Self.check(500) { drawn in
            let yaml = try JSONTree(drawn.draft.text).yaml
            try #require(try RetentionPolicy(yaml).rules == drawn.policy.rules, "\(drawn.comment)\n\(yaml)")
        }
    }

    /// What Amazon ECR accepts means the same with `version: 1`, but for rules that could never do anything.
    @Test func theVersionChangesNothingThatAmazonAccepts() throws {
        var refused = 0
        try Self.check(500, canBeExtended: false) { drawn in
            var draft = drawn.draft
            draft.isExtended = true
            do {
                try #require(try RetentionPolicy(draft.text).rules == drawn.policy.rules, drawn.comment)
            } catch let error as PolicyError {
                refused += 1
                try #require(error.reason.contains("can never match"), drawn.comment)
            }
        }
        #expect(refused < 250)
    }

    // MARK: - Laws

    @Test func keptAndRemovedPartitionTheInventory() throws {
        try Self.check(500) { drawn in
            let plan = drawn.plan()
            try #require(plan.verdicts.count == drawn.items.count, drawn.comment)
            try #require(plan.groups.count == drawn.items.count, drawn.comment)
            try #require(plan.inventory.items.map(\.id) == drawn.items.map(\.id).sorted(), drawn.comment)
            // Each tag is decided at most once, and is one of the inventory's.
            let known = Set(drawn.items.flatMap { item in item.tags.map { TagName(item: item.id, tag: $0.name) } })
            let decided = plan.tagDecisions.map { TagName(item: $0.item, tag: $0.tag) }
            try #require(Set(decided).count == decided.count && Set(decided).isSubset(of: known), drawn.comment)
        }
    }

    @Test func followersComeBehindAllThatKeptThem() throws {
        try Self.check(500) { drawn in
            let plan = drawn.plan()
            var gone = Set(plan.verdicts.indices.filter { Self.isExpired(plan.verdicts[$0]) })
            for index in plan.followers {
                let item = plan.inventory.items[index]
                try #require(plan.inventory.holders[index].allSatisfy { gone.contains($0) }, drawn.comment)
                guard case .follows(let holder) = plan.verdicts[index] else {
                    Issue.record("\(item) does not follow: \(drawn.comment)")
                    return
                }
                try #require(plan.inventory.holders[index].contains { plan.inventory.items[$0].id == holder })
                try #require(gone.insert(index).inserted, drawn.comment)
            }
            try #require(gone == Set(plan.verdicts.indices.filter { plan.verdicts[$0].isRemoval }), drawn.comment)
        }
    }

    private static func isExpired(_ verdict: RetentionVerdict) -> Bool {
        if case .expired = verdict { true } else { false }
    }

    @Test func theOrderOfItemsDoesNotMatter() throws {
        try Self.check(500) { drawn in
            let plan = drawn.plan()
            let other = drawn.plan(drawn.random.shuffled(drawn.items))
            try #require(plan.verdicts == other.verdicts, drawn.comment)
            try #require(plan.groups == other.groups, drawn.comment)
            try #require(plan.tagDecisions == other.tagDecisions, drawn.comment)
        }
    }

    @Test func theOrderOfTagsDoesNotMatter() throws {
        try Self.check(500) { drawn in
            let outcome = Self.outcome(of: drawn.plan())
            let turned = drawn.items.map { item in
                var item = item
                item.tags.reverse()
                return item
            }
            try #require(Self.outcome(of: drawn.plan(turned)) == outcome, drawn.comment)
        }
    }

    @Test func aLargerLimitNeverKeepsLess() throws {
        var compared = 0
        try Self.check(1000, ruleCount: 1...1) { drawn in
            var raised = drawn.draft
            raised.rules[0].countNumber += drawn.random.number(1...5) * drawn.random.number(1...10)
            let policy = try RetentionPolicy(raised.text)
            let (less, more) = (Self.outcome(of: drawn.plan()), Self.outcome(of: drawn.plan(nil, policy)))
            compared += less == more ? 0 : 1
            let (before, after) = (less.fates.filter { $0.value != .kept }, more.fates.filter { $0.value != .kept })
            try #require(Set(after.keys).isSubset(of: before.keys), "\(drawn.comment) and \(raised.text)")
            try #require(more.goneTags.isSubset(of: less.goneTags), "\(drawn.comment) and \(raised.text)")
        }
        #expect(compared > 100)
    }

    @Test func whatIsProtectedIsNeverRemoved() throws {
        try Self.check(500) { drawn in
            let plan = drawn.plan()
            let outcome = Self.outcome(of: plan)
            for (index, item) in plan.inventory.items.enumerated() {
                let isPinned = item.pin != nil || item.tags.contains { $0.pin != nil }
                // Neither removed nor archived.
                if isPinned { try #require(outcome.fates[item.id] == .kept, drawn.comment) }
                for tag in item.tags where tag.pin != nil || item.pin != nil {
                    try #require(!outcome.goneTags.contains(TagName(item: item.id, tag: tag.name)), drawn.comment)
                }
                guard plan.inventory.isHeld[index] else { continue }
                let isKept = plan.inventory.holders[index].contains { !plan.verdicts[$0].isRemoval }
                if isKept { try #require(!plan.verdicts[index].isRemoval, drawn.comment) }
            }
        }
    }

    /// What a plan leaves, it leaves again.
    ///
    /// That is so because ranks only become smaller when something goes. It is not so, and rightly, where something
    /// that no rule saw becomes an ordinary image because what kept it is gone, and then takes a rank: a child with a
    /// tag of its own or a pin, a companion of two images, two that keep each other. Nor where `keepAtLeast` speaks of
    /// the archive, into which the same plan moves younger ones. Nor for rules on tags, since a tag less can change
    /// what else a rule sees of an image.
    @Test func applyingAPlanTwiceChangesNothing() throws {
        let fits = { (policy: RetentionPolicy) in
            policy.rules.allSatisfy { $0.target == .entries && !($0.selection.isArchived && $0.keepAtLeast > 0) }
        }
        var changed = 0
        try Self.check(1000, shape: RandomPolicies.Shape(isTangled: false), where: fits) { drawn in
            let plan = drawn.plan()
            let left = zip(plan.inventory.items, plan.verdicts).compactMap { item, verdict -> RetentionItem? in
                if verdict.isRemoval { return nil }
                guard case .archived = verdict else { return item }
                var item = item
                item.archivedAt = RandomPolicies.now
                return item
            }
            changed += left.count < drawn.items.count ? 1 : 0
            let second = Self.outcome(of: drawn.plan(left))
            try #require(second.fates.values.allSatisfy { $0 == .kept }, drawn.comment)
        }
        #expect(changed > 300)
    }
}
