import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// Seeds that once failed, each with the number of operations that it takes to see it.
private let regressionSeeds: [UInt64] = [1]

private let operationCount = 1000

/// A few thousand random operations against the store and against a dictionary that has no files: both must agree.
///
/// `LARDER_TEST_SEED` repeats a run.
@Suite
struct ModelTests {
    @Test(arguments: [testSeed()] + regressionSeeds)
    func theStoreHoldsExactlyWhatWasPut(seed: UInt64) async throws {
        try await run(ModelRun(seed: seed, isPressed: false))
    }

    @Test(arguments: [testSeed()] + regressionSeeds)
    func underPressureOnlyWhatMayGoIsMissing(seed: UInt64) async throws {
        try await run(ModelRun(seed: seed, isPressed: true))
    }

    /// Runs from one start of the store to the next until the operations are done.
    private func run(_ start: ModelRun) async throws {
        let time = ManualTime()
        var run = start
        try await withTemporaryFolder { root in
            var folder = "\(root)/0"
            var generation = 0
            while run.step < operationCount {
                let segment = run
                let next = "\(root)/\(generation + 1)"
                run = try await withStore(run.configuration, in: folder, time: time) { harness in
                    var run = segment
                    try await run.runSegment(on: harness, copyingTo: next)
                    return run
                }
                if run.hasCrashed {
                    try FileManager.default.removeItem(atPath: folder)
                    folder = next
                    generation += 1
                }
            }
            let last = run
            try await withStore(run.configuration, in: folder, time: time) { harness async throws in
                var run = last
                try await run.compareEverything(with: harness)
            }
        }
    }
}

/// What the store must hold, and the generator that decides what happens next.
private struct ModelRun: Sendable {
    struct Entry: Sendable {
        var bytes: [UInt8]
        var references: [Digest]
        var isComplete: Bool
    }

    struct Repository: Sendable {
        /// Blobs uploaded under their digest.
        var explicit: Set<Digest> = []
        var entries: [String: Entry] = [:]

        /// Whether a blob can be read: it was uploaded for itself, or an entry holds it.
        func links(_ digest: Digest) -> Bool {
            explicit.contains(digest)
                || entries.values.contains { entry in
                    IncrementalHasher.digest(of: entry.bytes) == digest
                        || (entry.isComplete && entry.references.contains(digest))
                }
        }
    }

    /// When something was last acknowledged to be there.
    struct Use: Sendable {
        /// Written to the database with an answer, so it survives a crash.
        var written: Timestamp
        /// Seen by a read since: survives an orderly end only.
        var seen: Timestamp
    }

    static let guaranteedAge: Duration = .seconds(60)
    static let repositoryNames = ["a", "b"]
    static let keyCount = 24
    static let blobCount = 40
    static let limit: Int64 = 150_000

    let seed: UInt64
    let isPressed: Bool
    var step = 0
    var hasCrashed = false
    private var generator: SeededGenerator
    private var repositories: [String: Repository] = [:]
    private var uses: [String: Use] = [:]
    private var entryNumber = 0

    init(seed: UInt64, isPressed: Bool) {
        self.seed = seed
        self.isPressed = isPressed
        generator = SeededGenerator(seed: seed)
        for name in Self.repositoryNames { repositories[name] = Repository() }
    }

    var configuration: StoreConfiguration {
        var configuration = StoreConfiguration.testing
        configuration.inlineLimit = ByteCount(1024)
        if isPressed {
            configuration.sizeLimit = .bytes(ByteCount(Self.limit))
            configuration.guaranteedAge = Self.guaranteedAge
        }
        return configuration
    }

    private var place: Comment { "LARDER_TEST_SEED=\(seed), step \(step)" }

    // MARK: - Operations

    /// Runs operations until the store is to be closed, has "crashed", or all are done.
    mutating func runSegment(on harness: StoreHarness, copyingTo copy: String) async throws {
        hasCrashed = false
        for name in Self.repositoryNames where harness.store.directory.find(try harness.name(name)) == nil {
            _ = try await harness.store.createRepository(
                try harness.name(name),
                kind: .cache,
                settings: RepositorySettings()
            )
        }
        try await compareEverything(with: harness)
        while step < operationCount {
            step += 1
            harness.time.advance(by: .milliseconds(1))
            switch Int.random(in: 0..<1000, using: &generator) {
            case 0..<220: try await putBlob(on: harness)
            case 220..<450: try await putEntry(on: harness)
            case 450..<520: try await deleteEntry(on: harness)
            case 520..<700: try await getBlob(on: harness)
            case 700..<880: try await getEntry(on: harness)
            case 880..<930: try await complete(on: harness)
            case 930..<970: harness.time.advance(by: .seconds(Int.random(in: 1...30, using: &generator)))
            case 970..<982: try await flush(on: harness)
            case 982..<991: return
            default:
                try await crash(on: harness, to: copy)
                return
            }
            if isPressed { #expect(harness.used <= Self.limit, place) }
        }
    }

    private mutating func pick() -> (repository: String, blob: Int, key: String) {
        (
            Self.repositoryNames[Int.random(in: 0..<Self.repositoryNames.count, using: &generator)],
            Int.random(in: 0..<Self.blobCount, using: &generator),
            "key/\(Int.random(in: 0..<Self.keyCount, using: &generator))"
        )
    }

    /// Blobs have fixed bytes by their number: a third is larger than the inline limit.
    private func blobBytes(_ number: Int) -> [UInt8] {
        content(number, number.isMultiple(of: 3) ? 2000 + number * 300 : number * 25)
    }

    /// Under pressure a write may be refused, and then nothing changes.
    private func isAccepted(_ write: () async throws -> Void) async throws -> Bool {
        let error = try await storeError(write)
        if isPressed && caseName(error) == "noSpace" { return false }
        #expect(error == nil, place)
        return error == nil
    }

    private mutating func putBlob(on harness: StoreHarness) async throws {
        let (repository, number, _) = pick()
        let bytes = blobBytes(number)
        let digest = IncrementalHasher.digest(of: bytes)
        let form = Int.random(in: 0..<3, using: &generator)
        let isStored = try await isAccepted {
            let target = try harness.target(digest, in: repository)
            switch form {
            case 0: try await harness.store.put(target, bytes: ByteBuffer(bytes: bytes))
            case 1: try await harness.store.put(target, body: Chunks(bytes, each: 1500), length: Int64(bytes.count))
            default: try await harness.store.put(target, body: Chunks(bytes, each: 700), length: nil)
            }
        }
        guard isStored else { return }
        repositories[repository]?.explicit.insert(digest)
        noteWritten("\(repository) \(digest.hex)", harness.time.now)
    }

    private mutating func putEntry(on harness: StoreHarness) async throws {
        let (repository, _, key) = pick()
        let old = repositories[repository]?.entries[key]
        var bytes: [UInt8]
        var references: [Digest] = []
        if let old, Int.random(in: 0..<4, using: &generator) == 0 {
            // The same again, as a client does that lost its answer.
            bytes = old.bytes
            references = old.references
        } else {
            entryNumber += 1
            let sizes = [20, 300, 900, 1024, 1025, 3000, 9000]
            bytes = content(1_000_000 + entryNumber, sizes[Int.random(in: 0..<sizes.count, using: &generator)])
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                references.append(IncrementalHasher.digest(of: blobBytes(pick().blob)))
            }
            // What is above the inline limit is not inspected in this test.
            if bytes.count > 1024 { references = [] }
        }
        if isPressed {
            // Only what must be there, so that the entry must be complete.
            references.removeAll { !mustBeThere("\(repository) \($0.hex)", harness.time.now) }
        }
        let (value, names) = (bytes, references)
        let isStored = try await isAccepted {
            let known = EntryReferences.known(names.map { BlobDescriptor(digest: $0, size: nil) })
            try await harness.putEntry(key, value, references: names.isEmpty ? nil : known, in: repository)
        }
        guard isStored else { return }
        let isIncompleteReplaced = old.map { !$0.isComplete } ?? false
        if let old, old.isComplete, old.bytes == bytes {
            // Kept as it is; under pressure it may have been evicted before, and then it names what this one does.
            if isPressed { repositories[repository]?.entries[key]?.references = references }
        } else {
            repositories[repository]?.entries[key] = nil
            let isComplete = references.allSatisfy { digest in
                isPressed || (repositories[repository]?.explicit.contains(digest) ?? false)
            }
            repositories[repository]?.entries[key] = Entry(bytes: bytes, references: references, isComplete: isComplete)
        }
        noteWritten("\(repository) \(key)", harness.time.now)
        if isIncompleteReplaced { try await harness.quiet() }
    }

    private mutating func deleteEntry(on harness: StoreHarness) async throws {
        let (repository, _, key) = pick()
        let old = repositories[repository]?.entries.removeValue(forKey: key)
        let isDeleted = try await harness.delete(key, in: repository)
        if !isPressed { #expect(isDeleted == (old != nil), place) }
        if isDeleted { #expect(old != nil, place) }
        uses["\(repository) \(key)"] = nil
        #expect(try await harness.entry(key, in: repository) == nil, place)
        if let old, !old.isComplete { try await harness.quiet() }
    }

    private mutating func getBlob(on harness: StoreHarness) async throws {
        let (repository, number, _) = pick()
        try await compareBlob(blobBytes(number), in: repository, on: harness)
    }

    private mutating func compareBlob(_ bytes: [UInt8], in repository: String, on harness: StoreHarness) async throws {
        let digest = IncrementalHasher.digest(of: bytes)
        let found = try await harness.blob(digest, in: repository)
        let isLinked = digest == .emptySHA256 || repositories[repository]?.links(digest) ?? false
        let name = "\(repository) \(digest.hex)"
        if let found { #expect(found == bytes, place) }
        if !isPressed {
            #expect((found != nil) == isLinked, place)
        } else if found == nil {
            #expect(!(isLinked && mustBeThere(name, harness.time.now)), place)
        } else if uses[name] != nil {
            uses[name]?.seen = harness.time.now
        }
    }

    private mutating func getEntry(on harness: StoreHarness) async throws {
        let (repository, _, key) = pick()
        try await compareEntry(key, in: repository, on: harness)
    }

    private mutating func compareEntry(_ key: String, in repository: String, on harness: StoreHarness) async throws {
        let found = try await harness.entry(key, in: repository)
        let entry = repositories[repository]?.entries[key]
        let name = "\(repository) \(key)"
        if let found { #expect(found == entry?.bytes, place) }
        if !isPressed {
            #expect((found != nil) == (entry?.isComplete ?? false), place)
        } else if found == nil {
            #expect(!(entry != nil && mustBeThere(name, harness.time.now)), place)
        } else {
            uses[name]?.seen = harness.time.now
            // A hit never names what is not there.
            for digest in entry?.references ?? [] {
                #expect(try await harness.blob(digest, in: repository) != nil, place)
                uses["\(repository) \(digest.hex)"]?.seen = harness.time.now
            }
        }
    }

    private mutating func complete(on harness: StoreHarness) async throws {
        let (repository, _, key) = pick()
        guard !isPressed, let entry = repositories[repository]?.entries[key] else { return }
        let explicit = repositories[repository]?.explicit ?? []
        let isPossible = entry.isComplete || entry.references.allSatisfy { explicit.contains($0) || $0 == .emptySHA256 }
        #expect(
            try await harness.complete(key, references: entry.references, in: repository) == isPossible,
            place
        )
        if isPossible { repositories[repository]?.entries[key]?.isComplete = true }
    }

    private mutating func flush(on harness: StoreHarness) async throws {
        let repository = pick().repository
        _ = try await harness.flush(repository)
        repositories[repository] = Repository()
        for name in uses.keys where name.hasPrefix("\(repository) ") { uses[name] = nil }
        try await harness.quiet()
        #expect(try harness.repository(repository).usedBytes == 0, place)
        #expect(try harness.repository(repository).entryCount == 0, place)
    }

    // MARK: - Ends of a process

    /// Leaves behind what a process that dies now would: at times in the middle of an upload.
    private mutating func crash(on harness: StoreHarness, to copy: String) async throws {
        try await evictionIsOver(on: harness)
        try await harness.quiet()
        // Under pressure an upload could start a round of eviction in the middle of the copy.
        if Bool.random(using: &generator) && !isPressed {
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            feed.yield(ByteBuffer(bytes: content(2_000_000 + step, 5000)))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try? await harness.store.put(
                        try harness.target(key: "unfinished", in: "a"),
                        body: body,
                        length: nil
                    )
                }
                try await waitUntil("the upload has a file") { !harness.files(in: "uploads").isEmpty }
                try copyDataFolder(from: harness.folder, to: copy)
                feed.finish(throwing: BodyFailure())
                try await group.waitForAll()
            }
        } else {
            try copyDataFolder(from: harness.folder, to: copy)
        }
        for name in uses.keys { uses[name]?.seen = Timestamp(milliseconds: 0) }
        hasCrashed = true
    }

    /// Waits until no round of eviction is under way.
    private func evictionIsOver(on harness: StoreHarness) async throws {
        var last: Int64 = -1
        try await waitUntil("eviction is over") {
            try await harness.store.committer.commit { _ in }
            defer { last = harness.store.evictor.totals.count }
            return harness.store.evictor.totals.count == last
        }
    }

    private mutating func noteWritten(_ name: String, _ time: Timestamp) {
        uses[name] = Use(written: time, seen: time)
    }

    /// Whether something was acknowledged or read within the guaranteed age.
    private func mustBeThere(_ name: String, _ now: Timestamp) -> Bool {
        guard let use = uses[name] else { return false }
        return now - max(use.written, use.seen) <= Self.guaranteedAge
    }

    // MARK: - The whole state

    mutating func compareEverything(with harness: StoreHarness) async throws {
        try await harness.quiet()
        #expect(try await harness.problems() == [], place)
        #expect(harness.reserved == 0, place)
        if !isPressed { try compareCounters(with: harness) }
        for repository in Self.repositoryNames {
            for number in 0..<Self.blobCount {
                // Under pressure a read would renew everything, and nothing could ever go.
                let name = "\(repository) \(IncrementalHasher.digest(of: blobBytes(number)).hex)"
                if !isPressed || mustBeThere(name, harness.time.now) {
                    try await compareBlob(blobBytes(number), in: repository, on: harness)
                }
            }
            for key in (0..<Self.keyCount).map({ "key/\($0)" })
            where !isPressed || mustBeThere("\(repository) \(key)", harness.time.now) {
                try await compareEntry(key, in: repository, on: harness)
            }
        }
        #expect(try await harness.entry("unfinished", in: "a") == nil, place)
    }

    private func compareCounters(with harness: StoreHarness) throws {
        var sizes: [Digest: Int64] = [:]
        for (name, repository) in repositories {
            var own: [Digest: Int64] = [:]
            for number in 0..<Self.blobCount {
                let bytes = blobBytes(number)
                let digest = IncrementalHasher.digest(of: bytes)
                if repository.links(digest) { own[digest] = Int64(bytes.count) }
            }
            for entry in repository.entries.values {
                own[IncrementalHasher.digest(of: entry.bytes)] = Int64(entry.bytes.count)
            }
            #expect(try harness.repository(name).usedBytes == own.values.reduce(0, +), place)
            #expect(try harness.repository(name).entryCount == Int64(repository.entries.count), place)
            sizes.merge(own) { first, _ in first }
        }
        #expect(harness.used == sizes.values.reduce(0, +), place)
        #expect(harness.files(in: "blobs").count == sizes.values.filter { $0 > 1024 }.count, place)
    }
}
