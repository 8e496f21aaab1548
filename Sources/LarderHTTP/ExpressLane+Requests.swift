import HTTPTypes
import LarderCore
import LarderStore
import NIOCore
import NIOHTTP1

/// How a request begins: what it means, whether it is refused, and which road it takes.
extension ExpressLane {
    // MARK: - Plain requests

    /// Takes a request that came past the codec; false when it must go through it, and then nothing has happened.
    func take(_ request: PlainRequest, _ bytes: ByteBuffer) -> Bool {
        guard let context, !mustWait(context), case .idle = phase, backlog.isEmpty, brokenInput == nil, !isQuiescing,
            batchers != nil,
            front.isLocalSocket || front.requestGuard.refusal(host: request.host?[...], hasOrigin: false) == nil,
            let line = RequestLine(method: request.method, target: request.target),
            let (adapter, found) = front.catalog.route(line),
            let sender = letIn(found, request.method, request.authorization)
        else { return false }
        let route = found.scoped(for: sender)
        switch route.operation {
        case .read(let item):
            guard request.contentLength == nil else { return false }
            beginPlain(request, bytes, adapter, route)
            read(item, context)
        case .write(let item):
            let target = WriteTarget(repository: route.repository, kind: route.kind, item: item)
            guard let length = request.contentLength,
                length <= front.store.configuration.inlineLimit.bytes,
                (try? front.store.admit(target, length: Int64(length))) != nil
            else { return false }
            beginPlain(request, bytes, adapter, route)
            var body = bytes
            body.moveReaderIndex(forwardBy: request.headLength)
            put(body, target, context)
        case .delete, .custom, .customWrite, .refuse:
            return false
        }
        return true
    }

    private func beginPlain(
        _ request: PlainRequest,
        _ bytes: ByteBuffer,
        _ adapter: any HTTPAdapter,
        _ route: HTTPRoute
    ) {
        let now = NIODeadline.now()
        watch.isReading = false
        watch.noteHead(at: now)
        let exchange = Exchange(request, bytes, id: front.requestIDs.next(), start: now)
        exchange.adapter = adapter
        exchange.route = route
        self.exchange = exchange
        wire.notePlain(isUnderWay: true)
    }

    // MARK: - Access

    /// Who sends a plain request that is let in; the codec's road answers those that are not.
    private func letIn(_ route: HTTPRoute, _ method: RequestMethod, _ authorization: String?) -> Principal? {
        guard case .known(let principal) = identify(authorization, at: .now()) else { return nil }
        let demand = route.demand(of: method)
        let refusal = front.gatekeeper.refusal(of: principal, demand: demand, repository: route.repository)
        return refusal == nil ? principal : nil
    }

    /// Who sends a request, remembered for those of the connection that show the same.
    private func identify(
        _ authorization: String?,
        at now: @autoclosure () -> NIODeadline
    ) -> Gatekeeper.Finding {
        guard let authorization, !front.isLocalSocket else { return front.identify(authorization) }
        let (generation, time) = (front.gatekeeper.generation, now())
        if let sender, sender.authorization == authorization, sender.generation == generation, time < sender.until {
            return .known(sender.principal)
        }
        let finding = front.identify(authorization)
        if case .known(let principal) = finding {
            let lifetime = front.gatekeeper.lifetime(of: principal)
            sender = (authorization, generation, time + .nanoseconds(lifetime.wholeMilliseconds * 1_000_000), principal)
        }
        return finding
    }

    // MARK: - Deciding

    func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        let exchange = Exchange(head, id: front.requestIDs.next(), start: now)
        self.exchange = exchange
        watch.noteHead(at: now)
        if !front.isLocalSocket,
            let refusal = front.requestGuard.refusal(host: exchange.facts.host, hasOrigin: exchange.facts.hasOrigin)
        {
            return refuse(refusal, context)
        }
        if exchange.facts.hasSeveralHosts {
            // RFC 9112, section 3.2.
            return refuse(HTTPAnswer(400, "one Host header is wanted\n"), context)
        }
        guard let line = RequestLine(method: exchange.method, target: head.uri) else {
            let answer = front.catalog.adapters.lazy.compactMap { $0.answer(toMalformedTarget: head.uri) }.first
            return refuse(answer ?? HTTPAnswer(400, "the request's path is not one that a store has\n"), context)
        }
        guard let (adapter, found) = front.catalog.route(line) else {
            return refuse(HTTPAnswer(404, "no such path\n"), context)
        }
        exchange.adapter = adapter
        exchange.route = found
        if exchange.facts.hasSeveralAuthorizations {
            return refuse(HTTPAnswer(400, "one Authorization header is enough\n"), context)
        }
        let sender = identify(exchange.facts.authorization, at: now)
        if let refusal = front.refusal(
            of: sender,
            adapter,
            found,
            method: exchange.method,
            host: exchange.facts.host,
            authorization: exchange.facts.authorization
        ) {
            return refuse(refusal, context)
        }
        let route = if case .known(let principal) = sender { found.scoped(for: principal) } else { found }
        exchange.route = route
        if exchange.facts.hasInvalidLength {
            exchange.mustClose = true
            return refuse(HTTPAnswer(400, "Content-Length is not a number of bytes\n"), context)
        }
        if exchange.facts.hasUnknownExpectation {
            return refuse(HTTPAnswer(417, "the only expectation is 100-continue\n"), context)
        }
        switch route.operation {
        case .refuse(let answer): refuse(answer, context)
        case .read(let item): phase = .discarding(.read(item))
        case .write(let item): beginWrite(item, adapter, route, context)
        case .delete: beginSlow(bodyLimit: front.limits.drainMax, adapter, route, context)
        case .custom(let bodyLimit): beginSlow(bodyLimit: bodyLimit, adapter, route, context)
        case .customWrite(let bodyLimit):
            do {
                let length = exchange.facts.isChunked ? nil : exchange.facts.contentLength
                let limit = bodyLimit ?? front.store.configuration.blobSizeLimit
                try front.store.admit(route.repository, kind: route.kind, length: length, limit: limit)
            } catch {
                return refuse(adapter.answer(to: error, for: route.operation), context)
            }
            beginSlow(bodyLimit: nil, adapter, route, context)
        }
    }

    private func beginWrite(
        _ item: WriteTarget.Item,
        _ adapter: any HTTPAdapter,
        _ route: HTTPRoute,
        _ context: ChannelHandlerContext
    ) {
        guard let exchange else { return }
        let length = exchange.facts.isChunked ? nil : exchange.facts.contentLength
        if length == nil && !exchange.facts.isChunked {
            return refuse(HTTPAnswer(411, "Content-Length is required\n"), context)
        }
        let target = WriteTarget(repository: route.repository, kind: route.kind, item: item)
        do {
            try front.store.admit(target, length: length)
        } catch {
            return refuse(adapter.answer(to: error, for: route.operation), context)
        }
        continueIfExpected(context)
        if let length, length <= front.store.configuration.inlineLimit.bytes {
            phase = .collecting(context.channel.allocator.buffer(capacity: Int(length)), target)
        } else {
            forwardHead(context)
        }
    }

    private func beginSlow(
        bodyLimit: ByteCount?,
        _ adapter: any HTTPAdapter,
        _ route: HTTPRoute,
        _ context: ChannelHandlerContext
    ) {
        if let bodyLimit, let length = exchange?.facts.contentLength, length > bodyLimit.bytes {
            return refuse(adapter.answer(to: .tooLarge(limit: bodyLimit), for: route.operation), context)
        }
        continueIfExpected(context)
        forwardHead(context)
    }

    func forwardHead(_ context: ChannelHandlerContext) {
        guard let exchange, case .codec(var head) = exchange.source else { return }
        phase = .slow(isAnswered: false)
        head.headers.replaceOrAdd(name: SlowRoad.requestIDName.rawName, value: exchange.id)
        // The expectation was answered here.
        head.headers.remove(name: "expect")
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    private func continueIfExpected(_ context: ChannelHandlerContext) {
        guard let exchange, exchange.facts.expectsContinue, exchange.hasBody, !exchange.isHTTP10 else {
            return
        }
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Answers without wanting the body: at once when the client waits for leave to send it or when it is too long to be
    /// read for nothing, else at its end.
    private func refuse(_ answer: HTTPAnswer, _ context: ChannelHandlerContext) {
        guard let exchange else { return }
        let isWaiting = exchange.facts.expectsContinue && exchange.hasBody
        let mustDrain = answer.bodyHandling == .discard
        let isTooLong = (exchange.facts.contentLength ?? 0) > front.limits.drainMax.bytes
        if isWaiting || (isTooLong && !mustDrain) {
            exchange.mustClose = true
            send(answer, context)
        } else {
            phase = .discarding(.answer(answer))
        }
    }

    func refuseBrokenHead(_ error: any Error, _ context: ChannelHandlerContext) {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
        exchange = Exchange(head, id: front.requestIDs.next(), start: .now())
        exchange?.mustClose = true
        let isTooLong = (error as? HTTPParserError) == .headerOverflow
        send(isTooLong ? HTTPAnswer(431, "the headers are too long\n") : HTTPAnswer(400, "not HTTP/1.1\n"), context)
    }
}
