import Glibc
import LarderCore

/// Looks at a destination before anything is put in place, so that a restore does not end half way.
///
/// What comes up later, such as a full disk, can still end it there.
struct PlacementCheck {
    let plan: RestorePlan
    let places: [RestorePlace]

    /// Checks all that is to be done.
    ///
    /// - Throws: `ClientError` that names what is in the way.
    func run() throws(ClientError) {
        for (root, range) in plan.tree.ranges.enumerated() where !range.isEmpty && plan.hasWork[range.lowerBound] {
            try check(rootEntry: range.lowerBound, at: places[root])
        }
    }

    /// Refuses to put a root that is a file or link in place of a folder with something in it.
    static func checkRoot(
        _ path: String,
        _ name: UnsafePointer<CChar>,
        in folder: OpenDescriptor
    ) throws(ClientError) {
        guard let present = FileCalls.openFolder(name, in: folder.descriptor),
            let names = FolderNames(of: present.descriptor), !names.indices.isEmpty
        else { return }
        throw ClientError("\(path) is a folder with files in it, and a file or link in the cache; remove it first")
    }

    private func check(rootEntry index: Int, at place: RestorePlace) throws(ClientError) {
        let name = place.location.name
        if name.isEmpty {
            guard case .folder = plan.tree.entries[index].content else {
                throw ClientError("the cache has a file or link in place of the folder \(place.location.path)")
            }
            return try checkContents(of: index, in: place.folder)
        }
        var isPut = true
        // Where folders above the root are missing, nothing is in its place.
        if place.location.missing.isEmpty { isPut = try check(index, in: place.folder, name) }
        guard !isPut || FileCalls.isWritable(place.folder.descriptor) else {
            throw Self.notWritable(place.location.parent)
        }
    }

    /// Looks at what stands in an entry's place; says whether something is put into the folder that it is in.
    private func check(
        _ index: Int,
        in folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) -> Bool {
        let entry = plan.tree.entries[index]
        let isPut = plan.actions[index] == .stage
        if case .folder = entry.content {
            if let present = FileCalls.openFolder(name, in: folder.descriptor) {
                try checkContents(of: index, in: present)
                return false
            }
            // One that can't be read is opened by its owner for a while.
            guard errno == EACCES else { return isPut }
        }
        var status = stat()
        guard fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return isPut }
        let path = places.path(of: entry)
        switch (entry.content, plan.actions[index]) {
        case (.folder, _), (_, .adjust):
            guard status.isOurs else {
                throw ClientError("\(path) belongs to another user, so it can't be restored; remove it")
            }
        case (_, .stage) where status.isFolder:
            if entry.path.isEmpty { try Self.checkRoot(path, name, in: folder) }
            guard FileIdentity(folder.descriptor)?.device == UInt64(status.st_dev) else {
                throw ClientError("\(path) is another file system, and a file or link in the cache; unmount it first")
            }
        case (_, .stage), (_, .keep): break
        }
        return isPut
    }

    /// Looks at what stands in a folder that things are put into.
    private func checkContents(of index: Int, in folder: OpenDescriptor) throws(ClientError) {
        var isPut = false
        var child = index + 1
        while child < plan.ends[index] {
            defer { child = plan.ends[child] }
            guard plan.hasWork[child] else { continue }
            // Where the scan found nothing, a file or link has nothing in its way.
            guard plan.twins[child] >= 0 || plan.tree.entries[child].isFolder else {
                isPut = true
                continue
            }
            try plan.tree.entries[child].path.withCStringTyped { (path) throws(ClientError) in
                if try check(child, in: folder, path + plan.nameOffsets[child]) { isPut = true }
            }
        }
        guard isPut, !FileCalls.isWritable(folder.descriptor) else { return }
        let code = errno
        var status = stat()
        // The owner can make it writable, and does so for a while.
        guard code == EACCES, fstat(folder.descriptor, &status) == 0, status.isOurs else {
            throw Self.notWritable(places.path(of: plan.tree.entries[index]), code: code)
        }
    }

    private static func notWritable(_ path: String, code: Int32 = errno) -> ClientError {
        ClientError(
            "can't write in \(path): \(String(cString: strerror(code))); let this user write there, or remove it"
        )
    }
}

extension FileTree.Entry {
    fileprivate var isFolder: Bool {
        if case .folder = content { true } else { false }
    }
}
