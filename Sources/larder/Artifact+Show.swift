import APIMessages
import ArgumentParser
import Foundation
import LarderClient
import LarderCore

extension Artifact {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List artifacts, or the versions of one.",
            discussion: """
                Versions come newest first. Labels that were given by --label and what is known of the build, such as \
                dev.larder.branch, can be searched.

                Examples:
                  larder artifact ls
                  larder artifact ls team/app
                  larder artifact ls team/app --label channel=nightly
                  larder artifact ls team/app --label dev.larder.branch=main
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The artifact. Default: list all.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference?
        @Option(name: .customLong("label"), help: "Show only versions with this label, NAME=VALUE. Can be repeated.")
        var labels: [String] = []
        @Option(help: "Most versions that are shown.") var limit = 50

        func validate() throws {
            if artifact == nil && !labels.isEmpty {
                throw ValidationError("--label needs an artifact: larder artifact ls NAME")
            }
            if let artifact, artifact.digest != nil || !artifact.tags.isEmpty {
                throw ValidationError("a version is shown by: larder artifact show \(artifact)")
            }
            if limit < 1 { throw ValidationError("--limit is 1 or more") }
            for label in labels { _ = try ArtifactLabels.split(label) }
        }

        func run() async throws {
            try await describingErrors {
                let server = try options.client()
                guard let artifact else { return try Self.show(try await server.status(), asJSON: options.json) }
                let versions = try await server.artifactVersions(of: artifact.repository, labels: labels, atMost: limit)
                if options.json { return try printJSON(versions) }
                if versions.isEmpty {
                    return print(
                        labels.isEmpty
                            ? "no versions in \(artifact.repository)"
                            : "no version has \(labels.joined(separator: ", "))"
                    )
                }
                printTable(["TAGS", "DIGEST", "PUSHED", "SIZE", "FILES", "COMMIT", "BRANCH"], versions.map(Self.cells))
                if versions.count == limit { print("and perhaps more; see --limit") }
            }
        }

        private static func show(_ status: StatusMessage, asJSON: Bool) throws {
            // Images lie in registries, too: what they hold is seen only by looking into each.
            let registries = status.repositories.filter { $0.kind == RepositoryKind.registry.rawValue }
            if asJSON { return try printJSON(registries) }
            if registries.isEmpty {
                return print("no artifacts yet; push one with: larder artifact push NAME:TAG FILE")
            }
            printTable(
                ["NAME", "SIZE", "VERSIONS"],
                registries.map { [$0.name, ByteCount($0.usedBytes).description, "\($0.entryCount)"] }
            )
        }

        private static func cells(_ version: ArtifactVersionMessage) -> [String] {
            [
                shortList(version.tags), shortDigest(version.digest), age(version.pushedAt),
                ByteCount(version.size).description, "\(version.fileCount)",
                version.labels[ArtifactAnnotation.revision].map { String($0.prefix(12)) } ?? "-",
                version.labels[ArtifactAnnotation.branch] ?? "-",
            ]
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a version: where it comes from, its labels, files and reports.",
            discussion: """
                Examples:
                  larder artifact show team/app:1.4
                  larder artifact show team/app@sha256:… --json
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME, NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference

        func run() async throws {
            try await describingErrors {
                let version = try await options.client().artifactVersion(of: artifact.repository, try artifact.version)
                if options.json { return try printJSON(version) }
                Self.printFacts(version)
                Self.printFiles(version)
                for report in version.reports ?? [] { Self.print(report) }
            }
        }

        private static func printFacts(_ version: ArtifactVersionMessage) {
            var facts = [
                ("artifact", version.repository), ("digest", version.digest),
                ("tags", version.tags.isEmpty ? "-" : version.tags.joined(separator: " ")),
                ("pushed", "\(version.pushedAt) (\(age(version.pushedAt)))"),
                ("size", "\(ByteCount(version.size)), \(counted(Int(clamping: version.fileCount), "file"))"),
            ]
            if let type = version.artifactType, type != ArtifactMediaType.artifact { facts.append(("type", type)) }
            let provenance = [
                ("commit", ArtifactAnnotation.revision), ("branch", ArtifactAnnotation.branch),
                ("source", ArtifactAnnotation.source), ("run", ArtifactAnnotation.run),
                ("by", ArtifactAnnotation.actor), ("ci", ArtifactAnnotation.ci),
            ]
            for (name, annotation) in provenance {
                if let value = version.labels[annotation] { facts.append((name, value)) }
            }
            let labels = version.labels.filter { !ArtifactAnnotation.provenance.contains($0.key) }
            for (name, value) in labels.sorted(by: { $0.key < $1.key }) { facts.append(("label", "\(name)=\(value)")) }
            for (name, value) in facts {
                Swift.print("\(name.padding(toLength: 8, withPad: " ", startingAt: 0))  \(printable(value))")
            }
        }

        private static func printFiles(_ version: ArtifactVersionMessage) {
            var rows = (version.files ?? []).filter { $0.bundle == nil }.map { file in
                [file.path, ByteCount(file.size).description, file.mode, shortDigest(file.digest)]
            }
            rows += (version.links ?? []).map { ["\($0.path) -> \($0.target)", "-", "link", "-"] }
            rows += (version.folders ?? []).map { ["\($0.path)/", "-", $0.mode, "-"] }
            rows += (version.bundles ?? []).map { bundle in
                // Nobody counts what other programs push.
                let count = counted(Int(clamping: bundle.fileCount), "file")
                let contents = bundle.fileCount > 0 ? " (\(count), \(ByteCount(bundle.byteCount)))" : ""
                let size = ByteCount(bundle.size).description
                return ["\(bundle.path)/\(contents)", size, "tar.gz", shortDigest(bundle.digest)]
            }
            guard !rows.isEmpty else { return }
            Swift.print()
            printTable(["FILE", "SIZE", "MODE", "DIGEST"], rows.sorted { $0[0] < $1[0] })
        }

        private static func print(_ report: ArtifactReportMessage) {
            Swift.print(
                "\nreports \(printable(report.group)) (\(printable(report.format)), \(counted(report.files.count, "file")))"
            )
            for line in report.totals.texts { Swift.print("  \(line)") }
        }
    }

    struct Diff: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which files differ between two versions.",
            discussion: """
                Lines begin with + for what is only in the second version, - for what is only in the first, ~ for what \
                is in both and differs.

                Examples:
                  larder artifact diff team/app:1.3 team/app:1.4
                  larder artifact diff team/app:production team/app@sha256:…
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The first version.", transform: { try ArtifactReference($0) }) var from: ArtifactReference
        @Argument(help: "The second version.", transform: { try ArtifactReference($0) }) var to: ArtifactReference

        func run() async throws {
            try await describingErrors {
                let server = try options.client()
                let old = try await server.artifactVersion(of: from.repository, try from.version)
                let new = try await server.artifactVersion(of: to.repository, try to.version)
                let diff = ArtifactDiff(from: old, to: new)
                if options.json { return try printJSON(diff) }
                if diff.isEmpty { return print("no difference") }
                for change in diff.added { print("+ \(printable(change.path))\(Self.facts(change.to))") }
                for change in diff.removed { print("- \(printable(change.path))\(Self.facts(change.from))") }
                for change in diff.changed { print("~ \(printable(change.path))  \(printable(change.words))") }
            }
        }

        private static func facts(_ item: ArtifactDiff.Item?) -> String {
            if let target = item?.target { return " -> \(printable(target))" }
            return item?.size.map { "  \(ByteCount($0))" } ?? "/"
        }
    }
}

extension ArtifactDiff.Change {
    /// What differs, for people.
    fileprivate var words: String {
        guard let from, let to else { return "" }
        guard from.kind == to.kind else { return "was a \(from.kind), is a \(to.kind)" }
        var words: [String] = []
        if from.digest != to.digest {
            let sizes = [from.size, to.size].map { ByteCount($0 ?? 0).description }
            words.append("\(sizes[0]) -> \(sizes[1])")
            let digests = [from.digest, to.digest].map { shortDigest($0 ?? "") }
            words.append("\(digests[0]) -> \(digests[1])")
        }
        if let old = from.mode, let new = to.mode, old != new { words.append("mode \(old) -> \(new)") }
        if let old = from.target, let new = to.target, old != new { words.append("leads to \(old) -> \(new)") }
        return words.joined(separator: ", ")
    }
}

extension ReportTotals {
    /// The totals, for people.
    fileprivate var texts: [String] {
        var texts: [String] = []
        if let tests {
            let parts: [(Int?, String)] = [(failures, "failed"), (errors, "with errors"), (skipped, "skipped")]
            let bad = parts.compactMap { count, word in count.flatMap { $0 > 0 ? "\($0) \(word)" : nil } }
            let time = seconds.map { ", \(Duration.seconds($0).shortText)" } ?? ""
            texts.append(
                "\(counted(tests, "test")), \(bad.isEmpty ? "all passed" : bad.joined(separator: ", "))\(time)"
            )
        }
        let covered: [(String, Int?, Int?)] = [
            ("lines", coveredLines, lines), ("statements", coveredStatements, statements),
            ("branches", coveredBranches, branches), ("conditionals", coveredConditionals, conditionals),
            ("methods", coveredMethods, methods), ("elements", coveredElements, elements),
        ]
        for (name, part, whole) in covered {
            guard let part, let whole, whole > 0 else { continue }
            texts.append("\(name): \(part) of \(whole) covered (\(part * 100 / whole) %)")
        }
        return texts.isEmpty ? ["no totals are read of this format"] : texts
    }
}
