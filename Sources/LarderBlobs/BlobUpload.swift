package import LarderCore
import Synchronization

/// One upload on its way to the disk: bytes go to a file in `uploads/` and through the hasher.
///
/// W1: `append` and `hash` → `finish` (sync the file) → `publish` (final name, sync its folder) → the caller commits the row
/// → `settle`. Every other way out is `abandon`, which leaves nothing behind. A resumable upload is `suspend`ed between
/// requests: its bytes are durable then and no descriptor is open. All functions block and are called one at a time, but
/// `append` and `hash` go side by side, and so do `write(_:at:)`, `synchronize` and `hashAgain` of an upload in parts.
package final class BlobUpload: Sendable {
    /// Written to the disk in pieces of this length while more bytes arrive, so the last sync is short.
    private static let writebackLength: Int64 = 8 << 20
    /// Hashed again in one go: a thread of the pool has other work too.
    private static let rehashLength: Int64 = 64 << 20

    private struct State {
        var file: Int32?
        var length: Int64 = 0
        var writebackOffset: Int64 = 0
        var uploadName: String
        var finalPath: String?
        /// A write failed: there may be bytes behind `length`.
        var hasTail = false
        /// What was hashed is not what is in the file: it has to be read again.
        var mustRead = false
        /// The folder was synced since the file was made.
        var hasDurableName = false
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

    /// Goes on with an upload of an earlier process: `file` is open and has exactly the bytes to keep.
    init(root: String, files: any BlobFiles, generation: Int64, name: String, file: Int32, length: Int64) {
        self.root = root
        self.files = files
        self.generation = generation
        state = Mutex(
            State(
                file: file,
                length: length,
                writebackOffset: length,
                uploadName: name,
                mustRead: true,
                hasDurableName: true
            )
        )
        hasher = Mutex(IncrementalHasher())
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
            do throws(StoreError) {
                try files.write(bytes, to: file, at: state.length, path: state.uploadName)
            } catch {
                state.hasTail = true
                state.mustRead = true
                throw error
            }
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

    /// Writes bytes anywhere, for uploads whose parts come in any order, several at a time.
    ///
    /// The file has to be read for its digest then (`hashAgain`).
    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StoreError) {
        let (file, path) = try state.withLock { (state) throws(StoreError) in
            guard let file = state.file else { throw .shuttingDown }
            state.mustRead = true
            return (file, state.uploadName)
        }
        do throws(StoreError) {
            try files.write(bytes, to: file, at: offset, path: path)
        } catch {
            state.withLock { $0.hasTail = true }
            throw error
        }
        files.startWriteback(of: file, from: offset, length: Int64(bytes.count))
        state.withLock { $0.length = max($0.length, offset + Int64(bytes.count)) }
    }

    /// Makes what was written so far durable, while more may be coming.
    package func synchronize() throws(StoreError) {
        let (file, path, hasDurableName) = try state.withLock { (state) throws(StoreError) in
            guard let file = state.file else { throw .shuttingDown }
            return (file, state.uploadName, state.hasDurableName)
        }
        try files.synchronize(file, path: path)
        guard !hasDurableName else { return }
        try files.synchronizeFolder("\(root)/uploads")
        state.withLock { $0.hasDurableName = true }
    }

    /// The digests of what was hashed: SHA-256 first, then SHA-512 if it was asked for.
    package func digests() -> [Digest] {
        hasher.withLock { $0.finalize() }
    }

    /// The file's name in `uploads/`.
    package var fileName: String { state.withLock { $0.uploadName } }

    /// Makes the bytes and the file's name durable and closes the file for now.
    package func suspend() throws(StoreError) {
        try finish()
        try state.withLock { (state) throws(StoreError) in
            guard !state.hasDurableName else { return }
            try files.synchronizeFolder("\(root)/uploads")
            state.hasDurableName = true
        }
    }

    /// Opens the file again, if it was closed for now.
    package func resume() throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            guard state.file == nil else { return }
            let path = "\(root)/uploads/\(state.uploadName)"
            guard let (file, byteCount) = try files.openForWriting(path) else {
                throw .corrupt("the file of an upload is gone: \(path)")
            }
            guard byteCount >= state.length else {
                files.close(file)
                throw .corrupt("the file of an upload is too short: \(path)")
            }
            state.file = file
        }
    }

    /// Cuts the open file to a length that it had before.
    package func cut(to length: Int64) throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            guard state.length > length, let file = state.file else { return }
            try files.truncate(file, to: length, path: state.uploadName)
            state.length = length
            state.writebackOffset = min(state.writebackOffset, length)
            state.mustRead = true
        }
    }

    /// The digests of all bytes; nil when the file must be read again for them (`hashAgain`), because what was hashed is not
    /// what was written, or SHA-512 is wanted and was not known to be.
    package func digests(alsoSHA512: Bool) -> [Digest]? {
        let digests = hasher.withLock { $0.finalize() }
        return !state.withLock({ $0.mustRead }) && (!alsoSHA512 || digests.count > 1) ? digests : nil
    }

    /// Hashes a bounded part of the open file behind what `hasher` has; false when that was all.
    ///
    /// `limit`: How far to go at most; nil: to the end.
    package func hashAgain(into hasher: inout IncrementalHasher, upTo limit: Int64? = nil) throws(StoreError) -> Bool {
        let start = hasher.byteCount
        let length = min(length, limit ?? .max)
        let end = min(length, start + Self.rehashLength)
        var fresh = hasher
        try read(start..<end) { fresh.update($0) }
        hasher = fresh
        return end < length
    }

    /// All bytes; for uploads that turn out small.
    package func bytes() throws(StoreError) -> [UInt8] {
        var result: [UInt8] = []
        try read(0..<length) { result.append(contentsOf: $0) }
        return result
    }

    private func read(_ range: Range<Int64>, _ body: (UnsafeRawBufferPointer) -> Void) throws(StoreError) {
        guard let file = state.withLock({ $0.file }) else { throw .shuttingDown }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let pieceLength = Int(min(range.upperBound - offset, 1 << 20))
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(pieceLength))
            let count = try files.read(file, at: offset, into: piece, path: fileName)
            guard count > 0 else { throw .corrupt("the file of an upload is too short: \(fileName)") }
            body(UnsafeRawBufferPointer(rebasing: piece.prefix(count)))
            offset += Int64(count)
        }
    }

    /// Makes the bytes durable and closes the file.
    package func finish() throws(StoreError) {
        try state.withLock { (state) throws(StoreError) in
            guard let file = state.file else { throw .shuttingDown }
            if state.hasTail { try files.truncate(file, to: state.length, path: state.uploadName) }
            state.hasTail = false
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
