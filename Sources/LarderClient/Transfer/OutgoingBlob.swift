package import LarderCore

/// A blob to be sent, and where its bytes are.
package struct OutgoingBlob: Sendable {
    package enum Source: Sendable {
        case file(path: String)
        case bytes([UInt8])
    }

    /// SHA-256.
    package let digest: Digest
    /// In bytes.
    package let size: Int64
    package let source: Source

    package init(digest: Digest, size: Int64, source: Source) {
        if case .bytes(let bytes) = source { precondition(bytes.count == size, "a blob's size is that of its bytes") }
        self.digest = digest
        self.size = size
        self.source = source
    }

    /// Bytes at hand as a blob.
    package init(_ bytes: [UInt8]) {
        self.init(digest: IncrementalHasher.digest(of: bytes), size: Int64(bytes.count), source: .bytes(bytes))
    }
}
