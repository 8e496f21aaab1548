import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

extension StoreHarness {
    /// One round over everything that is due.
    fileprivate func sweepRegistries() async throws {
        try await store.registrySweeper.sweep()
    }
}

/// What nobody refers to goes when nobody asked for it for an hour; everything else stays.
@Suite
struct RegistrySweeperTests {
    @Test(arguments: [10, 5000])
    func aBlobWithoutAManifestStaysWithinTheGrace(size: Int) async throws {
        try await withStore(registryConfiguration) { harness in
            let digest = try await harness.pushBlob(content(1, size))
            harness.time.advance(by: .seconds(3599))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [0])
            harness.time.advance(by: .seconds(1))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [])
            #expect(try await harness.blob(digest, in: "images") == nil)
            #expect(try await harness.emptiness() == [])
            #expect(try harness.repository("images").usedBytes == 0)
        }
    }

    /// D2: a client that was told that a blob is there counts on it.
    @Test(arguments: ["read", "hot set", "push", "mount"])
    func whoeverAsksForABlobRenewsIt(way: String) async throws {
        try await withStore(registryConfiguration) { harness in
            let digest = try await harness.pushBlob(content(1, 10))
            try await harness.pushBlob(content(1, 10), in: "other")
            if way == "hot set" { #expect(try await harness.blob(digest, in: "images") != nil) }
            harness.time.advance(by: .seconds(3000))
            let name = StoredName(repository: try harness.repository("images").id, item: .blob(digest))
            switch way {
            case "read": #expect(try await harness.blob(digest, in: "images") != nil)
            case "hot set": #expect(harness.store.lookUp(name) != nil)
            case "push": try await harness.pushBlob(content(1, 10))
            default: #expect(try await harness.mount(digest, from: "other", in: "images"))
            }
            harness.time.advance(by: .seconds(1000))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [0])
            #expect(try await harness.linked([digest], in: "other") == [])
            harness.time.advance(by: .seconds(2600))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [])
            #expect(try await harness.emptiness() == [])
        }
    }

    /// A use is not written while the stored one is young enough, but it was a use.
    @Test
    func aUseThatWasTooSoonToBeWrittenCounts() async throws {
        var coarse = registryConfiguration
        coarse.lastUsePrecision = .seconds(3600)
        try await withStore(coarse) { harness in
            let blob = try await harness.pushBlob(content(1, 10))
            let child = try await harness.pushImage(config: content(2, 10))
            let index = RegistryManifest.index(of: [child])
            try await harness.push(index)
            #expect(try await harness.deleteManifest(index.digest) == .removed)
            harness.time.advance(by: .seconds(3500))
            #expect(try await harness.blob(blob, in: "images") != nil)
            #expect(try await harness.manifest(child.digest) != nil)
            harness.time.advance(by: .seconds(200))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([blob]) == [0])
            #expect(try await harness.hasManifest(child))
        }
    }

    @Test
    func whatAManifestNamesStaysUntilTheManifestGoes() async throws {
        try await withStore(registryConfiguration) { harness in
            let layers = [content(2, 5000)]
            let image = try await harness.pushImage(config: content(1, 10), layers: layers, tags: ["latest"])
            let untagged = try await harness.pushImage(config: content(3, 10))
            let digests = [content(1, 10), content(2, 5000), content(3, 10)].map { IncrementalHasher.digest(of: $0) }
            harness.time.advance(by: .seconds(1_000_000))
            try await harness.sweepRegistries()
            #expect(try await harness.linked(digests) == [0, 1, 2])
            #expect(try await harness.hasManifest(image))
            // Without a tag it is still a manifest.
            #expect(try await harness.hasManifest(untagged))
            #expect(try await harness.deleteManifest(image.digest) == .removed)
            try await harness.sweepRegistries()
            #expect(try await harness.linked(digests) == [2])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aBlobThatLostItsManifestStaysAsLongAsTheManifestWasUsed() async throws {
        try await withStore(registryConfiguration) { harness in
            let image = try await harness.pushImage(config: content(1, 10), tags: ["latest"])
            let digest = IncrementalHasher.digest(of: content(1, 10))
            harness.time.advance(by: .seconds(5000))
            #expect(try await harness.tagged("latest") == image.bytes)
            harness.time.advance(by: .seconds(1000))
            // What a pull was told is written before the manifest goes.
            try await harness.sweepRegistries()
            #expect(try await harness.deleteManifest(image.digest) == .removed)
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [0])
            harness.time.advance(by: .seconds(2600))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest]) == [])
            #expect(try await harness.emptiness() == [])
        }
    }

    /// An index, its images, what is about them, and their layers: all in one round.
    @Test(arguments: [2, 300])
    func whatAnIndexLeavesGoesInOneRound(count: Int) async throws {
        try await withStore(registryConfiguration) { harness in
            try await harness.pushBlob(content(1, 10))
            let images = (0..<count).map { RegistryManifest.image(config: content(1, 10), note: "\($0)") }
            for image in images { try await harness.push(image) }
            let signature = try await harness.pushImage(config: content(2, 10), about: images[0])
            let countersignature = try await harness.pushImage(config: content(3, 10), about: signature)
            let index = RegistryManifest.index(of: images)
            try await harness.push(index, tags: ["latest"])
            #expect(try await harness.deleteManifest(index.digest) == .removed)
            try await harness.sweepRegistries()
            #expect(try await harness.hasManifest(images[0]))
            #expect(try await harness.hasManifest(countersignature))
            harness.time.advance(by: .seconds(3601))
            var rounds = 0
            while try harness.repository("images").entryCount > 0, rounds < 10 {
                rounds += 1
                try await harness.sweepRegistries()
            }
            #expect(rounds == 1)
            try await harness.sweepRegistries()
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func whatATagOrAnotherIndexKeepsStays() async throws {
        try await withStore(registryConfiguration) { harness in
            let images = [
                try await harness.pushImage(config: content(1, 10), note: "0", tags: ["amd64"]),
                try await harness.pushImage(config: content(1, 10), note: "1"),
                try await harness.pushImage(config: content(1, 10), note: "2"),
            ]
            let index = RegistryManifest.index(of: images)
            try await harness.push(index, tags: ["latest"])
            let other = RegistryManifest.index(of: [images[1]])
            try await harness.push(other, tags: ["other"])
            #expect(try await harness.deleteManifest(index.digest) == .removed)
            harness.time.advance(by: .seconds(10_000))
            try await harness.sweepRegistries()
            #expect(try await harness.hasManifest(images[0]))
            #expect(try await harness.hasManifest(images[1]))
            #expect(try await !harness.hasManifest(images[2]))
            #expect(try await harness.tagged("amd64") == images[0].bytes)
            #expect(try await harness.problems() == [])
        }
    }

    /// V1: a manifest that a sweep takes is in memory no more.
    @Test
    func whatASweepTakesIsReadNoMore() async throws {
        try await withStore(registryConfiguration) { harness in
            let image = try await harness.pushImage(config: content(1, 10))
            let index = RegistryManifest.index(of: [image])
            try await harness.push(index)
            #expect(try await harness.manifest(image.digest) == image.bytes)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(1, 10)), in: "images") != nil)
            #expect(try await harness.deleteManifest(index.digest) == .removed)
            harness.time.advance(by: .seconds(3601))
            try await harness.sweepRegistries()
            #expect(try await harness.manifest(image.digest) == nil)
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(1, 10)), in: "images") == nil)
        }
    }

    @Test
    func uploadsThatNobodyGoesOnWithGo() async throws {
        var configuration = registryConfiguration
        configuration.uploadLifetime = .seconds(600)
        try await withStore(configuration) { harness in
            let name = try harness.name("images")
            try await harness.store.beginUpload("upload", in: name)
            _ = try await harness.store.appendToUpload(
                "upload",
                in: name,
                at: nil,
                body: Chunks(content(1, 3000), each: 700),
                length: 3000
            )
            harness.time.advance(by: .seconds(599))
            try await harness.sweepRegistries()
            #expect(harness.store.uploadLength("upload", in: name) == 3000)
            harness.time.advance(by: .seconds(1))
            try await harness.sweepRegistries()
            #expect(harness.store.uploadLength("upload", in: name) == nil)
            #expect(try await harness.emptiness() == [])
            #expect(try await harness.uploadRows() == [])
        }
    }

    @Test
    func manyBlobsGoInSlices() async throws {
        try await withStore(registryConfiguration) { harness in
            let repository = try await harness.createRegistry()
            let clock = harness.store.useClock(in: .registry)
            try await harness.store.committer.commit { transaction in
                for number in 0..<1100 {
                    let bytes = content(number, 20)
                    let blob = UploadedBlob(
                        digest: IncrementalHasher.digest(of: bytes),
                        size: 20,
                        content: .inline(bytes)
                    )
                    _ = try transaction.putBlob(blob, in: repository.id, isExplicit: true, clock: clock)
                }
            }
            harness.time.advance(by: .seconds(3600))
            let fresh = try await harness.pushBlob(content(5000, 20))
            try await harness.sweepRegistries()
            #expect(harness.used == 20)
            #expect(try await harness.linked([fresh]) == [0])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func cachesAreLeftToEviction() async throws {
        try await withStore(registryConfiguration) { harness in
            let digest = try await harness.putBlob(content(1, 10), in: "cache")
            harness.time.advance(by: .seconds(1_000_000))
            try await harness.sweepRegistries()
            #expect(try await harness.linked([digest], in: "cache") == [0])
        }
    }

    // MARK: Pressure

    @Test
    func nothingInARegistryIsEvictedHoweverFullTheStoreIs() async throws {
        var limited = registryConfiguration
        limited.sizeLimit = .bytes(ByteCount(100_000))
        limited.highWatermark = 100
        limited.lowWatermark = 100
        limited.guaranteedAge = .seconds(5)
        try await withStore(limited) { harness in
            let image = try await harness.pushImage(
                config: content(1, 10_000),
                layers: [content(2, 10_000)],
                tags: ["latest"]
            )
            let loose = try await harness.pushBlob(content(3, 10_000))
            var cached: [Digest] = []
            for number in 10..<30 {
                harness.time.advance(by: .seconds(6))
                cached.append(try await harness.putBlob(content(number, 10_000), in: "cache"))
            }
            #expect(harness.used <= 100_000)
            #expect(try await harness.linked(cached, in: "cache").count == 6)
            #expect(try await harness.linked([loose]) == [0])
            #expect(try await harness.tagged("latest") == image.bytes)
            // The registry itself grows until nothing is left that may go.
            harness.time.advance(by: .seconds(6))
            for number in 40..<46 { try await harness.pushBlob(content(number, 10_000)) }
            #expect(try await harness.linked(cached, in: "cache") == [])
            #expect(try await harness.linked([loose]) == [0])
            // Before a write is refused, what nobody refers to or asked for lately goes early.
            try await harness.pushBlob(content(50, 10_000))
            #expect(try await harness.linked([loose]) == [])
            let error = try await storeError { try await harness.pushBlob(content(51, 10_000)) }
            #expect(caseName(error) == "noSpace")
            #expect(try await harness.tagged("latest") == image.bytes)
            #expect(harness.reserved == 0)
            #expect(try await harness.problems() == [])
            harness.time.advance(by: .seconds(3601))
            try await harness.sweepRegistries()
            try await harness.pushBlob(content(51, 10_000))
        }
    }

    /// U1: a read beside a sweep either finds the blob, and then it stays, or it misses.
    @Test
    func whatIsReadWhileItIsSweptIsThereOrGone() async throws {
        try await withStore(registryConfiguration) { harness in
            for round in 0..<15 {
                var digests: [Digest] = []
                for number in 0..<20 { digests.append(try await harness.pushBlob(content(round * 100 + number, 20))) }
                let blobs = digests
                harness.time.advance(by: .seconds(3600))
                let found = try await withThrowingTaskGroup(of: [Int].self) { group in
                    group.addTask {
                        try await harness.sweepRegistries()
                        return []
                    }
                    group.addTask {
                        var found: [Int] = []
                        for (index, digest) in blobs.enumerated()
                        where try await harness.blob(digest, in: "images") != nil {
                            found.append(index)
                        }
                        return found
                    }
                    return try await group.reduce(into: [Int]()) { $0 += $1 }
                }
                try await harness.sweepRegistries()
                let left = try await harness.linked(blobs)
                #expect(Set(left).isSuperset(of: found), "round \(round)")
            }
        }
    }
}
