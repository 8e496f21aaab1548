package import LarderCore
import Synchronization

/// The store's one account of space: what is stored, what uploads in progress are about to store, what the disk has.
///
/// L1: bytes are reserved before they are written and given back on every way out.
package final class SpaceAccount: Sendable {
    /// The account at one moment.
    package struct Balance: Sendable, Equatable {
        /// Bytes of all blobs.
        package var used: Int64
        /// Bytes that uploads in progress may still add, written or not.
        package var reserved: Int64
        package var disk: DiskBalance
        /// Reserved bytes that are on the disk already.
        var written: Int64 = 0
        /// Pages of the database that the next inserts use again: as good as free disk.
        package var freePages: Int64 = 0
    }

    /// The disk below the data folder, in bytes.
    package struct DiskBalance: Sendable, Equatable {
        package var total: Int64
        package var free: Int64
    }

    private let configuration: StoreConfiguration
    /// Bytes that the store may hold, as the configuration and the disk at the start make it.
    package let limit: ByteCount
    /// Free disk under which nothing is written.
    package let freeDiskFloor: ByteCount
    private let readDisk: @Sendable () -> DiskBalance?
    private let balance: Mutex<Balance>
    private let lastDiskReading: Mutex<ContinuousClock.Instant?> = Mutex(nil)
    /// Bytes stored since the last reading of the disk, which may have taken twice that from it.
    private let unseen = Atomic<Int64>(0)

    init(used: Int64, configuration: StoreConfiguration, readDisk: @escaping @Sendable () -> DiskBalance?) {
        self.configuration = configuration
        self.readDisk = readDisk
        let disk = readDisk() ?? DiskBalance(total: .max, free: .max)
        limit = configuration.sizeLimit.resolve(
            diskTotal: ByteCount(disk.total),
            diskFree: ByteCount(disk.free),
            used: ByteCount(used)
        )
        freeDiskFloor = configuration.freeDiskFloor ?? min(.gibibytes(1), ByteCount(disk.total).percent(2))
        balance = Mutex(Balance(used: used, reserved: 0, disk: disk))
    }

    package var current: Balance {
        refreshDisk()
        return balance.withLock { $0 }
    }

    /// Bytes that the account may hold: the limit, or less when the disk has less.
    ///
    /// Everything is an upper bound that moves with the disk.
    func capacity(_ balance: Balance) -> Int64 {
        let roomOnDisk = balance.disk.free + balance.freePages - freeDiskFloor.bytes
        let (byDisk, overflow) = (balance.used + balance.written).addingReportingOverflow(roomOnDisk)
        return min(limit.bytes, overflow ? Int64.max : byDisk)
    }

    /// Reserves bytes if there is room for them; false changes nothing.
    func reserve(_ byteCount: Int64) -> Bool {
        refreshDisk()
        return balance.withLock { balance in
            guard balance.used + balance.reserved + byteCount <= capacity(balance) else { return false }
            balance.reserved += byteCount
            return true
        }
    }

    /// Whether so many bytes could be reserved now.
    func hasRoom(for byteCount: Int64) -> Bool {
        refreshDisk()
        return balance.withLock { $0.used + $0.reserved + byteCount <= capacity($0) }
    }

    /// Reserves bytes whether or not there is room for them.
    func take(_ byteCount: Int64) {
        balance.withLock { $0.reserved += byteCount }
    }

    /// Notes that reserved bytes reached the disk.
    func noteWritten(_ byteCount: Int64) {
        balance.withLock { balance in
            balance.written += byteCount
            balance.disk.free -= byteCount
        }
        noteUnseen(byteCount)
    }

    /// Has the disk read again before what is stored could take it under its floor unseen.
    private func noteUnseen(_ byteCount: Int64) {
        guard byteCount > 0 else { return }
        let sum = unseen.wrappingAdd(byteCount, ordering: .relaxed).newValue
        if sum > freeDiskFloor.bytes / 16 { forgetDiskReading() }
    }

    /// Gives reserved bytes back.
    func release(_ byteCount: Int64) {
        release(ReservedRoom(reserved: byteCount))
    }

    /// Gives reserved bytes back, written or not.
    func release(_ room: ReservedRoom) {
        guard room != ReservedRoom() else { return }
        balance.withLock { balance in
            balance.reserved -= room.reserved
            balance.written -= room.written
            assert(balance.reserved >= 0, "more was released than reserved")
        }
    }

    /// Mirrors a commit: what was reserved for it becomes used in one step, so that nothing is counted twice.
    func apply(usedBytes: Int64, releasing room: ReservedRoom) {
        guard usedBytes != 0 || room != ReservedRoom() else { return }
        balance.withLock { balance in
            balance.used += usedBytes
            balance.reserved -= room.reserved
            balance.written -= room.written
            // What the last reading of the disk does not know yet; removals free the disk later.
            balance.disk.free -= max(0, usedBytes - room.written)
            assert(balance.reserved >= 0, "more was released than reserved")
        }
        noteUnseen(usedBytes)
    }

    /// Whether the disk, and not the limit, decides how much may be held.
    var isBoundByDisk: Bool {
        refreshDisk()
        return balance.withLock { capacity($0) < limit.bytes }
    }

    /// Takes a new count of the database's free pages, and reads the disk again.
    func update(freePages: Int64) {
        forgetDiskReading()
        balance.withLock { $0.freePages = freePages }
        refreshDisk()
    }

    /// Takes a sum that was computed anew.
    func correct(used: Int64) {
        balance.withLock { $0.used = used }
    }

    /// Bytes that eviction should free now: nothing below the high watermark, else down to the low one.
    ///
    /// `extra`: Bytes that somebody waits to reserve.
    func excess(extra: Int64 = 0) -> Int64 {
        refreshDisk()
        return balance.withLock { balance in
            let capacity = ByteCount(capacity(balance))
            let held = balance.used + balance.reserved
            guard extra > 0 || held > capacity.percent(configuration.highWatermark).bytes else { return 0 }
            guard held + extra > capacity.percent(configuration.highWatermark).bytes else { return 0 }
            // A single wish larger than the distance between the watermarks is met exactly.
            return held - min(capacity.percent(configuration.lowWatermark).bytes, capacity.bytes - extra)
        }
    }

    /// Reads the disk again at the next question, as after a write that it refused although the account had room.
    func forgetDiskReading() {
        lastDiskReading.withLock { $0 = nil }
    }

    private func refreshDisk() {
        let now = ContinuousClock().now
        let isDue = lastDiskReading.withLock { last in
            if let last, now - last < .milliseconds(200) { return false }
            last = now
            return true
        }
        // statvfs on a local disk takes about a microsecond.
        guard isDue, let disk = readDisk() else { return }
        unseen.store(0, ordering: .relaxed)
        balance.withLock { $0.disk = disk }
    }
}

/// Bytes that one write holds in the account.
struct ReservedRoom: Sendable, Equatable {
    var reserved: Int64 = 0
    /// Of these, what is on the disk already.
    var written: Int64 = 0
}
