import LarderCore
import LarderMetadata
import LarderRetention

/// One thing that a plan changes, with what must still be so when it is changed.
struct PruneStep: Sendable {
    private enum Change {
        /// `root`: With which entry it goes; nil: for itself.
        case remove(root: Int64?)
        case archive
        case removeTag(RetentionTag)
    }

    private let item: RetentionItem
    private let change: Change
    private let verdict: RetentionVerdict
    private let explanation: String
    private let bytes: Int64

    /// What a plan changes: each entry before what goes with it.
    static func steps(of prepared: PreparedPlan) -> [PruneStep] {
        let plan = prepared.plan
        let lines = prepared.lines
        let items = plan.inventory.items
        let places = Dictionary(uniqueKeysWithValues: items.indices.map { (items[$0].id, $0) })
        func step(_ index: Int, _ change: Change) -> PruneStep {
            let line = lines[index]
            return PruneStep(
                item: items[index],
                change: change,
                verdict: line.verdict,
                explanation: line.explanation,
                bytes: line.bytes
            )
        }
        // To lose a tag is a change that would spare an image from the archive.
        var steps = plan.verdicts.indices.compactMap { index in
            if case .archived = plan.verdicts[index] { step(index, .archive) } else { nil }
        }
        for decision in plan.tagDecisions where decision.verdict.isRemoval {
            guard let index = places[decision.item], !plan.verdicts[index].isRemoval,
                let tag = items[index].tags.first(where: { $0.name == decision.tag })
            else { continue }
            steps.append(
                PruneStep(
                    item: items[index],
                    change: .removeTag(tag),
                    verdict: decision.verdict,
                    explanation: decision.verdict.explanation,
                    bytes: 0
                )
            )
        }
        for (index, verdict) in plan.verdicts.enumerated() {
            if case .expired = verdict { steps.append(step(index, .remove(root: nil))) }
        }
        var roots: [Int64: Int64] = [:]
        for index in plan.followers {
            guard case .follows(let holder) = plan.verdicts[index] else { continue }
            let root = roots[holder] ?? holder
            roots[items[index].id] = root
            steps.append(step(index, .remove(root: root)))
        }
        return steps
    }

    /// Makes the change, if the entry still is what the plan was made from.
    func perform(
        _ transaction: MetadataTransaction,
        in repository: RepositoryID,
        _ removal: Removal
    ) throws -> RunDecision {
        let tags = item.tags.map { (name: $0.name, givenAt: $0.givenAt) }
        switch change {
        case .remove(let root):
            let isDone = try transaction.prune(item.id, lastUsed: item.lastUsed, tags: tags, with: root, removal)
            return decision(isDone ? .removed : .changed)
        case .archive:
            let isDone = try transaction.archive(item.id, lastUsed: item.lastUsed, tags: tags, now: removal.now)
            return decision(isDone ? .archived : .changed)
        case .removeTag(let tag):
            guard let name = Tag(tag.name) else { return decision(.changed) }
            let isDone = try transaction.prune(name, of: item.id, givenAt: tag.givenAt, in: repository, removal)
            return decision(isDone ? .tagRemoved : .changed, tags: [tag.name])
        }
    }

    private func decision(_ outcome: RunDecision.Outcome, tags: [String]? = nil) -> RunDecision {
        RunDecision(
            name: item.key,
            tags: tags ?? item.tags.map(\.name),
            outcome: outcome,
            rule: verdict.rule,
            explanation: explanation,
            bytes: outcome == .removed ? bytes : 0
        )
    }
}
