import ServiceLifecycle

/// Ends a server from outside, as a signal would.
package final class ServerStop: Service {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    /// Begins a graceful shutdown.
    package func trigger() {
        continuation.finish()
    }

    package func run() async throws {
        for await _ in stream.cancelOnGracefulShutdown() {}
    }
}
