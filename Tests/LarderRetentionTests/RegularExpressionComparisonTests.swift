import LarderRetention
import LarderTestSupport
import Testing

/// Random expressions against a matcher that tries everything, as Perl does.
@Suite struct RegularExpressionComparisonTests {
    @Test func randomExpressionsMeanWhatBacktrackingMeans() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        var captureCount = 0
        for _ in 0..<5000 {
            var groupCount = 0
            let pattern = Pattern.random(depth: 3, groupCount: &groupCount, using: &generator)
            let expression = try RegularExpression(pattern.text)
            for _ in 0..<4 {
                let length = Int.random(in: 0...7, using: &generator)
                let text = String((0..<length).compactMap { _ in "abc".randomElement(using: &generator) })
                let expected = pattern.search(text)
                let comment: Comment = "/\(pattern.text)/ and \(text), LARDER_TEST_SEED=\(seed)"
                #expect(expression.matches(text) == (expected != nil), comment)
                // Perl's last empty round would count, ours is not taken.
                guard !pattern.repeatsNothing else { continue }
                captureCount += 1
                #expect(expression.capture(in: text) == expected?.capture(groupCount > 0), comment)
            }
        }
        #expect(captureCount > 5000)
    }
}

/// What a pattern matched.
private struct Match {
    var whole: Substring
    /// What the first group matched.
    var group: Substring?

    func capture(_ hasGroups: Bool) -> String? { hasGroups ? group.map { String($0) } : String(whole) }
}

/// An expression that a test made, and the plain meaning of it.
private indirect enum Pattern {
    case character(text: String, accepts: String)
    case start, end
    case sequence([Pattern])
    case alternatives([Pattern])
    /// `isFirst` is nil for a group that does not capture.
    case group(Pattern, isFirst: Bool?)
    case repetition(Pattern, text: String, minimum: Int, maximum: Int?, isLazy: Bool)

    var text: String {
        switch self {
        case .character(let text, _): text
        case .start: "^"
        case .end: "$"
        case .sequence(let parts): parts.map(\.text).joined()
        case .alternatives(let parts): parts.map(\.text).joined(separator: "|")
        case .group(let part, let isFirst): (isFirst == nil ? "(?:" : "(") + part.text + ")"
        case .repetition(let part, let text, _, _, let isLazy): part.text + text + (isLazy ? "?" : "")
        }
    }

    var mayBeEmpty: Bool {
        switch self {
        case .character: false
        case .start, .end: true
        case .sequence(let parts): parts.allSatisfy(\.mayBeEmpty)
        case .alternatives(let parts): parts.contains(where: \.mayBeEmpty)
        case .group(let part, _): part.mayBeEmpty
        case .repetition(let part, _, let minimum, _, _): minimum == 0 || part.mayBeEmpty
        }
    }

    /// Whether there is a repetition without limit of what may match nothing.
    var repeatsNothing: Bool {
        switch self {
        case .character, .start, .end: false
        case .sequence(let parts), .alternatives(let parts): parts.contains(where: \.repeatsNothing)
        case .group(let part, _): part.repeatsNothing
        case .repetition(let part, _, _, let maximum, _): part.repeatsNothing || maximum == nil && part.mayBeEmpty
        }
    }
}

extension Pattern {
    static func random(depth: Int, groupCount: inout Int, using generator: inout SeededGenerator) -> Pattern {
        let kind = Int.random(in: 0..<10, using: &generator)
        if depth == 0 || kind < 2 { return randomCharacter(using: &generator) }
        if kind < 5 {
            return .sequence(
                (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                    let part = random(depth: depth - 1, groupCount: &groupCount, using: &generator)
                    if case .alternatives = part { return .group(part, isFirst: nil) }
                    return part
                }
            )
        }
        if kind < 6 {
            return .alternatives(
                (0..<Int.random(in: 2...3, using: &generator)).map { _ in
                    random(depth: depth - 1, groupCount: &groupCount, using: &generator)
                }
            )
        }
        let isFirst = Bool.random(using: &generator) ? groupCount == 0 : nil
        if isFirst != nil { groupCount += 1 }
        let group = Pattern.group(
            random(depth: depth - 1, groupCount: &groupCount, using: &generator),
            isFirst: isFirst
        )
        return kind < 7 ? group : randomRepetition(of: group, using: &generator)
    }

    private static func randomCharacter(using generator: inout SeededGenerator) -> Pattern {
        let kinds: [Pattern] = [
            .character(text: "a", accepts: "a"), .character(text: "a", accepts: "a"),
            .character(text: "b", accepts: "b"), .character(text: "b", accepts: "b"),
            .character(text: "c", accepts: "c"), .character(text: ".", accepts: "abc"),
            .character(text: "[ac]", accepts: "ac"), .character(text: "[^b-z]", accepts: "a"), .start, .end,
        ]
        return kinds.randomElement(using: &generator) ?? .start
    }

    private static func randomRepetition(of part: Pattern, using generator: inout SeededGenerator) -> Pattern {
        let kinds: [(text: String, minimum: Int, maximum: Int?)] = [
            ("*", 0, nil), ("+", 1, nil), ("?", 0, 1), ("{0}", 0, 0), ("{2}", 2, 2), ("{1,}", 1, nil), ("{2,}", 2, nil),
            ("{0,2}", 0, 2), ("{1,3}", 1, 3),
        ]
        let kind = kinds.randomElement(using: &generator) ?? kinds[0]
        return .repetition(
            part,
            text: kind.text,
            minimum: kind.minimum,
            maximum: kind.maximum,
            isLazy: Bool.random(using: &generator)
        )
    }
}

extension Pattern {
    /// The leftmost match, found by trying everything.
    func search(_ text: String) -> Match? {
        var start = text.startIndex
        while true {
            let match = match(text[start...], in: text, nil) { rest, group in
                Match(whole: text[start..<rest.startIndex], group: group)
            }
            guard match == nil, start < text.endIndex else { return match }
            start = text.index(after: start)
        }
    }

    /// Matches a beginning of `rest` and then what `goOn` stands for; tries the next way when that does not match.
    private func match(
        _ rest: Substring,
        in text: String,
        _ group: Substring?,
        _ goOn: (Substring, Substring?) -> Match?
    ) -> Match? {
        switch self {
        case .character(_, let accepts):
            guard let first = rest.first, accepts.contains(first) else { return nil }
            return goOn(rest.dropFirst(), group)
        case .start: return rest.startIndex == text.startIndex ? goOn(rest, group) : nil
        case .end: return rest.isEmpty ? goOn(rest, group) : nil
        case .sequence(let parts):
            guard let first = parts.first else { return goOn(rest, group) }
            return first.match(rest, in: text, group) { rest, group in
                Pattern.sequence(Array(parts.dropFirst())).match(rest, in: text, group, goOn)
            }
        case .alternatives(let parts):
            for part in parts {
                if let match = part.match(rest, in: text, group, goOn) { return match }
            }
            return nil
        case .group(let part, let isFirst):
            return part.match(rest, in: text, group) { behind, inner in
                goOn(behind, isFirst == true ? rest[..<behind.startIndex] : inner)
            }
        case .repetition(let part, _, let minimum, let maximum, let isLazy):
            func round() -> Match? {
                guard maximum != 0 else { return nil }
                return part.match(rest, in: text, group) { behind, inner in
                    // Without progress there would be no end of it.
                    if maximum == nil, minimum == 0, behind.startIndex == rest.startIndex { return goOn(behind, inner) }
                    let others = Pattern.repetition(
                        part,
                        text: "",
                        minimum: max(minimum - 1, 0),
                        maximum: maximum.map { $0 - 1 },
                        isLazy: isLazy
                    )
                    return others.match(behind, in: text, inner, goOn)
                }
            }
            if minimum > 0 { return round() }
            return isLazy ? goOn(rest, group) ?? round() : round() ?? goOn(rest, group)
        }
    }
}
