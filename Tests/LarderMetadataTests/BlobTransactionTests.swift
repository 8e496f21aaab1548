import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// Blobs and links: what is stored once, counted once, and removed with its last link.
@Suite struct BlobTransactionTests {
    private typealias Harness = MetadataHarness

    @Test func blobIsFoundWhereItIsLinked() async throws {
        try await withMetadata { harness in
            try await harness.put([10], at: 5)
            let found = try #require(try harness.findBlob(10))
            #expect(found.inlineBytes == Harness.content(10))
            #expect(found.blob.size == 10)
            #expect(found.blob.generation == nil)
            #expect(found.isComplete)
            #expect(found.pushedAt == Harness.start + .seconds(5))
            #expect(found.lastUsed == Harness.start + .seconds(5))
            #expect(try harness.findBlob(10, in: harness.other) == nil)
            #expect(try harness.findBlob(11) == nil)
        }
    }

    @Test func emptyBlobIsABlob() async throws {
        try await withMetadata { harness in
            try await harness.put([0])
            #expect(try harness.findBlob(0)?.inlineBytes == [])
            #expect(try harness.account() == (usedBytes: 0, blobCount: 1))
            #expect(try harness.problems() == [])
        }
    }

    @Test func sameBlobIsStoredOnceAndChargedOncePerRepository() async throws {
        try await withMetadata { harness in
            let ids = [harness.main, harness.other]
            let stored = try harness.metadata.write { transaction in
                try [ids[0], ids[0], ids[1]].map {
                    try transaction.putBlob(Harness.blob(10), in: $0, isExplicit: true, clock: Harness.clock()).isStored
                }
            }
            #expect(stored.value == [true, false, false])
            #expect(stored.effects.usedBytes == 10)
            #expect(stored.effects.blobCount == 1)
            #expect(stored.effects.repositories[ids[0]]?.usedBytes == 10)
            #expect(stored.effects.repositories[ids[1]]?.usedBytes == 10)
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
            #expect(try harness.repository(ids[0]).usedBytes == 10)
            #expect(try harness.repository(ids[1]).usedBytes == 10)
            #expect(try harness.problems() == [])
        }
    }

    @Test func blobInAFileHasItsGeneration() async throws {
        try await withMetadata { harness in
            let main = harness.main
            let stored = try harness.metadata.write { transaction in
                try [Int64(77), 78].map {
                    try transaction.putBlob(
                        Harness.blob(10, generation: $0),
                        in: main,
                        isExplicit: true,
                        clock: Harness.clock()
                    ).isStored
                }
            }.value
            #expect(stored == [true, false])
            let found = try #require(try harness.findBlob(10))
            #expect(found.blob.generation == 77)
            #expect(found.inlineBytes == nil)
        }
    }

    // MARK: Aliases

    private static let alias = Digest(.sha512, bytes: [UInt8](repeating: 0x5a, count: 64))

    private static func put(_ aliases: [Digest], in harness: Harness) async throws {
        let main = harness.main
        _ = try harness.metadata.write { transaction in
            try transaction.putBlob(
                UploadedBlob(
                    digest: Harness.digest(10),
                    aliases: aliases,
                    size: 10,
                    content: .inline(Harness.content(10))
                ),
                in: main,
                isExplicit: true,
                clock: Harness.clock()
            )
        }
    }

    @Test func blobIsFoundUnderItsOtherDigest() async throws {
        let alias = try #require(Self.alias)
        try await withMetadata { harness in
            try await Self.put([alias], in: harness)
            #expect(try harness.find(.blob(alias))?.blob.digest == Harness.digest(10))
            #expect(try harness.find(.blob(alias), in: harness.other) == nil)
        }
    }

    /// The store had the blob under its SHA-256 when somebody uploaded it under its SHA-512.
    @Test func digestOfALaterUploadNamesTheBlobToo() async throws {
        let alias = try #require(Self.alias)
        try await withMetadata { harness in
            try await harness.put([10])
            try await Self.put([alias], in: harness)
            #expect(try harness.find(.blob(alias))?.blob.digest == Harness.digest(10))
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
        }
    }

    @Test func otherDigestsGoWithTheBlob() async throws {
        let alias = try #require(Self.alias)
        try await withMetadata { harness in
            try await Self.put([alias], in: harness)
            try await Self.evictAll(harness)
            #expect(try harness.find(.blob(alias)) == nil)
            #expect(try harness.isEmpty())
        }
    }

    // MARK: Eviction

    @discardableResult
    private static func evictAll(_ harness: Harness, in repository: RepositoryID? = nil) async throws
        -> (bytes: Int64, count: Int)
    {
        let candidates = try harness.candidates(in: repository)
        return try harness.metadata.write { try $0.evict(candidates) }.value
    }

    @Test func blobGoesWithItsLastLink() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            try await harness.put([10], in: harness.other)
            #expect(try await Self.evictAll(harness) == (bytes: 0, count: 1))
            #expect(try harness.findBlob(10) == nil)
            #expect(try harness.findBlob(10, in: harness.other) != nil)
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
            #expect(try harness.problems() == [])
            #expect(try await Self.evictAll(harness, in: harness.other) == (bytes: 10, count: 1))
            #expect(try harness.isEmpty())
            #expect(try harness.problems() == [])
        }
    }

    @Test func removalOfAFileIsRecordedWithItsRow() async throws {
        try await withMetadata { harness in
            let main = harness.main
            _ = try harness.metadata.write { transaction in
                for (number, generation) in [(10, Int64(77)), (20, 78)] {
                    _ = try transaction.putBlob(
                        Harness.blob(number, generation: generation),
                        in: main,
                        isExplicit: true,
                        clock: Harness.clock(Int64(number))
                    )
                }
                _ = try transaction.putBlob(Harness.blob(30), in: main, isExplicit: true, clock: Harness.clock(30))
            }
            let candidates = try harness.candidates()
            let effects = try harness.metadata.write { try $0.evict(candidates) }.effects
            #expect(effects.hasRemovals)
            #expect(effects.usedBytes == -60)
            #expect(effects.blobCount == -3)
            #expect(
                Set(effects.changedNames)
                    == Set([10, 20, 30].map { StoredName(repository: main, item: .blob(Harness.digest($0))) })
            )
            let removals = try harness.removals()
            #expect(removals.map(\.digest) == [Harness.digest(10), Harness.digest(20)])
            #expect(removals.map(\.generation) == [77, 78])
            #expect(try harness.metadata.read { try $0.knowsFile(Harness.digest(10), generation: 77) })
            _ = try harness.metadata.write { try $0.finishRemovals(removals.prefix(1)) }
            #expect(try harness.removals().map(\.generation) == [78])
            #expect(try !harness.metadata.read { try $0.knowsFile(Harness.digest(10), generation: 77) })
        }
    }

    @Test func inlineBlobLeavesNoRemoval() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let candidates = try harness.candidates()
            let effects = try harness.metadata.write { try $0.evict(candidates) }.effects
            #expect(!effects.hasRemovals)
            #expect(try harness.removals().isEmpty)
        }
    }

    @Test func candidateUsedSinceThePlanStays() async throws {
        try await withMetadata { harness in
            try await harness.put([10, 20])
            let candidates = try harness.candidates()
            let used = try #require(candidates.first { $0.size == 10 })
            _ = try harness.metadata.write { try $0.recordUses([(used.row, Harness.start + .seconds(1))]) }
            #expect(try harness.metadata.write { try $0.evict(candidates) }.value == (bytes: 20, count: 1))
            #expect(try harness.findBlob(10)?.lastUsed == Harness.start + .seconds(1))
            #expect(try harness.findBlob(20) == nil)
        }
    }

    @Test func candidateReferredToSinceThePlanStays() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let candidates = try harness.candidates()
            try await harness.putEntry(1, 20, references: [10])
            #expect(try harness.metadata.write { try $0.evict(candidates) }.value == (bytes: 0, count: 0))
            #expect(try harness.findBlob(10) != nil)
        }
    }

    @Test func planThatIsAppliedTwiceChangesNothingMore() async throws {
        try await withMetadata { harness in
            try await harness.put([10, 20])
            let candidates = try harness.candidates()
            let doubled = candidates + candidates
            #expect(try harness.metadata.write { try $0.evict(doubled) }.value == (bytes: 30, count: 2))
            #expect(try harness.metadata.write { try $0.evict(candidates) }.value == (bytes: 0, count: 0))
            #expect(try harness.problems() == [])
        }
    }

    @Test func candidatesComeLeastRecentlyUsedFirst() async throws {
        try await withMetadata { harness in
            try await harness.put([10], at: 30)
            try await harness.put([20], at: 10)
            try await harness.putEntry(1, 40, at: 20)
            try await harness.put([30], in: harness.other, at: 1)
            #expect(try harness.candidates().map(\.size) == [20, 40, 10])
            let main = harness.main
            // The limit holds for entries and for links.
            let some = try harness.metadata.read { try $0.evictionCandidates(in: main, atMost: 1) }
            #expect(some.map(\.size) == [20, 40])
            #expect(try harness.metadata.read { try $0.oldestUse(in: main) } == Harness.start + .seconds(10))
        }
    }

    // MARK: Marks

    @Test func uploadRenewsTheMarkOfABlobThatIsThere() async throws {
        try await withMetadata { harness in
            try await harness.put([10], at: 0)
            try await harness.put([10], at: 60)
            let found = try #require(try harness.findBlob(10))
            #expect(found.lastUsed == Harness.start + .seconds(60))
            #expect(found.pushedAt == Harness.start)
        }
    }

    @Test(arguments: [
        (seconds: Int64(0), isRenewed: false), (seconds: 3600, isRenewed: false), (seconds: 3601, isRenewed: true),
    ])
    func markIsRenewedOnlyPastThePrecision(seconds: Int64, isRenewed: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let main = harness.main
            let clock = UseClock(now: Harness.start + .seconds(seconds), precision: .seconds(3600))
            #expect(
                try harness.metadata.write {
                    try $0.renewLink(Harness.descriptor(10), in: main, clock: clock)
                }.value
            )
            let expected = isRenewed ? Harness.start + .seconds(seconds) : Harness.start
            #expect(try harness.findBlob(10)?.lastUsed == expected)
        }
    }

    @Test func onlyALinkThatIsThereIsRenewed() async throws {
        try await withMetadata { harness in
            try await harness.put([10], in: harness.other)
            try await harness.put([20])
            let main = harness.main
            let results = try harness.metadata.write { transaction in
                try [
                    BlobDescriptor(digest: Harness.digest(10), size: 10),
                    BlobDescriptor(digest: Harness.digest(11), size: 11),
                    BlobDescriptor(digest: Harness.digest(20), size: 21),
                    BlobDescriptor(digest: Harness.digest(20), size: 20),
                    BlobDescriptor(digest: Harness.digest(20), size: nil),
                ].map { try transaction.renewLink($0, in: main, clock: Harness.clock()) }
            }.value
            #expect(results == [false, false, false, true, true])
            #expect(try harness.repository().usedBytes == 20)
        }
    }

    @Test func useIsNeverMovedBack() async throws {
        try await withMetadata { harness in
            try await harness.put([10], at: 60)
            try await harness.putEntry(1, 20, at: 60)
            let rows = try harness.candidates().map { (row: $0.row, time: Harness.start + .seconds(30)) }
            _ = try harness.metadata.write { try $0.recordUses(rows) }
            let uses = try harness.candidates().map(\.lastUsed)
            #expect(uses == [Harness.start + .seconds(60), Harness.start + .seconds(60)])
        }
    }

    @Test func useOfARowThatIsGoneIsPassedOver() async throws {
        try await withMetadata { harness in
            let rows: [(row: UsedRow, time: Timestamp)] = [
                (.entry(99), Harness.start), (.link(repository: harness.main, blobID: 99), Harness.start),
            ]
            _ = try harness.metadata.write { try $0.recordUses(rows) }
            #expect(try harness.isEmpty())
        }
    }

    // MARK: Quarantine

    private static func quarantine(_ number: Int, in harness: Harness) async throws
        -> (value: Bool, effects: MetadataEffects)
    {
        let row = try #require(try harness.metadata.read { try $0.blob(Harness.digest(number)) })
        return try harness.metadata.write { try $0.quarantine(row) }
    }

    @Test func damagedBlobMissesUnderEveryName() async throws {
        try await withMetadata { harness in
            try await harness.put([10, 20])
            try await harness.putEntry(1, 30, references: [10])
            try await harness.putEntry(2, 10)
            try await harness.putEntry(3, 30, references: [20])
            let result = try await Self.quarantine(10, in: harness)
            #expect(result.value)
            #expect(result.effects.quarantinedCount != nil)
            #expect(try harness.findBlob(10) == nil)
            #expect(try harness.findEntry(1) == nil)
            #expect(try harness.findEntry(2) == nil)
            #expect(try harness.findEntry(3) != nil)
            #expect(try harness.metadata.read { try $0.quarantinedCount() } == 1)
            #expect(try harness.metadata.read { try !$0.hasAll([Harness.descriptor(10)], in: harness.main) })
            #expect(try harness.problems() == [])
        }
    }

    @Test func damageIsMarkedOnce() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let row = try #require(try harness.metadata.read { try $0.blob(Harness.digest(10)) })
            #expect(try harness.metadata.write { try $0.quarantine(row) }.value)
            #expect(try !harness.metadata.write { try $0.quarantine(row) }.value)
            let marked = try #require(try harness.metadata.read { try $0.blob(Harness.digest(10)) })
            #expect(try !harness.metadata.write { try $0.quarantine(marked) }.value)
        }
    }

    @Test func nextUploadHealsAndTheOldFileGoes() async throws {
        try await withMetadata { harness in
            let main = harness.main
            let put: @Sendable (UploadedBlob) async throws -> (value: Bool, effects: MetadataEffects) = { blob in
                try harness.metadata.write { transaction in
                    try transaction.putBlob(blob, in: main, isExplicit: true, clock: Harness.clock()).isStored
                }
            }
            _ = try await put(Harness.blob(10, generation: 77))
            try await harness.putEntry(1, 20, references: [10])
            _ = try await Self.quarantine(10, in: harness)

            let healed = try await put(Harness.blob(10, generation: 78))
            #expect(healed.value)
            #expect(healed.effects.quarantinedCount != nil)
            #expect(healed.effects.usedBytes == 0)
            #expect(healed.effects.hasRemovals)
            #expect(try harness.findBlob(10)?.blob.generation == 78)
            #expect(try harness.findEntry(1)?.isComplete == true)
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.account() == (usedBytes: 30, blobCount: 2))

            _ = try await Self.quarantine(10, in: harness)
            #expect(try await put(Harness.blob(10)).value)
            #expect(try harness.findBlob(10)?.inlineBytes == Harness.content(10))
            #expect(try harness.removals().map(\.generation) == [77, 78])

            _ = try await Self.quarantine(10, in: harness)
            #expect(try await put(Harness.blob(10, generation: 79)).value)
            #expect(try harness.findBlob(10)?.inlineBytes == nil)
            #expect(try harness.findBlob(10)?.blob.generation == 79)
            #expect(try harness.numbers("SELECT blob_id FROM blob_bytes WHERE length(bytes) = 10").isEmpty)
            #expect(try harness.metadata.read { try $0.quarantinedCount() } == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func copyThatWasReplacedMeanwhileIsNotMarked() async throws {
        try await withMetadata { harness in
            let main = harness.main
            let put: @Sendable (Int64) async throws -> Void = { generation in
                _ = try harness.metadata.write { transaction in
                    try transaction.putBlob(
                        Harness.blob(10, generation: generation),
                        in: main,
                        isExplicit: true,
                        clock: Harness.clock()
                    )
                }
            }
            try await put(77)
            let row = try #require(try harness.metadata.read { try $0.blob(Harness.digest(10)) })
            #expect(try harness.metadata.write { try $0.quarantine(row) }.value)
            try await put(78)
            #expect(try !harness.metadata.write { try $0.quarantine(row) }.value)
            #expect(try harness.findBlob(10) != nil)
        }
    }

    @Test func damagedBlobCanBeEvicted() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            _ = try await Self.quarantine(10, in: harness)
            let candidates = try harness.candidates()
            let effects = try harness.metadata.write { try $0.evict(candidates) }.effects
            #expect(effects.quarantinedCount != nil)
            #expect(try harness.isEmpty())
        }
    }
}
