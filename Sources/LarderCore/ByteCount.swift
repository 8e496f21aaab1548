/// A number of bytes.
package struct ByteCount: Hashable, Comparable, Sendable {
    /// The number; negative only as a difference.
    package var bytes: Int64

    package init(_ bytes: Int64) {
        self.bytes = bytes
    }

    package static let zero = ByteCount(0)

    /// So many times 2¹⁰ bytes.
    package static func kibibytes(_ count: Int64) -> ByteCount { ByteCount(count << 10) }
    /// So many times 2²⁰ bytes.
    package static func mebibytes(_ count: Int64) -> ByteCount { ByteCount(count << 20) }
    /// So many times 2³⁰ bytes.
    package static func gibibytes(_ count: Int64) -> ByteCount { ByteCount(count << 30) }

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
    package static func + (left: ByteCount, right: ByteCount) -> ByteCount { ByteCount(left.bytes + right.bytes) }
    package static func - (left: ByteCount, right: ByteCount) -> ByteCount { ByteCount(left.bytes - right.bytes) }

    /// This many hundredths of the count, rounded down.
    ///
    /// Exact up to an exbibyte.
    package func percent(_ hundredths: Int) -> ByteCount {
        ByteCount(bytes / 100 * Int64(hundredths) + bytes % 100 * Int64(hundredths) / 100)
    }
}

extension ByteCount {
    private static let units: [(name: String, factor: Int64)] = [
        ("B", 1), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40),
    ]

    /// Parses `20GiB`, `1.5 GB`, `512M` (1024-based, as in `du`) or a plain number of bytes; case does not matter.
    ///
    /// - Returns: nil for anything else, a negative number, or more than 8 EiB.
    package init?(_ text: String) {
        let trimmed = text.filter { $0 != " " }
        let number = trimmed.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let suffix = trimmed.dropFirst(number.count).lowercased()
        let unit = suffix.isEmpty ? Self.units[0] : Self.units.first { $0.name.lowercased() == suffix }
        guard let unit, let value = Double(number), value.isFinite else { return nil }
        if let whole = Int64(number) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: unit.factor)
            guard !overflow else { return nil }
            self.init(product)
            return
        }
        let product = value * Double(unit.factor)
        guard product >= 0, product < Double(Int64.max) else { return nil }
        self.init(Int64(product))
    }
}

extension ByteCount: CustomStringConvertible {
    /// For people: `0 B`, `17 KiB`, `1.5 GiB`.
    package var description: String {
        // Differences are shown with their sign and rounded as their size is.
        if bytes < 0 { return "-\(ByteCount(-max(bytes, -Int64.max)))" }
        let steps: [(String, Int64)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        for (name, factor) in steps where bytes >= factor {
            let tenths = bytes / factor * 10 + (bytes % factor * 10 + factor / 2) / factor
            return tenths % 10 == 0 || tenths >= 1000
                ? "\(tenths / 10) \(name)"
                : "\(tenths / 10).\(tenths % 10) \(name)"
        }
        return "\(bytes) B"
    }
}
