import LarderCore
import Testing

/// Durations as people write and read them.
@Suite struct DurationTextTests {
    @Test(arguments: [
        (text: "0", duration: Duration.zero),
        (text: "0s", duration: .zero),
        (text: "1s", duration: .seconds(1)),
        (text: "90s", duration: .seconds(90)),
        (text: "15m", duration: .seconds(900)),
        (text: "3h", duration: .seconds(10_800)),
        (text: "14d", duration: .seconds(1_209_600)),
        (text: "007d", duration: .seconds(604_800)),
        (text: "1000000s", duration: .seconds(1_000_000)),
        (text: "1000000d", duration: .seconds(86_400_000_000)),
    ])
    func durationsAreParsed(text: String, duration: Duration) {
        #expect(Duration(text: text) == duration)
    }

    @Test(arguments: [
        "", " ", "s", "d", "1", "90", "00", "-1s", "+1s", "-0s", "1.5h", "1,5h", "1 h", " 1h", "1h ", "1H", "1S", "1ms",
        "1min", "1w", "1y", "1h30m", "1000001s", "99999999999999999999s", "0x1s", "1_0s", "１s", "never", "infinity",
    ])
    func anythingElseIsNoDuration(text: String) {
        #expect(Duration(text: text) == nil)
    }

    @Test(arguments: [
        (duration: Duration.zero, text: "0 s"),
        (duration: .milliseconds(400), text: "0 s"),
        (duration: .milliseconds(500), text: "1 s"),
        (duration: .seconds(1), text: "1 s"),
        (duration: .seconds(12), text: "12 s"),
        (duration: .seconds(119), text: "119 s"),
        (duration: .seconds(120), text: "2 min"),
        (duration: .seconds(150), text: "2.5 min"),
        (duration: .seconds(300), text: "5 min"),
        (duration: .seconds(3600), text: "60 min"),
        (duration: .seconds(7199), text: "120 min"),
        (duration: .seconds(7200), text: "2 h"),
        (duration: .seconds(12_600), text: "3.5 h"),
        (duration: .seconds(86_400), text: "24 h"),
        (duration: .seconds(172_800), text: "2 d"),
        (duration: .seconds(1_209_600), text: "14 d"),
    ])
    func durationsAreWrittenForPeople(duration: Duration, text: String) {
        #expect(duration.shortText == text)
    }
}
