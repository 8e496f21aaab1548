import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    return configuration
}

extension StoreHarness {
    /// Stores blobs of 20 bytes in one transaction; returns their digests.
    fileprivate func plant(_ count: Int, in repository: Repository, isExplicit: Bool) async throws -> [Digest] {
        let clock = store.useClock(in: .cache)
        return try await store.committer.commit { transaction in
            try (0..<count).map { number in
                let bytes = content(number, 20)
                let blob = UploadedBlob(digest: IncrementalHasher.digest(of: bytes), size: 20, content: .inline(bytes))
                _ = try transaction.putBlob(blob, in: repository.id, isExplicit: isExplicit, clock: clock)
                return blob.digest
            }
        }
    }

    fileprivate func create(_ text: String, _ kind: RepositoryKind = .cache) async throws -> Repository {
        try await store.createRepository(try name(text), kind: kind, settings: RepositorySettings())
    }

    /// Rows of repositories that are on their way out.
    fileprivate func removedRepositories() async throws -> Int {
        try await store.read { try $0.deletedRepositories() }.count
    }
}

/// What a transaction leaves to be cleared away goes in the background, in slices, also after a restart.
@Suite
struct SweeperTests {
    @Test
    func aRemovedRepositoryFreesItsNameAtOnceAndItsContentsInTheBackground() async throws {
        try await withStore(configuration) { harness in
            let repository = try await harness.create("main")
            let many = try await harness.plant(700, in: repository, isExplicit: true)
            let large = try await harness.putBlob(content(5000, 5000))
            for number in 0..<300 {
                try await harness.putEntry(
                    "\(number)",
                    content(10_000 + number, 30),
                    references: .to(many[number], large)
                )
            }
            try await harness.putBlob(content(5000, 5000), in: "other")
            try await harness.store.removeRepository(try harness.name("main"))
            #expect(try await harness.blob(large, in: "main") == nil)
            #expect(try await harness.entry("0", in: "main") == nil)
            // The name belongs to a new repository from here on.
            try await harness.putEntry("0", [1], in: "main")
            try await waitUntil("the old one is gone") { try await harness.removedRepositories() == 0 }
            try await harness.quiet()
            #expect(harness.used == 5001)
            #expect(try await harness.entry("0", in: "main") == [1])
            #expect(try await harness.entry("1", in: "main") == nil)
            #expect(try await harness.blob(large, in: "other") == content(5000, 5000))
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aRemovedRepositoryStaysRemovedAfterReopening() async throws {
        try await withTemporaryFolder { folder in
            try await withStore(configuration, in: folder) { harness in
                for number in 0..<20 { try await harness.putEntry("\(number)", content(number, 3000), in: "gone") }
                try await harness.putEntry("0", content(0, 3000), in: "kept")
                try await harness.store.removeRepository(try harness.name("gone"))
            }
            try await withStore(configuration, in: folder) { harness in
                try await waitUntil("the removed one is gone") { try await harness.removedRepositories() == 0 }
                try await harness.quiet()
                #expect(harness.store.directory.all.map(\.name.text) == ["kept"])
                #expect(try await harness.entry("0", in: "kept") == content(0, 3000))
                #expect(harness.used == 3000)
                #expect(harness.files(in: "blobs").count == 1)
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func removingAnUnknownRepositoryIsAnError() async throws {
        try await withStore(configuration) { harness in
            let error = try await storeError { try await harness.store.removeRepository(try harness.name("main")) }
            #expect(caseName(error) == "notFound")
        }
    }

    @Test(arguments: ["delete", "overwrite", "flush", "remove"])
    func anEntryWithTwoThousandReferencesGoes(way: String) async throws {
        try await withStore(configuration) { harness in
            let repository = try await harness.create("main")
            let digests = try await harness.plant(2000, in: repository, isExplicit: false)
            try await harness.putEntry(
                "key",
                content(9000, 5000),
                references: .known(digests.map { BlobDescriptor(digest: $0, size: 20) })
            )
            #expect(try await harness.complete("key", references: digests))
            #expect(try await harness.entry("key") == content(9000, 5000))
            #expect(harness.used == 45_000)
            switch way {
            case "delete": #expect(try await harness.delete("key"))
            case "overwrite": try await harness.putEntry("key", [])
            case "flush": #expect(try await harness.flush() == 45_000)
            default: try await harness.store.removeRepository(repository.name)
            }
            #expect(try await harness.entry("key") == (way == "overwrite" ? [] : nil))
            try await waitUntil("the references are gone") { harness.used == 0 }
            #expect(try await harness.emptiness() == [])
            if way != "remove" {
                #expect(try harness.repository().entryCount == (way == "overwrite" ? 1 : 0))
                #expect(try harness.repository().usedBytes == 0)
            }
        }
    }

    @Test
    func anEntryThatWasNeverCompletedGoesWithWhatItHeld() async throws {
        try await withStore(configuration) { harness in
            let repository = try await harness.create("main")
            let digests = try await harness.plant(1200, in: repository, isExplicit: false)
            let missing = IncrementalHasher.digest(of: content(77_777, 7))
            let references = (digests + [missing]).map { BlobDescriptor(digest: $0, size: nil) }
            try await harness.putEntry("key", [1], references: .known(references))
            // Some slices are written, one is not.
            #expect(try await harness.complete("key", references: digests + [missing]) == false)
            #expect(try await harness.entry("key") == nil)
            #expect(try await harness.problems() == [])
            #expect(try await harness.delete("key"))
            #expect(try await harness.flush() >= 0)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func filesOfManyRemovalsGoAndTheirRowsToo() async throws {
        try await withStore(configuration) { harness in
            for number in 0..<300 { try await harness.putEntry("\(number)", content(number, 1100)) }
            #expect(try await harness.flush() == 330_000)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func lastUsesAreWrittenOnceAndInBatches() async throws {
        try await withStore(configuration) { harness in
            let repository = try await harness.create("main")
            let digests = try await harness.plant(1500, in: repository, isExplicit: true)
            harness.time.advance(by: .seconds(60))
            let names = digests.map { StoredName(repository: repository.id, item: .blob($0)) }
            _ = harness.store.resolve(names)
            #expect(harness.store.uses.count == 1500)
            try await harness.store.sweeper.writeUses()
            #expect(harness.store.uses.count == 0)
            let now = harness.time.now
            let oldest = try await harness.store.read { try $0.oldestUse(in: repository.id) }
            #expect(oldest == now)
        }
    }
}
