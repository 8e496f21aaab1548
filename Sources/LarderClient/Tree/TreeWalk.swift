import Glibc
import LarderCore

/// Goes through folders, and collects what lies there as entries of a tree.
///
/// First all roots are walked, on one thread; then the files that no index knows are hashed, on several.
struct TreeWalk {
    /// How far the index of a root was right.
    struct Known {
        var itemCount: Int
        var hitCount = 0
        var fileCount = 0

        /// Whether the index is to be written anew.
        var isOutdated: Bool { hitCount != fileCount || hitCount != itemCount }
    }

    private let index: TreeIndex?
    private let onTrouble: TreeScanner.TroubleRule

    private(set) var entries: [FileTree.Entry] = []
    /// Beside `entries`; of others than files `.none`.
    private(set) var stamps: [FileStamp] = []
    /// Roots that have entries.
    private(set) var locations: [RootLocation] = []
    private(set) var known: [Known] = []
    private(set) var warnings = ScanWarnings()
    /// Beside `locations`.
    private var anchors: [TreeAnchor] = []
    /// Entries whose digest is not known yet.
    private var unhashed: [Int] = []
    /// Files with several names, by device and inode: the first entry of each.
    private var named: [FileIdentity: Int] = [:]

    // Of the root that is walked:
    private var includes: (@Sendable (String, Bool) -> Bool)?
    private var cursor: TreeIndexCursor?
    private var path: [UInt8] = []
    /// The folders above; the first `takenCount` of them are entries already.
    private var above: [FileTree.Entry] = []
    private var takenCount = 0

    init(index: TreeIndex?, onTrouble: TreeScanner.TroubleRule) {
        self.index = index
        self.onTrouble = onTrouble
    }

    // MARK: - Walking

    /// Takes what lies below a root; says whether that is anything.
    mutating func take(_ location: RootLocation, includes: (@Sendable (String, Bool) -> Bool)?) throws(ClientError)
        -> Bool
    {
        guard location.missing.isEmpty else { return missing(location) }
        let descriptor = open(location.parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return missing(location) }
            throw FileCalls.trouble("open the folder", location.parent)
        }
        let parent = OpenDescriptor(descriptor)
        let name = location.name.isEmpty ? "." : location.name
        var status = stat()
        guard fstatat(parent.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return missing(location) }
            throw FileCalls.trouble("read", location.path)
        }
        self.includes = includes
        cursor = index?.cursor(for: location.path)
        locations.append(location)
        known.append(Known(itemCount: cursor?.itemCount ?? 0))
        let countBefore = entries.count
        if status.isFolder {
            guard let folder = FileCalls.openFolder(name, in: parent.descriptor) else {
                throw FileCalls.trouble("open the folder", location.path)
            }
            anchors.append(TreeAnchor(folder: folder, name: "", path: location.path))
            try walk(folder, status)
        } else {
            anchors.append(TreeAnchor(folder: parent, name: name, path: location.path))
            var target = stat()
            if status.kind == S_IFLNK, fstatat(parent.descriptor, name, &target, 0) == 0, target.isFolder {
                warnings.add(
                    "\(location.text) is a link, and nothing else is kept of it: name the folder that it leads to"
                )
            }
            try take(name, status, in: parent)
        }
        guard entries.count == countBefore else { return true }
        locations.removeLast()
        known.removeLast()
        anchors.removeLast()
        return false
    }

    private mutating func missing(_ location: RootLocation) -> Bool {
        warnings.add("\(location.text) does not exist")
        return false
    }

    private mutating func walk(_ folder: OpenDescriptor, _ status: stat) throws(ClientError) {
        guard let text = pathText() else { return }
        guard above.count < FileTree.depthMax else {
            throw ClientError("\(placeText()) is in more than \(FileTree.depthMax) folders")
        }
        above.append(entry(text, status, .folder))
        defer {
            above.removeLast()
            takenCount = min(takenCount, above.count)
        }
        if includes.map({ !text.isEmpty && $0(text, true) }) ?? true { takeAbove() }
        guard let names = FolderNames(of: folder.descriptor) else {
            return try meet(FileCalls.trouble("list the folder", placeText()))
        }
        let length = path.count
        for index in names.indices {
            try names.withNameTyped(index) { (name) throws(ClientError) in try visit(name, in: folder) }
            path.removeSubrange(length...)
        }
    }

    private mutating func visit(_ name: UnsafePointer<CChar>, in folder: OpenDescriptor) throws(ClientError) {
        if !path.isEmpty { path.append(UInt8(ascii: "/")) }
        path.append(contentsOf: UnsafeRawBufferPointer(start: name, count: strlen(name)))
        var status = stat()
        guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return try meet(FileCalls.trouble("read", placeText()))
        }
        if strncmp(name, TreeScanner.stagingPrefix, TreeScanner.stagingPrefix.utf8.count) == 0 { return }
        guard status.isFolder else { return try take(name, status, in: folder) }
        guard let inner = FileCalls.openFolder(name, in: folder.descriptor) else {
            return try meet(FileCalls.trouble("open the folder", placeText()))
        }
        try walk(inner, status)
    }

    /// Takes what is no folder.
    private mutating func take(
        _ name: UnsafePointer<CChar>,
        _ status: stat,
        in folder: OpenDescriptor
    ) throws(ClientError) {
        guard let text = pathText() else { return }
        if let includes, !includes(text, false) { return }
        switch status.kind {
        case S_IFREG: takeFile(text, status)
        case S_IFLNK:
            guard let target = FileCalls.linkTarget(name, in: folder.descriptor) else {
                return try meet(FileCalls.trouble("read the link", placeText()))
            }
            guard let target = String(validating: target, as: UTF8.self) else {
                return warnings.add("left out \(placeText()): a link to a name that is not UTF-8")
            }
            append(entry(text, status, .symbolicLink(target: target)), .none)
        case S_IFSOCK: warnings.add("left out \(placeText()): a socket")
        case S_IFIFO: warnings.add("left out \(placeText()): a named pipe")
        default: warnings.add("left out \(placeText()): a device")
        }
    }

    private mutating func takeFile(_ text: String, _ status: stat) {
        let stamp = FileStamp(status)
        if status.st_nlink > 1 {
            let identity = FileIdentity(device: stamp.device, inode: stamp.inode)
            if let first = named[identity] {
                return append(entry(text, status, .hardLink(to: first)), .none)
            }
            takeAbove()
            named[identity] = entries.count
        }
        let root = known.count - 1
        known[root].fileCount += 1
        let digest = path.withUnsafeBufferPointer { cursor?.digest(at: $0, stamp: stamp) }
        append(entry(text, status, .file(digest ?? .emptySHA256, size: stamp.size)), stamp)
        if digest != nil {
            known[root].hitCount += 1
        } else {
            unhashed.append(entries.count - 1)
        }
    }

    private mutating func append(_ entry: FileTree.Entry, _ stamp: FileStamp) {
        takeAbove()
        entries.append(entry)
        stamps.append(stamp)
    }

    /// Takes the folders above that are no entries yet.
    private mutating func takeAbove() {
        while takenCount < above.count {
            entries.append(above[takenCount])
            stamps.append(.none)
            takenCount += 1
        }
    }

    private func entry(_ path: String, _ status: stat, _ content: FileTree.Entry.Content) -> FileTree.Entry {
        FileTree.Entry(
            root: locations.count - 1,
            path: path,
            mode: status.permissions,
            modified: status.st_mtim.nanoseconds,
            content: content
        )
    }

    /// The path below the root as a text; nil, with a warning, when it is none.
    private mutating func pathText() -> String? {
        if let text = path.withUnsafeBufferPointer({ String(validating: $0, as: UTF8.self) }) { return text }
        warnings.add("left out \(placeText()): the name is not UTF-8")
        return nil
    }

    /// The absolute path, for people.
    private func placeText() -> String {
        let root = locations.last?.path ?? ""
        return path.isEmpty ? root : "\(root)/\(String(decoding: path, as: UTF8.self))"
    }

    private mutating func meet(_ error: ClientError) throws(ClientError) {
        switch onTrouble {
        case .fail: throw error
        case .leaveOut: warnings.add("left out: \(error)")
        }
    }

    // MARK: - Hashing

    /// Hashes the files whose digests are not known yet.
    ///
    /// - Returns: The number of files and bytes that were read.
    mutating func hash() throws(ClientError) -> (fileCount: Int, byteCount: Int64) {
        guard !unhashed.isEmpty else { return (0, 0) }
        let outcomes = TreeHasher(entries: entries, stamps: stamps, anchors: anchors).hash(unhashed)
        var lost: Set<Int> = []
        var byteCount: Int64 = 0
        for outcome in outcomes.sorted(by: { $0.entry < $1.entry }) {
            switch outcome.result {
            case .success(let file):
                entries[outcome.entry].content = .file(file.digest, size: file.stamp.size)
                entries[outcome.entry].modified = file.stamp.modified
                entries[outcome.entry].mode = file.mode
                stamps[outcome.entry] = file.stamp
                byteCount += file.stamp.size
            case .failure(let error):
                try meet(error)
                lost.insert(outcome.entry)
            }
        }
        if !lost.isEmpty { remove(lost) }
        return (unhashed.count - lost.count, byteCount)
    }

    /// Removes files, with their other names.
    private mutating func remove(_ lost: Set<Int>) {
        var places = [Int](repeating: -1, count: entries.count)
        var (keptEntries, keptStamps): ([FileTree.Entry], [FileStamp]) = ([], [])
        for (index, var entry) in entries.enumerated() where !lost.contains(index) {
            if case .hardLink(let first) = entry.content {
                guard places[first] >= 0 else { continue }
                entry.content = .hardLink(to: places[first])
            }
            places[index] = keptEntries.count
            keptEntries.append(entry)
            keptStamps.append(stamps[index])
        }
        (entries, stamps) = (keptEntries, keptStamps)
    }
}

/// What all names of one file have in common.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
}

extension FolderNames {
    /// As `withName`, for a body that throws a `ClientError`.
    fileprivate func withNameTyped(
        _ index: Int,
        _ body: (UnsafePointer<CChar>) throws(ClientError) -> Void
    ) throws(ClientError) {
        var failure: ClientError?
        withName(index) { name in
            do throws(ClientError) {
                try body(name)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
