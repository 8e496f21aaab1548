import LarderCore

/// Checks of rules against each other and against themselves.
struct PolicyChecks {
    let rules: [PlacedRule]
    let isExtended: Bool

    func run() throws(PolicyError) {
        try checkPriorities()
        let sorted = rules.sorted { $0.rule.priority < $1.rule.priority }
        if isExtended {
            for placed in sorted { try ContradictionChecks(placed).run() }
        } else {
            try checkCatchAll(sorted)
            try checkUntagged(sorted)
        }
        try checkReachability(sorted)
    }

    private func checkPriorities() throws(PolicyError) {
        var known: Set<Int> = []
        for placed in rules where !known.insert(placed.rule.priority).inserted {
            throw PolicyError(
                "rulePriority \(placed.rule.priority) is used twice",
                hint: "each rule needs a number of its own",
                place: placed.priorityPlace,
                path: "\(placed.path).rulePriority"
            )
        }
    }

    /// Amazon ECR: `any` comes last of its storage class, and so once.
    private func checkCatchAll(_ sorted: [PlacedRule]) throws(PolicyError) {
        for (index, placed) in sorted.enumerated() where placed.rule.selection.tagStatus == .any {
            let follows = sorted[(index + 1)...].contains {
                $0.rule.selection.isArchived == placed.rule.selection.isArchived
            }
            guard !follows else {
                throw placed.error(
                    "Rule for tagStatus=ANY must have the lowest priority per storage class",
                    "tagStatus"
                )
            }
        }
    }

    private func checkUntagged(_ sorted: [PlacedRule]) throws(PolicyError) {
        var classes: Set<Bool> = []
        for placed in sorted where placed.rule.selection.tagStatus == .untagged {
            guard classes.insert(placed.rule.selection.isArchived).inserted else {
                throw placed.error("Only one rule can select Untagged images per storage class", "tagStatus")
            }
        }
    }

    /// A rule whose entries an earlier one has identified can never do anything.
    private func checkReachability(_ sorted: [PlacedRule]) throws(PolicyError) {
        for (index, placed) in sorted.enumerated() {
            for earlier in sorted[..<index] where covers(earlier.rule, placed.rule) {
                if !isExtended {
                    throw placed.error(
                        "the tags of rule \(placed.rule.priority) are those of rule \(earlier.rule.priority)",
                        placed.rule.selection.tagPrefixes.isEmpty ? "tagPatternList" : "tagPrefixList"
                    )
                }
                throw placed.error(
                    "rule \(placed.rule.priority) can never match: rule \(earlier.rule.priority) identifies all that it "
                        + "could",
                    "tagStatus"
                )
            }
        }
    }

    /// Whether the first rule surely identifies everything that the second could act on.
    private func covers(_ first: RetentionRule, _ second: RetentionRule) -> Bool {
        let (a, b) = (first.selection, second.selection)
        // A rule on tags claims tags; one on images those of its images, but not those of what belongs to others.
        guard a.isArchived == b.isArchived, first.target == second.target else { return false }
        guard first.grouping == nil || first.grouping == second.grouping else { return false }
        guard first.order != .version || second.order == .version else { return false }
        if isSame(a, b) { return true }
        guard isExtended, a.included == nil, a.excluded == nil else { return false }
        switch a.tagStatus {
        case .any: return true
        case .untagged: return b.tagStatus == .untagged
        case .tagged:
            let isEveryTag =
                a.tagPrefixes.isEmpty && !a.tagPatterns.isEmpty && a.tagPatterns.allSatisfy(\.matchesEverything)
            return isEveryTag && b.tagStatus == .tagged
        }
    }

    private func isSame(_ a: RetentionSelection, _ b: RetentionSelection) -> Bool {
        a.tagStatus == b.tagStatus && Set(a.tagPatterns) == Set(b.tagPatterns)
            && Set(a.tagPrefixes) == Set(b.tagPrefixes) && a.included == b.included && a.excluded == b.excluded
    }
}

/// Contradictions within one rule of Larder's own grammar.
private struct ContradictionChecks {
    let placed: PlacedRule
    private var rule: RetentionRule { placed.rule }
    private var selection: RetentionSelection { placed.rule.selection }

    init(_ placed: PlacedRule) {
        self.placed = placed
    }

    func run() throws(PolicyError) {
        try checkTagStatus()
        try checkCounting()
        try checkPatterns()
        if rule.target == .tags {
            if rule.action == .transition { throw error("tags can't be archived", "target") }
            if selection.isArchived { throw error("tags have no storageClass", "storageClass") }
            switch rule.limit {
            case .bytes: throw error("tags have no bytes", "countType")
            case .age(.untagged, _), .age(.archived, _): throw error("tags have no such time", "countType")
            default: break
            }
        }
    }

    private func checkTagStatus() throws(PolicyError) {
        if selection.tagStatus == .untagged {
            if rule.target == .tags { throw never("untagged images have no tags", "target") }
            if rule.order == .version { throw never("a version is in a tag, and these have none", "orderBy") }
            if selection.included?.tags.isEmpty == false { throw never("these have no tags", "include") }
            if selection.excluded?.tags.isEmpty == false {
                throw error("exclude.tags has no effect: these have no tags", "exclude")
            }
            if case .tag? = rule.grouping { throw never("these have no tags", "groupBy") }
        } else if case .age(.untagged, _) = rule.limit {
            throw error("sinceImageUntagged needs tagStatus untagged", "tagStatus")
        }
    }

    private func checkCounting() throws(PolicyError) {
        switch rule.limit {
        case .count:
            if rule.keepAtLeast > 0 {
                throw error("keepAtLeast contradicts imageCountMoreThan, which says how many are kept", "keepAtLeast")
            }
        case .bytes: break
        case .age:
            guard rule.keepAtLeast == 0 else { break }
            if rule.order != .pushed { throw error("orderBy has no effect without a count or keepAtLeast", "orderBy") }
            if rule.grouping != nil { throw error("groupBy has no effect without a count or keepAtLeast", "groupBy") }
        }
    }

    private func checkPatterns() throws(PolicyError) {
        for pattern in selection.tagPatterns where !Self.canMatchTag(pattern) {
            throw never("no tag looks like \(pattern.text)", "tagPatternList")
        }
        for prefix in selection.tagPrefixes where !Self.canMatchTag(Glob(prefix + "*")) {
            throw never("no tag begins with \(prefix)", "tagPrefixList")
        }
        let (included, excluded) = (selection.included ?? RetentionFilter(), selection.excluded ?? RetentionFilter())
        for case .glob(let glob) in included.tags where !Self.canMatchTag(glob) {
            throw never("no tag looks like \(glob.text)", "include")
        }
        try check(included.tags, excluded.tags)
        try check(included.keys, excluded.keys)
        try check(included.scopes, excluded.scopes)
        try check(included.writers, excluded.writers)
        for (name, patterns) in excluded.labels { try check(included.labels[name] ?? [], patterns) }
        if selection.tagStatus == .tagged && excluded.tags.contains(where: \.matchesEverything) {
            throw never("exclude takes every tag", "exclude")
        }
    }

    private func check(_ included: [TextPattern], _ excluded: [TextPattern]) throws(PolicyError) {
        guard !included.isEmpty else { return }
        if excluded.contains(where: \.matchesEverything) || Set(included).isSubset(of: excluded) {
            throw never("exclude takes all that include selects", "exclude")
        }
    }

    /// Whether a glob's fixed characters are those of tags.
    private static func canMatchTag(_ glob: Glob) -> Bool {
        let fixed = glob.text.filter { $0 != "*" }
        guard fixed.utf8.count <= Tag.lengthMax, !glob.text.isEmpty else { return false }
        let isFirstFixed = glob.text.first != "*"
        return fixed.isEmpty || Tag(isFirstFixed ? fixed : "a\(fixed.prefix(Tag.lengthMax - 1))") != nil
    }

    private func never(_ why: String, _ key: String) -> PolicyError {
        error("rule \(rule.priority) can never match: \(why)", key)
    }

    private func error(_ reason: String, _ key: String) -> PolicyError {
        placed.error(reason, key)
    }
}
