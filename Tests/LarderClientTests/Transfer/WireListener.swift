import Foundation
import Glibc
import LarderTestSupport
import Synchronization

/// One connection of a server that a test plays; it may be cut after some bytes in both directions together.
final class WireSession: Sendable {
    /// The connection ended, because the other side or the test wanted it.
    struct Ended: Error {}

    private struct State {
        var budget: Int?
        var unread: [UInt8] = []
    }

    private let socket: Int32
    private let state: Mutex<State>

    init(socket: Int32, cutAfter budget: Int?) {
        self.socket = socket
        state = Mutex(State(budget: budget))
    }

    deinit {
        close(socket)
    }

    /// So many bytes; fewer only when `body` of them are wanted as far as they come.
    func read(_ count: Int, partial: (([UInt8]) -> Void)? = nil) throws -> [UInt8] {
        while state.withLock({ $0.unread.count }) < count {
            do {
                try receive()
            } catch {
                partial?(state.withLock { $0.unread })
                throw error
            }
        }
        return state.withLock { state in
            defer { state.unread.removeFirst(count) }
            return Array(state.unread[..<count])
        }
    }

    /// The lines of a request's head.
    func readHead() throws -> [String] {
        let end = Array("\r\n\r\n".utf8)
        while true {
            let head: [UInt8]? = state.withLock { state in
                guard let range = state.unread.firstRange(of: end) else { return nil }
                defer { state.unread.removeFirst(range.upperBound) }
                return Array(state.unread[..<range.lowerBound])
            }
            if let head { return String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n") }
            try receive()
        }
    }

    func send(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let allowed = try spend(bytes.count - done)
            // MSG_NOSIGNAL, whose imported type differs between versions of glibc.
            let count = bytes[done...].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, allowed, 0x4000) }
            guard count > 0 else { throw Ended() }
            done += count
        }
    }

    private func receive() throws {
        let allowed = try spend(64 << 10)
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: allowed) { buffer, initialized in
            count = recv(socket, buffer.baseAddress, allowed, 0)
            initialized = max(0, count)
        }
        guard count > 0 else { throw Ended() }
        state.withLock { state in
            state.unread += bytes
            // What was allowed and did not come is not spent.
            if let budget = state.budget { state.budget = budget + allowed - count }
        }
    }

    /// How many of so many bytes may still pass; resets the connection when none may.
    private func spend(_ count: Int) throws -> Int {
        let allowed = state.withLock { state in
            guard let budget = state.budget else { return count }
            let allowed = min(budget, count)
            state.budget = budget - allowed
            return allowed
        }
        if allowed == 0 {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
            throw Ended()
        }
        return allowed
    }
}

/// Listens on a port of the system and serves every connection on a thread of its own.
final class WireListener: Sendable {
    let port: Int
    private let socket: Int32
    /// Bytes after which the next connections are cut, in turn.
    private let cuts = Mutex<[Int]>([])
    private let isStopped = Atomic(false)

    init(_ serve: @escaping @Sendable (WireSession) throws -> Void) throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket, address, length) + listen(socket, 64) + getsockname(socket, address, &length)
            }
        }
        guard socket >= 0, code == 0 else { throw TestFailure("can't listen: error \(errno)") }
        self.socket = socket
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { break }
                let session = WireSession(socket: connection, cutAfter: self?.nextCut())
                Thread.detachNewThread { try? serve(session) }
            }
            close(socket)
        }
    }

    deinit {
        stop()
    }

    /// Takes no more connections.
    func stop() {
        // The thread that accepts wakes and closes it; then its number is another's.
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Says after how many bytes the next connections are cut; those after them are not.
    func cutNext(_ byteCounts: [Int]) {
        cuts.withLock { $0 = byteCounts }
    }

    private func nextCut() -> Int? {
        cuts.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
}
