import LarderCore
import LarderMetadata
import NIOCore
import Synchronization

/// A small write that was checked and has its room: ready to be committed.
package struct SmallWrite: Sendable {
    let write: InlineWrite
    let reservedBytes: Int64
}

/// Gathers the results of writes that were queued together.
final class WriteGroup: Sendable {
    private let state: Mutex<(errors: [StoreError?], remaining: Int)>
    private let completion: @Sendable ([StoreError?]) -> Void

    init(count: Int, completion: @escaping @Sendable ([StoreError?]) -> Void) {
        state = Mutex((Array(repeating: nil, count: count), count))
        self.completion = completion
    }

    func finish(_ index: Int, _ error: StoreError?) {
        let errors = state.withLock { state -> [StoreError?]? in
            state.errors[index] = error
            state.remaining -= 1
            return state.remaining == 0 ? state.errors : nil
        }
        if let errors { completion(errors) }
    }
}

/// A write whose bytes go into the database, checked and ready for its transaction.
struct InlineWrite: Sendable {
    private let write: FileWrite

    /// Hashes, compares and inspects: a few microseconds for up to the inline limit.
    init(
        _ target: WriteTarget,
        bytes: ByteBuffer,
        repository: RepositoryID,
        clock: UseClock
    ) throws(StoreError) {
        var hasher = IncrementalHasher(alsoSHA512: target.namesSHA512)
        bytes.withUnsafeReadableBytes { hasher.update($0) }
        let digests = hasher.finalize()
        if case .blob(let expected) = target.item, !digests.contains(expected) {
            throw .digestMismatch(expected: expected, actual: digests.last ?? digests[0])
        }
        var references = EntryReferences.none
        if case .entry(_, let inspect?) = target.item { references = try inspect(bytes) }
        let blob = UploadedBlob(
            digest: digests[0],
            aliases: Array(digests.dropFirst()),
            size: Int64(bytes.readableBytes),
            content: .inline(Array(bytes.readableBytesView))
        )
        write = FileWrite(target, blob: blob, references: references, repository: repository, clock: clock)
    }

    func perform(_ transaction: MetadataTransaction) throws {
        _ = try write.perform(transaction)
    }
}

/// A write of a blob whose bytes are where its row says, ready for its transaction.
struct FileWrite: Sendable {
    private let target: WriteTarget
    private let blob: UploadedBlob
    private let references: EntryReferences
    private let repository: RepositoryID
    private let clock: UseClock

    init(
        _ target: WriteTarget,
        blob: UploadedBlob,
        references: EntryReferences,
        repository: RepositoryID,
        clock: UseClock
    ) {
        self.target = target
        self.blob = blob
        self.references = references
        self.repository = repository
        self.clock = clock
    }

    /// Returns whether the blob's own bytes were stored: false when the store had them.
    func perform(_ transaction: MetadataTransaction) throws -> Bool {
        switch target.item {
        case .blob:
            try transaction.putBlob(blob, in: repository, isExplicit: true, clock: clock).isStored
        case .entry(let key, _):
            try transaction.putEntry(key, value: blob, references: references, in: repository, clock: clock).isStored
        }
    }
}

extension WriteTarget {
    /// Entries that the write adds to its repository, if it replaces none.
    var entryCount: Int64 {
        if case .entry = item { 1 } else { 0 }
    }

    var namesSHA512: Bool {
        if case .blob(let digest) = item { digest.algorithm == .sha512 } else { false }
    }
}

/// Hashes without writing.
final class HashingSink: Sendable {
    private let hasher = Mutex(IncrementalHasher())

    func write(_ bytes: UnsafeRawBufferPointer) {
        hasher.withLock { $0.update(bytes) }
    }

    var digest: Digest { hasher.withLock { $0.finalize()[0] } }
}

/// Chunks that were read already, then the rest of the body.
struct PrefixedChunks<Rest: AsyncIteratorProtocol> where Rest.Element == ByteBuffer {
    private var first: [ByteBuffer]
    private var rest: Rest

    init(first: [ByteBuffer], rest: Rest) {
        self.first = first.reversed()
        self.rest = rest
    }

    mutating func next() async throws -> ByteBuffer? {
        if let chunk = first.popLast() { return chunk }
        return try await rest.next()
    }
}

/// A body that is over.
struct EmptyChunks: AsyncIteratorProtocol {
    mutating func next() async -> ByteBuffer? { nil }
}
