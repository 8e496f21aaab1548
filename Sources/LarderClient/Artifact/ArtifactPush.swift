import APIMessages
import Foundation
import Glibc
package import LarderCore

/// What a push did.
package struct ArtifactPushResult: Codable, Sendable {
    package var repository: String
    package var digest: String
    /// All tags that the version has now.
    package var tags: [String]
    package var fileCount: Int
    /// Of the files.
    package var byteCount: Int64
    /// Folders that are kept as one archive each.
    package var bundles: [String]
    /// Blobs that the server did not have yet.
    package var sentCount: Int
    package var sentBytes: Int64
    /// Of the secondary artifacts of a buildspec; absent where there are none.
    package var secondary: [ArtifactPushResult]?
}

/// Puts files into the store as one version of an artifact.
package struct ArtifactPush: Sendable {
    /// Files that are hashed one after the other on one thread, and their bytes.
    private static let hashBatchCountMax = 200
    private static let hashBatchBytesMax: Int64 = 32 << 20

    private let server: ServerClient
    private let repository: RepositoryName
    private let tags: [Tag]
    private let movesTags: Bool
    private let transfer: BlobTransfer
    private let progress: ArtifactProgress
    private let width = min(4, ProcessInfo.processInfo.activeProcessorCount)

    /// `movesTags`: Whether tags that name other versions are moved.
    package init(
        server: ServerClient,
        repository: RepositoryName,
        tags: [Tag],
        movesTags: Bool,
        progress: ArtifactProgress
    ) {
        self.server = server
        self.repository = repository
        self.tags = tags
        self.movesTags = movesTags
        self.progress = progress
        transfer = BlobTransfer(server: server, repository: repository.text, kind: RepositoryKind.registry.rawValue)
    }

    /// Pushes files; what the store has is not sent, whoever brought it.
    ///
    /// The tags are set last, and all at once: who reads them sees the whole version or what was there before.
    ///
    /// - Throws: `ClientError`, `CancellationError`.
    package func push(
        _ files: ArtifactFiles,
        annotations: [String: String],
        reports: [ArtifactDraft.Report] = []
    ) async throws -> ArtifactPushResult {
        guard !files.isEmpty else { throw ClientError("there is nothing to push; name files or folders") }
        let plan = try ArtifactPlan(files, annotations: annotations)
        if plan.bundles.isEmpty { return try await push(plan, [], files, annotations, reports) }
        return try await withTemporaryFolder { folder in
            try await push(plan, try await makeBundles(plan, in: folder), files, annotations, reports)
        }
    }

    private func push(
        _ plan: ArtifactPlan,
        _ bundles: [ArtifactBundle],
        _ files: ArtifactFiles,
        _ annotations: [String: String],
        _ reports: [ArtifactDraft.Report]
    ) async throws -> ArtifactPushResult {
        var work = Work(plan: plan, bundles: bundles, reports: reports)
        try await learnDigests(&work)
        return try await send(work, files, annotations)
    }

    /// What is known so far.
    private struct Work {
        let plan: ArtifactPlan
        let bundles: [ArtifactBundle]
        let reports: [ArtifactDraft.Report]
        /// By place on the disk.
        var digests: [PathKey: Digest] = [:]
        /// Sent already, because it could not be there.
        var streamed: [ArtifactDraft.Blob] = []

        var bundleBlobs: [PathKey: ArtifactDraft.BundleBlob] {
            Dictionary(
                bundles.map { bundle in
                    let blob = ArtifactDraft.Blob(digest: bundle.digest, size: bundle.size)
                    return (PathKey(bundle.folder), .init(blob: blob, unpackedDigest: bundle.unpackedDigest))
                }
            ) { $1 }
        }
    }

    // MARK: - Before anything is sent

    private func makeBundles(_ plan: ArtifactPlan, in folder: String) async throws -> [ArtifactBundle] {
        let numbered = plan.bundles.enumerated().map { (number: $0.offset, bundle: $0.element) }
        return try await concurrentMap(numbered, width: width) { item in
            progress.note("packing \(item.bundle.folder) (\(item.bundle.content.files.count) files)")
            return try await ArtifactDisk.onThread { checkCancellation in
                try ArtifactBundle(
                    item.bundle,
                    to: "\(folder)/\(item.number).tar.gz",
                    checkCancellation: checkCancellation
                )
            }
        }
    }

    /// Finds the digest of every file.
    ///
    /// Large files of sizes that no blob of the store has must be sent anyway: they are hashed on their way.
    private func learnDigests(_ work: inout Work) async throws {
        let files = work.plan.loose.files
        let large = files.filter { $0.size >= BlobTransfer.largeSize }
        let sizes = Array(Set(large.map(\.size))).sorted()
        let known = sizes.isEmpty ? [] : try await transfer.haveSizes(sizes)
        // Of several such with one size the first is sent; the others may be the same.
        var streamedSizes: Set<Int64> = []
        let unknown = large.filter { !known.contains($0.size) && streamedSizes.insert($0.size).inserted }
        let streamedSources = Set(unknown.map { PathKey($0.source) })
        let hashed = (files + work.reports.flatMap(\.files)).filter { !streamedSources.contains(PathKey($0.source)) }
        for batch in try await concurrentMap(Self.batches(hashed), width: width, Self.hash) {
            work.digests.merge(batch) { $1 }
        }
        guard !unknown.isEmpty else { return }
        // What is new can't be in a version that is there.
        for tag in tags where !movesTags {
            if try await server.artifactDigest(of: repository, tag: tag) != nil { throw Self.taken(repository, tag) }
        }
        progress.setTotal(unknown.map(\.size).saturatingSum)
        for file in unknown {
            let digest = try await transfer.sendLarge(file.source, size: file.size, digest: nil, progress: progress.add)
            work.digests[PathKey(file.source)] = digest
            work.streamed.append(.init(digest: digest, size: file.size))
        }
    }

    private static func batches(_ files: [ArtifactFiles.File]) -> [[ArtifactFiles.File]] {
        var batches: [[ArtifactFiles.File]] = []
        var (batch, bytes): ([ArtifactFiles.File], Int64) = ([], 0)
        for file in files {
            batch.append(file)
            bytes += file.size
            guard batch.count >= hashBatchCountMax || bytes >= hashBatchBytesMax else { continue }
            batches.append(batch)
            (batch, bytes) = ([], 0)
        }
        return batch.isEmpty ? batches : batches + [batch]
    }

    private static func hash(_ files: [ArtifactFiles.File]) async throws -> [PathKey: Digest] {
        try await ArtifactDisk.onThread { checkCancellation in
            var digests: [PathKey: Digest] = [:]
            for file in files {
                let (digest, size) = try ArtifactDisk.digest(of: file.source, checkCancellation: checkCancellation)
                guard size == file.size else {
                    throw ArtifactDisk.changed(file.source)
                }
                digests[PathKey(file.source)] = digest
            }
            return digests
        }
    }

    // MARK: - Sending

    private func send(
        _ work: Work,
        _ files: ArtifactFiles,
        _ annotations: [String: String]
    ) async throws -> ArtifactPushResult {
        let config = try ArtifactDraft.config(of: work.plan)
        let manifest = try ArtifactDraft.manifest(
            of: work.plan,
            digests: work.digests,
            bundles: work.bundleBlobs,
            config: config,
            annotations: annotations
        )
        let digest = IncrementalHasher.digest(of: manifest)
        try await checkTags(digest)
        var outgoing = [OutgoingBlob([UInt8](config))] + Self.outgoing(work)
        var reportsManifest: Data?
        if !work.reports.isEmpty {
            let reportsConfig = try ArtifactDraft.reportsConfig(work.reports, digests: work.digests)
            reportsManifest = try ArtifactDraft.reportsManifest(
                work.reports,
                digests: work.digests,
                config: reportsConfig,
                subject: manifest
            )
            outgoing.append(OutgoingBlob([UInt8](reportsConfig)))
        }
        let sent = try await sendMissing(outgoing, streamed: work.streamed)
        if let reportsManifest { _ = try await put(reportsManifest, tags: []) }
        let answer = try await put(manifest, tags: tags)
        return ArtifactPushResult(
            repository: repository.text,
            digest: answer.digest,
            tags: answer.tags,
            fileCount: files.files.count,
            byteCount: files.byteCount,
            bundles: work.plan.bundles.map(\.folder),
            sentCount: sent.count,
            sentBytes: sent.map(\.size).saturatingSum
        )
    }

    /// Fails early when a tag names another version, which the server would say only in the end.
    private func checkTags(_ digest: Digest) async throws {
        for tag in tags where !movesTags {
            guard let other = try await server.artifactDigest(of: repository, tag: tag), other != digest else {
                continue
            }
            throw Self.taken(repository, tag)
        }
    }

    private static func taken(_ repository: RepositoryName, _ tag: Tag) -> ClientError {
        ClientError(
            "\(repository):\(tag) is another version already, and versions are never rewritten; push under another tag, "
                + "or move this one with --move"
        )
    }

    private static func outgoing(_ work: Work) -> [OutgoingBlob] {
        let files = work.plan.loose.files + work.reports.flatMap(\.files)
        let blobs = files.compactMap { file in
            work.digests[PathKey(file.source)].map { digest in
                OutgoingBlob(digest: digest, size: file.size, source: .file(path: file.source))
            }
        }
        return blobs
            + work.bundles.map { OutgoingBlob(digest: $0.digest, size: $0.size, source: .file(path: $0.path)) }
    }

    /// Sends what the server lacks; returns all that was sent.
    private func sendMissing(
        _ blobs: [OutgoingBlob],
        streamed: [ArtifactDraft.Blob]
    ) async throws -> [ArtifactDraft.Blob] {
        var seen = Set(streamed.map(\.digest))
        let distinct = blobs.filter { seen.insert($0.digest).inserted }
        let lacking = try await transfer.missing(distinct.map(\.digest))
        let missing = distinct.filter { lacking.contains($0.digest) }
        let small = missing.filter { $0.size < BlobTransfer.largeSize }
        let large = missing.filter { $0.size >= BlobTransfer.largeSize }
        // What goes in a pack is counted with the heads of its frames.
        let packSize = small.isEmpty ? 0 : PackWriter.length(of: small)
        progress.setTotal(([packSize] + large.map(\.size) + streamed.map(\.size)).saturatingSum)
        if !small.isEmpty { try await transfer.send(small, progress: progress.add) }
        for blob in large {
            guard case .file(let path) = blob.source else { continue }
            _ = try await transfer.sendLarge(path, size: blob.size, digest: blob.digest, progress: progress.add)
        }
        return streamed + missing.map { .init(digest: $0.digest, size: $0.size) }
    }

    private func put(_ manifest: Data, tags: [Tag]) async throws -> ArtifactTagsMessage {
        try await server.putArtifact(manifest, in: repository, tags: tags, movesTags: movesTags)
    }

    /// Makes a folder for a while where temporary files belong.
    private func withTemporaryFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        var template = Array("\(parent)/larder-push-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ArtifactDisk.failure("make a folder in", parent) }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await body(folder)
    }
}
