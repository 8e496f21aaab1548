import APIMessages

/// What is said of an artifact, as annotations of its manifest: labels, and where it comes from.
package struct ArtifactLabels: Sendable, Equatable {
    /// What the store keeps of a manifest's annotations: so many, with names and values of so many bytes.
    package static let countMax = 100
    package static let nameLengthMax = 256
    package static let valueLengthMax = 1024

    /// By name.
    package let annotations: [String: String]

    /// `labels`: Written `NAME=VALUE`; they win over what was found out.
    ///
    /// - Throws: `ClientError` for a label that can't be one.
    package init(_ labels: [String], job: JobEnvironment?) throws(ClientError) {
        var annotations = job.map(Self.provenance) ?? [:]
        var names: Set<String> = []
        for label in labels {
            let (name, value) = try Self.split(label)
            guard names.insert(name).inserted else { throw ClientError("the label \(name) is given twice") }
            annotations[name] = value
        }
        guard annotations.count <= Self.countMax else {
            throw ClientError("an artifact has at most \(Self.countMax) labels; use fewer")
        }
        self.annotations = annotations
    }

    /// The name and value of a label.
    package static func split(_ label: String) throws(ClientError) -> (name: String, value: String) {
        let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw ClientError("'\(label)' is no label; one is written NAME=VALUE")
        }
        guard parts[0].utf8.count <= nameLengthMax, parts[1].utf8.count <= valueLengthMax else {
            throw ClientError(
                "the label \(parts[0].prefix(40)) is too long; names have \(nameLengthMax) bytes, values \(valueLengthMax)"
            )
        }
        return (String(parts[0]), String(parts[1]))
    }

    private static func provenance(_ job: JobEnvironment) -> [String: String] {
        let facts: [String: String?] = [
            ArtifactAnnotation.revision: job.commit,
            ArtifactAnnotation.source: job.source,
            ArtifactAnnotation.branch: job.branchOrTag,
            ArtifactAnnotation.run: job.run,
            ArtifactAnnotation.actor: job.actor,
            ArtifactAnnotation.ci: job.system,
        ]
        // What a system says too much of is left out: it is no reason to fail.
        return facts.compactMapValues { $0 }.filter { !$0.value.isEmpty && $0.value.utf8.count <= valueLengthMax }
    }
}

/// The tag of a version that is given none.
package enum ArtifactDefaultTag {
    /// Digits of the commit.
    private static let commitLength = 12

    /// Commit and number of the run, such as `0a1b2c3d4e5f-1234`; nil unless both are known.
    ///
    /// `environment`: The variables of the job.
    package static func text(job: JobEnvironment, environment: [String: String]) -> String? {
        guard job.system != nil, let commit = job.commit, let number = runNumber(environment) else { return nil }
        let digits = commit.lowercased()
        guard digits.utf8.count >= commitLength, digits.allSatisfy(\.isHexDigit) else { return nil }
        return "\(digits.prefix(commitLength))-\(number)"
    }

    /// The number of the run as people see it; with that of the attempt, if it is not the first.
    private static func runNumber(_ environment: [String: String]) -> String? {
        let names = [
            "GITHUB_RUN_NUMBER", "CI_PIPELINE_IID", "CI_PIPELINE_ID", "CODEBUILD_BUILD_NUMBER",
            "BUILDKITE_BUILD_NUMBER", "CIRCLE_BUILD_NUM", "BUILD_BUILDID", "BITBUCKET_BUILD_NUMBER",
            "TRAVIS_BUILD_NUMBER", "CI_PIPELINE_NUMBER", "DRONE_BUILD_NUMBER", "BUILD_NUMBER",
        ]
        let number = names.lazy.compactMap { environment[$0] }.first(where: isNumber)
        guard let number else { return nil }
        let attempt = environment["GITHUB_RUN_ATTEMPT"].flatMap { isNumber($0) && $0 != "1" ? ".\($0)" : nil }
        return number + (attempt ?? "")
    }

    private static func isNumber(_ text: String) -> Bool {
        (1...20).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}
