import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import Synchronization

/// Reads what the planner decides from, in slices, so that no snapshot of the database is held for long.
///
/// What changes meanwhile is found out when the plan is carried out: everything is looked at again then.
struct InventoryReader {
    private static let rowsPerRead = 10_000
    private static let entriesPerRead = 1000

    let metadata: Metadata
    let pool: FilePool
    /// Uses that are not written yet.
    let uses: [UsedRow: Timestamp]
    let now: Timestamp

    /// Everything visible in a repository.
    func read(
        _ repository: Repository,
        needs: RetentionPolicy.Needs
    ) async throws -> RetentionInventory {
        let pins = try await pins(of: repository.id)
        var items = try await entries(of: repository.id, pins)
        if !items.isEmpty {
            let places = Dictionary(uniqueKeysWithValues: items.indices.map { (items[$0].id, $0) })
            try await addTags(to: &items, places, pins, repository.id)
            try await addRelations(to: &items, places, repository.id)
            if repository.hasBeenSparse { guardSparse(&items) }
            if !needs.labels.isEmpty { try await addLabels(needs.labels, to: &items, places) }
            if needs.content { try await addContent(to: &items, places) }
        }
        // Handed over, so that there is one copy.
        let box = Mutex(items)
        items = []
        return try await pool.run {
            RetentionInventory(
                box.withLock { items in
                    defer { items = [] }
                    return items
                }
            )
        }
    }

    private func entries(
        of repository: RepositoryID,
        _ pins: [PinnedItem: String]
    ) async throws -> [RetentionItem] {
        var items: [RetentionItem] = []
        var last: (scope: String, key: String)?
        while true {
            let cursor = last
            let rows = try await metadata.read(on: pool) {
                try $0.inventory(in: repository, after: cursor, atMost: Self.rowsPerRead)
            }
            for row in rows {
                let lastUsed = max(row.lastUsed, uses[.entry(row.id)] ?? row.lastUsed)
                var item = RetentionItem(id: row.id, key: row.key, pushedAt: row.pushedAt, lastUsed: lastUsed)
                item.scope = row.scope
                item.writer = row.writer
                item.untaggedAt = row.untaggedAt
                item.archivedAt = row.archivedAt
                item.restoredAt = row.restoredAt
                if !pins.isEmpty, let key = EntryKey(row.key) { item.pin = pins[.entry(key)] }
                item.value = ContentBlob(id: row.blobID, size: row.size)
                items.append(item)
            }
            guard rows.count == Self.rowsPerRead, let row = rows.last else { return items }
            last = (row.scope, row.key)
        }
    }

    /// Why things are pinned.
    private func pins(of repository: RepositoryID) async throws -> [PinnedItem: String] {
        let pins = try await metadata.read(on: pool) { try $0.pins(in: repository) }
        let lasting = pins.filter { $0.pinnedUntil.map { $0 > now } ?? true }
        return Dictionary(lasting.map { ($0.item, $0.reason) }) { first, _ in first }
    }

    /// Where manifests may have come after the index that names them, which nothing records, untagged ones may be in use.
    private func guardSparse(_ items: inout [RetentionItem]) {
        let children = Set(items.flatMap(\.children))
        for index in items.indices where items[index].tags.isEmpty && !children.contains(items[index].id) {
            items[index].isLeaving = items[index].subject == nil
        }
    }

    private func addTags(
        to items: inout [RetentionItem],
        _ places: [Int64: Int],
        _ pins: [PinnedItem: String],
        _ repository: RepositoryID
    ) async throws {
        var last = ""
        while true {
            let cursor = last
            let tags = try await metadata.read(on: pool) {
                try $0.inventoryTags(in: repository, after: cursor, atMost: Self.rowsPerRead)
            }
            for tag in tags {
                guard let place = places[tag.entry] else { continue }
                let pin = pins.isEmpty ? nil : Tag(tag.name).flatMap { pins[.tag($0)] }
                items[place].tags.append(RetentionTag(name: tag.name, givenAt: tag.givenAt, pin: pin))
            }
            guard tags.count == Self.rowsPerRead, let tag = tags.last else { return }
            last = tag.name
        }
    }

    private func addRelations(
        to items: inout [RetentionItem],
        _ places: [Int64: Int],
        _ repository: RepositoryID
    ) async throws {
        var lastChild: (blobID: Int64, entry: Int64) = (0, 0)
        var entries: [Int64: Int64]?
        while true {
            let cursor = lastChild
            let children = try await metadata.read(on: pool) {
                try $0.inventoryChildren(in: repository, after: cursor, atMost: Self.rowsPerRead)
            }
            if entries == nil && !children.isEmpty {
                entries = Dictionary(items.map { ($0.value.id, $0.id) }) { first, _ in first }
            }
            for child in children {
                guard let entry = entries?[child.blobID] else { continue }
                if let place = places[child.entry] {
                    items[place].children.append(entry)
                } else if let place = places[entry], items[place].tags.isEmpty {
                    // The index is hidden, or on its way out.
                    items[place].isLeaving = true
                }
            }
            guard children.count == Self.rowsPerRead, let child = children.last else { break }
            lastChild = child
        }
        try await markLeaving(in: &items, places, repository)
        var lastSubject: (subject: String, entry: Int64) = ("", 0)
        while true {
            let cursor = lastSubject
            let subjects = try await metadata.read(on: pool) {
                try $0.inventorySubjects(in: repository, after: cursor, atMost: Self.rowsPerRead)
            }
            for subject in subjects {
                if let place = places[subject.entry] { items[place].subject = subject.key }
            }
            guard subjects.count == Self.rowsPerRead, let subject = subjects.last else { return }
            lastSubject = (subject.subject, subject.entry)
        }
    }

    /// Marks what is about hidden manifests, and what waits for its removal after its index or subject went.
    private func markLeaving(
        in items: inout [RetentionItem],
        _ places: [Int64: Int],
        _ repository: RepositoryID
    ) async throws {
        var last: Int64 = 0
        while true {
            let cursor = last
            let (hidden, followers) = try await metadata.read(on: pool) { snapshot in
                let hidden = try snapshot.hiddenEntries(in: repository, after: cursor, atMost: Self.entriesPerRead)
                return (hidden, try snapshot.followers(of: hidden.map(\.entry), in: repository))
            }
            for entry in followers {
                guard let place = places[entry] else { continue }
                let hasOwnTag = items[place].tags.contains { CompanionTag.subject(of: $0.name) == nil }
                if !hasOwnTag { items[place].isLeaving = true }
            }
            guard hidden.count == Self.entriesPerRead, let entry = hidden.last?.entry else { break }
            last = entry
        }
        for entry in try await metadata.read(on: pool, { try $0.reviews(in: repository) }) {
            if let place = places[entry], items[place].tags.isEmpty { items[place].isLeaving = true }
        }
    }

    private func addLabels(
        _ names: Set<String>,
        to items: inout [RetentionItem],
        _ places: [Int64: Int]
    ) async throws {
        for ids in items.map(\.id).slices(of: Self.rowsPerRead) {
            let labels = try await metadata.read(on: pool) { try $0.labels(of: ids, named: names) }
            for label in labels {
                if let place = places[label.entry] { items[place].labels[label.name] = label.value }
            }
        }
    }

    private func addContent(
        to items: inout [RetentionItem],
        _ places: [Int64: Int]
    ) async throws {
        for index in items.indices { items[index].content = [items[index].value] }
        for ids in items.map(\.id).slices(of: Self.entriesPerRead) {
            let references = try await metadata.read(on: pool) { try $0.references(of: ids) }
            for reference in references {
                if let place = places[reference.entry] {
                    items[place].content.append(ContentBlob(id: reference.blobID, size: reference.size))
                }
            }
        }
    }

    // MARK: - What becomes free

    /// Bytes that become free when entries are gone for good, by entry; a blob that several share counts for the last.
    ///
    /// A blob becomes free when no other entry, no other repository and no upload of its own right keeps it.
    func freedBytes(
        by removed: [(entry: Int64, value: ContentBlob)],
        in repository: Repository
    ) async throws -> [Int64: Int64] {
        guard !removed.isEmpty else { return [:] }
        var counts: [Int64: (references: Int64, last: Int64)] = [:]
        func count(_ blob: Int64, _ entry: Int64) { counts[blob] = ((counts[blob]?.references ?? 0) + 1, entry) }
        for slice in removed.slices(of: Self.entriesPerRead) {
            let references = try await metadata.read(on: pool) { try $0.references(of: slice.map(\.entry)) }
            for reference in references { count(reference.blobID, reference.entry) }
            for (entry, value) in slice { count(value.id, entry) }
        }
        // What is hidden already goes before these.
        var last: Int64 = 0
        while true {
            let cursor = last
            let (hidden, references) = try await metadata.read(on: pool) { snapshot in
                let hidden = try snapshot.hiddenEntries(in: repository.id, after: cursor, atMost: Self.entriesPerRead)
                return (hidden, try snapshot.references(of: hidden.map(\.entry)))
            }
            for blob in references.map(\.blobID) + hidden.map(\.blobID) {
                if let known = counts[blob] { counts[blob] = (known.references + 1, known.last) }
            }
            guard hidden.count == Self.entriesPerRead, let entry = hidden.last?.entry else { break }
            last = entry
        }
        return try await freedBytes(counts, in: repository)
    }

    private func freedBytes(
        _ counts: [Int64: (references: Int64, last: Int64)],
        in repository: Repository
    ) async throws -> [Int64: Int64] {
        // In a registry what is loose goes; in a cache it stays until it is evicted.
        let looseGoes = repository.kind == .registry && !repository.hasBeenSparse
        var result: [Int64: Int64] = [:]
        for blobs in Array(counts.keys).slices(of: Self.rowsPerRead) {
            let states = try await metadata.read(on: pool) { try $0.linkStates(of: blobs, in: repository.id) }
            for (blob, state) in states {
                guard let count = counts[blob], count.references >= state.entryCount, state.linkCount == 1,
                    looseGoes || !state.isExplicit
                else { continue }
                result[count.last, default: 0] += state.size
            }
        }
        return result
    }
}

extension Array {
    /// The array in pieces of at most so many elements.
    func slices(of length: Int) -> [[Element]] {
        stride(from: 0, to: count, by: length).map { Array(self[$0..<Swift.min($0 + length, count)]) }
    }
}
