import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Cache {
    struct Restore: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Restore files by a key, or by what keys begin with.",
            discussion: """
                The entry of the key is looked for, then for each restore key the newest entry whose key begins so; \
                each in the scopes of the job in order: its own branch, the one it goes to, the default branch. Files \
                are put in place only when all of them are there and verified. Those that are in place already are not \
                fetched, and files that are not in the cache stay.

                Files of an entry that lie outside the working folder, such as ~/.m2, are restored only where --path \
                (or the buildspec) names them.

                The exit code is 0 also for a miss and when the cache can't be reached. With --exit-code it is 0 for \
                an exact hit, 3 for a fallback hit, 4 for a miss, 5 when the server could not be asked or the files \
                could not be put in place. With --strict the latter is a failure (1).

                Examples:
                  larder cache restore --key 'npm-{{ hash "package-lock.json" }}' \\
                    --restore-key npm-
                  larder cache restore --key maven --path '~/.m2/repository'
                  larder cache restore --key maven --exit-code || mvn dependency:go-offline
                  larder cache restore --buildspec buildspec.yml --json
                """
        )

        @OptionGroup var options: ClientOptions
        @OptionGroup var selection: Selection
        @Option(
            name: .customLong("restore-key"),
            help: "What a key begins with that will do as well, a template. Can be repeated, in order.",
            transform: { try KeyTemplate($0) }
        )
        var restoreKeys: [KeyTemplate] = []
        @Option(
            name: .customLong("read-scope"),
            help: "A scope to look into, instead of those of the job. Can be repeated, in order."
        )
        var readScopes: [String] = []
        @Flag(help: "Tell by the exit code what was found.") var exitCode = false

        func run() async throws {
            let start = ContinuousClock.now
            let request = try await selection.request(restoreKeys: restoreKeys)
            let job = try selection.job()
            let scopes = readScopes.isEmpty ? job.scopes : readScopes
            var report = Report(outcome: "skipped", key: request.key)
            guard request.action != .save else {
                report.reason = "the buildspec says to save only"
                return try finish(report, since: start)
            }
            try await cleaningUp { [report] in
                do {
                    let result = try await restore(request, scopes)
                    if readScopes.isEmpty { warnOfUnknownScope(job) }
                    try finish(Self.report(result, report), since: start)
                } catch let error as CancellationError {
                    throw error
                } catch let error as ExitCode {
                    throw error
                } catch {
                    if selection.strict && !exitCode { return try await describingErrors { throw error } }
                    warn("the cache was not restored: \(error)")
                    var report = report
                    report.outcome = "failed"
                    report.reason = "\(error)"
                    try finish(report, since: start)
                }
            }
        }

        private func restore(_ request: CacheRequest, _ scopes: [String]) async throws -> CacheRestore.Result {
            let restore = CacheRestore(
                server: try options.client(),
                repository: selection.place.name,
                wanted: CacheFindMessage(
                    key: request.key,
                    restoreKeys: request.restoreKeys,
                    scopes: scopes,
                    version: request.version
                ),
                paths: request.paths.isEmpty ? nil : CachePaths(request.paths),
                base: FileManager.default.currentDirectoryPath,
                home: homeFolder(),
                indexFolder: indexFolder()
            )
            let bar = TransferProgress(title: "restore", total: nil, isQuiet: options.isQuiet)
            defer { bar.finish() }
            return try await restore.run(plan: { bar.setTotal($0) }, progress: { bar.add($0) })
        }

        private static func report(_ result: CacheRestore.Result, _ report: Report) -> Report {
            var report = report
            switch result.outcome {
            case .exact: report.outcome = "exact"
            case .fallback(let restoreKey):
                report.outcome = "fallback"
                report.reason = restoreKey
            case .miss(let reason):
                report.outcome = "miss"
                report.reason = reason
            }
            report.matchedKey = result.entry?.key
            report.scope = result.entry?.scope
            report.files = result.fileCount
            report.bytes = result.byteCount
            report.transferredFiles = result.report.receivedBlobCount
            report.transferredBytes = result.report.receivedByteCount
            return report
        }

        private func finish(_ report: Report, since start: ContinuousClock.Instant) throws {
            var report = report
            report.seconds = start.duration(to: .now) / .seconds(1)
            if report.outcome == "miss", let reason = report.reason {
                warn("an entry was found and could not be restored: \(reason)")
            }
            if options.json {
                try printJSON(report)
            } else {
                print(report)
            }
            guard exitCode else { return }
            switch report.outcome {
            case "fallback": throw ExitCode(3)
            case "miss": throw ExitCode(4)
            case "failed": throw ExitCode(5)
            default: break
            }
        }

        private func print(_ report: Report) {
            switch report.outcome {
            case "exact": Swift.print("exact hit: \(report.key) (\(report.numbers))")
            case "fallback":
                Swift.print(
                    "fallback hit: \(printable(report.matchedKey ?? "")) for restore key \(report.reason ?? "") "
                        + "(\(report.numbers))"
                )
            case "miss":
                let more = report.reason == nil ? "" : " that can be restored"
                Swift.print("miss: no entry for \(report.key)\(more)")
            case "skipped": Swift.print("skipped: \(report.reason ?? "")")
            default: break
            }
        }
    }
}
