import Foundation
package import LarderCore
import Synchronization

/// What `larder cache save` and `restore` are asked for, with all templates made into text.
package struct CacheRequest: Sendable {
    /// As a person gives it.
    package struct Wish: Sendable {
        package var key: KeyTemplate?
        package var restoreKeys: [KeyTemplate]
        package var paths: [PathPattern]
        package var buildspec: Buildspec.Cache?
        package var isReplacing: Bool

        package init(
            key: KeyTemplate?,
            restoreKeys: [KeyTemplate],
            paths: [PathPattern],
            buildspec: Buildspec.Cache?,
            isReplacing: Bool
        ) {
            self.key = key
            self.restoreKeys = restoreKeys
            self.paths = paths
            self.buildspec = buildspec
            self.isReplacing = isReplacing
        }
    }

    /// Where and by whom it is asked.
    package struct Surroundings: Sendable {
        /// Where the job runs; absolute.
        package var folder: String
        package var environment: [String: String]
        package var job: JobEnvironment
        package var now: Timestamp
        /// The path of this program, for `codebuild-hash-files`.
        package var program: String

        package init(
            folder: String,
            environment: [String: String],
            job: JobEnvironment,
            now: Timestamp,
            program: String
        ) {
            self.folder = folder
            self.environment = environment
            self.job = job
            self.now = now
            self.program = program
        }
    }

    /// What the keys of a buildspec that names none begin with: each build saves anew, and restores what the last one saved.
    ///
    /// CodeBuild overwrites one cache then. Keys of their own need no right to overwrite, and a build that fails to save
    /// leaves the last one whole.
    private static let commonPrefix = "default-"

    package let key: String
    package let restoreKeys: [String]
    package let paths: [PathPattern]
    /// What tells entries of one key apart; empty: nothing.
    package let version: String
    package let isReplacing: Bool
    /// What is odd about the keys, in sentences.
    package let warnings: [String]
    /// The only thing to do; nil: both.
    package let action: Buildspec.Cache.Action?

    /// Makes the keys: hashes files and runs the commands in a buildspec's, off the pool of tasks.
    ///
    /// - Throws: `ClientError` when a key can't be made.
    package static func make(_ wish: Wish, in surroundings: Surroundings) async throws -> CacheRequest {
        try await WorkLane.run("key") { try CacheRequest(wish, in: surroundings) }
    }

    private init(_ wish: Wish, in surroundings: Surroundings) throws {
        let folder = surroundings.folder
        let unmatched = UnmatchedPatterns()
        let context = KeyContext(
            environment: surroundings.environment,
            branch: surroundings.job.branchOrTag,
            now: surroundings.now
        ) { (patterns) throws(ClientError) in
            let hash = try FileHash.hex(matching: patterns, in: folder)
            if hash.isEmpty { unmatched.note(patterns) }
            return hash
        }
        let buildspec = wish.buildspec
        paths = wish.paths.isEmpty ? buildspec?.paths.map(\.pattern) ?? [] : wish.paths
        // What a person names by key alone is found by key alone, whatever the paths are.
        version = buildspec == nil ? "" : CachePaths(paths).version
        action = buildspec?.action
        if let template = wish.key {
            key = try template.key(context)
        } else if let text = buildspec?.key {
            key = try KeyTemplate.checked(try Self.evaluate([text], in: surroundings)[0])
        } else {
            key = Self.commonPrefix + String(surroundings.now.milliseconds)
        }
        isReplacing = wish.isReplacing
        var restoreKeys = try wish.restoreKeys.map { try $0.key(context) }
        if wish.key == nil, buildspec?.key == nil { restoreKeys.append(Self.commonPrefix) }
        for text in try Self.evaluate(buildspec?.fallbackKeys ?? [], in: surroundings) {
            restoreKeys.append(try KeyTemplate.checked(text))
        }
        self.restoreKeys = restoreKeys
        warnings = unmatched.warnings
    }

    private static func evaluate(_ texts: [String], in surroundings: Surroundings) throws -> [String] {
        if texts.isEmpty { return [] }
        return try ShellText.withHashFilesProgram(larder: surroundings.program) { extraPath in
            try texts.map { text in
                try ShellText.evaluate(
                    text,
                    in: surroundings.folder,
                    environment: surroundings.environment,
                    extraPath: extraPath
                )
            }
        }
    }
}

/// Patterns of hashes in keys that no file matched.
private final class UnmatchedPatterns: Sendable {
    private let texts = Mutex<[String]>([])

    func note(_ patterns: [String]) {
        texts.withLock { $0.append(patterns.joined(separator: ", ")) }
    }

    var warnings: [String] {
        texts.withLock { $0 }.map { "no file matches \($0): the hash in the key is empty" }
    }
}
