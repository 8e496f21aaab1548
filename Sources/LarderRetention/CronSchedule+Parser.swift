/// Why a text is not a cron expression.
package enum CronError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than `CronSchedule.byteCountMax`.
    case tooLong(byteCount: Int)
    /// Something that is neither printable ASCII nor a tab.
    case notPrintable
    /// Not five fields but so many.
    case fieldCount(Int)
    /// An unknown word with `@` in front.
    case shortcut(String)
    /// Not the name of a zone, behind `CRON_TZ=` or `TZ=`.
    case zone(String)
    /// One field is wrong: which, which part of it, and why.
    case field(Field, value: String, problem: Problem)
    /// None of the days is in any of the months.
    case neverRuns(daysOfMonth: String, months: String)

    /// The five fields, in their order.
    package enum Field: Hashable, Sendable, CaseIterable {
        case minute, hour, dayOfMonth, month, dayOfWeek
    }

    /// What is wrong with a value.
    package enum Problem: Hashable, Sendable {
        case notAValue, outOfRange, reversed, incomplete, stepOfZero, stepTooLarge, stepWithoutRange, unsupported
    }

    /// A sentence or two for the person who wrote the expression.
    package var description: String {
        switch self {
        case .tooLong(let byteCount):
            "A cron expression has at most \(CronSchedule.byteCountMax) bytes, not \(byteCount)."
        case .notPrintable:
            "A cron expression has only printable ASCII characters and blanks, in one line."
        case .fieldCount(let count):
            "A cron expression has five fields (minute, hour, day of month, month, day of week), not \(count)."
                + (count == 6 ? " There is no field for seconds or years." : "")
        case .shortcut("@reboot"):
            "\"@reboot\" is not supported: a schedule goes by the clock."
        case .shortcut(let text):
            "\"\(text)\" is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually."
        case .zone(let text):
            "Zone \"\(text)\" is not the name of a time zone; names look like \"Europe/Vienna\"."
        case .field(let field, let value, let problem):
            "\(field.name) \"\(value)\" \(problem.explanation(field, value))."
        case .neverRuns(let daysOfMonth, let months):
            "This never runs: day of month \"\(daysOfMonth)\" does not exist in month \"\(months)\"."
        }
    }
}

extension CronError.Field {
    fileprivate var name: String {
        switch self {
        case .minute: "Minute"
        case .hour: "Hour"
        case .dayOfMonth: "Day of month"
        case .month: "Month"
        case .dayOfWeek: "Day of week"
        }
    }

    /// The numbers that may be written.
    fileprivate var values: ClosedRange<Int> {
        switch self {
        case .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...7
        }
    }

    /// The numbers that `*` stands for: Sunday only once.
    fileprivate var wildcard: ClosedRange<Int> { self == .dayOfWeek ? 0...6 : values }

    /// The names of numbers, from `values.lowerBound` on.
    fileprivate var names: [String] {
        switch self {
        case .minute, .hour, .dayOfMonth: []
        case .month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        case .dayOfWeek: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        }
    }
}

extension CronError.Problem {
    /// The end of a sentence that begins with the field and the value.
    fileprivate func explanation(_ field: CronError.Field, _ value: String) -> String {
        switch self {
        case .notAValue:
            if let first = field.names.first, let last = field.names.last {
                "is neither a number nor a name (\(first) to \(last))"
            } else {
                "is not a number"
            }
        case .outOfRange: "is out of range: \(field.values.lowerBound) to \(field.values.upperBound)"
        case .reversed:
            "is a reversed range: the smaller value comes first"
                + (field == .dayOfWeek ? ", and Sunday at the end is 7" : "")
        case .incomplete: "has an empty part"
        case .stepOfZero: "has a step of 0"
        case .stepTooLarge: "has a step larger than \(field.wildcard.count), beyond which nothing comes"
        case .stepWithoutRange:
            "has a step but no range: write \"\(value.prefix { $0 != "/" })-\(field.wildcard.upperBound)"
                + "\(value.drop { $0 != "/" })\""
        case .unsupported: "is not supported: L, W, #, ? and H are extensions of other programs"
        }
    }
}

/// Reads the text of a `CronSchedule`, in two steps: what stands around the fields, and the fields.
struct CronParser {
    /// The expression without blanks around it.
    let text: String
    private(set) var zoneName: String?
    private var words: [Substring]

    init(_ whole: String) throws(CronError) {
        guard whole.utf8.count <= CronSchedule.byteCountMax else { throw .tooLong(byteCount: whole.utf8.count) }
        text = whole.trimmingBlanks
        guard text.utf8.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x09 }) else { throw .notPrintable }
        words = text.split { $0 == " " || $0 == "\t" }
        guard let first = words.first else { return }
        for prefix in ["CRON_TZ=", "TZ="] where first.hasPrefix(prefix) {
            zoneName = try Self.zone(first.dropFirst(prefix.count))
            words.removeFirst()
            break
        }
    }

    /// Reads the fields, after the zone.
    func fields() throws(CronError) -> CronFields {
        var words = words
        if words.count == 1, let word = words.first, word.hasPrefix("@") {
            words = try Self.expansion(of: word).split(separator: " ")
        }
        guard words.count == CronError.Field.allCases.count else { throw .fieldCount(words.count) }
        var masks: [UInt64] = []
        for (field, word) in zip(CronError.Field.allCases, words) {
            masks.append(try Self.mask(field, word))
        }
        let fields = CronFields(
            minutes: masks[0],
            hours: masks[1],
            daysOfMonth: masks[2],
            months: masks[3],
            daysOfWeek: masks[4],
            isEitherDayEnough: !words[2].hasPrefix("*") && !words[4].hasPrefix("*"),
            followsRealTime: words[1].hasPrefix("*")
        )
        guard fields.isEitherDayEnough || fields.hasPossibleDate else {
            throw .neverRuns(daysOfMonth: String(words[2]), months: String(words[3]))
        }
        return fields
    }

    /// Checks what a zone's name looks like, because it may become part of a path later.
    private static func zone(_ name: Substring) throws(CronError) -> String {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty }),
            name.allSatisfy({ $0.isLetter || $0.isNumber || "/_+-".contains($0) })
        else { throw .zone(String(name)) }
        return String(name)
    }

    private static func expansion(of shortcut: Substring) throws(CronError) -> String {
        switch shortcut.lowercased() {
        case "@hourly": "0 * * * *"
        case "@daily", "@midnight": "0 0 * * *"
        case "@weekly": "0 0 * * 0"
        case "@monthly": "0 0 1 * *"
        case "@yearly", "@annually": "0 0 1 1 *"
        case let unknown: throw .shortcut(unknown)
        }
    }

    /// The values of one field, a list, as bits.
    private static func mask(_ field: CronError.Field, _ list: Substring) throws(CronError) -> UInt64 {
        var mask: UInt64 = 0
        for item in list.split(separator: ",", omittingEmptySubsequences: false) {
            guard !item.isEmpty else { throw .field(field, value: String(list), problem: .incomplete) }
            let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let (bounds, isRange) = try bounds(field, parts[0], of: item)
            let step = parts.count == 2 ? try step(field, parts[1], of: item) : 1
            guard isRange || parts.count == 1 else {
                throw .field(field, value: String(item), problem: .stepWithoutRange)
            }
            for value in stride(from: bounds.lowerBound, through: bounds.upperBound, by: step) {
                mask |= 1 << (field == .dayOfWeek ? value % 7 : value)
            }
        }
        return mask
    }

    /// Reads `*`, a value or a range; `item` is shown when a part is missing.
    private static func bounds(
        _ field: CronError.Field,
        _ text: Substring,
        of item: Substring
    ) throws(CronError) -> (bounds: ClosedRange<Int>, isRange: Bool) {
        if text == "*" { return (field.wildcard, true) }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.allSatisfy({ !$0.isEmpty }) else { throw .field(field, value: String(item), problem: .incomplete) }
        let low = try value(field, ends[0])
        guard ends.count > 1 else { return (low...low, false) }
        guard ends.count == 2 else { throw .field(field, value: String(text), problem: .notAValue) }
        let high = try value(field, ends[1])
        guard low <= high else { throw .field(field, value: String(text), problem: .reversed) }
        return (low...high, true)
    }

    private static func step(
        _ field: CronError.Field,
        _ text: Substring,
        of item: Substring
    ) throws(CronError) -> Int {
        guard !text.isEmpty else { throw .field(field, value: String(item), problem: .incomplete) }
        guard text.allSatisfy(\.isNumber) else { throw .field(field, value: String(item), problem: .notAValue) }
        // Digits that are no `Int` are too many of them.
        let step = Int(text) ?? .max
        guard step > 0 else { throw .field(field, value: String(item), problem: .stepOfZero) }
        guard step <= field.wildcard.count else { throw .field(field, value: String(item), problem: .stepTooLarge) }
        return step
    }

    private static func value(_ field: CronError.Field, _ text: Substring) throws(CronError) -> Int {
        if text.allSatisfy(\.isNumber) {
            guard let number = Int(text), field.values.contains(number) else {
                throw .field(field, value: String(text), problem: .outOfRange)
            }
            return number
        }
        let word = text.uppercased()
        if let index = field.names.firstIndex(of: word) { return field.values.lowerBound + index }
        let isForeign = word.contains { "#?".contains($0) } || ["L", "W", "LW", "H"].contains(word.filter(\.isLetter))
        throw .field(field, value: String(text), problem: isForeign ? .unsupported : .notAValue)
    }
}

extension CronFields {
    /// Whether the first of the days is in one of the months, in leap years at least.
    fileprivate var hasPossibleDate: Bool {
        (1...12).contains { month in
            months >> month & 1 == 1
                && daysOfMonth.trailingZeroBitCount <= CivilDate.dayCount(year: 2000, month: month)
        }
    }
}

extension String {
    /// Without blanks and line ends around it.
    fileprivate var trimmingBlanks: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
