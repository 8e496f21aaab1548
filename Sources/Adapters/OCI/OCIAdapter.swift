import HTTPTypes
package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore
import NIOCore

/// The registry of images and artifacts: OCI distribution specification 1.1, and what docker's clients need beside it.
///
/// Manifests and blobs are read on the shared road; everything else is in `respond`.
package struct OCIAdapter: HTTPAdapter {
    package let name = "oci"
    private let makeUploadID: @Sendable () -> String
    /// Manifests are read whole, and a slow sender takes its time.
    private let manifestBudget = ByteBudget(.mebibytes(256))

    private static let manifestForm = ReadForm(
        digestHeader: "Docker-Content-Digest",
        headers: HTTPAnswer.registryHeaders,
        miss: .registryError(404, .manifestUnknown, "there is no such manifest"),
        unsatisfiable: unsatisfiable
    )
    private static let blobForm = ReadForm(
        digestHeader: "Docker-Content-Digest",
        headers: HTTPAnswer.registryHeaders,
        miss: .registryError(404, .blobUnknown, "the repository has no such blob"),
        unsatisfiable: unsatisfiable
    )
    private static let unsatisfiable = HTTPAnswer.registryError(416, .sizeInvalid, "the content has no such range")

    /// - Parameter makeUploadID: A new UUID at each call.
    package init(makeUploadID: @escaping @Sendable () -> String) {
        self.makeUploadID = makeUploadID
    }

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.first == "v2" else { return nil }
        let path = OCIPath(line.segments.dropFirst())
        let form = if case .blob = path { Self.blobForm } else { Self.manifestForm }
        return HTTPRoute(
            operation(line.method, path),
            repository: path.repository ?? .default,
            kind: .registry,
            form: form,
            demand: demand(line.method, path)
        )
    }

    /// nil: what the operation says.
    private func demand(_ method: RequestMethod, _ path: OCIPath) -> HTTPRoute.Demand? {
        switch path {
        case .base, .extensions: .identity
        case .token: .nothing
        case .catalog: .somewhere(.read)
        // Whoever sends an upload also asks how far it is, and ends it.
        case .upload: .repository(.write)
        default: nil
        }
    }

    private func operation(_ method: RequestMethod, _ path: OCIPath) -> HTTPRoute.Operation {
        let list = HTTPRoute.Operation.custom(bodyLimit: .kibibytes(64))
        switch path {
        case .base, .catalog, .extensions, .tags:
            return method.isRead ? list : .refuse(.registryMethods("GET, HEAD"))
        case .token:
            return method == .get || method == .post ? list : .refuse(.registryMethods("GET, POST"))
        case .referrers(_, let digest):
            guard method.isRead else { return .refuse(.registryMethods("GET, HEAD")) }
            return Digest(digest) == nil ? .refuse(Self.invalidDigest(digest)) : list
        case .manifest(_, let reference):
            return manifestOperation(method, reference)
        case .blob(_, let text):
            guard let digest = Digest(text) else { return .refuse(Self.invalidDigest(text)) }
            switch method {
            case .get, .head: return .read(.blob(digest))
            case .delete: return list
            default: return .refuse(.registryMethods("GET, HEAD, DELETE"))
            }
        case .uploads:
            return method == .post ? .customWrite(bodyLimit: nil) : .refuse(.registryMethods("POST"))
        case .upload:
            switch method {
            case .patch, .put: return .customWrite(bodyLimit: nil)
            case .get, .head, .delete: return list
            default: return .refuse(.registryMethods("GET, HEAD, PATCH, PUT, DELETE"))
            }
        case .invalidName(let name):
            return .refuse(.registryError(400, .nameInvalid, "not a repository name", details: [name]))
        case .unknown:
            return .refuse(.registryError(404, .unsupported, "no such path under /v2/"))
        }
    }

    private func manifestOperation(_ method: RequestMethod, _ text: String) -> HTTPRoute.Operation {
        guard let reference = ManifestReference(text) else {
            if text.contains(":") { return .refuse(Self.invalidDigest(text)) }
            if method.isRead { return .refuse(Self.manifestForm.miss) }
            return .refuse(.registryError(400, .manifestInvalid, "not a tag", details: [text]))
        }
        switch (method, reference) {
        case (.get, .tag(let tag)), (.head, .tag(let tag)): return .read(.tag(tag))
        case (.get, .digest(let digest)), (.head, .digest(let digest)): return .read(.manifest(digest))
        case (.put, _): return .customWrite(bodyLimit: Manifest.sizeLimit)
        case (.delete, _): return .custom(bodyLimit: .kibibytes(64))
        default: return .refuse(.registryMethods("GET, HEAD, PUT, DELETE"))
        }
    }

    static func invalidDigest(_ text: String) -> HTTPAnswer {
        .registryError(
            400,
            .digestInvalid,
            "a digest is sha256: or sha512: and lowercase hexadecimal digits",
            details: [String(text.prefix(160))]
        )
    }

    package func answer(toMalformedTarget target: String) -> HTTPAnswer? {
        guard target.hasPrefix("/v2/") else { return nil }
        return .registryError(400, .nameInvalid, "the path has no valid name", details: [String(target.prefix(160))])
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .registryError(error)
    }

    package func answer(
        to refusal: AccessRefusal,
        hasBearer: Bool,
        for operation: HTTPRoute.Operation
    ) -> HTTPAnswer {
        guard refusal.asksForCredentials else { return .registryError(403, .denied, refusal.text) }
        return .registryError(401, .unauthorized, refusal.text, headers: [TokenExchange.challenge(refusal)])
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        let method = RequestMethod(name: request.method.rawValue)
        guard let line = RequestLine(method: method, target: request.head.path ?? "") else {
            return HTTPAnswer(400).response
        }
        let query = QueryParameters(line.query)
        let exchange = OCIExchange(
            store: context.store,
            request: request,
            method: method,
            query: query,
            principal: context.principal,
            manifestBudget: manifestBudget
        )
        let response: Response
        switch OCIPath(line.segments.dropFirst()) {
        case .base: response = exchange.json("{}")
        case .extensions: response = exchange.json("{\"extensions\":[]}")
        case .catalog: response = exchange.catalog()
        case .token: response = try await TokenExchange(request, line, context.gatekeeper).respond()
        case .tags(let name): response = try await exchange.tags(name)
        case .referrers(let name, let digest): response = try await exchange.referrers(name, digest)
        case .manifest(let name, let reference): response = try await exchange.manifest(name, reference)
        case .blob(let name, let digest): response = try await exchange.deleteBlob(name, digest)
        case .uploads(let name): response = try await exchange.beginUpload(name, id: makeUploadID())
        case .upload(let name, let id): response = try await exchange.upload(name, id)
        case .invalidName, .unknown: response = HTTPAnswer(404).response
        }
        return method == .head ? response.createHeadResponse() : response
    }
}

/// One request that is answered by `respond`.
struct OCIExchange: Sendable {
    let store: Store
    let request: Request
    let method: RequestMethod
    let query: QueryParameters
    let principal: Principal
    let manifestBudget: ByteBudget

    var contentLength: Int64? { request.headers[.contentLength].flatMap { Int64($0) } }

    /// An answer without a body.
    func answer(_ status: Int, _ headers: [(name: String, value: String)]) -> Response {
        HTTPAnswer(status, headers: HTTPAnswer.registryHeaders + headers).response
    }

    func json(
        _ text: String,
        type: String = "application/json",
        headers: [(name: String, value: String)] = []
    ) -> Response {
        HTTPAnswer(200, text, headers: [("Content-Type", type)] + HTTPAnswer.registryHeaders + headers).response
    }

    func error(_ status: Int, _ code: OCIErrorCode, _ message: String, details: [String] = []) -> Response {
        HTTPAnswer.registryError(status, code, message, details: details).response
    }
}
