import LarderCore
import LarderTestSupport
import NIOCore
import Testing

@testable import LarderStore

private func name(_ number: Int) throws -> StoredName {
    guard let key = EntryKey("key/\(number)") else { throw TestFailure("no key") }
    return StoredName(repository: 1, item: .entry(key))
}

private func item(_ bytes: [UInt8]) -> StoredContent {
    StoredContent(
        digest: .emptySHA256,
        size: Int64(bytes.count),
        pushedAt: Timestamp(milliseconds: 0),
        body: .bytes(ByteBuffer(bytes: bytes)),
        used: nil,
        lastUsed: Timestamp(milliseconds: 0)
    )
}

extension HotSet {
    fileprivate func put(_ bytes: [UInt8], for name: StoredName) -> Bool {
        insert(item(bytes), for: name, ticket: ticket(for: name))
    }

    fileprivate func bytes(of name: StoredName) -> [UInt8]? {
        guard let content = find(name), case .bytes(let buffer) = content.body else { return nil }
        return Array(buffer.readableBytesView)
    }

    /// Names that lie in one shard: those whose tickets an invalidation of the first makes worthless.
    fileprivate func namesInOneShard(_ count: Int) throws -> [StoredName] {
        let first = try name(0)
        var names = [first]
        var number = 1
        while names.count < count {
            let candidate = try name(number)
            number += 1
            let ticket = ticket(for: candidate)
            invalidate([first])
            if !insert(item([]), for: candidate, ticket: ticket) { names.append(candidate) }
        }
        removeAll()
        return names
    }
}

/// The hot set is bounded in bytes, forgets what was used least recently, and takes nothing that may be old.
@Suite
struct HotSetTests {
    /// Four items of 100 bytes with their overhead of 256 fill a shard; there are 16.
    private let set = HotSet(limit: ByteCount(16 * 4 * 356))

    @Test
    func whatWasInsertedIsFound() throws {
        #expect(set.bytes(of: try name(1)) == nil)
        #expect(set.put([1, 2], for: try name(1)))
        #expect(set.bytes(of: try name(1)) == [1, 2])
        #expect(set.byteCount == 258)
        #expect(set.put([3], for: try name(1)))
        #expect(set.bytes(of: try name(1)) == [3])
        #expect(set.byteCount == 257)
        set.removeAll()
        #expect(set.bytes(of: try name(1)) == nil)
        #expect(set.byteCount == 0)
    }

    @Test
    func theLeastRecentlyUsedOfAShardGoesFirst() throws {
        let names = try set.namesInOneShard(7)
        let bytes = [UInt8](repeating: 7, count: 100)
        for name in names[0..<4] { #expect(set.put(bytes, for: name)) }
        #expect(set.byteCount == 4 * 356)
        #expect(set.bytes(of: names[0]) == bytes)
        #expect(set.put(bytes, for: names[4]))
        #expect(set.put(bytes, for: names[5]))
        #expect(names.map { set.find($0) != nil } == [true, false, false, true, true, true, false])
        #expect(set.byteCount == 4 * 356)
    }

    @Test
    func noteUseDoesNotBringAnythingBack() throws {
        #expect(set.put([1], for: try name(1)))
        set.noteUse(of: try name(1), at: Timestamp(milliseconds: 5))
        set.noteUse(of: try name(2), at: Timestamp(milliseconds: 5))
        #expect(set.find(try name(1))?.lastUsed == Timestamp(milliseconds: 5))
        #expect(set.find(try name(2)) == nil)
    }

    @Test
    func anItemOfMoreThanHalfAShardIsRefused() throws {
        #expect(set.put([UInt8](repeating: 0, count: 712 - 256), for: try name(1)))
        #expect(set.put([UInt8](repeating: 0, count: 713 - 256), for: try name(2)) == false)
        #expect(set.find(try name(2)) == nil)
    }

    @Test
    func theLimitHoldsWhateverIsInserted() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            let name = try name(Int.random(in: 0..<500, using: &generator))
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: set.invalidate([name])
            case 1...3: _ = set.find(name)
            default: _ = set.put([UInt8](repeating: 1, count: Int.random(in: 0...500, using: &generator)), for: name)
            }
            #expect((0...(16 * 4 * 356)).contains(set.byteCount))
        }
        for number in 0..<500 { set.invalidate([try name(number)]) }
        #expect(set.byteCount == 0)
    }

    @Test
    func whatWasInvalidatedIsGoneAndOlderReadsAreRefused() throws {
        let (first, second) = (try name(1), try name(2))
        #expect(set.put([1], for: first))
        let (old, other) = (set.ticket(for: first), set.ticket(for: second))
        set.invalidate([first])
        #expect(set.find(first) == nil)
        #expect(set.insert(item([1]), for: first, ticket: old) == false)
        #expect(set.find(first) == nil)
        // One shard may hold both names: then a refusal is right too, but what was inserted is found.
        #expect(set.insert(item([2]), for: second, ticket: other) == (set.find(second) != nil))
        #expect(set.put([3], for: first))
        #expect(set.bytes(of: first) == [3])
    }

    @Test
    func aTicketServesUntilTheInvalidationAndRemoveAllEndsAllTickets() throws {
        let tickets = try (0..<64).map { (try name($0), set.ticket(for: try name($0))) }
        for (name, ticket) in tickets { #expect(set.insert(item([1]), for: name, ticket: ticket)) }
        set.removeAll()
        for (name, ticket) in tickets { #expect(set.insert(item([1]), for: name, ticket: ticket) == false) }
        for (name, _) in tickets { #expect(set.find(name) == nil) }
    }
}
