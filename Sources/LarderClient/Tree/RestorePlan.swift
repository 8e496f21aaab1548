import LarderCore

/// What is to be done for each entry of a tree, given what is there already.
///
/// A pure function of the two trees.
struct RestorePlan: Sendable {
    enum Action: Sendable {
        /// It is there as it should be.
        case keep
        /// It is there, but its mode or its time differ.
        case adjust
        /// It is made anew beside the destination, and put in place.
        case stage
    }

    let tree: FileTree
    private(set) var actions: [Action]
    /// For each entry the index behind all that is in it.
    private(set) var ends: [Int]
    /// For each entry its folder's; -1: it is a root.
    private(set) var parents: [Int]
    /// For each entry the length of its folder's path with the slash: where its name begins.
    private(set) var nameOffsets: [Int]
    /// Whether something is to be done for an entry or for anything in it.
    private(set) var hasWork: [Bool]
    /// Entries of the local tree that stand at the same paths; -1: none.
    private(set) var twins: [Int]
    /// By content: the first file that is staged with it.
    private(set) var firstTargets: [Digest: Int] = [:]
    /// The next file that is staged with the same content; -1: none.
    private(set) var nextTargets: [Int]

    /// Set-user-id and set-group-id are never restored.
    static let modeMask: UInt16 = 0o1777

    init(tree: FileTree, local: ScannedTree?) {
        self.tree = tree
        let count = tree.entries.count
        actions = Array(repeating: .stage, count: count)
        ends = Array(1..<(count + 1))
        parents = Array(repeating: -1, count: count)
        nameOffsets = Array(repeating: 0, count: count)
        hasWork = Array(repeating: false, count: count)
        twins = Array(repeating: -1, count: count)
        nextTargets = Array(repeating: -1, count: count)
        findParents()
        if let local { compare(with: local) }
        for index in tree.entries.indices.reversed() {
            if actions[index] != .keep { hasWork[index] = true }
            if hasWork[index], parents[index] >= 0 { hasWork[parents[index]] = true }
        }
        findTargets()
    }

    /// The files that are staged with a content.
    func targets(of digest: Digest) -> some Sequence<Int> {
        sequence(state: firstTargets[digest] ?? -1) { next in
            guard next >= 0 else { return nil }
            defer { next = nextTargets[next] }
            return next
        }
    }

    /// Whether nothing at or below a folder is there yet, so that it can be put in place as one.
    ///
    /// What is there lies in folders that are there.
    func isNew(_ index: Int) -> Bool { actions[index] == .stage }

    /// The mode that an entry is to have here.
    func mode(of index: Int) -> UInt16 { tree.entries[index].mode & Self.modeMask }

    private mutating func findParents() {
        var folders: [Int] = []
        var root = -1
        for (index, entry) in tree.entries.enumerated() {
            if entry.root != root {
                folders = []
                root = entry.root
            } else {
                let slash = entry.path.utf8.lastIndex(of: UInt8(ascii: "/"))
                let length = slash.map { entry.path.utf8.distance(from: entry.path.startIndex, to: $0) } ?? 0
                nameOffsets[index] = slash == nil ? 0 : length + 1
                // The tree was checked: the last folder with a path of this length is this entry's.
                while let folder = folders.last, tree.entries[folder].path.utf8.count != length { folders.removeLast() }
                guard let folder = folders.last else {
                    preconditionFailure("every entry's folder is an entry before it")
                }
                parents[index] = folder
            }
            if case .folder = entry.content { folders.append(index) }
        }
        for index in tree.entries.indices.reversed() where parents[index] >= 0 {
            ends[parents[index]] = max(ends[parents[index]], ends[index])
        }
    }

    private mutating func findTargets() {
        firstTargets.reserveCapacity(tree.entries.count)
        for (index, entry) in tree.entries.enumerated().reversed() where actions[index] == .stage {
            guard case .file(let digest, _) = entry.content else { continue }
            nextTargets[index] = firstTargets.updateValue(index, forKey: digest) ?? -1
        }
    }

    // MARK: - Comparing

    private mutating func compare(with local: ScannedTree) {
        let localRanges = local.tree.ranges
        for (root, range) in tree.ranges.enumerated() {
            let text = RootLocation.normalized(tree.roots[root])
            guard let other = local.locations.firstIndex(where: { $0.text == text }) else { continue }
            var position = localRanges[other].lowerBound
            for index in range {
                let path = tree.entries[index].path
                while position < localRanges[other].upperBound,
                    FileTree.precedes(local.tree.entries[position].path, path)
                {
                    position += 1
                }
                guard position < localRanges[other].upperBound,
                    local.tree.entries[position].path.utf8.elementsEqual(path.utf8)
                else {
                    continue
                }
                twins[index] = position
                actions[index] = action(for: index, twin: position, of: local)
                position += 1
            }
        }
    }

    private func action(for index: Int, twin: Int, of local: ScannedTree) -> Action {
        let (wanted, present) = (tree.entries[index], local.tree.entries[twin])
        let hasSameMode = wanted.mode & Self.modeMask == present.mode & Self.modeMask
        switch (wanted.content, present.content) {
        case (.folder, .folder): break
        case (.file(let digest, let size), .file(let presentDigest, let presentSize)):
            guard digest == presentDigest, size == presentSize else { return .stage }
        case (.symbolicLink(let target), .symbolicLink(let presentTarget)):
            guard target.utf8.elementsEqual(presentTarget.utf8) else { return .stage }
            return wanted.modified == present.modified ? .keep : .adjust
        case (.hardLink(let first), .hardLink(let presentFirst)):
            // Its mode and time are those of the file.
            return twins[first] == presentFirst && actions[first] != .stage ? .keep : .stage
        default: return .stage
        }
        return hasSameMode && wanted.modified == present.modified ? .keep : .adjust
    }
}
