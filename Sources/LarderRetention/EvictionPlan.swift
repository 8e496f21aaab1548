package import LarderCore

/// What has to go so that a store or a repository is small enough again.
package struct EvictionDemand: Sendable, Equatable {
    /// Bytes to free.
    package var bytes: Int64
    /// Entries to remove.
    package var entries: Int64

    package init(bytes: Int64, entries: Int64 = 0) {
        self.bytes = bytes
        self.entries = entries
    }

    package var isMet: Bool { bytes <= 0 && entries <= 0 }
}

/// Which candidates are evicted, which are not, and why.
package struct EvictionPlan: Sendable, Equatable {
    /// What happens to a candidate, and why.
    package enum Decision: Sendable, Equatable {
        /// Goes: `rank` things were used less recently.
        case evicted(rank: Int)
        /// Stays: it was used within the guaranteed age.
        case guaranteed
        /// Stays: what came before it is enough.
        case notNeeded
    }

    package let decisions: [(candidate: EvictionCandidate, decision: Decision)]
    /// What is still to free after this plan, if every evicted byte is really freed.
    package let remaining: EvictionDemand

    /// The candidates that go, least recently used first.
    package var evicted: [EvictionCandidate] {
        decisions.compactMap { candidate, decision in
            if case .evicted = decision { candidate } else { nil }
        }
    }

    /// Plans one round of eviction.
    ///
    /// Candidates go in order of their last use; equal times are told apart by size, larger first, so that fewer go, and
    /// then by their rows, so that the order of the input does not matter.
    ///
    /// `candidates`: The least recently used things of every repository concerned.
    ///
    /// `recentUses`: Uses that the candidates' rows do not show yet.
    ///
    /// `guaranteedUntil`: What was used at this time or later stays.
    ///
    /// `countMax`: Things evicted at most.
    package static func make(
        candidates: [EvictionCandidate],
        recentUses: [UsedRow: Timestamp],
        demand: EvictionDemand,
        guaranteedUntil: Timestamp,
        countMax: Int
    ) -> EvictionPlan {
        var remaining = demand
        var rank = 0
        let sorted = candidates.sorted { $0.evictionOrder < $1.evictionOrder }
        let decisions = sorted.map { candidate -> (candidate: EvictionCandidate, decision: Decision) in
            let lastUsed = max(candidate.lastUsed, recentUses[candidate.row] ?? candidate.lastUsed)
            if lastUsed >= guaranteedUntil { return (candidate, .guaranteed) }
            // Used since its row was written: not the oldest any more, whatever the row says.
            if lastUsed != candidate.lastUsed { return (candidate, .notNeeded) }
            let isEntry = if case .entry = candidate.row { true } else { false }
            // A loose blob does not help a repository that only has too many entries.
            let helps = remaining.bytes > 0 || (remaining.entries > 0 && isEntry)
            guard helps && rank < countMax else { return (candidate, .notNeeded) }
            remaining.bytes -= candidate.size
            if isEntry && remaining.entries > 0 { remaining.entries -= 1 }
            defer { rank += 1 }
            return (candidate, .evicted(rank: rank))
        }
        return EvictionPlan(decisions: decisions, remaining: remaining)
    }

    /// Equal plans decide the same of the same candidates in the same order.
    package static func == (left: EvictionPlan, right: EvictionPlan) -> Bool {
        left.remaining == right.remaining
            && left.decisions.elementsEqual(right.decisions) {
                $0.candidate == $1.candidate && $0.decision == $1.decision
            }
    }
}

extension EvictionCandidate {
    /// A total order: no two rows compare equal.
    fileprivate var evictionOrder: (Int64, Int64, Int64, Int64, Int64) {
        switch row {
        case .entry(let id): (lastUsed.milliseconds, -size, 0, repository, id)
        case .link(let repository, let blobID): (lastUsed.milliseconds, -size, 1, repository, blobID)
        }
    }
}
