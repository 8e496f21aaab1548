/// Why a run of retention was made.
package enum RunReason: String, Sendable {
    case schedule
    case person
    case pressure
}

/// What a run did.
package struct RunCounts: Sendable, Equatable {
    /// Entries that were looked at.
    package var considered: Int64 = 0
    package var removed: Int64 = 0
    package var tags: Int64 = 0
    package var archived: Int64 = 0
    /// Changed since they were looked at.
    package var skipped: Int64 = 0
    /// Bytes that are free when the undo time is over.
    package var plannedBytes: Int64 = 0

    package init() {}
}

/// The record of a run.
package struct RunRecord: Sendable {
    package let id: Int64
    package let repository: String
    package let startedAt: Timestamp
    /// nil: it goes on.
    package let endedAt: Timestamp?
    package let reason: RunReason
    package let actor: String
    package let policy: String
    package let counts: RunCounts
    /// Bytes that are free by now, of those planned.
    package let freedBytes: Int64
    package let note: String?

    package init(
        id: Int64,
        repository: String,
        startedAt: Timestamp,
        endedAt: Timestamp?,
        reason: RunReason,
        actor: String,
        policy: String,
        counts: RunCounts,
        freedBytes: Int64,
        note: String?
    ) {
        self.id = id
        self.repository = repository
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.reason = reason
        self.actor = actor
        self.policy = policy
        self.counts = counts
        self.freedBytes = freedBytes
        self.note = note
    }
}

/// One thing that a run did.
package struct RunDecision: Sendable {
    /// What became of it.
    package enum Outcome: String, Sendable {
        case removed
        case tagRemoved = "tag removed"
        case archived
        case changed
    }

    package let name: String
    package let tags: [String]
    package let outcome: Outcome
    /// nil: it followed another one.
    package let rule: Int?
    package let explanation: String
    /// Bytes that are free when it is gone for good.
    package let bytes: Int64

    package init(name: String, tags: [String], outcome: Outcome, rule: Int?, explanation: String, bytes: Int64) {
        self.name = name
        self.tags = tags
        self.outcome = outcome
        self.rule = rule
        self.explanation = explanation
        self.bytes = bytes
    }
}
