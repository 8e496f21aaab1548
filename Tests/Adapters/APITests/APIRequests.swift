import Foundation
import LarderCore
import LarderTestSupport

/// What the tests ask of `/api/v1` over TCP, as any client may.
extension LiveServer {
    /// One request; the query is percent-encoded here.
    func ask(
        _ method: String,
        _ path: String,
        _ query: KeyValuePairs<String, String> = [:],
        body: [UInt8]? = nil,
        headers: [String: String] = [:]
    ) async throws -> HTTPReply {
        let text = query.map { "\($0.key)=\(percentEncoded($0.value))" }.joined(separator: "&")
        return try await request(
            method,
            "/api/v1/\(path)" + (text.isEmpty ? "" : "?\(text)"),
            body: body,
            headers: headers
        )
    }

    func ask(
        _ method: String,
        _ path: String,
        _ query: KeyValuePairs<String, String> = [:],
        json: String
    ) async throws -> HTTPReply {
        try await ask(method, path, query, body: Array(json.utf8))
    }

    /// Sends contents as one pack.
    func push(_ contents: [[UInt8]], to repository: String, kind: String = "cache") async throws {
        let reply = try await ask("POST", "blobs/\(repository)/pack", ["kind": kind], body: Pack.bytes(of: contents))
        guard reply.status == 200 else { throw TestFailure("the pack is refused: \(reply.status) \(reply.text)") }
    }

    /// Which of some contents must be sent, by their index.
    func missing(_ contents: [[UInt8]], in repository: String, kind: String = "cache") async throws -> [Int] {
        let reply = try await ask(
            "POST",
            "blobs/\(repository)/missing",
            ["kind": kind],
            body: contents.flatMap { digest(of: $0).bytes }
        )
        guard reply.status == 200, reply.bytes.count == (contents.count + 7) / 8 else {
            throw TestFailure("no bits: \(reply.status) \(reply.text)")
        }
        return contents.indices.filter { reply.bytes[$0 / 8] >> ($0 % 8) & 1 == 1 }
    }

    /// The blobs of some digests, as one pack.
    func fetch(_ digests: [Digest], from repository: String, kind: String = "cache") async throws -> [Pack.Item] {
        let reply = try await ask(
            "POST",
            "blobs/\(repository)/fetch",
            ["kind": kind],
            body: digests.flatMap(\.bytes)
        )
        guard reply.status == 200, reply.headers["content-type"] == "application/vnd.larder.pack" else {
            throw TestFailure("no pack: \(reply.status) \(reply.text)")
        }
        return try Pack.items(reply.bytes)
    }

    /// What is left of unfinished uploads.
    var uploadFiles: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(dataFolder)/uploads")) ?? ["no folder"]
    }
}

extension HTTPReply {
    /// The sentence of a failure; nil when the answer is none.
    var failure: String? {
        struct Failure: Decodable {
            let error: String
        }
        guard headers["content-type"] == "application/json" else { return nil }
        return (try? JSONDecoder().decode(Failure.self, from: Data(bytes)))?.error
    }

    func json<Message: Decodable>(_ type: Message.Type = Message.self) throws -> Message {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw TestFailure("not \(type): \(status) \(text)")
        }
    }
}

func digest(of bytes: [UInt8]) -> Digest { IncrementalHasher.digest(of: bytes) }

/// Many blobs as one body.
enum Pack {
    enum Item: Equatable {
        case note(String)
        case blob([UInt8])
        case missing(Digest)
        case end(Int64)
    }

    static func bytes(of contents: [[UInt8]]) -> [UInt8] {
        contents.flatMap { frame($0) } + PackFrame.end(blobCount: contents.count).head
    }

    /// A frame of a blob.
    static func frame(_ bytes: [UInt8]) -> [UInt8] {
        PackFrame.blob(digest(of: bytes), size: Int64(bytes.count)).head + bytes
    }

    /// What a pack holds; each blob is what its digest says.
    static func items(_ bytes: [UInt8]) throws -> [Item] {
        var items: [Item] = []
        var rest = bytes[...]
        func take(_ count: Int) throws -> [UInt8] {
            guard rest.count >= count else { throw TestFailure("the pack ends too early") }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        while !rest.isEmpty {
            let frame = try take(PackFrame.headLength).withUnsafeBytes { try PackFrame(head: $0) }
            let body = try take(Int(frame.bodyLength))
            switch (frame.kind, frame.digest) {
            case (.note, _): items.append(.note(String(decoding: body, as: UTF8.self)))
            case (.blob, let named):
                guard named == digest(of: body) else { throw TestFailure("a blob of the pack has another digest") }
                items.append(.blob(body))
            case (.missing, let named?): items.append(.missing(named))
            case (.missing, nil): throw TestFailure("a frame names no blob")
            case (.end, _): items.append(.end(frame.size))
            }
        }
        return items
    }
}

/// A whole sent in HTTP's chunks.
func chunked(_ bytes: [UInt8], each length: Int) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: length).flatMap { start -> [UInt8] in
        let chunk = bytes[start..<min(start + length, bytes.count)]
        return Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
    } + Array("0\r\n\r\n".utf8)
}

/// A failure that has to be named.
struct Mistake: Sendable {
    let method: String
    let path: String
    var query: [(String, String)] = []
    var body: [UInt8]?
    let status: Int
    let says: String

    init(
        _ method: String,
        _ path: String,
        _ query: [(String, String)] = [],
        body: [UInt8]? = nil,
        json: String? = nil,
        is status: Int,
        says: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body ?? json.map { Array($0.utf8) }
        self.status = status
        self.says = says
    }
}

extension LiveServer {
    /// How answers differ from what is wanted of them.
    func differences(from mistakes: [Mistake]) async throws -> [String] {
        var differences: [String] = []
        for mistake in mistakes {
            let text = mistake.query.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
            let path = mistake.path + (text.isEmpty ? "" : "?\(text)")
            let reply = try await request(mistake.method, "/api/v1/\(path)", body: mistake.body)
            guard reply.status != mistake.status || reply.failure?.contains(mistake.says) != true else { continue }
            differences.append("\(mistake.method) \(path): \(reply.status) \(reply.text)")
        }
        return differences
    }
}
