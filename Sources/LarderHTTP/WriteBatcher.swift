import LarderCore
import LarderStore
import NIOCore

/// Collects the small writes of one event-loop tick and queues them together: a commit then serves them all, instead of
/// one serving the first and another the rest.
///
/// Sendable because all of its state is bound to its event loop, on which every function runs.
final class WriteBatcher: Sendable {
    private struct State {
        var waiting: [(write: SmallWrite, completion: (StoreError?) -> Void)] = []
        var isScheduled = false
    }

    private let store: Store
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    init(store: Store, eventLoop: any EventLoop) {
        self.store = store
        self.eventLoop = eventLoop
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Commits a write; `completion` is called on the event loop.
    ///
    /// Only on the event loop.
    func commit(_ write: SmallWrite, completion: @escaping (StoreError?) -> Void) {
        state.value.waiting.append((write, completion))
        guard !state.value.isScheduled else { return }
        state.value.isScheduled = true
        eventLoop.execute { self.flush() }
    }

    private func flush() {
        let batch = state.value.waiting
        state.value.waiting = []
        state.value.isScheduled = false
        let completions = NIOLoopBound(batch.map(\.completion), eventLoop: eventLoop)
        store.commit(batch.map(\.write), on: eventLoop) { errors in
            for (completion, error) in zip(completions.value, errors) {
                completion(error)
            }
        }
    }
}
