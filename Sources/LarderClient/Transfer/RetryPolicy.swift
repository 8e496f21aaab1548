/// How often a transfer that breaks off is begun again, and how long it waits before.
package struct RetryPolicy: Sendable {
    /// Failures in a row that are put up with.
    var failureCountMax = 5
    /// Before the first repetition; each further wait is twice as long.
    var firstDelay = Duration.milliseconds(250)

    package static let standard = RetryPolicy()
}

/// The failures of one transfer so far.
struct Retrying: Sendable {
    private let policy: RetryPolicy
    private let contact: ServerContact
    private var failureCount = 0

    init(_ policy: RetryPolicy, contact: ServerContact) {
        self.policy = policy
        self.contact = contact
    }

    /// Waits before the next attempt.
    ///
    /// - Throws: The failure itself, when another attempt can't help or there were too many; `CancellationError`.
    mutating func wait(after failure: any Error) async throws {
        guard let error = failure as? ClientError, error.isTransient, contact.hasAnswered,
            failureCount < policy.failureCountMax
        else { throw failure }
        let delay = policy.firstDelay * (1 << failureCount)
        failureCount += 1
        try await Task.sleep(for: delay)
    }
}
