import LarderBlobs
import LarderMetadata

extension Metadata {
    /// Reads in one snapshot, on a thread of the pool.
    func read<Value: Sendable>(
        on pool: FilePool,
        _ body: @escaping @Sendable (MetadataSnapshot) throws -> Value
    ) async throws -> Value {
        try await pool.run { try self.read(body) }
    }
}
