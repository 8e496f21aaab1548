import LarderBlobs
package import LarderCore
import LarderMetadata
import Logging
package import NIOCore
import Synchronization

/// What became of a request to a resumable upload.
package enum UploadOutcome: Sendable, Equatable {
    /// So many bytes are on the disk.
    case accepted(length: Int64)
    /// The bytes do not begin where the ones before ended; nothing of them was kept.
    case outOfOrder(length: Int64)
    /// Another request is sending bytes.
    case busy
    /// There is no such upload in the repository: it ended, expired, or never was.
    case unknown
}

/// Resumable uploads: bytes come in pieces, each is durable before it is acknowledged, and the last names the digest.
extension Store {
    private static let emptyUploadLifetime: Duration = .seconds(3600)

    /// Begins an upload; creates the registry if the configuration allows it.
    ///
    /// Durable on return. It is given up when nothing is sent for `StoreConfiguration.uploadLifetime`.
    ///
    /// `id`: Unique; names the upload from then on.
    ///
    /// - Throws: As `admit`; `overloaded` when too many uploads are open.
    package func beginUpload(
        _ id: String,
        in name: RepositoryName,
        kind: RepositoryKind = .registry
    ) async throws(StoreError) {
        let repository = try await repositoryForWriting(name, kind: kind)
        let now = now()
        // What stays empty need not be kept long.
        let expiresAt = now + min(configuration.uploadLifetime, Self.emptyUploadLifetime)
        let session = UploadSession(
            id: id,
            repository: repository.id,
            reservation: Reservation(store: self, repository: repository.id, entries: 0),
            expiresAt: expiresAt
        )
        if !uploads.insert(session) {
            // One that has been empty for long makes room for one that somebody wants now.
            guard let oldest = uploads.endOldestEmpty() else { throw .overloaded }
            discard(oldest)
            guard uploads.insert(session) else { throw .overloaded }
        }
        do {
            try await committer.commit {
                try $0.insertUpload(id, in: repository.id, now: now, expiresAt: expiresAt)
            }
        } catch {
            uploads.remove(session)
            throw error
        }
    }

    /// Bytes of an upload that were acknowledged; nil when there is no such upload.
    package func uploadLength(_ id: String, in name: RepositoryName) -> Int64? {
        session(id, in: name)?.state.withLock { $0.isOver ? nil : $0.acknowledged }
    }

    /// Adds bytes to an upload: durable on return.
    ///
    /// What had arrived when the body's sequence fails is kept.
    ///
    /// `offset`: Where the bytes are to begin; nil: behind the ones before.
    ///
    /// `length`: Declared bytes; nil when only the end of the body tells.
    ///
    /// - Throws: `tooLarge`, `noSpace`, `quotaExceeded`; what the body's sequence throws.
    package func appendToUpload<Body: AsyncSequence>(
        _ id: String,
        in name: RepositoryName,
        at offset: Int64?,
        body: Body,
        length: Int64?
    ) async throws -> UploadOutcome where Body.Element == ByteBuffer {
        try await withSession(id, in: name, at: offset) { session in
            do {
                try await receive(body, into: session, length: length)
            } catch {
                try? await acknowledge(session)
                throw error
            }
            try await acknowledge(session)
            return .accepted(length: session.length)
        }
    }

    /// Adds the last bytes to an upload and stores all of them as a blob: durable on return, and the upload is over.
    ///
    /// - Throws: As `appendToUpload`; `digestMismatch`, after which the upload is over too.
    package func finishUpload<Body: AsyncSequence>(
        _ id: String,
        in name: RepositoryName,
        as digest: Digest,
        at offset: Int64?,
        body: Body,
        length: Int64?
    ) async throws -> UploadOutcome where Body.Element == ByteBuffer {
        let target = WriteTarget(repository: name, kind: .registry, item: .blob(digest))
        return try await withSession(id, in: name, at: offset) { session in
            do {
                guard session.length > 0 else {
                    // Nothing was sent before: it is an upload like any other.
                    try await put(target, body: body, length: length)
                    discard(session)
                    return .accepted(length: length ?? 0)
                }
                try await receive(body, into: session, length: length)
                return .accepted(length: try await store(session, as: target, digest: digest))
            } catch {
                if case StoreError.digestMismatch = error { discard(session) }
                // No descriptor stays open until the next request.
                if !session.isOver { try? await acknowledge(session) }
                throw error
            }
        }
    }

    /// Gives an upload up; false when there is none, or a request works on it.
    ///
    /// One in parts ends with the parts that are being sent.
    package func cancelUpload(_ id: String, in name: RepositoryName) async throws(StoreError) -> Bool {
        guard let session = session(id, in: name) else { return false }
        let isInParts = session.state.withLock { $0.parts != nil }
        if isInParts, !session.isOver {
            // One that is being finished has become a blob, or will be.
            guard !session.state.withLock({ $0.isTaken }) else { throw .notAllowed("the upload is being finished") }
            if session.doom() { discard(session) }
            return true
        }
        guard session.take() == .taken else { return false }
        session.end()
        defer { abandon(session) }
        try await committer.commit { try $0.deleteUpload(id) }
        return true
    }

    /// Gives up uploads whose time is over.
    func expireUploads() {
        let expired = uploads.endExpired(at: now())
        for session in expired { discard(session) }
        if !expired.isEmpty {
            logger.info("gave up uploads that nobody went on with", metadata: ["count": "\(expired.count)"])
        }
    }

    /// Gives up the uploads of a repository that is being removed; one that is being sent, when its request ends.
    func discardUploads(in repository: RepositoryID) {
        for session in uploads.all(in: repository) where session.doom() { discard(session) }
    }

    // MARK: - Sessions

    func session(_ id: String, in name: RepositoryName) -> UploadSession? {
        directory.id(of: name).flatMap { uploads.find(id, in: $0) }
    }

    private func withSession(
        _ id: String,
        in name: RepositoryName,
        at offset: Int64?,
        _ body: (UploadSession) async throws -> UploadOutcome
    ) async throws -> UploadOutcome {
        guard let session = session(id, in: name) else { return .unknown }
        switch session.take() {
        case .over: return .unknown
        case .busy: return .busy
        case .taken: break
        }
        defer { if session.giveBack() { discard(session) } }
        if let offset, offset != session.length { return .outOfOrder(length: session.length) }
        do {
            return try await body(session)
        } catch {
            if case StoreError.noSpace = error { diskIsFull() }
            throw error
        }
    }

    /// The session's file, open: a new one, that of the request before, or that of an earlier process.
    private func openFile(of session: UploadSession) async throws -> BlobUpload {
        try await pool.run { [self] in
            guard let upload = session.state.withLock({ $0.upload }) else { return try beginFile(of: session) }
            try upload.resume()
            // What came and could not be acknowledged is sent again.
            try upload.cut(to: session.length)
            session.reservation.trim(to: session.length)
            return upload
        }
    }

    /// The file of a session that has none open: a new one, or that of an earlier process.
    ///
    /// Blocks.
    func beginFile(of session: UploadSession) throws -> BlobUpload {
        let upload: BlobUpload
        if let left = session.state.withLock({ $0.leftFile }) {
            guard let resumed = try blobs.resumeUpload(fileName: left.name, length: left.length) else {
                throw StoreError.corrupt("the file of the upload \(session.id) is gone")
            }
            upload = resumed
        } else {
            upload = try blobs.beginUpload()
        }
        session.state.withLock { state in
            state.upload = upload
            state.leftFile = nil
        }
        return upload
    }

    private func receive<Body: AsyncSequence>(
        _ body: Body,
        into session: UploadSession,
        length: Int64?
    ) async throws where Body.Element == ByteBuffer {
        let upload = try await openFile(of: session)
        if length == 0 { return }
        try await receive(
            PrefixedChunks(first: [], rest: body.makeAsyncIterator()),
            into: upload,
            length: length,
            reservation: session.reservation
        )
    }

    /// Has the bytes synced, and the row say how many there are.
    private func acknowledge(_ session: UploadSession) async throws {
        guard let upload = session.state.withLock({ $0.upload }) else { return }
        // Whether or not the client still waits.
        try await pool.runToEnd { () throws(StoreError) in
            try upload.resume()
            try upload.suspend()
        }
        let expiresAt = now() + configuration.uploadLifetime
        session.state.withLock { $0.expiresAt = expiresAt }
        let (id, fileName, length) = (session.id, upload.fileName, upload.length)
        try await committer.commit {
            try $0.setUpload(id, fileName: fileName, length: length, expiresAt: expiresAt)
        }
        session.state.withLock { $0.acknowledged = length }
        session.reservation.trim(to: length)
    }

    private func digests(of upload: BlobUpload, alsoSHA512: Bool) async throws -> [Digest] {
        if let digests = upload.digests(alsoSHA512: alsoSHA512) { return digests }
        var hasher = IncrementalHasher(alsoSHA512: alsoSHA512)
        while true {
            let before = hasher
            let (after, hasMore) = try await pool.run {
                var hasher = before
                let hasMore = try upload.hashAgain(into: &hasher)
                return (hasher, hasMore)
            }
            hasher = after
            if !hasMore { return hasher.finalize() }
        }
    }

    /// Makes a blob of all that a session received; returns its length.
    ///
    /// `hashed`: The digests of its bytes; nil: they are hashed if that was not done when they came.
    func store(
        _ session: UploadSession,
        as target: WriteTarget,
        digest: Digest,
        hashed: [Digest]? = nil
    ) async throws -> Int64 {
        guard let upload = session.state.withLock({ $0.upload }) else { throw StoreError.shuttingDown }
        let digests =
            if let hashed { hashed } else { try await digests(of: upload, alsoSHA512: target.namesSHA512) }
        guard digests.contains(digest) else {
            throw StoreError.digestMismatch(expected: digest, actual: digests.last ?? digests[0])
        }
        if upload.length <= configuration.inlineLimit.bytes {
            try await put(target, bytes: ByteBuffer(bytes: try await pool.run { try upload.bytes() }))
            discard(session)
            return upload.length
        }
        do {
            try await pool.run {
                try upload.finish()
                try upload.publish(as: digests[0])
            }
        } catch {
            // A sync that failed may succeed the next time without having written anything, and a name was given.
            discard(session)
            throw error
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
            references: .none,
            repository: session.repository,
            clock: useClock(in: target.kind)
        )
        let id = session.id
        session.end()
        do {
            let isStored = try await commit(session.reservation) { transaction in
                try transaction.deleteUpload(id)
                return try write.perform(transaction)
            }
            uploads.remove(session)
            pool.submit { isStored ? upload.settle() : upload.abandon() }
            return upload.length
        } catch {
            // Its file has its final name by now and can't be gone on with.
            if !committer.hasFailed { discard(session) }
            throw error
        }
    }

    /// Ends a session: its row and its file go, in the background.
    func discard(_ session: UploadSession) {
        session.end()
        let id = session.id
        _ = committer.submit({ try $0.deleteUpload(id) }, completion: { (_: Result<Void, StoreError>) in })
        abandon(session)
    }

    private func abandon(_ session: UploadSession) {
        uploads.remove(session)
        let (upload, left) = session.state.withLock { ($0.upload, $0.leftFile) }
        pool.submit { [blobs] in
            upload?.abandon()
            if let left { try? blobs.removeUpload(fileName: left.name) }
            session.reservation.release()
        }
    }
}
