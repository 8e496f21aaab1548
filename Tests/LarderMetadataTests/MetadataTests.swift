import GRDB
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// How the database is opened and how transactions end.
@Suite struct MetadataTests {
    /// GRDB's default for WAL is NORMAL (1), which loses the last commits in a power cut.
    @Test func writerSyncsEveryCommit() async throws {
        try await withMetadata { harness in
            let value = try await harness.metadata.write { transaction in
                try Int.fetchOne(transaction.db, sql: "PRAGMA synchronous")
            }.value
            #expect(value == 2)
        }
    }

    @Test func writerStillSyncsEveryCommitAfterCompacting() async throws {
        try await withMetadata { harness in
            _ = try await harness.metadata.compact()
            let value = try await harness.metadata.write { transaction in
                try Int.fetchOne(transaction.db, sql: "PRAGMA synchronous")
            }.value
            #expect(value == 2)
        }
    }

    @Test func databaseGuardsWhatItCan() async throws {
        try await withMetadata { harness in
            let (foreignKeys, journal) = try await harness.metadata.write { transaction in
                (
                    try Int.fetchOne(transaction.db, sql: "PRAGMA foreign_keys"),
                    try String.fetchOne(transaction.db, sql: "PRAGMA journal_mode")
                )
            }.value
            #expect(foreignKeys == 1)
            #expect(journal == "wal")
            #expect(try harness.metadata.read { try $0.integrityProblems() }.isEmpty)
        }
    }

    @Test func startsAreCountedAcrossReopening() async throws {
        try await withTemporaryFolder { folder in
            for expected in Int64(1)...3 {
                let metadata = try Metadata(
                    path: "\(folder)/larder.sqlite",
                    readerCountMax: 1,
                    now: MetadataHarness.start
                )
                #expect(try metadata.recordStart() == expected)
                try metadata.close()
            }
        }
    }

    @Test func bodyThatThrowsLeavesNoTrace() async throws {
        try await withMetadata { harness in
            try await harness.put([10])
            let main = harness.main
            await #expect(throws: StoreError.tooLarge(limit: ByteCount(7))) {
                _ = try await harness.metadata.write { transaction in
                    _ = try transaction.putBlob(
                        MetadataHarness.blob(20),
                        in: main,
                        isExplicit: true,
                        clock: MetadataHarness.clock()
                    )
                    throw StoreError.tooLarge(limit: ByteCount(7))
                }
            }
            #expect(try harness.account() == (usedBytes: 10, blobCount: 1))
            #expect(try harness.findBlob(20) == nil)
            #expect(try harness.problems() == [])
        }
    }

    @Test func rowsSurviveReopening() async throws {
        try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.sqlite"
            let name = try #require(RepositoryName("team/app"))
            let settings = RepositorySettings(quotaBytes: .gibibytes(5), quotaEntries: 7, validatesContent: false)
            let first = try Metadata(path: path, readerCountMax: 1, now: MetadataHarness.start)
            let made = try await first.write { transaction in
                try transaction.createRepository(name, kind: .bucket, settings: settings, now: MetadataHarness.start)
            }.value
            try first.close()
            let second = try Metadata(path: path, readerCountMax: 1, now: MetadataHarness.start + .seconds(9))
            #expect(try second.read { try $0.repositories() } == [made])
            #expect(made.settings == settings)
            #expect(made.createdAt == MetadataHarness.start)
            try second.close()
        }
    }

    @Test func compactingKeepsAllRows() async throws {
        try await withMetadata { harness in
            try await harness.put(1...100)
            try await harness.putEntry(1, 200, references: [1, 2])
            let sizes = try await harness.metadata.compact()
            #expect(sizes.before > 0 && sizes.after > 0)
            #expect(try harness.account() == (usedBytes: 5250, blobCount: 101))
            #expect(try harness.findEntry(1)?.inlineBytes == MetadataHarness.content(200))
            #expect(try harness.problems() == [])
        }
    }
}

extension MetadataHarness {
    /// Whether nothing is stored any more.
    func isEmpty() throws -> Bool {
        let tables = ["blob", "blob_bytes", "digest", "link", "entry", "reference"]
        let counts = try tables.flatMap { try numbers("SELECT count(*) FROM \($0)") }
        return try account() == (usedBytes: 0, blobCount: 0) && counts.allSatisfy { $0 == 0 }
    }
}
