import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// Seeds that once failed.
private let regressionSeeds: [UInt64] = [1]

private let operationCount = 600

/// Random operations against two registries and against sets that have no files: both must agree.
///
/// `LARDER_TEST_SEED` repeats a run.
@Suite
struct RegistryModelTests {
    @Test(arguments: [testSeed()] + regressionSeeds)
    func registriesHoldExactlyWhatWasPushed(seed: UInt64) async throws {
        let time = ManualTime()
        var run = RegistryRun(seed: seed)
        try await withTemporaryFolder { (folder) async throws in
            while run.step < operationCount {
                let segment = run
                run = try await withStore(registryConfiguration, in: folder, time: time) { (harness) async throws in
                    var run = segment
                    try await run.runSegment(on: harness)
                    return run
                }
            }
            let last = run
            try await withStore(registryConfiguration, in: folder, time: time) { (harness) async throws in
                try await last.compareEverything(with: harness)
            }
        }
    }
}

/// What the registries must hold, and the generator that decides what happens next.
private struct RegistryRun: Sendable {
    struct Repository: Sendable {
        var blobs: Set<Int> = []
        var manifests: Set<Int> = []
        var tags: [String: Int] = [:]
    }

    static let names = ["a", "b"]
    static let blobCount = 12
    static let manifestCount = 12
    static let tagCount = 5

    let seed: UInt64
    var step = 0
    private var generator: SeededGenerator
    private var repositories: [String: Repository] = [:]

    init(seed: UInt64) {
        self.seed = seed
        generator = SeededGenerator(seed: seed)
        for name in Self.names { repositories[name] = Repository() }
    }

    private var place: Comment { "LARDER_TEST_SEED=\(seed), step \(step)" }

    // MARK: - Contents by their numbers

    /// A third is larger than the inline limit.
    private static func blob(_ number: Int) -> [UInt8] {
        content(number, number.isMultiple(of: 3) ? 2000 + number * 300 : 100 + number * 25)
    }

    private static func digest(_ number: Int) -> Digest { IncrementalHasher.digest(of: blob(number)) }

    /// 0 to 5 are images, 6 to 8 indexes of two of them, the rest is about an image.
    private static func manifest(_ number: Int) -> RegistryManifest {
        let note = "\(number)" + (number.isMultiple(of: 4) ? String(repeating: "x", count: 2000) : "")
        switch number {
        case 0..<6: return .image(config: blob(number), layers: [blob(number + 3), blob(number + 6)], note: note)
        case 6..<9: return .index(of: children(of: number).map { manifest($0) }, note: note)
        default: return .image(config: blob(number), about: manifest(number - 9), note: note)
        }
    }

    private static func blobs(of number: Int) -> [Int] {
        switch number {
        case 0..<6: [number, number + 3, number + 6]
        case 6..<9: []
        default: [number]
        }
    }

    private static func children(of number: Int) -> [Int] {
        (6..<9).contains(number) ? [number - 6, number - 5] : []
    }

    // MARK: - Operations

    /// Runs operations until the store is to be closed or all are done.
    mutating func runSegment(on harness: StoreHarness) async throws {
        for name in Self.names where harness.store.directory.find(try harness.name(name)) == nil {
            try await harness.createRegistry(name)
        }
        try await compareEverything(with: harness)
        while step < operationCount {
            step += 1
            harness.time.advance(by: .milliseconds(1))
            let name = Self.names[Int.random(in: 0..<Self.names.count, using: &generator)]
            switch Int.random(in: 0..<1000, using: &generator) {
            case 0..<240: try await putBlob(in: name, on: harness)
            case 240..<290: try await deleteBlob(in: name, on: harness)
            case 290..<350: try await mount(in: name, on: harness)
            case 350..<610: try await push(in: name, on: harness)
            case 610..<650: try await deleteTag(in: name, on: harness)
            case 650..<720: try await deleteManifest(in: name, on: harness)
            case 720..<960: try await read(in: name, on: harness)
            case 960..<975: try await harness.store.registrySweeper.sweep()
            case 975..<985:
                _ = try await harness.flush(name)
                repositories[name] = Repository()
            default: return
            }
        }
    }

    private func state(_ name: String) -> Repository { repositories[name] ?? Repository() }

    /// In one piece, or by an upload in one or two.
    private mutating func putBlob(in name: String, on harness: StoreHarness) async throws {
        let number = Int.random(in: 0..<Self.blobCount, using: &generator)
        let form = Int.random(in: 0..<3, using: &generator)
        let bytes = Self.blob(number)
        if form == 0 {
            try await harness.pushBlob(bytes, in: name)
        } else {
            let (id, registry) = ("upload \(step)", try harness.name(name))
            let first = form == 1 ? bytes.count / 3 : 0
            try await harness.store.beginUpload(id, in: registry)
            if first > 0 {
                let outcome = try await harness.store.appendToUpload(
                    id,
                    in: registry,
                    at: 0,
                    body: Chunks(Array(bytes.prefix(first)), each: 500),
                    length: nil
                )
                #expect(outcome == .accepted(length: Int64(first)), place)
            }
            let outcome = try await harness.store.finishUpload(
                id,
                in: registry,
                as: Self.digest(number),
                at: Int64(first),
                body: Chunks(Array(bytes.dropFirst(first)), each: 500),
                length: Int64(bytes.count - first)
            )
            #expect(outcome == .accepted(length: Int64(bytes.count)), place)
        }
        repositories[name]?.blobs.insert(number)
    }

    private mutating func deleteBlob(in name: String, on harness: StoreHarness) async throws {
        let number = Int.random(in: 0..<Self.blobCount, using: &generator)
        let isUsed = state(name).manifests.contains { Self.blobs(of: $0).contains(number) }
        var expected = RegistryRemoval.missing
        if state(name).blobs.contains(number) { expected = isUsed ? .inUse : .removed }
        #expect(try await harness.deleteBlob(Self.digest(number), in: name) == expected, place)
        if expected == .removed { repositories[name]?.blobs.remove(number) }
    }

    private mutating func mount(in name: String, on harness: StoreHarness) async throws {
        let number = Int.random(in: 0..<Self.blobCount, using: &generator)
        let other = name == "a" ? "b" : "a"
        let isThere = state(other).blobs.contains(number)
        #expect(try await harness.mount(Self.digest(number), from: other, in: name) == isThere, place)
        if isThere { repositories[name]?.blobs.insert(number) }
    }

    private mutating func push(in name: String, on harness: StoreHarness) async throws {
        let number = Int.random(in: 0..<Self.manifestCount, using: &generator)
        var tags: [String] = []
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            tags.append("t\(Int.random(in: 0..<Self.tagCount, using: &generator))")
        }
        let present = state(name)
        var missing = Self.blobs(of: number).filter { !present.blobs.contains($0) }.map { Self.digest($0) }
        let children = Self.children(of: number).filter { !present.manifests.contains($0) }
        missing += children.map { Self.manifest($0).digest }
        var expected: StoreError?
        if !present.manifests.contains(number), !missing.isEmpty { expected = .missingContent(missing) }
        let names = tags
        let error = try await storeError { try await harness.push(Self.manifest(number), tags: names, in: name) }
        #expect(error == expected, place)
        guard error == nil else { return }
        repositories[name]?.manifests.insert(number)
        for tag in tags { repositories[name]?.tags[tag] = number }
    }

    private mutating func deleteTag(in name: String, on harness: StoreHarness) async throws {
        let tag = "t\(Int.random(in: 0..<Self.tagCount, using: &generator))"
        let isThere = repositories[name]?.tags.removeValue(forKey: tag) != nil
        #expect(try await harness.deleteTag(tag, in: name) == isThere, place)
    }

    private mutating func deleteManifest(in name: String, on harness: StoreHarness) async throws {
        let number = Int.random(in: 0..<Self.manifestCount, using: &generator)
        let isUsed = state(name).manifests.contains { Self.children(of: $0).contains(number) }
        var expected = RegistryRemoval.missing
        if state(name).manifests.contains(number) { expected = isUsed ? .inUse : .removed }
        #expect(try await harness.deleteManifest(Self.manifest(number).digest, in: name) == expected, place)
        guard expected == .removed else { return }
        repositories[name]?.manifests.remove(number)
        for (tag, named) in state(name).tags where named == number { repositories[name]?.tags[tag] = nil }
    }

    private mutating func read(in name: String, on harness: StoreHarness) async throws {
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: try await compareBlob(Int.random(in: 0..<Self.blobCount, using: &generator), in: name, on: harness)
        case 1:
            let number = Int.random(in: 0..<Self.manifestCount, using: &generator)
            try await compareManifest(number, in: name, on: harness)
        default: try await compareTag("t\(Int.random(in: 0..<Self.tagCount, using: &generator))", in: name, on: harness)
        }
    }

    private func compareBlob(_ number: Int, in name: String, on harness: StoreHarness) async throws {
        let expected = state(name).blobs.contains(number) ? Self.blob(number) : nil
        #expect(try await harness.blob(Self.digest(number), in: name) == expected, place)
    }

    private func compareManifest(_ number: Int, in name: String, on harness: StoreHarness) async throws {
        let manifest = Self.manifest(number)
        let expected = state(name).manifests.contains(number) ? manifest.bytes : nil
        #expect(try await harness.manifest(manifest.digest, in: name) == expected, place)
    }

    private func compareTag(_ tag: String, in name: String, on harness: StoreHarness) async throws {
        let expected = state(name).tags[tag].map { Self.manifest($0).bytes }
        #expect(try await harness.tagged(tag, in: name) == expected, place)
    }

    // MARK: - The whole state

    func compareEverything(with harness: StoreHarness) async throws {
        try await harness.quiet()
        try await waitUntil("nothing is reserved") { harness.reserved == 0 }
        // Rows of uploads that became small blobs go in the background.
        try await harness.store.committer.commit { _ in }
        #expect(try await harness.uploadRows() == [], place)
        #expect(try await harness.problems() == [], place)
        var sizes: [Digest: Int64] = [:]
        for name in Self.names {
            for number in 0..<Self.blobCount { try await compareBlob(number, in: name, on: harness) }
            for number in 0..<Self.manifestCount { try await compareManifest(number, in: name, on: harness) }
            for tag in 0..<Self.tagCount { try await compareTag("t\(tag)", in: name, on: harness) }
            try await compareLists(of: name, on: harness)
            var own: [Digest: Int64] = [:]
            for number in state(name).blobs { own[Self.digest(number)] = Int64(Self.blob(number).count) }
            for number in state(name).manifests { own[Self.manifest(number).digest] = Self.manifest(number).size }
            #expect(try harness.repository(name).usedBytes == own.values.reduce(0, +), place)
            #expect(try harness.repository(name).entryCount == Int64(state(name).manifests.count), place)
            sizes.merge(own) { first, _ in first }
        }
        #expect(harness.used == sizes.values.reduce(0, +), place)
        #expect(harness.files(in: "blobs").count == sizes.values.filter { $0 > 1024 }.count, place)
    }

    private func compareLists(of name: String, on harness: StoreHarness) async throws {
        let registry = try harness.name(name)
        let tags = try await harness.store.tags(in: registry, after: nil, atMost: 100)
        #expect(tags == state(name).tags.keys.sorted(), place)
        for subject in 0..<3 {
            let digest = Self.manifest(subject).digest
            let page = try await harness.store.referrers(of: digest, in: registry, after: 0, byteCountMax: 1 << 20) {
                _ in true
            }
            #expect(page.descriptors.count == (state(name).manifests.contains(subject + 9) ? 1 : 0), place)
        }
    }
}
