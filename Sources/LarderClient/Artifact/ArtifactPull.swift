package import APIMessages
import Foundation
import Glibc
import LarderCore
import Synchronization

/// What a pull did.
package struct ArtifactPullResult: Codable, Sendable {
    package var repository: String
    package var digest: String
    package var tags: [String]
    package var folder: String
    /// Files of the artifact that are in the folder now, and their bytes.
    package var fileCount: Int
    package var byteCount: Int64
    /// Files that were there with the same contents.
    package var keptCount: Int
    /// Files that were there with other contents.
    package var overwrittenCount: Int
    package var receivedBytes: Int64
}

/// Puts the files of an artifact into a folder.
///
/// Files appear under their names only when they are whole and verified; what is there with the same contents is neither
/// fetched nor written. Nothing is ever written through a symbolic link.
package struct ArtifactPull: Sendable {
    private let server: ServerClient
    private let version: ArtifactVersionMessage
    private let patterns: [PathPattern]
    private let folder: String
    private let progress: ArtifactProgress
    private let transfer: BlobTransfer

    /// Prepares to pull a version that was asked for with its files.
    ///
    /// `patterns`: What to take; none: all.
    package init(
        server: ServerClient,
        version: ArtifactVersionMessage,
        patterns: [PathPattern],
        into folder: String,
        progress: ArtifactProgress
    ) {
        self.server = server
        self.version = version
        self.patterns = patterns
        self.folder = folder
        self.progress = progress
        transfer = BlobTransfer(server: server, repository: version.repository, kind: RepositoryKind.registry.rawValue)
    }

    /// Pulls.
    ///
    /// - Throws: `ClientError`, `StoreError` for an archive that is damaged, `CancellationError`.
    package func pull() async throws -> ArtifactPullResult {
        let contents = try ArtifactContents(version, matching: patterns)
        guard !contents.isEmpty else { throw nothingMatches }
        let target = ArtifactTarget(folder)
        let kept = try await ArtifactDisk.onThread { try target.inspect(contents, checkCancellation: $0) }
        let staging = try await ArtifactDisk.onThread { [folder] _ in try ArtifactStaging(in: folder) }
        let result: Result<ArtifactPullResult, any Error>
        do {
            result = .success(try await pull(contents, kept: kept, to: target, through: staging))
        } catch {
            result = .failure(error)
        }
        _ = try? await ArtifactDisk.onThread { _ in staging.removeAll() }
        return try result.get()
    }

    /// `kept`: Paths of files that are there already.
    private func pull(
        _ contents: ArtifactContents,
        kept: Set<PathKey>,
        to target: ArtifactTarget,
        through staging: ArtifactStaging
    ) async throws -> ArtifactPullResult {
        let missing = contents.files.filter { !kept.contains(PathKey($0.path)) }
        let received = try await fetch(missing, contents.bundles, staging)
        var whole = contents
        whole.bundles = []
        var staged: [PathKey: String] = [:]
        for file in missing { staged[PathKey(file.path)] = file.digest.hex }
        for unpacked in try await unpack(contents.bundles, staging, keeping: Set(missing.map(\.digest))) {
            whole.files += unpacked.contents.files
            whole.links += unpacked.contents.links
            whole.folders += unpacked.contents.folders
            staged.merge(unpacked.staged) { $1 }
        }
        guard !whole.isEmpty else { throw nothingMatches }
        try whole.check()
        let counts = try await ArtifactDisk.onThread { [whole, staged] checkCancellation in
            try target.place(whole, known: kept, staged: staged, from: staging, checkCancellation: checkCancellation)
        }
        return ArtifactPullResult(
            repository: version.repository,
            digest: version.digest,
            tags: version.tags,
            folder: folder,
            fileCount: whole.files.count,
            byteCount: whole.files.map(\.size).saturatingSum,
            keptCount: counts.kept,
            overwrittenCount: counts.overwritten,
            receivedBytes: received
        )
    }

    private var nothingMatches: ClientError {
        let asked = patterns.map(\.text).joined(separator: ", ")
        return ClientError(
            patterns.isEmpty
                ? "\(version.repository)@\(version.digest) has no files that can be pulled; is it an image?"
                : "nothing in \(version.repository)@\(version.digest) matches \(asked); see: larder artifact show"
        )
    }

    /// Fetches blobs into the staging folder, where their digests are their names; returns their bytes.
    private func fetch(
        _ files: [ArtifactContents.File],
        _ bundles: [ArtifactContents.Bundle],
        _ staging: ArtifactStaging
    ) async throws -> Int64 {
        var seen: Set<Digest> = []
        let blobs = (files.map { ($0.digest, $0.size) } + bundles.map { ($0.digest, $0.size) })
            .filter { seen.insert($0.0).inserted }
            .map { (digest: $0.0, size: $0.1) }
        let total = blobs.map(\.size).saturatingSum
        progress.setTotal(total)
        let small = blobs.filter { $0.size < BlobTransfer.largeSize }
        if !small.isEmpty {
            // The stream has more bytes than the blobs, and some twice after a break.
            let sink = ArtifactStagingSink(staging, progress: progress.add)
            try await transfer.fetch(small.map(\.digest), into: sink) { _ in }
        }
        for blob in blobs where blob.size >= BlobTransfer.largeSize {
            let file = try await ArtifactDisk.onThread { _ in try staging.create(blob.digest.hex) }
            defer { close(file) }
            let descriptor = BlobDescriptor(digest: blob.digest, size: blob.size)
            try await transfer.fetchLarge(descriptor, to: file, progress: progress.add)
        }
        return total
    }

    private func unpack(
        _ bundles: [ArtifactContents.Bundle],
        _ staging: ArtifactStaging,
        keeping kept: Set<Digest>
    ) async throws -> [ArtifactUnpacker.Unpacked] {
        var unpacked: [ArtifactUnpacker.Unpacked] = []
        for (index, bundle) in bundles.enumerated() {
            progress.note("unpacking \(bundle.folder)")
            let patterns = patterns
            unpacked.append(
                try await ArtifactDisk.onThread { checkCancellation in
                    var unpacker = ArtifactUnpacker(
                        folder: bundle.folder,
                        patterns: patterns,
                        staging: staging,
                        prefix: "\(index)"
                    )
                    defer { if !kept.contains(bundle.digest) { staging.remove(bundle.digest.hex) } }
                    return try unpacker.unpack(
                        bundle.digest.hex,
                        size: bundle.size,
                        checkCancellation: checkCancellation
                    )
                }
            )
        }
        return unpacked
    }
}
