import Crypto

/// Hashes a stream: SHA-256 always, SHA-512 beside it when an upload is named by one.
package struct IncrementalHasher: Sendable {
    private var sha256 = SHA256()
    private var sha512: SHA512?
    /// Bytes hashed so far.
    package private(set) var byteCount: Int64 = 0

    package init(alsoSHA512: Bool = false) {
        sha512 = alsoSHA512 ? SHA512() : nil
    }

    /// Adds bytes.
    ///
    /// CPU-bound: 1.3 to 2 GB/s, so at most a few KiB belong on an event loop.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        sha256.update(bufferPointer: bytes)
        sha512?.update(bufferPointer: bytes)
        byteCount += Int64(bytes.count)
    }

    /// The digests of all bytes so far: the first is SHA-256.
    package func finalize() -> [Digest] {
        let first = sha256.finalize().withUnsafeBytes { Digest(.sha256, bytes: $0) }
        let second = sha512?.finalize().withUnsafeBytes { Digest(.sha512, bytes: $0) }
        return [first, second].compactMap { $0 }
    }

    /// SHA-256 of bytes at hand.
    package static func digest(of bytes: some Collection<UInt8>) -> Digest {
        bytes.withContiguousStorageIfAvailable { digest(of: UnsafeRawBufferPointer($0)) }
            ?? digest(of: Array(bytes))
    }

    /// SHA-256 of bytes in memory.
    package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
        let hash = SHA256.hash(data: bytes)
        guard let digest = hash.withUnsafeBytes({ Digest(.sha256, bytes: $0) }) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return digest
    }
}
