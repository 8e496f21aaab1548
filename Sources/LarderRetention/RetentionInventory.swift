package import LarderCore

/// A tag, as the planner sees it.
package struct RetentionTag: Sendable, Equatable {
    package let name: String
    /// When it was given to the manifest that it names.
    package let givenAt: Timestamp
    /// Why nothing automatic may remove it; nil: it is not pinned.
    package let pin: String?

    package init(name: String, givenAt: Timestamp, pin: String? = nil) {
        self.name = name
        self.givenAt = givenAt
        self.pin = pin
    }
}

/// An entry, as the planner sees it: a manifest, or an entry of a cache or bucket.
package struct RetentionItem: Sendable {
    /// The entry's number; a larger one was stored later.
    package let id: Int64
    /// The key; of a manifest, its SHA-256.
    package let key: String
    package var scope = ""
    package var writer: String?
    package let pushedAt: Timestamp
    package var lastUsed: Timestamp
    /// When it lost its last tag; nil: it has some, or never had one.
    package var untaggedAt: Timestamp?
    /// When it was moved to the archive; a later use brings it back.
    package var archivedAt: Timestamp?
    /// The first use after that, where it is known; else the last use tells.
    package var restoredAt: Timestamp?
    package var tags: [RetentionTag] = []
    package var labels: [String: String] = [:]
    /// Of an index: the numbers of the manifests that it refers to.
    package var children: [Int64] = []
    /// The digest, as a key, of the manifest that this one is about.
    package var subject: String?
    /// Blobs that it refers to, its own value included, with their sizes; only where a policy needs them.
    package var content: [ContentBlob] = []
    /// The blob of its value; number 0 where nobody asks.
    package var value = ContentBlob(id: 0, size: 0)
    /// Why nothing automatic may remove it; nil: it is not pinned.
    package var pin: String?
    /// Whether what kept it was removed, and it goes without a rule when that can't be brought back any more.
    package var isLeaving = false

    package init(id: Int64, key: String, pushedAt: Timestamp, lastUsed: Timestamp) {
        self.id = id
        self.key = key
        self.pushedAt = pushedAt
        self.lastUsed = lastUsed
    }

    /// Whether it is in the storage class `archive`.
    package var isArchived: Bool { archivedAt != nil && returnedAt == nil }

    /// What counts as the time of its push when entries are ranked: what is in the archive ranks by its transition, what came
    /// back from there by its return.
    var rankedAt: Timestamp { isArchived ? archivedAt ?? pushedAt : returnedAt ?? pushedAt }

    /// When a use brought it back from the archive.
    var returnedAt: Timestamp? { archivedAt.flatMap { restoredAt ?? (lastUsed > $0 ? lastUsed : nil) } }
}

/// A blob that entries refer to, by its number.
package struct ContentBlob: Sendable, Equatable {
    package let id: Int64
    /// In bytes.
    package let size: Int64

    package init(id: Int64, size: Int64) {
        self.id = id
        self.size = size
    }
}

/// Everything visible in a repository at one moment, with what belongs to what.
package struct RetentionInventory: Sendable {
    /// By their numbers.
    package let items: [RetentionItem]
    /// Of each item: the items that keep it, which are the indexes that refer to it and what it is about.
    let holders: [[Int]]
    /// Of each item: the items that it keeps.
    let held: [[Int]]
    /// Of each item: whether it is kept by others, and so is neither counted nor removed for itself.
    let isHeld: [Bool]
    /// Of each item: whether all its tags stand for its belonging to another manifest.
    let isCompanion: [Bool]
    /// Of each item: whether what it is about is not there.
    let isWaiting: [Bool]
    /// The names of the tags, for patterns.
    let tagTable: TagTable

    /// Sorts items out.
    ///
    /// `items`: In any order.
    package init(_ items: consuming [RetentionItem]) {
        // In place, where nobody else holds them.
        items.sort { $0.id < $1.id }
        for index in items.indices where items[index].tags.count > 1 { items[index].tags.sort { $0.name < $1.name } }
        self.items = items
        let hasRelations = items.contains { !$0.children.isEmpty || $0.subject != nil || !$0.tags.isEmpty }
        let byKey =
            hasRelations
            ? Dictionary(items.indices.map { (items[$0].key, $0) }) { first, _ in first } : [:]
        var holders = Array(repeating: [Int](), count: items.count)
        var held = holders
        var isCompanion = Array(repeating: false, count: items.count)
        var isWaiting = isCompanion
        func hold(_ index: Int, by holder: Int) {
            guard index != holder else { return }
            holders[index].append(holder)
            held[holder].append(index)
        }
        for (index, item) in items.enumerated() {
            for child in item.children {
                if let child = Self.place(of: child, in: items) { hold(child, by: index) }
            }
            if let subject = item.subject {
                if let subject = byKey[subject] { hold(index, by: subject) } else { isWaiting[index] = true }
            }
            let subjects = item.tags.map { CompanionTag.subject(of: $0.name).flatMap { byKey[$0] } }
            if !subjects.isEmpty && subjects.allSatisfy({ $0 != nil && $0 != index }) {
                isCompanion[index] = true
                for subject in Set(subjects.compactMap(\.self)).sorted() { hold(index, by: subject) }
            }
        }
        self.holders = holders
        self.held = held
        self.isCompanion = isCompanion
        self.isWaiting = isWaiting
        isHeld = Self.reachable(holders: holders, held: held)
        tagTable = TagTable(items)
    }

    /// Where the item of a number is among those in their order; nil: there is none.
    package static func place(of id: Int64, in items: [RetentionItem]) -> Int? {
        var (low, high) = (0, items.count)
        while low < high {
            let middle = (low + high) / 2
            if items[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < items.count && items[low].id == id ? low : nil
    }

    /// What is kept by something that is kept by nothing; items that only keep each other stand for themselves.
    private static func reachable(holders: [[Int]], held: [[Int]]) -> [Bool] {
        var isHeld = Array(repeating: false, count: holders.count)
        var waiting = holders.indices.filter { holders[$0].isEmpty }
        while let index = waiting.popLast() {
            for follower in held[index] where !isHeld[follower] {
                isHeld[follower] = true
                waiting.append(follower)
            }
        }
        return isHeld
    }
}
