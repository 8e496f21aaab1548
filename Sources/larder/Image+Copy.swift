import ArgumentParser
import LarderClient
import LarderCore

extension Image {
    struct Copy: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy an image between this server, other registries and folders.",
            discussion: """
                SOURCE and DESTINATION are each one of:
                  NAME[:TAG|@DIGEST]                        the server of the data folder
                  docker://HOST[:PORT]/NAME[:TAG|@DIGEST]   another registry
                  http://HOST[:PORT]/NAME[:TAG|@DIGEST]     another registry, without TLS
                  oci:PATH[:TAG]                            a folder, an OCI image layout

                A registry of docker:// that is on this machine may be one without TLS. Nothing is sent that is there \
                already, and every byte is verified on its way. A destination without a tag takes the tag of the \
                source. The tag is latest where a source names neither tag nor digest. Manifests are copied as they \
                are, so digests and signatures stay valid.

                Logins are those of podman, docker and skopeo: $REGISTRY_AUTH_FILE, \
                $XDG_RUNTIME_DIR/containers/auth.json, $DOCKER_CONFIG/config.json, ~/.docker/config.json. Credential \
                helpers are not asked.

                Examples:
                  larder image copy docker://docker.io/library/alpine:3.20 base/alpine:3.20
                  larder image copy team/app:1.4 docker://registry.example/team/app --referrers
                  larder image copy team/app:1.4 oci:/media/usb/app:1.4 --platform linux/arm64
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Where the image is.", transform: { try ImagePlace($0) }) var source: ImagePlace
        @Argument(help: "Where it goes.", transform: { try ImagePlace($0) }) var destination: ImagePlace
        @Option(help: "Copy one platform of several: os/architecture, or os/architecture/variant.")
        var platform: String?
        @Flag(help: "Copy also what refers to the image: signatures, lists of parts.") var referrers = false
        @Flag(help: "Speak to other registries without TLS.") var plainHttp = false
        @Flag(name: .shortAndLong, help: "Show no progress.") var quiet = false
        @Flag(help: "Print JSON.") var json = false

        func validate() throws {
            if let platform, !platform.contains("/") {
                throw ValidationError("--platform is os/architecture, such as linux/arm64")
            }
        }

        func run() async throws {
            var copy = ImageCopy(
                from: plainHttp ? source.withPlainHTTP : source,
                to: plainHttp ? destination.withPlainHTTP : destination
            )
            copy.platform = platform
            copy.includesReferrers = referrers
            let (isQuiet, json) = (quiet, json)
            if source.isLocal || destination.isLocal {
                try await location.withServer { [copy] server in
                    try await Self.run(copy, server: server, isQuiet: isQuiet, json: json)
                }
            } else {
                try await describingErrors {
                    try await Self.run(copy, server: nil, isQuiet: isQuiet, json: json)
                }
            }
        }

        private static func run(_ copy: ImageCopy, server: ServerClient?, isQuiet: Bool, json: Bool) async throws {
            let progress = CopyProgress(isQuiet: isQuiet)
            defer { progress.finish() }
            let summary = try await copy.run(server: server) { progress.note($0) }
            progress.finish()
            if json { return try printJSON(summary) }
            print(text(summary))
        }

        private static func text(_ summary: CopySummary) -> String {
            var parts = ["\(summary.copiedCount) blobs copied (\(ByteCount(summary.copiedBytes)))"]
            if summary.mountedCount > 0 { parts.append("\(summary.mountedCount) mounted") }
            if summary.presentCount > 0 { parts.append("\(summary.presentCount) there already") }
            if summary.manifestCount > 1 { parts.append("\(summary.manifestCount) manifests") }
            let tag = summary.tag.map { ":\($0)" } ?? ""
            return "copied \(summary.source) to \(summary.destination)\(tag): \(parts.joined(separator: ", "))\n"
                + summary.digest
        }
    }
}
