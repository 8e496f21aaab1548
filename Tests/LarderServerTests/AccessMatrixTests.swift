import Foundation
import LarderTestSupport
import Testing

/// Who is let in where: every route for every kind of sender, over every road, and how the others are refused.
///
/// The table of routes says what each one demands; everything else is derived from it.
@Suite(.serialized)
struct AccessMatrixTests {
    @Test
    func tokensMayDoWhatTheirGrantsSay() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let matrix = try await AccessMatrix(server)
            let senders = try await matrix.makeSenders() + [Sender("nobody")]
            let faults = try await matrix.faults(senders)
            #expect(faults == [])
        }
    }

    @Test(arguments: ["read", "write"])
    func thoseWithoutATokenMayDoWhatTheSettingSays(setting: String) async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", setting]) { server in
            let matrix = try await AccessMatrix(server)
            let senders = [
                Sender("nobody", everywhere: setting == "read" ? [.read] : [.read, .write, .delete]),
                // Whoever shows something is held to it.
                AccessMatrix.stranger,
            ]
            let faults = try await matrix.faults(senders)
            #expect(faults == [])
        }
    }

    /// What is served under `/api/v1` is in the table, with the action that the server's own description names.
    @Test
    func theTableNamesEveryOperationOfTheAPI() async throws {
        try await withLiveServer { server in
            let reply = try await server.get("/api/v1/openapi.json")
            let document = try #require(try JSONSerialization.jsonObject(with: Data(reply.bytes)) as? [String: Any])
            let paths = try #require(document["paths"] as? [String: [String: Any]])
            var described: [String: String] = [:]
            for (path, members) in paths {
                for (method, value) in members where method != "parameters" {
                    let operation = try #require(value as? [String: Any])
                    described["\(method.uppercased()) \(path)"] = operation["x-larder-action"] as? String ?? "unsaid"
                }
            }
            var listed: [String: String] = [:]
            for route in AccessMatrix.routes where route.path.hasPrefix("/api/v1/") && route.method != "HEAD" {
                let path = route.path.dropFirst("/api/v1".count).prefix { $0 != "?" }
                listed["\(route.method) \(path)"] = route.demand.word
            }
            #expect(listed == described)
        }
    }
}

// MARK: - What is asked, and by whom

private enum Action: String, Sendable {
    case read
    case write
    case delete
    case admin
}

/// What a route wants of its sender.
private enum Demand: Sendable {
    case nothing
    /// To have a token; none will do where all may read and write without.
    case identity
    /// To be allowed anything at all.
    case anything
    /// To be allowed to read something.
    case reading
    case here(Action)
    case everywhere(Action)

    /// The API's word for it.
    var word: String {
        switch self {
        case .nothing: "none"
        case .identity: "identity"
        case .anything: "any"
        case .reading: "read"
        case .here(let action): action.rawValue
        case .everywhere(let action): "server-\(action.rawValue)"
        }
    }
}

/// One who sends requests.
private struct Sender: Sendable {
    let name: String
    /// nil: they show nothing.
    let secret: String?
    /// Whether what they show lets nobody in.
    let isWrong: Bool
    /// What they may do in the repositories of the table.
    let here: Set<Action>
    let elsewhere: Set<Action>
    let everywhere: Set<Action>

    init(
        _ name: String,
        secret: String? = nil,
        isWrong: Bool = false,
        here: Set<Action> = [],
        elsewhere: Set<Action> = [],
        everywhere: Set<Action> = []
    ) {
        self.name = name
        self.secret = secret
        self.isWrong = isWrong
        self.here = here
        self.elsewhere = elsewhere
        self.everywhere = everywhere
    }

    func mayDo(_ demand: Demand) -> Bool {
        let anything = here.union(elsewhere).union(everywhere)
        switch demand {
        case .nothing: return true
        case .identity: return !isWrong && (secret != nil || everywhere.isSuperset(of: [.read, .write]))
        case .anything: return !anything.isEmpty
        case .reading: return anything.contains(.read)
        case .here(let action): return here.contains(action) || everywhere.contains(action)
        case .everywhere(let action): return everywhere.contains(action)
        }
    }

    /// The header with the secret, in one of its forms.
    func login(form: Int) -> [String] {
        guard let secret else { return [] }
        switch form % 3 {
        case 0: return ["Authorization: Bearer \(secret)"]
        case 1: return ["Authorization: Basic " + Data("user:\(secret)".utf8).base64EncodedString()]
        default: return ["authorization: basic " + Data("\(secret):".utf8).base64EncodedString()]
        }
    }
}

/// One method of one path; words in capitals and braces are filled in.
private struct Route: Sendable {
    let method: String
    let path: String
    let demand: Demand
    /// nil: none, or an empty JSON object where the method has one.
    let body: String?
    /// Whether the answer shows what is stored.
    let shows: Bool

    init(_ method: String, _ path: String, _ demand: Demand, body: String? = nil, shows: Bool = false) {
        self.method = method
        self.path = path
        self.demand = demand
        self.body = body
        self.shows = shows
    }

    var isRegistry: Bool { path.hasPrefix("/v2/") }
    var isJSON: Bool { path.hasPrefix("/api/") || path == "/metrics" }
    /// Whether what is stored is then found at the same path.
    var makesItsPath: Bool { method == "PUT" && !isJSON && !path.contains("/uploads/") }
    /// Whether the request can come past the codec.
    var hasExpressForm: Bool { ["GET", "HEAD", "PUT"].contains(method) }

    var bytes: [UInt8]? { ["PUT", "POST", "PATCH"].contains(method) ? Array((body ?? "{}").utf8) : nil }

    /// The `WWW-Authenticate` header of a 401.
    func challenge(to sender: Sender, isBearer: Bool) -> String {
        let invalid = #"Bearer realm="Larder", error="invalid_token""#
        if isJSON { return sender.isWrong ? invalid : #"Bearer realm="Larder""# }
        guard isRegistry else { return isBearer ? invalid : #"Basic realm="Larder", charset="UTF-8""# }
        var challenge = #"Bearer realm="http://localhost/v2/token",service="larder""#
        switch demand {
        case .here(.read): challenge += #",scope="repository:img/app:pull""#
        case .here(.write): challenge += #",scope="repository:img/app:pull,push""#
        case .here(.delete): challenge += #",scope="repository:img/app:delete""#
        case .reading: challenge += #",scope="registry:catalog:*""#
        default: break
        }
        if sender.isWrong { challenge += #",error="invalid_token""# }
        return challenge
    }
}

extension AccessMatrix {
    /// What only reads comes first, what removes comes last.
    static let routes: [Route] = [
        Route("GET", "/healthz", .nothing),
        Route("GET", "/readyz", .nothing),
        Route("GET", "/nowhere", .nothing),
        Route("GET", "/metrics", .everywhere(.read)),
        Route("HEAD", "/metrics", .everywhere(.read)),
        // Build caches.
        Route("GET", "/bazel/lib/cas/BLOB", .here(.read), shows: true),
        Route("HEAD", "/bazel/lib/cas/BLOB", .here(.read)),
        Route("GET", "/bazel/lib/some/instance/cas/BLOB", .here(.read), shows: true),
        Route("GET", "/bazel/lib/ac/NEW", .here(.read)),
        Route("GET", "/bazel/lib/ac/RESULT", .here(.read), shows: true),
        Route("GET", "/cas/BLOB", .here(.read), shows: true),
        Route("GET", "/any/prefix/cas/BLOB", .here(.read), shows: true),
        Route("GET", "/ccache/lib/KEY", .here(.read), shows: true),
        Route("HEAD", "/ccache/lib/KEY", .here(.read)),
        Route("GET", "/%63cache/lib/KEY", .here(.read), shows: true),
        Route("GET", "/sccache/lib/a/b", .here(.read), shows: true),
        Route("HEAD", "/sccache/lib/a/b", .here(.read)),
        Route("PROPFIND", "/sccache/lib/a/", .here(.read)),
        Route("PROPFIND", "/sccache/lib/a/b", .here(.read)),
        Route("OPTIONS", "/sccache/lib/", .here(.read)),
        Route("GET", "/gradle/lib/abc", .here(.read), shows: true),
        Route("HEAD", "/gradle/lib/abc", .here(.read)),
        Route("GET", "/maven/lib/v1/g/a/c/f.jar", .here(.read), shows: true),
        Route("HEAD", "/maven/lib/v1/g/a/c/f.jar", .here(.read)),
        Route("OPTIONS", "/maven/lib/v1", .here(.read)),
        // The registry.
        Route("GET", "/v2/", .identity),
        Route("GET", "/v2/_oci/ext/discover", .identity),
        Route("GET", "/v2/_catalog", .reading),
        Route("GET", "/v2/img/app/manifests/v1", .here(.read), shows: true),
        Route("HEAD", "/v2/img/app/manifests/v1", .here(.read)),
        Route("GET", "/v2/img/app/manifests/sha256:MANIFEST", .here(.read), shows: true),
        Route("GET", "/v2/img/app/blobs/sha256:BLOB", .here(.read), shows: true),
        Route("HEAD", "/v2/img/app/blobs/sha256:BLOB", .here(.read)),
        Route("GET", "/v2/img/app/tags/list", .here(.read)),
        Route("GET", "/v2/img/app/referrers/sha256:MANIFEST", .here(.read)),
        Route("GET", "/v2/img/app/blobs/uploads/UPLOAD", .here(.write)),
        // The API.
        Route("GET", "/api/v1/status", .reading),
        Route("HEAD", "/api/v1/status", .reading),
        Route("GET", "/api/v1/openapi.json", .nothing),
        Route("GET", "/api/v1/principal", .anything),
        Route("GET", "/api/v1/repositories", .reading),
        Route("GET", "/api/v1/repositories/{name}", .here(.read)),
        Route("GET", "/api/v1/caches/{name}", .here(.read)),
        Route("GET", "/api/v1/artifacts/{name}", .here(.read)),
        Route("GET", "/api/v1/artifacts/{name}/version?ref=v1", .here(.read)),
        Route("GET", "/api/v1/artifacts/{name}/file?ref=v1&path=none", .here(.read)),
        Route("GET", "/api/v1/artifacts/{name}/zip?ref=none", .here(.read)),
        Route("POST", "/api/v1/blobs/{name}/sizes", .here(.read)),
        Route("POST", "/api/v1/blobs/{name}/fetch", .here(.read)),
        Route("POST", "/api/v1/caches/{name}/find", .here(.read)),
        Route("POST", "/api/v1/caches/{name}/restore", .here(.read)),
        Route("GET", "/api/v1/uploads/{name}?id=PARTS", .here(.write)),
        // Who may write.
        Route("PUT", "/bazel/lib/cas/NEW", .here(.write), body: "new"),
        Route("PUT", "/bazel/lib/ac/NEW", .here(.write), body: "*\u{3}new"),
        Route("PUT", "/any/prefix/cas/NEW", .here(.write), body: "new"),
        Route("PUT", "/ccache/lib/NEW", .here(.write)),
        Route("PUT", "/sccache/lib/a/new", .here(.write)),
        Route("MKCOL", "/sccache/lib/a/", .here(.write)),
        Route("PUT", "/gradle/lib/def", .here(.write)),
        Route("PUT", "/maven/lib/v1/g/a/c/new.jar", .here(.write)),
        Route("POST", "/v2/img/app/blobs/uploads/", .here(.write)),
        Route("POST", "/v2/img/app/blobs/uploads/?digest=sha256:NEW", .here(.write), body: "new"),
        Route("POST", "/v2/img/app/blobs/uploads/?mount=sha256:BLOB&from=img/app", .here(.write)),
        Route("PATCH", "/v2/img/app/blobs/uploads/UPLOAD", .here(.write), body: "new"),
        Route("PUT", "/v2/img/app/blobs/uploads/UPLOAD?digest=sha256:NEW", .here(.write), body: ""),
        Route("PUT", "/v2/img/app/manifests/new", .here(.write)),
        Route("POST", "/api/v1/blobs/{name}/missing", .here(.write)),
        Route("POST", "/api/v1/blobs/{name}/pack", .here(.write)),
        Route("POST", "/api/v1/uploads/{name}", .here(.write)),
        Route("PUT", "/api/v1/uploads/{name}/part?id=PARTS&offset=0", .here(.write)),
        Route("POST", "/api/v1/uploads/{name}/finish?id=PARTS&digest=sha256:NEW", .here(.write)),
        Route("PUT", "/api/v1/caches/{name}", .here(.write)),
        Route("PUT", "/api/v1/artifacts/{name}", .here(.write)),
        Route("PUT", "/api/v1/artifacts/{name}/tags", .here(.write)),
        Route("DELETE", "/api/v1/uploads/{name}?id=PARTS", .here(.write)),
        Route("DELETE", "/v2/img/app/blobs/uploads/UPLOAD", .here(.write)),
        // Who may delete.
        Route("DELETE", "/ccache/lib/KEY", .here(.delete)),
        Route("DELETE", "/sccache/lib/a/b", .here(.delete)),
        Route("DELETE", "/v2/img/app/manifests/v1", .here(.delete)),
        Route("DELETE", "/v2/img/app/blobs/sha256:BLOB", .here(.delete)),
        Route("DELETE", "/api/v1/caches/{name}?key=none", .here(.delete)),
        Route("DELETE", "/api/v1/artifacts/{name}?ref=none", .here(.delete)),
        // Who may rule a repository.
        Route("GET", "/api/v1/policies/{name}", .here(.admin)),
        Route("PUT", "/api/v1/policies/{name}", .here(.admin)),
        Route("DELETE", "/api/v1/policies/{name}", .here(.admin)),
        Route("POST", "/api/v1/previews/{name}", .here(.admin)),
        Route("POST", "/api/v1/prunes/{name}", .here(.admin)),
        Route("GET", "/api/v1/pins/{name}", .here(.admin)),
        Route("PUT", "/api/v1/pins/{name}?key=none", .here(.admin)),
        Route("DELETE", "/api/v1/pins/{name}?key=none", .here(.admin)),
        Route("GET", "/api/v1/removed/{name}", .here(.admin)),
        Route("POST", "/api/v1/restores/{name}", .here(.admin)),
        Route("PATCH", "/api/v1/repositories/{name}", .here(.admin)),
        Route("POST", "/api/v1/repositories/{name}/flush", .here(.admin)),
        // Who may rule the server.
        Route("GET", "/api/v1/tokens", .everywhere(.admin)),
        Route("POST", "/api/v1/tokens", .everywhere(.admin)),
        Route("DELETE", "/api/v1/tokens/{token}", .everywhere(.admin)),
        Route("GET", "/api/v1/default-policies", .everywhere(.admin)),
        Route("PUT", "/api/v1/default-policies/{kind}", .everywhere(.admin)),
        Route("DELETE", "/api/v1/default-policies/{kind}", .everywhere(.admin)),
        Route("GET", "/api/v1/runs", .everywhere(.admin)),
        Route("GET", "/api/v1/runs/{id}", .everywhere(.admin)),
        Route("POST", "/api/v1/check?repair=perhaps", .everywhere(.admin)),
        Route("POST", "/api/v1/compact", .everywhere(.admin)),
        Route("PUT", "/api/v1/repositories/{name}", .here(.admin)),
        Route("DELETE", "/api/v1/repositories/{name}", .here(.admin)),
    ]
}

// MARK: - What comes back

/// The table against one server, which holds something for every route that shows something.
private struct AccessMatrix: Sendable {
    static let stranger = Sender("a stranger", secret: "larder_" + String(repeating: "a", count: 52), isWrong: true)

    /// What no refusal may tell.
    private static let marker = "confidential"

    private let server: LiveServer
    /// What lets the administrator in.
    private let login: [String]
    /// What stands for the words of the table.
    private let words: [String: String]

    init(_ server: LiveServer) async throws {
        let root = try await server.makeToken("root", ["*:admin"])
        let login = ["Authorization: Bearer \(root)"]
        let blob = Array("a \(Self.marker) blob".utf8)
        let descriptor = #"{"mediaType":"a/b","digest":"sha256:\#(sha256Hex(blob))","size":\#(blob.count)}"#
        let type = "application/vnd.oci.image.manifest.v1+json"
        let manifest = Array(
            """
            {"schemaVersion":2,"mediaType":"\(type)","config":\(descriptor),"layers":[\(descriptor)],\
            "annotations":{"note":"\(Self.marker)"}}
            """.utf8
        )
        var words = [
            "BLOB": sha256Hex(blob), "NEW": sha256Hex(Array("new".utf8)), "MANIFEST": sha256Hex(manifest),
            "RESULT": String(repeating: "a", count: 64), "KEY": String(repeating: "0", count: 40), "{kind}": "cache",
            "{id}": "1", "{token}": "none",
        ]
        // The standard output of an action (field 5).
        let result: [UInt8] = [0x2a, UInt8(blob.count)] + blob
        let contents: [(method: String, path: String, body: [UInt8])] = [
            ("PUT", "/bazel/lib/cas/BLOB", blob), ("PUT", "/bazel/lib/ac/RESULT", result), ("PUT", "/cas/BLOB", blob),
            ("PUT", "/ccache/lib/KEY", blob), ("PUT", "/sccache/lib/a/b", blob), ("PUT", "/gradle/lib/abc", blob),
            ("PUT", "/maven/lib/v1/g/a/c/f.jar", blob),
            ("POST", "/v2/img/app/blobs/uploads/?digest=sha256:BLOB", blob),
            ("PUT", "/v2/img/app/manifests/v1", manifest),
        ]
        let connection = try WireConnection(port: server.port)
        for (method, path, body) in contents {
            let headers = login + ["Content-Type: \(type)"]
            let filled = Self.filled(path, words)
            let reply = try await connection.exchange(method, filled, headers: headers, body: body)
            try #require(reply.status == 200 || reply.status == 201, "\(method) \(path): \(reply.text)")
        }
        let upload = try await connection.exchange("POST", "/v2/img/app/blobs/uploads/", headers: login, body: [])
        let uploadID: String = try #require(upload.headers["docker-upload-uuid"])
        words["UPLOAD"] = uploadID
        let size = Array(#"{"size":1000}"#.utf8)
        let parts = try await connection.exchange("POST", "/api/v1/uploads/lib", headers: login, body: size)
        words["PARTS"] = try JSONDecoder().decode(UploadAnswer.self, from: Data(parts.body)).id
        self.server = server
        self.login = login
        self.words = words
    }

    /// One sender of every kind that has a token, or had one.
    func makeSenders() async throws -> [Sender] {
        let everything: Set<Action> = [.read, .write, .delete, .admin]
        let kinds: [(actions: String, here: Set<Action>)] = [
            ("read", [.read]), ("write", [.write]), ("delete", [.delete]), ("read,write", [.read, .write]),
            ("admin", everything),
        ]
        var senders: [Sender] = []
        for (actions, here) in kinds {
            let grants = ["lib", "default", "img/app"].map { "\($0):\(actions)" }
            let secret = try await server.makeToken(actions.replacing(",", with: "-"), grants)
            senders.append(Sender("\(actions) here", secret: secret, here: here))
        }
        let near = ["li", "lib2", "lib/*", "*/lib", "defaul", "img", "img/app/*", "im/*", "*/ap"].map { "\($0):admin" }
        let neighbour = try await server.makeToken("neighbour", near)
        senders.append(Sender("a neighbour", secret: neighbour, elsewhere: everything))
        let reader = try await server.makeToken("reader", ["*:read"])
        senders.append(Sender("a reader of all", secret: reader, everywhere: [.read]))
        let ruler = try await server.makeToken("ruler", ["*:admin"])
        senders.append(Sender("a ruler of all", secret: ruler, everywhere: everything))

        let revoked = try await server.makeToken("revoked", ["*:admin"])
        try await server.revokeToken("revoked")
        senders.append(Sender("a revoked one", secret: revoked, isWrong: true))
        let expired = try await server.makeToken("expired", ["*:admin"], seconds: 1)
        try await waitUntil("the token's time is over") {
            try await server.request("GET", "/v2/", headers: ["Authorization": "Bearer \(expired)"]).status == 401
        }
        senders.append(Sender("an expired one", secret: expired, isWrong: true))
        return senders + [Self.stranger]
    }

    /// What goes wrong: first with all that is to be refused, then with all that is to be let in.
    func faults(_ senders: [Sender]) async throws -> [String] {
        var all = try await faults(senders, letIn: false)
        all += try await harm()
        all += try await faults(senders, letIn: true)
        return all
    }

    private func faults(_ senders: [Sender], letIn: Bool) async throws -> [String] {
        var faults: [String] = []
        var connection = try WireConnection(port: server.port)
        var number = 0
        for route in Self.routes {
            let roads = route.hasExpressForm ? [false, true] : [false]
            for sender in senders where sender.mayDo(route.demand) == letIn {
                for isInPieces in roads {
                    number += 1
                    let shown = sender.login(form: number)
                    try await send(route, shown, isInPieces: isInPieces, over: connection)
                    let reply = try await connection.readReply(to: route.method)
                    let found = letIn ? faultsOfAdmission(reply, route) : faultsOfRefusal(reply, route, sender, shown)
                    let road = isInPieces ? " in pieces" : ""
                    faults += found.map { "\(sender.name), \(route.method) \(route.path)\(road): \($0)" }
                    if reply.headers["connection"] == "close" { connection = try WireConnection(port: server.port) }
                }
            }
        }
        return faults
    }

    private func send(
        _ route: Route,
        _ shown: [String],
        isInPieces: Bool,
        over connection: WireConnection
    ) async throws {
        let path = Self.filled(route.path, words)
        let bytes = WireConnection.request(route.method, path, headers: shown, body: route.bytes)
        guard isInPieces else {
            await connection.send(bytes)
            return
        }
        await connection.send(Array(bytes.prefix(20)))
        // So that the pieces arrive one by one, and the codec has to put them together.
        try await Task.sleep(for: .milliseconds(2))
        await connection.send(Array(bytes.dropFirst(20)))
    }

    private func faultsOfAdmission(_ reply: WireReply, _ route: Route) -> [String] {
        if reply.status == 401 || reply.status == 403 { return ["\(reply.status) \(reply.text)"] }
        if route.shows && (reply.status != 200 || !reply.text.contains(Self.marker)) {
            return ["\(reply.status), not what is stored: \(reply.text)"]
        }
        return []
    }

    private func faultsOfRefusal(_ reply: WireReply, _ route: Route, _ sender: Sender, _ shown: [String]) -> [String] {
        var faults: [String] = []
        if reply.text.contains(Self.marker) { faults.append("the answer tells what is stored") }
        if let secret = sender.secret, reply.text.contains(secret) { faults.append("the answer tells the secret") }
        if route.method == "PUT" && route.path.hasPrefix("/gradle/") && sender.mayDo(.here(.read)) {
            // Gradle would switch its cache off for any other answer.
            let isDiscarded = reply.status == 200 && reply.headers["x-larder-discarded"] == "not-allowed"
            return isDiscarded && reply.body.isEmpty ? faults : faults + ["\(reply.status) \(reply.headers)"]
        }
        let status = sender.secret == nil || sender.isWrong ? 401 : 403
        let isBearer = shown.contains { $0.contains("Bearer") }
        let type = route.isRegistry || route.isJSON ? "application/json" : "text/plain; charset=utf-8"
        let headers: [String: String?] = [
            "www-authenticate": status == 401 ? route.challenge(to: sender, isBearer: isBearer) : nil,
            "content-type": type,
            "docker-distribution-api-version": route.isRegistry ? "registry/2.0" : nil,
        ]
        if reply.status != status { faults.append("\(reply.status) instead of \(status)") }
        if reply.headers["content-length"] == nil { faults.append("no Content-Length") }
        for (name, value) in headers where reply.headers[name] != value {
            faults.append("\(name) is \(reply.headers[name] ?? "missing")")
        }
        if route.method != "HEAD" && !isSentence(reply, route, status) { faults.append("it says `\(reply.text)`") }
        return faults
    }

    /// Whether a body is a sentence in the form of the route's protocol.
    private func isSentence(_ reply: WireReply, _ route: Route, _ status: Int) -> Bool {
        if route.isRegistry {
            guard let errors = try? JSONDecoder().decode(RegistryErrors.self, from: Data(reply.body)).errors,
                errors.count == 1, let error = errors.first
            else { return false }
            return error.code == (status == 401 ? "UNAUTHORIZED" : "DENIED") && !error.message.isEmpty
        }
        if route.isJSON {
            let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(reply.body))
            return answer?.error.isEmpty == false
        }
        return reply.text.count > 10 && reply.text.hasSuffix("\n")
    }

    /// What was stored or begun by requests that were refused.
    private func harm() async throws -> [String] {
        var harm: [String] = []
        for route in Self.routes where route.makesItsPath {
            let reply = try await administer("GET", route.path)
            if reply.status != 404 { harm.append("\(route.path) was stored") }
        }
        let blob = try await administer("HEAD", "/v2/img/app/blobs/sha256:NEW")
        if blob.status != 404 { harm.append("the registry has the new blob") }
        let upload = try await administer("GET", "/v2/img/app/blobs/uploads/UPLOAD")
        if upload.status != 204 || upload.headers["range"] != "0-0" { harm.append("the upload went on") }
        let parts = try await administer("GET", "/api/v1/uploads/lib?id=PARTS")
        let received = try? JSONDecoder().decode(UploadAnswer.self, from: Data(parts.body)).receivedBytes
        if received != 0 { harm.append("the upload in parts went on: \(parts.text)") }
        return harm
    }

    private func administer(_ method: String, _ path: String) async throws -> WireReply {
        let connection = try WireConnection(port: server.port)
        return try await connection.exchange(method, Self.filled(path, words), headers: login)
    }

    private static func filled(_ path: String, _ words: [String: String]) -> String {
        // Artifacts are in a registry, all else is in a cache.
        var text = path.replacing("{name}", with: path.contains("/artifacts/") ? "img/app" : "lib")
        for (word, value) in words { text = text.replacing(word, with: value) }
        return text
    }
}

/// The part of the API's answers about uploads that is looked at.
private struct UploadAnswer: Decodable {
    let id: String
    let receivedBytes: Int
}

/// Errors of the registry.
private struct RegistryErrors: Decodable {
    struct Item: Decodable {
        let code: String
        let message: String
    }

    let errors: [Item]
}
