import ArgumentParser
import Foundation
import LarderClient
import LarderCore
import Synchronization
import UnixSignals

/// Runs a command that cleans up after itself when it is interrupted.
///
/// The first SIGINT or SIGTERM cancels it, the second one ends the process at once.
func cleaningUp(_ command: @escaping @Sendable () async throws -> Void) async throws {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    // Both tasks belong to this function: it waits for the first, and cancels the second when it returns.
    let work = Task { try await command() }
    let interruption = Mutex<Int32?>(nil)
    let watch = Task {
        for await signal in signals {
            let isFirst = interruption.withLock { first in
                defer { first = signal.rawValue }
                return first == nil
            }
            guard isFirst else { exit(128 + signal.rawValue) }
            work.cancel()
        }
    }
    defer { watch.cancel() }
    do {
        try await work.value
    } catch {
        guard let signal = interruption.withLock({ $0 }) else { throw error }
        throw ExitCode(128 + signal)
    }
}

/// How long ago a moment of the API was.
func age(_ text: String) -> String {
    guard let date = try? Date(text, strategy: .iso8601) else { return text }
    return ago(Int64(date.timeIntervalSince1970))
}

/// A number and what is counted: `1 file`, `2 files`.
func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

/// Shows how far a transfer is, from the moment on when something is transferred.
final class ArtifactBar: Sendable {
    private let title: String
    private let isQuiet: Bool
    private let bar = Mutex<TransferProgress?>(nil)

    init(title: String, isQuiet: Bool) {
        self.title = title
        self.isQuiet = isQuiet
    }

    /// Who hears how far it is.
    var progress: ArtifactProgress {
        ArtifactProgress(
            setTotal: { self.begun().setTotal($0) },
            add: { self.begun().add($0) },
            note: { if !self.isQuiet { writeError($0) } }
        )
    }

    /// Clears the bar away; may be called more than once.
    func finish() { bar.withLock { $0?.finish() } }

    private func begun() -> TransferProgress {
        bar.withLock { bar in
            if let bar { return bar }
            let begun = TransferProgress(title: title, total: nil, isQuiet: isQuiet)
            bar = begun
            return begun
        }
    }
}
