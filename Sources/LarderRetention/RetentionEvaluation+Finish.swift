import LarderCore

extension RetentionEvaluation {
    /// Follows up what the rules decided: images go with their last tags, and what only removed images kept goes with them.
    consuming func finish() -> RetentionPlan {
        expireUntagged()
        let followers = removeFollowers()
        let order = tagVerdicts.keys.sorted { ($0.item, $0.tag) < ($1.item, $1.tag) }
        let decisions = order.compactMap { index -> RetentionTagDecision? in
            guard let verdict = tagVerdicts[index] else { return nil }
            let item = inventory.items[index.item]
            return RetentionTagDecision(item: item.id, tag: item.tags[index.tag].name, verdict: verdict)
        }
        return RetentionPlan(
            inventory: inventory,
            verdicts: verdicts,
            groups: groups,
            tagDecisions: decisions,
            followers: followers
        )
    }

    /// Images whose tags all go by rules on tags.
    private mutating func expireUntagged() {
        for (index, item) in inventory.items.enumerated() where !item.tags.isEmpty && !inventory.isHeld[index] {
            guard item.pin == nil, verdicts[index] != .waiting, verdicts[index] != .leaving,
                !verdicts[index].isRemoval, let last = lastRemoval(index)
            else { continue }
            verdicts[index] = last
        }
    }

    /// The verdict that takes the last tag of an item; nil when one stays.
    private func lastRemoval(_ index: Int) -> RetentionVerdict? {
        var last: RetentionVerdict?
        for position in inventory.items[index].tags.indices {
            guard let verdict = tagVerdicts[TagIndex(item: index, tag: position)], verdict.isRemoval else { return nil }
            if (last?.rule ?? 0) < (verdict.rule ?? 0) { last = verdict }
        }
        return last
    }

    /// Returns what goes so, each behind all that kept it.
    private mutating func removeFollowers() -> [Int] {
        var order: [Int] = []
        // Holders of each item that stay so far.
        var remaining = inventory.holders.map(\.count)
        var waiting = verdicts.indices.filter { verdicts[$0].isRemoval }
        while let index = waiting.popLast() {
            for follower in inventory.held[index] {
                remaining[follower] -= 1
                guard remaining[follower] == 0, !verdicts[follower].isRemoval, inventory.isHeld[follower] else {
                    continue
                }
                if let reason = ownReason(follower) {
                    verdicts[follower] = reason
                } else {
                    verdicts[follower] = .follows(inventory.items[index].id)
                    waiting.append(follower)
                    order.append(follower)
                }
            }
        }
        return order
    }

    /// Why an item stays whose holders all go: a pin, or a tag of its own; nil: it does not.
    private func ownReason(_ index: Int) -> RetentionVerdict? {
        let item = inventory.items[index]
        if let pin = item.pin ?? item.tags.lazy.compactMap(\.pin).first { return .pinned(reason: pin) }
        if item.tags.isEmpty || inventory.isCompanion[index] || lastRemoval(index) != nil { return nil }
        return .unclaimed
    }
}
