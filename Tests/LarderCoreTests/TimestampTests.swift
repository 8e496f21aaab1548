import LarderCore
import Testing

/// Moments in whole milliseconds.
@Suite struct TimestampTests {
    @Test func durationsMoveAMoment() {
        let moment = Timestamp(milliseconds: 1_000_000)
        #expect(moment + .seconds(3) == Timestamp(milliseconds: 1_003_000))
        #expect(moment - .seconds(3) == Timestamp(milliseconds: 997_000))
        #expect(moment + .seconds(-3) == Timestamp(milliseconds: 997_000))
        #expect(moment + .microseconds(999) == moment)
    }

    @Test func momentsAreADurationApart() {
        let (earlier, later) = (Timestamp(milliseconds: 500), Timestamp(milliseconds: 2000))
        #expect(later - earlier == .milliseconds(1500))
        #expect(earlier - later == .milliseconds(-1500))
        #expect(earlier < later)
        #expect(!(later < later))
    }

    @Test(arguments: [
        (duration: Duration.zero, milliseconds: Int64(0)),
        (duration: .microseconds(999), milliseconds: 0),
        (duration: .microseconds(1000), milliseconds: 1),
        (duration: .microseconds(1999), milliseconds: 1),
        (duration: .seconds(90), milliseconds: 90_000),
        (duration: .milliseconds(1234), milliseconds: 1234),
        (duration: .microseconds(-999), milliseconds: 0),
        (duration: .microseconds(-1999), milliseconds: -1),
        (duration: .seconds(86_400 * 1_000_000), milliseconds: 86_400_000_000_000),
    ])
    func millisecondsAreRoundedTowardsZero(duration: Duration, milliseconds: Int64) {
        #expect(duration.wholeMilliseconds == milliseconds)
    }
}
