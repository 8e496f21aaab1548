package import LarderCore

/// Rules that say what a repository keeps: Amazon ECR's lifecycle policies, and more.
///
/// A text without `version` is judged exactly as Amazon ECR does; one with `version: 1` may use what Larder adds. Both may
/// be JSON or YAML. The grammar is described in `README.md` of this folder.
package struct RetentionPolicy: Sendable {
    /// Longest text, in bytes (Amazon ECR's limit).
    package static let textLengthMax = 30_720
    /// Rules of one policy at most.
    package static let ruleCountMax = 50
    /// Instructions of all regular expressions of one policy at most, which bounds the time of a plan.
    package static let instructionCountMax = 20_000

    /// As it was given.
    package let text: String
    /// By priority, the smallest number first.
    package let rules: [RetentionRule]
    /// Whether it may use what Larder adds to Amazon ECR's grammar.
    package let isExtended: Bool
    /// Where the rules are in the text, by priority.
    private let places: [Int: (place: PolicyPlace, path: String)]

    /// Reads a policy and checks its rules against each other.
    ///
    /// - Throws: `PolicyError` for the first thing that is wrong: an unknown field, a contradiction, a rule that can never
    ///   match anything.
    package init(_ text: String) throws(PolicyError) {
        guard text.utf8.count <= Self.textLengthMax else {
            throw PolicyError(
                "the text has \(text.utf8.count) bytes, more than \(Self.textLengthMax)",
                place: nil
            )
        }
        self.text = text
        let (rules, isExtended) = try PolicyReader.read(try PolicyNode.read(text))
        self.isExtended = isExtended
        self.rules = rules.map(\.rule).sorted { $0.priority < $1.priority }
        try PolicyChecks(rules: rules, isExtended: isExtended).run()
        places = Dictionary(rules.map { ($0.rule.priority, ($0.selectionPlace, $0.path)) }) { first, _ in first }
        let instructionCount = self.rules.reduce(0) { $0 + $1.instructionCount }
        guard instructionCount <= Self.instructionCountMax else {
            throw PolicyError(
                "the expressions have \(instructionCount) instructions together, at most \(Self.instructionCountMax) are "
                    + "allowed",
                hint: "use globs, or smaller repetitions",
                place: nil
            )
        }
    }

    /// What the planner must know of the entries beyond their times.
    package var needs: Needs {
        var needs = Needs()
        for rule in rules {
            if case .bytes = rule.limit { needs.content = true }
            if case .label(let name)? = rule.grouping { needs.labels.insert(name) }
            for filter in [rule.selection.included, rule.selection.excluded].compactMap(\.self) {
                needs.labels.formUnion(filter.labels.keys)
            }
        }
        return needs
    }

    /// Facts that are costly to read.
    package struct Needs: Sendable, Equatable {
        /// Names of labels.
        package var labels: Set<String> = []
        /// Which blobs an entry refers to.
        package var content = false

        package init() {}
    }

    /// Whether the policy can be applied to a kind of repository.
    ///
    /// - Throws: `PolicyError` for a rule that could never match there.
    package func check(for kind: RepositoryKind) throws(PolicyError) {
        for rule in rules {
            do {
                try rule.check(for: kind)
            } catch {
                let found = places[rule.priority]
                throw PolicyError(error.reason, place: found?.place, path: found.map { "\($0.path).selection" } ?? "")
            }
        }
    }
}

/// One rule of a policy.
package struct RetentionRule: Sendable, Equatable {
    /// What is counted and removed.
    package enum Target: Sendable, Equatable {
        /// Entries; in a registry, images with all their tags.
        case entries
        /// Tags; an image goes with its last one.
        case tags
    }

    /// What is too much or too old.
    package enum Limit: Sendable, Equatable {
        /// All but the first so many.
        case count(Int)
        /// What comes after the first so many bytes; what several share counts once.
        case bytes(Int64)
        /// What is strictly older.
        case age(Age, Duration)
    }

    /// What an age is counted from.
    package enum Age: Sendable, Equatable {
        case pushed
        /// Last use; what was never used counts from its push, what came back from the archive from then.
        case used
        /// The loss of the last tag, or the push of what never had one.
        case untagged
        /// The transition to the archive.
        case archived
    }

    /// What comes first when entries are counted.
    package enum Order: Sendable, Equatable {
        case pushed
        case used
        /// The largest semantic version first; what has no version is not selected.
        case version
    }

    /// What entries are counted by.
    package enum Grouping: Sendable, Equatable {
        /// What the expression's group captures of a tag.
        case tag(RegularExpression)
        case key(RegularExpression)
        case label(String)
        case scope
        case writer
    }

    /// What happens to what is too much or too old.
    package enum Action: Sendable, Equatable {
        case expire
        /// To the storage class `archive`.
        case transition
    }

    package let priority: Int
    package let note: String?
    package let selection: RetentionSelection
    package let target: Target
    package let limit: Limit
    package let order: Order
    package let grouping: Grouping?
    /// So many, of each group, stay whatever the limit says.
    package let keepAtLeast: Int
    package let action: Action
}

/// Which entries a rule identifies.
package struct RetentionSelection: Sendable, Equatable {
    /// Amazon ECR's `tagStatus`.
    package enum TagStatus: String, Sendable, CaseIterable {
        case any
        case tagged
        case untagged
    }

    package let tagStatus: TagStatus
    /// Each must match some tag.
    package let tagPatterns: [Glob]
    /// Each must be the beginning of some tag.
    package let tagPrefixes: [String]
    package let isArchived: Bool
    package let included: RetentionFilter?
    package let excluded: RetentionFilter?
}

/// Patterns by what they are about; several about one thing are alternatives.
package struct RetentionFilter: Sendable, Equatable {
    package var tags: [TextPattern] = []
    package var keys: [TextPattern] = []
    package var scopes: [TextPattern] = []
    package var writers: [TextPattern] = []
    package var labels: [String: [TextPattern]] = [:]

    var isEmpty: Bool {
        tags.isEmpty && keys.isEmpty && scopes.isEmpty && writers.isEmpty && labels.isEmpty
    }
}

/// A glob for a whole text, or a regular expression, written between slashes, that is found in it.
package enum TextPattern: Hashable, Sendable {
    case glob(Glob)
    case expression(RegularExpression)

    func matches(_ text: String) -> Bool {
        switch self {
        case .glob(let glob): glob.matches(text)
        case .expression(let expression): expression.matches(text)
        }
    }

    func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        switch self {
        case .glob(let glob): glob.describes(bytes)
        case .expression(let expression): expression.matches(bytes)
        }
    }

    /// Whether any text at all is matched.
    var matchesEverything: Bool {
        if case .glob(let glob) = self { glob.matchesEverything } else { false }
    }
}

extension RetentionRule {
    /// Of all its regular expressions.
    var instructionCount: Int {
        var expressions: [RegularExpression] = []
        switch grouping {
        case .tag(let expression), .key(let expression): expressions.append(expression)
        default: break
        }
        for filter in [selection.included, selection.excluded].compactMap(\.self) {
            let patterns = filter.tags + filter.keys + filter.scopes + filter.writers + filter.labels.values.joined()
            for case .expression(let expression) in patterns { expressions.append(expression) }
        }
        return expressions.reduce(0) { $0 + $1.instructionCount }
    }

    func check(for kind: RepositoryKind) throws(PolicyError) {
        func refuse(_ what: String) throws(PolicyError) {
            throw PolicyError(
                "rule \(priority) can never match: \(what) in a \(kind.rawValue)",
                place: nil
            )
        }
        if kind != .registry {
            if selection.tagStatus == .tagged || target == .tags || order == .version {
                try refuse("there are no tags")
            }
            if selection.included?.tags.isEmpty == false { try refuse("there are no tags") }
            if case .tag? = grouping { try refuse("there are no tags") }
            if selection.included?.labels.isEmpty == false { try refuse("there are no labels") }
            if case .label? = grouping { try refuse("there are no labels") }
        } else if selection.included?.keys.isEmpty == false {
            try refuse("the keys are digests; use tags")
        } else if case .key? = grouping {
            try refuse("the keys are digests; group by tag")
        }
    }
}
