import ArgumentParser
import Foundation
import LarderCore
import LarderServer
import Logging
import UnixSignals

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server.",
        discussion: """
            Without any option it listens on 127.0.0.1:7878, keeps its data under your state directory and takes 80 % \
            of the free disk at most. SIGTERM or Ctrl-C ends it gracefully. Every option is also a variable, such as \
            LARDER_MAX_SIZE, and a key of the configuration file. Options win over variables, variables over the file.

            Examples:
              larder serve
              larder serve --data-dir /srv/larder --max-size 200GiB
              # In a network that you trust:
              larder serve --listen 0.0.0.0:7878 --allow-anonymous write
              LARDER_MAX_SIZE=50% larder serve --config /etc/larder.yaml
            """,
    )

    @OptionGroup var options: ServerOptions

    func run() async throws {
        let (settings, sources) = try options.settings()
        let logger = settings.logFormat.makeLogger(label: "larder", level: settings.logLevel)
        for name in sources.unknownVariables {
            logger.warning("unknown variable ignored", metadata: ["name": "\(name)"])
        }
        let server = LarderServer(settings: settings, logger: logger)
        try await describingErrors {
            try await server.run(signals: [.sigterm, .sigint]) { port in
                print(Banner.text(settings: settings, port: port ?? settings.listen.port))
                // A log that is read by another program shall have it now, not when a buffer is full.
                fflush(nil)
            }
        }
    }
}

/// What `larder serve` says when it is ready.
enum Banner {
    static func text(settings: ServerSettings, port: Int) -> String {
        let host = ["0.0.0.0", "::"].contains(settings.listen.host) ? "127.0.0.1" : settings.listen.host
        let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        return """
            larder \(larderVersion)
              listening on  \(url)
              data          \(settings.dataFolder)

              Bazel     build --remote_cache=\(url)/bazel/main
              ccache    remote_storage = \(url)/ccache/main
              sccache   SCCACHE_WEBDAV_ENDPOINT=\(url)/sccache/main
              Gradle    buildCache { remote(HttpBuildCache) { url = '\(url)/gradle/main/' } }
              Maven     <url>\(url)/maven/main</url>
              images    docker push \(url.dropFirst("http://".count))/main/app:1

              `larder setup TOOL` prints the whole set-up of a tool, `larder status` what the server does.
            """
    }
}
