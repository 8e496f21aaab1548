extension RegularExpression {
    /// The characters that one place of an expression accepts.
    struct ScalarSet: Hashable, Sendable {
        private static let last: UInt32 = 0x10ffff

        static let digits = ScalarSet([0x30...0x39])
        static let words = ScalarSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
        static let spaces = ScalarSet([0x09...0x0d, 0x20...0x20])
        static let anyButLineFeed = ScalarSet([0x0a...0x0a]).inverted

        /// In order, without overlaps.
        private let ranges: [ClosedRange<UInt32>]

        init(_ ranges: [ClosedRange<UInt32>]) {
            var merged: [ClosedRange<UInt32>] = []
            for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if let previous = merged.last, range.lowerBound <= previous.upperBound {
                    merged[merged.count - 1] = previous.lowerBound...max(previous.upperBound, range.upperBound)
                } else {
                    merged.append(range)
                }
            }
            self.ranges = merged
        }

        init(_ scalar: Unicode.Scalar) {
            ranges = [scalar.value...scalar.value]
        }

        var inverted: ScalarSet {
            var result: [ClosedRange<UInt32>] = []
            var start: UInt32 = 0
            for range in ranges {
                if start < range.lowerBound { result.append(start...(range.lowerBound - 1)) }
                start = range.upperBound + 1
            }
            if start <= Self.last { result.append(start...Self.last) }
            return ScalarSet(result)
        }

        /// With the other case of each ASCII letter.
        var inBothCases: ScalarSet {
            ScalarSet(ranges + shifted(0x41...0x5a) { $0 + 0x20 } + shifted(0x61...0x7a) { $0 - 0x20 })
        }

        private func shifted(
            _ letters: ClosedRange<UInt32>,
            _ other: (UInt32) -> UInt32
        ) -> [ClosedRange<UInt32>] {
            ranges.filter { $0.overlaps(letters) }.map { $0.clamped(to: letters) }
                .map { other($0.lowerBound)...other($0.upperBound) }
        }

        func union(_ other: ScalarSet) -> ScalarSet { ScalarSet(ranges + other.ranges) }

        func contains(_ scalar: UInt32) -> Bool {
            var (low, high) = (0, ranges.count)
            while low < high {
                let middle = (low + high) / 2
                if ranges[middle].upperBound < scalar { low = middle + 1 } else { high = middle }
            }
            return low < ranges.count && ranges[low].contains(scalar)
        }

        /// One bit for each ASCII character that is in the set.
        var asciiMask: ASCIIMask {
            var mask = ASCIIMask()
            for scalar in 0..<UInt32(0x80) where contains(scalar) { mask.insert(scalar) }
            return mask
        }
    }

    /// A set of ASCII characters, one bit for each.
    struct ASCIIMask: Hashable, Sendable {
        private var low: UInt64 = 0
        private var high: UInt64 = 0

        mutating func insert(_ scalar: UInt32) {
            if scalar < 64 { low |= 1 << UInt64(scalar) } else { high |= 1 << UInt64(scalar & 63) }
        }

        mutating func formUnion(_ other: ASCIIMask) {
            low |= other.low
            high |= other.high
        }

        @inline(__always)
        func contains(_ scalar: UInt32) -> Bool {
            ((scalar < 64 ? low : high) &>> UInt64(scalar & 63)) & 1 != 0
        }
    }
}
