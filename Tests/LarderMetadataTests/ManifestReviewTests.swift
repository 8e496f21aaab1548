import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// What a manifest that goes leaves without a keeper goes too, when nobody asked for it for a while.
@Suite struct ManifestReviewTests {
    private typealias Harness = MetadataHarness

    /// Runs a body on a database with two images and an index of both, pushed at the start.
    private static func withIndex(
        _ body: (Harness, _ images: [TestManifest], _ index: TestManifest) async throws -> Void
    ) async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1, 2])
            let images = [try TestManifest.image(1), try TestManifest.image(2, layers: [2])]
            for image in images { try harness.push(image) }
            let index = try TestManifest.index(3, of: images)
            try harness.push(index, tags: ["latest"])
            try await body(harness, images, index)
        }
    }

    @Test func nothingIsReviewedThatLostNothing() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.count("review") == 0)
            // A manifest without a tag is none that lost its index.
            #expect(try harness.deleteTag("latest"))
            #expect(try harness.settle(at: 1_000_000) == 0)
            for manifest in images + [index] { #expect(try harness.has(manifest)) }
        }
    }

    @Test func childrenOfADeletedIndexGoAfterTheGrace() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.count("review") == 2)
            // Used 50 seconds ago: looked at again when the grace is over.
            #expect(try harness.settle(at: 50) == 0)
            #expect(try harness.has(images[0]))
            #expect(try harness.metadata.read { try $0.dueReviews(at: Harness.start + .seconds(100), atMost: 9) } == [])
            #expect(try harness.settle(at: 100) == 0)
            #expect(try harness.settle(at: 101) == 2)
            for image in images { #expect(try !harness.has(image)) }
            #expect(try harness.count("review") == 0)
            #expect(try harness.repository().entryCount == 0)
            #expect(try harness.candidates().map(\.size).sorted() == [1, 2])
            #expect(try harness.problems() == [])
        }
    }

    @Test func childrenThatWereNotUsedForLongGoAtOnce() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.settle(at: 500) == 2)
            #expect(try !harness.has(images[0]))
            #expect(try harness.problems() == [])
        }
    }

    @Test func aUseStartsTheGraceAnew() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            try harness.use(try harness.row(of: images[0]), at: 90)
            #expect(try harness.settle(at: 120) == 1)
            #expect(try harness.has(images[0]))
            #expect(try harness.settle(at: 190) == 0)
            #expect(try harness.settle(at: 191) == 1)
            #expect(try !harness.has(images[0]))
            #expect(try harness.problems() == [])
        }
    }

    @Test func aPushStartsTheGraceAnewToo() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            // As before the push of a new index that has it again.
            try harness.push(images[0], at: 190)
            #expect(try harness.settle(at: 200) == 1)
            #expect(try harness.has(images[0]))
        }
    }

    @Test func childrenWithATagStay() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            try harness.push(images[0], tags: ["amd64"])
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try harness.tagged("amd64") == images[0].digest)
            #expect(try !harness.has(images[1]))
            #expect(try harness.count("review") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func childrenOfAnotherIndexStayUntilThatGoesToo() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            let other = try TestManifest.index(4, of: [images[0]])
            try harness.push(other)
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try harness.has(images[0]))
            #expect(try harness.deleteManifest(other.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try !harness.has(images[0]))
            #expect(try harness.problems() == [])
        }
    }

    @Test func childrenThatAnIndexTakesUpAgainStay() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            try harness.push(index)
            #expect(try harness.settle(at: 500) == 0)
            for image in images { #expect(try harness.has(image)) }
            #expect(try harness.count("review") == 0)
        }
    }

    @Test func nestedIndexesGoLayerByLayer() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteTag("latest"))
            let outer = try TestManifest.index(4, of: [index])
            try harness.push(outer, tags: ["latest"])
            #expect(try harness.deleteManifest(outer.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try !harness.has(index))
            #expect(try harness.has(images[0]))
            #expect(try harness.settle(at: 500) == 2)
            #expect(try harness.settle(at: 500) == 0)
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func anIndexWithManyChildrenLetsGoOfThemInSlices() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let images = try (1...600).map { try TestManifest.image($0) }
            for image in images { try harness.push(image) }
            let index = try TestManifest.index(1000, of: images)
            let entry = try harness.begin(index.pushed())
            try harness.finish(index.pushed(), entry: entry)
            #expect(try harness.numbers("SELECT max(reference_count) FROM entry") == [600])
            #expect(try harness.deleteManifest(index.digest) == .removed)
            // Its references hold them until they go.
            #expect(try harness.count("review") == 0)
            #expect(try harness.deleteManifest(images[0].digest) == .inUse)
            #expect(try harness.removeDeadEntries(atMost: 250) == 3)
            #expect(try harness.count("review") == 600)
            #expect(try harness.settle(at: 500) == 600)
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func childrenThatAreReviewedBetweenSlicesAreReviewedAgain() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let images = try (1...600).map { try TestManifest.image($0) }
            for image in images { try harness.push(image) }
            for name in [1000, 1001] {
                let index = try TestManifest.index(name, of: images)
                try harness.finish(index.pushed(), entry: try harness.begin(index.pushed()))
                #expect(try harness.deleteManifest(index.digest) == .removed)
            }
            // The second index still holds what the first has let go of.
            _ = try harness.metadata.write { try $0.removeDeadEntries(atMost: 601) }
            #expect(try harness.settle(at: 500) == 0)
            try harness.removeDeadEntries()
            #expect(try harness.settle(at: 500) == 600)
            #expect(try harness.problems() == [])
        }
    }

    // MARK: Referrers

    @Test func whatIsAboutAManifestFollowsIt() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let subject = try TestManifest.image(1)
            let signature = try TestManifest.image(2, about: subject)
            let attestation = try TestManifest.index(3, of: [], about: subject)
            let countersignature = try TestManifest.image(4, about: signature)
            for manifest in [subject, signature, attestation, countersignature] { try harness.push(manifest) }
            #expect(try harness.deleteManifest(subject.digest) == .removed)
            #expect(try harness.settle(at: 50) == 0)
            #expect(try harness.settle(at: 500) == 2)
            #expect(try !harness.has(signature))
            #expect(try !harness.has(attestation))
            #expect(try harness.has(countersignature))
            #expect(try harness.settle(at: 500) == 1)
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func whatIsAboutAManifestStaysUnderATagOrWhenTheSubjectComesBack() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let subjects = try (1...2).map { try TestManifest.image($0) }
            let tagged = try TestManifest.image(3, about: subjects[0])
            let untagged = try TestManifest.image(4, about: subjects[1])
            for manifest in subjects + [untagged] { try harness.push(manifest) }
            try harness.push(tagged, tags: ["signature"])
            for subject in subjects { #expect(try harness.deleteManifest(subject.digest) == .removed) }
            try harness.push(subjects[1])
            #expect(try harness.settle(at: 500) == 0)
            #expect(try harness.has(tagged))
            #expect(try harness.has(untagged))
            #expect(try harness.count("review") == 0)
        }
    }

    @Test func whatIsAboutALivingManifestOutlivesItsIndex() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let subject = try TestManifest.image(1)
            let attestation = try TestManifest.image(2, about: subject)
            let index = try TestManifest.index(3, of: [attestation])
            for manifest in [subject, attestation, index] { try harness.push(manifest) }
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.settle(at: 500) == 0)
            #expect(try harness.has(attestation))
            // The last that kept it.
            #expect(try harness.deleteManifest(subject.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try !harness.has(attestation))
            #expect(try harness.problems() == [])
        }
    }

    /// A subject is there under every digest that it has, whichever it was pushed under last.
    @Test(arguments: [false, true])
    func aSubjectKeepsWhatNamesItByItsOtherDigest(isNamedByTheLongOne: Bool) async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let subject = try TestManifest.image(1)
            let long = try subject.sha512
            let named = isNamedByTheLongOne ? long : subject.digest
            let config = TestManifest.describe(Harness.digest(1), size: 1)
            let about = TestManifest.describe(named, size: Int64(subject.bytes.count))
            let artifact = try TestManifest(
                #"{"schemaVersion":2,"mediaType":"\#(ManifestType.ociImage)","config":\#(config),"layers":[],"#
                    + #""subject":\#(about)}"#
            )
            let index = try TestManifest.index(3, of: [artifact])
            // Pushed under one digest, then under the other.
            try harness.push(subject.pushed(as: named, aliases: [long]))
            try harness.push(subject.pushed(as: isNamedByTheLongOne ? subject.digest : long, aliases: [long]))
            for manifest in [artifact, index] { try harness.push(manifest) }
            #expect(try harness.deleteManifest(index.digest) == .removed)
            #expect(try harness.settle(at: 500) == 0)
            #expect(try harness.has(artifact))
            // And lets go of it all the same.
            #expect(try harness.deleteManifest(subject.digest) == .removed)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try !harness.has(artifact))
        }
    }

    // MARK: Companions

    @Test func tagsThatStandForSomethingAboutAManifestGoWithIt() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            let other = try TestManifest.image(2)
            let signatures = try (3...5).map { try TestManifest.image($0) }
            let hex = image.digest.hex
            try harness.push(image, tags: ["latest"])
            try harness.push(other, tags: ["sha256-\(other.digest.hex).sig"])
            try harness.push(signatures[0], tags: ["sha256-\(hex).sig"])
            try harness.push(signatures[1], tags: ["sha256-\(hex).att", "sha256-\(hex).sbom", "kept"])
            try harness.push(signatures[2], tags: ["sha256-\(hex)", "sha256-\(hex).else"])
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.tags() == ["kept", "sha256-\(hex).else", "sha256-\(other.digest.hex).sig"].sorted())
            #expect(try harness.settle(at: 50) == 0)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try !harness.has(signatures[0]))
            #expect(try harness.has(signatures[1]))
            #expect(try harness.has(signatures[2]))
            #expect(try harness.problems() == [])
        }
    }

    /// The fallback of clients that know no referrers: an index under the subject's name (distribution specification 1.1,
    /// "Referrers Tag Schema").
    @Test func theFallbackIndexGoesWithItsSubjectAndItsOwnAfterIt() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            let artifact = try TestManifest.image(2)
            let fallback = try TestManifest.index(3, of: [artifact])
            try harness.push(image, tags: ["latest"])
            try harness.push(artifact)
            try harness.push(fallback, tags: ["sha256-\(image.digest.hex)"])
            #expect(try harness.deleteManifest(image.digest) == .removed)
            #expect(try harness.tags() == [])
            #expect(try harness.settle(at: 500) == 1)
            #expect(try harness.settle(at: 500) == 1)
            #expect(try harness.count("entry") == 0)
            #expect(try harness.problems() == [])
        }
    }

    @Test func companionsOfTheLongDigestAreCutAsClientsCutThem() async throws {
        try await withMetadata { (harness) async throws in
            try await harness.put([1])
            let image = try TestManifest.image(1)
            let long = try image.sha512
            try harness.push(image.pushed(as: long, aliases: [long]))
            try harness.push(try TestManifest.image(2), tags: ["sha512-\(long.hex.prefix(64))"])
            #expect(try harness.deleteManifest(long) == .removed)
            #expect(try harness.tags() == [])
        }
    }

    // MARK: Due times

    @Test func reviewsAreDueOldestFirstAndInBoundedNumber() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            try harness.use(try harness.row(of: images[0]), at: 60)
            #expect(try harness.settle(at: 70) == 0)
            let all = try harness.metadata.read { try $0.dueReviews(at: Harness.start + .seconds(1000), atMost: 9) }
            #expect(all.count == 2)
            // The one that was used has more time.
            let used = try harness.row(of: images[0])
            #expect(UsedRow.entry(all[1]) == used)
            let first = try harness.metadata.read { try $0.dueReviews(at: Harness.start + .seconds(1000), atMost: 1) }
            #expect(first == Array(all.prefix(1)))
        }
    }

    @Test func aReviewOfWhatIsGoneIsOver() async throws {
        try await Self.withIndex { (harness, images, index) async throws in
            #expect(try harness.deleteManifest(index.digest) == .removed)
            let due = try harness.metadata.read { try $0.dueReviews(at: Harness.start, atMost: 9) }
            for image in images { #expect(try harness.deleteManifest(image.digest) == .removed) }
            let going = try harness.metadata.write { transaction in
                try transaction.settleReviews(of: due, unusedSince: Harness.start, grace: Harness.grace)
            }.value
            #expect(going == [])
            #expect(try harness.count("review") == 0)
            #expect(try harness.problems() == [])
        }
    }
}
