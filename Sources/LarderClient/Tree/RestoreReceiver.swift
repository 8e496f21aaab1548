import Glibc
import LarderCore

/// Takes the contents of a restore, one after the other, and has their files made in the staging folders.
struct RestoreReceiver: Sendable {
    /// A blob whose bytes come now.
    private struct Current {
        let digest: Digest
        let size: Int64
        var byteCount: Int64 = 0
        /// What is not collected in a batch but written at once.
        var large: Large?
        /// Nothing is made of it: it is in place, but was not among the digests that a request has room for.
        let isUnused: Bool
    }

    private struct Large {
        let entry: Int
        let file: OpenDescriptor
        var hasher = IncrementalHasher()
    }

    /// Contents that one job copies at most.
    private static let copyCountMax = 32

    let plan: RestorePlan
    private(set) var places: [RestorePlace]
    /// The contents that must come.
    let needed: [BlobDescriptor]
    private(set) var report = RestoreReport()
    private let files: StagedFiles
    private let queue: RestoreQueue
    /// Contents that did not come yet, and their sizes.
    private var awaited: [Digest: Int64]
    private var current: Current?
    private var batch = BlobBatch()
    /// Large files that were made: the others are made by the queue.
    private var made: [RestoreQueue.Made] = []

    /// Makes the staging folders, and begins with what can be copied from this machine.
    init(
        _ plan: RestorePlan,
        places: [RestorePlace],
        local: ScannedTree?,
        have: Set<Digest>,
        threadCount: Int
    ) throws {
        self.plan = plan
        (needed, awaited) = try Self.needed(plan.tree, have: have)
        var places = places
        var isNeeded = [Bool](repeating: false, count: places.count)
        for (index, entry) in plan.tree.entries.enumerated() where plan.actions[index] == .stage {
            isNeeded[entry.root] = true
        }
        try RestorePlace.stage(&places, isNeeded: isNeeded)
        self.places = places
        let files = StagedFiles(plan: plan, places: places)
        self.files = files
        queue = RestoreQueue(threadCount: threadCount) { try Self.perform($0, files, local) }
        count()
        try addCopies(have)
    }

    private static func needed(
        _ tree: FileTree,
        have: Set<Digest>
    ) throws -> (list: [BlobDescriptor], sizes: [Digest: Int64]) {
        var sizes: [Digest: Int64] = [:]
        var list: [BlobDescriptor] = []
        sizes.reserveCapacity(tree.entries.count)
        for entry in tree.entries {
            guard case .file(let digest, let size) = entry.content, !have.contains(digest) else { continue }
            guard let present = sizes.updateValue(size, forKey: digest) else {
                list.append(BlobDescriptor(digest: digest, size: size))
                continue
            }
            guard present == size else { throw RestoreFailure.unexpected("two files of one content have two sizes") }
        }
        return (list, sizes)
    }

    private mutating func count() {
        for (index, entry) in plan.tree.entries.enumerated() {
            guard case .file(_, let size) = entry.content else { continue }
            if plan.actions[index] == .stage {
                report.writtenFileCount += 1
                report.writtenByteCount += size
            } else {
                report.keptFileCount += 1
                report.keptByteCount += size
            }
        }
    }

    private func addCopies(_ have: Set<Digest>) throws {
        guard !have.isEmpty else { return }
        var digests: [Digest] = []
        for (index, entry) in plan.tree.entries.enumerated() where plan.actions[index] == .stage {
            guard case .file(let digest, _) = entry.content, plan.firstTargets[digest] == index, have.contains(digest)
            else { continue }
            digests.append(digest)
            if digests.count == Self.copyCountMax {
                try queue.add(.copies(digests))
                digests = []
            }
        }
        if !digests.isEmpty { try queue.add(.copies(digests)) }
    }

    // MARK: - Receiving

    mutating func begin(_ digest: Digest, size: Int64, batchedSizeMax: Int64) throws {
        guard current == nil else { throw RestoreFailure.unexpected("a blob in a blob") }
        guard awaited.removeValue(forKey: digest) == size else {
            throw RestoreFailure.unexpected("the blob \(digest) of \(size) bytes")
        }
        let entry = plan.firstTargets[digest]
        current = Current(digest: digest, size: size, isUnused: entry == nil)
        if size > batchedSizeMax, let entry {
            current?.large = Large(entry: entry, file: try files.open(entry))
        }
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let blob = current, blob.byteCount + Int64(bytes.count) <= blob.size else {
            throw RestoreFailure.unexpected("more bytes than were announced")
        }
        current?.byteCount += Int64(bytes.count)
        if blob.isUnused { return }
        guard let large = blob.large else { return batch.append(bytes) }
        current?.large?.hasher.update(bytes)
        guard FileCalls.write(bytes, to: large.file.descriptor) else {
            throw FileCalls.trouble("write", files.text(of: large.entry))
        }
    }

    mutating func end() throws {
        guard let blob = current, blob.byteCount == blob.size else {
            throw RestoreFailure.unexpected("fewer bytes than were announced")
        }
        current = nil
        report.receivedBlobCount += 1
        report.receivedByteCount += blob.size
        if blob.isUnused { return }
        guard let large = blob.large else {
            batch.endBlob(blob.digest)
            if batch.isFull { try flush() }
            return
        }
        guard large.hasher.finalize().first == blob.digest else { throw RestoreFailure.lost(blob.digest) }
        made.append((large.entry, try files.complete(large.file, large.entry)))
        if plan.nextTargets[large.entry] >= 0 { try queue.add(.duplicates(blob.digest)) }
    }

    private mutating func flush() throws {
        guard !batch.blobs.isEmpty else { return }
        try queue.add(.blobs(batch))
        batch = BlobBatch()
    }

    // MARK: - The end

    /// Makes all that is still to be made in the staging folders.
    ///
    /// - Throws: `RestoreFailure.lost` when not all came.
    mutating func complete(isStopped: () -> Bool) throws -> [RestoreQueue.Made] {
        if let blob = current { throw RestoreFailure.lost(blob.digest) }
        if let digest = awaited.keys.first { throw RestoreFailure.lost(digest) }
        try flush()
        let made = try queue.finish() + made
        if isStopped() { throw RestoreFailure.abandoned }
        try files.makeRest(isStopped: isStopped)
        return made
    }

    /// Ends the threads, and removes the staging folders with all that is in them.
    mutating func abandon() {
        queue.cancel()
        current = nil
        var removed: Set<String> = []
        for root in places.indices {
            if let staging = places[root].staging, removed.insert(staging.path).inserted { staging.remove() }
            places[root].staging = nil
        }
    }

    // MARK: - On the threads of the queue

    private static func perform(
        _ job: RestoreQueue.Job,
        _ files: StagedFiles,
        _ local: ScannedTree?
    ) throws -> [RestoreQueue.Made] {
        var made: [RestoreQueue.Made] = []
        switch job {
        case .blobs(let batch):
            made.reserveCapacity(batch.blobs.count)
            try batch.bytes.withUnsafeBytes { bytes in
                for blob in batch.blobs {
                    let content = UnsafeRawBufferPointer(rebasing: bytes[blob.range])
                    guard IncrementalHasher.digest(of: content) == blob.digest else {
                        throw RestoreFailure.lost(blob.digest)
                    }
                    for entry in files.plan.targets(of: blob.digest) {
                        made.append((entry, try files.makeFile(entry, content)))
                    }
                }
            }
        case .copies(let digests):
            for digest in digests {
                guard let path = local?.path(of: digest), let first = files.plan.firstTargets[digest],
                    case .file(_, let size) = files.plan.tree.entries[first].content
                else { throw RestoreFailure.lost(digest) }
                made.append((first, try files.copy(path, digest, size: size, to: first)))
                made += try makeDuplicates(digest, files)
            }
        case .duplicates(let digest):
            made = try makeDuplicates(digest, files)
        }
        return made
    }

    private static func makeDuplicates(_ digest: Digest, _ files: StagedFiles) throws -> [RestoreQueue.Made] {
        guard let first = files.plan.firstTargets[digest] else { return [] }
        return try files.plan.targets(of: digest).dropFirst().map { ($0, try files.copy(first, to: $0)) }
    }
}
