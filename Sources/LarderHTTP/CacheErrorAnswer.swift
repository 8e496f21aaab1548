package import LarderCore

extension HTTPAnswer {
    /// The answer to a failure of a cache over plain HTTP, where clients look at the status only (build-cache reference,
    /// sections 1.1 and 2.3): 4xx for what the client should change, 507 for a full store, 5xx for our own failures.
    package static func cacheError(_ error: StoreError) -> HTTPAnswer {
        switch error {
        case .malformed(let what): HTTPAnswer(400, "malformed \(what)\n")
        case .notFound: HTTPAnswer(404)
        case .digestMismatch, .lengthMismatch, .invalidContent, .missingContent: HTTPAnswer(400, "\(error)\n")
        case .tooLarge: HTTPAnswer(413, "\(error)\n")
        case .noSpace, .quotaExceeded: HTTPAnswer(507, "\(error)\n")
        case .conditionFailed: HTTPAnswer(412, "\(error)\n")
        case .notAllowed: HTTPAnswer(403, "\(error)\n")
        case .overloaded: HTTPAnswer(503, "\(error)\n", headers: [("Retry-After", "1")])
        case .shuttingDown: HTTPAnswer(503, "\(error)\n", headers: [("Retry-After", "5")])
        // Paths and causes go to the log, not to clients.
        case .io: HTTPAnswer(500, "the server could not read or write its data\n")
        case .corrupt: HTTPAnswer(500, "the server found damaged data\n")
        }
    }
}
