/// The JSON of previews and runs of retention in `/api/v1`. Sizes are bytes, times seconds since 1970.

/// An entry in the answer of POST /api/v1/previews/NAME.
package struct PreviewEntryMessage: Codable, Sendable {
    /// Its key; of an image its digest.
    package var name: String
    package var scope: String?
    package var tags: [String]
    package var pushedAt: Int64
    package var lastUsedAt: Int64
    /// `kept`, `removed`, `archived` or `tags removed`.
    package var decision: String
    /// The priority of the rule that decided; nil: none did.
    package var rule: Int?
    /// The group in which it was counted; nil: none.
    package var group: String?
    /// Why, for people.
    package var explanation: String
    /// Bytes that are free when it is gone for good.
    package var bytes: Int64
    /// Tags that go while the entry stays.
    package var removedTags: [String]

    package init(
        name: String,
        scope: String? = nil,
        tags: [String],
        pushedAt: Int64,
        lastUsedAt: Int64,
        decision: String,
        rule: Int? = nil,
        group: String? = nil,
        explanation: String,
        bytes: Int64,
        removedTags: [String]
    ) {
        self.name = name
        self.scope = scope
        self.tags = tags
        self.pushedAt = pushedAt
        self.lastUsedAt = lastUsedAt
        self.decision = decision
        self.rule = rule
        self.group = group
        self.explanation = explanation
        self.bytes = bytes
        self.removedTags = removedTags
    }
}

/// The sums at the end of a preview.
package struct PreviewSummaryMessage: Codable, Sendable {
    package var repository: String
    package var entries: Int
    package var removed: Int
    package var archived: Int
    package var tagsRemoved: Int
    package var bytes: Int64

    package init(repository: String, entries: Int, removed: Int, archived: Int, tagsRemoved: Int, bytes: Int64) {
        self.repository = repository
        self.entries = entries
        self.removed = removed
        self.archived = archived
        self.tagsRemoved = tagsRemoved
        self.bytes = bytes
    }
}

/// One line of POST /api/v1/previews/NAME: every entry, and at the end the sums.
package enum PreviewLine: Codable, Sendable {
    case entry(PreviewEntryMessage)
    case summary(PreviewSummaryMessage)

    private enum CodingKeys: String, CodingKey {
        case summary
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let summary = try container.decodeIfPresent(PreviewSummaryMessage.self, forKey: .summary) {
            self = .summary(summary)
        } else {
            self = .entry(try PreviewEntryMessage(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .entry(let entry):
            try entry.encode(to: encoder)
        case .summary(let summary):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(summary, forKey: .summary)
        }
    }
}

/// POST /api/v1/prunes/NAME, and an element of GET /api/v1/runs.
package struct RunMessage: Codable, Sendable {
    package var id: Int64
    package var repository: String
    package var startedAt: Int64
    /// nil: it goes on.
    package var endedAt: Int64?
    /// `schedule`, `person` or `pressure`.
    package var reason: String
    /// Who asked for it.
    package var actor: String
    /// As it was then; empty: only undo was ended.
    package var policy: String
    /// Entries that were looked at.
    package var considered: Int64
    package var removed: Int64
    package var tagsRemoved: Int64
    package var archived: Int64
    /// Changed since they were looked at.
    package var skipped: Int64
    /// Bytes that are free when the undo time is over.
    package var plannedBytes: Int64
    /// Those of them that are free by now.
    package var freedBytes: Int64
    package var note: String?

    package init(
        id: Int64,
        repository: String,
        startedAt: Int64,
        endedAt: Int64? = nil,
        reason: String,
        actor: String,
        policy: String,
        considered: Int64,
        removed: Int64,
        tagsRemoved: Int64,
        archived: Int64,
        skipped: Int64,
        plannedBytes: Int64,
        freedBytes: Int64,
        note: String? = nil
    ) {
        self.id = id
        self.repository = repository
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.reason = reason
        self.actor = actor
        self.policy = policy
        self.considered = considered
        self.removed = removed
        self.tagsRemoved = tagsRemoved
        self.archived = archived
        self.skipped = skipped
        self.plannedBytes = plannedBytes
        self.freedBytes = freedBytes
        self.note = note
    }
}

/// One thing that a run did.
package struct RunDecisionMessage: Codable, Sendable {
    /// From 1.
    package var number: Int
    package var name: String
    package var tags: [String]
    /// `removed`, `tag removed`, `archived` or `changed`.
    package var outcome: String
    /// nil: it followed another one.
    package var rule: Int?
    package var explanation: String
    package var bytes: Int64

    package init(
        number: Int,
        name: String,
        tags: [String],
        outcome: String,
        rule: Int? = nil,
        explanation: String,
        bytes: Int64
    ) {
        self.number = number
        self.name = name
        self.tags = tags
        self.outcome = outcome
        self.rule = rule
        self.explanation = explanation
        self.bytes = bytes
    }
}

/// GET /api/v1/runs/ID.
package struct RunDetailsMessage: Codable, Sendable {
    package var run: RunMessage
    package var decisions: [RunDecisionMessage]
    /// What to ask for with `after` to see more; nil: this is the end.
    package var next: Int?

    package init(run: RunMessage, decisions: [RunDecisionMessage], next: Int? = nil) {
        self.run = run
        self.decisions = decisions
        self.next = next
    }
}
