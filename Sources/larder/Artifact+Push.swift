import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Artifact {
    struct Push: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store files as a version of an artifact.",
            discussion: """
                Folders are pushed with all that is in them and keep their names; dist/ with a slash at its end, and a \
                dot, stand for what is in the folder. Modes, symbolic links and empty folders are kept. What the store \
                has already is not sent again. In patterns, which go in quotes, * stands for names within a folder and \
                ** for folders.

                Where it comes from (commit, branch, run, who) is taken from the variables of GitHub, GitLab, \
                CodeBuild and others. Without a tag, a run in CI is tagged with commit and number, such as \
                0a1b2c3d4e5f-77.

                A buildspec says by artifacts: which files are meant (files, base-directory, exclude-paths, \
                discard-paths, name, secondary-artifacts), and by reports: which reports are kept with them. Secondary \
                artifacts are pushed as NAME/IDENTIFIER. An imagedefinitions.json that could not be deployed is refused.

                Examples:
                  larder artifact push team/app:1.4,latest dist --move
                  larder artifact push team/app:1.4 dist/ README.md 'licenses/**/*.txt'
                  larder artifact push team/app --buildspec buildspec.yml
                  larder artifact push team/app:nightly -C build --label channel=nightly .
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The artifact: NAME, NAME:TAG or NAME:TAG,TAG….", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Argument(help: "Files, folders and patterns.") var paths: [String] = []
        @Option(name: [.customShort("C"), .long], help: "Folder that paths are relative to.") var base: String?
        @Option(help: "Push what this buildspec names.") var buildspec: String?
        @Option(name: .customLong("label"), help: "A label, NAME=VALUE. Can be repeated.") var labels: [String] = []
        @Flag(help: "Move tags that name other versions.") var move = false

        func validate() throws {
            if artifact.digest != nil {
                throw ValidationError("\(artifact): the digest is found out; name tags, or none")
            }
            if paths.isEmpty == (buildspec == nil) { throw ValidationError("name files, or a --buildspec") }
            for label in labels { _ = try ArtifactLabels.split(label) }
        }

        func run() async throws {
            try await cleaningUp {
                try await describingErrors { try await push() }
            }
        }

        private func push() async throws {
            let server = try options.client()
            let environment = ProcessInfo.processInfo.environment
            let folder = FileManager.default.currentDirectoryPath
            let job = try JobEnvironment.current(environment: environment, folder: folder)
            let annotations = try ArtifactLabels(labels, job: job).annotations
            let parts: [ArtifactJob.Part]
            var reports: [ArtifactDraft.Report] = []
            if let buildspec {
                let document = try Buildspec(try Self.read(buildspec), path: buildspec)
                let found = try await ArtifactJob.find(document, in: base ?? ".")
                for warning in found.warnings where !options.isQuiet { writeError("warning: \(warning)") }
                (parts, reports) = (found.parts, found.reports)
            } else {
                parts = [ArtifactJob.Part(files: try await ArtifactFiles.find(paths, in: base ?? ""))]
            }
            let tags = try await tags(of: parts, job, environment)
            for part in parts { try await part.files.checkImageDefinitions() }
            var results: [ArtifactPushResult] = []
            for (index, part) in parts.enumerated() {
                let repository = try part.identifier.map {
                    try ArtifactJob.repository(artifact.repository, identifier: $0)
                }
                results.append(
                    try await push(
                        part.files,
                        to: server,
                        repository ?? artifact.repository,
                        tags[index],
                        annotations,
                        index == 0 ? reports : []
                    )
                )
            }
            try show(results)
        }

        private func push(
            _ files: ArtifactFiles,
            to server: ServerClient,
            _ repository: RepositoryName,
            _ tags: [Tag],
            _ annotations: [String: String],
            _ reports: [ArtifactDraft.Report]
        ) async throws -> ArtifactPushResult {
            let bar = ArtifactBar(title: "push", isQuiet: options.isQuiet)
            defer { bar.finish() }
            let push = ArtifactPush(
                server: server,
                repository: repository,
                tags: tags,
                movesTags: move,
                progress: bar.progress
            )
            return try await push.push(files, annotations: annotations, reports: reports)
        }

        /// The tags of each part: those of the command line, or what its name in the buildspec makes.
        ///
        /// A secondary artifact without a name has those of the primary one, which without a name is called after the run.
        private func tags(
            of parts: [ArtifactJob.Part],
            _ job: JobEnvironment,
            _ environment: [String: String]
        ) async throws -> [[Tag]] {
            if !artifact.tags.isEmpty { return parts.map { _ in artifact.tags } }
            let text = ArtifactDefaultTag.text(job: job, environment: environment)
            var common = text.flatMap { Tag($0) }.map { [$0] } ?? []
            var tags: [[Tag]] = []
            for part in parts {
                let own = try await tag(ofName: part.name, environment).map { [$0] }
                if part.identifier == nil { common = own ?? common }
                tags.append(own ?? common)
            }
            return tags
        }

        /// What a name in the buildspec is as a tag.
        private func tag(ofName name: String?, _ environment: [String: String]) async throws -> Tag? {
            guard let name else { return nil }
            let tag = try await ArtifactJob.tag(ofName: name, in: base ?? ".", environment: environment)
            if tag == nil, !options.isQuiet {
                writeError(
                    "warning: the artifact's name '\(name)' makes no tag; one has up to 128 letters, digits, _ . and -"
                )
            }
            return tag
        }

        private static func read(_ path: String) throws -> String {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw ClientError("can't read \(path); name the buildspec with --buildspec")
            }
            guard let text = String(validating: data, as: UTF8.self) else { throw ClientError("\(path) is not UTF-8") }
            return text
        }

        private func show(_ results: [ArtifactPushResult]) throws {
            guard var first = results.first else { return }
            if options.json {
                if results.count > 1 { first.secondary = Array(results.dropFirst()) }
                return try printJSON(first)
            }
            for result in results {
                let tags = result.tags.isEmpty ? "" : ":" + result.tags.joined(separator: ",")
                let sent = result.sentCount == 0 ? "nothing had to be sent" : "\(ByteCount(result.sentBytes)) sent"
                print(
                    "pushed \(result.repository)\(tags): \(counted(result.fileCount, "file")), "
                        + "\(ByteCount(result.byteCount)), \(sent)"
                )
                print("\(result.repository)@\(result.digest)")
            }
        }
    }
}
