import APIMessages
import Foundation
package import LarderCore

/// What a buildspec has a job push: artifacts, and the reports that are kept with the first.
package struct ArtifactJob: Sendable {
    package struct Part: Sendable {
        /// Of a secondary artifact.
        package let identifier: String?
        /// What the shell makes a tag of.
        package let name: String?
        package let files: ArtifactFiles

        package init(identifier: String? = nil, name: String? = nil, files: ArtifactFiles) {
            self.identifier = identifier
            self.name = name
            self.files = files
        }
    }

    /// The primary artifact first, if there is one.
    package let parts: [Part]
    package let reports: [ArtifactDraft.Report]
    /// What a person should know, in sentences.
    package let warnings: [String]

    /// Finds the files, off the pool of tasks.
    ///
    /// `folder`: The one that paths of the buildspec are relative to.
    ///
    /// - Throws: `ClientError`, also when there are no artifacts in the buildspec; `CancellationError`.
    package static func find(_ buildspec: Buildspec, in folder: String) async throws -> ArtifactJob {
        try await ArtifactDisk.onThread { try ArtifactJob(buildspec, in: folder, checkCancellation: $0) }
    }

    private init(_ buildspec: Buildspec, in folder: String, checkCancellation: () throws -> Void) throws {
        let artifacts = [buildspec.artifacts].compactMap { $0 } + buildspec.secondaryArtifacts
        guard !artifacts.isEmpty else {
            throw ClientError("the buildspec names no artifacts; add artifacts: files:, or name files as arguments")
        }
        var warnings: [String] = []
        var parts: [Part] = []
        for artifact in artifacts {
            let found = try artifact.fileSet.find(in: folder)
            warnings += found.warnings
            var scanner = ArtifactScanner()
            for file in found.files {
                switch file.kind {
                case .file, .symbolicLink:
                    try scanner.add(file.source, as: file.path, checkCancellation: checkCancellation)
                case .folder: try scanner.addFolder(file.source, as: file.path)
                }
            }
            parts.append(Part(identifier: artifact.identifier, name: artifact.name, files: try scanner.found()))
        }
        var reports: [ArtifactDraft.Report] = []
        for group in buildspec.reports {
            // As in CodeBuild, reports that are missing or damaged are no reason to fail.
            do {
                reports.append(try Self.report(group, in: folder, &warnings, checkCancellation))
            } catch let error as ClientError {
                warnings.append("reports \(group.name): \(error)")
            }
        }
        self.parts = parts
        self.reports = reports
        self.warnings = warnings
    }

    /// The tag that a buildspec's name of an artifact stands for, as the shell evaluates it, off the pool of tasks.
    ///
    /// - Throws: `ClientError` when a command in it fails.
    package static func tag(
        ofName name: String,
        in folder: String,
        environment: [String: String]
    ) async throws -> Tag? {
        let text = try await ArtifactDisk.onThread { _ in
            try ShellText.evaluate(name, in: folder, environment: environment)
        }
        return Tag(String(text.map { $0 == "/" ? "-" : $0 }))
    }

    /// The repository of a secondary artifact.
    package static func repository(
        _ repository: RepositoryName,
        identifier: String
    ) throws(ClientError) -> RepositoryName {
        guard let name = RepositoryName("\(repository)/\(identifier.lowercased())") else {
            throw ClientError(
                "the secondary artifact '\(identifier)' can't be kept as \(repository)/\(identifier.lowercased()); a "
                    + "name has letters and digits, joined by . _ or -"
            )
        }
        return name
    }

    private static func report(
        _ group: Buildspec.ReportGroup,
        in folder: String,
        _ warnings: inout [String],
        _ checkCancellation: () throws -> Void
    ) throws -> ArtifactDraft.Report {
        let found = try group.fileSet.find(in: folder)
        warnings += found.warnings.map { "reports \(group.name): \($0)" }
        var scanner = ArtifactScanner()
        for file in found.files where file.kind == .file { try scanner.add(file.source, as: file.path) }
        let files = try scanner.found().files
        var totals: TestReport.Totals?
        for file in files {
            try checkCancellation()
            do throws(ClientError) {
                let bytes = try ArtifactDisk.bytes(of: file.source, atMost: TestReport.lengthMax)
                guard let more = try TestReport.read(format: group.format, bytes: bytes) else { continue }
                totals = totals.map { $0 + more } ?? more
            } catch {
                warnings.append("reports \(group.name): \(file.path): \(error)")
            }
        }
        let message = ArtifactReportMessage(
            group: group.name,
            format: group.format,
            totals: totals ?? ReportTotals(),
            files: []
        )
        return ArtifactDraft.Report(totals: message, files: files)
    }
}

extension ArtifactFiles {
    /// Makes sure that files by which deployments find images can be used; reads them off the pool of tasks.
    ///
    /// - Throws: `ClientError` that says what is wrong in which.
    package func checkImageDefinitions() async throws {
        try await ArtifactDisk.onThread { checkCancellation in
            for file in files where ImageDefinitions.isName(file.path) {
                try checkCancellation()
                let bytes = try ArtifactDisk.bytes(of: file.source, atMost: ImageDefinitions.lengthMax)
                try ImageDefinitions.check(path: file.path, bytes: bytes)
            }
        }
    }
}
