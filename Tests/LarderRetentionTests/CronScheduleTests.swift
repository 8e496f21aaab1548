import LarderCore
import LarderTestSupport
import Testing

@testable import LarderRetention

/// Cron expressions: what is read and what is refused, and when they run.
@Suite struct CronScheduleTests {
    typealias Row = (text: String, after: String, runs: [String])

    /// Compares the runs that follow `after` with those of the row; all times are UTC.
    private static func expect(
        _ row: Row,
        utcOffset: (Timestamp) -> Duration = { _ in .zero },
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let schedule = try CronSchedule(row.text)
        var time = try #require(NaiveCalendar.timestamp(row.after))
        var runs: [String] = []
        while runs.count < row.runs.count, let next = schedule.next(after: time, utcOffset: utcOffset) {
            runs.append(NaiveCalendar.text(next))
            time = next
        }
        #expect(runs == row.runs, "\(row.text)", sourceLocation: sourceLocation)
    }

    // MARK: Forms

    /// 2026-01-01 is a Thursday.
    private static let forms: [Row] = [
        ("* * * * *", "2026-01-01 00:00", ["2026-01-01 00:01", "2026-01-01 00:02"]),
        ("5 * * * *", "2026-01-01 00:00", ["2026-01-01 00:05", "2026-01-01 01:05"]),
        ("05 04 * * *", "2026-01-01 00:00", ["2026-01-01 04:05", "2026-01-02 04:05"]),
        ("*/15 * * * *", "2026-01-01 00:50", ["2026-01-01 01:00", "2026-01-01 01:15"]),
        ("*/25 * * * *", "2026-01-01 00:00", ["2026-01-01 00:25", "2026-01-01 00:50", "2026-01-01 01:00"]),
        ("*/60 */24 * * *", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("10-50/20 * * * *", "2026-01-01 00:00", ["2026-01-01 00:10", "2026-01-01 00:30", "2026-01-01 00:50"]),
        ("10-11 * * * *", "2026-01-01 00:00", ["2026-01-01 00:10", "2026-01-01 00:11", "2026-01-01 01:10"]),
        ("7-7 3 * * *", "2026-01-01 00:00", ["2026-01-01 03:07", "2026-01-02 03:07"]),
        ("30,0,5-6 1 * * *", "2026-01-01 00:59", ["2026-01-01 01:00", "2026-01-01 01:05", "2026-01-01 01:06"]),
        ("59 23 * * *", "2026-01-01 00:00", ["2026-01-01 23:59", "2026-01-02 23:59"]),
        ("0 9-17/4 * * *", "2026-01-01 10:00", ["2026-01-01 13:00", "2026-01-01 17:00", "2026-01-02 09:00"]),
        ("0 0 1,15 * *", "2026-01-01 00:00", ["2026-01-15 00:00", "2026-02-01 00:00"]),
        ("0 0 */10 * *", "2026-01-01 00:00", ["2026-01-11 00:00", "2026-01-21 00:00", "2026-01-31 00:00"]),
        ("0 0 1 1,7 *", "2026-01-01 00:00", ["2026-07-01 00:00", "2027-01-01 00:00"]),
        ("0 0 1 JAN,jul,Oct-dec *", "2026-01-01 00:00", ["2026-07-01 00:00", "2026-10-01 00:00", "2026-11-01 00:00"]),
        ("0 0 1 */6 *", "2026-01-01 00:00", ["2026-07-01 00:00", "2027-01-01 00:00"]),
        ("0 0 1 FEB-JUN/2 *", "2026-01-01 00:00", ["2026-02-01 00:00", "2026-04-01 00:00", "2026-06-01 00:00"]),
        ("0 6 * * MON-FRI", "2026-01-02 06:00", ["2026-01-05 06:00", "2026-01-06 06:00"]),
        ("0 6 * * mon,3,Fri", "2026-01-01 00:00", ["2026-01-02 06:00", "2026-01-05 06:00", "2026-01-07 06:00"]),
        ("0 6 * * */2", "2026-01-01 00:00", ["2026-01-01 06:00", "2026-01-03 06:00", "2026-01-04 06:00"]),
        ("\t 0\t6   * *  * \n", "2026-01-01 00:00", ["2026-01-01 06:00"]),
        ("CRON_TZ=Europe/Vienna 0 6 * * *", "2026-01-01 00:00", ["2026-01-01 06:00"]),
        ("@hourly", "2026-01-01 00:00", ["2026-01-01 01:00", "2026-01-01 02:00"]),
        ("@daily", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@midnight", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("@weekly", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("@monthly", "2026-01-01 00:00", ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("@yearly", "2026-01-01 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("@Annually", "2026-01-01 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ]

    @Test(arguments: forms)
    func formsAreRead(row: Row) throws {
        try Self.expect(row)
    }

    @Test func everyNameStandsForItsNumber() throws {
        let months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        for (index, name) in months.enumerated() {
            let two = index < 9 ? "0\(index + 1)" : "\(index + 1)"
            try Self.expect(("0 0 2 \(name) *", "2026-01-01 00:00", ["2026-\(two)-02 00:00"]))
            try Self.expect(("0 0 2 \(index + 1) *", "2026-01-01 00:00", ["2026-\(two)-02 00:00"]))
        }
        // 2026-03-01 is a Sunday.
        for (index, name) in ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"].enumerated() {
            try Self.expect(("0 9 * * \(name)", "2026-03-01 00:00", ["2026-03-0\(index + 1) 09:00"]))
            try Self.expect(("0 9 * * \(index)", "2026-03-01 00:00", ["2026-03-0\(index + 1) 09:00"]))
        }
    }

    @Test(arguments: [
        (text: "0 0 * * *", trimmed: "0 0 * * *", zoneName: nil),
        (text: "  @daily\n", trimmed: "@daily", zoneName: nil),
        (
            text: " CRON_TZ=Europe/Vienna  0 0 * * *", trimmed: "CRON_TZ=Europe/Vienna  0 0 * * *",
            zoneName: "Europe/Vienna"
        ),
        (text: "TZ=UTC @daily", trimmed: "TZ=UTC @daily", zoneName: "UTC"),
        (text: "TZ=Etc/GMT+5\t@daily", trimmed: "TZ=Etc/GMT+5\t@daily", zoneName: "Etc/GMT+5"),
        (
            text: "TZ=America/Argentina/Buenos_Aires @daily", trimmed: "TZ=America/Argentina/Buenos_Aires @daily",
            zoneName: "America/Argentina/Buenos_Aires"
        ),
    ])
    func textAndZoneAreKept(text: String, trimmed: String, zoneName: String?) throws {
        let schedule = try CronSchedule(text)
        #expect(schedule.text == trimmed)
        #expect(schedule.description == trimmed)
        #expect(schedule.zoneName == zoneName)
        #expect(try schedule == CronSchedule(text))
        #expect(try schedule != CronSchedule("1 1 1 1 1"))
    }

    @Test func longestTextIsRead() throws {
        let text = "0 0 * * *" + String(repeating: ",*", count: 123) + " "
        #expect(text.utf8.count == 256)
        let schedule = try CronSchedule(text)
        #expect(schedule.text.utf8.count == 255)
        let tooLong = text + " "
        #expect(throws: CronError.tooLong(byteCount: 257)) { () throws in try CronSchedule(tooLong) }
    }

    // MARK: Refusals

    @Test(arguments: [
        (text: "", fragment: "five fields (minute, hour, day of month, month, day of week), not 0."),
        (text: "  \t", fragment: "not 0."),
        (text: "*", fragment: "not 1."),
        (text: "0 0 * *", fragment: "not 4."),
        (text: "0 0 0 * * *", fragment: "five fields (minute, hour, day of month, month, day of week), not 6."),
        (text: "0 0 0 * * *", fragment: "There is no field for seconds"),
        (text: "0 0 * * * * *", fragment: "not 7."),
        (text: "TZ=UTC", fragment: "not 0."),
        (text: "@daily 0", fragment: "not 2."),
        (text: String(repeating: "*", count: 257), fragment: "at most 256 bytes, not 257."),
        (text: "0 0 * *\n*", fragment: "printable ASCII"),
        (text: "٣ 0 * * *", fragment: "printable ASCII"),
        (text: "0 0 * * \u{0}", fragment: "printable ASCII"),
        (text: "@reboot", fragment: "\"@reboot\" is not supported"),
        (text: "@every", fragment: "\"@every\" is not one of @hourly"),
        (text: "@", fragment: "\"@\" is not one of"),
        (text: "CRON_TZ= 0 0 * * *", fragment: "Zone \"\""),
        (text: "TZ=../../etc/passwd 0 0 * * *", fragment: "Zone \"../../etc/passwd\""),
        (text: "TZ=/UTC 0 0 * * *", fragment: "Zone \"/UTC\""),
        (text: "TZ=Europe//Vienna 0 0 * * *", fragment: "Zone \"Europe//Vienna\""),
        (text: "60 * * * *", fragment: "Minute \"60\" is out of range: 0 to 59."),
        (text: "* 24 * * *", fragment: "Hour \"24\" is out of range: 0 to 23."),
        (text: "* * 0 * *", fragment: "Day of month \"0\" is out of range: 1 to 31."),
        (text: "* * 1-32 * *", fragment: "Day of month \"32\" is out of range"),
        (text: "* * * 0 *", fragment: "Month \"0\" is out of range: 1 to 12."),
        (text: "* * * 13 *", fragment: "Month \"13\" is out of range"),
        (text: "* * * * 8", fragment: "Day of week \"8\" is out of range: 0 to 7."),
        (text: "99999999999999999999 * * * *", fragment: "Minute \"99999999999999999999\" is out of range"),
        (text: "50-10 * * * *", fragment: "Minute \"50-10\" is a reversed range"),
        (text: "* * * DEC-JAN *", fragment: "Month \"DEC-JAN\" is a reversed range"),
        (text: "* * * * SAT-SUN", fragment: "Day of week \"SAT-SUN\" is a reversed range"),
        (text: "* * * * SAT-SUN", fragment: "Sunday at the end is 7"),
        (text: ", * * * *", fragment: "Minute \",\" has an empty part."),
        (text: "1,,2 * * * *", fragment: "Minute \"1,,2\" has an empty part."),
        (text: "* 1, * * *", fragment: "Hour \"1,\" has an empty part."),
        (text: "* ,1 * * *", fragment: "Hour \",1\" has an empty part."),
        (text: "1- * * * *", fragment: "Minute \"1-\" has an empty part."),
        (text: "-1 * * * *", fragment: "Minute \"-1\" has an empty part."),
        (text: "*/ * * * *", fragment: "Minute \"*/\" has an empty part."),
        (text: "/5 * * * *", fragment: "Minute \"/5\" has an empty part."),
        (text: "*/0 * * * *", fragment: "Minute \"*/0\" has a step of 0."),
        (text: "* 1-5/00 * * *", fragment: "Hour \"1-5/00\" has a step of 0."),
        (text: "*/61 * * * *", fragment: "Minute \"*/61\" has a step larger than 60"),
        (text: "* */25 * * *", fragment: "Hour \"*/25\" has a step larger than 24"),
        (text: "*/99999999999999999999 * * * *", fragment: "has a step larger than 60"),
        (text: "5/15 * * * *", fragment: "Minute \"5/15\" has a step but no range: write \"5-59/15\"."),
        (text: "* * * * MON/2", fragment: "write \"MON-6/2\""),
        (text: "*/5/5 * * * *", fragment: "Minute \"*/5/5\" is not a number."),
        (text: "*/-5 * * * *", fragment: "Minute \"*/-5\" is not a number."),
        (text: "1-2-3 * * * *", fragment: "Minute \"1-2-3\" is not a number."),
        (text: "x * * * *", fragment: "Minute \"x\" is not a number."),
        (text: "+5 * * * *", fragment: "Minute \"+5\" is not a number."),
        (text: "1.5 * * * *", fragment: "Minute \"1.5\" is not a number."),
        (text: "** * * * *", fragment: "Minute \"**\" is not a number."),
        (text: "*-5 * * * *", fragment: "Minute \"*\" is not a number."),
        (text: "MON * * * *", fragment: "Minute \"MON\" is not a number."),
        (text: "* * * MON *", fragment: "Month \"MON\" is neither a number nor a name (JAN to DEC)."),
        (text: "* * * * Monday", fragment: "Day of week \"Monday\" is neither a number nor a name (SUN to SAT)."),
        (text: "* * L * *", fragment: "Day of month \"L\" is not supported"),
        (text: "* * l-3 * *", fragment: "Day of month \"l\" is not supported"),
        (text: "* * LW * *", fragment: "Day of month \"LW\" is not supported"),
        (text: "* * 15W * *", fragment: "Day of month \"15W\" is not supported"),
        (text: "* * * * 5L", fragment: "Day of week \"5L\" is not supported"),
        (text: "* * * * FRI#2", fragment: "Day of week \"FRI#2\" is not supported"),
        (text: "* * ? * *", fragment: "Day of month \"?\" is not supported"),
        (text: "H/15 * * * *", fragment: "Minute \"H\" is not supported"),
        (text: "0 0 31 2 *", fragment: "never runs: day of month \"31\" does not exist in month \"2\"."),
        (text: "0 0 30 2 *", fragment: "day of month \"30\" does not exist in month \"2\""),
        (text: "0 0 31 FEB,4,6,9,NOV *", fragment: "day of month \"31\" does not exist in month \"FEB,4,6,9,NOV\""),
        (text: "0 0 30-31 2 */2", fragment: "day of month \"30-31\" does not exist in month \"2\""),
    ])
    func otherTextsAreRefused(text: String, fragment: String) {
        let error = #expect(throws: CronError.self) { () throws in try CronSchedule(text) }
        #expect(error.map { "\($0)".contains(fragment) } == true, "\(error.map { "\($0)" } ?? "")")
    }

    // MARK: Days

    private static let days: [Row] = [
        // Months of different length.
        ("0 0 31 * *", "2026-01-31 00:00", ["2026-03-31 00:00", "2026-05-31 00:00", "2026-07-31 00:00"]),
        ("0 0 30 * *", "2026-01-30 00:00", ["2026-03-30 00:00", "2026-04-30 00:00"]),
        ("59 23 28-31 * *", "2026-02-28 00:00", ["2026-02-28 23:59", "2026-03-28 23:59", "2026-03-29 23:59"]),
        ("0 0 1 * *", "2026-12-31 23:59", ["2027-01-01 00:00", "2027-02-01 00:00"]),
        ("*/30 23 31 12 *", "2026-12-31 23:00", ["2026-12-31 23:30", "2027-12-31 23:00"]),
        // Leap years, of which 2100 is none and 2000 is one.
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 29 2 *", "2096-01-01 00:00", ["2096-02-29 00:00", "2104-02-29 00:00"]),
        ("0 0 29 2 *", "1996-02-29 00:00", ["2000-02-29 00:00", "2004-02-29 00:00"]),
        ("0 0 29-31 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 31 2,3 *", "2026-01-01 00:00", ["2026-03-31 00:00", "2027-03-31 00:00"]),
        ("* * * 2 *", "2028-02-29 23:58", ["2028-02-29 23:59", "2029-02-01 00:00"]),
        // The longest wait of all, 40 years, from one 29 February that is a Sunday to the next.
        ("0 0 29 2 */7", "2026-01-01 00:00", ["2032-02-29 00:00", "2060-02-29 00:00", "2088-02-29 00:00"]),
        ("0 0 29 2 */7", "2088-02-29 00:00", ["2128-02-29 00:00", "2156-02-29 00:00", "2184-02-29 00:00"]),
        // Either day field suffices when both are restricted; otherwise both have to match.
        ("0 0 13 * FRI", "2026-02-01 00:00", ["2026-02-06 00:00", "2026-02-13 00:00", "2026-02-20 00:00"]),
        ("0 0 1 * 1", "2026-03-30 00:00", ["2026-04-01 00:00", "2026-04-06 00:00", "2026-04-13 00:00"]),
        ("0 0 31 2 1", "2026-01-01 00:00", ["2026-02-02 00:00", "2026-02-09 00:00", "2026-02-16 00:00"]),
        ("0 0 29 2 1", "2026-02-20 00:00", ["2026-02-23 00:00", "2027-02-01 00:00", "2027-02-08 00:00"]),
        ("0 0 1-31 * 1", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("0 0 */31 * MON", "2026-01-01 00:00", ["2026-06-01 00:00", "2027-02-01 00:00", "2027-03-01 00:00"]),
        ("0 0 13 * */5", "2026-02-13 00:00", ["2026-03-13 00:00", "2026-09-13 00:00", "2026-11-13 00:00"]),
        ("0 0 *,13 * FRI", "2026-02-01 00:00", ["2026-02-06 00:00", "2026-02-13 00:00", "2026-02-20 00:00"]),
        ("0 0 13 * *", "2026-02-01 00:00", ["2026-02-13 00:00", "2026-03-13 00:00"]),
        // Sunday is 0 and 7, and the only day that a range may end or begin with.
        ("0 0 * * 0", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 7", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 0,7", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 6-7", "2026-01-01 00:00", ["2026-01-03 00:00", "2026-01-04 00:00", "2026-01-10 00:00"]),
        ("0 0 * * SUN-MON", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-05 00:00", "2026-01-11 00:00"]),
        ("0 0 * * 5-7/2", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-04 00:00", "2026-01-09 00:00"]),
        ("0 0 * * 0-7", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        // The edges of the years that matter.
        ("0 0 * * *", "1970-01-01 00:00", ["1970-01-02 00:00"]),
        ("0 0 1 1 *", "2199-06-01 00:00", ["2200-01-01 00:00"]),
    ]

    @Test(arguments: days)
    func daysAreThoseOfTheCalendar(row: Row) throws {
        try Self.expect(row)
    }

    // MARK: Strictness

    @Test(
        arguments: [
            (milliseconds: -60_000, next: 0), (milliseconds: -1, next: 0), (milliseconds: 0, next: 60_000),
            (milliseconds: 1, next: 60_000), (milliseconds: 59_999, next: 60_000),
            (milliseconds: 60_000, next: 120_000),
        ] as [(milliseconds: Int64, next: Int64)]
    )
    func nextRunIsLater(milliseconds: Int64, next: Int64) throws {
        let schedule = try CronSchedule("* * * * *")
        let run = schedule.next(after: Timestamp(milliseconds: milliseconds)) { _ in .zero }
        #expect(run == Timestamp(milliseconds: next))
    }

    @Test(arguments: [Int64.min, -300_000_000_000_000, 300_000_000_000_000, .max])
    func timesOutOfReachHaveNoNextRun(milliseconds: Int64) throws {
        let schedule = try CronSchedule("* * * * *")
        #expect(schedule.next(after: Timestamp(milliseconds: milliseconds)) { _ in .zero } == nil)
    }

    // MARK: Zones

    /// Vienna in 2026: summer time from 2026-03-29 01:00 to 2026-10-25 01:00 UTC.
    private static let vienna = NaiveZone(
        first: 60,
        changes: [("2026-03-29 01:00", 120), ("2026-10-25 01:00", 60)]
    )

    /// All times are UTC.
    private static let zoned: [Row] = [
        ("0 4 * * *", "2026-03-28 00:00", ["2026-03-28 03:00", "2026-03-29 02:00", "2026-03-30 02:00"]),
        ("0 4 * * *", "2026-10-24 00:00", ["2026-10-24 02:00", "2026-10-25 03:00", "2026-10-26 03:00"]),
        ("0 0 1 * *", "2026-02-15 00:00", ["2026-02-28 23:00", "2026-03-31 22:00", "2026-04-30 22:00"]),
        ("0 0 * * SUN", "2026-03-22 00:00", ["2026-03-28 23:00", "2026-04-04 22:00"]),
        // 02:30 does not exist on 29 March: it runs at 03:00 instead.
        ("30 2 * * *", "2026-03-28 00:00", ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]),
        ("0 2 * * *", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        // Once for all that is left out, also when 03:00 itself is a run.
        ("*/10 2 * * *", "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:00", "2026-03-30 00:10"]),
        ("30 1-3 * * *", "2026-03-29 00:00", ["2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30"]),
        ("0 2,3 * * *", "2026-03-29 00:00", ["2026-03-29 01:00", "2026-03-30 00:00", "2026-03-30 01:00"]),
        ("30 2 29 3 *", "2026-01-01 00:00", ["2026-03-29 01:00", "2027-03-29 01:30"]),
        // 02:30 comes twice on 25 October: it runs at the first, also for one who asks between the two.
        ("30 2 * * *", "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        ("30 2 * * *", "2026-10-25 00:40", ["2026-10-26 01:30"]),
        ("30 2 * * *", "2026-10-25 01:10", ["2026-10-26 01:30"]),
        ("0 3 * * *", "2026-10-25 00:00", ["2026-10-25 02:00", "2026-10-26 02:00"]),
        ("*/30 2 * * *", "2026-10-24 23:00", ["2026-10-25 00:00", "2026-10-25 00:30", "2026-10-26 01:00"]),
        ("59 0-23 * * *", "2026-10-24 23:30", ["2026-10-24 23:59", "2026-10-25 00:59", "2026-10-25 02:59"]),
        // An hour that begins with `*` follows real time.
        ("0 * * * *", "2026-03-28 23:30", ["2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00"]),
        ("*/30 * * * *", "2026-03-29 00:10", ["2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30"]),
        ("0 */2 * * *", "2026-03-28 22:00", ["2026-03-28 23:00", "2026-03-29 02:00", "2026-03-29 04:00"]),
        ("0 * * * *", "2026-10-24 23:30", ["2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 02:00"]),
        ("30 * * * *", "2026-10-25 00:00", ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"]),
        ("0 */2 * * *", "2026-10-24 23:00", ["2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 03:00"]),
    ]

    @Test(arguments: zoned)
    func changedClocksRunOnce(row: Row) throws {
        try Self.expect(row, utcOffset: Self.vienna.utcOffset)
    }

    @Test(
        arguments: [
            ("0 0 * * *", "2026-01-01 00:00", ["2026-01-01 18:15", "2026-01-02 18:15"]),
            ("0 0 1 3 *", "2026-01-01 00:00", ["2026-02-28 18:15", "2027-02-28 18:15"]),
        ] as [Row]
    )
    func offsetNeedNotBeWholeHours(row: Row) throws {
        try Self.expect(row) { _ in .seconds(5 * 3600 + 45 * 60) }
    }

    // MARK: Comparison with counting minute by minute

    @Test func runsAreThoseOfASearchMinuteByMinute() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let naive = NaiveSchedule(using: &generator)
            let start = Int.random(in: NaiveCalendar.minutes(of: "2024-01-01", to: "2034-01-01"), using: &generator)
            let expected = ((start + 1)...(start + 20 * 1440)).first(where: naive.matches)
            guard let schedule = try naive.schedule(seed: seed) else { continue }
            let run = try #require(schedule.next(after: .minutes(start)) { _ in .zero })
            if let expected {
                #expect(run == .minutes(expected), "\(schedule) after \(start), LARDER_TEST_SEED=\(seed)")
            } else {
                #expect(run > .minutes(start + 20 * 1440), "\(schedule) after \(start), LARDER_TEST_SEED=\(seed)")
            }
        }
    }

    @Test func daysAreThoseOfASearchDayByDay() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let naive = NaiveSchedule(midnightsUsing: &generator)
            let start = Int.random(in: NaiveCalendar.minutes(of: "1970-01-01", to: "2150-01-01"), using: &generator)
            guard let schedule = try naive.schedule(seed: seed) else { continue }
            let firstDay = start / 1440 + 1
            let expected = (firstDay...(firstDay + 41 * 366)).first { naive.matches($0 * 1440) }
            let run = schedule.next(after: .minutes(start)) { _ in .zero }
            #expect(
                run == expected.map { .minutes($0 * 1440) },
                "\(schedule) after \(start), LARDER_TEST_SEED=\(seed)"
            )
        }
    }

    /// Clocks that are changed as they are in Vienna, by half an hour (Lord Howe), at midnight, by a whole day (Samoa
    /// in 2011) and by three hours and back again within two days.
    @Test(arguments: [
        vienna,
        NaiveZone(first: 630, changes: [("2026-03-28 15:30", 660), ("2026-04-04 15:00", 630)]),
        NaiveZone(first: -180, changes: [("2026-03-29 03:00", -240), ("2026-04-04 04:00", -180)]),
        NaiveZone(first: -600, changes: [("2026-03-30 10:00", 840)]),
        NaiveZone(first: 660, changes: [("2026-03-29 13:00", 480), ("2026-03-31 01:15", 660)]),
    ])
    func changedClocksAreThoseOfACount(zone: NaiveZone) throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<25 {
            let naive = NaiveSchedule(using: &generator)
            guard let schedule = try naive.schedule(seed: seed) else { continue }
            for window in [("2026-03-27", "2026-04-07"), ("2026-10-23", "2026-10-28")] {
                let minutes = NaiveCalendar.minutes(of: window.0, to: window.1)
                let expected = naive.runs(in: minutes, zone: zone)
                var runs: [Int] = []
                var time = Timestamp.minutes(minutes.lowerBound)
                while let next = schedule.next(after: time, utcOffset: zone.utcOffset),
                    next < .minutes(minutes.upperBound)
                {
                    runs.append(Int(next.milliseconds / 60_000))
                    time = next
                }
                #expect(runs == expected, "\(schedule) in \(window), LARDER_TEST_SEED=\(seed)")
                // From moments around the changes, too.
                for change in zone.changes.map(\.minute) where minutes.contains(change) {
                    let start = change + Int.random(in: -60..<180, using: &generator)
                    guard let run = expected.first(where: { $0 > start }) else { continue }
                    let next = schedule.next(after: .minutes(start), utcOffset: zone.utcOffset)
                    #expect(next == .minutes(run), "\(schedule) after \(start), LARDER_TEST_SEED=\(seed)")
                }
            }
        }
    }

    @Test func rareSchedulesAreQuick() throws {
        let schedule = try CronSchedule("0 0 29 2 */7")
        var calls = 0
        let run = schedule.next(after: try #require(NaiveCalendar.timestamp("2088-02-29 00:00"))) { _ in
            calls += 1
            return .zero
        }
        #expect(run == NaiveCalendar.timestamp("2128-02-29 00:00"))
        #expect(calls < 100)
    }
}

extension Timestamp {
    fileprivate static func minutes(_ minutes: Int) -> Timestamp { Timestamp(milliseconds: Int64(minutes) * 60_000) }
}

/// A calendar made by counting days, as one on the wall is.
private enum NaiveCalendar {
    struct Day {
        var text: String
        var month: Int
        var dayOfMonth: Int
        var dayOfWeek: Int
    }

    /// From Thursday, 1 January 1970 to the end of 2200.
    static let days: [Day] = {
        var days: [Day] = []
        for year in 1970...2200 {
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            for (index, count) in [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].enumerated() {
                for day in 1...count {
                    let text = "\(year)-\(two(index + 1))-\(two(day))"
                    let dayOfWeek = (days.count + 4) % 7
                    days.append(Day(text: text, month: index + 1, dayOfMonth: day, dayOfWeek: dayOfWeek))
                }
            }
        }
        return days
    }()

    static let numbers = Dictionary(uniqueKeysWithValues: days.enumerated().map { ($0.element.text, $0.offset) })

    static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// Reads `2026-03-29 01:00`; nil for anything else.
    static func timestamp(_ text: String) -> Timestamp? {
        let parts = text.split { $0 == " " || $0 == ":" }
        guard parts.count == 3, let day = numbers[String(parts[0])], let hour = Int(parts[1]),
            let minute = Int(parts[2])
        else { return nil }
        return .minutes(day * 1440 + hour * 60 + minute)
    }

    /// Writes what `timestamp` reads, with what is no whole minute behind it.
    static func text(_ time: Timestamp) -> String {
        let (minutes, rest) = time.milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let (day, minute) = Int(minutes).quotientAndRemainder(dividingBy: 1440)
        return "\(days[day].text) \(two(minute / 60)):\(two(minute % 60))" + (rest == 0 ? "" : " and \(rest) ms")
    }

    static func minutes(of first: String, to end: String) -> Range<Int> {
        (numbers[first] ?? 0) * 1440..<(numbers[end] ?? 0) * 1440
    }
}

/// Offsets in minutes, and since when (UTC).
struct NaiveZone: Sendable {
    var first: Int
    var changes: [(minute: Int, offset: Int)]

    init(first: Int, changes: [(time: String, offset: Int)]) {
        self.first = first
        self.changes = changes.map { time, offset in
            (Int((NaiveCalendar.timestamp(time) ?? Timestamp(milliseconds: 0)).milliseconds / 60_000), offset)
        }
    }

    func offset(at minute: Int) -> Int { changes.last { $0.minute <= minute }?.offset ?? first }

    func utcOffset(_ time: Timestamp) -> Duration { .seconds(offset(at: Int(time.milliseconds / 60_000)) * 60) }
}

/// A random schedule: its text and, known without reading that, its values.
private struct NaiveSchedule {
    /// A field: its text and which values it has.
    private struct Field {
        var text: String
        var has: [Bool]
        var beginsWithStar: Bool { text.first == "*" }
    }

    private var fields: [Field]

    init(using generator: inout SeededGenerator) {
        fields = [0...59, 0...23, 1...31, 1...12, 0...6].map { Self.field($0, using: &generator) }
    }

    init(midnightsUsing generator: inout SeededGenerator) {
        self.init(using: &generator)
        fields[0] = Field(text: "0", has: (0...59).map { $0 == 0 })
        fields[1] = Field(text: "0", has: (0...23).map { $0 == 0 })
    }

    private static func field(_ values: ClosedRange<Int>, using generator: inout SeededGenerator) -> Field {
        if Bool.random(using: &generator) { return Field(text: "*", has: Array(repeating: true, count: 61)) }
        var has = Array(repeating: false, count: 61)
        var items: [String] = []
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let low = Int.random(in: values, using: &generator)
            let high = Int.random(in: low...values.upperBound, using: &generator)
            let step = Int.random(in: 1...min(7, values.count), using: &generator)
            let kind = Int.random(in: 0...9, using: &generator)
            switch kind {
            case 0...5:
                items.append("\(low)")
                has[low] = true
            case 6, 7:
                items.append("\(low)-\(high)")
                for value in low...high { has[value] = true }
            case 8:
                items.append("\(low)-\(high)/\(step)")
                for value in low...high where (value - low) % step == 0 { has[value] = true }
            default:
                items.append("*/\(step)")
                for value in values where (value - values.lowerBound) % step == 0 { has[value] = true }
            }
        }
        return Field(text: items.joined(separator: ","), has: has)
    }

    private var text: String { fields.map(\.text).joined(separator: " ") }

    /// The schedule of the text; nil when it never runs.
    func schedule(seed: UInt64) throws -> CronSchedule? {
        do {
            return try CronSchedule(text)
        } catch {
            // A pattern behind `catch` makes Swift 6.3.1 crash here.
            guard case .neverRuns = error else { throw error }
            let canRun = NaiveCalendar.days.indices.contains { isDay($0) }
            #expect(!canRun, "\(text), LARDER_TEST_SEED=\(seed)")
            return nil
        }
    }

    private func isDay(_ number: Int) -> Bool {
        let day = NaiveCalendar.days[number]
        let (isDayOfMonth, isDayOfWeek) = (fields[2].has[day.dayOfMonth], fields[4].has[day.dayOfWeek])
        let isEitherEnough = !fields[2].beginsWithStar && !fields[4].beginsWithStar
        return fields[3].has[day.month]
            && (isEitherEnough ? isDayOfMonth || isDayOfWeek : isDayOfMonth && isDayOfWeek)
    }

    func matches(_ minute: Int) -> Bool {
        fields[0].has[minute % 60] && fields[1].has[minute / 60 % 24] && isDay(minute / 1440)
    }

    /// Watches the clock on the wall from two days before `minutes` on.
    ///
    /// With an hour that does not begin with `*`, a minute runs when it shows local times for the first time or leaves
    /// some out for good, and one of them matches.
    func runs(in minutes: Range<Int>, zone: NaiveZone) -> [Int] {
        var runs: [Int] = []
        let start = minutes.lowerBound - 2 * 1440
        var highest = start + zone.offset(at: start)
        for minute in (start + 1)..<minutes.upperBound {
            let local = minute + zone.offset(at: minute)
            let isRun =
                fields[1].beginsWithStar
                ? matches(local) : local > highest && ((highest + 1)...local).contains(where: matches)
            highest = max(highest, local)
            if isRun && minute > minutes.lowerBound { runs.append(minute) }
        }
        return runs
    }
}
