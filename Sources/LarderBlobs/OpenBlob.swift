package import LarderCore
import Synchronization

/// A blob's file, open for reading: its bytes stay readable even when the blob is removed meanwhile.
package final class OpenBlob: Sendable {
    package let size: Int64
    private let path: String
    private let files: any BlobFiles
    private let file: Mutex<Int32?>

    init(file: Int32, size: Int64, path: String, files: any BlobFiles) {
        self.file = Mutex(file)
        self.size = size
        self.path = path
        self.files = files
    }

    deinit {
        file.withLock { file in
            if let file { files.close(file) }
        }
    }

    /// Hands over the descriptor; the caller closes it from now on.
    ///
    /// A second call traps.
    package func takeDescriptor() -> Int32 {
        file.withLock { file in
            guard let descriptor = file.take() else { preconditionFailure("a descriptor is taken once") }
            return descriptor
        }
    }

    /// Reads up to `count` bytes at an offset; fewer only at the end.
    ///
    /// Blocks.
    package func read(at offset: Int64, count: Int) throws -> [UInt8] {
        let descriptor = file.withLock { $0 }
        guard let descriptor else { preconditionFailure("the descriptor was handed over") }
        let wanted = Int(min(Int64(count), max(0, size - offset)))
        var bytes = [UInt8](repeating: 0, count: wanted)
        var done = 0
        while done < wanted {
            let length = try bytes.withUnsafeMutableBytes { buffer in
                try files.read(
                    descriptor,
                    at: offset + Int64(done),
                    into: .init(rebasing: buffer[done...]),
                    path: path
                )
            }
            guard length > 0 else { throw StoreError.corrupt("\(path) is shorter than its \(size) bytes") }
            done += length
        }
        return bytes
    }

    /// Hashes the whole file in pieces of 1 MiB.
    ///
    /// Blocks for about 1 ms a MiB.
    ///
    /// `pause`: Called after each piece with its length; slows a background scrub down, or throws to stop.
    package func digest(pause: (Int) throws -> Void = { _ in }) throws -> Digest {
        var hasher = IncrementalHasher()
        var offset: Int64 = 0
        while offset < size {
            let piece = try read(at: offset, count: 1 << 20)
            piece.withUnsafeBytes { hasher.update($0) }
            offset += Int64(piece.count)
            try pause(piece.count)
        }
        return hasher.finalize()[0]
    }
}
