import Glibc
import HTTPTypes
package import HummingbirdCore
import LarderCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// The other end of the socket has no credentials.
struct PeerIsNobody: Error {}

/// The child channel that Larder gives to Hummingbird's server: HTTP/1.1 codec, express lane, then Hummingbird's own road.
///
/// A connection's pipeline is chosen in `setup`; another protocol on the same port (HTTP/2 by its preface) is added there.
package struct LarderChannel: HTTPChannelHandler {
    package typealias Value = AcceptedConnection

    package let responder: HTTPChannelHandler.Responder
    private let front: HTTPFront

    package init(front: HTTPFront) {
        self.front = front
        let slowRoad = SlowRoad(front: front)
        responder = { request, writer, _ in
            let response = await slowRoad.respond(to: request)
            try await writer.write(response: response.head, body: response.body)
        }
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            if front.isLocalSocket { try Self.checkPeer(of: channel) }
            front.track(channel)
            try setOptions(of: channel)
            var decoderLimits = NIOHTTPDecoderLimitConfiguration()
            let length = Int(front.limits.headersLengthMax.bytes)
            decoderLimits.maxHeaderFieldSize = length
            decoderLimits.maxHeaderListSize = length
            decoderLimits.maxHeaderFieldCount = 200
            let pipeline = channel.pipeline.syncOperations
            let wire = WireHandler()
            try pipeline.addHandler(wire)
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false,
                withErrorHandling: false,
                withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(),
                withDecoderLimitConfiguration: decoderLimits
            )
            try pipeline.addHandler(ExpressLane(front: front, wire: wire, eventLoop: channel.eventLoop))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            return try AcceptedConnection(channel)
        }
    }

    package func handle(value: Value, logger: Logger) async {
        do {
            guard let channel = try await value.serve() else { return }
            await handleHTTP(asyncChannel: channel, logger: logger)
        } catch {
            front.logger.debug("a connection could not be served", metadata: ["error": "\(error)"])
            value.channel.close(promise: nil)
        }
    }

    /// Only the user who runs the server, and root, may speak through `larder.sock`, whatever the mode of the file is.
    private static func checkPeer(of channel: any Channel) throws {
        guard let options = channel as? any SocketOptionProvider else { throw PeerIsNobody() }
        // struct ucred: pid, uid, gid.
        let peer: EventLoopFuture<(Int32, UInt32, UInt32)> = options.unsafeGetSocketOption(
            level: .socket,
            name: .init(rawValue: SO_PEERCRED)
        )
        peer.whenComplete { result in
            guard case .success(let credentials) = result, credentials.1 == geteuid() || credentials.1 == 0 else {
                channel.close(promise: nil)
                return
            }
        }
    }

    private func setOptions(of channel: any Channel) throws {
        guard let options = channel.syncOptions else { return }
        if channel.localAddress?.protocol != .unix {
            try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
        }
        // 64 KiB chunks cost a third of the upload rate; small requests never grow the buffer.
        try options.setOption(
            .recvAllocator,
            value: AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 1 << 20)
        )
        // A second read after the first that was short would find nothing.
        try options.setOption(.maxMessagesPerRead, value: 1)
        try options.setOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
    }
}
