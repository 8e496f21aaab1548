import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore
import Synchronization

/// Many blobs at a time: what is there, and what comes as one stream.
extension Store {
    /// Blobs up to this size are taken into memory, many at a time; larger ones are written as they come.
    package static let batchedSizeLimit = ByteCount.mebibytes(1)
    /// Blobs of one batch at most: they share a transaction.
    package static let batchLengthMax = 200
    private static let digestsPerRead = 500
    /// Repositories that are looked through for a blob at most.
    private static let sourcesMax = 100

    /// Which of some blobs a repository has; what it has is protected as if it had been sent now (D2).
    ///
    /// What another repository has is linked here, so that it need not be sent.
    ///
    /// `isReadable`: Whether the asker may read a repository, and so take blobs from there.
    ///
    /// New links are durable on return.
    ///
    /// - Throws: As `admit`.
    package func claim(
        _ digests: [Digest],
        in name: RepositoryName,
        kind: RepositoryKind,
        isReadable: (RepositoryName) -> Bool = { _ in true }
    ) async throws -> Set<Digest> {
        try admit(name, kind: kind, length: nil, limit: nil)
        let repository = try await repositoryForWriting(name, kind: kind)
        let others = directory.all.filter { $0.id != repository.id && isReadable($0.name) }
            .prefix(Self.sourcesMax).map(\.id)
        var present: Set<Digest> = []
        present.reserveCapacity(digests.count)
        var rest = digests[...]
        while !rest.isEmpty {
            let slice = rest.prefix(Self.digestsPerRead)
            rest = rest.dropFirst(slice.count)
            // U1: an eviction between the snapshot and the notes of use would not see these.
            var evictionCount: Int
            var found: Set<Digest>
            repeat {
                try Task.checkCancellation()
                evictionCount = uses.evictionCount
                found = try await claim(slice, in: repository, others: others)
            } while uses.evictionCount != evictionCount
            present.formUnion(found)
        }
        return present
    }

    private func claim(
        _ slice: ArraySlice<Digest>,
        in repository: Repository,
        others: [RepositoryID]
    ) async throws -> Set<Digest> {
        var present: Set<Digest> = []
        let found = try await read { try $0.presence(of: slice, in: repository.id, others: others) }
        let clock = useClock(in: repository.kind)
        var (sources, adoptedBytes) = ([(digest: Digest, repository: RepositoryID)](), Int64(0))
        for (digest, presence) in zip(slice, found) {
            switch presence {
            case .linked(let blobID, let lastUsed):
                let isFresh = clock.now - lastUsed <= clock.precision
                // U1: one that is being evicted is sent again.
                if isFresh || uses.note(.link(repository: repository.id, blobID: blobID), at: clock.now) {
                    present.insert(digest)
                }
            case .elsewhere(let source, let size):
                sources.append((digest, source))
                adoptedBytes += size
            case .missing: break
            }
        }
        // What the quota has no room for is sent, and refused then with the reason.
        guard !sources.isEmpty, !repository.isOverQuota(bytes: adoptedBytes, entries: 0) else { return present }
        let wanted = sources
        present.formUnion(
            try await committer.commit(rowCount: sources.count * 2) {
                try $0.adoptBlobs(wanted, to: repository.id, clock: clock)
            }
        )
        return present
    }

    /// Which of some sizes of at least 16 MiB a blob has that is stored anywhere.
    package func largeBlobSizes(among sizes: [Int64]) async throws -> Set<Int64> {
        try await read { try $0.largeBlobSizes(among: sizes) }
    }

    /// Stores blobs that are in memory: all of them are durable on return, or, when this throws, any of them.
    ///
    /// `batch`: At most `batchLengthMax`, each of at most `batchedSizeLimit`.
    ///
    /// - Throws: As `admit`; `digestMismatch`.
    package func putBlobs(
        _ batch: [(digest: Digest, bytes: ByteBuffer)],
        in name: RepositoryName,
        kind: RepositoryKind
    ) async throws {
        let byteCount = batch.reduce(0) { $0 + Int64($1.bytes.readableBytes) }
        try admit(name, kind: kind, length: byteCount, limit: nil)
        let repository = try await repositoryForWriting(name, kind: kind)
        let reservation = Reservation(store: self, repository: repository.id, entries: 0)
        defer { reservation.release() }
        try await reservation.take(byteCount)
        let files = BatchFiles(store: self, repository: repository.id, clock: useClock(in: kind))
        do {
            let writes = try await pool.run { try files.write(batch) }
            let areStored = try await committer.commit(rowCount: batch.count * 4, room: reservation.room) {
                transaction in
                try writes.map { try $0.perform(transaction) }
            }
            reservation.settle()
            pool.submit { files.settle(areStored) }
        } catch {
            if committer.hasFailed {
                // The transaction may have used it up, and the files may have their rows: the next start looks.
                reservation.settle()
            } else {
                pool.submit { files.abandon() }
            }
            if case StoreError.noSpace = error { diskIsFull() }
            throw error
        }
    }
}

/// Makes the bytes of a batch ready for its transaction.
private final class BatchFiles: Sendable {
    private let store: Store
    private let repository: RepositoryID
    private let clock: UseClock
    private let uploads = Mutex<[Int: BlobUpload]>([:])

    init(store: Store, repository: RepositoryID, clock: UseClock) {
        self.store = store
        self.repository = repository
        self.clock = clock
    }

    /// Hashes, compares, and writes what is too long to be inline (W1).
    ///
    /// Blocks.
    func write(_ batch: [(digest: Digest, bytes: ByteBuffer)]) throws -> [BatchWrite] {
        try batch.enumerated().map { index, blob in
            let (digest, bytes) = blob
            let actual = bytes.withUnsafeReadableBytes { IncrementalHasher.digest(of: $0) }
            guard actual == digest else { throw StoreError.digestMismatch(expected: digest, actual: actual) }
            let size = Int64(bytes.readableBytes)
            let content: BlobContent
            if size <= store.configuration.inlineLimit.bytes {
                content = .inline(Array(bytes.readableBytesView))
            } else {
                let upload = try store.blobs.beginUpload()
                uploads.withLock { $0[index] = upload }
                try bytes.withUnsafeReadableBytes { try upload.append($0) }
                try upload.finish()
                try upload.publish(as: digest)
                content = .file(generation: upload.generation)
            }
            return BatchWrite(
                blob: UploadedBlob(digest: digest, size: size, content: content),
                repository: repository,
                clock: clock
            )
        }
    }

    func settle(_ areStored: [Bool]) {
        for (index, upload) in uploads.withLock({ $0 }) {
            if areStored[index] { upload.settle() } else { upload.abandon() }
        }
    }

    func abandon() {
        for upload in uploads.withLock({ $0.values }) { upload.abandon() }
    }
}

private struct BatchWrite: Sendable {
    let blob: UploadedBlob
    let repository: RepositoryID
    let clock: UseClock

    /// Returns whether the bytes given are the ones that are stored.
    func perform(_ transaction: MetadataTransaction) throws -> Bool {
        try transaction.putBlob(blob, in: repository, isExplicit: true, clock: clock).isStored
    }
}

extension Store {
    /// Reads a piece of content; empty at its end.
    ///
    /// Blocks: for threads of the pool.
    package func piece(of content: StoredContent, at offset: Int64, count: Int) throws -> ByteBuffer {
        switch content.body {
        case .bytes(let bytes):
            let start = min(bytes.readableBytes, Int(offset))
            return bytes.getSlice(at: bytes.readerIndex + start, length: min(count, bytes.readableBytes - start))
                ?? ByteBuffer()
        case .file(let file):
            let length = Int(min(Int64(count), content.size - offset))
            return length > 0 ? ByteBuffer(bytes: try file.blob.read(at: offset, count: length)) : ByteBuffer()
        }
    }

    /// Runs blocking reads on the file pool and waits for them.
    package func onPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await pool.run(work)
    }
}
