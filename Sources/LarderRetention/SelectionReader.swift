import LarderCore

/// Reads the selection of a rule: what is identified, and what of it is too much.
struct SelectionReader {
    private static let ownMembers: Set<String> = [
        "tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber",
    ]
    private static let furtherMembers: Set<String> = [
        "include", "exclude", "target", "keepAtLeast", "orderBy", "groupBy",
    ]
    private static let ownTypes = [
        "imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned",
    ]
    private static let furtherTypes = ["sinceImageUntagged", "imageBytesMoreThan"]
    /// In seconds; a month has 30 days, a year 365.
    private static let units: [String: Int64] = [
        "minutes": 60, "hours": 3600, "days": 86_400, "weeks": 7 * 86_400, "months": 30 * 86_400,
        "years": 365 * 86_400,
    ]
    /// A thousand years, in days.
    private static let ageMax: Int64 = 365_000

    let object: PolicyObject
    private let isExtended: Bool
    private let countType: String
    private let tagStatus: RetentionSelection.TagStatus
    private let isArchived: Bool

    init(_ node: PolicyNode, path: String, isExtended: Bool) throws(PolicyError) {
        let hint = "add `version: 1` at the top of the policy to use what Larder adds to Amazon ECR's rules"
        object = try PolicyObject(
            node,
            path: path,
            allowed: isExtended ? Self.ownMembers.union(Self.furtherMembers) : Self.ownMembers,
            required: ["tagStatus", "countType", "countNumber"],
            hints: Dictionary(uniqueKeysWithValues: Self.furtherMembers.map { ($0, hint) })
        )
        self.isExtended = isExtended
        let statuses = RetentionSelection.TagStatus.allCases.map(\.rawValue)
        tagStatus = try object.choice("tagStatus", of: statuses).flatMap { .init(rawValue: $0) } ?? .any
        countType = try object.string("countType") ?? ""
        guard (isExtended ? Self.ownTypes + Self.furtherTypes : Self.ownTypes).contains(countType) else {
            throw object.error(
                "instance failed to match exactly one schema (matched 0 out of 2)",
                hint: Self.furtherTypes.contains(countType)
                    ? hint : "countType is one of \((Self.ownTypes + Self.furtherTypes).joined(separator: ", "))",
                at: "countType"
            )
        }
        isArchived = try object.choice("storageClass", of: ["archive", "standard"]) == "archive"
    }

    /// What Amazon ECR demands of the action.
    func check(action: RetentionRule.Action) throws(PolicyError) {
        switch countType {
        case "sinceImageTransitioned":
            if action != .expire { throw object.error("\(countType) needs the action expire", at: "countType") }
            if !isArchived { throw object.error("\(countType) needs the storageClass archive", at: "countType") }
        case "sinceImagePulled" where !isExtended && action != .transition:
            throw object.error(
                "\(countType) needs the action transition",
                hint: "with `version: 1` at the top of the policy it may expire",
                at: "countType"
            )
        default: break
        }
        if isArchived && countType != "sinceImageTransitioned" {
            throw object.error(
                "the storageClass archive needs the countType sinceImageTransitioned",
                at: "storageClass"
            )
        }
    }

    func makeRule(
        priority: Int,
        note: String?,
        action: RetentionRule.Action
    ) throws(PolicyError) -> RetentionRule {
        let (patterns, prefixes) = try tagLists()
        let limit = try limit()
        let filters = FilterReader(object)
        let rule = RetentionRule(
            priority: priority,
            note: note,
            selection: RetentionSelection(
                tagStatus: tagStatus,
                tagPatterns: patterns,
                tagPrefixes: prefixes,
                isArchived: isArchived,
                included: try filters.filter("include"),
                excluded: try filters.filter("exclude")
            ),
            target: try object.choice("target", of: ["images", "tags"]) == "tags" ? .tags : .entries,
            limit: limit,
            order: try order(),
            grouping: try filters.grouping(),
            keepAtLeast: try object.integer("keepAtLeast", atLeast: 1).map { Int(clamping: $0) } ?? 0,
            action: action
        )
        return rule
    }

    private func tagLists() throws(PolicyError) -> (patterns: [Glob], prefixes: [String]) {
        let patterns = try object.strings("tagPatternList", atMost: PolicyReader.patternCountMax)
        let prefixes = try object.strings("tagPrefixList", atMost: PolicyReader.patternCountMax)
        guard tagStatus == .tagged else {
            for key in ["tagPatternList", "tagPrefixList"] where object.has(key) {
                throw object.error("\(key) is only allowed when tagStatus=TAGGED", at: key)
            }
            return ([], [])
        }
        if patterns != nil && prefixes != nil {
            throw object.error("Can't specify both tagPrefixList and tagPatternList.", at: "tagPrefixList")
        }
        // What Larder adds can say it better.
        let isSaidElsewhere = isExtended && object.has("include") && patterns == nil && prefixes == nil
        guard isSaidElsewhere || !(patterns ?? prefixes ?? []).isEmpty else {
            let key = ["tagPatternList", "tagPrefixList"].first { object.has($0) } ?? "tagStatus"
            throw object.error("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.", at: key)
        }
        let globs = (patterns ?? []).map { Glob($0) }
        if let glob = globs.first(where: { $0.starCount > PolicyReader.starCountMax }) {
            throw object.error(
                "the pattern \(glob.text) has \(glob.starCount) wildcards, at most \(PolicyReader.starCountMax) are "
                    + "allowed",
                at: "tagPatternList"
            )
        }
        if (patterns ?? prefixes ?? []).contains("") {
            throw object.error(
                "an empty text in a list of tags",
                at: patterns == nil ? "tagPrefixList" : "tagPatternList"
            )
        }
        return (globs, prefixes ?? [])
    }

    private func limit() throws(PolicyError) -> RetentionRule.Limit {
        if countType == "imageBytesMoreThan" { return .bytes(try byteCount()) }
        let number = try object.integer("countNumber", atLeast: 1) ?? 1
        if countType == "imageCountMoreThan" {
            if object.has("countUnit") {
                throw object.error("countUnit is not allowed with the countType imageCountMoreThan", at: "countUnit")
            }
            return .count(Int(clamping: number))
        }
        guard object.has("countUnit") else {
            throw object.error("object has missing required properties ([\"countUnit\"])", at: "countType")
        }
        let unit = try object.choice("countUnit", of: isExtended ? Self.units.keys.sorted() : ["days"]) ?? "days"
        let (seconds, isTooLong) = number.multipliedReportingOverflow(by: Self.units[unit] ?? 86_400)
        guard !isTooLong, seconds <= Self.ageMax * 86_400 else {
            throw object.error("countNumber is more than a thousand years", at: "countNumber")
        }
        if countType == "sinceImageTransitioned" && seconds < 90 * 86_400 {
            throw object.error(
                "numeric instance is lower than the required minimum (minimum: 90, found: \(number))",
                at: "countNumber"
            )
        }
        return .age(age, .seconds(seconds))
    }

    private var age: RetentionRule.Age {
        switch countType {
        case "sinceImagePulled": .used
        case "sinceImageTransitioned": .archived
        case "sinceImageUntagged": .untagged
        default: .pushed
        }
    }

    /// A whole number of bytes, or a size such as 50GB.
    private func byteCount() throws(PolicyError) -> Int64 {
        if object.has("countUnit") {
            throw object.error("countUnit is not allowed with the countType imageBytesMoreThan", at: "countUnit")
        }
        if case .string(let text)? = object.node("countNumber")?.value {
            guard let count = ByteCount(text), count.bytes > 0 else {
                throw object.error("\(text) is no size", hint: "such as 50GB or 512MiB", at: "countNumber")
            }
            return count.bytes
        }
        return try object.integer("countNumber", atLeast: 1) ?? 1
    }

    private func order() throws(PolicyError) -> RetentionRule.Order {
        switch try object.choice("orderBy", of: ["lastUse", "pushed", "version"]) {
        case "lastUse": .used
        case "version": .version
        default: .pushed
        }
    }
}
