import APIMessages
import LarderArchive
import LarderCore
import LarderStore
import NIOCore
import Synchronization

/// A version of an artifact as one zip archive, made while it is sent.
///
/// Sendable because the writer is behind a lock; one request works with it.
final class ArtifactArchive: Sendable {
    private static let pieceLength = 1 << 20

    private let content: ArtifactContent
    private let writer = Mutex(ZipWriter())

    init(_ content: ArtifactContent) {
        self.content = content
    }

    /// Gives all of the archive to `emit`, piece by piece.
    func write(_ emit: (ByteBuffer) async throws -> Void) async throws {
        for folder in content.folders {
            guard let name = Self.name(folder.path) else { continue }
            try await emit(begin(ZipWriter.Entry(name: name, mode: mode(folder.mode), content: .folder)))
        }
        for file in content.files {
            guard let name = Self.name(file.path) else { continue }
            let bytes = try await content.read(file.digest, of: file.path)
            try await emit(
                begin(ZipWriter.Entry(name: name, mode: mode(file.mode), content: .file(size: bytes.size)))
            )
            var offset: Int64 = 0
            while offset < bytes.size {
                let (start, store) = (offset, content.store)
                let (length, packed) = try await store.onPool {
                    let piece = try store.piece(of: bytes, at: start, count: Self.pieceLength)
                    return (piece.readableBytes, try self.add(piece))
                }
                offset += Int64(length)
                try await emit(packed)
            }
            try await emit(output { try $0.endEntry(to: &$1) })
        }
        for link in content.links {
            guard let name = Self.name(link.path) else { continue }
            let entry = ZipWriter.Entry(name: name, mode: 0o777, content: .symbolicLink(target: link.target))
            try await emit(begin(entry))
        }
        for bundle in content.bundles { try await write(bundle: bundle, emit) }
        try await emit(output { $0.finish(to: &$1) })
    }

    /// A path as a name in the archive; nil for one that leads out of it.
    private static func name(_ path: String) -> String? {
        ArchivePath.components(path).flatMap { $0.isEmpty ? nil : $0.joined(separator: "/") }
    }

    private func write(bundle: ArtifactBundleMessage, _ emit: (ByteBuffer) async throws -> Void) async throws {
        let reader = BundleReader(try await content.read(bundle.digest, of: bundle.path), store: content.store)
        var isInFile = false
        while let events = try await reader.next() {
            for event in events {
                switch event {
                case .member(let member):
                    guard let entry = Self.entry(for: member) else { continue }
                    if case .file = entry.content { isInFile = true }
                    try await emit(begin(entry))
                case .contents(let bytes):
                    guard isInFile else { continue }
                    try await emit(content.store.onPool { try self.add(bytes) })
                case .endOfMember:
                    guard isInFile else { continue }
                    isInFile = false
                    try await emit(output { try $0.endEntry(to: &$1) })
                }
            }
        }
    }

    /// nil for what has no place in a zip: devices, and names that lead elsewhere.
    private static func entry(for member: TarMember) -> ZipWriter.Entry? {
        guard let parts = ArchivePath.components(member.name), !parts.isEmpty else { return nil }
        let content: ZipWriter.Entry.Content
        switch member.content {
        case .folder: content = .folder
        case .file(let size): content = .file(size: size)
        case .symbolicLink(let target): content = .symbolicLink(target: target)
        case .hardLink(let target):
            // Zip knows none; a symbolic one leads to the same file.
            guard let target = ArchivePath.components(target) else { return nil }
            let up = Array(repeating: "..", count: parts.count - 1)
            content = .symbolicLink(target: (up + target).joined(separator: "/"))
        case .other: return nil
        }
        return ZipWriter.Entry(name: parts.joined(separator: "/"), mode: member.mode & 0o777, content: content)
    }

    private func mode(_ text: String) -> UInt16 { (UInt16(text, radix: 8) ?? 0o644) & 0o777 }

    private func begin(_ entry: ZipWriter.Entry) throws -> ByteBuffer {
        try output { try $0.begin(entry, to: &$1) }
    }

    private func add(_ bytes: ByteBuffer) throws -> ByteBuffer {
        try output { zip, packed in try bytes.withUnsafeReadableBytes { try zip.write($0, to: &packed) } }
    }

    private func output(_ body: (inout ZipWriter, inout [UInt8]) throws -> Void) throws -> ByteBuffer {
        var bytes: [UInt8] = []
        try writer.withLock { try body(&$0, &bytes) }
        return ByteBuffer(bytes: bytes)
    }
}
