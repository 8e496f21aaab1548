import Foundation
import Glibc
import Synchronization

/// One answer as it came over the wire.
package struct WireReply: Sendable {
    package let status: Int
    /// Names are lowercase.
    package let headers: [String: String]
    package let body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// How a connection ended, seen from the client.
package enum WireEnding: Sendable, Equatable {
    /// The server closed it in order.
    case closed
    /// The server reset it.
    case reset
    /// Nothing came within the time of the connection.
    case silent
}

/// A TCP connection that writes exactly the bytes a test wants and reads answers of any length, one after the other.
///
/// One task uses it at a time. Blocking calls run on threads of their own.
package final class WireConnection: Sendable {
    private struct State {
        var socket: Int32
        var unread: [UInt8] = []
        var ending: WireEnding?
    }

    private let state: Mutex<State>

    /// `timeoutSeconds`: How long one read or write may take.
    ///
    /// `receiveBuffer`: Bytes that the kernel keeps for a client that doesn't read; nil: its own choice.
    package init(port: Int, timeoutSeconds: Int = 30, receiveBuffer: Int32? = nil) throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw TestFailure("no socket: error \(errno)") }
        if var receiveBuffer {
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        // Pieces are sent as they are written.
        var isUndelayed: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isUndelayed, socklen_t(MemoryLayout<Int32>.size))
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            let reason = errno
            Glibc.close(socket)
            throw TestFailure("can't connect to port \(port): error \(reason)")
        }
        state = Mutex(State(socket: socket))
    }

    deinit {
        close()
    }

    /// Closes in order.
    package func close() {
        let socket = state.withLock { state in
            defer { state.socket = -1 }
            return state.socket
        }
        if socket >= 0 { Glibc.close(socket) }
    }

    /// Vanishes: the server gets a reset.
    ///
    /// Nobody may be reading.
    package func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            state.withLock { $0.socket },
            SOL_SOCKET,
            SO_LINGER,
            &linger,
            socklen_t(MemoryLayout<linger>.size)
        )
        close()
    }

    /// No more will be written; reading goes on.
    package func finishSending() {
        shutdown(state.withLock { $0.socket }, Int32(SHUT_WR))
    }

    /// Writes all bytes; false when the server closed the connection meanwhile, or took nothing for the whole time.
    @discardableResult
    package func send(_ bytes: [UInt8]) async -> Bool {
        let socket = state.withLock { $0.socket }
        return await onThread {
            var done = 0
            while done < bytes.count {
                // MSG_NOSIGNAL, whose imported type differs between versions of glibc.
                let noSignal: Int32 = 0x4000
                let count = bytes.withUnsafeBytes { buffer in
                    Glibc.send(socket, buffer.baseAddress.map { $0 + done }, bytes.count - done, noSignal)
                }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    @discardableResult
    package func send(_ text: String) async -> Bool {
        await send(Array(text.utf8))
    }

    /// Writes a request for this server's own host; a body brings its `Content-Length`.
    @discardableResult
    package func send(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: [UInt8]? = nil
    ) async -> Bool {
        await send(Self.request(method, path, headers: headers, body: body))
    }

    /// The bytes of a request, for tests that send several at once.
    package static func request(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: [UInt8]? = nil
    ) -> [UInt8] {
        let length = body.map { ["Content-Length: \($0.count)"] } ?? []
        let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + headers + length + ["", ""]
        return Array(lines.joined(separator: "\r\n").utf8) + (body ?? [])
    }

    /// Sends a request and reads its answer.
    package func exchange(
        _ method: String,
        _ path: String,
        headers: [String] = [],
        body: [UInt8]? = nil
    ) async throws -> WireReply {
        await send(method, path, headers: headers, body: body)
        return try await readReply(to: method)
    }

    /// Reads one answer, which has a `Content-Length` or no body at all.
    ///
    /// - Throws: `TestFailure` when the connection ends before the answer does.
    package func readReply(to method: String = "GET") async throws -> WireReply {
        let end = Array("\r\n\r\n".utf8)
        var head: [UInt8]?
        while head == nil {
            head = state.withLock { state in
                guard let range = state.unread.firstRange(of: end) else { return nil }
                let head = Array(state.unread[..<range.lowerBound])
                state.unread.removeSubrange(..<range.upperBound)
                return head
            }
            if head == nil, let ending = await receive() {
                let rest = state.withLock { String(decoding: $0.unread, as: UTF8.self) }
                throw TestFailure("the connection is \(ending) where an answer was due; it brought `\(rest)`")
            }
        }
        let lines = String(decoding: head ?? [], as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw TestFailure("not an answer of HTTP: \(lines.first ?? "")")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw TestFailure("not a header: \(line)") }
            let value = line[line.index(after: colon)...]
            headers[line[..<colon].lowercased()] = value.trimmingCharacters(in: .whitespaces)
        }
        if status < 200 || status == 204 || status == 304 || method == "HEAD" {
            return WireReply(status: status, headers: headers, body: [])
        }
        guard let length = headers["content-length"].flatMap({ Int($0) }) else {
            throw TestFailure("the answer \(status) has no Content-Length: \(headers)")
        }
        return WireReply(status: status, headers: headers, body: try await readBytes(length))
    }

    /// Reads exactly so many bytes.
    package func readBytes(_ count: Int) async throws -> [UInt8] {
        while state.withLock({ $0.unread.count }) < count {
            if let ending = await receive() {
                let got = state.withLock { $0.unread.count }
                throw TestFailure("the connection is \(ending) after \(got) of \(count) bytes")
            }
        }
        return state.withLock { state in
            defer { state.unread.removeSubrange(..<count) }
            return Array(state.unread[..<count])
        }
    }

    /// Reads to the end of the connection; tells what came and how it ended.
    package func readToEnd() async -> (bytes: [UInt8], ending: WireEnding) {
        while true {
            if let ending = await receive() { return (state.withLock { $0.unread }, ending) }
        }
    }

    /// Takes what is there, or waits for it; the ending when there will be no more.
    private func receive() async -> WireEnding? {
        let (socket, ending) = state.withLock { ($0.socket, $0.ending) }
        if let ending { return ending }
        let (bytes, reason): ([UInt8], WireEnding?) = await onThread {
            var count = 0
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, initialized in
                count = recv(socket, buffer.baseAddress, buffer.count, 0)
                code = errno
                initialized = max(0, count)
            }
            if count > 0 { return (bytes, nil) }
            if count == 0 { return ([], .closed) }
            return ([], code == EAGAIN ? .silent : .reset)
        }
        state.withLock { state in
            state.unread += bytes
            // After a silence something may still come.
            if reason != .silent { state.ending = reason }
        }
        return reason
    }

    private func onThread<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }
}
