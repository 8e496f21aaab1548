import Foundation
import LarderTestSupport
import Testing

/// A `buildspec.yml` with all that guides use, on a sample tree: artifacts, reports and caches of one job.
@Suite struct BuildspecCommandTests {
    /// What CodeBuild tells a build of the branch main.
    private static let build = [
        "CODEBUILD_BUILD_ID": "web:1", "CODEBUILD_BUILD_NUMBER": "12", "CODEBUILD_INITIATOR": "ada",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": "0123456789abcdef0123456789abcdef01234567",
        "CODEBUILD_SOURCE_REPO_URL": "https://user:word@forge.example/web.git", "CODEBUILD_BUILD_URL": "",
        "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/main", "CODEBUILD_WEBHOOK_TRIGGER": "",
        "CODEBUILD_SOURCE_VERSION": "",
    ]

    private static let tag = "0123456789ab-12"

    private func buildspec(store: String, action: String? = nil) -> String {
        """
        version: 0.2
        env:
          variables:
            NODE_ENV: "production"
          parameter-store:
            DATABASE_URL: "/web/prod/database-url"
          secrets-manager:
            DEPLOY_TOKEN: "prod/deploy:token"
        phases:
          install:
            runtime-versions:
              nodejs: 20
            commands:
              - npm ci --production=false
          build:
            commands:
              - npm test -- --coverage --ci
              - docker build -t $IMAGE_REPOSITORY:$CODEBUILD_RESOLVED_SOURCE_VERSION .
          post_build:
            commands:
              - printf '[{"name":"web","imageUri":"%s"}]' "$IMAGE" > imagedefinitions.json
        artifacts:
          files:
            - imagedefinitions.json
            - appspec.yml
            - scripts/**/*
          discard-paths: no
          secondary-artifacts:
            Coverage:
              base-directory: coverage
              files: ['**/*']
              exclude-paths: ['tmp/**/*']
              discard-paths: yes
        reports:
          jest-reports:
            files:
              - "coverage/clover.xml"
            file-format: CLOVERXML
        cache:
          \(action.map { "action: \($0)" } ?? "# both")
          key: npm-$(codebuild-hash-files package-lock.json)
          fallback-keys:
            - npm-
          paths:
            - "node_modules/**/*"
            - "\(store)/**/*"

        """
    }

    private static let clover = """
        <?xml version="1.0" encoding="UTF-8"?>
        <coverage generated="1700000000000" clover="3.2.0">
          <project timestamp="1700000000000" name="All files">
            <metrics statements="120" coveredstatements="90" conditionals="40" coveredconditionals="30" methods="20" \
        coveredmethods="15" elements="180" coveredelements="135"/>
          </project>
        </coverage>
        """

    /// The tree that a build leaves behind; returns the folder outside of it that is cached, too.
    private func makeTree(_ job: Job) throws -> String {
        let store = "\(job.home)/.npm"
        try job.write("buildspec.yml", buildspec(store: store))
        try job.write("imagedefinitions.json", "[{\"name\":\"web\",\"imageUri\":\"images.example/web:0123456\"}]")
        try job.write("appspec.yml", "version: 0.0\n")
        try job.write("scripts/start.sh", "#!/bin/sh\n", mode: 0o755)
        try job.write("scripts/deep/er/stop.sh", "#!/bin/sh\nexit 0\n", mode: 0o755)
        try job.write("scripts.txt", "not in scripts")
        try job.write("coverage/clover.xml", Self.clover)
        try job.write("coverage/html/index.html", "<p>")
        try job.write("coverage/tmp/left", "out")
        try job.write("package-lock.json", "{\"lockfileVersion\":3}")
        try job.write("node_modules/left-pad/index.js", "module.exports = 1")
        try job.write("node_modules/.bin/tool", "#!/usr/bin/env node\n", mode: 0o755)
        try job.write("\(store)/_cacache/index/a", "content")
        return store
    }

    private static let files = [
        "appspec.yml", "imagedefinitions.json", "scripts/deep/er/stop.sh", "scripts/start.sh",
    ]

    private static let push = ["artifact", "push", "team/web", "--buildspec", "buildspec.yml"]

    @Test func artifactsAndReportsArePushedShownAndPulled() async throws {
        try await withJob { _, job in
            _ = try makeTree(job)
            let pushed = try await job.run(Self.push, Self.build)
            try #require(pushed.status == 0, "\(pushed.errors)")
            #expect(pushed.errors == "")
            #expect(pushed.output.contains("pushed team/web:\(Self.tag): 4 files, "))
            #expect(pushed.output.contains("pushed team/web/coverage:\(Self.tag): 2 files, "))

            let shown = try await job.succeed("artifact", "show", "team/web")
            for text in Self.files + [
                "tags      \(Self.tag)\n", "commit    0123456789abcdef0123456789abcdef01234567\n",
                "branch    main\n", "by        ada\n", "ci        codebuild\n", "run       web:1\n",
                "source    https://forge.example/web.git\n", "reports jest-reports (CLOVERXML, 1 file)\n",
                "statements: 90 of 120 covered (75 %)\n", "methods: 15 of 20 covered (75 %)\n",
            ] {
                #expect(shown.contains(text), "\(text) in \(shown)")
            }
            #expect(!shown.contains("scripts.txt"))

            try await job.succeed("artifact", "pull", "team/web:\(Self.tag)", "-o", "out")
            for file in Self.files {
                #expect(job.text("out/\(file)") == job.text(file))
                #expect(FileManager.default.isExecutableFile(atPath: job.path("out/\(file)")) == file.hasSuffix(".sh"))
            }
            let pulled = try FileManager.default.subpathsOfDirectory(atPath: job.path("out")).sorted()
            #expect(pulled == (Self.files + ["scripts", "scripts/deep", "scripts/deep/er"]).sorted())
            try await job.succeed("artifact", "pull", "team/web/coverage", "-o", "coverage-out")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: job.path("coverage-out")).sorted()
                    == ["clover.xml", "index.html"]
            )
        }
    }

    @Test func aPulledArchiveIsReadByOtherPrograms() async throws {
        try await withJob { server, job in
            _ = try makeTree(job)
            let pushed = try await job.run(Self.push, Self.build)
            try #require(pushed.status == 0, "\(pushed.errors)")
            try await job.succeed("artifact", "pull", "team/web", "--zip", "web.zip")
            let script = """
                import sys, zipfile
                with zipfile.ZipFile("web.zip") as archive:
                    assert archive.testzip() is None
                    for info in sorted(archive.infolist(), key=lambda info: info.filename):
                        print(info.filename, oct(info.external_attr >> 16 & 0o777), len(archive.read(info)))
                """
            let listed = try await runProgram("python", ["-c", script], in: job.folder)
            #expect(listed.errors == "")
            let lines = [
                "appspec.yml 0o644 13", "imagedefinitions.json 0o644 56", "scripts/deep/er/stop.sh 0o755 17",
                "scripts/start.sh 0o755 10",
            ]
            #expect(listed.output.split(separator: "\n").map(String.init) == lines)
            let unpacked = try await runProgram("unzip", ["-q", "web.zip", "-d", "unpacked"], in: job.folder)
            #expect(unpacked.status == 0, "\(unpacked.errors)")
            for file in Self.files { #expect(job.text("unpacked/\(file)") == job.text(file)) }
            // The same archive over HTTP.
            let reply = try await server.get("/api/v1/artifacts/team/web/zip?ref=\(Self.tag)")
            #expect(reply.headers["content-type"] == "application/zip")
            #expect(Data(reply.bytes) == FileManager.default.contents(atPath: job.path("web.zip")))
        }
    }

    @Test(arguments: [
        (text: "[{\"name\":\"web\",\"imageUri\":\"images.example/web\"}]", says: "has neither a tag nor a digest"),
        (text: "[{\"name\":\"web\"}]", says: "imageUri"),
        (text: "[{\"name\":\"web\",", says: "imagedefinitions.json is no JSON"),
        (text: "{}", says: "imagedefinitions.json"),
    ])
    func imageDefinitionsThatCannotBeDeployedAreRefusedBeforeAnythingIsSent(text: String, says: String) async throws {
        try await withJob { server, job in
            _ = try makeTree(job)
            try job.write("imagedefinitions.json", text)
            let refused = try await job.run(Self.push, Self.build)
            #expect((refused.status, refused.output) == (1, ""))
            #expect(refused.errors.contains(says), "\(refused.errors)")
            let status = try await server.larder("status")
            #expect(status.output.contains("0 blobs"), "\(status.output)")
            #expect(!status.output.contains("team/web"))
        }
    }

    // MARK: - Caches

    private func cache(_ job: Job, _ command: String) async throws -> ProgramResult {
        let arguments = ["cache", command, "--buildspec", "buildspec.yml"]
        return try await job.run(arguments + (command == "restore" ? ["--exit-code"] : []), Self.build)
    }

    @Test func aCacheIsSavedAndRestoredByItsKeyAndFallbackKeys() async throws {
        try await withJob { _, job in
            let store = try makeTree(job)
            let hash = try await job.succeed("cache", "hash", "package-lock.json").dropLast()
            #expect(try await cache(job, "restore").output == "miss: no entry for npm-\(hash)\n")
            let saved = try await cache(job, "save")
            #expect(saved.output.hasPrefix("saved: npm-\(hash) (3 files, "), "\(saved.errors)")
            #expect(try await cache(job, "save").output.hasPrefix("unchanged: npm-\(hash) "))

            let before = (try job.snapshot("node_modules"), try job.snapshot(store))
            try job.remove("node_modules")
            try job.remove(store)
            let restored = try await cache(job, "restore")
            #expect(restored.status == 0)
            #expect(restored.output.hasPrefix("exact hit: npm-\(hash) (3 files, "), "\(restored.errors)")
            #expect(try job.snapshot("node_modules") == before.0)
            #expect(try job.snapshot(store) == before.1)

            try job.write("package-lock.json", "{\"lockfileVersion\":4}")
            try job.remove("node_modules")
            let fallback = try await cache(job, "restore")
            #expect(fallback.status == 3)
            #expect(fallback.output.hasPrefix("fallback hit: npm-\(hash) for restore key npm- "))
            #expect(try job.snapshot("node_modules") == before.0)

            // Other paths are another cache.
            let text = buildspec(store: store).replacingOccurrences(of: "node_modules/**/*", with: "vendor/**/*")
            try job.write("buildspec.yml", text)
            #expect(try await cache(job, "restore").status == 4)
        }
    }

    @Test func anActionLimitsWhatIsDone() async throws {
        try await withJob { _, job in
            let store = try makeTree(job)
            try job.write("buildspec.yml", buildspec(store: store, action: "restore"))
            let unsaved = try await cache(job, "save")
            #expect((unsaved.status, unsaved.output) == (0, "skipped: the buildspec says to restore only\n"))
            #expect(try await cache(job, "restore").status == 4)

            try job.write("buildspec.yml", buildspec(store: store, action: "save"))
            #expect(try await cache(job, "save").output.hasPrefix("saved: "))
            let skipped = try await cache(job, "restore")
            #expect((skipped.status, skipped.output) == (0, "skipped: the buildspec says to save only\n"))

            try job.write("buildspec.yml", buildspec(store: store, action: "both"))
            let refused = try await cache(job, "save")
            #expect(refused.status == 64)
            #expect(refused.errors.contains("cache.action is restore or save"))
        }
    }
}
