import AsyncHTTPClient
import Foundation
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

    /// Makes a token; returns its secret.
    ///
    /// `seconds`: How long it lives; nil: until it is revoked.
    package func makeToken(_ name: String, _ grants: [String], seconds: Int? = nil) async throws -> String {
        struct Answer: Decodable {
            let secret: String
        }
        let list = grants.map { "\"\($0)\"" }.joined(separator: ",")
        let end = seconds.map { ",\"seconds\":\($0)" } ?? ""
        let body = "{\"name\":\"\(name)\",\"grants\":[\(list)]\(end)}"
        let reply = try await administer("POST", "/api/v1/tokens", body: body)
        guard reply.status == 201 else { throw TestFailure("no token was made: \(reply.status) \(reply.text)") }
        return try JSONDecoder().decode(Answer.self, from: Data(reply.bytes)).secret
    }

    /// Makes a token; returns its secret.
    package func makeToken(_ name: String, _ grants: String...) async throws -> String {
        try await makeToken(name, grants)
    }

    /// Revokes a token that is there.
    package func revokeToken(_ name: String) async throws {
        let reply = try await administer("DELETE", "/api/v1/tokens/\(name)")
        guard reply.status == 204 else { throw TestFailure("\(name) was not revoked: \(reply.status) \(reply.text)") }
    }

    /// The address behind a login, which is a user and a password or one of them, or empty.
    package func address(_ login: String, _ path: String) -> String {
        "http://\(login.isEmpty ? "" : "\(login)@")127.0.0.1:\(port)\(path)"
    }
}
