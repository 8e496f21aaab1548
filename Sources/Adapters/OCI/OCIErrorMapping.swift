import LarderCore
import LarderHTTP

/// The error codes of registries (distribution specification 1.1, "Error Codes"; the last three are docker's).
enum OCIErrorCode: String {
    case blobUnknown = "BLOB_UNKNOWN"
    case blobUploadInvalid = "BLOB_UPLOAD_INVALID"
    case blobUploadUnknown = "BLOB_UPLOAD_UNKNOWN"
    case digestInvalid = "DIGEST_INVALID"
    case manifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
    case manifestInvalid = "MANIFEST_INVALID"
    case manifestUnknown = "MANIFEST_UNKNOWN"
    case nameInvalid = "NAME_INVALID"
    case nameUnknown = "NAME_UNKNOWN"
    case sizeInvalid = "SIZE_INVALID"
    case denied = "DENIED"
    case unauthorized = "UNAUTHORIZED"
    case unsupported = "UNSUPPORTED"
    case tooManyRequests = "TOOMANYREQUESTS"
    case paginationNumberInvalid = "PAGINATION_NUMBER_INVALID"
    case unavailable = "UNAVAILABLE"
    case unknown = "UNKNOWN"
}

extension HTTPAnswer {
    /// What old docker clients want to see on every answer.
    static let registryHeaders = [(name: "Docker-Distribution-API-Version", value: "registry/2.0")]

    /// An error in the registry's form, for one or several things.
    static func registryError(
        _ status: Int,
        _ code: OCIErrorCode,
        _ message: String,
        details: [String] = [],
        headers: [(name: String, value: String)] = []
    ) -> HTTPAnswer {
        let start = "{\"code\":\"\(code.rawValue)\",\"message\":\(jsonString(message))"
        let errors = details.isEmpty ? [start + "}"] : details.map { start + ",\"detail\":\(jsonString($0))}" }
        return HTTPAnswer(
            status,
            "{\"errors\":[\(errors.joined(separator: ","))]}\n",
            headers: [("Content-Type", "application/json")] + registryHeaders + headers
        )
    }

    /// The answer to a failure of the store.
    ///
    /// Statuses are those of the specification's table where it has one; refusals that concern no content are `DENIED`,
    /// which no client takes for a reason to try another manifest format.
    static func registryError(_ error: StoreError) -> HTTPAnswer {
        switch error {
        case .malformed: registryError(400, .blobUploadInvalid, "\(error)")
        case .notFound: registryError(404, .nameUnknown, "\(error)")
        case .digestMismatch: registryError(400, .digestInvalid, "\(error)")
        case .lengthMismatch: registryError(400, .sizeInvalid, "\(error)")
        case .tooLarge: registryError(413, .sizeInvalid, "\(error)")
        case .invalidContent: registryError(400, .manifestInvalid, "\(error)")
        case .missingContent(let digests):
            registryError(
                400,
                .manifestBlobUnknown,
                "the manifest names content that the repository does not have",
                details: digests.map(\.description)
            )
        case .noSpace: registryError(507, .denied, "\(error)")
        // Clients show the message of a 403, not that of a 507.
        case .quotaExceeded: registryError(403, .denied, "\(error)")
        case .conditionFailed: registryError(412, .denied, "\(error)")
        case .notAllowed: registryError(403, .denied, "\(error)")
        case .overloaded: registryError(429, .tooManyRequests, "\(error)", headers: [("Retry-After", "1")])
        case .shuttingDown: registryError(503, .unavailable, "\(error)", headers: [("Retry-After", "5")])
        // Paths and causes go to the log, not to clients.
        case .io: registryError(500, .unknown, "the server could not read or write its data")
        case .corrupt: registryError(500, .unknown, "the server found damaged data")
        }
    }

    static func registryMethods(_ allowed: String) -> HTTPAnswer {
        registryError(405, .unsupported, "method not allowed here", headers: [("Allow", allowed)])
    }
}
