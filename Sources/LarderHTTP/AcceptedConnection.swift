import HummingbirdCore
package import NIOCore
import NIOHTTPTypes
import Synchronization

/// A connection that was accepted and is not being served yet: nothing is read from it.
///
/// One that nobody comes to serve, because the listener closed in that moment, is closed when it is forgotten. An
/// `NIOAsyncChannel` may not be forgotten so: it would end the process.
package final class AcceptedConnection: ServerChildChannelValue {
    package let channel: any Channel
    private let isServed = Atomic(false)

    /// On the channel's event loop, before the channel is active.
    init(_ channel: any Channel) throws {
        self.channel = channel
        try channel.syncOptions?.setOption(.autoRead, value: false)
    }

    deinit {
        if !isServed.load(ordering: .relaxed) { channel.close(promise: nil) }
    }

    /// Begins to read; nil when the connection has closed meanwhile.
    func serve() async throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>? {
        isServed.store(true, ordering: .relaxed)
        return try await channel.eventLoop.submit { [channel] in
            guard channel.isActive else { return nil }
            let asyncChannel = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                wrappingChannelSynchronously: channel,
                configuration: .init(isOutboundHalfClosureEnabled: true)
            )
            try channel.pipeline.syncOperations.handler(type: WireHandler.self).begin()
            try channel.syncOptions?.setOption(.autoRead, value: true)
            return asyncChannel
        }.get()
    }
}
