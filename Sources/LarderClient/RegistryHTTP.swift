import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// The HTTP client for registries.
///
/// Not `HTTPClient.shared`: that one follows redirects by itself, unpacks what comes compressed (the digests of blobs
/// are those of the packed bytes) and tries for 90 seconds to connect where nobody listens.
enum RegistryHTTP {
    /// Lives as long as the process, so it is never shut down.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(15)
        // Some registries put an upload together only when its last byte is there.
        configuration.timeout.read = .minutes(5)
        configuration.timeout.write = .minutes(10)
        configuration.connectionPool.retryConnectionEstablishment = false
        // A copy within one host reads and writes four blobs at a time.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Sends one request; redirects are answers like others.
    ///
    /// - Throws: `ClientError` when there is no answer; errors of the request's own body as they are.
    static func execute(
        _ request: HTTPClientRequest,
        timeout: TimeAmount,
        label: String
    ) async throws -> HTTPClientResponse {
        var request = request
        request.headers.replaceOrAdd(name: "User-Agent", value: "larder")
        do {
            return try await client.execute(request, timeout: timeout)
        } catch let error as ClientError {
            throw error
        } catch {
            throw brokenOff(error, label: label)
        }
    }

    /// Reads a short body.
    ///
    /// - Throws: `ClientError` when it breaks off or is larger than the limit, in bytes.
    static func read(_ response: HTTPClientResponse, limit: Int, label: String) async throws -> ByteBuffer {
        do {
            return try await response.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw ClientError("\(label) answered with more than \(limit >> 20) MiB where little was expected")
        } catch {
            throw brokenOff(error, label: label)
        }
    }

    /// Reads what is left of an answer, so that the connection can be used again.
    static func drain(_ response: HTTPClientResponse) async {
        _ = try? await response.body.collect(upTo: 64 << 10)
    }

    /// An error of the connection in words, or the cancellation that caused it.
    static func brokenOff(_ error: any Error, label: String) -> any Error {
        if error is CancellationError || Task.isCancelled { return CancellationError() }
        var reason = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
        // The library's text for this is made for programmers.
        if reason.contains("Connection refused") {
            reason = "the connection was refused; check the address, and that the registry runs"
        }
        return ClientError("no answer from \(label): \(reason)", isTransient: true)
    }
}

/// The errors in an answer of a registry (distribution specification 1.1, "Error Codes"), or in one of our own.
struct RegistryErrors: Decodable {
    struct Item: Decodable {
        let code: String?
        let message: String?
    }

    let errors: [Item]?
    let error: String?

    /// For people; nil when it holds no error.
    var text: String? {
        let texts = (errors ?? []).map { item in
            [item.code, item.message].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: ": ")
        }
        let text = (texts + [error].compactMap { $0 }).filter { !$0.isEmpty }.joined(separator: "; ")
        return text.isEmpty ? nil : text
    }

    init?(_ body: ByteBuffer) {
        guard let errors = try? JSONDecoder().decode(Self.self, from: Data(buffer: body)) else { return nil }
        self = errors
    }
}
