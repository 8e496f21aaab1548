import APIMessages
import ArgumentParser
import LarderClient
import LarderCore

struct Artifact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Push and pull what builds make; list, show, compare, promote and remove it.",
        discussion: """
            An artifact has versions that are never rewritten. A version is named by a tag, which can be moved to \
            another version, or by its digest. ORAS and other OCI clients see the same files.

            Examples:
              larder artifact push team/app:1.4 dist/
              larder artifact pull team/app:1.4 -o deploy
              larder artifact promote team/app:1.4 production
            """,
        subcommands: [
            Push.self, Pull.self, List.self, Show.self, Cat.self, AddTag.self, Promote.self, Diff.self, Remove.self,
        ],
    )
}

extension Artifact {
    struct AddTag: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "tag",
            abstract: "Give a version another tag; a tag that names another version stays there.",
            discussion: """
                Examples:
                  larder artifact tag team/app:0a1b2c3d4e5f-77 1.4
                  larder artifact tag team/app@sha256:… rescued
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Argument(help: "The new tag.", transform: { try parseTag($0) }) var tag: Tag

        func validate() throws { try artifact.checkNamesVersion() }

        func run() async throws {
            try await describingErrors {
                try await artifact.addTag(tag, movesTag: false, options)
            }
        }
    }

    struct Promote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a tag to a version: the same bytes, nothing is built again.",
            discussion: """
                Examples:
                  larder artifact promote team/app:1.4 production
                  larder artifact promote team/app@sha256:… staging
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Argument(help: "The tag that is to name it.", transform: { try parseTag($0) }) var tag: Tag

        func validate() throws { try artifact.checkNamesVersion() }

        func run() async throws {
            try await describingErrors {
                try await artifact.addTag(tag, movesTag: true, options)
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove a version with all its tags, or only a tag.",
            discussion: """
                What was removed can be brought back with `larder restore` on the server until its undo time is over. \
                Files that other versions have as well stay in any case.

                Examples:
                  larder artifact rm team/app:1.3
                  larder artifact rm team/app@sha256:…
                  larder artifact rm --tag-only team/app:production
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Flag(help: "Remove the tag, and leave the version there.") var tagOnly = false

        func validate() throws {
            try artifact.checkNamesVersion()
            if tagOnly && artifact.digest != nil { throw ValidationError("--tag-only needs a tag: NAME:TAG") }
        }

        func run() async throws {
            try await describingErrors {
                let server = try options.client()
                let reference = try artifact.version
                let version = try await server.artifactVersion(of: artifact.repository, reference)
                try await server.removeArtifact(in: artifact.repository, reference, tagOnly: tagOnly)
                // Only the administrator is told.
                let entries = (try? await server.removedEntries(in: artifact.repository.text)) ?? []
                let undoUntil = entries.first { $0.key == version.digest }?.undoUntil
                let tags = tagOnly ? [reference] : version.tags
                let result = Removal(digest: version.digest, tags: tags, isTagOnly: tagOnly, undoUntil: undoUntil)
                if options.json { return try printJSON(result) }
                let what = tagOnly ? "the tag \(artifact)" : "\(artifact.repository)@\(version.digest)"
                let with = tagOnly || tags.isEmpty ? "" : " and its tags \(tags.joined(separator: " "))"
                print("removed \(what)\(with)")
                let end = undoUntil.map { "until \(moment($0))" } ?? "until the undo time is over"
                print("it can be brought back \(end): larder restore \(artifact.repository) \(result.restoredBy)")
            }
        }

        private struct Removal: Encodable {
            let digest: String
            let tags: [String]
            let isTagOnly: Bool
            /// In seconds since 1970; nil: not known here.
            let undoUntil: Int64?

            /// What is written to bring it back.
            var restoredBy: String { isTagOnly ? tags.first ?? digest : digest }
        }
    }
}

extension ArtifactReference {
    /// Where only one version will do, and the newest is no good guess.
    func checkNamesVersion() throws {
        guard digest != nil || tags.count == 1 else {
            throw ValidationError("\(self): name a version, NAME:TAG or NAME@DIGEST")
        }
    }

    fileprivate func addTag(_ tag: Tag, movesTag: Bool, _ options: ClientOptions) async throws {
        let server = try options.client()
        let before = try await server.artifactDigest(of: repository, tag: tag)
        if !movesTag, let before {
            let digest = try await server.artifactVersion(of: repository, try version).digest
            guard before.description == digest else {
                throw ClientError(
                    "\(repository):\(tag) is another version, \(before); move it with: "
                        + "larder artifact promote \(self) \(tag)"
                )
            }
        }
        let answer = try await server.tagArtifact(in: repository, try version, as: tag, movesTag: movesTag)
        let result = TagMove(repository: repository.text, tag: tag.text, from: before?.description, to: answer.digest)
        if options.json { return try printJSON(result) }
        switch result.from {
        case nil: print("\(repository):\(tag) is \(result.to)")
        case result.to: print("\(repository):\(tag) is \(result.to), as before")
        case let from?: print("\(repository):\(tag) was \(from)\nand is \(result.to) now")
        }
    }
}

/// The tag that a person writes.
///
/// - Throws: `ValidationError` when it is none.
func parseTag(_ text: String) throws -> Tag {
    guard let tag = Tag(text) else {
        throw ValidationError("'\(text)' is no tag; one has up to 128 letters, digits, _ . and -")
    }
    return tag
}

private struct TagMove: Encodable {
    let repository: String
    let tag: String
    /// The digest that the tag named before; nil: none.
    let from: String?
    let to: String
}
