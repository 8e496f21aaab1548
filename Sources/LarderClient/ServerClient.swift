package import APIMessages
import AsyncHTTPClient
import Foundation
import LarderCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Synchronization

/// Talks to a server's API, over its address or over the `larder.sock` of a data folder.
package struct ServerClient: Sendable {
    /// Where a server is.
    package enum Address: Sendable {
        case url(String)
        case socket(String)
    }

    let base: String
    /// For people: the address, or the socket's path.
    let name: String
    let contact = ServerContact()
    /// Of all that breaks off.
    var retryPolicy = RetryPolicy.standard
    private let token: String?
    private static let client = makeClient(isPatient: false)
    /// For work on a whole store, which may be silent for hours: a person waits for that, and no job.
    private static let patientClient = makeClient(isPatient: true)
    /// What takes longer than this is asked for with patience.
    private static let patienceLimit: TimeAmount = .seconds(60)
    /// Of answers that are read whole, and of a line of those that are not, in bytes.
    private static let answerLengthMax = 16 << 20

    /// `token`: Sent with every request, if there is one.
    package init(_ address: Address, token: String? = nil) {
        switch address {
        case .url(let url):
            base = url.hasSuffix("/") ? String(url.dropLast()) : url
            name = base
        case .socket(let path):
            let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
            base = "http+unix://\(path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path)"
            name = path
        }
        self.token = token
    }

    /// Lives as long as the process, so it is never shut down.
    private static func makeClient(isPatient: Bool) -> HTTPClient {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        // Where nobody listens, that is said at once: the library would try again for as long as the request may take.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(15)
        if isPatient { configuration.timeout.read = nil }
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Whether a server answers.
    package func isAnswering() async -> Bool {
        (try? await exchange(HTTPClientRequest(url: base + "/healthz"), timeout: .seconds(5))) != nil
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

    /// The path of what a repository holds, or of something that is done with it.
    ///
    /// The slashes of its name are encoded: `team/tags` would be taken for the tags of `team`.
    static func contentPath(_ family: String, _ repository: String, _ operation: String? = nil) -> String {
        "/api/v1/\(family)/\(percentEncoded(repository))" + (operation.map { "/\($0)" } ?? "")
    }

    /// Sends a message, or nothing, and reads the answer whole.
    ///
    /// What only reads is sent again when it breaks off.
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
        guard method == "GET" else { return try await exchange(request, timeout: timeout) }
        return try await retrying { try await exchange(request, timeout: timeout) }
    }

    /// Sends a request once and reads the answer whole.
    private func exchange(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> Data {
        let response = try await execute(request, timeout: timeout)
        return Data(try await TransferHTTP.collect(response, from: self, limit: Self.answerLengthMax))
    }

    /// Sends a request that removes something, again when it breaks off.
    ///
    /// - Returns: false when it was not there. After an attempt that failed it counts as removed: by that one, perhaps.
    /// - Throws: `ClientError`, `CancellationError`.
    func remove(_ request: HTTPClientRequest) async throws -> Bool {
        var isRepeated = false
        return try await retrying { () async throws -> Bool in
            defer { isRepeated = true }
            let response = try await TransferHTTP.respond(to: request, from: self)
            if response.status == .notFound { return isRepeated }
            guard (200..<300).contains(response.status.code) else { throw await Self.refusal(in: response) }
            return true
        }
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

    /// Sends a request.
    ///
    /// - Throws: `ClientError` when there is no answer, or one that says no.
    func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let response = try await respond(to: request, timeout: timeout)
        guard (200..<300).contains(response.status.code) else { throw await Self.refusal(in: response) }
        return response
    }

    /// Sends a request; an answer that says no is an answer like others.
    func respond(to request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        var request = request
        authorize(&request)
        let client = timeout > Self.patienceLimit ? Self.patientClient : Self.client
        do {
            let response = try await client.execute(request, timeout: timeout)
            contact.note()
            return response
        } catch {
            throw noAnswer(error)
        }
    }

    /// Adds what every request to the server says.
    func authorize(_ request: inout HTTPClientRequest) {
        request.headers.replaceOrAdd(name: "User-Agent", value: "larder")
        if let token { request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)") }
    }

    /// What an answer other than 2xx says.
    static func refusal(in response: HTTPClientResponse) async -> ClientError {
        let code = response.status.code
        let data = Data(buffer: (try? await response.body.collect(upTo: 64 << 10)) ?? ByteBuffer())
        let message = try? JSONDecoder().decode(ErrorMessage.self, from: data)
        // Whatever the server lacks now it may have a little later, but for space.
        let isTransient = code == 429 || code >= 500 && code != 507
        return ClientError(message?.error ?? "the server answered \(code)", isTransient: isTransient)
    }

    /// An error of the connection in words, or the cancellation that caused it; errors of our own stay as they are.
    ///
    /// `isPatient`: Whether a silence that ended the request was as long as one may ever be.
    func noAnswer(_ error: any Error, isPatient: Bool = false) -> any Error {
        if error is CancellationError || Task.isCancelled { return CancellationError() }
        if error is ClientError { return error }
        let unusable: [HTTPClientError] = [.invalidURL, .emptyHost, .emptyScheme, .missingSocketPath]
        if let error = error as? HTTPClientError, unusable.contains(error) || "\(error)".contains("unsupportedScheme") {
            return ClientError("\(name) is no address of a server; one is written such as http://127.0.0.1:7878")
        }
        var reason = (error as? HTTPClientError)?.shortDescription ?? "\(error)"
        // The library's texts for these are made for programmers.
        if reason.contains("Connection refused") || reason.contains("No such file or directory") {
            reason = "nothing listens there; start one with `larder serve`, or set LARDER_URL"
        }
        // All the time was waited that there is for an answer: begun anew, it would become an hour.
        let failure = error as? HTTPClientError
        let isOver = failure == HTTPClientError.deadlineExceeded || isPatient && failure == HTTPClientError.readTimeout
        return ClientError("no answer from the server at \(name): \(reason)", isTransient: !isOver)
    }

    func decode<Value: Decodable>(_ data: Data) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw ClientError("the server's answer is not understood; is it another version of larder?")
        }
    }
}

/// Whether a server has answered at all.
///
/// Until it has, a failure is no break-off: its address is wrong, or it does not run.
final class ServerContact: Sendable {
    private let answered = Atomic(false)

    var hasAnswered: Bool { answered.load(ordering: .relaxed) }

    /// Notes an answer.
    func note() { answered.store(true, ordering: .relaxed) }
}
