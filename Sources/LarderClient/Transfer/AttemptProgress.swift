import Synchronization

/// The bytes that one attempt to send something has sent.
///
/// What makes a body may still make pieces of it when the attempt has failed already: those are not counted.
final class AttemptProgress: Sendable {
    private let sentBytes = Mutex<Int64?>(0)
    private let report: @Sendable (Int64) -> Void

    init(_ report: @escaping @Sendable (Int64) -> Void) {
        self.report = report
    }

    func add(_ count: Int64) {
        sentBytes.withLock { sent in
            guard let before = sent else { return }
            sent = before + count
            report(count)
        }
    }

    /// Counts no more; says how many were counted.
    func close() -> Int64 {
        sentBytes.withLock { sent in
            defer { sent = nil }
            return sent ?? 0
        }
    }
}
