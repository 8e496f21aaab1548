import ArgumentParser
import LarderServer

/// The command line.
@main
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
              larder cache restore --key 'npm-{{ hash "package-lock.json" }}' --restore-key npm-
              larder artifact push app:1.4 dist/
              larder status
            """,
        version: larderVersion,
        subcommands: [
            Serve.self, Status.self, Artifact.self, Cache.self, Image.self, Repo.self, Policy.self, Prune.self,
            Pin.self, Restore.self, Login.self, Logout.self, Check.self, Compact.self, Config.self, Setup.self,
        ],
    )
}
