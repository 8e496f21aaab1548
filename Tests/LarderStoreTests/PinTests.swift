import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import Testing

@testable import LarderStore

private let hour = Duration.seconds(3600)

extension StoreHarness {
    /// What is pinned, in words.
    fileprivate func pinNames(in repository: String = "images") async throws -> [String] {
        try await store.pins(in: try name(repository)).map(\.item.name)
    }

    /// Why something can't be pinned; nil when it was.
    fileprivate func refusal(
        of item: PinnedItem,
        for duration: Duration? = nil,
        reason: String = "in production"
    ) async throws -> String? {
        caseName(try await storeError { try await pin(item, for: duration, reason: reason) })
    }

    fileprivate func unpin(_ item: PinnedItem) async throws -> Bool {
        try await store.unpin(item, in: try name("images"))
    }
}

/// What a person pinned goes by no rule, no want of space and no mistake.
@Suite
struct PinTests {
    // MARK: Policies

    @Test
    func whatIsPinnedSurvivesPoliciesAndCountsInTheirRanks() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<5)
            try await harness.pin(try harness.pinned(images[0]), reason: "a customer has it")
            try await harness.pin(try harness.pinned(tag: "v4"))
            try await harness.pin(try harness.pinned(tag: "v1"))
            let lines = try await harness.previewLines(keepLast(2))
            #expect(
                images.map { lines["\($0.digest)"]?.verdict } == [
                    .pinned(reason: "a customer has it"), .pinned(reason: "in production"),
                    .expired(rule: 1, .rank(3, of: 2)), .kept(rule: 1, .rank(2, of: 2)),
                    .kept(rule: 1, .rank(1, of: 2)),
                ]
            )
            #expect(try await harness.prune(keepLast(2)).counts.removed == 1)
            #expect(try await harness.visible(images) == [0, 1, 3, 4])
            #expect(try await harness.tagNames() == ["v0", "v1", "v3", "v4"])
        }
    }

    @Test
    func aRuleOnTagsTakesNoPinnedTag() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.pushNext(0, tags: ["a", "b", "c"])
            try await harness.pin(try harness.pinned(tag: "b"))
            try await harness.pushNext(1, tags: ["d"])
            let record = try await harness.prune(
                expiring(
                    #""tagStatus":"any","target":"tags","countType":"imageCountMoreThan","countNumber":1"#
                )
            )
            #expect(record.counts.tags == 2)
            #expect(record.counts.removed == 0)
            #expect(try await harness.tagNames() == ["b", "d"])
        }
    }

    /// A pinned image of an index stays when the index goes, also when that is gone for good.
    @Test
    func whatIsPinnedDoesNotFollow() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            try await harness.pin(try harness.pinned(old.children[1]))
            try await harness.pin(try harness.pinned(old.signature))
            try await harness.prune(keepLast(1))
            #expect(try await harness.visible(old.all) == [2, 3])
            try await harness.endUndos()
            try await harness.store.registrySweeper.sweep()
            #expect(try await harness.visible(old.all) == [2, 3])
            #expect(try await harness.manifest(old.children[1].digest) == old.children[1].bytes)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(13, 5000)), in: "images") != nil)
            #expect(try await harness.problems() == [])
        }
    }

    /// Nothing automatic takes a pinned tag, not even that which says what it belongs to.
    @Test
    func aPinnedCompanionKeepsItsTagWhenItsImageIsGone() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            try await harness.pin(try harness.pinned(tag: old.companionTag))
            try await harness.prune(keepLast(1))
            #expect(try await harness.visible(old.all) == [4])
            try await harness.endUndos()
            harness.time.advance(by: hour * 2)
            try await harness.store.registrySweeper.sweep()
            #expect(try await harness.tagged(old.companionTag) == old.companion.bytes)
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Space

    @Test
    func whatIsPinnedIsNotEvicted() async throws {
        var configuration = StoreConfiguration.testing
        configuration.sizeLimit = .bytes(ByteCount(100_000))
        configuration.highWatermark = 100
        configuration.lowWatermark = 100
        try await withStore(configuration) { harness in
            let blob = try await harness.putBlob(content(1000, 10_000))
            try await harness.putEntry("pinned", content(1, 10_000), references: .to(blob))
            try await harness.pin(.entry(try harness.key("pinned")), in: "main")
            for number in 10..<40 {
                harness.time.advance(by: .seconds(1))
                try await harness.putEntry("\(number)", content(number, 10_000))
            }
            #expect(harness.used <= 100_000)
            #expect(try harness.repository().entryCount == 9)
            #expect(try await harness.entry("pinned") == content(1, 10_000))
            #expect(try await harness.blob(blob) == content(1000, 10_000))
            // When nothing else is left, writes are refused.
            let large = try await storeError { try await harness.putEntry("large", content(2, 90_000)) }
            #expect(caseName(large) == "noSpace")
            #expect(try await harness.entry("pinned") == content(1, 10_000))
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatIsPinnedSurvivesAFlush() async throws {
        try await withStore(retentionConfiguration) { harness in
            let family = try await harness.pushFamily(1, tag: "latest")
            let images = try await harness.pushSeries(10..<12)
            try await harness.pin(try harness.pinned(tag: "latest"))
            try await harness.pin(try harness.pinned(images[0]))
            try await harness.putEntry("a", content(1, 2000))
            try await harness.putEntry("b", content(2, 2000))
            try await harness.pin(.entry(try harness.key("a")), in: "main")
            harness.time.advance(by: .seconds(1))
            _ = try await harness.flush("images")
            _ = try await harness.flush()
            #expect(try await harness.entry("a") == content(1, 2000))
            #expect(try await harness.entry("b") == nil)
            #expect(try await harness.visible([family.index] + family.children + images) == [0, 1, 2, 3])
            for (child, number) in [12, 13].enumerated() {
                let layer = IncrementalHasher.digest(of: content(number, 5000))
                #expect(try await harness.blob(layer, in: "images") != nil, "child \(child)")
            }
            #expect(try await harness.tagNames() == ["latest", "v10"])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: A person

    @Test
    func whatIsPinnedIsNotDeletedByMistake() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.putEntry("key", content(1, 2000))
            try await harness.pin(try harness.pinned(images[0]))
            try await harness.pin(try harness.pinned(tag: "v1"))
            try await harness.pin(.entry(try harness.key("key")), in: "main")
            let errors = [
                try await storeError { _ = try await harness.deleteManifest(images[0].digest) },
                try await storeError { _ = try await harness.deleteManifest(images[1].digest) },
                try await storeError { _ = try await harness.deleteTag("v1") },
                try await storeError { _ = try await harness.delete("key") },
            ]
            #expect(errors.map(caseName) == Array(repeating: "notAllowed", count: 4))
            for error in errors { #expect(error?.description.contains("in production") == true) }
            #expect(try await harness.visible(images) == [0, 1])
            #expect(try await harness.entry("key") == content(1, 2000))
            // The pin is on the image: its tag is not.
            #expect(try await harness.deleteTag("v0"))
            #expect(try await harness.unpin(try harness.pinned(tag: "v1")))
            #expect(try await harness.deleteManifest(images[1].digest) == .removed)
        }
    }

    // MARK: The life of a pin

    @Test
    func aPinMayBeForATime() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<3)
            try await harness.pin(try harness.pinned(images[0]), for: hour)
            try await harness.pin(try harness.pinned(tag: "v1"), for: hour * 2)
            let pin = try #require(try await harness.store.pins(in: try harness.name("images")).first)
            #expect(pin.pinnedAt == harness.time.now)
            #expect(pin.pinnedUntil == harness.time.now + hour)
            harness.time.advance(by: hour - .milliseconds(1))
            #expect(try await harness.prune(keepLast(1)).counts.removed == 0)
            harness.time.advance(by: .milliseconds(1))
            #expect(try await harness.pinNames() == ["v1"])
            #expect(try await harness.pruneNow().counts.removed == 1)
            #expect(try await harness.visible(images) == [1, 2])
            harness.time.advance(by: hour)
            #expect(try await harness.pinNames() == [])
            #expect(try await harness.pruneNow().counts.removed == 1)
            #expect(try await harness.visible(images) == [2])
        }
    }

    /// What is not listed any more is in nobody's way.
    @Test
    func aPinWhoseTimeIsOverProtectsFromNothing() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.pin(try harness.pinned(images[0]), for: hour)
            try await harness.pin(try harness.pinned(tag: "v1"), for: hour)
            harness.time.advance(by: hour)
            #expect(try await harness.pinNames() == [])
            #expect(try await harness.deleteManifest(images[0].digest) == .removed)
            #expect(try await harness.deleteTag("v1"))
        }
    }

    @Test
    func aPinOnATagMovesWithIt() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = [
                try await harness.pushNext(0, tags: ["prod"]), try await harness.pushNext(1),
                try await harness.pushNext(2),
            ]
            try await harness.pin(try harness.pinned(tag: "prod"))
            try await harness.push(images[1], tags: ["prod"])
            #expect(try await harness.prune(keepLast(1)).counts.removed == 1)
            #expect(try await harness.visible(images) == [1, 2])
            #expect(try await harness.tagged("prod") == images[1].bytes)
        }
    }

    @Test
    func aPinIsReplacedAndTakenAway() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            let pinned = try harness.pinned(images[0])
            try await harness.pin(pinned, for: hour, reason: "a test")
            try await harness.pin(pinned, reason: "a customer has it")
            let pins = try await harness.store.pins(in: try harness.name("images"))
            #expect(pins.map(\.reason) == ["a customer has it"])
            #expect(pins.map(\.pinnedUntil) == [nil])
            harness.time.advance(by: hour * 1000)
            #expect(try await harness.prune(keepLast(1)).counts.removed == 0)
            #expect(try await harness.unpin(pinned))
            #expect(try await !harness.unpin(pinned))
            #expect(try await harness.pinNames() == [])
            #expect(try await harness.pruneNow().counts.removed == 1)
        }
    }

    @Test
    func pinsSurviveAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let images = try await withStore(retentionConfiguration, in: folder, time: time) { harness in
                let images = try await harness.pushSeries(0..<2)
                try await harness.pin(try harness.pinned(tag: "v0"))
                return images
            }
            try await withStore(retentionConfiguration, in: folder, time: time) { harness in
                #expect(try await harness.pinNames() == ["v0"])
                try await harness.prune(keepLast(1))
                #expect(try await harness.visible(images) == [0, 1])
            }
        }
    }

    @Test
    func onlyWhatIsThereIsPinned() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            #expect(try await harness.deleteManifest(images[0].digest) == .removed)
            #expect(try await harness.refusal(of: try harness.pinned(images[0])) == "notFound")
            #expect(try await harness.refusal(of: try harness.pinned(tag: "v0")) == "notFound")
            #expect(try await harness.refusal(of: try harness.pinned(tag: "other")) == "notFound")
            let pinned = try harness.pinned(images[1])
            #expect(try await harness.refusal(of: pinned, for: .zero) == "malformed")
            #expect(try await harness.refusal(of: pinned, reason: "") == "malformed")
            #expect(try await harness.refusal(of: pinned, reason: "two\nlines") == "malformed")
            #expect(try await harness.refusal(of: pinned, reason: String(repeating: "x", count: 1001)) == "malformed")
            #expect(try await harness.refusal(of: pinned, reason: String(repeating: "x", count: 1000)) == nil)
            let nowhere = try await storeError { try await harness.pin(pinned, in: "nowhere") }
            #expect(caseName(nowhere) == "notFound")
        }
    }
}
