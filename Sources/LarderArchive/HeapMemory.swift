/// Memory on the heap that is freed with its owner.
///
/// `Sendable` because it can't be copied: who holds it is the only one who reaches the memory. What it keeps is the
/// address, as pointers are never `Sendable`.
struct HeapMemory<Value: BitwiseCopyable>: ~Copyable, Sendable {
    private let address: UInt
    let count: Int

    /// `count`: How many values, at least one.
    init(count: Int, repeating value: Value) {
        let start = UnsafeMutablePointer<Value>.allocate(capacity: count)
        start.initialize(repeating: value, count: count)
        address = UInt(bitPattern: start)
        self.count = count
    }

    deinit {
        start.deallocate()
    }

    /// Valid as long as the owner lives.
    var start: UnsafeMutablePointer<Value> {
        guard let pointer = UnsafeMutablePointer<Value>(bitPattern: address) else {
            preconditionFailure("memory has an address")
        }
        return pointer
    }
}
