package import APIMessages
import Foundation
import LarderCore

/// Saves files of this machine as an entry of a dependency cache.
package struct CacheSave: Sendable {
    package enum Outcome: Sendable, Equatable {
        case saved
        /// The key has exactly this content already.
        case unchanged
        /// The key has other content, and keeps it; why, in words.
        case taken(String)
    }

    package struct Result: Sendable {
        package var outcome: Outcome
        package var fileCount = 0
        package var byteCount: Int64 = 0
        /// Files whose contents the server did not have.
        package var sentFileCount = 0
        package var sentByteCount: Int64 = 0
        /// What was left out, in sentences.
        package var warnings: [String] = []
    }

    package let server: ServerClient
    package let repository: String
    package let key: CacheKey
    package let paths: CachePaths
    /// Whether other content of the key goes.
    package let isReplacing: Bool
    package let provenance: ProvenanceMessage
    package let scanner: TreeScanner

    package init(
        server: ServerClient,
        repository: String,
        key: CacheKey,
        paths: CachePaths,
        isReplacing: Bool,
        provenance: ProvenanceMessage,
        scanner: TreeScanner
    ) {
        self.server = server
        self.repository = repository
        self.key = key
        self.paths = paths
        self.isReplacing = isReplacing
        self.provenance = provenance
        self.scanner = scanner
    }

    /// Sends what the server lacks, and makes the entry.
    ///
    /// `plan` hears how many bytes are to be sent, `progress` of them as they go.
    ///
    /// - Throws: `ClientError`, also when there is nothing to save; `CancellationError`.
    package func run(
        plan: @escaping @Sendable (Int64) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> Result {
        // Whether a server answers at all is known before anything is read and hashed.
        let wanted = CacheFindMessage(key: key.text, restoreKeys: [], scopes: [key.scope], version: key.version)
        let present = try await server.findCache(in: repository, wanted)
        let scanner = scanner
        let scanned = try await WorkLane.run("scan") { [paths] in try scanner.scan(paths.roots) }
        let tree = scanned.tree
        guard !tree.entries.isEmpty else {
            let roots = paths.roots.map(\.root).joined(separator: ", ")
            throw ClientError("there is nothing to save: nothing exists at \(roots)")
        }
        var result = Result(outcome: .saved, fileCount: tree.fileCount, byteCount: tree.byteCount)
        result.warnings = scanned.warnings
        if let present {
            if present.contentDigest == tree.contentDigest.description {
                result.outcome = .unchanged
                return result
            }
            // Nothing need be sent to know what the answer will be.
            if !isReplacing {
                result.outcome = .taken(Self.keptText(key.text))
                return result
            }
        }
        let encoded = OutgoingBlob(tree.encoded())
        // What is missing after a first attempt was removed by the server meanwhile.
        for isLast in [false, true] {
            try await send(scanned, encoded, &result, plan: plan, progress: progress)
            let put = try await server.putCache(
                in: repository,
                key,
                tree: encoded.digest,
                isReplacing: isReplacing,
                provenance: provenance
            )
            switch put {
            case .stored: return result
            case .taken(let text):
                result.outcome = .taken(text)
                return result
            case .incomplete(let text):
                if isLast { throw ClientError(text) }
            }
        }
        return result
    }

    private static func keptText(_ key: String) -> String {
        "the key \(key) has other content already; keys are immutable (use --overwrite where the repository allows it, or "
            + "another key)"
    }

    private func send(
        _ scanned: ScannedTree,
        _ encoded: OutgoingBlob,
        _ result: inout Result,
        plan: (Int64) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let transfer = BlobTransfer(server: server, repository: repository, kind: "cache")
        let missing = try await transfer.missing([encoded.digest] + scanned.digests)
        var small = missing.contains(encoded.digest) ? [encoded] : []
        var large: [OutgoingBlob] = []
        for blob in scanned.tree.blobs where missing.contains(blob.digest) {
            guard let size = blob.size, let path = scanned.path(of: blob.digest) else { continue }
            let outgoing = OutgoingBlob(digest: blob.digest, size: size, source: .file(path: path))
            result.sentFileCount += 1
            result.sentByteCount += size
            if size < BlobTransfer.largeSize { small.append(outgoing) } else { large.append(outgoing) }
        }
        let largeBytes = large.reduce(0) { $0 + $1.size }
        plan((small.isEmpty ? 0 : PackWriter.length(of: small)) + largeBytes)
        try await transfer.send(small, progress: progress)
        for blob in large {
            guard case .file(let path) = blob.source else { continue }
            _ = try await transfer.sendLarge(path, size: blob.size, digest: blob.digest, progress: progress)
        }
    }
}
