import Glibc

/// Where a root of a tree lies on this machine.
struct RootLocation: Sendable, Equatable {
    /// The root as the user named it, without what says nothing (`./a//b/` is `a/b`).
    let text: String
    /// The real path of the deepest folder above the root that exists, or of the root if `name` is empty.
    let parent: String
    /// Folders between `parent` and the root that do not exist.
    let missing: [String]
    /// The root's name in its folder; empty: the root is the folder `parent` itself (`.`, `~`, `..`).
    let name: String

    /// The absolute path.
    var path: String {
        ([parent == "/" ? "" : parent] + missing + (name.isEmpty ? [] : [name])).joined(separator: "/")
    }

    /// Finds a root.
    ///
    /// `base`: absolute path of the folder that relative roots are below. `home`: the user's home folder, for `~`.
    ///
    /// - Throws: `ClientError` when the path makes no sense here.
    init(_ root: String, base: String, home: String?) throws(ClientError) {
        guard !root.utf8.contains(0), root.utf8.count <= FileCalls.pathLengthMax else {
            throw ClientError("a path of a cache is too long, or has a zero byte in it")
        }
        text = Self.normalized(root)
        var parts = try Self.absolute(text, base: base, home: home).pathParts
        var name = ""
        if let last = parts.last, last != "..", text != ".", text != "~" {
            name = last
            parts.removeLast()
        }
        var missing: [String] = []
        var real = Self.realPath(parts)
        while real == nil {
            guard errno == ENOENT || errno == ENOTDIR, let part = parts.popLast() else {
                throw FileCalls.trouble("find the folder of", root)
            }
            missing.insert(part, at: 0)
            real = Self.realPath(parts)
        }
        guard !missing.contains(".."), !name.isEmpty || missing.isEmpty else {
            throw ClientError("can't find the folder \(root)")
        }
        (parent, self.missing, self.name) = (real ?? "/", missing, name)
    }

    /// The same path without empty parts, `.` and a slash at the end.
    static func normalized(_ root: String) -> String {
        let parts = root.pathParts.filter { $0 != "." }.joined(separator: "/")
        if root.hasBytePrefix("/") { return "/\(parts)" }
        return parts.isEmpty ? "." : parts
    }

    /// Whether a root names more than what is below the working folder: it is absolute, begins with `~` or has a `..`.
    static func leavesBase(_ root: String) -> Bool {
        root.hasBytePrefix("/") || root == "~" || root.hasBytePrefix("~/") || root.pathParts.contains("..")
    }

    /// Whether the root lies below a folder (or is it) that is given by its real path.
    func isBelow(_ folder: String) -> Bool { Self.contains(folder, path) }

    /// Whether one absolute path is another one or below it.
    static func contains(_ folder: String, _ path: String) -> Bool {
        guard folder != "/", path.hasBytePrefix(folder) else { return folder == "/" }
        let next = path.utf8.dropFirst(folder.utf8.count).first
        return next == nil || next == UInt8(ascii: "/")
    }

    private static func absolute(_ root: String, base: String, home: String?) throws(ClientError) -> String {
        if root.hasBytePrefix("/") { return root }
        guard root == "~" || root.hasBytePrefix("~/") else { return "\(base)/\(root)" }
        guard let home, home.hasPrefix("/") else {
            throw ClientError("can't tell what \(root) is: the home folder is not known (HOME is not set)")
        }
        return home + root.dropFirst()
    }

    private static func realPath(_ parts: [String]) -> String? {
        realPath("/" + parts.joined(separator: "/"))
    }

    /// A path without links in it; nil with `errno` set when there is nothing.
    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
