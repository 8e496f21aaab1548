import LarderCore

extension RetentionVerdict {
    /// The number of the rule that decided; nil: none did.
    package var rule: Int? {
        switch self {
        case .kept(let rule, _), .keptAtLeast(let rule, _), .expired(let rule, _), .archived(let rule, _): rule
        default: nil
        }
    }

    /// Why, for people.
    package var explanation: String {
        switch self {
        case .unclaimed: "no rule is about it"
        case .kept(let rule, let measure): "rule \(rule) keeps it: \(measure.text(isTooMuch: false))"
        case .keptAtLeast(let rule, let rank): "rule \(rule) keeps it: number \(rank) of those that stay in any case"
        case .pinned(let reason): "pinned: \(reason)"
        case .held(let holder): "belongs to entry \(holder)"
        case .waiting: "what it is about is not there yet"
        case .leaving: "it may belong to something that was removed, or that is not here"
        case .expired(let rule, let measure): "rule \(rule): \(measure.text(isTooMuch: true))"
        case .archived(let rule, let measure): "rule \(rule) archives it: \(measure.text(isTooMuch: true))"
        case .follows(let holder): "goes with entry \(holder)"
        }
    }
}

extension RetentionMeasure {
    fileprivate func text(isTooMuch: Bool) -> String {
        switch self {
        case .rank(let rank, let limit):
            isTooMuch ? "number \(rank), and \(limit) are kept" : "number \(rank) of the \(limit) that are kept"
        case .age(let age, let limit):
            "\(age.shortText) old, the limit is \(limit.shortText)"
        case .bytes(let bytes, let limit):
            "\(ByteCount(bytes)) with all before it, the limit is \(ByteCount(limit))"
        }
    }
}
