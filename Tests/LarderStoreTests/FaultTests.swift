import LarderBlobs
import LarderCore
import LarderTestSupport
import NIOCore
import Synchronization
import Testing

@testable import LarderStore

/// One thread, so that what follows in the pool's queue runs after all cleaning up that was submitted before.
private var configuration: StoreConfiguration {
    var configuration = StoreConfiguration.testing
    configuration.inlineLimit = ByteCount(1024)
    configuration.fileThreadCount = 1
    return configuration
}

private let size = 6000

extension StoreHarness {
    /// Puts a blob in three pieces.
    fileprivate func putInPieces(_ bytes: [UInt8]) async throws {
        try await store.put(
            try target(IncrementalHasher.digest(of: bytes)),
            body: Chunks(bytes, each: 2000),
            length: Int64(bytes.count)
        )
    }

    /// Waits until the file pool has done what was submitted so far.
    fileprivate func poolIsIdle() async throws {
        try await store.pool.run {}
    }
}

/// The disk fails at any call of an upload: what was answered is there, what was not leaves nothing, a retry works.
@Suite
struct FaultTests {
    @Test(arguments: FaultyFiles.Fault.allCases)
    func oneFailureAnywhereInAnUploadLeavesNothingHalfDone(fault: FaultyFiles.Fault) async throws {
        try await withTemporaryFolder { folder in
            let files = FaultyFiles()
            let calls = try await withStore(configuration, in: folder, files: files) { harness in
                try await harness.poolIsIdle()
                files.reset()
                try await harness.putInPieces(content(1000, size))
                try await harness.poolIsIdle()
                return files.calls
            }
            // The name in uploads/ goes last, when the row is committed (W1).
            #expect(
                calls.filter { $0 != "write" } == [
                    "create", "synchronize", "rename", "link", "synchronizeFolder", "remove",
                ]
            )
            var failures = 0
            for call in 1...50 {
                let bytes = content(call, size)
                let digest = IncrementalHasher.digest(of: bytes)
                let (isReached, isStored) = try await withStore(configuration, in: folder, files: files) { harness in
                    try await harness.poolIsIdle()
                    files.reset()
                    files.fail(call: call, with: fault)
                    let error = try await storeError { try await harness.putInPieces(bytes) }
                    try await harness.poolIsIdle()
                    let isReached = files.calls.count >= call
                    files.reset()
                    #expect(error == nil || caseName(error) == (fault == .diskFull ? "noSpace" : "io"), "call \(call)")
                    #expect(try await harness.blob(digest) == (error == nil ? bytes : nil), "call \(call)")
                    #expect(harness.reserved == 0, "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    if call.isMultiple(of: 2) {
                        try await harness.putInPieces(bytes)
                        #expect(try await harness.blob(digest) == bytes, "call \(call)")
                        return (isReached, true)
                    }
                    return (isReached, error == nil)
                }
                try await withStore(configuration, in: folder) { harness in
                    #expect(harness.files(in: "uploads") == [], "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    #expect(try await harness.blob(digest) == (isStored ? bytes : nil), "call \(call)")
                    if !isStored { try await harness.putInPieces(bytes) }
                    for earlier in [1000] + Array(1...call) {
                        let bytes = content(earlier, size)
                        #expect(try await harness.blob(IncrementalHasher.digest(of: bytes)) == bytes, "call \(call)")
                    }
                    #expect(harness.files(in: "blobs").count == call + 1, "call \(call)")
                }
                if !isReached {
                    failures = call - 1
                    break
                }
            }
            #expect(failures == calls.count)
        }
    }

    @Test(arguments: 1...10)
    func twoFailuresInOneRunLeaveNothingBehindAfterAReopening(first: Int) async throws {
        try await withTemporaryFolder { folder in
            let files = FaultyFiles()
            for second in (first + 1)...(first + 6) {
                let bytes = content(second, size)
                let digest = IncrementalHasher.digest(of: bytes)
                let fault: FaultyFiles.Fault = second.isMultiple(of: 2) ? .ioError : .diskFull
                try await withStore(configuration, in: folder, files: files) { harness in
                    try await harness.poolIsIdle()
                    files.reset()
                    files.fail(call: first, with: .ioError)
                    files.fail(call: second, with: fault)
                    for _ in 0..<3 where try await harness.blob(digest) == nil {
                        _ = try await storeError { try await harness.putInPieces(bytes) }
                        try await harness.poolIsIdle()
                    }
                    files.reset()
                    #expect(try await harness.blob(digest) == bytes, "calls \(first) and \(second)")
                    #expect(harness.reserved == 0, "calls \(first) and \(second)")
                }
                let storedCount = second - first
                try await withStore(configuration, in: folder) { harness async throws in
                    #expect(harness.files(in: "uploads") == [], "calls \(first) and \(second)")
                    #expect(try await harness.problems() == [], "calls \(first) and \(second)")
                    #expect(try await harness.blob(digest) == bytes, "calls \(first) and \(second)")
                    #expect(harness.files(in: "blobs").count == storedCount, "calls \(first) and \(second)")
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func aDeathAnywhereInAnUploadLosesNothingThatWasAnswered(losesUnsynced: Bool) async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            var answered: [Int] = []
            var deaths = 0
            for call in 1...50 {
                let bytes = content(call, size)
                let files = DyingFiles()
                let (isReached, isAnswered) = try await withStore(
                    configuration,
                    in: folder,
                    files: files,
                    time: time
                ) { harness in
                    try await harness.poolIsIdle()
                    files.die(atCall: call)
                    let error = try await storeError { try await harness.putInPieces(bytes) }
                    try await harness.poolIsIdle()
                    return (files.isDead, error == nil)
                }
                if losesUnsynced { try files.loseWhatWasNotSynced() }
                if isAnswered { answered.append(call) }
                let known = answered
                try await withStore(configuration, in: folder, time: time) { harness async throws in
                    #expect(harness.files(in: "uploads") == [], "call \(call)")
                    #expect(try await harness.problems() == [], "call \(call)")
                    for number in 1...call {
                        let expected = known.contains(number) ? content(number, size) : nil
                        let digest = IncrementalHasher.digest(of: content(number, size))
                        #expect(try await harness.blob(digest) == expected, "call \(call), blob \(number)")
                    }
                    #expect(harness.used == Int64(known.count * size), "call \(call)")
                    #expect(harness.files(in: "blobs").count == known.count, "call \(call)")
                }
                if !isReached { break }
                deaths += 1
            }
            #expect(deaths >= 9)
            // Only the death at the last call, which tidies up, comes after the answer.
            #expect(answered == [deaths, deaths + 1])
        }
    }

    @Test(arguments: 1...4)
    func aFileThatCantBeRemovedIsRemovedByTheNextStart(call: Int) async throws {
        try await withTemporaryFolder { folder in
            let files = FaultyFiles()
            try await withStore(configuration, in: folder, files: files) { harness in
                let repository = "main"
                for number in 0..<3 { try await harness.putEntry("\(number)", content(number, size)) }
                try await harness.poolIsIdle()
                files.reset()
                files.fail(call: call, with: .ioError)
                #expect(try await harness.flush(repository) == Int64(3 * size))
                try await waitUntil("the sweeper has tried") { files.calls.count >= min(call, 3) }
                for number in 0..<3 { #expect(try await harness.entry("\(number)") == nil) }
                #expect(try await harness.problems() == [])
            }
            files.reset()
            try await withStore(configuration, in: folder, files: files) { harness in
                try await harness.quiet()
                #expect(harness.files(in: "blobs") == [])
                #expect(try await harness.problems() == [])
            }
        }
    }
}

/// The real file system until the process dies at a call: from then on nothing is changed any more.
final class DyingFiles: BlobFiles {
    private struct State {
        var callsToLive: Int?
        var isDead = false
        /// Files whose bytes are not on the disk for sure.
        var unsyncedFiles: [Int32: String] = [:]
        /// Names whose folder was not synced since they were made.
        var unsyncedNames: [String] = []
        /// Under which name a file is now.
        var names: [String: String] = [:]
    }

    private let real = PosixBlobFiles()
    private let state = Mutex(State())

    var isDead: Bool { state.withLock { $0.isDead } }

    /// The call of this number, from 1, is the first that does nothing.
    func die(atCall number: Int) {
        state.withLock { $0.callsToLive = number - 1 }
    }

    /// What a power cut may do: bytes and names that were not synced are gone.
    func loseWhatWasNotSynced() throws {
        let (files, names) = state.withLock { ($0.unsyncedFiles.values.map { $0 }, $0.unsyncedNames) }
        for path in files {
            let now = state.withLock { $0.names[path] ?? path }
            guard let open = try real.open(now) else { continue }
            real.close(open.file)
            try real.remove(now)
            real.close(try real.create(now))
        }
        for name in names { try real.remove(name) }
    }

    func openForWriting(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try live("openForWriting", path)
        return try real.openForWriting(path)
    }

    func truncate(_ file: Int32, to byteCount: Int64, path: String) throws(StoreError) {
        try live("truncate", path)
        try real.truncate(file, to: byteCount, path: path)
    }

    private func live(_ call: String, _ path: String) throws(StoreError) {
        let isDead = state.withLock { state in
            if let rest = state.callsToLive {
                if rest == 0 { state.isDead = true }
                state.callsToLive = max(0, rest - 1)
            }
            return state.isDead
        }
        if isDead { throw .io(operation: call, path: path, code: 5) }
    }

    func create(_ path: String) throws(StoreError) -> Int32 {
        try live("create", path)
        let file = try real.create(path)
        state.withLock { $0.unsyncedFiles[file] = path }
        return file
    }

    func write(
        _ bytes: UnsafeRawBufferPointer,
        to file: Int32,
        at offset: Int64,
        path: String
    ) throws(StoreError) {
        try live("write", path)
        try real.write(bytes, to: file, at: offset, path: path)
    }

    func startWriteback(of file: Int32, from offset: Int64, length: Int64) {}

    func synchronize(_ file: Int32, path: String) throws(StoreError) {
        try live("synchronize", path)
        try real.synchronize(file, path: path)
        _ = state.withLock { $0.unsyncedFiles.removeValue(forKey: file) }
    }

    func link(_ path: String, to newPath: String) throws(StoreError) {
        try live("link", newPath)
        try real.link(path, to: newPath)
        state.withLock { $0.unsyncedNames.append(newPath) }
    }

    func rename(_ path: String, to newPath: String) throws(StoreError) {
        try live("rename", newPath)
        try real.rename(path, to: newPath)
        state.withLock { $0.names[path] = newPath }
    }

    func synchronizeFolder(_ path: String) throws(StoreError) {
        try live("synchronizeFolder", path)
        try real.synchronizeFolder(path)
        state.withLock { state in
            state.unsyncedNames.removeAll { $0.hasPrefix("\(path)/") }
        }
    }

    func remove(_ path: String) throws(StoreError) {
        try live("remove", path)
        try real.remove(path)
    }

    func list(_ folder: String) throws(StoreError) -> [String] {
        try real.list(folder)
    }

    func open(_ path: String) throws(StoreError) -> (file: Int32, byteCount: Int64)? {
        try real.open(path)
    }

    func read(
        _ file: Int32,
        at offset: Int64,
        into buffer: UnsafeMutableRawBufferPointer,
        path: String
    ) throws(StoreError) -> Int {
        try real.read(file, at: offset, into: buffer, path: path)
    }

    func close(_ file: Int32) {
        real.close(file)
    }

    func diskSpace(at folder: String) throws(StoreError) -> DiskSpace {
        try real.diskSpace(at: folder)
    }
}
