import LarderCore

/// The state of one evaluation: who identified what first, and what was decided.
struct RetentionEvaluation {
    /// A tag by its item and its place there.
    struct TagIndex: Hashable {
        let item: Int
        let tag: Int
    }

    let inventory: RetentionInventory
    let now: Timestamp
    var verdicts: [RetentionVerdict]
    var groups: [String?]
    /// Whether a rule has identified the item.
    private var isClaimed: [Bool]
    var tagVerdicts: [TagIndex: RetentionVerdict] = [:]
    /// Items by push, the latest first: most rules rank so.
    private let byPush: [Int]

    init(_ inventory: RetentionInventory, now: Timestamp) {
        self.inventory = inventory
        self.now = now
        let count = inventory.items.count
        verdicts = Array(repeating: .unclaimed, count: count)
        groups = Array(repeating: nil, count: count)
        isClaimed = Array(repeating: false, count: count)
        let items = inventory.items
        byPush = items.indices.sorted { (items[$0].rankedAt, items[$0].id) > (items[$1].rankedAt, items[$1].id) }
        for index in items.indices {
            if let holder = inventory.isHeld[index] ? inventory.holders[index].first : nil {
                verdicts[index] = .held(by: items[holder].id)
            } else if items[index].isLeaving {
                verdicts[index] = .leaving
            } else if isWaiting(index) {
                verdicts[index] = .waiting
            }
        }
    }

    /// Whether rules look at an item at all.
    private func isEligible(_ index: Int, _ rule: RetentionRule) -> Bool {
        !inventory.isHeld[index] && inventory.items[index].isArchived == rule.selection.isArchived
            && verdicts[index] != .waiting && verdicts[index] != .leaving
    }

    private func isWaiting(_ index: Int) -> Bool {
        inventory.isWaiting[index] && now - inventory.items[index].pushedAt <= RetentionPlan.subjectGrace
    }

    // MARK: - Rules on entries

    mutating func applyToEntries(_ rule: RetentionRule) {
        let matcher = SelectionMatcher(rule)
        var identified: [RankedEntry] = []
        for index in byPush where isEligible(index, rule) {
            let item = inventory.items[index]
            guard matcher.selects(item) else { continue }
            let groups = matcher.groups(of: item)
            if rule.grouping != nil && groups.isEmpty { continue }
            let version = rule.order == .version ? matcher.version(of: item) : nil
            if rule.order == .version && version == nil { continue }
            identified.append(RankedEntry(index: index, version: version, groups: groups))
        }
        sort(&identified, by: rule.order)
        let decisions = decide(identified, rule)
        for (entry, decision) in zip(identified, decisions) {
            if isClaimed[entry.index] { continue }
            isClaimed[entry.index] = true
            groups[entry.index] = decision.group
            verdicts[entry.index] = guarded(decision.verdict, of: entry.index)
        }
    }

    /// Pins come before rules, and so do tags that a rule before has kept.
    private func guarded(_ verdict: RetentionVerdict, of index: Int) -> RetentionVerdict {
        guard isRemoving(verdict) else { return verdict }
        if let reason = pin(of: index) { return .pinned(reason: reason) }
        if tagVerdicts.isEmpty { return verdict }
        let tags = inventory.items[index].tags.indices
        return tags.lazy.compactMap { tagVerdicts[TagIndex(item: index, tag: $0)] }.first { !$0.isRemoval } ?? verdict
    }

    private func pin(of index: Int) -> String? {
        let item = inventory.items[index]
        return item.pin ?? item.tags.lazy.compactMap(\.pin).first
    }

    private func sort(_ entries: inout [RankedEntry], by order: RetentionRule.Order) {
        let items = inventory.items
        switch order {
        case .pushed: break
        case .used:
            entries.sort {
                let (a, b) = (items[$0.index], items[$1.index])
                return (a.lastUsed, a.id) > (b.lastUsed, b.id)
            }
        case .version:
            entries.sort { a, b in
                guard let left = a.version, let right = b.version, left != right else {
                    let (a, b) = (items[a.index], items[b.index])
                    return (a.rankedAt, a.id) > (b.rankedAt, b.id)
                }
                return left > right
            }
        }
    }

    private typealias Decision = (verdict: RetentionVerdict, group: String?)

    /// What the rule alone would do with each of the entries that it ranks.
    ///
    /// An entry of several groups stays if one of them has room for it.
    private func decide(_ entries: [RankedEntry], _ rule: RetentionRule) -> [Decision] {
        var ranks: [String: Int] = [:]
        var rank = 0
        var contents: [String: ContentSum] = [:]
        return entries.map { entry in
            guard rule.grouping != nil else {
                rank += 1
                let bytes = sum(entry.index, in: "", &contents, rule)
                return (verdict(of: entry.index, rank: rank, bytes: bytes, rule), nil)
            }
            var result: Decision?
            for group in entry.groups {
                ranks[group, default: 0] += 1
                let bytes = sum(entry.index, in: group, &contents, rule)
                let verdict = verdict(of: entry.index, rank: ranks[group] ?? 1, bytes: bytes, rule)
                if result == nil || (isRemoving(result?.verdict) && !isRemoving(verdict)) { result = (verdict, group) }
            }
            return result ?? (.unclaimed, nil)
        }
    }

    private func isRemoving(_ verdict: RetentionVerdict?) -> Bool {
        switch verdict {
        case .expired, .archived: true
        default: false
        }
    }

    private func verdict(of index: Int, rank: Int, bytes: Int64, _ rule: RetentionRule) -> RetentionVerdict {
        let (measure, isTooMuch) = measure(of: inventory.items[index], rank: rank, bytes: bytes, rule)
        guard isTooMuch else { return .kept(rule: rule.priority, measure) }
        if rank <= rule.keepAtLeast { return .keptAtLeast(rule: rule.priority, rank: rank) }
        switch rule.action {
        case .expire: return .expired(rule: rule.priority, measure)
        case .transition: return .archived(rule: rule.priority, measure)
        }
    }

    private func measure(
        of item: RetentionItem,
        rank: Int,
        bytes: Int64,
        _ rule: RetentionRule
    ) -> (RetentionMeasure, isTooMuch: Bool) {
        switch rule.limit {
        case .count(let limit): return (.rank(rank, of: limit), rank > limit)
        case .bytes(let limit): return (.bytes(bytes, limit: limit), bytes > limit)
        case .age(let kind, let limit):
            let age = now - Self.start(of: kind, item)
            return (.age(age, limit: limit), age > limit)
        }
    }

    private static func start(of age: RetentionRule.Age, _ item: RetentionItem) -> Timestamp {
        switch age {
        case .pushed: item.pushedAt
        case .used: max(item.lastUsed, item.restoredAt ?? item.pushedAt)
        case .untagged: item.untaggedAt ?? item.pushedAt
        case .archived: item.archivedAt ?? item.pushedAt
        }
    }

    /// Bytes of an entry, what it keeps included, and of all before it in its group.
    private func sum(_ index: Int, in group: String, _ sums: inout [String: ContentSum], _ rule: RetentionRule) -> Int64
    {
        guard case .bytes = rule.limit else { return 0 }
        var waiting = [index]
        var seen: Set = [index]
        while let next = waiting.popLast() {
            sums[group, default: ContentSum()].add(inventory.items[next].content)
            for follower in inventory.held[next] where seen.insert(follower).inserted { waiting.append(follower) }
        }
        return sums[group]?.bytes ?? 0
    }

    // MARK: - Rules on tags

    mutating func applyToTags(_ rule: RetentionRule) {
        let matcher = SelectionMatcher(rule)
        var identified: [RankedTag] = []
        for (index, item) in inventory.items.enumerated() where !inventory.isCompanion[index] {
            for (position, tag) in item.tags.enumerated() where matcher.selects(tag.name, of: item) {
                let group = rule.grouping == nil ? "" : matcher.group(of: tag.name, item)
                let version = rule.order == .version ? SemanticVersion(tag: tag.name) : nil
                guard let group, rule.order != .version || version != nil else { continue }
                identified.append(
                    RankedTag(
                        index: TagIndex(item: index, tag: position),
                        tag: tag,
                        used: item.lastUsed,
                        version: version,
                        group: group
                    )
                )
            }
        }
        identified.sort { $0.comes(before: $1, by: rule.order) }
        var ranks: [String: Int] = [:]
        for entry in identified {
            ranks[entry.group, default: 0] += 1
            guard tagVerdicts[entry.index] == nil, !isClaimed[entry.index.item] else { continue }
            tagVerdicts[entry.index] = verdict(of: entry, rank: ranks[entry.group] ?? 1, rule)
        }
    }

    private func verdict(of entry: RankedTag, rank: Int, _ rule: RetentionRule) -> RetentionVerdict {
        let measure: RetentionMeasure
        let isTooMuch: Bool
        switch rule.limit {
        case .count(let limit): (measure, isTooMuch) = (.rank(rank, of: limit), rank > limit)
        case .age(let kind, let limit):
            let age = now - (kind == .used ? max(entry.used, entry.tag.givenAt) : entry.tag.givenAt)
            (measure, isTooMuch) = (.age(age, limit: limit), age > limit)
        case .bytes(let limit): (measure, isTooMuch) = (.bytes(0, limit: limit), false)
        }
        guard isTooMuch else { return .kept(rule: rule.priority, measure) }
        if let reason = entry.tag.pin ?? inventory.items[entry.index.item].pin { return .pinned(reason: reason) }
        if rank <= rule.keepAtLeast { return .keptAtLeast(rule: rule.priority, rank: rank) }
        return .expired(rule: rule.priority, measure)
    }
}

/// An entry that a rule identifies.
private struct RankedEntry {
    let index: Int
    let version: SemanticVersion?
    let groups: [String]
}

/// A tag that a rule identifies.
private struct RankedTag {
    let index: RetentionEvaluation.TagIndex
    let tag: RetentionTag
    let used: Timestamp
    let version: SemanticVersion?
    let group: String

    func comes(before other: RankedTag, by order: RetentionRule.Order) -> Bool {
        if order == .version, let version, let otherVersion = other.version, version != otherVersion {
            return version > otherVersion
        }
        if order == .used, used != other.used { return used > other.used }
        if tag.givenAt != other.tag.givenAt { return tag.givenAt > other.tag.givenAt }
        if index.item != other.index.item { return index.item > other.index.item }
        return tag.name > other.tag.name
    }
}

/// Bytes of blobs, each counted once.
private struct ContentSum {
    private var known: Set<Int64> = []
    private(set) var bytes: Int64 = 0

    mutating func add(_ blobs: [ContentBlob]) {
        for blob in blobs where known.insert(blob.id).inserted { bytes += blob.size }
    }
}
