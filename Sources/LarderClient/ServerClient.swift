package import APIMessages
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Talks to a server's API, over its address or over the `larder.sock` of a data folder.
package struct ServerClient: Sendable {
    /// Where a server is.
    package enum Address: Sendable {
        case url(String)
        case socket(String)
    }

    let base: String
    private let client = HTTPClient.shared

    package init(_ address: Address) {
        switch address {
        case .url(let url):
            base = url.hasSuffix("/") ? String(url.dropLast()) : url
        case .socket(let path):
            let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
            base = "http+unix://\(path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path)"
        }
    }

    /// Whether a server answers.
    package func isAnswering() async -> Bool {
        (try? await send("GET", "/healthz", timeout: .seconds(5))) != nil
    }

    package func status() async throws -> StatusMessage {
        try await decode(send("GET", "/api/v1/status"))
    }

    package func repositories() async throws -> [RepositoryMessage] {
        try await decode(send("GET", "/api/v1/repositories"))
    }

    package func repository(_ name: String) async throws -> RepositoryMessage {
        try await decode(send("GET", "/api/v1/repositories/\(name)"))
    }

    package func createRepository(_ name: String, _ change: RepositoryChangeMessage) async throws -> RepositoryMessage {
        try await decode(send("PUT", "/api/v1/repositories/\(name)", body: change))
    }

    package func setRepository(_ name: String, _ change: RepositoryChangeMessage) async throws -> RepositoryMessage {
        try await decode(send("PATCH", "/api/v1/repositories/\(name)", body: change))
    }

    package func flushRepository(_ name: String) async throws -> FlushMessage {
        try await decode(send("POST", "/api/v1/repositories/\(name)/flush", timeout: .hours(12)))
    }

    package func removeRepository(_ name: String) async throws {
        _ = try await send("DELETE", "/api/v1/repositories/\(name)")
    }

    package func compact() async throws -> CompactMessage {
        try await decode(send("POST", "/api/v1/compact", timeout: .hours(12)))
    }

    /// Runs a check; `progress` sees every line before the last.
    ///
    /// - Throws: `ClientError` when the server refuses or the check could not go on.
    package func check(
        isRepairing: Bool,
        progress: (CheckLine) -> Void
    ) async throws -> CheckReportMessage {
        var request = HTTPClientRequest(url: base + "/api/v1/check" + (isRepairing ? "?repair=true" : ""))
        request.method = .POST
        let response = try await execute(request, timeout: .hours(48))
        var pending = ByteBuffer()
        for try await chunk in response.body {
            pending.writeImmutableBuffer(chunk)
            while let length = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")).map({
                $0 - pending.readerIndex
            }) {
                let line = try JSONDecoder().decode(CheckLine.self, from: pending.readData(length: length) ?? Data())
                pending.moveReaderIndex(forwardBy: 1)
                if let error = line.error { throw ClientError("the check could not go on: \(error)") }
                if let report = line.report { return report }
                progress(line)
            }
            guard pending.readableBytes < 16 << 20 else { break }
        }
        throw ClientError("the server ended the check early; its log says why")
    }

    private func send(
        _ method: String,
        _ path: String,
        body: (some Encodable & Sendable)? = Optional<RepositoryChangeMessage>.none,
        timeout: TimeAmount = .seconds(60)
    ) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = .RAW(value: method)
        if let body { request.body = .bytes(try JSONEncoder().encode(body)) }
        let response = try await execute(request, timeout: timeout)
        return Data(buffer: try await response.body.collect(upTo: 16 << 20))
    }

    private func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, timeout: timeout)
        } catch let error as HTTPClientError {
            throw ClientError("no answer from the server at \(base): \(error.shortDescription)")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw ClientError("no answer from the server at \(base): \(error)")
        }
        guard (200..<300).contains(response.status.code) else {
            let data = Data(buffer: (try? await response.body.collect(upTo: 64 << 10)) ?? ByteBuffer())
            let message = try? JSONDecoder().decode(ErrorMessage.self, from: data)
            throw ClientError(message?.error ?? "the server answered \(response.status.code)")
        }
        return response
    }

    private func decode<Value: Decodable>(_ data: Data) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw ClientError("the server's answer is not understood; is it another version of larder?")
        }
    }
}
