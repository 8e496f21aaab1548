import ArgumentParser
import LarderServer

/// The process: hands its arguments to the command line.
@main
enum Program {
    static func main() async {
        // Swift reads them from /proc/self/cmdline. Without it there are none, not even the program's name, and any
        // command would be taken for a call for help.
        if CommandLine.arguments.isEmpty {
            Larder.exit(withError: ValidationFailure("can't read the command line: /proc is not mounted"))
        }
        await Larder.main()
    }
}

/// The command line.
struct Larder: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "larder",
        abstract: "The store behind a CI system: build caches, artifacts and images in one folder.",
        discussion: """
            Start a server with `larder serve`; it prints how each tool is pointed at it.

            Examples:
              larder serve
              larder serve --data-dir /srv/larder --max-size 200GiB
              larder setup bazel
              larder cache restore --key 'npm-{{ hash "package-lock.json" }}'
              larder artifact push app:1.4 dist/
              larder status
            """,
        version: larderVersion,
        subcommands: [
            Serve.self, Status.self, Artifact.self, Cache.self, Image.self, Repo.self, Policy.self, Prune.self,
            Pin.self, Restore.self, Token.self, Login.self, Logout.self, Check.self, Compact.self, Config.self,
            Setup.self,
        ],
    )
}
