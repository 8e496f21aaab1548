import AsyncHTTPClient
import Foundation
import LarderCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// Logs in to one registry in the way it asks for, and keeps its tokens for as long as they live.
///
/// An actor, because fetching a token suspends. Meanwhile another request may fetch one for the same scope; both are
/// good, and the later one is kept.
actor RegistryAuthorization {
    private struct Token {
        let header: String
        let end: ContinuousClock.Instant
    }

    private let origin: RegistryOrigin
    private let loginHost: String
    private let credentials: RegistryCredentials?
    /// The last that the registry asked for, of the kinds that are understood.
    private var challenge: RegistryChallenge?
    private var tokens: [RegistryScope: Token] = [:]

    init(origin: RegistryOrigin, loginHost: String, credentials: RegistryCredentials?) {
        self.origin = origin
        self.loginHost = loginHost
        self.credentials = credentials
    }

    /// Notes what the registry asks for.
    func learn(_ challenges: [RegistryChallenge]) {
        // A token gives away less than a password, and there are some for those who have none.
        let bearer = challenges.first { $0.scheme == "bearer" && $0.parameters["realm"] != nil }
        challenge = bearer ?? challenges.first { $0.scheme == "basic" } ?? challenge
    }

    /// What to send with a request; nil while the registry has asked for nothing.
    func header(for scope: RegistryScope) async throws -> String? {
        switch challenge?.scheme {
        case "bearer":
            if let token = tokens[scope], token.end > ContinuousClock.now { return token.header }
            return try await fetchToken(for: scope)
        case "basic":
            return basicHeader
        default:
            return nil
        }
    }

    /// What to send after a refusal; nil when there is nothing else than what was refused.
    func header(
        for scope: RegistryScope,
        after refused: String?,
        challenges: [RegistryChallenge]
    ) async throws -> String? {
        learn(challenges)
        guard challenge?.scheme == "bearer" else { return basicHeader == refused ? nil : basicHeader }
        if let token = tokens[scope], token.header != refused, token.end > ContinuousClock.now { return token.header }
        tokens[scope] = nil
        return try await fetchToken(for: scope)
    }

    private var basicHeader: String? {
        credentials.map { "Basic \(Data("\($0.user):\($0.password)".utf8).base64EncodedString())" }
    }

    /// Asks the realm for a token (distribution, "Token Authentication Specification").
    private func fetchToken(for scope: RegistryScope) async throws -> String {
        let parameters = challenge?.parameters ?? [:]
        let realm = parameters["realm"] ?? ""
        guard realm.hasPrefix("https://") || realm.hasPrefix("http://") else {
            throw ClientError("\(origin.label) names no address for tokens that is understood: '\(realm)'")
        }
        var query = scope.texts.map { ("scope", $0) }
        for text in (parameters["scope"] ?? "").split(separator: " ") where !scope.texts.contains(String(text)) {
            query.append(("scope", String(text)))
        }
        if let service = parameters["service"] { query.append(("service", service)) }
        if let credentials { query.append(("account", credentials.user)) }
        let text = query.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: realm + (realm.contains("?") ? "&" : "?") + text)
        if let basicHeader {
            guard realm.hasPrefix("https://") || !origin.isEncrypted else {
                throw ClientError("\(origin.label) wants the password sent without encryption to \(realm); refused")
            }
            request.headers.add(name: "Authorization", value: basicHeader)
        }
        let token = try await answer(to: request)
        // A little before its end, because the request that uses it takes a while to arrive.
        let seconds = max(60, min(token.lifetimeSeconds ?? 60, 86_400)) - 10
        let header = "Bearer \(token.text)"
        tokens[scope] = Token(header: header, end: ContinuousClock.now + .seconds(seconds))
        return header
    }

    private func answer(to request: HTTPClientRequest) async throws -> (text: String, lifetimeSeconds: Int?) {
        let label = "the token service of \(origin.label)"
        let response = try await RegistryHTTP.execute(request, timeout: .seconds(60), label: label)
        let body = try await RegistryHTTP.read(response, limit: 1 << 20, label: label)
        guard response.status.code == 200 else {
            let reason = RegistryErrors(body)?.text.map { " (\($0))" } ?? ""
            let isRefusal = response.status.code == 401 || response.status.code == 403
            throw ClientError(
                "\(label) answered \(response.status.code)\(reason)"
                    + (isRefusal ? "; log in again with: podman login \(loginHost)" : ""),
                isTransient: response.status.code >= 500 || response.status.code == 429
            )
        }
        guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: Data(buffer: body)),
            let text = answer.token ?? answer.accessToken, !text.isEmpty
        else { throw ClientError("\(label) sent no token") }
        return (text, answer.lifetimeSeconds)
    }
}

private struct TokenAnswer: Decodable {
    let token: String?
    let accessToken: String?
    let lifetimeSeconds: Int?

    enum CodingKeys: String, CodingKey {
        case token
        case accessToken = "access_token"
        case lifetimeSeconds = "expires_in"
    }
}
