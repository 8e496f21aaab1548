package import LarderCore

/// Why a request is not let in.
package struct AccessRefusal: Sendable {
    package enum Reason: Sendable, Equatable {
        /// Its sender did not say who they are, and anonymous ones may not do this.
        case credentialsNeeded
        /// Its sender shows something that lets nobody in; why, in words.
        case credentialsWrong(String)
        /// Its sender is known, and may not do this.
        case forbidden
        /// Its sender may do this, but has a registry's token that was asked for without it.
        case limited
    }

    package let reason: Reason
    /// What was demanded.
    package let demand: HTTPRoute.Demand
    /// nil when none is concerned.
    package let repository: RepositoryName?
    /// Whether its sender may at least read there.
    package let isReader: Bool
    /// For people: who they are.
    package let sender: String
    /// Scheme, host and port under which the server was asked, such as `http://127.0.0.1:7878`.
    package let origin: String

    /// Whether the answer is 401, so that clients show other credentials; else 403.
    package var asksForCredentials: Bool { reason != .forbidden }

    /// For people: what is missing, and what to do.
    package var text: String {
        let (action, place) = wanted
        switch reason {
        case .credentialsNeeded: return "a token is needed to \(action) \(place)"
        case .credentialsWrong(let why): return why
        case .forbidden, .limited: return "\(sender) may not \(action) \(place)"
        }
    }

    /// The `WWW-Authenticate` header of a 401 for tools that know a user name and a password (RFC 7617).
    package static let basicChallenge = (name: "WWW-Authenticate", value: "Basic realm=\"Larder\", charset=\"UTF-8\"")

    /// The same for those that know a token (RFC 6750); `isInvalid`: They showed one.
    package static func bearerChallenge(isInvalid: Bool) -> (name: String, value: String) {
        ("WWW-Authenticate", "Bearer realm=\"Larder\"\(isInvalid ? ", error=\"invalid_token\"" : "")")
    }

    private var wanted: (action: String, place: String) {
        switch demand {
        case .nothing, .identity, .somewhere([]): ("use", "this server")
        case .somewhere(let actions): (Self.text(of: actions), "anything here")
        case .repository(let actions): (Self.text(of: actions), repository?.text ?? "it")
        case .everywhere(.admin): ("administer", "this server")
        case .everywhere(let actions): (Self.text(of: actions), "all repositories")
        }
    }

    /// Verbs for a place.
    private static func text(of actions: RepositoryActions) -> String {
        let verbs: [(RepositoryActions, String)] = [
            (.read, "read"), (.write, "write to"), (.delete, "delete from"), (.admin, "administer"),
        ]
        return verbs.filter { actions.contains($0.0) }.map(\.1).joined(separator: " and ")
    }
}
