import Glibc
import LarderArchive
import LarderCore

/// A folder as a compressed archive on the disk.
///
/// Members are named `FOLDER/…`, sorted, without times and owners, each folder before what is in it: the same folder gives
/// the same bytes with one version of zlib.
struct ArtifactBundle: Sendable {
    /// gzip's own default.
    private static let level = 6

    let folder: String
    /// Where the archive lies.
    let path: String
    let digest: Digest
    let size: Int64
    /// Before it was compressed.
    let unpackedDigest: Digest
    let fileCount: Int64
    let byteCount: Int64

    /// Writes the archive; blocks.
    ///
    /// `checkCancellation`: Called now and then; what it throws ends the work.
    ///
    /// - Throws: `ClientError` when a file can't be read, or changes meanwhile.
    init(_ bundle: ArtifactPlan.Bundle, to path: String, checkCancellation: () throws -> Void) throws {
        folder = bundle.folder
        self.path = path
        var output = try Output(path)
        defer { output.close() }
        for member in Self.members(of: bundle) {
            try output.write(member.member, from: member.source, checkCancellation)
        }
        (digest, size, unpackedDigest) = try output.finish()
        fileCount = Int64(bundle.content.files.count)
        byteCount = bundle.content.byteCount
    }

    private struct Member {
        let member: TarMember
        var source: String?
    }

    private static func members(of bundle: ArtifactPlan.Bundle) -> [Member] {
        let content = bundle.content
        var folders = [PathKey(bundle.folder): ArtifactFiles.folderMode]
        for path in content.files.map(\.path) + content.links.map(\.path) + content.folders.map(\.path) {
            for folder in ArtifactPath.folders(of: path) { folders[PathKey(folder)] = ArtifactFiles.folderMode }
        }
        for folder in content.folders { folders[PathKey(folder.path)] = folder.mode }
        var members = folders.map { Member(member: TarMember(name: $0.key.path, mode: $0.value, content: .folder)) }
        members += content.links.map { link in
            Member(member: TarMember(name: link.path, mode: 0o777, content: .symbolicLink(target: link.target)))
        }
        members += content.files.map { file in
            let member = TarMember(name: file.path, mode: file.mode, content: .file(size: file.size))
            return Member(member: member, source: file.source)
        }
        return members.sorted { ArtifactPath.precedes($0.member.name, $1.member.name) }
    }

    /// A compressed archive that is written.
    private struct Output: ~Copyable {
        let path: String
        private let file: Int32
        private var tar = TarWriter()
        private var gzip = GzipWriter(level: ArtifactBundle.level)
        private var unpackedHasher = IncrementalHasher()
        private var hasher = IncrementalHasher()
        private var unpacked: [UInt8] = []
        private var packed: [UInt8] = []

        init(_ path: String) throws(ClientError) {
            self.path = path
            file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw ArtifactDisk.failure("create", path) }
        }

        func close() { _ = Glibc.close(file) }

        mutating func write(_ member: TarMember, from source: String?, _ checkCancellation: () throws -> Void) throws {
            do {
                try tar.begin(member, to: &unpacked)
                if let source {
                    try ArtifactDisk.read(source) { bytes in
                        try tar.write(bytes, to: &unpacked)
                        try compress()
                        try checkCancellation()
                    }
                }
                try tar.endMember(to: &unpacked)
            } catch StoreError.lengthMismatch {
                throw ArtifactDisk.changed(source ?? member.name)
            }
            if unpacked.count >= ArtifactDisk.pieceLength { try compress() }
        }

        mutating func finish() throws -> (digest: Digest, size: Int64, unpackedDigest: Digest) {
            tar.finish(to: &unpacked)
            try compress()
            gzip.finish(to: &packed)
            try flush()
            return (hasher.finalize()[0], hasher.byteCount, unpackedHasher.finalize()[0])
        }

        private mutating func compress() throws {
            unpacked.withUnsafeBytes { bytes in
                unpackedHasher.update(bytes)
                gzip.write(bytes, to: &packed)
            }
            unpacked.removeAll(keepingCapacity: true)
            if packed.count >= ArtifactDisk.pieceLength { try flush() }
        }

        private mutating func flush() throws {
            try packed.withUnsafeBytes { bytes in
                hasher.update(bytes)
                try ArtifactDisk.write(bytes, to: file, path)
            }
            packed.removeAll(keepingCapacity: true)
        }
    }
}
