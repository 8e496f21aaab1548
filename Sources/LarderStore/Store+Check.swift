import LarderBlobs
import LarderCore
import LarderMetadata
import Synchronization

/// What `larder check` found.
package struct CheckReport: Sendable, Equatable {
    package var blobCount: Int64 = 0
    package var byteCount: Int64 = 0
    /// Sentences for people; the first thousand.
    package var problems: [String] = []
    package var problemCount = 0
    /// Problems that `repair` settled.
    package var repairedCount = 0

    package var isClean: Bool { problemCount == 0 }

    mutating func add(_ problem: String, isRepaired: Bool) {
        problemCount += 1
        if isRepaired { repairedCount += 1 }
        if problems.count < 1000 { problems.append(isRepaired ? "\(problem) (repaired)" : problem) }
    }
}

/// How far a check is.
package struct CheckProgress: Sendable {
    /// `blobs`, `files` or `counters`.
    package let phase: String
    package let done: Int64
    package let total: Int64
}

extension Store {
    private static let blobsPerPage = 256

    /// Verifies every digest, every file against every row and every counter, while the store is in use.
    ///
    /// `isRepairing`: Quarantines damaged blobs, removes files without a row, computes wrong counters anew.
    ///
    /// `progress`: Called now and then.
    package func check(
        isRepairing: Bool,
        progress: @escaping @Sendable (CheckProgress) async throws -> Void
    ) async throws -> CheckReport {
        var report = CheckReport()
        for problem in try await read({ try $0.integrityProblems() }) {
            report.add(problem.description, isRepaired: false)
        }
        try await checkBlobs(&report, isRepairing: isRepairing, progress: progress)
        try await checkFiles(&report, isRepairing: isRepairing, progress: progress)
        try await checkCounters(&report, isRepairing: isRepairing, progress: progress)
        return report
    }

    private func checkBlobs(
        _ report: inout CheckReport,
        isRepairing: Bool,
        progress: @Sendable (CheckProgress) async throws -> Void
    ) async throws {
        let total = try await read { try $0.account() }.blobCount
        var cursor: Int64 = 0
        while true {
            let after = cursor
            let page = try await read { try $0.blobs(after: after, atMost: Self.blobsPerPage) }
            guard let last = page.last else { return }
            cursor = last.row.id
            for (row, bytes) in page {
                // Quarantine is what a repair can do: the blob misses until somebody uploads it again.
                if row.isQuarantined { continue }
                report.blobCount += 1
                report.byteCount += row.size
                let damage = try await pool.run { try self.damage(of: row, inlineBytes: bytes) }
                guard let damage else { continue }
                // Replaced or removed meanwhile: no damage.
                guard try await read({ try $0.blob(row.digest) }) == row else { continue }
                let isRepaired = isRepairing ? try await committer.commit { try $0.quarantine(row) } : false
                report.add("\(row.digest) is damaged: \(damage)", isRepaired: isRepaired)
            }
            try await progress(
                CheckProgress(phase: "blobs", done: report.blobCount, total: max(total, report.blobCount))
            )
        }
    }

    /// What is wrong with a blob's bytes; nil when nothing is.
    ///
    /// Blocks.
    private func damage(of row: BlobRow, inlineBytes: [UInt8]?) throws -> String? {
        guard let generation = row.generation else {
            guard let inlineBytes else { return "its bytes are missing" }
            return IncrementalHasher.digest(of: inlineBytes) == row.digest ? nil : "its bytes are others"
        }
        do {
            guard let file = try blobs.open(row.digest, generation: generation, size: row.size) else {
                return "its file is missing or has another length"
            }
            return try file.digest() == row.digest ? nil : "its file has other bytes"
        } catch StoreError.corrupt(let what) {
            return what
        } catch StoreError.io(_, _, let code) {
            return "its file can't be read (error \(code))"
        }
    }

    private func checkFiles(
        _ report: inout CheckReport,
        isRepairing: Bool,
        progress: @Sendable (CheckProgress) async throws -> Void
    ) async throws {
        for folder in 0..<256 {
            let files = try await pool.run { [blobs] in try blobs.storedFiles(inFolder: folder) }
            for file in files {
                guard let blob = file.blob else {
                    report.add("\(file.relativePath) is no file of the store", isRepaired: false)
                    continue
                }
                let isOrphan = try await pool.run { [blobs, metadata] in
                    // Asked in this order, an upload that is finishing is seen in one place or the other.
                    if try blobs.isUploading(blob.digest, generation: blob.generation) { return false }
                    if try metadata.read({ try $0.knowsFile(blob.digest, generation: blob.generation) }) {
                        return false
                    }
                    return try blobs.exists(file.relativePath)
                }
                guard isOrphan else { continue }
                if isRepairing {
                    // The commit that took the file's row may not be durable yet (D1).
                    try await committer.barrier()
                    try await pool.run { [blobs] in try blobs.remove(file.relativePath) }
                }
                report.add("\(file.relativePath) belongs to no blob", isRepaired: isRepairing)
            }
            try await progress(CheckProgress(phase: "files", done: Int64(folder + 1), total: 256))
        }
    }

    private func checkCounters(
        _ report: inout CheckReport,
        isRepairing: Bool,
        progress: @Sendable (CheckProgress) async throws -> Void
    ) async throws {
        var problems = try await read { try $0.storeProblems() }
        let last = try await read { try $0.lastBlobID() }
        var start: Int64 = 1
        while start <= last {
            let range = start...(start + 9999)
            problems += try await read { try $0.linkProblems(in: range) }
            start += 10_000
            try await progress(CheckProgress(phase: "counters", done: min(start, last), total: last))
        }
        for repository in directory.all {
            problems += try await read { try $0.counterProblems(of: repository) }
        }
        if isRepairing && !problems.isEmpty {
            try await committer.commit { try $0.repairCounters() }
            let (account, repositories) = try await read { (try $0.account(), try $0.repositories()) }
            self.account.correct(used: account.usedBytes)
            directory.correct(repositories)
        }
        for problem in problems {
            report.add(problem.description, isRepaired: isRepairing)
        }
    }

    /// Reads in one snapshot on the file pool.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (MetadataSnapshot) throws -> Value
    ) async throws -> Value {
        try await metadata.read(on: pool, body)
    }
}
