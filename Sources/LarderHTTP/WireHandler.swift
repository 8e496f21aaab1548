import NIOCore

/// Marks the place next to the socket: from here the express lane writes answers that it formatted itself.
///
/// Encoding a head from strings costs more than everything else that the lane does for a hit.
final class WireHandler: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private(set) var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Writes bytes to the socket.
    ///
    /// Only for answers that are complete in themselves.
    func writeAndFlush(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(bytes)), promise: nil)
    }
}
