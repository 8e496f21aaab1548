package import LarderCore
import NIOCore
import Synchronization

/// Recently used small blobs and entry values, in memory and bounded in bytes.
///
/// V1: the committer invalidates after a commit and before anybody is answered. A filler takes a ticket before it reads
/// the database; its insert is refused when its shard was invalidated since, because what it read may be older than the
/// commit. Sharded, so that event loops seldom meet at a lock.
package final class HotSet: Sendable {
    /// Proof of the time before a read.
    package struct Ticket: Sendable {
        fileprivate let version: UInt64
    }

    /// What an item costs beside its bytes: names, dictionary, list.
    static let overheadPerItem = 256

    private static let shardCount = 16
    private let shards: [Shard]

    /// - Parameter limit: Bytes, overhead included, over all shards.
    package init(limit: ByteCount) {
        shards = (0..<Self.shardCount).map { _ in Shard(byteLimit: Int(limit.bytes) / Self.shardCount) }
    }

    /// The item of a name, which becomes the most recently used one.
    ///
    /// Constant time, never blocks for long.
    package func find(_ name: StoredName) -> StoredContent? {
        shard(of: name).state.withLock { $0.find(name) }
    }

    /// To be taken before the read whose result is inserted.
    package func ticket(for name: StoredName) -> Ticket {
        Ticket(version: shard(of: name).state.withLock { $0.version })
    }

    /// Inserts what was read; false when the name's shard was invalidated since the ticket was taken.
    @discardableResult
    package func insert(_ content: StoredContent, for name: StoredName, ticket: Ticket) -> Bool {
        shard(of: name).state.withLock { $0.insert(content, for: name, ticket: ticket) }
    }

    /// Remembers that an item's last use was noted, so that its next hits need not be.
    package func noteUse(of name: StoredName, at time: Timestamp) {
        shard(of: name).state.withLock { $0.noteUse(of: name, at: time) }
    }

    /// Forgets names, and refuses every insert whose read began before.
    package func invalidate(_ names: some Sequence<StoredName>) {
        for name in names {
            shard(of: name).state.withLock { $0.invalidate(name) }
        }
    }

    /// Forgets everything, and refuses every insert whose read began before.
    package func removeAll() {
        for shard in shards {
            shard.state.withLock { $0.removeAll() }
        }
    }

    /// Bytes held, overhead included.
    package var byteCount: Int {
        shards.reduce(0) { $0 + $1.state.withLock { $0.byteCount } }
    }

    private func shard(of name: StoredName) -> Shard {
        // The low bits of the hash choose the dictionary's bucket; these are others.
        shards[Int(truncatingIfNeeded: UInt(bitPattern: name.hashValue) >> 40) % Self.shardCount]
    }
}

private final class Shard: Sendable {
    let state: Mutex<ShardState>

    init(byteLimit: Int) {
        state = Mutex(ShardState(byteLimit: byteLimit))
    }
}

/// A dictionary into a doubly linked list that is kept in an array: most recently used at the head.
private struct ShardState {
    private struct Node {
        var name: StoredName
        var content: StoredContent
        var previous: Int
        var next: Int
    }

    private static let none = -1

    let byteLimit: Int
    var version: UInt64 = 0
    private(set) var byteCount = 0
    private var slots: [StoredName: Int] = [:]
    private var nodes: [Node] = []
    private var freeSlots: [Int] = []
    private var head = Self.none
    private var tail = Self.none

    init(byteLimit: Int) {
        self.byteLimit = byteLimit
    }

    mutating func find(_ name: StoredName) -> StoredContent? {
        guard let slot = slots[name] else { return nil }
        if slot != head {
            unlink(slot)
            linkAtHead(slot)
        }
        return nodes[slot].content
    }

    mutating func insert(_ content: StoredContent, for name: StoredName, ticket: HotSet.Ticket) -> Bool {
        guard ticket.version == version else { return false }
        let cost = content.cost
        guard cost <= byteLimit / 2 else { return false }
        remove(name)
        let node = Node(name: name, content: content, previous: Self.none, next: Self.none)
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            nodes[slot] = node
        } else {
            slot = nodes.count
            nodes.append(node)
        }
        slots[name] = slot
        linkAtHead(slot)
        byteCount += cost
        while byteCount > byteLimit, tail != Self.none {
            remove(nodes[tail].name)
        }
        return true
    }

    mutating func noteUse(of name: StoredName, at time: Timestamp) {
        guard let slot = slots[name] else { return }
        nodes[slot].content.lastUsed = time
    }

    mutating func invalidate(_ name: StoredName) {
        version += 1
        remove(name)
    }

    mutating func removeAll() {
        version += 1
        slots = [:]
        nodes = []
        freeSlots = []
        head = Self.none
        tail = Self.none
        byteCount = 0
    }

    private mutating func remove(_ name: StoredName) {
        guard let slot = slots.removeValue(forKey: name) else { return }
        unlink(slot)
        byteCount -= nodes[slot].content.cost
        // The slot must not keep the bytes alive.
        nodes[slot].content.body = .bytes(ByteBuffer())
        freeSlots.append(slot)
    }

    private mutating func unlink(_ slot: Int) {
        let (previous, next) = (nodes[slot].previous, nodes[slot].next)
        if previous == Self.none { head = next } else { nodes[previous].next = next }
        if next == Self.none { tail = previous } else { nodes[next].previous = previous }
    }

    private mutating func linkAtHead(_ slot: Int) {
        nodes[slot].previous = Self.none
        nodes[slot].next = head
        if head == Self.none { tail = slot } else { nodes[head].previous = slot }
        head = slot
    }
}

extension StoredContent {
    fileprivate var cost: Int {
        if case .bytes(let buffer) = body { buffer.readableBytes + HotSet.overheadPerItem } else { Int.max }
    }
}
