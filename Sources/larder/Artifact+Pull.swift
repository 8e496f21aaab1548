import ArgumentParser
import Foundation
import Glibc
import LarderClient
import LarderCore

extension Artifact {
    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put the files of a version into a folder, or into a ZIP archive.",
            discussion: """
                Files appear only when they are whole and verified. Those that are there with the same contents are \
                not fetched, those with others are overwritten; further ones stay. Nothing is written through a \
                symbolic link.

                Without a tag or digest the newest version is meant. Patterns take a part of it: a file, a folder, or \
                a pattern in quotes.

                Examples:
                  larder artifact pull team/app:1.4 -o deploy
                  larder artifact pull team/app:1.4 bin 'config/*.yml'
                  larder artifact pull team/app:1.4 --zip app.zip
                  larder artifact pull team/app:1.4 --zip - | bsdtar -xf -
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME, NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Argument(help: "What to take. Default: all of it.") var patterns: [String] = []
        @Option(name: .shortAndLong, help: "Folder to write into. Default: the working folder.") var output: String?
        @Option(help: "Write a ZIP archive to this file; - for standard output.") var zip: String?

        func validate() throws {
            if artifact.tags.count > 1 { throw ValidationError("\(artifact): name one tag here") }
            if zip != nil && !patterns.isEmpty {
                throw ValidationError("--zip takes all files; leave the patterns out")
            }
            if zip != nil && output != nil { throw ValidationError("--zip and --output exclude each other") }
            if zip == "-" && options.json { throw ValidationError("--json would end up in the archive") }
            for pattern in patterns { _ = try PathPattern(pattern) }
        }

        func run() async throws {
            try await cleaningUp {
                try await describingErrors {
                    if let zip { return try await write(zip) }
                    try await pull()
                }
            }
        }

        private func pull() async throws {
            let server = try options.client()
            let version = try await server.artifactVersion(of: artifact.repository, try artifact.version)
            let bar = ArtifactBar(title: "pull", isQuiet: options.isQuiet)
            defer { bar.finish() }
            let pull = ArtifactPull(
                server: server,
                version: version,
                patterns: try patterns.map { try PathPattern($0) },
                into: output ?? ".",
                progress: bar.progress
            )
            let result = try await pull.pull()
            bar.finish()
            if options.json { return try printJSON(result) }
            var facts = ["\(ByteCount(result.receivedBytes)) received"]
            if result.keptCount > 0 { facts.append("\(result.keptCount) were there already") }
            if result.overwrittenCount > 0 { facts.append("\(result.overwrittenCount) overwritten") }
            print(
                "pulled \(artifact.repository)@\(result.digest) into \(result.folder): "
                    + "\(counted(result.fileCount, "file")), \(ByteCount(result.byteCount)) (\(facts.joined(separator: ", ")))"
            )
        }

        private func write(_ path: String) async throws {
            let server = try options.client()
            let bar = TransferProgress(title: "pull", total: nil, isQuiet: options.isQuiet)
            defer { bar.finish() }
            if path == "-" {
                return try await server.writeArtifactZip(
                    in: artifact.repository,
                    try artifact.version,
                    to: STDOUT_FILENO,
                    progress: bar.add
                )
            }
            // Under its name only when it is whole; until then under one that nobody can have made a link of.
            let unfinished = "\(path).\(String(UInt64.random(in: 0 ... .max), radix: 36)).part"
            let file = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
            guard file >= 0 else { throw ClientError("can't write \(unfinished): \(String(cString: strerror(errno)))") }
            defer {
                close(file)
                unlink(unfinished)
            }
            try await server.writeArtifactZip(
                in: artifact.repository,
                try artifact.version,
                to: file,
                progress: bar.add
            )
            guard rename(unfinished, path) == 0 else {
                throw ClientError("can't write \(path): \(String(cString: strerror(errno)))")
            }
            bar.finish()
            var status = stat()
            fstat(file, &status)
            if options.json { return try printJSON(Archive(path: path, byteCount: Int64(status.st_size))) }
            print("wrote \(path), \(ByteCount(Int64(status.st_size)))")
        }

        private struct Archive: Encodable {
            let path: String
            let byteCount: Int64
        }
    }

    struct Cat: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a file of a version to standard output.",
            discussion: """
                Examples:
                  larder artifact cat team/app:1.4 imagedefinitions.json
                  larder artifact cat team/app bin/tool > tool
                """
        )
        @OptionGroup var options: ClientOptions
        @Argument(help: "The version: NAME, NAME:TAG or NAME@DIGEST.", transform: { try ArtifactReference($0) })
        var artifact: ArtifactReference
        @Argument(help: "Path of the file in the version.") var path: String

        func run() async throws {
            try await describingErrors {
                if options.json { throw ClientError("a file is written as it is; leave --json out") }
                try await options.client().writeArtifactFile(
                    in: artifact.repository,
                    try artifact.version,
                    path: path,
                    to: STDOUT_FILENO
                )
            }
        }
    }
}
