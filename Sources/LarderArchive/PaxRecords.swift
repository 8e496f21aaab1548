import LarderCore

/// What a PAX extended header says about the next member, as far as it matters here.
struct PaxRecords: Sendable {
    private(set) var path: [UInt8]?
    private(set) var linkPath: [UInt8]?
    private(set) var size: Int64?
    /// Nanoseconds since 1970.
    private(set) var modified: Int64?

    /// Reads records `LENGTH KEY=VALUE\n`; the later of two for a key counts, and an empty value takes back an earlier.
    mutating func read(_ bytes: [UInt8]) throws(StoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != 0x20 }
            guard let length = Self.decimal(digits), length <= rest.count, length > digits.count + 1,
                case let record = rest.prefix(Int(length)), record.last == UInt8(ascii: "\n"),
                case let text = record.dropFirst(digits.count + 1).dropLast(),
                let equals = text.firstIndex(of: UInt8(ascii: "=")), equals > text.startIndex
            else { throw .invalidContent("tar: a PAX header is damaged") }
            try set(String(decoding: text[..<equals], as: UTF8.self), to: text[(equals + 1)...])
            rest = rest.dropFirst(Int(length))
        }
    }

    private mutating func set(_ key: String, to value: ArraySlice<UInt8>) throws(StoreError) {
        switch key {
        case "path": path = value.isEmpty ? nil : Array(value)
        case "linkpath": linkPath = value.isEmpty ? nil : Array(value)
        case "size": size = value.isEmpty ? nil : try Self.size(value)
        case "mtime": modified = value.isEmpty ? nil : try Self.time(value)
        default:
            // To ignore these would give files with other contents.
            guard !key.hasPrefix("GNU.sparse.") else {
                throw .invalidContent("tar: sparse files can't be read; make the archive without --sparse")
            }
        }
    }

    private static func size(_ value: ArraySlice<UInt8>) throws(StoreError) -> Int64 {
        guard let size = decimal(value) else { throw .invalidContent("tar: a PAX header's size is no number") }
        return size
    }

    /// Seconds with or without decimals; what is too far away becomes the earliest or latest time there is.
    private static func time(_ value: ArraySlice<UInt8>) throws(StoreError) -> Int64 {
        let isNegative = value.first == UInt8(ascii: "-")
        let parts = value.dropFirst(isNegative ? 1 : 0)
            .split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        let decimals = parts.count == 2 ? parts[1] : []
        guard let whole = parts.first, !whole.isEmpty, (whole + decimals).allSatisfy({ (0x30...0x39).contains($0) })
        else {
            throw .invalidContent("tar: a PAX header's time is no number")
        }
        let fraction = decimal(Array((decimals + [UInt8](repeating: 0x30, count: 9)).prefix(9))[...]) ?? 0
        let nanoseconds = TarTime.nanoseconds(decimal(whole) ?? .max)
        let sum = nanoseconds.addingReportingOverflow(fraction)
        let magnitude = sum.overflow ? Int64.max : sum.partialValue
        return isNegative ? -magnitude : magnitude
    }

    /// A whole number; nil for anything else and for more than 63 bits.
    private static func decimal(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = product.addingReportingOverflow(Int64(digit & 0xf))
            guard !productOverflow, !sumOverflow else { return nil }
            value = sum
        }
        return value
    }

    /// A record as it stands in a header; its length counts its own digits.
    static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [UInt8(ascii: "\n")]
        var length = rest.count + 1
        while String(length).utf8.count + rest.count > length { length += 1 }
        return Array(String(length).utf8) + rest
    }
}

/// Times in the two units of tar.
enum TarTime {
    static let nanosecondsPerSecond: Int64 = 1_000_000_000

    /// Whole seconds as nanoseconds, no further than they reach.
    static func nanoseconds(_ seconds: Int64) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: nanosecondsPerSecond)
        return overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// As PAX writes it: `12`, `-0.5`, `1.000000001`.
    static func text(_ nanoseconds: Int64) -> String {
        let magnitude = nanoseconds.magnitude
        let (whole, fraction) = magnitude.quotientAndRemainder(dividingBy: UInt64(nanosecondsPerSecond))
        let sign = nanoseconds < 0 ? "-" : ""
        if fraction == 0 { return "\(sign)\(whole)" }
        let digits = String(fraction)
        return "\(sign)\(whole).\(String(repeating: "0", count: 9 - digits.utf8.count))\(digits)"
    }
}
