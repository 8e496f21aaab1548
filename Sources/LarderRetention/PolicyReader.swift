import LarderCore

/// A rule with the places that later checks speak of.
struct PlacedRule {
    let rule: RetentionRule
    let path: String
    let priorityPlace: PolicyPlace
    let selectionPlace: PolicyPlace
    /// The members of the selection, for messages about one of them.
    let selectionPlaces: [String: PolicyPlace]

    /// What is wrong with a member of the selection.
    func error(_ reason: String, _ key: String) -> PolicyError {
        PolicyError(
            reason,
            place: selectionPlaces[key] ?? selectionPlace,
            path: "\(path).selection.\(key)"
        )
    }
}

/// An object of the text, whose members are asked for by name.
struct PolicyObject {
    let path: String
    let place: PolicyPlace
    private let members: [String: PolicyNode.Member]

    /// - Throws: For another type, a member that is not allowed, a required one that is missing.
    init(
        _ node: PolicyNode,
        path: String,
        allowed: Set<String>,
        required: [String],
        hints: [String: String] = [:]
    ) throws(PolicyError) {
        guard case .object(let members) = node.value else {
            throw .wrongType(node, "object", path: path)
        }
        self.path = path
        place = node.place
        self.members = Dictionary(members.map { ($0.key, $0) }) { first, _ in first }
        let unknown = members.filter { !allowed.contains($0.key) }
        if let first = unknown.first {
            let names = unknown.map { jsonString($0.key) }.sorted().joined(separator: ", ")
            throw PolicyError(
                "object instance has properties which are not allowed by the schema: ([\(names)])",
                hint: hints[first.key] ?? "known: \(allowed.sorted().joined(separator: ", "))",
                place: first.place,
                path: path
            )
        }
        let missing = required.filter { self.members[$0] == nil }.sorted()
        guard missing.isEmpty else {
            let names = missing.map { jsonString($0) }.joined(separator: ", ")
            throw PolicyError("object has missing required properties ([\(names)])", place: place, path: path)
        }
    }

    var places: [String: PolicyPlace] { members.mapValues(\.place) }

    func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func has(_ key: String) -> Bool { members[key] != nil }

    func node(_ key: String) -> PolicyNode? { members[key]?.value }

    func error(_ reason: String, hint: String = "", at key: String) -> PolicyError {
        PolicyError(reason, hint: hint, place: members[key]?.value.place ?? place, path: path(of: key))
    }

    func string(_ key: String) throws(PolicyError) -> String? {
        guard let node = node(key) else { return nil }
        guard case .string(let text) = node.value else { throw .wrongType(node, "string", path: path(of: key)) }
        return text
    }

    func integer(_ key: String, atLeast minimum: Int64) throws(PolicyError) -> Int64? {
        guard let node = node(key) else { return nil }
        guard case .number(let text) = node.value, let number = Int64(text) else {
            throw .wrongType(node, "integer", path: path(of: key))
        }
        guard number >= minimum else {
            throw error(
                "numeric instance is lower than the required minimum (minimum: \(minimum), found: \(number))",
                at: key
            )
        }
        return number
    }

    func choice(_ key: String, of choices: [String]) throws(PolicyError) -> String? {
        guard let text = try string(key) else { return nil }
        guard choices.contains(text) else {
            let names = choices.sorted().map { jsonString($0) }.joined(separator: ", ")
            throw error("instance value (\(text)) not found in enum :(possible values: [\(names)])", at: key)
        }
        return text
    }

    func strings(_ key: String, atMost limit: Int) throws(PolicyError) -> [String]? {
        guard let node = node(key) else { return nil }
        return try node.strings(path: path(of: key), atMost: limit)
    }
}

extension PolicyNode {
    func strings(path: String, atMost limit: Int) throws(PolicyError) -> [String] {
        guard case .array(let elements) = value else { throw .wrongType(self, "array", path: path) }
        guard elements.count <= limit else {
            throw PolicyError("array has \(elements.count) elements, more than \(limit)", place: place, path: path)
        }
        var result: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element.value else {
                throw .wrongType(element, "string", path: "\(path)[\(index)]")
            }
            result.append(text)
        }
        return result
    }
}

extension PolicyError {
    static func wrongType(_ node: PolicyNode, _ wanted: String, path: String) -> PolicyError {
        PolicyError(
            "instance type (\(node.typeName)) does not match any allowed primitive type (allowed: [\"\(wanted)\"])",
            place: node.place,
            path: path
        )
    }
}

/// Reads the grammar of policies, rule by rule.
struct PolicyReader {
    static let patternCountMax = 100
    /// Of ECR's patterns.
    static let starCountMax = 4

    let isExtended: Bool

    static func read(_ node: PolicyNode) throws(PolicyError) -> (rules: [PlacedRule], isExtended: Bool) {
        guard case .object = node.value else {
            throw PolicyError(
                "Could not map policyString into LifecyclePolicy.",
                hint: "a policy is an object with `rules`",
                place: node.place
            )
        }
        let document = try PolicyObject(node, path: "", allowed: ["rules", "version"], required: ["rules"])
        let isExtended = document.has("version")
        if let version = try document.integer("version", atLeast: 1), version != 1 {
            throw document.error(
                "version \(version) is not known",
                hint: "this version of larder knows 1",
                at: "version"
            )
        }
        let reader = PolicyReader(isExtended: isExtended)
        guard let list = document.node("rules"), case .array(let elements) = list.value else {
            throw .wrongType(document.node("rules") ?? node, "array", path: "rules")
        }
        guard (1...RetentionPolicy.ruleCountMax).contains(elements.count) else {
            let wanted = "1 to \(RetentionPolicy.ruleCountMax) rules are wanted"
            throw document.error("array has \(elements.count) elements", hint: wanted, at: "rules")
        }
        var rules: [PlacedRule] = []
        for (index, element) in elements.enumerated() {
            rules.append(try reader.rule(element, path: "rules[\(index)]"))
        }
        return (rules, isExtended)
    }

    private func rule(_ node: PolicyNode, path: String) throws(PolicyError) -> PlacedRule {
        let rule = try PolicyObject(
            node,
            path: path,
            allowed: ["rulePriority", "description", "selection", "action"],
            required: ["rulePriority", "selection", "action"]
        )
        let priority = try rule.integer("rulePriority", atLeast: 1) ?? 1
        let note = try rule.string("description")
        guard let selectionNode = rule.node("selection"), let actionNode = rule.node("action") else {
            throw rule.error("object has missing required properties", at: "selection")
        }
        let selection = try SelectionReader(selectionNode, path: rule.path(of: "selection"), isExtended: isExtended)
        let action = try action(actionNode, path: rule.path(of: "action"))
        try selection.check(action: action)
        return PlacedRule(
            rule: try selection.makeRule(priority: Int(clamping: priority), note: note, action: action),
            path: path,
            priorityPlace: rule.places["rulePriority"] ?? rule.place,
            selectionPlace: selection.object.place,
            selectionPlaces: selection.object.places
        )
    }

    private func action(_ node: PolicyNode, path: String) throws(PolicyError) -> RetentionRule.Action {
        let action = try PolicyObject(
            node,
            path: path,
            allowed: ["type", "targetStorageClass"],
            required: ["type"]
        )
        let target = try action.choice("targetStorageClass", of: ["archive"])
        if try action.choice("type", of: ["expire", "transition"]) == "expire" {
            if target != nil {
                throw action.error("targetStorageClass is not allowed with the action expire", at: "targetStorageClass")
            }
            return .expire
        }
        if target == nil {
            throw action.error("object has missing required properties ([\"targetStorageClass\"])", at: "type")
        }
        return .transition
    }
}
