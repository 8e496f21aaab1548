import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

@testable import LarderStore

private let hour = Duration.seconds(3600)

extension StoreHarness {
    /// Frees all that nothing keeps, wherever it waits.
    fileprivate func clearAway() async throws {
        time.advance(by: .seconds(25 * 3600))
        try await store.pruner.endUndos()
        time.advance(by: .seconds(2 * 3600))
        try await store.registrySweeper.sweep()
        try await store.registrySweeper.sweep()
    }

    /// Why something can't be restored; nil when it was.
    fileprivate func refusal(of digest: Digest, as tags: [String]? = nil) async throws -> String? {
        caseName(try await storeError { try await restore(digest, as: tags) })
    }
}

/// What a run or a person removed can be brought back, whole, until its time is over.
@Suite
struct UndoTests {
    // MARK: Restoring

    @Test(arguments: [true, false])
    func whatARunHidComesBackWithAllThatWentWithIt(isByTag: Bool) async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.push(old.index, tags: ["older"])
            let new = try await harness.pushFamily(2, tag: "new")
            let before = try await harness.census()
            try await harness.prune(keepLast(1))
            let hidden = try await harness.removed()
            #expect(Set(hidden.map(\.key)) == old.keys)
            #expect(hidden.first { $0.root == nil }?.tags.sorted() == ["old", "older"])
            let result =
                isByTag ? try await harness.restore(tag: "older") : try await harness.restore(old.index.digest)
            #expect(Set(result.keys) == old.keys)
            #expect(result.tags.sorted() == ["old", "older", old.companionTag])
            #expect(result.takenTags == [])
            let after = try await harness.census()
            #expect(after.visibleKeys == before.visibleKeys)
            #expect(after.tags == before.tags)
            #expect(after.usedBytes == before.usedBytes)
            #expect(after.entryCount == 12)
            #expect(after.problems == [])
            #expect(try await harness.removed().isEmpty)
            for tag in ["old", "older"] { #expect(try await harness.tagged(tag) == old.index.bytes) }
            #expect(try await harness.tagged(old.companionTag) == old.companion.bytes)
            for manifest in old.all { #expect(try await harness.manifest(manifest.digest) == manifest.bytes) }
            #expect(try await harness.referrers(of: old.index.digest).count == 1)
            #expect(try await harness.referrers(of: old.children[0].digest).count == 1)
            // The end of the undo time takes nothing of it.
            try await harness.clearAway()
            #expect(try await harness.visible(old.all + new.all).count == 12)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aTagThatNamesSomethingElseByNowIsLeftThere() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.prune(keepLast(1))
            try await harness.push(images[1], tags: ["v0"])
            #expect(try await harness.refusal(of: images[0].digest) == "conditionFailed")
            let byTag = try await storeError { try await harness.restore(tag: "v0") }
            #expect(caseName(byTag) == "conditionFailed")
            #expect(try await harness.visible(images) == [1])
            #expect(try await harness.hiddenKeys() == ["\(images[0].digest)"])
            #expect(try await harness.tagged("v0") == images[1].bytes)
            let result = try await harness.restore(images[0].digest, as: ["back", "v0-old"])
            #expect(result.tags.sorted() == ["back", "v0-old"])
            #expect(try await harness.tagged("back") == images[0].bytes)
            #expect(try await harness.tagged("v0") == images[1].bytes)
            #expect(try await harness.tagNames() == ["back", "v0", "v0-old", "v1"])
            #expect(try await harness.problems() == [])
        }
    }

    /// Whoever names a tag says that it may move.
    @Test
    func aTagThatIsNamedMoves() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.prune(keepLast(1))
            try await harness.restore(images[0].digest, as: ["v1"])
            #expect(try await harness.tagged("v1") == images[0].bytes)
            #expect(try await harness.tagged("v0") == nil)
            #expect(try await harness.visible(images) == [0, 1])
        }
    }

    @Test
    func anImmutableTagStaysWhereItIs() async throws {
        try await withStore(retentionConfiguration) { harness in
            var settings = RepositorySettings()
            settings.tagsAreImmutable = true
            try await harness.createRegistry("images", settings)
            let images = try await harness.pushSeries(0..<2)
            try await harness.prune(keepLast(1))
            try await harness.push(images[1], tags: ["v0"])
            #expect(try await harness.refusal(of: images[0].digest) == "conditionFailed")
            #expect(try await harness.refusal(of: images[0].digest, as: ["v0"]) == "notAllowed")
            #expect(try await harness.tagged("v0") == images[1].bytes)
            #expect(try await harness.visible(images) == [1])
            #expect(try await harness.refusal(of: images[0].digest, as: ["v2"]) == nil)
            #expect(try await harness.tagged("v2") == images[0].bytes)
        }
    }

    @Test
    func whatIsNotAmongTheRemovedIsNotFound() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<1)
            #expect(try await harness.refusal(of: images[0].digest) == "notFound")
            #expect(try await harness.refusal(of: IncrementalHasher.digest(of: [1])) == "notFound")
            for tag in ["v0", "other"] {
                let error = try await storeError { try await harness.restore(tag: tag) }
                #expect(caseName(error) == "notFound")
            }
        }
    }

    /// Of two that had the tag, it names the one that lost it last; the other has its own history.
    @Test
    func eachOfTwoThatHadATagComesBackUnderIt() async throws {
        try await withStore(retentionConfiguration) { harness in
            let first = try await harness.pushNext(0, tags: ["latest"])
            #expect(try await harness.deleteManifest(first.digest) == .removed)
            let second = try await harness.pushNext(1, tags: ["latest"])
            harness.time.advance(by: .seconds(1))
            #expect(try await harness.deleteManifest(second.digest) == .removed)
            #expect(try await harness.restore(tag: "latest").keys == ["\(second.digest)"])
            #expect(try await harness.tagged("latest") == second.bytes)
            // It had this tag, which is taken by now.
            #expect(try await harness.refusal(of: first.digest) == "conditionFailed")
            #expect(try await harness.refusal(of: first.digest, as: ["first"]) == nil)
            #expect(try await harness.tagged("first") == first.bytes)
        }
    }

    /// The tag went before its image did.
    @Test
    func aTagThatWentFirstBringsItsImageBackUnderIt() async throws {
        try await withStore(retentionConfiguration) { harness in
            let image = try await harness.pushNext(0, tags: ["a", "b"])
            harness.time.advance(by: .seconds(1))
            #expect(try await harness.deleteTag("a"))
            harness.time.advance(by: .seconds(1))
            #expect(try await harness.deleteManifest(image.digest) == .removed)
            let result = try await harness.restore(tag: "a")
            #expect(result.keys == ["\(image.digest)"])
            #expect(result.tags.contains("a"))
            #expect(try await harness.tagged("a") == image.bytes)
        }
    }

    @Test
    func whatCanBeRestoredSurvivesAReopening() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let families = try await withStore(retentionConfiguration, in: folder, time: time) { harness in
                let families = [
                    try await harness.pushFamily(1, tag: "old"), try await harness.pushFamily(2, tag: "new"),
                ]
                try await harness.prune(keepLast(1))
                return families
            }
            try await withStore(retentionConfiguration, in: folder, time: time) { harness in
                #expect(try await harness.hiddenKeys() == families[0].keys)
                #expect(try harness.repository("images").entryCount == 6)
                #expect(try await harness.tagged("old") == nil)
                try await harness.restore(tag: "old")
                #expect(try await harness.tagged("old") == families[0].index.bytes)
                #expect(try harness.repository("images").entryCount == 12)
                #expect(try await harness.problems() == [])
            }
        }
    }

    // MARK: Pushing it again

    @Test(arguments: [true, false])
    func pushingItAgainBringsItBack(withTag: Bool) async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.prune(keepLast(1))
            let used = harness.used
            if withTag {
                try await harness.push(images[0], tags: ["again"])
            } else {
                try await harness.push(images[0], as: images[0].digest)
            }
            #expect(try await harness.manifest(images[0].digest) == images[0].bytes)
            #expect(try await harness.tagNames() == (withTag ? ["again", "v1"] : ["v1"]))
            #expect(try await harness.hiddenKeys() == [])
            #expect(try harness.repository("images").entryCount == 2)
            #expect(harness.used == used)
            #expect(try await harness.problems() == [])
            // A tag that was not given again can still be.
            #expect(try await harness.restore(tag: "v0").tags == ["v0"])
            try await harness.clearAway()
            #expect(try await harness.visible(images) == [0, 1])
        }
    }

    @Test
    func pushingAnIndexAgainBringsBackWhatWentWithIt() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            try await harness.prune(keepLast(1))
            try await harness.push(old.index, tags: ["old"])
            #expect(try await harness.visible(old.all) == [0, 1, 2, 3, 4, 5])
            #expect(try await harness.tagNames() == ["old", old.companionTag, "v5"])
            // What is there is no longer among what can be restored.
            #expect(try await harness.removed().isEmpty)
            #expect(try await harness.problems() == [])
        }
    }

    /// For whoever pushes it, it is new, as it would be without an undo: the next run must not take it again.
    @Test
    func aPushOfWhatWasRemovedCountsAsItsPush() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<3)
            try await harness.prune(keepLast(2))
            harness.time.advance(by: .seconds(60))
            try await harness.push(images[0], tags: ["v0"])
            try await harness.pruneNow()
            #expect(try await harness.visible(images) == [0, 2])
            #expect(try await harness.tagged("v0") == images[0].bytes)
        }
    }

    @Test
    func anIndexThatNamesWhatIsHiddenBringsItBack() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            try await harness.prune(keepLast(1))
            let index = RegistryManifest.index(of: old.children, note: "another")
            try await harness.push(index, tags: ["another"])
            #expect(try await harness.visible(old.all) == [1, 2])
            #expect(try await harness.tagged("another") == index.bytes)
            #expect(try await harness.problems() == [])
            try await harness.clearAway()
            #expect(try await harness.visible(old.children) == [0, 1])
            #expect(try await harness.visible([old.index, old.signature, old.companion]) == [])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: What a person removed

    @Test
    func whatAPersonDeletedComesBack() async throws {
        try await withStore(retentionConfiguration) { harness in
            let family = try await harness.pushFamily(1, tag: "latest")
            let before = try await harness.census()
            #expect(try await harness.deleteManifest(family.index.digest) == .removed)
            #expect(try await harness.deleteManifest(family.index.digest) == .missing)
            // What belongs to it waits, and no rule takes it meanwhile.
            #expect(try await harness.visible(family.all) == [1, 2, 3, 4, 5])
            try await harness.pushNext(5)
            #expect(try await harness.prune(keepLast(1)).counts.removed == 0)
            let entry = try #require(try await harness.removed().first)
            #expect(entry.run == nil)
            #expect(entry.tags == ["latest"])
            harness.time.advance(by: hour * 23)
            try await harness.store.pruner.endUndos()
            try await harness.store.registrySweeper.sweep()
            try await harness.restore(tag: "latest")
            let after = try await harness.census()
            #expect(Set(after.visibleKeys).isSuperset(of: before.visibleKeys))
            #expect(after.removedKeys == [])
            #expect(after.problems == [])
            #expect(try await harness.tagged("latest") == family.index.bytes)
            try await harness.clearAway()
            #expect(try await harness.visible(family.all) == [0, 1, 2, 3, 4, 5])
        }
    }

    @Test
    func aTagThatAPersonDeletedComesBack() async throws {
        try await withStore(retentionConfiguration) { harness in
            let image = try await harness.pushNext(0, tags: ["a", "b"])
            #expect(try await harness.deleteTag("a"))
            #expect(try await harness.tagged("a") == nil)
            let entry = try #require(try await harness.removed().first)
            #expect(entry.isVisible)
            #expect(entry.tags == ["a"])
            #expect(try await harness.restore(tag: "a", as: ["c"]).tags == ["c"])
            #expect(try await harness.tagNames() == ["b", "c"])
            #expect(try await harness.removed().isEmpty)
            #expect(try await harness.deleteTag("c"))
            try await harness.endUndos()
            let error = try await storeError { try await harness.restore(tag: "c") }
            #expect(caseName(error) == "notFound")
            #expect(try await harness.tagged("b") == image.bytes)
        }
    }

    @Test
    func anEntryOfACacheComesBackWhereCachesHaveAnUndo() async throws {
        var configuration = retentionConfiguration
        configuration.cacheUndoTime = hour
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, 2000))
            #expect(try await harness.entry("key") != nil)
            #expect(try await harness.delete("key"))
            #expect(try await harness.entry("key") == nil)
            #expect(harness.used == 2000)
            let main = try harness.name("main")
            _ = try await harness.store.restore(.entry(try harness.key("key")), tags: nil, in: main)
            #expect(try await harness.entry("key") == content(1, 2000))
            #expect(try await harness.delete("key"))
            try await harness.endUndos(after: hour)
            #expect(try await harness.emptiness() == [])
        }
    }

    // MARK: The end

    @Test
    func afterTheUndoTimeEverythingIsGoneForGood() async throws {
        try await withStore(retentionConfiguration) { harness in
            let families = [
                try await harness.pushFamily(1, tag: "v1"), try await harness.pushFamily(2, tag: "v2"),
                try await harness.pushFamily(3, tag: "v3"),
            ]
            try await harness.prune(keepLast(1))
            #expect(try await harness.deleteManifest(families[2].index.digest) == .removed)
            #expect(try await harness.deleteTag(families[2].companionTag))
            try await harness.endUndos(after: hour * 23)
            #expect(try await harness.hiddenKeys().count == 13)
            try await harness.clearAway()
            #expect(try await harness.removed().isEmpty)
            #expect(try await harness.refusal(of: families[0].index.digest) == "notFound")
            // The companion is an image like others since it lost its tag.
            #expect(try await harness.visible(families[2].all) == [4])
            #expect(try await harness.deleteManifest(families[2].companion.digest) == .removed)
            try await harness.clearAway()
            #expect(try await harness.emptiness() == [])
            #expect(try harness.repository("images").usedBytes == 0)
        }
    }

    @Test
    func withoutUndoWhatAPersonDeletesIsGone() async throws {
        try await withStore(registryConfiguration) { harness in
            let images = try await harness.pushSeries(0..<1)
            #expect(try await harness.deleteTag("v0"))
            #expect(try await harness.deleteManifest(images[0].digest) == .removed)
            #expect(try await harness.removed().isEmpty)
            #expect(try await harness.refusal(of: images[0].digest) == "notFound")
            // D2: its blobs wait for the sweeper.
            #expect(harness.used == 5010)
            harness.time.advance(by: hour)
            try await harness.store.registrySweeper.sweep()
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func aRepositoryMayHaveAnUndoTimeOfItsOwn() async throws {
        try await withStore(retentionConfiguration) { harness in
            var settings = RepositorySettings()
            settings.undoTime = hour
            try await harness.createRegistry("images", settings)
            let images = try await harness.pushSeries(0..<3)
            let others = try await harness.pushSeries(10..<12, in: "other")
            try await harness.prune(keepLast(1))
            try await harness.prune(keepLast(1), in: "other")
            #expect(try await harness.removed().map { $0.undoUntil - $0.removedAt } == [hour, hour])
            try await harness.restore(images[1].digest)
            try await harness.endUndos(after: hour)
            #expect(try await harness.hiddenKeys() == [])
            #expect(try await harness.refusal(of: images[0].digest) == "notFound")
            #expect(try await harness.hiddenKeys(in: "other") == ["\(others[0].digest)"])
            // What is removed from now on has the new time.
            settings.undoTime = hour * 2
            _ = try await harness.store.setRepository(try harness.name("images"), settings)
            #expect(try await harness.deleteManifest(images[1].digest) == .removed)
            #expect(try await harness.removed().map { $0.undoUntil - $0.removedAt } == [hour * 2])
        }
    }

    // MARK: What is shared

    @Test(arguments: [true, false])
    func aChildOfTwoIndexesThatWentAtDifferentTimes(isRestored: Bool) async throws {
        try await withStore(retentionConfiguration) { harness in
            let child = try await harness.pushNext(0, tags: [])
            let first = RegistryManifest.index(of: [child], note: "first")
            let second = RegistryManifest.index(of: [child], note: "second")
            try await harness.push(first, tags: ["first"])
            try await harness.push(second, tags: ["second"])
            #expect(try await harness.deleteManifest(first.digest) == .removed)
            harness.time.advance(by: hour * 10)
            #expect(try await harness.visible([first, second, child]) == [1, 2])
            try await harness.pushNext(5)
            let record = try await harness.prune(keepLast(1))
            #expect(try await harness.removedNames(by: record.id) == ["\(second.digest)", "\(child.digest)"])
            if isRestored {
                try await harness.restore(tag: "first")
                #expect(try await harness.visible([first, second, child]) == [0, 2])
                try await harness.clearAway()
                #expect(try await harness.visible([first, second, child]) == [0, 2])
            } else {
                try await harness.endUndos(after: hour * 14)
                try await harness.store.registrySweeper.sweep()
                #expect(try await harness.hiddenKeys() == ["\(second.digest)", "\(child.digest)"])
                try await harness.restore(tag: "second")
                #expect(try await harness.visible([first, second, child]) == [1, 2])
                try await harness.clearAway()
                #expect(try await harness.visible([first, second, child]) == [1, 2])
            }
            #expect(try await harness.manifest(child.digest) == child.bytes)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aBlobThatOnlyHiddenManifestsNeedCanBeDeleted() async throws {
        try await withStore(retentionConfiguration) { harness in
            let images = try await harness.pushSeries(0..<2)
            try await harness.prune(keepLast(1))
            let layers = [1, 11].map { IncrementalHasher.digest(of: content($0, 5000)) }
            #expect(try await harness.deleteBlob(layers[1]) == .inUse)
            #expect(try await harness.deleteBlob(layers[0]) == .removed)
            #expect(try await harness.blob(layers[0], in: "images") == nil)
            #expect(try await harness.refusal(of: images[0].digest) == "notFound")
            #expect(try await harness.hiddenKeys() == [])
            #expect(try await harness.problems() == [])
        }
    }

    /// W2, also backwards: no undo brings back half of an image.
    @Test
    func anIndexWhoseImageLostABlobCannotBeRestored() async throws {
        try await withStore(retentionConfiguration) { harness in
            let old = try await harness.pushFamily(1, tag: "old")
            try await harness.pushNext(5)
            try await harness.prune(keepLast(1))
            #expect(try await harness.deleteBlob(IncrementalHasher.digest(of: content(12, 5000))) == .removed)
            #expect(try await harness.refusal(of: old.index.digest) == "notFound")
            #expect(try await harness.visible(old.all) == [])
            let error = try await storeError { try await harness.push(old.index, tags: ["old"]) }
            #expect(caseName(error) == "missingContent")
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Quotas

    @Test
    func whatIsHiddenNoLongerCountsAsAnEntry() async throws {
        try await withStore(retentionConfiguration) { harness in
            try await harness.createRegistry("images", RepositorySettings(quotaEntries: 2))
            let images = try await harness.pushSeries(0..<2)
            #expect(try await harness.deleteManifest(images[0].digest) == .removed)
            #expect(try harness.repository("images").entryCount == 1)
            let third = try await harness.pushNext(2)
            #expect(try await harness.visible(images + [third]) == [1, 2])
            // What comes back by a push counts again.
            let error = try await storeError { try await harness.push(images[0], tags: ["v0"]) }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try harness.repository("images").entryCount == 2)
            #expect(harness.reserved == 0)
            #expect(try await harness.problems() == [])
        }
    }
}
