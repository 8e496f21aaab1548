import Foundation
import LarderTestSupport
import Testing

/// What the tests of retention ask a server; the images are in `team/app`.
extension LiveServer {
    /// Pushes an image whose config and layer are made from a word; returns its digest.
    @discardableResult
    func push(_ word: String, as tags: [String], to repository: String = "team/app") async throws -> String {
        let type = "application/vnd.oci.image.manifest.v1+json"
        let blobs = [Array("config of \(word)".utf8), Array(String(repeating: "layer of \(word) ", count: 200).utf8)]
        for blob in blobs {
            let path = "/v2/\(repository)/blobs/uploads/?digest=sha256:\(sha256Hex(blob))"
            let reply = try await request("POST", path, body: blob)
            try #require(reply.status == 201, "\(reply.text)")
        }
        let descriptors = blobs.map { #"{"mediaType":"a/b","digest":"sha256:\#(sha256Hex($0))","size":\#($0.count)}"# }
        let manifest = Array(
            """
            {"schemaVersion":2,"mediaType":"\(type)","config":\(descriptors[0]),"layers":[\(descriptors[1])]}
            """.utf8
        )
        for tag in tags {
            let path = "/v2/\(repository)/manifests/\(tag)"
            let reply = try await request("PUT", path, body: manifest, headers: ["Content-Type": type])
            try #require(reply.status == 201, "\(reply.text)")
        }
        return "sha256:\(sha256Hex(manifest))"
    }

    /// The tags of the repository, in order.
    func tags() async throws -> [String] {
        struct List: Decodable {
            let tags: [String]
        }
        let reply = try await get("/v2/team/app/tags/list")
        try #require(reply.status == 200, "\(reply.text)")
        return try JSONDecoder().decode(List.self, from: Data(reply.bytes)).tags
    }

    /// The digest that a tag names; nil when there is no such tag.
    func digest(of tag: String) async throws -> String? {
        try await request("HEAD", "/v2/team/app/manifests/\(tag)").headers["docker-content-digest"]
    }

    /// Runs a command that has to succeed; returns what it printed.
    @discardableResult
    func run(_ arguments: String...) async throws -> String { try await run(arguments) }

    @discardableResult
    func run(_ arguments: [String]) async throws -> String {
        let result = try await runProgram(larderPath, arguments + ["--data-dir", dataFolder])
        try #require(result.status == 0, "larder \(arguments): \(result.errors)")
        return result.output
    }

    /// Runs a command that has to be refused in a sentence.
    ///
    /// `isOffline`: It knows no data folder.
    func refuses(_ says: String, _ arguments: String..., isOffline: Bool = false) async throws {
        try await refuses(says, arguments: arguments, isOffline: isOffline)
    }

    func refuses(_ says: String, arguments: [String], isOffline: Bool = false) async throws {
        let place = isOffline ? [] : ["--data-dir", dataFolder]
        let result = try await runProgram(larderPath, arguments + place)
        #expect(result.status == 1, "larder \(arguments)")
        #expect(result.output == "", "larder \(arguments)")
        #expect(result.errors.hasPrefix("Error: "), "larder \(arguments)")
        #expect(result.errors.contains(says), "larder \(arguments): \(result.errors)")
    }
}

/// The part of the API's answers that is looked at.
struct ErrorAnswer: Decodable {
    let error: String
}

struct PolicyAnswer: Decodable {
    let policy: String
    let isDefault: Bool
    let nextRun: Int?
}

struct RepositoryAnswer: Decodable {
    let undoTimeSeconds: Int?
    let pruneSchedule: String?
    let hasPolicy: Bool
}

/// A line of a preview: an entry or the sums.
struct PreviewAnswer: Decodable {
    struct Summary: Decodable {
        let entries: Int
        let removed: Int
    }

    let decision: String?
    let tags: [String]?
    let rule: Int?
    let summary: Summary?
}

struct RunAnswer: Decodable {
    let id: Int
    let repository: String
    let reason: String
    let actor: String
    let policy: String
    let removed: Int
}

struct RunDetailsAnswer: Decodable {
    struct Decision: Decodable {
        let number: Int
        let outcome: String
    }

    let decisions: [Decision]
    let next: Int?
}
