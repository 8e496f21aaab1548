import Foundation
import LarderClient
import LarderCore
import Synchronization

/// The progress of a copy: on a terminal a bar for each layer that is on its way, in a log a line for each that is
/// done.
///
/// The blobs of an image report from tasks of their own, so what is shown is behind a lock.
final class CopyProgress: Sendable {
    private enum Style: Sendable {
        case bars, lines, none
    }

    private struct Layer {
        let blob: Descriptor
        let start: ContinuousClock.Instant
        var byteCount: Int64 = 0
    }

    private struct State {
        /// Those on their way, in the order in which they began.
        var layers: [Layer] = []
        /// Lines on the screen that the next drawing goes over.
        var lineCount = 0
        var drawn: ContinuousClock.Instant?
    }

    private static let barWidth = 20
    /// Between two drawings that only bytes call for.
    private static let drawingPeriod = Duration.milliseconds(100)

    private let style: Style
    private let state = Mutex(State())

    init(isQuiet: Bool) {
        style = isQuiet ? .none : isatty(STDERR_FILENO) == 1 ? .bars : .lines
    }

    /// Shows what happened.
    func note(_ event: CopyEvent) {
        guard style != .none else { return }
        let now = ContinuousClock.now
        state.withLock { state in
            switch event {
            case .planned(let blobCount, let byteCount):
                Self.write("\(blobCount) blobs, \(ByteCount(byteCount))\n")
            case .moved(let blob, let byteCount):
                guard style == .bars else { return }
                Self.note(byteCount, of: blob, at: now, in: &state)
                if let drawn = state.drawn, drawn.duration(to: now) < Self.drawingPeriod { return }
                Self.draw(&state, finished: nil, at: now)
            case .finished(let blob, let outcome):
                let line = Self.line(blob, outcome)
                guard style == .bars else { return Self.write(line) }
                state.layers.removeAll { $0.blob.digest == blob.digest }
                Self.draw(&state, finished: line, at: now)
            }
        }
    }

    /// Clears the bars away; may be called more than once.
    func finish() {
        guard style == .bars else { return }
        state.withLock { state in
            state.layers = []
            Self.draw(&state, finished: nil, at: ContinuousClock.now)
        }
    }

    private static func note(
        _ byteCount: Int64,
        of blob: Descriptor,
        at now: ContinuousClock.Instant,
        in state: inout State
    ) {
        if let index = state.layers.firstIndex(where: { $0.blob.digest == blob.digest }) {
            state.layers[index].byteCount = byteCount
        } else {
            state.layers.append(Layer(blob: blob, start: now, byteCount: byteCount))
        }
    }

    private static func line(_ blob: Descriptor, _ outcome: BlobOutcome) -> String {
        let what =
            switch outcome {
            case .copied: "copied"
            case .present: "there already"
            case .mounted: "mounted"
            }
        return "\(shortDigest(blob.digest.description))  \(what), \(ByteCount(blob.size))\n"
    }

    /// Draws the bars over the last ones; a line about a finished layer stays above them.
    private static func draw(_ state: inout State, finished line: String?, at now: ContinuousClock.Instant) {
        var text = state.lineCount > 0 ? "\u{1b}[\(state.lineCount)A\r\u{1b}[J" : ""
        text += line ?? ""
        for layer in state.layers { text += bar(layer, at: now) }
        state.lineCount = state.layers.count
        state.drawn = now
        if !text.isEmpty { write(text) }
    }

    /// One line of less than 80 columns: going up by lines is right only where none is broken in two.
    private static func bar(_ layer: Layer, at now: ContinuousClock.Instant) -> String {
        let share = layer.blob.size > 0 ? min(1, Double(layer.byteCount) / Double(layer.blob.size)) : 1
        let filled = Int(share * Double(barWidth))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: barWidth - filled)
        let elapsed = layer.start.duration(to: now) / .seconds(1)
        let rate = elapsed > 0.2 ? "\(ByteCount(Int64(Double(layer.byteCount) / elapsed)))/s" : ""
        let bytes = "\(ByteCount(layer.byteCount)) of \(ByteCount(layer.blob.size))"
        return "\(shortDigest(layer.blob.digest.description))  [\(bar)]  \(bytes)  \(rate)\n"
    }

    private static func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}
