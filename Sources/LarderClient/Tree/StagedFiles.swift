import Glibc
import LarderCore

/// Makes the new files, folders and links of a restore in its staging folders.
///
/// An entry lies at its root's number and its path. All of it may be called on several threads, for different entries.
struct StagedFiles: Sendable {
    let plan: RestorePlan
    let places: [RestorePlace]
    /// Permission bits that the system takes from new files.
    private let withheldMode: UInt16

    init(plan: RestorePlan, places: [RestorePlace]) {
        self.plan = plan
        self.places = places
        withheldMode = Self.readWithheldMode()
    }

    private static func readWithheldMode() -> UInt16 {
        guard let text = FileCalls.contents(of: "/proc/self/status"), let range = text.firstRange(of: "\nUmask:\t")
        else {
            return 0o777
        }
        return UInt16(text[range.upperBound...].prefix { $0 != "\n" }, radix: 8) ?? 0o777
    }

    /// The absolute path that an entry will have, for people.
    func text(of index: Int) -> String { places.path(of: plan.tree.entries[index]) }

    // MARK: - Files

    /// Makes a file of bytes at hand.
    func makeFile(_ index: Int, _ bytes: UnsafeRawBufferPointer) throws(ClientError) -> FileStamp {
        let file = try open(index)
        guard FileCalls.write(bytes, to: file.descriptor) else { throw FileCalls.trouble("write", text(of: index)) }
        return try complete(file, index)
    }

    /// Opens a new file, to be written and then completed.
    func open(_ index: Int) throws(ClientError) -> OpenDescriptor {
        let mode = mode_t(plan.mode(of: index))
        let flags = O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC
        let descriptor = try make(index) { openat($0, $1, flags, mode) }
        return OpenDescriptor(descriptor)
    }

    /// Gives a written file its mode and its time.
    func complete(_ file: OpenDescriptor, _ index: Int) throws(ClientError) -> FileStamp {
        let mode = plan.mode(of: index)
        var isModeRight = mode & withheldMode == 0
        while true {
            guard isModeRight || fchmod(file.descriptor, mode_t(mode)) == 0,
                FileCalls.setModified(plan.tree.entries[index].modified, of: file.descriptor)
            else { throw FileCalls.trouble("set the mode and time of", text(of: index)) }
            var status = stat()
            guard fstat(file.descriptor, &status) == 0 else { throw FileCalls.trouble("write", text(of: index)) }
            // Lists of rights that the folder hands down can take bits away, too. Some file systems know fewer bits.
            if isModeRight, status.permissions & RestorePlan.modeMask != mode {
                isModeRight = false
                continue
            }
            return FileStamp(status)
        }
    }

    /// Opens a staged file to be read.
    func openStaged(_ index: Int) throws(ClientError) -> OpenDescriptor {
        OpenDescriptor(try make(index) { openat($0, $1, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) })
    }

    // MARK: - Folders and links

    /// Makes folders that have no files, and links; all files must be there.
    func makeRest(isStopped: () -> Bool) throws {
        for (index, entry) in plan.tree.entries.enumerated() where plan.actions[index] == .stage {
            switch entry.content {
            case .file: continue
            case .folder:
                // Others have been made for what is in them.
                if plan.ends[index] == index + 1 { try makeFolder(index) }
            case .symbolicLink(let target): try makeLink(index, to: target)
            case .hardLink(let first): try makeHardLink(index, to: first)
            }
            if isStopped() { throw RestoreFailure.abandoned }
        }
        try completeFolders()
    }

    private func makeLink(_ index: Int, to target: String) throws(ClientError) {
        _ = try make(index) { symlinkat(target, $0, $1) }
        let modified = plan.tree.entries[index].modified
        _ = try make(index) { FileCalls.setModified(modified, of: $1, in: $0) ? 0 : -1 }
    }

    /// Links to the staged file, or to the one that stays in place; where that can't be, copies it.
    private func makeHardLink(_ index: Int, to first: Int) throws {
        do throws(ClientError) {
            if plan.actions[first] == .stage {
                _ = try make(first) { (source, sourceName) in
                    (try? make(index) { linkat(source, sourceName, $0, $1, 0) }) ?? -1
                }
            } else {
                let source = text(of: first)
                _ = try make(index) { linkat(AT_FDCWD, source, $0, $1, 0) }
            }
        } catch {
            try copy(first, to: index)
        }
    }

    /// Gives the folders that are put in place as a whole their modes and times, the inner ones first.
    private func completeFolders() throws(ClientError) {
        for index in plan.tree.entries.indices.reversed() where plan.isNew(index) {
            guard case .folder = plan.tree.entries[index].content else { continue }
            // The outermost one must be writable to be moved.
            let isInner = plan.parents[index] >= 0 && plan.isNew(plan.parents[index])
            let mode = mode_t(plan.mode(of: index) | (isInner ? 0 : 0o700))
            let modified = plan.tree.entries[index].modified
            if mode != 0o700 { _ = try make(index) { fchmodat($0, $1, mode, 0) } }
            _ = try make(index) { FileCalls.setModified(modified, of: $1, in: $0) ? 0 : -1 }
        }
    }

    private func makeFolder(_ index: Int) throws(ClientError) {
        _ = try make(index) { mkdirat($0, $1, 0o700) == 0 || errno == EEXIST ? 0 : -1 }
    }

    // MARK: - Copies

    /// Makes a file from another one of the tree: from a staged one, or from one that stays in place.
    @discardableResult
    func copy(_ source: Int, to index: Int) throws -> FileStamp {
        guard case .file(let digest, let size) = plan.tree.entries[source].content else {
            preconditionFailure("only files are copied")
        }
        if plan.actions[source] != .stage { return try copy(text(of: source), digest, size: size, to: index) }
        return try copy(from: try openStaged(source), digest, size: size, to: index)
    }

    /// Makes a file from another one on this machine, whose contents are verified.
    ///
    /// - Throws: `RestoreFailure.lost` when that has other contents.
    func copy(_ path: String, _ digest: Digest, size: Int64, to index: Int) throws -> FileStamp {
        let source = Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard source >= 0 else { throw RestoreFailure.lost(digest) }
        return try copy(from: OpenDescriptor(source), digest, size: size, to: index)
    }

    private func copy(from source: OpenDescriptor, _ digest: Digest, size: Int64, to index: Int) throws -> FileStamp {
        let file = try open(index)
        var hasher = IncrementalHasher()
        let length = Int(min(max(size, 1), Int64(FileCalls.pieceLength)))
        try withUnsafeTemporaryAllocation(byteCount: length, alignment: 64) { buffer in
            while hasher.byteCount <= size {
                let count = FileCalls.read(source.descriptor, into: buffer)
                guard count >= 0 else { throw RestoreFailure.lost(digest) }
                if count == 0 { break }
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                hasher.update(bytes)
                guard FileCalls.write(bytes, to: file.descriptor) else {
                    throw FileCalls.trouble("write", text(of: index))
                }
            }
        }
        guard hasher.finalize().first == digest else { throw RestoreFailure.lost(digest) }
        return try complete(file, index)
    }

    // MARK: - Paths

    /// Calls `body` with a folder and the entry's path in it; makes the folders above when they are missing.
    ///
    /// `body`: Returns a negative number, with `errno` set, when it failed.
    private func make(
        _ index: Int,
        _ body: (_ folder: Int32, _ path: UnsafePointer<CChar>) -> Int32
    ) throws(ClientError) -> Int32 {
        let result = attempt(index, body)
        if result >= 0 { return result }
        guard errno == ENOENT, plan.parents[index] >= 0 else { throw FileCalls.trouble("write", text(of: index)) }
        try makeFolder(plan.parents[index])
        let second = attempt(index, body)
        guard second >= 0 else { throw FileCalls.trouble("write", text(of: index)) }
        return second
    }

    private func attempt(_ index: Int, _ body: (Int32, UnsafePointer<CChar>) -> Int32) -> Int32 {
        let entry = plan.tree.entries[index]
        guard let staging = places[entry.root].staging else {
            preconditionFailure("a root with new things has a staging folder")
        }
        let path = entry.path.isEmpty ? "\(entry.root)" : "\(entry.root)/" + entry.path
        guard path.utf8.count > FileCalls.pathLengthMax, let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return body(staging.folder.descriptor, path)
        }
        let folder = FileCalls.openStepwise(
            String(path[..<slash]),
            in: staging.folder.descriptor,
            flags: O_RDONLY | O_DIRECTORY
        )
        guard folder >= 0 else { return -1 }
        let result = body(folder, String(path[path.utf8.index(after: slash)...]))
        let code = errno
        close(folder)
        errno = code
        return result
    }
}
