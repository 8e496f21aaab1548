import LarderCore
import LarderRetention
import LarderTestSupport
import Testing

/// Plans of eviction, whole and with their reasons, and the laws that every plan obeys.
@Suite struct EvictionPlanTests {
    private typealias Decision = EvictionPlan.Decision

    private static func entry(_ id: Int64, usedAt time: Int64, size: Int64) -> EvictionCandidate {
        EvictionCandidate(row: .entry(id), repository: 1, lastUsed: Timestamp(milliseconds: time), size: size)
    }

    private static func link(_ blobID: Int64, usedAt time: Int64, size: Int64) -> EvictionCandidate {
        EvictionCandidate(
            row: .link(repository: 1, blobID: blobID),
            repository: 1,
            lastUsed: Timestamp(milliseconds: time),
            size: size
        )
    }

    private static func plan(
        _ candidates: [EvictionCandidate],
        recentUses: [UsedRow: Int64] = [:],
        bytes: Int64,
        entries: Int64 = 0,
        guaranteedUntil: Int64 = 1000,
        countMax: Int = 100
    ) -> EvictionPlan {
        EvictionPlan.make(
            candidates: candidates,
            recentUses: recentUses.mapValues { Timestamp(milliseconds: $0) },
            demand: EvictionDemand(bytes: bytes, entries: entries),
            guaranteedUntil: Timestamp(milliseconds: guaranteedUntil),
            countMax: countMax
        )
    }

    private static func expect(
        _ plan: EvictionPlan,
        _ decisions: [(candidate: EvictionCandidate, decision: Decision)],
        bytesLeft: Int64,
        entriesLeft: Int64 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(plan.decisions.map(\.candidate) == decisions.map(\.candidate), sourceLocation: sourceLocation)
        #expect(plan.decisions.map(\.decision) == decisions.map(\.decision), sourceLocation: sourceLocation)
        #expect(
            plan.remaining == EvictionDemand(bytes: bytesLeft, entries: entriesLeft),
            sourceLocation: sourceLocation
        )
    }

    // MARK: Plans

    @Test func leastRecentlyUsedGoesFirst() {
        let (old, middle, new) = (
            Self.entry(1, usedAt: 10, size: 100), Self.link(2, usedAt: 20, size: 100),
            Self.entry(3, usedAt: 30, size: 100)
        )
        Self.expect(
            Self.plan([new, old, middle], bytes: 150),
            [(old, .evicted(rank: 0)), (middle, .evicted(rank: 1)), (new, .notNeeded)],
            bytesLeft: -50
        )
    }

    @Test func whatWasUsedWithinTheGuaranteedAgeStays() {
        let (old, edge, new) = (
            Self.entry(1, usedAt: 999, size: 100), Self.entry(2, usedAt: 1000, size: 100),
            Self.link(3, usedAt: 1001, size: 100)
        )
        Self.expect(
            Self.plan([old, edge, new], bytes: 300),
            [(old, .evicted(rank: 0)), (edge, .guaranteed), (new, .guaranteed)],
            bytesLeft: 200
        )
    }

    @Test func useThatTheRowDoesNotShowYetGuarantees() {
        let (used, unused) = (Self.entry(1, usedAt: 10, size: 100), Self.entry(2, usedAt: 20, size: 100))
        Self.expect(
            Self.plan([used, unused], recentUses: [.entry(1): 1000], bytes: 200),
            [(used, .guaranteed), (unused, .evicted(rank: 0))],
            bytesLeft: 100
        )
    }

    @Test func useThatTheRowDoesNotShowYetPutsTheCandidateBack() {
        let (used, unused) = (Self.link(1, usedAt: 10, size: 100), Self.link(2, usedAt: 20, size: 100))
        Self.expect(
            Self.plan([used, unused], recentUses: [.link(repository: 1, blobID: 1): 500], bytes: 200),
            [(used, .notNeeded), (unused, .evicted(rank: 0))],
            bytesLeft: 100
        )
    }

    @Test func useOlderThanTheRowChangesNothing() {
        let candidate = Self.entry(1, usedAt: 10, size: 100)
        Self.expect(
            Self.plan([candidate], recentUses: [.entry(1): 9], bytes: 100),
            [(candidate, .evicted(rank: 0))],
            bytesLeft: 0
        )
        Self.expect(
            Self.plan([candidate], recentUses: [.entry(1): 10], bytes: 100),
            [(candidate, .evicted(rank: 0))],
            bytesLeft: 0
        )
    }

    @Test func useOfAnotherRowChangesNothing() {
        let candidate = Self.entry(1, usedAt: 10, size: 100)
        let uses: [UsedRow: Int64] = [
            .entry(2): 1000, .link(repository: 1, blobID: 1): 1000, .link(repository: 2, blobID: 1): 1000,
        ]
        Self.expect(
            Self.plan([candidate], recentUses: uses, bytes: 100),
            [(candidate, .evicted(rank: 0))],
            bytesLeft: 0
        )
    }

    @Test func largerOneOfEquallyOldGoesFirst() {
        let (small, large) = (Self.entry(1, usedAt: 10, size: 1), Self.entry(2, usedAt: 10, size: 100))
        Self.expect(
            Self.plan([small, large], bytes: 100),
            [(large, .evicted(rank: 0)), (small, .notNeeded)],
            bytesLeft: 0
        )
    }

    /// What can't be told apart by use and size is told apart by its row, whatever order the database gives.
    @Test func orderOfEqualCandidatesDoesNotMatter() {
        let equals = [
            Self.entry(1, usedAt: 10, size: 100), Self.entry(2, usedAt: 10, size: 100),
            Self.link(1, usedAt: 10, size: 100), Self.link(2, usedAt: 10, size: 100),
        ]
        #expect(Self.plan(equals, bytes: 150) == Self.plan(equals.reversed(), bytes: 150))
    }

    @Test func demandOfEntriesCountsEntries() {
        let (first, second, third) = (
            Self.entry(1, usedAt: 10, size: 5), Self.entry(2, usedAt: 20, size: 5), Self.entry(3, usedAt: 30, size: 5)
        )
        Self.expect(
            Self.plan([first, second, third], bytes: 0, entries: 2),
            [(first, .evicted(rank: 0)), (second, .evicted(rank: 1)), (third, .notNeeded)],
            bytesLeft: -10,
            entriesLeft: 0
        )
    }

    @Test func bothDemandsMustBeMet() {
        let (first, second, third) = (
            Self.entry(1, usedAt: 10, size: 100), Self.entry(2, usedAt: 20, size: 1), Self.entry(3, usedAt: 30, size: 1)
        )
        Self.expect(
            Self.plan([first, second, third], bytes: 50, entries: 2),
            [(first, .evicted(rank: 0)), (second, .evicted(rank: 1)), (third, .notNeeded)],
            bytesLeft: -51
        )
    }

    /// A loose blob is no entry: to evict it brings nothing when only entries are too many.
    @Test func linksStayWhenOnlyEntriesAreTooMany() {
        let (link, entry) = (Self.link(1, usedAt: 10, size: 100), Self.entry(2, usedAt: 20, size: 100))
        Self.expect(
            Self.plan([link, entry], bytes: 0, entries: 1),
            [(link, .notNeeded), (entry, .evicted(rank: 0))],
            bytesLeft: -100
        )
    }

    @Test func countMaxEndsARound() {
        let candidates = (0..<5).map { Self.entry($0, usedAt: $0, size: 10) }
        Self.expect(
            Self.plan(candidates, bytes: 1000, countMax: 2),
            [
                (candidates[0], .evicted(rank: 0)), (candidates[1], .evicted(rank: 1)), (candidates[2], .notNeeded),
                (candidates[3], .notNeeded), (candidates[4], .notNeeded),
            ],
            bytesLeft: 980
        )
    }

    @Test func roundOfNothingEvictsNothing() {
        let candidate = Self.entry(1, usedAt: 10, size: 10)
        Self.expect(Self.plan([candidate], bytes: 10, countMax: 0), [(candidate, .notNeeded)], bytesLeft: 10)
    }

    @Test(arguments: [
        (bytes: Int64(0), entries: Int64(0)), (bytes: -1, entries: 0), (bytes: 0, entries: -1),
        (bytes: -5, entries: -5),
    ])
    func demandThatIsMetEvictsNothing(bytes: Int64, entries: Int64) {
        let candidate = Self.entry(1, usedAt: 10, size: 10)
        Self.expect(
            Self.plan([candidate], bytes: bytes, entries: entries),
            [(candidate, .notNeeded)],
            bytesLeft: bytes,
            entriesLeft: entries
        )
    }

    @Test func withoutCandidatesTheDemandRemains() {
        Self.expect(Self.plan([], bytes: 7, entries: 3), [], bytesLeft: 7, entriesLeft: 3)
    }

    @Test func emptyCandidatesDoNotStopTheRound() {
        let (empty, full) = (Self.entry(1, usedAt: 10, size: 0), Self.entry(2, usedAt: 20, size: 10))
        Self.expect(
            Self.plan([empty, full], bytes: 10),
            [(empty, .evicted(rank: 0)), (full, .evicted(rank: 1))],
            bytesLeft: 0
        )
    }

    @Test func evictedAreListedInTheirOrder() {
        let (old, guaranteed, new) = (
            Self.link(1, usedAt: 10, size: 1), Self.link(2, usedAt: 2000, size: 1), Self.link(3, usedAt: 30, size: 1)
        )
        #expect(Self.plan([guaranteed, new, old], bytes: 5).evicted == [old, new])
    }

    @Test(arguments: [
        (bytes: Int64(0), entries: Int64(0), isMet: true),
        (bytes: -1, entries: -1, isMet: true),
        (bytes: 1, entries: 0, isMet: false),
        (bytes: 0, entries: 1, isMet: false),
        (bytes: -100, entries: 1, isMet: false),
        (bytes: 1, entries: -100, isMet: false),
    ])
    func demandIsMetWhenNothingIsLeft(bytes: Int64, entries: Int64, isMet: Bool) {
        #expect(EvictionDemand(bytes: bytes, entries: entries).isMet == isMet)
    }

    // MARK: Laws

    /// An inventory with many equal times and sizes, and how to plan for it.
    private struct Situation {
        let candidates: [EvictionCandidate]
        let recentUses: [UsedRow: Timestamp]
        let demand: EvictionDemand
        let guaranteedUntil: Timestamp
        let countMax: Int

        init(using generator: inout SeededGenerator) {
            let count = Int.random(in: 0...30, using: &generator)
            candidates = (0..<count).map { index in
                let repository = RepositoryID.random(in: 1...3, using: &generator)
                let row: UsedRow =
                    Bool.random(using: &generator)
                    ? .entry(Int64(index)) : .link(repository: repository, blobID: Int64(index))
                return EvictionCandidate(
                    row: row,
                    repository: repository,
                    lastUsed: Timestamp(milliseconds: .random(in: 0...8, using: &generator)),
                    size: .random(in: 0...4, using: &generator) * 10
                )
            }
            var uses: [UsedRow: Timestamp] = [:]
            for candidate in candidates where Int.random(in: 0..<4, using: &generator) == 0 {
                uses[candidate.row] = Timestamp(milliseconds: .random(in: 0...12, using: &generator))
            }
            recentUses = uses
            demand = EvictionDemand(
                bytes: .random(in: -10...300, using: &generator),
                entries: .random(in: -1...5, using: &generator)
            )
            guaranteedUntil = Timestamp(milliseconds: .random(in: 0...12, using: &generator))
            countMax = .random(in: 0...20, using: &generator)
        }

        func plan(
            _ candidates: [EvictionCandidate]? = nil,
            demand: EvictionDemand? = nil,
            countMax: Int? = nil
        ) -> EvictionPlan {
            EvictionPlan.make(
                candidates: candidates ?? self.candidates,
                recentUses: recentUses,
                demand: demand ?? self.demand,
                guaranteedUntil: guaranteedUntil,
                countMax: countMax ?? self.countMax
            )
        }
    }

    /// Checks a law in a thousand situations; a failure names the seed.
    private static func check(
        _ law: (Situation, inout SeededGenerator) -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for round in 0..<1000 {
            let situation = Situation(using: &generator)
            let holds = law(situation, &generator)
            #expect(holds, "round \(round), LARDER_TEST_SEED=\(seed)", sourceLocation: sourceLocation)
            if !holds { return }
        }
    }

    @Test func orderOfTheInputDoesNotMatter() {
        Self.check { situation, generator in
            situation.plan() == situation.plan(situation.candidates.shuffled(using: &generator))
        }
    }

    @Test func guaranteedIsNeverEvicted() {
        Self.check { situation, _ in
            situation.plan().evicted.allSatisfy { candidate in
                let recent = situation.recentUses[candidate.row] ?? candidate.lastUsed
                return candidate.lastUsed < situation.guaranteedUntil && recent < situation.guaranteedUntil
            }
        }
    }

    @Test func countMaxIsRespected() {
        Self.check { situation, _ in situation.plan().evicted.count <= situation.countMax }
    }

    @Test func everyCandidateIsDecidedOnce() {
        Self.check { situation, _ in
            let plan = situation.plan()
            let kept = plan.decisions.filter { $0.decision == .guaranteed || $0.decision == .notNeeded }
                .map(\.candidate)
            return plan.decisions.count == situation.candidates.count
                && Set(plan.evicted).isDisjoint(with: kept)
                && Set(plan.evicted).union(kept) == Set(situation.candidates)
        }
    }

    @Test func largerDemandNeverEvictsLess() {
        Self.check { situation, generator in
            var larger = situation.demand
            larger.bytes += .random(in: 0...100, using: &generator)
            larger.entries += .random(in: 0...3, using: &generator)
            return Set(situation.plan(demand: larger, countMax: 100).evicted)
                .isSuperset(of: situation.plan(countMax: 100).evicted)
        }
    }

    @Test func largerCountMaxNeverEvictsLess() {
        Self.check { situation, generator in
            let larger = situation.countMax + .random(in: 0...5, using: &generator)
            return Set(situation.plan(countMax: larger).evicted).isSuperset(of: situation.plan().evicted)
        }
    }

    /// Bytes go below zero, entries do not: nobody asks for more than there were too many.
    @Test func remainingIsTheDemandWithoutWhatGoes() {
        Self.check { situation, _ in
            let plan = situation.plan()
            let bytes = plan.evicted.map(\.size).reduce(0, +)
            let entries = plan.evicted.filter { if case .entry = $0.row { true } else { false } }.count
            return plan.remaining.bytes == situation.demand.bytes - bytes
                && plan.remaining.entries
                    == max(situation.demand.entries - Int64(entries), min(situation.demand.entries, 0))
        }
    }

    @Test func ranksCountUpInOrderOfLastUse() {
        Self.check { situation, _ in
            let evicted = situation.plan().decisions.compactMap { candidate, decision in
                if case .evicted(let rank) = decision { (rank: rank, lastUsed: candidate.lastUsed) } else { nil }
            }
            return evicted.map(\.rank) == Array(evicted.indices)
                && zip(evicted, evicted.dropFirst()).allSatisfy { $0.lastUsed <= $1.lastUsed }
        }
    }

    @Test func nothingIsEvictedOnceTheDemandIsMet() {
        Self.check { situation, _ in
            var bytes = situation.demand.bytes
            var entries = situation.demand.entries
            for candidate in situation.plan().evicted {
                if bytes <= 0 && entries <= 0 { return false }
                bytes -= candidate.size
                if case .entry = candidate.row { entries -= 1 }
            }
            return true
        }
    }

    @Test func applyingAPlanLeavesNothingToDo() {
        Self.check { situation, _ in
            let plan = situation.plan(countMax: 100)
            let gone = Set(plan.evicted)
            let rest = situation.candidates.filter { !gone.contains($0) }
            return situation.plan(rest, demand: plan.remaining, countMax: 100).evicted.isEmpty
        }
    }
}
