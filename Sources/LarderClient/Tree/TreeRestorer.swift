import Glibc
package import LarderCore
import Synchronization

/// What a restore did.
package struct RestoreReport: Sendable, Equatable {
    /// Files made anew, and their bytes.
    package var writtenFileCount = 0
    package var writtenByteCount: Int64 = 0
    /// Files that were in place with the same contents, and their bytes.
    package var keptFileCount = 0
    package var keptByteCount: Int64 = 0
    /// Contents that came, and their bytes.
    package var receivedBlobCount = 0
    package var receivedByteCount: Int64 = 0
}

/// Restores a tree: takes the contents that this machine lacks, and puts all in place only when everything is there and
/// verified.
///
/// In order: `plan`, then the contents as a `PackSink`, then `finish`; or `abandon` at any time. All new things are
/// made in staging folders beside their destinations, so that what fails or is killed before the end changes nothing;
/// the next restore removes what a killed one left. Calls block; contents are verified and written on threads of its
/// own.
package final class TreeRestorer: PackSink {
    /// Larger blobs are written as they come, smaller ones when they are whole.
    private static let batchedSizeMax: Int64 = 1 << 20
    private static let threadCountMax = 4

    private enum Phase {
        case new
        case receiving(RestoreReceiver)
        /// Finished or abandoned.
        case ended
    }

    /// Digests of contents on this machine that the server need not send: to be listed in the request.
    package let have: [Digest]
    private let base: String
    private let home: String?
    private let allowedRoots: [String]
    private let local: ScannedTree?
    private let index: TreeIndex?
    private let phase = Mutex(Phase.new)
    private let isAbandoned = Atomic(false)

    /// Takes where to restore to.
    ///
    /// `base`: the folder that relative roots are below, as an absolute path. `home`: what `~` is. `allowedRoots`:
    /// roots that the user named; empty: any root that stays below `base`. `local`: what lies below these roots now.
    /// `indexFolder`: as for `TreeScanner`; it will know the restored files.
    package init(
        base: String,
        home: String?,
        allowedRoots: [String],
        local: ScannedTree?,
        indexFolder: String?
    ) {
        self.base = base
        self.home = home
        self.allowedRoots = allowedRoots
        self.local = local
        index = indexFolder.map { TreeIndex(folder: $0) }
        have = Array((local?.digests ?? []).prefix(PackFrame.digestCountMax))
    }

    deinit {
        abandon()
    }

    /// Decides what is to be done to have a tree here.
    ///
    /// - Returns: The contents that must come, in the order in which the server sends them.
    /// - Throws: `ClientError` when the tree has roots that nobody allowed, or when nothing can be written where they
    ///   are; `RestoreFailure`.
    package func plan(_ tree: FileTree) throws -> [BlobDescriptor] {
        try phase.withLock { phase in
            guard case .new = phase, !isAbandoned.load(ordering: .acquiring) else { throw RestoreFailure.abandoned }
            let places = try RestorePlace.find(tree, base: base, home: home, allowed: allowedRoots)
            let plan = RestorePlan(tree: tree, local: local)
            // What can't be put in place is not fetched.
            try PlacementCheck(plan: plan, places: places).run()
            let receiver = try RestoreReceiver(
                plan,
                places: places,
                local: local,
                have: Set(have),
                threadCount: min(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), Self.threadCountMax)
            )
            phase = .receiving(receiver)
            return receiver.needed
        }
    }

    /// Puts everything in place.
    ///
    /// - Throws: `RestoreFailure.lost` when a content did not come; `ClientError`. Unless it was the last step that
    ///   failed, nothing has changed.
    package func finish() throws -> RestoreReport {
        try phase.withLock { phase in
            guard case .receiving(var receiver) = phase else { throw RestoreFailure.abandoned }
            defer {
                receiver.abandon()
                phase = .ended
            }
            let made = try receiver.complete(isStopped: { isAbandoned.load(ordering: .acquiring) })
            let moment = index?.now()
            var placement = TreePlacement(plan: receiver.plan, places: receiver.places)
            try placement.run()
            if let index, let moment {
                let update = RestoredIndex(
                    plan: receiver.plan,
                    places: receiver.places,
                    local: local,
                    made: made,
                    moved: placement.moved,
                    moment: moment
                )
                update.save(in: index)
            }
            receiver.abandon()
            placement.completeRoots()
            return receiver.report
        }
    }

    /// Gives up, and removes all that is not in place yet.
    ///
    /// Can be called at any time, on any thread and more than once. While things are being put in place it waits for
    /// the end of that.
    package func abandon() {
        isAbandoned.store(true, ordering: .releasing)
        phase.withLock { phase in
            if case .receiving(var receiver) = phase { receiver.abandon() }
            phase = .ended
        }
    }

    // MARK: - What comes

    /// Notes are for the caller.
    package func note(_ json: [UInt8]) {}

    /// Takes the head of a blob.
    ///
    /// - Throws: `RestoreFailure.unexpected` when it is not needed.
    package func begin(_ digest: Digest, size: Int64) throws {
        try receive { try $0.begin(digest, size: size, batchedSizeMax: Self.batchedSizeMax) }
    }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        try receive { try $0.write(bytes) }
    }

    /// Takes the end of a blob.
    ///
    /// - Throws: `RestoreFailure.lost` when it, or one of those before, is not what its digest says.
    package func end() throws {
        try receive { try $0.end() }
    }

    /// Takes notice of what the server does not have.
    ///
    /// - Throws: `RestoreFailure.lost`.
    package func missing(_ digest: Digest) throws {
        throw RestoreFailure.lost(digest)
    }

    private func receive(_ body: (inout RestoreReceiver) throws -> Void) throws {
        try phase.withLock { phase in
            guard !isAbandoned.load(ordering: .acquiring), case .receiving(var receiver) = phase else {
                throw RestoreFailure.abandoned
            }
            // Leaves the receiver with one owner, so that it is changed in place.
            phase = .new
            defer { phase = .receiving(receiver) }
            try body(&receiver)
        }
    }
}
