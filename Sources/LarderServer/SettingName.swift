/// Every setting of the server: one name for the flag (`--max-size`), the variable (`LARDER_MAX_SIZE`) and the key of the
/// YAML file (`max-size`).
package enum SettingName: String, CaseIterable, Sendable {
    case dataDir = "data-dir"
    case listen
    case maxSize = "max-size"
    case minFreeDisk = "min-free-disk"
    case maxBlobSize = "max-blob-size"
    case inlineLimit = "inline-limit"
    case hotSetSize = "hot-set-size"
    case guaranteedAge = "guaranteed-age"
    case lastUsePrecision = "last-use-precision"
    case createOnWrite = "create-on-write"
    case scrubPeriod = "scrub-period"
    case uploadLifetime = "upload-lifetime"
    case unreferencedAge = "unreferenced-age"
    case undoTime = "undo-time"
    case cacheUndoTime = "cache-undo-time"
    case pruneSchedule = "prune-schedule"
    case allowAnonymous = "allow-anonymous"
    case insecure
    case host
    case maxConnections = "max-connections"
    case headTimeout = "head-timeout"
    case idleTimeout = "idle-timeout"
    case stallTimeout = "stall-timeout"
    case shutdownGrace = "shutdown-grace"
    case logLevel = "log-level"
    case logFormat = "log-format"
    case accessLog = "access-log"

    package var flag: String { "--\(rawValue)" }

    package var variable: String { "LARDER_" + rawValue.uppercased().replacing("-", with: "_") }

    /// What the setting means, its form and its default.
    package var help: String {
        switch self {
        case .dataDir: "Folder of all data. Default: $XDG_STATE_HOME/larder or ~/.local/state/larder."
        case .listen: "HOST:PORT to listen on; port 0 takes a free one. Default: 127.0.0.1:7878."
        case .maxSize: "Most that is stored, e.g. 20GiB, or 80% of the disk. Default: 80% of what is free."
        case .minFreeDisk: "Free disk under which nothing is written. Default: 2% of the disk, at most 1GiB."
        case .maxBlobSize: "Largest single upload. Default: none but --max-size."
        case .inlineLimit: "Blobs up to this size live in the database, 0 to 256KiB. Default: 16KiB."
        case .hotSetSize: "Memory for recently used small blobs. Default: 64MiB."
        case .guaranteedAge: "What was used within this time is never evicted, e.g. 3h. Default: 3h."
        case .lastUsePrecision: "How old a stored last use may grow before another is written. Default: 1h."
        case .createOnWrite: "Whether a first write creates its repository: true or false. Default: true."
        case .scrubPeriod: "Time in which every file is verified once; 0 for never. Default: 14d."
        case .uploadLifetime: "An unfinished image upload is given up when nothing came for so long. Default: 24h."
        case .unreferencedAge: "What no image refers to any more goes when unused for so long. Default: 24h."
        case .undoTime:
            "For so long what was removed from registries and buckets can be brought back; 0 for none. Default: 24h."
        case .cacheUndoTime: "The same for caches. Default: 0."
        case .pruneSchedule:
            "When policies are applied: a cron expression in UTC, or CRON_TZ=Zone before it; or off. Default: 0 3 * * *."
        case .allowAnonymous:
            "What clients may do without a token: none, read or write. Default: write on loopback, none elsewhere."
        case .insecure: "Whether tokens are taken over plain HTTP from other machines: true or false. Default: false."
        case .host: "Further host names this server answers to, separated by commas."
        case .maxConnections: "Connections at one time. Default: 4096."
        case .headTimeout: "Time for the first request of a connection to arrive. Default: 30s."
        case .idleTimeout: "Time between two requests of a connection. Default: 120s."
        case .stallTimeout: "Time in which a transfer must come on. Default: 60s."
        case .shutdownGrace: "Time that running requests get after SIGTERM. Default: 30s."
        case .logLevel: "trace, debug, info, notice, warning, error or critical. Default: info."
        case .logFormat: "text or json. Default: text."
        case .accessLog: "Whether each request is logged: true or false. Default: false."
        }
    }
}
