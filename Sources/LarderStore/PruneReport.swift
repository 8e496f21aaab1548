package import LarderCore
import LarderRetention

/// One line of a preview, or of what a run did.
package struct PruneLine: Sendable {
    /// What becomes of an entry.
    package enum Decision: String, Sendable {
        case kept
        case removed
        case archived
        /// It stays, and loses tags.
        case tagsRemoved = "tags removed"
    }

    package let key: String
    package let scope: String
    package let tags: [String]
    package let pushedAt: Timestamp
    package let lastUsed: Timestamp
    let verdict: RetentionVerdict
    /// The group in which it was counted; nil: none.
    package let group: String?
    /// Why, for people.
    package let explanation: String
    /// Bytes that are free when it is gone for good, of what no other line has.
    package let bytes: Int64
    /// Tags that go while the entry stays.
    package let removedTags: [String]

    /// The number of the rule that decided; nil: none did.
    package var rule: Int? { verdict.rule }

    package var decision: Decision {
        switch verdict {
        case .expired, .follows: .removed
        case .archived: .archived
        case .unclaimed, .kept, .keptAtLeast, .pinned, .held, .waiting, .leaving:
            removedTags.isEmpty ? .kept : .tagsRemoved
        }
    }
}

/// What a policy does to a repository.
package struct PrunePreview: Sendable {
    package let repository: RepositoryName
    package let policy: String
    /// Every entry, in the order in which they were stored.
    package let lines: PruneLines
    /// How long it took to read what is there.
    package let readTime: Duration
    /// How long it took to decide about it.
    package let planTime: Duration

    package var removedCount: Int { lines.plan.verdicts.count { $0.isRemoval } }
    package var archivedCount: Int { lines.plan.verdicts.count { if case .archived = $0 { true } else { false } } }
    /// Bytes that become free when all that is removed is gone for good.
    package var bytes: Int64 { lines.bytes.values.reduce(0, +) }
    /// Tags that go while their entries stay.
    package var removedTagCount: Int { lines.removedTags.values.reduce(0) { $0 + $1.count } }
}

/// The lines of a plan, made when they are asked for: there may be very many.
package struct PruneLines: RandomAccessCollection, Sendable {
    let plan: RetentionPlan
    /// By entry.
    let bytes: [Int64: Int64]
    /// Tags that go while their entries stay, by entry.
    let removedTags: [Int64: [RetentionTagDecision]]

    init(_ plan: RetentionPlan, bytes: [Int64: Int64]) {
        self.plan = plan
        self.bytes = bytes
        var removedTags: [Int64: [RetentionTagDecision]] = [:]
        for decision in plan.tagDecisions where decision.verdict.isRemoval {
            removedTags[decision.item, default: []].append(decision)
        }
        for (item, verdict) in zip(plan.inventory.items, plan.verdicts) where verdict.isRemoval {
            removedTags[item.id] = nil
        }
        self.removedTags = removedTags
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { plan.inventory.items.count }

    package subscript(index: Int) -> PruneLine {
        let item = plan.inventory.items[index]
        return PruneLine(
            key: item.key,
            scope: item.scope,
            tags: item.tags.map(\.name),
            pushedAt: item.pushedAt,
            lastUsed: item.lastUsed,
            verdict: plan.verdicts[index],
            group: plan.groups[index],
            explanation: explanation(of: index),
            bytes: bytes[item.id] ?? 0,
            removedTags: removedTags[item.id]?.map(\.tag) ?? []
        )
    }

    /// Why, with other entries named by their keys.
    private func explanation(of index: Int) -> String {
        let verdict = plan.verdicts[index]
        var text =
            switch verdict {
            case .held(let holder): "belongs to \(key(of: holder))"
            case .follows(let holder): "goes with \(key(of: holder))"
            default: verdict.explanation + (plan.groups[index].map { " (group \($0))" } ?? "")
            }
        for decision in removedTags[plan.inventory.items[index].id] ?? [] {
            text += "; tag \(decision.tag) goes by \(decision.verdict.explanation)"
        }
        return text
    }

    private func key(of id: Int64) -> String {
        let items = plan.inventory.items
        return RetentionInventory.place(of: id, in: items).map { items[$0].key } ?? "another one"
    }
}

/// A plan with what is needed to carry it out and to explain it.
struct PreparedPlan: Sendable {
    let lines: PruneLines
    let readTime: Duration
    let planTime: Duration

    var plan: RetentionPlan { lines.plan }
}
