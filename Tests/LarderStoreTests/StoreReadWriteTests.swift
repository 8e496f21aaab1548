import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import LarderStore

private let inlineLimit = 1024

private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(Int64(inlineLimit))
    return configuration
}

/// What is put is found again, byte for byte, and what is refused leaves nothing behind.
@Suite
struct StoreReadWriteTests {
    @Test(
        arguments: [
            (size: 0, files: 0), (size: 1, files: 0), (size: 1023, files: 0), (size: 1024, files: 0),
            (size: 1025, files: 1), (size: 100_000, files: 1),
        ])
    func blobsUpToTheInlineLimitLiveInTheDatabase(size: Int, files: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let digest = try await harness.putBlob(bytes)
            #expect(try await harness.blob(digest) == bytes)
            // Once more, now that a small one is in the hot set.
            #expect(try await harness.blob(digest) == bytes)
            #expect(harness.used == Int64(size))
            #expect(harness.reserved == 0)
            try await harness.settled()
            #expect(harness.files(in: "blobs").count == files)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aFileIsNamedByDigestAndGeneration() async throws {
        try await withStore(configuration) { harness in
            let digest = try await harness.putBlob(content(1, 5000))
            let path = try #require(harness.files(in: "blobs").first)
            #expect(path.hasPrefix("sha256/\(digest.hex.prefix(2))/\(digest.hex)."))
        }
    }

    @Test(arguments: [10, 5000])
    func aBlobUploadedBySHA512IsFoundUnderBothDigests(size: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let long = try sha512(bytes)
            try await harness.store.put(try harness.target(long), bytes: ByteBuffer(bytes: bytes))
            #expect(try await harness.blob(long) == bytes)
            #expect(try await harness.blob(IncrementalHasher.digest(of: bytes)) == bytes)
            #expect(harness.used == Int64(size))
        }
    }

    @Test(arguments: [10, 5000])
    func aBlobThatIsKnownBySHA256IsFoundBySHA512OnceItWasUploadedByThat(size: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let short = try await harness.putBlob(bytes)
            let long = try sha512(bytes)
            #expect(try await harness.blob(long) == nil)
            try await harness.store.put(try harness.target(long), bytes: ByteBuffer(bytes: bytes))
            #expect(try await harness.blob(long) == bytes)
            #expect(try await harness.blob(short) == bytes)
            #expect(harness.used == Int64(size))
        }
    }

    @Test(arguments: [1, 1024, 1025, 50_000])
    func aWrongDigestLeavesNothingBehind(size: Int) async throws {
        try await withStore(configuration) { harness async throws in
            let bytes = content(1, size)
            let actual = IncrementalHasher.digest(of: bytes)
            let wrong = IncrementalHasher.digest(of: content(2, size + 1))
            let expected = StoreError.digestMismatch(expected: wrong, actual: actual)
            await #expect(throws: expected) {
                try await harness.store.put(try harness.target(wrong), bytes: ByteBuffer(bytes: bytes))
            }
            await #expect(throws: expected) {
                try await harness.store.put(
                    try harness.target(wrong),
                    body: Chunks(bytes, each: 700),
                    length: Int64(size)
                )
            }
            await #expect(throws: expected) {
                try await harness.store.put(try harness.target(wrong), body: Chunks(bytes, each: 700), length: nil)
            }
            #expect(try await harness.blob(wrong) == nil)
            #expect(try await harness.blob(actual) == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func aWrongSHA512LeavesNothingBehind() async throws {
        try await withStore(configuration) { harness in
            let wrong = try sha512(content(2, 5000))
            let error = try await storeError {
                try await harness.store.put(try harness.target(wrong), bytes: ByteBuffer(bytes: content(1, 5000)))
            }
            #expect(caseName(error) == "digestMismatch")
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test(
        arguments: [
            (sent: 10, declared: 9), (sent: 10, declared: 11), (sent: 0, declared: 1), (sent: 1024, declared: 1025),
            (sent: 1025, declared: 1024), (sent: 5000, declared: 4999), (sent: 5000, declared: 5001),
            (sent: 5000, declared: 1), (sent: 5000, declared: 50_000),
        ])
    func aBodyOfAnotherLengthThanDeclaredIsRefused(sent: Int, declared: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, sent)
            let digest = IncrementalHasher.digest(of: bytes)
            let error = try await storeError {
                try await harness.store.put(
                    try harness.target(digest),
                    body: Chunks(bytes, each: 100),
                    length: Int64(declared)
                )
            }
            #expect(caseName(error) == "lengthMismatch")
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test(
        arguments: [0, 1, 1023, 1024, 1025, 1026, 5000],
        [1, 100, 1024, 5000]
    )
    func aBodyInAnyChunksIsStored(size: Int, chunk: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let digest = IncrementalHasher.digest(of: bytes)
            let body = Chunks(bytes, each: chunk)
            try await harness.store.put(try harness.target(digest), body: body, length: nil)
            try await harness.store.put(try harness.target(digest, in: "other"), body: body, length: Int64(size))
            try await harness.store.put(try harness.target(key: "key"), body: body, length: nil)
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.blob(digest, in: "other") == bytes)
            #expect(try await harness.entry("key") == bytes)
            #expect(harness.used == Int64(size))
            #expect(harness.reserved == 0)
        }
    }

    @Test(arguments: [0, 1, 1024, 1025, 20_000], [nil, 30_000] as [Int64?])
    func aBodyThatFailsLeavesNothingBehindAndItsErrorPassesThrough(sent: Int, declared: Int64?) async throws {
        try await withStore(configuration) { harness in
            let digest = IncrementalHasher.digest(of: content(1, 30_000))
            let body = Chunks(Array(content(1, 30_000).prefix(sent)), each: 300, fails: true)
            for target in [try harness.target(digest), try harness.target(key: "key")] {
                await #expect(throws: BodyFailure()) {
                    try await harness.store.put(target, body: body, length: declared)
                }
            }
            #expect(try await harness.blob(digest) == nil)
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func anUploadThatIsCancelledLeavesNothingBehind() async throws {
        try await withStore(configuration) { harness async throws in
            let digest = IncrementalHasher.digest(of: content(1, 5000))
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            feed.yield(ByteBuffer(bytes: content(1, 3000)))
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    do {
                        try await harness.store.put(try harness.target(digest), body: body, length: 5000)
                        return true
                    } catch {
                        return false
                    }
                }
                try? await waitUntil("the upload has begun") { !harness.files(in: "uploads").isEmpty }
                group.cancelAll()
                #expect(await group.next() == false)
            }
            #expect(try await harness.blob(digest) == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test(arguments: [500, 20_000])
    func oneBlobPutByEightTasksAtOnceIsStoredOnce(size: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let digest = IncrementalHasher.digest(of: bytes)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await harness.store.put(
                            try harness.target(digest),
                            body: Chunks(bytes, each: 999),
                            length: Int64(size)
                        )
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await harness.blob(digest) == bytes)
            #expect(harness.used == Int64(size))
            #expect(harness.reserved == 0)
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == (size > inlineLimit ? 1 : 0))
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aBlobThatIsThereIsOnlyHashedWhenItComesAgain() async throws {
        let files = FaultyFiles()
        try await withStore(configuration, files: files) { harness in
            let bytes = content(1, 20_000)
            let digest = try await harness.putBlob(bytes)
            try await harness.settled()
            files.reset()
            try await harness.store.put(try harness.target(digest), body: Chunks(bytes, each: 999), length: 20_000)
            #expect(files.calls == [])
            let error = try await storeError {
                try await harness.store.put(
                    try harness.target(digest),
                    body: Chunks(content(2, 20_000), each: 999),
                    length: 20_000
                )
            }
            #expect(caseName(error) == "digestMismatch")
            #expect(try await harness.blob(digest) == bytes)
        }
    }

    @Test(arguments: [100, 5000])
    func knowingADigestGivesNoAccessFromAnotherRepository(size: Int) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, size)
            let digest = try await harness.putBlob(bytes, in: "a")
            try await harness.putBlob([1], in: "b")
            #expect(try await harness.blob(digest, in: "a") == bytes)
            #expect(try await harness.blob(digest, in: "b") == nil)
            try await harness.putEntry("key", [2], references: .to(digest), in: "b")
            #expect(try await harness.entry("key", in: "b") == nil)
            #expect(try await harness.complete("key", references: [digest], in: "b") == false)
            // Sending the bytes proves to have them.
            try await harness.putBlob(bytes, in: "b")
            #expect(try await harness.blob(digest, in: "b") == bytes)
            #expect(harness.used == Int64(size) + 2)
            #expect(try harness.repository("a").usedBytes == Int64(size))
            #expect(try harness.repository("b").usedBytes == Int64(size) + 2)
        }
    }

    @Test
    func anEntryIsOverwritten() async throws {
        try await withStore(configuration) { harness in
            for (number, size) in [10, 5000, 20, 20, 6000].enumerated() {
                let bytes = content(number, size)
                try await harness.putEntry("key", bytes)
                #expect(try await harness.entry("key") == bytes)
                #expect(harness.used == Int64(size))
                #expect(try harness.repository().entryCount == 1)
            }
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func oneKeyOverwrittenByEightTasksAtOnceHoldsOneOfTheirValues() async throws {
        try await withStore(configuration) { harness in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        for round in 0..<5 {
                            try await harness.putEntry("key", content(number * 5 + round, 900 + number * 50))
                            _ = try await harness.entry("key")
                        }
                    }
                }
                try await group.waitForAll()
            }
            let value = try #require(try await harness.entry("key"))
            let number = try #require((0..<8).first { value == content($0 * 5 + 4, 900 + $0 * 50) })
            #expect(harness.used == Int64(900 + number * 50))
            #expect(try harness.repository().entryCount == 1)
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }

    @Test(arguments: [10, 5000])
    func aDeletedEntryMissesAtOnceAndItsBytesGo(size: Int) async throws {
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, size))
            #expect(try await harness.entry("key") == content(1, size))
            #expect(try await harness.delete("key"))
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.delete("key") == false)
            #expect(try await harness.delete("key", in: "unknown") == false)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func aBlobUploadedForItselfOutlivesTheEntryWithTheSameBytes() async throws {
        try await withStore(configuration) { harness in
            let digest = try await harness.putBlob(content(1, 10))
            try await harness.putEntry("key", content(1, 10))
            try await harness.putEntry("other", content(2, 10))
            #expect(try await harness.delete("key"))
            #expect(try await harness.delete("other"))
            #expect(try await harness.blob(digest) == content(1, 10))
            #expect(try await harness.blob(IncrementalHasher.digest(of: content(2, 10))) == nil)
        }
    }

    @Test
    func aFlushedRepositoryIsEmptyAndOthersKeepWhatTheyShareWithIt() async throws {
        try await withStore(configuration) { harness in
            let shared = try await harness.putBlob(content(1, 5000), in: "a")
            try await harness.putBlob(content(1, 5000), in: "b")
            let own = try await harness.putBlob(content(2, 300), in: "a")
            try await harness.putEntry("key", content(3, 200), references: .to(shared, own), in: "a")
            #expect(try await harness.entry("key", in: "a") == content(3, 200))
            #expect(try await harness.flush("a") == 5500)
            #expect(try await harness.blob(shared, in: "a") == nil)
            #expect(try await harness.blob(own, in: "a") == nil)
            #expect(try await harness.entry("key", in: "a") == nil)
            #expect(try await harness.blob(shared, in: "b") == content(1, 5000))
            #expect(harness.used == 5000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aFlushedBlobMissesUnderEveryDigestItWasReadBy() async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 100)
            let (short, long) = (IncrementalHasher.digest(of: bytes), try sha512(bytes))
            try await harness.store.put(try harness.target(long), bytes: ByteBuffer(bytes: bytes))
            // Both names enter the hot set.
            #expect(try await harness.blob(long) == bytes)
            #expect(try await harness.blob(short) == bytes)
            #expect(try await harness.flush() == 100)
            #expect(try await harness.blob(short) == nil)
            #expect(try await harness.blob(long) == nil)
        }
    }

    @Test
    func reopeningFindsEverything() async throws {
        try await withTemporaryFolder { folder in
            let small = content(1, 100)
            let large = content(2, 5000)
            let time = ManualTime()
            try await withStore(configuration, in: folder, time: time) { harness in
                let digest = try await harness.putBlob(large)
                try await harness.putBlob(small)
                try await harness.store.put(
                    try harness.target(try sha512(large), in: "long"),
                    bytes: ByteBuffer(bytes: large)
                )
                try await harness.putEntry("small", small, references: .to(digest))
                try await harness.putEntry("large", content(3, 6000))
                try await harness.putEntry("waiting", [7], references: .to(IncrementalHasher.digest(of: [8])))
                try await harness.putEntry("gone", content(4, 6000))
                #expect(try await harness.delete("gone"))
            }
            try await withStore(configuration, in: folder, time: time) { harness in
                #expect(try await harness.blob(IncrementalHasher.digest(of: small)) == small)
                #expect(try await harness.blob(IncrementalHasher.digest(of: large)) == large)
                #expect(try await harness.blob(try sha512(large), in: "long") == large)
                #expect(try await harness.entry("small") == small)
                #expect(try await harness.entry("large") == content(3, 6000))
                #expect(try await harness.entry("waiting") == nil)
                #expect(try await harness.entry("gone") == nil)
                #expect(harness.used == 11_101)
                #expect(harness.store.directory.all.map(\.name.text) == ["long", "main"])
                #expect(try harness.repository().entryCount == 3)
                #expect(try harness.repository().usedBytes == 11_101)
                try await harness.quiet()
                #expect(harness.files(in: "blobs").count == 2)
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func theEmptyBlobIsInEveryRepository() async throws {
        try await withStore(configuration) { harness in
            _ = try await harness.store.createRepository(
                try harness.name("main"),
                kind: .cache,
                settings: RepositorySettings()
            )
            #expect(try await harness.blob(.emptySHA256) == [])
            try await harness.putBlob([])
            try await harness.putEntry("empty", [])
            #expect(try await harness.blob(.emptySHA256) == [])
            #expect(try await harness.entry("empty") == [])
            #expect(try await harness.flush() == 0)
            #expect(try await harness.blob(.emptySHA256) == [])
            #expect(try await harness.entry("empty") == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func anEntryMissesUntilTheBlobsItNamesAreThere() async throws {
        try await withStore(configuration) { harness in
            let (first, second) = (content(1, 100), content(2, 5000))
            let digests = [first, second].map { IncrementalHasher.digest(of: $0) }
            try await harness.putEntry("key", [9], references: .to(digests[0], digests[1]))
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.complete("key", references: digests) == false)
            try await harness.putBlob(first)
            #expect(try await harness.complete("key", references: digests) == false)
            #expect(try await harness.entry("key") == nil)
            try await harness.putBlob(second)
            #expect(try await harness.complete("key", references: digests))
            #expect(try await harness.entry("key") == [9])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func anEntryWhoseBlobsAreThereIsVisibleAtOnce() async throws {
        try await withStore(configuration) { harness in
            let small = try await harness.putBlob(content(1, 100))
            let large = try await harness.putBlob(content(2, 5000))
            try await harness.putEntry("key", [9], references: .to(small, large, small))
            #expect(try await harness.entry("key") == [9])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aReferenceOfAnotherSizeIsMissing() async throws {
        try await withStore(configuration) { harness in
            let digest = try await harness.putBlob(content(1, 100))
            try await harness.putEntry("wrong", [1], references: .known([BlobDescriptor(digest: digest, size: 99)]))
            try await harness.putEntry("right", [2], references: .known([BlobDescriptor(digest: digest, size: 100)]))
            #expect(try await harness.entry("wrong") == nil)
            #expect(try await harness.entry("right") == [2])
        }
    }

    @Test
    func anEntryAboveTheInlineLimitIsCompletedAtItsFirstRead() async throws {
        try await withStore(configuration) { harness in
            let digest = try await harness.putBlob(content(1, 100))
            let bytes = content(2, 5000)
            try await harness.putEntry("inspected", bytes, references: .to(digest))
            #expect(try await harness.complete("inspected", references: [digest]))
            #expect(try await harness.entry("inspected") == bytes)
            try await harness.putEntry("plain", bytes)
            #expect(try await harness.entry("plain") == bytes)
            #expect(harness.used == 5100)
        }
    }

    @Test(arguments: [1, 499, 500, 501, 1200])
    func anEntryMayNameManyBlobs(count: Int) async throws {
        try await withStore(configuration) { harness in
            let repository = try await harness.store.createRepository(
                try harness.name("main"),
                kind: .cache,
                settings: RepositorySettings()
            )
            let clock = harness.store.useClock(in: .cache)
            let digests = try await harness.store.committer.commit { transaction in
                try (0..<count).map { number in
                    let bytes = content(number, 20)
                    let blob = UploadedBlob(
                        digest: IncrementalHasher.digest(of: bytes),
                        size: 20,
                        content: .inline(bytes)
                    )
                    _ = try transaction.putBlob(blob, in: repository.id, isExplicit: false, clock: clock)
                    return blob.digest
                }
            }
            let references = EntryReferences.known(digests.map { BlobDescriptor(digest: $0, size: 20) })
            try await harness.putEntry("key", content(1, 900), references: references)
            // More than one transaction takes: completed at the first read.
            #expect(try await harness.entry("key") == (count <= 500 ? content(1, 900) : nil))
            #expect(try await harness.complete("key", references: digests))
            #expect(try await harness.entry("key") == content(1, 900))
            #expect(try await harness.problems() == [])
            // The blobs were linked for the entry only, so they go with it.
            #expect(try await harness.delete("key"))
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func contentThatItsAdapterRefusesIsNotStored() async throws {
        try await withStore(configuration) { harness in
            let target = WriteTarget(
                repository: try harness.name("main"),
                item: .entry(
                    try harness.key("key"),
                    inspect: { _ throws(StoreError) in throw .invalidContent("no action result") }
                )
            )
            await #expect(throws: StoreError.invalidContent("no action result")) {
                try await harness.store.put(target, bytes: ByteBuffer(bytes: [1, 2]))
            }
            await #expect(throws: StoreError.invalidContent("no action result")) {
                try await harness.store.put(target, body: Chunks([[1], [2]]), length: nil)
            }
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test(arguments: [200, 1024, 5000], [nil, true, false] as [Bool?])
    func aBodyAboveTheSizeLimitIsRefused(limit: Int, isDeclared: Bool?) async throws {
        var limited = configuration
        limited.blobSizeLimit = ByteCount(Int64(limit))
        try await withStore(limited) { harness in
            func put(_ bytes: [UInt8]) async throws {
                let target = try harness.target(IncrementalHasher.digest(of: bytes))
                switch isDeclared {
                case nil: try await harness.store.put(target, bytes: ByteBuffer(bytes: bytes))
                case true?:
                    try await harness.store.put(target, body: Chunks(bytes, each: 70), length: Int64(bytes.count))
                case false?: try await harness.store.put(target, body: Chunks(bytes, each: 70), length: nil)
                }
            }
            await #expect(throws: StoreError.tooLarge(limit: ByteCount(Int64(limit)))) {
                try await put(content(1, limit + 1))
            }
            #expect(try await harness.emptiness() == [])
            try await put(content(2, limit))
            #expect(harness.used == Int64(limit))
        }
    }

    @Test
    func anInspectedEntryAboveEightMebibytesIsRefused() async throws {
        try await withStore(configuration) { harness in
            let target = WriteTarget(
                repository: try harness.name("main"),
                item: .entry(try harness.key("key"), inspect: { _ in EntryReferences.none })
            )
            let mebibyte = [UInt8](repeating: 1, count: 1 << 20)
            await #expect(throws: StoreError.tooLarge(limit: .mebibytes(8))) {
                try await harness.store.put(
                    target,
                    body: Chunks(Array(repeating: mebibyte, count: 8) + [[1]]),
                    length: nil
                )
            }
            let refusal = try await storeError { try harness.store.admit(target, length: 8 << 20 | 1) }
            #expect(refusal == .tooLarge(limit: .mebibytes(8)))
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func onlyCachesTakeWrites() async throws {
        try await withStore(configuration) { harness in
            for kind in [RepositoryKind.registry, .bucket] {
                let name = try harness.name(kind.rawValue)
                _ = try await harness.store.createRepository(name, kind: kind, settings: RepositorySettings())
                let error = try await storeError { try await harness.putBlob([1], in: kind.rawValue) }
                #expect(caseName(error) == "notAllowed")
            }
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func repositoriesAreCreatedByWritesOnlyWhereTheConfigurationAllowsIt() async throws {
        var strict = configuration
        strict.createsOnWrite = false
        try await withStore(strict) { harness in
            #expect(caseName(try await storeError { try await harness.putBlob([1]) }) == "notFound")
            _ = try await harness.store.createRepository(
                try harness.name("main"),
                kind: .cache,
                settings: RepositorySettings()
            )
            try await harness.putBlob([1])
        }
        var few = configuration
        few.implicitRepositoriesMax = 2
        try await withStore(few) { harness in
            try await harness.putBlob([1], in: "a")
            try await harness.putBlob([1], in: "b")
            #expect(caseName(try await storeError { try await harness.putBlob([1], in: "c") }) == "notAllowed")
            _ = try await harness.store.createRepository(
                try harness.name("c"),
                kind: .cache,
                settings: RepositorySettings()
            )
            try await harness.putBlob([1], in: "c")
        }
    }

    @Test
    func aRepositoryThatManyTasksWriteToFirstIsCreatedOnce() async throws {
        try await withStore(configuration) { harness in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask { try await harness.putBlob(content(number, 100)) }
                }
                try await group.waitForAll()
            }
            #expect(harness.store.directory.all.count == 1)
            #expect(try harness.repository().usedBytes == 800)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aSmallBodyIsPreparedWithoutSuspending() async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 1024)
            let target = try harness.target(IncrementalHasher.digest(of: bytes))
            // The repository is not there yet.
            #expect(try harness.store.prepareSmall(target, bytes: ByteBuffer(bytes: bytes)) == nil)
            try await harness.putBlob([1])
            let write = try #require(try harness.store.prepareSmall(target, bytes: ByteBuffer(bytes: bytes)))
            let errors = await withCheckedContinuation { continuation in
                harness.store.commit([write], on: MultiThreadedEventLoopGroup.singleton.next()) {
                    continuation.resume(returning: $0)
                }
            }
            #expect(errors == [nil])
            #expect(try await harness.blob(IncrementalHasher.digest(of: bytes)) == bytes)
            #expect {
                try harness.store.prepareSmall(target, bytes: ByteBuffer(bytes: [2]))
            } throws: {
                caseName($0 as? StoreError) == "digestMismatch"
            }
            let long = content(2, 1025)
            let large = try harness.target(IncrementalHasher.digest(of: long))
            #expect(try harness.store.prepareSmall(large, bytes: ByteBuffer(bytes: long)) == nil)
            #expect(harness.used == 1025)
            #expect(harness.reserved == 0)
        }
    }

    @Test
    func manyNamesAreResolvedInTheirOrder() async throws {
        try await withStore(configuration) { harness in
            let small = try await harness.putBlob(content(1, 10))
            let large = try await harness.putBlob(content(2, 5000))
            try await harness.putEntry("key", content(3, 30))
            let id = try harness.repository().id
            let items: [StoredName.Item] = [
                .entry(try harness.key("none")), .blob(large), .blob(.emptySHA256), .entry(try harness.key("key")),
                .blob(IncrementalHasher.digest(of: [1])), .blob(small),
            ]
            let sizes: [Int64?] = await withCheckedContinuation { continuation in
                harness.store.resolve(items.map { StoredName(repository: id, item: $0) }) { outcomes in
                    continuation.resume(
                        returning: outcomes.map { if case .found(let content) = $0 { content.size } else { nil } }
                    )
                }
            }
            #expect(sizes == [nil, 5000, 0, 30, nil, 10])
        }
    }

    @Test
    func aReadHasALimitOfItsOwn() async throws {
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, 5000))
            let name = StoredName(repository: try harness.repository().id, item: .entry(try harness.key("key")))
            guard case .found(let content) = try await harness.store.read(name) else {
                throw TestFailure("the entry is not there")
            }
            await #expect(throws: StoreError.tooLarge(limit: ByteCount(4999))) {
                _ = try await harness.store.bytes(of: content, atMost: ByteCount(4999))
            }
            #expect(try await harness.store.bytes(of: content, atMost: ByteCount(5000)).readableBytes == 5000)
        }
    }

    @Test
    func aFileThatIsBeingReadStaysReadableWhenItsBlobGoes() async throws {
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, 5000))
            let name = StoredName(repository: try harness.repository().id, item: .entry(try harness.key("key")))
            guard case .found(let found) = try await harness.store.read(name) else {
                throw TestFailure("the entry is not there")
            }
            #expect(try await harness.delete("key"))
            #expect(try await harness.emptiness() == [])
            let bytes = try await harness.store.bytes(of: found, atMost: .mebibytes(1))
            #expect(Array(bytes.readableBytesView) == content(1, 5000))
        }
    }
}
