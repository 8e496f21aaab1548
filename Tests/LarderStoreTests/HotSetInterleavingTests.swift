import LarderCore
import LarderTestSupport
import NIOCore
import Synchronization
import Testing

@testable import LarderStore

private let nameCount = 6

private func name(_ number: Int) throws -> StoredName {
    guard let key = EntryKey("key/\(number)") else { throw TestFailure("no key") }
    return StoredName(repository: 1, item: .entry(key))
}

/// A value that tells its version.
private func item(version: Int) -> StoredContent {
    StoredContent(
        digest: .emptySHA256,
        size: Int64(version),
        pushedAt: Timestamp(milliseconds: 0),
        body: .bytes(ByteBuffer(integer: UInt64(version))),
        used: nil,
        lastUsed: Timestamp(milliseconds: 0)
    )
}

/// What a database holds: every commit, also of a deletion, raises the version.
private struct Model: Sendable {
    struct Row: Sendable {
        var version = 0
        var isDeleted = true
        /// The newest version that its writer was answered for: after the commit and the invalidation (V1).
        var answered = 0
    }

    var rows = [Row](repeating: Row(), count: nameCount)
}

/// V1 under every interleaving of fills with overwrites, deletions and invalidations: what the hot set answers is never
/// older than what a writer was answered for.
@Suite
struct HotSetInterleavingTests {
    private enum Fill {
        case idle
        case hasTicket(name: Int, ticket: HotSet.Ticket)
        case hasRead(name: Int, ticket: HotSet.Ticket, version: Int?)
    }

    private enum Write {
        case idle
        case committed(name: Int, version: Int)
        case invalidated(name: Int, version: Int)
    }

    @Test(arguments: [testSeed(), 1, 2, 3])
    func noAnswerIsOlderThanAnAnsweredWrite(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        // Now and then so small that items push each other out.
        let set = HotSet(limit: ByteCount(seed.isMultiple(of: 2) ? 1 << 20 : 16 * 3 * 264))
        let names = try (0..<nameCount).map { try name($0) }
        var model = Model()
        var fills = [Fill](repeating: .idle, count: 4)
        var writes = [Write](repeating: .idle, count: 3)
        var hits = 0
        for step in 0..<40_000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                let filler = Int.random(in: 0..<fills.count, using: &generator)
                switch fills[filler] {
                case .idle:
                    let number = Int.random(in: 0..<nameCount, using: &generator)
                    fills[filler] = .hasTicket(name: number, ticket: set.ticket(for: names[number]))
                case .hasTicket(let number, let ticket):
                    let row = model.rows[number]
                    fills[filler] = .hasRead(name: number, ticket: ticket, version: row.isDeleted ? nil : row.version)
                case .hasRead(let number, let ticket, let version):
                    if let version { set.insert(item(version: version), for: names[number], ticket: ticket) }
                    fills[filler] = .idle
                }
            case 4..<6:
                let writer = Int.random(in: 0..<writes.count, using: &generator)
                switch writes[writer] {
                case .idle:
                    let number = Int.random(in: 0..<nameCount, using: &generator)
                    model.rows[number].version += 1
                    model.rows[number].isDeleted = Int.random(in: 0..<3, using: &generator) == 0
                    writes[writer] = .committed(name: number, version: model.rows[number].version)
                case .committed(let number, let version):
                    if Int.random(in: 0..<20, using: &generator) == 0 {
                        set.removeAll()
                    } else {
                        set.invalidate([names[number]])
                    }
                    writes[writer] = .invalidated(name: number, version: version)
                case .invalidated(let number, let version):
                    model.rows[number].answered = max(model.rows[number].answered, version)
                    writes[writer] = .idle
                }
            default:
                let number = Int.random(in: 0..<nameCount, using: &generator)
                guard let found = set.find(names[number]) else { continue }
                hits += 1
                try #require(
                    found.size >= model.rows[number].answered,
                    "LARDER_TEST_SEED=\(seed), step \(step): an answer from before a committed write"
                )
            }
        }
        #expect(hits > 1000, "LARDER_TEST_SEED=\(seed)")
    }

    @Test
    func noAnswerIsOlderThanAnAnsweredWriteOnManyThreads() async throws {
        let set = HotSet(limit: .mebibytes(1))
        let names = try (0..<nameCount).map { try name($0) }
        let shared = SharedModel()
        let hits = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var generator = SeededGenerator(seed: UInt64(task))
                    var hits = 0
                    for _ in 0..<8000 {
                        let number = Int.random(in: 0..<nameCount, using: &generator)
                        if Int.random(in: 0..<8, using: &generator) == 0 {
                            let version = shared.commit(number, isDeleted: Bool.random(using: &generator))
                            set.invalidate([names[number]])
                            shared.answer(number, version)
                            continue
                        }
                        let answered = shared.row(number).answered
                        if let found = set.find(names[number]) {
                            hits += 1
                            if found.size < answered { throw TestFailure("version \(found.size) after \(answered)") }
                            continue
                        }
                        let ticket = set.ticket(for: names[number])
                        let row = shared.row(number)
                        if !row.isDeleted { set.insert(item(version: row.version), for: names[number], ticket: ticket) }
                    }
                    return hits
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(hits > 100)
    }
}

/// The model behind a lock.
private final class SharedModel: Sendable {
    private let model = Mutex(Model())

    func row(_ number: Int) -> Model.Row { model.withLock { $0.rows[number] } }

    func commit(_ number: Int, isDeleted: Bool) -> Int {
        model.withLock { model in
            model.rows[number].version += 1
            model.rows[number].isDeleted = isDeleted
            return model.rows[number].version
        }
    }

    func answer(_ number: Int, _ version: Int) {
        model.withLock { $0.rows[number].answered = max($0.rows[number].answered, version) }
    }
}
