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
    var configuration = registryConfiguration
    configuration.fileThreadCount = 1
    configuration.uploadLifetime = .seconds(3600)
    return configuration
}

extension StoreHarness {
    fileprivate func begin(_ id: String = "upload", in repository: String = "images") async throws {
        try await store.beginUpload(id, in: try name(repository))
    }

    fileprivate func append(
        _ bytes: some Sequence<UInt8> & Sendable,
        at offset: Int64? = nil,
        to id: String = "upload",
        in repository: String = "images"
    ) async throws -> UploadOutcome {
        let bytes = Array(bytes)
        return try await store.appendToUpload(
            id,
            in: try name(repository),
            at: offset,
            body: Chunks(bytes, each: 700),
            length: Int64(bytes.count)
        )
    }

    fileprivate func finish(as digest: Digest, of id: String = "upload") async throws -> UploadOutcome {
        try await finish([UInt8](), as: digest, of: id)
    }

    fileprivate func finish(
        _ bytes: some Sequence<UInt8> & Sendable,
        as digest: Digest,
        at offset: Int64? = nil,
        of id: String = "upload",
        in repository: String = "images"
    ) async throws -> UploadOutcome {
        let bytes = Array(bytes)
        return try await store.finishUpload(
            id,
            in: try name(repository),
            as: digest,
            at: offset,
            body: Chunks(bytes, each: 700),
            length: Int64(bytes.count)
        )
    }

    fileprivate func length(_ id: String = "upload", in repository: String = "images") throws -> Int64? {
        store.uploadLength(id, in: try name(repository))
    }

    fileprivate func cancel(_ id: String = "upload", in repository: String = "images") async throws -> Bool {
        try await store.cancelUpload(id, in: try name(repository))
    }

    /// The path of the only file in `uploads/`.
    fileprivate func onlyUpload() throws -> String {
        let names = files(in: "uploads")
        guard names.count == 1 else { throw TestFailure("there are the uploads \(names)") }
        return "\(folder)/uploads/\(names[0])"
    }

    /// Bytes in the only file of `uploads/`, acknowledged or not; 0 when there is none.
    fileprivate func arrived() throws -> Int {
        guard let name = files(in: "uploads").first else { return 0 }
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/uploads/\(name)")
        return (attributes[.size] as? NSNumber)?.intValue ?? 0
    }

    /// What is left of uploads that have ended: nothing.
    fileprivate func leftovers() async throws -> [String] {
        try await poolIsDrained()
        // Rows go in the background too.
        try await store.committer.commit { _ in }
        var findings = files(in: "uploads")
        findings += try await uploadRows().map { "the row \($0.id)" }
        if reserved != 0 { findings.append("\(reserved) bytes are reserved") }
        if store.account.current.written != 0 { findings.append("bytes count as written") }
        findings += try await problems()
        return findings
    }
}

/// Bytes that come in several requests become one blob; what was acknowledged is kept, and what ended leaves nothing.
@Suite
struct UploadSessionTests {
    // MARK: Order

    @Test(arguments: [600, 1024, 1025, 6000])
    func bytesInPiecesBecomeABlob(size: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, size)
            let digest = IncrementalHasher.digest(of: bytes)
            let third = Int64(size / 3)
            try await harness.begin()
            #expect(try harness.length() == 0)
            #expect(try await harness.append(bytes.prefix(size / 3), at: 0) == .accepted(length: third))
            #expect(try harness.length() == third)
            #expect(
                try await harness.append(bytes.dropFirst(size / 3).prefix(size / 3)) == .accepted(length: third * 2)
            )
            #expect(try await harness.uploadRows().map(\.length) == [third * 2])
            #expect(harness.used == 0)
            #expect(try await harness.blob(digest, in: "images") == nil)
            let finished = try await harness.finish(bytes.dropFirst(size / 3 * 2), as: digest, at: third * 2)
            #expect(finished == .accepted(length: Int64(size)))
            #expect(try await harness.blob(digest, in: "images") == bytes)
            #expect(try harness.length() == nil)
            #expect(try await harness.append([1]) == .unknown)
            #expect(try await harness.leftovers() == [])
            #expect(harness.used == Int64(size))
            #expect(harness.files(in: "blobs").count == (size > 1024 ? 1 : 0))
        }
    }

    @Test(arguments: [0, 10, 6000])
    func theLastRequestMayHaveAllBytesOrNone(size: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, size)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.begin("all")
            #expect(try await harness.finish(bytes, as: digest, of: "all") == .accepted(length: Int64(size)))
            #expect(try await harness.blob(digest, in: "images") == bytes)
            let other = content(2, size)
            try await harness.begin("none")
            #expect(try await harness.append(other, to: "none") == .accepted(length: Int64(size)))
            let otherDigest = IncrementalHasher.digest(of: other)
            #expect(try await harness.finish(as: otherDigest, of: "none") == .accepted(length: Int64(size)))
            #expect(try await harness.blob(otherDigest, in: "images") == other)
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test(arguments: [0, 1, 99, 101, 1000] as [Int64])
    func bytesThatDoNotFollowAreNotKept(offset: Int64) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 200)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.begin()
            #expect(try await harness.append(bytes.prefix(100)) == .accepted(length: 100))
            #expect(try await harness.append(bytes.suffix(100), at: offset) == .outOfOrder(length: 100))
            #expect(try await harness.finish(bytes.suffix(100), as: digest, at: offset) == .outOfOrder(length: 100))
            #expect(try harness.length() == 100)
            #expect(try await harness.finish(bytes.suffix(100), as: digest, at: 100) == .accepted(length: 200))
            #expect(try await harness.blob(digest, in: "images") == bytes)
        }
    }

    @Test
    func anUploadIsKnownInItsRepositoryOnly() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.begin()
            try await harness.pushBlob([1], in: "other")
            let digest = IncrementalHasher.digest(of: content(1, 1))
            #expect(try await harness.append([1], in: "other") == .unknown)
            #expect(try await harness.append([1], to: "another") == .unknown)
            #expect(try await harness.append([1], in: "nowhere") == .unknown)
            #expect(try await harness.finish([1], as: digest, in: "other") == .unknown)
            #expect(try harness.length(in: "other") == nil)
            #expect(try harness.length("another") == nil)
            #expect(try await !harness.cancel(in: "other"))
            #expect(try harness.length() == 0)
        }
    }

    @Test
    func oneRequestAtATimeWorksOnAnUpload() async throws {
        try await withStore(configuration) { (harness) async throws in
            let digest = IncrementalHasher.digest(of: content(1, 300))
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            try await harness.begin()
            try await withThrowingTaskGroup(of: UploadOutcome.self) { (group) async throws in
                group.addTask {
                    try await harness.store.appendToUpload(
                        "upload",
                        in: try harness.name("images"),
                        at: nil,
                        body: body,
                        length: nil
                    )
                }
                try await waitUntil("the first has begun") { !harness.files(in: "uploads").isEmpty }
                #expect(try await harness.append([1]) == .busy)
                #expect(try await harness.finish([1], as: digest) == .busy)
                #expect(try await !harness.cancel())
                feed.yield(ByteBuffer(bytes: content(1, 300)))
                feed.finish()
                #expect(try await group.next() == .accepted(length: 300))
            }
            #expect(try await harness.finish(as: digest) == .accepted(length: 300))
            #expect(try await harness.blob(digest, in: "images") == content(1, 300))
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func uploadsGoSideBySide() async throws {
        try await withStore(registryConfiguration) { (harness) async throws in
            try await withThrowingTaskGroup(of: Void.self) { (group) async throws in
                for number in 0..<8 {
                    group.addTask {
                        let bytes = content(number, 5000 + number)
                        let id = "upload \(number)"
                        try await harness.begin(id)
                        for start in stride(from: 0, to: 5000, by: 1000) {
                            _ = try await harness.append(bytes[start..<start + 1000], at: Int64(start), to: id)
                        }
                        let digest = IncrementalHasher.digest(of: bytes)
                        let finished = try await harness.finish(bytes.dropFirst(5000), as: digest, at: 5000, of: id)
                        #expect(finished == .accepted(length: Int64(bytes.count)))
                    }
                }
                try await group.waitForAll()
            }
            for number in 0..<8 {
                let bytes = content(number, 5000 + number)
                #expect(try await harness.blob(IncrementalHasher.digest(of: bytes), in: "images") == bytes)
            }
            try await harness.quiet()
            #expect(harness.reserved == 0)
            #expect(try await harness.uploadRows() == [])
            #expect(try await harness.problems() == [])
        }
    }

    // MARK: Ends

    @Test
    func anUploadThatIsCancelledLeavesNothing() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.begin()
            #expect(try await harness.append(content(1, 5000)) == .accepted(length: 5000))
            #expect(harness.files(in: "uploads").count == 1)
            #expect(harness.reserved == 5000)
            #expect(try await harness.cancel())
            #expect(try harness.length() == nil)
            #expect(try await harness.append([1]) == .unknown)
            #expect(try await !harness.cancel())
            #expect(try await harness.leftovers() == [])
            #expect(harness.used == 0)
        }
    }

    @Test(arguments: [0, 600, 3000])
    func aWrongDigestEndsTheUpload(before: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 5000)
            let wrong = IncrementalHasher.digest(of: content(2, 5000))
            try await harness.begin()
            if before > 0 { _ = try await harness.append(bytes.prefix(before)) }
            let error = try await storeError { _ = try await harness.finish(bytes.dropFirst(before), as: wrong) }
            #expect(error == .digestMismatch(expected: wrong, actual: IncrementalHasher.digest(of: bytes)))
            #expect(try harness.length() == nil)
            #expect(try await harness.append([1]) == .unknown)
            #expect(try await harness.leftovers() == [])
            #expect(harness.files(in: "blobs") == [])
            #expect(harness.used == 0)
        }
    }

    @Test(arguments: [600, 6000])
    func theDigestMayTurnOutToBeSHA512(size: Int) async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, size)
            let long = try sha512(bytes)
            try await harness.begin()
            _ = try await harness.append(bytes.prefix(500))
            #expect(try await harness.finish(bytes.dropFirst(500), as: long) == .accepted(length: Int64(size)))
            #expect(try await harness.blob(long, in: "images") == bytes)
            #expect(try await harness.blob(IncrementalHasher.digest(of: bytes), in: "images") == bytes)
            #expect(try await harness.leftovers() == [])

            try await harness.begin()
            _ = try await harness.append(bytes.prefix(400))
            let wrong = try sha512([1])
            let error = try await storeError { _ = try await harness.finish(bytes.dropFirst(400), as: wrong) }
            #expect(error == .digestMismatch(expected: wrong, actual: long))
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func aBlobThatIsThereAlreadyIsStoredOnce() async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 5000)
            let digest = try await harness.pushBlob(bytes)
            try await harness.begin()
            _ = try await harness.append(bytes.prefix(2000))
            #expect(try await harness.finish(bytes.dropFirst(2000), as: digest) == .accepted(length: 5000))
            #expect(try await harness.leftovers() == [])
            #expect(harness.used == 5000)
            #expect(harness.files(in: "blobs").count == 1)
        }
    }

    // MARK: Bodies that end early

    @Test
    func whatArrivedBeforeABodyFailedIsKept() async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 5000)
            let digest = IncrementalHasher.digest(of: bytes)
            try await harness.begin()
            await #expect(throws: BodyFailure()) {
                _ = try await harness.store.appendToUpload(
                    "upload",
                    in: try harness.name("images"),
                    at: 0,
                    body: Chunks(Array(bytes.prefix(3000)), each: 700, fails: true),
                    length: 5000
                )
            }
            #expect(try harness.length() == 3000)
            #expect(try await harness.uploadRows().map(\.length) == [3000])
            await #expect(throws: BodyFailure()) {
                _ = try await harness.store.finishUpload(
                    "upload",
                    in: try harness.name("images"),
                    as: digest,
                    at: 3000,
                    body: Chunks(Array(bytes[3000..<4000]), each: 700, fails: true),
                    length: 2000
                )
            }
            #expect(try await harness.uploadRows().map(\.length) == [4000])
            #expect(try await harness.finish(bytes.dropFirst(4000), as: digest, at: 4000) == .accepted(length: 5000))
            #expect(try await harness.blob(digest, in: "images") == bytes)
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func aRequestThatIsCancelledKeepsWhatArrived() async throws {
        try await withStore(configuration) { (harness) async throws in
            let bytes = content(1, 3000)
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            feed.yield(ByteBuffer(bytes: bytes.prefix(2000)))
            try await harness.begin()
            await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    let outcome = try? await harness.store.appendToUpload(
                        "upload",
                        in: try harness.name("images"),
                        at: nil,
                        body: body,
                        length: 3000
                    )
                    return outcome == .accepted(length: 3000)
                }
                try? await waitUntil("bytes have arrived") { try harness.arrived() == 2000 }
                group.cancelAll()
                #expect(await group.next() == false)
            }
            #expect(try harness.length() == 2000)
            let digest = IncrementalHasher.digest(of: bytes)
            #expect(try await harness.finish(bytes.dropFirst(2000), as: digest, at: 2000) == .accepted(length: 3000))
            #expect(try await harness.blob(digest, in: "images") == bytes)
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test(arguments: [(sent: 1000, declared: 999), (sent: 1000, declared: 1001)])
    func aPieceOfAnotherLengthThanDeclaredIsRefusedAndTheUploadGoesOn(sent: Int, declared: Int64) async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.begin()
            let error = try await storeError {
                _ = try await harness.store.appendToUpload(
                    "upload",
                    in: try harness.name("images"),
                    at: nil,
                    body: Chunks(content(1, sent), each: 100),
                    length: declared
                )
            }
            #expect(caseName(error) == "lengthMismatch")
            // The client asks how far it got, and goes on from there.
            let length = try #require(try harness.length())
            #expect(length <= Int64(sent))
            let rest = content(1, sent).dropFirst(Int(length))
            let digest = IncrementalHasher.digest(of: content(1, sent))
            #expect(try await harness.finish(rest, as: digest, at: length) == .accepted(length: Int64(sent)))
            #expect(try await harness.leftovers() == [])
        }
    }

    // MARK: Limits

    @Test
    func theBytesOfAllRequestsAreReserved() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.begin()
            for piece in 1...5 {
                _ = try await harness.append(content(piece, 3000))
                #expect(harness.reserved >= Int64(piece) * 3000)
            }
            #expect(try await harness.cancel())
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func theQuotaHoldsOverAllRequests() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.createRegistry("images", RepositorySettings(quotaBytes: ByteCount(10_000)))
            try await harness.begin()
            #expect(try await harness.append(content(1, 6000)) == .accepted(length: 6000))
            let error = try await storeError { _ = try await harness.append(content(2, 6000)) }
            #expect(caseName(error) == "quotaExceeded")
            #expect(try await harness.cancel())
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func theSizeLimitHoldsOverAllRequests() async throws {
        var limited = configuration
        limited.blobSizeLimit = ByteCount(10_000)
        try await withStore(limited) { (harness) async throws in
            try await harness.begin()
            #expect(try await harness.append(content(1, 6000)) == .accepted(length: 6000))
            let error = try await storeError { _ = try await harness.append(content(2, 6000)) }
            #expect(error == .tooLarge(limit: ByteCount(10_000)))
        }
    }

    @Test
    func theStoreHasNoRoomForMoreThanItsLimitOverAllRequests() async throws {
        var limited = configuration
        limited.sizeLimit = .bytes(ByteCount(20_000))
        try await withStore(limited) { (harness) async throws in
            try await harness.begin()
            var errors: [String?] = []
            for piece in 1...3 {
                errors.append(caseName(try await storeError { _ = try await harness.append(content(piece, 9000)) }))
            }
            #expect(errors == [nil, nil, "noSpace"])
            #expect(try await harness.cancel())
            #expect(try await harness.leftovers() == [])
            // All of it is free again.
            try await harness.pushBlob(content(4, 19_000))
        }
    }

    @Test
    func onlySoManyUploadsAreOpenAtOnce() async throws {
        try await withStore(configuration) { (harness) async throws in
            let repository = try await harness.createRegistry()
            for number in 1..<UploadSessions.countMax {
                let session = UploadSession(
                    id: "open \(number)",
                    repository: repository.id,
                    reservation: Reservation(store: harness.store, repository: repository.id, entries: 0),
                    expiresAt: harness.time.now + .seconds(60)
                )
                // Somebody is sending to each.
                #expect(session.take() == .taken)
                #expect(harness.store.uploads.insert(session))
            }
            try await harness.begin("the last")
            // What has been empty for longest makes room.
            try await harness.begin("one more")
            #expect(try await harness.append([1], to: "the last") == .unknown)
            _ = try await harness.append([1], to: "one more")
            let error = try await storeError { try await harness.begin("too many") }
            #expect(error == .overloaded)
            #expect(try await harness.uploadRows().map(\.id) == ["one more"])
            #expect(try await harness.cancel("one more"))
            try await harness.begin("too many")
        }
    }

    // MARK: Time

    @Test
    func anUploadThatNobodyGoesOnWithExpires() async throws {
        try await withStore(configuration) { (harness) async throws in
            for id in ["empty", "old", "renewed"] { try await harness.begin(id) }
            _ = try await harness.append(content(1, 3000), to: "old")
            _ = try await harness.append(content(2, 3000), to: "renewed")
            harness.time.advance(by: .seconds(3599))
            harness.store.expireUploads()
            #expect(try harness.length("old") == 3000)
            _ = try await harness.append([1], to: "renewed")
            harness.time.advance(by: .seconds(1))
            harness.store.expireUploads()
            #expect(try harness.length("empty") == nil)
            #expect(try harness.length("old") == nil)
            #expect(try harness.length("renewed") == 3001)
            try await harness.poolIsDrained()
            try await harness.store.committer.commit { _ in }
            #expect(try await harness.uploadRows().map(\.id) == ["renewed"])
            #expect(harness.files(in: "uploads").count == 1)
            harness.time.advance(by: .seconds(3600))
            harness.store.expireUploads()
            #expect(try await harness.append([1], to: "renewed") == .unknown)
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func anUploadThatIsWorkedOnDoesNotExpire() async throws {
        try await withStore(configuration) { (harness) async throws in
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            try await harness.begin()
            try await withThrowingTaskGroup(of: UploadOutcome.self) { (group) async throws in
                group.addTask {
                    try await harness.store.appendToUpload(
                        "upload",
                        in: try harness.name("images"),
                        at: nil,
                        body: body,
                        length: nil
                    )
                }
                try await waitUntil("it has begun") { !harness.files(in: "uploads").isEmpty }
                harness.time.advance(by: .seconds(10_000))
                harness.store.expireUploads()
                feed.yield(ByteBuffer(bytes: [1, 2, 3]))
                feed.finish()
                #expect(try await group.next() == .accepted(length: 3))
            }
            harness.store.expireUploads()
            #expect(try harness.length() == 3)
        }
    }

    // MARK: Reopening

    @Test(arguments: [false, true])
    func anUploadGoesOnAfterAReopening(isNamedBySHA512: Bool) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(1, 9000)
            let digest = isNamedBySHA512 ? try sha512(bytes) : IncrementalHasher.digest(of: bytes)
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.begin("begun")
                try await harness.begin()
                _ = try await harness.append(bytes.prefix(2000))
                _ = try await harness.append(bytes[2000..<4000])
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(harness.files(in: "uploads").count == 1)
                #expect(try harness.length("begun") == 0)
                #expect(try harness.length() == 4000)
                // Its bytes take room again.
                #expect(harness.reserved == 4000)
                #expect(try await harness.append(bytes[2000..<4000], at: 2000) == .outOfOrder(length: 4000))
                #expect(try await harness.append(bytes[4000..<7000], at: 4000) == .accepted(length: 7000))
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(try await harness.finish(bytes[7000...], as: digest, at: 7000) == .accepted(length: 9000))
                #expect(try await harness.blob(digest, in: "images") == bytes)
                #expect(harness.used == 9000)
                #expect(try await harness.cancel("begun"))
                #expect(try await harness.leftovers() == [])
                #expect(harness.files(in: "blobs").count == 1)
            }
        }
    }

    @Test
    func whatWasNotAcknowledgedIsCutOff() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(1, 5000)
            let digest = IncrementalHasher.digest(of: bytes)
            let path = try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.begin()
                _ = try await harness.append(bytes.prefix(3000))
                return try harness.onlyUpload()
            }
            let file = try #require(FileHandle(forWritingAtPath: path))
            _ = try file.seekToEnd()
            try file.write(contentsOf: Data(content(7, 3000)))
            try file.close()
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(try harness.length() == 3000)
                #expect(try await harness.finish(bytes.dropFirst(3000), as: digest) == .accepted(length: 5000))
                #expect(try await harness.blob(digest, in: "images") == bytes)
                #expect(try await harness.leftovers() == [])
            }
        }
    }

    @Test(arguments: [true, false])
    func anUploadWhoseBytesAreGoneIsOver(isMissing: Bool) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let path = try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.begin()
                _ = try await harness.append(content(1, 3000))
                return try harness.onlyUpload()
            }
            if isMissing {
                try FileManager.default.removeItem(atPath: path)
            } else {
                let file = try #require(FileHandle(forWritingAtPath: path))
                try file.truncate(atOffset: 2999)
                try file.close()
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                // Not an error for ever: the client begins anew.
                #expect(try await harness.append([1], at: 3000) == .unknown)
                #expect(try harness.length() == nil)
                #expect(try await harness.leftovers() == [])
            }
        }
    }

    @Test
    func anUploadExpiresAfterAReopeningToo() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let time = ManualTime()
            try await withStore(configuration, in: folder, time: time) { (harness) async throws in
                try await harness.begin()
                _ = try await harness.append(content(1, 3000))
            }
            time.advance(by: .seconds(3600))
            try await withStore(configuration, in: folder, time: time) { (harness) async throws in
                #expect(harness.reserved == 3000)
                harness.store.expireUploads()
                #expect(try harness.length() == nil)
                #expect(try await harness.leftovers() == [])
            }
        }
    }

    @Test
    func filesThatBelongToNoUploadGoAtTheStart() async throws {
        try await withTemporaryFolder { (folder) async throws in
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.begin()
                _ = try await harness.append(content(1, 3000))
                try await harness.begin("other")
                _ = try await harness.append(content(2, 3000), to: "other")
            }
            try await editDatabase(in: folder, "DELETE FROM upload WHERE id = 'other'")
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(harness.files(in: "uploads").count == 1)
                #expect(try harness.length() == 3000)
                #expect(try harness.length("other") == nil)
            }
        }
    }

    // MARK: Repositories

    @Test
    func uploadsOfARemovedRepositoryAreOver() async throws {
        try await withStore(configuration) { (harness) async throws in
            try await harness.begin()
            _ = try await harness.append(content(1, 3000))
            try await harness.begin("other", in: "other")
            _ = try await harness.append(content(2, 3000), to: "other", in: "other")
            try await harness.store.removeRepository(try harness.name("images"))
            #expect(try harness.length() == nil)
            #expect(try await harness.append([1]) == .unknown)
            try await waitUntil("the repository is gone") {
                try await harness.store.read { try $0.deletedRepositories() }.isEmpty
            }
            try await harness.poolIsDrained()
            #expect(harness.files(in: "uploads").count == 1)
            #expect(harness.reserved == 3000)
            #expect(try await harness.uploadRows().map(\.id) == ["other"])
            // The name is new: nothing of the old one is known under it.
            try await harness.pushBlob([1])
            #expect(try await harness.append([1]) == .unknown)
            #expect(try await harness.cancel("other", in: "other"))
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func anUploadThatIsWorkedOnEndsWithItsRepository() async throws {
        try await withStore(configuration) { (harness) async throws in
            let (body, feed) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            try await harness.begin()
            try await withThrowingTaskGroup(of: Void.self) { (group) async throws in
                group.addTask {
                    _ = try? await harness.store.appendToUpload(
                        "upload",
                        in: try harness.name("images"),
                        at: nil,
                        body: body,
                        length: nil
                    )
                }
                feed.yield(ByteBuffer(bytes: content(1, 3000)))
                try await waitUntil("it has begun") { try harness.arrived() == 3000 }
                try await harness.store.removeRepository(try harness.name("images"))
                feed.finish()
                try await group.waitForAll()
            }
            try await waitUntil("the repository is gone") {
                try await harness.store.read { try $0.deletedRepositories() }.isEmpty
            }
            #expect(try await harness.leftovers() == [])
        }
    }

    @Test
    func uploadsOfARepositoryThatIsBeingRemovedAreGoneAfterAReopening() async throws {
        try await withTemporaryFolder { (folder) async throws in
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await harness.begin()
                _ = try await harness.append(content(1, 3000))
            }
            // As a process leaves it that died right after it took the name away.
            try await editDatabase(in: folder, "UPDATE repository SET is_deleted = 1, name = name || '#' || id")
            try await withStore(configuration, in: folder) { (harness) async throws in
                try await waitUntil("the repository is gone") {
                    try await harness.store.read { try $0.deletedRepositories() }.isEmpty
                }
                #expect(try await harness.leftovers() == [])
            }
        }
    }
}
