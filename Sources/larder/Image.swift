import ArgumentParser
import LarderClient
import LarderCore

struct Image: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List, show, tag, copy and remove images.",
        discussion: """
            Images are those of the server that runs on the data folder. Anything that OCI registries take is one: \
            images of containers, charts, artifacts.

            Examples:
              larder image ls
              larder image inspect team/app:1.4
              larder image tag team/app:1.4 stable
              larder image copy docker://registry.example/base/debian:12 base/debian:12
              larder image rm team/app:1.3
            """,
        subcommands: [List.self, Tags.self, Inspect.self, AddTag.self, Remove.self, Copy.self],
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List tagged images with their sizes.",
            discussion: """
                The size is that of config and layers, of an image for several platforms the sum over them. Layers \
                that images share are stored once and counted for each.

                Examples:
                  larder image ls
                  larder image ls team/ --json
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Show only repositories whose names begin so.") var repositoryPrefix: String?
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let (prefix, json) = (repositoryPrefix ?? "", json)
            try await location.withServer { server in
                let rows = try await server.registry.images(prefix: prefix)
                if json { return try printJSON(rows) }
                if rows.isEmpty { return print(prefix.isEmpty ? "no images yet" : "no images below \(prefix)") }
                printTable(["REPOSITORY", "TAG", "DIGEST", "SIZE", "PLATFORM"], rows.map(Self.cells))
            }
        }

        private static func cells(_ row: ImageRow) -> [String] {
            let platform = row.platforms.count > 1 ? "\(row.platforms.count) platforms" : row.platforms.first ?? "-"
            return [row.repository, row.tag, shortDigest(row.digest), ByteCount(row.sizeBytes).description, platform]
        }
    }

    struct Tags: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tags of a repository, one a line.",
            discussion: "Example:\n  larder image tags team/app"
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "Name of the repository.") var name: String
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let json = json
            guard let repository = RepositoryName(name) else {
                throw ValidationError("\(name) is no name of a repository; one is written such as team/app")
            }
            try await location.withServer { server in
                guard let tags = try await server.registry.tags(of: repository) else {
                    throw ClientError("there is no repository \(repository); see: larder image ls")
                }
                if json { return try printJSON(tags.map(\.text)) }
                for tag in tags { print(tag) }
            }
        }
    }

    struct AddTag: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "tag",
            abstract: "Give an image more tags; a tag that names another image moves.",
            discussion: """
                Examples:
                  larder image tag team/app:1.4 stable latest
                  larder image tag team/app@sha256:… rescued
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "The image: NAME:TAG or NAME@DIGEST.", transform: { try ImageReference($0) })
        var image: ImageReference
        @Argument(help: "The new tags.", transform: { try parseTag($0) }) var tags: [Tag]

        func run() async throws {
            let (image, tags) = (image, tags)
            try await location.withServer { server in
                let manifest = try await server.registry.require(image)
                try await server.registry.addTags(tags, to: manifest, in: image.repository)
                for tag in tags { print("\(image.repository):\(tag) is \(manifest.digest)") }
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove tags, or manifests with all their tags.",
            discussion: """
                A tag goes alone: what it named stays under its digest, and under its other tags. NAME@DIGEST and \
                --manifest remove the manifest itself; the space comes free soon after, unless others use the layers.

                Examples:
                  larder image rm team/app:1.3
                  larder image rm --manifest team/app:1.3
                  larder image rm team/app@sha256:…
                """
        )
        @OptionGroup var location: ServerLocation
        @Argument(help: "The images: NAME:TAG or NAME@DIGEST.", transform: { try ImageReference($0) })
        var images: [ImageReference]
        @Flag(help: "Remove what the tag names, with all its tags.") var manifest = false

        func validate() throws {
            for image in images where image.tag == nil && image.digest == nil {
                throw ValidationError("\(image): name a tag or a digest")
            }
        }

        func run() async throws {
            let (images, removesManifest) = (images, manifest)
            try await location.withServer { server in
                for image in images {
                    print(try await server.registry.remove(image, withManifest: removesManifest))
                }
            }
        }
    }
}

extension RegistryClient {
    /// The manifest of an image that has to be there.
    func require(_ image: ImageReference) async throws -> StoredManifest {
        guard let manifest = try await manifest(image.manifest, in: image.repository) else { throw missing(image) }
        return manifest
    }

    /// Removes an image, or only its tag; says what went.
    fileprivate func remove(_ image: ImageReference, withManifest: Bool) async throws -> String {
        guard let digest = try await digest(of: image.manifest, in: image.repository) else { throw missing(image) }
        guard image.digest == nil, !withManifest else {
            guard try await remove(.digest(digest), in: image.repository) else { throw missing(image) }
            return "removed \(image.repository)@\(digest) and all its tags"
        }
        guard try await remove(image.manifest, in: image.repository) else { throw missing(image) }
        return "removed the tag \(image); \(digest) stays"
    }

    private func missing(_ image: ImageReference) -> ClientError {
        ClientError("there is no image \(image.repository):\(image.manifest.text); see: larder image ls")
    }
}

/// The first 12 digits of a digest, as people know it from other tools.
func shortDigest(_ digest: String) -> String {
    String(digest.drop { $0 != ":" }.dropFirst().prefix(12))
}
