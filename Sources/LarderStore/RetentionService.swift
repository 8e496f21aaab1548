import Foundation
import LarderCore
import LarderMetadata
import LarderRetention
import Logging
import ServiceLifecycle
import Synchronization

/// Runs policies when they are due, one repository after the other, and ends undo when its time is over.
final class RetentionService: Service {
    /// When a repository's policy is applied next, and what that was computed from.
    private struct Due {
        let schedule: String
        let base: Timestamp
        let next: Timestamp?
    }

    private let pruner: Pruner
    private let directory: RepositoryDirectory
    private let configuration: StoreConfiguration
    private let now: TimeSource
    private let logger: Logger
    private let dues = Mutex<[RepositoryID: Due]>([:])

    init(
        pruner: Pruner,
        directory: RepositoryDirectory,
        configuration: StoreConfiguration,
        now: @escaping TimeSource,
        logger: Logger
    ) {
        self.pruner = pruner
        self.directory = directory
        self.configuration = configuration
        self.now = now
        self.logger = logger
    }

    func run() async throws {
        guard let period = configuration.retentionPeriod else { return try await gracefulShutdown() }
        _ = await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.everyNowAndThen(period) { try await self.pruner.endUndos() } }
                group.addTask { await self.everyNowAndThen(period) { try await self.runDue() } }
            }
        }
    }

    private func everyNowAndThen(_ period: Duration, _ work: () async throws -> Void) async {
        while (try? await Task.sleep(for: period)) != nil {
            do {
                try await work()
            } catch StoreError.shuttingDown {
                return
            } catch is CancellationError {
                return
            } catch {
                logger.error("retention failed", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Runs every policy that is due: once, however often it was missed.
    ///
    /// A policy that fails is logged, and tried again when it is due next.
    func runDue() async throws {
        let now = now()
        for repository in directory.all {
            guard let due = nextRun(of: repository), due <= now else { continue }
            do {
                _ = try await pruner.prune(repository, reason: .schedule, actor: "schedule") {
                    // Another run may have been made meanwhile.
                    self.nextRun(of: $0).map { $0 <= now } ?? false
                }
            } catch StoreError.shuttingDown {
                throw StoreError.shuttingDown
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                logger.error(
                    "a policy could not be applied",
                    metadata: ["repository": "\(repository.name)", "error": "\(error)"]
                )
            }
        }
    }

    /// When a repository's policy is applied next; nil: never.
    func nextRun(of repository: Repository) -> Timestamp? {
        guard let setAt = pruner.policySetAt(repository) else { return nil }
        let schedule = repository.settings.pruneSchedule ?? configuration.pruneSchedule?.text ?? "off"
        if schedule == "off" { return nil }
        // What was due before there was a policy was not missed.
        let base = max(repository.prunedAt ?? repository.createdAt, setAt)
        let known = dues.withLock { $0[repository.id] }
        if let known, known.schedule == schedule, known.base == base { return known.next }
        let next = Self.next(schedule, after: base)
        dues.withLock { $0[repository.id] = Due(schedule: schedule, base: base, next: next) }
        return next
    }

    private static func next(_ text: String, after time: Timestamp) -> Timestamp? {
        guard let schedule = try? CronSchedule(text) else { return nil }
        let zone = schedule.zoneName.flatMap { TimeZone(identifier: $0) }
        return schedule.next(after: time) { time in
            guard let zone else { return .zero }
            let date = Date(timeIntervalSince1970: Double(time.milliseconds) / 1000)
            return .seconds(zone.secondsFromGMT(for: date))
        }
    }

    /// Checks a schedule: `off`, or a cron expression whose zone is known.
    ///
    /// - Throws: `malformed`.
    static func check(_ text: String) throws(StoreError) {
        if text == "off" { return }
        do {
            let schedule = try CronSchedule(text)
            guard let name = schedule.zoneName, TimeZone(identifier: name) == nil else { return }
            throw StoreError.malformed("schedule: this machine knows no time zone \(name)")
        } catch let error as StoreError {
            throw error
        } catch {
            throw .malformed("schedule: \(error)")
        }
    }
}
