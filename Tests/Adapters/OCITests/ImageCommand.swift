import Foundation
import LarderTestSupport
import Testing

/// `larder image`, run on the data folder of a server.
extension LiveServer {
    /// Runs a command that has to succeed; returns what it printed.
    @discardableResult
    func image(_ arguments: String...) async throws -> String {
        let result = try await attempt(arguments)
        try #require(result.status == 0, "larder image \(arguments): \(result.errors)")
        return result.output
    }

    /// Runs a command that has to succeed; returns the JSON that it printed.
    func json<Value: Decodable>(_ type: Value.Type, _ arguments: String...) async throws -> Value {
        let result = try await attempt(arguments + ["--json"])
        try #require(result.status == 0, "larder image \(arguments): \(result.errors)")
        return try JSONDecoder().decode(type, from: Data(result.output.utf8))
    }

    /// Copies an image.
    func copy(_ source: String, _ destination: String, _ options: String...) async throws -> ImageCopyResult {
        let result = try await attempt(["copy", source, destination, "--json"] + options)
        try #require(result.status == 0, "larder image copy \(source) \(destination): \(result.errors)")
        return try JSONDecoder().decode(ImageCopyResult.self, from: Data(result.output.utf8))
    }

    /// Runs a command, which may fail.
    func attempt(_ arguments: [String]) async throws -> ProgramResult {
        // Whoever runs the tests may have logins at home.
        let environment = ["HOME": dataFolder, "NO_PROXY": "127.0.0.1", "XDG_RUNTIME_DIR": dataFolder]
        return try await runProgram(
            larderPath,
            ["image"] + arguments + ["--data-dir", dataFolder],
            environment: environment
        )
    }
}

/// The part of a row of `larder image ls --json` that is looked at.
struct ImageRow: Decodable, Sendable {
    let repository: String
    let tag: String
    let digest: String
    let sizeBytes: Int
}

/// The part of `larder image inspect --json` that is looked at.
struct ImageDetails: Decodable, Sendable {
    struct Part: Decodable, Sendable {
        let digest: String
    }

    let digest: String
    let layers: [Part]
    let platforms: [String]
}

/// What `larder image copy --json` says about blobs, and the digest of what was copied.
struct ImageCopyResult: Decodable, Equatable, Sendable {
    let copied: Int
    let mounted: Int
    let present: Int
    let digest: String

    enum CodingKeys: String, CodingKey {
        case copied = "copiedCount"
        case mounted = "mountedCount"
        case present = "presentCount"
        case digest
    }
}
