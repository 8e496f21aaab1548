import LarderCore

/// Tells which entries and tags a rule identifies.
///
/// Entries are asked in their places: to copy each, with all it refers to, costs more than the patterns do.
struct SelectionMatcher {
    typealias Item = UnsafePointer<RetentionItem>

    private let rule: RetentionRule
    private let selection: RetentionSelection
    private let patterns: [Glob]
    private let prefixes: [[UInt8]]
    private let includedTags: [TextPattern]
    private let excludedTags: [TextPattern]
    /// Filters beside those on tags; nil where there is none, so that nothing has to be asked.
    private let included: RetentionFilter?
    private let excluded: RetentionFilter?

    init(_ rule: RetentionRule) {
        self.rule = rule
        selection = rule.selection
        patterns = selection.tagPatterns
        prefixes = selection.tagPrefixes.map { Array($0.utf8) }
        includedTags = selection.included?.tags ?? []
        excludedTags = selection.excluded?.tags ?? []
        included = Self.withoutTags(selection.included)
        excluded = Self.withoutTags(selection.excluded)
    }

    private static func withoutTags(_ filter: RetentionFilter?) -> RetentionFilter? {
        var filter = filter ?? RetentionFilter()
        filter.tags = []
        return filter.isEmpty ? nil : filter
    }

    // MARK: - Entries

    func selects(_ item: Item, _ tags: TagNames) -> Bool {
        switch selection.tagStatus {
        case .any: break
        case .untagged: guard tags.isEmpty else { return false }
        case .tagged:
            guard !tags.isEmpty else { return false }
            // Every entry of the list is met by some tag, not necessarily the same one. By places: a pattern that is
            // copied costs more than it does.
            for place in patterns.indices where !tags.contains({ patterns[place].describes($0) }) { return false }
            for place in prefixes.indices where !tags.contains({ $0.starts(with: prefixes[place]) }) { return false }
        }
        if !includedTags.isEmpty && !tags.contains({ includedTags.contain($0) }) { return false }
        if !excludedTags.isEmpty && tags.contains({ excludedTags.contain($0) }) { return false }
        return isLetThrough(item)
    }

    /// The largest version among the tags that the rule is about.
    func version(of tags: TagNames) -> SemanticVersion? {
        tags.compactMap { isMeant($0) ? SemanticVersion(tag: String(decoding: $0, as: UTF8.self)) : nil }.max()
    }

    /// The groups in which an entry is counted; those of its tags that the rule is about.
    func groups(of item: Item, _ tags: TagNames) -> [String] {
        switch rule.grouping {
        case nil: return []
        case .tag(let expression):
            let groups = tags.compactMap { isMeant($0) ? expression.capture(in: $0) : nil }
            return groups.count > 1 ? Set(groups).sorted() : groups
        case .key(let expression): return expression.capture(in: item.pointee.key).map { [$0] } ?? []
        case .label(let name): return item.pointee.labels[name].map { [$0] } ?? []
        case .scope: return [item.pointee.scope]
        case .writer: return item.pointee.writer.map { [$0] } ?? []
        }
    }

    /// Whether a tag is one that the rule speaks of: some pattern, if there are any, describes it.
    private func isMeant(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        let isListed =
            (patterns.isEmpty && prefixes.isEmpty)
            || patterns.indices.contains { patterns[$0].describes(tag) }
            || prefixes.indices.contains { tag.starts(with: prefixes[$0]) }
        return isListed && (includedTags.isEmpty || includedTags.contain(tag))
    }

    // MARK: - Tags

    func selects(_ tag: UnsafeBufferPointer<UInt8>, of item: Item) -> Bool {
        for place in patterns.indices where !patterns[place].describes(tag) { return false }
        for place in prefixes.indices where !tag.starts(with: prefixes[place]) { return false }
        if !includedTags.isEmpty && !includedTags.contain(tag) { return false }
        if excludedTags.contain(tag) { return false }
        return isLetThrough(item)
    }

    func group(of tag: UnsafeBufferPointer<UInt8>, _ item: Item, _ tags: TagNames) -> String? {
        if case .tag(let expression)? = rule.grouping { return expression.capture(in: tag) }
        return groups(of: item, tags).first
    }

    // MARK: - Filters

    private func isLetThrough(_ item: Item) -> Bool {
        if let included, !includes(included, item) { return false }
        if let excluded, excludes(excluded, item) { return false }
        return true
    }

    /// Whether every kind of pattern, but for those on tags, has one that fits.
    private func includes(_ filter: RetentionFilter, _ item: Item) -> Bool {
        guard filter.keys.isEmpty || filter.keys.contains(item.pointee.key) else { return false }
        guard filter.scopes.isEmpty || filter.scopes.contains(item.pointee.scope) else { return false }
        guard filter.writers.isEmpty || (item.pointee.writer.map { filter.writers.contains($0) } ?? false) else {
            return false
        }
        return filter.labels.allSatisfy { name, patterns in
            item.pointee.labels[name].map { patterns.contains($0) } ?? false
        }
    }

    /// Whether any pattern, but for those on tags, fits.
    private func excludes(_ filter: RetentionFilter, _ item: Item) -> Bool {
        filter.keys.contains(item.pointee.key) || filter.scopes.contains(item.pointee.scope)
            || (item.pointee.writer.map { filter.writers.contains($0) } ?? false)
            || filter.labels.contains { name, patterns in
                item.pointee.labels[name].map { patterns.contains($0) } ?? false
            }
    }
}

extension [TextPattern] {
    /// Whether one of the patterns describes a text.
    fileprivate func contains(_ text: String) -> Bool { indices.contains { self[$0].matches(text) } }

    /// The same for the bytes of a text.
    fileprivate func contain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        indices.contains { self[$0].matches(bytes) }
    }
}
