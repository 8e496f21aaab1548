import ArgumentParser
import LarderClient

struct Setup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what to paste into a tool.",
        discussion: """
            Examples:
              larder setup bazel >> .bazelrc
              larder setup gradle --repo android
              larder setup ccache --url http://cache.example:7878
              larder setup docker --repo team/app
            """,
    )

    /// The tools there is a set-up for.
    enum Tool: String, ExpressibleByArgument, CaseIterable {
        case bazel
        case ccache
        case sccache
        case gradle
        case maven
        case docker
        case podman
    }

    @Argument(help: "The tool.")
    var tool: Tool

    @Option(help: "Address of the server. Also: LARDER_URL. Default: \(ClientConfiguration.standardURL).")
    var url: String?

    @Option(help: "Name of the repository; the first write creates it.")
    var repo = "main"

    func run() async throws {
        try await describingErrors {
            let base = try ClientConfiguration.checked(
                url ?? processVariables()["LARDER_URL"] ?? ClientConfiguration.standardURL,
                label: url == nil ? "LARDER_URL" : "--url"
            )
            print(Self.text(tool, base: base, repository: repo))
        }
    }

    static func text(_ tool: Tool, base: String, repository: String) -> String {
        let host = base.split(separator: "/").last.map(String.init) ?? base
        return switch tool {
        case .docker:
            """
            # A registry on this machine is taken over plain HTTP as it is. For another host, in
            # /etc/docker/daemon.json:  { "insecure-registries": ["\(host)"] }
            docker tag app \(host)/\(repository):1
            docker push \(host)/\(repository):1
            """
        case .podman:
            """
            # Also for buildah; skopeo has --src-tls-verify and --dest-tls-verify.
            podman push --tls-verify=false app \(host)/\(repository):1
            podman pull --tls-verify=false \(host)/\(repository):1
            """
        case .bazel:
            """
            # .bazelrc
            build --remote_cache=\(base)/bazel/\(repository)
            # On machines that should only read:
            # build --noremote_upload_local_results
            """
        case .ccache:
            """
            # ccache.conf (see: ccache --show-config), or CCACHE_REMOTE_STORAGE with the same value
            remote_storage = \(base)/ccache/\(repository)
            # CI machines that are thrown away need no local copy:
            # remote_only = true
            """
        case .sccache:
            """
            # Environment of the build
            export SCCACHE_WEBDAV_ENDPOINT=\(base)/sccache/\(repository)
            export RUSTC_WRAPPER=sccache
            """
        case .gradle:
            """
            // settings.gradle; build with --build-cache or org.gradle.caching=true
            buildCache {
                remote(HttpBuildCache) {
                    url = '\(base)/gradle/\(repository)/'
                    push = true
                    allowInsecureProtocol = true    // Gradle 7 and later; leave it out before
                }
            }
            """
        case .maven:
            """
            <!-- .mvn/maven-build-cache-config.xml, with the extension maven-build-cache-extension in .mvn/extensions.xml -->
            <cache xmlns="http://maven.apache.org/BUILD-CACHE-CONFIG/1.0.0">
              <configuration>
                <remote enabled="true" id="larder" saveToRemote="true">
                  <url>\(base)/maven/\(repository)</url>
                </remote>
              </configuration>
            </cache>
            """
        }
    }
}
