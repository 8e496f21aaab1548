import Synchronization

/// A number of bytes to which several tasks add.
final class ByteTally: Sendable {
    private let bytes = Atomic<Int64>(0)

    var count: Int64 { bytes.load(ordering: .relaxed) }

    func add(_ count: Int64) { bytes.add(count, ordering: .relaxed) }
}
