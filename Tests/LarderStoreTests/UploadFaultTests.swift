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
    return configuration
}

private let size = 6000

extension StoreHarness {
    /// Sends the bytes that an upload does not have yet, the first half of all in a request of its own; begins the upload
    /// if it is not known (any more), and goes on where it is told to.
    ///
    /// Returns false when the upload has ended meanwhile.
    fileprivate func send(_ bytes: [UInt8], to id: String) async throws -> Bool {
        let registry = try name("images")
        if store.uploadLength(id, in: registry) == nil { try await store.beginUpload(id, in: registry) }
        var offset = store.uploadLength(id, in: registry) ?? 0
        if offset == 0 {
            let outcome = try await store.appendToUpload(
                id,
                in: registry,
                at: 0,
                body: Chunks(Array(bytes.prefix(size / 2)), each: 1000),
                length: Int64(size / 2)
            )
            switch outcome {
            case .accepted(let length), .outOfOrder(let length): offset = length
            case .unknown: return false
            case .busy: throw TestFailure("the upload is busy")
            }
        }
        for _ in 0..<2 {
            let outcome = try await store.finishUpload(
                id,
                in: registry,
                as: IncrementalHasher.digest(of: bytes),
                at: offset,
                body: Chunks(Array(bytes.dropFirst(Int(offset))), each: 1000),
                length: Int64(bytes.count) - offset
            )
            switch outcome {
            case .accepted: return true
            case .outOfOrder(let length): offset = length
            case .unknown: return false
            case .busy: throw TestFailure("the upload is busy")
            }
        }
        throw TestFailure("the upload goes on at \(offset) and does not")
    }

    /// Sends until it works, at most three times; a client asks first whether the blob is there, as its answer may have
    /// been lost.
    fileprivate func sendUnlessStored(_ bytes: [UInt8], to id: String) async throws {
        var errors: [StoreError] = []
        for _ in 0..<3 {
            if try await stored(bytes) { return }
            do {
                if try await send(bytes, to: id) { return }
            } catch let error as StoreError {
                errors.append(error)
            }
        }
        throw TestFailure("it does not get through: \(errors)")
    }

    fileprivate func stored(_ bytes: [UInt8]) async throws -> Bool {
        guard let found = try await blob(IncrementalHasher.digest(of: bytes), in: "images") else { return false }
        guard found == bytes else { throw TestFailure("it has other bytes") }
        return true
    }
}

/// The disk fails at any call of a resumable upload: what was acknowledged is kept, and the client gets through.
@Suite
struct UploadFaultTests {
    @Test(arguments: FaultyFiles.Fault.allCases)
    func anUploadGetsThroughAlthoughTheDiskFailsOnce(fault: FaultyFiles.Fault) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let files = FaultyFiles()
            let calls = try await withStore(configuration, in: folder, files: files) { (harness) async throws in
                try await harness.createRegistry()
                try await harness.poolIsDrained()
                files.reset()
                #expect(try await harness.send(content(1000, size), to: "1000"))
                try await harness.poolIsDrained()
                return files.calls
            }
            #expect(
                calls.filter { $0 != "write" } == [
                    "create", "synchronize", "synchronizeFolder",
                    "openForWriting", "synchronize", "rename", "link", "synchronizeFolder", "remove",
                ]
            )
            var failures = 0
            for call in 1...50 {
                let bytes = content(call, size)
                let isRetriedAtOnce = call.isMultiple(of: 2)
                let isReached = try await withStore(configuration, in: folder, files: files) { (harness) async throws in
                    try await harness.poolIsDrained()
                    files.reset()
                    files.fail(call: call, with: fault)
                    let error = try await storeError { _ = try await harness.send(bytes, to: "\(call)") }
                    try await harness.poolIsDrained()
                    let isReached = files.calls.count >= call
                    files.reset()
                    #expect(error == nil || caseName(error) == (fault == .diskFull ? "noSpace" : "io"), "call \(call)")
                    #expect(try await harness.stored(bytes) == (error == nil), "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    if isRetriedAtOnce {
                        try await harness.sendUnlessStored(bytes, to: "\(call)")
                        try await harness.poolIsDrained()
                        #expect(harness.reserved == 0, "call \(call)")
                        #expect(try await harness.uploadRows() == [], "call \(call)")
                        #expect(try await harness.problems() == [], "call \(call)")
                    }
                    return isReached
                }
                try await withStore(configuration, in: folder) { (harness) async throws in
                    try await harness.sendUnlessStored(bytes, to: "\(call)")
                    try await harness.poolIsDrained()
                    #expect(harness.reserved == 0, "call \(call)")
                    #expect(try await harness.uploadRows() == [], "call \(call)")
                    #expect(harness.files(in: "uploads") == [], "call \(call)")
                    for earlier in [1000] + Array(1...call) {
                        #expect(try await harness.stored(content(earlier, size)), "call \(call)")
                    }
                    #expect(harness.files(in: "blobs").count == call + 1, "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                }
                if !isReached {
                    failures = call - 1
                    break
                }
            }
            #expect(failures == calls.count)
        }
    }

    @Test(arguments: 1...16)
    func aDeathAnywhereInAnUploadKeepsWhatWasAcknowledged(call: Int) async throws {
        try await withTemporaryFolder { (folder) async throws in
            let bytes = content(call, size)
            let files = DyingFiles()
            let (isStored, acknowledged) = try await withStore(
                configuration,
                in: folder,
                files: files
            ) { (harness) async throws in
                try await harness.createRegistry()
                try await harness.poolIsDrained()
                files.die(atCall: call)
                let error = try await storeError { _ = try await harness.send(bytes, to: "upload") }
                try await harness.poolIsDrained()
                return (error == nil, try await harness.uploadRows().first?.length ?? 0)
            }
            try files.loseWhatWasNotSynced()
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(try await harness.stored(bytes) == isStored)
                #expect(try await harness.problems() == [])
                let length = harness.store.uploadLength("upload", in: try harness.name("images"))
                if !isStored, acknowledged > 0 { #expect(length == nil || length == acknowledged) }
                try await harness.sendUnlessStored(bytes, to: "upload")
                try await harness.poolIsDrained()
                #expect(try await harness.stored(bytes))
                #expect(harness.reserved == 0)
                #expect(harness.files(in: "uploads") == [])
                #expect(harness.files(in: "blobs").count == 1)
                #expect(try await harness.uploadRows() == [])
                #expect(try await harness.problems() == [])
            }
        }
    }

    @Test
    func anUploadThatCantBeAbandonedIsClearedAwayByTheNextStart() async throws {
        try await withTemporaryFolder { (folder) async throws in
            let files = FaultyFiles()
            try await withStore(configuration, in: folder, files: files) { (harness) async throws in
                let name = try harness.name("images")
                try await harness.store.beginUpload("upload", in: name)
                _ = try await harness.store.appendToUpload(
                    "upload",
                    in: name,
                    at: nil,
                    body: Chunks(content(1, size), each: 1000),
                    length: Int64(size)
                )
                try await harness.poolIsDrained()
                files.reset()
                files.fail(call: 1, with: .ioError)
                #expect(try await harness.store.cancelUpload("upload", in: name))
                try await harness.poolIsDrained()
                #expect(harness.reserved == 0)
                #expect(harness.files(in: "uploads").count == 1)
            }
            try await withStore(configuration, in: folder) { (harness) async throws in
                #expect(harness.files(in: "uploads") == [])
                #expect(try await harness.uploadRows() == [])
                #expect(harness.reserved == 0)
            }
        }
    }
}
