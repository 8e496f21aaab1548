import LarderCore
import LarderMetadata
import LarderTestSupport
import Testing

/// Rows of resumable uploads, blobs that are mounted, and blobs that no manifest needs.
@Suite struct UploadTransactionTests {
    private typealias Harness = MetadataHarness

    private static func uploads(_ harness: Harness) throws -> [UploadRow] {
        try harness.metadata.read { try $0.uploads() }.sorted { $0.id < $1.id }
    }

    @Test func anUploadsRowSaysWhatWasAcknowledged() async throws {
        try await withMetadata { harness in
            let (main, other) = (harness.main, harness.other)
            let now = Harness.start
            _ = try harness.metadata.write { transaction in
                try transaction.insertUpload("a", in: main, now: now, expiresAt: now + .seconds(60))
                try transaction.insertUpload("b", in: other, now: now, expiresAt: now + .seconds(61))
            }
            let begun = try Self.uploads(harness)
            #expect(begun.map(\.id) == ["a", "b"])
            #expect(begun.map(\.repository) == [main, other])
            #expect(begun.map(\.fileName) == [nil, nil])
            #expect(begun.map(\.length) == [0, 0])
            #expect(begun.map(\.expiresAt) == [Harness.start + .seconds(60), Harness.start + .seconds(61)])
            _ = try harness.metadata.write { transaction in
                try transaction.setUpload("b", fileName: "77.part", length: 5, expiresAt: Harness.start + .seconds(90))
                try transaction.deleteUpload("a")
                // Of one that is gone by now, nothing is left to be said.
                try transaction.setUpload("a", fileName: "78.part", length: 5, expiresAt: Harness.start)
                try transaction.deleteUpload("a")
            }
            let left = try Self.uploads(harness)
            #expect(left.map(\.id) == ["b"])
            #expect(left.map(\.fileName) == ["77.part"])
            #expect(left.map(\.length) == [5])
            #expect(left.map(\.expiresAt) == [Harness.start + .seconds(90)])
        }
    }

    @Test func uploadsGoWithTheirRepository() async throws {
        try await withMetadata { harness in
            let (main, other) = (harness.main, harness.other)
            _ = try harness.metadata.write { transaction in
                try transaction.insertUpload("a", in: main, now: Harness.start, expiresAt: Harness.start)
                try transaction.insertUpload("b", in: other, now: Harness.start, expiresAt: Harness.start)
                try transaction.deleteRepository(main)
                try transaction.dropRepository(main)
            }
            #expect(try Self.uploads(harness).map(\.id) == ["b"])
        }
    }

    @Test func anUploadNeedsItsRepository() async throws {
        try await withMetadata { harness in
            let error = try storeError {
                _ = try harness.metadata.write { transaction in
                    try transaction.insertUpload("a", in: 999, now: Harness.start, expiresAt: Harness.start)
                }
            }
            #expect(error == .notFound("the repository is being removed"))
        }
    }

    // MARK: Mounts

    private static func mount(_ digest: Digest, _ harness: Harness, at seconds: Int64 = 0) throws -> Bool {
        let (main, other) = (harness.main, harness.other)
        return try harness.metadata.write { transaction in
            try transaction.mountBlob(digest, from: main, to: other, clock: Harness.clock(seconds))
        }.value
    }

    @Test func aMountedBlobIsLinkedAndStoredOnce() async throws {
        try await withMetadata { harness in
            try await harness.put([1, 2])
            #expect(try Self.mount(Harness.digest(2), harness, at: 7))
            #expect(try harness.findBlob(2, in: harness.other)?.lastUsed == Harness.start + .seconds(7))
            #expect(try harness.findBlob(1, in: harness.other) == nil)
            #expect(try harness.account() == (usedBytes: 3, blobCount: 2))
            #expect(try harness.repository(harness.other).usedBytes == 2)
            // Once more: its mark is renewed.
            #expect(try Self.mount(Harness.digest(2), harness, at: 9))
            #expect(try harness.findBlob(2, in: harness.other)?.lastUsed == Harness.start + .seconds(9))
            #expect(try harness.repository(harness.other).usedBytes == 2)
            #expect(try harness.deleteBlob(2) == .removed)
            #expect(try harness.findBlob(2, in: harness.other) != nil)
            #expect(try harness.problems() == [])
        }
    }

    @Test func whatIsNotThereOrDamagedIsNotMounted() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.put([3], in: harness.other)
            #expect(try !Self.mount(Harness.digest(2), harness))
            #expect(try !Self.mount(Harness.digest(3), harness))
            let row = try #require(try harness.metadata.read { try $0.blob(Harness.digest(1)) })
            _ = try harness.metadata.write { try $0.quarantine(row) }
            #expect(try !Self.mount(Harness.digest(1), harness))
            #expect(try harness.repository(harness.other).usedBytes == 3)
            #expect(try harness.problems() == [])
        }
    }

    @Test func aBlobIsFoundAmongSeveralRepositories() async throws {
        try await withMetadata { harness in
            try await harness.put([1])
            try await harness.put([1, 2], in: harness.other)
            let (main, other) = (harness.main, harness.other)
            func find(_ number: Int, _ ids: [RepositoryID]) throws -> [Int64]? {
                try harness.metadata.read { try $0.linkedBlob(Harness.digest(number), among: ids) }
                    .map { [$0.repository, $0.size] }
            }
            #expect(try find(1, [main, other]) == [main, 1])
            #expect(try find(1, [other, main]) == [other, 1])
            #expect(try find(2, [main, other]) == [other, 2])
            #expect(try find(2, [main]) == nil)
            #expect(try find(2, []) == nil)
            #expect(try find(3, [main, other]) == nil)
        }
    }

    // MARK: Loose blobs

    @Test func looseBlobsAreListedLeastRecentlyUsedFirst() async throws {
        try await withMetadata { harness in
            try await harness.put([3], at: 30)
            try await harness.put([1], at: 10)
            try await harness.put([2], at: 20)
            try await harness.put([4], at: 5)
            try await harness.put([9], in: harness.other)
            try harness.push(try TestManifest.image(1, config: 4))
            let main = harness.main
            func loose(_ seconds: Int64, atMost limit: Int = 100) throws -> [Int64] {
                try harness.metadata.read {
                    try $0.unreferencedLinks(in: main, unusedSince: Harness.start + .seconds(seconds), atMost: limit)
                }.map(\.size)
            }
            #expect(try loose(9) == [])
            #expect(try loose(10) == [1])
            #expect(try loose(29) == [1, 2])
            #expect(try loose(1000) == [1, 2, 3])
            #expect(try loose(1000, atMost: 2) == [1, 2])
            let candidates = try harness.metadata.read {
                try $0.unreferencedLinks(in: main, unusedSince: Harness.start + .seconds(20), atMost: 100)
            }
            #expect(try harness.metadata.write { try $0.evict(candidates) }.value == (bytes: 3, count: 2))
            #expect(try loose(1000) == [3])
            #expect(try harness.problems() == [])
        }
    }
}
