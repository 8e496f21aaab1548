import Foundation
import LarderBlobs
import LarderCore
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    return configuration
}

/// What happens to a blob's file behind the store's back.
private enum Damage: String, CaseIterable, Sendable {
    case isGone, isShorter, isLonger, hasOtherBytes

    func apply(to path: String) throws {
        switch self {
        case .isGone: try FileManager.default.removeItem(atPath: path)
        case .isShorter: try cut(path, to: 4999)
        case .isLonger: try cut(path, to: 5001)
        case .hasOtherBytes: try flipByte(of: path, at: 2500)
        }
    }

    private func cut(_ path: String, to length: UInt64) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.truncate(atOffset: length)
    }

    /// What `larder check` says of it.
    var finding: String {
        self == .hasOtherBytes ? "its file has other bytes" : "its file is missing or has another length"
    }
}

extension StoreHarness {
    /// The path of the only file.
    fileprivate func onlyFile() async throws -> String {
        try await settled()
        let files = files(in: "blobs")
        guard files.count == 1 else { throw TestFailure("there are the files \(files)") }
        return "\(folder)/blobs/\(files[0])"
    }

    fileprivate func quarantined(_ count: Int64) async throws {
        try await waitUntil("\(count) blobs are in quarantine") {
            quarantinedCount == count
        }
    }
}

/// A damaged blob is never served once the damage is seen, and a new upload of it heals everything that names it.
@Suite
struct QuarantineTests {
    @Test(arguments: [Damage.isGone, .isShorter, .isLonger])
    private func aFileThatIsNotAsLongAsItsRowSaysMissesAtOnce(damage: Damage) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 5000)
            let digest = try await harness.putBlob(bytes)
            try await harness.putEntry("names", [1], references: .to(digest))
            try await harness.putEntry("names not", [2])
            #expect(try await harness.entry("names") == [1])
            try damage.apply(to: try await harness.onlyFile())
            #expect(try await harness.blob(digest) == nil)
            try await harness.quarantined(1)
            #expect(try await harness.blob(digest) == nil)
            #expect(try await harness.entry("names") == nil)
            #expect(try await harness.entry("names not") == [2])
            #expect(try await harness.problems() == [])
            // The same bytes from whoever has them.
            try await harness.store.put(try harness.target(digest), body: Chunks(bytes, each: 999), length: 5000)
            try await harness.quarantined(0)
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.entry("names") == [1])
            #expect(harness.used == 5002)
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try await harness.problems() == [])
        }
    }

    @Test(arguments: Damage.allCases)
    private func checkFindsTheDamageAndRepairingQuarantinesIt(damage: Damage) async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 5000)
            let digest = try await harness.putBlob(bytes)
            try await harness.putEntry("names", [1], references: .to(digest))
            try damage.apply(to: try await harness.onlyFile())
            #expect(try await harness.problems() == ["\(digest) is damaged: \(damage.finding)"])
            #expect(harness.quarantinedCount == 0)
            #expect(
                try await harness.problems(repairing: true) == ["\(digest) is damaged: \(damage.finding) (repaired)"]
            )
            #expect(harness.quarantinedCount == 1)
            #expect(try await harness.blob(digest) == nil)
            #expect(try await harness.entry("names") == nil)
            #expect(try await harness.problems(repairing: true) == [])
            try await harness.putBlob(bytes)
            #expect(try await harness.blob(digest) == bytes)
            #expect(try await harness.entry("names") == [1])
            try await harness.quiet()
            #expect(harness.files(in: "blobs").count == 1)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func theReportCountsWhatItSawAndWhatItRepaired() async throws {
        try await withStore(configuration) { harness in
            try await harness.putBlob(content(2, 100))
            try await harness.putBlob(content(1, 5000))
            try flipByte(of: try await harness.onlyFile(), at: 0)
            let first = try await harness.store.check(isRepairing: false) { _ in }
            #expect((first.blobCount, first.byteCount) == (2, 5100))
            #expect((first.problemCount, first.repairedCount, first.isClean) == (1, 0, false))
            let second = try await harness.store.check(isRepairing: true) { _ in }
            #expect((second.problemCount, second.repairedCount, second.isClean) == (1, 1, false))
        }
    }

    @Test
    func aValueInAFileThatIsGoneMakesItsEntryMissAndAnOverwriteHealsIt() async throws {
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, 5000))
            try await harness.putEntry("same value", content(1, 5000))
            try Damage.isGone.apply(to: try await harness.onlyFile())
            #expect(try await harness.entry("key") == nil)
            try await harness.quarantined(1)
            #expect(try await harness.entry("same value") == nil)
            try await harness.putEntry("key", content(1, 5000))
            #expect(try await harness.entry("key") == content(1, 5000))
            #expect(try await harness.entry("same value") == content(1, 5000))
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatIsInQuarantineCanBeDeleted() async throws {
        try await withStore(configuration) { harness in
            try await harness.putEntry("key", content(1, 5000))
            try Damage.isGone.apply(to: try await harness.onlyFile())
            #expect(try await harness.entry("key") == nil)
            try await harness.quarantined(1)
            #expect(try await harness.delete("key"))
            try await harness.quarantined(0)
            #expect(try await harness.emptiness() == [])
        }
    }

    @Test
    func aRepositoryMayProveAQuarantinedBlobOfAnother() async throws {
        try await withStore(configuration) { harness in
            let bytes = content(1, 5000)
            let digest = try await harness.putBlob(bytes, in: "a")
            try Damage.isShorter.apply(to: try await harness.onlyFile())
            #expect(try await harness.blob(digest, in: "a") == nil)
            try await harness.quarantined(1)
            try await harness.putBlob(bytes, in: "b")
            #expect(try await harness.blob(digest, in: "a") == bytes)
            #expect(try await harness.blob(digest, in: "b") == bytes)
            #expect(harness.used == 5000)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func quarantineSurvivesReopening() async throws {
        try await withTemporaryFolder { folder in
            let digest = try await withStore(configuration, in: folder) { harness in
                let digest = try await harness.putBlob(content(1, 5000))
                try await harness.putEntry("names", [1], references: .to(digest))
                try flipByte(of: try await harness.onlyFile(), at: 4999)
                #expect(try await harness.problems(repairing: true).count == 1)
                return digest
            }
            try await withStore(configuration, in: folder) { harness in
                #expect(try await harness.entry("names") == nil)
                #expect(try await harness.blob(digest) == nil)
                try await harness.putBlob(content(1, 5000))
                #expect(try await harness.entry("names") == [1])
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test(
        arguments: [
            (change: "UPDATE blob_bytes SET bytes = zeroblob(length(bytes))", finding: "its bytes are others"),
            (change: "UPDATE blob_bytes SET bytes = substr(bytes, 1, 99)", finding: "its bytes are others"),
            (change: "DELETE FROM blob_bytes", finding: "its bytes are missing"),
        ])
    func damagedBytesInTheDatabaseAreNotServed(change: String, finding: String) async throws {
        try await withTemporaryFolder { folder in
            let bytes = content(1, 100)
            let digest = IncrementalHasher.digest(of: bytes)
            try await withStore(configuration, in: folder) { harness in
                try await harness.putBlob(bytes)
                try await harness.putEntry("value", bytes)
                try await harness.putEntry("names", content(2, 5000), references: nil)
            }
            try await editDatabase(in: folder, change)
            try await withStore(configuration, in: folder) { harness in
                #expect(try await harness.problems() == ["\(digest) is damaged: \(finding)"])
                #expect(try await harness.blob(digest) == nil)
                try await harness.quarantined(1)
                #expect(try await harness.entry("value") == nil)
                #expect(try await harness.entry("names") == content(2, 5000))
                try await harness.putBlob(bytes)
                #expect(try await harness.blob(digest) == bytes)
                #expect(try await harness.entry("value") == bytes)
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func repairRemovesFilesThatBelongToNoBlob() async throws {
        try await withStore(configuration) { harness in
            let digest = try await harness.putBlob(content(1, 5000))
            let file = try await harness.onlyFile()
            let hex = IncrementalHasher.digest(of: content(2, 10)).hex
            let orphan = "blobs/sha256/\(hex.prefix(2))/\(hex).7"
            let sibling = "blobs/sha256/\(digest.hex.prefix(2))/\(digest.hex).7"
            let stranger = "blobs/sha256/00/notes.txt"
            for path in [orphan, sibling, stranger] {
                try FileManager.default.copyItem(atPath: file, toPath: "\(harness.folder)/\(path)")
            }
            #expect(
                try await harness.problems().sorted()
                    == [
                        "\(orphan) belongs to no blob", "\(sibling) belongs to no blob",
                        "\(stranger) is no file of the store",
                    ].sorted()
            )
            _ = try await harness.problems(repairing: true)
            // A stranger's file is reported, but it is not ours to remove.
            #expect(try await harness.problems() == ["\(stranger) is no file of the store"])
            #expect(harness.files(in: "blobs").count == 2)
            #expect(try await harness.blob(digest) == content(1, 5000))
        }
    }

    @Test
    func repairComputesWrongCountersAnew() async throws {
        try await withTemporaryFolder { folder in
            try await withStore(configuration, in: folder) { harness in
                let digest = try await harness.putBlob(content(1, 5000))
                try await harness.putEntry("names", content(2, 100), references: .to(digest))
            }
            try await editDatabase(
                in: folder,
                """
                UPDATE store SET used_bytes = 7, blob_count = 9;
                UPDATE repository SET used_bytes = 1, entry_count = 44;
                UPDATE link SET entry_count = 3;
                UPDATE blob SET link_count = 5;
                """
            )
            try await withStore(configuration, in: folder) { harness in
                #expect(harness.used == 7)
                #expect(try await harness.problems().count == 6)
                let report = try await harness.store.check(isRepairing: true) { _ in }
                #expect((report.problemCount, report.repairedCount) == (6, 6))
                #expect(harness.used == 5100)
                #expect(try harness.repository().usedBytes == 5100)
                #expect(try harness.repository().entryCount == 1)
                #expect(try await harness.problems() == [])
                #expect(try await harness.entry("names") == content(2, 100))
                #expect(try await harness.flush() == 5100)
                #expect(try await harness.emptiness() == [])
            }
        }
    }

    @Test
    func checkOfAStoreInUseFindsNothing() async throws {
        try await withStore(configuration) { harness in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<3 {
                    group.addTask {
                        for round in 0..<60 {
                            let size = round.isMultiple(of: 2) ? 100 : 3000
                            try await harness.putEntry("\(worker)/\(round % 5)", content(worker * 100 + round, size))
                            if round.isMultiple(of: 7) { _ = try await harness.delete("\(worker)/\(round % 5)") }
                        }
                    }
                }
                for _ in 0..<4 { #expect(try await harness.problems() == []) }
                try await group.waitForAll()
            }
            try await harness.quiet()
            #expect(try await harness.problems() == [])
        }
    }
}
