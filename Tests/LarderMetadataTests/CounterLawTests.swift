import GRDB
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// After whatever operations all counters are right, nothing that is referred to may be evicted, and no file is forgotten.
@Suite struct CounterLawTests {
    private typealias Harness = MetadataHarness

    /// One change, as data: a sequence can be printed and made again from its seed.
    private enum Operation: Sendable {
        case putBlob(Int, generation: Int64?, repository: RepositoryID)
        /// References nil: not known.
        case putEntry(key: Int, value: Int, references: [Int]?, generation: Int64?, repository: RepositoryID)
        case deleteEntry(key: Int, repository: RepositoryID)
        case renew(Int, repository: RepositoryID)
        case use(UsedRow)
        case evict([EvictionCandidate])
        case quarantine(BlobRow)
        case addReferences([Int], entry: Int64, repository: RepositoryID)
        case complete(entry: Int64)
        case removeDeadEntries(limit: Int)
        case flush(RepositoryID, until: Timestamp, limit: Int)
        case finishRemovals([PendingRemoval])
        case push(manifest: Int, tags: [Int], generation: Int64?, repository: RepositoryID)
        case deleteTag(Int, repository: RepositoryID)
        case deleteManifest(Int, repository: RepositoryID)
        case deleteBlob(Int, repository: RepositoryID)
        /// By their numbers, what is due.
        case settle([Int64])
    }

    /// A file that some blob was given.
    private struct StoredFile: Hashable, Sendable {
        let digest: Digest
        let generation: Int64
    }

    private static let keys = 0..<8
    private static let contents = 0..<14
    private static let manifests = 0..<9

    /// By its number: one of three images, an index of two of them, or what is about one.
    private static func manifest(_ number: Int) throws -> TestManifest {
        let image = try TestManifest.image(number % 3, config: number % 3, layers: [number % 3 + 1, number % 3 + 5])
        switch number / 3 {
        case 0: return image
        case 1: return try .index(number, of: [image, try manifest((number + 1) % 3)])
        default: return try .image(number, config: number, about: image)
        }
    }

    @Test(arguments: 0..<4)
    func randomOperationsKeepEveryCounterRight(run: Int) async throws {
        let seed = testSeed() &+ UInt64(run)
        try await withMetadata { harness in
            var generator = SeededGenerator(seed: seed)
            var files: Set<StoredFile> = []
            var totals = (usedBytes: Int64(0), blobCount: Int64(0))
            for step in 0..<150 {
                let comment: Comment = "step \(step), LARDER_TEST_SEED=\(seed &- UInt64(run))"
                let operations = try (0..<Int.random(in: 1...4, using: &generator)).map { index in
                    try Self.operation(harness, generation: Int64(step * 10 + index + 1), using: &generator)
                }
                let clock = Harness.clock(Int64(step))
                let (stored, effects) = try harness.metadata.write { transaction in
                    try operations.flatMap { try Self.apply($0, to: transaction, clock: clock) }
                }
                files.formUnion(stored)
                for case .finishRemovals(let removals) in operations {
                    files.subtract(removals.map { StoredFile(digest: $0.digest, generation: $0.generation) })
                }
                totals.usedBytes += effects.usedBytes
                totals.blobCount += effects.blobCount
                try #require(try harness.problems() == [], comment)
                try #require(try harness.account() == totals, comment)
                try #require(try Self.unsafeCandidates(harness).isEmpty, comment)
                try #require(try Self.filesOnRecord(harness) == files, comment)
            }
            try await Self.empty(harness)
            #expect(try harness.isEmpty(), "LARDER_TEST_SEED=\(seed &- UInt64(run))")
            for table in ["manifest", "tag", "review"] {
                #expect(try harness.count(table) == 0, "LARDER_TEST_SEED=\(seed &- UInt64(run))")
            }
            #expect(try harness.problems() == [], "LARDER_TEST_SEED=\(seed &- UInt64(run))")
        }
    }

    private static func operation(
        _ harness: Harness,
        generation: Int64,
        using generator: inout SeededGenerator
    ) throws -> Operation {
        let repository = Bool.random(using: &generator) ? harness.main : harness.other
        let key = Int.random(in: keys, using: &generator)
        let content = Int.random(in: contents, using: &generator)
        let file = Bool.random(using: &generator) ? generation : nil
        let count = Int.random(in: 0...4, using: &generator)
        let some = (0..<count).map { _ in Int.random(in: contents, using: &generator) }
        switch Int.random(in: 0..<140, using: &generator) {
        case 0..<25:
            return .putBlob(content, generation: file, repository: repository)
        case 25..<50:
            let references = Int.random(in: 0..<5, using: &generator) == 0 ? nil : some
            return .putEntry(
                key: key,
                value: content,
                references: references,
                generation: file,
                repository: repository
            )
        case 50..<58:
            return .deleteEntry(key: key, repository: repository)
        case 58..<62:
            return .renew(content, repository: repository)
        case 62..<70:
            let candidates = try harness.candidates(in: repository)
            return .evict(Array(candidates.shuffled(using: &generator).prefix(3)))
        case 70..<74:
            guard let candidate = try harness.candidates(in: repository).randomElement(using: &generator) else { break }
            return .use(candidate.row)
        case 74..<79:
            guard let row = try harness.metadata.read({ try $0.blob(Harness.digest(content)) }) else { break }
            return .quarantine(row)
        case 79..<84:
            guard case .entry(let id)? = try harness.findEntry(key, in: repository)?.used else { break }
            return .addReferences(some, entry: id, repository: repository)
        case 84..<88:
            guard case .entry(let id)? = try harness.findEntry(key, in: repository)?.used else { break }
            return .complete(entry: id)
        case 88..<94:
            return .removeDeadEntries(limit: Int.random(in: 1...3, using: &generator))
        case 94..<97:
            return .finishRemovals(try harness.removals().filter { _ in Bool.random(using: &generator) })
        case 97..<100:
            let until = Harness.start + .seconds(.random(in: 0...150, using: &generator))
            return .flush(repository, until: until, limit: Int.random(in: 1...3, using: &generator))
        default:
            return try manifestOperation(harness, file: file, repository: repository, using: &generator)
        }
        return .removeDeadEntries(limit: 2)
    }

    private static func manifestOperation(
        _ harness: Harness,
        file: Int64?,
        repository: RepositoryID,
        using generator: inout SeededGenerator
    ) throws -> Operation {
        let number = Int.random(in: manifests, using: &generator)
        switch Int.random(in: 0..<40, using: &generator) {
        case 0..<22:
            let count = Int.random(in: 0...2, using: &generator)
            let tags = (0..<count).map { _ in Int.random(in: 0..<4, using: &generator) }
            return .push(manifest: number, tags: tags, generation: file, repository: repository)
        case 22..<26:
            return .deleteTag(Int.random(in: 0..<4, using: &generator), repository: repository)
        case 26..<32:
            return .deleteManifest(number, repository: repository)
        case 32..<36:
            return .deleteBlob(Int.random(in: contents, using: &generator), repository: repository)
        default:
            let due = try harness.metadata.read { try $0.dueReviews(at: Timestamp(milliseconds: .max), atMost: 100) }
            return .settle(due.filter { _ in Bool.random(using: &generator) })
        }
    }

    /// Performs an operation; returns the files that blobs were given.
    private static func apply(
        _ operation: Operation,
        to transaction: MetadataTransaction,
        clock: UseClock
    ) throws -> [StoredFile] {
        func file(_ content: Int, _ generation: Int64?, isStored: Bool) -> [StoredFile] {
            guard isStored, let generation else { return [] }
            return [StoredFile(digest: Harness.digest(content), generation: generation)]
        }
        switch operation {
        case .putBlob(let content, let generation, let repository):
            let result = try transaction.putBlob(
                Harness.blob(content, generation: generation),
                in: repository,
                isExplicit: true,
                clock: clock
            )
            return file(content, generation, isStored: result.isStored)
        case .putEntry(let key, let value, let references, let generation, let repository):
            let result = try transaction.putEntry(
                try Harness.key(key),
                value: Harness.blob(value, generation: generation),
                references: references.map { .known($0.map { Harness.descriptor($0) }) } ?? .unknown,
                in: repository,
                clock: clock
            )
            return file(value, generation, isStored: result.isStored)
        case .deleteEntry(let key, let repository):
            _ = try transaction.deleteEntry(try Harness.key(key), in: repository, Harness.removal)
        case .renew(let content, let repository):
            _ = try transaction.renewLink(Harness.descriptor(content), in: repository, clock: clock)
        case .use(let row):
            try transaction.recordUses([(row: row, time: clock.now)])
        case .evict(let candidates):
            _ = try transaction.evict(candidates)
        case .quarantine(let row):
            _ = try transaction.quarantine(row)
        case .addReferences(let contents, let entry, let repository):
            _ = try transaction.addReferences(contents.map { Harness.descriptor($0) }, to: entry, in: repository)
        case .complete(let entry):
            _ = try transaction.completeEntry(entry)
        case .removeDeadEntries(let limit):
            _ = try transaction.removeDeadEntries(atMost: limit)
        case .flush(let repository, let until, let limit):
            _ = try transaction.flushRepository(repository, pushedUntil: until, atMost: limit)
        case .finishRemovals(let removals):
            try transaction.finishRemovals(removals)
        case .push(let number, let tags, let generation, let repository):
            let item = try manifest(number)
            let names = try tags.map { try Harness.tag("t\($0)") }
            do {
                let isStored = try transaction.putManifest(
                    item.pushed(generation: generation),
                    tags: names,
                    rule: .free,
                    in: repository,
                    clock: clock
                )
                guard isStored, let generation else { break }
                return [StoredFile(digest: item.digest, generation: generation)]
            } catch StoreError.missingContent(_) {
                // Found out before anything was written.
                break
            }
        case .deleteTag(let tag, let repository):
            _ = try transaction.deleteTag(try Harness.tag("t\(tag)"), in: repository, Harness.removal)
        case .deleteManifest(let number, let repository):
            _ = try transaction.deleteManifest(try manifest(number).digest, in: repository, Harness.removal)
        case .deleteBlob(let content, let repository):
            _ = try transaction.deleteBlob(Harness.digest(content), in: repository)
        case .settle(let entries):
            let going = try transaction.settleReviews(
                of: entries,
                unusedSince: clock.now - .seconds(20),
                grace: .seconds(20)
            )
            for entry in going { try transaction.removeReviewed(entry) }
        }
        return []
    }

    /// Candidates whose blob some entry of the repository refers to.
    private static func unsafeCandidates(_ harness: Harness) throws -> [EvictionCandidate] {
        var result: [EvictionCandidate] = []
        for repository in [harness.main, harness.other] {
            let used = Set(
                try harness.numbers(
                    """
                    SELECT blob_id FROM entry WHERE repository_id = \(repository)
                    UNION SELECT r.blob_id FROM reference r JOIN entry e ON e.id = r.entry_id
                    WHERE e.repository_id = \(repository)
                    """
                )
            )
            result += try harness.candidates(in: repository).filter { candidate in
                if case .link(_, let blobID) = candidate.row { used.contains(blobID) } else { false }
            }
        }
        return result
    }

    /// The files that have a row, or a row that says they are to be removed.
    private static func filesOnRecord(_ harness: Harness) throws -> Set<StoredFile> {
        let blobs = try harness.metadata.read { try $0.blobs(after: -1, atMost: 1000) }
        let alive = blobs.compactMap { blob in
            blob.row.generation.map { StoredFile(digest: blob.row.digest, generation: $0) }
        }
        let dying = try harness.removals().map { StoredFile(digest: $0.digest, generation: $0.generation) }
        return Set(alive).union(dying)
    }

    /// Flushes both repositories to the end.
    private static func empty(_ harness: Harness) async throws {
        for repository in [harness.main, harness.other] {
            var rounds = 0
            while try harness.metadata.write({ transaction in
                try transaction.flushRepository(
                    repository,
                    pushedUntil: Timestamp(milliseconds: .max),
                    atMost: 5
                )
            }).value {
                rounds += 1
                try #require(rounds < 1000)
            }
        }
    }
}
