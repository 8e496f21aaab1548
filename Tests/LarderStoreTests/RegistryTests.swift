import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// Longer than the inline limit, as a manifest's annotation.
private let padding = String(repeating: "x", count: 3000)

extension StoreHarness {
    /// Stores small blobs in one transaction; returns their bytes.
    fileprivate func plantBlobs(_ numbers: Range<Int>, in repository: Repository) async throws -> [[UInt8]] {
        let blobs = numbers.map { content($0, 20) }
        let clock = store.useClock(in: .registry)
        try await store.committer.commit { transaction in
            for bytes in blobs {
                let blob = UploadedBlob(digest: IncrementalHasher.digest(of: bytes), size: 20, content: .inline(bytes))
                _ = try transaction.putBlob(blob, in: repository.id, isExplicit: true, clock: clock)
            }
        }
        return blobs
    }
}

/// Registries keep manifests with all they name, and tags that always name a manifest that is there.
@Suite
struct RegistryTests {
    // MARK: Pushing and pulling

    @Test(arguments: [(note: "", files: 0), (note: padding, files: 1)])
    func aManifestIsReadByItsTagAndItsDigests(note: String, files: Int) async throws {
        try await withStore(registryConfiguration) { harness in
            for bytes in [content(1, 10), content(2, 20)] { try await harness.pushBlob(bytes) }
            let image = RegistryManifest.image(config: content(1, 10), layers: [content(2, 20)], note: note)
            let long = try sha512(image.bytes)
            #expect(try await harness.push(image, as: long, tags: ["latest"]) == long)
            for _ in 0..<2 {
                // Once more, now that a small one is in the hot set.
                #expect(try await harness.tagged("latest") == image.bytes)
                #expect(try await harness.manifest(image.digest) == image.bytes)
                #expect(try await harness.manifest(long) == image.bytes)
            }
            #expect(
                try await harness.facts(.manifest(image.digest))
                    == ManifestFacts(mediaType: image.type, digest: image.digest)
            )
            #expect(try await harness.facts(.manifest(long)) == ManifestFacts(mediaType: image.type, digest: long))
            #expect(try await harness.facts(.tag(try StoreHarness.tag("latest")))?.digest == long)
            #expect(try await harness.tagged("other") == nil)
            #expect(harness.used == image.size + 30)
            #expect(harness.reserved == 0)
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == files)
            #expect(try await harness.problems() == [])
            #expect(try await harness.deleteManifest(image.digest) == .removed)
            try await harness.quiet()
            #expect(harness.used == 30)
            #expect(harness.files(in: "blobs") == [])
        }
    }

    @Test
    func aDigestThatIsNotTheManifestsLeavesNothing() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.pushBlob(content(1, 10))
            let image = RegistryManifest.image(config: content(1, 10))
            for wrong in [IncrementalHasher.digest(of: content(9, 1)), try sha512([1])] {
                let error = try await storeError { try await harness.push(image, as: wrong, tags: ["latest"]) }
                #expect(caseName(error) == "digestMismatch")
            }
            #expect(try await harness.tagged("latest") == nil)
            #expect(harness.used == 10)
            #expect(harness.reserved == 0)
        }
    }

    @Test(arguments: ["", padding])
    func whatIsMissingIsNamedAndNothingIsLeft(note: String) async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.createRegistry()
            let image = RegistryManifest.image(config: content(1, 10), layers: [content(2, 20)], note: note)
            let error = try await storeError { try await harness.push(image, tags: ["latest"]) }
            let missing = [content(1, 10), content(2, 20)].map { IncrementalHasher.digest(of: $0) }
            #expect(error == .missingContent(missing))
            #expect(try await harness.tagged("latest") == nil)
            #expect(try await harness.manifest(image.digest) == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func whatIsNoManifestIsRefusedBeforeTheRepositoryIsMade() async throws {
        try await withStore(registryConfiguration) { harness in
            let error = try await storeError {
                _ = try await harness.store.putManifest(
                    ByteBuffer(string: "{}"),
                    digest: nil,
                    mediaType: ManifestType.ociImage,
                    tags: [],
                    in: try harness.name("images")
                )
            }
            #expect(caseName(error) == "invalidContent")
            #expect(harness.store.directory.all.isEmpty)
            let tooLong = ByteBuffer(repeating: 0x20, count: (4 << 20) + 1)
            let other = try await storeError {
                _ = try await harness.store.putManifest(
                    tooLong,
                    digest: nil,
                    mediaType: nil,
                    tags: [],
                    in: try harness.name("images")
                )
            }
            #expect(other == .tooLarge(limit: .mebibytes(4)))
        }
    }

    @Test
    func aCacheTakesNoManifestsAndARegistryNoEntries() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.putBlob(content(1, 10), in: "cache")
            try await harness.pushBlob(content(1, 10), in: "images")
            let image = RegistryManifest.image(config: content(1, 10))
            let pushed = try await storeError { try await harness.push(image, in: "cache") }
            #expect(caseName(pushed) == "notAllowed")
            let cache = try harness.name("cache")
            let begun = try await storeError { try await harness.store.beginUpload("id", in: cache) }
            #expect(caseName(begun) == "notAllowed")
            let put = try await storeError { try await harness.putEntry("key", [1], in: "images") }
            #expect(caseName(put) == "notAllowed")
            #expect(try await harness.deleteManifest(image.digest, in: "cache") == .missing)
            #expect(try await harness.deleteBlob(IncrementalHasher.digest(of: content(1, 10)), in: "cache") == .missing)
            #expect(try await harness.store.tags(in: cache, after: nil, atMost: 10) == nil)
        }
    }

    @Test
    func theEmptyBlobIsInARegistryWhenItWasPushed() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.createRegistry()
            #expect(try await harness.blob(.emptySHA256, in: "images") == nil)
            try await harness.pushBlob([])
            #expect(try await harness.blob(.emptySHA256, in: "images") == [])
            // As the configuration of an artifact.
            try await harness.push(.image(config: []), tags: ["artifact"])
            #expect(try await harness.tagged("artifact") != nil)
        }
    }

    @Test(arguments: ["", padding])
    func pushingAgainStoresNothingAndKeepsTheTimeOfThePush(note: String) async throws {
        try await withStore(registryConfiguration) { harness in
            let image = try await harness.pushImage(config: content(1, 10), note: note, tags: ["a"])
            let used = harness.used
            harness.time.advance(by: .seconds(60))
            try await harness.push(image, tags: ["b"])
            #expect(harness.used == used)
            #expect(try harness.repository("images").entryCount == 1)
            let name = StoredName(repository: try harness.repository("images").id, item: .manifest(image.digest))
            guard case .found(let found) = try await harness.store.read(name) else { throw TestFailure("it is gone") }
            #expect(harness.time.now - found.pushedAt == .seconds(60))
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == (note.isEmpty ? 0 : 1))
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Tags

    @Test
    func aManifestAndItsTagsComeTogetherOrNotAtAll() async throws {
        try await withStore(registryConfiguration) { harness in
            var settings = RepositorySettings()
            settings.tagsAreImmutable = true
            settings.mutableTags = [try #require(TagPattern("latest"))]
            try await harness.createRegistry("images", settings)
            let first = try await harness.pushImage(config: content(1, 10), tags: ["v1", "latest"])
            let second = RegistryManifest.image(config: content(1, 10), note: "second")
            let error = try await storeError { try await harness.push(second, tags: ["v2", "v1", "latest"]) }
            #expect(caseName(error) == "notAllowed")
            #expect(try await harness.manifest(second.digest) == nil)
            #expect(try await harness.tagged("v2") == nil)
            #expect(try await harness.tagged("v1") == first.bytes)
            #expect(try await harness.tagged("latest") == first.bytes)
            try await harness.push(second, tags: ["v2", "latest"])
            #expect(try await harness.tagged("latest") == second.bytes)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aTagIsPushedOnlyUnderItsCondition() async throws {
        try await withStore(registryConfiguration) { harness in
            let first = try await harness.pushImage(config: content(1, 10), tags: ["v1"])
            let second = RegistryManifest.image(config: content(1, 10), note: "second")
            for condition in [TagCondition.isAbsent, .names(["\(second.digest)"])] {
                let error = try await storeError { try await harness.push(second, tags: ["v1"], condition: condition) }
                #expect(caseName(error) == "conditionFailed")
            }
            #expect(try await harness.tagged("v1") == first.bytes)
            #expect(try await harness.manifest(second.digest) == nil)
            try await harness.push(second, tags: ["v1"], condition: .names(["\(first.digest)"]))
            #expect(try await harness.tagged("v1") == second.bytes)
        }
    }

    /// V1: who was answered sees his own write, although the old one was in memory.
    @Test
    func aTagThatMovedIsReadAnew() async throws {
        try await withStore(registryConfiguration) { harness in
            let images = [
                try await harness.pushImage(config: content(1, 10), tags: ["latest"]),
                try await harness.pushImage(config: content(1, 10), note: "second"),
            ]
            let id = try harness.repository("images").id
            let name = StoredName(repository: id, item: .tag(try StoreHarness.tag("latest")))
            for round in 1...6 {
                #expect(try await harness.tagged("latest") == images[(round + 1) % 2].bytes)
                #expect(harness.store.lookUp(name)?.digest == images[(round + 1) % 2].digest)
                try await harness.push(images[round % 2], tags: ["latest"])
                #expect(harness.store.lookUp(name) == nil)
                #expect(try await harness.tagged("latest") == images[round % 2].bytes)
            }
            #expect(try await harness.deleteTag("latest"))
            #expect(harness.store.lookUp(name) == nil)
            #expect(try await harness.tagged("latest") == nil)
            #expect(try await !harness.deleteTag("latest"))
        }
    }

    @Test(arguments: ["manifest", "flush", "repository"])
    func whatIsDeletedIsReadNoMore(way: String) async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.pushBlob(content(1, 10))
            let image = RegistryManifest.image(config: content(1, 10))
            let long = try sha512(image.bytes)
            try await harness.push(image, as: long, tags: ["a", "b"])
            let id = try harness.repository("images").id
            let items: [StoredName.Item] = [
                .manifest(image.digest), .manifest(long), .tag(try StoreHarness.tag("a")),
                .tag(try StoreHarness.tag("b")),
            ]
            let names = items.map { StoredName(repository: id, item: $0) }
            for name in names {
                guard case .found = try await harness.store.read(name) else { throw TestFailure("\(name) is missing") }
                #expect(harness.store.lookUp(name) != nil)
            }
            switch way {
            case "manifest": #expect(try await harness.deleteManifest(long) == .removed)
            case "flush":
                harness.time.advance(by: .milliseconds(1))
                #expect(try await harness.flush("images") > 0)
            default: try await harness.store.removeRepository(try harness.name("images"))
            }
            for name in names { #expect(harness.store.lookUp(name) == nil) }
            if way == "repository" { try await harness.pushBlob(content(2, 10)) }
            for item in items { #expect(try await harness.read(item, in: "images") == nil) }
        }
    }

    /// A tag that was read a moment ago may move, but what it named is a manifest that was pushed whole.
    @Test
    func readersNeverSeeATagWithoutItsManifest() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.pushImage(config: content(1, 10), tags: ["latest"])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<2 {
                    group.addTask {
                        for round in 0..<40 {
                            let note = "\(writer) \(round)"
                            try await harness.push(.image(config: content(1, 10), note: note), tags: ["latest"])
                        }
                    }
                }
                for _ in 0..<2 {
                    group.addTask {
                        for _ in 0..<200 {
                            let bytes = try #require(try await harness.tagged("latest"))
                            let digest = IncrementalHasher.digest(of: bytes)
                            #expect(try await harness.manifest(digest) == bytes)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try harness.repository("images").entryCount == 81)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func tagsAndReferrersAreListed() async throws {
        try await withStore(registryConfiguration) { harness in
            let images = try harness.name("images")
            #expect(try await harness.store.tags(in: images, after: nil, atMost: 10) == nil)
            let subject = RegistryManifest.image(config: content(1, 10), note: "subject")
            #expect(try await harness.referrers(of: subject.digest) == [])
            let artifact = try await harness.pushImage(config: content(1, 10), about: subject, tags: ["b", "a", "c"])
            #expect(try await harness.store.tags(in: images, after: nil, atMost: 2) == ["a", "b"])
            #expect(try await harness.store.tags(in: images, after: "b", atMost: 2) == ["c"])
            #expect(try await harness.store.tags(in: images, after: "c", atMost: 2) == [])
            let listed = try await harness.referrers(of: subject.digest)
            #expect(listed.count == 1)
            #expect(listed[0].contains("\"digest\":\"\(artifact.digest)\""))
        }
    }

    // MARK: Last uses

    @Test
    func aPullIsAUseAndSurvivesAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let start = time.now
            let images = try await withStore(registryConfiguration, in: folder, time: time) { harness in
                let images = [
                    try await harness.pushImage(config: content(1, 10), tags: ["latest"]),
                    try await harness.pushImage(config: content(1, 10), note: "by digest"),
                    try await harness.pushImage(config: content(1, 10), note: padding),
                    try await harness.pushImage(config: content(1, 10), note: "unused"),
                ]
                harness.time.advance(by: .seconds(100))
                #expect(try await harness.tagged("latest") == images[0].bytes)
                #expect(try await harness.manifest(images[1].digest) == images[1].bytes)
                #expect(try await harness.manifest(images[2].digest) == images[2].bytes)
                return images
            }
            time.advance(by: .seconds(100))
            try await withStore(registryConfiguration, in: folder, time: time) { harness in
                var uses: [Duration] = []
                for image in images {
                    uses.append(try #require(try await harness.lastUse(of: .manifest(image.digest))) - start)
                }
                #expect(uses == [.seconds(100), .seconds(100), .seconds(100), .zero])
                #expect(try await harness.tagged("latest") == images[0].bytes)
                #expect(try await harness.manifest(images[2].digest) == images[2].bytes)
                #expect(try await harness.problems() == [])
            }
        }
    }

    // MARK: Mounts

    @Test(arguments: [10, 5000], ["one", nil] as [String?])
    func aBlobOfAnotherRegistryIsMounted(size: Int, source: String?) async throws {
        try await withStore(registryConfiguration) { harness in
            let bytes = content(1, size)
            let digest = try await harness.pushBlob(bytes, in: "one")
            try await harness.pushBlob(content(2, 10), in: "between")
            #expect(try await harness.mount(digest, from: source, in: "two"))
            #expect(try await harness.blob(digest, in: "two") == bytes)
            #expect(try await harness.blob(digest, in: "between") == nil)
            #expect(try harness.repository("two").usedBytes == Int64(size))
            #expect(harness.used == Int64(size) + 10)
            // Mounting again changes nothing.
            #expect(try await harness.mount(digest, from: source, in: "two"))
            #expect(try harness.repository("two").usedBytes == Int64(size))
            // Each has it for itself.
            #expect(try await harness.deleteBlob(digest, in: "one") == .removed)
            try await harness.quiet()
            #expect(try await harness.blob(digest, in: "two") == bytes)
            try await harness.push(.image(config: bytes), in: "two")
            #expect(try await harness.deleteBlob(digest, in: "two") == .inUse)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatIsNotThereIsNotMounted() async throws {
        try await withStore(registryConfiguration) { harness in
            let digest = try await harness.pushBlob(content(1, 10), in: "one")
            try await harness.pushBlob(content(2, 10), in: "other")
            let unknown = IncrementalHasher.digest(of: content(3, 10))
            #expect(try await !harness.mount(digest, from: "other", in: "two"))
            #expect(try await !harness.mount(digest, from: "nowhere", in: "two"))
            #expect(try await !harness.mount(unknown, from: "one", in: "two"))
            #expect(try await !harness.mount(unknown, from: nil, in: "two"))
            #expect(try await !harness.mount(try sha512(content(1, 10)), from: "one", in: "two"))
            #expect(try harness.repository("two").usedBytes == 0)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aBlobThatIsKnownByItsLongDigestIsMountedByIt() async throws {
        try await withStore(registryConfiguration) { harness in
            let bytes = content(1, 10)
            let long = try sha512(bytes)
            try await harness.store.put(try harness.blobTarget(long, in: "one"), bytes: ByteBuffer(bytes: bytes))
            #expect(try await harness.mount(long, from: "one", in: "two"))
            #expect(try await harness.blob(long, in: "two") == bytes)
        }
    }

    // MARK: Quotas

    @Test
    func theQuotaHoldsForBlobsManifestsAndMounts() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaBytes: ByteCount(10_000)))
            try await harness.pushBlob(content(1, 9800))
            let blob = try await storeError { try await harness.pushBlob(content(2, 201)) }
            #expect(caseName(blob) == "quotaExceeded")
            let image = RegistryManifest.image(config: content(1, 9800))
            #expect(image.size > 200)
            let manifest = try await storeError { try await harness.push(image, tags: ["latest"]) }
            #expect(caseName(manifest) == "quotaExceeded")
            #expect(try await harness.tagged("latest") == nil)
            let digest = try await harness.pushBlob(content(3, 201), in: "other")
            #expect(try await !harness.mount(digest, from: "other", in: "images"))
            let small = try await harness.pushBlob(content(4, 200), in: "other")
            #expect(try await harness.mount(small, from: "other", in: "images"))
            #expect(try harness.repository("images").usedBytes == 10_000)
            #expect(harness.reserved == 0)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func theQuotaOfEntriesCountsManifests() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaEntries: 2))
            try await harness.pushImage(config: content(1, 10), note: "1")
            try await harness.pushImage(config: content(1, 10), note: "2")
            let third = RegistryManifest.image(config: content(1, 10), note: "3")
            let error = try await storeError { try await harness.push(third) }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try await harness.manifest(third.digest) == nil)
            #expect(harness.reserved == 0)
        }
    }

    @Test
    func aManifestThatIsThereIsTaggedAlsoWhenTheQuotaOfEntriesIsUsedUp() async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaEntries: 1))
            let image = try await harness.pushImage(config: content(1, 10), tags: ["a"])
            let error = try await storeError { try await harness.push(image, tags: ["b"]) }
            #expect(error == nil)
            #expect(try await harness.tagged("b") == image.bytes)
        }
    }

    // MARK: Large manifests

    @Test(arguments: [499, 500, 1300])
    func aManifestOfAnyNumberOfLayersIsStored(count: Int) async throws {
        try await withStore(registryConfiguration) { harness in
            let repository = try await harness.createRegistry()
            let layers = try await harness.plantBlobs(0..<count, in: repository)
            let image = try await harness.pushImage(config: content(100_001, 10), layers: [], tags: ["other"])
            let large = RegistryManifest.image(config: content(100_001, 10), layers: layers)
            try await harness.push(large, tags: ["latest"])
            #expect(try await harness.tagged("latest") == large.bytes)
            #expect(try harness.repository("images").entryCount == 2)
            let digests = layers.map { IncrementalHasher.digest(of: $0) }
            for digest in [digests[0], digests[count - 1]] {
                #expect(try await harness.deleteBlob(digest) == .inUse)
            }
            #expect(try await harness.problems() == [])
            // The same again adds nothing.
            try await harness.push(large, tags: ["again"])
            try await harness.quiet()
            #expect(try await harness.tagged("again") == large.bytes)
            #expect(try harness.repository("images").entryCount == 2)
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try await harness.problems() == [])
            #expect(try await harness.deleteManifest(large.digest) == .removed)
            #expect(try await harness.tagged("latest") == nil)
            try await harness.quiet()
            #expect(try await harness.deleteBlob(digests[count - 1]) == .removed)
            #expect(try await harness.tagged("other") == image.bytes)
            #expect(harness.files(in: "blobs") == [])
            #expect(try await harness.problems() == [])
        }
    }

    @Test(arguments: ["layer", "tag", "condition"])
    func aLargeManifestThatFailsInTheMiddleLeavesNothing(what: String) async throws {
        try await withStore(registryConfiguration) { harness in
            var settings = RepositorySettings()
            settings.tagsAreImmutable = true
            let repository = try await harness.createRegistry("images", settings)
            let layers = try await harness.plantBlobs(0..<1200, in: repository)
            let other = try await harness.pushImage(config: content(100_001, 10), tags: ["v1"])
            let used = harness.used
            let missing = content(5000, 20)
            let large = RegistryManifest.image(
                config: content(100_001, 10),
                layers: what == "layer" ? layers + [missing] : layers
            )
            let error = try await storeError {
                try await harness.push(
                    large,
                    tags: what == "tag" ? ["v2", "v1"] : ["v2"],
                    condition: what == "condition" ? .names(["\(other.digest)"]) : .none
                )
            }
            switch what {
            case "layer": #expect(error == .missingContent([IncrementalHasher.digest(of: missing)]))
            case "tag": #expect(caseName(error) == "notAllowed")
            default: #expect(caseName(error) == "conditionFailed")
            }
            #expect(try await harness.manifest(large.digest) == nil)
            #expect(try await harness.tagged("v2") == nil)
            #expect(try await harness.tagged("v1") == other.bytes)
            try await harness.quiet()
            #expect(harness.used == used)
            #expect(harness.reserved == 0)
            #expect(harness.files(in: "blobs") == [])
            #expect(try harness.repository("images").entryCount == 1)
            #expect(try await harness.deleteBlob(IncrementalHasher.digest(of: layers[0])) == .removed)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aLargeManifestThatNobodyFinishedGoesAtTheNextStart() async throws {
        try await withTemporaryFolder { folder in
            let layers = try await withStore(registryConfiguration, in: folder) { harness in
                let repository = try await harness.createRegistry()
                let layers = try await harness.plantBlobs(0..<1200, in: repository)
                let large = RegistryManifest.image(config: layers[0], layers: layers)
                let new = NewManifest(
                    value: UploadedBlob(digest: large.digest, size: large.size, content: .inline(large.bytes)),
                    manifest: try Manifest(large.bytes, contentType: nil),
                    digest: large.digest,
                    isSparse: false
                )
                let clock = harness.store.useClock(in: .registry)
                try await harness.store.committer.commit { transaction in
                    let entry = try transaction.beginEntry(new.value, in: repository.id, clock: clock).entry
                    try transaction.addPendingReferences(
                        content: Array(new.content.prefix(700)),
                        children: [BlobDescriptor](),
                        isSparse: false,
                        to: entry,
                        in: repository.id
                    )
                }
                #expect(try harness.repository("images").entryCount == 1)
                #expect(try await harness.deleteBlob(IncrementalHasher.digest(of: layers[600])) == .inUse)
                return layers
            }
            try await withStore(registryConfiguration, in: folder) { harness in
                #expect(try harness.repository("images").entryCount == 0)
                try await harness.quiet()
                #expect(harness.used == 24_000)
                #expect(try await harness.deleteBlob(IncrementalHasher.digest(of: layers[600])) == .removed)
                #expect(try await harness.problems() == [])
            }
        }
    }

    // MARK: Removal

    @Test
    func whatAnIndexNamesStaysAsLongAsTheIndex() async throws {
        try await withStore(registryConfiguration) { harness in
            let images = [
                try await harness.pushImage(config: content(1, 10), note: "1"),
                try await harness.pushImage(config: content(2, 10), note: "2"),
            ]
            let index = RegistryManifest.index(of: images)
            try await harness.push(index, tags: ["latest"])
            #expect(try await harness.deleteManifest(images[0].digest) == .inUse)
            #expect(try await harness.manifest(images[0].digest) == images[0].bytes)
            #expect(try await harness.deleteManifest(index.digest) == .removed)
            #expect(try await harness.deleteManifest(index.digest) == .missing)
            #expect(try await harness.tagged("latest") == nil)
            #expect(try await harness.deleteManifest(images[0].digest) == .removed)
            #expect(try await harness.manifest(images[1].digest) == images[1].bytes)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func thousandsOfTagsGoWithTheirManifest() async throws {
        try await withStore(registryConfiguration) { harness in
            let image = try await harness.pushImage(config: content(1, 10))
            for start in stride(from: 0, to: 1500, by: 500) {
                try await harness.push(image, tags: (start..<start + 500).map { "t\($0)" })
            }
            #expect(try await harness.deleteManifest(image.digest) == .removed)
            #expect(try await harness.store.tags(in: try harness.name("images"), after: nil, atMost: 10) == [])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aRegistryIsRemovedWithAllItHolds() async throws {
        try await withStore(registryConfiguration) { harness in
            let repository = try await harness.createRegistry()
            let layers = try await harness.plantBlobs(0..<800, in: repository)
            try await harness.push(.image(config: layers[0], layers: layers), tags: ["large"])
            let image = try await harness.pushImage(config: content(100_001, 5000), note: padding, tags: ["a", "b"])
            try await harness.push(.index(of: [image]), tags: ["index"])
            try await harness.pushImage(config: content(100_002, 10), about: image)
            try await harness.store.removeRepository(try harness.name("images"))
            #expect(try await harness.tagged("large") == nil)
            try await waitUntil("all is gone") { harness.used == 0 }
            try await waitUntil("its row is gone") {
                try await harness.store.read { try $0.deletedRepositories() }.isEmpty
            }
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func anythingSurvivesAReopening() async throws {
        try await withTemporaryFolder { folder in
            let images = try await withStore(registryConfiguration, in: folder) { harness in
                var settings = RepositorySettings()
                settings.tagsAreImmutable = true
                settings.allowsSparse = true
                settings.mutableTags = [try #require(TagPattern("latest")), try #require(TagPattern("*-dev"))]
                try await harness.createRegistry("images", settings)
                return [
                    try await harness.pushImage(
                        config: content(1, 10),
                        layers: [content(2, 5000)],
                        tags: ["v1", "latest"]
                    ),
                    try await harness.pushImage(config: content(1, 10), note: padding, tags: ["v2"]),
                ]
            }
            try await withStore(registryConfiguration, in: folder) { harness in
                let settings = try harness.repository("images").settings
                #expect(settings.tagsAreImmutable)
                #expect(settings.allowsSparse)
                #expect(settings.mutableTags.map(\.text) == ["latest", "*-dev"])
                #expect(try await harness.tagged("v1") == images[0].bytes)
                #expect(try await harness.tagged("v2") == images[1].bytes)
                let error = try await storeError { try await harness.push(images[0], tags: ["v2"]) }
                #expect(caseName(error) == "notAllowed")
                try await harness.push(images[1], tags: ["latest"])
                #expect(try await harness.tagged("latest") == images[1].bytes)
                #expect(try await harness.problems() == [])
            }
        }
    }
}
