import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make, list and revoke the tokens that clients log in with.",
        discussion: """
            A token allows what its grants say, and nothing else. A grant is a pattern for names of repositories and a \
            list of actions, read, write, delete or admin: images/*:read,write. What a token with a scope writes to \
            caches is given to tokens that read that scope alone, so builds of strangers can't poison the caches of \
            others. The server keeps no secret that \
            could be shown again. The first token is made on the server's machine, whether or not a server runs.

            Examples:
              larder token create laptop --admin
              larder token create ci --grant 'images/*:read,write' --grant '*:read' --expires 90d
              larder token ls
              larder token revoke ci
            """,
        subcommands: [Create.self, List.self, Revoke.self],
    )

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token, and print its secret this once.",
            discussion: """
                Only the secret goes to standard output.

                Examples:
                  larder token create ci --grant 'images/*:read,write' --expires 90d
                  larder token create renovate --grant '*:read' > token.txt
                  larder token create pr-7 --grant 'cache:read,write' --scope refs/pull/7/merge
                  larder token create laptop --admin
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "What the token is called.") var name: String
        @Option(name: .customLong("grant"), help: "What it allows: \(Grant.form). May be repeated.")
        var grants: [String] = []
        @Option(help: "Scope of what it writes to caches, such as refs/pull/7/merge. Default: none, for all to read.")
        var scope: String?
        @Option(
            name: .customLong("read-scope"),
            help: "Scope that it reads behind its own, before entries without scope. May be repeated."
        )
        var readScopes: [String] = []
        @Flag(help: "Allow everything everywhere, the same as --grant '*:admin'.") var admin = false
        @Option(name: .customLong("expires"), help: "When it ends, such as 90d from now. Default: never.")
        var time: String?
        @Flag(help: "Print JSON.") var json = false

        private var seconds: Int64? {
            time.flatMap { Duration(text: $0) }.map { $0.wholeMilliseconds / 1000 }
        }

        func validate() throws {
            if grants.isEmpty && !admin { throw ValidationError("say what the token allows: --grant, or --admin") }
            if time != nil && (seconds ?? 0) < 1 { throw ValidationError("--expires is a duration such as 90d") }
            if scope == nil && !readScopes.isEmpty { throw ValidationError("--read-scope needs a --scope") }
            for text in grants where Grant(text) == nil { throw ValidationError("--grant \(text): \(Grant.form)") }
        }

        func run() async throws {
            let request = TokenRequestMessage(
                name: name,
                grants: grants + (admin ? ["*:admin"] : []),
                scope: scope,
                readScopes: readScopes.isEmpty ? nil : readScopes,
                seconds: seconds
            )
            let json = json
            try await location.withServer { client in
                let new = try await client.createToken(request)
                if json { return try printJSON(new) }
                print(new.secret)
                let end = new.token.expiresAt.map { "until \(moment($0))" } ?? "until it is revoked"
                writeError(
                    """
                    token \(new.token.name) allows \(new.token.grants.joined(separator: " ")) \(end); nobody can be shown \
                    its secret again. Give it to clients as LARDER_TOKEN, or as the password beside any user name.
                    """
                )
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List all tokens, without their secrets.",
            discussion: "Example:\n  larder token ls"
        )
        @OptionGroup var location: ServerLocation
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let json = json
            try await location.withServer { client in
                let tokens = try await client.tokens()
                if json { return try printJSON(tokens) }
                if tokens.isEmpty { return print("there are no tokens; make one with: larder token create") }
                printTable(
                    ["TOKEN", "GRANTS", "SCOPE", "CREATED", "EXPIRES", "LAST USED"],
                    tokens.map { token in
                        [
                            token.name, token.grants.joined(separator: " "), token.scope.isEmpty ? "-" : token.scope,
                            ago(token.createdAt),
                            token.expiresAt.map(moment) ?? "never", token.lastUsedAt.map(ago) ?? "never",
                        ]
                    }
                )
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take tokens back; they let nobody in from then on.",
            discussion: "Example:\n  larder token revoke ci"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Names of tokens.") var names: [String]

        func run() async throws {
            let names = names
            try await location.withServer { client in
                for name in names {
                    try await client.revokeToken(name)
                    print("revoked \(name)")
                }
            }
        }
    }
}
