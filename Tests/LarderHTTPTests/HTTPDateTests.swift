import LarderTestSupport
import Testing

@testable import LarderHTTP

/// Dates of HTTP headers in their preferred form (RFC 9110, section 5.6.7).
@Suite struct HTTPDateTests {
    private static let known: [(seconds: Int64, text: String)] = [
        (seconds: 0, text: "Thu, 01 Jan 1970 00:00:00 GMT"),
        (seconds: 1, text: "Thu, 01 Jan 1970 00:00:01 GMT"),
        (seconds: 59, text: "Thu, 01 Jan 1970 00:00:59 GMT"),
        (seconds: 60, text: "Thu, 01 Jan 1970 00:01:00 GMT"),
        (seconds: 3599, text: "Thu, 01 Jan 1970 00:59:59 GMT"),
        (seconds: 86_399, text: "Thu, 01 Jan 1970 23:59:59 GMT"),
        (seconds: 86_400, text: "Fri, 02 Jan 1970 00:00:00 GMT"),
        (seconds: 951_782_400, text: "Tue, 29 Feb 2000 00:00:00 GMT"),
        (seconds: 951_868_800, text: "Wed, 01 Mar 2000 00:00:00 GMT"),
        (seconds: 951_868_799, text: "Tue, 29 Feb 2000 23:59:59 GMT"),
        (seconds: 784_111_777, text: "Sun, 06 Nov 1994 08:49:37 GMT"),
        (seconds: 1_709_164_800, text: "Thu, 29 Feb 2024 00:00:00 GMT"),
        (seconds: 1_709_251_199, text: "Thu, 29 Feb 2024 23:59:59 GMT"),
        (seconds: 1_709_251_200, text: "Fri, 01 Mar 2024 00:00:00 GMT"),
        (seconds: 4_107_542_400, text: "Mon, 01 Mar 2100 00:00:00 GMT"),
        (seconds: 4_102_444_800, text: "Fri, 01 Jan 2100 00:00:00 GMT"),
        (seconds: 1_780_000_000, text: "Thu, 28 May 2026 20:26:40 GMT"),
        (seconds: 253_402_300_799, text: "Fri, 31 Dec 9999 23:59:59 GMT"),
    ]

    @Test(arguments: known)
    func datesAreWritten(seconds: Int64, text: String) {
        #expect(HTTPDate.format(seconds) == text)
    }

    @Test(arguments: known)
    func datesAreReadBack(seconds: Int64, text: String) {
        #expect(HTTPDate.parse(text) == seconds)
    }

    /// Counts days as a calendar on the wall does: from Thursday, 1 January 1970 on, through four centuries.
    @Test func everyDayOfFourCenturiesHasItsNameAndNumber() {
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var day = 0
        var wrong: [String] = []
        for year in 1970..<2370 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for (month, length) in lengths.enumerated() {
                for date in 1...(month == 1 && isLeap ? 29 : length) {
                    let two = date < 10 ? "0\(date)" : "\(date)"
                    let text = "\(weekdays[day % 7]), \(two) \(months[month]) \(year) 23:05:09 GMT"
                    let seconds = Int64(day) * 86_400 + 83_109
                    if HTTPDate.format(seconds) != text || HTTPDate.parse(text) != seconds { wrong.append(text) }
                    day += 1
                }
            }
        }
        #expect(wrong.prefix(10).isEmpty)
        #expect(day == 146_097)
    }

    @Test func everySecondOfADayIsReadBack() {
        let midnight: Int64 = 1_709_164_800
        let wrong = (midnight..<(midnight + 86_400)).filter { HTTPDate.parse(HTTPDate.format($0)) != $0 }
        #expect(wrong.prefix(10).isEmpty)
    }

    @Test func randomMomentsAreReadBack() {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let seconds = Int64.random(in: 0...253_402_300_799, using: &generator)
            #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds, "LARDER_TEST_SEED=\(seed)")
        }
    }

    @Test(arguments: [
        "", " ", "GMT", "0", "784111777", "now",
        // The obsolete forms.
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 06 Nov 1994 08:49 GMT", "06 Nov 1994 08:49:37 GMT",
        "Sun, 06 11 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 November 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Thu, 32 Dec 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT", "Sat, 01 Jan 10000 00:00:00 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37.5 GMT", "Sun, 06 Nov 1994 08:49:37 GMT, Mon", "Sun, xx Nov 1994 08:49:37 GMT",
    ])
    func otherFormsAreNotRead(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    /// The grammar has fixed widths, one separator for each place, and days that exist, without leap seconds.
    @Test(arguments: [
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1994 08:49:+7 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08 49 37 GMT", "Sun,06,Nov,1994,08,49,37,GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Xyz, 06 Nov 1994 08:49:37 GMT", "Thu, 31 Feb 1994 08:49:37 GMT", "Tue, 29 Feb 2100 00:00:00 GMT",
        "Sat, 31 Dec 2016 23:59:60 GMT",
    ])
    func looseSpellingsAreNotRead(text: String) {
        #expect(HTTPDate.parse(text) == nil)
    }

    @Test func rememberedDateIsTheOneAskedFor() {
        var cache = HTTPDateCache()
        #expect(cache.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(cache.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(cache.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(cache.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    }
}
