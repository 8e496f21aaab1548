package import LarderCore

/// The files, folders and links that lie below some roots on this machine.
package struct ScannedTree: Sendable {
    package let tree: FileTree
    /// What was left out, in sentences; a long list is cut.
    package let warnings: [String]
    /// The contents of the files, each once, in the order in which they come.
    package let digests: [Digest]
    /// Files whose contents were read, as nothing was known of them, and their bytes.
    package let hashedFileCount: Int
    package let hashedByteCount: Int64

    /// Where each root of the tree lies.
    let locations: [RootLocation]
    /// What the system said of each entry that is a file; of the others `.none`.
    let stamps: [FileStamp]
    /// By the file system's clock when the scan began; nil when there is no index.
    let moment: Int64?
    /// For each content the first entry that has it.
    private let sources: [Digest: Int]

    init(
        tree: FileTree,
        warnings: [String],
        hashed: (fileCount: Int, byteCount: Int64),
        locations: [RootLocation],
        stamps: [FileStamp],
        moment: Int64?
    ) {
        (self.tree, self.warnings, self.locations, self.stamps, self.moment) = (
            tree, warnings, locations, stamps, moment
        )
        (hashedFileCount, hashedByteCount) = hashed
        var sources: [Digest: Int] = [:]
        var digests: [Digest] = []
        sources.reserveCapacity(tree.entries.count)
        digests.reserveCapacity(tree.entries.count)
        for (index, entry) in tree.entries.enumerated() {
            guard case .file(let digest, _) = entry.content else { continue }
            guard sources[digest] == nil else { continue }
            sources[digest] = index
            digests.append(digest)
        }
        (self.sources, self.digests) = (sources, digests)
    }

    /// The absolute path of a file with these contents; nil when there is none.
    package func path(of digest: Digest) -> String? {
        sources[digest].map { path(ofEntry: $0) }
    }

    /// The absolute path of an entry.
    func path(ofEntry index: Int) -> String {
        let entry = tree.entries[index]
        let root = locations[entry.root].path
        return entry.path.isEmpty ? root : "\(root == "/" ? "" : root)/\(entry.path)"
    }

    /// What an index may keep of the entries of one root.
    func indexItems(ofEntries range: Range<Int>, except devices: ForeignDevices) -> [TreeIndex.Item] {
        guard let moment else { return [] }
        var items: [TreeIndex.Item] = []
        items.reserveCapacity(range.count)
        for index in range {
            guard case .file(let digest, _) = tree.entries[index].content,
                stamps[index].wouldShowChange(since: moment), !devices.contains(stamps[index].device)
            else { continue }
            items.append(TreeIndex.Item(path: tree.entries[index].path, stamp: stamps[index], digest: digest))
        }
        return items
    }
}

extension FileTree {
    /// For each root the range of its entries.
    var ranges: [Range<Int>] {
        var ranges = [Range<Int>](repeating: 0..<0, count: roots.count)
        var start = 0
        while start < entries.count {
            let root = entries[start].root
            var end = start + 1
            while end < entries.count, entries[end].root == root { end += 1 }
            ranges[root] = start..<end
            start = end
        }
        return ranges
    }
}
