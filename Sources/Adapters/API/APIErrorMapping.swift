import LarderCore
import LarderHTTP

extension HTTPAnswer {
    /// Failures of the API: a status, and a sentence in JSON.
    static func apiError(_ error: StoreError) -> HTTPAnswer {
        switch error {
        case .malformed, .digestMismatch, .lengthMismatch, .invalidContent, .missingContent:
            APIAdapter.failure(400, "\(error)")
        case .conditionFailed: APIAdapter.failure(412, "\(error)")
        case .notFound: APIAdapter.failure(404, "\(error)")
        case .tooLarge: APIAdapter.failure(413, "\(error)")
        case .noSpace, .quotaExceeded: APIAdapter.failure(507, "\(error)")
        case .notAllowed: APIAdapter.failure(409, "\(error)")
        case .overloaded, .shuttingDown: APIAdapter.failure(503, "\(error)")
        case .io: APIAdapter.failure(500, "the server could not read or write its data")
        case .corrupt: APIAdapter.failure(500, "the server found damaged data")
        }
    }
}
