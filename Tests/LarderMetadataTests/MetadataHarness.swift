import Foundation
import GRDB
import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// A database of its own, and short names for what tests do to it.
struct MetadataHarness: Sendable {
    let metadata: Metadata
    let path: String
    /// A cache repository.
    let main: RepositoryID
    /// Another.
    let other: RepositoryID

    static let start = Timestamp(milliseconds: 1_780_000_000_000)

    /// A clock at some seconds after the start, that renews every use.
    static func clock(_ seconds: Int64 = 0) -> UseClock {
        UseClock(now: start + .seconds(seconds), precision: .zero)
    }

    /// Contents are told apart by a number, which is also their length in bytes.
    static func content(_ number: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number)
    }

    static func digest(_ number: Int) -> Digest { IncrementalHasher.digest(of: content(number)) }

    static func descriptor(_ number: Int) -> BlobDescriptor {
        BlobDescriptor(digest: digest(number), size: Int64(number))
    }

    static func blob(_ number: Int, generation: Int64? = nil) -> UploadedBlob {
        UploadedBlob(
            digest: digest(number),
            size: Int64(number),
            content: generation.map { .file(generation: $0) } ?? .inline(content(number))
        )
    }

    static func key(_ number: Int) throws -> EntryKey { try #require(EntryKey("key/\(number)")) }

    /// Puts blobs under their digests.
    func put(
        _ numbers: some Sequence<Int> & Sendable,
        in repository: RepositoryID? = nil,
        at seconds: Int64 = 0
    ) async throws {
        let repository = repository ?? main
        _ = try metadata.write { transaction in
            for number in numbers {
                _ = try transaction.putBlob(
                    Self.blob(number),
                    in: repository,
                    isExplicit: true,
                    clock: Self.clock(seconds)
                )
            }
        }
    }

    /// Puts an entry with a value and references; nil: what it refers to is not known.
    @discardableResult
    func putEntry(
        _ key: Int,
        _ value: Int,
        references: [Int]? = [],
        in repository: RepositoryID? = nil,
        generation: Int64? = nil,
        at seconds: Int64 = 0
    ) async throws -> (isStored: Bool, isReplaced: Bool) {
        let repository = repository ?? main
        return try metadata.write { transaction in
            try transaction.putEntry(
                try Self.key(key),
                value: Self.blob(value, generation: generation),
                references: references.map { .known($0.map { Self.descriptor($0) }) } ?? .unknown,
                in: repository,
                clock: Self.clock(seconds)
            )
        }.value
    }

    @discardableResult
    func deleteEntry(_ key: Int, in repository: RepositoryID? = nil) async throws -> Bool {
        let repository = repository ?? main
        return try metadata.write { try $0.deleteEntry(try Self.key(key), in: repository, Self.removal) }.value
    }

    func findBlob(_ number: Int, in repository: RepositoryID? = nil) throws -> FoundBlob? {
        try find(.blob(Self.digest(number)), in: repository)
    }

    func findEntry(_ key: Int, in repository: RepositoryID? = nil) throws -> FoundBlob? {
        try find(.entry(try Self.key(key)), in: repository)
    }

    func find(_ item: StoredName.Item, in repository: RepositoryID? = nil) throws -> FoundBlob? {
        let name = StoredName(repository: repository ?? main, item: item)
        return try metadata.read { try $0.find(name, checkingQuarantine: true) }
    }

    /// The database's number of an entry.
    func entryID(_ key: Int, in repository: RepositoryID? = nil) throws -> Int64 {
        guard case .entry(let id)? = try findEntry(key, in: repository)?.used else {
            throw TestFailure("there is no entry \(key)")
        }
        return id
    }

    func candidates(in repository: RepositoryID? = nil) throws -> [EvictionCandidate] {
        let repository = repository ?? main
        return try metadata.read { try $0.evictionCandidates(in: repository, atMost: 10_000) }
    }

    func account() throws -> (usedBytes: Int64, blobCount: Int64) {
        let account = try metadata.read { try $0.account() }
        return (account.usedBytes, account.blobCount)
    }

    func repository(_ id: RepositoryID? = nil) throws -> Repository {
        let id = id ?? main
        return try #require(try metadata.read { try $0.repositories() }.first { $0.id == id })
    }

    func removals() throws -> [PendingRemoval] {
        try metadata.read { try $0.removals(atMost: 10_000) }
    }

    /// A query that the room itself has no need of.
    func numbers(_ sql: String) throws -> [Int64] {
        try metadata.read { try Int64.fetchAll($0.db, sql: sql) }
    }

    /// Damages the database as no program does.
    func execute(_ sql: String) async throws {
        _ = try metadata.write { try $0.db.execute(sql: sql) }
    }

    /// Everything that contradicts itself.
    func problems() throws -> [String] {
        try metadata.read { snapshot in
            var problems = try snapshot.storeProblems() + snapshot.linkProblems(in: 0...Int64.max)
            for repository in try snapshot.repositories() {
                problems += try snapshot.counterProblems(of: repository)
            }
            return problems.map(\.description)
        }
    }
}

/// Opens a database in a folder of its own and closes it afterwards.
func withMetadata(_ body: (MetadataHarness) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
        let path = "\(folder)/larder.sqlite"
        let metadata = try Metadata(path: path, readerCountMax: 2, now: MetadataHarness.start)
        let names = [try #require(RepositoryName("main")), try #require(RepositoryName("other"))]
        let ids = try metadata.write { transaction in
            try names.map {
                try transaction.createRepository(
                    $0,
                    kind: .cache,
                    settings: RepositorySettings(),
                    now: MetadataHarness.start
                ).id
            }
        }.value
        try await body(MetadataHarness(metadata: metadata, path: path, main: ids[0], other: ids[1]))
        try metadata.close()
    }
}
