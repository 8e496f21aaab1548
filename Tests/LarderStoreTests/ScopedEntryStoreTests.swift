import Foundation
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// One thread, so that what follows in the pool's queue runs after all cleaning up that was submitted before.
private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    configuration.fileThreadCount = 1
    return configuration
}

/// Entries of scopes in the store: whole or not there, and found in the order that their reader wants.
@Suite
struct ScopedEntryStoreTests {
    // MARK: Saving

    @Test(arguments: [0, 1, 1024, 1025, 64 << 10])
    func anEntryIsDurableWhenItIsAnswered(size: Int) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let value = content(1, size)
            let time = ManualTime()
            let digest = try await withStore(configuration, in: folder, time: time) { (harness) async throws in
                let digest = try await harness.putBlob(content(2, 5000))
                #expect(try await harness.save("key", scope: "s", value, references: [digest]) == .stored)
                #expect(try await harness.value("key", scope: "s") == value)
                try await harness.settled()
                #expect(harness.reserved == 0)
                return digest
            }
            time.advance(by: .seconds(60))
            try await withStore(configuration, in: folder, time: time) { (harness) async throws in
                let found = try #require(try await harness.find("key", scopes: ["s"]))
                #expect(Array(found.entry.value.readableBytesView) == value)
                #expect(found.prefix == nil)
                #expect((found.entry.scope.text, found.entry.key.text) == ("s", "key"))
                #expect(found.entry.pushedAt == harness.time.now - .seconds(60))
                #expect(try await harness.value("key") == nil)
                #expect(try await harness.blob(digest) != nil)
                #expect(try harness.repository().entryCount == 1)
                #expect(harness.used == Int64(5000 + size))
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func aValueIsADescriptionAndNoFile() async throws {
        try await withStore(configuration) { (harness) async throws in
            let error = try await storeError { try await harness.save("key", content(1, (64 << 10) + 1)) }
            #expect(error == .tooLarge(limit: .kibibytes(64)))
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func onlyCachesHaveEntriesOfScopes() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.createRegistry()
            let error = try await storeError { try await harness.save("key", [1], in: "images") }
            #expect(caseName(error) == "notAllowed")
            #expect(try await harness.value("key", in: "images") == nil)
            #expect(try await harness.value("key", in: "nowhere") == nil)
            #expect(try await harness.listed("key") == [])
            #expect(try await !harness.delete("key", scope: ""))
        }
    }

    @Test(arguments: [10, 5000])
    func whatNamesAMissingBlobLeavesNothing(size: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let digests = try await Self.putBlobs(600, in: harness)
            let lost = IncrementalHasher.digest(of: [UInt8(7)])
            let error = try await storeError {
                try await harness.save("key", scope: "s", content(9999, size), references: digests + [lost])
            }
            #expect(error == .missingContent([lost]))
            #expect(try await harness.value("key", scope: "s") == nil)
            try await harness.quiet()
            #expect(try harness.repository().entryCount == 0)
            #expect(harness.used == 600 * 20)
            #expect(harness.reserved == 0)
            #expect(harness.files(in: "blobs") == [])
            #expect(try await harness.problems() == [])
        }
    }

    private static func putBlobs(_ count: Int, in harness: StoreHarness) async throws -> [Digest] {
        let contents = (0..<count).map { content($0, 20) }
        let digests = contents.map { IncrementalHasher.digest(of: $0) }
        for start in stride(from: 0, to: count, by: Store.batchLengthMax) {
            let range = start..<min(count, start + Store.batchLengthMax)
            let batch = range.map { (digests[$0], ByteBuffer(bytes: contents[$0])) }
            try await harness.store.putBlobs(batch, in: try harness.name("main"), kind: .cache)
        }
        return digests
    }

    @Test
    func anEntryMayReferToAnyNumberOfBlobs() async throws {
        try await withStore(configuration) { (harness) async throws in
            let digests = try await Self.putBlobs(1200, in: harness)
            #expect(try await harness.save("key", scope: "s", [1], references: digests + digests) == .stored)
            let links = try await harness.store.read {
                try $0.evictionCandidates(in: try harness.repository().id, atMost: 5000)
            }
            #expect(links.count == 1)
            #expect(try await harness.delete("key", scope: "s"))
            #expect(try await harness.value("key", scope: "s") == nil)
            try await harness.quiet()
            #expect(harness.used == 1200 * 20)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatAnEarlierProcessBeganIsGone() async throws {
        try await withTemporaryFolder { (folder) async throws in
            try await withStore(configuration, in: folder) { (harness) async throws in
                let digests = try await Self.putBlobs(600, in: harness)
                let (id, clock) = (try harness.repository().id, harness.store.useClock(in: .cache))
                let value = UploadedBlob(
                    digest: IncrementalHasher.digest(of: [UInt8(1)]),
                    size: 1,
                    content: .inline([1])
                )
                let slices = [digests[..<500], digests[500...]].map { $0.map { BlobDescriptor(digest: $0, size: 20) } }
                try await harness.store.committer.commit { transaction in
                    let entry = try transaction.beginEntry(value, in: id, clock: clock).entry
                    for slice in slices { try transaction.addPendingReferences(content: slice, to: entry, in: id) }
                }
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.quiet()
                #expect(try harness.repository().entryCount == 0)
                #expect(harness.used == 600 * 20)
                #expect(try await harness.problems() == [])
            }
        }
    }

    // MARK: A key that is taken

    @Test
    func aKeyStaysWithItsValueUnlessItIsReplaced() async throws {
        try await withStore(configuration) { (harness) async throws in
            #expect(try await harness.save("key", [1]) == .stored)
            #expect(try await harness.save("key", [1]) == .stored)
            #expect(try await harness.save("key", content(2, 5000)) == .exists)
            #expect(try await harness.value("key") == [1])
            try await harness.quiet()
            #expect(harness.files(in: "blobs") == [])
            #expect(try await harness.save("key", content(2, 5000), isReplacing: true) == .stored)
            #expect(try await harness.value("key") == content(2, 5000))
            #expect(try await harness.save("key", content(2, 5000)) == .stored)
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == 1)
            #expect(harness.used == 5000)
            #expect(try harness.repository().entryCount == 1)
            #expect(try await harness.problems() == [])
        }
    }

    @Test(arguments: [false, true])
    func ofManyWhoSaveOneKeyAtOnceOneIsFirst(isSameValue: Bool) async throws {
        var parallel = configuration
        parallel.fileThreadCount = 4
        try await withStore(parallel) { (harness) async throws in
            let outcomes = try await withThrowingTaskGroup(of: (Int, EntryOutcome).self) { (group) async throws in
                for number in 0..<16 {
                    group.addTask {
                        let value = content(isSameValue ? 1 : number, number.isMultiple(of: 2) ? 5000 : 5001)
                        return (number, try await harness.save("key", value))
                    }
                }
                return try await group.reduce(into: [Int]()) { if $1.1 == .stored { $0.append($1.0) } }
            }
            let stored = try #require(try await harness.value("key"))
            if isSameValue {
                // Two values there are.
                #expect(outcomes.count == 8)
            } else {
                #expect(outcomes.map { content($0, $0.isMultiple(of: 2) ? 5000 : 5001) } == [stored])
            }
            try await harness.quiet()
            #expect(harness.used == Int64(stored.count))
            #expect(harness.reserved == 0)
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try harness.repository().entryCount == 1)
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Finding

    @Test(
        arguments: [
            ("npm-3", [], ["main"], "main npm-3"),
            ("npm-3", [], ["dev", "main"], "main npm-3"),
            ("npm-2", [], ["dev", "main"], "dev npm-2"),
            ("npm-2", [], ["main", "dev"], "main npm-2"),
            ("npm-2", [], ["", "dev"], "dev npm-2"),
            ("npm", [], ["dev", "main"], nil),
            ("npm-9", [], ["dev", "main"], nil),
            ("npm-3", [], ["dev"], nil),
            ("npm-3", [], [], nil),
            // The key in all scopes comes before any prefix.
            ("npm-3", ["npm-"], ["dev", "main"], "main npm-3"),
            ("npm-9", ["npm-"], ["dev", "main"], "dev npm-2 by npm-"),
            ("npm-9", ["npm-"], ["main", "dev"], "main npm-1 by npm-"),
            // A prefix in all scopes comes before the next one.
            ("npm-9", ["npm-3", "npm-"], ["dev", "main"], "main npm-3 by npm-3"),
            ("npm-9", ["yarn-", "npm-3", "n"], ["dev", "main"], "main npm-3 by npm-3"),
            ("npm-9", ["yarn-", "n"], ["dev", "main"], "dev npm-2 by n"),
            ("npm-9", ["npm-3", "yarn-"], ["dev", ""], nil),
            ("npm-9", ["npm-"], ["other"], nil),
            // What is no key of its own is a prefix of itself.
            ("npm-9", ["npm-2"], ["dev"], "dev npm-2 by npm-2"),
        ] as [(key: String, prefixes: [String], scopes: [String], found: String?)]
    )
    func scopesAndPrefixesAreAskedInOrder(
        key: String,
        prefixes: [String],
        scopes: [String],
        found: String?
    ) async throws {
        try await withStore(configuration) { (harness) async throws in
            // The newest is the last.
            for (scope, key) in [
                ("main", "npm-2"), ("main", "npm-3"), ("dev", "npm-1"), ("dev", "npm-2"), ("main", "npm-1"),
            ] {
                try await harness.save(key, scope: scope, Array("\(scope) \(key)".utf8))
                harness.time.advance(by: .seconds(1))
            }
            #expect(try await harness.found(key, prefixes: prefixes, scopes: scopes) == found)
        }
    }

    @Test
    func anEntryThatLostABlobIsNoneAndTheNextNewestCounts() async throws {
        try await withStore(configuration) { (harness) async throws in
            var digests: [Digest] = []
            for number in 1...3 {
                digests.append(try await harness.putBlob(content(number, 5000)))
                try await harness.save(
                    "k-\(number)",
                    scope: "s",
                    content(100 + number, 2000),
                    references: [digests[number - 1]]
                )
                harness.time.advance(by: .seconds(1))
            }
            #expect(try await harness.found("k-3", prefixes: ["k-"], scopes: ["s"]) == "s k-3")
            try await harness.lose(digests[2])
            #expect(try await harness.found("k-3", prefixes: ["k-"], scopes: ["s"]) == "s k-2 by k-")
            #expect(try await harness.value("k-3", scope: "s") == nil)
            // The value itself, which nobody has read since.
            try FileManager.default.removeItem(
                atPath: try harness.blobPath(of: IncrementalHasher.digest(of: content(102, 2000)))
            )
            #expect(try await harness.found("k-2", prefixes: ["k-"], scopes: ["s"]) == "s k-1 by k-")
            #expect(try await harness.found("k-2", prefixes: ["k-2"], scopes: ["s"]) == nil)
            // Whoever brings the blob again heals what names it.
            try await harness.putBlob(content(3, 5000), in: "elsewhere")
            #expect(try await harness.found("k-3", scopes: ["s"]) == "s k-3")
            #expect(try await harness.problems() == [])
        }
    }

    /// What can't be found must not keep its key from what can.
    @Test
    func anEntryThatLostABlobGivesItsKeyAway() async throws {
        try await withStore(configuration) { (harness) async throws in
            let digest = try await harness.putBlob(content(1, 5000))
            try await harness.save("key", [1], references: [digest])
            try await harness.lose(digest)
            #expect(try await harness.value("key") == nil)
            #expect(try await harness.save("key", [2]) == .stored)
            #expect(try await harness.value("key") == [2])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Lists and removal

    @Test
    func listsAreNoUse() async throws {
        try await withStore(configuration) { (harness) async throws in
            for (scope, key) in [("b", "k"), ("a", "k-2"), ("a", "k-1"), ("", "k"), ("a", "l")] {
                try await harness.save(key, scope: scope, [1])
            }
            try await harness.putEntry("m", [1])
            harness.time.advance(by: .seconds(60))
            #expect(try await harness.listed("k") == [" k", "a k-1", "a k-2", "b k"])
            #expect(try await harness.listed("k", scope: "a") == ["a k-1", "a k-2"])
            #expect(try await harness.listed("k", atMost: 3) == [" k", "a k-1", "a k-2"])
            #expect(try await harness.listed("m") == [" m"])
            let last = try await harness.store.entries(
                prefix: try harness.key("k"),
                scope: nil,
                after: (try harness.scope("a"), try harness.key("k-1")),
                in: try harness.name("main"),
                atMost: 10
            )
            #expect(last.entries.map(\.key.text) == ["k-2", "k"])
            #expect(last.next == nil)
            #expect(last.entries.allSatisfy { $0.lastUsed == harness.time.now - .seconds(60) })
            #expect(harness.store.uses.count == 0)
            _ = try await harness.find("k", scopes: ["b"])
            #expect(harness.store.uses.count == 1)
        }
    }

    @Test
    func whatWasDeletedComesBack() async throws {
        var undoing = configuration
        undoing.cacheUndoTime = .seconds(100)
        try await withStore(undoing) { (harness) async throws in
            let digest = try await harness.putBlob(content(1, 5000))
            try await harness.save("key", scope: "s", [1], references: [digest])
            #expect(try await !harness.delete("key", scope: ""))
            #expect(try await harness.delete("key", scope: "s"))
            #expect(try await !harness.delete("key", scope: "s"))
            #expect(try await harness.value("key", scope: "s") == nil)
            #expect(try await harness.listed("k") == [])
            let item = PinnedItem.entry(try harness.key("key"))
            let restored = try await harness.store.restore(item, tags: nil, in: try harness.name("main"))
            #expect(restored.keys == ["key"])
            #expect(try await harness.value("key", scope: "s") == [1])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Space

    @Test
    func whatAnEntryRefersToIsNotEvictedBeforeIt() async throws {
        var small = configuration
        small.sizeLimit = .bytes(ByteCount(100_000))
        small.highWatermark = 100
        small.lowWatermark = 100
        try await withStore(small) { (harness) async throws in
            var digests: [Digest] = []
            for number in 0..<4 { digests.append(try await harness.putBlob(content(number, 10_000))) }
            harness.time.advance(by: .seconds(100))
            // The blobs are old, the entry is not.
            try await harness.save("key", scope: "s", content(4, 2000), references: Array(digests[..<3]))
            harness.time.advance(by: .seconds(1))
            for number in 10..<16 { try await harness.putBlob(content(number, 10_000)) }
            #expect(try await harness.blob(digests[3]) == nil)
            for number in 20..<40 {
                harness.time.advance(by: .seconds(1))
                #expect(try await harness.value("key", scope: "s") != nil)
                harness.time.advance(by: .seconds(1))
                try await harness.putBlob(content(number, 10_000))
            }
            for number in 0..<3 { #expect(try await harness.blob(digests[number]) == content(number, 10_000)) }
            #expect(try await harness.problems() == [])
        }
    }
}
