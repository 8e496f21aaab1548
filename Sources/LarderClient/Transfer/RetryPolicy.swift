/// How often what breaks off is begun again, and how long is waited before.
struct RetryPolicy: Sendable {
    /// Failures that are put up with; a server that starts anew has 7.75 seconds with the standard waits.
    var failureCountMax = 5
    /// Before the first repetition; each further wait is twice as long.
    var firstDelay = Duration.milliseconds(250)

    static let standard = RetryPolicy()
}

/// The failures of one transfer or request so far.
struct Retrying: Sendable {
    private let policy: RetryPolicy
    private let contact: ServerContact
    private var failureCount = 0

    init(_ server: ServerClient) {
        policy = server.retryPolicy
        contact = server.contact
    }

    /// Waits before the next attempt.
    ///
    /// - Throws: The failure itself, when another attempt can't help; the same, but not transient, when there were too
    ///   many; `CancellationError`.
    mutating func wait(after failure: any Error) async throws {
        guard let error = failure as? ClientError, error.isTransient, contact.hasAnswered else { throw failure }
        // Repetitions can enclose others: what the inner ones gave up the outer ones do not wait for again.
        guard failureCount < policy.failureCountMax else { throw ClientError(error.description) }
        let delay = policy.firstDelay * (1 << failureCount)
        failureCount += 1
        try await Task.sleep(for: delay)
    }
}

extension ServerClient {
    /// Does something until it works, or can't.
    ///
    /// An attempt whose answer was lost may have been carried out: `body` is what comes to the same when done twice.
    func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        var retrying = Retrying(self)
        while true {
            do {
                return try await body()
            } catch {
                try await retrying.wait(after: error)
            }
        }
    }
}
