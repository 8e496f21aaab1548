import LarderCore
package import LarderStore
package import Logging
package import NIOCore
import Synchronization

/// What all connections of a listener share.
package final class HTTPFront: Sendable {
    package let store: Store
    package let catalog: AdapterList
    package let limits: HTTPLimits
    package let metrics: HTTPMetrics
    package let logger: Logger
    let requestGuard: RequestGuard
    let gatekeeper: Gatekeeper
    let isLocalSocket: Bool
    let writesAccessLog: Bool
    let requestIDs: RequestIDs
    private let batchers: [ObjectIdentifier: Batchers]

    /// `isLocalSocket`: Whether this is `larder.sock`: its clients are the administrator, whatever `Host` they send.
    package init(
        store: Store,
        catalog: AdapterList,
        limits: HTTPLimits,
        requestGuard: RequestGuard,
        gatekeeper: Gatekeeper,
        metrics: HTTPMetrics,
        isLocalSocket: Bool = false,
        writesAccessLog: Bool = false,
        idSeed: UInt32,
        group: any EventLoopGroup,
        logger: Logger
    ) {
        self.store = store
        self.catalog = catalog
        self.limits = limits
        self.requestGuard = requestGuard
        self.gatekeeper = gatekeeper
        self.metrics = metrics
        self.isLocalSocket = isLocalSocket
        self.writesAccessLog = writesAccessLog
        self.logger = logger
        requestIDs = RequestIDs(seed: idSeed)
        var batchers: [ObjectIdentifier: Batchers] = [:]
        for loop in group.makeIterator() {
            batchers[ObjectIdentifier(loop)] = Batchers(
                reads: MissBatcher(store: store, eventLoop: loop),
                writes: WriteBatcher(store: store, eventLoop: loop),
                flushes: FlushBatcher(eventLoop: loop)
            )
        }
        self.batchers = batchers
    }

    /// What the connections of one event loop do together.
    struct Batchers {
        let reads: MissBatcher
        let writes: WriteBatcher
        let flushes: FlushBatcher
    }

    /// Who sends a request.
    ///
    /// Through `larder.sock` nobody comes but the user who runs the server, whatever a request shows.
    func identify(_ authorization: String?) -> Gatekeeper.Finding {
        isLocalSocket ? .known(.administrator) : gatekeeper.identify(authorization)
    }

    /// The answer to a request that is not let in; nil when it is.
    ///
    /// `host`: What the request calls the server.
    func refusal(
        of finding: Gatekeeper.Finding,
        _ adapter: any HTTPAdapter,
        _ route: HTTPRoute,
        method: RequestMethod,
        host: (some StringProtocol)?,
        authorization: String?
    ) -> HTTPAnswer? {
        let demand = route.demand(of: method)
        if case .nothing = demand { return nil }
        let reason: AccessRefusal.Reason
        var sender: Principal?
        switch finding {
        case .wrong(let why): reason = .credentialsWrong(why)
        case .known(let principal):
            guard
                let found = gatekeeper.refusal(of: principal, demand: demand, repository: route.repository)
            else { return nil }
            (reason, sender) = (found, principal)
        }
        let refusal = AccessRefusal(
            reason: reason,
            demand: demand,
            repository: route.repository,
            isReader: sender?.allows(.read, in: route.repository) ?? false,
            sender: sender?.name ?? "unknown",
            origin: "http://\(Self.origin(host))"
        )
        let hasBearer = authorization.map { $0.prefix(7).lowercased() == "bearer " } ?? false
        return adapter.answer(to: refusal, hasBearer: hasBearer, for: route.operation)
    }

    /// A host as it may stand in a header between quotes.
    private static func origin(_ host: (some StringProtocol)?) -> String {
        guard let host, !host.isEmpty,
            host.utf8.allSatisfy({ byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: [UInt8](".:-_[]".utf8).contains(byte)
                }
            })
        else { return "localhost" }
        return String(host)
    }

    private let connections = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// Keeps a connection in mind until it closes, so that a shutdown can end it.
    func track(_ channel: any Channel) {
        connections.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { _ in
            self.connections.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    /// Ends all connections, whatever they are doing.
    package func closeAllConnections() {
        for channel in connections.withLock({ Array($0.values) }) {
            channel.close(promise: nil)
        }
    }

    func batchers(for eventLoop: any EventLoop) -> Batchers? {
        batchers[ObjectIdentifier(eventLoop)]
    }
}

/// The adapters of a server, asked in their order.
package struct AdapterList: Sendable {
    package let adapters: [any HTTPAdapter]

    package init(_ adapters: [any HTTPAdapter]) {
        self.adapters = adapters
    }

    /// The adapter that a request is for, and what it means there.
    package func route(_ line: RequestLine) -> (adapter: any HTTPAdapter, route: HTTPRoute)? {
        for adapter in adapters {
            if let route = adapter.route(line) { return (adapter, route) }
        }
        return nil
    }
}
