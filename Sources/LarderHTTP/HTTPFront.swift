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
    let isLocalSocket: Bool
    let access: Access
    let writesAccessLog: Bool
    let requestIDs: RequestIDs
    private let batchers: [ObjectIdentifier: Batchers]

    /// `isLocalSocket`: Whether this is `larder.sock`: its clients are the administrator, whatever `Host` they send.
    package init(
        store: Store,
        catalog: AdapterList,
        limits: HTTPLimits,
        requestGuard: RequestGuard,
        metrics: HTTPMetrics,
        isLocalSocket: Bool = false,
        writesAccessLog: Bool = false,
        access: Access = .full,
        idSeed: UInt32,
        group: any EventLoopGroup,
        logger: Logger
    ) {
        self.store = store
        self.catalog = catalog
        self.limits = limits
        self.requestGuard = requestGuard
        self.metrics = metrics
        self.isLocalSocket = isLocalSocket
        self.writesAccessLog = writesAccessLog
        self.access = access
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

    /// What everybody may do who reaches the listener.
    package enum Access: Sendable {
        case full
        case readOnly
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
