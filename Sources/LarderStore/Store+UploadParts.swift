import LarderBlobs
package import LarderCore
import LarderMetadata
package import NIOCore
import Synchronization

/// Resumable uploads whose parts come in any order, several at a time: for what is large.
extension Store {
    /// What clients send as one part, in bytes.
    package static let uploadPartSize = ByteCount.mebibytes(32)
    /// Bytes after which what has come from the start is made durable, so that it need not be sent again after a crash.
    private static let acknowledgedStep: Int64 = 256 << 20

    /// Makes an upload one in parts, and says how far it has come.
    ///
    /// `size`: Bytes of the whole, so that more is refused at once; nil when that is not known.
    ///
    /// - Returns: Bytes from the start that need not be sent (again); nil when there is no such upload.
    package func declareUpload(_ id: String, size: Int64?, in name: RepositoryName) -> Int64? {
        session(id, in: name)?.declareParts(size: size)
    }

    /// Bytes from the start that need not be sent (again); nil when there is no such upload.
    package func receivedLength(ofUpload id: String, in name: RepositoryName) -> Int64? {
        session(id, in: name)?.state.withLock { state in
            state.isOver || state.isDoomed ? nil : state.parts?.contiguousLength ?? state.acknowledged
        }
    }

    /// Writes a part of an upload; several may be sent at a time.
    ///
    /// `length`: Of the part, which has to be known; a part that has come is not written again.
    ///
    /// What has come is durable when the upload is finished; from time to time what has come from the start is made so.
    ///
    /// - Returns: `accepted` with the bytes that have come from the start; `busy` while it is being finished, or another
    ///   request sends some of the same bytes; `unknown`.
    /// - Throws: `lengthMismatch`, `tooLarge`, `noSpace`, `quotaExceeded`; what the body's sequence throws.
    package func putPart<Body: AsyncSequence>(
        of id: String,
        in name: RepositoryName,
        at offset: Int64,
        body: Body,
        length: Int64
    ) async throws -> UploadOutcome where Body.Element == ByteBuffer {
        guard let session = session(id, in: name) else { return .unknown }
        if session.isFromEarlierProcess { _ = session.declareParts(size: nil) }
        switch session.takePart() {
        case .over: return .unknown
        case .busy: return .busy
        case .taken: break
        }
        defer { if session.giveBackPart() { discard(session) } }
        let size = session.state.withLock { $0.parts?.size }
        let end = min(size ?? .max, configuration.blobSizeLimit?.bytes ?? .max)
        guard offset >= 0, length >= 0, offset <= end, length <= end - offset else {
            throw StoreError.tooLarge(limit: ByteCount(end))
        }
        // After a restart nobody knows the size: then the store's own bounds it.
        guard offset + length <= account.capacity(account.current) else {
            throw StoreError.noSpace("\(ByteCount(offset + length)) are more than the store can make room for")
        }
        do {
            guard try await receivePart(of: session, offset..<(offset + length), body: body) else { return .busy }
        } catch {
            if case StoreError.noSpace = error { diskIsFull() }
            throw error
        }
        followParts(of: session)
        try await acknowledgeParts(of: session)
        return .accepted(length: session.state.withLock { $0.parts?.contiguousLength ?? 0 })
    }

    /// Makes a blob of an upload whose parts have all come: durable on return, and the upload is over.
    ///
    /// - Returns: `accepted`; `outOfOrder` with the bytes that have come from the start when some are missing; `busy` while
    ///   a part is being sent; `unknown`.
    /// - Throws: `digestMismatch`, after which the upload is over too.
    package func finishParts(
        of id: String,
        in name: RepositoryName,
        kind: RepositoryKind,
        as digest: Digest
    ) async throws -> UploadOutcome {
        guard let session = session(id, in: name), directory.id(of: name, kind: kind) != nil else { return .unknown }
        switch session.take(inParts: true) {
        case .over: return .unknown
        case .busy: return .busy
        case .taken: break
        }
        defer { if session.giveBack() { discard(session) } }
        let (received, isWhole) = session.state.withLock { state in
            let received = state.parts?.contiguousLength ?? 0
            return (received, state.parts?.isContiguous == true && state.parts?.size ?? received == received)
        }
        guard isWhole, received > 0 else { return .outOfOrder(length: received) }
        let upload = try await openParts(of: session)
        do {
            // What a part that broke off has left behind the last good one is none of it.
            try await pool.run { try upload.cut(to: received) }
            let digests = try await hashToEnd(session, upload)
            let target = WriteTarget(repository: name, kind: kind, item: .blob(digest))
            return .accepted(length: try await store(session, as: target, digest: digest, hashed: digests))
        } catch {
            if case StoreError.digestMismatch = error { discard(session) }
            if case StoreError.noSpace = error { diskIsFull() }
            throw error
        }
    }

    // MARK: - Parts

    /// Receives a part; false when another request sends some of its bytes, or sent them.
    private func receivePart<Body: AsyncSequence>(
        of session: UploadSession,
        _ range: Range<Int64>,
        body: Body
    ) async throws -> Bool where Body.Element == ByteBuffer {
        var isWritten = false
        switch session.state.withLock({ $0.parts?.begin(range) ?? .busy }) {
        case .busy: return false
        case .known:
            // Its sender lost the answer.
            for try await _ in body {}
            return true
        case .write: break
        }
        defer { session.state.withLock { $0.parts?.end(range, isWritten: isWritten) } }
        let upload = try await openParts(of: session)
        let position = Mutex(range.lowerBound)
        let writing = UploadPipe(pool: pool) { bytes in
            let place = position.withLock { position in
                defer { position += Int64(bytes.count) }
                return position
            }
            try upload.write(bytes, at: place)
        }
        let length = Int64(range.count)
        var (received, taken) = (Int64(0), Int64(0))
        do {
            for try await chunk in body {
                received += Int64(chunk.readableBytes)
                guard received <= length else { break }
                // What arrives is reserved, not up to where it stands: nobody empties a cache by writing a file's last byte.
                try await session.reservation.take(Int64(chunk.readableBytes))
                session.reservation.noteWritten(Int64(chunk.readableBytes))
                taken += Int64(chunk.readableBytes)
                try await writing.write(chunk)
            }
            guard received == length else { throw StoreError.lengthMismatch(expected: length, actual: received) }
        } catch {
            // The file must not be written to any more when it is abandoned.
            try? await writing.finish()
            // They are sent again.
            session.reservation.giveBack(taken)
            throw error
        }
        do {
            try await writing.finish()
        } catch {
            session.reservation.giveBack(taken)
            throw error
        }
        isWritten = true
        return true
    }

    /// The session's file, which stays open as long as the upload lasts.
    private func openParts(of session: UploadSession) async throws -> BlobUpload {
        if let upload = session.state.withLock({ $0.upload }) { return upload }
        return try await pool.run { [self] in
            // Parts begin side by side.
            try session.opening.withLock { _ in
                try session.state.withLock { $0.upload } ?? beginFile(of: session)
            }
        }
    }

    /// Hashes what has come from the start, unless somebody does already: nobody waits for it.
    private func followParts(of session: UploadSession) {
        let isMine = session.state.withLock { state -> Bool in
            guard let parts = state.parts, !parts.isHashing, parts.hasher.byteCount < parts.contiguousLength else {
                return false
            }
            state.parts?.isHashing = true
            return true
        }
        guard isMine else { return }
        pool.submit { _ = try? self.hashStep(session) }
    }

    /// Hashes a bounded piece, then hands the rest to another thread of the pool.
    private func hashStep(_ session: UploadSession) throws {
        let (upload, before, end) = session.state.withLock { state in
            (state.upload, state.parts?.hasher ?? IncrementalHasher(), state.parts?.contiguousLength ?? 0)
        }
        var hasher = before
        defer {
            let hashed = hasher
            let (hasMore, waiter) = session.state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
                let end = state.parts?.contiguousLength ?? 0
                let hasMore = hashed.byteCount > before.byteCount && hashed.byteCount < end
                state.parts?.hasher = hashed
                state.parts?.isHashing = hasMore
                return (hasMore, hasMore ? nil : state.parts?.waiter.take())
            }
            if hasMore { pool.submit { _ = try? self.hashStep(session) } }
            waiter?.resume()
        }
        _ = try upload?.hashAgain(into: &hasher, upTo: end)
    }

    /// The digest of all bytes, most of which are hashed already.
    private func hashToEnd(_ session: UploadSession, _ upload: BlobUpload) async throws -> [Digest] {
        await withCheckedContinuation { continuation in
            let isHashing = session.state.withLock { state in
                guard state.parts?.isHashing == true else { return false }
                state.parts?.waiter = continuation
                return true
            }
            if !isHashing { continuation.resume() }
        }
        while true {
            let before = session.state.withLock { $0.parts?.hasher ?? IncrementalHasher() }
            let (after, hasMore) = try await pool.run {
                var hasher = before
                let hasMore = try upload.hashAgain(into: &hasher)
                return (hasher, hasMore)
            }
            session.state.withLock { $0.parts?.hasher = after }
            if !hasMore { return after.finalize() }
        }
    }

    /// Makes what has come from the start durable once it is much more than before.
    private func acknowledgeParts(of session: UploadSession) async throws {
        let expiresAt = now() + configuration.uploadLifetime
        let step = session.state.withLock { state -> (upload: BlobUpload, length: Int64)? in
            state.expiresAt = expiresAt
            guard let parts = state.parts, !parts.isSynchronizing, let upload = state.upload,
                parts.contiguousLength - state.acknowledged >= Self.acknowledgedStep
            else { return nil }
            state.parts?.isSynchronizing = true
            return (upload, parts.contiguousLength)
        }
        guard let (upload, length) = step else { return }
        defer { session.state.withLock { $0.parts?.isSynchronizing = false } }
        try await pool.runToEnd { () throws(StoreError) in try upload.synchronize() }
        let (id, fileName) = (session.id, upload.fileName)
        try await committer.commit {
            try $0.setUpload(id, fileName: fileName, length: length, expiresAt: expiresAt)
        }
        session.state.withLock { $0.acknowledged = length }
    }
}
