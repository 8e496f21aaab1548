import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// Entries of scopes: begun where nobody looks, then visible with all that they refer to.
@Suite struct ScopedEntryTests {
    private typealias Harness = MetadataHarness

    // MARK: Saving

    @Test(arguments: ["", "refs/heads/main"])
    func anEntryIsFoundByItsKeyAndScope(scope: String) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let entry = try harness.begin(10, references: [1, 2, 2], at: 5)
            #expect(try harness.finish(entry, "key", scope: scope, at: 7).outcome == .stored)
            let found = try #require(
                try harness.metadata.read {
                    try $0.scopedEntry(
                        try Harness.key(text: "key"),
                        scope: try Harness.scope(scope),
                        in: harness.main,
                        checkingQuarantine: false
                    )
                }
            )
            #expect(found.value.inlineBytes == Harness.content(10))
            #expect((found.id, found.scope, found.key) == (entry, scope, "key"))
            #expect(found.pushedAt == Harness.start + .seconds(7))
            #expect(found.lastUsed == Harness.start + .seconds(7))
            #expect(try harness.value("key", scope: "other") == nil)
            #expect(try harness.value("key", scope: scope, in: harness.other) == nil)
            #expect(try harness.value("ke", scope: scope) == nil)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.repository().usedBytes == 13)
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [2])
            // What it refers to goes with it, and not before.
            #expect(try harness.candidates().map(\.row) == [.entry(entry)])
            #expect(try harness.problems() == [])
        }
    }

    @Test func nobodySeesAnEntryBeforeItHasItsKey() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let entry = try harness.begin(10, references: [1])
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.count("reference") == 1)
            #expect(try harness.newest("s") == nil)
            #expect(try harness.listed("s") == [])
            // Under what it is kept until then.
            let key = "\(Harness.digest(10))#\(entry)"
            #expect(try harness.value(key) == nil)
            #expect(try harness.find(.entry(try Harness.key(text: key))) == nil)
            #expect(try !harness.delete(key))
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [false, true])
    func whatIsGivenUpLeavesNothing(isByTheNextStart: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let entries = [
                try harness.begin(10, references: [1, 2], generation: 77), try harness.begin(20, references: [1]),
            ]
            _ = try harness.metadata.write { transaction in
                if isByTheNextStart {
                    try transaction.abandonPendingEntries()
                } else {
                    for entry in entries { try transaction.abandonEntry(entry) }
                }
            }
            try harness.removeDeadEntries()
            for table in ["entry", "reference"] { #expect(try harness.count(table) == 0) }
            #expect(try harness.repository().entryCount == 0)
            #expect(try harness.account() == (usedBytes: 3, blobCount: 2))
            #expect(try harness.removals().map(\.generation) == [77])
            let late = try storeError { _ = try harness.finish(entries[0], "key") }
            #expect(late == .notFound("the repository was emptied during the push"))
            let later = try storeError { try harness.add([1], to: entries[1]) }
            #expect(later == .notFound("the repository was emptied during the push"))
            #expect(try harness.problems() == [])
        }
    }

    @Test func whatIsBegunTwiceWithTheSameValueIsTwoEntries() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let (first, second) = (try harness.begin(10, references: [1]), try harness.begin(10, references: [2]))
            #expect(first != second)
            #expect(try harness.finish(first, "a").outcome == .stored)
            #expect(try harness.finish(second, "b").outcome == .stored)
            #expect(try harness.account() == (usedBytes: 13, blobCount: 3))
            #expect(try harness.delete("a"))
            #expect(try harness.value("b") == 10)
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [
        (what: "a blob that is nowhere", reference: BlobDescriptor(digest: MetadataHarness.digest(99), size: 99)),
        (what: "a blob of another repository", reference: BlobDescriptor(digest: MetadataHarness.digest(5), size: 5)),
        (what: "a damaged blob", reference: BlobDescriptor(digest: MetadataHarness.digest(6), size: 6)),
        (what: "another size", reference: BlobDescriptor(digest: MetadataHarness.digest(1), size: 2)),
    ])
    func whatIsNotThereIsNotReferredTo(what: String, reference: BlobDescriptor) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 6])
            try await harness.put([5], in: harness.other)
            try harness.quarantine(6)
            let entry = try harness.begin(10)
            let error = try storeError {
                _ = try harness.metadata.write {
                    try $0.addPendingReferences(
                        content: [Harness.descriptor(1), reference],
                        to: entry,
                        in: harness.main
                    )
                }
            }
            if case .invalidContent = error {
                #expect(reference.size == 2)
            } else {
                #expect(error == .missingContent([reference.digest]), "\(what)")
            }
            #expect(try harness.count("reference") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func anEntryMayHaveAnyNumberOfReferences() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1100)
            let entry = try harness.begin(2000, references: Array(1...1100), generation: 77)
            #expect(try harness.finish(entry, "key", scope: "s").outcome == .stored)
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [1100])
            #expect(try harness.candidates().map(\.row) == [.entry(entry)])
            #expect(try harness.delete("key", scope: "s"))
            #expect(try harness.value("key", scope: "s") == nil)
            #expect(try harness.repository().entryCount == 0)
            #expect(try harness.metadata.read { try $0.hasDeadEntries() })
            #expect(try harness.problems() == [])
            #expect(try harness.removeDeadEntries() > 2)
            #expect(try harness.candidates().count == 1100)
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.problems() == [])
        }
    }

    // MARK: A key that is taken

    @Test func aKeyThatIsTakenStaysWithItsValue() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            #expect(try harness.save("key", scope: "s", 10, references: [1]) == .stored)
            #expect(try harness.save("key", scope: "s", 20, references: [2], at: 60) == .exists)
            #expect(try harness.value("key", scope: "s") == 10)
            #expect(try harness.repository().entryCount == 1)
            // The other value is gone, and what it referred to is free.
            #expect(try harness.account() == (usedBytes: 13, blobCount: 3))
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [1])
            #expect(try harness.candidates().map(\.size).sorted() == [2, 11])
            #expect(try harness.problems() == [])
        }
    }

    @Test func theSameValueAgainIsAUseOfTheFirst() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let first = try harness.begin(10, references: [1])
            _ = try harness.finish(first, "key", scope: "s")
            #expect(try harness.save("key", scope: "s", 10, references: [1], at: 60) == .stored)
            let found = try #require(
                try harness.metadata.read {
                    try $0.newestEntry(
                        prefix: try Harness.key(text: "key"),
                        scope: try Harness.scope("s"),
                        in: harness.main,
                        checkingQuarantine: true
                    )
                }
            )
            #expect(found.id == first)
            #expect(found.pushedAt == Harness.start)
            #expect(found.lastUsed == Harness.start + .seconds(60))
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.count("entry") == 1)
            #expect(try harness.problems() == [])
        }
    }

    @Test func anotherValueReplacesTheFirstIfThatIsWanted() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try harness.save("key", scope: "s", 10, references: [1], generation: 77)
            let second = try harness.begin(20, references: [2], at: 60)
            let (outcome, effects) = try harness.finish(second, "key", scope: "s", isReplacing: true, at: 60)
            #expect(outcome == .stored)
            #expect(effects.repositories[harness.main]?.entryCount == -1)
            #expect(try harness.value("key", scope: "s") == 20)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.account() == (usedBytes: 23, blobCount: 3))
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.candidates().map(\.size).sorted() == [1, 22])
            #expect(try harness.problems() == [])
        }
    }

    @Test func whatIsReplacedMayBeLarge() async throws {
        try await withMetadata { harness in
            try await harness.put(1...700)
            try harness.save("key", 1000, references: Array(1...700))
            #expect(try harness.save("key", 1001, references: [7], isReplacing: true) == .stored)
            #expect(try harness.value("key") == 1001)
            try harness.removeDeadEntries()
            #expect(try harness.value("key") == 1001)
            #expect(try harness.count("reference") == 1)
            #expect(try harness.problems() == [])
        }
    }

    /// What can't be found must not keep its key from what can: a job would save in vain for ever.
    @Test(arguments: [10, 20], [1, 10])
    func aDamagedEntryGivesItsKeyAway(value: Int, damaged: Int) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try harness.save("key", scope: "s", 10, references: [1])
            try harness.quarantine(damaged)
            #expect(try harness.value("key", scope: "s") == nil)
            #expect(try harness.save("key", scope: "s", value, references: [2]) == .stored)
            #expect(try harness.value("key", scope: "s") == Int64(value))
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])
        }
    }

    @Test func theSameValueHealsADamagedOne() async throws {
        try await withMetadata { harness in
            try harness.save("key", scope: "s", 10, generation: 77)
            try harness.quarantine(10)
            #expect(try harness.save("key", scope: "s", 10, generation: 78) == .stored)
            #expect(try harness.value("key", scope: "s") == 10)
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.count("entry") == 1)
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Pins

    private static let isPinned = StoreError.notAllowed(
        "it is pinned (in use); take the pin away first with: larder pin rm"
    )

    @Test func whatIsPinnedIsNotReplaced() async throws {
        try await withMetadata { harness in
            try harness.save("key", scope: "s", 10)
            try harness.pin("key", until: 100)
            let entry = try harness.begin(20)
            let error = try storeError { _ = try harness.finish(entry, "key", scope: "s", isReplacing: true, at: 99) }
            #expect(error == Self.isPinned)
            #expect(try harness.value("key", scope: "s") == 10)
            // The same value asks for nothing.
            #expect(try harness.save("key", scope: "s", 10, at: 99) == .stored)
            #expect(try harness.finish(entry, "key", scope: "s", isReplacing: true, at: 100).outcome == .stored)
            #expect(try harness.value("key", scope: "s") == 20)
            #expect(try harness.problems() == [])
        }
    }

    @Test func whatIsPinnedIsNotDeleted() async throws {
        try await withMetadata { harness in
            try harness.save("key", scope: "s", 10)
            try harness.pin("key")
            #expect(try storeError { _ = try harness.delete("key", scope: "s") } == Self.isPinned)
            #expect(try harness.value("key", scope: "s") == 10)
        }
    }

    // MARK: Deletion

    @Test func aDeletedEntryIsGoneFromItsScopeOnly() async throws {
        try await withMetadata { harness in
            for scope in ["", "a", "b"] { try harness.save("key", scope: scope, 10) }
            #expect(try harness.delete("key", scope: "a"))
            #expect(try !harness.delete("key", scope: "a"))
            #expect(try !harness.delete("key", scope: "c"))
            #expect(try harness.listed("key") == [" key", "b key"])
            #expect(try harness.delete("key"))
            #expect(try harness.delete("key", scope: "b"))
            #expect(try harness.isEmpty())
        }
    }

    @Test func aDeletedEntryComesBackToItsScope() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try harness.save("key", scope: "a", 10, references: [1])
            try harness.save("key", scope: "b", 20)
            #expect(try harness.delete("key", scope: "a", undoUntil: 100))
            #expect(try harness.value("key", scope: "a") == nil)
            #expect(try harness.newest("k", scope: "a") == nil)
            #expect(try harness.listed("k") == ["b key"])
            #expect(try harness.repository().entryCount == 1)
            // Its references are kept meanwhile.
            #expect(try harness.candidates().map(\.size) == [20])
            _ = try harness.metadata.write { transaction in
                try transaction.restore(
                    key: try Harness.key(text: "key"),
                    tags: nil,
                    rule: .free,
                    in: harness.main,
                    now: Harness.start + .seconds(50)
                )
            }
            #expect(try harness.value("key", scope: "a") == 10)
            #expect(try harness.repository().entryCount == 2)
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [10, 20])
    func theKeyOfADeletedEntryIsFree(value: Int) async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try harness.save("key", scope: "a", 10, references: [1])
            #expect(try harness.delete("key", scope: "a", undoUntil: 100))
            #expect(try harness.save("key", scope: "a", value, references: [1], at: 10) == .stored)
            #expect(try harness.value("key", scope: "a") == Int64(value))
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.count("hidden") == 0)
            #expect(try harness.count("entry") == 1)
            #expect(try harness.problems() == [])
        }
    }
}
