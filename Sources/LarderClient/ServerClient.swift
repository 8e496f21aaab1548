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
    /// For what may be silent for hours; lives as long as the process, so it is never shut down.
    private static let patientClient: HTTPClient = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.timeout.read = nil
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
    /// What takes longer than this is asked for with patience.
    private static let patienceLimit: TimeAmount = .seconds(60)
    /// Of answers that are read whole, and of a line of those that are not, in bytes.
    private static let answerLengthMax = 16 << 20

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
        var report: CheckReportMessage?
        try await readLines(of: response) { data in
            let line: CheckLine = try decode(data)
            if let error = line.error { throw ClientError("the check could not go on: \(error)") }
            report = line.report
            if report == nil { progress(line) }
            return report != nil
        }
        guard let result = report else { throw ClientError("the server ended the check early; its log says why") }
        return result
    }

    /// Sends a message, or nothing, and reads the answer whole.
    func send(
        _ method: String,
        _ path: String,
        body: (some Encodable & Sendable)? = Optional<RepositoryChangeMessage>.none,
        timeout: TimeAmount = .seconds(60)
    ) async throws -> Data {
        try await send(method, path, try body.map { .bytes(try JSONEncoder().encode($0)) }, timeout: timeout)
    }

    /// Sends text as it is and reads the answer whole.
    func send(_ method: String, _ path: String, text: String) async throws -> Data {
        try await send(method, path, .bytes(ByteBuffer(string: text)), timeout: .seconds(60))
    }

    private func send(
        _ method: String,
        _ path: String,
        _ body: HTTPClientRequest.Body?,
        timeout: TimeAmount
    ) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = .RAW(value: method)
        request.body = body
        let response = try await execute(request, timeout: timeout)
        return Data(buffer: try await response.body.collect(upTo: Self.answerLengthMax))
    }

    /// Reads an answer line by line until `body` says that it has all it wants.
    func readLines(of response: HTTPClientResponse, _ body: (Data) throws -> Bool) async throws {
        var pending = ByteBuffer()
        for try await chunk in response.body {
            pending.discardReadBytes()
            pending.writeImmutableBuffer(chunk)
            while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = pending.readData(length: end - pending.readerIndex) ?? Data()
                pending.moveReaderIndex(forwardBy: 1)
                if try body(line) { return }
            }
            guard pending.readableBytes < Self.answerLengthMax else { return }
        }
    }

    func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let client = timeout > Self.patienceLimit ? Self.patientClient : client
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

    func decode<Value: Decodable>(_ data: Data) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw ClientError("the server's answer is not understood; is it another version of larder?")
        }
    }
}
