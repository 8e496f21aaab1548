import ArgumentParser
import LarderServer

/// The settings of the server as flags.
///
/// Every one is also a variable and a key of the configuration file.
struct ServerOptions: ParsableArguments {
    @Option(help: help(.dataDir)) var dataDir: String?
    @Option(help: help(.listen)) var listen: String?
    @Option(help: help(.maxSize)) var maxSize: String?
    @Option(help: help(.minFreeDisk)) var minFreeDisk: String?
    @Option(help: help(.maxBlobSize)) var maxBlobSize: String?
    @Option(help: help(.inlineLimit)) var inlineLimit: String?
    @Option(help: help(.hotSetSize)) var hotSetSize: String?
    @Option(help: help(.guaranteedAge)) var guaranteedAge: String?
    @Option(help: help(.lastUsePrecision)) var lastUsePrecision: String?
    @Option(help: help(.createOnWrite)) var createOnWrite: String?
    @Option(help: help(.scrubPeriod)) var scrubPeriod: String?
    @Option(help: help(.uploadLifetime)) var uploadLifetime: String?
    @Option(help: help(.unreferencedAge)) var unreferencedAge: String?
    @Option(help: help(.undoTime)) var undoTime: String?
    @Option(help: help(.cacheUndoTime)) var cacheUndoTime: String?
    @Option(help: help(.pruneSchedule)) var pruneSchedule: String?
    @Option(help: help(.allowAnonymous)) var allowAnonymous: String?
    @Flag(help: help(.insecure)) var insecure = false
    @Option(help: help(.host)) var host: String?
    @Option(help: help(.maxConnections)) var maxConnections: String?
    @Option(help: help(.headTimeout)) var headTimeout: String?
    @Option(help: help(.idleTimeout)) var idleTimeout: String?
    @Option(help: help(.stallTimeout)) var stallTimeout: String?
    @Option(help: help(.shutdownGrace)) var shutdownGrace: String?
    @Option(help: help(.logLevel)) var logLevel: String?
    @Option(help: help(.logFormat)) var logFormat: String?
    @Flag(help: help(.accessLog)) var accessLog = false

    @Option(help: "YAML file with settings under the same names. Also: LARDER_CONFIG.")
    var config: String?

    private static func help(_ name: SettingName) -> ArgumentHelp { ArgumentHelp(name.help) }

    private var flags: [SettingName: String] {
        let given: [SettingName: String?] = [
            .dataDir: dataDir, .listen: listen, .maxSize: maxSize, .minFreeDisk: minFreeDisk,
            .maxBlobSize: maxBlobSize, .inlineLimit: inlineLimit, .hotSetSize: hotSetSize,
            .guaranteedAge: guaranteedAge, .lastUsePrecision: lastUsePrecision, .createOnWrite: createOnWrite,
            .scrubPeriod: scrubPeriod, .uploadLifetime: uploadLifetime, .unreferencedAge: unreferencedAge,
            .undoTime: undoTime, .cacheUndoTime: cacheUndoTime, .pruneSchedule: pruneSchedule,
            .allowAnonymous: allowAnonymous, .insecure: insecure ? "true" : nil, .host: host,
            .maxConnections: maxConnections, .headTimeout: headTimeout,
            .idleTimeout: idleTimeout, .stallTimeout: stallTimeout, .shutdownGrace: shutdownGrace, .logLevel: logLevel,
            .logFormat: logFormat,
            .accessLog: accessLog ? "true" : nil,
        ]
        return given.compactMapValues { $0 }
    }

    /// All settings with their places.
    func sources() throws -> SettingSources {
        try SettingSources(flags: flags, environment: processVariables(), file: config)
    }

    /// The settings, checked.
    func settings() throws -> (settings: ServerSettings, sources: SettingSources) {
        let sources = try sources()
        return (try ServerSettings(sources, environment: processVariables()), sources)
    }
}
