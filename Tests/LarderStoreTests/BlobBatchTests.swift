import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

/// One thread, so that what follows in the pool's queue runs after all cleaning up that was submitted before.
private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    configuration.fileThreadCount = 1
    return configuration
}

private func digests(of contents: [[UInt8]]) -> [Digest] { contents.map { IncrementalHasher.digest(of: $0) } }

extension StoreHarness {
    /// Stores contents as one batch, under other digests than theirs if some are given.
    fileprivate func putBatch(
        _ contents: [[UInt8]],
        as names: [Digest]? = nil,
        in repository: String = "main",
        kind: RepositoryKind = .cache
    ) async throws {
        let batch = zip(names ?? digests(of: contents), contents).map { ($0, ByteBuffer(bytes: $1)) }
        try await store.putBlobs(batch, in: try name(repository), kind: kind)
    }

    /// Which of some contents need not be sent, by their index.
    fileprivate func claim(
        _ contents: [[UInt8]],
        in repository: String = "main",
        kind: RepositoryKind = .cache,
        reading names: [String]? = nil
    ) async throws -> [Int] {
        let asked = digests(of: contents)
        let present = try await store.claim(asked, in: try name(repository), kind: kind) { name in
            names?.contains(name.text) ?? true
        }
        return asked.indices.filter { present.contains(asked[$0]) }
    }

    fileprivate func has(_ contents: [[UInt8]], in repository: String = "main") async throws -> [Bool] {
        var result: [Bool] = []
        for bytes in contents {
            result.append(try await blob(IncrementalHasher.digest(of: bytes), in: repository) == bytes)
        }
        return result
    }

    /// What must not be there after a batch that failed, or any: rests of uploads, reserved bytes, contradictions.
    fileprivate func leftovers() async throws -> [String] {
        try await poolIsDrained()
        var findings = files(in: "uploads")
        if reserved != 0 { findings.append("\(reserved) bytes are reserved") }
        findings += try await problems()
        return findings
    }
}

/// Many blobs at a time: what is there is not sent, and what is sent is durable together.
@Suite
struct BlobBatchTests {
    // MARK: What is there

    @Test
    func whatIsThereNeedNotBeSent() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [0, 1, 1024, 1025, 6000].map { content($0, $0) }
            for bytes in contents[...3] { try await harness.putBlob(bytes) }
            #expect(try await harness.claim(contents + contents) == [0, 1, 2, 3, 5, 6, 7, 8])
            #expect(try await harness.claim([]) == [])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aClaimOfAnyLengthIsAnswered() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = (0..<2500).map { content($0, 20) }
            let stored = Array(stride(from: 0, to: 2500, by: 7))
            for start in stride(from: 0, to: stored.count, by: 200) {
                try await harness.putBatch(stored[start...].prefix(200).map { contents[$0] })
            }
            #expect(try await harness.claim(contents) == stored)
        }
    }

    @Test
    func whatAnotherRepositoryHasIsLinked() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [content(1, 500), content(2, 5000), content(3, 5000)]
            for bytes in contents[..<2] { try await harness.putBlob(bytes, in: "other") }
            #expect(try await harness.claim(contents) == [0, 1])
            #expect(try await harness.has(contents) == [true, true, false])
            // Each repository is charged, the store once.
            #expect(try harness.repository().usedBytes == 5500)
            #expect(harness.used == 5500)
            // It is its own from then on.
            try await harness.store.removeRepository(try harness.name("other"))
            try await waitUntil("the other repository is gone") {
                try await harness.store.read { try $0.deletedRepositories() }.isEmpty
            }
            #expect(try await harness.has(contents) == [true, true, false])
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func whatMayNotBeReadIsNotTaken() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [content(1, 500), content(2, 5000)]
            try await harness.putBlob(contents[0], in: "secret")
            try await harness.putBlob(contents[1], in: "open")
            #expect(try await harness.claim(contents, reading: ["open"]) == [1])
            #expect(try await harness.claim(contents, reading: []) == [1])
            #expect(try await harness.has(contents) == [false, true])
        }
    }

    @Test
    func cachesAndRegistriesTakeFromEachOther() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [content(1, 5000), content(2, 5000)]
            try await harness.putBlob(contents[0])
            try await harness.pushBlob(contents[1])
            #expect(try await harness.claim(contents, in: "images", kind: .registry) == [0, 1])
            #expect(try await harness.claim(contents) == [0, 1])
            #expect(try await harness.has(contents, in: "images") == [true, true])
        }
    }

    @Test
    func whatIsDamagedIsSentAgain() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [content(1, 5000), content(2, 5000)]
            for repository in ["main", "other"] { try await harness.putBlob(contents[0], in: repository) }
            try await harness.putBlob(contents[1], in: "other")
            try await harness.settled()
            for file in harness.files(in: "blobs") { try flipByte(of: "\(harness.folder)/blobs/\(file)", at: 7) }
            #expect(try await harness.problems(repairing: true).count == 2)
            #expect(try await harness.claim(contents) == [])
            try await harness.putBatch(contents)
            #expect(harness.quarantinedCount == 0)
            #expect(try await harness.claim(contents, in: "third") == [0, 1])
            #expect(try await harness.has(contents) == [true, true])
            try await harness.quiet()
            #expect(try await harness.leftovers() == [])
            #expect(harness.files(in: "blobs").count == 2)
        }
    }

    @Test
    func whatTheQuotaHasNoRoomForIsSentAndRefused() async throws {
        try await withStore(configuration) { (harness) async throws in
            let settings = RepositorySettings(quotaBytes: ByteCount(6000))
            _ = try await harness.store.createRepository(try harness.name("small"), kind: .cache, settings: settings)
            let contents = [content(1, 4000), content(2, 5000)]
            for bytes in contents { try await harness.putBlob(bytes, in: "other") }
            #expect(try await harness.claim(contents, in: "small") == [])
            #expect(try harness.repository("small").usedBytes == 0)
            let error = try await storeError { try await harness.putBatch(contents, in: "small") }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try await harness.claim([contents[1]], in: "small") == [0])
            #expect(try await harness.leftovers() == [])
        }
    }

    /// D2: between the claim and the entry that names it, what was claimed is not driven out.
    @Test
    func whatWasClaimedIsAsFreshAsIfItHadBeenSent() async throws {
        var configuration = configuration
        configuration.sizeLimit = .bytes(ByteCount(100_000))
        configuration.highWatermark = 100
        configuration.lowWatermark = 100
        try await withStore(configuration) { (harness) async throws in
            let contents = (0..<8).map { content($0, 10_000) }
            for bytes in contents { try await harness.putBlob(bytes) }
            harness.time.advance(by: .seconds(10))
            #expect(try await harness.claim([contents[0], contents[5]]) == [0, 1])
            harness.time.advance(by: .seconds(10))
            for number in 10..<18 { try await harness.putBlob(content(number, 10_000)) }
            let has = try await harness.has(contents)
            #expect(has[0] && has[5])
            #expect(has.filter { $0 }.count == 2)
        }
    }

    @Test
    func aClaimMakesTheRepositoryThatIsWrittenToNext() async throws {
        var closed = configuration
        closed.createsOnWrite = false
        try await withStore(closed) { (harness) async throws in
            let error = try await storeError { _ = try await harness.claim([[1]]) }
            #expect(caseName(error) == "notFound")
        }
        try await withStore(configuration) { (harness) async throws in
            #expect(try await harness.claim([[1]]) == [])
            #expect(try harness.repository().kind == .cache)
            let other = try await storeError { _ = try await harness.claim([[1]], kind: .registry) }
            #expect(caseName(other) == "notAllowed")
        }
    }

    @Test
    func sizesOfLargeBlobsAreKnown() async throws {
        try await withStore(configuration) { (harness) async throws in
            let large = Int64(16 << 20)
            try await harness.putBlob(content(1, Int(large)), in: "other")
            try await harness.putBlob(content(2, Int(large) - 1))
            let asked = [0, 1, large - 1, large, large, large + 1, .max, -1]
            #expect(try await harness.store.largeBlobSizes(among: asked) == [large])
            #expect(try await harness.store.largeBlobSizes(among: []) == [])
        }
    }

    // MARK: What is sent

    private static let sizes = [0, 1, 1024, 1025, 6000, 1 << 20]

    @Test
    func aBatchIsDurableWhenItIsAnswered() async throws {
        try await withTemporaryFolder { folder in
            let contents = Self.sizes.map { content($0, $0) }
            let total = Int64(Self.sizes.reduce(0, +))
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.putBatch(contents)
                #expect(try await harness.has(contents).allSatisfy { $0 })
                #expect(try await harness.claim(contents) == Array(contents.indices))
                #expect(harness.used == total)
                #expect(try await harness.leftovers() == [])
                #expect(harness.files(in: "blobs").count == 3)
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(try await harness.has(contents).allSatisfy { $0 })
                #expect(harness.used == total)
                #expect(try await harness.leftovers() == [])
            }
        }
    }

    @Test
    func nothingIsABatch() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.putBatch([])
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test(arguments: [0, 3, 5])
    func aWrongDigestLeavesNothingOfItsBatch(wrong: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = Self.sizes.map { content($0 + 100, $0) }
            var names = digests(of: contents)
            names[wrong] = IncrementalHasher.digest(of: [UInt8(7)])
            let error = try await storeError { try await harness.putBatch(contents, as: names) }
            let actual = digests(of: contents)[wrong]
            #expect(error == .digestMismatch(expected: names[wrong], actual: actual))
            #expect(try await harness.emptiness() == [])
            try await harness.putBatch(contents)
            #expect(try await harness.has(contents).allSatisfy { $0 })
        }
    }

    @Test
    func whatIsThereIsNotStoredAgain() async throws {
        try await withStore(configuration) { (harness) async throws in
            let contents = [content(1, 500), content(2, 5000), content(3, 500), content(4, 5000)]
            for bytes in contents[..<2] { try await harness.putBlob(bytes) }
            try await harness.putBatch(contents)
            try await harness.putBatch([contents[3], contents[2], contents[3], contents[2]])
            #expect(try await harness.has(contents).allSatisfy { $0 })
            #expect(harness.used == 11_000)
            #expect(try await harness.leftovers() == [])
            #expect(harness.files(in: "blobs").count == 2)
        }
    }

    @Test
    func aBatchThatHasNoRoomLeavesNothing() async throws {
        var small = configuration
        small.sizeLimit = .bytes(ByteCount(20_000))
        try await withStore(small) { (harness) async throws in
            let error = try await storeError { try await harness.putBatch((1...3).map { content($0, 7000) }) }
            #expect(caseName(error) == "noSpace")
            #expect(try await harness.emptiness() == [])
            try await harness.putBatch((1...2).map { content($0, 7000) })
            #expect(harness.used == 14_000)
        }
    }

    @Test
    func aBatchOutlivesNoEntry() async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 5000)
            try await harness.putBatch([bytes])
            try await harness.putEntry("key", bytes)
            #expect(try await harness.delete("key"))
            // It was sent for itself.
            #expect(try await harness.has([bytes]) == [true])
        }
    }

    // MARK: Faults

    @Test(arguments: FaultyFiles.Fault.allCases)
    func oneFailureAnywhereInABatchLeavesNothingHalfDone(fault: FaultyFiles.Fault) async throws {
        try await withTemporaryFolder { folder in
            let files = FaultyFiles()
            var failures = 0
            for call in 1...50 {
                let contents = [6000, 500, 7000].map { content(call, $0 + call) }
                let isReached = try await withStore(configuration, in: folder, files: files) { (harness) async throws in
                    try await harness.poolIsDrained()
                    files.reset()
                    files.fail(call: call, with: fault)
                    let error = try await storeError { try await harness.putBatch(contents) }
                    try await harness.poolIsDrained()
                    let isReached = files.calls.count >= call
                    files.reset()
                    #expect(error == nil || caseName(error) == (fault == .diskFull ? "noSpace" : "io"), "call \(call)")
                    let has = try await harness.has(contents)
                    #expect(has == Array(repeating: error == nil, count: 3), "call \(call)")
                    #expect(harness.reserved == 0, "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    if call.isMultiple(of: 2) { try await harness.putBatch(contents) }
                    return isReached
                }
                try await withStore(configuration, in: folder) { (harness) async throws in
                    #expect(try await harness.leftovers() == [], "call \(call)")
                    try await harness.putBatch(contents)
                    #expect(try await harness.has(contents).allSatisfy { $0 }, "call \(call)")
                    #expect(try await harness.leftovers() == [], "call \(call)")
                    #expect(harness.files(in: "blobs").count == 2 * call, "call \(call)")
                }
                if !isReached {
                    failures = call - 1
                    break
                }
            }
            // Seven for each of the two files.
            #expect(failures == 14)
        }
    }

    @Test(arguments: [false, true])
    func aDeathAnywhereInABatchLosesNothingThatWasAnswered(losesUnsynced: Bool) async throws {
        try await withTemporaryFolder { folder in
            var isReached = true
            var call = 0
            while isReached, call < 50 {
                call += 1
                let contents = [6000, 500, 7000].map { content(call, $0 + call) }
                let files = DyingFiles()
                let dying = call
                let (isDead, isAnswered) = try await withStore(configuration, in: folder, files: files) {
                    (harness) async throws in
                    try await harness.poolIsDrained()
                    files.die(atCall: dying)
                    let error = try await storeError { try await harness.putBatch(contents) }
                    try await harness.poolIsDrained()
                    return (files.isDead, error == nil)
                }
                isReached = isDead
                if losesUnsynced { try files.loseWhatWasNotSynced() }
                try await withStore(configuration, in: folder) { (harness) async throws in
                    #expect(try await harness.leftovers() == [], "call \(dying)")
                    let has = try await harness.has(contents)
                    #expect(has == Array(repeating: isAnswered, count: 3), "call \(dying)")
                }
            }
            #expect(call == 15)
        }
    }

    // MARK: Reading

    @Test(arguments: [100, 5000])
    func contentIsReadInPieces(size: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, size)
            let digest = try await harness.putBlob(bytes)
            let name = StoredName(repository: try harness.repository().id, item: .blob(digest))
            guard case .found(let found) = try await harness.store.read(name) else { throw TestFailure("a miss") }
            for offset in [0, 1, size / 2, size - 1, size] {
                for count in [0, 1, size / 3, size, size * 2] {
                    let piece = try await harness.store.onPool {
                        try harness.store.piece(of: found, at: Int64(offset), count: count)
                    }
                    #expect(Array(piece.readableBytesView) == Array(bytes[offset...].prefix(count)))
                }
            }
        }
    }
}
