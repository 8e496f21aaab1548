import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

struct Cache: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Save and restore the files that a job would otherwise fetch or make anew.",
        discussion: """
            A cache never fails a build: what goes wrong is a warning, unless --strict is given. Only files that the \
            server does not have are sent, whichever key, branch or artifact brought them there, and only those that \
            are not in place already are fetched.

            Keys are templates:
              {{ hash "package-lock.json" "**/yarn.lock" }}   the contents of files
              {{ os }}  {{ arch }}                            the machine
              {{ env "NAME" }}  {{ env "NAME" "otherwise" }}  a variable
              {{ branch }}                                    the branch, or the tag
              {{ date "%Y-%m" }}                              the date (UTC)

            Examples:
              larder cache restore --key 'npm-{{ hash "package-lock.json" }}' \\
                --restore-key npm-
              larder cache save --key 'npm-{{ hash "package-lock.json" }}' \\
                --path node_modules
              larder cache save --buildspec buildspec.yml
              larder cache ls --prefix npm-
            """,
        subcommands: [Save.self, Restore.self, List.self, Remove.self, Stats.self, Hash.self],
    )

    /// Which repository, for all commands about caches.
    struct Place: ParsableArguments {
        @Option(help: "Name of the repository. Also: LARDER_CACHE_REPO. Default: main.")
        var repo: String?

        var name: String { repo ?? processVariables()["LARDER_CACHE_REPO"] ?? "main" }

        func validate() throws {
            guard RepositoryName(name) != nil else {
                throw ValidationError("\(name) is no name of a repository; one is written such as team/app")
            }
        }
    }

    /// Which entry, for `save` and `restore`.
    struct Selection: ParsableArguments {
        @OptionGroup var place: Place

        @Option(help: "Key of the entry, a template.", transform: { try KeyTemplate($0) })
        var key: KeyTemplate?

        @Option(
            name: .customLong("path"),
            help: "A file, a folder, or a pattern such as vendor/**/*.jar. Can be repeated.",
            transform: { try PathPattern($0) }
        )
        var paths: [PathPattern] = []

        @Option(help: "Take paths, key and fallback keys from the cache section of this file.")
        var buildspec: String?

        @Option(help: "Scope of the job, such as refs/heads/main. Also: LARDER_SCOPE. Default: the branch.")
        var scope: String?

        @Option(help: "Branch of the job, where nothing else tells it.")
        var branch: String?

        @Flag(help: "Fail when the cache can't be used.")
        var strict = false

        func validate() throws {
            if key == nil && buildspec == nil { throw ValidationError("name the entry by --key or --buildspec") }
            if branch?.isEmpty == true { throw ValidationError("--branch is empty") }
        }

        func job() throws -> JobEnvironment {
            try JobEnvironment.current(
                environment: ProcessInfo.processInfo.environment,
                overrides: JobEnvironment.Overrides(scope: scope, branch: branch),
                folder: FileManager.default.currentDirectoryPath
            )
        }

        /// What is asked for.
        ///
        /// - Throws: `ExitCode`, as what is wrong here is wrong in the command line or in the job's files.
        func request(restoreKeys: [KeyTemplate] = [], isReplacing: Bool = false) async throws -> CacheRequest {
            do {
                let wish = CacheRequest.Wish(
                    key: key,
                    restoreKeys: restoreKeys,
                    paths: paths,
                    buildspec: try readBuildspec(),
                    isReplacing: isReplacing
                )
                let surroundings = CacheRequest.Surroundings(
                    folder: FileManager.default.currentDirectoryPath,
                    environment: ProcessInfo.processInfo.environment,
                    job: try job(),
                    now: Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)),
                    program: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
                )
                let request = try await CacheRequest.make(wish, in: surroundings)
                for warning in request.warnings { warn(warning) }
                return request
            } catch let error as ClientError {
                writeError("Error: \(error)")
                throw ExitCode.validationFailure
            }
        }

        private func readBuildspec() throws -> Buildspec.Cache? {
            guard let buildspec else { return nil }
            guard let data = FileManager.default.contents(atPath: buildspec),
                let text = String(data: data, encoding: .utf8)
            else { throw ClientError("can't read \(buildspec)") }
            guard let cache = try Buildspec(text, path: buildspec).cache else {
                throw ClientError("\(buildspec) has no section `cache`")
            }
            return cache
        }
    }

    /// What a command says at the end.
    struct Report: Encodable, Sendable {
        /// `saved`, `unchanged`, `taken`; `exact`, `fallback`, `miss`; `skipped`; `failed`.
        var outcome: String
        var key: String
        var matchedKey: String?
        var scope: String?
        var files: Int = 0
        var bytes: Int64 = 0
        var transferredFiles: Int = 0
        var transferredBytes: Int64 = 0
        var seconds: Double = 0
        /// Why, where there is a reason to tell.
        var reason: String?

        /// `20,000 files, 190.7 MiB; 18 files and 1.2 MiB transferred`.
        var numbers: String {
            "\(grouped(files)) file\(files == 1 ? "" : "s"), \(ByteCount(bytes)); \(grouped(transferredFiles)) "
                + "file\(transferredFiles == 1 ? "" : "s") and \(ByteCount(transferredBytes)) transferred"
        }
    }

    /// Where digests of files are remembered from one command to the next.
    static func indexFolder() -> String {
        // The XDG base directory specification: what is not absolute is passed over.
        let folder = processVariables()["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        return "\(folder ?? "\(homeFolder())/.cache")/larder/index"
    }

    /// A warning, which is no failure.
    static func warn(_ text: String) {
        writeError("warning: \(text)")
    }

    /// Warns of the scope of a job of which nothing told the branch.
    static func warnOfUnknownScope(_ job: JobEnvironment) {
        guard !job.isScopeKnown else { return }
        warn(
            "nothing tells which branch this job is of, so its scope is '\(job.ownScope)', which no branch reads; "
                + "LARDER_SCOPE sets another, such as refs/heads/main"
        )
    }
}

/// A number with a comma between each three digits.
func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
        if index > 0 && index % 3 == 0 && digit != "-" { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
