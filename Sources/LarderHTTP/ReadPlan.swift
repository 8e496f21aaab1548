import LarderCore

/// How a GET or HEAD of stored content is answered: status and pieces, decided from headers and metadata alone.
struct ReadPlan: Equatable {
    enum Body: Equatable {
        /// All of it.
        case whole
        /// One piece (206).
        case range(Range<Int64>)
        /// Several pieces, as `multipart/byteranges` (206).
        case ranges([Range<Int64>])
        /// None (304, 412, 416).
        case none
    }

    /// Ranges of one request; more are answered with the whole (RFC 9110, section 14.2 allows ignoring the header).
    static let rangeCountMax = 16

    let status: Int
    let body: Body

    /// Decides by RFC 9110: preconditions in the order of section 13.2.2, then ranges as in section 14.
    ///
    /// `range`: The `Range` header.
    ///
    /// `entityTag`: The strong tag of the content, with its quotes.
    init(
        size: Int64,
        entityTag: String,
        pushedAt: Timestamp,
        range: String?,
        conditions: RequestFacts.Conditions
    ) {
        if !conditions.areAbsent, let refusal = Self.check(conditions, entityTag: entityTag, pushedAt: pushedAt) {
            status = refusal
            body = .none
            return
        }
        guard let range, Self.mayUseRange(conditions.ifRange, entityTag: entityTag, pushedAt: pushedAt),
            let pieces = Self.parse(range, size: size)
        else {
            status = 200
            body = .whole
            return
        }
        switch pieces.count {
        case 0:
            status = 416
            body = .none
        case 1:
            status = 206
            body = .range(pieces[0])
        default:
            status = 206
            body = .ranges(pieces)
        }
    }

    /// The status that preconditions demand instead of the content; nil when they are met.
    private static func check(
        _ conditions: RequestFacts.Conditions,
        entityTag: String,
        pushedAt: Timestamp
    ) -> Int? {
        let seconds = pushedAt.milliseconds / 1000
        if let ifMatch = conditions.ifMatch {
            if !matches(ifMatch, entityTag, weakly: false) { return 412 }
        } else if let date = conditions.ifUnmodifiedSince.flatMap(HTTPDate.parse), seconds > date {
            return 412
        }
        if let ifNoneMatch = conditions.ifNoneMatch {
            if matches(ifNoneMatch, entityTag, weakly: true) { return 304 }
        } else if let date = conditions.ifModifiedSince.flatMap(HTTPDate.parse), seconds <= date {
            return 304
        }
        return nil
    }

    private static func matches(_ list: String, _ entityTag: String, weakly: Bool) -> Bool {
        list.split(separator: ",").contains { item in
            var tag = item.drop { $0 == " " || $0 == "\t" }
            while tag.last == " " || tag.last == "\t" { tag.removeLast() }
            if tag == "*" { return true }
            if tag.hasPrefix("W/") {
                guard weakly else { return false }
                tag = tag.dropFirst(2)
            }
            // Old docker clients leave the quotes of a digest out.
            return tag == entityTag || tag.contains(":") && tag == entityTag.dropFirst().dropLast()
        }
    }

    private static func mayUseRange(_ ifRange: String?, entityTag: String, pushedAt: Timestamp) -> Bool {
        guard let ifRange else { return true }
        if ifRange.hasPrefix("\"") || ifRange.hasPrefix("W/") { return ifRange == entityTag }
        return HTTPDate.parse(ifRange) == pushedAt.milliseconds / 1000
    }

    /// The satisfiable pieces of a `Range` header; nil when it is to be ignored (another unit, broken, too many).
    private static func parse(_ header: String, size: Int64) -> [Range<Int64>]? {
        guard header.lowercased().hasPrefix("bytes=") else { return nil }
        let items = header.dropFirst(6).split(separator: ",", omittingEmptySubsequences: false)
        guard !items.isEmpty, items.count <= rangeCountMax else { return nil }
        var pieces: [Range<Int64>] = []
        for item in items {
            let text = item.filter { $0 != " " && $0 != "\t" }
            guard let dash = text.firstIndex(of: "-") else { return nil }
            let (first, last) = (text[..<dash], text[text.index(after: dash)...])
            guard first.allSatisfy(\.isASCIIDigit), last.allSatisfy(\.isASCIIDigit) else { return nil }
            // Numbers beyond 64 bits are larger than any blob.
            let start = first.isEmpty ? nil : Int64(first) ?? Int64.max
            let end = last.isEmpty ? nil : Int64(last) ?? Int64.max
            switch (start, end) {
            case (nil, nil): return nil
            case (nil, let length?):
                if length > 0 && size > 0 { pieces.append(max(0, size - length)..<size) }
            case (let start?, let end):
                // RFC 9110, section 14.1.1, calls it invalid and leaves the answer open; registries are to refuse it.
                if let end, end < start { continue }
                if start < size { pieces.append(start..<(min(end ?? size, size - 1) + 1)) }
            }
        }
        // Overlapping ranges can ask for the content many times over.
        guard pieces.reduce(0, { $0 + $1.upperBound - $1.lowerBound }) <= size + 1024 else { return nil }
        return pieces
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
