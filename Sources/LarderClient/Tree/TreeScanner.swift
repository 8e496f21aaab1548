import Glibc
import LarderCore

/// One root that a scan takes: a path, and which of the things below it.
package struct TreePath: Sendable {
    /// Relative to the working folder, below `~`, or absolute.
    package let root: String
    /// Whether something is taken, by its path below the root and whether it is a folder; nil: everything is.
    ///
    /// A folder that is not taken is looked into all the same, and is taken when something in it is.
    package let includes: (@Sendable (_ path: String, _ isFolder: Bool) -> Bool)?

    package init(_ root: String, includes: (@Sendable (_ path: String, _ isFolder: Bool) -> Bool)? = nil) {
        self.root = root
        self.includes = includes
    }
}

/// Reads what lies below some roots, with the digests of all files.
///
/// Symbolic links are kept as links and never followed, except above a root. Blocks, on several threads at once.
package struct TreeScanner: Sendable {
    /// What a scan does with files that it can't read, or that vanish or change while it reads them.
    package enum TroubleRule: Sendable {
        /// The scan fails.
        case fail
        /// They are left out, with a warning.
        case leaveOut
    }

    /// What a restore or a pull did not finish has a name that begins with this; no scan takes it.
    static let stagingPrefix = ".larder-restore-"

    private let base: String
    private let home: String?
    private let index: TreeIndex?
    private let onTrouble: TroubleRule

    /// Takes where to scan.
    ///
    /// `base`: the folder that relative roots are below, as an absolute path. `home`: what `~` is. `indexFolder`:
    /// where to remember digests of files from one scan to the next; nil: all are read.
    package init(base: String, home: String?, indexFolder: String?, onTrouble: TroubleRule = .fail) {
        self.base = base
        self.home = home
        index = indexFolder.map { TreeIndex(folder: $0) }
        self.onTrouble = onTrouble
    }

    /// Reads the tree below the roots, in their order; those that do not exist give a warning and no entries.
    ///
    /// - Throws: `ClientError` with the path that made trouble.
    package func scan(_ paths: [TreePath]) throws(ClientError) -> ScannedTree {
        let moment = index?.now()
        var walk = TreeWalk(index: moment == nil ? nil : index, onTrouble: onTrouble)
        var taken: [RootLocation] = []
        for path in paths {
            let location = try RootLocation(path.root, base: base, home: home)
            guard !taken.contains(where: { location.isBelow($0.path) }) else { continue }
            let isTaken = try walk.take(location, includes: path.includes)
            if isTaken, path.includes == nil { taken.append(location) }
        }
        let hashed = try walk.hash()
        let tree: FileTree
        do {
            tree = try FileTree(roots: walk.locations.map(\.text), entries: walk.entries)
        } catch {
            throw ClientError("can't keep these files in a cache: \(error)")
        }
        let result = ScannedTree(
            tree: tree,
            warnings: walk.warnings.texts,
            hashed: hashed,
            locations: walk.locations,
            stamps: walk.stamps,
            moment: moment
        )
        if let index { save(result, in: index, known: walk.known) }
        return result
    }

    private func save(_ result: ScannedTree, in index: TreeIndex, known: [TreeWalk.Known]) {
        var devices: ForeignDevices?
        for (root, range) in result.tree.ranges.enumerated() where known[root].isOutdated {
            let foreign = devices ?? ForeignDevices()
            devices = foreign
            index.save(result.indexItems(ofEntries: range, except: foreign), root: result.locations[root].path)
        }
    }
}

/// What a scan left out, in sentences.
struct ScanWarnings: Sendable {
    private static let countMax = 100
    private var kept: [String] = []
    private var count = 0

    mutating func add(_ text: String) {
        count += 1
        if kept.count < Self.countMax { kept.append(text) }
    }

    var texts: [String] {
        count > kept.count ? kept + ["and \(count - kept.count) more warnings like these"] : kept
    }
}
