import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// Stores the blobs of a pack while it comes.
///
/// Small ones are gathered, and stored in batches that go side by side; what is large is written as it comes.
struct PackReceiver {
    /// What one pack takes at most while it is received.
    static let memoryLimit = ByteCount(Int64(batchesMax + 2) * Store.batchedSizeLimit.bytes)
    /// Batches that are stored at the same time.
    private static let batchesMax = 4

    private typealias Batch = [(digest: Digest, bytes: ByteBuffer)]

    let store: Store
    let repository: RepositoryName
    let kind: RepositoryKind
    private(set) var blobCount = 0
    private(set) var byteCount: Int64 = 0

    init(store: Store, repository: RepositoryName, kind: RepositoryKind) {
        self.store = store
        self.repository = repository
        self.kind = kind
    }

    /// Receives all of a pack: what it held is durable on return.
    ///
    /// When it breaks off, what came of it may be kept.
    ///
    /// - Throws: `invalidContent` for what is no pack or no whole one; as `Store.put`; what the body's sequence throws.
    mutating func receive<Body: AsyncSequence>(_ body: Body) async throws where Body.Element == ByteBuffer {
        let input = PackInput(body.makeAsyncIterator())
        let (store, repository, kind) = (store, repository, kind)
        let (blobCount, byteCount) = try await withThrowingTaskGroup(of: Void.self) { group in
            var (blobCount, byteCount) = (0, Int64(0))
            var (batch, batchBytes, running) = (Batch(), 0, 0)
            func flush() async throws {
                guard !batch.isEmpty else { return }
                if running == Self.batchesMax {
                    try await group.next()
                    running -= 1
                }
                let full = batch
                (batch, batchBytes) = ([], 0)
                group.addTask { try await store.putBlobs(full, in: repository, kind: kind) }
                running += 1
            }
            while true {
                let frame = try await input.frame()
                switch (frame.kind, frame.digest) {
                case (.blob, let digest?) where frame.size <= Store.batchedSizeLimit.bytes:
                    if batchBytes + Int(frame.size) > Store.batchedSizeLimit.bytes { try await flush() }
                    batch.append((digest, try await input.bytes(Int(frame.size))))
                    batchBytes += Int(frame.size)
                    if batch.count == Store.batchLengthMax { try await flush() }
                case (.blob, let digest?):
                    try await flush()
                    let target = WriteTarget(repository: repository, kind: kind, item: .blob(digest))
                    try await store.put(target, body: PackedBlob(input: input, size: frame.size), length: frame.size)
                case (.end, _):
                    guard frame.size == blobCount, try await input.isAtEnd() else {
                        throw StoreError.invalidContent("the pack holds not as many blobs as its end says")
                    }
                    try await flush()
                    try await group.waitForAll()
                    return (blobCount, byteCount)
                default: throw StoreError.invalidContent("a pack that is sent holds blobs only")
                }
                blobCount += 1
                byteCount += frame.size
            }
        }
        self.blobCount = blobCount
        self.byteCount = byteCount
    }
}

/// The body of a request, taken in pieces of any length.
///
/// Used by one task.
private final class PackInput<Chunks: AsyncIteratorProtocol> where Chunks.Element == ByteBuffer {
    private static var copiedLength: Int { 64 << 10 }

    private var chunks: Chunks
    private var buffer = ByteBuffer()

    init(_ chunks: Chunks) {
        self.chunks = chunks
    }

    /// The head of the next frame.
    func frame() async throws -> PackFrame {
        let head = try await bytes(PackFrame.headLength)
        return try head.withUnsafeReadableBytes { try PackFrame(head: $0) }
    }

    /// The next bytes, all of them.
    func bytes(_ count: Int) async throws -> ByteBuffer {
        if let slice = buffer.readSlice(length: count) {
            // A small part would keep all of the chunk.
            return count < Self.copiedLength ? ByteBuffer(bytes: slice.readableBytesView) : slice
        }
        var result = ByteBuffer()
        result.reserveCapacity(count)
        while result.readableBytes < count {
            let piece = try await piece(atMost: count - result.readableBytes)
            guard let piece else { throw StoreError.invalidContent("the pack ends too early") }
            result.writeImmutableBuffer(piece)
        }
        return result
    }

    /// The next bytes, as many as there are; nil at the end.
    func piece(atMost count: Int) async throws -> ByteBuffer? {
        while buffer.readableBytes == 0 {
            guard let chunk = try await chunks.next() else { return nil }
            buffer = chunk
        }
        return buffer.readSlice(length: min(count, buffer.readableBytes))
    }

    func isAtEnd() async throws -> Bool {
        try await piece(atMost: 1) == nil
    }
}

/// One blob of a pack, as a body of its own.
private struct PackedBlob<Chunks: AsyncIteratorProtocol>: AsyncSequence where Chunks.Element == ByteBuffer {
    typealias Element = ByteBuffer

    let input: PackInput<Chunks>
    let size: Int64

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(input: input, rest: size) }

    struct AsyncIterator: AsyncIteratorProtocol {
        let input: PackInput<Chunks>
        var rest: Int64

        mutating func next() async throws -> ByteBuffer? {
            guard rest > 0 else { return nil }
            guard let piece = try await input.piece(atMost: Int(Swift.min(rest, 1 << 20))) else {
                throw StoreError.invalidContent("the pack ends too early")
            }
            rest -= Int64(piece.readableBytes)
            return piece
        }
    }
}
