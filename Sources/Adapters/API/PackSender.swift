import LarderCore
import LarderStore
import NIOCore

/// Reads blobs and makes a pack of them, piece by piece; the next piece is read while one is being sent.
struct PackSender {
    /// What one pack takes at most while it is sent.
    static let memoryLimit = ByteCount(Int64(6 * pieceLength))
    private static let pieceLength = 1 << 20
    /// Blobs that are looked up together; those in files are open from then on.
    private static let blobsPerRead = 64

    /// What was read, and where it goes on.
    private struct Piece: Sendable {
        var bytes: ByteBuffer
        var position: Position
    }

    /// A place in the pack.
    private struct Position: Sendable {
        /// Of the next digest that is to be looked up.
        var index = 0
        /// What was found and is still to be sent, in reverse order.
        var found: [(digest: Digest, outcome: ReadOutcome)] = []
        /// Of the blob before that, whose rest is still to come, with what was read of it hashed.
        var open: (content: StoredContent, offset: Int64, hasher: IncrementalHasher)?
        var blobCount = 0
        var isOver = false
    }

    private let store: Store
    private let repository: RepositoryID
    private let digests: [Digest]
    private var reading: Task<Piece, any Error>?
    private var isOver = false

    init(store: Store, repository: RepositoryID, digests: [Digest]) {
        self.store = store
        self.repository = repository
        self.digests = digests
    }

    /// The next bytes of the pack; nil behind its end.
    mutating func next() async throws -> ByteBuffer? {
        guard !isOver else { return nil }
        let piece = try await (reading ?? read(from: Position())).value
        isOver = piece.position.isOver
        reading = isOver ? nil : read(from: piece.position)
        return piece.bytes
    }

    /// Owned by `reading`, which the next call waits for; it ends by itself after one piece.
    private func read(from position: Position) -> Task<Piece, any Error> {
        let (store, repository, digests) = (store, repository, digests)
        return Task {
            try await store.onPool { try Self.read(digests, from: position, in: repository, store) }
        }
    }

    /// Blocks.
    private static func read(
        _ digests: [Digest],
        from start: Position,
        in repository: RepositoryID,
        _ store: Store
    ) throws -> Piece {
        var position = start
        var bytes = ByteBuffer()
        bytes.reserveCapacity(pieceLength + 4096)
        // Blobs in files are verified on their way: a restore reads what nobody may have looked at for weeks.
        func append(_ content: StoredContent, at offset: Int64, _ hasher: IncrementalHasher) throws {
            var (offset, hasher) = (offset, hasher)
            while offset < content.size {
                let room = pieceLength - bytes.readableBytes
                if room <= 0 {
                    position.open = (content, offset, hasher)
                    return
                }
                let piece = try store.piece(of: content, at: offset, count: room)
                if content.isInFile { piece.withUnsafeReadableBytes { hasher.update($0) } }
                offset += Int64(piece.readableBytes)
                bytes.writeImmutableBuffer(piece)
            }
            position.open = nil
            guard !content.isInFile || hasher.finalize()[0] == content.digest else {
                store.reportDamage(of: content.digest)
                throw StoreError.corrupt("blob \(content.digest)")
            }
        }
        if let open = position.open { try append(open.content, at: open.offset, open.hasher) }
        while position.open == nil, bytes.readableBytes < pieceLength {
            guard let (digest, outcome) = position.found.popLast() else {
                guard position.index < digests.count else {
                    bytes.writeBytes(PackFrame.end(blobCount: position.blobCount).head)
                    position.isOver = true
                    break
                }
                let slice = digests[position.index...].prefix(blobsPerRead)
                position.index += slice.count
                let names = slice.map { StoredName(repository: repository, item: .blob($0)) }
                position.found = zip(slice, store.resolve(names, fillsHotSet: false)).reversed().map { ($0, $1) }
                continue
            }
            switch outcome {
            case .found(let content):
                let start = bytes.writerIndex
                bytes.writeBytes(PackFrame.blob(digest, size: content.size).head)
                do {
                    try append(content, at: 0, IncrementalHasher())
                    position.blobCount += 1
                } catch StoreError.corrupt {
                    // All of it is still here: what is damaged is missing.
                    bytes.moveWriterIndex(to: start)
                    bytes.writeBytes(PackFrame.missing(digest).head)
                }
            case .miss, .incomplete: bytes.writeBytes(PackFrame.missing(digest).head)
            case .failed(let error): throw error
            }
        }
        return Piece(bytes: bytes, position: position)
    }
}
