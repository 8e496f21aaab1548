import APIAdapter
import Foundation
import HummingbirdCore
import LarderBlobs
import LarderCore
import LarderHTTP
import LarderStore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
package import UnixSignals

/// Puts the parts together: data folder, store, listeners; and takes them apart in the right order.
package struct LarderServer: Sendable {
    /// Whether the address is served, or only `larder.sock`: commands on a data folder without a server run like that.
    package enum Mode: Sendable {
        case full
        case socketOnly
    }

    private let settings: ServerSettings
    private let mode: Mode
    private let logger: Logger

    package init(settings: ServerSettings, mode: Mode = .full, logger: Logger) {
        self.settings = settings
        self.mode = mode
        self.logger = logger
    }

    /// Serves until a signal, or until the task is cancelled or shut down.
    ///
    /// - Parameters:
    ///   - signals: Signals that begin a graceful shutdown.
    ///   - stop: Begins it from outside.
    ///   - onReady: Called once when all listeners answer, with the port in use; nil in socket-only mode.
    /// - Throws: `StoreError` when the data folder can't be used, what binding the address throws.
    package func run(
        signals: [UnixSignal] = [],
        stop: ServerStop? = nil,
        onReady: @escaping @Sendable (Int?) async -> Void
    ) async throws {
        Self.prepareProcess()
        let folder = try DataFolder(at: settings.dataFolder)
        defer { folder.unlock() }
        let pool = FilePool(threadCount: settings.store.fileThreadCount)
        var configuration = settings.store
        // A command that only looks at the folder leaves the slow work to a server.
        if mode == .socketOnly {
            configuration.scrubPeriod = nil
            configuration.retentionPeriod = nil
        }
        let store: Store
        do {
            store = try await pool.run { [configuration, logger] in
                try Store(
                    folder: folder,
                    files: PosixBlobFiles(),
                    pool: pool,
                    configuration: configuration,
                    now: Self.wallClock,
                    logger: logger
                )
            }
        } catch {
            try? await pool.shutdown()
            throw error
        }
        do {
            try await serve(store, pool: pool, folder: folder, signals: signals, stop: stop, onReady: onReady)
        } catch {
            try? await pool.run { try store.close() }
            try? await pool.shutdown()
            throw error
        }
        try await pool.run { try store.close() }
        try await pool.shutdown()
        logger.info("stopped")
    }

    private func serve(
        _ store: Store,
        pool: FilePool,
        folder: DataFolder,
        signals: [UnixSignal],
        stop: ServerStop?,
        onReady: @escaping @Sendable (Int?) async -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let readiness = Readiness(listenerCount: mode == .full ? 2 : 1) { port in
            do {
                try await applyDeclarations(in: store)
            } catch {
                logger.error("what the configuration declares can't be set", metadata: ["error": "\(error)"])
            }
            await onReady(port)
        }
        let registry = PrometheusRegistry()
        let metrics = HTTPMetrics(factory: registry)
        let start = ContinuousClock().now
        let catalog = AdapterCatalog.make(
            store: store,
            apiSources: APIAdapter.Sources(
                metricsText: { await StoreMetrics.update(registry, from: store) },
                hitRates: { metrics.hitRates },
                version: larderVersion,
                uptime: { ContinuousClock().now - start },
                now: Self.wallClock,
                makeUploadID: { UUID().uuidString.lowercased() },
                makeTokenSecret: { TokenSecret(bytes: Self.randomBytes(TokenSecret.byteCount)) }
            )
        )
        let gatekeeper = Gatekeeper(
            store: store,
            key: try await pool.run { try store.tokenKey(ifNone: Self.randomBytes(32)) },
            anonymousActions: settings.anonymousAccess.actions,
            acceptsTokens: settings.listen.isLoopback || settings.isInsecure,
            now: Self.wallClock
        )
        func makeFront(isLocalSocket: Bool) -> HTTPFront {
            HTTPFront(
                store: store,
                catalog: catalog,
                limits: settings.http,
                requestGuard: requestGuard,
                gatekeeper: gatekeeper,
                metrics: metrics,
                isLocalSocket: isLocalSocket,
                writesAccessLog: settings.writesAccessLog,
                idSeed: UInt32.random(in: 0 ... .max),
                group: group,
                logger: logger
            )
        }
        // A socket that a killed server left behind.
        unlink(folder.socketPath)
        var services: [any Service] = store.services + [MemoryTrimmer(pool: pool)]
        services.append(
            Listener(
                front: makeFront(isLocalSocket: true),
                address: .unixDomainSocket(path: folder.socketPath),
                group: group,
                logger: logger
            ) { _ in
                chmod(folder.socketPath, 0o600)
                await readiness.note(port: nil)
            }
        )
        if mode == .full {
            services.append(
                Listener(
                    front: makeFront(isLocalSocket: false),
                    address: .hostname(settings.listen.host, port: settings.listen.port),
                    group: group,
                    logger: logger
                ) { channel in
                    await readiness.note(port: channel.localAddress?.port)
                }
            )
        }
        if let stop { services.append(stop) }
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            gracefulShutdownSignals: signals,
            logger: logger
        )
        configuration.maximumGracefulShutdownDuration = settings.http.shutdownGrace + .seconds(30)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw SettingError(
                "\(settings.listen.text) address already in use; end the program that has it, or use another --listen"
            )
        } catch let error as IOError {
            throw SettingError("can't listen on \(settings.listen.text): \(error)")
        }
        unlink(folder.socketPath)
    }

    /// Open on loopback, the server answers only to names of the loopback; elsewhere to whatever name it has.
    private var requestGuard: RequestGuard {
        RequestGuard(isEnforced: settings.listen.isLoopback, hosts: settings.hosts)
    }

    /// Of the system's generator, which is cryptographically secure.
    private static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &generator) }
    }

    private func applyDeclarations(in store: Store) async throws {
        for (kind, text) in settings.defaultPolicies where store.defaultPolicies[kind] != text {
            try await store.setDefaultPolicy(text, of: kind)
        }
        for declared in settings.repositories {
            if store.directory.find(declared.name) == nil {
                _ = try await store.createRepository(declared.name, kind: declared.kind, settings: declared.settings)
            } else {
                _ = try await store.setRepository(declared.name, declared.settings)
            }
            guard let policy = declared.policy else { continue }
            let current = try await store.policy(of: declared.name)
            if current?.isDefault != false || current?.text != policy {
                try await store.setPolicy(policy, of: declared.name)
            }
        }
    }

    private static let wallClock: TimeSource = {
        Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
    }

    private static func prepareProcess() {
        // Everything in the data folder is for its owner only.
        umask(0o077)
        signal(SIGPIPE, SIG_IGN)
        MemoryTrimmer.limitArenas()
        // One descriptor a connection, one a transfer: take what the system allows.
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
    }
}

/// Calls back once when every listener answers.
private actor Readiness {
    private var missing: Int
    private var port: Int?
    private let onReady: @Sendable (Int?) async -> Void

    init(listenerCount: Int, onReady: @escaping @Sendable (Int?) async -> Void) {
        missing = listenerCount
        self.onReady = onReady
    }

    func note(port: Int?) async {
        missing -= 1
        if let port { self.port = port }
        if missing == 0 { await onReady(self.port) }
    }
}
