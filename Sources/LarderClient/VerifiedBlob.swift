import LarderCore
import NIOCore

/// The bytes of a blob as they come, verified on their way.
///
/// A source that breaks off is asked again for what is missing. The last piece is handed out only when the digest of
/// all is right, so that who passes the pieces on never sends wrong content whole.
struct VerifiedBlob: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// A source that broke off more often than this is given up.
    private static let resumptionCountMax = 5

    private let blob: Descriptor
    private let source: any ImageStore
    private let progress: @Sendable (Int64) -> Void

    /// Prepares to read a blob; `progress` hears how many bytes have come so far.
    init(_ blob: Descriptor, from source: any ImageStore, progress: @escaping @Sendable (Int64) -> Void) {
        self.blob = blob
        self.source = source
        self.progress = progress
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(blob: blob, source: source, progress: progress)
    }

    /// Checks a blob without bytes, of which no piece is ever asked for.
    static func checkEmpty(_ blob: Descriptor) throws(ClientError) {
        guard IncrementalHasher(alsoSHA512: true).finalize().contains(blob.digest) else {
            throw ClientError("\(blob.digest) is said to be empty, and is not the digest of nothing")
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        private let blob: Descriptor
        private let source: any ImageStore
        private let progress: @Sendable (Int64) -> Void
        private var hasher: IncrementalHasher
        private var bytes: BlobBytes.AsyncIterator?
        private var resumptionCount = 0

        fileprivate init(blob: Descriptor, source: any ImageStore, progress: @escaping @Sendable (Int64) -> Void) {
            self.blob = blob
            self.source = source
            self.progress = progress
            hasher = IncrementalHasher(alsoSHA512: blob.digest.algorithm == .sha512)
        }

        mutating func next() async throws -> ByteBuffer? {
            if blob.size == 0 { try VerifiedBlob.checkEmpty(blob) }
            while hasher.byteCount < blob.size {
                do {
                    if let piece = try await readPiece() {
                        try await accept(piece)
                        return piece
                    }
                    try await resume(after: ClientError("\(source.name) ended \(blob.digest) too early"))
                } catch let error as ClientError where error.isTransient {
                    try await resume(after: error)
                }
            }
            return nil
        }

        private mutating func readPiece() async throws -> ByteBuffer? {
            if bytes == nil {
                bytes = try await source.bytes(of: blob, from: hasher.byteCount).makeAsyncIterator()
            }
            do {
                return try await bytes?.next()
            } catch let error as ClientError {
                throw error
            } catch {
                throw RegistryHTTP.brokenOff(error, label: source.name)
            }
        }

        private mutating func resume(after error: ClientError) async throws {
            bytes = nil
            guard resumptionCount < VerifiedBlob.resumptionCountMax else { throw ClientError(error.description) }
            try await Task.sleep(for: .milliseconds(250 << resumptionCount))
            resumptionCount += 1
        }

        private mutating func accept(_ piece: ByteBuffer) async throws {
            guard Int64(piece.readableBytes) <= blob.size - hasher.byteCount else {
                throw ClientError("\(source.name) gives more than the \(blob.size) bytes of \(blob.digest)")
            }
            piece.withUnsafeReadableBytes { hasher.update($0) }
            progress(hasher.byteCount)
            guard hasher.byteCount == blob.size else { return }
            guard let actual = hasher.finalize().last, actual == blob.digest else {
                throw ClientError("what \(source.name) gives as \(blob.digest) is something else; it was not kept")
            }
            // Reading to the end leaves the connection to the next blob.
            _ = try? await bytes?.next()
        }
    }
}
