extension Duration {
    /// Parses `90s`, `15m`, `3h`, `14d`, `0`; nil for anything else, fractions and negative numbers included.
    package init?(text: String) {
        let factors: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        if text == "0" {
            self = .zero
            return
        }
        guard let unit = text.last, let factor = factors[unit],
            text.dropLast().allSatisfy({ $0.isASCII && $0.isNumber }),
            let number = Int64(text.dropLast()),
            number <= 1_000_000
        else { return nil }
        self = .seconds(number * factor)
    }

    /// For people: `12 s`, `5 min`, `3.5 h`, `14 d`.
    package var shortText: String {
        let seconds = Double(wholeMilliseconds) / 1000
        for (name, factor) in [("d", 86_400.0), ("h", 3600.0), ("min", 60.0)] where seconds >= factor * 2 {
            let tenths = Int64((seconds / factor * 10).rounded())
            return tenths % 10 == 0 || tenths >= 100
                ? "\(tenths / 10) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
        }
        return "\(Int64(seconds.rounded())) s"
    }
}
