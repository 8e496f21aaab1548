import LarderCore

/// Which bytes of an upload in parts have come, and how far they are hashed.
///
/// Bytes that have come are never written again: they may be hashed already.
struct UploadParts: Sendable {
    /// Parts that are out of order are remembered up to this number of gaps.
    private static let gapCountMax = 1000

    /// What is to become of a part.
    enum Beginning: Sendable {
        /// It is written; `end` must follow.
        case write
        /// Its bytes have come before.
        case known
        /// Some of its bytes have come, or are being sent.
        case busy
    }

    /// Bytes of the whole, if its sender said so.
    var size: Int64?
    /// What is written, in order and never touching.
    private var ranges: [Range<Int64>] = []
    /// What is being sent.
    private var active: [Range<Int64>] = []
    /// SHA-256 of the first bytes.
    var hasher = IncrementalHasher()
    /// Whether somebody hashes.
    var isHashing = false
    /// Whether somebody makes the first bytes durable.
    var isSynchronizing = false
    /// Who waits for the end of hashing.
    var waiter: CheckedContinuation<Void, Never>?

    /// `received`: Bytes from the start that are there.
    init(size: Int64?, received: Int64) {
        self.size = size
        if received > 0 { ranges = [0..<received] }
    }

    /// Bytes from the start without a gap.
    var contiguousLength: Int64 {
        guard let first = ranges.first, first.lowerBound == 0 else { return 0 }
        return first.upperBound
    }

    /// Whether nothing has come.
    var isEmpty: Bool { ranges.isEmpty && active.isEmpty }

    /// Whether there is nothing behind a gap.
    var isContiguous: Bool { ranges.count <= 1 }

    /// Begins a part.
    mutating func begin(_ range: Range<Int64>) -> Beginning {
        if ranges.contains(where: { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound }) {
            return .known
        }
        let isTaken = (ranges + active).contains { $0.overlaps(range) }
        guard !isTaken, ranges.count + active.count < Self.gapCountMax else { return .busy }
        active.append(range)
        return .write
    }

    /// Ends a part; its bytes count if all of them are written.
    mutating func end(_ range: Range<Int64>, isWritten: Bool) {
        active.removeAll { $0 == range }
        guard isWritten, !range.isEmpty else { return }
        let before = ranges.firstIndex { $0.upperBound == range.lowerBound }
        var merged = range
        if let before { merged = ranges.remove(at: before).lowerBound..<merged.upperBound }
        if let after = ranges.firstIndex(where: { $0.lowerBound == range.upperBound }) {
            merged = merged.lowerBound..<ranges.remove(at: after).upperBound
        }
        ranges.insert(merged, at: ranges.firstIndex { $0.lowerBound > merged.lowerBound } ?? ranges.count)
    }
}
