import Glibc
import LarderCore

/// A folder that an artifact is put into.
///
/// Every path is walked part by part, and no symbolic link below the folder is ever followed: also one that appears
/// meanwhile is an error. Calls block. Not `Sendable`: it has one owner.
final class ArtifactFolder {
    /// What stands where something is to be put.
    enum Place {
        case nothing
        case file(size: Int64)
        case link(target: String)
    }

    let path: String
    private let root: Int32
    /// The folder that was walked to last, as files come sorted.
    private var last: (path: String, descriptor: Int32)?
    /// Folders that things can be put into, those that are still to be made among them.
    private var writable: Set<PathKey> = []

    /// Opens a folder, and makes it where it is missing.
    init(_ path: String) throws(ClientError) {
        self.path = path
        if mkdir(path, 0o777) != 0, errno == ENOENT { try Self.makeParents(of: path) }
        root = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw ArtifactDisk.failure("open the folder", path) }
    }

    deinit {
        if let last { close(last.descriptor) }
        close(root)
    }

    private static func makeParents(of path: String) throws(ClientError) {
        var made = path.hasBytePrefix("/") ? "/" : ""
        for part in path.pathParts {
            made += part + "/"
            guard mkdir(made, 0o777) == 0 || errno == EEXIST else { throw ArtifactDisk.failure("make", made) }
        }
    }

    // MARK: - Looking

    /// What stands at a path; a folder there, or something other than a folder on the way, is an error.
    func place(_ path: String) throws(ClientError) -> Place {
        guard let folder = try parent(of: path, creating: false) else { return .nothing }
        let name = Self.name(path)
        var status = stat()
        guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            guard errno == ENOENT else { throw failure("look at", path) }
            return .nothing
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(size: Int64(status.st_size))
        case S_IFLNK: return .link(target: try ArtifactDisk.target(ofLink: name, in: folder, onDisk(path)))
        case S_IFDIR:
            throw ClientError("\(onDisk(path)) is a folder, and a file or link in the artifact; remove it")
        default: throw ClientError("\(onDisk(path)) is neither a file nor a link; remove it")
        }
    }

    /// Opens a file to be read.
    func open(_ path: String) throws(ClientError) -> Int32 {
        let folder = try parent(of: path, creating: false)
        let file = folder.map { openat($0, Self.name(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) } ?? -1
        guard file >= 0 else { throw failure("read", path) }
        return file
    }

    /// Checks that something can be put at a path: the deepest folder above it that is there can be written.
    func checkWritable(_ path: String) throws(ClientError) {
        let parent = Self.folder(path)
        guard !writable.contains(PathKey(parent)) else { return }
        var folder = parent
        while true {
            if let descriptor = try walk(to: folder, creating: false) {
                guard !FileCalls.isWritable(descriptor) else { break }
                let reason = String(cString: strerror(errno))
                let place = folder.isEmpty ? self.path : onDisk(folder)
                throw ClientError(
                    "can't write in \(place): \(reason); let this user write there, or pull into another folder"
                )
            }
            folder = Self.folder(folder)
        }
        writable.insert(PathKey(parent))
    }

    /// Checks that a file or folder has a mode or can be given it, if it is there.
    func checkMode(_ mode: UInt16, of path: String) throws(ClientError) {
        var status = stat()
        guard let folder = try parent(of: path, creating: false),
            fstatat(folder, Self.name(path), &status, AT_SYMLINK_NOFOLLOW) == 0
        else { return }
        guard status.st_mode & 0o777 == mode_t(mode) || status.isOurs else {
            let text = ArtifactPath.text(ofMode: mode)
            throw ClientError(
                "\(onDisk(path)) belongs to another user and can't be given the mode \(text); remove it, or pull into "
                    + "another folder"
            )
        }
    }

    /// Checks that a folder can be where it is to be, with its mode.
    func checkFolder(_ path: String, mode: UInt16) throws(ClientError) {
        guard try walk(to: path, creating: false) != nil else { return try checkWritable(path) }
        try checkMode(mode, of: path)
    }

    // MARK: - Putting

    /// Moves a file or link that lies in another folder to its path, over a file or link that is there.
    func put(_ name: String, from folder: Int32, at path: String) throws(ClientError) {
        guard let parent = try parent(of: path, creating: true) else { throw failure("write", path) }
        if renameat(folder, name, parent, Self.name(path)) == 0 { return }
        guard errno == EXDEV else { throw failure("write", path) }
        // Another file system is mounted there: it gets a copy, which then is renamed.
        let copy = StagingFolder.newName()
        defer { unlinkat(parent, copy, 0) }
        guard FileCalls.copyAcross(name, from: folder, to: parent, as: copy),
            renameat(parent, copy, parent, Self.name(path)) == 0
        else { throw failure("write", path) }
    }

    /// Makes a folder where there is none.
    func makeFolder(_ path: String) throws(ClientError) {
        _ = try walk(to: path, creating: true)
    }

    func setFolderMode(_ mode: UInt16, of path: String) throws(ClientError) {
        guard let folder = try walk(to: path, creating: false) else { throw failure("set the mode of", path) }
        try setMode(mode, of: folder, path)
    }

    func setFileMode(_ mode: UInt16, of path: String) throws(ClientError) {
        let file = try open(path)
        defer { close(file) }
        try setMode(mode, of: file, path)
    }

    private func setMode(_ mode: UInt16, of descriptor: Int32, _ path: String) throws(ClientError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("look at", path) }
        guard status.st_mode & 0o777 != mode_t(mode) else { return }
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw failure("set the mode of", path) }
    }

    // MARK: - Walking

    private static func name(_ path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    /// The folder that a path is in; empty: the root.
    private static func folder(_ path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[..<$0]) } ?? ""
    }

    private func onDisk(_ path: String) -> String {
        self.path.hasSuffix("/") ? self.path + path : "\(self.path)/\(path)"
    }

    private func failure(_ verb: String, _ path: String) -> ClientError { ArtifactDisk.failure(verb, onDisk(path)) }

    private func parent(of path: String, creating: Bool) throws(ClientError) -> Int32? {
        try walk(to: Self.folder(path), creating: creating)
    }

    /// A descriptor of a folder, valid until the next walk; nil: it is not there.
    private func walk(to path: String, creating: Bool) throws(ClientError) -> Int32? {
        if let last, last.path.utf8.elementsEqual(path.utf8) { return last.descriptor }
        var folder = root
        var walked = ""
        for part in path.pathParts {
            walked += walked.isEmpty ? part : "/\(part)"
            let next: Int32?
            do throws(ClientError) {
                next = try step(from: folder, to: part, walked, creating: creating)
            } catch {
                if folder != root { close(folder) }
                throw error
            }
            if folder != root { close(folder) }
            guard let next else { return nil }
            folder = next
        }
        guard folder != root else { return root }
        if let last { close(last.descriptor) }
        last = (path, folder)
        return folder
    }

    private func step(
        from folder: Int32,
        to name: String,
        _ walked: String,
        creating: Bool
    ) throws(ClientError) -> Int32? {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let next = openat(folder, name, flags)
        if next >= 0 { return next }
        guard errno == ENOENT else { throw notAFolder(walked) }
        guard creating else { return nil }
        let isNew = mkdirat(folder, name, 0o755) == 0
        guard isNew || errno == EEXIST else { throw failure("make the folder", walked) }
        let made = openat(folder, name, flags)
        guard made >= 0 else { throw notAFolder(walked) }
        // Whatever the process takes from the modes of what it makes.
        if isNew { _ = fchmod(made, mode_t(ArtifactFiles.folderMode)) }
        return made
    }

    private func notAFolder(_ path: String) -> ClientError {
        switch errno {
        case ELOOP, ENOTDIR:
            ClientError(
                "\(onDisk(path)) is no folder but a file, or a symbolic link, which is not followed; remove it, or pull "
                    + "into another folder"
            )
        default: failure("open the folder", path)
        }
    }
}
