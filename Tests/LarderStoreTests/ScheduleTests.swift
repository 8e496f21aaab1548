import Dispatch
import LarderBlobs
import LarderCore
import LarderMetadata
import LarderRetention
import LarderTestSupport
import Testing

@testable import LarderStore

private let dayLength: Int64 = 24 * 3600 * 1000

/// The policies run at three in the morning, UTC.
private func scheduled(_ text: String? = "0 3 * * *") throws -> StoreConfiguration {
    var configuration = retentionConfiguration
    configuration.pruneSchedule = try text.map { (text) throws in try CronSchedule(text) }
    return configuration
}

extension ManualTime {
    /// The next moment at which it is so late, UTC.
    fileprivate func next(hour: Int64, minute: Int64 = 0, second: Int64 = 0) -> Timestamp {
        let offset = ((hour * 60 + minute) * 60 + second) * 1000
        let today = now.milliseconds / dayLength * dayLength + offset
        return Timestamp(milliseconds: today > now.milliseconds ? today : today + dayLength)
    }

    fileprivate func advance(to time: Timestamp) { advance(by: time - now) }

    fileprivate func advance(toHour hour: Int64, minute: Int64 = 0, second: Int64 = 0) {
        advance(to: next(hour: hour, minute: minute, second: second))
    }
}

extension StoreHarness {
    /// Runs what is due, and waits for what the store's own service may have begun a moment before.
    ///
    /// - Returns: How many runs by schedule a repository has had.
    fileprivate func runDue(_ repository: String = "images") async throws -> Int {
        try await store.retention.runDue()
        try await waitUntil("every run has ended") {
            try await runs(of: repository).allSatisfy { $0.endedAt != nil }
        }
        return try await runs(of: repository).count { $0.reason == .schedule }
    }

    fileprivate func nextRun(_ repository: String = "images") throws -> Timestamp? {
        try store.nextRun(of: try name(repository))
    }

    fileprivate func setSchedule(_ text: String?, of repository: String = "images") async throws {
        var settings = try self.repository(repository).settings
        settings.pruneSchedule = text
        _ = try await store.setRepository(try name(repository), settings)
    }
}

/// Policies run when they are due: once, however often that was missed.
@Suite
struct ScheduleTests {
    @Test
    func aPolicyRunsOnceWheneverItIsDue() async throws {
        try await withStore(try scheduled()) { (harness) async throws in
            let images = try await harness.pushSeries(0..<3)
            try await harness.setPolicy(keepLast(1))
            let first = harness.time.next(hour: 3)
            #expect(try harness.nextRun() == first)
            #expect(try await harness.runDue() == 0)
            harness.time.advance(to: first - .milliseconds(1))
            #expect(try await harness.runDue() == 0)
            #expect(try await harness.visible(images) == [0, 1, 2])
            harness.time.advance(to: first)
            #expect(try await harness.runDue() == 1)
            #expect(try await harness.visible(images) == [2])
            let record = try #require(try await harness.runs().first)
            #expect(record.actor == "schedule")
            #expect(record.startedAt == first)
            #expect(record.policy == keepLast(1))
            #expect(record.counts.removed == 2)
            #expect(try await harness.runDue() == 1)
            harness.time.advance(by: .seconds(23 * 3600))
            #expect(try await harness.runDue() == 1)
            #expect(try harness.nextRun() == first + .milliseconds(dayLength))
            harness.time.advance(by: .seconds(3600))
            #expect(try await harness.runDue() == 2)
            #expect(try await harness.runDue() == 2)
        }
    }

    @Test
    func withoutAPolicyOrAScheduleNothingRuns() async throws {
        try await withStore(try scheduled(nil)) { (harness) async throws in
            try await harness.pushSeries(0..<3)
            try await harness.pushSeries(10..<13, in: "other")
            try await harness.setPolicy(keepLast(1))
            try await harness.setSchedule("0 3 * * *", of: "other")
            #expect(try harness.nextRun() == nil)
            #expect(try harness.nextRun("other") == nil)
            harness.time.advance(by: .milliseconds(10 * dayLength))
            #expect(try await harness.runDue() == 0)
            #expect(try await harness.runDue("other") == 0)
            let error = try await storeError { _ = try harness.nextRun("nowhere") }
            #expect(caseName(error) == "notFound")
        }
    }

    @Test
    func aRepositoryMayHaveAScheduleOfItsOwn() async throws {
        try await withStore(try scheduled()) { (harness) async throws in
            for repository in ["daily", "early", "never"] {
                try await harness.pushSeries(0..<2, in: repository)
                try await harness.setPolicy(keepLast(1), of: repository)
            }
            try await harness.setSchedule("30 1 * * *", of: "early")
            try await harness.setSchedule("off", of: "never")
            #expect(try harness.nextRun("early") == harness.time.next(hour: 1, minute: 30))
            #expect(try harness.nextRun("never") == nil)
            harness.time.advance(toHour: 1, minute: 30)
            #expect(try await harness.runDue("early") == 1)
            #expect(try await harness.runDue("daily") == 0)
            harness.time.advance(toHour: 3)
            #expect(try await harness.runDue("daily") == 1)
            #expect(try await harness.runDue("early") == 1)
            harness.time.advance(by: .milliseconds(5 * dayLength))
            #expect(try await harness.runDue("never") == 0)
            // Without its own the store's schedule holds.
            try await harness.setSchedule(nil, of: "early")
            #expect(try await harness.runDue("early") == 2)
            #expect(try harness.nextRun("early") == harness.time.next(hour: 3))
        }
    }

    /// In Vienna clocks are two hours ahead of UTC in summer and one in winter.
    @Test
    func aScheduleMayNameAZone() async throws {
        try await withStore(try scheduled("CRON_TZ=Europe/Vienna 0 3 * * *")) { (harness) async throws in
            try await harness.pushSeries(0..<3)
            try await harness.setPolicy(keepLast(1))
            let first = harness.time.next(hour: 1)
            #expect(try harness.nextRun() == first)
            harness.time.advance(to: first - .milliseconds(1))
            #expect(try await harness.runDue() == 0)
            harness.time.advance(by: .milliseconds(1))
            #expect(try await harness.runDue() == 1)
            // 200 days after May is winter.
            harness.time.advance(by: .milliseconds(200 * dayLength))
            // The record of the first run is forgotten by now.
            #expect(try await harness.runDue() == 1)
            #expect(try harness.nextRun() == harness.time.next(hour: 2))
        }
    }

    static let schedules: [(text: String, isKnown: Bool)] = [
        ("off", true), ("0 3 * * *", true), ("@daily", true), ("CRON_TZ=Europe/Vienna 0 3 * * *", true),
        ("CRON_TZ=Europe/Nowhere 0 3 * * *", false), ("0 3 * *", false), ("61 * * * *", false), ("", false),
        ("never", false), ("0 0 30 2 *", false),
    ]

    @Test(arguments: schedules)
    func whatIsNoScheduleIsRefused(text: String, isKnown: Bool) async throws {
        let error = try await storeError { try Store.checkSchedule(text) }
        #expect(caseName(error) == (isKnown ? nil : "malformed"))
    }

    // MARK: What was missed

    @Test
    func whatWasMissedIsMadeUpOnce() async throws {
        try await withStore(try scheduled()) { (harness) async throws in
            try await harness.pushSeries(0..<3)
            try await harness.setPolicy(keepLast(1))
            harness.time.advance(toHour: 12)
            #expect(try await harness.runDue() == 1)
            harness.time.advance(by: .milliseconds(10 * dayLength))
            #expect(try await harness.runDue() == 2)
            #expect(try await harness.runDue() == 2)
            #expect(try harness.nextRun() == harness.time.next(hour: 3))
            harness.time.advance(toHour: 3)
            #expect(try await harness.runDue() == 3)
        }
    }

    @Test
    func whatWasMissedWhileTheServerWasDownIsMadeUpOnce() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                try await harness.pushSeries(0..<3)
                try await harness.setPolicy(keepLast(1))
                harness.time.advance(toHour: 3)
                #expect(try await harness.runDue() == 1)
            }
            // Right after the run nothing is due.
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                #expect(try await harness.runDue() == 1)
                #expect(try harness.nextRun() == time.next(hour: 3))
            }
            time.advance(by: .milliseconds(10 * dayLength))
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                #expect(try await harness.runDue() == 2)
                #expect(try await harness.runDue() == 2)
            }
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                #expect(try await harness.runDue() == 2)
                #expect(try harness.nextRun() == time.next(hour: 3))
            }
        }
    }

    @Test(arguments: [true, false])
    func whatWasDueBeforeThereWasAPolicyWasNotMissed(isDefault: Bool) async throws {
        try await withStore(try scheduled()) { (harness) async throws in
            let images = try await harness.pushSeries(0..<3)
            harness.time.advance(by: .milliseconds(3 * dayLength))
            if isDefault {
                try await harness.store.setDefaultPolicy(keepLast(1), of: .registry)
            } else {
                try await harness.setPolicy(keepLast(1))
            }
            #expect(try await harness.runDue() == 0)
            #expect(try harness.nextRun() == harness.time.next(hour: 3))
            // Another policy some days later, which nobody has run yet, changes that as little.
            harness.time.advance(by: .seconds(3600))
            try await harness.setPolicy(keepLast(2))
            #expect(try await harness.runDue() == 0)
            harness.time.advance(toHour: 3)
            #expect(try await harness.runDue() == 1)
            #expect(try await harness.visible(images) == [1, 2])
        }
    }

    /// A run by hand does not stand for the one by schedule.
    @Test
    func aRunByHandIsNotOneBySchedule() async throws {
        try await withStore(try scheduled()) { (harness) async throws in
            try await harness.pushSeries(0..<3)
            try await harness.setPolicy(keepLast(1))
            harness.time.advance(to: harness.time.next(hour: 3) - .seconds(60))
            try await harness.pruneNow()
            harness.time.advance(by: .seconds(60))
            #expect(try await harness.runDue() == 1)
            #expect(try await harness.runs().map(\.reason) == [.schedule, .person])
        }
    }

    /// Schedules name minutes, and are looked at every few seconds: a run seldom begins when its minute does.
    @Test(arguments: [Int64(0), 7])
    func aRunThatWasInterruptedIsMadeUp(second: Int64) async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            let images = try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                let images = try await harness.pushSeries(0..<3)
                try await harness.setPolicy(keepLast(1))
                harness.time.advance(toHour: 3)
                #expect(try await harness.runDue() == 1)
                try await harness.restore(images[0].digest)
                harness.time.advance(toHour: 3, second: second)
                let (id, name, now) = (try harness.repository("images").id, try harness.name("images"), time.now)
                _ = try await harness.store.committer.commit {
                    try $0.beginRun(
                        in: id,
                        named: name,
                        reason: .schedule,
                        actor: "schedule",
                        policy: keepLast(1),
                        now: now
                    )
                }
                return images
            }
            time.advance(by: .seconds(60))
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                let interrupted = try #require(try await harness.runs().first)
                #expect(interrupted.note == "interrupted: the server ended")
                #expect(interrupted.endedAt == time.now)
                #expect(try await harness.runDue() == 3)
                #expect(try await harness.visible(images) == [2])
                let madeUp = try #require(try await harness.runs().first)
                #expect(madeUp.note == nil)
                #expect(madeUp.counts.removed == 1)
                #expect(try await harness.runDue() == 3)
                #expect(try harness.nextRun() == time.next(hour: 3))
            }
        }
    }

    /// A server that is stopped in the middle of a run does the rest when it is back.
    @Test
    func aRunThatTheEndOfTheServerStoppedIsMadeUp() async throws {
        try await withTemporaryFolder { folder in
            let time = ManualTime()
            var oneThread = try scheduled()
            oneThread.fileThreadCount = 1
            let images = try await withStore(oneThread, in: folder, time: time) { harness in
                let images = try await harness.pushSeries(0..<3)
                try await harness.store.setDefaultPolicy(keepLast(1), of: .registry)
                harness.time.advance(toHour: 3)
                let gate = DispatchSemaphore(value: 0)
                harness.store.pool.submit { gate.wait() }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try? await harness.store.retention.runDue() }
                    defer { gate.signal() }
                    try await waitUntil("the run has begun") {
                        try !harness.store.metadata.read { try $0.runs(in: nil, before: nil, atMost: 1) }.isEmpty
                    }
                    group.cancelAll()
                }
                #expect(try await harness.visible(images) == [0, 1, 2])
                return images
            }
            try await withStore(try scheduled(), in: folder, time: time) { (harness) async throws in
                #expect(try await harness.runDue() == 2)
                #expect(try await harness.visible(images) == [2])
                #expect(try await harness.runs().first?.note == nil)
                #expect(try await harness.runDue() == 2)
            }
        }
    }
}
