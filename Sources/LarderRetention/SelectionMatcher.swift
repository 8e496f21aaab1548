import LarderCore

/// Tells which entries and tags a rule identifies.
struct SelectionMatcher {
    private let rule: RetentionRule
    private let selection: RetentionSelection

    init(_ rule: RetentionRule) {
        self.rule = rule
        selection = rule.selection
    }

    // MARK: - Entries

    func selects(_ item: RetentionItem) -> Bool {
        switch selection.tagStatus {
        case .any: break
        case .untagged: guard item.tags.isEmpty else { return false }
        case .tagged:
            guard !item.tags.isEmpty else { return false }
            // Every entry of the list is met by some tag, not necessarily the same one.
            for pattern in selection.tagPatterns {
                guard item.tags.contains(where: { pattern.matches($0.name) }) else { return false }
            }
            for prefix in selection.tagPrefixes {
                guard item.tags.contains(where: { $0.name.utf8.starts(with: prefix.utf8) }) else { return false }
            }
        }
        if let included = selection.included {
            guard included.tags.isEmpty || item.tags.contains(where: { included.tags.contains($0.name) }),
                includes(included, item)
            else { return false }
        }
        if let excluded = selection.excluded {
            if item.tags.contains(where: { excluded.tags.contains($0.name) }) || excludes(excluded, item) {
                return false
            }
        }
        return true
    }

    /// The largest version among the tags that the rule is about.
    func version(of item: RetentionItem) -> SemanticVersion? {
        item.tags.filter { isMeant($0.name) }.compactMap { SemanticVersion(tag: $0.name) }.max()
    }

    /// The groups in which an entry is counted; those of its tags that the rule is about.
    func groups(of item: RetentionItem) -> [String] {
        switch rule.grouping {
        case nil: []
        case .tag(let expression):
            Set(item.tags.filter { isMeant($0.name) }.compactMap { expression.capture(in: $0.name) }).sorted()
        case .key(let expression): expression.capture(in: item.key).map { [$0] } ?? []
        case .label(let name): item.labels[name].map { [$0] } ?? []
        case .scope: [item.scope]
        case .writer: item.writer.map { [$0] } ?? []
        }
    }

    /// Whether a tag is one that the rule speaks of: some pattern, if there are any, describes it.
    private func isMeant(_ tag: String) -> Bool {
        let isListed =
            (selection.tagPatterns.isEmpty && selection.tagPrefixes.isEmpty)
            || selection.tagPatterns.contains { $0.matches(tag) }
            || selection.tagPrefixes.contains { tag.utf8.starts(with: $0.utf8) }
        let included = selection.included?.tags ?? []
        return isListed && (included.isEmpty || included.contains(tag))
    }

    // MARK: - Tags

    func selects(_ tag: String, of item: RetentionItem) -> Bool {
        for pattern in selection.tagPatterns { guard pattern.matches(tag) else { return false } }
        for prefix in selection.tagPrefixes { guard tag.utf8.starts(with: prefix.utf8) else { return false } }
        if let included = selection.included {
            guard included.tags.isEmpty || included.tags.contains(tag), includes(included, item) else { return false }
        }
        if let excluded = selection.excluded {
            if excluded.tags.contains(tag) || excludes(excluded, item) { return false }
        }
        return true
    }

    func group(of tag: String, _ item: RetentionItem) -> String? {
        if case .tag(let expression)? = rule.grouping { return expression.capture(in: tag) }
        return groups(of: item).first
    }

    // MARK: - Filters

    /// Whether every kind of pattern, but for those on tags, has one that fits.
    private func includes(_ filter: RetentionFilter, _ item: RetentionItem) -> Bool {
        guard filter.keys.isEmpty || filter.keys.contains(item.key) else { return false }
        guard filter.scopes.isEmpty || filter.scopes.contains(item.scope) else { return false }
        guard filter.writers.isEmpty || (item.writer.map { filter.writers.contains($0) } ?? false) else { return false }
        return filter.labels.allSatisfy { name, patterns in
            item.labels[name].map { patterns.contains($0) } ?? false
        }
    }

    /// Whether any pattern, but for those on tags, fits.
    private func excludes(_ filter: RetentionFilter, _ item: RetentionItem) -> Bool {
        filter.keys.contains(item.key) || filter.scopes.contains(item.scope)
            || (item.writer.map { filter.writers.contains($0) } ?? false)
            || filter.labels.contains { name, patterns in item.labels[name].map { patterns.contains($0) } ?? false }
    }
}

extension [TextPattern] {
    /// Whether one of the patterns describes a text.
    fileprivate func contains(_ text: String) -> Bool { contains { $0.matches(text) } }
}
