import Glibc
package import LarderCore

/// A file that only holds space: given up when the disk is full, so that the transactions that free space can be
/// written, and restored when there is room again.
package struct Ballast: Sendable {
    private let path: String
    private let length: Int64

    package init(path: String, diskTotal: ByteCount) {
        self.path = path
        length = Self.length(diskTotal: diskTotal).bytes
    }

    /// 64 MiB; on disks under 4 GiB a sixty-fourth of the disk.
    package static func length(diskTotal: ByteCount) -> ByteCount {
        min(.mebibytes(64), ByteCount(diskTotal.bytes / 64))
    }

    /// Whether the file is there in full.
    package var isHeld: Bool {
        var status = stat()
        return stat(path, &status) == 0 && Int64(status.st_size) == length
    }

    /// Frees the space; true when there was some to free.
    ///
    /// Blocks.
    package func release() -> Bool {
        let held = isHeld
        return unlink(path) == 0 && held
    }

    /// Takes the space again when the disk has four times as much free.
    ///
    /// Blocks.
    package func restore(free: ByteCount) {
        guard !isHeld, free.bytes > length * 4 else { return }
        let file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        defer { _ = close(file) }
        if posix_fallocate(file, 0, off_t(length)) != 0 {
            unlink(path)
        }
    }
}
