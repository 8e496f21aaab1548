import Foundation
import GRDB
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// How the database is opened and how transactions end.
@Suite struct MetadataTests {
    /// NORMAL (1): commits are only written to the log; `synchronize` makes them durable.
    @Test func syncsAreLeftToSynchronize() async throws {
        try await withMetadata { harness in
            for _ in 0..<2 {
                let value = try harness.metadata.write { transaction in
                    try Int.fetchOne(transaction.db, sql: "PRAGMA synchronous")
                }.value
                #expect(value == 1)
                try harness.metadata.synchronize()
                // Still so afterwards.
                _ = try await harness.metadata.compact()
            }
        }
    }

    /// A transaction that does not fit into the page cache writes pages early, some of them twice, and then the checksums
    /// of its frames again: what a crash leaves of the log is read back by these.
    @Test func aTransactionLargerThanTheCacheSurvivesACrash() async throws {
        try await withTemporaryFolder { copy in
            try await withMetadata { harness in
                let (main, clock) = (harness.main, MetadataHarness.clock())
                func blob(_ number: Int) -> UploadedBlob {
                    let bytes = [UInt8](repeating: UInt8(number & 0xff), count: 60_000) + Array("\(number)".utf8)
                    let digest = IncrementalHasher.digest(of: bytes)
                    return UploadedBlob(digest: digest, size: Int64(bytes.count), content: .inline(bytes))
                }
                for round in 0..<3 {
                    _ = try harness.metadata.write { transaction in
                        for number in 0..<300 {
                            let blob = blob(round * 300 + number)
                            _ = try transaction.putBlob(blob, in: main, isExplicit: true, clock: clock)
                        }
                    }
                    try await harness.put([round + 1])
                }
                #expect(harness.metadata.walLength > .mebibytes(50))
                for suffix in ["", "-wal"] {
                    try FileManager.default.copyItem(
                        atPath: harness.path + suffix,
                        toPath: "\(copy)/larder.sqlite\(suffix)"
                    )
                }
                let reopened = try Metadata(
                    path: "\(copy)/larder.sqlite",
                    readerCountMax: 1,
                    now: MetadataHarness.start
                )
                #expect(try reopened.read { try $0.integrityProblems() } == [])
                for number in 0..<900 {
                    let found = try reopened.read { try $0.blob(blob(number).digest) }
                    #expect(found != nil, "blob \(number)")
                }
                try reopened.close()
            }
        }
    }

    /// The log is moved while transactions go on, and begins anew after the rest was moved.
    @Test func movingTheLogLetsItBeginAnew() async throws {
        try await withMetadata { harness in
            for number in 1...50 { try await harness.put([number]) }
            let long = harness.metadata.walLength
            #expect(long > ByteCount(50 * 4096))
            // A reader of the past keeps what came after it in the log.
            let main = harness.main
            try harness.metadata.read { snapshot in
                _ = try snapshot.account()
                _ = try harness.metadata.write { transaction in
                    try transaction.putBlob(
                        MetadataHarness.blob(60),
                        in: main,
                        isExplicit: true,
                        clock: MetadataHarness.clock()
                    )
                }
                _ = harness.metadata.moveLog()
            }
            try await harness.put([70])
            #expect(harness.metadata.walLength > long)
            harness.metadata.finishMovingLog()
            try await harness.put([61])
            #expect(harness.metadata.walLength < long)
            #expect(try harness.findBlob(61) != nil)
            #expect(try harness.problems() == [])
        }
    }

    @Test func databaseGuardsWhatItCan() async throws {
        try await withMetadata { harness in
            let (foreignKeys, journal) = try harness.metadata.write { transaction in
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
            #expect(throws: StoreError.tooLarge(limit: ByteCount(7))) {
                _ = try harness.metadata.write { transaction in
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
            let made = try first.write { transaction in
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
