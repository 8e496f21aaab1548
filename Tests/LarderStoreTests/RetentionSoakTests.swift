import Foundation
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// Clients push, mount, tag and delete while policies, the end of undo and the sweepers run all the time, with hardly any
/// grace: what was acknowledged, and what no rule may remove, is there whole.
///
/// `LARDER_SOAK_PUSHES` makes it longer; `LARDER_TEST_SEED` repeats the choices, though not the order of the tasks.
@Suite
struct RetentionSoakTests {
    private static let pushCount =
        ProcessInfo.processInfo.environment["LARDER_SOAK_PUSHES"].flatMap { Int($0) } ?? 20_000

    @Test
    func nothingAcknowledgedIsBrokenAndNothingProtectedGoes() async throws {
        let seed = testSeed()
        print("retention soak: LARDER_TEST_SEED=\(seed)")
        let place: Comment = "LARDER_TEST_SEED=\(seed)"
        var configuration = registryConfiguration
        // Less than a step of the clock: clients must often send again what they were told is there.
        configuration.unreferencedAge = .milliseconds(200)
        configuration.guaranteedAge = .zero
        try await withStore(configuration) { (harness) async throws in
            let ledger = SoakLedger(pushCount: Self.pushCount, safe: Soak.safe)
            let soak = Soak(seed: seed, harness: harness, ledger: ledger)
            try await soak.prepare()
            try await soak.run()
            try await soak.checkEverything()
            try #require(ledger.findings == [], place)
            #expect(try await harness.problems() == [], place)

            let counts = ledger.counts
            #expect(counts.pushes >= Self.pushCount, place)
            // Otherwise it tests nothing.
            #expect(counts.refusals > 0, "\(counts), LARDER_TEST_SEED=\(seed)")
            #expect(counts.pruned > Int64(counts.pushes / 20), "\(counts), LARDER_TEST_SEED=\(seed)")
            #expect(counts.surrenders * 50 <= counts.pushes, "\(counts), LARDER_TEST_SEED=\(seed)")

            try await soak.removeEverythingElse()
            try soak.checkSpace()
            try await soak.checkEverything()
            #expect(ledger.findings == [], place)
            #expect(try await harness.problems() == [], place)
        }
    }
}

/// All tasks of the soak, and what they share.
private struct Soak: Sendable {
    /// Repositories with policies.
    static let pruned = ["app", "lib", "web"]
    /// Has no policy, and nobody deletes anything there.
    static let safe = "base"
    static var all: [String] { pruned + [safe] }

    private static let pusherCount = 8
    private static let attemptMax = 12
    private static let tagCount = 20
    /// Of manual time between two steps, in milliseconds.
    private static let stepMax: Int64 = 300

    let seed: UInt64
    let harness: StoreHarness
    let ledger: SoakLedger

    func prepare() async throws {
        for repository in Self.all {
            var settings = RepositorySettings()
            settings.undoTime = .seconds(SoakPolicies.undoTimes[repository] ?? 0)
            try await harness.createRegistry(repository, settings)
            guard let policy = SoakPolicies.texts[repository] else { continue }
            try await harness.store.setPolicy(policy, of: try harness.name(repository))
        }
    }

    /// Until enough was pushed.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.pusherCount {
                group.addTask { try await repeating(number) { try await pushSomething(&$0) } }
            }
            group.addTask { try await repeating(20, every: 4) { try await disturb(&$0) } }
            group.addTask { try await repeating(30, every: 60) { try await prune(&$0) } }
            group.addTask { try await repeating(40, every: 25) { _ in try await sweep() } }
            group.addTask { try await repeating(50, every: 100) { try await audit(&$0) } }
            for number in 60...61 {
                group.addTask { try await repeating(number, every: 3) { try await readSomething(&$0) } }
            }
            // The first failure ends all.
            for try await _ in group {}
        }
    }

    /// Does something over and over, each time after so many further pushes.
    private func repeating(
        _ number: Int,
        every count: Int = 0,
        _ work: (inout SeededGenerator) async throws -> Void
    ) async throws {
        var chance = SeededGenerator(seed: seed &+ UInt64(number))
        while !ledger.isOver {
            try Task.checkCancellation()
            if count > 0 { try await ledger.progress(by: count) }
            try await work(&chance)
        }
    }
}

// MARK: - Clients

extension Soak {
    private func pushSomething(_ chance: inout SeededGenerator) async throws {
        let roll = Int.random(in: 0..<1000, using: &chance)
        if roll < 80, let place = ledger.anyRecent(using: &chance) {
            // From one repository to another, or again to where it was.
            let item = SoakItem(place.number)
            let repository = anyPruned(&chance)
            let tags = someTags(item, &chance)
            if try await push(item, tags: tags, in: repository, &chance) { ledger.noteRecent(item, in: repository) }
            return
        }
        let group = ledger.takeGroup()
        let main = SoakItem(SoakItem.main(of: group))
        let mayProtect = ledger.mayProtect
        let repository = mayProtect && roll < 130 ? Self.safe : anyPruned(&chance)
        var (tags, isKept) = (someTags(main, &chance), false)
        if mayProtect && (130..<146).contains(roll) { (tags, isKept) = (tags + ["keep-\(group)"], true) }
        let isPinned = mayProtect && (146..<153).contains(roll)
        if isPinned { tags = ["pin-\(group)"] }
        guard try await push(main, tags: tags, in: repository, &chance) else { return }
        if isPinned { isKept = try await pin("pin-\(group)", in: repository) }
        if isKept { ledger.protect(main, in: repository, isPinned: isPinned) }
        let isFree = !isKept && repository != Self.safe
        if isFree { ledger.noteRecent(main, in: repository) }
        for number in SoakItem.referrers(of: group) {
            let item = SoakItem(number)
            guard try await push(item, tags: [], in: repository, &chance) else { return }
            if isKept { ledger.protect(item, in: repository) }
            if isFree { ledger.noteRecent(item, in: repository) }
        }
    }

    private func anyPruned(_ chance: inout SeededGenerator) -> String {
        Self.pruned[Int.random(in: 0..<Self.pruned.count, using: &chance)]
    }

    /// A tag that moves from image to image.
    private func movingTag(_ chance: inout SeededGenerator) -> String {
        "main-\(Int.random(in: 0..<Self.tagCount, using: &chance))"
    }

    private func someTags(_ item: SoakItem, _ chance: inout SeededGenerator) -> [String] {
        switch Int.random(in: 0..<10, using: &chance) {
        case 0..<4: [movingTag(&chance)]
        case 4..<6: ["v\(item.group)"]
        case 6: [movingTag(&chance), "v\(item.group)"]
        default: []
        }
    }

    /// Pins what a tag names; false when it is gone already.
    private func pin(_ tag: String, in repository: String) async throws -> Bool {
        let name = try harness.name(repository)
        let item = PinnedItem.tag(try StoreHarness.tag(tag))
        let error = try await storeError {
            try await harness.store.pin(item, reason: "deployed", until: nil, in: name)
        }
        return error == nil
    }

    /// Asks for each blob, mounts or sends what is missing, then puts the manifest; sends again what is gone by then.
    ///
    /// - Returns: false when that was in vain.
    private func push(
        _ item: SoakItem,
        tags: [String],
        in repository: String,
        _ chance: inout SeededGenerator
    ) async throws -> Bool {
        ledger.begin(item, in: repository)
        defer { ledger.end(item, in: repository) }
        var missing: [Digest]?
        for _ in 0..<Self.attemptMax {
            harness.time.advance(by: .milliseconds(Int64.random(in: 0...Self.stepMax, using: &chance)))
            for child in item.children {
                if try await harness.manifest(child.digest, in: repository) != nil { continue }
                guard try await push(child, tags: [], in: repository, &chance) else { return false }
            }
            for blob in item.blobs {
                if let missing, !missing.contains(blob.digest) { continue }
                if missing == nil, try await find(blob, in: repository, &chance) { continue }
                try await send(blob, in: repository, &chance)
            }
            do {
                try await harness.push(item.manifest, tags: tags, in: repository)
                ledger.acknowledge(item, in: repository)
                return true
            } catch StoreError.missingContent(let digests) {
                ledger.noteRefusal()
                missing = digests
            }
        }
        ledger.noteSurrender()
        return false
    }

    /// Whether a blob is there, or can be mounted.
    private func find(_ blob: SoakBlob, in repository: String, _ chance: inout SeededGenerator) async throws -> Bool {
        let name = StoredName(repository: try harness.repository(repository).id, item: .blob(blob.digest))
        if case .found = try await harness.store.read(name) { return true }
        switch Int.random(in: 0..<4, using: &chance) {
        case 0: return false
        case 1: return try await harness.mount(blob.digest, from: nil, in: repository)
        default:
            let source = Self.all[Int.random(in: 0..<Self.all.count, using: &chance)]
            return try await harness.mount(blob.digest, from: source, in: repository)
        }
    }

    /// In one request, or now and then in pieces.
    private func send(_ blob: SoakBlob, in repository: String, _ chance: inout SeededGenerator) async throws {
        guard Int.random(in: 0..<12, using: &chance) == 0 else {
            try await harness.pushBlob(blob.bytes, in: repository)
            return
        }
        let (id, name) = (ledger.takeUploadID(), try harness.name(repository))
        try await harness.store.beginUpload(id, in: name)
        let outcome = try await harness.store.finishUpload(
            id,
            in: name,
            as: blob.digest,
            at: 0,
            body: Chunks(blob.bytes, each: 500),
            length: Int64(blob.bytes.count)
        )
        if outcome != .accepted(length: Int64(blob.bytes.count)) { ledger.note("an upload ended with \(outcome)") }
    }
}

// MARK: - People, policies, sweepers

extension Soak {
    /// Moves and removes tags, removes manifests and blobs, brings manifests back.
    private func disturb(_ chance: inout SeededGenerator) async throws {
        guard let place = ledger.anyRecent(using: &chance) else { return }
        let (item, name) = (SoakItem(place.number), try harness.name(place.repository))
        switch Int.random(in: 0..<14, using: &chance) {
        case 0..<4: try await retag(item, in: place.repository, &chance)
        case 4..<6: _ = try await harness.deleteTag(movingTag(&chance), in: place.repository)
        case 6..<9: _ = try await harness.deleteManifest(item.digest, in: place.repository)
        case 9:
            let child = item.children.randomElement(using: &chance) ?? item
            _ = try await harness.deleteManifest(child.digest, in: place.repository)
        case 10:
            let layer = SoakBlob.layers[Int.random(in: 0..<SoakBlob.layers.count, using: &chance)]
            _ = try await harness.deleteBlob(layer.digest, in: place.repository)
        case 11:
            guard let blob = item.closure.flatMap(\.blobs).randomElement(using: &chance) else { return }
            _ = try await harness.deleteBlob(blob.digest, in: place.repository)
        case 12:
            guard let key = EntryKey(item.key) else { return }
            ledger.begin(item, in: place.repository)
            defer { ledger.end(item, in: place.repository) }
            switch try await storeError({ _ = try await harness.store.restore(.entry(key), tags: nil, in: name) }) {
            case nil, .notFound, .conditionFailed: break
            case let error?: ledger.note("to restore \(item.number) in \(name) failed: \(error)")
            }
        default: try await removePinned(&chance)
        }
    }

    /// Puts a manifest without asking whether what it names is there.
    private func retag(_ item: SoakItem, in repository: String, _ chance: inout SeededGenerator) async throws {
        let tag = movingTag(&chance)
        ledger.begin(item, in: repository)
        defer { ledger.end(item, in: repository) }
        switch try await storeError({ try await harness.push(item.manifest, tags: [tag], in: repository) }) {
        case nil: ledger.acknowledge(item, in: repository)
        case .missingContent: break
        case let error?: throw error
        }
    }

    private func removePinned(_ chance: inout SeededGenerator) async throws {
        guard let place = ledger.anyPinned(using: &chance) else { return }
        let digest = SoakItem(place.number).digest
        let error = try await storeError { _ = try await harness.deleteManifest(digest, in: place.repository) }
        if caseName(error) == "notAllowed" { return }
        ledger.note("the removal of the pinned \(place) ended with \(caseName(error) ?? "success")")
    }

    private func prune(_ chance: inout SeededGenerator) async throws {
        let record = try await harness.store.prune(try harness.name(anyPruned(&chance)), actor: "soak")
        ledger.notePruned(record.counts.removed)
    }

    private func sweep() async throws {
        try await harness.store.pruner.endUndos()
        try await harness.store.registrySweeper.sweep()
        try await harness.store.sweeper.sweep()
    }
}

// MARK: - Checks

extension Soak {
    /// Pulls something that was pushed lately, and something that must be there.
    private func readSomething(_ chance: inout SeededGenerator) async throws {
        if let place = ledger.anyRecent(using: &chance) { try await check(place.number, in: place.repository) }
        guard let place = ledger.anyProtected(using: &chance) else { return }
        try await check(place.number, in: place.repository, isRequired: true)
    }

    /// Pulls a manifest and all that it names, if it is there.
    private func check(_ number: Int, in repository: String, isRequired: Bool = false) async throws {
        let item = SoakItem(number)
        let mark = ledger.mark(of: item, in: repository)
        guard let bytes = try await harness.manifest(item.digest, in: repository) else {
            if isRequired { ledger.note("manifest \(number) of \(repository) is gone, which nothing may remove") }
            return
        }
        if bytes != item.manifest.bytes { ledger.note("manifest \(number) of \(repository) has other bytes") }
        let faults = try await faults(of: item, in: repository)
        guard !faults.isEmpty else { return }
        if !isRequired {
            // It may have gone meanwhile, or have gone and come again.
            let isThere = try await harness.manifest(item.digest, in: repository) != nil
            guard isThere, let mark, ledger.mark(of: item, in: repository) == mark else { return }
        }
        ledger.note("manifest \(number) of \(repository) is there, but \(faults.joined(separator: ", "))")
    }

    private func faults(of item: SoakItem, in repository: String) async throws -> [String] {
        var faults: [String] = []
        for blob in item.blobs {
            let bytes = try await harness.blob(blob.digest, in: repository)
            if bytes == blob.bytes { continue }
            faults.append("\(blob.digest) \(bytes == nil ? "is missing" : "has other bytes")")
        }
        for child in item.children {
            let bytes = try await harness.manifest(child.digest, in: repository)
            if bytes != child.manifest.bytes {
                faults.append("its manifest \(child.number) \(bytes == nil ? "is missing" : "has other bytes")")
            }
            faults += try await self.faults(of: child, in: repository)
        }
        return faults
    }

    /// Looks at some manifests of a repository in one moment: all that they name is there (W2).
    private func audit(_ chance: inout SeededGenerator) async throws {
        let repository = Self.all[Int.random(in: 0..<Self.all.count, using: &chance)]
        try await audit(repository, atMost: 40, seed: chance.next())
    }

    private func audit(_ repository: String, atMost count: Int, seed: UInt64) async throws {
        let id = try harness.repository(repository).id
        let ledger = ledger
        let faults = try await harness.store.read { (snapshot) -> [String] in
            var chance = SeededGenerator(seed: seed)
            let rows = try snapshot.inventory(in: id, after: nil, atMost: 100_000)
            return try rows.shuffled(using: &chance).prefix(count).flatMap { row -> [String] in
                guard let number = ledger.number(of: row.key) else { return ["\(row.key), which nobody pushed"] }
                return try Self.faults(of: SoakItem(number), in: id, snapshot)
            }
        }
        for fault in faults { ledger.note("in one snapshot \(repository) has \(fault)") }
    }

    private static func faults(
        of item: SoakItem,
        in repository: RepositoryID,
        _ snapshot: MetadataSnapshot
    ) throws -> [String] {
        var faults: [String] = []
        for blob in item.blobs {
            let descriptor = BlobDescriptor(digest: blob.digest, size: Int64(blob.bytes.count))
            if try snapshot.hasAll([descriptor], in: repository) { continue }
            faults.append("manifest \(item.number) without \(blob.digest)")
        }
        for child in item.children {
            let name = StoredName(repository: repository, item: .manifest(child.digest))
            if try snapshot.find(name, checkingQuarantine: false) != nil { continue }
            faults.append("manifest \(item.number) without its manifest \(child.number)")
        }
        return faults
    }

    /// After the policies were applied once more: pulls everything that is there, and everything that must be.
    func checkEverything() async throws {
        harness.time.advance(by: .seconds(3600))
        for repository in Self.pruned { _ = try await harness.store.prune(try harness.name(repository), actor: "soak") }
        for repository in Self.all {
            try await audit(repository, atMost: .max, seed: 0)
            for key in try await keys(in: repository) {
                if let number = ledger.number(of: key) { try await check(number, in: repository) }
            }
        }
        for place in ledger.protected { try await check(place.number, in: place.repository, isRequired: true) }
    }

    /// Digests of all manifests of a repository.
    private func keys(in repository: String) async throws -> [String] {
        let id = try harness.repository(repository).id
        return try await harness.store.read { try $0.inventory(in: id, after: nil, atMost: 100_000).map(\.key) }
    }

    /// Deletes all manifests that may be deleted, and lets time free what they leave.
    func removeEverythingElse() async throws {
        for repository in Self.pruned {
            let required = ledger.required(in: repository)
            // An index goes before its manifests.
            for _ in 0..<5 {
                for key in try await keys(in: repository) {
                    if let number = ledger.number(of: key), required[number] != nil { continue }
                    guard let digest = Digest(key) else { continue }
                    _ = try await harness.deleteManifest(digest, in: repository)
                }
            }
        }
        for _ in 0..<6 {
            harness.time.advance(by: .seconds(3600))
            try await sweep()
        }
        try await harness.quiet()
        try await waitUntil("nothing is reserved") { harness.reserved == 0 }
    }

    /// What is used is what the protected manifests and all that they name need: in each repository, and in all.
    func checkSpace() throws {
        var all: [Digest: Int64] = [:]
        for repository in Self.all {
            let required = ledger.required(in: repository).values
            var own: [Digest: Int64] = [:]
            for item in required {
                own[item.digest] = item.manifest.size
                for blob in item.blobs { own[blob.digest] = Int64(blob.bytes.count) }
            }
            let state = try harness.repository(repository)
            #expect(state.usedBytes == own.values.reduce(0, +), "\(repository), LARDER_TEST_SEED=\(seed)")
            #expect(state.entryCount == Int64(required.count), "\(repository), LARDER_TEST_SEED=\(seed)")
            all.merge(own) { first, _ in first }
        }
        #expect(harness.used == all.values.reduce(0, +), "LARDER_TEST_SEED=\(seed)")
        #expect(harness.files(in: "blobs").count == all.values.count { $0 > 1024 }, "LARDER_TEST_SEED=\(seed)")
    }
}
