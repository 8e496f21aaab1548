import LarderCore
import LarderMetadata
import Logging
import Synchronization

/// What is tried before a write is refused for want of space: the policies of what is never evicted are applied at once, and
/// undo ends early.
final class Pressure: Sendable {
    /// A policy that was applied is not applied again within this time unless something came since.
    private static let policyPeriod: Duration = .seconds(30)

    private struct Attempt {
        let time: Timestamp
        let entryCount: Int64
        let usedBytes: Int64
    }

    private let pruner: Pruner
    private let registrySweeper: RegistrySweeper
    private let sweeper: Sweeper
    private let directory: RepositoryDirectory
    private let now: TimeSource
    private let logger: Logger
    private let attempts = Mutex<[RepositoryID: Attempt]>([:])

    init(
        pruner: Pruner,
        registrySweeper: RegistrySweeper,
        sweeper: Sweeper,
        directory: RepositoryDirectory,
        now: @escaping TimeSource,
        logger: Logger
    ) {
        self.pruner = pruner
        self.registrySweeper = registrySweeper
        self.sweeper = sweeper
        self.directory = directory
        self.now = now
        self.logger = logger
    }

    /// Frees what may be freed, until there is room.
    ///
    /// `repository`: Whose quota is at stake; nil: the whole store's limit.
    ///
    /// `reclaim`: Lets what went count.
    func relieve(
        _ repository: RepositoryID?,
        until isEnough: @Sendable () -> Bool,
        reclaim: @Sendable () async throws -> Void
    ) async throws {
        let repositories = directory.all.filter { repository == nil ? $0.kind != .cache : $0.id == repository }
        for repository in repositories where isDue(repository) {
            do {
                _ = try await pruner.prune(repository, reason: .pressure, actor: "server")
            } catch StoreError.notAllowed {
                // A run goes on there already.
                continue
            } catch let error as StoreError where error != .shuttingDown {
                logger.error(
                    "a policy could not be applied",
                    metadata: ["repository": "\(repository.name)", "error": "\(error)"]
                )
            }
        }
        let ended = try await pruner.endUndosEarly(in: repository, until: isEnough, reclaim: reclaim)
        for (id, result) in ended {
            guard let repository = directory.find(id) else { continue }
            let note =
                "space ran out: undo ended early for \(result.count) entries, \(ByteCount(result.freedBytes)) became free"
            logger.warning("\(note)", metadata: ["repository": "\(repository.name)"])
            try await pruner.recordPressure(in: repository, note: note)
        }
        if !isEnough() { try await registrySweeper.sweepUnderPressure(in: repository) }
        try await sweeper.sweep()
    }

    private func isDue(_ repository: Repository) -> Bool {
        guard pruner.policySetAt(repository) != nil else { return false }
        let attempt = Attempt(time: now(), entryCount: repository.entryCount, usedBytes: repository.usedBytes)
        return attempts.withLock { attempts in
            if let last = attempts[repository.id], attempt.time - last.time < Self.policyPeriod,
                last.entryCount == attempt.entryCount, last.usedBytes == attempt.usedBytes
            {
                return false
            }
            attempts[repository.id] = attempt
            return true
        }
    }
}
