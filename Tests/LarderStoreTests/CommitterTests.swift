import Dispatch
import LarderCore
import LarderMetadata
import LarderTestSupport
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import LarderStore

/// Holds the committer inside a transaction until it is opened.
private final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let reached = Mutex(false)

    var isReached: Bool { reached.withLock { $0 } }

    func wait() {
        reached.withLock { $0 = true }
        semaphore.wait()
    }

    func open() { semaphore.signal() }
}

/// Something that is on or off.
private final class Switch: Sendable {
    private let state = Mutex(false)

    var isOn: Bool { state.withLock { $0 } }

    func set(_ isOn: Bool) { state.withLock { $0 = isOn } }
}

/// What happened, in order.
private final class Log: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

extension StoreHarness {
    /// Stops the committer in an operation, so that what is submitted meanwhile becomes one batch.
    fileprivate func holdCommitter(_ gate: Gate) async throws {
        let isQueued = store.committer.submit({ _ in gate.wait() }, completion: { _ in })
        #expect(isQueued)
        try await waitUntil("the committer is held") { gate.isReached }
    }

    /// Names of the repositories in the database.
    fileprivate func repositoryNames() async throws -> [String] {
        try await store.read { try $0.repositories() }.map(\.name.text).sorted()
    }
}

private func create(_ text: String, in transaction: MetadataTransaction) throws {
    guard let name = RepositoryName(text) else { throw TestFailure("no name") }
    _ = try transaction.createRepository(
        name,
        kind: .cache,
        settings: RepositorySettings(),
        now: Timestamp(milliseconds: 0)
    )
}

/// A database of its own, closed at the end.
private func withMetadata(_ body: (Metadata) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
        let metadata = try Metadata(
            path: "\(folder)/larder.sqlite",
            readerCountMax: 1,
            now: Timestamp(milliseconds: 0)
        )
        try await body(metadata)
        try metadata.close()
    }
}

extension Committer {
    fileprivate convenience init(_ metadata: Metadata, synchronize: (@Sendable () throws -> Void)? = nil) {
        self.init(
            metadata: metadata,
            walLengthMax: { .mebibytes(1) },
            queueLengthMax: 10,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            synchronize: synchronize,
            apply: { _, _ in }
        )
    }

    /// Runs while the body does, and ends in order.
    fileprivate func running(_ body: () async throws -> Void) async throws {
        let group = ServiceGroup(configuration: .init(services: [.init(service: self)], logger: .init(label: "")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body()
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

/// One writer, many requests: each gets its own answer, in order, after the commit and the invalidation.
@Suite
struct CommitterTests {
    @Test
    func operationsAreDoneAndAnsweredInOrder() async throws {
        try await withStore { harness in
            let (performed, answered, gate) = (Log(), Log(), Gate())
            try await harness.holdCommitter(gate)
            for number in 0..<100 {
                let isQueued = harness.store.committer.submit(
                    { _ in performed.add("\(number)") },
                    completion: { _ in answered.add("\(number)") }
                )
                #expect(isQueued)
            }
            // The sweeper may have put an operation of its own between.
            #expect(harness.store.committer.queueLength >= 100)
            #expect(performed.all == [])
            gate.open()
            try await waitUntil("all are answered") { answered.all.count == 100 }
            #expect(performed.all == (0..<100).map { "\($0)" })
            #expect(answered.all == (0..<100).map { "\($0)" })
        }
    }

    @Test
    func aBatchThatTakesTooLongGoesOnInTheNextWithoutLosingItsOrder() async throws {
        try await withStore { harness in
            let (answered, gate) = (Log(), Gate())
            try await harness.holdCommitter(gate)
            for number in 0..<6 {
                let isQueued = harness.store.committer.submit(
                    { _ in
                        // Longer than a transaction may take, by the clock.
                        let clock = ContinuousClock()
                        let end = clock.now + .milliseconds(12)
                        while clock.now < end {}
                        return number
                    },
                    completion: { answered.add("\((try? $0.get()) ?? -1)") }
                )
                #expect(isQueued)
            }
            gate.open()
            try await waitUntil("all are answered") { answered.all.count == 6 }
            #expect(answered.all == ["0", "1", "2", "3", "4", "5"])
        }
    }

    @Test
    func oneFailureInABatchIsItsOwn() async throws {
        try await withStore { harness in
            let (answers, gate) = (Log(), Gate())
            try await harness.holdCommitter(gate)
            func submit(_ text: String, _ body: @escaping @Sendable (MetadataTransaction) throws -> Void) {
                let isQueued = harness.store.committer.submit(body) { result in
                    switch result {
                    case .success: answers.add("\(text): done")
                    case .failure(let error): answers.add("\(text): \(error)")
                    }
                }
                #expect(isQueued)
            }
            submit("a") { try create("a", in: $0) }
            submit("b") { _ in throw StoreError.invalidContent("before writing") }
            submit("c") {
                try create("c", in: $0)
                throw StoreError.invalidContent("after writing")
            }
            submit("d") { try create("d", in: $0) }
            submit("e") { _ in throw StoreError.noSpace("also before") }
            submit("f") { try create("f", in: $0) }
            gate.open()
            try await waitUntil("all are answered") { answers.all.count == 6 }
            #expect(
                answers.all == [
                    "a: done", "b: invalid content: before writing", "c: invalid content: after writing", "d: done",
                    "e: no space: also before", "f: done",
                ]
            )
            #expect(try await harness.repositoryNames() == ["a", "d", "f"])
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func whatWasRolledBackIsNotMirroredInMemory() async throws {
        try await withStore { harness in
            try await harness.putBlob(content(1, 10))
            let repository = try harness.repository()
            let clock = harness.store.useClock(in: .cache)
            let blob = UploadedBlob(
                digest: IncrementalHasher.digest(of: content(2, 20)),
                size: 20,
                content: .inline(content(2, 20))
            )
            await #expect(throws: StoreError.invalidContent("after writing")) {
                try await harness.store.committer.commit {
                    _ = try $0.putBlob(blob, in: repository.id, isExplicit: true, clock: clock)
                    throw StoreError.invalidContent("after writing")
                }
            }
            #expect(harness.used == 10)
            #expect(try harness.repository().usedBytes == 10)
            #expect(try await harness.blob(blob.digest) == nil)
            #expect(try await harness.problems() == [])
        }
    }

    @Test
    func aFullQueueRefusesAndAWaitingCommitGoesOnWhenThereIsRoom() async throws {
        var configuration = StoreConfiguration.testing
        configuration.queueLengthMax = 3
        try await withStore(configuration) { harness in
            let (answered, gate) = (Log(), Gate())
            try await harness.holdCommitter(gate)
            let committer = harness.store.committer
            let isQueued = (0..<5).map { number in
                committer.submit({ _ in }, completion: { _ in answered.add("\(number)") })
            }
            // The sweeper may have queued an operation of its own before.
            #expect(committer.queueLength == 3)
            let queued = isQueued.indices.filter { isQueued[$0] }
            #expect((1...3).contains(queued.count))
            #expect(queued == Array(0..<queued.count))
            async let patient = committer.commit { _ in "patient" }
            gate.open()
            #expect(try await patient == "patient")
            try await waitUntil("all are answered") { answered.all.count == queued.count }
            #expect(answered.all == queued.map { "\($0)" })
        }
    }

    @Test
    func afterTheEndEverythingIsRefused() async throws {
        let store = try await withStore { $0.store }
        await #expect(throws: StoreError.shuttingDown) {
            try await store.committer.commit { _ in }
        }
        let answer = await withCheckedContinuation { continuation in
            let isTaken = store.committer.submit({ _ in }, completion: { continuation.resume(returning: $0) })
            #expect(isTaken)
        }
        #expect(throws: StoreError.shuttingDown) { try answer.get() }
    }

    @Test
    func whatIsQueuedWhenTheEndComesIsStillDone() async throws {
        try await withTemporaryFolder { folder in
            let answers = Log()
            try await withStore(in: folder) { harness in
                let gate = Gate()
                try await harness.holdCommitter(gate)
                for number in 0..<10 {
                    let isQueued = harness.store.committer.submit(
                        { try create("r\(number)", in: $0) },
                        completion: { _ in answers.add("\(number)") }
                    )
                    #expect(isQueued)
                }
                gate.open()
            }
            #expect(answers.all.count == 10)
            try await withStore(in: folder) { harness in
                #expect(try await harness.repositoryNames().count == 10)
                _ = try await harness.store.status()
            }
        }
    }

    @Test
    func theHotSetForgetsBeforeAnybodyIsAnswered() async throws {
        try await withStore { harness in
            try await harness.putEntry("key", [1])
            let id = try harness.repository().id
            let name = StoredName(repository: id, item: .entry(try harness.key("key")))
            for round in 0..<50 {
                #expect(try await harness.entry("key") == [UInt8(round + 1)])
                #expect(harness.store.lookUp(name) != nil)
                let bytes = [UInt8(round + 2)]
                let blob = UploadedBlob(
                    digest: IncrementalHasher.digest(of: bytes),
                    size: 1,
                    content: .inline(bytes)
                )
                let (key, clock) = (try harness.key("key"), harness.store.useClock(in: .cache))
                let isForgotten = await withCheckedContinuation { continuation in
                    let isQueued = harness.store.committer.submit(
                        { _ = try $0.putEntry(key, value: blob, references: .none, in: id, clock: clock) },
                        completion: { _ in continuation.resume(returning: harness.store.lookUp(name) == nil) }
                    )
                    #expect(isQueued)
                }
                #expect(isForgotten)
            }
        }
    }

    @Test
    func theAccountIsRightBeforeAnybodyIsAnswered() async throws {
        try await withStore { harness in
            for number in 1...20 {
                try await harness.putBlob(content(number, 100))
                #expect(harness.used == Int64(number * 100))
                #expect(try harness.repository().usedBytes == Int64(number * 100))
            }
        }
    }

    /// As when another part of the server fails at the start.
    @Test
    func anEndBeforeTheBeginningIsAnEnd() async throws {
        try await withMetadata { metadata in
            for _ in 0..<200 {
                let committer = Committer(metadata)
                let task = Task { try await committer.run() }
                task.cancel()
                _ = await task.result
                await #expect(throws: StoreError.shuttingDown) { try await committer.commit { _ in } }
            }
        }
    }

    /// What the disk refused to sync may be lost however often it is tried again: nothing is promised any more.
    @Test
    func afterAFailedSyncNothingIsPromised() async throws {
        try await withMetadata { metadata in
            let mayFail = Switch()
            let committer = Committer(metadata) {
                if mayFail.isOn { throw StoreError.io(operation: "sync", path: "log", code: 5) }
                try metadata.synchronize()
            }
            let failure = StoreError.io(operation: "sync", path: "log", code: 5)
            try await committer.running {
                try await committer.commit { try create("a", in: $0) }
                mayFail.set(true)
                // An operation that changes nothing needs no sync.
                try await committer.commit { _ in }
                await #expect(throws: failure) { try await committer.commit { try create("b", in: $0) } }
                mayFail.set(false)
                await #expect(throws: failure) { try await committer.commit { try create("c", in: $0) } }
                await #expect(throws: failure) { try await committer.commit { _ in } }
            }
            #expect(try metadata.read { try $0.repositories() }.map(\.name.text).sorted() == ["a", "b"])
        }
    }

    /// While the disk syncs, the next transaction is written; its operations are still answered after it, in order.
    @Test
    func answersWaitForTheirSync() async throws {
        try await withMetadata { metadata in
            let (gate, log) = (Gate(), Log())
            let committer = Committer(metadata) {
                gate.wait()
                log.add("sync")
            }
            try await committer.running {
                // Whatever fails: the committer ends only when nothing waits.
                defer { for _ in 0..<10 { gate.open() } }
                for text in ["a", "b", "c"] {
                    let isQueued = committer.submit(
                        { try create(text, in: $0) },
                        completion: { _ in log.add(text) }
                    )
                    #expect(isQueued)
                    if text == "a" { try await waitUntil("a is being synced") { gate.isReached } }
                }
                // The second batch is written while the first one's sync is held.
                try await waitUntil("b is written") {
                    try metadata.read { try $0.repositories() }.map(\.name.text).contains("b")
                }
                #expect(log.all == [])
                for _ in 0..<3 { gate.open() }
                try await waitUntil("all are answered") { log.all.contains("c") }
                #expect(log.all.first == "sync")
                #expect(log.all.filter { $0 != "sync" } == ["a", "b", "c"])
                #expect(log.all.firstIndex(of: "a").map { $0 >= 1 } ?? false)
                #expect((log.all.lastIndex(of: "sync") ?? 9) < (log.all.firstIndex(of: "c") ?? 0))
            }
        }
    }
}
