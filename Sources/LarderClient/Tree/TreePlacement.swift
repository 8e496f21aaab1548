import Glibc
import LarderCore

/// Puts what was staged in place, and corrects modes and times of what stays.
///
/// Every step is one rename; folders of the destination are opened without following links. What is replaced by
/// something of another kind is moved into the staging folder, which is removed at the end.
struct TreePlacement {
    private let plan: RestorePlan
    private let places: [RestorePlace]
    /// Entries that came into place together with their folder.
    private(set) var moved: [Range<Int>] = []
    private var root = 0
    private var replacedCount = 0

    init(plan: RestorePlan, places: [RestorePlace]) {
        self.plan = plan
        self.places = places
    }

    /// Does all that is to be done below all roots, once nothing is seen to be in the way.
    mutating func run() throws(ClientError) {
        try PlacementCheck(plan: plan, places: places).run()
        for (root, range) in plan.tree.ranges.enumerated() where !range.isEmpty && plan.hasWork[range.lowerBound] {
            self.root = root
            try place(rootEntry: range.lowerBound, at: places[root])
        }
    }

    /// Sets the times of roots again that a staging folder was removed from.
    func completeRoots() {
        for (root, range) in plan.tree.ranges.enumerated() {
            guard let staging = places[root].staging, RootLocation.contains(places[root].location.path, staging.path),
                let identity = FileIdentity(staging.parent.descriptor), !range.isEmpty,
                case .folder = plan.tree.entries[range.lowerBound].content,
                let folder = places[root].existingRoot
                    ?? (places[root].location.name.isEmpty ? places[root].folder : nil),
                FileIdentity(folder.descriptor) == identity
            else { continue }
            _ = FileCalls.setModified(plan.tree.entries[range.lowerBound].modified, of: folder.descriptor)
        }
    }

    private mutating func place(rootEntry: Int, at place: RestorePlace) throws(ClientError) {
        let name = place.location.name
        let staged = place.staging?.folder
        if name.isEmpty {
            let inner = staged.flatMap { FileCalls.openFolder("\(root)", in: $0.descriptor) }
            return try fill(rootEntry, from: inner, into: place.folder)
        }
        var folder = place.folder
        for part in place.location.missing {
            _ = mkdirat(folder.descriptor, part, 0o777)
            guard let next = FileCalls.openFolder(part, in: folder.descriptor) else {
                throw FileCalls.trouble("make the folder of", place.location.path)
            }
            folder = next
        }
        try self.place(rootEntry, from: staged, stagedName: "\(root)", into: folder, name: name)
    }

    /// Puts an entry with all that is in it in place.
    private mutating func place(
        _ index: Int,
        from staged: OpenDescriptor?,
        stagedName: UnsafePointer<CChar>,
        into folder: OpenDescriptor,
        name: UnsafePointer<CChar>
    ) throws(ClientError) {
        guard plan.hasWork[index] else { return }
        if case .folder = plan.tree.entries[index].content {
            if plan.isNew(index), let staged, try moveFolder(index, from: staged, stagedName, into: folder, name) {
                return
            }
            let inner = staged.flatMap { FileCalls.openFolder(stagedName, in: $0.descriptor) }
            return try fill(index, from: inner, into: try destination(index, in: folder, name))
        }
        switch plan.actions[index] {
        case .keep: return
        case .adjust: try adjust(index, in: folder, name)
        case .stage:
            guard let staged else { preconditionFailure("a new entry is staged") }
            try moveFile(index, from: staged, stagedName, into: folder, name)
        }
    }

    // MARK: - Folders

    /// Puts a new folder in place as a whole; false when there is one already whose content stays.
    private mutating func moveFolder(
        _ index: Int,
        from staged: OpenDescriptor,
        _ stagedName: UnsafePointer<CChar>,
        into folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) -> Bool {
        for _ in 0..<3 {
            if renameat(staged.descriptor, stagedName, folder.descriptor, name) == 0 {
                moved.append(index..<plan.ends[index])
                let mode = plan.mode(of: index)
                if mode & 0o700 != 0o700 { _ = fchmodat(folder.descriptor, name, mode_t(mode), 0) }
                return true
            }
            switch errno {
            case ENOTEMPTY, EEXIST, EBUSY, EXDEV: return false
            case ENOTDIR: try clear(index, in: folder, name)
            // Nothing can be put into the folder around, but into the one that is there.
            case EACCES where isFolder(name, in: folder): return false
            // A folder that its owner may not write can't be moved.
            case EACCES where fchmodat(staged.descriptor, stagedName, 0o700, 0) == 0: continue
            default: throw trouble("put in place", index)
            }
        }
        throw trouble("put in place", index)
    }

    /// Whether a folder is there; `errno` stays as it is.
    private func isFolder(_ name: UnsafePointer<CChar>, in folder: OpenDescriptor) -> Bool {
        let code = errno
        defer { errno = code }
        return FileCalls.openFolder(name, in: folder.descriptor) != nil
    }

    /// Opens the folder of the destination; makes it, in place of what else is there.
    private mutating func destination(
        _ index: Int,
        in folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) -> OpenDescriptor {
        if let present = FileCalls.openFolder(name, in: folder.descriptor) { return present }
        if errno == EACCES, fchmodat(folder.descriptor, name, 0o700, AT_SYMLINK_NOFOLLOW) == 0,
            let present = FileCalls.openFolder(name, in: folder.descriptor)
        {
            return present
        }
        if errno == ENOTDIR || errno == ELOOP { try clear(index, in: folder, name) }
        guard mkdirat(folder.descriptor, name, 0o700) == 0 || errno == EEXIST,
            let made = FileCalls.openFolder(name, in: folder.descriptor)
        else { throw trouble("make the folder", index) }
        return made
    }

    /// Puts what is in a folder in place in one that is there.
    private mutating func fill(
        _ index: Int,
        from staged: OpenDescriptor?,
        into folder: OpenDescriptor
    ) throws(ClientError) {
        makeWritable(folder)
        if let staged { makeWritable(staged) }
        defer { complete(index, folder) }
        var child = index + 1
        while child < plan.ends[index] {
            defer { child = plan.ends[child] }
            guard plan.hasWork[child] else { continue }
            try plan.tree.entries[child].path.withCStringTyped { (path) throws(ClientError) in
                let name = path + plan.nameOffsets[child]
                try place(child, from: staged, stagedName: name, into: folder, name: name)
            }
        }
    }

    private func makeWritable(_ folder: OpenDescriptor) {
        var status = stat()
        guard fstat(folder.descriptor, &status) == 0, status.st_mode & 0o700 != 0o700 else { return }
        _ = fchmod(folder.descriptor, status.st_mode & 0o7777 | 0o700)
    }

    /// Gives a folder its mode and time; those of a folder that belongs to somebody else stay as they are.
    private func complete(_ index: Int, _ folder: OpenDescriptor) {
        var status = stat()
        let mode = plan.mode(of: index)
        if fstat(folder.descriptor, &status) == 0, status.permissions & RestorePlan.modeMask != mode {
            // A folder that hands its group down goes on doing so.
            _ = fchmod(folder.descriptor, status.st_mode & 0o6000 | mode_t(mode))
        }
        _ = FileCalls.setModified(plan.tree.entries[index].modified, of: folder.descriptor)
    }

    // MARK: - Files and links

    private mutating func moveFile(
        _ index: Int,
        from staged: OpenDescriptor,
        _ stagedName: UnsafePointer<CChar>,
        into folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) {
        for _ in 0..<2 {
            if renameat(staged.descriptor, stagedName, folder.descriptor, name) == 0 { return }
            switch errno {
            case EISDIR, ENOTEMPTY, EEXIST: try clear(index, in: folder, name)
            case EXDEV: return try moveAcross(index, from: staged, stagedName, into: folder, name)
            default: throw trouble("put in place", index)
            }
        }
        throw trouble("put in place", index)
    }

    /// Puts a file or link in place on another file system (a mount below the root): as a copy that is renamed.
    private mutating func moveAcross(
        _ index: Int,
        from staged: OpenDescriptor,
        _ stagedName: UnsafePointer<CChar>,
        into folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) {
        let part = StagingFolder.newName()
        defer { unlinkat(folder.descriptor, part, 0) }
        guard FileCalls.copyAcross(stagedName, from: staged.descriptor, to: folder.descriptor, as: part) else {
            throw trouble("write", index)
        }
        for _ in 0..<2 {
            if renameat(folder.descriptor, part, folder.descriptor, name) == 0 { return }
            guard errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST else { break }
            try clear(index, in: folder, name)
        }
        throw trouble("put in place", index)
    }

    /// Sets mode and time of a file, or the time of a link, that stays.
    private func adjust(_ index: Int, in folder: OpenDescriptor, _ name: UnsafePointer<CChar>) throws(ClientError) {
        let entry = plan.tree.entries[index]
        let mode = mode_t(plan.mode(of: index))
        if case .file = entry.content {
            let file = openat(folder.descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            var status = stat()
            if file >= 0 {
                defer { close(file) }
                guard fstat(file, &status) == 0, status.isFile,
                    UInt16(mode) == status.permissions & RestorePlan.modeMask || fchmod(file, mode) == 0
                else { throw trouble("set the mode of", index) }
            } else {
                guard errno == EACCES, fchmodat(folder.descriptor, name, mode, AT_SYMLINK_NOFOLLOW) == 0 else {
                    throw trouble("set the mode of", index)
                }
            }
        }
        guard FileCalls.setModified(entry.modified, of: name, in: folder.descriptor) else {
            throw trouble("set the time of", index)
        }
    }

    /// Moves what is in an entry's place out of the way: into the staging folder, or away for good.
    private mutating func clear(
        _ index: Int,
        in folder: OpenDescriptor,
        _ name: UnsafePointer<CChar>
    ) throws(ClientError) {
        if plan.tree.entries[index].path.isEmpty {
            try PlacementCheck.checkRoot(places[root].location.path, name, in: folder)
        }
        replacedCount += 1
        if let staging = places[root].staging,
            renameat(folder.descriptor, name, staging.folder.descriptor, "replaced-\(root)-\(replacedCount)") == 0
        {
            return
        }
        guard FileCalls.remove(name, in: folder.descriptor) else { throw trouble("replace", index) }
    }

    private func trouble(_ what: String, _ index: Int) -> ClientError {
        let code = errno
        return FileCalls.trouble(what, places.path(of: plan.tree.entries[index]), code: code)
    }
}

extension String {
    /// As `withCString`, for a body that throws a `ClientError`.
    func withCStringTyped(
        _ body: (UnsafePointer<CChar>) throws(ClientError) -> Void
    ) throws(ClientError) {
        var failure: ClientError?
        withCString { text in
            do throws(ClientError) {
                try body(text)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
