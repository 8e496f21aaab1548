import CoreMetrics
import HTTPTypes
import LarderCore
import LarderStore
import Logging
import NIOCore
import NIOExtras
import NIOHTTP1

/// The NIO handler between the HTTP/1.1 codec and Hummingbird: answers reads and small writes right on the event loop,
/// refuses early, and passes everything else on.
///
/// One request of a connection is under way at a time. While it is, what a pipelining client sent behind it waits in
/// `backlog` and nothing more is read, so answers come in order on whichever road.
final class ExpressLane: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    enum Phase {
        /// Between requests.
        case idle
        /// Reading a body that nobody wants, to answer at its end.
        case discarding(Verdict)
        /// Gathering a small body.
        case collecting(ByteBuffer, WriteTarget)
        /// The request is complete; the store works on it, or its answer is on its way out.
        case awaiting
        /// Hummingbird answers.
        case slow(isAnswered: Bool)
        /// The last answer is out; what still arrives is thrown away until the client closes or the time is over.
        case lingering(until: NIODeadline)
    }

    /// What is answered at the end of a request that is read to its end first.
    enum Verdict {
        case read(StoredName.Item)
        case answer(HTTPAnswer)
    }

    let front: HTTPFront
    let eventLoop: any EventLoop
    var phase = Phase.idle
    var exchange: Exchange?
    var watch: ConnectionWatch
    var context: ChannelHandlerContext?
    let batchers: HTTPFront.Batchers?
    var backlog = CircularBuffer<HTTPServerRequestPart>()
    private var isReadHeld = false
    /// The client has said all, behind the request that is under way.
    private var isInputClosed = false
    var isQuiescing = false
    private var isHandlingBacklog = false
    /// Why nothing more can be read, found behind the request that is under way.
    var brokenInput: (any Error)?
    private var lastSeries: (adapter: String, repository: RepositoryName?, series: HTTPMetrics.Series)?
    /// The place in the pipeline before the encoder, where bytes that need no encoding are written.
    let wire: WireHandler
    var modified = HTTPDateCache()
    /// Who sent the last request with credentials, and how long that can be relied on.
    var sender: (authorization: String, generation: UInt64, until: NIODeadline, principal: Principal)?

    init(front: HTTPFront, wire: WireHandler, eventLoop: any EventLoop) {
        self.front = front
        self.wire = wire
        self.eventLoop = eventLoop
        batchers = front.batchers(for: eventLoop)
        watch = ConnectionWatch(limits: front.limits, now: .now())
    }

    // MARK: - Inbound

    func channelActive(context: ChannelHandlerContext) {
        scheduleTick(context)
        context.fireChannelActive()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wire.connect(self)
        if context.channel.isActive { scheduleTick(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        watch.cancel()
        breakOffBody(context)
        if exchange != nil {
            record(isAborted: true)
            // What Hummingbird's road still answers is for nobody, and not counted again.
            exchange = nil
            phase = .lingering(until: .distantFuture)
        }
        backlog.removeAll()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        watch.isReading = false
        let part = unwrapInboundIn(data)
        if mustWait(context) || !backlog.isEmpty {
            backlog.append(part)
        } else {
            handle(part, context)
            resume(context)
        }
    }

    /// Holds reads back while a complete request is under way and more has come behind it: TCP then slows a pipelining
    /// client down.
    ///
    /// Not before: to stop and start reading costs two system calls, for every request.
    func read(context: ChannelHandlerContext) {
        if !context.channel.isWritable || isBusyWithCompleteRequest && (!backlog.isEmpty || wire.hasHeld) {
            isReadHeld = true
        } else {
            watch.isReading = true
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            isQuiescing = true
            if case .idle = phase { wire.closeWhenWritten(mode: .all) }
            return
        }
        if case .lingering = phase, let event = event as? ChannelEvent, event == .inputClosed {
            wire.closeWhenWritten(mode: .all)
            return
        }
        if let event = event as? ChannelEvent, event == .inputClosed {
            breakOffBody(context)
            // Hummingbird closes the connection then, and answers are still due.
            if isBusyWithCompleteRequest || !backlog.isEmpty {
                isInputClosed = true
                return
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isBusyWithCompleteRequest && (error is HTTPParserError || error is ByteToMessageDecoderError) {
            // What follows the request is broken; the request itself gets its answer first.
            if brokenInput == nil { brokenInput = error }
            return
        }
        guard error is HTTPParserError else {
            breakOffBody(context)
            context.close(promise: nil)
            return
        }
        switch phase {
        case .slow(let isAnswered):
            if !isAnswered && exchange?.status == 0 {
                giveUp(brokenBodyAnswer, context)
            }
            context.close(promise: nil)
        case .idle:
            refuseBrokenHead(error, context)
        case .discarding, .collecting:
            exchange?.mustClose = true
            send(brokenBodyAnswer, context)
        case .awaiting, .lingering:
            context.close(promise: nil)
        }
    }

    /// In the protocol's form, unless the protocol takes any failure for a success.
    private var brokenBodyAnswer: HTTPAnswer {
        let plain = HTTPAnswer(400, "the request's body is broken\n")
        guard let exchange, let adapter = exchange.adapter, let route = exchange.route else { return plain }
        let answer = adapter.answer(to: .malformed("request body"), for: route.operation)
        return answer.status == 400 ? answer : plain
    }

    private var isBusyWithCompleteRequest: Bool {
        switch phase {
        case .awaiting: true
        case .slow: exchange?.isRequestComplete ?? false
        default: false
        }
    }

    /// Whether a new request must wait: for the one before it, or for a client that does not read its answers.
    func mustWait(_ context: ChannelHandlerContext) -> Bool {
        if isBusyWithCompleteRequest { return true }
        if case .idle = phase { return !context.channel.isWritable }
        return false
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resume(context) }
        context.fireChannelWritabilityChanged()
    }

    /// Goes on with what waited behind the exchange that ended.
    func resume(_ context: ChannelHandlerContext) {
        // Answers that come at once bring us here again: one loop does it all.
        guard !isHandlingBacklog else { return }
        isHandlingBacklog = true
        while !backlog.isEmpty && !mustWait(context) {
            handle(backlog.removeFirst(), context)
        }
        isHandlingBacklog = false
        wire.release()
        if case .idle = phase, backlog.isEmpty, let error = brokenInput {
            brokenInput = nil
            return refuseBrokenHead(error, context)
        }
        if isInputClosed, case .idle = phase, backlog.isEmpty {
            isInputClosed = false
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if isReadHeld && !mustWait(context) {
            isReadHeld = false
            watch.isReading = true
            context.read()
        }
    }

    private func handle(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        case .head(let head):
            guard case .idle = phase else { return }
            begin(head, context)
        case .body(let bytes):
            handle(bytes, context)
        case .end:
            handleEnd(part, context)
        }
    }

    private func handle(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        exchange?.bytesIn += Int64(bytes.readableBytes)
        switch phase {
        case .discarding(let verdict):
            guard case .answer(let answer) = verdict, answer.bodyHandling == .discard else {
                guard let exchange, exchange.bytesIn > front.limits.drainMax.bytes else { return }
                exchange.mustClose = true
                if case .answer(let answer) = verdict {
                    send(answer, context)
                } else {
                    send(HTTPAnswer(413, "a GET has no body\n"), context)
                }
                return
            }
        case .collecting(var buffer, let target):
            phase = .idle
            buffer.writeImmutableBuffer(bytes)
            phase = .collecting(buffer, target)
        case .slow:
            context.fireChannelRead(wrapInboundOut(.body(bytes)))
        case .idle, .awaiting, .lingering:
            return
        }
    }

    private func handleEnd(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        exchange?.isRequestComplete = true
        switch phase {
        case .discarding(.answer(let answer)):
            send(answer, context)
        case .discarding(.read(let item)):
            read(item, context)
        case .collecting(let buffer, let target):
            put(buffer, target, context)
        case .slow(let isAnswered):
            context.fireChannelRead(wrapInboundOut(part))
            // After the last part of the body Hummingbird asks for the next request.
            context.fireChannelReadComplete()
            if isAnswered { finish(context) }
        case .idle, .awaiting, .lingering:
            return
        }
    }

    // MARK: - The store

    func read(_ item: StoredName.Item, _ context: ChannelHandlerContext) {
        read(item, others: exchange?.route?.otherKeys[...] ?? [], context)
    }

    /// `others`: Where an entry is looked for next.
    private func read(_ item: StoredName.Item, others: ArraySlice<EntryKey>, _ context: ChannelHandlerContext) {
        guard let route = exchange?.route else { return }
        guard let repository = front.store.directory.id(of: route.repository, kind: route.kind) else {
            if item == .blob(.emptySHA256), route.kind == .cache { return send(.empty, context) }
            return sendMiss(context)
        }
        let name = StoredName(repository: repository, item: item)
        if let content = front.store.lookUp(name) { return send(content, context) }
        guard let batchers else { return forwardComplete(context) }
        phase = .awaiting
        batchers.reads.find(name) { [weak self] outcome in
            guard let self, context.channel.isActive else { return }
            switch outcome {
            case .found(let content): send(content, context)
            case .miss:
                if let next = others.first {
                    read(.entry(next), others: others.dropFirst(), context)
                } else {
                    sendMiss(context)
                }
            case .incomplete: forwardComplete(context)
            case .failed(let error): sendFailure(error, context)
            }
            resume(context)
        }
    }

    /// Hands a request that was read to its end over to Hummingbird.
    private func forwardComplete(_ context: ChannelHandlerContext) {
        if sendThroughCodec() { return }
        forwardHead(context)
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        context.fireChannelReadComplete()
    }

    func put(_ bytes: ByteBuffer, _ target: WriteTarget, _ context: ChannelHandlerContext) {
        phase = .awaiting
        do {
            if let batchers, let write = try front.store.prepareSmall(target, bytes: bytes) {
                return batchers.writes.commit(write) { [weak self] error in
                    guard let self, context.channel.isActive else { return }
                    if let error { sendFailure(error, context) } else { sendOK(context) }
                    resume(context)
                }
            }
        } catch {
            return sendFailure(error, context)
        }
        if sendThroughCodec() { return }
        forwardHead(context)
        context.fireChannelRead(wrapInboundOut(.body(bytes)))
        context.fireChannelRead(wrapInboundOut(.end(nil)))
        context.fireChannelReadComplete()
    }

    /// Begins a plain request anew as one of the codec's, for whom all roads are open; false when it is one.
    private func sendThroughCodec() -> Bool {
        guard case .plain(let bytes) = exchange?.source else { return false }
        exchange = nil
        phase = .idle
        wire.notePlain(isUnderWay: false)
        wire.passOn(bytes)
        wire.release()
        return true
    }

    private func sendFailure(_ error: StoreError, _ context: ChannelHandlerContext) {
        guard let adapter = exchange?.adapter, let route = exchange?.route else { return }
        front.logger.info(
            "a request was refused",
            metadata: ["request.id": "\(exchange?.id ?? "-")", "adapter": "\(adapter.name)", "error": "\(error)"]
        )
        send(adapter.answer(to: error, for: route.operation), context)
    }

    private func sendMiss(_ context: ChannelHandlerContext) {
        exchange?.isHit = false
        send(exchange?.route?.form.miss ?? .miss, context)
    }

    // MARK: - The end of an exchange

    /// The answer is out.
    ///
    /// Keeps the connection for the next request, or closes it in a way that the client still reads the answer.
    func finish(_ context: ChannelHandlerContext) {
        guard let exchange else { return }
        record(isAborted: false)
        self.exchange = nil
        switch exchange.source {
        case .codec:
            wire.noteFinished(bodyLength: exchange.facts.isChunked ? nil : exchange.facts.contentLength ?? 0)
        case .plain:
            wire.notePlain(isUnderWay: false)
        }
        guard exchange.mustClose || isQuiescing else {
            phase = .idle
            watch.noteIdle(at: .now())
            return
        }
        if exchange.isRequestComplete {
            phase = .lingering(until: .distantFuture)
            wire.closeWhenWritten(mode: .all)
        } else {
            // Closing with unread bytes would reset the connection and take the answer with it.
            phase = .lingering(until: .now() + .seconds(5))
            wire.closeWhenWritten(mode: .output)
        }
    }

    var mustCloseAfterAnswer: Bool { isQuiescing || (exchange?.mustClose ?? true) }

    private func record(isAborted: Bool) {
        guard let exchange else { return }
        let status = isAborted && exchange.status == 0 ? 499 : exchange.status
        let adapter = exchange.adapter?.name ?? "none"
        let series = series(adapter: adapter, repository: exchange.route?.repository)
        let duration = NIODeadline.now() - exchange.start
        series.requests(exchange.method, status: status).increment()
        series.duration.recordNanoseconds(duration.nanoseconds)
        if exchange.bytesIn > 0 { series.bytesIn.increment(by: exchange.bytesIn) }
        if exchange.bytesOut > 0 { series.bytesOut.increment(by: exchange.bytesOut) }
        if let isHit = exchange.isHit { series.countRead(isHit: isHit) }
        guard front.writesAccessLog else { return }
        front.logger.info(
            "request",
            metadata: [
                "request.id": "\(exchange.id)", "adapter": "\(adapter)", "method": "\(exchange.methodName)",
                "path": "\(exchange.target.prefix(256))", "status": "\(status)", "bytes.in": "\(exchange.bytesIn)",
                "bytes.out": "\(exchange.bytesOut)", "ms": "\(Double(duration.nanoseconds / 1000) / 1000)",
            ]
        )
    }

    /// The counters of a tool and repository; a connection mostly asks for those it asked for before.
    ///
    /// Only repositories that exist are named, so that nobody fills the metrics with names.
    private func series(adapter: String, repository: RepositoryName?) -> HTTPMetrics.Series {
        if let lastSeries, lastSeries.adapter == adapter, lastSeries.repository == repository {
            return lastSeries.series
        }
        let isKnown = repository.map { front.store.directory.id(of: $0) != nil } ?? false
        let series = front.metrics.series(adapter: adapter, repository: isKnown ? repository?.text ?? "-" : "-")
        if isKnown { lastSeries = (adapter, repository, series) }
        return series
    }
}
