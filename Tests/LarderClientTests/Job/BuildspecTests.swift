import LarderTestSupport
import Testing

@testable import LarderClient

/// What a buildspec says is read with all that is not used passed over, and mistakes are told with their lines.
@Suite struct BuildspecTests {
    private static let complete = """
        version: 0.2
        env:
          variables:
            NODE_ENV: "production"
          secrets-manager:
            TOKEN: "prod/token:key"
        phases:
          install:
            runtime-versions: { nodejs: 20 }
            commands:
              - npm ci
              - |
                if [ -n "$X" ]; then
                  echo "{{[["
                fi
          build:
            commands:
              - printf '[{"name":"app","imageUri":"%s"}]' $URI:$VERSION > imagedefinitions.json
        artifacts:
          files:
            - imagedefinitions.json
            - appspec.yml
            - scripts/**/*
          name: app-$(date +%F)
          discard-paths: no
          base-directory: 'my-build*'
          exclude-paths: ["**/*.map", '**/.git/**/*']
          enable-symlinks: yes
          s3-prefix: prefix
          secondary-artifacts:
            docs:
              files: ['**/*']
              base-directory: site
              discard-paths: "YES"
              name: docs
            logs_2:
              files:
                - log
        reports:
          jest-reports:
            files:
              - "coverage/clover.xml"
            file-format: cloverxml
          arn:aws:codebuild:eu-west-1:1:report-group/x:
            files: ['**/*']
            base-directory: out
            discard-paths: true
        cache:
          key: npm-$(codebuild-hash-files package-lock.json)
          fallback-keys:
            - npm-
            - "n"
          action: restore
          paths:
            - "node_modules/**/*"
            - "/root/.npm/**/*"
        """

    @Test func everythingIsRead() throws {
        let spec = try Buildspec(Self.complete)
        let artifacts = try #require(spec.artifacts)
        #expect(
            artifacts.fileSet.files.map(\.pattern.text) == ["imagedefinitions.json", "appspec.yml", "scripts/**/*"]
        )
        #expect(artifacts.fileSet.files.map(\.line) == [21, 22, 23])
        #expect(artifacts.fileSet.baseDirectory?.pattern.text == "my-build*")
        #expect(artifacts.fileSet.excludePaths.map(\.pattern.text) == ["**/*.map", "**/.git/**/*"])
        #expect(!artifacts.fileSet.discardsPaths)
        #expect(artifacts.name == "app-$(date +%F)")
        #expect(artifacts.identifier == nil)
        #expect(spec.secondaryArtifacts.map(\.identifier) == ["docs", "logs_2"])
        #expect(spec.secondaryArtifacts[0].fileSet.discardsPaths)
        #expect(spec.secondaryArtifacts[0].name == "docs")
        #expect(spec.reports.map(\.name) == ["jest-reports", "arn:aws:codebuild:eu-west-1:1:report-group/x"])
        #expect(spec.reports.map(\.format) == ["CLOVERXML", "JUNITXML"])
        #expect(spec.reports[1].fileSet.baseDirectory?.pattern.text == "out")
        #expect(spec.reports[1].fileSet.discardsPaths)
        let cache = try #require(spec.cache)
        #expect(cache.key == "npm-$(codebuild-hash-files package-lock.json)")
        #expect(cache.fallbackKeys == ["npm-", "n"])
        #expect(cache.action == .restore)
        #expect(cache.paths.map(\.pattern.literalRoot) == ["node_modules", "/root/.npm"])
    }

    @Test func whatIsMissingOrEmptyIsNotThere() throws {
        for rest in ["", "artifacts:\ncache: ~\nreports: null\n", "phases: {}\nother: [1, {a: b}]\n"] {
            let spec = try Buildspec("version: 0.2\n" + rest)
            #expect(spec.artifacts == nil)
            #expect(spec.secondaryArtifacts.isEmpty && spec.reports.isEmpty)
            #expect(spec.cache == nil)
        }
        let spec = try Buildspec("version: \"0.1\"\nartifacts: {files: [a], discard-paths: , name: \"\"}\n")
        #expect(spec.artifacts?.name == nil)
        #expect(spec.artifacts?.fileSet.discardsPaths == false)
    }

    @Test func secondaryArtifactsMayBeAllThereAre() throws {
        let spec = try Buildspec("version: 0.2\nartifacts:\n  secondary-artifacts:\n    a: {files: [x]}\n")
        #expect(spec.artifacts == nil)
        #expect(spec.secondaryArtifacts.map(\.identifier) == ["a"])
    }

    @Test(arguments: [
        ("yes", true), ("no", false), ("Yes", true), ("NO", false), ("true", true), ("False", false), ("'yes'", true),
        ("\"no\"", false), ("on", true), ("off", false), ("~", false),
    ])
    func wordsAreBooleans(word: String, value: Bool) throws {
        let spec = try Buildspec("version: 0.2\nartifacts:\n  files: [a]\n  discard-paths: \(word)\n")
        #expect(spec.artifacts?.fileSet.discardsPaths == value)
    }

    @Test(arguments: [
        ("", "the file is empty"),
        ("- a\n", "line 1: a mapping is wanted"),
        ("artifacts: {files: [a]}\n", "version is missing"),
        ("version: 0.3\n", "line 1: this version"),
        ("version: 0.2\nartifacts:\n\n  files: a\n", "line 4: artifacts.files is a list"),
        ("version: 0.2\nartifacts:\n  files:\n    - a\n    - {b: c}\n", "line 5: each of artifacts.files is a text"),
        ("version: 0.2\nartifacts:\n  files:\n    -\n", "line 4: each of artifacts.files is a text, not nothing"),
        ("version: 0.2\nartifacts: [a]\n", "line 2: artifacts is a mapping"),
        ("version: 0.2\nartifacts:\n  name: x\n", "artifacts.files is missing"),
        ("version: 0.2\nartifacts:\n  files: []\n", "artifacts.files is missing"),
        (
            "version: 0.2\nartifacts:\n  files: [a]\n  discard-paths: maybe\n",
            "line 4: artifacts.discard-paths is yes or no"
        ),
        ("version: 0.2\nartifacts:\n  files: [a]\n  name: [b]\n", "line 4: artifacts.name is a text, not a list"),
        (
            "version: 0.2\nartifacts:\n  files:\n    - /etc/passwd\n",
            "line 4: /etc/passwd leads out of the job's folder"
        ),
        (
            "version: 0.2\nartifacts:\n  base-directory: b\n  files: [a, ../c]\n",
            "line 4: ../c leads out of base-directory"
        ),
        ("version: 0.2\nartifacts:\n  files: ['']\n", "line 3: a path is empty"),
        (
            "version: 0.2\nartifacts:\n  secondary-artifacts:\n    a b:\n      files: [a]\n",
            "line 4: 'a b' is no identifier"
        ),
        (
            "version: 0.2\nartifacts:\n  secondary-artifacts:\n    a:\n      name: x\n",
            "secondary-artifacts.a.files is missing"
        ),
        ("version: 0.2\nreports:\n  a: [x]\n", "line 3: reports.a is a mapping"),
        ("version: 0.2\nreports: {a: &x {files: [a]}, b: *x, c: *x, d: *x, e: *x, f: *x}\n", "there are 6 groups"),
        ("version: 0.2\ncache:\n  key: x\n", "cache.paths is missing"),
        ("version: 0.2\ncache:\n  paths: [a]\n  action: both\n", "line 4: cache.action is restore or save"),
        (
            "version: 0.2\ncache:\n  paths: [a]\n  fallback-keys: [1, 2, 3, 4, 5, 6]\n",
            "line 4: there are 6 fallback-keys"
        ),
        ("version: 0.2\ncache:\n  paths: [a]\n  paths: [b]\n", "comes twice"),
        ("version: 0.2\nphases: [\n", "not YAML"),
        ("version: 0.2\n\tx: y\n", "not YAML"),
        ("version: 0.2\nx: *nowhere\n", "not YAML"),
    ])
    func aMistakeIsToldWithItsLine(text: String, problem: String) {
        let error = #expect(throws: ClientError.self) { try Buildspec(text, path: "spec.yml") }
        #expect(error?.description.hasPrefix("spec.yml") == true)
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test func whatIsTooLargeOrTooDeepIsRefused() {
        #expect(throws: ClientError.self) { try Buildspec("version: 0.2\n#" + String(repeating: "x", count: 1 << 20)) }
        for mark in ["[", "{a: ", "- "] {
            let text = "version: 0.2\nx: \n  " + String(repeating: mark, count: 100_000)
            #expect(throws: ClientError.self) { try Buildspec(text) }
        }
    }

    /// What is not used may be nested as deep as the parser goes, on the small stack of a task.
    @Test func deepNestingThatTheParserTakesIsRead() throws {
        let nested = String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
        let spec = try Buildspec("version: 0.2\nphases: \(nested)\ncache: {paths: [a]}\n")
        #expect(spec.cache?.paths.count == 1)
    }

    @Test func damagedTextsAreReadOrRefused() throws {
        let seed = testSeed()
        var generator = SeededGenerator(seed: seed)
        let original = Array(Self.complete.utf8)
        for _ in 0..<300 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = "[]{}:-&*'\"\n #x\u{0}".utf8.randomElement(using: &generator) ?? 0
                case 1: bytes.removeSubrange(place..<min(place + 9, bytes.count))
                default: bytes.insert(contentsOf: original[(place % original.count)...].prefix(20), at: place)
                }
                if bytes.isEmpty { bytes = [0x61] }
            }
            do {
                _ = try Buildspec(String(decoding: bytes, as: UTF8.self))
            } catch {
                #expect(error.description.hasPrefix("buildspec.yml"), "LARDER_TEST_SEED=\(seed)")
            }
        }
    }
}
