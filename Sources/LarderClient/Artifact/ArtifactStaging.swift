import Foundation
import Glibc
import LarderCore
import Synchronization

/// A folder beside what is pulled, where files lie until they are whole and verified.
///
/// While it is used it is locked, so that one which a killed program left behind can be told, and removed.
final class ArtifactStaging: Sendable {
    static let prefix = ".larder-pull-"
    /// One that was made just now may not be locked yet, in seconds.
    private static let youngAge = 60

    let path: String
    let descriptor: Int32

    /// Makes the folder in another one, and removes those that were left there.
    init(in folder: String) throws(ClientError) {
        Self.removeAbandoned(in: folder)
        var template = Array("\(folder)/\(Self.prefix)XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ArtifactDisk.failure("make a folder in", folder) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ArtifactDisk.failure("open", path) }
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
    }

    deinit {
        removeAll()
        close(descriptor)
    }

    /// Removes the folder with all that is in it; the end of the process may come before that of the object.
    func removeAll() { try? FileManager.default.removeItem(atPath: path) }

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

    private static func removeAbandoned(in folder: String) {
        for name in (try? ArtifactDisk.names(in: folder)) ?? [] where name.hasPrefix(prefix) {
            let path = "\(folder)/\(name)"
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            var status = stat()
            guard fstat(descriptor, &status) == 0, time(nil) - status.st_mtim.tv_sec > youngAge,
                flock(descriptor, LOCK_EX | LOCK_NB) == 0
            else { continue }
            try? FileManager.default.removeItem(atPath: path)
        }
    }
}

/// Takes the blobs of a pack into files that are named by their digests, and verifies them.
final class ArtifactStagingSink: PackSink {
    private struct State {
        var digest: Digest?
        var file: Int32 = -1
        var hasher = IncrementalHasher()
    }

    private let staging: ArtifactStaging
    private let state = Mutex(State())

    init(_ staging: ArtifactStaging) {
        self.staging = staging
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
