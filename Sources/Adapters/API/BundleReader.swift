import LarderArchive
import LarderCore
import LarderStore
import NIOCore
import Synchronization

/// Reads the members of a folder that is kept as one compressed archive.
///
/// Sendable because its state is behind a lock; one request at a time works on it.
final class BundleReader: Sendable {
    enum Event: Sendable {
        case member(TarMember)
        /// The next contents of the member.
        case contents(ByteBuffer)
        case endOfMember
    }

    /// Read at once: a thousand times as much may come out of it.
    private static let pieceLength = 16 << 10
    /// More members, or longer names altogether, are no folder of files.
    private static let memberCountMax = 500_000
    private static let nameBytesMax = 64 << 20

    private struct State: ~Copyable {
        var offset: Int64 = 0
        var gzip: GzipReader
        var tar = TarReader()
        var memberCount = 0
        var nameBytes = 0
    }

    private let store: Store
    private let content: StoredContent
    private let state: Mutex<State>

    init(_ content: StoredContent, store: Store) {
        self.store = store
        self.content = content
        // Text packs to a hundredth at best; what says more is made to say it.
        let limit = ByteCount(min(content.size, .max / 400) * 200 + (256 << 20))
        state = Mutex(State(gzip: GzipReader(outputLimit: limit)))
    }

    /// What the next piece of the archive holds, which may be nothing; nil behind its end.
    ///
    /// - Throws: `invalidContent` when it is damaged.
    func next() async throws -> [Event]? {
        try await store.onPool { try self.read() }
    }

    /// Blocks.
    private func read() throws -> [Event]? {
        try state.withLock { state in
            guard state.offset < content.size else { return nil }
            let piece = try store.piece(of: content, at: state.offset, count: Self.pieceLength)
            state.offset += Int64(piece.readableBytes)
            var events: [Event] = []
            try piece.withUnsafeReadableBytes { bytes in
                try state.gzip.feed(bytes) { unpacked in
                    try state.tar.feed(unpacked) { event in
                        switch event {
                        case .member(let member):
                            state.memberCount += 1
                            state.nameBytes += member.name.utf8.count
                            guard state.memberCount <= Self.memberCountMax, state.nameBytes <= Self.nameBytesMax else {
                                throw StoreError.invalidContent("the archive of a folder has too many members")
                            }
                            events.append(.member(member))
                        case .contents(let bytes): events.append(.contents(ByteBuffer(bytes: bytes)))
                        case .endOfMember: events.append(.endOfMember)
                        case .endOfArchive: break
                        }
                    }
                }
            }
            if state.offset == content.size {
                try state.gzip.finish()
                try state.tar.finish()
            }
            return events
        }
    }
}
