import Glibc

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

    /// Checks that folders can be where they are to be.
    func checkFolder(_ path: String) throws(ClientError) {
        _ = try walk(to: path, creating: false)
    }

    // MARK: - Putting

    /// Moves a file or link that lies in another folder to its path, over a file or link that is there.
    func put(_ name: String, from folder: Int32, at path: String) throws(ClientError) {
        guard let parent = try parent(of: path, creating: true),
            renameat(folder, name, parent, Self.name(path)) == 0
        else { throw failure("write", path) }
    }

    /// Makes a folder where there is none.
    func makeFolder(_ path: String) throws(ClientError) {
        _ = try walk(to: path, creating: true)
    }

    func setFolderMode(_ mode: UInt16, of path: String) throws(ClientError) {
        guard let folder = try walk(to: path, creating: false), fchmod(folder, mode_t(mode)) == 0 else {
            throw failure("set the mode of", path)
        }
    }

    func setFileMode(_ mode: UInt16, of path: String) throws(ClientError) {
        let file = try open(path)
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("look at", path) }
        guard status.st_mode & 0o777 != mode_t(mode) else { return }
        guard fchmod(file, mode_t(mode)) == 0 else { throw failure("set the mode of", path) }
    }

    // MARK: - Walking

    private static func name(_ path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    private func onDisk(_ path: String) -> String {
        self.path.hasSuffix("/") ? self.path + path : "\(self.path)/\(path)"
    }

    private func failure(_ verb: String, _ path: String) -> ClientError { ArtifactDisk.failure(verb, onDisk(path)) }

    private func parent(of path: String, creating: Bool) throws(ClientError) -> Int32? {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return root }
        return try walk(to: String(path[..<slash]), creating: creating)
    }

    /// A descriptor of a folder, valid until the next walk; nil: it is not there.
    private func walk(to path: String, creating: Bool) throws(ClientError) -> Int32? {
        if let last, last.path.utf8.elementsEqual(path.utf8) { return last.descriptor }
        var folder = root
        var walked = ""
        for part in path.pathParts {
            walked += walked.isEmpty ? String(part) : "/\(part)"
            let next: Int32?
            do throws(ClientError) {
                next = try step(from: folder, to: String(part), walked, creating: creating)
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
