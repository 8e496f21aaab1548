import Foundation
import Glibc
import LarderTestSupport

/// Debian's docker-registry 2.8.2, installed by `Tests/clients.sh`, on a folder and a port of its own.
struct DockerRegistry: Sendable {
    let port: Int

    var host: String { "127.0.0.1:\(port)" }

    fileprivate static func configuration(in folder: String) -> String {
        // Port 0 is a free one, which the log tells at this level. Layers with addresses are refused unless allowed.
        """
        version: 0.1
        log: { level: info }
        storage:
          filesystem: { rootdirectory: \(folder)/data }
          delete: { enabled: true }
        http: { addr: "127.0.0.1:0" }
        validation:
          manifests:
            urls:
              allow: ["^https?://"]
        """
    }
}

/// Starts a docker-registry, runs the body, ends the registry.
func withDockerRegistry<Value>(_ body: (DockerRegistry) async throws -> Value) async throws -> Value {
    try await withTemporaryFolder { folder in
        let (configuration, log) = ("\(folder)/config.yml", "\(folder)/log")
        try DockerRegistry.configuration(in: folder).write(toFile: configuration, atomically: false, encoding: .utf8)
        let program = try RunningProgram(
            try findProgram("docker-registry"),
            ["serve", configuration],
            output: log,
            errors: log
        )
        do {
            var port: Int?
            try await waitUntil("docker-registry listens") {
                port = readText(log).components(separatedBy: "listening on 127.0.0.1:").dropFirst().first
                    .flatMap { Int($0.prefix { $0.isNumber }) }
                return port != nil
            }
            let value = try await body(DockerRegistry(port: port ?? 0))
            await end(program)
            return value
        } catch {
            await end(program)
            throw error
        }
    }
}

private func end(_ program: RunningProgram) async {
    program.signal(SIGTERM)
    if (try? await program.wait(timeoutSeconds: 20)) == nil { program.signal(SIGKILL) }
}
