import NIOCore

/// Flushes the answers of one event-loop tick together, after everything that arrived in it was read.
///
/// A client with many connections then finds several answers when it wakes up, instead of being woken for each.
///
/// Sendable because all of its state is bound to its event loop, on which every function runs.
final class FlushBatcher: Sendable {
    private let eventLoop: any EventLoop
    private let waiting: NIOLoopBoundBox<[WireHandler]>

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        waiting = NIOLoopBoundBox.makeBoxSendingValue([], eventLoop: eventLoop)
    }

    /// Flushes a connection at the end of the tick.
    ///
    /// Only on the event loop.
    func flush(_ wire: WireHandler) {
        waiting.value.append(wire)
        guard waiting.value.count == 1 else { return }
        eventLoop.execute { self.flushAll() }
    }

    private func flushAll() {
        let wires = waiting.value
        waiting.value.removeAll(keepingCapacity: true)
        for wire in wires { wire.flush() }
    }
}
