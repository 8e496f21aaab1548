package import APIMessages
import Dispatch
import Foundation
import LarderCore

/// Restores the files of an entry of a dependency cache on this machine: all of them, or none.
package struct CacheRestore: Sendable {
    package enum Outcome: Sendable, Equatable {
        case exact
        /// An entry whose key begins with this restore key.
        case fallback(restoreKey: String)
        /// `reason`: Why, where more is known than that there is no entry.
        case miss(reason: String?)
    }

    package struct Result: Sendable {
        package var outcome: Outcome
        /// What was restored; nil: nothing.
        package var entry: CacheEntryMessage?
        package var fileCount = 0
        package var byteCount: Int64 = 0
        package var report = RestoreReport()
    }

    /// Attempts after a first one that the server lost something for.
    private static let repetitionCountMax = 2

    private let server: ServerClient
    private let repository: String
    private let wanted: CacheFindMessage
    private let paths: CachePaths?
    private let base: String
    private let home: String?
    private let indexFolder: String?

    /// `paths`: Where files may be restored to; nil: to where they were, below `base`.
    ///
    /// `base`: The folder that relative paths are below, as an absolute path. `home`: What `~` is. `indexFolder`: As for
    /// `TreeScanner`.
    package init(
        server: ServerClient,
        repository: String,
        wanted: CacheFindMessage,
        paths: CachePaths?,
        base: String,
        home: String?,
        indexFolder: String?
    ) {
        self.server = server
        self.repository = repository
        self.wanted = wanted
        self.paths = paths
        self.base = base
        self.home = home
        self.indexFolder = indexFolder
    }

    /// Finds an entry and restores it.
    ///
    /// What breaks off or lacks something leaves nothing behind. The former is begun again as transfers are, the latter
    /// twice; then it is a miss with a reason. `plan` hears how many bytes come, `progress` of them as they do.
    ///
    /// - Throws: `ClientError` when the server can't be asked, or the files can't be put in place; `CancellationError`.
    package func run(
        plan: @escaping @Sendable (Int64) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> Result {
        var retrying = Retrying(server)
        var lossCount = 0
        while true {
            do {
                return try await attempt(plan: plan, progress: progress)
            } catch {
                if Task.isCancelled { throw CancellationError() }
                // What was lost is a miss; a server that can't answer is none.
                guard error is RestoreFailure else {
                    try await retrying.wait(after: error)
                    continue
                }
                guard lossCount < Self.repetitionCountMax else { return Result(outcome: .miss(reason: "\(error)")) }
                try await Task.sleep(for: server.retryPolicy.firstDelay * (1 << lossCount))
                lossCount += 1
            }
        }
    }

    private func attempt(
        plan: @escaping @Sendable (Int64) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> Result {
        var roots = paths?.roots
        if roots == nil {
            // Which roots it has is known only from the entry itself.
            guard let entry = try await server.findCache(in: repository, wanted) else {
                return Result(outcome: .miss(reason: nil))
            }
            roots = try await tree(of: entry).roots.filter { !RootLocation.leavesBase($0) }.map { TreePath($0) }
        }
        let scanner = TreeScanner(base: base, home: home, indexFolder: indexFolder, onTrouble: .leaveOut)
        let local = try await WorkLane.run("scan") { [roots] in try scanner.scan(roots ?? []) }
        let restorer = TreeRestorer(
            base: base,
            home: home,
            allowedRoots: paths?.roots.map(\.root) ?? [],
            local: local.tree.entries.isEmpty ? nil : local,
            indexFolder: indexFolder
        )
        return try await withTaskCancellationHandler {
            do {
                return try await receive(into: restorer, plan: plan, progress: progress)
            } catch {
                try? await WorkLane.run("abandon") { restorer.abandon() }
                throw error
            }
        } onCancel: {
            // It waits for what is being done now.
            DispatchQueue.global().async { restorer.abandon() }
        }
    }

    private func receive(
        into restorer: TreeRestorer,
        plan: @escaping @Sendable (Int64) -> Void,
        progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> Result {
        let sink = CacheRestoreSink(restorer, plan: plan)
        let body = [UInt8](try JSONEncoder().encode(wanted)) + [UInt8(ascii: "\n")] + BlobTransfer.list(restorer.have)
        let transfer = BlobTransfer(server: server, repository: repository, kind: "cache")
        let path = ServerClient.contentPath("caches", repository, "restore")
        guard try await transfer.receivePack(path: path, body: body, into: sink, progress: progress) else {
            return Result(outcome: .miss(reason: nil))
        }
        let (entry, tree) = try sink.received()
        let report = try await WorkLane.run("restore") { try restorer.finish() }
        return Result(
            outcome: outcome(for: entry),
            entry: entry,
            fileCount: tree.fileCount,
            byteCount: tree.byteCount,
            report: report
        )
    }

    private func outcome(for entry: CacheEntryMessage) -> Outcome {
        if entry.match == "exact" || entry.match == nil && entry.key == wanted.key { return .exact }
        return .fallback(restoreKey: wanted.restoreKeys.first { entry.key.hasPrefix($0) } ?? wanted.key)
    }

    private func tree(of entry: CacheEntryMessage) async throws -> FileTree {
        guard let digest = Digest(entry.tree) else { throw BlobTransfer.notUnderstood }
        let sink = TreeSink()
        let transfer = BlobTransfer(server: server, repository: repository, kind: "cache")
        do {
            try await transfer.fetch([digest], into: sink) { _ in }
        } catch is ClientError where sink.isMissing {
            // What is lost now may be found at another attempt, as another entry.
            throw RestoreFailure.lost(digest)
        }
        return try sink.tree()
    }
}
