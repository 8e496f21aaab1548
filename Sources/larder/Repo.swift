import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

struct Repo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, create, change, empty and remove repositories.",
        discussion: """
            Examples:
              larder repo ls
              larder repo create android --quota 50GiB
              larder repo set android --quota none --validate false
              larder repo create team/app --kind registry --immutable-tags true \\
                --mutable-tag latest --mutable-tag 'pr-*'
              larder repo set team/app --undo-time 7d --prune-schedule '30 4 * * *'
              larder repo flush android
            """,
        subcommands: [List.self, Show.self, Create.self, Set.self, Flush.self, Remove.self],
    )

    /// What can be set, for `create` and `set`.
    struct Settings: ParsableArguments {
        @Option(help: "Most bytes that it may hold, such as 50GiB; none: no limit of its own.")
        var quota: String?

        @Option(help: "Most entries that it may hold; none: any number.")
        var quotaEntries: String?

        @Option(help: "Whether the content of entries is checked (Bazel's action results): true or false.")
        var validate: Bool?

        @Option(help: "Of a registry: whether manifests may name content that is not there: true or false.")
        var allowSparse: Bool?

        @Option(
            help: "Of a cache: whether `larder cache save --overwrite` may replace what was saved first: true or false."
        )
        var allowOverwrite: Bool?

        @Option(help: "Of a registry: whether a tag stays with the image that it was given to first: true or false.")
        var immutableTags: Bool?

        @Option(
            name: .customLong("mutable-tag"),
            help: "Of a registry: a tag, or a pattern with *, that moves nevertheless; none: no tag. Can be repeated."
        )
        var mutableTags: [String] = []

        @Option(
            help: "How long what was removed can be brought back, such as 48h, or 0; default: as the server has it."
        )
        var undoTime: String?

        @Option(help: "When its policy is applied: a cron expression; off: never; default: as the server has it.")
        var pruneSchedule: String?

        func change(kind: String? = nil) throws -> RepositoryChangeMessage {
            var change = RepositoryChangeMessage(kind: kind, validatesContent: validate)
            change.allowsSparse = allowSparse
            change.allowsOverwrite = allowOverwrite
            change.tagsAreImmutable = immutableTags
            if !mutableTags.isEmpty { change.mutableTags = mutableTags.filter { $0 != "none" } }
            if let quota {
                guard let count = quota == "none" ? ByteCount(-1) : ByteCount(quota) else {
                    throw ValidationError("--quota is a size such as 50GiB, or none")
                }
                change.quotaBytes = count.bytes
            }
            if let quotaEntries {
                guard let count = quotaEntries == "none" ? -1 : Int64(quotaEntries), count >= -1 else {
                    throw ValidationError("--quota-entries is a whole number, or none")
                }
                change.quotaEntries = count
            }
            if let undoTime {
                guard let time = undoTime == "default" ? Duration.seconds(-1) : Duration(text: undoTime) else {
                    throw ValidationError("--undo-time is a duration such as 48h, 0, or default")
                }
                change.undoTimeSeconds = time.wholeMilliseconds / 1000
            }
            if let pruneSchedule { change.pruneSchedule = pruneSchedule == "default" ? "" : pruneSchedule }
            return change
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List repositories with their sizes.",
            discussion: "Example:\n  larder repo ls --json"
        )
        @OptionGroup var location: ServerLocation
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let json = json
            try await location.withServer { client in
                let repositories = try await client.repositories()
                if json { return try printJSON(repositories) }
                if repositories.isEmpty { return print("no repositories yet; the first write to one creates it") }
                printRepositories(repositories)
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one repository.",
            discussion: "Example:\n  larder repo show main"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let (name, json) = (name, json)
            try await location.withServer { client in
                let repository = try await client.repository(name)
                if json { return try printJSON(repository) }
                print("name      \(repository.name)")
                print("kind      \(repository.kind)")
                print("size      \(ByteCount(repository.usedBytes))")
                print("entries   \(repository.entryCount)")
                print("quota     \(quota(of: repository))")
                print("undo      \(repository.undoTimeSeconds.map { Duration.seconds($0).shortText } ?? "default")")
                print("schedule  \(repository.pruneSchedule ?? "default")")
                print("policy    \(repository.hasPolicy ? "yes" : "none")")
                guard repository.kind == "registry" else {
                    print("validate  \(repository.validatesContent)")
                    return print(
                        "overwrite \(repository.allowsOverwrite ? "allowed" : "no: keys of caches are immutable")"
                    )
                }
                let movable = repository.mutableTags.joined(separator: " ")
                print("sparse    \(repository.allowsSparse)")
                print("tags      \(repository.tagsAreImmutable ? "immutable" : "movable")", terminator: "")
                print(repository.tagsAreImmutable && !movable.isEmpty ? ", but for \(movable)" : "")
            }
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a repository.",
            discussion: "Example:\n  larder repo create android --quota 50GiB"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository: lowercase letters and digits, joined by . _ - and separated by /.")
        var name: String
        @Option(help: "Kind of the repository: cache, registry or bucket.") var kind = "cache"
        @OptionGroup var settings: Settings

        func run() async throws {
            let change = try settings.change(kind: kind)
            let name = name
            try await location.withServer { client in
                let repository = try await client.createRepository(name, change)
                print("created \(repository.kind) \(repository.name)")
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a repository's settings.",
            discussion: """
                Examples:
                  larder repo set android --quota none --validate false
                  larder repo set team/app --immutable-tags true --mutable-tag latest
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @OptionGroup var settings: Settings

        func run() async throws {
            let change = try settings.change()
            let name = name
            try await location.withServer { client in
                let repository = try await client.setRepository(name, change)
                print(
                    "\(repository.name): quota \(quota(of: repository)), validate \(repository.validatesContent)"
                        + (repository.allowsOverwrite ? ", overwriting allowed" : "")
                )
                if let seconds = repository.undoTimeSeconds {
                    print("undo time: \(Duration.seconds(seconds).shortText)")
                }
                if let schedule = repository.pruneSchedule { print("prune schedule: \(schedule)") }
            }
        }
    }

    struct Flush: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove everything in a repository, but for what is pinned.",
            discussion: """
                This is final: the space is free at once, and `larder restore` brings nothing back. What is pinned \
                stays.

                Example:
                  larder repo flush main
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String

        func run() async throws {
            let name = name
            try await location.withServer { client in
                let result = try await client.flushRepository(name)
                print("removed \(ByteCount(result.freedBytes)) from \(name)")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove a repository and everything in it.",
            discussion: "Example:\n  larder repo rm old-branch"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String

        func run() async throws {
            let name = name
            try await location.withServer { client in
                try await client.removeRepository(name)
                print("removed \(name)")
            }
        }
    }
}
