/// A row whose last use is remembered: of an entry, or of a link.
package enum UsedRow: Hashable, Sendable {
    case entry(Int64)
    case link(repository: RepositoryID, blobID: Int64)
}

/// Something that may be evicted: what the planner decides from.
package struct EvictionCandidate: Hashable, Sendable {
    package let row: UsedRow
    package let repository: RepositoryID
    package let lastUsed: Timestamp
    /// Bytes of the blob, or of the entry's value and of what only this entry refers to, which can go after it.
    ///
    /// What goes at most, since blobs may be shared between repositories.
    package let size: Int64

    package init(row: UsedRow, repository: RepositoryID, lastUsed: Timestamp, size: Int64) {
        self.row = row
        self.repository = repository
        self.lastUsed = lastUsed
        self.size = size
    }
}
