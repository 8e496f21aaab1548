import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Cache {
    /// Entries that are shown at most.
    private static let listCountMax = 10_000

    /// All entries of which some hold, up to a number.
    private static func entries(
        in repository: String,
        prefix: String?,
        scope: String?,
        atMost limit: Int,
        _ client: ServerClient
    ) async throws -> [CacheEntryMessage] {
        var entries: [CacheEntryMessage] = []
        var after: String?
        repeat {
            let page = try await client.cacheEntries(in: repository, prefix: prefix, scope: scope, after: after)
            entries += page.entries
            after = page.next
        } while after != nil && entries.count < limit
        return Array(entries.prefix(limit))
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List the entries of a cache.",
            discussion: """
                Examples:
                  larder cache ls
                  larder cache ls --prefix npm- --scope refs/heads/main --json
                """
        )
        @OptionGroup var options: ClientOptions
        @OptionGroup var place: Place
        @Option(help: "Show only keys that begin so.") var prefix: String?
        @Option(help: "Show only entries of this scope, such as refs/heads/main.") var scope: String?

        func run() async throws {
            try await describingErrors {
                let entries = try await Cache.entries(
                    in: place.name,
                    prefix: prefix,
                    scope: scope,
                    atMost: listCountMax,
                    options.client()
                )
                if options.json { return try printJSON(entries) }
                if entries.isEmpty { return print("no entries in \(place.name)") }
                // Keys are whole, because they are what is pasted to remove one.
                printTable(
                    ["KEY", "SCOPE", "FILES", "SIZE", "SAVED", "LAST USED"],
                    entries.map { entry in
                        [
                            entry.key, entry.scope.isEmpty ? "-" : entry.scope, grouped(Int(clamping: entry.fileCount)),
                            ByteCount(entry.byteCount).description, age(entry.savedAt), age(entry.lastUsedAt),
                        ]
                    }
                )
                if entries.count >= listCountMax { print("and perhaps more") }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove entries of a cache by their keys.",
            discussion: """
                Without --scope a key is removed in every scope that has it. The exit code is 1 when a key is not there.

                Examples:
                  larder cache rm npm-3f2a
                  larder cache rm maven-main gradle-main --scope refs/heads/main
                """
        )
        @OptionGroup var options: ClientOptions
        @OptionGroup var place: Place
        @Argument(help: "The keys.") var keys: [String]
        @Option(help: "Remove only in this scope, such as refs/heads/main.") var scope: String?

        func run() async throws {
            try await describingErrors {
                let client = try options.client()
                var removed: [CacheEntryMessage] = []
                var absent: [String] = []
                for key in keys {
                    let found = try await Cache.entries(
                        in: place.name,
                        prefix: key,
                        scope: scope,
                        atMost: .max,
                        client
                    ).filter { $0.key == key }
                    if found.isEmpty { absent.append(key) }
                    for entry in found {
                        let name = CacheKey(entry.key, scope: entry.scope, version: entry.version)
                        if try await client.removeCache(in: place.name, name) { removed.append(entry) }
                    }
                }
                if options.json {
                    try printJSON(removed)
                } else {
                    for entry in removed {
                        let scope = entry.scope.isEmpty ? "" : " of \(printable(entry.scope))"
                        print("removed \(printable(entry.key))\(scope)")
                    }
                }
                guard absent.isEmpty else {
                    throw ClientError("not in \(place.name): \(absent.joined(separator: ", "))")
                }
            }
        }
    }

    struct Stats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how much a cache holds.",
            discussion: """
                What entries have in common is stored once, so the bytes stored are fewer than those of the entries.

                Examples:
                  larder cache stats
                  larder cache stats --repo team/app --json
                """
        )
        @OptionGroup var options: ClientOptions
        @OptionGroup var place: Place

        private struct Summary: Encodable {
            var repository: String
            var entries: Int
            var bytes: Int64
            var storedBytes: Int64?
            var oldest: String?
            var lastUsed: String?
            /// The scope with the most entries.
            var largestScope: String?
            var largestScopeEntries: Int
        }

        func run() async throws {
            try await describingErrors {
                let client = try options.client()
                let entries = try await Cache.entries(
                    in: place.name,
                    prefix: nil,
                    scope: nil,
                    atMost: .max,
                    client
                )
                // The one open answer that tells what a repository takes.
                let stored = try await client.status().repositories.first { $0.name == place.name }
                let scopes = Dictionary(grouping: entries, by: \.scope).mapValues(\.count)
                let largest = scopes.max { ($0.value, $1.key) < ($1.value, $0.key) }
                let summary = Summary(
                    repository: place.name,
                    entries: entries.count,
                    bytes: entries.reduce(0) { $0 + $1.byteCount },
                    storedBytes: stored?.usedBytes,
                    oldest: entries.map(\.savedAt).min(),
                    lastUsed: entries.map(\.lastUsedAt).max(),
                    largestScope: largest?.key,
                    largestScopeEntries: largest?.value ?? 0
                )
                if options.json { return try printJSON(summary) }
                print("repository  \(summary.repository)")
                print("entries     \(grouped(summary.entries))")
                print("content     \(ByteCount(summary.bytes))")
                print("stored      \(summary.storedBytes.map { ByteCount($0).description } ?? "-")")
                print("oldest      \(summary.oldest.map(age) ?? "-")")
                print("last used   \(summary.lastUsed.map(age) ?? "-")")
                guard let scope = summary.largestScope else { return }
                print("most in     \(scope.isEmpty ? "no scope" : printable(scope)), \(summary.largestScopeEntries)")
            }
        }
    }

    struct Hash: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the hash of files, as {{ hash … }} in a key gives it.",
            discussion: """
                The SHA-256 over the digests of the files that match, in the order of their paths; nothing when none \
                matches. A pattern with ! in front leaves files out.

                Examples:
                  larder cache hash package-lock.json
                  larder cache hash '**/pom.xml' '!**/target/**'
                """
        )
        @Argument(help: "Patterns of paths below the working folder.") var patterns: [String]

        func run() throws {
            do {
                let hash = try FileHash.hex(matching: patterns, in: FileManager.default.currentDirectoryPath)
                if hash.isEmpty { warn("no file matches \(patterns.joined(separator: ", "))") }
                print(hash)
            } catch {
                throw ValidationFailure(error.description)
            }
        }
    }
}
