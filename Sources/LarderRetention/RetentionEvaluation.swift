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
    /// How much later than its stored time an entry may have been used.
    let usePrecision: Duration
    var verdicts: [RetentionVerdict]
    var groups: [String?]
    /// Whether a rule has identified the item.
    private var isClaimed: [Bool]
    var tagVerdicts: [TagIndex: RetentionVerdict] = [:]
    /// Of each item: its times, in a form that costs nothing to copy.
    private let times: [ItemTimes]
    /// Items by push, the latest first: most rules rank so.
    private let byPush: [Int]

    init(_ inventory: RetentionInventory, now: Timestamp, usePrecision: Duration) {
        self.inventory = inventory
        self.now = now
        self.usePrecision = usePrecision
        let count = inventory.items.count
        verdicts = Array(repeating: .unclaimed, count: count)
        groups = Array(repeating: nil, count: count)
        isClaimed = Array(repeating: false, count: count)
        let items = inventory.items
        let times = inventory.items.map { ItemTimes($0) }
        self.times = times
        byPush = times.indices.sorted { (times[$0].rankedAt, times[$0].id) > (times[$1].rankedAt, times[$1].id) }
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
        !inventory.isHeld[index] && times[index].isArchived == rule.selection.isArchived
            && !isSetAside(index)
    }

    /// Whether an item stays for now, and no rule sees it.
    private func isSetAside(_ index: Int) -> Bool { verdicts[index] == .waiting || verdicts[index] == .leaving }

    private func isWaiting(_ index: Int) -> Bool {
        inventory.isWaiting[index] && now - inventory.items[index].pushedAt <= RetentionPlan.subjectGrace
    }

    // MARK: - Rules on entries

    mutating func applyToEntries(_ rule: RetentionRule) {
        var identified = identify(rule)
        sort(&identified, by: rule.order)
        var counter = EntryCounter()
        for entry in identified {
            let decision = decide(entry, rule, &counter)
            if isClaimed[entry.index] { continue }
            isClaimed[entry.index] = true
            groups[entry.index] = decision.group
            verdicts[entry.index] = guarded(decision.verdict, of: entry.index)
        }
    }

    /// What a rule identifies, the youngest push first.
    private func identify(_ rule: RetentionRule) -> [RankedEntry] {
        let matcher = SelectionMatcher(rule)
        return withItems { items, reader in
            var identified: [RankedEntry] = []
            for index in byPush where isEligible(index, rule) {
                let (item, tags) = (items + index, reader.tags(of: index))
                guard matcher.selects(item, tags) else { continue }
                let groups = rule.grouping == nil ? [] : matcher.groups(of: item, tags)
                if rule.grouping != nil && groups.isEmpty { continue }
                let version = rule.order == .version ? matcher.version(of: tags) : nil
                if rule.order == .version && version == nil { continue }
                identified.append(RankedEntry(index: index, version: version, groups: groups))
            }
            return identified
        }
    }

    /// Hands out the items in their places, with their tags.
    private func withItems<Value>(_ body: (SelectionMatcher.Item, TagReader) -> [Value]) -> [Value] {
        inventory.items.withUnsafeBufferPointer { items in
            guard let first = items.baseAddress else { return [] }
            return inventory.tagTable.withTags { body(first, $0) }
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
        switch order {
        case .pushed: break
        case .used:
            entries.sort {
                let (a, b) = (times[$0.index], times[$1.index])
                return (a.lastUsed, a.id) > (b.lastUsed, b.id)
            }
        case .version:
            entries.sort { a, b in
                guard let left = a.version, let right = b.version, left != right else {
                    let (a, b) = (times[a.index], times[b.index])
                    return (a.rankedAt, a.id) > (b.rankedAt, b.id)
                }
                return left > right
            }
        }
    }

    private typealias Decision = (verdict: RetentionVerdict, group: String?)

    /// What the rule alone would do with the next of the entries that it ranks.
    ///
    /// An entry of several groups stays if one of them has room for it.
    private func decide(_ entry: RankedEntry, _ rule: RetentionRule, _ counter: inout EntryCounter) -> Decision {
        guard rule.grouping != nil else {
            counter.rank += 1
            let bytes = sum(entry.index, in: "", &counter.contents, rule)
            return (verdict(of: entry.index, rank: counter.rank, bytes: bytes, rule), nil)
        }
        var result: Decision?
        for group in entry.groups {
            let rank = (counter.ranks[group] ?? 0) + 1
            counter.ranks[group] = rank
            let bytes = sum(entry.index, in: group, &counter.contents, rule)
            let verdict = verdict(of: entry.index, rank: rank, bytes: bytes, rule)
            if result == nil || (isRemoving(result?.verdict) && !isRemoving(verdict)) { result = (verdict, group) }
        }
        return result ?? (.unclaimed, nil)
    }

    private func isRemoving(_ verdict: RetentionVerdict?) -> Bool {
        switch verdict {
        case .expired, .archived: true
        default: false
        }
    }

    private func verdict(of index: Int, rank: Int, bytes: Int64, _ rule: RetentionRule) -> RetentionVerdict {
        let (measure, isTooMuch) = measure(of: times[index], rank: rank, bytes: bytes, rule)
        guard isTooMuch else { return .kept(rule: rule.priority, measure) }
        if rank <= rule.keepAtLeast { return .keptAtLeast(rule: rule.priority, rank: rank) }
        switch rule.action {
        case .expire: return .expired(rule: rule.priority, measure)
        case .transition: return .archived(rule: rule.priority, measure)
        }
    }

    private func measure(
        of item: ItemTimes,
        rank: Int,
        bytes: Int64,
        _ rule: RetentionRule
    ) -> (RetentionMeasure, isTooMuch: Bool) {
        switch rule.limit {
        case .count(let limit): return (.rank(rank, of: limit), rank > limit)
        case .bytes(let limit): return (.bytes(bytes, limit: limit), bytes > limit)
        case .age(let kind, let limit):
            return measure(now - Self.start(of: kind, item), of: kind, limit)
        }
    }

    private func measure(
        _ age: Duration,
        of kind: RetentionRule.Age,
        _ limit: Duration
    ) -> (RetentionMeasure, isTooMuch: Bool) {
        (.age(age, limit: limit), age - (kind == .used ? usePrecision : .zero) > limit)
    }

    private static func start(of age: RetentionRule.Age, _ item: ItemTimes) -> Timestamp {
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
        var total = sums.removeValue(forKey: group) ?? ContentSum()
        var waiting = [index]
        while let next = waiting.popLast() {
            guard total.begin(next) else { continue }
            total.add(inventory.items[next].content)
            waiting += inventory.held[next]
        }
        sums[group] = total
        return total.bytes
    }

    // MARK: - Rules on tags

    mutating func applyToTags(_ rule: RetentionRule) {
        var identified = identifyTags(rule)
        identified.sort { $0.comes(before: $1, by: rule.order) }
        var ranks: [String: Int] = [:]
        for entry in identified {
            ranks[entry.group, default: 0] += 1
            guard tagVerdicts[entry.index] == nil, !isClaimed[entry.index.item] else { continue }
            tagVerdicts[entry.index] = verdict(of: entry, rank: ranks[entry.group] ?? 1, rule)
        }
    }

    private func identifyTags(_ rule: RetentionRule) -> [RankedTag] {
        let matcher = SelectionMatcher(rule)
        return withItems { items, reader in
            var identified: [RankedTag] = []
            for index in inventory.items.indices where !inventory.isCompanion[index] && !isSetAside(index) {
                let (item, tags) = (items + index, reader.tags(of: index))
                for (position, place) in tags.range.enumerated() where matcher.selects(tags[place], of: item) {
                    let group = rule.grouping == nil ? "" : matcher.group(of: tags[place], item, tags)
                    let tag = item.pointee.tags[position]
                    let version = rule.order == .version ? SemanticVersion(tag: tag.name) : nil
                    guard let group, rule.order != .version || version != nil else { continue }
                    identified.append(
                        RankedTag(
                            index: TagIndex(item: index, tag: position),
                            tag: tag,
                            used: item.pointee.lastUsed,
                            version: version,
                            group: group
                        )
                    )
                }
            }
            return identified
        }
    }

    private func verdict(of entry: RankedTag, rank: Int, _ rule: RetentionRule) -> RetentionVerdict {
        let measure: RetentionMeasure
        let isTooMuch: Bool
        switch rule.limit {
        case .count(let limit): (measure, isTooMuch) = (.rank(rank, of: limit), rank > limit)
        case .age(let kind, let limit):
            let start = kind == .used ? max(entry.used, entry.tag.givenAt) : entry.tag.givenAt
            (measure, isTooMuch) = self.measure(now - start, of: kind, limit)
        case .bytes(let limit): (measure, isTooMuch) = (.bytes(0, limit: limit), false)
        }
        guard isTooMuch else { return .kept(rule: rule.priority, measure) }
        if let reason = entry.tag.pin ?? inventory.items[entry.index.item].pin { return .pinned(reason: reason) }
        if rank <= rule.keepAtLeast { return .keptAtLeast(rule: rule.priority, rank: rank) }
        return .expired(rule: rule.priority, measure)
    }
}

/// The times of an item.
private struct ItemTimes {
    let id: Int64
    let rankedAt: Timestamp
    let pushedAt: Timestamp
    let lastUsed: Timestamp
    let untaggedAt: Timestamp?
    let archivedAt: Timestamp?
    let restoredAt: Timestamp?
    let isArchived: Bool

    init(_ item: RetentionItem) {
        id = item.id
        rankedAt = item.rankedAt
        pushedAt = item.pushedAt
        lastUsed = item.lastUsed
        untaggedAt = item.untaggedAt
        archivedAt = item.archivedAt
        restoredAt = item.returnedAt
        isArchived = item.isArchived
    }
}

/// How far a rule has counted.
private struct EntryCounter {
    var rank = 0
    var ranks: [String: Int] = [:]
    var contents: [String: ContentSum] = [:]
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
    private var items: Set<Int> = []
    private(set) var bytes: Int64 = 0

    /// Whether an item was not added yet.
    mutating func begin(_ item: Int) -> Bool { items.insert(item).inserted }

    mutating func add(_ blobs: [ContentBlob]) {
        for blob in blobs where known.insert(blob.id).inserted { bytes += blob.size }
    }
}
