import APIMessages
import Foundation
import LarderCore
import Synchronization

/// Takes what a restore is answered with: the entry, its tree, and the contents for the restorer.
final class CacheRestoreSink: PackSink {
    private struct State {
        var entry: CacheEntryMessage?
        var tree: FileTree?
    }

    private let restorer: TreeRestorer
    private let plan: @Sendable (Int64) -> Void
    private let treeSink = TreeSink()
    private let state = Mutex(State())

    /// `plan` hears how many bytes of contents come.
    init(_ restorer: TreeRestorer, plan: @escaping @Sendable (Int64) -> Void) {
        self.restorer = restorer
        self.plan = plan
    }

    /// What came, once all has.
    ///
    /// - Throws: `RestoreFailure.unexpected` when there was no entry or no tree.
    func received() throws(RestoreFailure) -> (entry: CacheEntryMessage, tree: FileTree) {
        let (entry, tree) = state.withLock { ($0.entry, $0.tree) }
        guard let entry, let tree else { throw .unexpected("no entry, or one without its tree") }
        return (entry, tree)
    }

    func note(_ json: [UInt8]) throws {
        guard let entry = try? JSONDecoder().decode(CacheEntryMessage.self, from: Data(json)) else {
            throw RestoreFailure.unexpected("a note that is not understood")
        }
        try state.withLock { state in
            guard state.entry == nil else { throw RestoreFailure.unexpected("two entries") }
            state.entry = entry
        }
    }

    func begin(_ digest: Digest, size: Int64) throws {
        if isPlanned { return try restorer.begin(digest, size: size) }
        guard let entry = state.withLock({ $0.entry }), Digest(entry.tree) == digest else {
            throw RestoreFailure.unexpected("a blob before the tree")
        }
        try treeSink.begin(digest, size: size)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if isPlanned { try restorer.write(bytes) } else { try treeSink.write(bytes) }
    }

    func end() throws {
        if isPlanned { return try restorer.end() }
        try treeSink.end()
        let tree = try treeSink.tree()
        let needed = try restorer.plan(tree)
        plan(needed.reduce(0) { $0 + ($1.size ?? 0) })
        state.withLock { $0.tree = tree }
    }

    func missing(_ digest: Digest) throws {
        throw RestoreFailure.lost(digest)
    }

    private var isPlanned: Bool { state.withLock { $0.tree != nil } }
}

/// Takes the one blob that is an encoded tree.
final class TreeSink: PackSink {
    private struct State {
        var digest: Digest?
        var bytes: [UInt8] = []
        var tree: FileTree?
        var isMissing = false
    }

    private let state = Mutex(State())

    /// Whether the server said that it does not have it.
    var isMissing: Bool { state.withLock { $0.isMissing } }

    /// The tree, once it came.
    ///
    /// - Throws: `RestoreFailure.unexpected` when none did.
    func tree() throws(RestoreFailure) -> FileTree {
        guard let tree = state.withLock({ $0.tree }) else { throw .unexpected("no tree") }
        return tree
    }

    func note(_ json: [UInt8]) throws {}

    func begin(_ digest: Digest, size: Int64) throws {
        guard size <= FileTree.encodedSizeMax.bytes else { throw RestoreFailure.unexpected("a tree of \(size) bytes") }
        state.withLock { state in
            state.digest = digest
            state.bytes.reserveCapacity(Int(size))
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        state.withLock { $0.bytes.append(contentsOf: bytes) }
    }

    func end() throws {
        try state.withLock { state in
            guard let digest = state.digest, IncrementalHasher.digest(of: state.bytes) == digest else {
                throw RestoreFailure.lost(state.digest ?? .emptySHA256)
            }
            do throws(StoreError) {
                state.tree = try FileTree(encoded: state.bytes)
            } catch {
                throw ClientError("the cache's tree of files can't be used: \(error.description)")
            }
            state.bytes = []
        }
    }

    func missing(_ digest: Digest) throws {
        state.withLock { $0.isMissing = true }
    }
}
