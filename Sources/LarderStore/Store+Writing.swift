import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore
import Synchronization

/// What an upload is to become.
package struct WriteTarget: Sendable {
    /// A blob or an entry.
    package enum Item: Sendable {
        /// A blob under the digest that its sender names.
        case blob(Digest)
        /// An entry under a key; `inspect` tells from its bytes what it refers to, or refuses them.
        case entry(EntryKey, inspect: Inspection?)
    }

    /// Reads references out of an entry's bytes, or throws `invalidContent`.
    ///
    /// Pure and short: it may run on an event loop.
    package typealias Inspection = @Sendable (ByteBuffer) throws(StoreError) -> EntryReferences

    package let repository: RepositoryName
    /// What kind the repository is, or becomes when the write creates it.
    package let kind: RepositoryKind
    package let item: Item

    package init(repository: RepositoryName, kind: RepositoryKind = .cache, item: Item) {
        self.repository = repository
        self.kind = kind
        self.item = item
    }
}

extension Store {
    /// Entries whose content is inspected are read into memory, so they have a limit of their own.
    package static let inspectedSizeLimit = ByteCount.mebibytes(8)

    /// What can be said about an upload before its body: asks only memory, never blocks, changes nothing.
    ///
    /// `length`: Declared bytes; nil when unknown.
    ///
    /// Throws `tooLarge`, `noSpace`, `quotaExceeded`, `notFound`, `notAllowed`.
    package func admit(_ target: WriteTarget, length: Int64?) throws(StoreError) {
        try admit(target.repository, kind: target.kind, length: length, limit: sizeLimit(of: target))
    }

    /// The same for a write that is no blob and no entry, with the largest size that it may have.
    package func admit(
        _ name: RepositoryName,
        kind: RepositoryKind,
        length: Int64?,
        limit: ByteCount?
    ) throws(StoreError) {
        if let limit, let length, length > limit.bytes { throw .tooLarge(limit: limit) }
        if let repository = directory.find(name) {
            try repository.check(is: kind)
            if let quota = repository.settings.quotaBytes, let length, length > quota.bytes {
                throw .quotaExceeded("repository \(repository.name) may hold \(quota)")
            }
        } else {
            try checkCreation(of: name)
        }
        guard let length else { return }
        let balance = account.current
        // What policies, the end of undo and the sweeper could free in registries is not known before they are tried.
        let evictable = directory.usedBytes(of: .cache) + directory.usedBytes(of: .registry)
        // Shared blobs make `evictable` too large at most, so nothing that could fit is refused here.
        let fixed = max(0, balance.used - evictable)
        guard length <= account.capacity(balance) - fixed else {
            throw .noSpace("\(ByteCount(length)) are more than the store can make room for")
        }
    }

    private func sizeLimit(of target: WriteTarget) -> ByteCount? {
        if case .entry(_, .some) = target.item {
            return min(Self.inspectedSizeLimit, configuration.blobSizeLimit ?? Self.inspectedSizeLimit)
        }
        return configuration.blobSizeLimit
    }

    /// Checks, hashes and reserves room for a small body, if that can be done at once: for event loops.
    ///
    /// - Returns: nil when the slow road must be taken (the repository is to be created, the store is full). What is
    ///   returned must be given to `commit`.
    /// - Throws: `digestMismatch`, `invalidContent`.
    package func prepareSmall(_ target: WriteTarget, bytes: ByteBuffer) throws(StoreError) -> SmallWrite? {
        let size = Int64(bytes.readableBytes)
        guard size <= configuration.inlineLimit.bytes, let repository = directory.find(target.repository),
            repository.kind == target.kind, !repository.isOverQuota(bytes: size, entries: target.entryCount)
        else { return nil }
        let write = try InlineWrite(target, bytes: bytes, repository: repository.id, clock: useClock(in: target.kind))
        guard account.reserve(size) else { return nil }
        return SmallWrite(write: write, reservedBytes: size)
    }

    /// Queues small writes together, so that they share a transaction.
    ///
    /// `completion`: Called once on the event loop, after the commits of all, with an error or nil for each.
    package func commit(
        _ writes: [SmallWrite],
        on eventLoop: any EventLoop,
        completion: @escaping @Sendable ([StoreError?]) -> Void
    ) {
        let group = WriteGroup(count: writes.count) { errors in
            eventLoop.execute { completion(errors) }
        }
        committer.submit(
            writes.enumerated().map { index, write in
                Committer.Operation(
                    rowCount: 4,
                    room: ReservedRoom(reserved: write.reservedBytes),
                    perform: { try write.write.perform($0) },
                    finish: { error in
                        if let error { self.noteFailure(error, reservedBytes: write.reservedBytes) }
                        group.finish(index, error)
                    }
                )
            }
        )
    }

    /// Stores a body: durable when this returns, or nothing is left of it.
    ///
    /// `length`: Declared bytes; nil for a body that only its end bounds.
    ///
    /// Throws As `admit`; `digestMismatch`, `lengthMismatch`, `invalidContent`; what the body's sequence throws.
    package func put<Body: AsyncSequence>(
        _ target: WriteTarget,
        body: Body,
        length: Int64?
    ) async throws where Body.Element == ByteBuffer {
        try admit(target, length: length)
        let repository = try await repositoryForWriting(target.repository, kind: target.kind)
        var iterator = body.makeAsyncIterator()
        let memoryLimit = isInspected(target) ? Self.inspectedSizeLimit.bytes : configuration.inlineLimit.bytes
        var head = ByteBuffer()
        var next = try await iterator.next()
        while let chunk = next, Int64(head.readableBytes + chunk.readableBytes) <= memoryLimit {
            head.writeImmutableBuffer(chunk)
            next = try await iterator.next()
        }
        guard let chunk = next else {
            let size = Int64(head.readableBytes)
            try check(length, is: size)
            if let limit = sizeLimit(of: target), size > limit.bytes { throw StoreError.tooLarge(limit: limit) }
            return try await put(target, bytes: head, repository: repository)
        }
        if isInspected(target) { throw StoreError.tooLarge(limit: Self.inspectedSizeLimit) }
        // From here on the body goes to a file, in pieces.
        let reservation = Reservation(
            store: self,
            repository: repository.id,
            entries: try await newEntryCount(target, in: repository)
        )
        defer { reservation.release() }
        let known = try await presentBlob(target, length: length, repository: repository.id)
        if let known {
            try await receiveKnown(
                known,
                from: PrefixedChunks(first: [head, chunk], rest: iterator),
                length: length,
                repository: repository.id
            )
        } else {
            try await receiveFile(
                target,
                from: PrefixedChunks(first: [head, chunk], rest: iterator),
                length: length,
                repository: repository.id,
                reservation: reservation
            )
        }
    }

    /// Stores bytes that are in memory.
    package func put(_ target: WriteTarget, bytes: ByteBuffer) async throws {
        try admit(target, length: Int64(bytes.readableBytes))
        let repository = try await repositoryForWriting(target.repository, kind: target.kind)
        try await put(target, bytes: bytes, repository: repository)
    }

    /// In a registry every use counts, as a push in progress may rest on it (D2).
    func useClock(in kind: RepositoryKind) -> UseClock {
        UseClock(now: now(), precision: kind == .registry ? .zero : configuration.lastUsePrecision)
    }

    private func isInspected(_ target: WriteTarget) -> Bool {
        if case .entry(_, .some) = target.item { true } else { false }
    }

    private func check(_ declared: Int64?, is actual: Int64) throws(StoreError) {
        if let declared, declared != actual { throw .lengthMismatch(expected: declared, actual: actual) }
    }

    private func put(_ target: WriteTarget, bytes: ByteBuffer, repository: Repository) async throws {
        let size = Int64(bytes.readableBytes)
        guard size > configuration.inlineLimit.bytes else {
            let write = try InlineWrite(
                target,
                bytes: bytes,
                repository: repository.id,
                clock: useClock(in: target.kind)
            )
            let reservation = Reservation(
                store: self,
                repository: repository.id,
                entries: try await newEntryCount(target, in: repository)
            )
            defer { reservation.release() }
            try await reservation.take(size)
            return try await commit(reservation) { try write.perform($0) }
        }
        let reservation = Reservation(
            store: self,
            repository: repository.id,
            entries: try await newEntryCount(target, in: repository)
        )
        defer { reservation.release() }
        try await receiveFile(
            target,
            from: PrefixedChunks(first: [bytes], rest: EmptyChunks()),
            length: size,
            repository: repository.id,
            reservation: reservation
        )
    }

    /// The blob that the repository has already: its upload is only hashed, and the link's mark is renewed (D2).
    private func presentBlob(
        _ target: WriteTarget,
        length: Int64?,
        repository: RepositoryID
    ) async throws -> BlobDescriptor? {
        // In a registry a client may remove it while it is being sent again.
        guard target.kind == .cache, case .blob(let digest) = target.item, digest.algorithm == .sha256, let length
        else { return nil }
        let blob = BlobDescriptor(digest: digest, size: length)
        let clock = useClock(in: .cache)
        return try await committer.commit { try $0.renewLink(blob, in: repository, clock: clock) } ? blob : nil
    }

    /// Hashes an upload of something that is there; the hash proves that the sender has it, nothing is written.
    private func receiveKnown(
        _ blob: BlobDescriptor,
        from chunks: PrefixedChunks<some AsyncIteratorProtocol>,
        length: Int64?,
        repository: RepositoryID
    ) async throws {
        let hashing = HashingSink()
        let pipe = UploadPipe(pool: pool) { hashing.write($0) }
        var received: Int64 = 0
        var chunks = chunks
        while let chunk = try await chunks.next() {
            received += Int64(chunk.readableBytes)
            if let length, received > length { throw StoreError.lengthMismatch(expected: length, actual: received) }
            try await pipe.write(chunk)
        }
        try await pipe.finish()
        try check(length, is: received)
        let actual = hashing.digest
        guard actual == blob.digest else { throw StoreError.digestMismatch(expected: blob.digest, actual: actual) }
        let clock = useClock(in: .cache)
        // Removed while it was being sent again: rare enough to ask for one more attempt.
        guard try await committer.commit({ try $0.renewLink(blob, in: repository, clock: clock) }) else {
            throw StoreError.overloaded
        }
    }

    private func receiveFile(
        _ target: WriteTarget,
        from chunks: PrefixedChunks<some AsyncIteratorProtocol>,
        length: Int64?,
        repository: RepositoryID,
        reservation: Reservation
    ) async throws {
        let upload = try await pool.run { [blobs] in try blobs.beginUpload(alsoSHA512: target.namesSHA512) }
        do {
            try await receive(chunks, into: upload, length: length, reservation: reservation)
            let digests = upload.digests()
            if case .blob(let expected) = target.item, !digests.contains(expected) {
                throw StoreError.digestMismatch(expected: expected, actual: digests.last ?? digests[0])
            }
            try await pool.run {
                try upload.finish()
                try upload.publish(as: digests[0])
            }
            let blob = UploadedBlob(
                digest: digests[0],
                aliases: Array(digests.dropFirst()),
                size: upload.length,
                content: .file(generation: upload.generation)
            )
            let write = FileWrite(
                target,
                blob: blob,
                // An inspected entry above the inline limit is completed at its first read.
                references: isInspected(target) ? .unknown : .none,
                repository: repository,
                clock: useClock(in: target.kind)
            )
            let isStored = try await commit(reservation) { try write.perform($0) }
            pool.submit { isStored ? upload.settle() : upload.abandon() }
        } catch {
            // Does not depend on anybody still waiting: cleaning up is never cancelled.
            // After a failed sync its row may be there: the next start looks.
            if !committer.hasFailed { pool.submit { upload.abandon() } }
            if case StoreError.noSpace = error { diskIsFull() }
            throw error
        }
    }

    func receive(
        _ chunks: PrefixedChunks<some AsyncIteratorProtocol>,
        into upload: BlobUpload,
        length: Int64?,
        reservation: Reservation
    ) async throws {
        // Side by side, as each takes about as long as the other.
        let writing = UploadPipe(pool: pool) { try upload.append($0) }
        let hashing = UploadPipe(pool: pool) { upload.hash($0) }
        let limit = configuration.blobSizeLimit
        // A resumable upload has bytes from before.
        let start = upload.length
        var received: Int64 = 0
        var chunks = chunks
        do {
            while let chunk = try await chunks.next() {
                received += Int64(chunk.readableBytes)
                if let length, received > length {
                    throw StoreError.lengthMismatch(expected: length, actual: received)
                }
                if let limit, start + received > limit.bytes { throw StoreError.tooLarge(limit: limit) }
                try await reservation.cover(start + received, of: length.map { start + $0 })
                try await writing.write(chunk)
                try await hashing.write(chunk)
                reservation.noteWritten(Int64(chunk.readableBytes))
            }
            try check(length, is: received)
        } catch {
            // The file must not be written to any more when it is abandoned.
            try? await writing.finish()
            try? await hashing.finish()
            throw error
        }
        try await writing.finish()
        try await hashing.finish()
    }

    /// Commits a write; what was reserved for it is used by it from then on.
    func commit<Value: Sendable>(
        _ reservation: Reservation,
        _ body: @escaping @Sendable (MetadataTransaction) throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            let value = try await committer.commit(room: reservation.room, body)
            reservation.settle()
            return value
        } catch {
            // After a failed sync the transaction may have used it up.
            if committer.hasFailed { reservation.settle() }
            if case .noSpace = error { diskIsFull() }
            throw error
        }
    }

    private func noteFailure(_ error: StoreError, reservedBytes: Int64) {
        if committer.hasFailed { return }
        account.release(reservedBytes)
        if case .noSpace = error { diskIsFull() }
    }

    /// Whether the repository's quota of entries matters for a write, and the key is new.
    private func newEntryCount(_ target: WriteTarget, in repository: Repository) async throws -> Int64 {
        guard case .entry(let key, _) = target.item, repository.settings.quotaEntries != nil else {
            return target.entryCount
        }
        return try await read { try $0.hasEntry(key, in: repository.id) } ? 0 : 1
    }

    func diskIsFull() {
        account.forgetDiskReading()
        evictor.wake()
    }
}
