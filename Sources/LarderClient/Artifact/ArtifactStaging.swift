import Glibc
import LarderCore
import Synchronization

/// Where files of a pull lie until they are whole and verified: a staging folder in the folder that is pulled into.
final class ArtifactStaging: Sendable {
    private let folder: StagingFolder

    /// Makes the folder in another one, and removes those that killed programs left there.
    init(in path: String) throws(ClientError) {
        let parent = try OpenDescriptor(path: path)
        StagingFolder.removeStale(in: parent)
        folder = try StagingFolder.make(in: parent, path: path)
    }

    deinit {
        removeAll()
    }

    var path: String { folder.path }
    var descriptor: Int32 { folder.folder.descriptor }

    /// Removes the folder with all that is in it; the end of the process may come before that of the object.
    func removeAll() { folder.remove() }

    /// Makes a file to be written and read.
    func create(_ name: String) throws(ClientError) -> Int32 {
        let file = openat(descriptor, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ArtifactDisk.failure("create", "\(path)/\(name)") }
        return file
    }

    /// Copies a file under another name.
    func copy(_ name: String, to copy: String) throws {
        let source = openat(descriptor, name, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw ArtifactDisk.failure("read", "\(path)/\(name)") }
        defer { close(source) }
        let target = try create(copy)
        defer { close(target) }
        try ArtifactDisk.read(source, name) { try ArtifactDisk.write($0, to: target, copy) }
    }

    func setMode(_ mode: UInt16, of name: String) throws(ClientError) {
        guard fchmodat(descriptor, name, mode_t(mode), 0) == 0 else {
            throw ArtifactDisk.failure("set the mode of", "\(path)/\(name)")
        }
    }

    func makeLink(_ name: String, to target: String) throws(ClientError) {
        guard symlinkat(target, descriptor, name) == 0 else { throw ArtifactDisk.failure("link", "\(path)/\(name)") }
    }

    func remove(_ name: String) { unlinkat(descriptor, name, 0) }
}

/// Takes the blobs of a pack into files that are named by their digests, and verifies them.
final class ArtifactStagingSink: PackSink {
    private struct State {
        var digest: Digest?
        var file: Int32 = -1
        var hasher = IncrementalHasher()
    }

    private let staging: ArtifactStaging
    private let progress: @Sendable (Int64) -> Void
    private let state = Mutex(State())

    /// `progress` hears of bytes of blobs; those that come again after a break are left out before they get here.
    init(_ staging: ArtifactStaging, progress: @escaping @Sendable (_ bytes: Int64) -> Void) {
        self.staging = staging
        self.progress = progress
    }

    func note(_ json: [UInt8]) throws {}

    func begin(_ digest: Digest, size: Int64) throws {
        try state.withLock { state in
            state = State(digest: digest, file: try staging.create(digest.hex))
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            state.hasher.update(bytes)
            try ArtifactDisk.write(bytes, to: state.file, staging.path)
        }
        progress(Int64(bytes.count))
    }

    func end() throws {
        try state.withLock { state in
            close(state.file)
            state.file = -1
            guard let digest = state.digest, state.hasher.finalize()[0] == digest else {
                throw ClientError("the server sent other bytes than those of \(state.digest?.description ?? "a file")")
            }
        }
    }

    func missing(_ digest: Digest) throws {}

    deinit {
        state.withLock { if $0.file >= 0 { close($0.file) } }
    }
}
