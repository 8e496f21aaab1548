import LarderCore

/// The paths of a cache, as a scan takes them.
package struct CachePaths: Sendable {
    /// One for each root, in the order in which they are named first.
    package let roots: [TreePath]
    private let patterns: [PathPattern]

    /// `patterns`: Each is a root, down to its first wildcard, and what below it is meant; one that begins with `!` leaves out
    /// what it matches.
    package init(_ patterns: [PathPattern]) {
        self.patterns = patterns
        let excluded = patterns.compactMap { pattern in
            pattern.text.hasPrefix("!") ? try? PathPattern(String(pattern.text.dropFirst())) : nil
        }
        var order: [String] = []
        var grouped: [String: [PathPattern]] = [:]
        for pattern in patterns where !pattern.text.hasPrefix("!") {
            if grouped[pattern.literalRoot] == nil { order.append(pattern.literalRoot) }
            grouped[pattern.literalRoot, default: []].append(pattern)
        }
        roots = order.map { Self.root($0, grouped[$0] ?? [], excluded) }
    }

    /// What the entries of a buildspec's key are told apart by: other paths are another cache.
    package var version: String {
        let text = patterns.map(\.text).joined(separator: "\n")
        return String(IncrementalHasher.digest(of: Array(text.utf8)).hex.prefix(16))
    }

    private static func root(_ root: String, _ patterns: [PathPattern], _ excluded: [PathPattern]) -> TreePath {
        // `.` is no part of what the patterns are matched with.
        let folder = root == "." ? "" : root
        let takesAll = patterns.contains { $0.isLiteral || $0.matchesAllBelow(folder: folder) }
        if takesAll, excluded.isEmpty { return TreePath(root) }
        let start = folder.isEmpty || folder.hasSuffix("/") ? folder : "\(folder)/"
        return TreePath(root) { path, _ in
            let path = start + path
            return (takesAll || patterns.contains { $0.matches(path) }) && !excluded.contains { $0.excludes(path) }
        }
    }
}
