import LarderCore
import NIOCore
import NIOHTTP1

/// The clock of one connection: what it waits for, since when, and how far it got.
struct ConnectionWatch {
    enum Verdict: Equatable {
        case fine
        /// Close without a word: nobody asked anything.
        case close
        /// The body does not come on.
        case bodyStalled
    }

    private let limits: HTTPLimits
    let tickInterval: TimeAmount
    private var waitingSince: NIODeadline
    private var hadRequest = false
    private var windowStart: NIODeadline
    private var windowBytes: Int64 = 0
    private var windowBuffered = 0
    /// Whether somebody asked the channel for more, so that silence is the client's.
    var isReading = false
    fileprivate var tick: Scheduled<Void>?

    init(limits: HTTPLimits, now: NIODeadline) {
        self.limits = limits
        waitingSince = now
        windowStart = now
        let shortest = min(limits.headTimeout, limits.idleTimeout, limits.stallTimeout)
        tickInterval = .milliseconds(min(5000, max(20, shortest.wholeMilliseconds / 4)))
    }

    mutating func noteHead(at now: NIODeadline) {
        hadRequest = true
        startWindow(at: now, bytes: 0, buffered: 0)
    }

    mutating func noteIdle(at now: NIODeadline) {
        waitingSince = now
    }

    mutating func cancel() {
        tick?.cancel()
        tick = nil
    }

    /// Judges an idle connection: a head that comes in drops is late all the same.
    func judgeIdle(at now: NIODeadline) -> Verdict {
        let limit = hadRequest ? limits.idleTimeout : limits.headTimeout
        return now >= waitingSince + .milliseconds(limit.wholeMilliseconds) ? .close : .fine
    }

    /// Judges a body that is being read: each window must bring something worth while.
    mutating func judgeBody(bytes: Int64, at now: NIODeadline) -> Verdict {
        guard isReading else {
            // We are the ones who don't read.
            startWindow(at: now, bytes: bytes, buffered: 0)
            return .fine
        }
        guard now >= windowStart + .milliseconds(limits.stallTimeout.wholeMilliseconds) else { return .fine }
        if bytes - windowBytes < limits.bodyProgressMin.bytes { return .bodyStalled }
        startWindow(at: now, bytes: bytes, buffered: 0)
        return .fine
    }

    /// Judges an answer that is being written: each window must take something.
    mutating func judgeAnswer(buffered: Int, at now: NIODeadline) -> Verdict {
        if buffered == 0 || buffered != windowBuffered {
            startWindow(at: now, bytes: windowBytes, buffered: buffered)
            return .fine
        }
        return now >= windowStart + .milliseconds(limits.stallTimeout.wholeMilliseconds) ? .close : .fine
    }

    private mutating func startWindow(at now: NIODeadline, bytes: Int64, buffered: Int) {
        windowStart = now
        windowBytes = bytes
        windowBuffered = buffered
    }
}

/// The start of Linux's `struct tcp_info`, up to the counter that is wanted.
private struct TCPInfo {
    private var states: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    private var times: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    private var rates: (UInt64, UInt64) = (0, 0)
    /// `tcpi_bytes_acked`.
    var bytesAcknowledged: UInt64 = 0
}

/// The body of a request did not come on.
struct RequestStalled: Error {}

extension ExpressLane {
    func scheduleTick(_ context: ChannelHandlerContext) {
        guard watch.tick == nil else { return }
        let bound = NIOLoopBound((lane: self, context: context), eventLoop: eventLoop)
        watch.tick = eventLoop.scheduleTask(in: watch.tickInterval) {
            let (lane, context) = bound.value
            lane.watch.tick = nil
            guard context.channel.isActive else { return }
            lane.tick(context)
            lane.scheduleTick(context)
        }
    }

    private func tick(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        switch phase {
        case .idle:
            if watch.judgeIdle(at: now) == .close { context.close(promise: nil) }
        case .discarding, .collecting:
            if watch.judgeBody(bytes: exchange?.bytesIn ?? 0, at: now) == .bodyStalled { giveUp(context) }
        case .slow(let isAnswered):
            if !(exchange?.isRequestComplete ?? true) && !isAnswered {
                if watch.judgeBody(bytes: exchange?.bytesIn ?? 0, at: now) == .bodyStalled { giveUp(context) }
            } else {
                judgeAnswer(context, at: now)
            }
        case .awaiting:
            judgeAnswer(context, at: now)
        case .lingering(let deadline):
            if now >= deadline { context.close(promise: nil) } else { judgeAnswer(context, at: now) }
        }
    }

    private func judgeAnswer(_ context: ChannelHandlerContext, at now: NIODeadline) {
        let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard buffered > 0, let options = context.channel as? any SocketOptionProvider else {
            _ = watch.judgeAnswer(buffered: 0, at: now)
            return
        }
        // The kernel may hold megabytes: only what the client acknowledged tells whether it takes anything.
        let info: EventLoopFuture<TCPInfo> = options.unsafeGetSocketOption(level: .tcp, name: .init(rawValue: 11))
        info.assumeIsolated().whenComplete { [self] result in
            let acknowledged = (try? result.get())?.bytesAcknowledged ?? 0
            let progress = Int(truncatingIfNeeded: acknowledged) &- buffered
            if watch.judgeAnswer(buffered: progress == 0 ? 1 : progress, at: now) == .close {
                context.close(promise: nil)
            }
        }
    }

    private func giveUp(_ context: ChannelHandlerContext) {
        giveUp(HTTPAnswer(408, "the request's body did not arrive in time\n"), context)
    }

    /// Answers before the request is complete, and closes; nothing of the request is kept.
    func giveUp(_ answer: HTTPAnswer, _ context: ChannelHandlerContext) {
        exchange?.mustClose = true
        // First of all, because sending may close the connection: whoever reads the body must learn that it never ended.
        breakOffBody(context)
        send(answer, context)
        context.close(promise: nil)
    }

    /// Lets Hummingbird's road fail that still reads a body: the end of the connection alone would look like the end of
    /// the body, and half an upload would be stored as a whole.
    func breakOffBody(_ context: ChannelHandlerContext) {
        guard case .slow = phase, !(exchange?.isRequestComplete ?? true) else { return }
        context.fireErrorCaught(RequestStalled())
    }
}
