import LarderCore
import NIOCore
import NIOHTTP1

/// One request and what became of it, from its head to the last byte of its answer.
///
/// A class, because it is handed around within its connection for every step and a copy would count a dozen references.
final class Exchange {
    /// How the request came.
    enum Source {
        case codec(HTTPRequestHead)
        /// As these bytes, past the codec.
        case plain(ByteBuffer)
    }

    let source: Source
    let facts: RequestFacts
    let method: RequestMethod
    /// The request's path and query, as sent.
    let target: String
    /// HTTP/1.0 keeps a connection only if it is told so.
    let isHTTP10: Bool
    let id: String
    let start: NIODeadline
    var adapter: (any HTTPAdapter)?
    var route: HTTPRoute?
    /// The request was read to its end.
    var isRequestComplete = false
    var bytesIn: Int64 = 0
    var bytesOut: Int64 = 0
    var status = 0
    /// Whether a read found something; nil for what is no read.
    var isHit: Bool?
    /// The connection ends after this answer.
    var mustClose: Bool

    init(_ head: HTTPRequestHead, id: String, start: NIODeadline) {
        source = .codec(head)
        self.id = id
        self.start = start
        facts = RequestFacts(head)
        method = RequestMethod(name: head.method.rawValue)
        target = head.uri
        isHTTP10 = head.version.minor == 0
        mustClose = !head.isKeepAlive || facts.wantsUpgrade
    }

    /// A request that is complete: `bytes` are all of it.
    init(_ request: PlainRequest, _ bytes: ByteBuffer, id: String, start: NIODeadline) {
        source = .plain(bytes)
        self.id = id
        self.start = start
        facts = RequestFacts(
            contentLength: request.contentLength.map { Int64($0) },
            authorization: request.authorization
        )
        method = request.method
        target = request.target
        isHTTP10 = false
        mustClose = false
        isRequestComplete = true
        bytesIn = Int64(request.contentLength ?? 0)
    }

    /// The method as sent.
    var methodName: String {
        if case .codec(let head) = source { head.method.rawValue } else { method.rawValue }
    }

    /// Bytes of the request's body that have not arrived; nil when nobody knows.
    var bytesToCome: Int64? {
        if isRequestComplete { return 0 }
        if facts.isChunked { return nil }
        return max(0, (facts.contentLength ?? 0) - bytesIn)
    }

    var hasBody: Bool { facts.isChunked || (facts.contentLength ?? 0) > 0 }
}
