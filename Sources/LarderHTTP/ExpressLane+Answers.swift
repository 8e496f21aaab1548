import LarderCore
import LarderStore
import NIOCore
import NIOHTTP1

extension ExpressLane {
    /// Sends a hit of the hot set whole, or the success of a small write, in one piece.
    private func sendQuickly(_ content: StoredContent?, _ context: ChannelHandlerContext) -> Bool {
        guard let exchange, let batchers, !exchange.isHTTP10, !mustCloseAfterAnswer else { return false }
        var body = ByteBuffer()
        if let content {
            guard case .bytes(let bytes) = content.body else { return false }
            body = bytes
        }
        let bodyLength = exchange.method == .head ? 0 : body.readableBytes
        var out = context.channel.allocator.buffer(capacity: 384 + bodyLength)
        out.writeStaticString("HTTP/1.1 200 OK\r\nContent-Length: ")
        out.writeString(String(body.readableBytes))
        if let content {
            let form = exchange.route?.form ?? .plain
            out.writeStaticString("\r\nETag: \"")
            if let header = form.digestHeader {
                let digest = digestText(of: content, exchange)
                out.writeString(digest)
                out.writeStaticString("\"\r\n")
                out.writeString(header)
                out.writeStaticString(": ")
                out.writeString(digest)
            } else {
                out.writeWithUnsafeMutableBytes(minimumWritableBytes: 128) { content.digest.writeHex(to: $0) }
                out.writeStaticString("\"")
            }
            out.writeStaticString("\r\nAccept-Ranges: bytes\r\nLast-Modified: ")
            out.writeString(modified.text(content.pushedAt.milliseconds / 1000))
            out.writeStaticString("\r\nContent-Type: ")
            out.writeString(content.manifest?.mediaType ?? form.contentType)
            out.writeString(form.headerLines)
        }
        out.writeStaticString("\r\nX-Request-Id: ")
        out.writeString(exchange.id)
        out.writeStaticString("\r\n\r\n")
        if bodyLength > 0 { out.writeImmutableBuffer(body) }
        exchange.status = 200
        exchange.bytesOut = Int64(bodyLength)
        wire.write(out)
        batchers.flushes.flush(wire)
        finish(context)
        return true
    }

    /// The digest under which content was asked for or, by a tag, pushed.
    private func digestText(of content: StoredContent, _ exchange: Exchange) -> String {
        if let manifest = content.manifest { return manifest.digest.description }
        if case .read(.blob(let digest)) = exchange.route?.operation { return digest.description }
        return content.digest.description
    }

    /// Acknowledges a small write.
    func sendOK(_ context: ChannelHandlerContext) {
        if !sendQuickly(nil, context) { send(.ok, context) }
    }

    /// Sends a short answer and ends the exchange.
    func send(_ answer: HTTPAnswer, _ context: ChannelHandlerContext) {
        var headers = HTTPHeaders(answer.headers)
        let isBodyless = answer.status == 204 || answer.status == 304
        if !isBodyless { headers.add(name: "Content-Length", value: "\(answer.text.utf8.count)") }
        if !answer.text.isEmpty && !headers.contains(name: "Content-Type") {
            headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
        }
        writeHead(answer.status, headers, context)
        if !answer.text.isEmpty && exchange?.method != .head && !isBodyless {
            let body = context.channel.allocator.buffer(string: answer.text)
            exchange?.bytesOut += Int64(body.readableBytes)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        finish(context)
    }

    /// Sends stored content, or what conditions and ranges make of it.
    func send(_ content: StoredContent, _ context: ChannelHandlerContext) {
        guard let exchange else { return }
        exchange.isHit = true
        if exchange.facts.range == nil, exchange.facts.conditions.areAbsent, sendQuickly(content, context) { return }
        let form = exchange.route?.form ?? .plain
        let name = form.digestHeader == nil ? content.digest.hex : digestText(of: content, exchange)
        let tag = "\"\(name)\""
        let facts = exchange.facts
        var conditions = facts.conditions
        if case .read(.tag) = exchange.route?.operation {
            // A tag may move to what was pushed before: its time says nothing.
            conditions.ifModifiedSince = nil
            conditions.ifUnmodifiedSince = nil
        }
        var plan: ReadPlan?
        if facts.range != nil || !facts.conditions.areAbsent {
            // Ranges are for GET only (RFC 9110, section 14.2).
            plan = ReadPlan(
                size: content.size,
                entityTag: tag,
                pushedAt: content.pushedAt,
                range: exchange.method == .get ? facts.range : nil,
                conditions: conditions
            )
        }
        var headers = HTTPHeaders()
        headers.reserveCapacity(8)
        headers.add(name: "ETag", value: tag)
        headers.add(name: "Accept-Ranges", value: "bytes")
        if let header = form.digestHeader { headers.add(name: header, value: name) }
        headers.add(contentsOf: form.headers.map { ($0.name, $0.value) })
        let type = content.manifest?.mediaType ?? form.contentType
        switch plan?.body ?? .whole {
        case .none where plan?.status == 416:
            var answer = form.unsatisfiable
            answer.headers.append(("Content-Range", "bytes */\(content.size)"))
            answer.headers.append(("ETag", tag))
            send(answer, context)
        case .none:
            if plan?.status != 304 { headers.add(name: "Content-Length", value: "0") }
            sendPieces([], of: content, status: plan?.status ?? 304, headers, context)
        case .whole:
            headers.add(name: "Last-Modified", value: HTTPDate.format(content.pushedAt.milliseconds / 1000))
            headers.add(name: "Content-Length", value: "\(content.size)")
            headers.add(name: "Content-Type", value: type)
            sendPieces([.content(0..<content.size)], of: content, status: 200, headers, context)
        case .range(let range):
            headers.add(name: "Last-Modified", value: HTTPDate.format(content.pushedAt.milliseconds / 1000))
            headers.add(name: "Content-Length", value: "\(range.upperBound - range.lowerBound)")
            headers.add(name: "Content-Type", value: type)
            headers.add(
                name: "Content-Range",
                value: "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(content.size)"
            )
            sendPieces([.content(range)], of: content, status: 206, headers, context)
        case .ranges(let ranges):
            sendMultipart(ranges, of: content, headers, context)
        }
    }

    private enum Piece {
        case content(Range<Int64>)
        case text(String)

        var length: Int64 {
            switch self {
            case .content(let range): range.upperBound - range.lowerBound
            case .text(let text): Int64(text.utf8.count)
            }
        }
    }

    private func sendMultipart(
        _ ranges: [Range<Int64>],
        of content: StoredContent,
        _ headers: HTTPHeaders,
        _ context: ChannelHandlerContext
    ) {
        guard let exchange else { return }
        let boundary = "larder-\(exchange.id)"
        let type = content.manifest?.mediaType ?? exchange.route?.form.contentType ?? "application/octet-stream"
        var pieces: [Piece] = []
        for range in ranges {
            pieces.append(
                .text(
                    "\r\n--\(boundary)\r\nContent-Type: \(type)\r\n"
                        + "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(content.size)\r\n\r\n"
                )
            )
            pieces.append(.content(range))
        }
        pieces.append(.text("\r\n--\(boundary)--\r\n"))
        var headers = headers
        headers.add(name: "Content-Length", value: "\(pieces.reduce(0) { $0 + $1.length })")
        headers.add(name: "Content-Type", value: "multipart/byteranges; boundary=\(boundary)")
        sendPieces(pieces, of: content, status: 206, headers, context)
    }

    private func sendPieces(
        _ pieces: [Piece],
        of content: StoredContent,
        status: Int,
        _ headers: HTTPHeaders,
        _ context: ChannelHandlerContext
    ) {
        writeHead(status, headers, context)
        guard exchange?.method != .head, !pieces.isEmpty else {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            return finish(context)
        }
        exchange?.bytesOut += pieces.reduce(0) { $0 + $1.length }
        switch content.body {
        case .bytes(let bytes):
            for piece in pieces {
                let buffer: ByteBuffer?
                switch piece {
                case .text(let text): buffer = context.channel.allocator.buffer(string: text)
                case .content(let range):
                    buffer = bytes.getSlice(
                        at: bytes.readerIndex + Int(range.lowerBound),
                        length: Int(range.upperBound - range.lowerBound)
                    )
                }
                if let buffer { context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil) }
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            finish(context)
        case .file(let file):
            sendPieces(pieces, ofFile: file, context)
        }
    }

    /// Sends pieces of a file by `sendfile`; the exchange ends when the kernel has taken them all.
    private func sendPieces(_ pieces: [Piece], ofFile file: StoredFile, _ context: ChannelHandlerContext) {
        phase = .awaiting
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: file.takeDescriptor())
        for piece in pieces {
            switch piece {
            case .text(let text):
                let buffer = context.channel.allocator.buffer(string: text)
                context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
            case .content(let range):
                let region = FileRegion(
                    fileHandle: handle,
                    readerIndex: Int(range.lowerBound),
                    endIndex: Int(range.upperBound)
                )
                context.write(wrapOutboundOut(.body(.fileRegion(region))), promise: nil)
            }
        }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            try? handle.close()
            switch result {
            case .success:
                finish(context)
                resume(context)
            case .failure:
                context.close(promise: nil)
            }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }

    private func writeHead(_ status: Int, _ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
        guard let exchange else { return }
        exchange.status = status
        var headers = headers
        headers.add(name: "X-Request-Id", value: exchange.id)
        if mustCloseAfterAnswer {
            exchange.mustClose = true
            headers.add(name: "Connection", value: "close")
        } else if exchange.isHTTP10 {
            headers.add(name: "Connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(statusCode: status),
            headers: headers
        )
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    // MARK: - Answers of Hummingbird's road

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .slow(let isAnswered) = phase, !isAnswered else {
            // The exchange was ended here (a time-out): nobody waits for this any more.
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head):
            context.write(wrapOutboundOut(.head(complete(head))), promise: promise)
        case .body(let body):
            exchange?.bytesOut += Int64(body.readableBytes)
            context.write(wrapOutboundOut(.body(body)), promise: promise)
        case .end(let trailers):
            context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: promise)
            phase = .slow(isAnswered: true)
            if exchange?.isRequestComplete ?? true || exchange?.mustClose ?? true {
                finish(context)
                resume(context)
            }
        }
    }

    /// Adds to an answer what every answer has, and ends the connection when the rest of the body is too long to be read
    /// for nothing.
    private func complete(_ head: HTTPResponseHead) -> HTTPResponseHead {
        var head = head
        exchange?.status = Int(head.status.code)
        head.headers.replaceOrAdd(name: "X-Request-Id", value: exchange?.id ?? "-")
        if exchange.map({ ($0.bytesToCome ?? .max) > front.limits.drainMax.bytes }) ?? true {
            exchange?.mustClose = true
        }
        if mustCloseAfterAnswer {
            exchange?.mustClose = true
            head.headers.replaceOrAdd(name: "Connection", value: "close")
        }
        return head
    }
}
