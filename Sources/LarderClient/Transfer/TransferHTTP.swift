import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// The HTTP client for the contents of blobs.
///
/// A client of its own: pieces of up to a mebibyte are read at once, as each costs a passage through several threads;
/// nothing is unpacked, as digests are those of the bytes sent; and a connection that can't be made is an error at once,
/// because how often that is tried is our business.
enum TransferHTTP {
    /// A silence of this length is a failure like others, so a server that stays silent is given up after 12 minutes.
    private static let client = makeClient(readTimeout: .minutes(2))
    /// For answers that come only when the server has looked at everything: files of a tree, bytes of an upload.
    ///
    /// A silence of this length is final: with repetitions a job would hang for an hour.
    private static let patientClient = makeClient(readTimeout: .minutes(10))

    /// Lives as long as the process, so it is never shut down.
    private static func makeClient(readTimeout: TimeAmount) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(15)
        configuration.timeout.read = readTimeout
        configuration.timeout.write = .minutes(2)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
        configuration.http1_1ConnectionDebugInitializer = { channel in
            let allocator = AdaptiveRecvByteBufferAllocator(minimum: 16 << 10, initial: 256 << 10, maximum: 1 << 20)
            let marks = ChannelOptions.Types.WriteBufferWaterMark(low: 512 << 10, high: 2 << 20)
            return channel.setOption(.recvAllocator, value: allocator).flatMap {
                channel.setOption(.writeBufferWaterMark, value: marks)
            }
        }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Waits until the event loops have done what was handed to them so far.
    ///
    /// The library takes pieces of a body until it has heard from the connection's event loop that the connection is
    /// full; while that loop is busy writing, this can be tens of mebibytes. Whoever waits here before each piece is only
    /// one piece ahead.
    static func settle() async {
        for eventLoop in HTTPClient.defaultEventLoopGroup.makeIterator() {
            try? await eventLoop.submit {}.get()
        }
    }

    /// Sends a request; an answer that says no is an answer like others.
    ///
    /// - Throws: `ClientError` when there is no answer; errors of the request's own body as they are.
    static func respond(
        to request: HTTPClientRequest,
        from server: ServerClient,
        isPatient: Bool = false
    ) async throws -> HTTPClientResponse {
        var request = request
        server.authorize(&request)
        let client = isPatient ? patientClient : client
        do {
            // Time-outs are those of a connection that is silent: a transfer may take as long as it takes.
            let response = try await client.execute(request, deadline: .distantFuture)
            server.contact.note()
            return response
        } catch {
            throw server.noAnswer(error, isPatient: isPatient)
        }
    }

    /// Sends a request.
    ///
    /// - Throws: `ClientError` when there is no answer, or one that says no.
    static func execute(_ request: HTTPClientRequest, from server: ServerClient) async throws -> HTTPClientResponse {
        let response = try await respond(to: request, from: server)
        guard (200..<300).contains(response.status.code) else { throw await ServerClient.refusal(in: response) }
        return response
    }

    /// Hands the pieces of a body on as they come.
    ///
    /// - Throws: `ClientError` when the connection breaks off; what `body` throws as it is.
    static func read(
        _ response: HTTPClientResponse,
        from server: ServerClient,
        _ body: (ByteBuffer) async throws -> Void
    ) async throws {
        var pieces = response.body.makeAsyncIterator()
        while true {
            let piece: ByteBuffer?
            do {
                piece = try await pieces.next()
            } catch {
                throw server.noAnswer(error)
            }
            guard let piece else { return }
            try await body(piece)
        }
    }

    /// Reads a short body.
    ///
    /// - Throws: `ClientError` when it breaks off or is longer than the limit, in bytes.
    static func collect(_ response: HTTPClientResponse, from server: ServerClient, limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await read(response, from: server) { piece in
            guard bytes.count + piece.readableBytes <= limit else {
                throw ClientError("the server at \(server.name) answers more than it was asked for")
            }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}
