import Testing

@testable import LarderClient

/// What each system's variables say of a job.
@Suite struct JobEnvironmentTests {
    /// A job, and what is expected to be read.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var variables: [String: String]
        var files: [String: String] = [:]
        var scopes: [String]
        var system: String?
        var commit: String?
        var branch: String?
        var tag: String?
        var run: String?
        var actor: String?
        var source: String?
        var event: String?

        var testDescription: String { name }
    }

    private func job(
        _ variables: [String: String],
        files: [String: String] = [:],
        overrides: JobEnvironment.Overrides = .init()
    ) throws -> JobEnvironment {
        try JobEnvironment(environment: variables, overrides: overrides, folder: "/w") { path in
            files[path].map { Array($0.utf8) }
        }
    }

    @Test(arguments: Case.all)
    func variablesAreRead(expected: Case) throws {
        let job = try job(expected.variables, files: expected.files)
        #expect(job.scopes == expected.scopes)
        #expect(job.system == expected.system)
        #expect(job.commit == expected.commit)
        #expect(job.branch == expected.branch)
        #expect(job.tag == expected.tag)
        #expect(job.run == expected.run)
        #expect(job.actor == expected.actor)
        #expect(job.source == expected.source)
        #expect(job.event == expected.event)
        #expect(job.isScopeKnown)
    }

    @Test func nothingKnownGivesAScopeThatIsNobodys() throws {
        let job = try job([:])
        #expect(!job.isScopeKnown)
        #expect(job.scopes == ["default", "refs/heads/main", "refs/heads/master"])
        #expect(job.system == nil && job.commit == nil && job.branch == nil)
        #expect(job.branchOrTag == nil)
    }

    @Test func anEmptyVariableCountsAsNotSet() throws {
        let variables = ["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/a", "LARDER_SCOPE": ""]
        try #expect(job(variables).ownScope == "refs/heads/a")
        try #expect(job(["GITHUB_ACTIONS": "", "GITHUB_REF": "refs/heads/a", "LARDER_SCOPE": ""]) == job([:]))
    }

    @Test func aPersonsWordWins() throws {
        let variables = ["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/a", "LARDER_SCOPE": "team"]
        try #expect(job(variables).scopes == ["team", "refs/heads/main", "refs/heads/master"])
        let overrides = JobEnvironment.Overrides(
            scope: "refs/heads/z",
            commit: "c",
            branch: "b",
            run: "r",
            actor: "d",
            source: "https://u:p@host/s"
        )
        let job = try job(variables, overrides: overrides)
        #expect(job.ownScope == "refs/heads/z")
        #expect([job.commit, job.branch, job.run, job.actor] == ["c", "b", "r", "d"])
        #expect(job.source == "https://host/s")
        try #expect(self.job([:], overrides: .init(branch: "b")).ownScope == "refs/heads/b")
        let request = ["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/7/merge"]
        try #expect(self.job(request, overrides: .init(branch: "b")).ownScope == "refs/pull/7/merge")
    }

    @Test(arguments: ["a\nb", String(repeating: "x", count: 513)])
    func aScopeThatIsNoneIsRefused(scope: String) {
        #expect(throws: ClientError.self) { try job(["LARDER_SCOPE": scope]) }
        #expect(throws: ClientError.self) { try job([:], overrides: .init(scope: scope)) }
    }

    @Test func aReferenceThatIsNoScopeIsNotUsed() throws {
        let job = try job(["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/a\u{1}b"])
        #expect(!job.isScopeKnown)
        #expect(job.ownScope == JobEnvironment.unknownScope)
    }

    @Test(arguments: ["", "{", "[]", "{\"repository\":1}", "{\"repository\":{\"default_branch\":{}}}"])
    func aDamagedEventSaysNothing(event: String) throws {
        let variables = ["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/a", "GITHUB_EVENT_PATH": "/e"]
        let job = try job(variables, files: ["/e": event])
        #expect(job.scopes == ["refs/heads/a", "refs/heads/main", "refs/heads/master"])
    }
}

extension JobEnvironmentTests.Case {
    fileprivate typealias Case = JobEnvironmentTests.Case
    fileprivate static let commit = String(repeating: "1a", count: 20)
    fileprivate static let defaults = ["refs/heads/main", "refs/heads/master"]

    static let all: [Self] = github + gitlab + codebuild + others

    private static let github: [Self] = [
        Case(
            name: "GitHub, push",
            variables: [
                "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/feature/x", "GITHUB_SHA": commit,
                "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "9",
                "GITHUB_RUN_NUMBER": "2", "GITHUB_ACTOR": "ann", "GITHUB_EVENT_NAME": "push",
                "GITHUB_EVENT_PATH": "/event", "GITHUB_HEAD_REF": "", "GITHUB_BASE_REF": "",
            ],
            files: ["/event": "{\"x\":[1,{}],\"repository\":{\"id\":1,\"default_branch\":\"trunk\"}}"],
            scopes: ["refs/heads/feature/x", "refs/heads/trunk"],
            system: "github",
            commit: commit,
            branch: "feature/x",
            run: "https://github.com/o/r/actions/runs/9",
            actor: "ann",
            source: "https://github.com/o/r",
            event: "push"
        ),
        Case(
            name: "GitHub, pull request",
            variables: [
                "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/pull/7/merge", "GITHUB_HEAD_REF": "fix",
                "GITHUB_BASE_REF": "release/1", "GITHUB_EVENT_NAME": "pull_request",
            ],
            scopes: ["refs/pull/7/merge", "refs/heads/release/1"] + defaults,
            system: "github",
            branch: "fix",
            event: "pull_request"
        ),
        Case(
            name: "GitHub, pull request with the rights of its base",
            variables: [
                "GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_HEAD_REF": "fix",
                "GITHUB_BASE_REF": "main", "GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_EVENT_PATH": "/event",
            ],
            files: ["/event": "{\"pull_request\":{\"number\":7},\"repository\":{\"default_branch\":\"main\"}}"],
            scopes: ["refs/pull/7/merge", "refs/heads/main"],
            system: "github",
            branch: "fix",
            event: "pull_request_target"
        ),
        Case(
            name: "GitHub, tag",
            variables: ["GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v1"],
            scopes: ["refs/tags/v1"] + defaults,
            system: "github",
            tag: "v1"
        ),
        Case(
            name: "Forgejo",
            variables: [
                "GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "FORGEJO_ACTIONS": "true",
                "GITHUB_REF": "refs/heads/main", "GITHUB_SERVER_URL": "https://codeberg.org",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "900", "GITHUB_RUN_NUMBER": "2",
            ],
            scopes: defaults,
            system: "forgejo",
            branch: "main",
            run: "https://codeberg.org/o/r/actions/runs/2",
            source: "https://codeberg.org/o/r"
        ),
        Case(
            name: "Gitea",
            variables: ["GITHUB_ACTIONS": "true", "GITEA_ACTIONS": "true", "GITHUB_REF": "refs/heads/a"],
            scopes: ["refs/heads/a"] + defaults,
            system: "gitea",
            branch: "a"
        ),
    ]

    private static let gitlab: [Self] = [
        Case(
            name: "GitLab, branch",
            variables: [
                "GITLAB_CI": "true", "CI_COMMIT_SHA": commit, "CI_COMMIT_BRANCH": "x", "CI_COMMIT_REF_NAME": "x",
                "CI_DEFAULT_BRANCH": "main", "CI_PROJECT_URL": "https://gitlab.com/g/p",
                "CI_REPOSITORY_URL": "https://gitlab-ci-token:secret@gitlab.com/g/p.git",
                "CI_PIPELINE_URL": "https://gitlab.com/g/p/-/pipelines/1", "GITLAB_USER_LOGIN": "ann",
                "CI_PIPELINE_SOURCE": "push",
            ],
            scopes: ["refs/heads/x", "refs/heads/main"],
            system: "gitlab",
            commit: commit,
            branch: "x",
            run: "https://gitlab.com/g/p/-/pipelines/1",
            actor: "ann",
            source: "https://gitlab.com/g/p",
            event: "push"
        ),
        Case(
            name: "GitLab, merge request",
            variables: [
                "GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix",
                "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "dev", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_REF_NAME": "fix",
            ],
            scopes: ["refs/merge-requests/3/head", "refs/heads/dev", "refs/heads/main"],
            system: "gitlab",
            branch: "fix"
        ),
        Case(
            name: "GitLab, tag",
            variables: ["GITLAB_CI": "true", "CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_NAME": "v1"],
            scopes: ["refs/tags/v1"] + defaults,
            system: "gitlab",
            tag: "v1"
        ),
    ]

    private static let codebuild: [Self] = [
        Case(
            name: "CodeBuild, webhook",
            variables: [
                "CODEBUILD_BUILD_ID": "p:1", "CODEBUILD_RESOLVED_SOURCE_VERSION": commit,
                "CODEBUILD_WEBHOOK_TRIGGER": "branch/x", "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/x",
                "CODEBUILD_SOURCE_VERSION": commit, "CODEBUILD_INITIATOR": "GitHub-Hookshot/1",
                "CODEBUILD_SOURCE_REPO_URL": "https://github.com/o/r.git", "CODEBUILD_WEBHOOK_EVENT": "PUSH",
                "CODEBUILD_BUILD_URL": "https://console/1",
            ],
            scopes: ["refs/heads/x"] + defaults,
            system: "codebuild",
            commit: commit,
            branch: "x",
            run: "https://console/1",
            actor: "GitHub-Hookshot/1",
            source: "https://github.com/o/r.git",
            event: "PUSH"
        ),
        Case(
            name: "CodeBuild, pull request",
            variables: [
                "CODEBUILD_BUILD_ID": "p:1", "CODEBUILD_WEBHOOK_TRIGGER": "pr/7",
                "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/fix", "CODEBUILD_WEBHOOK_BASE_REF": "refs/heads/dev",
                "CODEBUILD_SOURCE_VERSION": "pr/7",
            ],
            scopes: ["refs/pull/7/head", "refs/heads/dev"] + defaults,
            system: "codebuild",
            branch: "fix",
            run: "p:1"
        ),
        Case(
            name: "CodeBuild, asked for by reference and commit",
            variables: ["CODEBUILD_BUILD_ID": "p:1", "CODEBUILD_SOURCE_VERSION": "refs/heads/x^{\(commit)}"],
            scopes: ["refs/heads/x"] + defaults,
            system: "codebuild",
            branch: "x",
            run: "p:1"
        ),
        Case(
            name: "CodeBuild, in a pipeline: the checkout says what is built",
            variables: ["CODEBUILD_BUILD_ID": "p:1", "CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::b/k"],
            files: ["/w/.git/HEAD": "ref: refs/heads/y", "/w/.git/refs/heads/y": commit],
            scopes: ["refs/heads/y"] + defaults,
            system: "codebuild",
            commit: commit,
            branch: "y",
            run: "p:1"
        ),
        Case(
            name: "CodeBuild, tag",
            variables: ["CODEBUILD_BUILD_ID": "p:1", "CODEBUILD_WEBHOOK_TRIGGER": "tag/v1"],
            scopes: ["refs/tags/v1"] + defaults,
            system: "codebuild",
            tag: "v1",
            run: "p:1"
        ),
    ]

    private static let others: [Self] = [
        Case(
            name: "Jenkins, multibranch",
            variables: [
                "JENKINS_URL": "http://j/", "BRANCH_NAME": "x", "GIT_BRANCH": "x", "GIT_COMMIT": commit,
                "GIT_URL": "https://u:p@host/r.git", "BUILD_URL": "http://j/1",
            ],
            scopes: ["refs/heads/x"] + defaults,
            system: "jenkins",
            commit: commit,
            branch: "x",
            run: "http://j/1",
            source: "https://host/r.git"
        ),
        Case(
            name: "Jenkins, one branch",
            variables: ["JENKINS_URL": "http://j/", "GIT_BRANCH": "origin/feature/x"],
            scopes: ["refs/heads/feature/x"] + defaults,
            system: "jenkins",
            branch: "feature/x"
        ),
        Case(
            name: "Jenkins, change",
            variables: [
                "JENKINS_URL": "http://j/", "BRANCH_NAME": "PR-7", "CHANGE_ID": "7", "CHANGE_TARGET": "dev",
                "CHANGE_BRANCH": "fix",
            ],
            scopes: ["refs/pull/7/head", "refs/heads/dev"] + defaults,
            system: "jenkins",
            branch: "fix"
        ),
        Case(
            name: "CircleCI",
            variables: [
                "CIRCLECI": "true", "CIRCLE_SHA1": commit, "CIRCLE_BRANCH": "x", "CIRCLE_USERNAME": "ann",
                "CIRCLE_BUILD_URL": "https://c/1", "CIRCLE_REPOSITORY_URL": "git@github.com:o/r.git",
            ],
            scopes: ["refs/heads/x"] + defaults,
            system: "circleci",
            commit: commit,
            branch: "x",
            run: "https://c/1",
            actor: "ann",
            source: "git@github.com:o/r.git"
        ),
        Case(
            name: "CircleCI, fork",
            variables: ["CIRCLECI": "true", "CIRCLE_BRANCH": "pull/7"],
            scopes: ["refs/pull/7/head"] + defaults,
            system: "circleci",
            branch: "pull/7"
        ),
        Case(
            name: "Buildkite",
            variables: [
                "BUILDKITE": "true", "BUILDKITE_COMMIT": "HEAD", "BUILDKITE_BRANCH": "x",
                "BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main",
                "BUILDKITE_BUILD_URL": "https://b/1", "BUILDKITE_BUILD_CREATOR": "ann", "BUILDKITE_SOURCE": "webhook",
            ],
            scopes: ["refs/heads/x", "refs/heads/main"],
            system: "buildkite",
            branch: "x",
            run: "https://b/1",
            actor: "ann",
            event: "webhook"
        ),
        Case(
            name: "Buildkite, pull request",
            variables: [
                "BUILDKITE": "true", "BUILDKITE_BRANCH": "fix", "BUILDKITE_PULL_REQUEST": "7",
                "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "dev", "BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main",
            ],
            scopes: ["refs/pull/7/head", "refs/heads/dev", "refs/heads/main"],
            system: "buildkite",
            branch: "fix"
        ),
        Case(
            name: "Azure, pull request",
            variables: [
                "TF_BUILD": "True", "BUILD_SOURCEVERSION": commit, "BUILD_SOURCEBRANCH": "refs/pull/1/merge",
                "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/dev",
                "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/fix",
                "BUILD_BUILDID": "5", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/o/", "SYSTEM_TEAMPROJECT": "My P",
                "BUILD_REQUESTEDFOR": "Ann", "BUILD_REPOSITORY_URI": "https://o@dev.azure.com/o/p/_git/r",
                "BUILD_REASON": "PullRequest",
            ],
            scopes: ["refs/pull/1/merge", "refs/heads/dev"] + defaults,
            system: "azure",
            commit: commit,
            branch: "fix",
            run: "https://dev.azure.com/o/My%20P/_build/results?buildId=5",
            actor: "Ann",
            source: "https://dev.azure.com/o/p/_git/r",
            event: "PullRequest"
        ),
        Case(
            name: "Bitbucket, pull request",
            variables: [
                "BITBUCKET_BUILD_NUMBER": "5", "BITBUCKET_COMMIT": commit, "BITBUCKET_BRANCH": "fix",
                "BITBUCKET_PR_ID": "7", "BITBUCKET_PR_DESTINATION_BRANCH": "main", "BITBUCKET_REPO_FULL_NAME": "o/r",
                "BITBUCKET_GIT_HTTP_ORIGIN": "http://bitbucket.org/o/r",
            ],
            scopes: ["refs/pull/7/head"] + defaults,
            system: "bitbucket",
            commit: commit,
            branch: "fix",
            run: "https://bitbucket.org/o/r/pipelines/results/5",
            source: "http://bitbucket.org/o/r"
        ),
        Case(
            name: "Travis, pull request",
            variables: [
                "TRAVIS": "true", "TRAVIS_COMMIT": commit, "TRAVIS_BRANCH": "dev", "TRAVIS_PULL_REQUEST": "7",
                "TRAVIS_PULL_REQUEST_BRANCH": "fix", "TRAVIS_REPO_SLUG": "o/r", "TRAVIS_BUILD_WEB_URL": "https://t/1",
                "TRAVIS_EVENT_TYPE": "pull_request",
            ],
            scopes: ["refs/pull/7/head", "refs/heads/dev"] + defaults,
            system: "travis",
            commit: commit,
            branch: "fix",
            run: "https://t/1",
            source: "https://github.com/o/r",
            event: "pull_request"
        ),
        Case(
            name: "Travis, tag",
            variables: [
                "TRAVIS": "true", "TRAVIS_BRANCH": "v1", "TRAVIS_TAG": "v1", "TRAVIS_PULL_REQUEST": "false",
            ],
            scopes: ["refs/tags/v1"] + defaults,
            system: "travis",
            tag: "v1"
        ),
        Case(
            name: "Woodpecker, pull request",
            variables: [
                "CI": "woodpecker", "CI_COMMIT_SHA": commit, "CI_COMMIT_BRANCH": "dev", "CI_COMMIT_PULL_REQUEST": "7",
                "CI_COMMIT_SOURCE_BRANCH": "fix", "CI_COMMIT_TARGET_BRANCH": "dev", "CI_REPO_DEFAULT_BRANCH": "main",
                "CI_REPO_URL": "https://host/o/r", "CI_PIPELINE_URL": "https://w/1", "CI_COMMIT_AUTHOR": "ann",
                "CI_PIPELINE_EVENT": "pull_request",
            ],
            scopes: ["refs/pull/7/head", "refs/heads/dev", "refs/heads/main"],
            system: "woodpecker",
            commit: commit,
            branch: "fix",
            run: "https://w/1",
            actor: "ann",
            source: "https://host/o/r",
            event: "pull_request"
        ),
        Case(
            name: "Drone",
            variables: [
                "DRONE": "true", "DRONE_COMMIT_SHA": commit, "DRONE_BRANCH": "x", "DRONE_REPO_BRANCH": "main",
                "DRONE_BUILD_LINK": "https://d/1", "DRONE_REPO_LINK": "https://host/o/r", "DRONE_COMMIT_AUTHOR": "ann",
                "DRONE_BUILD_EVENT": "push",
            ],
            scopes: ["refs/heads/x", "refs/heads/main"],
            system: "drone",
            commit: commit,
            branch: "x",
            run: "https://d/1",
            actor: "ann",
            source: "https://host/o/r",
            event: "push"
        ),
        Case(
            name: "TeamCity with a checkout",
            variables: ["TEAMCITY_VERSION": "2025.1", "BUILD_VCS_NUMBER": commit, "BUILD_NUMBER": "3"],
            files: ["/w/.git/HEAD": "ref: refs/heads/x"],
            scopes: ["refs/heads/x"] + defaults,
            system: "teamcity",
            commit: commit,
            branch: "x",
            run: "3"
        ),
        Case(
            name: "no system",
            variables: ["USER": "ann", "CI": "true"],
            files: ["/w/.git/HEAD": "ref: refs/heads/main", "/w/.git/refs/heads/main": commit],
            scopes: defaults,
            commit: commit,
            branch: "main",
            actor: "ann"
        ),
    ]
}
