import Foundation
import HTTPTypes
import HummingbirdCore
import LarderCore
import LarderHTTP
import NIOCore

/// `/v2/token`: changes a token of Larder, or nothing, for one that lives minutes and allows what was asked for
/// (distribution's "Token Authentication Specification" and its variant with OAuth 2).
///
/// What is asked for and not allowed is left out, without an error: the request that needs it is refused later.
struct TokenExchange {
    static let service = "larder"
    private static let formLengthMax = 16 << 10
    private static let scopeCountMax = 100

    private let request: Request
    private let query: QueryParameters
    private let gatekeeper: Gatekeeper
    private let isForm: Bool

    init(_ request: Request, _ line: RequestLine, _ gatekeeper: Gatekeeper) {
        self.request = request
        query = Self.parameters(line.query ?? "")
        self.gatekeeper = gatekeeper
        isForm = line.method == .post
    }

    /// In forms, and in the queries of some clients, a `+` is a space; nothing that is asked here has one of its own.
    private static func parameters(_ text: Substring) -> QueryParameters {
        QueryParameters(text.replacing("+", with: "%20"))
    }

    /// The challenge of a 401: where to ask, and for what.
    static func challenge(_ refusal: AccessRefusal) -> (name: String, value: String) {
        var value = "Bearer realm=\"\(refusal.origin)/v2/token\",service=\"\(service)\""
        switch refusal.demand {
        case .repository(let actions):
            if let name = refusal.repository { value += ",scope=\"repository:\(name):\(words(for: actions))\"" }
        case .somewhere: value += ",scope=\"registry:catalog:*\""
        case .nothing, .identity, .everywhere: break
        }
        switch refusal.reason {
        case .credentialsWrong: value += ",error=\"invalid_token\""
        case .limited: value += ",error=\"insufficient_scope\""
        case .credentialsNeeded, .forbidden: break
        }
        return ("WWW-Authenticate", value)
    }

    private static func words(for actions: RepositoryActions) -> String {
        var words: [String] = []
        // Who pushes also asks what is there.
        if !actions.isDisjoint(with: [.read, .write]) { words.append("pull") }
        if actions.contains(.write) { words.append("push") }
        if actions.contains(.delete) { words.append("delete") }
        return words.joined(separator: ",")
    }

    func respond() async throws -> Response {
        if isForm { return try await respondToForm() }
        switch gatekeeper.identify(request.headers[.authorization]) {
        case .wrong(let why): return refusal(why)
        case .known(let principal):
            // One of these tokens gives no other.
            if principal.isLimited { return refusal("a token of Larder is wanted, as the password") }
            return answer(principal, scopes: query.all("scope"), isRefreshable: query["offline_token"] == "true")
        }
    }

    private func respondToForm() async throws -> Response {
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.formLengthMax)
        } catch is NIOTooManyBytesError {
            throw StoreError.tooLarge(limit: ByteCount(Int64(Self.formLengthMax)))
        }
        let form = Self.parameters(Substring(String(buffer: body)))
        let scopes = form.all("scope")
        switch form["grant_type"] {
        case "password":
            let finding = gatekeeper.identify("Bearer \(form["password"] ?? "")")
            guard case .known(let principal) = finding, !principal.isLimited else {
                if case .wrong(let why) = finding { return refusal(why) }
                return refusal("a token of Larder is wanted, as the password")
            }
            return answer(principal, scopes: scopes, isRefreshable: form["access_type"] == "offline")
        case "refresh_token":
            switch gatekeeper.identify(refreshToken: form["refresh_token"] ?? "") {
            case .wrong(let why): return refusal(why)
            case .known(let principal): return answer(principal, scopes: scopes, isRefreshable: true)
            }
        default:
            return HTTPAnswer.registryError(400, .unsupported, "grant_type is password or refresh_token").response
        }
    }

    private func answer(_ principal: Principal, scopes: [String], isRefreshable: Bool) -> Response {
        var grants: [Grant] = []
        for text in scopes.flatMap({ $0.split(separator: " ") }).prefix(Self.scopeCountMax) {
            guard let (repository, wanted) = Self.scope(text) else { continue }
            let actions = wanted.intersection(principal.actions(in: repository))
            if !actions.isEmpty { grants.append(Grant(repository, actions)) }
        }
        let token = gatekeeper.signedToken(.access, for: principal, grants: grants)
        var message: [String: TokenValue] = [
            "token": .text(token), "access_token": .text(token),
            // From now on, as there is no `issued_at`.
            "expires_in": .number(Gatekeeper.accessTokenLifetime.components.seconds),
        ]
        if isRefreshable, !principal.isAnonymous {
            message["refresh_token"] = .text(gatekeeper.signedToken(.refresh, for: principal))
        }
        let data = (try? JSONEncoder().encode(message)) ?? Data()
        let headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        return HTTPAnswer(200, String(decoding: data, as: UTF8.self), headers: headers).response
    }

    private enum TokenValue: Encodable {
        case text(String)
        case number(Int64)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            }
        }
    }

    /// Reads `repository:NAME:pull,push`; nil for what concerns no repository.
    private static func scope(_ text: Substring) -> (RepositoryName, RepositoryActions)? {
        guard let first = text.firstIndex(of: ":"), let last = text.lastIndex(of: ":"), first < last,
            text[..<first].prefix(while: { $0 != "(" }) == "repository",
            let name = RepositoryName(text[text.index(after: first)..<last])
        else { return nil }
        var actions: RepositoryActions = []
        for word in text[text.index(after: last)...].split(separator: ",") {
            switch word {
            case "pull": actions.insert(.read)
            case "push": actions.insert(.write)
            case "delete": actions.insert(.delete)
            case "*": actions.formUnion([.read, .write, .delete])
            default: break
            }
        }
        return (name, actions)
    }

    private func refusal(_ why: String) -> Response {
        HTTPAnswer.registryError(401, .unauthorized, why, headers: [AccessRefusal.basicChallenge]).response
    }
}
