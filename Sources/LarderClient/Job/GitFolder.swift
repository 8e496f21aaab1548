/// What a checkout says of itself, read from its files without git's program.
package struct GitFolder: Hashable, Sendable {
    /// The full reference that is checked out, such as `refs/heads/main`; nil when a commit is.
    package let reference: String?
    /// The commit that is checked out; nil when there is none yet.
    package let commit: String?
    /// The address of the remote `origin`, as it is written.
    package let origin: String?

    /// Folders above that are looked into for a `.git`.
    private static let heightMax = 64
    private static let referenceDepthMax = 5

    /// Reads the checkout that a folder lies in; nil when it lies in none.
    ///
    /// `read`: Gives a file's bytes; nil when it can't be read, or is a folder.
    package init?(containing folder: String, read: (String) -> [UInt8]?) {
        func text(_ path: String) -> String? {
            read(path).map { String(decoding: $0, as: UTF8.self) }
        }
        guard let place = Self.find(folder, text), let head = text("\(place)/HEAD") else { return nil }
        // What the worktrees of a repository share lies with the first of them.
        let common = text("\(place)/commondir").map { Self.path(Self.firstLine($0), from: place) } ?? place
        origin = text("\(common)/config").flatMap { Self.origin(config: $0) }
        let line = Self.firstLine(head)
        guard let name = Self.symbolicReference(line), name.hasPrefix("refs/") else {
            reference = nil
            commit = Self.isCommit(line) ? line : nil
            return
        }
        // Where references are kept in another format, HEAD names this one.
        reference = name == "refs/heads/.invalid" ? nil : name
        commit = Self.commit(of: name, places: place == common ? [place] : [place, common], text)
    }

    /// The folder with `HEAD`: `.git`, or what a file of that name says (worktrees, submodules).
    private static func find(_ folder: String, _ text: (String) -> String?) -> String? {
        var folder = folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        for _ in 0..<heightMax {
            let candidate = folder == "/" ? "/.git" : "\(folder)/.git"
            if text("\(candidate)/HEAD") != nil { return candidate }
            if let pointer = text(candidate).map({ firstLine($0) }), pointer.hasPrefix("gitdir:") {
                return path(pointer.dropFirst("gitdir:".count).drop { $0 == " " }, from: folder)
            }
            guard let slash = folder.lastIndex(of: "/"), folder != "/" else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        return nil
    }

    private static func path(_ path: some StringProtocol, from folder: String) -> String {
        path.hasPrefix("/") ? String(path) : "\(folder)/\(path)"
    }

    private static func firstLine(_ text: String) -> String {
        let line = text.prefix { $0 != "\n" && $0 != "\r\n" && $0 != "\r" }
        return String(line.drop { $0 == " " })
    }

    private static func symbolicReference(_ line: String) -> String? {
        line.hasPrefix("ref:") ? String(line.dropFirst("ref:".count).drop { $0 == " " }) : nil
    }

    private static func isCommit(_ text: some StringProtocol) -> Bool {
        [40, 64].contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func commit(of name: String, places: [String], _ text: (String) -> String?) -> String? {
        var name = name
        for _ in 0..<referenceDepthMax {
            // A name that climbs is none of git's.
            guard !name.contains("..") else { return nil }
            guard let line = firstText(places.map { "\($0)/\(name)" }, text).map({ firstLine($0) }) else {
                for place in places {
                    guard let packed = text("\(place)/packed-refs") else { continue }
                    return commit(of: name, packed: packed)
                }
                return nil
            }
            if isCommit(line) { return line }
            guard let next = symbolicReference(line) else { return nil }
            name = next
        }
        return nil
    }

    private static func firstText(_ paths: [String], _ text: (String) -> String?) -> String? {
        for path in paths {
            if let found = text(path) { return found }
        }
        return nil
    }

    private static func commit(of name: String, packed: String) -> String? {
        for line in packed.utf8.split(separator: UInt8(ascii: "\n")) {
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
            guard parts.count == 2, parts[1].elementsEqual(name.utf8), let commit = String(parts[0]) else { continue }
            if isCommit(commit) { return commit }
        }
        return nil
    }

    /// The address of `origin` in git's configuration.
    private static func origin(config: String) -> String? {
        var isOrigin = false
        for line in config.split(whereSeparator: \.isNewline) {
            let line = line.drop { $0 == " " || $0 == "\t" }
            if line.hasPrefix("[") {
                isOrigin = line.hasPrefix("[remote \"origin\"]")
            } else if isOrigin, let equals = line.firstIndex(of: "=") {
                let name = line[..<equals].filter { $0 != " " && $0 != "\t" }
                let value = line[line.index(after: equals)...].drop { $0 == " " || $0 == "\t" }
                if name.lowercased() == "url", !value.isEmpty { return String(value) }
            }
        }
        return nil
    }
}
