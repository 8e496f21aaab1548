import Synchronization

/// The pieces of a large blob, handed out in their order to those who transfer them.
final class PieceList: Sendable {
    private let next: Mutex<Int64>
    private let size: Int64
    private let pieceSize: Int64

    /// Sizes are bytes; `start`: Where the first piece begins.
    init(size: Int64, pieceSize: Int64, from start: Int64 = 0) {
        self.size = size
        self.pieceSize = pieceSize
        next = Mutex(start)
    }

    /// Pieces that are left.
    var count: Int64 { (size - next.withLock { $0 } + pieceSize - 1) / pieceSize }

    /// The next piece; nil: there is none.
    func take() -> Range<Int64>? {
        next.withLock { next in
            guard next < size else { return nil }
            // Pieces end at multiples of their size, wherever the first begins.
            let end = min(size, (next / pieceSize + 1) * pieceSize)
            defer { next = end }
            return next..<end
        }
    }
}
