import LarderCore

/// Reads what Larder adds to a selection: patterns of all kinds, and groups.
struct FilterReader {
    private let selection: PolicyObject

    init(_ selection: PolicyObject) {
        self.selection = selection
    }

    func filter(_ key: String) throws(PolicyError) -> RetentionFilter? {
        guard let node = selection.node(key) else { return nil }
        let object = try PolicyObject(
            node,
            path: selection.path(of: key),
            allowed: ["tags", "keys", "scopes", "writers", "labels"],
            required: []
        )
        var filter = RetentionFilter()
        filter.tags = try patterns("tags", of: object)
        filter.keys = try patterns("keys", of: object)
        filter.scopes = try patterns("scopes", of: object)
        filter.writers = try patterns("writers", of: object)
        if let labels = object.node("labels") {
            guard case .object(let members) = labels.value else {
                throw .wrongType(labels, "object", path: object.path(of: "labels"))
            }
            for member in members {
                let path = "\(object.path(of: "labels")).\(member.key)"
                filter.labels[member.key] = try patterns(member.value, path: path)
            }
        }
        if filter.isEmpty {
            throw selection.error("\(key) has no patterns", hint: "leave it out", at: key)
        }
        return filter
    }

    func grouping() throws(PolicyError) -> RetentionRule.Grouping? {
        guard let node = selection.node("groupBy") else { return nil }
        let object = try PolicyObject(
            node,
            path: selection.path(of: "groupBy"),
            allowed: ["tag", "key", "label", "scope", "writer"],
            required: []
        )
        guard object.places.count == 1 else {
            throw selection.error("groupBy needs exactly one of tag, key, label, scope, writer", at: "groupBy")
        }
        if let text = try object.string("tag") { return .tag(try expression(text, at: "tag", of: object)) }
        if let text = try object.string("key") { return .key(try expression(text, at: "key", of: object)) }
        if let name = try object.string("label") { return .label(name) }
        let key = object.has("scope") ? "scope" : "writer"
        guard case .flag(true)? = object.node(key)?.value else {
            throw object.error("\(key) must be true", at: key)
        }
        return key == "scope" ? .scope : .writer
    }

    private func expression(
        _ text: String,
        at key: String,
        of object: PolicyObject
    ) throws(PolicyError) -> RegularExpression {
        do {
            let expression = try RegularExpression(text)
            guard expression.captureCount == 1 else {
                throw PatternError(problem: "one group in brackets is wanted, which names the group", offset: 0)
            }
            return expression
        } catch {
            throw object.error("\(text) is no expression: \(error)", at: key)
        }
    }

    private func patterns(_ key: String, of object: PolicyObject) throws(PolicyError) -> [TextPattern] {
        guard let node = object.node(key) else { return [] }
        return try patterns(node, path: object.path(of: key))
    }

    private func patterns(_ node: PolicyNode, path: String) throws(PolicyError) -> [TextPattern] {
        let texts = try node.strings(path: path, atMost: PolicyReader.patternCountMax)
        guard !texts.isEmpty else {
            throw PolicyError("an empty list of patterns", hint: "leave it out", place: node.place, path: path)
        }
        var result: [TextPattern] = []
        for (index, text) in texts.enumerated() {
            do {
                result.append(try pattern(text))
            } catch {
                throw PolicyError(
                    "\(text) is no expression: \(error)",
                    place: node.place,
                    path: "\(path)[\(index)]"
                )
            }
        }
        return result
    }

    private func pattern(_ text: String) throws(PatternError) -> TextPattern {
        guard text.count >= 2, text.hasPrefix("/"), text.hasSuffix("/") else { return .glob(Glob(text)) }
        return .expression(try RegularExpression(String(text.dropFirst().dropLast())))
    }
}
