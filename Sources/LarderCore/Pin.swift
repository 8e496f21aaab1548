/// What is pinned: an entry by its key, or whatever a tag names.
package enum PinnedItem: Hashable, Sendable {
    case entry(EntryKey)
    case tag(Tag)

    /// As the database names it, and people.
    package var kind: String {
        switch self {
        case .entry: "entry"
        case .tag: "tag"
        }
    }

    package var name: String {
        switch self {
        case .entry(let key): key.text
        case .tag(let tag): tag.text
        }
    }
}

/// A protection that a person set.
package struct Pin: Sendable {
    package let item: PinnedItem
    package let reason: String
    package let pinnedAt: Timestamp
    /// nil: for good.
    package let pinnedUntil: Timestamp?

    package init(
        item: PinnedItem,
        reason: String,
        pinnedAt: Timestamp,
        pinnedUntil: Timestamp?
    ) {
        self.item = item
        self.reason = reason
        self.pinnedAt = pinnedAt
        self.pinnedUntil = pinnedUntil
    }
}
