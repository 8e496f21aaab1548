import LarderCore

/// The paths of a cache, as a scan takes them.
package struct CachePaths: Sendable {
    /// One for each root, in the order in which they are named first.
    package let roots: [TreePath]
    private let patterns: [PathPattern]

    /// `patterns`: Each is a root, down to its first wildcard, and what below it is meant.
    package init(_ patterns: [PathPattern]) {
        self.patterns = patterns
        var order: [String] = []
        var grouped: [String: [PathPattern]] = [:]
        for pattern in patterns {
            if grouped[pattern.literalRoot] == nil { order.append(pattern.literalRoot) }
            grouped[pattern.literalRoot, default: []].append(pattern)
        }
        roots = order.map { Self.root($0, grouped[$0] ?? []) }
    }

    /// What the entries of a buildspec's key are told apart by: other paths are another cache.
    package var version: String {
        let text = patterns.map(\.text).joined(separator: "\n")
        return String(IncrementalHasher.digest(of: Array(text.utf8)).hex.prefix(16))
    }

    private static func root(_ root: String, _ patterns: [PathPattern]) -> TreePath {
        // `.` is no part of what the patterns are matched with.
        let folder = root == "." ? "" : root
        if patterns.contains(where: { $0.isLiteral || $0.matchesAllBelow(folder: folder) }) { return TreePath(root) }
        let start = folder.isEmpty || folder.hasSuffix("/") ? folder : "\(folder)/"
        return TreePath(root) { path, _ in patterns.contains { $0.matches(start + path) } }
    }
}
