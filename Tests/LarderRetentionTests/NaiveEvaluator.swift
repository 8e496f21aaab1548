import LarderCore
import LarderRetention

/// What becomes of an entry, without the reasons.
enum NaiveFate: Hashable {
    case kept
    case expired(by: Int)
    case archived(by: Int)
    case follows
}

/// A tag of an entry.
struct TagName: Hashable {
    let item: Int64
    let tag: String
}

/// What becomes of everything.
struct NaiveOutcome: Equatable {
    var fates: [Int64: NaiveFate] = [:]
    var goneTags: Set<TagName> = []
}

/// The README once more, sentence by sentence and without regard to cost.
///
/// Who goes is found by counting, for each entry and each rule, how many others come before it.
struct NaiveEvaluator {
    private let items: [RetentionItem]
    private let policy: RetentionPolicy
    private let now: Timestamp
    /// What keeps each item.
    private var holders: [Int64: Set<Int64>] = [:]
    /// Items all of whose tags are about others that are there.
    private var companions: Set<Int64> = []
    private var held: Set<Int64> = []
    /// Of each rule, in the policy's order: what it identifies.
    private var identified: [[Candidate]] = []

    /// An entry that a rule identifies, or a tag.
    private struct Candidate {
        let item: RetentionItem
        var tag: RetentionTag?
        let groups: Set<String>
        let version: SemanticVersion?
    }

    init(_ items: [RetentionItem], _ policy: RetentionPolicy, now: Timestamp) {
        self.items = items
        self.policy = policy
        self.now = now
        companions = Set(items.filter(hasOnlyCompanionTags).map(\.id))
        for item in items {
            holders[item.id] = Set(items.filter { $0.id != item.id && keeps($0, item) }.map(\.id))
        }
        held = Set(items.filter(isKeptByRoot).map(\.id))
        identified = policy.rules.map { rule in
            rule.target == .entries
                ? items.compactMap { candidate($0, rule) }
                : items.flatMap { item in item.tags.compactMap { candidate($0, of: item, rule) } }
        }
    }

    func evaluate() -> NaiveOutcome {
        var outcome = NaiveOutcome()
        for item in items { outcome.fates[item.id] = fate(of: item) }
        let taken = takenTags()
        for item in items where !held.contains(item.id) && item.pin == nil && !isWaiting(item) && !item.isLeaving {
            guard let rule = lastTaker(of: item, taken), outcome.fates[item.id].map(isGone) != true else { continue }
            outcome.fates[item.id] = .expired(by: rule)
        }
        follow(&outcome, taken)
        outcome.goneTags = Set(taken.keys)
        for item in items where outcome.fates[item.id].map(isGone) == true {
            outcome.goneTags.formUnion(item.tags.map { TagName(item: item.id, tag: $0.name) })
        }
        return outcome
    }

    // MARK: - What belongs to what

    private func keeps(_ holder: RetentionItem, _ item: RetentionItem) -> Bool {
        if holder.children.contains(item.id) || item.subject == holder.key { return true }
        return companions.contains(item.id) && item.tags.contains { speaks($0.name, of: holder) }
    }

    /// Whether a tag such as `sha256-….sig` is about a manifest.
    private func speaks(_ tag: String, of item: RetentionItem) -> Bool {
        let stem = "sha256-" + item.key.dropFirst("sha256:".count)
        return tag.hasPrefix(stem) && ["", ".sig", ".att", ".sbom"].contains(tag.dropFirst(stem.count))
    }

    private func hasOnlyCompanionTags(_ item: RetentionItem) -> Bool {
        let others = items.filter { $0.id != item.id }
        return !item.tags.isEmpty
            && item.tags.allSatisfy { tag in others.contains { speaks(tag.name, of: $0) } }
    }

    /// Whether something keeps it that nothing keeps, by however many steps.
    private func isKeptByRoot(_ item: RetentionItem) -> Bool {
        var above = holders[item.id] ?? []
        var count = -1
        while count != above.count {
            count = above.count
            above.formUnion(above.flatMap { holders[$0] ?? [] })
        }
        return above.contains { holders[$0] == [] }
    }

    private func isWaiting(_ item: RetentionItem) -> Bool {
        guard let subject = item.subject, !items.contains(where: { $0.key == subject }) else { return false }
        return now.milliseconds - item.pushedAt.milliseconds <= 86_400_000
    }

    /// The item and everything that it keeps.
    private func family(of item: RetentionItem) -> [RetentionItem] {
        var ids: Set<Int64> = []
        var more: Set = [item.id]
        while !more.isSubset(of: ids) {
            ids.formUnion(more)
            more = Set(items.filter { holders[$0.id]?.isDisjoint(with: ids) == false }.map(\.id))
        }
        return items.filter { ids.contains($0.id) }
    }

    // MARK: - Times

    private func isArchived(_ item: RetentionItem) -> Bool {
        guard let archivedAt = item.archivedAt else { return false }
        return !(item.lastUsed > archivedAt)
    }

    /// Images of the archive rank by their transition, those that came back by their return.
    private func ranked(_ item: RetentionItem) -> Int64 {
        guard let archivedAt = item.archivedAt else { return item.pushedAt.milliseconds }
        return max(archivedAt, item.lastUsed).milliseconds
    }

    private func age(_ kind: RetentionRule.Age, of candidate: Candidate) -> Int64 {
        let item = candidate.item
        let pushedAt = candidate.tag?.givenAt ?? item.pushedAt
        let start: Timestamp
        switch kind {
        case .pushed: start = pushedAt
        case .used: start = item.lastUsed > pushedAt ? item.lastUsed : pushedAt
        case .untagged: start = item.untaggedAt ?? pushedAt
        case .archived: start = item.archivedAt ?? pushedAt
        }
        return now.milliseconds - start.milliseconds
    }

    // MARK: - Selection

    private func candidate(_ item: RetentionItem, _ rule: RetentionRule) -> Candidate? {
        guard !held.contains(item.id), !item.isLeaving, !isWaiting(item), isArchived(item) == rule.selection.isArchived,
            isSelected(item, by: rule.selection)
        else { return nil }
        let tags = meantTags(of: item, rule)
        let groups = groups(of: item, tags, rule)
        let version = tags.compactMap { SemanticVersion(tag: $0) }.max()
        if groups.isEmpty || (rule.order == .version && version == nil) { return nil }
        return Candidate(item: item, groups: groups, version: version)
    }

    /// Rules on tags look at one tag at a time, wherever it is, but for those that only say what is about what.
    private func candidate(_ tag: RetentionTag, of item: RetentionItem, _ rule: RetentionRule) -> Candidate? {
        var image = item
        image.tags = [tag]
        let isSetAside = !held.contains(item.id) && (item.isLeaving || isWaiting(item))
        guard !companions.contains(item.id), !isSetAside, isSelected(image, by: rule.selection) else { return nil }
        let groups = groups(of: image, [tag.name], rule)
        let version = SemanticVersion(tag: tag.name)
        if groups.isEmpty || (rule.order == .version && version == nil) { return nil }
        return Candidate(item: item, tag: tag, groups: groups, version: version)
    }

    private func isSelected(_ item: RetentionItem, by selection: RetentionSelection) -> Bool {
        let tags = item.tags.map(\.name)
        switch selection.tagStatus {
        case .any: break
        case .untagged: if !tags.isEmpty { return false }
        case .tagged:
            if tags.isEmpty { return false }
            let isMissing = selection.tagPatterns.contains { pattern in tags.allSatisfy { !pattern.matches($0) } }
            let isMissingPrefix = selection.tagPrefixes.contains { prefix in tags.allSatisfy { !$0.hasPrefix(prefix) } }
            if isMissing || isMissingPrefix { return false }
        }
        if let filter = selection.included, !isIncluded(item, tags, filter) { return false }
        if let filter = selection.excluded, isExcluded(item, tags, filter) { return false }
        return true
    }

    /// Each kind that is named must match one of its patterns.
    private func isIncluded(_ item: RetentionItem, _ tags: [String], _ filter: RetentionFilter) -> Bool {
        var isIncluded = true
        if !filter.tags.isEmpty { isIncluded = isIncluded && matches(filter.tags, tags) }
        if !filter.keys.isEmpty { isIncluded = isIncluded && matches(filter.keys, [item.key]) }
        if !filter.scopes.isEmpty { isIncluded = isIncluded && matches(filter.scopes, [item.scope]) }
        if !filter.writers.isEmpty { isIncluded = isIncluded && matches(filter.writers, writers(of: item)) }
        for (name, patterns) in filter.labels {
            isIncluded = isIncluded && matches(patterns, item.labels.filter { $0.key == name }.map(\.value))
        }
        return isIncluded
    }

    /// What matches any pattern is excluded.
    private func isExcluded(_ item: RetentionItem, _ tags: [String], _ filter: RetentionFilter) -> Bool {
        for (name, value) in item.labels where matches(filter.labels[name] ?? [], [value]) { return true }
        return matches(filter.tags, tags) || matches(filter.keys, [item.key]) || matches(filter.scopes, [item.scope])
            || matches(filter.writers, writers(of: item))
    }

    private func writers(of item: RetentionItem) -> [String] { item.writer.map { [$0] } ?? [] }

    private func matches(_ patterns: [TextPattern], _ texts: [String]) -> Bool {
        patterns.contains { pattern in
            texts.contains { text in
                switch pattern {
                case .glob(let glob): glob.matches(text)
                case .expression(let expression): expression.matches(text)
                }
            }
        }
    }

    /// Tags that the rule is about: with patterns of tags, those that some pattern describes.
    private func meantTags(of item: RetentionItem, _ rule: RetentionRule) -> [String] {
        let (patterns, prefixes) = (rule.selection.tagPatterns, rule.selection.tagPrefixes)
        var tags = item.tags.map(\.name)
        if !patterns.isEmpty || !prefixes.isEmpty {
            tags = tags.filter { tag in
                patterns.contains { $0.matches(tag) } || prefixes.contains { tag.hasPrefix($0) }
            }
        }
        if let included = rule.selection.included?.tags, !included.isEmpty {
            tags = tags.filter { matches(included, [$0]) }
        }
        return tags
    }

    /// The groups in which an item is counted; a rule without groups has one.
    private func groups(of item: RetentionItem, _ tags: [String], _ rule: RetentionRule) -> Set<String> {
        switch rule.grouping {
        case nil: [""]
        case .tag(let expression): Set(tags.compactMap { expression.capture(in: $0) })
        case .key(let expression): Set([expression.capture(in: item.key)].compactMap { $0 })
        case .label(let name): Set(item.labels.filter { $0.key == name }.map(\.value))
        case .scope: [item.scope]
        case .writer: Set(writers(of: item))
        }
    }

    // MARK: - Counting

    private func comes(_ a: Candidate, before b: Candidate, _ rule: RetentionRule) -> Bool {
        if rule.order == .version, let first = a.version, let second = b.version {
            if first > second { return true }
            if first < second { return false }
        }
        if rule.order == .used && a.item.lastUsed != b.item.lastUsed { return a.item.lastUsed > b.item.lastUsed }
        if let first = a.tag, let second = b.tag {
            if first.givenAt != second.givenAt { return first.givenAt > second.givenAt }
            return a.item.id > b.item.id || (a.item.id == b.item.id && first.name > second.name)
        }
        // By use, equal times leave the order of storing.
        let (first, second) = rule.order == .used ? (0, 0) : (ranked(a.item), ranked(b.item))
        return first > second || (first == second && a.item.id > b.item.id)
    }

    /// Whether a rule by itself would remove a candidate: no group has room for it.
    private func isTooMuch(_ candidate: Candidate, of all: [Candidate], _ rule: RetentionRule) -> Bool {
        candidate.groups.allSatisfy { group in
            let before = all.filter { $0.groups.contains(group) && comes($0, before: candidate, rule) }
            if before.count < rule.keepAtLeast { return false }
            switch rule.limit {
            case .count(let limit): return before.count >= limit
            case .age(let kind, let limit): return age(kind, of: candidate) > limit.wholeMilliseconds
            case .bytes(let limit): return bytes(of: before + [candidate]) > limit
            }
        }
    }

    private func bytes(of candidates: [Candidate]) -> Int64 {
        var sizes: [Int64: Int64] = [:]
        for blob in candidates.flatMap({ family(of: $0.item) }).flatMap(\.content) { sizes[blob.id] = blob.size }
        return sizes.values.reduce(0, +)
    }

    // MARK: - Decisions

    /// The first rule to identify an entry decides about it.
    private func fate(of item: RetentionItem) -> NaiveFate {
        for (rule, all) in zip(policy.rules, identified) where rule.target == .entries {
            guard let candidate = all.first(where: { $0.item.id == item.id }) else { continue }
            guard isTooMuch(candidate, of: all, rule), !isPinned(item), !isKeptByTag(item, before: rule) else {
                return .kept
            }
            return rule.action == .transition ? .archived(by: rule.priority) : .expired(by: rule.priority)
        }
        return .kept
    }

    /// Whether an earlier rule on tags keeps one of the tags.
    private func isKeptByTag(_ item: RetentionItem, before rule: RetentionRule) -> Bool {
        item.tags.contains { tag in
            for (earlier, all) in zip(policy.rules, identified)
            where earlier.target == .tags && earlier.priority < rule.priority {
                guard let candidate = all.first(where: { $0.item.id == item.id && $0.tag?.name == tag.name }) else {
                    continue
                }
                return !isTooMuch(candidate, of: all, earlier) || tag.pin != nil || item.pin != nil
            }
            return false
        }
    }

    private func isPinned(_ item: RetentionItem) -> Bool {
        item.pin != nil || item.tags.contains { $0.pin != nil }
    }

    /// The tags that rules on tags take, each with the rule: the first to identify the tag, or its image, decides.
    private func takenTags() -> [TagName: Int] {
        var taken: [TagName: Int] = [:]
        for item in items {
            for tag in item.tags {
                let decider = zip(policy.rules, identified).first { _, all in
                    all.contains { $0.item.id == item.id && ($0.tag == nil || $0.tag == tag) }
                }
                guard let (rule, all) = decider, rule.target == .tags, item.pin == nil, tag.pin == nil,
                    let candidate = all.first(where: { $0.item.id == item.id && $0.tag == tag })
                else { continue }
                if isTooMuch(candidate, of: all, rule) { taken[TagName(item: item.id, tag: tag.name)] = rule.priority }
            }
        }
        return taken
    }

    /// The rule that takes the last tag, which is the last of those that take one; nil when a tag stays.
    private func lastTaker(of item: RetentionItem, _ taken: [TagName: Int]) -> Int? {
        let rules = item.tags.map { taken[TagName(item: item.id, tag: $0.name)] }
        return rules.contains(nil) ? nil : rules.compactMap { $0 }.max()
    }

    private func isGone(_ fate: NaiveFate) -> Bool {
        switch fate {
        case .expired, .follows: true
        case .kept, .archived: false
        }
    }

    /// What only went things kept goes with them, unless it has a tag of its own.
    private func follow(_ outcome: inout NaiveOutcome, _ taken: [TagName: Int]) {
        for _ in items {
            for item in items where held.contains(item.id) && !isPinned(item) {
                let hasOwnTag =
                    !item.tags.isEmpty && !companions.contains(item.id) && lastTaker(of: item, taken) == nil
                let isAlone = holders[item.id]?.allSatisfy { outcome.fates[$0].map(isGone) == true } ?? false
                if isAlone && !hasOwnTag { outcome.fates[item.id] = .follows }
            }
        }
    }
}
