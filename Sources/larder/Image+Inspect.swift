import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Image {
    struct Inspect: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one image: its digest, layers, platforms, and what refers to it.",
            discussion: """
                Examples:
                  larder image inspect team/app:1.4
                  larder image inspect team/app@sha256:… --json
                  larder image inspect team/app --raw
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(
            help: "The image: NAME, NAME:TAG or NAME@DIGEST. Default: the tag latest.",
            transform: { try ImageReference($0) }
        )
        var image: ImageReference
        @Flag(help: "Print JSON.") var json = false
        @Flag(help: "Print the manifest as it is stored.") var raw = false

        func validate() throws {
            if json && raw { throw ValidationError("--json and --raw exclude each other") }
        }

        func run() async throws {
            let (image, json, raw) = (image, json, raw)
            try await location.withServer { server in
                let manifest = try await server.registry.require(image)
                if raw { return FileHandle.standardOutput.write(Data(manifest.bytes)) }
                let details = try await server.registry.details(of: manifest, in: image.repository)
                if json { return try printJSON(details) }
                Self.print(details, image)
            }
        }

        private static func print(_ details: ImageDetails, _ image: ImageReference) {
            printFacts(facts(details, image))
            printParts("LAYER", details.layers) { $0.title ?? $0.mediaType }
            printParts("MANIFEST", details.manifests) { $0.platform ?? $0.artifactType ?? $0.mediaType }
            printParts("REFERRER", details.referrers) { $0.artifactType ?? $0.mediaType }
        }

        private static func facts(_ details: ImageDetails, _ image: ImageReference) -> [(String, String)] {
            var facts = [
                ("image", image.description), ("digest", details.digest), ("media type", details.mediaType),
                ("size", ByteCount(details.sizeBytes).description),
            ]
            if let type = details.artifactType { facts.append(("artifact", type)) }
            if !details.platforms.isEmpty { facts.append(("platform", details.platforms.joined(separator: ", "))) }
            if let created = details.created { facts.append(("created", created)) }
            if let subject = details.subject { facts.append(("refers to", subject.digest)) }
            for (key, value) in details.labels.sorted(by: { $0.key < $1.key }) {
                facts.append(("label", "\(key)=\(value)"))
            }
            for (key, value) in details.annotations.sorted(by: { $0.key < $1.key }) {
                facts.append(("annotation", "\(key)=\(value)"))
            }
            return facts
        }

        private static func printFacts(_ facts: [(String, String)]) {
            for (name, value) in facts {
                Swift.print("\(name.padding(toLength: 10, withPad: " ", startingAt: 0))  \(printable(value))")
            }
        }

        private static func printParts(
            _ title: String,
            _ parts: [ImageDetails.Part],
            _ what: (ImageDetails.Part) -> String
        ) {
            guard !parts.isEmpty else { return }
            Swift.print()
            printTable(
                [title, "SIZE", "WHAT"],
                parts.map { [shortDigest($0.digest), ByteCount($0.sizeBytes).description, what($0)] }
            )
        }
    }
}
