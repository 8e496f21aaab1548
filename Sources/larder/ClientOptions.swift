import ArgumentParser
import Foundation
import LarderClient
import LarderServer

/// What the commands of a CI job share: where the server is, and how to talk to people.
struct ClientOptions: ParsableArguments {
    @Option(
        help: """
            Address of the server. Also: LARDER_URL; then what `larder login` stored, the running server of the local \
            data folder, and http://127.0.0.1:7878.
            """
    )
    var url: String?

    @Flag(help: "Print JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    /// Whether nothing is said but the result.
    var isQuiet: Bool { quiet || json }

    /// A client for the server.
    ///
    /// - Throws: `ClientError` when the address or the stored login can't be used.
    func client() throws -> ServerClient { try Self.client(url: url) }

    /// A client for the server of an address; nil: for the one that is found.
    ///
    /// - Throws: `ClientError` when the address or the stored login can't be used.
    static func client(url: String?) throws -> ServerClient {
        let configuration = try ClientConfiguration.find(
            url: url,
            environment: processVariables(),
            home: homeFolder(),
            localSocket: localSocket
        )
        return ServerClient(configuration.address, token: configuration.token)
    }

    /// The socket of the data folder that `larder serve` would use here, whether or not a server listens on it.
    private static func localSocket() -> String? {
        let environment = processVariables()
        // Settings that can't be read are no reason to fail: who names a server needs none.
        let sources = try? SettingSources(flags: [.listen: "127.0.0.1:0"], environment: environment, file: nil)
        let settings = sources.flatMap { try? ServerSettings($0, environment: environment) }
        return settings.map { "\($0.dataFolder)/larder.sock" }
    }
}

/// The variables of this process; an empty one, as a CI has it for what nobody defined, counts as not set.
func processVariables() -> [String: String] {
    ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
}

/// What `~` is.
func homeFolder() -> String {
    processVariables()["HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        ?? FileManager.default.homeDirectoryForCurrentUser.path
}
