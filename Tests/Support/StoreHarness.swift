import Foundation
package import LarderBlobs
package import LarderCore
package import LarderStore
import Logging
import NIOCore
import ServiceLifecycle

/// A store in the test's own process, with its services running.
package struct StoreHarness: Sendable {
    package let store: Store
    package let time: ManualTime
    package let folder: String

    /// Stores bytes as a blob under their SHA-256; returns the digest.
    @discardableResult
    package func putBlob(_ bytes: [UInt8], in repository: String = "main") async throws -> Digest {
        let digest = IncrementalHasher.digest(of: bytes)
        try await store.put(
            WriteTarget(repository: try name(repository), item: .blob(digest)),
            bytes: ByteBuffer(bytes: bytes)
        )
        return digest
    }

    /// Stores bytes as an entry, which refers to the blobs that `references` names.
    package func putEntry(
        _ key: String,
        _ bytes: [UInt8],
        references: EntryReferences? = nil,
        in repository: String = "main"
    ) async throws {
        var inspection: WriteTarget.Inspection?
        if let references { inspection = { _ in references } }
        try await store.put(
            WriteTarget(repository: try name(repository), item: .entry(try self.key(key), inspect: inspection)),
            bytes: ByteBuffer(bytes: bytes)
        )
    }

    /// The bytes under a digest; nil is a miss.
    package func blob(_ digest: Digest, in repository: String = "main") async throws -> [UInt8]? {
        try await read(.blob(digest), in: repository)
    }

    /// The bytes of an entry; nil is a miss, and so is an incomplete entry.
    package func entry(_ key: String, in repository: String = "main") async throws -> [UInt8]? {
        try await read(.entry(try self.key(key)), in: repository)
    }

    package func read(_ item: StoredName.Item, in repository: String) async throws -> [UInt8]? {
        guard let id = store.directory.id(of: try name(repository)) else { return nil }
        switch try await store.read(StoredName(repository: id, item: item)) {
        case .found(let content):
            return Array(try await store.bytes(of: content, atMost: .gibibytes(1)).readableBytesView)
        case .miss, .incomplete: return nil
        case .failed(let error): throw error
        }
    }

    /// Runs `larder check` and returns its problems.
    package func problems(repairing: Bool = false) async throws -> [String] {
        try await store.check(isRepairing: repairing) { _ in }.problems
    }

    /// Paths of all files below a folder of the data folder, relative to it.
    package func files(in subfolder: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: "\(folder)/\(subfolder)")?.allObjects as? [String] ?? []
        return names.filter { name in
            var isFolder: ObjCBool = false
            return FileManager.default.fileExists(atPath: "\(folder)/\(subfolder)/\(name)", isDirectory: &isFolder)
                && !isFolder.boolValue
        }
    }

    package func name(_ text: String) throws -> RepositoryName {
        guard let name = RepositoryName(text) else { throw TestFailure("\(text) is no repository name") }
        return name
    }

    package func key(_ text: String) throws -> EntryKey {
        guard let key = EntryKey(text) else { throw TestFailure("\(text) is no key") }
        return key
    }
}

extension StoreConfiguration {
    /// Nothing is protected by age, what is removed goes for good, every use is written, no scrub, no schedule, 1 GiB.
    package static var testing: StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.sizeLimit = .bytes(.gibibytes(1))
        configuration.freeDiskFloor = .zero
        configuration.guaranteedAge = .zero
        configuration.lastUsePrecision = .zero
        configuration.scrubPeriod = nil
        configuration.undoTime = .zero
        configuration.pruneSchedule = nil
        configuration.retentionPeriod = nil
        configuration.startGrace = .zero
        configuration.fileThreadCount = 4
        return configuration
    }
}

/// Opens a store, runs its services, runs the body, stops and closes everything.
///
/// `folder`: nil: a folder of its own.
package func withStore<Value: Sendable>(
    _ configuration: StoreConfiguration = .testing,
    in folder: String? = nil,
    files: any BlobFiles = PosixBlobFiles(),
    time: ManualTime = ManualTime(),
    _ body: @escaping @Sendable (StoreHarness) async throws -> Value
) async throws -> Value {
    guard let folder else {
        return try await withTemporaryFolder {
            try await withStore(configuration, in: $0, files: files, time: time, body)
        }
    }
    let pool = FilePool(threadCount: configuration.fileThreadCount)
    let dataFolder = try DataFolder(at: folder)
    defer { dataFolder.unlock() }
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let store: Store
    do {
        let quiet = logger
        store = try await pool.run {
            try Store(
                folder: dataFolder,
                files: files,
                pool: pool,
                configuration: configuration,
                now: time.source,
                logger: quiet
            )
        }
    } catch {
        try await pool.shutdown()
        throw error
    }
    let group = ServiceGroup(configuration: .init(services: store.services.map { .init(service: $0) }, logger: logger))
    let result: Result<Value, any Error> = await withTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try? await group.run() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(StoreHarness(store: store, time: time, folder: folder)))
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        await tasks.waitForAll()
        return result
    }
    try await pool.run { try store.close() }
    try await pool.shutdown()
    return try result.get()
}
