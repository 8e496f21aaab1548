import Dispatch
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import Testing

@testable import LarderStore

/// A change that somebody makes to an image between the plan and the run.
enum ChangeSincePlan: String, CaseIterable, Sendable {
    case pushed, tagged, untagged, pinned, tagPinned, pulled, referredTo, deleted

    func make(to image: RegistryManifest, tag: String, in harness: StoreHarness) async throws {
        harness.time.advance(by: .seconds(1))
        switch self {
        case .pushed: try await harness.push(image)
        case .tagged: try await harness.push(image, tags: ["other"])
        case .untagged: _ = try await harness.deleteTag(tag)
        case .pinned: try await harness.pin(try harness.pinned(image))
        case .tagPinned: try await harness.pin(try harness.pinned(tag: tag))
        case .pulled:
            _ = try await harness.tagged(tag)
            try await harness.store.sweeper.writeUses()
        case .referredTo: try await harness.push(.index(of: [image]), tags: ["index"])
        case .deleted: _ = try await harness.deleteManifest(image.digest)
        }
    }
}

extension StoreHarness {
    fileprivate func prepareKeepLast(_ count: Int) async throws -> PreparedPlan {
        try await prepare(keepLast(count))
    }
}

/// Policies in registries: what goes, what goes with it, what becomes free, and what is on record.
@Suite
struct PruningTests {
    // MARK: What goes

    @Test
    func whatIsBeyondTheCountGoesWithAllThatBelongsToIt() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            let new = try await harness.pushFamily(2, tag: "new")
            let record = try await harness.prune(keepLast(1))
            #expect(record.counts.considered == 12)
            #expect(record.counts.removed == 6)
            #expect(record.counts.skipped == 0)
            #expect(try await harness.removedNames(by: record.id) == old.keys)
            #expect(try await harness.visible(old.all) == [])
            #expect(try await harness.visible(new.all) == [0, 1, 2, 3, 4, 5])
            #expect(try await harness.tagNames() == ["new", new.companionTag])
            #expect(try await harness.referrers(of: old.index.digest) == [])
            #expect(try await harness.referrers(of: old.children[0].digest) == [])
            #expect(try await harness.referrers(of: new.index.digest).count == 1)
            #expect(try harness.repository("images").entryCount == 6)
            #expect(try await harness.problems() == [])
            // A second run finds nothing to do.
            let again = try await harness.pruneNow()
            #expect(again.counts.considered == 6)
            #expect(again.counts.removed == 0)
        }
    }

    /// V1: who was answered reads it no more, although it was in memory.
    @Test
    func whatWasInTheHotSetIsReadNoMore() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            let long = try sha512(images[0].bytes)
            try await harness.push(images[0], as: long)
            let id = try harness.repository("images").id
            let items: [StoredName.Item] = [
                .tag(try StoreHarness.tag("v0")), .manifest(images[0].digest), .manifest(long),
                .entry(try harness.key("\(images[0].digest)")),
            ]
            for item in items {
                #expect(try await harness.read(item, in: "images") == images[0].bytes)
                #expect(harness.store.lookUp(StoredName(repository: id, item: item)) != nil)
            }
            try await harness.prune(keepLast(1))
            for item in items {
                #expect(harness.store.lookUp(StoredName(repository: id, item: item)) == nil)
                #expect(try await harness.read(item, in: "images") == nil)
            }
            #expect(try await harness.tagged("v1") == images[1].bytes)
        }
    }

    @Test
    func whatHasATagOfItsOwnOrAnotherIndexStays() async throws {
        try await withStore(retentionConfiguration) { harness in
            var images: [RegistryManifest] = []
            for number in 0..<3 {
                images.append(try await harness.pushNext(number, tags: number == 0 ? ["amd64"] : []))
            }
            let old = RegistryManifest.index(of: images, note: "old")
            try await harness.push(old, tags: ["old"])
            let signature = try await harness.pushImage(config: content(501, 10), about: old, tags: ["mine"])
            harness.time.advance(by: .seconds(60))
            let new = RegistryManifest.index(of: [images[1]], note: "new")
            try await harness.push(new, tags: ["new"])
            let record = try await harness.prune(keepLast(1))
            #expect(try await harness.removedNames(by: record.id) == ["\(old.digest)", "\(images[2].digest)"])
            #expect(try await harness.visible(images + [old, signature, new]) == [0, 1, 4, 5])
            #expect(try await harness.tagNames() == ["amd64", "mine", "new"])
            #expect(try await harness.problems() == [])
        }
    }

    /// A child of an index can't go before the index does, whatever its age.
    @Test
    func whatAnIndexKeepsIsNeitherCountedNorRemoved() async throws {
        try await withStore(retentionConfiguration) { harness in
            let family = try await harness.pushFamily(1, tag: "latest")
            let images = try await harness.pushSeries(10..<12)
            harness.time.advance(by: .seconds(60))
            try await harness.push(family.index, tags: ["again"])
            let lines = try await harness.previewLines(keepLast(3))
            #expect(lines["\(family.index.digest)"]?.verdict == .kept(rule: 1, .rank(3, of: 3)))
            #expect(lines["\(images[0].digest)"]?.verdict == .kept(rule: 1, .rank(2, of: 3)))
            #expect(try await harness.prune(keepLast(3)).counts.removed == 0)
            #expect(try await harness.visible(family.all) == [0, 1, 2, 3, 4, 5])
        }
    }

    // MARK: Previews

    @Test
    func aPreviewSaysWhatARunDoesAndChangesNothing() async throws {
        try await withStore(retentionConfiguration) { harness in
            var families: [ImageFamily] = []
            for number in 0..<4 {
                families.append(try await harness.pushFamily(number, tag: "v\(number)"))
            }
            try await harness.setPolicy(keepLast(1))
            let before = try await harness.census()
            #expect(before.problems == [])
            let preview = try await harness.preview()
            #expect(try await harness.census() == before)
            #expect(preview.policy == keepLast(1))
            #expect(preview.lines.count == 24)
            let removed = Set(preview.lines.filter(\.verdict.isRemoval).map(\.key))
            #expect(removed == families.dropLast().reduce(into: Set<String>()) { $0.formUnion($1.keys) })
            // A text of one's own says the same and is not kept.
            #expect(try await harness.preview(keepLast(1)).bytes == preview.bytes)
            let record = try await harness.pruneNow()
            #expect(try await harness.removedNames(by: record.id) == removed)
            #expect(record.counts.plannedBytes == preview.bytes)
            #expect(Int(record.counts.removed) == preview.removedCount)
            let bytes = Dictionary(uniqueKeysWithValues: preview.lines.map { ($0.key, $0.bytes) })
            for decision in try await harness.decisions(of: record.id) {
                #expect(bytes[decision.name] == decision.bytes)
            }
        }
    }

    @Test
    func aPreviewNeedsAPolicy() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.pushSeries(0..<1)
            let none = try await storeError { _ = try await harness.preview() }
            #expect(caseName(none) == "notFound")
            let run = try await storeError { try await harness.pruneNow() }
            #expect(caseName(run) == "notFound")
            let broken = try await storeError { _ = try await harness.preview("{}") }
            #expect(caseName(broken) == "malformed")
            let elsewhere = try await storeError { _ = try await harness.preview(keepLast(1), of: "nowhere") }
            #expect(caseName(elsewhere) == "notFound")
        }
    }

    // MARK: Bytes

    /// Layers that kept images, removed images and another repository share.
    @Test
    func whatIsPlannedIsWhatBecomesFree() async throws {
        try await withStore(retentionConfiguration) { harness in
            let layers = [
                [content(902, 6000), content(903, 7000), content(904, 8000)],
                [content(901, 5000), content(902, 6000), content(905, 9000)],
                [content(901, 5000), content(906, 4000)],
            ]
            var images: [RegistryManifest] = []
            for number in 0..<3 {
                harness.time.advance(by: .seconds(60))
                images.append(try await harness.pushImage(config: content(number, 10), layers: layers[number]))
            }
            try await harness.pushImage(config: content(9, 10), layers: [content(903, 7000)], in: "other")
            try await harness.setPolicy(keepLast(1))
            let planned = 6000 + 8000 + 9000 + 2 * 10 + images[0].size + images[1].size
            #expect(try await harness.preview().bytes == planned)
            let (used, linked) = (harness.used, try harness.repository("images").usedBytes)
            let record = try await harness.pruneNow()
            #expect(record.counts.plannedBytes == planned)
            #expect(record.freedBytes == 0)
            try await harness.quiet()
            let fileBytes = try harness.fileBytes()
            #expect(fileBytes == 39_000)
            #expect(harness.used == used)
            try await harness.endUndos()
            #expect(harness.used == used - planned)
            #expect(try harness.repository("images").usedBytes == linked - planned - 7000)
            #expect(try await harness.record(record.id).freedBytes == planned)
            try await harness.store.sweeper.sweep()
            try await harness.quiet()
            #expect(try harness.fileBytes() == fileBytes - 23_000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aFamilyFreesWhatItsPreviewSays() async throws {
        try await withStore(retentionConfiguration) { harness in
            let families = [
                try await harness.pushFamily(1, tag: "v1"), try await harness.pushFamily(2, tag: "v2"),
                try await harness.pushFamily(3, tag: "v3"),
            ]
            let used = harness.used
            let sizes = families[0].all.map(\.size).reduce(0, +) + families[1].all.map(\.size).reduce(0, +)
            let record = try await harness.prune(keepLast(1))
            #expect(record.counts.plannedBytes == sizes + 2 * (2 * 5000 + 5 * 10))
            try await harness.endUndos()
            #expect(harness.used == used - record.counts.plannedBytes)
            #expect(try await harness.record(record.id).freedBytes == record.counts.plannedBytes)
            #expect(try await harness.problems() == [])
            #expect(try await harness.removed().isEmpty)
        }
    }

    /// Without an undo everything goes in the run: no step of it is in the way of the next.
    @Test
    func withoutUndoARunRemovesAndFreesAtOnceWhatItPlanned() async throws {
        try await withStore(retentionConfiguration) { harness in
            var settings = RepositorySettings()
            settings.undoTime = .zero
            try await harness.createRegistry("images", settings)
            let old = try await harness.pushFamily(1, tag: "old")
            let new = try await harness.pushFamily(2, tag: "new")
            let used = harness.used
            let preview = try await harness.preview(keepLast(1))
            let record = try await harness.prune(keepLast(1))
            #expect(record.counts.skipped == 0)
            #expect(try await harness.removedNames(by: record.id) == old.keys)
            #expect(record.counts.plannedBytes == preview.bytes)
            #expect(record.freedBytes == preview.bytes)
            #expect(harness.used == used - preview.bytes)
            #expect(try await harness.removed().isEmpty)
            #expect(try await harness.visible(new.all).count == 6)
            #expect(try await harness.tagNames() == ["new", new.companionTag])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: The record

    @Test
    func aRunIsOnRecord() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<4)
            let started = harness.time.now
            let record = try await harness.prune(keepLast(2))
            #expect(record.repository == "images")
            #expect(record.reason == .person)
            #expect(record.actor == "tester")
            #expect(record.policy == keepLast(2))
            #expect(record.startedAt == started)
            #expect(record.endedAt == started)
            #expect(record.note == nil)
            #expect(record.counts.considered == 4)
            #expect(record.counts.removed == 2)
            #expect(record.counts.tags == 0)
            #expect(record.counts.archived == 0)
            #expect(record.counts.plannedBytes == 2 * 5010 + images[0].size + images[1].size)
            let decisions = try await harness.decisions(of: record.id)
            #expect(decisions.map(\.name) == ["\(images[0].digest)", "\(images[1].digest)"])
            #expect(decisions.map(\.tags) == [["v0"], ["v1"]])
            #expect(decisions.map(\.outcome) == [.removed, .removed])
            #expect(decisions.map(\.rule) == [1, 1])
            #expect(
                decisions.map(\.explanation)
                    == ["rule 1: number 4, and 2 are kept", "rule 1: number 3, and 2 are kept"]
            )
            #expect(decisions.map(\.bytes) == [5010 + images[0].size, 5010 + images[1].size])
            let second = try await harness.pruneNow(actor: "somebody")
            #expect(try await harness.runs().map(\.id) == [second.id, record.id])
            let missing = try await storeError { _ = try await harness.record(second.id + 1) }
            #expect(caseName(missing) == "notFound")
        }
    }

    @Test
    func whatGoesWithSomethingSaysWithWhat() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            let record = try await harness.prune(keepLast(1))
            let decisions = try await harness.decisions(of: record.id)
            #expect(decisions.first?.name == "\(old.index.digest)")
            for decision in decisions.dropFirst() {
                #expect(decision.rule == nil)
                let holder = decision.name == "\(old.attestation.digest)" ? old.children[0] : old.index
                #expect(decision.explanation == "goes with \(holder.digest)")
            }
            let removed = try await harness.removed()
            #expect(removed.count == 6)
            for entry in removed {
                #expect(entry.run == record.id)
                #expect(entry.root == (entry.key == "\(old.index.digest)" ? nil : "\(old.index.digest)"))
                #expect(entry.undoUntil - entry.removedAt == .seconds(24 * 3600))
            }
        }
    }

    @Test
    func oneRunGoesOnInARepositoryAtATime() async throws {
        var oneThread = retentionConfiguration
        oneThread.fileThreadCount = 1
        try await withStore(oneThread) { harness in
            try await harness.pushSeries(0..<3)
            // A default policy is in memory, so that a second run is refused before it needs a thread.
            try await harness.store.setDefaultPolicy(keepLast(1), of: .registry)
            let gate = DispatchSemaphore(value: 0)
            harness.store.pool.submit { gate.wait() }
            try await withThrowingTaskGroup(of: RunRecord.self) { group in
                group.addTask { try await harness.pruneNow() }
                defer { gate.signal() }
                try await waitUntil("the first run has begun") {
                    try !harness.store.metadata.read { try $0.runs(in: nil, before: nil, atMost: 1) }.isEmpty
                }
                let error = try await storeError { try await harness.pruneNow() }
                #expect(caseName(error) == "notAllowed")
                gate.signal()
                #expect(try await group.next()?.counts.removed == 2)
            }
            #expect(try await harness.runs().count == 1)
            #expect(try await harness.pruneNow().counts.removed == 0)
        }
    }

    // MARK: What changed meanwhile

    @Test(arguments: ChangeSincePlan.allCases)
    func whatChangedSinceThePlanStays(change: ChangeSincePlan) async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<3)
            let prepared = try await harness.prepareKeepLast(1)
            try await change.make(to: images[0], tag: "v0", in: harness)
            let decisions = try await harness.carryOut(prepared)
            #expect(decisions.map(\.name) == images.dropLast().map { "\($0.digest)" })
            #expect(decisions.map(\.outcome) == [.changed, .removed])
            #expect(decisions[0].bytes == 0)
            #expect(try await harness.visible(images) == (change == .deleted ? [2] : [0, 2]))
            let isHidden = try await harness.hiddenKeys().contains("\(images[0].digest)")
            #expect(isHidden == (change == .deleted))
            #expect(try await harness.problems() == [])
        }
    }

    /// What belongs to an image that was rescued stays with it, whether it says so by its subject or by its tag.
    @Test(arguments: [ChangeSincePlan.pulled, .pinned, .tagged])
    func whatBelongsToWhatChangedSinceThePlanStaysToo(change: ChangeSincePlan) async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            let prepared = try await harness.prepareKeepLast(1)
            try await change.make(to: old.index, tag: "old", in: harness)
            let decisions = try await harness.carryOut(prepared)
            #expect(decisions.count == 6)
            #expect(decisions.allSatisfy { $0.outcome == .changed })
            #expect(try await harness.visible(old.all) == [0, 1, 2, 3, 4, 5])
            #expect(try await harness.tagNames().contains(old.companionTag))
        }
    }

    @Test
    func aTagThatWasGivenAnewSinceThePlanStays() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.push(images[0], tags: ["a", "b"])
            harness.time.advance(by: .seconds(60))
            try await harness.push(images[0], tags: ["c"])
            let prepared = try await harness.prepare(
                expiring(
                    #""tagStatus":"tagged","include":{"tags":["a","b","c"]},"target":"tags","#
                        + #""countType":"imageCountMoreThan","countNumber":1"#
                )
            )
            harness.time.advance(by: .seconds(1))
            try await harness.push(images[1], tags: ["a"])
            let decisions = try await harness.carryOut(prepared)
            #expect(decisions.map(\.tags).sorted { $0[0] < $1[0] } == [["a"], ["b"]])
            #expect(Set(decisions.map { "\($0.tags[0]) \($0.outcome.rawValue)" }) == ["a changed", "b tag removed"])
            #expect(try await harness.tagged("a") == images[1].bytes)
            #expect(try await harness.tagNames() == ["a", "c", "v0", "v1"])
        }
    }
}
