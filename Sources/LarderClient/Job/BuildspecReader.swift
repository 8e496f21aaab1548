import Yams

/// Reads a buildspec's YAML.
///
/// What is not used may be anything that the parser takes.
struct BuildspecReader {
    /// A mapping with its line, and how to call it.
    struct Section {
        let name: String
        let line: Int
        let members: Node.Mapping
    }

    let path: String

    private func error(_ problem: String, line: Int?) -> ClientError {
        ClientError(line.map { "\(path), line \($0): \(problem)" } ?? "\(path): \(problem)")
    }

    // MARK: - Document

    /// The whole document, of a version that can be read.
    func root(_ text: String) throws(ClientError) -> Section {
        guard text.utf8.count <= Buildspec.lengthMax else {
            throw error("larger than \(Buildspec.lengthMax >> 10) KiB", line: nil)
        }
        guard let node = try compose(text) else { throw error("the file is empty; begin with version: 0.2", line: nil) }
        guard case .mapping(let members) = node else {
            throw error("a mapping is wanted: version, artifacts, cache, …", line: line(node))
        }
        let root = Section(name: "", line: line(node) ?? 1, members: members)
        guard let version = members["version"] else {
            throw error("the version is missing; write version: 0.2", line: nil)
        }
        guard case .scalar(let scalar) = version, ["0.1", "0.2"].contains(scalar.string) else {
            throw error("this version can't be read; write version: 0.2", line: line(version))
        }
        return root
    }

    private func compose(_ text: String) throws(ClientError) -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw self.error("not YAML: \(problem)", line: mark.line)
            case .duplicatedKeysInMapping(let duplicates, let context):
                let keys = duplicates.map { "\($0)" }.sorted().joined(separator: ", ")
                throw self.error("\(keys) comes twice", line: context.mark.line)
            default:
                throw self.error("not YAML: \(error)", line: nil)
            }
        } catch {
            throw self.error("not YAML: \(error)", line: nil)
        }
    }

    // MARK: - Artifacts

    func artifacts(_ root: Section) throws(ClientError) -> (Buildspec.Artifacts?, [Buildspec.Artifacts]) {
        var secondary: [Buildspec.Artifacts] = []
        // Its place is within artifacts; older guides also show it beside.
        if let beside = try section(root, "secondary-artifacts") { secondary += try secondaryArtifacts(beside) }
        guard let artifacts = try section(root, "artifacts") else { return (nil, secondary) }
        if let within = try section(artifacts, "secondary-artifacts") { secondary += try secondaryArtifacts(within) }
        if secondary.isEmpty || artifacts.members["files"] != nil {
            return (try readArtifacts(artifacts, identifier: nil), secondary)
        }
        return (nil, secondary)
    }

    private func secondaryArtifacts(_ section: Section) throws(ClientError) -> [Buildspec.Artifacts] {
        var artifacts: [Buildspec.Artifacts] = []
        for (key, value) in section.members {
            let identifier = try word(key, "an identifier of secondary-artifacts")
            let isPlain = identifier.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
            guard (1...128).contains(identifier.utf8.count), isPlain else {
                throw error(
                    "'\(identifier)' is no identifier; one has up to 128 letters, digits, _ and -",
                    line: line(key)
                )
            }
            let members = try mapping(value, "secondary-artifacts.\(identifier)")
            artifacts.append(try readArtifacts(members, identifier: identifier))
        }
        return artifacts
    }

    private func readArtifacts(_ section: Section, identifier: String?) throws(ClientError) -> Buildspec.Artifacts {
        Buildspec.Artifacts(
            identifier: identifier,
            fileSet: try fileSet(section),
            name: try text(section, "name")
        )
    }

    private func fileSet(_ section: Section) throws(ClientError) -> Buildspec.FileSet {
        let files = try patterns(section, "files")
        guard !files.isEmpty else {
            throw error("\(section.name).files is missing; it lists which files to keep", line: section.line)
        }
        let excluded = try patterns(section, "exclude-paths")
        for located in files + excluded where !located.pattern.staysInside {
            let base = section.members["base-directory"] == nil ? "the job's folder" : "base-directory"
            throw error("\(located.pattern) leads out of \(base); write a path below it", line: located.line)
        }
        var base: Buildspec.Pattern?
        if let node = present(section, "base-directory") {
            base = try pattern(try word(node, "\(section.name).base-directory"), line: line(node) ?? section.line)
        }
        return Buildspec.FileSet(
            files: files,
            baseDirectory: base,
            excludePaths: excluded,
            discardsPaths: try flag(section, "discard-paths")
        )
    }

    // MARK: - Reports

    func reports(_ root: Section) throws(ClientError) -> [Buildspec.ReportGroup] {
        guard let section = try section(root, "reports") else { return [] }
        var groups: [Buildspec.ReportGroup] = []
        for (key, value) in section.members {
            let name = try word(key, "the name of a report group")
            let group = try mapping(value, "reports.\(name)")
            groups.append(
                Buildspec.ReportGroup(
                    name: name,
                    fileSet: try fileSet(group),
                    format: (try text(group, "file-format") ?? "JUNITXML").uppercased()
                )
            )
        }
        guard groups.count <= Buildspec.reportGroupCountMax else {
            throw error(
                "there are \(groups.count) groups of reports; \(Buildspec.reportGroupCountMax) are allowed",
                line: section.line
            )
        }
        return groups
    }

    // MARK: - Cache

    func cache(_ root: Section) throws(ClientError) -> Buildspec.Cache? {
        guard let section = try section(root, "cache") else { return nil }
        let paths = try patterns(section, "paths")
        guard !paths.isEmpty else {
            throw error("cache.paths is missing; it lists what to keep, such as node_modules/**/*", line: section.line)
        }
        var action: Buildspec.Cache.Action?
        if let node = present(section, "action") {
            action = Buildspec.Cache.Action(rawValue: try word(node, "cache.action"))
            guard action != nil else { throw error("cache.action is restore or save", line: line(node)) }
        }
        let fallbackKeys = try words(section, "fallback-keys").map(\.text)
        guard fallbackKeys.count <= Buildspec.fallbackKeyCountMax else {
            throw error(
                "there are \(fallbackKeys.count) fallback-keys; \(Buildspec.fallbackKeyCountMax) are allowed",
                line: present(section, "fallback-keys").flatMap { line($0) }
            )
        }
        return Buildspec.Cache(
            paths: paths,
            key: try text(section, "key"),
            fallbackKeys: fallbackKeys,
            action: action
        )
    }

    // MARK: - Values

    private func line(_ node: Node) -> Int? { node.mark?.line }

    private func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain || scalar.style == .any else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// A member's value; nil when it is missing or empty.
    private func present(_ section: Section, _ key: String) -> Node? {
        section.members[key].flatMap { isNull($0) ? nil : $0 }
    }

    private func section(_ section: Section, _ key: String) throws(ClientError) -> Section? {
        guard let node = present(section, key) else { return nil }
        return try mapping(node, section.name.isEmpty ? key : "\(section.name).\(key)")
    }

    private func mapping(_ node: Node, _ name: String) throws(ClientError) -> Section {
        guard case .mapping(let members) = node else {
            throw error("\(name) is a mapping of names to values, not \(kind(node))", line: line(node))
        }
        return Section(name: name, line: line(node) ?? 1, members: members)
    }

    private func word(_ node: Node, _ name: String) throws(ClientError) -> String {
        guard case .scalar(let scalar) = node, !isNull(node) else {
            throw error("\(name) is a text, not \(kind(node))", line: line(node))
        }
        return scalar.string
    }

    /// A text; nil when it is missing or empty.
    private func text(_ section: Section, _ key: String) throws(ClientError) -> String? {
        guard let node = present(section, key) else { return nil }
        let text = try word(node, "\(section.name).\(key)")
        return text.isEmpty ? nil : text
    }

    private func words(_ section: Section, _ key: String) throws(ClientError) -> [(text: String, line: Int)] {
        guard let node = present(section, key) else { return [] }
        guard case .sequence(let sequence) = node else {
            throw error("\(section.name).\(key) is a list (lines with - in front), not \(kind(node))", line: line(node))
        }
        var words: [(String, Int)] = []
        for element in sequence {
            words.append((try word(element, "each of \(section.name).\(key)"), line(element) ?? section.line))
        }
        return words
    }

    private func patterns(_ section: Section, _ key: String) throws(ClientError) -> [Buildspec.Pattern] {
        var patterns: [Buildspec.Pattern] = []
        for word in try words(section, key) { patterns.append(try pattern(word.text, line: word.line)) }
        return patterns
    }

    private func pattern(_ text: String, line: Int) throws(ClientError) -> Buildspec.Pattern {
        do {
            return Buildspec.Pattern(pattern: try PathPattern(text), line: line)
        } catch {
            throw self.error("\(error)", line: line)
        }
    }

    /// YAML 1.1 takes yes and no for booleans, and so do buildspecs.
    private func flag(_ section: Section, _ key: String) throws(ClientError) -> Bool {
        guard let node = present(section, key) else { return false }
        switch try word(node, "\(section.name).\(key)").lowercased() {
        case "yes", "true", "on": return true
        case "no", "false", "off", "": return false
        default: throw error("\(section.name).\(key) is yes or no", line: line(node))
        }
    }

    private func kind(_ node: Node) -> String {
        switch node {
        case .scalar: isNull(node) ? "nothing" : "a text"
        case .mapping: "a mapping"
        case .sequence: "a list"
        default: "an alias"
        }
    }
}
