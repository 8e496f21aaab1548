import Foundation
import LarderCore
import Synchronization

/// The progress of a transfer: on a terminal a bar with rate and time left, in a log a line now and then.
///
/// Several tasks report at once, so what is shown is behind a lock.
final class TransferProgress: Sendable {
    private enum Style: Sendable {
        case bar, lines, none
    }

    private struct State {
        var doneBytes: Int64 = 0
        var totalBytes: Int64
        /// When the first bytes went: what came before is not part of the rate.
        var start: ContinuousClock.Instant?
        /// When the last bar or line was written, and which tenth of the whole it told of.
        var shown: ContinuousClock.Instant
        var shownTenth = 0
        var hasBar = false
        var isFinished = false
    }

    private static let barWidth = 24
    /// Between two drawings of the bar.
    private static let drawingPeriod = Duration.milliseconds(100)
    /// Between two lines, when less than a tenth came meanwhile.
    private static let linePeriod = Duration.seconds(10)
    /// Tenths that come faster than this get no line.
    private static let lineDistance = Duration.seconds(1)

    private let title: String
    private let style: Style
    private let state: Mutex<State>

    /// `total`: Bytes; nil: not known yet.
    init(title: String, total: Int64?, isQuiet: Bool) {
        self.title = title
        style = isQuiet ? .none : isatty(STDERR_FILENO) == 1 ? .bar : .lines
        state = Mutex(State(totalBytes: total ?? 0, shown: .now))
    }

    /// Notes how many bytes there are in all.
    func setTotal(_ bytes: Int64) {
        state.withLock { $0.totalBytes = bytes }
    }

    /// Notes bytes that went over the wire; a negative number takes back what must be sent again.
    func add(_ bytes: Int64) {
        guard style != .none else { return }
        let now = ContinuousClock.now
        state.withLock { state in
            state.doneBytes += bytes
            if state.start == nil { state.start = now }
            guard !state.isFinished else { return }
            switch style {
            case .none: break
            case .bar:
                guard state.shown.duration(to: now) >= Self.drawingPeriod else { return }
                state.shown = now
                state.hasBar = true
                Self.write("\r\(bar(state, at: now))\u{1b}[K")
            case .lines:
                let tenth = state.totalBytes > 0 ? Int(state.doneBytes * 10 / state.totalBytes) : 0
                let period = state.shown.duration(to: now)
                guard period >= Self.linePeriod || tenth > state.shownTenth && period >= Self.lineDistance else {
                    return
                }
                state.shown = now
                state.shownTenth = tenth
                Self.write("\(line(state, at: now))\n")
            }
        }
    }

    /// Clears the bar away; may be called more than once.
    func finish() {
        state.withLock { state in
            if state.hasBar { Self.write("\r\u{1b}[K") }
            state.hasBar = false
            state.isFinished = true
        }
    }

    /// One line of less than 80 columns, so that it is never broken in two.
    private func bar(_ state: State, at now: ContinuousClock.Instant) -> String {
        let share = state.totalBytes > 0 ? max(0, min(1, Double(state.doneBytes) / Double(state.totalBytes))) : 0
        let filled = Int(share * Double(Self.barWidth))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
        return "\(title.prefix(12)) [\(bar)] \(numbers(state, at: now))"
    }

    private func line(_ state: State, at now: ContinuousClock.Instant) -> String {
        let percent = state.totalBytes > 0 ? " (\(state.doneBytes * 100 / state.totalBytes) %)" : ""
        return "\(title): \(numbers(state, at: now))\(percent)"
    }

    private func numbers(_ state: State, at now: ContinuousClock.Instant) -> String {
        let done = ByteCount(max(0, state.doneBytes))
        var text = state.totalBytes > 0 ? "\(done) of \(ByteCount(state.totalBytes))" : "\(done)"
        let elapsed = (state.start ?? now).duration(to: now) / .seconds(1)
        guard elapsed > 0.2, state.doneBytes > 0 else { return text }
        let rate = Double(state.doneBytes) / elapsed
        text += ", \(ByteCount(Int64(rate)))/s"
        guard state.totalBytes > state.doneBytes else { return text }
        let left = Duration.seconds(Double(state.totalBytes - state.doneBytes) / rate)
        return text + ", \(left.shortText) left"
    }

    private static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
