import LarderCore
import LarderStore
import NIOCore

/// Collects the misses of the hot set of one event-loop tick and looks them up as one read of the database.
///
/// Sendable because all of its state is bound to its event loop, on which every function runs.
final class MissBatcher: Sendable {
    private struct State {
        var waiting: [(name: StoredName, completion: (ReadOutcome) -> Void)] = []
        var isScheduled = false
        var inFlight = 0
    }

    /// Reads that run at one time for one loop.
    private static let inFlightMax = 4
    /// While a read runs, misses gather until there are so many: a batch costs two thread switches, however large it is.
    private static let batchMin = 16
    private static let batchMax = 64

    private let store: Store
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(store: Store, eventLoop: any EventLoop) {
        self.store = store
        self.eventLoop = eventLoop
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Looks a name up; `completion` is called on the event loop.
    ///
    /// Only on the event loop.
    func find(_ name: StoredName, completion: @escaping (ReadOutcome) -> Void) {
        state.value.waiting.append((name, completion))
        guard !state.value.isScheduled, isDue else { return }
        state.value.isScheduled = true
        eventLoop.execute { self.flush() }
    }

    private var isDue: Bool {
        let (waiting, inFlight) = (state.value.waiting.count, state.value.inFlight)
        return inFlight == 0 ? waiting > 0 : waiting >= Self.batchMin && inFlight < Self.inFlightMax
    }

    private func flush() {
        state.value.isScheduled = false
        guard isDue else { return }
        let batch = Array(state.value.waiting.prefix(Self.batchMax))
        state.value.waiting.removeFirst(batch.count)
        state.value.inFlight += 1
        let completions = NIOLoopBound(batch.map(\.completion), eventLoop: eventLoop)
        store.resolve(batch.map(\.name)) { [eventLoop] outcomes in
            eventLoop.execute {
                self.state.value.inFlight -= 1
                for (completion, outcome) in zip(completions.value, outcomes) {
                    completion(outcome)
                }
                self.flush()
            }
        }
    }
}
