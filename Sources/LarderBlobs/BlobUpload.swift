package import LarderCore
import Synchronization

/// One upload on its way to the disk: bytes go to a file in `uploads/` and through the hasher.
///
/// W1: `append` and `hash` → `finish` (sync the file) → `publish` (final name, sync its folder) → the caller commits the row
/// → `settle`. Every other way out is `abandon`, which leaves nothing behind. All functions block and are called one at
/// a time, but `append` and `hash` go side by side.
package final class BlobUpload: Sendable {
    /// Written to the disk in pieces of this length while more bytes arrive, so the last sync is short.
    private static let writebackLength: Int64 = 8 << 20

    private struct State {
        var file: Int32?
        var length: Int64 = 0
        var writebackOffset: Int64 = 0
        var uploadName: String
        var finalPath: String?
    }

    package let generation: Int64
    private let root: String
    private let files: any BlobFiles
    private let state: Mutex<State>
    private let hasher: Mutex<IncrementalHasher>

    init(root: String, files: any BlobFiles, generation: Int64, alsoSHA512: Bool) throws(StoreError) {
        let name = "\(String(generation, radix: 16)).part"
        let file = try files.create("\(root)/uploads/\(name)")
        self.root = root
        self.files = files
        self.generation = generation
        state = Mutex(State(file: file, uploadName: name))
        hasher = Mutex(IncrementalHasher(alsoSHA512: alsoSHA512))
    }

    deinit {
        // Nothing but a descriptor: names are removed by `settle` or `abandon`, or at the next start.
        state.withLock { state in
            if let file = state.file { files.close(file) }
        }
    }

    /// Bytes written so far.
    package var length: Int64 { state.withLock { $0.length } }

    /// Hashes the next bytes.
    package func hash(_ bytes: UnsafeRawBufferPointer) {
        hasher.withLock { $0.update(bytes) }
    }

    /// Writes bytes at the end of the file.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            guard let file = state.file else { throw .shuttingDown }
            try files.write(bytes, to: file, at: state.length, path: state.uploadName)
            state.length += Int64(bytes.count)
            if state.length - state.writebackOffset >= Self.writebackLength {
                files.startWriteback(
                    of: file,
                    from: state.writebackOffset,
                    length: state.length - state.writebackOffset
                )
                state.writebackOffset = state.length
            }
        }
    }

    /// The digests of what was hashed: SHA-256 first, then SHA-512 if it was asked for.
    package func digests() -> [Digest] {
        hasher.withLock { $0.finalize() }
    }

    /// Makes the bytes durable and closes the file.
    package func finish() throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            guard let file = state.file else { throw .shuttingDown }
            try files.synchronize(file, path: state.uploadName)
            files.close(file)
            state.file = nil
        }
    }

    /// Gives the file its final name and makes that durable.
    ///
    /// The name in `uploads/` stays until `settle`, so that a start after a crash finds a file without a row and
    /// removes both names.
    package func publish(as digest: Digest) throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            let finishedName = "\(digest.hex).\(String(generation, radix: 16))"
            try files.rename("\(root)/uploads/\(state.uploadName)", to: "\(root)/uploads/\(finishedName)")
            state.uploadName = finishedName
            let finalPath = "\(root)/\(BlobStore.relativePath(of: digest, generation: generation))"
            state.finalPath = finalPath
            try files.link("\(root)/uploads/\(finishedName)", to: finalPath)
            try files.synchronizeFolder(String(finalPath.prefix(finalPath.count - finishedName.count - 1)))
        }
    }

    /// The row is committed: removes the name in `uploads/`.
    ///
    /// A failure is left to the next start.
    package func settle() {
        state.withLock { state in
            try? files.remove("\(root)/uploads/\(state.uploadName)")
        }
    }

    /// There will be no row: removes every name the upload has.
    ///
    /// A failure is left to the next start.
    package func abandon() {
        state.withLock { state in
            if let file = state.file {
                files.close(file)
                state.file = nil
            }
            // The next start finds the file through its name in `uploads/`: that goes last, and not before the other went.
            if let finalPath = state.finalPath, (try? files.remove(finalPath)) == nil { return }
            try? files.remove("\(root)/uploads/\(state.uploadName)")
        }
    }
}
