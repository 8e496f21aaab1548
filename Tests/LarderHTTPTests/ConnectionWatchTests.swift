import LarderCore
import NIOCore
import Testing

@testable import LarderHTTP

/// The clock of a connection, transition by transition.
@Suite struct ConnectionWatchTests {
    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.headTimeout = .seconds(30)
        limits.idleTimeout = .seconds(120)
        limits.stallTimeout = .seconds(60)
        limits.bodyProgressMin = .kibibytes(4)
        return limits
    }

    /// A moment, in seconds and milliseconds from the opening of the connection.
    private static func at(_ seconds: Int64, _ milliseconds: Int64 = 0) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000_000) + .milliseconds(seconds * 1000 + milliseconds)
    }

    private static func opened() -> ConnectionWatch {
        ConnectionWatch(limits: limits, now: at(0))
    }

    private static func reading(since seconds: Int64) -> ConnectionWatch {
        var watch = opened()
        watch.noteHead(at: at(seconds))
        watch.isReading = true
        return watch
    }

    @Test(arguments: [
        (head: Duration.seconds(30), idle: Duration.seconds(120), stall: Duration.seconds(60), tick: Int64(5000)),
        (head: .seconds(8), idle: .seconds(120), stall: .seconds(60), tick: 2000),
        (head: .seconds(30), idle: .seconds(4), stall: .seconds(60), tick: 1000),
        (head: .seconds(30), idle: .seconds(120), stall: .milliseconds(400), tick: 100),
        (head: .milliseconds(40), idle: .seconds(1), stall: .seconds(1), tick: 20),
        (head: .zero, idle: .seconds(1), stall: .seconds(1), tick: 20),
        (head: .seconds(3600), idle: .seconds(3600), stall: .seconds(3600), tick: 5000),
    ])
    func clockTicksFourTimesInTheShortestLimit(head: Duration, idle: Duration, stall: Duration, tick: Int64) {
        var limits = HTTPLimits()
        limits.headTimeout = head
        limits.idleTimeout = idle
        limits.stallTimeout = stall
        #expect(ConnectionWatch(limits: limits, now: Self.at(0)).tickInterval == .milliseconds(tick))
    }

    // MARK: Idle

    @Test func connectionWithoutARequestIsClosedAfterTheHeadTimeout() {
        let watch = Self.opened()
        #expect(watch.judgeIdle(at: Self.at(0)) == .fine)
        #expect(watch.judgeIdle(at: Self.at(29, 999)) == .fine)
        #expect(watch.judgeIdle(at: Self.at(30)) == .close)
        #expect(watch.judgeIdle(at: Self.at(1000)) == .close)
    }

    @Test func connectionThatHadARequestMayIdleLonger() {
        var watch = Self.opened()
        watch.noteHead(at: Self.at(10))
        watch.noteIdle(at: Self.at(20))
        #expect(watch.judgeIdle(at: Self.at(51)) == .fine)
        #expect(watch.judgeIdle(at: Self.at(139, 999)) == .fine)
        #expect(watch.judgeIdle(at: Self.at(140)) == .close)
    }

    @Test func everyRequestStartsTheIdleTimeAnew() {
        var watch = Self.opened()
        for end in [Int64(10), 100, 200, 300] {
            watch.noteHead(at: Self.at(end - 5))
            watch.noteIdle(at: Self.at(end))
            #expect(watch.judgeIdle(at: Self.at(end + 119)) == .fine)
        }
        #expect(watch.judgeIdle(at: Self.at(420)) == .close)
    }

    @Test func idleWithoutAHeadKeepsTheHeadTimeout() {
        var watch = Self.opened()
        watch.noteIdle(at: Self.at(10))
        #expect(watch.judgeIdle(at: Self.at(39, 999)) == .fine)
        #expect(watch.judgeIdle(at: Self.at(40)) == .close)
    }

    // MARK: Body

    @Test func bodyThatStopsIsStalled() {
        var watch = Self.reading(since: 100)
        #expect(watch.judgeBody(bytes: 0, at: Self.at(100)) == .fine)
        #expect(watch.judgeBody(bytes: 0, at: Self.at(159, 999)) == .fine)
        #expect(watch.judgeBody(bytes: 0, at: Self.at(160)) == .bodyStalled)
    }

    @Test(arguments: [
        (bytes: Int64(0), verdict: ConnectionWatch.Verdict.bodyStalled),
        (bytes: 1, verdict: .bodyStalled),
        (bytes: 4095, verdict: .bodyStalled),
        (bytes: 4096, verdict: .fine),
        (bytes: 1_000_000, verdict: .fine),
    ])
    func windowMustBringTheMinimum(bytes: Int64, verdict: ConnectionWatch.Verdict) {
        var watch = Self.reading(since: 0)
        #expect(watch.judgeBody(bytes: bytes, at: Self.at(60)) == verdict)
    }

    @Test func everyWindowMustBringTheMinimumAnew() {
        var watch = Self.reading(since: 0)
        #expect(watch.judgeBody(bytes: 1_000_000, at: Self.at(60)) == .fine)
        #expect(watch.judgeBody(bytes: 1_004_096, at: Self.at(120)) == .fine)
        #expect(watch.judgeBody(bytes: 1_008_191, at: Self.at(179)) == .fine)
        #expect(watch.judgeBody(bytes: 1_008_191, at: Self.at(180)) == .bodyStalled)
    }

    @Test func judgingWithinAWindowDoesNotExtendIt() {
        var watch = Self.reading(since: 0)
        for second in Int64(1)..<60 {
            #expect(watch.judgeBody(bytes: second, at: Self.at(second)) == .fine)
        }
        #expect(watch.judgeBody(bytes: 60, at: Self.at(60)) == .bodyStalled)
    }

    @Test func silenceIsNotTheClientsWhileWeDoNotRead() {
        var watch = Self.reading(since: 0)
        watch.isReading = false
        #expect(watch.judgeBody(bytes: 0, at: Self.at(60)) == .fine)
        #expect(watch.judgeBody(bytes: 0, at: Self.at(3600)) == .fine)
        watch.isReading = true
        #expect(watch.judgeBody(bytes: 0, at: Self.at(3659, 999)) == .fine)
        #expect(watch.judgeBody(bytes: 0, at: Self.at(3660)) == .bodyStalled)
    }

    @Test func bytesReadBeforeAPauseDoNotCountAfterIt() {
        var watch = Self.reading(since: 0)
        watch.isReading = false
        #expect(watch.judgeBody(bytes: 10_000, at: Self.at(30)) == .fine)
        watch.isReading = true
        #expect(watch.judgeBody(bytes: 14_095, at: Self.at(90)) == .bodyStalled)
    }

    @Test func nextRequestStartsANewWindow() {
        var watch = Self.reading(since: 0)
        #expect(watch.judgeBody(bytes: 50_000, at: Self.at(60)) == .fine)
        watch.noteHead(at: Self.at(100))
        #expect(watch.judgeBody(bytes: 4096, at: Self.at(159, 999)) == .fine)
        #expect(watch.judgeBody(bytes: 4096, at: Self.at(160)) == .fine)
    }

    // MARK: Answer

    @Test func answerThatNobodyTakesIsGivenUp() {
        var watch = Self.opened()
        watch.noteHead(at: Self.at(0))
        #expect(watch.judgeAnswer(buffered: 1000, at: Self.at(10)) == .fine)
        #expect(watch.judgeAnswer(buffered: 1000, at: Self.at(69, 999)) == .fine)
        #expect(watch.judgeAnswer(buffered: 1000, at: Self.at(70)) == .close)
    }

    @Test func answerThatIsTakenSlowlyGoesOn() {
        var watch = Self.opened()
        watch.noteHead(at: Self.at(0))
        for step in Int64(1)...20 {
            #expect(watch.judgeAnswer(buffered: Int(100_000 - step), at: Self.at(step * 59)) == .fine)
        }
        #expect(watch.judgeAnswer(buffered: 99_980, at: Self.at(20 * 59 + 60)) == .close)
    }

    @Test func answerThatWaitsForTheStoreIsNotTheClientsFault() {
        var watch = Self.opened()
        watch.noteHead(at: Self.at(0))
        for second in stride(from: Int64(5), through: 3600, by: 5) {
            #expect(watch.judgeAnswer(buffered: 0, at: Self.at(second)) == .fine)
        }
        #expect(watch.judgeAnswer(buffered: 700, at: Self.at(3605)) == .fine)
        #expect(watch.judgeAnswer(buffered: 700, at: Self.at(3664)) == .fine)
        #expect(watch.judgeAnswer(buffered: 700, at: Self.at(3665)) == .close)
    }

    @Test func cancellingWithoutATickDoesNothing() {
        var watch = Self.opened()
        watch.cancel()
        #expect(watch.judgeIdle(at: Self.at(29)) == .fine)
    }
}
