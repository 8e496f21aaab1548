import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Synchronization
import Testing

@testable import LarderStore

/// An upload in parts has its limits and its time, survives what its parts survive, and leaves nothing when it ends.
@Suite
struct UploadPartsLifeTests {
    // MARK: Limits

    @Test(
        arguments: [
            (size: 5000, offset: 0, length: 5001), (size: 5000, offset: 4000, length: 1001),
            (size: 5000, offset: 5001, length: 0),
            (size: 5000, offset: 1, length: .max), (size: 5000, offset: .max, length: .max),
            (size: 5000, offset: .max, length: 1),
            (size: 5000, offset: -1, length: 1), (size: 5000, offset: 0, length: -1),
            (size: nil, offset: 0, length: 10_001),
            (size: nil, offset: 10_000, length: 1), (size: nil, offset: .max, length: 1),
        ] as [(size: Int64?, offset: Int64, length: Int64)]
    )
    func noPartGoesBeyondTheEnd(size: Int64?, offset: Int64, length: Int64) async throws {
        var limited = partsConfiguration
        limited.blobSizeLimit = ByteCount(10_000)
        try await withStore(limited) { (harness) async throws in
            try await harness.beginParts(size: size)
            let error = try await storeError {
                _ = try await harness.store.putPart(
                    of: "upload",
                    in: try harness.name("main"),
                    at: offset,
                    body: Chunks([[1]]),
                    length: length
                )
            }
            #expect(error == .tooLarge(limit: ByteCount(size ?? 10_000)))
            #expect(try harness.declared() == 0)
            #expect(harness.files(in: "uploads") == [])
            #expect(try await harness.cancelParts())
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test
    func theQuotaHoldsOverAllParts() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let settings = RepositorySettings(quotaBytes: ByteCount(10_000))
            _ = try await harness.store.createRepository(try harness.name("main"), kind: .cache, settings: settings)
            try await harness.beginParts()
            #expect(try await harness.sendPart(content(1, 6000), at: 0) == .accepted(length: 6000))
            let error = try await storeError { _ = try await harness.sendPart(content(2, 6000), at: 6000) }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try harness.declared() == 6000)
            #expect(try await harness.cancelParts())
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test
    func theStoreHasNoRoomForMoreThanItsLimitOverAllParts() async throws {
        var limited = partsConfiguration
        limited.sizeLimit = .bytes(ByteCount(20_000))
        try await withStore(limited) { (harness) async throws in
            try await harness.beginParts()
            var errors: [String?] = []
            for part in 0..<3 {
                errors.append(
                    caseName(
                        try await storeError { _ = try await harness.sendPart(content(part, 9000), at: part * 9000) }
                    )
                )
            }
            #expect(errors == [nil, nil, "noSpace"])
            #expect(try await harness.cancelParts())
            #expect(try await harness.partsLeftovers() == [])
            // All of it is free again.
            try await harness.putBlob(content(4, 19_000))
        }
    }

    @Test
    func anUploadIsKnownInItsRepositoryOnly() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            try await harness.beginParts()
            try await harness.putBlob([1], in: "other")
            for repository in ["other", "nowhere"] {
                #expect(try harness.declared(in: repository) == nil)
                #expect(try await harness.sendPart([1], at: 0, in: repository) == .unknown)
            }
            #expect(try await harness.sendPart([1], at: 0, to: "another") == .unknown)
            #expect(try await harness.finishParts(as: .emptySHA256, of: "another") == .unknown)
            #expect(try harness.declared() == 0)
        }
    }

    // MARK: Two ways to upload

    @Test
    func anUploadInPartsIsNoneInPieces() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let name = try harness.name("main")
            try await harness.beginParts(kind: .registry)
            #expect(try await harness.sendPart([1, 2], at: 0) == .accepted(length: 2))
            let appended = try await harness.store.appendToUpload(
                "upload",
                in: name,
                at: nil,
                body: Chunks([[3]]),
                length: 1
            )
            #expect(appended == .unknown)
            let finished = try await harness.store.finishUpload(
                "upload",
                in: name,
                as: IncrementalHasher.digest(of: [UInt8(1), 2]),
                at: nil,
                body: Chunks([]),
                length: 0
            )
            #expect(finished == .unknown)
            #expect(try harness.declared() == 2)
        }
    }

    @Test
    func anUploadInPiecesIsNoneInParts() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            let name = try harness.name("main")
            try await harness.store.beginUpload("upload", in: name)
            // Before anything is said of it, it is neither.
            #expect(try await harness.sendPart([1], at: 0) == .unknown)
            #expect(try await harness.finishParts(as: .emptySHA256) == .unknown)
            let appended = try await harness.store.appendToUpload(
                "upload",
                in: name,
                at: nil,
                body: Chunks([[1, 2]]),
                length: 2
            )
            #expect(appended == .accepted(length: 2))
            #expect(try harness.declared() == nil)
            #expect(try await harness.sendPart([1], at: 2) == .unknown)
            #expect(try await harness.finishParts(as: .emptySHA256) == .unknown)
            #expect(harness.store.uploadLength("upload", in: name) == 2)
        }
    }

    // MARK: Time

    @Test
    func anUploadThatNobodyGoesOnWithExpires() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            for id in ["empty", "old", "renewed"] { try await harness.beginParts(id) }
            for id in ["old", "renewed"] { _ = try await harness.sendPart(content(1, 3000), at: 0, to: id) }
            harness.time.advance(by: .seconds(3599))
            harness.store.expireUploads()
            #expect(try harness.declared("old") == 3000)
            _ = try await harness.sendPart([1], at: 5000, to: "renewed")
            harness.time.advance(by: .seconds(1))
            harness.store.expireUploads()
            #expect(try harness.declared("empty") == nil)
            #expect(try harness.declared("old") == nil)
            #expect(try harness.declared("renewed") == 3000)
            harness.time.advance(by: .seconds(3600))
            harness.store.expireUploads()
            #expect(try await harness.sendPart([1], at: 0, to: "renewed") == .unknown)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test
    func anUploadDoesNotExpireWhileAPartIsSent() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            try await harness.beginParts()
            let outcome = try await harness.whileAPartIsSent { () async throws in
                harness.time.advance(by: .seconds(10_000))
                harness.store.expireUploads()
                #expect(try harness.declared() == 0)
            }
            #expect(outcome == .accepted(length: 0))
            harness.store.expireUploads()
            #expect(try await harness.sendPart(content(1, 1000), at: 0) == .accepted(length: 2000))
        }
    }

    // MARK: Ends

    @Test
    func anUploadThatIsCancelledLeavesNothing() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            try await harness.beginParts(size: 6000)
            #expect(try await harness.sendPart(content(1, 3000), at: 3000) == .accepted(length: 0))
            #expect(harness.files(in: "uploads").count == 1)
            #expect(try await harness.cancelParts())
            #expect(try harness.declared() == nil)
            #expect(try await harness.sendPart([1], at: 0) == .unknown)
            #expect(try await !harness.cancelParts())
            #expect(try await harness.partsLeftovers() == [])
            #expect(harness.used == 0)
        }
    }

    @Test
    func anUploadThatIsCancelledEndsWithThePartsThatAreBeingSent() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            try await harness.beginParts(size: 3000)
            _ = try await harness.whileAPartIsSent { () async throws in
                #expect(try await harness.cancelParts())
                #expect(try await harness.sendPart(content(1, 1000), at: 0) == .unknown)
            }
            #expect(try harness.declared() == nil)
            #expect(try await harness.sendPart(content(1, 1000), at: 0) == .unknown)
            #expect(try await !harness.cancelParts())
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    @Test
    func anUploadWhosePartIsSentEndsWithItsRepository() async throws {
        try await withStore(partsConfiguration) { (harness) async throws in
            try await harness.beginParts()
            #expect(try await harness.sendPart(content(1, 1000), at: 0) == .accepted(length: 1000))
            _ = try await harness.whileAPartIsSent { () async throws in
                try await harness.store.removeRepository(try harness.name("main"))
            }
            try await waitUntil("the repository is gone") {
                try await harness.store.read { try $0.deletedRepositories() }.isEmpty
            }
            #expect(try await harness.sendPart([1], at: 0) == .unknown)
            #expect(try await harness.partsLeftovers() == [])
        }
    }

    // MARK: Reopening

    @Test
    func whatWasNotAcknowledgedIsSentAgainAfterAReopening() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(1, 6000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                try await harness.beginParts(size: 6000)
                #expect(try await harness.sendPart(0..<4000, of: bytes) == .accepted(length: 4000))
                #expect(try await harness.uploadRows().map(\.length) == [0])
            }
            try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                #expect(harness.files(in: "uploads") == [])
                #expect(harness.reserved == 0)
                #expect(try harness.declared() == 0)
                #expect(try await harness.sendPart(4000..<6000, of: bytes) == .accepted(length: 0))
                #expect(try await harness.sendPart(0..<4000, of: bytes) == .accepted(length: 6000))
                #expect(try await harness.finishParts(as: digest) == .accepted(length: 6000))
                #expect(try await harness.blob(digest) == bytes)
                #expect(try await harness.partsLeftovers() == [])
            }
        }
    }

    @Test
    func whatWasAcknowledgedIsKeptOverAReopening() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(1, 9000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                try await harness.beginParts(size: 9000)
                _ = try await harness.sendPart(6000..<7000, of: bytes)
                // As if a quarter of a gibibyte had come before.
                try harness.partsSession().state.withLock { $0.acknowledged = -(256 << 20) }
                #expect(try await harness.sendPart(0..<4000, of: bytes) == .accepted(length: 4000))
                #expect(try await harness.uploadRows().map(\.length) == [4000])
                #expect(harness.store.uploadLength("upload", in: try harness.name("main")) == 4000)
                _ = try await harness.sendPart(4000..<5000, of: bytes)
            }
            try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                #expect(harness.files(in: "uploads").count == 1)
                #expect(harness.reserved == 4000)
                #expect(try harness.declared(size: 9000) == 4000)
                #expect(try await harness.sendPart(3000..<4000, of: content(2, 9000)) == .accepted(length: 4000))
                #expect(try await harness.sendPart(5000..<9000, of: bytes) == .accepted(length: 4000))
                #expect(try await harness.finishParts(as: digest) == .outOfOrder(length: 4000))
                #expect(try await harness.sendPart(4000..<5000, of: bytes) == .accepted(length: 9000))
                #expect(try await harness.finishParts(as: digest) == .accepted(length: 9000))
                #expect(try await harness.blob(digest) == bytes)
                #expect(harness.used == 9000)
                #expect(try await harness.partsLeftovers() == [])
            }
        }
    }

    // MARK: Faults

    /// Sends parts, the last first, and finishes, as a client does that asks again for what fails.
    private static func upload(_ bytes: [UInt8], to id: String, in harness: StoreHarness) async throws {
        let name = try harness.name("main")
        var errors: [StoreError] = []
        for _ in 0..<4 {
            if try await harness.blob(IncrementalHasher.digest(of: bytes)) == bytes { return }
            do {
                if try harness.declared(id, size: Int64(bytes.count)) == nil {
                    try await harness.store.beginUpload(id, in: name, kind: .cache)
                    _ = try harness.declared(id, size: Int64(bytes.count))
                }
                for part in [4000..<6000, 0..<2000, 2000..<4000] {
                    _ = try await harness.sendPart(part, of: bytes, to: id)
                }
                _ = try await harness.finishParts(as: IncrementalHasher.digest(of: bytes), of: id)
            } catch let error as StoreError {
                errors.append(error)
            }
        }
        throw TestFailure("it does not get through: \(errors)")
    }

    @Test(arguments: FaultyFiles.Fault.allCases)
    func anUploadGetsThroughAlthoughTheDiskFailsOnce(fault: FaultyFiles.Fault) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let files = FaultyFiles()
            var failures = 0
            for call in 1...50 {
                let bytes = content(call, 6000)
                let digest = IncrementalHasher.digest(of: bytes)
                let isReached = try await withStore(partsConfiguration, in: folder, files: files) {
                    (harness) async throws in
                    try await harness.poolIsDrained()
                    files.reset()
                    files.fail(call: call, with: fault)
                    try await Self.upload(bytes, to: "\(call)", in: harness)
                    try await harness.poolIsDrained()
                    let isReached = files.calls.count >= call
                    files.reset()
                    #expect(try await harness.blob(digest) == bytes, "call \(call)")
                    #expect(harness.reserved == 0, "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    return isReached
                }
                try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                    #expect(try await harness.partsLeftovers() == [], "call \(call)")
                    #expect(try await harness.blob(digest) == bytes, "call \(call)")
                    #expect(harness.files(in: "blobs").count == call, "call \(call)")
                }
                if !isReached {
                    failures = call - 1
                    break
                }
            }
            // Made, written three times by part, synced, renamed, linked, its folder synced, settled.
            #expect(failures == 15)
        }
    }

    @Test(arguments: 1...15)
    func aDeathAnywhereLosesNothingThatWasAnswered(call: Int) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(call, 6000)
            let digest = IncrementalHasher.digest(of: bytes)
            let files = DyingFiles()
            let isAnswered = try await withStore(partsConfiguration, in: folder, files: files) {
                (harness) async throws in
                try await harness.poolIsDrained()
                files.die(atCall: call)
                let answer: Void? = try? await Self.upload(bytes, to: "upload", in: harness)
                try await harness.poolIsDrained()
                return answer != nil
            }
            try files.loseWhatWasNotSynced()
            try await withStore(partsConfiguration, in: folder) { (harness) async throws in
                #expect(try await harness.blob(digest) == (isAnswered ? bytes : nil))
                #expect(try await harness.problems() == [])
                try await Self.upload(bytes, to: "upload", in: harness)
                #expect(try await harness.blob(digest) == bytes)
                #expect(harness.files(in: "blobs").count == 1)
                #expect(try await harness.partsLeftovers() == [])
            }
        }
    }
}
