/// The head of one frame in a pack: a stream of many blobs as one body.
///
/// Each frame is its head (kind, SHA-256, size in big-endian order) and as many bytes as the size says. A pack ends in
/// an `end` frame, so that one that broke off is told from one that is whole.
package struct PackFrame: Sendable, Equatable {
    /// What a frame is, as its first byte says.
    package enum Kind: UInt8, Sendable {
        /// A blob; its bytes follow.
        case blob = 1
        /// The last frame; its size is the number of blobs before, and nothing follows.
        case end = 2
        /// A blob that was asked for and is not there; nothing follows.
        case missing = 3
        /// What is to be known about the blobs that come, as JSON.
        case note = 4
    }

    /// Bytes of a head.
    package static let headLength = 41
    /// A note is no longer than this.
    package static let noteSizeMax = 1 << 20
    /// Digests that one request lists at most.
    package static let digestCountMax = 250_000

    package let kind: Kind
    /// SHA-256; nil in `end` and `note`.
    package let digest: Digest?
    /// In bytes; of `end`: the number of blobs.
    package let size: Int64

    private init(kind: Kind, digest: Digest?, size: Int64) {
        self.kind = kind
        self.digest = digest
        self.size = size
    }

    /// The head of a blob.
    package static func blob(_ digest: Digest, size: Int64) -> PackFrame {
        PackFrame(kind: .blob, digest: digest, size: size)
    }

    /// Says that a blob is not there.
    package static func missing(_ digest: Digest) -> PackFrame {
        PackFrame(kind: .missing, digest: digest, size: 0)
    }

    /// The head of a note.
    package static func note(size: Int) -> PackFrame { PackFrame(kind: .note, digest: nil, size: Int64(size)) }

    /// Ends a pack.
    package static func end(blobCount: Int) -> PackFrame { PackFrame(kind: .end, digest: nil, size: Int64(blobCount)) }

    /// Reads a head of `headLength` bytes.
    ///
    /// - Throws: `invalidContent`.
    package init(head: UnsafeRawBufferPointer) throws(StoreError) {
        precondition(head.count == Self.headLength, "a head has \(Self.headLength) bytes")
        let size = head.loadUnaligned(fromByteOffset: 33, as: Int64.self).bigEndian
        let isPlausible =
            switch Kind(rawValue: head[0]) {
            case .blob, .end: size >= 0
            case .missing: size == 0
            case .note: size >= 0 && size <= Self.noteSizeMax
            case nil: false
            }
        guard isPlausible, let kind = Kind(rawValue: head[0]) else {
            throw .invalidContent("this is no pack, or it is damaged")
        }
        self.kind = kind
        self.size = size
        digest =
            switch kind {
            case .blob, .missing: Digest(.sha256, bytes: head[1..<33])
            case .end, .note: nil
            }
    }

    /// Bytes that follow the head.
    package var bodyLength: Int64 {
        switch kind {
        case .blob, .note: size
        case .end, .missing: 0
        }
    }

    /// The head.
    package var head: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.headLength) { buffer, count in
            buffer[0] = kind.rawValue
            for (index, byte) in (digest?.bytes ?? Array(repeating: 0, count: 32)).enumerated() {
                buffer[1 + index] = byte
            }
            for index in 0..<8 {
                buffer[33 + index] = UInt8(truncatingIfNeeded: size >> Int64(56 - index * 8))
            }
            count = Self.headLength
        }
    }
}
