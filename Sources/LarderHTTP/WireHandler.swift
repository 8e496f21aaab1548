import NIOCore

/// The place next to the socket, before the codec: plain requests are read from their bytes here, and the express lane
/// writes answers that it formatted itself.
///
/// Decoding a head to strings and encoding one from strings costs more than everything else that the lane does for a hit.
///
/// A plain request may only bypass the codec while that stands between two requests, so what it was given is counted
/// against what the lane finished.
final class WireHandler: ChannelInboundHandler, ChannelOutboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// How far the codec is.
    private enum CodecState {
        /// Between two requests.
        case idle
        /// It was given a head of this length and, head included, this many bytes.
        case busy(headLength: Int, byteCount: Int)
        /// Nobody knows: it gets everything from here on.
        case unknown
    }

    private var codec = CodecState.idle
    private var context: ChannelHandlerContext?
    private weak var lane: ExpressLane?
    /// Whether what was read since the last `channelReadComplete` concerns the handlers behind.
    private var hasPassedOn = false
    private var hasUnflushed = false
    /// Whether all handlers behind are there.
    ///
    /// What comes before waits here: NIO reads all that a client sent which has closed its half, whether or not anybody
    /// asked to read.
    private var isServed = false
    /// Whether a plain request waits for the store: what comes behind it waits here, as the request may still have to go
    /// through the codec.
    private var isPlainUnderWay = false
    private var held: ByteBuffer?
    private var isInputClosedHeld = false
    private var isReleasing = false

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Says who takes plain requests.
    func connect(_ lane: ExpressLane) {
        self.lane = lane
    }

    /// Lets in what came before somebody served the connection, and everything from here on.
    func begin() {
        isServed = true
        release()
    }

    private var mustHold: Bool { isPlainUnderWay || !isServed }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if mustHold {
            held.setOrWriteImmutableBuffer(bytes)
        } else {
            handle(bytes)
        }
    }

    private func handle(_ bytes: ByteBuffer) {
        if case .idle = codec, let lane, let request = PlainRequest(bytes), lane.take(request, bytes) { return }
        passOn(bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if mustHold, let event = event as? ChannelEvent, event == .inputClosed {
            isInputClosedHeld = true
            return
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Whether something waits here.
    var hasHeld: Bool { held != nil }

    /// The lane took a plain request, or is done with it.
    func notePlain(isUnderWay: Bool) {
        isPlainUnderWay = isUnderWay
    }

    /// Goes on with what waited behind a plain request that is done.
    func release() {
        // The lane comes here while the codec still has requests of what is being handed on: the end comes behind them.
        guard !isReleasing, !mustHold, let context else { return }
        if let bytes = held.take() {
            isReleasing = true
            handle(bytes)
            isReleasing = false
            channelReadComplete(context: context)
        }
        if isInputClosedHeld, !mustHold {
            isInputClosedHeld = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard hasPassedOn else { return }
        hasPassedOn = false
        context.fireChannelReadComplete()
    }

    /// Gives bytes to the codec.
    func passOn(_ bytes: ByteBuffer) {
        switch codec {
        case .idle:
            let headLength = Self.headLength(of: bytes)
            codec = headLength.map { .busy(headLength: $0, byteCount: bytes.readableBytes) } ?? .unknown
        case .busy(let headLength, let byteCount):
            codec = .busy(headLength: headLength, byteCount: byteCount + bytes.readableBytes)
        case .unknown: break
        }
        hasPassedOn = true
        context?.fireChannelRead(wrapInboundOut(bytes))
    }

    /// The lane finished a request of the codec's, with a body of this length; nil: of unknown length.
    func noteFinished(bodyLength: Int64?) {
        guard case .busy(let headLength, let byteCount) = codec else { return }
        codec = bodyLength == Int64(byteCount - headLength) ? .idle : .unknown
    }

    /// Writes bytes, to be flushed with those of other connections.
    ///
    /// Only for answers that are complete in themselves.
    func write(_ bytes: ByteBuffer) {
        hasUnflushed = true
        context?.write(wrapOutboundOut(.byteBuffer(bytes)), promise: nil)
    }

    func flush() {
        hasUnflushed = false
        context?.flush()
    }

    /// Closes when everything that was written has left.
    func closeWhenWritten(mode: CloseMode) {
        guard let context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            self?.context?.close(mode: mode, promise: nil)
        }
        hasUnflushed = false
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
    }

    /// Whatever closes the connection, answers leave first.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if hasUnflushed { flush() }
        context.close(mode: mode, promise: promise)
    }

    /// The length of a head that stands at the start of some bytes, with its empty line; nil when it has no end there.
    private static func headLength(of bytes: ByteBuffer) -> Int? {
        bytes.withUnsafeReadableBytes { bytes in
            // A head that begins with line breaks, which the codec skips, has no end before its own.
            guard bytes.count >= 4, bytes[0] > 0x20 else { return nil }
            for position in 3..<bytes.count
            where bytes[position] == 0x0a && bytes[position - 1] == 0x0d && bytes[position - 2] == 0x0a
                && bytes[position - 3] == 0x0d
            {
                return position + 1
            }
            return nil
        }
    }
}
