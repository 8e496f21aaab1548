import Foundation
package import LarderCore
package import LarderHTTP
import LarderRetention
package import LarderStore
package import Logging

/// What clients may do that show no token.
package enum AnonymousAccess: String, Sendable, CaseIterable {
    case none
    case read
    /// Also delete, as clients of caches and registries do.
    case write

    /// In every repository.
    var actions: RepositoryActions {
        switch self {
        case .none: []
        case .read: .read
        case .write: [.read, .write, .delete]
        }
    }
}

/// An address to listen on.
package struct ListenAddress: Sendable, Equatable {
    package let host: String
    package let port: Int

    /// Whether only programs of this machine reach it.
    package var isLoopback: Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return host == "localhost" || host == "::1" || isAddress
    }

    /// As it stands in a URL.
    package var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}

/// The configuration of a server, parsed and checked.
package struct ServerSettings: Sendable {
    package let dataFolder: String
    package let listen: ListenAddress
    package let store: StoreConfiguration
    package let http: HTTPLimits
    package let anonymousAccess: AnonymousAccess
    /// Whether tokens are taken where they cross a network unencrypted.
    package let isInsecure: Bool
    package let hosts: [String]
    package let logLevel: Logger.Level
    package let logFormat: LogFormat
    package let writesAccessLog: Bool
    package let repositories: [DeclaredRepository]
    /// Texts of policies for repositories that have none of their own; what is not named here stays as it is.
    package let defaultPolicies: [RepositoryKind: String]

    /// - Throws: `SettingError` for the first value that is wrong, with its place and the form that is wanted.
    package init(_ sources: SettingSources, environment: [String: String]) throws(SettingError) {
        let reader = SettingReader(values: sources.values)
        let folder = try reader.value(.dataDir, "the path of a folder") { $0.isEmpty ? nil : $0 }
        dataFolder = Self.absolute(folder ?? Self.defaultDataFolder(environment))
        listen =
            try reader.value(.listen, "HOST:PORT, such as 127.0.0.1:7878") { ListenAddress($0) }
            ?? ListenAddress("127.0.0.1:7878").unsafelyUnwrapped
        anonymousAccess =
            try reader.value(.allowAnonymous, "none, read or write") { AnonymousAccess(rawValue: $0) }
            ?? (listen.isLoopback ? .write : .none)
        isInsecure = try reader.value(.insecure, "true or false") { Bool($0) } ?? false
        hosts = (sources.values[.host]?.text ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        logLevel =
            try reader.value(.logLevel, "trace, debug, info, notice, warning, error or critical") {
                Logger.Level(rawValue: $0)
            } ?? .info
        logFormat = try reader.value(.logFormat, "text or json") { LogFormat(rawValue: $0) } ?? .text
        writesAccessLog = try reader.value(.accessLog, "true or false") { Bool($0) } ?? false
        store = try Self.storeConfiguration(reader)
        http = try Self.httpLimits(reader)
        repositories = sources.repositories
        defaultPolicies = sources.defaultPolicies
        if !listen.isLoopback && anonymousAccess == .none && !isInsecure {
            throw SettingError(
                "\(listen.text) can be reached from other machines, and tokens would cross the network unencrypted: "
                    + "listen on 127.0.0.1 behind a proxy with TLS, say --insecure if the network may see tokens, or "
                    + "--allow-anonymous read or write if none are needed"
            )
        }
    }

    private static func storeConfiguration(_ reader: SettingReader) throws(SettingError) -> StoreConfiguration {
        var store = StoreConfiguration()
        let size = "a size such as 20GiB"
        let duration = "a duration such as 3h, 15m or 30s"
        if let value = try reader.value(.maxSize, "a size such as 20GiB, or a share such as 80%", SizeLimit.init) {
            store.sizeLimit = value
        }
        if let value = try reader.value(.minFreeDisk, size, ByteCount.init) { store.freeDiskFloor = value }
        if let value = try reader.value(.maxBlobSize, size, ByteCount.init) { store.blobSizeLimit = value }
        if let value = try reader.value(.inlineLimit, "a size from 0 to 256KiB", ByteCount.init) {
            guard value <= .kibibytes(256) else { throw reader.error(.inlineLimit, "a size from 0 to 256KiB") }
            store.inlineLimit = value
        }
        if let value = try reader.value(.hotSetSize, size, ByteCount.init) { store.hotSetLimit = value }
        if let value = try reader.value(.guaranteedAge, duration, Duration.init(text:)) { store.guaranteedAge = value }
        if let value = try reader.value(.lastUsePrecision, duration, Duration.init(text:)) {
            store.lastUsePrecision = value
        }
        if let value = try reader.value(.createOnWrite, "true or false", { Bool($0) }) { store.createsOnWrite = value }
        if let value = try reader.value(.scrubPeriod, duration, Duration.init(text:)) {
            store.scrubPeriod = value == .zero ? nil : value
        }
        if let value = try reader.value(.uploadLifetime, duration, Duration.init(text:)) {
            store.uploadLifetime = value
        }
        if let value = try reader.value(.unreferencedAge, duration, Duration.init(text:)) {
            store.unreferencedAge = value
        }
        try readRetention(reader, into: &store)
        return store
    }

    private static func readRetention(
        _ reader: SettingReader,
        into store: inout StoreConfiguration
    ) throws(SettingError) {
        let duration = "a duration such as 24h or 7d, or 0 for none"
        if let value = try reader.value(.undoTime, duration, Duration.init(text:)) { store.undoTime = value }
        if let value = try reader.value(.cacheUndoTime, duration, Duration.init(text:)) { store.cacheUndoTime = value }
        guard let text = try reader.value(.pruneSchedule, "", { $0 }) else { return }
        do {
            try Store.checkSchedule(text)
        } catch {
            throw reader.error(.pruneSchedule, "a cron expression such as 0 3 * * *, or off (\(error.reason))")
        }
        store.pruneSchedule = text == "off" ? nil : (try? CronSchedule(text))
    }

    private static func httpLimits(_ reader: SettingReader) throws(SettingError) -> HTTPLimits {
        var limits = HTTPLimits()
        let duration = "a duration such as 2m or 30s, at least 1s"
        let positive: @Sendable (String) -> Duration? = { text in
            Duration(text: text).flatMap { $0 >= .seconds(1) ? $0 : nil }
        }
        if let value = try reader.value(
            .maxConnections,
            "a whole number from 1",
            { Int($0).flatMap { $0 > 0 ? $0 : nil } }
        ) {
            limits.connectionCountMax = value
        }
        if let value = try reader.value(.headTimeout, duration, positive) { limits.headTimeout = value }
        if let value = try reader.value(.idleTimeout, duration, positive) { limits.idleTimeout = value }
        if let value = try reader.value(.stallTimeout, duration, positive) { limits.stallTimeout = value }
        if let value = try reader.value(.shutdownGrace, "a duration such as 30s", Duration.init(text:)) {
            limits.shutdownGrace = value
        }
        return limits
    }

    /// Where data goes that nobody named a place for (XDG base directory specification).
    package static func defaultDataFolder(_ environment: [String: String]) -> String {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return "\(state)/larder" }
        return "\(environment["HOME"] ?? NSHomeDirectory())/.local/state/larder"
    }

    package static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: (path as NSString).expandingTildeInPath).standardizedFileURL.path
    }
}

/// Reads one value at a time and says what is wrong with it.
private struct SettingReader {
    let values: [SettingName: SettingSources.Value]

    func value<Value>(
        _ name: SettingName,
        _ form: String,
        _ parse: (String) -> Value?
    ) throws(SettingError) -> Value? {
        guard let value = values[name] else { return nil }
        guard let parsed = parse(value.text) else { throw error(name, form) }
        return parsed
    }

    func error(_ name: SettingName, _ form: String) -> SettingError {
        let value = values[name]
        return SettingError("\(value?.place ?? name.flag): `\(value?.text ?? "")` is not valid; expected \(form)")
    }
}
