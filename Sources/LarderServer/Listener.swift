import HummingbirdCore
import LarderHTTP
import Logging
import NIOCore
import ServiceLifecycle

/// Hummingbird's server with Larder's child channel on one address.
///
/// Its graceful shutdown is bounded: requests that run finish within the grace, then their connections are closed.
struct Listener: Service {
    let front: HTTPFront
    let address: BindAddress
    let group: any EventLoopGroup
    let logger: Logger
    let onRunning: @Sendable (any Channel) async -> Void

    init(
        front: HTTPFront,
        address: BindAddress,
        group: any EventLoopGroup,
        logger: Logger,
        onRunning: @escaping @Sendable (any Channel) async -> Void
    ) {
        self.front = front
        self.address = address
        self.group = group
        // Hummingbird's own lines are for its developers; what a failure means is said where it is handled.
        var logger = logger
        if logger.logLevel > .debug { logger.logLevel = .critical }
        self.logger = logger
        self.onRunning = onRunning
    }

    func run() async throws {
        let server = Server(
            childChannelSetup: LarderChannel(front: front),
            configuration: ServerConfiguration(
                address: address,
                serverName: nil,
                backlog: 1024,
                availableConnectionsDelegate: .maximum(front.limits.connectionCountMax, logger: logger)
            ),
            onServerRunning: onRunning,
            eventLoopGroup: group,
            logger: logger
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            tasks.addTask {
                try await gracefulShutdown()
                try await Task.sleep(for: front.limits.shutdownGrace)
                front.logger.warning("requests did not finish in time: closing their connections")
                front.closeAllConnections()
                try await Task.sleep(for: .seconds(3600))
            }
            try await tasks.next()
            tasks.cancelAll()
        }
    }
}
