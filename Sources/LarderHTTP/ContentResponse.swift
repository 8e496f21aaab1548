package import HTTPTypes
package import HummingbirdCore
import LarderCore
package import LarderStore
import NIOCore

extension StoredContent {
    /// Bytes that are read ahead of the client.
    private static let pieceLength = 1 << 20

    /// The content as a response of the slow road, for adapters that find it in their own ways.
    ///
    /// `request`: The headers of the request: ranges and conditions. Several ranges are answered with the whole.
    package func response(store: Store, request: HTTPFields, headers: HTTPFields) -> Response {
        let entityTag = "\"\(digest.hex)\""
        let plan = ReadPlan(
            size: size,
            entityTag: entityTag,
            pushedAt: pushedAt,
            range: request[.range],
            conditions: RequestFacts.Conditions(
                ifMatch: request[.ifMatch],
                ifNoneMatch: request[.ifNoneMatch],
                ifModifiedSince: request[.ifModifiedSince],
                ifUnmodifiedSince: request[.ifUnmodifiedSince],
                ifRange: request[.ifRange]
            )
        )
        var headers = headers
        headers[.eTag] = entityTag
        headers[.acceptRanges] = "bytes"
        let piece: Range<Int64>
        switch plan.body {
        case .range(let range):
            piece = range
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
        case .none:
            if plan.status == 416 { headers[.contentRange] = "bytes */\(size)" }
            return Response(status: .init(code: plan.status), headers: headers)
        case .whole, .ranges: piece = 0..<size
        }
        let body = ResponseBody(contentLength: piece.count) { writer in
            var offset = piece.lowerBound
            while offset < piece.upperBound {
                let (start, count) = (offset, Int(min(piece.upperBound - offset, Int64(Self.pieceLength))))
                let bytes = try await store.onPool { try store.piece(of: self, at: start, count: count) }
                offset += Int64(bytes.readableBytes)
                try await writer.write(bytes)
            }
            try await writer.finish(nil)
        }
        let isPart = if case .range = plan.body { true } else { false }
        return Response(status: isPart ? .partialContent : .ok, headers: headers, body: body)
    }
}
