import Foundation
import LarderTestSupport
import Testing

/// Retention as people meet it: `larder policy`, `prune`, `pin` and `restore`.
@Suite(.serialized)
struct RetentionCommandTests {
    /// The policy of the guide, but with one image instead of ten.
    static let keepOne = """
        {"rules": [{"rulePriority": 1, "description": "Keep the last image", "selection": {"tagStatus": "any",
        "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}
        """
    static let keepTwoInYAML = """
        version: 1
        rules:
          - rulePriority: 1
            selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 2}
            action: {type: expire}

        """

    // MARK: - Policies

    @Test
    func aPolicyIsSetShownAndTakenAway() async throws {
        try await withPolicyFile(Self.keepTwoInYAML) { server, file in
            try await server.push("1", as: ["1"])
            let set = try await server.run("policy", "set", "team/app", "--file", file)
            #expect(set.hasPrefix("set the policy of team/app; it is applied next at 20"))
            #expect(set.hasSuffix(":00 UTC\n"))

            let shown = try await server.larder("policy", "show", "team/app")
            #expect(shown.status == 0)
            #expect(shown.output == Self.keepTwoInYAML)
            #expect(shown.errors.hasPrefix("the repository's own policy; it is applied next at "))
            #expect(try await server.run("repo", "show", "team/app").contains("policy    yes"))

            let removed = try await server.run("policy", "rm", "team/app")
            #expect(removed == "took the policy of team/app away\n")
            for command in ["show", "rm"] {
                try await server.refuses("not found: ", "policy", command, "team/app")
            }
            #expect(try await server.run("repo", "show", "team/app").contains("policy    none"))
        }
    }

    @Test
    func aPolicyComesFromStandardInput() async throws {
        try await withPolicyFile(Self.keepOne) { server, file in
            try await server.push("1", as: ["1"])
            let command = "\(larderPath) policy set team/app --file - --data-dir \(server.dataFolder) --json < \(file)"
            let result = try await runProgram("sh", ["-c", command])
            try #require(result.status == 0, "\(result.errors)")
            let message = try JSONDecoder().decode(PolicyAnswer.self, from: Data(result.output.utf8))
            #expect(message.policy == Self.keepOne)
            #expect(!message.isDefault)
            #expect(message.nextRun != nil)
        }
    }

    @Test(arguments: [
        (
            policy: keepOne.replacing("\"countNumber\": 1", with: "\"countNumber\": 0"),
            says: "line 2, column"
        ),
        (
            policy: keepOne.replacing("\"countNumber\": 1", with: "\"countNumber\": 0"),
            says: "rules[0].selection.countNumber"
        ),
        (policy: keepTwoInYAML.replacing("action:", with: "acts:"), says: "line 5, column"),
        (policy: "rules: [", says: "neither JSON nor YAML"),
    ])
    func aWrongPolicyIsRefusedWithItsPlace(policy: String, says: String) async throws {
        try await withPolicyFile(policy) { server, file in
            try await server.push("1", as: ["1"])
            try await server.refuses(says, "policy", "check", "--file", file, isOffline: true)
            try await server.refuses(says, "policy", "set", "team/app", "--file", file)
            try await server.refuses(says, "policy", "set", "--default", "registry", "--file", file)
            try await server.refuses(says, "policy", "preview", "team/app", "--file", file)
            let answer = try await server.administer("PUT", "/api/v1/policies/team/app", body: policy)
            #expect(answer.status == 400)
            #expect(answer.headers["content-type"] == "application/json")
            let error = try JSONDecoder().decode(ErrorAnswer.self, from: Data(answer.bytes)).error
            #expect(error.hasPrefix("malformed: policy: "))
            #expect(error.contains(says))
            #expect(try await server.administer("GET", "/api/v1/policies/team/app").status == 404)
        }
    }

    @Test
    func aPolicyIsCheckedForItsKindWithoutAServer() async throws {
        let policy = Self.keepOne.replacing("\"any\"", with: "\"tagged\", \"tagPatternList\": [\"v*\"]")
        try await withPolicyFile(policy) { server, file in
            for kind in [[], ["--kind", "registry"]] {
                let result = try await runProgram(larderPath, ["policy", "check", "--file", file] + kind)
                #expect(result.status == 0, "\(result.errors)")
                #expect(result.output == "the policy is valid: 1 rule\n")
            }
            let result = try await runProgram(larderPath, ["policy", "check", "--file", file, "--kind", "cache"])
            #expect(result.status == 1)
            #expect(result.errors.contains("can never match"))
            let missing = try await runProgram(larderPath, ["policy", "check", "--file", "\(file).none"])
            #expect(missing.status == 1)
            #expect(missing.errors.contains("can't read the policy \(file).none"))
            try await server.refuses("can never match", "policy", "set", "--default", "cache", "--file", file)
        }
    }

    @Test
    func aDefaultPolicyHoldsWhereThereIsNoOther() async throws {
        try await withPolicyFile(Self.keepOne) { server, file in
            for word in ["1", "2"] { try await server.push(word, as: [word]) }
            let nothing = try await server.run("prune", "--all")
            #expect(nothing.hasPrefix("no repository has a policy"))
            let set = try await server.run("policy", "set", "--default", "registry", "--file", file)
            #expect(set == "set the default policy of the kind registry\n")
            #expect(try await server.run("policy", "show", "--default", "registry") == Self.keepOne + "\n")
            let shown = try await server.larder("policy", "show", "team/app")
            #expect(shown.errors.hasPrefix("the default policy of the repository's kind; "))

            let pruned = try await server.run("prune", "--all")
            #expect(pruned.hasPrefix("team/app: run 1 removed 1 of 2 entries, "))
            #expect(try await server.tags() == ["2"])

            #expect(try await server.administer("DELETE", "/api/v1/default-policies/registry").status == 204)
            #expect(try await server.administer("DELETE", "/api/v1/default-policies/registry").status == 404)
            #expect(
                try await server.administer("GET", "/api/v1/default-policies").text.filter { !$0.isWhitespace } == "[]"
            )
            #expect(try await server.administer("GET", "/api/v1/policies/team/app").status == 404)
        }
    }

    @Test
    func policiesAreDeclaredInTheConfiguration() async throws {
        try await withTemporaryFolder { folder in
            let yaml = """
                undo-time: 2d
                default-policies: {registry: keep/one.json}
                repositories:
                  team/app: {kind: registry, policy: keep/two.yaml, undo-time: 0, prune-schedule: off}
                  team/other: {kind: registry, prune-schedule: 30 4 * * 1}
                """
            try FileManager.default.createDirectory(
                atPath: "\(folder)/keep",
                withIntermediateDirectories: true
            )
            for (name, text) in [
                ("keep/one.json", Self.keepOne), ("keep/two.yaml", Self.keepTwoInYAML), ("larder.yaml", yaml),
            ] {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            }
            try await withLiveServer(arguments: ["--config", "\(folder)/larder.yaml"]) { server in
                let own = try await server.larder("policy", "show", "team/app")
                #expect(own.output == Self.keepTwoInYAML)
                #expect(own.errors == "the repository's own policy; no schedule applies it, only `larder prune`\n")
                #expect(try await server.run("policy", "show", "team/other") == Self.keepOne + "\n")
                let shown = try await server.run("repo", "show", "team/app")
                #expect(shown.contains("undo      0 s\nschedule  off\npolicy    yes"))
                #expect(try await server.run("repo", "show", "team/other").contains("schedule  30 4 * * 1"))
                // What a person took away comes back with the next start.
                try await server.run("policy", "rm", "team/app")
                try await server.restart()
                #expect(try await server.run("policy", "show", "team/app") == Self.keepTwoInYAML)
            }
        }
    }

    @Test
    func undoAndScheduleAreSettingsOfARepository() async throws {
        try await withLiveServer { server in
            try await server.run("repo", "create", "team/app", "--kind", "registry", "--undo-time", "48h")
            #expect(try await server.run("repo", "show", "team/app").contains("undo      2 d\nschedule  default"))
            let schedule = "CRON_TZ=Europe/Vienna 0 4 * * *"
            try await server.run("repo", "set", "team/app", "--prune-schedule", schedule)
            #expect(try await server.run("repo", "show", "team/app").contains("schedule  \(schedule)"))
            let listed = try JSONDecoder().decode(
                [RepositoryAnswer].self,
                from: Data(try await server.run("repo", "ls", "--json").utf8)
            )
            #expect(listed.map(\.undoTimeSeconds) == [172_800])
            #expect(listed.map(\.hasPolicy) == [false])
            try await server.run("repo", "set", "team/app", "--undo-time", "default", "--prune-schedule", "default")
            #expect(try await server.run("repo", "show", "team/app").contains("undo      default\nschedule  default"))
            for schedule in ["never", "61 * * * *", "CRON_TZ=Nowhere/Land 0 4 * * *"] {
                try await server.refuses("schedule", "repo", "set", "team/app", "--prune-schedule", schedule)
            }
        }
    }

    // MARK: - Runs

    @Test
    func aPreviewTellsWhatARunDoesAndTheLogWhatItDid() async throws {
        try await withPolicyFile(Self.keepOne) { server, file in
            for word in ["1", "2", "3"] { try await server.push(word, as: [word]) }
            let preview = try await server.run("policy", "preview", "team/app", "--file", file)
            #expect(preview.hasPrefix("DECISION  NAME"))
            #expect(preview.contains("team/app: 2 of 3 entries go, "))
            #expect(preview.contains("rule 1: number 2, and 1 are kept"))
            let changes = try await server.run("policy", "preview", "team/app", "--file", file, "--removed")
            #expect(!changes.contains("\nkept "))
            #expect(changes.split(separator: "\n").count == 4)
            #expect(try await server.tags() == ["1", "2", "3"])
            try await server.refuses("not found: policy of team/app", "prune", "team/app")

            try await server.run("policy", "set", "team/app", "--file", file)
            let dry = try await server.run("prune", "team/app", "--dry-run")
            #expect(dry.split(separator: "\n").last == changes.split(separator: "\n").last)
            #expect(try await server.run("prune", "log") == "no runs yet\n")
            let run = try await server.run("prune", "team/app")
            #expect(run.hasPrefix("team/app: run 1 removed 2 of 3 entries, "))
            #expect(try await server.tags() == ["3"])

            let log = try await server.run("prune", "log", "team/app")
            #expect(log.hasPrefix("RUN  REPOSITORY"))
            #expect(log.contains("local administrator"))
            let details = try await server.run("prune", "log", "--run", "1")
            #expect(details.contains("looked at   3 entries, of which 0 changed meanwhile"))
            #expect(details.contains("rule 1: number 3, and 1 are kept"))
            try await server.refuses("not found: run 99", "prune", "log", "--run", "99")
        }
    }

    // MARK: - Pins

    @Test
    func whatIsPinnedStays() async throws {
        try await withPolicyFile(Self.keepOne) { server, file in
            for word in ["1", "2", "3"] { try await server.push(word, as: [word]) }
            try await server.run("policy", "set", "team/app", "--file", file)
            #expect(try await server.run("pin", "ls", "team/app") == "nothing is pinned in team/app\n")
            let reason = ["--reason", "deployed to production"]
            let pinned = try await server.run(["pin", "add", "team/app", "--tag", "1", "--for", "30d"] + reason)
            #expect(pinned.hasPrefix("pinned tag 1 in team/app until 20"))
            let key = try #require(try await server.digest(of: "2"))
            #expect(
                try await server.run(["pin", "add", "team/app", "--key", key] + reason)
                    == "pinned \(key) in team/app for good\n"
            )
            let list = try await server.run("pin", "ls", "team/app")
            #expect(list.contains("deployed to production"))
            #expect(list.contains(key))

            try await server.run("prune", "team/app")
            #expect(try await server.tags() == ["1", "2", "3"])
            try await server.run("pin", "rm", "team/app", "--tag", "1")
            try await server.refuses("not found: pin of 1", "pin", "rm", "team/app", "--tag", "1")
            try await server.run("prune", "team/app")
            #expect(try await server.tags() == ["2", "3"])
            try await server.refuses("not found: tag 1", arguments: ["pin", "add", "team/app", "--tag", "1"] + reason)
        }
    }

    // MARK: - Undo

    @Test
    func whatWasRemovedComesBack() async throws {
        try await withPolicyFile(Self.keepOne) { server, file in
            for word in ["1", "2", "3"] { try await server.push(word, as: [word]) }
            let digest = try #require(try await server.digest(of: "2"))
            try await server.run("policy", "set", "team/app", "--file", file)
            #expect(try await server.run("restore", "team/app") == "nothing can be restored in team/app\n")
            try await server.run("prune", "team/app")
            let list = try await server.run("restore", "team/app")
            #expect(list.contains(digest))
            #expect(list.contains("run 1"))

            let restored = try await server.run("restore", "team/app", "1")
            #expect(restored.hasSuffix(" in team/app\ntags: 1\n"))
            #expect(try await server.tags() == ["1", "3"])

            // By now the tag names another image.
            try await server.push("another", as: ["2"])
            try await server.refuses("say under which tag to restore with --tag", "restore", "team/app", "2")
            #expect(try await server.digest(of: "2") != digest)
            let rescued = try await server.run("restore", "team/app", digest, "--tag", "rescued", "--tag", "spare")
            #expect(rescued == "restored \(digest) in team/app\ntags: rescued spare\n")
            #expect(try await server.digest(of: "rescued") == digest)
            #expect(try await server.tags() == ["1", "2", "3", "rescued", "spare"])
            try await server.refuses("is not among what can be restored", "restore", "team/app", digest)
        }
    }

    // MARK: - Helpers

    /// A server, and a file with a policy.
    private func withPolicyFile(
        _ policy: String,
        _ body: (LiveServer, _ file: String) async throws -> Void
    ) async throws {
        try await withTemporaryFolder { folder in
            let file = "\(folder)/policy"
            try policy.write(toFile: file, atomically: true, encoding: .utf8)
            try await withLiveServer { try await body($0, file) }
        }
    }
}
