import Glibc

/// What the system says about a file: while all of it is as it was, its contents are taken to be so too.
struct FileStamp: Sendable, Equatable {
    /// In bytes.
    var size: Int64
    /// When the contents changed last, in nanoseconds since 1970.
    var modified: Int64
    /// When the contents or anything else about the file changed last, in nanoseconds since 1970: nobody can set it.
    var changed: Int64
    var inode: UInt64
    var device: UInt64

    /// Stands where there is no file.
    static let none = FileStamp(size: -1, modified: 0, changed: 0, inode: 0, device: 0)

    /// Whether a change of the file since `moment` would show in its stamp.
    ///
    /// It does not when the file's times are as late as that moment: a change within the same tick of the file system's
    /// clock leaves them as they are. Times of whole seconds may come from a file system that knows no others.
    func wouldShowChange(since moment: Int64) -> Bool {
        func isBefore(_ time: Int64) -> Bool {
            time < (time % 1_000_000_000 == 0 ? moment - 2_000_000_000 : moment)
        }
        return isBefore(changed) && isBefore(modified)
    }
}

extension FileStamp {
    init(_ status: stat) {
        size = Int64(status.st_size)
        modified = status.st_mtim.nanoseconds
        changed = status.st_ctim.nanoseconds
        inode = UInt64(status.st_ino)
        device = UInt64(status.st_dev)
    }
}

extension timespec {
    /// Nanoseconds since 1970; the nearest that can be said of a time before 1678 or after 2262.
    var nanoseconds: Int64 {
        let (product, overflowed) = Int64(tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowedToo) = product.addingReportingOverflow(Int64(tv_nsec))
        return overflowed || overflowedToo ? (tv_sec < 0 ? .min : .max) : sum
    }

    init(nanoseconds: Int64) {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(tv_sec: Int(rest < 0 ? seconds - 1 : seconds), tv_nsec: Int(rest < 0 ? rest + 1_000_000_000 : rest))
    }
}

extension stat {
    var kind: mode_t { st_mode & S_IFMT }
    var isFolder: Bool { kind == S_IFDIR }
    var isFile: Bool { kind == S_IFREG }
    /// Whether this user can set its mode and its times.
    var isOurs: Bool { st_uid == geteuid() || geteuid() == 0 }
    /// Permission bits, those of set-user-id, set-group-id and sticky included.
    var permissions: UInt16 { UInt16(st_mode & 0o7777) }
}
