import Glibc
import LarderCore

/// Where one root of a tree is restored to.
struct RestorePlace: Sendable {
    let location: RootLocation
    /// The folder `location.parent`.
    let folder: OpenDescriptor
    /// Where the root's new things are made; nil: there are none.
    var staging: StagingFolder?

    /// Finds the places of all roots of a tree, and refuses those that nobody allowed.
    ///
    /// `allowed`: Roots that the user named; those that stay in the working folder need not be.
    ///
    /// - Throws: `ClientError` that says how to allow a root.
    static func find(
        _ tree: FileTree,
        base: String,
        home: String?,
        allowed: [String]
    ) throws(ClientError) -> [RestorePlace] {
        let allowed = Set(allowed.map(RootLocation.normalized))
        guard let realBase = RootLocation.realPath(base) else { throw FileCalls.trouble("open the folder", base) }
        var places: [RestorePlace] = []
        for root in tree.roots {
            let text = RootLocation.normalized(root)
            if RootLocation.leavesBase(text), !allowed.contains(text) {
                throw ClientError(
                    "the cache has files for \(text), which is not among the paths to restore; "
                        + "allow it with --path '\(text)'"
                )
            }
            let location = try RootLocation(text, base: realBase, home: home)
            guard RootLocation.leavesBase(text) || location.isBelow(realBase) else {
                throw ClientError(
                    "the cache has files for \(text), but a link leads from there to \(location.path), "
                        + "outside \(realBase)"
                )
            }
            places.append(RestorePlace(location: location, folder: try OpenDescriptor(path: location.parent)))
        }
        try checkNesting(tree, places)
        return places
    }

    /// Refuses a tree where one root lies below another, at or behind something that is no folder.
    private static func checkNesting(_ tree: FileTree, _ places: [RestorePlace]) throws(ClientError) {
        guard places.count > 1 else { return }
        var blockers: Set<PathKey> = []
        for entry in tree.entries {
            if case .folder = entry.content { continue }
            blockers.insert(PathKey(places.path(of: entry)))
        }
        for (index, place) in places.enumerated() {
            for folder in ArtifactPath.folders(of: place.location.path) where blockers.contains(PathKey(folder)) {
                throw ClientError("the cache's path \(tree.roots[index]) lies below a file or link of the cache")
            }
        }
    }

    /// Removes what killed restores left, and makes staging folders for the roots that get something new.
    ///
    /// `isNeeded`: For each root.
    ///
    /// - Throws: `ClientError` when nothing can be written there; what was made is removed.
    static func stage(_ places: inout [RestorePlace], isNeeded: [Bool]) throws(ClientError) {
        var made: [FileIdentity: StagingFolder] = [:]
        var cleaned: Set<FileIdentity> = []
        do throws(ClientError) {
            for root in places.indices {
                places[root].staging = try stage(places[root], isNeeded: isNeeded[root], &made, &cleaned)
            }
        } catch {
            for staging in made.values { staging.remove() }
            throw error
        }
    }

    /// Makes the staging folder of a root, or takes one that is there for another root.
    ///
    /// It lies in the folder that the root is in, or in the root itself when that is on a file system of its own or
    /// when its folder can't be written.
    private static func stage(
        _ place: RestorePlace,
        isNeeded: Bool,
        _ made: inout [FileIdentity: StagingFolder],
        _ cleaned: inout Set<FileIdentity>
    ) throws(ClientError) -> StagingFolder? {
        var candidates: [(folder: OpenDescriptor, path: String)] = [(place.folder, place.location.parent)]
        if let root = place.existingRoot {
            if FileIdentity(root.descriptor)?.device != FileIdentity(place.folder.descriptor)?.device {
                candidates = []
            }
            candidates.append((root, place.location.path))
        }
        var failure: ClientError?
        for (folder, path) in candidates {
            guard let identity = FileIdentity(folder.descriptor) else { throw FileCalls.trouble("read", path) }
            if cleaned.insert(identity).inserted { StagingFolder.removeStale(in: folder) }
            guard isNeeded else { continue }
            if let present = made[identity] { return present }
            do throws(ClientError) {
                let staging = try StagingFolder.make(in: folder, path: path)
                made[identity] = staging
                return staging
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }

    /// The root, if it is a folder that is there under a name of its own.
    var existingRoot: OpenDescriptor? {
        guard location.missing.isEmpty, !location.name.isEmpty else { return nil }
        return FileCalls.openFolder(location.name, in: folder.descriptor)
    }
}

extension [RestorePlace] {
    /// The absolute path that an entry has here, for people and comparisons.
    func path(of entry: FileTree.Entry) -> String {
        let root = self[entry.root].location.path
        return entry.path.isEmpty ? root : "\(root)/\(entry.path)"
    }
}

extension FileIdentity {
    init?(_ descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
