import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Cache {
    struct Save: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Save files under a key.",
            discussion: """
                Keys are immutable: when the key has other content already, that stays, with a warning. The same \
                content saved twice is a success, and nothing is sent.

                The exit code is 0 also when the cache could not be saved, unless --strict is given.

                Examples:
                  larder cache save --key 'npm-{{ hash "package-lock.json" }}' \\
                    --path node_modules
                  larder cache save --key 'maven-{{ branch }}' \\
                    --path '~/.m2/repository' --overwrite
                  larder cache save --key 'jars-{{ date "%Y-%m" }}' \\
                    --path 'vendor/**/*.jar' --repo team/app
                  larder cache save --buildspec buildspec.yml
                """
        )

        @OptionGroup var options: ClientOptions
        @OptionGroup var selection: Selection
        @Flag(help: "Replace other content of the key, where the repository allows it.") var overwrite = false

        func validate() throws {
            guard !selection.paths.isEmpty || selection.buildspec != nil else {
                throw ValidationError("name what is to be saved by --path or --buildspec")
            }
        }

        func run() async throws {
            let start = ContinuousClock.now
            let request = try await selection.request(isReplacing: overwrite)
            let job = try selection.job()
            var report = Report(outcome: "skipped", key: request.key, scope: job.ownScope)
            guard request.action != .restore else {
                report.reason = "the buildspec says to restore only"
                return try finish(report, since: start)
            }
            try await cleaningUp { [report] in
                do {
                    let result = try await save(request, job)
                    warnOfUnknownScope(job)
                    try finish(Self.report(result, report), since: start)
                } catch let error as CancellationError {
                    throw error
                } catch {
                    if selection.strict { return try await describingErrors { throw error } }
                    warn("the cache was not saved: \(error)")
                    var report = report
                    report.outcome = "failed"
                    report.reason = "\(error)"
                    if options.json { try finish(report, since: start) }
                }
            }
        }

        private func save(_ request: CacheRequest, _ job: JobEnvironment) async throws -> CacheSave.Result {
            let save = CacheSave(
                server: try options.client(),
                repository: selection.place.name,
                key: CacheKey(request.key, scope: job.ownScope, version: request.version),
                paths: CachePaths(request.paths),
                isReplacing: request.isReplacing,
                provenance: ProvenanceMessage(
                    commit: job.commit,
                    branch: job.branch,
                    run: job.run,
                    actor: job.actor,
                    source: job.source,
                    ci: job.system
                ),
                scanner: TreeScanner(
                    base: FileManager.default.currentDirectoryPath,
                    home: homeFolder(),
                    indexFolder: indexFolder(),
                    onTrouble: .leaveOut
                )
            )
            let bar = TransferProgress(title: "save", total: nil, isQuiet: options.isQuiet)
            defer { bar.finish() }
            return try await save.run(plan: { bar.setTotal($0) }, progress: { bar.add($0) })
        }

        private static func report(_ result: CacheSave.Result, _ report: Report) -> Report {
            var report = report
            for text in result.warnings { warn(text) }
            switch result.outcome {
            case .saved: report.outcome = "saved"
            case .unchanged: report.outcome = "unchanged"
            case .taken(let text):
                report.outcome = "taken"
                report.reason = text
            }
            report.files = result.fileCount
            report.bytes = result.byteCount
            report.transferredFiles = result.sentFileCount
            report.transferredBytes = result.sentByteCount
            return report
        }

        private func finish(_ report: Report, since start: ContinuousClock.Instant) throws {
            var report = report
            report.seconds = start.duration(to: .now) / .seconds(1)
            if options.json {
                try printJSON(report)
            } else {
                switch report.outcome {
                case "saved": print("saved: \(report.key) (\(report.numbers))")
                case "unchanged":
                    print("unchanged: \(report.key) has this content already (\(report.numbers))")
                case "skipped": print("skipped: \(report.reason ?? "")")
                default: warn(report.reason ?? report.outcome)
                }
            }
            if report.outcome == "taken" && selection.strict { throw ExitCode.failure }
        }
    }
}
