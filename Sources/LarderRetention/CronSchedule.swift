package import LarderCore

/// When something runs, as a cron expression: minute, hour, day of month, month, day of week.
///
/// Understood are `*`, numbers, names of months and weekdays in any case, ranges, steps over ranges or `*`, lists of
/// these, and the shortcuts `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`.
/// Weekdays count from 0, Sunday, to 6; 7 is Sunday again. `CRON_TZ=Zone/Name ` or `TZ=Zone/Name ` may come first.
///
/// As in Vixie's cron, a day counts when both of its fields match, or one of them when neither begins with `*`.
package struct CronSchedule: Hashable, Sendable, CustomStringConvertible {
    /// The expression as it was given, without blanks around it.
    package let text: String
    /// The zone that the expression names; nil for UTC.
    ///
    /// It looks like the name of a zone; whether there is such a zone is not checked here.
    package let zoneName: String?

    private let fields: CronFields

    /// The longest expression, in bytes.
    package static let byteCountMax = 256

    /// Parses an expression.
    ///
    /// Throws `CronError` for what is not one, and for one that never runs, such as the 30th of February.
    package init(_ text: String) throws(CronError) {
        let parser = try CronParser(text)
        self.text = parser.text
        zoneName = parser.zoneName
        fields = try parser.fields()
    }

    package var description: String { text }

    /// The first moment after `time` at which this runs, a whole minute; nil when there is none within 40 years.
    ///
    /// When clocks are put forward, a local time that is left out runs at the first moment after the gap, once for all
    /// times in it. When they are put back, a local time that comes twice runs at the first. A schedule whose hour
    /// begins with `*` follows real time: it runs in both passes of a doubled hour and not for hours that are left out.
    ///
    /// Costs microseconds, and a dozen or so calls of `utcOffset` for a change of the clocks to be noticed. Times after
    /// the year 9999 or as long before 1970 have no next run.
    ///
    /// `utcOffset`: What the zone's clocks are ahead of UTC at a moment; parts of a minute are dropped. Two changes
    /// within 6 hours may go unseen.
    package func next(after time: Timestamp, utcOffset: (Timestamp) -> Duration) -> Timestamp? {
        func offset(at minute: Int) -> Int {
            let moment = Timestamp(milliseconds: Int64(minute) * 60_000)
            return Int(utcOffset(moment).wholeMilliseconds.flooredDivision(by: 60_000).quotient)
        }
        guard abs(time.milliseconds.flooredDivision(by: 60_000).quotient) < Self.minuteMax else { return nil }
        let start = Int(time.milliseconds.flooredDivision(by: 60_000).quotient)
        return firstRun(after: start, offset: offset).map { Timestamp(milliseconds: Int64($0) * 60_000) }
    }

    /// Minutes from 1970 to 10000-01-01: keeps sums far from overflowing.
    private static let minuteMax: Int64 = 4_223_371_680

    /// More minutes than 40 years have.
    private static let horizonMinutes = 40 * 366 * 1440

    /// More than any two offsets of a zone differ, which is 26 hours at most.
    private static let offsetSpanMinutes = 2880

    /// How far apart the zone is asked for its offset when a change is looked for.
    private static let probeMinutes = 360

    /// Walks from one change of the offset to the next, within which local time is simple.
    ///
    /// All times are minutes since 1970. `from` is the earliest local time that still counts.
    private func firstRun(after start: Int, offset: (Int) -> Int) -> Int? {
        var (now, ahead) = (start, offset(start))
        var from = now + ahead + 1
        if !fields.followsRealTime {
            from = max(from, Self.highestLocalTime(before: start, offset: offset))
        }
        while now - start <= Self.horizonMinutes {
            guard let local = fields.firstMatch(atOrAfter: from) else { return nil }
            let run = local - ahead
            let reach = min(run, now + Self.offsetSpanMinutes)
            guard let change = Self.firstChange(after: now, through: reach, offset: offset) else {
                guard reach < run else { return run }
                // Changes in between cannot bring local time beyond `local`, so only those near it matter.
                now = max(reach, run - Self.offsetSpanMinutes)
                ahead = offset(now)
                from = max(from, now + ahead + 1)
                continue
            }
            let aheadAfter = offset(change)
            if fields.followsRealTime {
                from = change + aheadAfter
            } else if local < change + aheadAfter {
                // Clocks reach `local` at the change or later, so it is among the times that the change leaves out.
                return change
            }
            (now, ahead) = (change, aheadAfter)
        }
        return nil
    }

    /// The local time that clocks had reached before they were last put back, when that is recent.
    private static func highestLocalTime(before start: Int, offset: (Int) -> Int) -> Int {
        var now = start - offsetSpanMinutes
        var highest = Int.min
        while let change = firstChange(after: now, through: start, offset: offset) {
            highest = max(highest, change + offset(change - 1))
            now = change
        }
        return highest
    }

    /// The first minute in `start + 1 ... end` at which the offset is not what it was at `start`.
    private static func firstChange(after start: Int, through end: Int, offset: (Int) -> Int) -> Int? {
        let ahead = offset(start)
        var same = start
        while same < end {
            var different = min(same + probeMinutes, end)
            guard offset(different) != ahead else {
                same = different
                continue
            }
            while different - same > 1 {
                let middle = same + (different - same) / 2
                if offset(middle) == ahead { same = middle } else { different = middle }
            }
            return different
        }
        return nil
    }
}

/// The values of the five fields as bits, and what follows from how they were written.
struct CronFields: Hashable, Sendable {
    var minutes: UInt64
    var hours: UInt64
    var daysOfMonth: UInt64
    var months: UInt64
    var daysOfWeek: UInt64
    /// Whether one of the day fields suffices: neither begins with `*`.
    var isEitherDayEnough: Bool
    /// Whether the hour field begins with `*`.
    var followsRealTime: Bool

    /// The first matching minute of local time, counted from 1970; nil when none is within 40 years.
    func firstMatch(atOrAfter local: Int) -> Int? {
        let (day, minuteOfDay) = local.flooredDivision(by: 1440)
        if let matchingDay = firstDay(atOrAfter: day) {
            let earliest = matchingDay == day ? minuteOfDay : 0
            if let minute = firstMinute(atOrAfter: earliest) { return matchingDay * 1440 + minute }
        }
        guard let laterDay = firstDay(atOrAfter: day + 1), let minute = firstMinute(atOrAfter: 0) else { return nil }
        return laterDay * 1440 + minute
    }

    private func firstMinute(atOrAfter minuteOfDay: Int) -> Int? {
        let (hour, minute) = minuteOfDay.quotientAndRemainder(dividingBy: 60)
        if hours.firstBit(from: hour) == hour, let match = minutes.firstBit(from: minute) { return hour * 60 + match }
        guard let laterHour = hours.firstBit(from: hour + 1), let match = minutes.firstBit(from: 0) else { return nil }
        return laterHour * 60 + match
    }

    private func firstDay(atOrAfter day: Int) -> Int? {
        let date = CivilDate(day: day)
        var (year, month, earliest) = (date.year, date.month, date.day)
        // The same month 40 years later counts too: some of its days are within 40 years.
        for _ in 0...(40 * 12) {
            if months.firstBit(from: month) == month {
                let days = matchingDays(year: year, month: month)
                if let match = days.firstBit(from: earliest) {
                    return CivilDate(year: year, month: month, day: match).daysSince1970
                }
            }
            (year, month, earliest) = month == 12 ? (year + 1, 1, 1) : (year, month + 1, 1)
        }
        return nil
    }

    /// The days of one month that match, as bits 1 to 31.
    private func matchingDays(year: Int, month: Int) -> UInt64 {
        let first = CivilDate(year: year, month: month, day: 1).daysSince1970
        var (all, weekdays): (UInt64, UInt64) = (0, 0)
        for day in 1...CivilDate.dayCount(year: year, month: month) {
            // 1 January 1970, day 0, was a Thursday.
            let weekday = (first + day - 1 + 4).flooredDivision(by: 7).remainder
            all |= 1 << day
            weekdays |= (daysOfWeek >> weekday & 1) << day
        }
        return all & (isEitherDayEnough ? daysOfMonth | weekdays : daysOfMonth & weekdays)
    }
}

/// A day of the proleptic Gregorian calendar.
struct CivilDate {
    var year: Int
    var month: Int
    var day: Int

    init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date so many days after 1970-01-01.
    ///
    /// As in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day
    /// is the last one, and repeat after eras of 400 years.
    init(day daysSince1970: Int) {
        let (era, dayOfEra) = (daysSince1970 + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSince1970: Int {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredDivision(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension UInt64 {
    /// The number of the lowest bit that is set, from `start` up.
    fileprivate func firstBit(from start: Int) -> Int? {
        let rest = self >> start
        return rest == 0 ? nil : start + rest.trailingZeroBitCount
    }
}

extension FixedWidthInteger {
    /// Divides so that the remainder is never negative.
    fileprivate func flooredDivision(by divisor: Self) -> (quotient: Self, remainder: Self) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
