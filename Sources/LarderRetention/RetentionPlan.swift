package import LarderCore

/// The number that decided, and the limit that it was held against.
package enum RetentionMeasure: Sendable, Equatable {
    /// From 1, the first in the rule's order.
    case rank(Int, of: Int)
    case age(Duration, limit: Duration)
    /// Bytes of this entry and those before it.
    case bytes(Int64, limit: Int64)
}

/// What is decided of an entry or tag, and why.
package enum RetentionVerdict: Sendable, Equatable {
    /// Stays: no rule identifies it.
    case unclaimed
    /// Stays: the rule that identifies it first has room for it.
    case kept(rule: Int, RetentionMeasure)
    /// Stays: the rule would remove it, but keeps so many at least.
    case keptAtLeast(rule: Int, rank: Int)
    /// Stays: a person pinned it, or one of its tags.
    case pinned(reason: String)
    /// Stays with the index that refers to it, or with what it is about.
    case held(by: Int64)
    /// Stays for now: what it is about is not there yet.
    case waiting
    /// Stays as long as what kept it can be brought back.
    case leaving
    /// Goes.
    case expired(rule: Int, RetentionMeasure)
    /// Goes to the storage class `archive`.
    case archived(rule: Int, RetentionMeasure)
    /// Goes with the index or subject that kept it.
    case follows(Int64)

    package var isRemoval: Bool {
        switch self {
        case .expired, .follows: true
        default: false
        }
    }
}

/// What is decided of a tag by itself.
package struct RetentionTagDecision: Sendable, Equatable {
    /// The number of the entry that it names.
    package let item: Int64
    package let tag: String
    package let verdict: RetentionVerdict
}

/// What becomes of everything in a repository, and why.
package struct RetentionPlan: Sendable {
    /// What was never about anything that is there counts as an ordinary image after so long.
    package static let subjectGrace: Duration = .seconds(24 * 3600)

    package let inventory: RetentionInventory
    /// Of each item of the inventory, in its order.
    package let verdicts: [RetentionVerdict]
    /// The group in which each item was counted; nil: none.
    package let groups: [String?]
    /// Tags that rules on tags identify, in the order of items and names.
    package let tagDecisions: [RetentionTagDecision]
    /// Places in the inventory of what follows something, each behind all that kept it.
    package let followers: [Int]

    /// Decides about everything, by Amazon ECR's procedure: each rule identifies entries and ranks them as if there were no
    /// other rule; what an earlier rule identified, a later one can't remove.
    ///
    /// As many pattern matches as there are tags times patterns, and one sort for each rule. The order of the items does not
    /// matter.
    ///
    /// `usePrecision`: So much later than its stored time an entry may have been used; what may still be young enough stays.
    package static func make(
        _ inventory: RetentionInventory,
        policy: RetentionPolicy,
        now: Timestamp,
        usePrecision: Duration = .zero
    ) -> RetentionPlan {
        var evaluation = RetentionEvaluation(inventory, now: now, usePrecision: usePrecision)
        for rule in policy.rules {
            switch rule.target {
            case .entries: evaluation.applyToEntries(rule)
            case .tags: evaluation.applyToTags(rule)
            }
        }
        return evaluation.finish()
    }
}
