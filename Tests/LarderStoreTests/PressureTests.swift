import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import Testing

@testable import LarderStore

private let hour = Duration.seconds(3600)

/// A store for 100,000 bytes, which evicts nothing before it is full.
private var limited: StoreConfiguration {
    var configuration = retentionConfiguration
    // What was just pushed is no room for others.
    configuration.unreferencedAge = .seconds(3600)
    configuration.sizeLimit = .bytes(ByteCount(100_000))
    configuration.highWatermark = 100
    configuration.lowWatermark = 100
    return configuration
}

extension StoreHarness {
    /// Stores a blob of a size in a registry; the name of the error, or nil.
    fileprivate func pushRefusal(_ number: Int, size: Int, in repository: String = "images") async throws -> String? {
        caseName(try await storeError { try await pushBlob(content(number, size), in: repository) })
    }

    /// Those of some images that were hidden, in the order in which they were, and can't be brought back any more.
    fileprivate func ended(of images: [RegistryManifest], in repository: String = "images") async throws -> [Int] {
        let hidden = try await hiddenKeys(in: repository)
        return images.indices.filter { !hidden.contains("\(images[$0].digest)") }
    }

    /// Notes of the runs that want of space made, the oldest first.
    fileprivate func pressureNotes(in repository: String = "images") async throws -> [String] {
        try await runs(of: repository).filter { $0.reason == .pressure }.reversed().map { $0.note ?? "" }
    }
}

/// What is tried before a write is refused for want of space.
@Suite
struct PressureTests {
    @Test
    func aPolicyRunsAtOnceAndWhatItRemovesMakesRoom() async throws {
        try await withStore(limited) { harness in
            let images = try await harness.pushSeries(0..<9, layerSize: 10_000)
            try await harness.setPolicy(keepLast(2))
            harness.time.advance(by: hour * 2)
            #expect(harness.used > 90_000)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == nil)
            #expect(harness.used <= 100_000)
            #expect(harness.reserved == 0)
            #expect(try await harness.visible(images) == [7, 8])
            for index in [7, 8] { #expect(try await harness.tagged("v\(index)") == images[index].bytes) }
            let run = try #require(try await harness.runs().last)
            #expect(run.reason == .pressure)
            #expect(run.actor == "server")
            #expect(run.policy == keepLast(2))
            #expect(run.counts.removed == 7)
            #expect(try await harness.removedNames(by: run.id) == Set(images.prefix(7).map { "\($0.digest)" }))
            #expect(run.freedBytes > 0)
            let notes = try await harness.pressureNotes()
            #expect(notes.count == 2)
            #expect(notes.last?.contains("undo ended early") == true)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    /// What was hidden first goes first, and no more than is needed, give or take a slice.
    @Test
    func undoEndsEarlyForTheOldestFirst() async throws {
        var configuration = limited
        configuration.sizeLimit = .bytes(ByteCount(250_000))
        try await withStore(configuration) { harness in
            var images = try await harness.pushSeries(0..<70, layerSize: 2000)
            try await harness.prune(keepLast(1))
            harness.time.advance(by: hour * 2)
            images += try await harness.pushSeries(70..<90, layerSize: 2000)
            try await harness.prune(keepLast(1))
            try await harness.setPolicy(nil)
            harness.time.advance(by: hour * 2)
            let (hidden, used) = (Array(images.dropLast()), harness.used)
            #expect(try await harness.ended(of: hidden) == [])
            // It needs some 15,000 bytes more than there are.
            #expect(try await harness.pushRefusal(10_000, size: 250_000 - Int(used) + 15_000) == nil)
            let ended = try await harness.ended(of: hidden)
            #expect(ended == Array(0..<ended.count))
            #expect((6...60).contains(ended.count))
            #expect(try await harness.visible(images) == [89])
            #expect(try await harness.pressureNotes().count == 1)
            // What is left can be brought back.
            try await harness.restore(hidden[88].digest)
            #expect(try await harness.tagged("v88") == hidden[88].bytes)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatBecameFreeIsOnRecord() async throws {
        try await withStore(limited) { harness in
            try await harness.pushSeries(0..<9, layerSize: 10_000)
            let run = try await harness.prune(keepLast(1))
            harness.time.advance(by: hour * 2)
            let used = harness.used
            #expect(try await harness.pushRefusal(1000, size: 20_000) == nil)
            let freed = used + 20_000 - harness.used
            #expect(freed >= 10_000)
            #expect(try await harness.record(run.id).freedBytes == freed)
            #expect(try await harness.removed().allSatisfy { $0.run == run.id })
        }
    }

    // MARK: What is never ended early

    @Test
    func whatAPersonRemovedIsKeptHoweverFullTheStoreIs() async throws {
        try await withStore(limited) { harness in
            let images = try await harness.pushSeries(0..<9, layerSize: 10_000)
            for image in images.dropFirst() { #expect(try await harness.deleteManifest(image.digest) == .removed) }
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == "noSpace")
            #expect(harness.reserved == 0)
            #expect(try await harness.hiddenKeys().count == 8)
            #expect(try await harness.runs().isEmpty)
            for image in images.dropFirst() { try await harness.restore(image.digest) }
            for (number, image) in images.enumerated() {
                #expect(try await harness.tagged("v\(number)") == image.bytes)
            }
            // When its time is over there is room.
            for image in images.dropFirst() { #expect(try await harness.deleteManifest(image.digest) == .removed) }
            try await harness.endUndos()
            #expect(try await harness.pushRefusal(1000, size: 20_000) == nil)
        }
    }

    @Test
    func ofTwoOnlyWhatARunRemovedIsEndedEarly() async throws {
        try await withStore(limited) { harness in
            let images = try await harness.pushSeries(0..<9, layerSize: 10_000)
            for image in images.prefix(4) { #expect(try await harness.deleteManifest(image.digest) == .removed) }
            try await harness.prune(keepLast(1))
            harness.time.advance(by: hour * 2)
            #expect(try await harness.hiddenKeys().count == 8)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == nil)
            #expect(try await harness.hiddenKeys().isSuperset(of: images.prefix(4).map { "\($0.digest)" }))
            for image in images.prefix(4) { try await harness.restore(image.digest) }
            #expect(try await harness.visible(images) == [0, 1, 2, 3, 8])
            // What the policy keeps is too much for so large a blob.
            #expect(try await harness.pushRefusal(1001, size: 90_000) == "noSpace")
            #expect(try await harness.visible(images) == [8])
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    /// A run hid an image of an index that a person had removed: nobody brings back half of it.
    @Test
    func whatAPersonsUndoNeedsStays() async throws {
        try await withStore(limited) { harness in
            let child = try await harness.pushNext(0, layerSize: 40_000, tags: [])
            let first = RegistryManifest.index(of: [child], note: "first")
            let second = RegistryManifest.index(of: [child], note: "second")
            try await harness.push(first, tags: ["first"])
            try await harness.push(second, tags: ["second"])
            #expect(try await harness.deleteManifest(first.digest) == .removed)
            try await harness.pushNext(1, layerSize: 40_000)
            try await harness.prune(keepLast(1))
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 40_000) == "noSpace")
            try await harness.restore(tag: "first")
            #expect(try await harness.manifest(child.digest) == child.bytes)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(1, 40_000)), in: "images") != nil)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func withoutAPolicyAndWithNothingHiddenAWriteIsRefused() async throws {
        var limited = limited
        limited.unreferencedAge = .seconds(3600)
        try await withStore(limited) { harness in
            let images = try await harness.pushSeries(0..<9, layerSize: 10_000)
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == "noSpace")
            #expect(try await harness.visible(images).count == 9)
            #expect(try await harness.runs().isEmpty)
            #expect(harness.reserved == 0)
            // D2: nor is there room for more than what nobody has asked for lately.
            #expect(try await harness.pushRefusal(1001, size: 5000) == nil)
            #expect(try await harness.pushRefusal(1002, size: 5000) == "noSpace")
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1002, size: 5000) == nil)
            #expect(try await harness.visible(images).count == 9)
        }
    }

    /// What was asked for within the guaranteed age stays for whoever asked, also when its image goes.
    @Test
    func aBlobThatSomebodyAskedForIsNotFreed() async throws {
        try await withStore(limited) { harness in
            try await harness.pushSeries(0..<9, layerSize: 10_000)
            try await harness.prune(keepLast(1))
            harness.time.advance(by: hour * 2)
            let asked = IncrementalHasher.digest(of: content(1, 10_000))
            #expect(try await harness.blob(asked, in: "images") != nil)
            #expect(try await harness.pushRefusal(1000, size: 40_000) == nil)
            #expect(try await harness.linked([asked]) == [0])
            // Whoever asked names it without sending it.
            try await harness.pushBlob(content(5000, 10))
            let image = RegistryManifest.image(config: content(5000, 10), layers: [content(1, 10_000)])
            try await harness.push(image, tags: ["new"])
            #expect(try await harness.tagged("new") == image.bytes)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: The order

    @Test
    func cachesAreEvictedBeforeUndoEnds() async throws {
        try await withStore(limited) { harness in
            try await harness.pushSeries(0..<5, layerSize: 10_000)
            let run = try await harness.prune(keepLast(1))
            for number in 0..<4 { try await harness.putEntry("key/\(number)", content(2000 + number, 10_000)) }
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 30_000) == nil)
            #expect(try harness.repository().entryCount == 1)
            #expect(try await harness.hiddenKeys().count == 4)
            #expect(try await harness.runs().map(\.id) == [run.id])
            // What the caches have left is not enough.
            #expect(try await harness.pushRefusal(1001, size: 30_000) == nil)
            #expect(try harness.repository().entryCount == 0)
            #expect(try await harness.hiddenKeys().count < 4)
            #expect(try await harness.pressureNotes().last?.contains("undo ended early") == true)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    /// Rows that went are room on a full disk only when their files are gone too.
    @Test
    func aFullDiskEndsNoMoreUndoThanItNeeds() async throws {
        let files = SmallDisk(total: 1_000_000_000, reserve: 1_000_000)
        var protecting = retentionConfiguration
        protecting.unreferencedAge = .seconds(3600)
        try await withStore(protecting, files: files) { harness in
            let images = try await harness.pushSeries(0..<95, layerSize: 10_000)
            try await harness.prune(keepLast(1))
            try await harness.setPolicy(nil)
            harness.time.advance(by: hour * 2)
            // The disk is asked five times a second.
            try await waitUntil("there is room") {
                let refusal = try await harness.pushRefusal(10_000, size: 100_000)
                if let refusal, refusal != "noSpace" { throw TestFailure("it was refused: \(refusal)") }
                return refusal == nil
            }
            let ended = try await harness.ended(of: Array(images.dropLast()))
            #expect(ended == Array(0..<ended.count))
            #expect((1...60).contains(ended.count))
        }
    }

    // MARK: Quotas

    @Test
    func theQuotaOfARepositoryAppliesItsPolicy() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaBytes: ByteCount(50_000)))
            let images = try await harness.pushSeries(0..<4, layerSize: 10_000)
            let others = try await harness.pushSeries(10..<13, layerSize: 10_000, in: "other")
            try await harness.setPolicy(keepLast(1))
            try await harness.setPolicy(keepLast(1), of: "other")
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == nil)
            #expect(try harness.repository("images").usedBytes <= 50_000)
            #expect(try await harness.visible(images) == [3])
            // The other has room.
            #expect(try await harness.visible(others, in: "other") == [0, 1, 2])
            #expect(try await harness.runs(of: "other").isEmpty)
            let run = try #require(try await harness.runs().last)
            #expect(run.reason == .pressure)
            #expect(run.counts.removed == 3)
            #expect(try await harness.pressureNotes().last?.contains("undo ended early") == true)
            // With what it may keep it is full.
            #expect(try await harness.pushRefusal(1001, size: 45_000) == "quotaExceeded")
            #expect(harness.reserved == 0)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    @Test(arguments: ["nothing", "person"])
    func aFullQuotaRefusesWhereNothingMayGo(removedBy: String) async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaBytes: ByteCount(50_000)))
            let images = try await harness.pushSeries(0..<4, layerSize: 10_000)
            if removedBy == "person" { #expect(try await harness.deleteManifest(images[0].digest) == .removed) }
            // What a run hid elsewhere is none of its business.
            try await harness.pushSeries(10..<13, layerSize: 10_000, in: "other")
            try await harness.prune(keepLast(1), in: "other")
            harness.time.advance(by: hour * 2)
            #expect(try await harness.pushRefusal(1000, size: 20_000) == "quotaExceeded")
            #expect(try await harness.hiddenKeys(in: "other").count == 2)
            #expect(try await harness.hiddenKeys().count == (removedBy == "person" ? 1 : 0))
            #expect(try await harness.runs().isEmpty)
            #expect(harness.reserved == 0)
        }
    }

    /// Entries that are hidden count no more, so their undo need not end.
    @Test
    func aQuotaOfEntriesAppliesThePolicyAndLeavesTheUndo() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaEntries: 4))
            let images = try await harness.pushSeries(0..<4)
            try await harness.setPolicy(keepLast(2))
            harness.time.advance(by: hour * 2)
            let next = try await harness.pushNext(4)
            #expect(try await harness.visible(images + [next]) == [2, 3, 4])
            #expect(try await harness.hiddenKeys().count == 2)
            #expect(try harness.repository("images").entryCount == 3)
            #expect(try await harness.problems() == [])
        }
    }

    /// What a run hid in a cache with an undo can't be evicted, but needs not stand in the way either.
    @Test
    func theQuotaOfACacheEndsUndoToo() async throws {
        try await withStore(retentionConfiguration) { harness in
            var settings = RepositorySettings(quotaBytes: ByteCount(10_000))
            settings.undoTime = hour * 24
            _ = try await harness.store.createRepository(try harness.name("main"), kind: .cache, settings: settings)
            for number in 0..<4 {
                harness.time.advance(by: .seconds(60))
                try await harness.putEntry("key/\(number)", content(number, 2000))
            }
            try await harness.prune(keepLast(1), in: "main")
            #expect(try harness.repository().usedBytes == 8000)
            harness.time.advance(by: hour * 2)
            let error = try await storeError { try await harness.putEntry("new", content(9, 5000)) }
            #expect(error == nil)
            #expect(try await harness.entry("new") == content(9, 5000))
            #expect(try harness.repository().usedBytes <= 10_000)
            #expect(try await harness.problems() == [])
        }
    }
}
