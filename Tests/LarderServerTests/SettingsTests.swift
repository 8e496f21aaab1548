import Foundation
import LarderCore
import LarderHTTP
import LarderRetention
import LarderServer
import LarderStore
import LarderTestSupport
import Logging
import Testing

/// Settings: where they come from, which one wins, and what is said about a wrong one.
@Suite struct SettingsTests {
    /// Writes a configuration file, reads all sources, and removes the file.
    private static func sources(
        flags: [SettingName: String] = [:],
        environment: [String: String] = [:],
        yaml: String? = nil,
        files: [String: String] = [:]
    ) async throws -> SettingSources {
        guard let yaml else { return try SettingSources(flags: flags, environment: environment, file: nil) }
        return try await withTemporaryFolder { folder in
            let path = "\(folder)/larder.yaml"
            try yaml.write(toFile: path, atomically: false, encoding: .utf8)
            for (name, text) in files {
                try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
            }
            return try SettingSources(flags: flags, environment: environment, file: path)
        }
    }

    private static func settings(
        flags: [SettingName: String] = [:],
        environment: [String: String] = ["HOME": "/home/ada"],
        yaml: String? = nil
    ) async throws -> ServerSettings {
        try ServerSettings(
            try await sources(flags: flags, environment: environment, yaml: yaml),
            environment: environment
        )
    }

    /// The message of the failure that a body must have.
    private static func message(of body: () async throws -> Void) async throws -> String {
        let error = await #expect(throws: SettingError.self) { try await body() }
        return try #require(error).description
    }

    // MARK: Names

    @Test(arguments: [
        (name: SettingName.maxSize, flag: "--max-size", variable: "LARDER_MAX_SIZE"),
        (name: .dataDir, flag: "--data-dir", variable: "LARDER_DATA_DIR"),
        (name: .listen, flag: "--listen", variable: "LARDER_LISTEN"),
        (name: .lastUsePrecision, flag: "--last-use-precision", variable: "LARDER_LAST_USE_PRECISION"),
    ])
    func settingHasOneNameInThreeSpellings(name: SettingName, flag: String, variable: String) {
        #expect(name.flag == flag)
        #expect(name.variable == variable)
    }

    @Test(arguments: SettingName.allCases)
    func everySettingIsExplainedInASentence(name: SettingName) {
        #expect(name.help.hasSuffix("."))
    }

    // MARK: Precedence

    @Test(
        arguments: [
            (flag: "1GiB", variable: "2GiB", file: "3GiB", value: "1GiB", place: "--max-size"),
            (flag: nil, variable: "2GiB", file: "3GiB", value: "2GiB", place: "LARDER_MAX_SIZE"),
            (flag: "1GiB", variable: nil, file: "3GiB", value: "1GiB", place: "--max-size"),
            (flag: nil, variable: "2GiB", file: nil, value: "2GiB", place: "LARDER_MAX_SIZE"),
            (flag: nil, variable: nil, file: "3GiB", value: "3GiB", place: "larder.yaml: max-size"),
        ] as [(flag: String?, variable: String?, file: String?, value: String, place: String)]
    )
    func flagsWinOverVariablesAndVariablesOverTheFile(
        flag: String?,
        variable: String?,
        file: String?,
        value: String,
        place: String
    ) async throws {
        let sources = try await Self.sources(
            flags: flag.map { [.maxSize: $0] } ?? [:],
            environment: variable.map { ["LARDER_MAX_SIZE": $0] } ?? [:],
            yaml: file.map { "max-size: \($0)\n" }
        )
        let found = try #require(sources.values[.maxSize])
        #expect(found.text == value)
        #expect(found.place.hasSuffix(place))
    }

    @Test func sourcesAreMergedSettingBySetting() async throws {
        let sources = try await Self.sources(
            flags: [.listen: "127.0.0.1:1"],
            environment: ["LARDER_MAX_SIZE": "2GiB"],
            yaml: "log-level: debug\n"
        )
        #expect(sources.values[.listen]?.text == "127.0.0.1:1")
        #expect(sources.values[.maxSize]?.text == "2GiB")
        #expect(sources.values[.logLevel]?.text == "debug")
        #expect(sources.values.count == 3)
    }

    @Test func fileIsNamedByAVariable() async throws {
        try await withTemporaryFolder { folder in
            let (first, second) = ("\(folder)/a.yaml", "\(folder)/b.yaml")
            try "max-size: 1GiB\n".write(toFile: first, atomically: false, encoding: .utf8)
            try "max-size: 2GiB\n".write(toFile: second, atomically: false, encoding: .utf8)
            let environment = ["LARDER_CONFIG": first]
            let named = try SettingSources(flags: [:], environment: environment, file: nil)
            #expect(named.values[.maxSize]?.text == "1GiB")
            let given = try SettingSources(flags: [:], environment: environment, file: second)
            #expect(given.values[.maxSize]?.text == "2GiB")
        }
    }

    @Test func unknownVariablesAreListed() async throws {
        let sources = try await Self.sources(environment: [
            "LARDER_MAXSIZE": "1", "LARDER_Z": "1", "LARDER_MAX_SIZE": "1GiB", "LARDER_URL": "http://x",
            "LARDER_TOKEN": "t", "PATH": "/bin", "XLARDER_FOO": "1",
        ])
        #expect(sources.unknownVariables == ["LARDER_MAXSIZE", "LARDER_Z"])
        #expect(sources.values.count == 1)
    }

    // MARK: The file

    @Test func plainValuesOfEveryKindAreTakenAsText() async throws {
        let sources = try await Self.sources(
            yaml: """
                max-size: 20GiB
                listen: "127.0.0.1:7878"
                max-connections: 100
                create-on-write: false
                access-log: true
                scrub-period: 0
                max-blob-size: 1.5GiB
                """
        )
        #expect(sources.values[.maxSize]?.text == "20GiB")
        #expect(sources.values[.listen]?.text == "127.0.0.1:7878")
        #expect(sources.values[.maxConnections]?.text == "100")
        #expect(sources.values[.createOnWrite]?.text == "false")
        #expect(sources.values[.accessLog]?.text == "true")
        #expect(sources.values[.scrubPeriod]?.text == "0")
        #expect(sources.values[.maxBlobSize]?.text == "1.5GiB")
    }

    @Test(arguments: ["", "\n", "# nothing\n", "---\n"])
    func emptyFileSetsNothing(yaml: String) async throws {
        let sources = try await Self.sources(yaml: yaml)
        #expect(sources.values.isEmpty)
        #expect(sources.repositories.isEmpty)
    }

    @Test func aFolderWithoutANameIsNone() async throws {
        let message = try await Self.message { _ = try await Self.settings(yaml: "data-dir: ''\n") }
        #expect(message.contains("larder.yaml: data-dir: `` is not valid; expected the path of a folder"))
    }

    @Test func unknownKeyIsAnErrorThatNamesTheKnownOnes() async throws {
        let message = try await Self.message { _ = try await Self.sources(yaml: "maxsize: 1GiB\n") }
        #expect(message.contains("larder.yaml: unknown setting `maxsize`"))
        #expect(
            message.hasSuffix(
                "known: data-dir, listen, max-size, min-free-disk, max-blob-size, inline-limit, hot-set-size, "
                    + "guaranteed-age, last-use-precision, create-on-write, scrub-period, upload-lifetime, "
                    + "unreferenced-age, undo-time, cache-undo-time, prune-schedule, allow-anonymous, insecure, "
                    + "host, max-connections, head-timeout, idle-timeout, stall-timeout, shutdown-grace, log-level, "
                    + "log-format, access-log, repositories, default-policies"
            )
        )
    }

    @Test(arguments: [
        (yaml: "- max-size\n", message: "expected settings as `name: value` lines"),
        (yaml: "just words\n", message: "expected settings as `name: value` lines"),
        (yaml: "max-size: [1, 2]\n", message: "`max-size` needs one plain value"),
        (yaml: "max-size: {a: b}\n", message: "`max-size` needs one plain value"),
        (yaml: "max-size:\n", message: "`max-size` needs one plain value"),
        (yaml: "max-size: [\n", message: "is not valid YAML"),
        (yaml: "repositories: main\n", message: "`repositories` needs `name:` lines with settings below each"),
        (yaml: "repositories: [main]\n", message: "`repositories` needs `name:` lines with settings below each"),
        (yaml: "repositories:\n  Main:\n", message: "repositories: Main: not a valid name"),
        (yaml: "repositories:\n  a//b:\n", message: "repositories: a//b: not a valid name"),
        (yaml: "repositories:\n  main: 5GiB\n", message: "main: expected settings as `name: value` lines"),
        (yaml: "repositories:\n  main: {kind: shelf}\n", message: "main: kind is cache, registry or bucket"),
        (yaml: "repositories:\n  main: {quota: much}\n", message: "main: quota is a size such as 5GiB"),
        (yaml: "repositories:\n  main: {quota: [1]}\n", message: "main: quota is a size such as 5GiB"),
        (yaml: "repositories:\n  main: {quota-entries: -1}\n", message: "main: quota-entries is a whole number"),
        (yaml: "repositories:\n  main: {quota-entries: 1.5}\n", message: "main: quota-entries is a whole number"),
        (yaml: "repositories:\n  main: {validate: perhaps}\n", message: "main: validate is true or false"),
        (
            yaml: "repositories:\n  main: {size: 5GiB}\n",
            message: "main: unknown setting `size`; known: kind, quota, quota-entries, validate"
        ),
        (yaml: "repositories:\n  main: {undo-time: long}\n", message: "main: undo-time is a duration such as 48h"),
        (yaml: "repositories:\n  main: {prune-schedule: on}\n", message: "main: prune-schedule is a cron expression"),
        (
            yaml: "repositories:\n  main: {prune-schedule: 60 * * * *}\n",
            message: "or off (schedule: Minute \"60\" is out of range: 0 to 59.)"
        ),
        (yaml: "repositories:\n  main: {policy: none.json}\n", message: "main: policy: can't read"),
        (yaml: "repositories:\n  main: {policy: [a]}\n", message: "main: policy: expected the path of a file"),
        (yaml: "default-policies: keep.json\n", message: "`default-policies` needs lines such as `registry: FILE`"),
        (yaml: "default-policies: {shelf: a}\n", message: "default-policies: shelf: not a kind of repository"),
        (yaml: "default-policies: {cache: none.json}\n", message: "default-policies: cache: can't read"),
    ])
    func wrongFileIsAnErrorThatSaysWhere(yaml: String, message: String) async throws {
        let found = try await Self.message { _ = try await Self.sources(yaml: yaml) }
        #expect(found.contains("larder.yaml"))
        #expect(found.contains(message))
    }

    @Test func fileThatIsMissingIsAnError() async throws {
        let message = try await Self.message {
            _ = try SettingSources(flags: [:], environment: [:], file: "/nowhere/larder.yaml")
        }
        #expect(message.hasPrefix("can't read the configuration file /nowhere/larder.yaml: "))
    }

    @Test func repositoriesAreDeclaredInTheFile() async throws {
        let repositories = try await Self.sources(
            yaml: """
                repositories:
                  main:
                  team/images: {kind: registry}
                  builds:
                    kind: cache
                    quota: 5GiB
                    quota-entries: 1000
                    validate: false
                """
        ).repositories
        try #require(repositories.map(\.name.text) == ["builds", "main", "team/images"])
        #expect(repositories.map(\.kind) == [.cache, .cache, .registry])
        #expect(
            repositories[0].settings
                == RepositorySettings(quotaBytes: .gibibytes(5), quotaEntries: 1000, validatesContent: false)
        )
        #expect(repositories[1].settings == RepositorySettings())
        #expect(repositories[2].settings == RepositorySettings())
    }

    private static let policy = """
        {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPatternList": ["v*"],
        "countType": "imageCountMoreThan", "countNumber": 10}, "action": {"type": "expire"}}]}
        """

    @Test func retentionIsDeclaredInTheFile() async throws {
        let sources = try await Self.sources(
            yaml: """
                default-policies:
                  registry: keep.json
                repositories:
                  images: {kind: registry, policy: keep.json, undo-time: 2d, prune-schedule: off}
                  others: {kind: registry, undo-time: 0, prune-schedule: "*/5 * * * *"}
                """,
            files: ["keep.json": Self.policy]
        )
        #expect(sources.defaultPolicies == [.registry: Self.policy])
        let repositories = sources.repositories
        try #require(repositories.map(\.name.text) == ["images", "others"])
        #expect(repositories.map(\.policy) == [Self.policy, nil])
        #expect(repositories.map(\.settings.undoTime) == [.seconds(172_800), .zero])
        #expect(repositories.map(\.settings.pruneSchedule) == ["off", "*/5 * * * *"])
    }

    @Test(arguments: [
        (yaml: "default-policies: {cache: keep.json}\n", place: "larder.yaml: default-policies: cache: "),
        (yaml: "repositories:\n  main: {policy: keep.json}\n", place: "larder.yaml: repositories: main: policy: "),
    ])
    func aDeclaredPolicyMustFitItsKind(yaml: String, place: String) async throws {
        let message = try await Self.message {
            _ = try await Self.sources(yaml: yaml, files: ["keep.json": Self.policy])
        }
        #expect(message.contains(place))
        #expect(message.hasSuffix("rules[0].selection: rule 1 can never match: there are no tags in a cache"))
    }

    @Test func declaredRepositoriesReachTheServer() async throws {
        let settings = try await Self.settings(yaml: "repositories: {main: {quota: 1GiB}}\n")
        #expect(settings.repositories.map(\.name.text) == ["main"])
    }

    // MARK: Values

    @Test func serverNeedsNoSettings() async throws {
        let settings = try await Self.settings()
        #expect(settings.dataFolder == "/home/ada/.local/state/larder")
        #expect(settings.listen.text == "127.0.0.1:7878")
        #expect(settings.anonymousAccess == .write)
        #expect(!settings.isInsecure)
        #expect(settings.hosts == [])
        #expect(settings.logLevel == .info)
        #expect(settings.logFormat == .text)
        #expect(!settings.writesAccessLog)
        #expect(settings.repositories.isEmpty)
        #expect(settings.store.sizeLimit == .percentOfAvailable(80))
        #expect(settings.store.freeDiskFloor == nil)
        #expect(settings.store.blobSizeLimit == nil)
        #expect(settings.store.inlineLimit == .kibibytes(16))
        #expect(settings.store.hotSetLimit == .mebibytes(64))
        #expect(settings.store.guaranteedAge == .seconds(10_800))
        #expect(settings.store.lastUsePrecision == .seconds(3600))
        #expect(settings.store.createsOnWrite)
        #expect(settings.store.scrubPeriod == .seconds(1_209_600))
        #expect(settings.store.undoTime == .seconds(86_400))
        #expect(settings.store.cacheUndoTime == .zero)
        #expect(settings.store.pruneSchedule?.text == "0 3 * * *")
        #expect(settings.defaultPolicies.isEmpty)
        #expect(settings.http.connectionCountMax == 4096)
        #expect(settings.http.headTimeout == .seconds(30))
        #expect(settings.http.idleTimeout == .seconds(120))
        #expect(settings.http.stallTimeout == .seconds(60))
        #expect(settings.http.shutdownGrace == .seconds(30))
    }

    @Test func everySettingReachesItsPlace() async throws {
        let settings = try await Self.settings(flags: [
            .dataDir: "/srv/larder", .listen: "127.0.0.1:0", .maxSize: "20GiB", .minFreeDisk: "2GiB",
            .maxBlobSize: "3GiB", .inlineLimit: "4KiB", .hotSetSize: "5MiB", .guaranteedAge: "6h",
            .lastUsePrecision: "7m", .createOnWrite: "false", .scrubPeriod: "8d", .undoTime: "14d",
            .cacheUndoTime: "15h", .pruneSchedule: "16 4 * * *", .allowAnonymous: "read",
            .host: "cache.lan, build.lan,", .maxConnections: "9", .headTimeout: "10s", .idleTimeout: "11s",
            .stallTimeout: "12s", .shutdownGrace: "13s", .logLevel: "debug", .logFormat: "json", .accessLog: "true",
        ])
        #expect(settings.dataFolder == "/srv/larder")
        #expect(settings.listen.text == "127.0.0.1:0")
        #expect(settings.store.sizeLimit == .bytes(.gibibytes(20)))
        #expect(settings.store.freeDiskFloor == .gibibytes(2))
        #expect(settings.store.blobSizeLimit == .gibibytes(3))
        #expect(settings.store.inlineLimit == .kibibytes(4))
        #expect(settings.store.hotSetLimit == .mebibytes(5))
        #expect(settings.store.guaranteedAge == .seconds(21_600))
        #expect(settings.store.lastUsePrecision == .seconds(420))
        #expect(!settings.store.createsOnWrite)
        #expect(settings.store.scrubPeriod == .seconds(691_200))
        #expect(settings.store.undoTime == .seconds(1_209_600))
        #expect(settings.store.cacheUndoTime == .seconds(54_000))
        #expect(settings.store.pruneSchedule?.text == "16 4 * * *")
        #expect(settings.anonymousAccess == .read)
        #expect(settings.hosts == ["cache.lan", "build.lan"])
        #expect(settings.http.connectionCountMax == 9)
        #expect(settings.http.headTimeout == .seconds(10))
        #expect(settings.http.idleTimeout == .seconds(11))
        #expect(settings.http.stallTimeout == .seconds(12))
        #expect(settings.http.shutdownGrace == .seconds(13))
        #expect(settings.logLevel == .debug)
        #expect(settings.logFormat == .json)
        #expect(settings.writesAccessLog)
    }

    private static let wrong: [(name: SettingName, value: String, form: String)] = [
        (.listen, "7878", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, "localhost", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, ":7878", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, "127.0.0.1:", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, "127.0.0.1:65536", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, "127.0.0.1:-1", "HOST:PORT, such as 127.0.0.1:7878"),
        (.listen, "127.0.0.1:http", "HOST:PORT, such as 127.0.0.1:7878"),
        (.maxSize, "much", "a size such as 20GiB, or a share such as 80%"),
        (.maxSize, "0", "a size such as 20GiB, or a share such as 80%"),
        (.maxSize, "101%", "a size such as 20GiB, or a share such as 80%"),
        (.maxSize, "0%", "a size such as 20GiB, or a share such as 80%"),
        (.minFreeDisk, "some", "a size such as 20GiB"),
        (.minFreeDisk, "-1", "a size such as 20GiB"),
        (.maxBlobSize, "big", "a size such as 20GiB"),
        (.inlineLimit, "257KiB", "a size from 0 to 256KiB"),
        (.inlineLimit, "small", "a size from 0 to 256KiB"),
        (.hotSetSize, "50%", "a size such as 20GiB"),
        (.guaranteedAge, "3", "a duration such as 3h, 15m or 30s"),
        (.guaranteedAge, "-3h", "a duration such as 3h, 15m or 30s"),
        (.lastUsePrecision, "soon", "a duration such as 3h, 15m or 30s"),
        (.createOnWrite, "yes", "true or false"),
        (.createOnWrite, "True", "true or false"),
        (.scrubPeriod, "never", "a duration such as 3h, 15m or 30s"),
        (.uploadLifetime, "a day", "a duration such as 3h, 15m or 30s"),
        (.unreferencedAge, "-1h", "a duration such as 3h, 15m or 30s"),
        (.undoTime, "long", "a duration such as 24h or 7d, or 0 for none"),
        (.undoTime, "-1h", "a duration such as 24h or 7d, or 0 for none"),
        (.cacheUndoTime, "1.5h", "a duration such as 24h or 7d, or 0 for none"),
        (
            .pruneSchedule, "60 * * * *",
            "a cron expression such as 0 3 * * *, or off (schedule: Minute \"60\" is out of range: 0 to 59.)"
        ),
        (
            .pruneSchedule, "CRON_TZ=Nowhere/Land 0 3 * * *",
            "a cron expression such as 0 3 * * *, or off (schedule: this machine knows no time zone Nowhere/Land)"
        ),
        (.allowAnonymous, "true", "none, read or write"),
        (.allowAnonymous, "", "none, read or write"),
        (.insecure, "yes", "true or false"),
        (.maxConnections, "0", "a whole number from 1"),
        (.maxConnections, "-5", "a whole number from 1"),
        (.maxConnections, "many", "a whole number from 1"),
        (.headTimeout, "0", "a duration such as 2m or 30s, at least 1s"),
        (.headTimeout, "30", "a duration such as 2m or 30s, at least 1s"),
        (.idleTimeout, "0s", "a duration such as 2m or 30s, at least 1s"),
        (.stallTimeout, "1.5m", "a duration such as 2m or 30s, at least 1s"),
        (.shutdownGrace, "long", "a duration such as 30s"),
        (.logLevel, "loud", "trace, debug, info, notice, warning, error or critical"),
        (.logLevel, "INFO", "trace, debug, info, notice, warning, error or critical"),
        (.logFormat, "xml", "text or json"),
        (.accessLog, "1", "true or false"),
    ]

    @Test(arguments: wrong)
    func wrongValueNamesItsPlaceAndTheForm(name: SettingName, value: String, form: String) async throws {
        let places: [(flags: [SettingName: String], environment: [String: String], yaml: String?, place: String)] = [
            ([name: value], [:], nil, "--\(name.rawValue): "),
            ([:], [name.variable: value], nil, "\(name.variable): "),
            ([:], [:], "\(name.rawValue): \"\(value)\"\n", "/larder.yaml: \(name.rawValue): "),
        ]
        for (flags, environment, yaml, place) in places {
            let message = try await Self.message {
                _ = try await Self.settings(flags: flags, environment: environment, yaml: yaml)
            }
            #expect(message.hasSuffix("\(place)`\(value)` is not valid; expected \(form)"))
        }
    }

    /// A folder and names of hosts can be anything; all other settings have a form.
    @Test func everySettingWithAFormHasAWrongValueHere() {
        #expect(Set(Self.wrong.map(\.name)) == Set(SettingName.allCases).subtracting([.dataDir, .host]))
    }

    @Test(arguments: [
        (text: "1%", limit: SizeLimit.percentOfDisk(1)),
        (text: "80%", limit: .percentOfDisk(80)),
        (text: "100%", limit: .percentOfDisk(100)),
        (text: "500GB", limit: .bytes(ByteCount(500_000_000_000))),
    ])
    func sizeMayBeAShareOfTheDisk(text: String, limit: SizeLimit) async throws {
        #expect(try await Self.settings(flags: [.maxSize: text]).store.sizeLimit == limit)
    }

    @Test(arguments: [
        (text: "0", bytes: Int64(0)), (text: "1", bytes: 1), (text: "256KiB", bytes: 262_144),
        (text: "262144", bytes: 262_144),
    ])
    func inlineLimitGoesTo256KiB(text: String, bytes: Int64) async throws {
        #expect(try await Self.settings(flags: [.inlineLimit: text]).store.inlineLimit == ByteCount(bytes))
    }

    @Test(arguments: ["0", "0s", "0d"])
    func scrubOfNoPeriodIsOff(text: String) async throws {
        #expect(try await Self.settings(flags: [.scrubPeriod: text]).store.scrubPeriod == nil)
    }

    @Test(
        arguments: [
            (yaml: "prune-schedule: off\n", schedule: nil), (yaml: "prune-schedule: 'off'\n", schedule: nil),
            (yaml: "prune-schedule: '@weekly'\n", schedule: "@weekly"),
            (yaml: "prune-schedule: CRON_TZ=Europe/Vienna 0 4 * * *\n", schedule: "CRON_TZ=Europe/Vienna 0 4 * * *"),
        ] as [(yaml: String, schedule: String?)]
    )
    func policiesAreAppliedByScheduleOrNot(yaml: String, schedule: String?) async throws {
        #expect(try await Self.settings(yaml: yaml).store.pruneSchedule?.text == schedule)
    }

    // MARK: Addresses

    @Test(arguments: [
        (listen: "127.0.0.1:7878", host: "127.0.0.1", port: 7878, text: "127.0.0.1:7878"),
        (listen: "127.0.0.2:1", host: "127.0.0.2", port: 1, text: "127.0.0.2:1"),
        (listen: "localhost:65535", host: "localhost", port: 65_535, text: "localhost:65535"),
        (listen: "[::1]:0", host: "::1", port: 0, text: "[::1]:0"),
    ])
    func loopbackNeedsNoFurtherWord(listen: String, host: String, port: Int, text: String) async throws {
        let settings = try await Self.settings(flags: [.listen: listen])
        #expect(settings.listen.host == host)
        #expect(settings.listen.port == port)
        #expect(settings.listen.text == text)
        #expect(settings.listen.isLoopback)
    }

    @Test(arguments: [
        (listen: "0.0.0.0:7878", text: "0.0.0.0:7878"),
        (listen: "10.0.0.7:80", text: "10.0.0.7:80"),
        (listen: "128.0.0.1:80", text: "128.0.0.1:80"),
        (listen: "[::]:7878", text: "[::]:7878"),
        (listen: "[2001:db8::1]:7878", text: "[2001:db8::1]:7878"),
        (listen: "cache.lan:7878", text: "cache.lan:7878"),
        (listen: "localhost.lan:7878", text: "localhost.lan:7878"),
        (listen: "127.0.0.1.lan:7878", text: "127.0.0.1.lan:7878"),
        // Four parts that are no numbers are a name that may lead anywhere.
        (listen: "127.cache.example.com:7878", text: "127.cache.example.com:7878"),
    ])
    func otherAddressesNeedAllowAnonymous(listen: String, text: String) async throws {
        let message = try await Self.message { _ = try await Self.settings(flags: [.listen: listen]) }
        #expect(message.hasPrefix("\(text) can be reached from other machines"))
        #expect(message.contains("--allow-anonymous read"))
        #expect(message.contains("--insecure"))
        let insecure = try await Self.settings(flags: [.listen: listen, .insecure: "true"])
        #expect(insecure.anonymousAccess == .none)
        for access in [AnonymousAccess.read, .write] {
            let settings = try await Self.settings(flags: [.listen: listen, .allowAnonymous: access.rawValue])
            #expect(settings.anonymousAccess == access)
            #expect(!settings.listen.isLoopback)
        }
    }

    // MARK: Folders

    @Test(arguments: [
        (environment: ["HOME": "/home/ada"], folder: "/home/ada/.local/state/larder"),
        (environment: ["HOME": "/home/ada", "XDG_STATE_HOME": "/var/state"], folder: "/var/state/larder"),
        // The XDG specification: a relative path is to be ignored.
        (environment: ["HOME": "/home/ada", "XDG_STATE_HOME": "state"], folder: "/home/ada/.local/state/larder"),
        (environment: ["HOME": "/home/ada", "XDG_STATE_HOME": ""], folder: "/home/ada/.local/state/larder"),
        (environment: ["HOME": "/home/ada", "LARDER_DATA_DIR": "/data"], folder: "/data"),
    ])
    func dataGoesToTheStateFolder(environment: [String: String], folder: String) async throws {
        #expect(try await Self.settings(environment: environment).dataFolder == folder)
    }

    @Test(arguments: [
        (path: "/srv/larder", absolute: "/srv/larder"),
        (path: "/srv/larder/", absolute: "/srv/larder"),
        (path: "/srv/./x/../larder", absolute: "/srv/larder"),
    ])
    func pathsAreMadeAbsolute(path: String, absolute: String) {
        #expect(ServerSettings.absolute(path) == absolute)
    }
}
