import HTTPTypes
package import HummingbirdCore
import NIOCore

/// A short answer that is complete in itself: refusals, misses, acknowledgements.
///
/// Always with `Content-Length`.
package struct HTTPAnswer: Sendable {
    /// What happens to a request body that is not wanted.
    package enum BodyHandling: Sendable {
        /// Read up to a bound, so that the connection can be kept; past it the connection is closed.
        case drainBounded
        /// Read to the end and thrown away: for clients that take any other behaviour for a failure.
        case discard
    }

    package let status: Int
    package var headers: [(name: String, value: String)]
    package let text: String
    package let bodyHandling: BodyHandling

    package init(
        _ status: Int,
        _ text: String = "",
        headers: [(name: String, value: String)] = [],
        bodyHandling: BodyHandling = .drainBounded
    ) {
        self.status = status
        self.text = text
        self.headers = headers
        self.bodyHandling = bodyHandling
    }

    /// A miss: 404 without a body.
    package static let miss = HTTPAnswer(404)
    /// Success without a body.
    package static let ok = HTTPAnswer(200)

    /// 405, with the methods that there are.
    package static func methodNotAllowed(_ allowed: String) -> HTTPAnswer {
        HTTPAnswer(405, "method not allowed here; allowed: \(allowed)\n", headers: [("Allow", allowed)])
    }

    /// The same as a response of the slow road.
    package var response: Response {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        if !text.isEmpty, fields[.contentType] == nil { fields[.contentType] = "text/plain; charset=utf-8" }
        return Response(
            status: .init(code: status),
            headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
