package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore

/// Gradle's HTTP build cache (build-cache reference, section 6): `/gradle/REPO/KEY`.
///
/// Any answer but 2xx (and 404 to a GET) switches the remote cache off for the rest of a build, so a PUT that can't be
/// stored is read, thrown away and answered with 200: the entry misses later, and the build goes on with its cache.
package struct GradleAdapter: HTTPAdapter {
    package let name = "gradle"

    private static let form = ReadForm(contentType: "application/vnd.gradle.build-cache-artifact.v2")

    package init() {}

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.first == "gradle" else { return nil }
        guard line.segments.count == 3, let repository = RepositoryName(line.segments[1]) else {
            return HTTPRoute(.refuse(HTTPAnswer(400, "the path is /gradle/REPOSITORY/KEY\n")))
        }
        return HTTPRoute(
            operation(line.method, line.segments[2]),
            repository: repository,
            form: Self.form
        )
    }

    private func operation(_ method: RequestMethod, _ text: Substring) -> HTTPRoute.Operation {
        let isHexadecimal = text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        guard isHexadecimal, (1...128).contains(text.utf8.count), let key = EntryKey("gradle/\(text)") else {
            return .refuse(HTTPAnswer(400, "a key is 1 to 128 lowercase hexadecimal digits\n"))
        }
        switch method {
        case .get, .head: return .read(.entry(key))
        case .put: return .write(.entry(key, inspect: nil))
        default: return .refuse(.methodNotAllowed("GET, HEAD, PUT"))
        }
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        switch operation {
        case .write: HTTPAnswer(200, headers: [("X-Larder-Discarded", Self.reason(error))], bodyHandling: .discard)
        // A failed read is a miss: the task runs, and the cache stays on.
        case .read: .miss
        case .delete, .custom, .customWrite, .refuse: .cacheError(error)
        }
    }

    /// Who may only read shall go on reading.
    package func answer(
        to refusal: AccessRefusal,
        hasBearer: Bool,
        for operation: HTTPRoute.Operation
    ) -> HTTPAnswer {
        if case .write = operation, refusal.isReader { return answer(to: .notAllowed(refusal.text), for: operation) }
        return .plain(refusal, hasBearer: hasBearer)
    }

    /// A word for the header that tells a person why nothing was stored.
    private static func reason(_ error: StoreError) -> String {
        switch error {
        case .malformed: "malformed"
        case .notFound: "no-repository"
        case .digestMismatch, .lengthMismatch, .invalidContent, .missingContent: "broken-upload"
        case .tooLarge: "too-large"
        case .noSpace: "no-space"
        case .quotaExceeded: "quota-exceeded"
        case .conditionFailed: "condition-failed"
        case .notAllowed: "not-allowed"
        case .overloaded, .shuttingDown: "busy"
        case .io, .corrupt: "server-error"
        }
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        // Entries of Gradle refer to nothing, so none is ever incomplete.
        HTTPAnswer.miss.response
    }
}
