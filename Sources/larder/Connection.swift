import ArgumentParser
import Foundation
import LarderClient
import LarderServer
import Logging

/// Where a command finds the server: by its address, or by its data folder.
struct ServerLocation: ParsableArguments {
    @Option(help: "Data folder of the server. Also: LARDER_DATA_DIR. Default: that of `larder serve`.")
    var dataDir: String?

    @Option(help: "YAML file of the server, for its data folder. Also: LARDER_CONFIG.")
    var config: String?

    /// The settings that the server of this folder would have.
    func settings() throws -> ServerSettings {
        var flags: [SettingName: String] = [:]
        flags[.dataDir] = dataDir
        // Whatever address the file names, this command listens on none.
        flags[.listen] = "127.0.0.1:0"
        let environment = processVariables()
        return try ServerSettings(
            try SettingSources(flags: flags, environment: environment, file: config),
            environment: environment
        )
    }

    /// Runs a command against the server of the data folder; when none runs, against the folder itself, which is locked
    /// meanwhile.
    func withServer(
        mustRun: Bool = false,
        _ command: @escaping @Sendable (ServerClient) async throws -> Void
    ) async throws {
        let settings = try settings()
        let socket = "\(settings.dataFolder)/larder.sock"
        let client = ServerClient(.socket(socket))
        try await describingErrors {
            if FileManager.default.fileExists(atPath: socket), await client.isAnswering() {
                return try await command(client)
            }
            guard FileManager.default.fileExists(atPath: "\(settings.dataFolder)/FORMAT") else {
                throw ClientError(
                    "\(settings.dataFolder) is no data folder of larder; name it with --data-dir, or start a server "
                        + "with: larder serve"
                )
            }
            if mustRun {
                throw ClientError("no server runs on \(settings.dataFolder); start one with: larder serve")
            }
            try await runOffline(settings, client: client, command)
        }
    }

    private func runOffline(
        _ settings: ServerSettings,
        client: ServerClient,
        _ command: @escaping @Sendable (ServerClient) async throws -> Void
    ) async throws {
        let logger = settings.logFormat.makeLogger(label: "larder", level: .warning)
        let server = LarderServer(settings: settings, mode: .socketOnly, logger: logger)
        let ready = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let stop = ServerStop()
            group.addTask {
                defer { ready.continuation.finish() }
                try await server.run(stop: stop) { _ in
                    ready.continuation.yield()
                }
            }
            var isReady = false
            for await _ in ready.stream {
                isReady = true
                break
            }
            do {
                if isReady { try await command(client) }
            } catch {
                stop.trigger()
                try? await group.waitForAll()
                throw error
            }
            stop.trigger()
            try await group.waitForAll()
        }
    }
}

/// Turns errors of all rooms into one sentence on standard error and exit code 1.
func describingErrors(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as any CustomStringConvertible & Error {
        throw ValidationFailure(error.description)
    }
}

/// An error whose description is all that is printed.
struct ValidationFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
