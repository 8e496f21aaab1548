import AsyncHTTPClient
import LarderCore
import NIOCore
import NIOHTTP1

extension LiveServer {
    /// Sends a request as the administrator does, through `larder.sock`, and reads its answer whole.
    package func administer(
        _ method: String,
        _ path: String,
        body: String? = nil
    ) async throws -> HTTPReply {
        let socket = percentEncoded("\(dataFolder)/larder.sock")
        var request = HTTPClientRequest(url: "http+unix://\(socket)\(path)")
        request.method = .RAW(value: method)
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return HTTPReply(
            status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0), \($1)" },
            bytes: Array(bytes.readableBytesView)
        )
    }
}
