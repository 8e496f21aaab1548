import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// A limit that ten blobs of 10,000 bytes fill exactly; eviction begins above it and stops at it.
private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.sizeLimit = .bytes(ByteCount(100_000))
    configuration.inlineLimit = ByteCount(1024)
    configuration.highWatermark = 100
    configuration.lowWatermark = 100
    return configuration
}

extension StoreHarness {
    /// Puts blobs of 10,000 bytes, a second apart; returns their digests.
    fileprivate func fill(_ numbers: Range<Int>, in repository: String = "main") async throws -> [Digest] {
        var digests: [Digest] = []
        for number in numbers {
            time.advance(by: .seconds(1))
            digests.append(try await putBlob(content(number, 10_000), in: repository))
        }
        return digests
    }

    /// Which of some blobs are there, by their index.
    ///
    /// Reading renews their last use, so the database is asked.
    fileprivate func present(_ digests: [Digest], in repository: String = "main") async throws -> [Int] {
        let id = try self.repository(repository).id
        return try await store.read { snapshot in
            try digests.indices.filter {
                try snapshot.hasAll([BlobDescriptor(digest: digests[$0], size: nil)], in: id)
            }
        }
    }

    /// Puts content into a repository of a kind that takes no writes yet.
    fileprivate func plant(_ bytes: [UInt8], in repository: Repository) async throws {
        let blob = UploadedBlob(
            digest: IncrementalHasher.digest(of: bytes),
            size: Int64(bytes.count),
            content: .inline(bytes)
        )
        let clock = store.useClock(in: .cache)
        try await store.committer.commit {
            _ = try $0.putBlob(blob, in: repository.id, isExplicit: true, clock: clock)
        }
    }

    fileprivate func create(
        _ text: String,
        _ kind: RepositoryKind = .cache,
        quotaBytes: Int64? = nil,
        quotaEntries: Int64? = nil
    ) async throws -> Repository {
        try await store.createRepository(
            try name(text),
            kind: kind,
            settings: RepositorySettings(quotaBytes: quotaBytes.map { ByteCount($0) }, quotaEntries: quotaEntries)
        )
    }
}

/// The store stays within its limits, and what goes for that is what was used least recently.
@Suite
struct SpaceTests {
    @Test
    func theLeastRecentlyUsedGoesFirst() async throws {
        try await withStore(configuration) { harness in
            let digests = try await harness.fill(0..<10)
            #expect(harness.used == 100_000)
            harness.time.advance(by: .seconds(1))
            #expect(try await harness.blob(digests[0]) == content(0, 10_000))
            #expect(try await harness.blob(digests[1]) == content(1, 10_000))
            _ = try await harness.fill(10..<11)
            #expect(try await harness.present(digests) == [0, 1, 3, 4, 5, 6, 7, 8, 9])
            _ = try await harness.fill(11..<13)
            #expect(try await harness.present(digests) == [0, 1, 5, 6, 7, 8, 9])
            #expect(harness.used == 100_000)
            #expect(harness.store.evictor.totals.count == 3)
            #expect(harness.store.evictor.totals.bytes == 30_000)
            #expect(harness.store.evictor.totals.refusals == 0)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatWasJustStoredIsNotCountedTwice() async throws {
        try await withStore(configuration) { harness in
            for round in 0..<20 {
                let digests = try await harness.fill((round * 10)..<(round * 10 + 10))
                #expect(harness.used == 100_000)
                #expect(try await harness.present(digests).count == 10)
                #expect(harness.store.evictor.totals.count == 0)
                #expect(try await harness.flush() == 100_000)
            }
        }
    }

    @Test
    func puttingABlobAgainRenewsItsUse() async throws {
        try await withStore(configuration) { harness in
            let digests = try await harness.fill(0..<10)
            _ = try await harness.fill(0..<1)
            _ = try await harness.fill(10..<12)
            #expect(try await harness.present(digests) == [0, 3, 4, 5, 6, 7, 8, 9])
        }
    }

    @Test
    func roomIsMadeAlsoWhenEverythingWasUsedSinceItsLastUseWasWritten() async throws {
        try await withStore(configuration) { harness in
            let digests = try await harness.fill(0..<10)
            for number in [3, 1, 0, 2, 9, 8, 7, 6, 5, 4] {
                harness.time.advance(by: .seconds(1))
                #expect(try await harness.blob(digests[number]) == content(number, 10_000))
            }
            _ = try await harness.fill(10..<11)
            #expect(try await harness.present(digests) == [0, 1, 2, 4, 5, 6, 7, 8, 9])
        }
    }

    @Test
    func whatAnEntryNamesIsNotEvictedBeforeTheEntry() async throws {
        try await withStore(configuration) { harness in
            let named = try await harness.fill(0..<2)
            try await harness.putEntry("key", content(50, 1000), references: .to(named[0], named[1]))
            let others = try await harness.fill(2..<9)
            for round in 0..<20 {
                // A hit renews the entry only, not what it names.
                #expect(try await harness.entry("key") == content(50, 1000))
                _ = try await harness.fill((10 + round)..<(11 + round))
                #expect(try await harness.present(named) == [0, 1])
                #expect(harness.used <= 100_000)
            }
            #expect(try await harness.present(others) == [])
            // Not used any more: it goes when it is the oldest, and what it names after it.
            try await harness.store.sweeper.writeUses()
            _ = try await harness.fill(30..<38)
            #expect(try await harness.entry("key") == nil)
            _ = try await harness.fill(38..<50)
            #expect(try await harness.present(named) == [])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func nothingWithinTheGuaranteedAgeGoes() async throws {
        var guarded = configuration
        guarded.guaranteedAge = .seconds(3600)
        try await withStore(guarded) { harness in
            let digests = try await harness.fill(0..<10)
            let error = try await storeError { _ = try await harness.fill(10..<11) }
            #expect(caseName(error) == "noSpace")
            let small = try await storeError { try await harness.putBlob([1]) }
            #expect(caseName(small) == "noSpace")
            #expect(try await harness.present(digests) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
            #expect(harness.used == 100_000)
            #expect(harness.reserved == 0)
            #expect(harness.store.evictor.totals.refusals == 2)
            try await harness.settled()
            #expect(harness.files(in: "blobs").count == 10)
            harness.time.advance(by: .seconds(3595))
            _ = try await harness.fill(20..<21)
            #expect(try await harness.present(digests) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        }
    }

    @Test
    func aUseThatIsNotWrittenYetCountsForTheGuarantee() async throws {
        var guarded = configuration
        guarded.guaranteedAge = .seconds(3600)
        try await withStore(guarded) { harness in
            let digests = try await harness.fill(0..<10)
            harness.time.advance(by: .seconds(7200))
            for number in 0..<9 {
                #expect(try await harness.blob(digests[number]) == content(number, 10_000))
            }
            _ = try await harness.fill(10..<11)
            #expect(try await harness.present(digests) == [0, 1, 2, 3, 4, 5, 6, 7, 8])
            #expect(caseName(try await storeError { _ = try await harness.fill(11..<12) }) == "noSpace")
            #expect(try await harness.present(digests) == [0, 1, 2, 3, 4, 5, 6, 7, 8])
        }
    }

    @Test
    func aQuotaInBytesEvictsInItsRepositoryOnly() async throws {
        try await withStore(configuration) { harness in
            let older = try await harness.fill(0..<3, in: "other")
            _ = try await harness.create("main", quotaBytes: 50_000)
            let digests = try await harness.fill(10..<17)
            #expect(try await harness.present(digests) == [2, 3, 4, 5, 6])
            #expect(try await harness.present(older, in: "other") == [0, 1, 2])
            #expect(try harness.repository().usedBytes == 50_000)
            let error = try await storeError { try await harness.putBlob(content(20, 50_001)) }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try await harness.present(digests) == [2, 3, 4, 5, 6])
        }
    }

    @Test
    func aQuotaInEntriesEvictsTheOldestEntry() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.create("main", quotaEntries: 3)
            try await harness.putEntry("elsewhere", [9], in: "other")
            for key in ["a", "b", "c", "d", "e"] {
                harness.time.advance(by: .seconds(1))
                try await harness.putEntry(key, [1])
            }
            var found: [String] = []
            for key in ["a", "b", "c", "d", "e"] where try await harness.entry(key) != nil { found.append(key) }
            #expect(found == ["c", "d", "e"])
            #expect(try harness.repository().entryCount == 3)
            #expect(try await harness.entry("elsewhere", in: "other") == [9])
        }
    }

    @Test(arguments: [true, false])
    func aQuotaThatOnlyGuaranteedContentFillsRefuses(isInBytes: Bool) async throws {
        var guarded = configuration
        guarded.guaranteedAge = .seconds(3600)
        try await withStore(guarded) { harness in
            _ = try await harness.create(
                "main",
                quotaBytes: isInBytes ? 30 : nil,
                quotaEntries: isInBytes ? nil : 3
            )
            for number in 0..<3 { try await harness.putEntry("\(number)", content(number, 10)) }
            let error = try await storeError { try await harness.putEntry("3", content(3, 10)) }
            #expect(caseName(error) == "quotaExceeded")
            for number in 0..<3 { #expect(try await harness.entry("\(number)") == content(number, 10)) }
            #expect(harness.reserved == 0)
            harness.time.advance(by: .seconds(3601))
            try await harness.putEntry("3", content(3, 10))
            #expect(try await harness.entry("3") == content(3, 10))
        }
    }

    @Test
    func anOverwriteNeedsNoRoomForAnotherEntry() async throws {
        var guarded = configuration
        guarded.guaranteedAge = .seconds(3600)
        try await withStore(guarded) { harness in
            _ = try await harness.create("main", quotaEntries: 3)
            for key in ["a", "b", "c"] { try await harness.putEntry(key, [1]) }
            try await harness.putEntry("b", [2])
            #expect(try await harness.entry("a") == [1])
            #expect(try await harness.entry("b") == [2])
            #expect(try await harness.entry("c") == [1])
        }
    }

    @Test
    func aBlobIsNoEntryToAQuotaInEntries() async throws {
        var guarded = configuration
        guarded.guaranteedAge = .seconds(3600)
        try await withStore(guarded) { harness in
            _ = try await harness.create("main", quotaEntries: 1)
            try await harness.putEntry("a", [1])
            let digest = try await harness.putBlob(content(1, 10))
            #expect(try await harness.blob(digest) == content(1, 10))
            #expect(try await harness.entry("a") == [1])
        }
    }

    @Test
    func aQuotaThatIsLoweredIsEnforcedAtTheNextWrite() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.create("main")
            let digests = try await harness.fill(0..<6)
            _ = try await harness.store.setRepository(
                try harness.name("main"),
                RepositorySettings(quotaBytes: ByteCount(40_000))
            )
            _ = try await harness.fill(6..<7)
            try await waitUntil("the quota holds") { try harness.repository().usedBytes <= 40_000 }
            #expect(try await harness.present(digests).contains(0) == false)
        }
    }

    @Test
    func theStoreIsNeverAboveItsLimit() async throws {
        try await withStore(configuration) { harness in
            let limit: Int64 = 100_000
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        var generator = SeededGenerator(seed: UInt64(worker))
                        for round in 0..<40 {
                            harness.time.advance(by: .milliseconds(100))
                            let size = Int.random(in: 1...20_000, using: &generator)
                            try await harness.putEntry("\(worker)/\(round)", content(worker * 1000 + round, size))
                            let balance = harness.store.account.current
                            if balance.used > limit { throw TestFailure("\(balance.used) bytes are used") }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(harness.reserved == 0)
            #expect(harness.used > 50_000)
            try await harness.quiet()
            let onDisk = try await harness.store.read { try $0.account().usedBytes }
            #expect(onDisk == harness.used)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatCanNeverFitIsRefusedBeforeItsBodyAndEvictsNothing() async throws {
        try await withStore(configuration) { harness in
            let digests = try await harness.fill(0..<8)
            let bucket = try await harness.create("bucket", .bucket)
            try await harness.plant(content(99, 20_000), in: bucket)
            let target = try harness.target(IncrementalHasher.digest(of: [1]))
            try harness.store.admit(target, length: 80_000)
            let refusal = try await storeError { try harness.store.admit(target, length: 80_001) }
            #expect(caseName(refusal) == "noSpace")
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            // The body never comes; nobody waits for it.
            let error = try await storeError { try await harness.store.put(target, body: body, length: 1 << 40) }
            feed.finish()
            #expect(caseName(error) == "noSpace")
            try harness.store.admit(target, length: nil)
            #expect(try await harness.present(digests) == [0, 1, 2, 3, 4, 5, 6, 7])
            #expect(harness.store.evictor.totals.count == 0)
        }
    }

    @Test
    func registriesAndBucketsAreNeverEvicted() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.create("registry", .registry)
            let bucket = try await harness.create("bucket", .bucket)
            // What nothing refers to is swept when nothing else makes room; what neither a policy nor a person removed stays.
            _ = try await harness.pushImage(config: content(98, 29_000), in: "registry")
            try await harness.plant(content(99, 30_000), in: bucket)
            let digests = try await harness.fill(0..<20)
            #expect(try await harness.present(digests) == [16, 17, 18, 19])
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(98, 29_000)), in: "registry") != nil)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(99, 30_000)), in: "bucket") != nil)
            #expect(caseName(try await storeError { try await harness.putBlob(content(50, 41_000)) }) == "noSpace")
        }
    }

    @Test
    func aBlobThatTwoRepositoriesShareGoesWithItsLastLink() async throws {
        try await withStore(configuration) { harness in
            let shared = try await harness.fill(0..<1, in: "a")
            _ = try await harness.fill(0..<1, in: "b")
            _ = try await harness.fill(1..<10, in: "b")
            #expect(harness.used == 100_000)
            _ = try await harness.fill(10..<11, in: "b")
            #expect(try await harness.present(shared, in: "a") == [])
            #expect(try await harness.present(shared, in: "b") == [])
            #expect(harness.used == 100_000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func reservationsAreGivenBackAfterSuccessFailureAndCancellation() async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 50_000)
            let digest = IncrementalHasher.digest(of: bytes)
            for outcome in ["success", "failure", "cancellation"] {
                let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
                feed.yield(ByteBuffer(bytes: bytes.prefix(20_000)))
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    group.addTask {
                        do {
                            try await harness.store.put(try harness.target(digest), body: body, length: 50_000)
                            return true
                        } catch {
                            return false
                        }
                    }
                    // All that was declared is reserved, and counts against others.
                    try await waitUntil("bytes are reserved") { harness.reserved == 50_000 }
                    switch outcome {
                    case "success":
                        feed.yield(ByteBuffer(bytes: bytes.dropFirst(20_000)))
                        feed.finish()
                    case "failure": feed.finish(throwing: BodyFailure())
                    default: group.cancelAll()
                    }
                    #expect(try await group.next() == (outcome == "success"))
                }
                #expect(harness.reserved == 0, "after \(outcome)")
                _ = try await harness.flush()
            }
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func anUploadInProgressTakesRoomFromOthers() async throws {
        try await withStore(configuration) { harness in
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            feed.yield(ByteBuffer(bytes: content(1, 2000)))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await harness.store.put(try harness.target(key: "key"), body: body, length: 90_000)
                }
                try await waitUntil("bytes are reserved") { harness.reserved == 90_000 }
                _ = try await harness.fill(0..<1)
                #expect(caseName(try await storeError { try await harness.putBlob(content(1, 10_001)) }) == "noSpace")
                feed.yield(ByteBuffer(bytes: content(1, 88_000)))
                feed.finish()
                try await group.waitForAll()
            }
            #expect(try await harness.entry("key")?.count == 90_000)
            #expect(harness.used <= 100_000)
            #expect(harness.reserved == 0)
        }
    }

    @Test
    func aBodyOfUnknownLengthTakesOnlyTheRoomItNeeds() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.create("main", quotaBytes: 60_000)
            let digests = try await harness.fill(0..<5)
            harness.time.advance(by: .seconds(1))
            try await harness.store.put(
                try harness.target(key: "key"),
                body: Chunks(content(50, 10_000), each: 3000),
                length: nil
            )
            #expect(try await harness.present(digests) == [0, 1, 2, 3, 4])
            #expect(harness.used == 60_000)
            #expect(harness.reserved == 0)
        }
    }

    @Test
    func evictionBeginsAboveTheHighWatermarkAndStopsAtTheLow() async throws {
        var marked = configuration
        marked.highWatermark = 95
        marked.lowWatermark = 90
        try await withStore(marked) { harness in
            for number in 0..<95 {
                harness.time.advance(by: .seconds(1))
                try await harness.putBlob(content(number, 1000))
            }
            #expect(harness.used == 95_000)
            #expect(harness.store.evictor.totals.count == 0)
            harness.time.advance(by: .seconds(1))
            try await harness.putBlob(content(95, 1000))
            // The last write's own reservation may still have counted when the round began.
            try await waitUntil("eviction has run") { harness.used <= 90_000 }
            #expect(harness.used >= 89_000)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(95, 1000))) != nil)
        }
    }

    @Test
    func lastUseSurvivesReopeningAndDecidesEviction() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let digests = try await withStore(configuration, in: folder, time: time) { harness in
                let digests = try await harness.fill(0..<9)
                try await harness.putEntry("key", content(20, 10_000))
                harness.time.advance(by: .seconds(1))
                #expect(try await harness.blob(digests[0]) != nil)
                harness.time.advance(by: .seconds(1))
                #expect(try await harness.blob(digests[2]) != nil)
                #expect(try await harness.entry("key") != nil)
                return digests
            }
            try await withStore(configuration, in: folder, time: time) { harness in
                #expect(harness.used == 100_000)
                _ = try await harness.fill(30..<38)
                #expect(try await harness.present(digests) == [2])
                #expect(try await harness.entry("key") == content(20, 10_000))
            }
        }
    }

    @Test
    func entriesThatGoInSlicesStillMakeRoomForAWriteThatWaits() async throws {
        try await withStore(configuration) { harness in
            // Incomplete entries may have any number of references, so they leave their bytes to the sweeper.
            for number in 0..<10 {
                harness.time.advance(by: .seconds(1))
                try await harness.putEntry(
                    "\(number)",
                    content(number, 10_000),
                    references: .to(IncrementalHasher.digest(of: [1]))
                )
            }
            #expect(harness.used == 100_000)
            harness.time.advance(by: .seconds(1))
            try await harness.putBlob(content(20, 10_000))
            try await harness.quiet()
            // One had to go; a second may have, before the first one's bytes were given back.
            #expect(try harness.repository().entryCount >= 8)
            #expect(harness.used <= 100_000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aLargeUploadIntoAFullQuotaCountsItsOwnReservationOnce() async throws {
        var large = configuration
        large.sizeLimit = .bytes(.mebibytes(32))
        large.guaranteedAge = .seconds(3600)
        try await withStore(large) { harness in
            let mebibytes = 1 << 20
            _ = try await harness.create("main", quotaBytes: Int64(30 * mebibytes))
            for number in 0..<7 { try await harness.putBlob(content(number, 2 * mebibytes)) }
            harness.time.advance(by: .seconds(7200))
            for number in 10..<13 { try await harness.putBlob(content(number, 2 * mebibytes), in: "other") }
            // 20 MiB more: the quota has room when 4 MiB go, the store when 8 MiB go.
            let piece = content(99, mebibytes)
            try await harness.store.put(
                try harness.target(key: "key"),
                body: Chunks(Array(repeating: piece, count: 20)),
                length: Int64(20 * mebibytes)
            )
            #expect(harness.used <= Int64(32 * mebibytes))
            #expect(try harness.repository("other").usedBytes == Int64(6 * mebibytes))
            #expect(try harness.repository().entryCount == 1)
            #expect(harness.reserved == 0)
        }
    }

    @Test
    func aFullDiskEvictsNoMoreThanItNeeds() async throws {
        // The disk has no byte more than the floor, so every write needs room that eviction makes.
        let files = SmallDisk(total: 1_000_000_000, reserve: 100_000)
        var floored = configuration
        floored.sizeLimit = .bytes(.gibibytes(1))
        floored.highWatermark = 95
        floored.lowWatermark = 90
        try await withStore(floored, files: files) { harness in
            for number in 0..<14 {
                harness.time.advance(by: .seconds(1))
                // What was evicted is free only when its file is gone, and the disk is asked five times a second.
                try await waitUntil("there is room for blob \(number)") {
                    let error = try await storeError { try await harness.putBlob(content(number, 10_000)) }
                    if let error, caseName(error) != "noSpace" { throw TestFailure("blob \(number): \(error)") }
                    return error == nil
                }
            }
            try await harness.quiet()
            #expect(harness.used <= 100_000)
            #expect(harness.used >= 60_000)
            #expect(try await harness.problems() == [])
        }
    }
}
