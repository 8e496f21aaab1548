import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Speaks the OCI distribution protocol with one registry: this server's, or another.
package struct RegistryClient: Sendable {
    let origin: RegistryOrigin
    /// nil where nobody asks who one is: at a server's socket.
    private let authorization: RegistryAuthorization?

    init(origin: RegistryOrigin, authorization: RegistryAuthorization?) {
        self.origin = origin
        self.authorization = authorization
    }

    /// Finds out whether a registry answers, with TLS or without, and what it asks for.
    ///
    /// - Throws: `ClientError` when it does not.
    static func connect(to address: RegistryAddress, credentials: RegistryCredentials?) async throws -> RegistryClient {
        let schemes = address.isPlain ? ["http"] : address.isLoopback ? ["https", "http"] : ["https"]
        var failure: ClientError?
        for scheme in schemes {
            let origin = RegistryOrigin(base: "\(scheme)://\(address.apiHost)", label: address.host)
            let authorization = RegistryAuthorization(
                origin: origin,
                loginHost: address.loginHost,
                credentials: credentials
            )
            do {
                let client = RegistryClient(origin: origin, authorization: authorization)
                try await client.ping()
                return client
            } catch let error as ClientError {
                failure = failure ?? error
            }
        }
        let hint = address.isPlain || address.isLoopback ? "" : "; for a registry without TLS say --plain-http"
        throw ClientError("\(failure?.description ?? "\(address) does not answer")\(hint)")
    }

    /// Whether it is the server of the data folder.
    var isOwnServer: Bool { authorization == nil }

    func isSameRegistry(as other: RegistryClient) -> Bool { origin == other.origin }

    /// Asks for the API itself, without credentials: the answer tells what they have to be.
    private func ping() async throws {
        let request = HTTPClientRequest(url: "\(origin.base)/v2/")
        let response = try await RegistryHTTP.execute(request, timeout: .seconds(30), label: origin.label)
        await RegistryHTTP.drain(response)
        if response.status == .unauthorized {
            await authorization?.learn(RegistryChallenge.parse(response.headers["WWW-Authenticate"]))
        } else if response.status == .notFound {
            throw ClientError("\(origin.label) answers, but is no registry: it has no /v2/")
        }
    }
}

/// A request to a registry.
struct RegistryRequest: Sendable {
    var method: HTTPMethod = .GET
    /// A path of the registry, or a whole address that it named.
    var target: String
    var scope: RegistryScope
    var headers = HTTPHeaders()
    var body: HTTPClientRequest.Body?
    /// Whether its body can be sent again.
    var isRepeatable = true
    var timeout: TimeAmount = .minutes(2)
}

/// An answer, and whether it came from where the request was sent.
struct RegistryAnswer: Sendable {
    let response: HTTPClientResponse
    /// The address that answered, after redirects.
    let url: String

    var status: Int { Int(response.status.code) }
    var isSuccess: Bool { (200..<300).contains(status) }
    var headers: HTTPHeaders { response.headers }
}

extension RegistryClient {
    private static let attemptCountMax = 4
    private static let redirectCountMax = 5

    /// Sends a request with what authorizes it, and again when the registry is busy or the connection broke.
    ///
    /// - Throws: `ClientError` when there is no answer; any answer is returned.
    func send(_ request: RegistryRequest) async throws -> RegistryAnswer {
        var attempt = 1
        while true {
            let isLast = attempt == Self.attemptCountMax || !request.isRepeatable
            do {
                let answer = try await sendAuthorized(request)
                guard [429, 502, 503, 504].contains(answer.status), !isLast else { return answer }
                let seconds = answer.headers.first(name: "Retry-After").flatMap { Int($0) } ?? 1 << attempt
                await RegistryHTTP.drain(answer.response)
                try await Task.sleep(for: .seconds(min(max(seconds, 1), 60)))
            } catch let error as ClientError where error.isTransient && !isLast {
                try await Task.sleep(for: .milliseconds(250 << attempt))
            }
            attempt += 1
        }
    }

    private func sendAuthorized(_ request: RegistryRequest) async throws -> RegistryAnswer {
        let header = try await authorization?.header(for: request.scope)
        let answer = try await follow(request, authorization: header)
        guard answer.response.status == .unauthorized, request.isRepeatable, origin.owns(answer.url),
            let authorization
        else { return answer }
        let challenges = RegistryChallenge.parse(answer.headers["WWW-Authenticate"])
        let next = try await authorization.header(for: request.scope, after: header, challenges: challenges)
        guard let next else { return answer }
        await RegistryHTTP.drain(answer.response)
        return try await follow(request, authorization: next)
    }

    /// Follows redirects; credentials go to the registry only, wherever those lead.
    private func follow(_ request: RegistryRequest, authorization: String?) async throws -> RegistryAnswer {
        var url = request.target.hasPrefix("/") ? origin.base + request.target : request.target
        for _ in 0...Self.redirectCountMax {
            var message = HTTPClientRequest(url: url)
            message.method = request.method
            message.headers = request.headers
            message.body = request.body
            if let authorization, origin.owns(url) {
                message.headers.replaceOrAdd(name: "Authorization", value: authorization)
            }
            let response = try await RegistryHTTP.execute(message, timeout: request.timeout, label: origin.label)
            guard Self.isRedirect(response.status, of: request),
                let location = response.headers.first(name: "Location")
            else { return RegistryAnswer(response: response, url: url) }
            await RegistryHTTP.drain(response)
            url = origin.url(of: location, from: url)
        }
        throw ClientError("\(origin.label) redirects in circles, or more than \(Self.redirectCountMax) times")
    }

    private static func isRedirect(_ status: HTTPResponseStatus, of request: RegistryRequest) -> Bool {
        switch status {
        case .movedPermanently, .found, .seeOther: request.method == .GET || request.method == .HEAD
        case .temporaryRedirect, .permanentRedirect: request.isRepeatable
        default: false
        }
    }

    /// An answer that is no success, as a sentence with the registry's own words and what to do next.
    func failure(_ answer: RegistryAnswer, to what: String) async -> ClientError {
        let body = try? await answer.response.body.collect(upTo: 64 << 10)
        let reason = body.flatMap { RegistryErrors($0)?.text }.map { " (\($0))" } ?? ""
        return ClientError(
            "\(origin.label) refused to \(what): \(answer.status)\(reason)\(hint(for: answer.status, isExplained: !reason.isEmpty))",
            isTransient: answer.status >= 500 && answer.status != 507 || answer.status == 429
        )
    }

    private func hint(for status: Int, isExplained: Bool) -> String {
        switch status {
        case 401 where authorization != nil: "; log in with: podman login \(origin.label), or docker login"
        case 403 where !isExplained: "; it needs another right or login"
        case 429: "; try again later"
        case 507: "; make room there first"
        case 500...: "; try again, and see the log there"
        default: ""
        }
    }
}
