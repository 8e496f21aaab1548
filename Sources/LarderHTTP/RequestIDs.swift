import Synchronization

/// Short ids, different for every request of a process and, by the seed, very likely between processes.
final class RequestIDs: Sendable {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)
    private let prefix: UInt64
    private let counter = Atomic<UInt64>(0)

    init(seed: UInt32) {
        prefix = UInt64(seed & 0xfffff) << 40
    }

    func next() -> String {
        var value = prefix | counter.wrappingAdd(1, ordering: .relaxed).newValue & 0xff_ffff_ffff
        return String(unsafeUninitializedCapacity: 12) { buffer in
            for index in stride(from: 11, through: 0, by: -1) {
                buffer[index] = Self.alphabet[Int(value & 31)]
                value >>= 5
            }
            return 12
        }
    }
}
