import LarderBlobs
import LarderCore
import LarderMetadata
import Synchronization

/// One resumable upload: its file, what was hashed of it, and the space that it takes.
///
/// Sendable because its state is behind a lock; one request at a time works on it, between `take` and `giveBack`.
final class UploadSession: Sendable {
    struct State {
        var isTaken = false
        /// Requests that each send a part of it.
        var partCount = 0
        /// What came of an upload in parts; nil until the first.
        var parts: UploadParts?
        var isOver = false
        /// It is to end with the request that works on it.
        var isDoomed = false
        var upload: BlobUpload?
        /// The file of an earlier process, which is opened and hashed when somebody goes on with it.
        var leftFile: (name: String, length: Int64)?
        /// Bytes that are on the disk for sure.
        var acknowledged: Int64 = 0
        var expiresAt: Timestamp

        /// Ends it if it is to end and nobody works on it; true for one caller only, who gives it up.
        mutating func endIfDoomed() -> Bool {
            guard isDoomed, !isOver, !isTaken, partCount == 0 else { return false }
            isOver = true
            return true
        }
    }

    let id: String
    let repository: RepositoryID
    let reservation: Reservation
    let state: Mutex<State>
    /// Whether it was begun before the last start, so that nobody knows any more whether it is one in parts.
    let isFromEarlierProcess: Bool
    /// Held while the file is opened for the first of several parts.
    let opening = Mutex(())

    init(id: String, repository: RepositoryID, reservation: Reservation, expiresAt: Timestamp) {
        self.id = id
        self.repository = repository
        self.reservation = reservation
        state = Mutex(State(expiresAt: expiresAt))
        isFromEarlierProcess = false
    }

    /// Goes on with an upload of an earlier process.
    init(_ row: UploadRow, reservation: Reservation) {
        id = row.id
        isFromEarlierProcess = true
        repository = row.repository
        self.reservation = reservation
        state = Mutex(
            State(
                leftFile: row.fileName.map { ($0, row.length) },
                acknowledged: row.length,
                expiresAt: row.expiresAt
            )
        )
        reservation.takeWritten(row.length)
    }

    /// Bytes that were acknowledged: where the next ones begin.
    var length: Int64 { state.withLock { $0.acknowledged } }

    enum Taking {
        case taken
        case busy
        case over
    }

    /// Begins work on the session, for one request.
    ///
    /// `inParts`: Whether it must be one in parts; an upload is that or is not.
    func take(inParts: Bool = false) -> Taking {
        state.withLock { state in
            if state.isOver || state.isDoomed || inParts != (state.parts != nil) { return .over }
            if state.isTaken || state.partCount > 0 { return .busy }
            state.isTaken = true
            return .taken
        }
    }

    /// Makes it an upload in parts, if nothing else was done with it; bytes from the start that have come.
    ///
    /// `size`: Of the whole; nil when it is not known.
    func declareParts(size: Int64?) -> Int64? {
        state.withLock { state in
            if state.isOver || state.isDoomed { return nil }
            if state.parts == nil && (state.upload != nil || state.isTaken) { return nil }
            var parts = state.parts ?? UploadParts(size: size, received: state.acknowledged)
            parts.size = size ?? parts.size
            state.parts = parts
            return parts.contiguousLength
        }
    }

    /// Begins work on a part, beside others.
    func takePart() -> Taking {
        state.withLock { state in
            if state.isOver || state.isDoomed || state.parts == nil { return .over }
            if state.isTaken { return .busy }
            state.partCount += 1
            return .taken
        }
    }

    /// Ends the work of one request; whether the session is to be given up now.
    func giveBack() -> Bool {
        state.withLock { state in
            state.isTaken = false
            return state.endIfDoomed()
        }
    }

    /// Ends the work on a part; whether the session is to be given up now.
    func giveBackPart() -> Bool {
        state.withLock { state in
            state.partCount -= 1
            return state.endIfDoomed()
        }
    }

    /// Whether the session may be given up now; if a request works on it, then when that ends.
    func doom() -> Bool {
        state.withLock { state in
            state.isDoomed = true
            return state.endIfDoomed()
        }
    }

    /// Whether it has no byte and nobody is sending any.
    var isWaitingEmpty: Bool {
        state.withLock {
            $0.acknowledged == 0 && $0.parts?.isEmpty != false && !$0.isTaken && $0.partCount == 0 && !$0.isOver
        }
    }

    var expiresAt: Timestamp { state.withLock { $0.expiresAt } }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// Ends a session that nobody works on; false when somebody does, or it has ended.
    func end(ifUnusedAt now: Timestamp) -> Bool {
        state.withLock { state in
            guard !state.isTaken, state.partCount == 0, !state.isOver, state.expiresAt <= now else { return false }
            state.isOver = true
            return true
        }
    }

    func end() {
        state.withLock { $0.isOver = true }
    }
}

/// The resumable uploads of a store.
final class UploadSessions: Sendable {
    /// More are refused until some end.
    static let countMax = 10_000

    private let sessions = Mutex<[String: UploadSession]>([:])

    func find(_ id: String, in repository: RepositoryID) -> UploadSession? {
        sessions.withLock { $0[id] }.flatMap { $0.repository == repository ? $0 : nil }
    }

    /// Keeps a session; false when there are too many.
    func insert(_ session: UploadSession) -> Bool {
        sessions.withLock { sessions in
            guard sessions.count < Self.countMax else { return false }
            sessions[session.id] = session
            return true
        }
    }

    func remove(_ session: UploadSession) {
        sessions.withLock { $0[session.id] = nil }
    }

    /// Ends the session that has been without a byte for longest, and returns it; nil when there is none.
    func endOldestEmpty() -> UploadSession? {
        let waiting = sessions.withLock { Array($0.values) }.filter(\.isWaitingEmpty)
        let oldest = waiting.min { $0.expiresAt < $1.expiresAt }
        return oldest.flatMap { $0.end(ifUnusedAt: $0.expiresAt) ? $0 : nil }
    }

    /// Ends sessions whose time is over, and returns them.
    func endExpired(at now: Timestamp) -> [UploadSession] {
        sessions.withLock { Array($0.values) }.filter { $0.end(ifUnusedAt: now) }
    }

    func all(in repository: RepositoryID) -> [UploadSession] {
        sessions.withLock { $0.values.filter { $0.repository == repository } }
    }

    func removeAll() {
        sessions.withLock { $0 = [:] }
    }
}
