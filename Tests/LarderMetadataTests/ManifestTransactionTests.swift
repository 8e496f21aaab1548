import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// Manifests and tags: all that a manifest names is there and stays, and a push is done as a whole or not at all.
@Suite struct ManifestTransactionTests {
    private typealias Harness = MetadataHarness

    // MARK: Pushing

    @Test(arguments: [Int64?.none, 77])
    func manifestIsFoundByItsDigestAndItsTags(generation: Int64?) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2, 3])
            let image = try TestManifest.image(1, layers: [2, 3])
            let pushed = try harness.push(image.pushed(generation: generation), tags: ["v1", "latest"], at: 5)
            #expect(pushed.isStored)
            let found = try #require(try harness.find(.manifest(image.digest)))
            #expect(found.inlineBytes == (generation == nil ? image.bytes : nil))
            #expect(found.blob.digest == image.digest)
            #expect(found.blob.generation == generation)
            #expect(found.manifest == ManifestFacts(mediaType: ManifestType.ociImage, digest: image.digest))
            #expect(found.pushedAt == Harness.start + .seconds(5))
            #expect(found.isComplete)
            let tagged = try #require(try harness.find(.tag(try Harness.tag("v1"))))
            #expect(tagged.manifest == found.manifest)
            #expect(tagged.used == found.used)
            #expect(try harness.tags() == ["latest", "v1"])
            #expect(try harness.tagged("latest") == image.digest)
            #expect(try harness.tagged("v2") == nil)
            #expect(try harness.find(.manifest(image.digest), in: harness.other) == nil)
            #expect(try harness.tagged("v1", in: harness.other) == nil)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.repository().usedBytes == Int64(image.bytes.count) + 6)
            #expect(try harness.problems() == [])
        }
    }

    @Test func manifestMayHaveNoTag() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            try harness.push(image)
            #expect(try harness.has(image))
            #expect(try harness.tags() == [])
        }
    }

    @Test func manifestIsFoundByBothAlgorithmsWhenItWasPushedByTheLongerOne() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            let long = try image.sha512
            #expect(try harness.find(.manifest(long)) == nil)
            try harness.push(image.pushed(as: long, aliases: [long]), tags: ["latest"])
            #expect(try harness.find(.manifest(long))?.manifest?.digest == long)
            #expect(try harness.find(.manifest(image.digest))?.manifest?.digest == image.digest)
            #expect(try harness.find(.tag(try Harness.tag("latest")))?.manifest?.digest == long)
            #expect(try harness.deleteManifest(long) == .removed)
            #expect(try harness.find(.manifest(long)) == nil)
            #expect(try !harness.has(image))
            #expect(try harness.problems() == [])
        }
    }

    @Test func pushingAgainKeepsTheTimeOfTheFirstPush() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let image = try TestManifest.image(1, layers: [2])
            try harness.push(image, tags: ["a"], at: 5)
            let again = try harness.push(image, tags: ["b"], at: 60)
            #expect(!again.isStored)
            #expect(try harness.find(.manifest(image.digest))?.pushedAt == Harness.start + .seconds(5))
            #expect(try harness.tags() == ["a", "b"])
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.count("entry") == 1)
            #expect(try harness.count("reference") == 2)
            #expect(try harness.problems() == [])
        }
    }

    /// D2: a client that pushes it again counts on it from then on.
    @Test func pushingAgainRenewsTheUse() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            try harness.push(image, at: 5)
            try harness.push(image, at: 60)
            #expect(try harness.find(.manifest(image.digest))?.lastUsed == Harness.start + .seconds(60))
        }
    }

    @Test(arguments: [Int64?.none, 88])
    func pushingAgainHealsADamagedManifest(generation: Int64?) async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            try harness.push(image.pushed(generation: 77), tags: ["latest"])
            let row = try #require(try harness.metadata.read { try $0.blob(image.digest) })
            #expect(try harness.metadata.write { try $0.quarantine(row) }.value)
            #expect(try !harness.has(image))
            #expect(try harness.tagged("latest") == nil)
            #expect(try harness.push(image.pushed(generation: generation)).isStored)
            #expect(try harness.find(.manifest(image.digest))?.blob.generation == generation)
            #expect(try harness.tagged("latest") == image.digest)
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.problems() == [])
        }
    }

    @Test func manifestsOfTwoRepositoriesShareTheirBytes() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.put([1], in: harness.other)
            let image = try TestManifest.image(1)
            #expect(try harness.push(image, tags: ["a"]).isStored)
            #expect(try !harness.push(image, tags: ["b"], in: harness.other).isStored)
            #expect(try harness.tags() == ["a"])
            #expect(try harness.tags(in: harness.other) == ["b"])
            #expect(try harness.account() == (usedBytes: Int64(image.bytes.count) + 1, blobCount: 2))
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.tagged("b", in: harness.other) == image.digest)
            #expect(try harness.problems() == [])
        }
    }

    @Test func contentThatIsNamedTwiceCountsOnce() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let image = try TestManifest.image(1, config: 2, layers: [2, 1, 2, 1])
            try harness.push(image)
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [2])
            #expect(try harness.problems() == [])
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.candidates().map(\.size).sorted() == [1, 2])
            #expect(try harness.problems() == [])
        }
    }

    @Test func changesOfAManifestAreNamed() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            let image = try TestManifest.image(1)
            let long = try image.sha512
            let items: [StoredName.Item] = [
                .manifest(image.digest), .manifest(long), .tag(try Harness.tag("a")), .tag(try Harness.tag("b")),
            ]
            let names = Set(items.map { StoredName(repository: main, item: $0) })
            let pushed = try harness.push(image.pushed(as: long, aliases: [long]), tags: ["a", "b"]).effects
            #expect(names.isSubset(of: pushed.changedNames))
            #expect(pushed.repositories[main]?.entryCount == 1)
            let again = try harness.push(image.pushed(as: long, aliases: [long]), tags: ["a"]).effects
            #expect(again.changedNames.contains(StoredName(repository: main, item: .manifest(image.digest))))
            let deleted = try harness.metadata.write { try $0.deleteManifest(image.digest, in: main, Harness.removal) }
                .effects
            #expect(names.isSubset(of: deleted.changedNames))
            #expect(deleted.repositories[main]?.entryCount == -1)
            #expect(deleted.repositories[main]?.usedBytes == Int64(-image.bytes.count))
        }
    }

    /// V1: what a tag's answer says about the digest is in memory too.
    @Test func tagsAreNamedWhenTheDigestThatTheyTellChanges() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            let image = try TestManifest.image(1)
            let long = try image.sha512
            try harness.push(image, tags: ["a"])
            let before = try harness.find(.tag(try Harness.tag("a")))?.manifest
            let again = try harness.push(image.pushed(as: long, aliases: [long])).effects
            let after = try harness.find(.tag(try Harness.tag("a")))?.manifest
            let isNamed = again.changedNames.contains(StoredName(repository: main, item: .tag(try Harness.tag("a"))))
            #expect(isNamed || before == after)
        }
    }

    // MARK: What it names

    @Test func missingContentIsNamedAndNothingIsStored() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try await harness.put([5], in: harness.other)
            let image = try TestManifest.image(1, layers: [3, 2, 5])
            let error = try storeError { try harness.push(image, tags: ["latest"]) }
            #expect(error == .missingContent([Harness.digest(3), Harness.digest(5)]))
            #expect(try harness.count("entry") == 0)
            #expect(try harness.count("manifest") == 0)
            #expect(try harness.tags() == [])
            #expect(try harness.account() == (usedBytes: 8, blobCount: 3))
            #expect(try harness.candidates().map(\.size).sorted() == [1, 2])
            #expect(try harness.problems() == [])
        }
    }

    @Test func aHundredMissingThingsAreNamedAtMost() async throws {
        try await withMetadata { harness in
            let image = try TestManifest.image(1, layers: Array(2...300))
            guard case .missingContent(let digests)? = try storeError({ try harness.push(image) }) else {
                throw TestFailure("it was taken")
            }
            #expect(digests == (1...100).map { Harness.digest($0) })
        }
    }

    @Test func damagedContentIsMissing() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let row = try #require(try harness.metadata.read { try $0.blob(Harness.digest(2)) })
            _ = try harness.metadata.write { try $0.quarantine(row) }
            let image = try TestManifest.image(1, layers: [2])
            #expect(try storeError { try harness.push(image) } == .missingContent([Harness.digest(2)]))
            try await harness.put([2])
            try harness.push(image)
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [false, true])
    func contentOfAnotherSizeIsRefused(isSparse: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let layer = TestManifest.describe(Harness.digest(2), size: 3)
            let config = TestManifest.describe(Harness.digest(1), size: 1)
            let image = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(config),"layers":[\#(layer)]}"#
            )
            let error = try storeError { try harness.push(image.pushed(isSparse: isSparse)) }
            #expect(error == .invalidContent("\(Harness.digest(2)) has 2 bytes, the manifest says 3"))
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    /// As BuildKit pushes its cache.
    @Test func anIndexMayNameLayers() async throws {
        try await withMetadata { harness in
            try await harness.put([5])
            let index = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociIndex)","manifests":["#
                    + #"\#(TestManifest.describe(Harness.digest(5), size: 5))]}"#
            )
            try harness.push(index)
            #expect(try harness.has(index))
            #expect(try harness.deleteBlob(5) == .inUse)
            #expect(try harness.problems() == [])
        }
    }

    @Test func childrenMustBeManifests() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 5])
            let image = try TestManifest.image(1)
            let elsewhere = try TestManifest.image(2)
            try await harness.put([1], in: harness.other)
            try harness.push(image)
            try harness.push(elsewhere, in: harness.other)
            let blob = #"{"mediaType":"\#(ManifestType.ociImage)","digest":"\#(Harness.digest(5))","size":5}"#
            let index = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociIndex)","manifests":["#
                    + #"\#(image.descriptor),\#(elsewhere.descriptor),\#(blob)]}"#
            )
            let error = try storeError { try harness.push(index) }
            #expect(error == .missingContent([elsewhere.digest, Harness.digest(5)]))
            #expect(try !harness.has(index))
            #expect(try harness.problems() == [])
        }
    }

    @Test func layersMayBeManifestsAsWell() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let inner = try TestManifest.image(1)
            try harness.push(inner)
            let outer = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(inner.descriptor),"layers":[]}"#
            )
            try harness.push(outer)
            #expect(try harness.deleteManifest(inner.digest) == .inUse)
            #expect(try harness.deleteManifest(outer.digest) == .removed)
            #expect(try harness.deleteManifest(inner.digest) == .removed)
            #expect(try harness.problems() == [])
        }
    }

    @Test func foreignLayersNeedNotBeThere() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            let foreign = TestManifest.describe(Harness.digest(9), size: 9, type: type)
            let config = TestManifest.describe(Harness.digest(1), size: 1)
            let image = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(config),"layers":[\#(foreign)]}"#
            )
            try harness.push(image)
            #expect(try harness.count("reference") == 1)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aSparseManifestProtectsWhatIsThere() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let here = try TestManifest.image(1)
            let missing = try TestManifest.image(2)
            try harness.push(here)
            let image = try TestManifest.image(3, config: 2, layers: [3, 4])
            let index = try TestManifest.index(4, of: [here, missing])
            for manifest in [image, index] {
                #expect(try caseName(storeError { try harness.push(manifest) }) == "missingContent")
                try harness.push(manifest.pushed(isSparse: true))
                #expect(try harness.has(manifest))
            }
            #expect(try harness.deleteBlob(2) == .inUse)
            #expect(try harness.deleteManifest(here.digest) == .inUse)
            #expect(try harness.numbers("SELECT reference_count FROM entry ORDER BY id") == [1, 1, 1])
            #expect(try harness.problems() == [])
        }
    }

    /// The layers of a sparse manifest that come later are as much its own as those that were there before.
    @Test func aSparseManifestThatIsPushedAgainProtectsWhatCameMeanwhile() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1, layers: [2])
            try harness.push(image.pushed(isSparse: true))
            try await harness.put([2])
            try harness.push(image.pushed(isSparse: true))
            #expect(try harness.deleteBlob(2) == .inUse)
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Tags

    @Test func taggingAgainMovesTheTagAndNothingElse() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let images = try (1...2).map { try TestManifest.image($0) }
            try harness.push(images[0], tags: ["latest", "v1"])
            let moved = try harness.push(images[1], tags: ["latest", "v2"]).effects
            #expect(try harness.tagged("latest") == images[1].digest)
            #expect(try harness.tagged("v1") == images[0].digest)
            #expect(try harness.tags() == ["latest", "v1", "v2"])
            #expect(try harness.has(images[0]))
            let main = harness.main
            let latest = StoredName(repository: main, item: .tag(try Harness.tag("latest")))
            let first = StoredName(repository: main, item: .tag(try Harness.tag("v1")))
            #expect(moved.changedNames.contains(latest))
            #expect(!moved.changedNames.contains(first))
            // And back, with a manifest that is there.
            try harness.push(images[0], tags: ["latest"])
            #expect(try harness.tagged("latest") == images[0].digest)
            #expect(try harness.problems() == [])
        }
    }

    @Test func tagsComeInTheOrderOfTheirBytesAndInPages() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            let image = try TestManifest.image(1)
            try harness.push(image, tags: ["b", "a", "_", "B", "10", "9", "a-", "a.b"])
            let ordered = ["10", "9", "B", "_", "a", "a-", "a.b", "b"]
            #expect(try harness.tags() == ordered)
            for limit in 1...9 {
                var tags: [String] = []
                var last: String?
                while true {
                    let page = try harness.metadata.read { try $0.tags(in: main, after: last, atMost: limit) }
                    #expect(page.count <= limit)
                    if page.isEmpty { break }
                    tags += page
                    last = page.last
                }
                #expect(tags == ordered)
            }
            // A tag that is not there any more is a place in the list all the same.
            let rest = try harness.metadata.read { try $0.tags(in: main, after: "a+", atMost: 100) }
            #expect(rest == ["a-", "a.b", "b"])
        }
    }

    @Test(arguments: [
        (patterns: [String](), tag: "latest", moves: false),
        (patterns: ["latest"], tag: "latest", moves: true),
        (patterns: ["latest"], tag: "latest2", moves: false),
        (patterns: ["v*", "*-dev"], tag: "main-dev", moves: true),
        (patterns: ["v*", "*-dev"], tag: "main", moves: false),
        (patterns: ["*"], tag: "main", moves: true),
    ])
    func tagsThatAreImmutableStay(patterns: [String], tag: String, moves: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let rule = try TagRule.immutable(but: patterns)
            let images = try (1...2).map { try TestManifest.image($0) }
            try harness.push(images[0], tags: [tag], rule: rule)
            // The same again is no move.
            try harness.push(images[0], tags: [tag], rule: rule)
            let error = try storeError { try harness.push(images[1], tags: ["other", tag], rule: rule) }
            #expect(caseName(error) == (moves ? nil : "notAllowed"))
            #expect(try harness.tagged(tag) == images[moves ? 1 : 0].digest)
            // All or nothing.
            #expect(try harness.has(images[1]) == moves)
            #expect(try harness.tagged("other") == (moves ? images[1].digest : nil))
            #expect(try harness.problems() == [])
        }
    }

    @Test func anImmutableTagOfADeletedManifestIsFree() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let rule = try TagRule.immutable()
            let images = try (1...2).map { try TestManifest.image($0) }
            try harness.push(images[0], tags: ["v1"], rule: rule)
            #expect(try harness.deleteManifest(images[0].digest) == .removed)
            try harness.push(images[1], tags: ["v1"], rule: rule)
            #expect(try harness.tagged("v1") == images[1].digest)
        }
    }

    @Test func aTagIsSetOnlyUnderItsCondition() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let images = try (1...3).map { try TestManifest.image($0) }
            func push(_ number: Int, _ condition: TagCondition) throws -> String? {
                try caseName(storeError { try harness.push(images[number], tags: ["v1"], rule: .when(condition)) })
            }
            let names = images.map { "\($0.digest)" }
            #expect(try push(0, .names([names[0]])) == "conditionFailed")
            #expect(try !harness.has(images[0]))
            #expect(try push(0, .isAbsent) == nil)
            #expect(try push(1, .isAbsent) == "conditionFailed")
            #expect(try push(0, .isAbsent) == "conditionFailed")
            #expect(try push(1, .names([names[1], names[2]])) == "conditionFailed")
            #expect(try push(1, .names([])) == "conditionFailed")
            #expect(try harness.tagged("v1") == images[0].digest)
            #expect(try push(1, .names([names[2], names[0]])) == nil)
            #expect(try push(2, .none) == nil)
            #expect(try harness.tagged("v1") == images[2].digest)
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Removal

    @Test func deletingATagTakesNothingElse() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            try harness.push(image, tags: ["a", "b"])
            #expect(try harness.deleteTag("a"))
            #expect(try !harness.deleteTag("a"))
            #expect(try !harness.deleteTag("b", in: harness.other))
            #expect(try harness.tags() == ["b"])
            #expect(try harness.deleteTag("b"))
            #expect(try harness.has(image))
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [Int64?.none, 77])
    func deletingAManifestTakesItsTagsAndFreesItsContent(generation: Int64?) async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2, 3])
            let image = try TestManifest.image(1, layers: [2])
            let other = try TestManifest.image(2, layers: [3])
            try harness.push(image.pushed(generation: generation), tags: ["a", "b"], at: 30)
            try harness.push(other, tags: ["c"])
            #expect(try harness.deleteManifest(image.digest, in: harness.other) == .missing)
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.deleteManifest(image.digest) == .missing)
            #expect(try harness.tags() == ["c"])
            #expect(try !harness.has(image))
            // The configuration belongs to the other one too.
            #expect(try harness.deleteBlob(1) == .inUse)
            #expect(try harness.findBlob(2)?.lastUsed == Harness.start + .seconds(30))
            #expect(try harness.deleteBlob(2) == .removed)
            #expect(try harness.removals().map(\.generation) == (generation.map { [$0] } ?? []))
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aChildIsInUseAsLongAsAnIndexNamesIt() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let images = try (1...2).map { try TestManifest.image($0) }
            for image in images { try harness.push(image) }
            let indexes = [try TestManifest.index(3, of: images), try TestManifest.index(4, of: [images[1]])]
            for index in indexes { try harness.push(index) }
            #expect(try harness.deleteManifest(images[0].digest) == .inUse)
            #expect(try harness.deleteManifest(images[1].digest) == .inUse)
            #expect(try harness.deleteManifest(indexes[0].digest) == .removed)
            #expect(try harness.deleteManifest(images[1].digest) == .inUse)
            #expect(try harness.deleteManifest(images[0].digest) == .removed)
            #expect(try harness.deleteManifest(indexes[1].digest) == .removed)
            #expect(try harness.deleteManifest(images[1].digest) == .removed)
            #expect(try harness.deleteBlob(1) == .removed)
            #expect(try harness.isEmpty())
            #expect(try harness.count("review") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func manyTagsGoInSlices() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            try harness.push(image, tags: (0..<1200).map { "t\($0)" })
            #expect(try harness.deleteManifest(image.digest) == .unfinished)
            #expect(try harness.tags().count == 700)
            #expect(try harness.deleteManifest(image.digest) == .unfinished)
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.tags() == [])
            #expect(try harness.problems() == [])
        }
    }

    @Test func blobsAreRemovedWhenNoManifestNeedsThem() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            try await harness.put([2], in: harness.other)
            let image = try TestManifest.image(1)
            try harness.push(image)
            #expect(try harness.deleteBlob(1) == .inUse)
            #expect(try harness.deleteBlob(2) == .removed)
            #expect(try harness.deleteBlob(2) == .missing)
            #expect(try harness.deleteBlob(3) == .missing)
            #expect(try harness.findBlob(2, in: harness.other) != nil)
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.deleteBlob(1) == .removed)
            #expect(try harness.problems() == [])
        }
    }

    @Test func theBytesOfAManifestAreNoBlobToBeRemoved() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            let image = try TestManifest.image(1)
            try harness.push(image)
            #expect(try harness.metadata.write { try $0.deleteBlob(image.digest, in: main) }.value == .inUse)
        }
    }

    @Test func aFlushTakesManifestsTagsAndReviews() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            let main = harness.main
            let image = try TestManifest.image(1, layers: [2])
            try harness.push(image, tags: ["a"])
            try harness.push(try TestManifest.index(2, of: [image]), tags: ["b"])
            try harness.push(try TestManifest.image(3, about: image), tags: ["sha256-\(image.digest.hex)"])
            for limit in [1, 100] {
                while try harness.metadata.write({ transaction in
                    try transaction.flushRepository(main, pushedUntil: Timestamp(milliseconds: .max), atMost: limit)
                }).value {}
            }
            #expect(try harness.isEmpty())
            for table in ["manifest", "tag", "review"] { #expect(try harness.count(table) == 0) }
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Referrers

    @Test func referrersAreListedUntilTheyGo() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let main = harness.main
            let subject = try TestManifest.image(1)
            let artifacts = try (2...4).map { try TestManifest.image($0, about: subject) }
            // The subject need not be there.
            try harness.push(artifacts[0])
            try harness.push(subject)
            try harness.push(artifacts[1])
            try harness.push(try TestManifest.index(5, of: [], about: artifacts[0]))
            try harness.push(artifacts[2])
            let descriptors = artifacts.map {
                $0.manifest.referrerText(digest: $0.digest, size: Int64($0.bytes.count))
            }
            #expect(descriptors[0].contains("\"digest\":\"\(artifacts[0].digest)\""))
            #expect(descriptors[0].contains("\"annotations\":{\"name\":\"2\"}"))
            #expect(try harness.referrers(of: subject.digest) == descriptors)
            #expect(try harness.referrers(of: subject.digest, in: harness.other) == [])
            #expect(try harness.referrers(of: artifacts[0].digest).count == 1)
            // In pages of one: by their bytes, or by how many are looked at.
            for (byteCountMax, scanMax) in [(1, 100), (1 << 20, 1)] {
                var paged: [String] = []
                var cursor: Int64? = 0
                while let after = cursor {
                    let page = try harness.metadata.read {
                        try $0.referrers(
                            of: subject.digest,
                            in: main,
                            after: after,
                            byteCountMax: byteCountMax,
                            scanMax: scanMax,
                            isWanted: { _ in true }
                        )
                    }
                    #expect(page.descriptors.count <= 1)
                    paged += page.descriptors
                    cursor = page.next
                }
                #expect(paged == descriptors)
            }
            #expect(try harness.deleteManifest(artifacts[1].digest) == .removed)
            #expect(try harness.referrers(of: subject.digest) == [descriptors[0], descriptors[2]])
            #expect(try harness.problems() == [])
        }
    }

    @Test func aReferrerIsListedUnderTheDigestOfItsPush() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            let subject = try TestManifest.image(1)
            let artifact = try TestManifest.image(2, about: subject)
            let long = try artifact.sha512
            try harness.push(artifact.pushed(as: long, aliases: [long]))
            #expect(try harness.referrers(of: subject.digest).first?.contains("\"digest\":\"\(long)\"") == true)
        }
    }

    // MARK: Slices

    private static func large(_ name: Int) throws -> TestManifest {
        try TestManifest.image(name, config: 1, layers: Array(2...1200))
    }

    @Test func aLargeManifestIsInvisibleUntilItIsFinished() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let image = try Self.large(1)
            let new = image.pushed()
            #expect(new.content.count == 1200)
            let entry = try harness.begin(new)
            #expect(try !harness.has(image))
            #expect(try harness.numbers("SELECT is_complete FROM entry") == [0])
            // What was added is protected from then on.
            #expect(try harness.deleteBlob(700) == .inUse)
            #expect(try harness.problems() == [])
            try harness.finish(new, entry: entry, tags: ["latest"])
            #expect(try harness.tagged("latest") == image.digest)
            #expect(try harness.numbers("SELECT reference_count FROM entry") == [1200])
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])

            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try !harness.has(image))
            #expect(try harness.tags() == [])
            #expect(try harness.deleteBlob(700) == .inUse)
            #expect(try harness.repository().entryCount == 0)
            #expect(try harness.problems() == [])
            #expect(try harness.removeDeadEntries() == 3)
            #expect(try harness.candidates().count == 1200)
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aLargeManifestMayBePushedAgainWhileTheOldOneDies() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let image = try Self.large(1)
            try harness.finish(image.pushed(), entry: try harness.begin(image.pushed()), tags: ["a"])
            #expect(try harness.deleteManifest(image.digest) == .removed)
            try harness.finish(image.pushed(), entry: try harness.begin(image.pushed()), tags: ["b"])
            #expect(try harness.tagged("b") == image.digest)
            try harness.removeDeadEntries()
            #expect(try harness.tagged("b") == image.digest)
            #expect(try harness.tags() == ["b"])
            #expect(try harness.deleteBlob(700) == .inUse)
            #expect(try harness.problems() == [])
        }
    }

    @Test func twoPushesOfOneLargeManifestBecomeOne() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let image = try Self.large(1)
            let entries = [try harness.begin(image.pushed()), try harness.begin(image.pushed())]
            #expect(entries[0] != entries[1])
            try harness.finish(image.pushed(), entry: entries[1], tags: ["a"])
            try harness.finish(image.pushed(), entry: entries[0], tags: ["b"])
            #expect(try harness.tagged("a") == image.digest)
            #expect(try harness.tagged("b") == image.digest)
            #expect(try harness.repository().entryCount == 1)
            #expect(try harness.problems() == [])
            try harness.removeDeadEntries()
            #expect(try harness.count("entry") == 1)
            #expect(try harness.count("reference") == 1200)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aSliceWithMissingContentCountsForNothing() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1199)
            let new = try Self.large(1).pushed()
            let error = try storeError { _ = try harness.begin(new) }
            #expect(error == .missingContent([Harness.digest(1200)]))
            #expect(try harness.count("reference") == 1000)
            #expect(try harness.problems() == [])
            _ = try harness.metadata.write { try $0.abandonPendingEntries() }
            #expect(try harness.repository().entryCount == 0)
            try harness.removeDeadEntries()
            #expect(try harness.count("entry") == 0)
            #expect(try harness.candidates().count == 1199)
            #expect(try harness.problems() == [])
        }
    }

    @Test(arguments: [false, true])
    func whatIsGivenUpLeavesNothing(isByTheNextStart: Bool) async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let kept = try TestManifest.image(2)
            try harness.push(kept, tags: ["kept"])
            let entry = try harness.begin(try Self.large(1).pushed(generation: 77))
            _ = try harness.metadata.write { transaction in
                if isByTheNextStart {
                    try transaction.abandonPendingEntries()
                } else {
                    try transaction.abandonEntry(entry)
                }
            }
            #expect(try harness.problems() == [])
            try harness.removeDeadEntries()
            #expect(try harness.count("entry") == 1)
            #expect(try harness.removals().map(\.generation) == [77])
            #expect(try harness.tagged("kept") == kept.digest)
            // The other manifest, and all blobs but its configuration.
            #expect(try harness.candidates().count == 1200)
            #expect(try harness.deleteBlob(1) == .inUse)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aLargeManifestIsNotFinishedUnderATagThatMayNotMove() async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let other = try TestManifest.image(2)
            try harness.push(other, tags: ["v1"])
            let image = try Self.large(1)
            let entry = try harness.begin(image.pushed())
            let error = try storeError {
                try harness.finish(image.pushed(), entry: entry, tags: ["v2", "v1"], rule: .immutable())
            }
            #expect(caseName(error) == "notAllowed")
            #expect(try !harness.has(image))
            #expect(try harness.tags() == ["v1"])
            _ = try harness.metadata.write { try $0.abandonEntry(entry) }
            try harness.removeDeadEntries()
            #expect(try harness.count("entry") == 1)
            #expect(try harness.problems() == [])
        }
    }

    /// What is flushed in the middle of a push must not come back half dead.
    @Test(arguments: [1, 100_000])
    func aLargeManifestThatIsFlushedBetweenItsSlicesIsNotFinished(flushed: Int) async throws {
        try await withMetadata { harness in
            try await harness.put(1...1200)
            let main = harness.main
            let image = try Self.large(1)
            let entry = try harness.begin(image.pushed())
            _ = try harness.metadata.write { transaction in
                try transaction.flushRepository(main, pushedUntil: Timestamp(milliseconds: .max), atMost: flushed)
            }
            let added = try storeError { try harness.add(image.pushed(), content: 0..<10, to: entry) }
            #expect(added != nil)
            let finished = try storeError { try harness.finish(image.pushed(), entry: entry, tags: ["latest"]) }
            #expect(finished != nil)
            #expect(try !harness.has(image))
            #expect(try harness.tags() == [])
            #expect(try harness.problems() == [])
            try harness.removeDeadEntries()
            #expect(try harness.count("entry") == 0)
            #expect(try harness.count("manifest") == 0)
            #expect(try harness.problems() == [])
        }
    }
}

/// The name of an error's case, for tables.
private func caseName(_ error: StoreError?) -> String? {
    switch error {
    case nil: nil
    case .missingContent: "missingContent"
    case .conditionFailed: "conditionFailed"
    case .notAllowed: "notAllowed"
    case .some(let other): "\(other)"
    }
}
