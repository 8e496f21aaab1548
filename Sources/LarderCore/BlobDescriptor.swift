/// A blob that somebody names: its digest and, where the protocol tells, its size.
package struct BlobDescriptor: Hashable, Sendable {
    package let digest: Digest
    /// Bytes; nil when only the digest is known.
    package let size: Int64?

    package init(digest: Digest, size: Int64?) {
        self.digest = digest
        self.size = size
    }
}
