/// The database's number of a repository; never used again after the repository is gone.
package typealias RepositoryID = Int64

/// A named container of one kind, with its settings and what it holds.
package struct Repository: Sendable, Equatable {
    package let id: RepositoryID
    package let name: RepositoryName
    package let kind: RepositoryKind
    package let createdAt: Timestamp
    package private(set) var settings: RepositorySettings
    /// Whether manifests here may name content that came after them, which no reference protects then.
    package private(set) var hasBeenSparse: Bool
    /// When it got a policy of its own; nil: it has none.
    package var policySetAt: Timestamp?
    /// When a run of retention by schedule began last.
    package var prunedAt: Timestamp?
    /// Bytes of the blobs that it links, each charged once.
    package var usedBytes: Int64
    package var entryCount: Int64

    package init(
        id: RepositoryID,
        name: RepositoryName,
        kind: RepositoryKind,
        createdAt: Timestamp,
        settings: RepositorySettings,
        usedBytes: Int64,
        entryCount: Int64,
        hasBeenSparse: Bool = false
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.createdAt = createdAt
        self.settings = settings
        self.usedBytes = usedBytes
        self.entryCount = entryCount
        self.hasBeenSparse = hasBeenSparse || settings.allowsSparse
    }

    /// Replaces the settings.
    package mutating func set(_ settings: RepositorySettings) {
        self.settings = settings
        hasBeenSparse = hasBeenSparse || settings.allowsSparse
    }
}

/// What a person may set for a repository.
package struct RepositorySettings: Sendable, Equatable {
    /// Linked bytes at most; nil: only the store's own limit holds.
    package var quotaBytes: ByteCount?
    /// Entries at most; nil: any number.
    package var quotaEntries: Int64?
    /// Whether adapters that know the form of their entries check it on write (Bazel's action results).
    package var validatesContent: Bool
    /// Of a registry: whether a manifest may name content that is not there.
    package var allowsSparse = false
    /// Of a registry: whether a tag stays with the manifest that it was given to first.
    package var tagsAreImmutable = false
    /// Of a registry: tags that move nevertheless.
    package var mutableTags: [TagPattern] = []
    /// Of a cache: whether an entry that was saved under a key may be saved again with other content.
    package var allowsOverwrite = false
    /// For so long what was removed can be brought back; nil: as the kind has it.
    package var undoTime: Duration?
    /// When its policy is applied, as a cron expression, or `off`; nil: as the store has it.
    package var pruneSchedule: String?

    package init(quotaBytes: ByteCount? = nil, quotaEntries: Int64? = nil, validatesContent: Bool = true) {
        self.quotaBytes = quotaBytes
        self.quotaEntries = quotaEntries
        self.validatesContent = validatesContent
    }
}

/// The full name of something that can be read: a blob through its link, an entry by its key, a manifest.
package struct StoredName: Hashable, Sendable {
    /// What is meant, and by which name.
    package enum Item: Hashable, Sendable {
        case blob(Digest)
        case entry(EntryKey)
        /// A manifest by its digest, whichever algorithm.
        case manifest(Digest)
        /// The manifest that a tag names now.
        case tag(Tag)
    }

    package let repository: RepositoryID
    package let item: Item

    package init(repository: RepositoryID, item: Item) {
        self.repository = repository
        self.item = item
    }
}
