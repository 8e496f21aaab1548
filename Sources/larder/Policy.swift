import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore
import LarderServer

struct Policy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show, set, check and try out what repositories keep.",
        discussion: """
            A policy says what a repository keeps, in the JSON of Amazon ECR's lifecycle policies or in YAML; see \
            Sources/LarderRetention/README.md for the grammar. A repository without one of its own has the default \
            policy of its kind, if there is one.

            Examples:
              larder policy check --kind registry --file keep.json
              larder policy preview team/app --file keep.json
              larder policy set team/app --file keep.json
              larder policy set --default registry --file keep.json
            """,
        subcommands: [Show.self, Set.self, Remove.self, CheckPolicy.self, Preview.self],
    )

    /// Whose policy: a repository's own, or the default of a kind.
    struct Target: ParsableArguments {
        @Argument(help: "Name of the repository.") var name: String?

        @Option(
            name: .customLong("default"),
            help: "Instead of a name: registry, cache or bucket, for what holds for repositories of that kind."
        )
        var defaultKind: String?

        func validate() throws {
            guard (name == nil) != (defaultKind == nil) else {
                throw ValidationError("name a repository, or a kind with --default")
            }
            if let defaultKind { try checkKind(defaultKind, option: "--default") }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the policy that holds for a repository.",
            discussion: """
                Standard output has the policy as it was given, so that it can go to a file; standard error says \
                whether it is the default, and when it is applied next.

                Examples:
                  larder policy show team/app > keep.json
                  larder policy show --default registry
                """
        )
        @OptionGroup var location: ServerLocation
        @OptionGroup var target: Target
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let (name, kind, json) = (target.name, target.defaultKind, json)
            try await location.withServer { client in
                if let name {
                    let policy = try await client.policy(of: name)
                    if json { return try printJSON(policy) }
                    writeError(policy.facts)
                    return printText(policy.policy)
                }
                let policies = try await client.defaultPolicies()
                guard let policy = policies.first(where: { $0.kind == kind }) else {
                    throw ClientError("there is no default policy of the kind \(kind ?? "")")
                }
                if json { return try printJSON(policy) }
                printText(policy.policy)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set the policy of a repository, or the default of a kind.",
            discussion: """
                Nothing goes before the next run: by schedule, or with `larder prune`.

                Examples:
                  larder policy set team/app --file keep.json
                  larder policy set --default registry --file - < keep.json
                """
        )
        @OptionGroup var location: ServerLocation
        @OptionGroup var target: Target
        @Option(help: "File with the policy, JSON or YAML; - for standard input.") var file: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let text = try readPolicy(file)
            let (name, kind, json) = (target.name, target.defaultKind, json)
            try await location.withServer { client in
                if let name {
                    let policy = try await client.setPolicy(text, of: name)
                    if json { return try printJSON(policy) }
                    return print("set the policy of \(name); \(policy.schedule)")
                }
                let policy = try await client.setDefaultPolicy(text, of: kind ?? "")
                if json { return try printJSON(policy) }
                print("set the default policy of the kind \(policy.kind)")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Take the policy of a repository away, or the default of a kind.",
            discussion: """
                A repository that loses its own policy has the default of its kind, if there is one.

                Examples:
                  larder policy rm team/app
                  larder policy rm --default registry
                """
        )
        @OptionGroup var location: ServerLocation
        @OptionGroup var target: Target

        func run() async throws {
            let (name, kind) = (target.name, target.defaultKind)
            try await location.withServer { client in
                if let name {
                    try await client.removePolicy(of: name)
                    return print("took the policy of \(name) away")
                }
                try await client.removeDefaultPolicy(of: kind ?? "")
                print("took the default policy of the kind \(kind ?? "") away")
            }
        }
    }

    struct CheckPolicy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Check a policy, without a server.",
            discussion: """
                With --kind, rules that could never match in a repository of that kind are refused too, as they are \
                when a policy is set.

                Example:
                  larder policy check --kind registry --file keep.json
                """
        )
        @Option(help: "Kind of the repositories: registry, cache or bucket.") var kind: String?
        @Option(help: "File with the policy, JSON or YAML; - for standard input.") var file: String
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            if let kind { try checkKind(kind, option: "--kind") }
        }

        func run() async throws {
            try await describingErrors {
                let count = try checkPolicy(try readPolicy(file), for: kind.flatMap { RepositoryKind(rawValue: $0) })
                if json { return try printJSON(["ruleCount": count]) }
                print("the policy is valid: \(count) \(count == 1 ? "rule" : "rules")")
            }
        }
    }
}

/// Refuses a word that is no kind of repository, as a mistake on the command line.
private func checkKind(_ text: String, option: String) throws {
    guard RepositoryKind(rawValue: text) != nil else {
        throw ValidationError("\(option) is registry, cache or bucket")
    }
}

/// The text of a policy's file; `-` is standard input.
func readPolicy(_ file: String) throws -> String {
    do {
        guard file == "-" else { return try String(contentsOfFile: file, encoding: .utf8) }
        return String(decoding: try FileHandle.standardInput.readToEnd() ?? Data(), as: UTF8.self)
    } catch {
        throw ValidationFailure("can't read the policy \(file): \(error.localizedDescription)")
    }
}

/// Prints a text that may end in a line break of its own.
private func printText(_ text: String) {
    print(text, terminator: text.hasSuffix("\n") ? "" : "\n")
}

extension PolicyMessage {
    /// When it is applied, in words.
    fileprivate var schedule: String {
        nextRun.map { "it is applied next at \(moment($0))" } ?? "no schedule applies it, only `larder prune`"
    }

    fileprivate var facts: String {
        (isDefault ? "the default policy of the repository's kind; " : "the repository's own policy; ") + schedule
    }
}
