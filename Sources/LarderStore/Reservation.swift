import LarderCore
import Synchronization

/// Bytes reserved for one upload, in its repository too; given back whatever happens.
final class Reservation: Sendable {
    /// Reserved ahead of the bytes that arrived (design: 64 MiB at most).
    private static let aheadBytes: Int64 = 8 << 20
    /// Rounds of eviction whose room others may take before a writer is refused.
    private static let attemptMax = 64

    private let store: Store
    private let repository: RepositoryID
    private let entries: Int64
    private let taken = Atomic<Int64>(0)
    private let written = Atomic<Int64>(0)

    init(store: Store, repository: RepositoryID, entries: Int64) {
        self.store = store
        self.repository = repository
        self.entries = entries
    }

    /// Takes bytes that are on the disk already, whether or not there is room for them: those of an upload that an earlier
    /// process began.
    func takeWritten(_ byteCount: Int64) {
        store.account.take(byteCount)
        taken.wrappingAdd(byteCount, ordering: .relaxed)
        noteWritten(byteCount)
    }

    /// Makes sure that at least `received` bytes are reserved, and a bounded amount ahead.
    func cover(_ received: Int64, of length: Int64?) async throws(StoreError) {
        let held = bytes
        guard received > held else { return }
        let ahead = min(received + Self.aheadBytes, max(length ?? .max, received)) - held
        // Room ahead is a convenience: it evicts nothing and refuses nobody.
        if !isOverQuota(held + ahead), store.account.reserve(ahead) {
            taken.wrappingAdd(ahead, ordering: .relaxed)
        } else {
            try await take(received - held)
        }
    }

    /// Gives back what was reserved beyond a length that is on the disk.
    func trim(to length: Int64) {
        let excess = ReservedRoom(
            reserved: max(0, taken.load(ordering: .relaxed) - length),
            written: max(0, written.load(ordering: .relaxed) - length)
        )
        store.account.release(excess)
        taken.wrappingSubtract(excess.reserved, ordering: .relaxed)
        written.wrappingSubtract(excess.written, ordering: .relaxed)
    }

    /// Gives back bytes that were taken and noted as written, and count no more.
    func giveBack(_ byteCount: Int64) {
        store.account.release(ReservedRoom(reserved: byteCount, written: byteCount))
        taken.wrappingSubtract(byteCount, ordering: .relaxed)
        written.wrappingSubtract(byteCount, ordering: .relaxed)
    }

    /// Reserves bytes; waits for eviction when there is no room.
    func take(_ byteCount: Int64) async throws(StoreError) {
        let total = bytes + byteCount
        for _ in 0..<Self.attemptMax {
            if isOverQuota(total) {
                try await store.evictor.waitForRoom(.repository(repository, bytes: total, entries: entries))
            } else if store.account.reserve(byteCount) {
                taken.wrappingAdd(byteCount, ordering: .relaxed)
                return
            } else {
                try await store.evictor.waitForRoom(.store(bytes: byteCount))
            }
        }
        throw .noSpace("other writes took the room that eviction made")
    }

    private func isOverQuota(_ byteCount: Int64) -> Bool {
        store.directory.find(repository)?.isOverQuota(bytes: byteCount, entries: entries) ?? false
    }

    var bytes: Int64 { taken.load(ordering: .relaxed) }

    var room: ReservedRoom { ReservedRoom(reserved: bytes, written: written.load(ordering: .relaxed)) }

    func noteWritten(_ byteCount: Int64) {
        written.wrappingAdd(byteCount, ordering: .relaxed)
        store.account.noteWritten(byteCount)
    }

    /// The bytes are used by now, and no longer reserved.
    func settle() {
        taken.store(0, ordering: .relaxed)
        written.store(0, ordering: .relaxed)
    }

    func release() {
        // Whoever comes second finds nothing.
        store.account.release(
            ReservedRoom(
                reserved: taken.exchange(0, ordering: .relaxed),
                written: written.exchange(0, ordering: .relaxed)
            )
        )
    }
}
