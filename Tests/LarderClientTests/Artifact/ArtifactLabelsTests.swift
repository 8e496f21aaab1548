import LarderClient
import Testing

/// Labels and provenance become annotations, and a version without a tag gets one from its run.
@Suite struct ArtifactLabelsTests {
    private let commit = "0A1b2c3d4e5f60718293a4b5c6d7e8f901234567"

    private var environment: [String: String] {
        [
            "GITHUB_ACTIONS": "true", "GITHUB_SHA": commit, "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "99",
            "GITHUB_RUN_NUMBER": "77", "GITHUB_REPOSITORY": "team/app", "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_ACTOR": "ada",
        ]
    }

    private func job(_ environment: [String: String]) throws -> JobEnvironment {
        try JobEnvironment(environment: environment, folder: "/nowhere") { _ in nil }
    }

    @Test func provenanceIsTakenFromTheJob() throws {
        let annotations = try ArtifactLabels([], job: try job(environment)).annotations
        #expect(annotations["org.opencontainers.image.revision"] == commit)
        #expect(annotations["org.opencontainers.image.source"] == "https://github.example/team/app")
        #expect(annotations["dev.larder.branch"] == "main")
        #expect(annotations["dev.larder.actor"] == "ada")
        #expect(annotations["dev.larder.ci"] == "github")
        #expect(annotations["dev.larder.run"]?.contains("99") == true)
    }

    @Test func labelsWinOverProvenance() throws {
        let labels = ["dev.larder.branch=other", "empty=", "equation=a=b"]
        let annotations = try ArtifactLabels(labels, job: try job(environment)).annotations
        #expect(annotations["dev.larder.branch"] == "other")
        #expect(annotations["empty"]?.isEmpty == true)
        #expect(annotations["equation"] == "a=b")
    }

    @Test(arguments: [
        ["noequals"], ["=value"], ["a=1", "a=2"], ["\(String(repeating: "n", count: 257))=v"],
        ["n=\(String(repeating: "v", count: 1025))"], (0...100).map { "l\($0)=v" },
    ])
    func labelsThatCannotBeKeptAreRefused(labels: [String]) {
        #expect(throws: ClientError.self) { try ArtifactLabels(labels, job: nil) }
    }

    @Test func theTagOfARunIsCommitAndNumber() throws {
        let job = try job(environment)
        #expect(ArtifactDefaultTag.text(job: job, environment: environment) == "0a1b2c3d4e5f-77")
        var again = environment
        again["GITHUB_RUN_ATTEMPT"] = "2"
        #expect(ArtifactDefaultTag.text(job: job, environment: again) == "0a1b2c3d4e5f-77.2")
        var unnumbered = environment
        unnumbered["GITHUB_RUN_NUMBER"] = nil
        #expect(ArtifactDefaultTag.text(job: job, environment: unnumbered) == nil)
    }

    @Test func outsideOfCIThereIsNoTag() throws {
        let environment = ["BUILD_NUMBER": "5"]
        let job = try JobEnvironment(environment: environment, overrides: .init(commit: commit), folder: "/nowhere") {
            _ in nil
        }
        #expect(ArtifactDefaultTag.text(job: job, environment: environment) == nil)
    }
}
