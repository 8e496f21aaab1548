import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private let day = Duration.seconds(24 * 3600)

extension StoreHarness {
    /// Stores entries of 2,000 bytes, a minute apart, that refer to one blob of the CAS each; returns the blobs.
    fileprivate func fillCache(_ numbers: Range<Int>) async throws -> [Digest] {
        var blobs: [Digest] = []
        for number in numbers {
            time.advance(by: .seconds(60))
            blobs.append(try await putBlob(content(number * 10, 3000)))
            try await putEntry("key/\(number)", content(number * 10 + 1, 2000), references: .to(blobs[blobs.count - 1]))
        }
        return blobs
    }

    /// Which of the entries that `fillCache` stored are there, by their numbers.
    fileprivate func cached(_ numbers: Range<Int>) async throws -> [Int] {
        let id = try repository().id
        return try await store.read { snapshot in
            try numbers.filter { number in
                guard let key = EntryKey("key/\(number)") else { return false }
                return try snapshot.hasEntry(key, in: id)
            }
        }
    }

    /// Stores an image with Docker's own media types whose configuration has a label.
    fileprivate func pushLabelled(_ number: Int, label: String, value: String) async throws -> Digest {
        time.advance(by: .seconds(60))
        let labels = #"{"\#(label)":"\#(value)"}"#
        let config = Array(#"{"architecture":"amd64","config":{"Labels":\#(labels)},"number":\#(number)}"#.utf8)
        let digest = try await pushBlob(config)
        let descriptor =
            #"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(digest)","size":\#(config.count)}"#
        return try await pushText(
            #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(descriptor),"layers":[]}"#,
            tags: ["v\(number)"]
        )
    }
}

/// What policies can say, applied to what a store really holds.
@Suite
struct PolicyTests {
    // MARK: Caches

    @Test
    func inACacheWhatGoesIsFreeAtOnceAndBlobsOfTheirOwnRightStay() async throws {
        try await withStore(retentionConfiguration) { harness in
            let blobs = try await harness.fillCache(0..<5)
            let used = harness.used
            try await harness.setPolicy(keepLast(2), of: "main")
            #expect(try await harness.preview(of: "main").bytes == 6000)
            let record = try await harness.pruneNow("main")
            #expect(record.counts.removed == 3)
            #expect(record.counts.plannedBytes == 6000)
            #expect(record.freedBytes == 6000)
            #expect(try await harness.cached(0..<5) == [3, 4])
            #expect(harness.used == used - 6000)
            #expect(try harness.repository().entryCount == 2)
            #expect(try await harness.linked(blobs, in: "main") == [0, 1, 2, 3, 4])
            #expect(try await harness.removed(in: "main").isEmpty)
            try await harness.quiet()
            #expect(try harness.fileBytes() == 5 * 3000 + 2 * 2000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aCacheIsHeldUnderANumberOfBytes() async throws {
        try await withStore(retentionConfiguration) { harness in
            for number in 0..<5 {
                harness.time.advance(by: .seconds(60))
                try await harness.putEntry("key/\(number)", content(number, 3000))
            }
            let policy = expiring(#""tagStatus":"any","countType":"imageBytesMoreThan","countNumber":"9KB""#)
            let record = try await harness.prune(policy, in: "main")
            #expect(record.counts.plannedBytes == 6000)
            #expect(try await harness.cached(0..<5) == [2, 3, 4])
            #expect(harness.used == 9000)
        }
    }

    @Test
    func aReadRescuesAnEntryOfACache() async throws {
        try await withStore(retentionConfiguration) { harness in
            for number in 0..<3 { try await harness.putEntry("key/\(number)", content(number, 2000)) }
            harness.time.advance(by: .seconds(3 * 3600))
            #expect(try await harness.entry("key/0") != nil)
            harness.time.advance(by: .seconds(3 * 3600))
            let policy = expiring(
                #""tagStatus":"any","countType":"sinceImagePulled","countNumber":5,"countUnit":"hours""#
            )
            #expect(try await harness.prune(policy, in: "main").counts.removed == 2)
            #expect(try await harness.cached(0..<3) == [0])
        }
    }

    @Test
    func keysArePatternsAndGroups() async throws {
        try await withStore(retentionConfiguration) { harness in
            for (number, key) in ["a/1", "a/2", "b/1", "b/2", "c/1", "keep/1", "keep/2"].enumerated() {
                harness.time.advance(by: .seconds(60))
                try await harness.putEntry(key, content(number, 2000))
            }
            let policy = expiring(
                #""tagStatus":"any","exclude":{"keys":["keep/*"]},"groupBy":{"key":"^([a-z]+)/"},"#
                    + #""countType":"imageCountMoreThan","countNumber":1"#
            )
            let record = try await harness.prune(policy, in: "main")
            #expect(try await harness.removedNames(by: record.id) == ["a/1", "b/1"])
        }
    }

    // MARK: Bytes and uses of images

    /// What several images share counts once.
    @Test
    func aRegistryIsHeldUnderANumberOfBytes() async throws {
        try await withStore(retentionConfiguration) { harness in
            var images: [RegistryManifest] = []
            for number in 0..<4 {
                harness.time.advance(by: .seconds(60))
                let layers = [content(900, 50_000), content(901 + number, 30_000)]
                images.append(
                    try await harness.pushImage(config: content(number, 10), layers: layers, tags: ["v\(number)"])
                )
            }
            // The shared layer, two others, and what is small; with a third it were more than 140,000.
            let policy = expiring(#""tagStatus":"any","countType":"imageBytesMoreThan","countNumber":140000"#)
            #expect(try await harness.prune(policy).counts.removed == 2)
            #expect(try await harness.visible(images) == [2, 3])
        }
    }

    @Test
    func aPullRescuesAnImage() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<3)
            harness.time.advance(by: day * 5)
            #expect(try await harness.tagged("v0") == images[0].bytes)
            // One from memory counts as well.
            #expect(try await harness.tagged("v0") == images[0].bytes)
            harness.time.advance(by: day * 3)
            let policy = expiring(
                #""tagStatus":"any","countType":"sinceImagePulled","countNumber":7,"countUnit":"days""#
            )
            let lines = try await harness.previewLines(policy)
            #expect(lines["\(images[0].digest)"]?.verdict == .kept(rule: 1, .age(day * 3, limit: day * 7)))
            #expect(try await harness.prune(policy).counts.removed == 2)
            #expect(try await harness.visible(images) == [0])
        }
    }

    @Test
    func theLeastRecentlyPulledGoesFirst() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<4)
            for tag in ["v2", "v0"] {
                harness.time.advance(by: .seconds(60))
                #expect(try await harness.tagged(tag) != nil)
            }
            let policy = expiring(
                #""tagStatus":"any","orderBy":"lastUse","countType":"imageCountMoreThan","countNumber":2"#
            )
            #expect(try await harness.prune(policy).counts.removed == 2)
            #expect(try await harness.visible(images) == [0, 2])
        }
    }

    // MARK: Tags

    @Test
    func theTimeWithoutATagBeginsWithTheLossOfTheLastOne() async throws {
        try await withStore(retentionConfiguration) { harness in
            var images = try await harness.pushSeries(0..<2)
            images.append(try await harness.pushNext(2, tags: []))
            harness.time.advance(by: day)
            // It moves away from the first, and is taken from the second.
            images.append(try await harness.pushNext(3, tags: ["v0"]))
            #expect(try await harness.deleteTag("v1"))
            let policy = expiring(
                #""tagStatus":"untagged","countType":"sinceImageUntagged","countNumber":2,"countUnit":"days""#
            )
            harness.time.advance(by: .seconds(36 * 3600))
            #expect(try await harness.prune(policy).counts.removed == 1)
            #expect(try await harness.visible(images) == [0, 1, 3])
            // A tag ends the time.
            try await harness.push(images[1], tags: ["v1"])
            harness.time.advance(by: day)
            #expect(try await harness.pruneNow().counts.removed == 1)
            #expect(try await harness.visible(images) == [1, 3])
        }
    }

    @Test
    func aRuleOnTagsTakesTagsAndAnImageGoesWithItsLastOne() async throws {
        try await withStore(retentionConfiguration) { harness in
            var images: [RegistryManifest] = []
            for number in 0..<4 {
                let tags = ["ci-\(number)"] + (number == 0 ? ["release"] : [])
                images.append(try await harness.pushNext(number, tags: tags))
            }
            let policy = expiring(
                #""tagStatus":"tagged","include":{"tags":["ci-*"]},"target":"tags","#
                    + #""countType":"imageCountMoreThan","countNumber":2"#
            )
            let line = try #require(try await harness.previewLines(policy)["\(images[0].digest)"])
            #expect(!line.verdict.isRemoval)
            #expect(line.removedTags == ["ci-0"])
            let record = try await harness.prune(policy)
            #expect(record.counts.tags == 1)
            #expect(record.counts.removed == 1)
            #expect(record.counts.plannedBytes == 5010 + images[1].size)
            #expect(try await harness.visible(images) == [0, 2, 3])
            #expect(try await harness.tagNames() == ["ci-2", "ci-3", "release"])
            #expect(try await harness.tagged("ci-0") == nil)
            let decisions = try await harness.decisions(of: record.id)
            #expect(
                Set(decisions.map { "\($0.tags) \($0.outcome)" }) == [#"["ci-0"] tagRemoved"#, #"["ci-1"] removed"#]
            )
            #expect(try await harness.restore(tag: "ci-0").tags == ["ci-0"])
            #expect(try await harness.tagged("ci-0") == images[0].bytes)
            #expect(try await harness.problems() == [])
        }
    }

    /// One run does all that its plan says, also where two rules change one image.
    @Test
    func anImageMayLoseATagAndBeArchivedInOneRun() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.pushNext(0, tags: ["ci-0", "release"])
            try await harness.pushNext(1, tags: ["ci-1"])
            harness.time.advance(by: day * 10)
            let tags =
                #"{"tagStatus":"tagged","include":{"tags":["ci-*"]},"target":"tags","#
                + #""countType":"imageCountMoreThan","countNumber":1}"#
            let images = #"{"tagStatus":"any","countType":"sinceImagePulled","countNumber":7,"countUnit":"days"}"#
            let archive = #"{"type":"transition","targetStorageClass":"archive"}"#
            let record = try await harness.prune(
                #"{"version":1,"rules":[{"rulePriority":1,"selection":\#(tags),"action":{"type":"expire"}},"#
                    + #"{"rulePriority":2,"selection":\#(images),"action":\#(archive)}]}"#
            )
            #expect(record.counts.tags == 1)
            // The other one has a tag that the first rule keeps.
            #expect(record.counts.archived == 1)
            #expect(record.counts.skipped == 0)
            #expect(try await harness.tagNames() == ["ci-1", "release"])
        }
    }

    // MARK: Labels

    @Test
    func annotationsAreGroups() async throws {
        try await withStore(retentionConfiguration) { harness in
            var images: [RegistryManifest] = []
            for (number, branch) in ["main", "main", "topic", "main", "topic"].enumerated() {
                images.append(try await harness.pushNext(number, note: branch))
            }
            let policy = expiring(
                #""tagStatus":"any","groupBy":{"label":"note"},"countType":"imageCountMoreThan","countNumber":1"#
            )
            let lines = try await harness.previewLines(policy)
            #expect(lines["\(images[0].digest)"]?.group == "main")
            #expect(lines["\(images[0].digest)"]?.explanation == "rule 1: number 3, and 1 are kept (group main)")
            #expect(try await harness.prune(policy).counts.removed == 3)
            #expect(try await harness.visible(images) == [3, 4])
        }
    }

    @Test
    func labelsOfAConfigurationAreKnown() async throws {
        try await withStore(retentionConfiguration) { harness in
            var digests: [Digest] = []
            for (number, value) in ["dev-1", "dev-2", "prod", "dev-3"].enumerated() {
                digests.append(try await harness.pushLabelled(number, label: "env", value: value))
            }
            let policy = expiring(
                #""tagStatus":"any","include":{"labels":{"env":["dev-*"]}},"#
                    + #""countType":"imageCountMoreThan","countNumber":1"#
            )
            let record = try await harness.prune(policy)
            #expect(try await harness.removedNames(by: record.id) == ["\(digests[0])", "\(digests[1])"])
            #expect(try await harness.tagNames() == ["v2", "v3"])
        }
    }

    // MARK: The archive

    @Test
    func aPullBringsAnImageBackFromTheArchive() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            let pulled = #"{"tagStatus":"any","countType":"sinceImagePulled","countNumber":30,"countUnit":"days"}"#
            let archived =
                #"{"tagStatus":"any","storageClass":"archive","countType":"sinceImageTransitioned","#
                + #""countNumber":90,"countUnit":"days"}"#
            let archive = #"{"type":"transition","targetStorageClass":"archive"}"#
            try await harness.setPolicy(
                #"{"rules":[{"rulePriority":1,"selection":\#(pulled),"action":\#(archive)},"#
                    + #"{"rulePriority":2,"selection":\#(archived),"action":{"type":"expire"}}]}"#
            )
            harness.time.advance(by: day * 31)
            let first = try await harness.pruneNow()
            #expect(first.counts.archived == 2)
            #expect(first.counts.removed == 0)
            #expect(try await harness.decisions(of: first.id).map(\.outcome) == [.archived, .archived])
            #expect(try await harness.visible(images) == [0, 1])
            #expect(try await harness.pruneNow().counts.archived == 0)
            harness.time.advance(by: .seconds(60))
            #expect(try await harness.tagged("v0") == images[0].bytes)
            harness.time.advance(by: day * 91)
            // The one was pulled, and is archived anew; the other was in the archive for too long.
            let second = try await harness.pruneNow()
            #expect(second.counts.archived == 1)
            #expect(second.counts.removed == 1)
            #expect(try await harness.visible(images) == [0])
        }
    }

    // MARK: Which policy holds

    @Test
    func theDefaultOfTheKindHoldsWhereThereIsNoOther() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<3)
            let others = try await harness.pushSeries(10..<13, in: "other")
            _ = try await harness.fillCache(20..<23)
            try await harness.setPolicy(keepLast(2), of: "other")
            try await harness.store.setDefaultPolicy(keepLast(1), of: .registry)
            let own = try #require(try await harness.store.policy(of: try harness.name("other")))
            #expect(own.text == keepLast(2))
            #expect(!own.isDefault)
            let common = try #require(try await harness.store.policy(of: try harness.name("images")))
            #expect(common.text == keepLast(1))
            #expect(common.isDefault)
            #expect(try await harness.pruneNow().counts.removed == 2)
            #expect(try await harness.pruneNow("other").counts.removed == 1)
            let cache = try await storeError { try await harness.pruneNow("main") }
            #expect(caseName(cache) == "notFound")
            #expect(try await harness.visible(images) == [2])
            #expect(try await harness.visible(others, in: "other") == [1, 2])
            // Without its own the default holds there too; without that nothing does.
            try await harness.setPolicy(nil, of: "other")
            #expect(try await harness.pruneNow("other").counts.removed == 1)
            try await harness.store.setDefaultPolicy(nil, of: .registry)
            #expect(try await harness.store.policy(of: try harness.name("other")) == nil)
        }
    }

    @Test
    func policiesSurviveAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            try await withStore(retentionConfiguration, in: folder, time: time) { harness in
                try await harness.pushSeries(0..<1)
                try await harness.pushSeries(10..<11, in: "other")
                try await harness.setPolicy(keepLast(7))
                try await harness.store.setDefaultPolicy(keepLast(9), of: .registry)
            }
            try await withStore(retentionConfiguration, in: folder, time: time) { (harness) async throws in
                #expect(try await harness.store.policy(of: try harness.name("images"))?.text == keepLast(7))
                #expect(try await harness.store.policy(of: try harness.name("other"))?.text == keepLast(9))
                #expect(harness.store.defaultPolicies == [.registry: keepLast(9)])
            }
        }
    }

    static let refusals: [(policy: String, kind: RepositoryKind, parts: [String])] = [
        ("", .registry, []),
        (keepLast(0), .registry, ["line 1, column", "rules[0].selection.countNumber", "minimum: 1"]),
        (
            "version: 1\nrules:\n  - rulePriority: 1\n    selection: {tagStatus: any, surprise: 1}\n"
                + "    action: {type: expire}\n",
            .registry, ["line 4, column", "rules[0].selection", "surprise"]
        ),
        (
            expiring(
                #""tagStatus":"any","groupBy":{"tag":"^(.+)-"},"countType":"imageCountMoreThan","countNumber":1"#
            ),
            .cache, ["rule 1 can never match", "there are no tags"]
        ),
        (
            expiring(
                #""tagStatus":"any","include":{"keys":["a*"]},"countType":"imageCountMoreThan","countNumber":1"#
            ),
            .registry, ["rule 1 can never match", "use tags"]
        ),
    ]

    @Test(arguments: refusals)
    func whatIsNoPolicyThereIsRefusedWithItsPlace(
        policy: String,
        kind: RepositoryKind,
        parts: [String]
    ) async throws {
        try await withStore(retentionConfiguration) { harness in
            _ = try await harness.store.createRepository(
                try harness.name("images"),
                kind: kind,
                settings: RepositorySettings()
            )
            try await harness.setPolicy(keepLast(5))
            let error = try await storeError { try await harness.setPolicy(policy) }
            #expect(caseName(error) == "malformed")
            for part in parts { #expect(error?.description.contains(part) == true, "\(String(describing: error))") }
            let common = try await storeError { try await harness.store.setDefaultPolicy(policy, of: kind) }
            #expect(caseName(common) == "malformed")
            let preview = try await storeError { _ = try await harness.preview(policy) }
            #expect(caseName(preview) == "malformed")
            // What was there stays.
            #expect(try await harness.store.policy(of: try harness.name("images"))?.text == keepLast(5))
            #expect(harness.store.defaultPolicies.isEmpty)
        }
    }
}
