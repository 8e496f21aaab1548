import Foundation
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderTestSupport
import NIOCore
import Synchronization

@testable import LarderStore

/// Bytes that no other number has, quickly made.
func content(_ number: Int, _ size: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 31 &+ 7), count: size)
    withUnsafeBytes(of: UInt64(number).littleEndian) { prefix in
        for (index, byte) in prefix.prefix(size).enumerated() { bytes[index] = byte }
    }
    return bytes
}

/// The SHA-512 of bytes.
func sha512(_ bytes: [UInt8]) throws -> Digest {
    var hasher = IncrementalHasher(alsoSHA512: true)
    bytes.withUnsafeBytes { hasher.update($0) }
    guard let digest = hasher.finalize().last, digest.algorithm == .sha512 else { throw TestFailure("no SHA-512") }
    return digest
}

/// What a sender may do wrong in the middle of a body.
struct BodyFailure: Error, Equatable {}

/// A body in chunks that ends well or with `BodyFailure`.
struct Chunks: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<[UInt8]>
        let fails: Bool

        mutating func next() async throws -> ByteBuffer? {
            if let chunk = rest.popFirst() { return ByteBuffer(bytes: chunk) }
            if fails { throw BodyFailure() }
            return nil
        }
    }

    let chunks: [[UInt8]]
    var fails = false

    init(_ chunks: [[UInt8]], fails: Bool = false) {
        self.chunks = chunks
        self.fails = fails
    }

    /// Bytes cut into pieces of one length.
    init(_ bytes: [UInt8], each length: Int, fails: Bool = false) {
        self.init(
            stride(from: 0, to: bytes.count, by: length).map { Array(bytes[$0..<Swift.min($0 + length, bytes.count)]) },
            fails: fails
        )
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(rest: chunks[...], fails: fails)
    }
}

extension StoreHarness {
    /// Bytes that the account counts as used and as reserved.
    var used: Int64 { store.account.current.used }
    var reserved: Int64 { store.account.current.reserved }

    /// Blobs that the store knows to be damaged.
    var quarantinedCount: Int64 { store.quarantinedCount.load(ordering: .acquiring) }

    func target(_ digest: Digest, in repository: String = "main") throws -> WriteTarget {
        WriteTarget(repository: try name(repository), item: .blob(digest))
    }

    func target(key: String, in repository: String = "main") throws -> WriteTarget {
        WriteTarget(repository: try name(repository), item: .entry(try self.key(key), inspect: nil))
    }

    /// Waits until every upload was settled or abandoned.
    func settled() async throws {
        try await waitUntil("uploads/ is empty") { files(in: "uploads").isEmpty }
    }

    /// Waits until nothing is left to be cleared away in the background.
    func quiet() async throws {
        try await settled()
        try await waitUntil("nothing waits to be removed") {
            try await store.read { try $0.removals(atMost: 1).isEmpty && !$0.hasDeadEntries() }
        }
    }

    /// Whether nothing at all is stored: no bytes, no files, no contradiction.
    func emptiness() async throws -> [String] {
        try await quiet()
        var findings = try await problems()
        if used != 0 { findings.append("\(used) bytes are used") }
        if reserved != 0 { findings.append("\(reserved) bytes are reserved") }
        for file in files(in: "blobs") { findings.append("there is the file \(file)") }
        return findings
    }

    func repository(_ text: String = "main") throws -> Repository {
        try store.repository(try name(text))
    }

    func delete(_ key: String, in repository: String = "main") async throws -> Bool {
        try await store.deleteEntry(try self.key(key), in: try name(repository))
    }

    func flush(_ repository: String = "main") async throws -> Int64 {
        try await store.flushRepository(try name(repository)).bytes
    }

    /// Reads an entry and, when it is incomplete, completes it as its adapter would; whether it is visible then.
    func complete(_ key: String, references: [Digest], in repository: String = "main") async throws -> Bool {
        let id = try self.repository(repository).id
        switch try await store.read(StoredName(repository: id, item: .entry(try self.key(key)))) {
        case .incomplete(let entry, _):
            return try await store.complete(
                entry: entry,
                references: references.map { BlobDescriptor(digest: $0, size: nil) },
                in: id
            )
        case .found: return true
        case .miss: return false
        case .failed(let error): throw error
        }
    }
}

extension EntryReferences {
    /// Blobs by their digests, of any size.
    static func to(_ digests: Digest...) -> EntryReferences {
        .known(digests.map { BlobDescriptor(digest: $0, size: nil) })
    }
}

/// Runs a body and returns the store's error that it throws; nil when it throws none.
func storeError(_ body: () async throws -> Void) async throws -> StoreError? {
    do {
        try await body()
        return nil
    } catch let error as StoreError {
        return error
    }
}

/// The name of an error's case, for tables.
func caseName(_ error: StoreError?) -> String? {
    switch error {
    case nil: nil
    case .malformed: "malformed"
    case .notFound: "notFound"
    case .digestMismatch: "digestMismatch"
    case .lengthMismatch: "lengthMismatch"
    case .tooLarge: "tooLarge"
    case .invalidContent: "invalidContent"
    case .missingContent: "missingContent"
    case .conditionFailed: "conditionFailed"
    case .noSpace: "noSpace"
    case .quotaExceeded: "quotaExceeded"
    case .notAllowed: "notAllowed"
    case .overloaded: "overloaded"
    case .shuttingDown: "shuttingDown"
    case .io: "io"
    case .corrupt: "corrupt"
    }
}

/// Runs SQL on the database of a store that is closed.
func editDatabase(in folder: String, _ sql: String) async throws {
    let result = try await runProgram("sqlite3", ["-bail", "\(folder)/larder.sqlite", sql])
    guard result.status == 0 else { throw TestFailure("sqlite3 failed: \(result.errors)") }
}

/// Copies a data folder as a crash would leave it: without the lock, the socket and the ballast.
func copyDataFolder(from source: String, to target: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: target, withIntermediateDirectories: true)
    for name in ["FORMAT", "larder.sqlite", "larder.sqlite-wal"] where manager.fileExists(atPath: "\(source)/\(name)") {
        try manager.copyItem(atPath: "\(source)/\(name)", toPath: "\(target)/\(name)")
    }
    for subfolder in ["uploads", "blobs"] {
        let names = manager.enumerator(atPath: "\(source)/\(subfolder)")?.allObjects as? [String] ?? []
        for name in names {
            let path = "\(source)/\(subfolder)/\(name)"
            var isFolder: ObjCBool = false
            guard manager.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { continue }
            let copy = URL(fileURLWithPath: "\(target)/\(subfolder)/\(name)")
            try manager.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
            try manager.copyItem(at: URL(fileURLWithPath: path), to: copy)
        }
    }
}

/// Changes one byte of a file.
func flipByte(of path: String, at offset: Int) throws {
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[offset] ^= 0x40
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? file.close() }
    try file.write(contentsOf: Data(bytes))
}
