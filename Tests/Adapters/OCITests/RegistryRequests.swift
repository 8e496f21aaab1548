import Foundation
import LarderTestSupport

/// A line of the access log.
struct LoggedRequest: Sendable {
    let method: String
    /// With the query.
    let path: String
    let status: Int
}

/// What tests ask the registry directly.
extension LiveServer {
    /// The registry's name for clients.
    var host: String { "127.0.0.1:\(port)" }

    /// The requests so far, if the server was started with `--access-log`.
    var loggedRequests: [LoggedRequest] {
        log.split(separator: "\n").compactMap { line in
            var fields: [Substring: Substring] = [:]
            for word in line.split(separator: " ") {
                let parts = word.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { fields[parts[0]] = parts[1] }
            }
            guard let method = fields["method"], let path = fields["path"],
                let status = fields["status"].flatMap({ Int($0) })
            else { return nil }
            return LoggedRequest(method: String(method), path: String(path), status: status)
        }
    }

    /// The digest that a tag names; nil when there is no such tag.
    func digest(of tag: String, in repository: String) async throws -> String? {
        try await request("HEAD", "/v2/\(repository)/manifests/\(tag)").headers["docker-content-digest"]
    }

    /// The tags of a repository, in order.
    func tags(in repository: String) async throws -> [String] {
        struct List: Decodable {
            let tags: [String]
        }
        let reply = try await get("/v2/\(repository)/tags/list")
        guard reply.status == 200 else { throw TestFailure("the tags of \(repository): \(reply.text)") }
        return try JSONDecoder().decode(List.self, from: Data(reply.bytes)).tags
    }

    /// What is left of unfinished uploads.
    var uploadFiles: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(dataFolder)/uploads")) ?? ["no folder"]
    }
}
