import Glibc

/// A folder beside a destination that a restore or a pull makes things in before they are put in place.
///
/// It holds a locked file for as long as the program lives, so that the next one tells what a killed one left from what
/// another one is working in. Where locks don't work nothing is taken for left.
final class StagingFolder: Sendable {
    private static let lockName = ".lock"
    /// A folder without a lock that is older, in seconds, is taken for one that a killed program left.
    private static let lonelyAgeMax = 3600

    /// The folder that it is in.
    let parent: OpenDescriptor
    let name: String
    let folder: OpenDescriptor
    /// For people.
    let path: String
    private let lock: OpenDescriptor

    private init(parent: OpenDescriptor, name: String, folder: OpenDescriptor, path: String, lock: OpenDescriptor) {
        (self.parent, self.name, self.folder, self.path, self.lock) = (parent, name, folder, path, lock)
    }

    private static let attemptCountMax = 20

    /// Makes one in a folder.
    ///
    /// `path`: Of that folder, for people.
    ///
    /// - Throws: `ClientError`.
    static func make(in parent: OpenDescriptor, path: String) throws(ClientError) -> StagingFolder {
        for _ in 0..<attemptCountMax {
            let name = newName()
            guard mkdirat(parent.descriptor, name, 0o700) == 0 else {
                if errno == EEXIST { continue }
                throw FileCalls.trouble("write in", path)
            }
            guard let folder = FileCalls.openFolder(name, in: parent.descriptor) else {
                throw FileCalls.trouble("open the folder", "\(path)/\(name)")
            }
            let lock = openat(folder.descriptor, lockName, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard lock >= 0 else { throw FileCalls.trouble("write in", "\(path)/\(name)") }
            let owner = OpenDescriptor(lock)
            var status = stat()
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK, fstat(lock, &status) == 0,
                status.st_nlink > 0
            else {
                // Another program that looked in between took it for an old one, and removes it.
                FileCalls.remove(name, in: parent.descriptor)
                continue
            }
            return StagingFolder(parent: parent, name: name, folder: folder, path: "\(path)/\(name)", lock: owner)
        }
        throw ClientError("can't make a folder in \(path): others remove it again and again")
    }

    /// A name that no other thing has, and by which scans know what is not finished.
    static func newName() -> String { TreeScanner.stagingPrefix + String(UInt64.random(in: 0 ... .max), radix: 36) }

    /// Removes it with all that is left in it.
    ///
    /// The lock goes last, so that what a failure leaves is found by the next restore.
    func remove() {
        Self.empty(folder)
        FileCalls.remove(name, in: parent.descriptor)
    }

    /// Removes all but the lock.
    private static func empty(_ folder: OpenDescriptor) {
        guard let names = FolderNames(of: folder.descriptor) else { return }
        for index in names.indices {
            names.withName(index) { name in
                if strcmp(name, lockName) != 0 { FileCalls.remove(name, in: folder.descriptor) }
            }
        }
    }

    /// Removes what killed restores and pulls left in a folder.
    static func removeStale(in parent: OpenDescriptor) {
        guard let names = FolderNames(of: parent.descriptor) else { return }
        let prefix = TreeScanner.stagingPrefix
        for index in names.indices {
            names.withName(index) { name in
                guard strncmp(name, prefix, prefix.utf8.count) == 0,
                    let folder = FileCalls.openFolder(name, in: parent.descriptor), let lock = lockOfDead(folder)
                else { return }
                withExtendedLifetime(lock) {
                    empty(folder)
                    FileCalls.remove(name, in: parent.descriptor)
                }
            }
        }
    }

    /// The lock of a folder, taken, when nobody works in the folder any more.
    private static func lockOfDead(_ folder: OpenDescriptor) -> OpenDescriptor? {
        var status = stat()
        guard fstat(folder.descriptor, &status) == 0, status.st_uid == geteuid() else { return nil }
        let file = openat(folder.descriptor, lockName, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        if file >= 0 {
            let lock = OpenDescriptor(file)
            return flock(file, LOCK_EX | LOCK_NB) == 0 ? lock : nil
        }
        // Its program was killed before it made the lock, or is about to make it.
        guard errno == ENOENT, time(nil) - status.st_mtim.tv_sec > lonelyAgeMax else { return nil }
        return folder
    }
}
