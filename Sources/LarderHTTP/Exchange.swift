import LarderCore
import NIOCore
import NIOHTTP1

/// One request and what became of it, from its head to the last byte of its answer.
///
/// A class, because it is handed around within its connection for every step and a copy would count a dozen references.
final class Exchange {
    let head: HTTPRequestHead
    let facts: RequestFacts
    let method: RequestMethod
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
        self.head = head
        self.id = id
        self.start = start
        facts = RequestFacts(head)
        method = RequestMethod(name: head.method.rawValue)
        mustClose = !head.isKeepAlive
    }

    /// Bytes of the request's body that have not arrived; nil when nobody knows.
    var bytesToCome: Int64? {
        if isRequestComplete { return 0 }
        if facts.isChunked { return nil }
        return max(0, (facts.contentLength ?? 0) - bytesIn)
    }

    var hasBody: Bool { facts.isChunked || (facts.contentLength ?? 0) > 0 }
}
