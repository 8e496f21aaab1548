/// What was removed and can be brought back.
package struct RemovedEntry: Sendable {
    package let key: String
    package let scope: String
    /// The tags that it had.
    package let tags: [String]
    package let removedAt: Timestamp
    package let undoUntil: Timestamp
    /// nil: a person removed it.
    package let run: Int64?
    /// The key of the entry with which it went; nil: it went for itself.
    package let root: String?
    /// Whether only tags were removed, and the entry itself is there.
    package let isVisible: Bool

    package init(
        key: String,
        scope: String,
        tags: [String],
        removedAt: Timestamp,
        undoUntil: Timestamp,
        run: Int64?,
        root: String?,
        isVisible: Bool
    ) {
        self.key = key
        self.scope = scope
        self.tags = tags
        self.removedAt = removedAt
        self.undoUntil = undoUntil
        self.run = run
        self.root = root
        self.isVisible = isVisible
    }
}

/// What came back.
package struct Restoration: Sendable {
    /// Keys of entries.
    package let keys: [String]
    package let tags: [String]
    /// Tags that name something else by now and were left there.
    package let takenTags: [String]

    package init(
        keys: [String],
        tags: [String],
        takenTags: [String]
    ) {
        self.keys = keys
        self.tags = tags
        self.takenTags = takenTags
    }
}
