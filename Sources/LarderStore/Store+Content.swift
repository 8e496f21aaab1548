import LarderBlobs
import LarderCore
import LarderMetadata
import NIOCore

/// What became of an entry's own bytes, and of the entry.
struct Commitment<Value: Sendable>: Sendable {
    /// Whether a row names the content given: its file stays then.
    let isStored: Bool
    let outcome: Result<Value, StoreError>
}

extension Store {
    /// Makes an entry's bytes durable, in a file if they are too long to be inline, for a transaction that names them.
    ///
    /// `entries`: How many the repository has more then. None: what is there takes nothing of its quota.
    func withStoredContent<Value>(
        _ bytes: ByteBuffer,
        digests: [Digest],
        repository: Repository,
        entries: Int64,
        _ commit: (UploadedBlob, Reservation) async throws(StoreError) -> Commitment<Value>
    ) async throws -> Value {
        let size = Int64(bytes.readableBytes)
        let reservation = Reservation(store: self, repository: repository.id, entries: entries)
        defer { reservation.release() }
        if entries > 0 { try await reservation.take(size) }
        let aliases = Array(digests.dropFirst())
        if size <= configuration.inlineLimit.bytes {
            let content = BlobContent.inline(Array(bytes.readableBytesView))
            let blob = UploadedBlob(digest: digests[0], aliases: aliases, size: size, content: content)
            return try await commit(blob, reservation).outcome.get()
        }
        let upload = try await pool.run { [blobs] in try blobs.beginUpload() }
        let commitment: Commitment<Value>
        do {
            try await pool.run {
                try bytes.withUnsafeReadableBytes { try upload.append($0) }
                try upload.finish()
                try upload.publish(as: digests[0])
            }
            let content = BlobContent.file(generation: upload.generation)
            let blob = UploadedBlob(digest: digests[0], aliases: aliases, size: size, content: content)
            commitment = try await commit(blob, reservation)
        } catch {
            // After a failed sync its row may be there: the next start looks.
            if !committer.hasFailed { pool.submit { upload.abandon() } }
            throw error
        }
        pool.submit { commitment.isStored ? upload.settle() : upload.abandon() }
        return try commitment.outcome.get()
    }
}
