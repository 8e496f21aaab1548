import LarderBlobs
package import LarderCore
package import NIOCore

/// Something that was found: its bytes, or the open file that has them.
package struct StoredContent: Sendable {
    /// Where the bytes are.
    package enum Body: Sendable {
        case bytes(ByteBuffer)
        case file(StoredFile)
    }

    /// SHA-256 of the bytes.
    package let digest: Digest
    package let size: Int64
    package let pushedAt: Timestamp
    package internal(set) var body: Body
    /// The row whose last use a hit renews; nil for what is in no row.
    let used: UsedRow?
    var lastUsed: Timestamp
    /// Whether every use is noted: in a registry these tell what a push in progress counts on (D2).
    var notesEveryUse = false
    /// Of a manifest: what its answer tells beside its bytes.
    package var manifest: ManifestFacts?

    /// Whether its bytes come from a file, where nobody has verified them since they were written.
    package var isInFile: Bool { if case .file = body { true } else { false } }

    /// The empty blob, which every cache has.
    package static let empty = StoredContent(
        digest: .emptySHA256,
        size: 0,
        pushedAt: Timestamp(milliseconds: 0),
        body: .bytes(ByteBuffer()),
        used: nil,
        lastUsed: Timestamp(milliseconds: 0)
    )
}

/// The open file of a larger blob: its bytes stay readable even when the blob is removed meanwhile.
package struct StoredFile: Sendable {
    let blob: OpenBlob

    /// Hands over the descriptor, which the caller closes from now on; for `sendfile`.
    ///
    /// A second call traps.
    package func takeDescriptor() -> Int32 { blob.takeDescriptor() }
}

/// What a read found.
package enum ReadOutcome: Sendable {
    case found(StoredContent)
    /// An entry that names blobs which are not known to be there. The adapter can complete it (`Store.complete`).
    case incomplete(entry: Int64, StoredContent)
    case miss
    case failed(StoreError)
}
