import APIMessages
import Foundation
import LarderCore
import LarderTestSupport
import Synchronization

@testable import LarderClient

/// A server of blobs in memory that speaks the part of the API for transfers, and cuts connections where a test says.
final class PretendServer: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        let query: [String: String]
        let headers: [String: String]
        let body: [UInt8]
    }

    struct Answer: Sendable {
        var status = 200
        var body: [UInt8] = []

        static func message(_ value: some Encodable, status: Int = 200) throws -> Answer {
            Answer(status: status, body: [UInt8](try JSONEncoder().encode(value)))
        }

        static func error(_ status: Int, _ text: String) throws -> Answer {
            try message(ErrorMessage(error: text), status: status)
        }
    }

    struct Upload: Sendable {
        var size: Int64
        var parts: [Int64: [UInt8]] = [:]

        /// Bytes that are there from the start on.
        var prefix: [UInt8] {
            var bytes: [UInt8] = []
            while let part = parts[Int64(bytes.count)], !part.isEmpty { bytes += part }
            return bytes
        }
    }

    struct State: Sendable {
        var blobs: [Digest: [UInt8]] = [:]
        var uploads: [String: Upload] = [:]
        var uploadCount = 0
        var partSize: Int64 = 1000
        /// Of dependency caches, the newest last.
        var entries: [CacheEntryMessage] = []
        /// Answers to give to the next requests whose path ends so, in place of the right ones.
        var planned: [(suffix: String, answer: Answer)] = []
        /// How paths end whose next requests are carried out, and answered by the end of the connection.
        var unanswered: [String] = []
        /// Method and path of what came whole.
        var requests: [String] = []
        /// What each request said of who sends it.
        var authorizations: [String?] = []
        /// Happens before an upload is finished.
        var beforeFinish: (@Sendable (inout Upload) -> Void)?
    }

    let state = Mutex(State())
    private let listener: WireListener

    var url: String { "http://127.0.0.1:\(listener.port)" }

    init() throws {
        // The listener needs the handler before this is whole.
        let handler = HandlerBox()
        listener = try WireListener { session in try Self.serve(session, handler) }
        handler.set { [weak self] request, isWhole in try self?.answer(request, isWhole: isWhole) }
    }

    /// A client whose waits are short, and that has not been answered yet.
    func newClient(token: String? = nil) -> ServerClient {
        var client = ServerClient(.url(url), token: token)
        client.retryPolicy = RetryPolicy(failureCountMax: 5, firstDelay: .milliseconds(1))
        return client
    }

    /// A client that has been answered once already.
    func client(token: String? = nil) async throws -> ServerClient {
        let client = newClient(token: token)
        guard await client.isAnswering() else { throw TestFailure("the server of the test does not answer") }
        return client
    }

    /// Transfers by a client that has been answered once already, after which connections are cut.
    func transfer(kind: String = "cache", cuts: [Int] = [], token: String? = nil) async throws -> BlobTransfer {
        let client = try await client(token: token)
        listener.cutNext(cuts)
        return BlobTransfer(server: client, repository: "team/main", kind: kind)
    }

    /// Keeps bytes.
    @discardableResult
    func keep(_ bytes: [UInt8]) -> Digest {
        let digest = IncrementalHasher.digest(of: bytes)
        state.withLock { $0.blobs[digest] = bytes }
        return digest
    }

    func plan(_ suffix: String, _ answer: Answer, times: Int = 1) {
        state.withLock { $0.planned += Array(repeating: (suffix, answer), count: times) }
    }

    func loseAnswer(_ suffix: String) {
        state.withLock { $0.unanswered.append(suffix) }
    }

    func requestCount(_ text: String) -> Int {
        state.withLock { $0.requests.count { $0.contains(text) } }
    }

    func stop() { listener.stop() }

    // MARK: - HTTP

    private final class HandlerBox: Sendable {
        typealias Handler = @Sendable (Request, Bool) throws -> Answer?
        private let handler = Mutex<Handler> { _, _ in nil }

        func set(_ new: @escaping Handler) { handler.withLock { $0 = new } }

        func callAsFunction(_ request: Request, isWhole: Bool) throws -> Answer? {
            try handler.withLock { $0 }(request, isWhole)
        }
    }

    private static func serve(_ session: WireSession, _ handler: HandlerBox) throws {
        while true {
            let lines = try session.readHead()
            let words = lines[0].split(separator: " ").map(String.init)
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                guard let colon = line.firstIndex(of: ":") else { continue }
                headers[line[..<colon].lowercased()] =
                    line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
            let parts = words[1].split(separator: "?", maxSplits: 1).map(String.init)
            var query: [String: String] = [:]
            for item in parts.dropFirst().joined().split(separator: "&") {
                let pair = item.split(separator: "=", maxSplits: 1).map(String.init)
                query[pair[0]] = pair.count > 1 ? pair[1].removingPercentEncoding : ""
            }
            func request(_ body: [UInt8]) -> Request {
                Request(method: words[0], path: parts[0], query: query, headers: headers, body: body)
            }
            let length = headers["content-length"].flatMap { Int($0) } ?? 0
            let body = try session.read(length) { partial in
                _ = try? handler(request(partial), isWhole: false)
            }
            guard let answer = try handler(request(body), isWhole: true) else { return }
            let isEmpty = answer.status == 204
            let head = "HTTP/1.1 \(answer.status) X\r\n" + (isEmpty ? "" : "Content-Length: \(answer.body.count)\r\n")
            try session.send(Array((head + "\r\n").utf8) + (isEmpty ? [] : answer.body))
        }
    }

    // MARK: - The API

    private func answer(_ request: Request, isWhole: Bool) throws -> Answer? {
        try state.withLock { state in
            if !isWhole {
                // Blobs that came whole before the connection broke are kept.
                if request.path.hasSuffix("/pack") { _ = Self.takePack(request.body, &state) }
                return nil
            }
            state.requests.append("\(request.method) \(request.path)")
            state.authorizations.append(request.headers["authorization"])
            let answer = try Self.carryOut(request, &state)
            guard let index = state.unanswered.firstIndex(where: { request.path.hasSuffix($0) }) else { return answer }
            state.unanswered.remove(at: index)
            return nil
        }
    }

    private static func carryOut(_ request: Request, _ state: inout State) throws -> Answer? {
        if let index = state.planned.firstIndex(where: { request.path.hasSuffix($0.suffix) }) {
            return state.planned.remove(at: index).answer
        }
        let last = request.path.split(separator: "/").last ?? ""
        switch (request.method, last) {
        case (_, "healthz"): return Answer()
        case ("POST", "missing"): return Self.missing(request, state)
        case ("POST", "sizes"): return try Self.sizes(request, state)
        case ("POST", "pack"):
            guard let receipt = Self.takePack(request.body, &state) else { return try .error(400, "no pack") }
            return try .message(receipt)
        case ("POST", "fetch"): return Answer(body: Self.pack(of: Self.digests(request.body), state))
        case ("GET", _) where request.path.contains("/blobs/"): return try Self.read(request, state)
        case _ where request.path.contains("/caches/"): return try Self.caches(request, &state)
        default: return try Self.upload(request, String(last), &state)
        }
    }

    private static func digests(_ body: [UInt8]) -> [Digest] {
        stride(from: 0, to: body.count, by: 32).compactMap { Digest(.sha256, bytes: body[$0..<$0 + 32]) }
    }

    private static func missing(_ request: Request, _ state: State) -> Answer {
        let digests = digests(request.body)
        var bitmap = [UInt8](repeating: 0, count: (digests.count + 7) / 8)
        for (index, digest) in digests.enumerated() where state.blobs[digest] == nil {
            bitmap[index / 8] |= 1 << UInt8(index % 8)
        }
        return Answer(body: bitmap)
    }

    private static func sizes(_ request: Request, _ state: State) throws -> Answer {
        let asked = try JSONDecoder().decode(BlobSizesMessage.self, from: Data(request.body))
        let known = Set(state.blobs.values.map { Int64($0.count) })
        return try .message(KnownSizesMessage(known: asked.sizes.map { known.contains($0) }))
    }

    /// Keeps the blobs of a pack; nil when it is not whole.
    private static func takePack(_ body: [UInt8], _ state: inout State) -> PackReceiptMessage? {
        var place = 0
        var receipt = PackReceiptMessage(blobCount: 0, byteCount: 0)
        while body.count - place >= PackFrame.headLength {
            let head = body[place..<place + PackFrame.headLength]
            guard let frame = try? head.withUnsafeBytes({ try PackFrame(head: $0) }) else { return nil }
            place += PackFrame.headLength
            if frame.kind == .end { return frame.size == receipt.blobCount && place == body.count ? receipt : nil }
            guard let digest = frame.digest, body.count - place >= frame.size else { return nil }
            let bytes = Array(body[place..<place + Int(frame.size)])
            place += Int(frame.size)
            guard IncrementalHasher.digest(of: bytes) == digest else { return nil }
            state.blobs[digest] = bytes
            receipt.blobCount += 1
            receipt.byteCount += frame.size
        }
        return nil
    }

    static func pack(of digests: [Digest], _ state: State) -> [UInt8] {
        var body: [UInt8] = []
        var count = 0
        for digest in digests {
            if let bytes = state.blobs[digest] {
                body += PackFrame.blob(digest, size: Int64(bytes.count)).head + bytes
                count += 1
            } else {
                body += PackFrame.missing(digest).head
            }
        }
        return body + PackFrame.end(blobCount: count).head
    }

    private static func read(_ request: Request, _ state: State) throws -> Answer {
        let name = request.path.split(separator: "/").last.map(String.init) ?? ""
        guard let digest = Digest(name), let bytes = state.blobs[digest] else { return try .error(404, "no blob") }
        guard let range = request.headers["range"] else { return Answer(body: bytes) }
        let bounds = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
        return Answer(status: 206, body: Array(bytes[bounds[0]...bounds[1]]))
    }

    private static func upload(_ request: Request, _ operation: String, _ state: inout State) throws -> Answer? {
        guard let id = request.query["id"] else {
            let size = try JSONDecoder().decode(UploadRequestMessage.self, from: Data(request.body)).size
            state.uploadCount += 1
            state.uploads["u\(state.uploadCount)"] = Upload(size: size)
            let message = UploadMessage(id: "u\(state.uploadCount)", partSize: state.partSize, receivedBytes: 0)
            return try .message(message, status: 201)
        }
        guard var upload = state.uploads[id] else { return try .error(404, "no such upload") }
        switch (request.method, operation) {
        case ("PUT", "part"):
            guard let offset = Int64(request.query["offset"] ?? "") else { return try .error(400, "no offset") }
            upload.parts[offset] = request.body
            state.uploads[id] = upload
            return Answer(status: 204)
        case ("POST", "finish"):
            state.beforeFinish?(&upload)
            state.beforeFinish = nil
            state.uploads[id] = upload
            let bytes = upload.prefix
            guard bytes.count == upload.size else { return try .error(409, "parts are missing") }
            let digest = IncrementalHasher.digest(of: bytes)
            guard digest.description == request.query["digest"] else { return try .error(400, "another digest") }
            state.blobs[digest] = bytes
            state.uploads[id] = nil
            return Answer(status: 201)
        case ("DELETE", _):
            state.uploads[id] = nil
            return Answer(status: 204)
        default:
            let received = Int64(upload.prefix.count)
            return try .message(UploadMessage(id: id, partSize: state.partSize, receivedBytes: received))
        }
    }
}

// MARK: - Dependency caches

extension PretendServer {
    private static func caches(_ request: Request, _ state: inout State) throws -> Answer {
        let (query, method) = (request.query, request.method)
        func isMeant(_ entry: CacheEntryMessage) -> Bool {
            entry.key == query["key"] && entry.scope == query["scope"] && entry.version == query["version"]
        }
        if request.path.hasSuffix("/find") {
            let wanted = try JSONDecoder().decode(CacheFindMessage.self, from: Data(request.body))
            return try find(wanted, state).map { try .message($0) } ?? Answer(status: 204)
        }
        if request.path.hasSuffix("/restore") { return try restore(request, state) }
        switch method {
        case "PUT": return try putEntry(request, isMeant, &state)
        case "DELETE":
            let before = state.entries.count
            state.entries.removeAll(where: isMeant)
            return state.entries.count < before ? Answer(status: 204) : try .error(404, "no such entry")
        default:
            let found = state.entries.filter { entry in
                entry.key.hasPrefix(query["prefix"] ?? "") && query["scope"].map { entry.scope == $0 } ?? true
            }
            // Pages of two.
            let start = Int(query["after"] ?? "0") ?? 0
            let next = start + 2 < found.count ? "\(start + 2)" : nil
            return try .message(CacheEntryListMessage(entries: Array(found.dropFirst(start).prefix(2)), next: next))
        }
    }

    private static func putEntry(
        _ request: Request,
        _ isMeant: (CacheEntryMessage) -> Bool,
        _ state: inout State
    ) throws -> Answer {
        let query = request.query
        guard let digest = Digest(query["tree"] ?? ""), let bytes = state.blobs[digest] else {
            return try .error(400, "the tree is missing")
        }
        let tree = try FileTree(encoded: bytes)
        guard tree.blobs.allSatisfy({ state.blobs[$0.digest] != nil }) else {
            return try .error(400, "files are missing")
        }
        let entry = CacheEntryMessage(
            key: query["key"] ?? "",
            scope: query["scope"] ?? "",
            version: query["version"] ?? "",
            tree: digest.description,
            contentDigest: tree.contentDigest.description,
            fileCount: Int64(tree.fileCount),
            byteCount: tree.byteCount,
            savedAt: "2026-11-24T12:00:00Z",
            lastUsedAt: "2026-11-24T12:00:00Z",
            provenance: try JSONDecoder().decode(CacheSaveMessage.self, from: Data(request.body)).provenance
        )
        if let present = state.entries.first(where: isMeant) {
            if present.contentDigest == entry.contentDigest { return try .message(present) }
            guard query["overwrite"] == "true" else { return try .error(409, "the key has other content") }
            state.entries.removeAll(where: isMeant)
        }
        state.entries.append(entry)
        return try .message(entry, status: 201)
    }

    private static func find(_ wanted: CacheFindMessage, _ state: State) -> CacheEntryMessage? {
        for scope in wanted.scopes {
            let entries = state.entries.filter { $0.scope == scope && $0.version == wanted.version }
            if var entry = entries.first(where: { $0.key == wanted.key }) {
                entry.match = "exact"
                return entry
            }
            for prefix in wanted.restoreKeys {
                guard var entry = entries.last(where: { $0.key.hasPrefix(prefix) }) else { continue }
                entry.match = "prefix"
                return entry
            }
        }
        return nil
    }

    private static func restore(_ request: Request, _ state: State) throws -> Answer {
        let end = request.body.firstIndex(of: UInt8(ascii: "\n")) ?? 0
        let wanted = try JSONDecoder().decode(CacheFindMessage.self, from: Data(request.body[..<end]))
        let have = Set(digests(Array(request.body[(end + 1)...])))
        guard let entry = find(wanted, state), let digest = Digest(entry.tree) else { return Answer(status: 204) }
        let note = [UInt8](try JSONEncoder().encode(entry))
        let tree = try FileTree(encoded: state.blobs[digest] ?? [])
        let needed = tree.blobs.map(\.digest).filter { !have.contains($0) }
        return Answer(body: PackFrame.note(size: note.count).head + note + pack(of: [digest] + needed, state))
    }
}
