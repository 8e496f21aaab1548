import LarderCore

/// The variables of a process; an empty one counts as none.
struct JobVariables {
    private let values: [String: String]

    init(_ values: [String: String]) {
        self.values = values
    }

    /// The first of some variables that is set.
    subscript(names: String...) -> String? {
        names.lazy.compactMap { values[$0] }.first { !$0.isEmpty }
    }

    func isTrue(_ name: String) -> Bool { values[name]?.lowercased() == "true" }
}

/// What the variables of a system say.
///
/// One function for each system; the names come from the systems' own references. What several jobs of strangers may share
/// is never a branch: a pull request has a scope of its own, also where the system runs it with the rights of its base.
struct JobFacts {
    var system: String?
    var commit: String?
    var branch: String?
    var tag: String?
    var run: String?
    var actor: String?
    var source: String?
    var event: String?
    /// What is built, as a full reference.
    private(set) var reference: String?
    /// The branch that a pull or merge request goes to.
    var base: String?
    var defaultBranch: String?

    init(_ variables: JobVariables, read: (String) -> [UInt8]?) {
        if variables.isTrue("GITHUB_ACTIONS") || variables.isTrue("GITEA_ACTIONS")
            || variables.isTrue("FORGEJO_ACTIONS")
        {
            readGitHub(variables, read)
        } else if variables.isTrue("GITLAB_CI") {
            readGitLab(variables)
        } else if variables["CODEBUILD_BUILD_ID"] != nil {
            readCodeBuild(variables)
        } else if variables.isTrue("BUILDKITE") {
            readBuildkite(variables)
        } else if variables.isTrue("CIRCLECI") {
            readCircleCI(variables)
        } else if variables.isTrue("TF_BUILD") {
            readAzure(variables)
        } else if variables["BITBUCKET_BUILD_NUMBER"] != nil {
            readBitbucket(variables)
        } else if variables.isTrue("TRAVIS") {
            readTravis(variables)
        } else if variables["CI"] == "woodpecker" {
            readWoodpecker(variables)
        } else if variables.isTrue("DRONE") {
            readDrone(variables)
        } else if variables["JENKINS_URL"] != nil {
            readJenkins(variables)
        } else if variables["TEAMCITY_VERSION"] != nil {
            readTeamCity(variables)
        }
    }

    /// Whether a pull or merge request is built, whose change may be a stranger's.
    var isRequest: Bool {
        reference.map { $0.hasPrefix("refs/pull/") || $0.hasPrefix("refs/merge-requests/") } ?? false
    }

    /// Takes a branch's name for what it is; a full reference stays as it is.
    static func fullReference(_ name: String) -> String { name.hasPrefix("refs/") ? name : "refs/heads/\(name)" }

    /// Notes what is built; the branch or tag follows from it where none is known.
    mutating func setReference(_ reference: String) {
        self.reference = reference
        if reference.hasPrefix("refs/heads/"), branch == nil {
            branch = String(reference.dropFirst("refs/heads/".count))
        }
        if reference.hasPrefix("refs/tags/"), tag == nil { tag = String(reference.dropFirst("refs/tags/".count)) }
    }

    /// Notes a pull request, else a tag, else a branch.
    private mutating func setReference(pull: String?, tag: String?, branch: String?) {
        self.branch = branch
        if let pull {
            setReference("refs/pull/\(pull)/head")
        } else if let tag {
            self.branch = nil
            setReference("refs/tags/\(tag)")
        } else if let branch {
            setReference(Self.fullReference(branch))
            if branch.hasPrefix("refs/heads/") { self.branch = String(branch.dropFirst("refs/heads/".count)) }
        }
    }

    // MARK: - GitHub, Gitea, Forgejo

    private mutating func readGitHub(_ variables: JobVariables, _ read: (String) -> [UInt8]?) {
        // Gitea's runner sets GitHub's variables and its own mark, Forgejo's sets Gitea's mark too.
        let isGitHub = !variables.isTrue("FORGEJO_ACTIONS") && !variables.isTrue("GITEA_ACTIONS")
        system = isGitHub ? "github" : variables.isTrue("FORGEJO_ACTIONS") ? "forgejo" : "gitea"
        commit = variables["GITHUB_SHA"]
        actor = variables["GITHUB_ACTOR"]
        event = variables["GITHUB_EVENT_NAME"]
        base = variables["GITHUB_BASE_REF"]
        branch = variables["GITHUB_HEAD_REF"]
        if let server = variables["GITHUB_SERVER_URL"], let repository = variables["GITHUB_REPOSITORY"] {
            source = "\(server)/\(repository)"
            // The others' pages are under the number that counts the repository's runs.
            run = variables[isGitHub ? "GITHUB_RUN_ID" : "GITHUB_RUN_NUMBER"].map {
                "\(server)/\(repository)/actions/runs/\($0)"
            }
        }
        let document = variables["GITHUB_EVENT_PATH"].flatMap { read($0) }.flatMap { GitHubEvent($0) }
        defaultBranch = document?.defaultBranch
        if event == "pull_request_target", let number = document?.pullRequest {
            // GITHUB_REF names the base here, although a stranger's change may be what is built.
            setReference("refs/pull/\(number)/merge")
        } else if let reference = variables["GITHUB_REF"] {
            setReference(reference)
        }
    }

    // MARK: - GitLab

    private mutating func readGitLab(_ variables: JobVariables) {
        system = "gitlab"
        commit = variables["CI_COMMIT_SHA"]
        run = variables["CI_PIPELINE_URL", "CI_JOB_URL", "CI_PIPELINE_ID"]
        actor = variables["GITLAB_USER_LOGIN"]
        // Not CI_REPOSITORY_URL, which holds the job's token.
        source = variables["CI_PROJECT_URL"]
        event = variables["CI_PIPELINE_SOURCE"]
        defaultBranch = variables["CI_DEFAULT_BRANCH"]
        if let number = variables["CI_MERGE_REQUEST_IID"] {
            branch = variables["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"]
            base = variables["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"]
            setReference("refs/merge-requests/\(number)/head")
        } else if let number = variables["CI_EXTERNAL_PULL_REQUEST_IID"] {
            base = variables["CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME"]
            setReference(pull: number, tag: nil, branch: variables["CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"])
        } else {
            let branch = variables["CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"]
            setReference(pull: nil, tag: variables["CI_COMMIT_TAG"], branch: branch)
        }
    }

    // MARK: - CodeBuild

    private mutating func readCodeBuild(_ variables: JobVariables) {
        system = "codebuild"
        commit = variables["CODEBUILD_RESOLVED_SOURCE_VERSION"]
        run = variables["CODEBUILD_BUILD_URL", "CODEBUILD_BUILD_ID"]
        actor = variables["CODEBUILD_INITIATOR"]
        source = variables["CODEBUILD_SOURCE_REPO_URL"]
        event = variables["CODEBUILD_WEBHOOK_EVENT"]
        base = variables["CODEBUILD_WEBHOOK_BASE_REF"]
        let head = variables["CODEBUILD_WEBHOOK_HEAD_REF"]
        // pr/7, branch/x or tag/v1; and what a person may have asked for, also as refs/heads/x^{commit}.
        let trigger = variables["CODEBUILD_WEBHOOK_TRIGGER"] ?? ""
        let version = variables["CODEBUILD_SOURCE_VERSION"].map { String($0.prefix { $0 != "^" }) } ?? ""
        if let number = Self.rest(of: trigger, behind: "pr/") ?? Self.rest(of: version, behind: "pr/") {
            setReference(pull: number, tag: nil, branch: head)
            branch = head.map { Self.rest(of: $0, behind: "refs/heads/") ?? $0 }
        } else if let head {
            setReference(Self.fullReference(head))
        } else if let tag = Self.rest(of: trigger, behind: "tag/") {
            setReference("refs/tags/\(tag)")
        } else if let branch = Self.rest(of: trigger, behind: "branch/") {
            setReference("refs/heads/\(branch)")
        } else if !version.isEmpty, version != commit, !version.hasPrefix("arn:"), !Self.isCommit(version) {
            setReference(Self.fullReference(version))
        }
    }

    private static func rest(of text: String, behind prefix: String) -> String? {
        text.hasPrefix(prefix) && text.utf8.count > prefix.utf8.count ? String(text.dropFirst(prefix.count)) : nil
    }

    private static func isCommit(_ text: String) -> Bool {
        text.utf8.count == 40 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    // MARK: - Others

    private mutating func readBuildkite(_ variables: JobVariables) {
        system = "buildkite"
        commit = variables["BUILDKITE_COMMIT"].flatMap { $0 == "HEAD" ? nil : $0 }
        run = variables["BUILDKITE_BUILD_URL", "BUILDKITE_BUILD_NUMBER"]
        actor = variables["BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_AUTHOR"]
        source = variables["BUILDKITE_REPO"]
        event = variables["BUILDKITE_SOURCE"]
        base = variables["BUILDKITE_PULL_REQUEST_BASE_BRANCH"]
        defaultBranch = variables["BUILDKITE_PIPELINE_DEFAULT_BRANCH"]
        let pull = variables["BUILDKITE_PULL_REQUEST"].flatMap { $0 == "false" ? nil : $0 }
        setReference(pull: pull, tag: variables["BUILDKITE_TAG"], branch: variables["BUILDKITE_BRANCH"])
    }

    private mutating func readCircleCI(_ variables: JobVariables) {
        system = "circleci"
        commit = variables["CIRCLE_SHA1"]
        run = variables["CIRCLE_BUILD_URL", "CIRCLE_BUILD_NUM"]
        actor = variables["CIRCLE_USERNAME", "CIRCLE_PR_USERNAME"]
        source = variables["CIRCLE_REPOSITORY_URL"]
        // Only requests from forks have a number here; their branch is called pull/7.
        let branch = variables["CIRCLE_BRANCH"]
        let pull = variables["CIRCLE_PR_NUMBER"] ?? branch.flatMap { Self.rest(of: $0, behind: "pull/") }
        setReference(pull: pull, tag: variables["CIRCLE_TAG"], branch: branch)
    }

    private mutating func readAzure(_ variables: JobVariables) {
        system = "azure"
        commit = variables["BUILD_SOURCEVERSION"]
        actor = variables["BUILD_REQUESTEDFOR"]
        source = variables["BUILD_REPOSITORY_URI"]
        event = variables["BUILD_REASON"]
        base = variables["SYSTEM_PULLREQUEST_TARGETBRANCH"]
        branch = variables["SYSTEM_PULLREQUEST_SOURCEBRANCH"].map { Self.rest(of: $0, behind: "refs/heads/") ?? $0 }
        run = variables["BUILD_BUILDID"]
        if let server = variables["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"],
            let project = variables["SYSTEM_TEAMPROJECT"], let number = run
        {
            let escaped = project.split(separator: " ").joined(separator: "%20")
            run = "\(server.hasSuffix("/") ? server : server + "/")\(escaped)/_build/results?buildId=\(number)"
        }
        if let reference = variables["BUILD_SOURCEBRANCH"] { setReference(Self.fullReference(reference)) }
    }

    private mutating func readBitbucket(_ variables: JobVariables) {
        system = "bitbucket"
        commit = variables["BITBUCKET_COMMIT"]
        actor = variables["BITBUCKET_STEP_TRIGGERER_UUID"]
        source = variables["BITBUCKET_GIT_HTTP_ORIGIN"]
        run = variables["BITBUCKET_BUILD_NUMBER"]
        if let repository = variables["BITBUCKET_REPO_FULL_NAME"], let number = run {
            run = "https://bitbucket.org/\(repository)/pipelines/results/\(number)"
        }
        base = variables["BITBUCKET_PR_DESTINATION_BRANCH"]
        setReference(
            pull: variables["BITBUCKET_PR_ID"],
            tag: variables["BITBUCKET_TAG"],
            branch: variables["BITBUCKET_BRANCH"]
        )
    }

    private mutating func readTravis(_ variables: JobVariables) {
        system = "travis"
        commit = variables["TRAVIS_COMMIT"]
        run = variables["TRAVIS_BUILD_WEB_URL", "TRAVIS_BUILD_NUMBER"]
        source = variables["TRAVIS_REPO_SLUG"].map { "https://github.com/\($0)" }
        event = variables["TRAVIS_EVENT_TYPE"]
        // For a request TRAVIS_BRANCH is the branch it goes to.
        guard let pull = variables["TRAVIS_PULL_REQUEST"], pull != "false" else {
            setReference(pull: nil, tag: variables["TRAVIS_TAG"], branch: variables["TRAVIS_BRANCH"])
            return
        }
        base = variables["TRAVIS_BRANCH"]
        setReference(pull: pull, tag: nil, branch: variables["TRAVIS_PULL_REQUEST_BRANCH"])
    }

    private mutating func readWoodpecker(_ variables: JobVariables) {
        system = "woodpecker"
        commit = variables["CI_COMMIT_SHA"]
        run = variables["CI_PIPELINE_URL", "CI_PIPELINE_NUMBER"]
        actor = variables["CI_COMMIT_AUTHOR"]
        source = variables["CI_REPO_URL"]
        event = variables["CI_PIPELINE_EVENT"]
        defaultBranch = variables["CI_REPO_DEFAULT_BRANCH"]
        // CI_COMMIT_BRANCH is the branch that a request goes to.
        if let pull = variables["CI_COMMIT_PULL_REQUEST"] {
            base = variables["CI_COMMIT_TARGET_BRANCH", "CI_COMMIT_BRANCH"]
            setReference(pull: pull, tag: nil, branch: variables["CI_COMMIT_SOURCE_BRANCH"])
        } else {
            setReference(pull: nil, tag: variables["CI_COMMIT_TAG"], branch: variables["CI_COMMIT_BRANCH"])
        }
    }

    private mutating func readDrone(_ variables: JobVariables) {
        system = "drone"
        commit = variables["DRONE_COMMIT_SHA", "DRONE_COMMIT"]
        run = variables["DRONE_BUILD_LINK", "DRONE_BUILD_NUMBER"]
        actor = variables["DRONE_COMMIT_AUTHOR"]
        source = variables["DRONE_REPO_LINK"]
        event = variables["DRONE_BUILD_EVENT"]
        defaultBranch = variables["DRONE_REPO_BRANCH"]
        if let pull = variables["DRONE_PULL_REQUEST"] {
            base = variables["DRONE_TARGET_BRANCH", "DRONE_BRANCH"]
            setReference(pull: pull, tag: nil, branch: variables["DRONE_SOURCE_BRANCH"])
        } else {
            setReference(
                pull: nil,
                tag: variables["DRONE_TAG"],
                branch: variables["DRONE_COMMIT_BRANCH", "DRONE_BRANCH"]
            )
        }
    }

    private mutating func readJenkins(_ variables: JobVariables) {
        system = "jenkins"
        commit = variables["GIT_COMMIT"]
        run = variables["BUILD_URL", "BUILD_TAG"]
        actor = variables["BUILD_USER_ID", "CHANGE_AUTHOR"]
        source = variables["GIT_URL"]
        // In a multibranch job BRANCH_NAME is PR-7 for a request; without, there is only git's origin/x.
        if let change = variables["CHANGE_ID"] {
            base = variables["CHANGE_TARGET"]
            setReference(pull: change, tag: nil, branch: variables["CHANGE_BRANCH"])
            return
        }
        let checkedOut = variables["GIT_BRANCH"].flatMap { branch -> String? in
            let branch = Self.rest(of: branch, behind: "refs/remotes/") ?? branch
            return branch == "detached" ? nil : Self.rest(of: branch, behind: "origin/") ?? branch
        }
        setReference(pull: nil, tag: variables["TAG_NAME"], branch: variables["BRANCH_NAME"] ?? checkedOut)
    }

    /// Nothing names the branch here unless a person adds it; the checkout does.
    private mutating func readTeamCity(_ variables: JobVariables) {
        system = "teamcity"
        commit = variables["BUILD_VCS_NUMBER"]
        run = variables["BUILD_URL", "BUILD_NUMBER"]
    }
}

/// What is wanted of the document that describes an event of GitHub.
private struct GitHubEvent {
    private(set) var defaultBranch: String?
    private(set) var pullRequest: Int64?

    /// Reads the document; nil when it is no JSON.
    init?(_ bytes: [UInt8]) {
        var scanner = JSONScanner(bytes)
        var (defaultBranch, pullRequest): (String?, Int64?) = (nil, nil)
        do {
            try scanner.readObject { (scanner, key) throws(JSONError) in
                guard key == "repository" || key == "pull_request", try scanner.peek() == .object else {
                    return try scanner.skip()
                }
                let part = key
                try scanner.readObject { (scanner, key) throws(JSONError) in
                    if part == "repository", key == "default_branch", try scanner.peek() == .string {
                        defaultBranch = try scanner.readString()
                    } else if part == "pull_request", key == "number", try scanner.peek() == .number {
                        pullRequest = try scanner.readInteger()
                    } else {
                        try scanner.skip()
                    }
                }
            }
        } catch {
            return nil
        }
        self.defaultBranch = defaultBranch.flatMap { $0.isEmpty ? nil : $0 }
        self.pullRequest = pullRequest
    }
}
