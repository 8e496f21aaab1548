import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// Entries: their values, what they refer to, and what goes with them.
@Suite struct EntryTransactionTests {
    private typealias Harness = MetadataHarness

    @Test func entryIsFoundByItsKey() async throws {
        try await withMetadata { harness in
            #expect(try await harness.putEntry(1, 10, at: 5) == (isStored: true, isReplaced: false))
            let found = try #require(try harness.findEntry(1))
            #expect(found.inlineBytes == Harness.content(10))
            #expect(found.isComplete)
            #expect(found.pushedAt == Harness.start + .seconds(5))
            #expect(try harness.findEntry(2) == nil)
            #expect(try harness.findEntry(1, in: harness.other) == nil)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.repository().usedBytes == 10)
            #expect(try harness.problems() == [])
        }
    }

    @Test func sameEntryAgainIsOnlyPushedAgain() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: [1])
            #expect(try await harness.putEntry(1, 10, references: [1], at: 60) == (isStored: false, isReplaced: true))
            let found = try #require(try harness.findEntry(1))
            #expect(found.pushedAt == Harness.start + .seconds(60))
            #expect(found.lastUsed == Harness.start + .seconds(60))
            #expect(try harness.account() == (usedBytes: 11, blobCount: 2))
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [Int64?.none, 77])
    func overwritingFreesTheOldValueAtOnce(generation: Int64?) async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10, generation: generation)
            #expect(try await harness.putEntry(1, 20) == (isStored: true, isReplaced: true))
            #expect(try harness.account() == (usedBytes: 20, blobCount: 1))
            #expect(try harness.repository().usedBytes == 20)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.findEntry(1)?.inlineBytes == Harness.content(20))
            #expect(try harness.metadata.read { try $0.blob(Harness.digest(10)) } == nil)
            #expect(try harness.removals().map(\.generation) == (generation.map { [$0] } ?? []))
            #expect(try harness.problems() == [])
        }
    }

    @Test func valueThatWasUploadedForItselfOutlivesItsEntry() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            try await harness.putEntry(1, 10, at: 30)
            #expect(try harness.candidates().map(\.row) == [.entry(try harness.entryID(1))])
            try await harness.putEntry(1, 20, at: 60)
            #expect(try harness.findBlob(10) != nil)
            // As old as the entry's last use.
            #expect(try harness.findBlob(10)?.lastUsed == Harness.start + .seconds(30))
            #expect(try harness.candidates().map(\.size) == [10, 20])
            #expect(try harness.problems() == [])
        }
    }

    @Test func valueThatIsUploadedLaterOutlivesItsEntryToo() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10)
            try await harness.put([10])
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.findBlob(10) != nil)
            #expect(try harness.problems() == [])
        }
    }

    @Test func valueOfTwoEntriesGoesWithTheSecond() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10)
            try await harness.putEntry(2, 10)
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
            #expect(try harness.repository().entryCount == 2)
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.findEntry(2)?.inlineBytes == Harness.content(10))
            #expect(try await harness.deleteEntry(2))
            #expect(try harness.isEmpty())
            #expect(try harness.problems() == [])
        }
    }

    @Test func valueIsSharedAcrossRepositories() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10)
            try await harness.putEntry(1, 10, in: harness.other)
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.findEntry(1) == nil)
            #expect(try harness.findEntry(1, in: harness.other)?.inlineBytes == Harness.content(10))
            #expect(try harness.problems() == [])
        }
    }

    @Test func deletingWhatIsNotThereSaysSo() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10)
            #expect(try await !harness.deleteEntry(2))
            #expect(try await !harness.deleteEntry(1, in: harness.other))
            #expect(try await harness.deleteEntry(1))
            #expect(try await !harness.deleteEntry(1))
        }
    }

    @Test func changesOfAnEntryAreNamed() async throws {
        try await withMetadata { harness in
            let main = harness.main
            let key = try Harness.key(1)
            let name = StoredName(repository: main, item: .entry(key))
            try await harness.putEntry(1, 10)
            let put = try harness.metadata.write { transaction in
                try transaction.putEntry(
                    key,
                    value: Harness.blob(20),
                    references: .none,
                    in: main,
                    clock: Harness.clock()
                )
            }.effects
            #expect(put.changedNames.contains(name))
            #expect(put.usedBytes == 10)
            #expect(put.repositories[main]?.entryCount == 0)
            let deleted = try harness.metadata.write { try $0.deleteEntry(key, in: main, Harness.removal) }.effects
            #expect(deleted.changedNames.contains(name))
            #expect(deleted.repositories[main]?.entryCount == -1)
            #expect(deleted.repositories[main]?.usedBytes == -20)
        }
    }

    // MARK: References

    @Test func blobThatAnEntryRefersToIsNoCandidate() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2, 3])
            try await harness.putEntry(1, 10, references: [1, 2], at: 60)
            let entry = try harness.entryID(1)
            // With an entry goes what only it refers to: 10 of its own, 1 and 2.
            #expect(try harness.candidates().map(\.size) == [3, 13])
            #expect(try harness.candidates().last?.row == .entry(entry))
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.candidates().map(\.size).sorted() == [1, 2, 3])
            // As old as the entry was.
            #expect(try harness.findBlob(1)?.lastUsed == Harness.start + .seconds(60))
            #expect(try harness.findBlob(3)?.lastUsed == Harness.start)
            #expect(try harness.problems() == [])
        }
    }

    @Test func blobIsFreeWhenItsLastEntryGoes() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: [1])
            try await harness.putEntry(2, 20, references: [1])
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.candidates().map(\.size) == [21])
            try await harness.putEntry(2, 30, references: [])
            #expect(try harness.candidates().map(\.size).sorted() == [1, 30])
            #expect(try harness.problems() == [])
        }
    }

    @Test func referenceNamedTwiceCountsOnce() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: [1, 1, 1])
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [1])
            #expect(try harness.problems() == [])
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.candidates().map(\.size) == [1])
            #expect(try harness.problems() == [])
        }
    }

    @Test func entryMayReferToItsOwnValue() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10, references: [10])
            #expect(try harness.findEntry(1)?.isComplete == true)
            #expect(try harness.problems() == [])
            #expect(try await harness.deleteEntry(1))
            #expect(try harness.isEmpty())
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [
        (what: "a blob that is nowhere", reference: BlobDescriptor(digest: MetadataHarness.digest(99), size: 99)),
        (what: "a blob of another repository", reference: BlobDescriptor(digest: MetadataHarness.digest(5), size: 5)),
        (what: "another size", reference: BlobDescriptor(digest: MetadataHarness.digest(1), size: 2)),
    ])
    func entryWithoutAllItRefersToIsIncomplete(what: String, reference: BlobDescriptor) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try await harness.put([5], in: harness.other)
            let main = harness.main
            _ = try harness.metadata.write { transaction in
                try transaction.putEntry(
                    try Harness.key(1),
                    value: Harness.blob(10),
                    references: .known([Harness.descriptor(2), reference]),
                    in: main,
                    clock: Harness.clock()
                )
            }
            #expect(try harness.findEntry(1)?.isComplete == false, "\(what)")
            // Nothing is protected by half.
            #expect(try harness.numbers("SELECT count(*) FROM reference") == [0])
            #expect(try harness.problems() == [])
        }
    }

    @Test func sizeThatNobodyKnowsIsNotCompared() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            _ = try harness.metadata.write { transaction in
                try transaction.putEntry(
                    try Harness.key(1),
                    value: Harness.blob(10),
                    references: .known([BlobDescriptor(digest: Harness.digest(1), size: nil)]),
                    in: main,
                    clock: Harness.clock()
                )
            }
            #expect(try harness.findEntry(1)?.isComplete == true)
        }
    }

    @Test func incompleteEntryIsReplacedByTheSameBytes() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10, references: [1])
            #expect(try harness.findEntry(1)?.isComplete == false)
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: [1])
            #expect(try harness.findEntry(1)?.isComplete == true)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])
            _ = try harness.metadata.write { try $0.removeDeadEntries(atMost: 100) }
            #expect(try harness.numbers("SELECT count(*) FROM entry") == [1])
            #expect(try harness.findEntry(1)?.inlineBytes == Harness.content(10))
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Slices

    private static func add(_ blobs: ClosedRange<Int>, to entry: Int64, in harness: Harness) async throws -> Bool {
        let main = harness.main
        return try harness.metadata.write { transaction in
            try transaction.addReferences(blobs.map { Harness.descriptor($0) }, to: entry, in: main)
        }.value
    }

    @Test(arguments: [(count: 499, isComplete: true), (count: 500, isComplete: true), (count: 501, isComplete: false)])
    func entryWithMoreThan500ReferencesIsCompletedLater(count: Int, isComplete: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put(1...count)
            try await harness.putEntry(1, 1000, references: Array(1...count))
            #expect(try harness.findEntry(1)?.isComplete == isComplete)
            #expect(try harness.numbers("SELECT count(*) FROM reference") == [isComplete ? Int64(count) : 0])
            #expect(try harness.problems() == [])
        }
    }

    @Test func largeEntryIsCompletedAndRemovedInSlices() async throws {
        try await withMetadata { harness in
            try await harness.put(1...600)
            try await harness.putEntry(1, 1000, references: nil)
            let entry = try harness.entryID(1)
            #expect(try await Self.add(1...500, to: entry, in: harness))
            #expect(try await Self.add(501...600, to: entry, in: harness))
            #expect(try harness.findEntry(1)?.isComplete == false)
            #expect(try harness.metadata.write { try $0.completeEntry(entry) }.value)
            #expect(try harness.findEntry(1)?.isComplete == true)
            #expect(try harness.candidates().map(\.row) == [.entry(entry)])
            #expect(try harness.problems() == [])

            let main = harness.main
            let effects = try harness.metadata.write {
                try $0.deleteEntry(try Harness.key(1), in: main, Harness.removal)
            }.effects
            #expect(effects.hasDeadEntries)
            #expect(try harness.findEntry(1) == nil)
            #expect(try harness.repository().entryCount == 0)
            #expect(try harness.metadata.read { try $0.hasDeadEntries() })
            // Its blobs are still protected, its value still counts.
            #expect(try harness.candidates().isEmpty)
            #expect(try harness.account() == (usedBytes: 181_300, blobCount: 601))
            #expect(try harness.problems() == [])

            var isMore: [Bool] = []
            var free: [Int] = []
            while isMore.last ?? true, isMore.count < 10 {
                isMore.append(try harness.metadata.write { try $0.removeDeadEntries(atMost: 200) }.value)
                free.append(try harness.candidates().count)
                #expect(try harness.problems() == [])
            }
            #expect(isMore == [true, true, true, false])
            #expect(free == [200, 400, 600, 600])
            #expect(try !harness.metadata.read { try $0.hasDeadEntries() })
            #expect(try harness.account() == (usedBytes: 180_300, blobCount: 600))
        }
    }

    @Test func keyOfADyingEntryIsFree() async throws {
        try await withMetadata { harness in
            try await harness.putEntry(1, 10, references: nil)
            let old = try harness.entryID(1)
            try await harness.putEntry(1, 20)
            #expect(try harness.entryID(1) != old)
            #expect(try harness.repository().entryCount == 1)
            _ = try harness.metadata.write { try $0.removeDeadEntries(atMost: 100) }
            #expect(try harness.findEntry(1)?.inlineBytes == Harness.content(20))
            #expect(try harness.account() == (usedBytes: 20, blobCount: 1))
            #expect(try harness.problems() == [])
        }
    }

    @Test func dyingEntryIsNotCompleted() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: nil)
            let entry = try harness.entryID(1)
            #expect(try await harness.deleteEntry(1))
            #expect(try await !Self.add(1...1, to: entry, in: harness))
            #expect(try !harness.metadata.write { try $0.completeEntry(entry) }.value)
            #expect(try harness.problems() == [])
        }
    }

    @Test func sliceWithAMissingBlobCountsForNothing() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try await harness.putEntry(1, 10, references: nil)
            let entry = try harness.entryID(1)
            #expect(try await !Self.add(1...3, to: entry, in: harness))
            #expect(try harness.numbers("SELECT count(*) FROM reference") == [0])
            #expect(try await Self.add(1...2, to: entry, in: harness))
            #expect(try await Self.add(1...2, to: entry, in: harness))
            #expect(try harness.numbers("SELECT count(*) FROM reference") == [2])
            #expect(try harness.problems() == [])
        }
    }

    @Test func entryIsEvictedWithItsImplicitValue() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.putEntry(1, 10, references: [1])
            let candidates = try harness.candidates()
            #expect(try harness.metadata.write { try $0.evict(candidates) }.value == (bytes: 10, count: 1))
            #expect(try harness.findEntry(1) == nil)
            #expect(try harness.findBlob(1) != nil)
            #expect(try harness.candidates().map(\.size) == [1])
            #expect(try harness.problems() == [])
        }
    }
}
