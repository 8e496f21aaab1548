import Foundation
import LarderCore
import LarderTestSupport
import Testing

/// Logins to the registry: how clients change a token of Larder for the registry's own, and what those allow.
///
/// What is relied on in Debian's skopeo 1.9.3, podman 4.3.1 and buildah 1.28.2:
/// - They ask `/v2/` without credentials first, and then the realm of its challenge for the scope that they need.
/// - A login is checked, and lies in the folder of `XDG_RUNTIME_DIR`.
@Suite
struct RegistryLoginTests {
    // MARK: - Real clients

    @Test
    func skopeoDoesWhatItsTokenAllows() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image, layerCount: 2)
                let (source, name) = ("oci:\(image.path):app", "docker://\(server.host)/team/app:1")
                let writer = try await "ada:" + server.makeToken("writer", "team/*:read,write")
                let reader = try await "ada:" + server.makeToken("reader", "team/*:read")
                let cleaner = try await "ada:" + server.makeToken("cleaner", "team/*:read,delete")
                func push(_ name: String, _ flag: String) async throws -> ProgramResult {
                    try await machine.attempt("skopeo", "copy", "--dest-tls-verify=false", flag, source, name)
                }

                let refusals: [(flag: String, says: String)] = [
                    ("--dest-no-creds", "unauthorized"), ("--dest-creds=ada:wrong", "invalid username/password"),
                    ("--dest-creds=\(reader)", "reader may not write to team/app"),
                    ("--dest-creds=\(cleaner)", "cleaner may not write to team/app"),
                ]
                for (flag, says) in refusals {
                    let refusal = try await push(name, flag)
                    #expect(refusal.status != 0, "\(says)")
                    #expect(refusal.errors.contains(says), "\(refusal.errors)")
                }
                let elsewhere = try await push("docker://\(server.host)/other/app:1", "--dest-creds=\(writer)")
                #expect(elsewhere.status != 0)
                #expect(elsewhere.errors.contains("403 (Forbidden)"), "\(elsewhere.errors)")
                #expect(try await server.digestOfTag("1", in: "team/app") == nil)
                #expect(try await server.digestOfTag("1", in: "other/app") == nil)

                let pushed = try await push(name, "--dest-creds=\(writer)")
                #expect(pushed.status == 0, "\(pushed.errors)")
                let digest = try image.descriptor("app").digest
                #expect(try await server.digestOfTag("1", in: "team/app") == digest)

                for login in [reader, writer, cleaner] {
                    try await machine.skopeo("inspect", "--tls-verify=false", "--creds=\(login)", name)
                }
                let unnamed = try await machine.attempt("skopeo", "inspect", "--tls-verify=false", name)
                #expect(unnamed.status != 0)
                #expect(unnamed.errors.contains("unauthorized"), "\(unnamed.errors)")

                let kept = try await machine.attempt(
                    "skopeo",
                    "delete",
                    "--tls-verify=false",
                    "--creds=\(writer)",
                    name
                )
                #expect(kept.errors.contains("writer may not delete from team/app"), "\(kept.errors)")
                #expect(try await server.digestOfTag("1", in: "team/app") == digest)
                try await machine.skopeo("delete", "--tls-verify=false", "--creds=\(cleaner)", name)
                #expect(try await server.digestOfTag("1", in: "team/app") == nil)
            }
        }
    }

    @Test
    func aLoginHoldsUntilItsTokenIsRevoked() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image, layerCount: 1)
                let name = "docker://\(server.host)/team/app:1"
                let secret = try await server.makeToken("ci", "team/*:read,write")

                let wrong = try await machine.logIn(to: server.host, "wrong")
                #expect(wrong.status != 0)
                #expect(wrong.errors.contains("invalid username/password"), "\(wrong.errors)")
                let right = try await machine.logIn(to: server.host, secret)
                #expect(right.status == 0, "\(right.errors)")

                try await machine.skopeo("copy", "--dest-tls-verify=false", "oci:\(image.path):app", name)
                try await machine.skopeo("list-tags", "--tls-verify=false", "docker://\(server.host)/team/app")
                let back = ImageLayout("\(folder)/back")
                try await machine.skopeo("copy", "--src-tls-verify=false", name, "oci:\(back.path):app")
                let (sent, received) = (try image.blobs, try back.blobs)
                #expect(differences(sent, received) == [])

                try await server.revokeToken("ci")
                let after = try await machine.attempt("skopeo", "inspect", "--tls-verify=false", name)
                #expect(after.status != 0)
                #expect(after.errors.contains("invalid username/password"), "\(after.errors)")
                try await machine.skopeo("logout", server.host)
                let loggedOut = try await machine.attempt("skopeo", "inspect", "--tls-verify=false", name)
                #expect(loggedOut.errors.contains("a token is needed to read team/app"), "\(loggedOut.errors)")
            }
        }
    }

    @Test
    func podmanAndBuildahLogIn() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let (one, other) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "other"))
                let image = ImageLayout("\(folder)/image")
                try await one.makeImage(in: image, layerCount: 1)
                let name = "\(server.host)/team/app:1"
                let writer = try await server.makeToken("writer", "team/*:read,write")
                let reader = try await server.makeToken("reader", "team/*:read")
                for program in ["podman", "buildah"] {
                    let wrong = try await one.attempt(
                        program,
                        "login",
                        "--tls-verify=false",
                        "--username=ada",
                        "--password=wrong",
                        server.host
                    )
                    #expect(wrong.status != 0)
                    #expect(wrong.errors.contains("invalid username/password"), "\(program): \(wrong.errors)")
                }

                let flags = ["--tls-verify=false", "--username=ada"]
                try await one.podman("login", flags[0], flags[1], "--password=\(writer)", server.host)
                #expect(try await one.podman("login", "--get-login", server.host) == "ada")
                let number = try await one.podman("pull", "--quiet", "oci:\(image.path):app")
                try await one.podman("push", "--quiet", "--tls-verify=false", number, "docker://\(name)")
                #expect(try await server.digestOfTag("1", in: "team/app") != nil)

                try await other.buildah("login", flags[0], flags[1], "--password=\(reader)", server.host)
                try await other.buildah("pull", "--quiet", "--tls-verify=false", "docker://\(name)")
                let push = try await other.attempt(
                    "buildah",
                    arguments: other.storage + [
                        "push", "--quiet", "--tls-verify=false", name, "docker://\(server.host)/team/app:2",
                    ]
                )
                #expect(push.status != 0)
                #expect(push.errors.contains("reader may not write to team/app"), "\(push.errors)")
                #expect(try await server.digestOfTag("2", in: "team/app") == nil)
            }
        }
    }

    @Test
    func anybodyPullsWhereAnybodyMayReadAndLogsInToPush() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "read"]) { server in
                let (one, other) = (try ClientMachine(in: folder), try ClientMachine(in: folder, name: "other"))
                let image = ImageLayout("\(folder)/image")
                try await one.makeImage(in: image, layerCount: 1)
                let (source, name) = ("oci:\(image.path):app", "docker://\(server.host)/team/app:1")
                // Before there is a token, and afterwards.
                for round in 0..<2 {
                    let refusal = try await one.attempt("skopeo", "copy", "--dest-tls-verify=false", source, name)
                    #expect(refusal.status != 0)
                    #expect(refusal.errors.contains("a token is needed to write to team/app"), "\(refusal.errors)")
                    let miss = try await one.attempt("skopeo", "inspect", "--tls-verify=false", name)
                    #expect(miss.errors.contains("manifest unknown"), "\(miss.errors)")
                    if round == 0 { _ = try await server.makeToken("other", "other:read") }
                }

                let secret = try await server.makeToken("ci", "team/*:read,write")
                let right = try await one.logIn(to: server.host, secret)
                #expect(right.status == 0, "\(right.errors)")
                try await one.skopeo("copy", "--dest-tls-verify=false", source, name)

                try await other.skopeo("inspect", "--tls-verify=false", name)
                try await other.podman("pull", "--quiet", "--tls-verify=false", "\(server.host)/team/app:1")
                try await other.buildah("pull", "--quiet", "--tls-verify=false", name)
            }
        }
    }

    /// The registry gives those without a token one of its own to show: it is no secret, and is to be taken where
    /// tokens of Larder are not.
    @Test
    func anybodyPullsAlsoWhereNoTokenIsTaken() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--listen", "0.0.0.0:0", "--allow-anonymous", "read"]) { server in
                _ = try await server.makeToken("ci", "*:read")
                let machine = try ClientMachine(in: folder)
                let name = "docker://\(server.host)/team/app:1"
                let miss = try await machine.attempt("skopeo", "inspect", "--tls-verify=false", name)
                #expect(miss.errors.contains("manifest unknown"), "\(miss.errors)")
            }
        }
    }

    /// `oras` sends a name and a password with every request, if it is told to.
    @Test
    func orasSendsItsTokenAsAPassword() async throws {
        let program = """
            import sys
            import oras.client

            host, secret = sys.argv[1], sys.argv[2]
            client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
            client.auth.set_basic_auth("ada", secret)
            name = host + "/team/report:1"
            if "push" in sys.argv[3:]:
                client.push(name, files=["report.txt:text/plain"], manifest_config="/dev/null:application/vnd.a.b")
            client.pull(target=name, outdir="out")
            """
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                try program.write(toFile: "\(folder)/exchange.py", atomically: false, encoding: .utf8)
                try "all green".write(toFile: "\(folder)/report.txt", atomically: false, encoding: .utf8)
                let writer = try await server.makeToken("writer", "team/*:read,write")
                let reader = try await server.makeToken("reader", "team/*:read")
                let cases: [(arguments: [String], isRight: Bool)] = [
                    ([reader, "push"], false), ([writer, "push"], true), ([reader], true), (["larder_x"], false),
                ]
                for (arguments, isRight) in cases {
                    try? FileManager.default.removeItem(atPath: "\(folder)/out")
                    let result = try await runProgram(
                        "python3",
                        ["\(folder)/exchange.py", server.host] + arguments,
                        environment: ["HOME": folder, "NO_PROXY": "127.0.0.1", "TMPDIR": folder],
                        in: folder
                    )
                    #expect((result.status == 0) == isRight, "\(arguments.count): \(result.errors)")
                    #expect(readText("\(folder)/out/report.txt") == (isRight ? "all green" : ""))
                }
            }
        }
    }

    /// `larder image copy` logs in with what `podman login` stored.
    @Test
    func larderCopiesWithTheLoginOfPodman() async throws {
        try await withTemporaryFolder { folder in
            try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
                let machine = try ClientMachine(in: folder)
                let image = ImageLayout("\(folder)/image")
                try await machine.makeImage(in: image, layerCount: 1)
                let (source, name) = ("oci:\(image.path):app", "docker://\(server.host)/team/app:1")
                let secret = try await server.makeToken("ci", "team/*:read,write")
                func copy(_ source: String, _ destination: String) async throws -> ProgramResult {
                    try await runProgram(
                        larderPath,
                        ["image", "copy", source, destination],
                        environment: [
                            "HOME": folder, "NO_PROXY": "127.0.0.1", "XDG_RUNTIME_DIR": "\(machine.folder)/run",
                            "XDG_STATE_HOME": folder,
                        ]
                    )
                }
                let refused = try await copy(source, name)
                #expect(refused.status == 1)
                #expect(refused.errors.contains("podman login \(server.host)"), "\(refused.errors)")
                try await machine.podman(
                    "login",
                    "--tls-verify=false",
                    "--username=ada",
                    "--password=\(secret)",
                    server.host
                )
                let pushed = try await copy(source, name)
                #expect(pushed.status == 0, "\(pushed.errors)")
                let back = ImageLayout("\(folder)/back")
                let pulled = try await copy(name, "oci:\(back.path):app")
                #expect(pulled.status == 0, "\(pulled.errors)")
                let (sent, received) = (try image.blobs, try back.blobs)
                #expect(differences(sent, received) == [])
            }
        }
    }

    // MARK: - The exchange

    /// What is asked for is cut to what is allowed, without an error.
    @Test
    func scopesAreCutToWhatIsAllowed() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let ci = try await server.makeToken("ci", "team/*:read,write")
            let root = try await server.makeToken("root", "*:admin")
            let cases: [(secret: String, query: String, app: [String], lib: [String])] = [
                (ci, "", [], []),
                (ci, "&scope=repository:team/app:pull", ["pull"], []),
                (ci, "&scope=repository:team/app:push", ["push"], []),
                (ci, "&scope=repository:team/app:pull,push,delete", ["pull", "push"], []),
                (ci, "&scope=repository:team/app:*", ["pull", "push"], []),
                (ci, "&scope=repository:team/app:fly,pull", ["pull"], []),
                // Several, in each of the forms that clients write.
                (ci, "&scope=repository:team/app:pull&scope=repository:team/lib:push", ["pull"], ["push"]),
                (ci, "&scope=repository:team/app:pull%20repository:team/lib:push", ["pull"], ["push"]),
                (ci, "&scope=repository:team/app:pull+repository:team/lib:push", ["pull"], ["push"]),
                (ci, "&scope=repository%3Ateam%2Fapp%3Apull%2Cpush", ["pull", "push"], []),
                (ci, "&scope=repository(plugin):team/app:pull", ["pull"], []),
                (root, "&scope=repository:team/app:*&scope=repository:team/lib:delete", Self.everything, ["delete"]),
                (root, "&scope=repository:other:pull", [], []),
                // What names no repository allows nothing in one.
                (root, "&scope=registry:catalog:*", [], []),
                (root, "&scope=repository:*:pull&scope=repository:team/*:pull", [], []),
                (root, "&scope=repository:TEAM/app:pull&scope=team/app:pull&scope=repository:team/app", [], []),
                (root, "&scope=pull&scope=&scope=:::", [], []),
            ]
            for (secret, query, app, lib) in cases {
                let reply = try await server.exchange("service=larder&account=ada\(query)", secret: secret)
                #expect(reply.status == 200, "\(query)")
                #expect(reply.headers["cache-control"] == "no-store", "\(query)")
                let answer = try reply.exchange()
                #expect(answer.token == answer.accessToken, "\(query)")
                #expect(answer.lifetime == 300, "\(query)")
                #expect(answer.refreshToken == nil, "\(query)")
                let (inApp, inLib) = (
                    try await server.actions(of: answer.token, in: "team/app"),
                    try await server.actions(of: answer.token, in: "team/lib")
                )
                #expect(inApp == app, "\(query)")
                #expect(inLib == lib, "\(query)")
            }
        }
    }

    private static let everything = ["pull", "push", "delete"]

    /// OAuth 2 in docker's variant: a form with the password, which can be changed for new ones afterwards.
    @Test
    func aFormGivesATokenThatIsRenewed() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let secret = try await server.makeToken("ci", "team/*:read,write")
            let login = ["grant_type": "password", "service": "larder", "client_id": "test", "username": "ada"]
            let scope = ["scope": "repository:team/app:pull,delete repository:other:pull"]
            let once = try await server.exchange(
                form: login.merging(scope) { $1 }.merging(["password": secret]) { $1 }
            ).exchange()
            #expect(once.refreshToken == nil)
            #expect(try await server.actions(of: once.token, in: "team/app") == ["pull"])

            let offline = login.merging(["password": secret, "access_type": "offline"]) { $1 }
            let first = try await server.exchange(form: offline).exchange()
            #expect(try await server.actions(of: first.token, in: "team/app") == [])
            let refreshToken = try #require(first.refreshToken)
            let renewal = ["grant_type": "refresh_token", "service": "larder", "refresh_token": refreshToken]
            let renewed = try await server.exchange(form: renewal.merging(scope) { $1 }).exchange()
            #expect(try await server.actions(of: renewed.token, in: "team/app") == ["pull"])
            let next = try #require(renewed.refreshToken)
            // Also by the older way.
            let get = try await server.exchange("service=larder&offline_token=true", secret: secret).exchange()
            let other = try #require(get.refreshToken)

            try await server.restart()
            for token in [refreshToken, next, other] {
                let form = renewal.merging(["refresh_token": token, "scope": "repository:team/app:push"]) { $1 }
                let answer = try await server.exchange(form: form).exchange()
                #expect(try await server.actions(of: answer.token, in: "team/app") == ["push"])
            }
            #expect(try await server.actions(of: renewed.token, in: "team/app") == ["pull"])

            try await server.revokeToken("ci")
            for token in [refreshToken, next, other] {
                let reply = try await server.exchange(form: renewal.merging(["refresh_token": token]) { $1 })
                #expect(reply.status == 401)
                #expect(reply.errorCode == "UNAUTHORIZED")
            }
            #expect(try await server.actions(of: renewed.token, in: "team/app") == [])
            // Nor does a new token of the name bring the old ones back.
            _ = try await server.makeToken("ci", "team/*:read,write")
            let reply = try await server.exchange(form: renewal)
            #expect(reply.status == 401)
            #expect(try await server.actions(of: renewed.token, in: "team/app") == [])
        }
    }

    /// Each kind of token is good for one thing.
    @Test
    func oneKindOfTokenIsNotAnother() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let secret = try await server.makeToken("ci", "*:admin")
            let scope = "scope=repository:team/app:pull"
            let answer = try await server.exchange("offline_token=true&\(scope)", secret: secret).exchange()
            let refreshToken = try #require(answer.refreshToken)
            let forms: [[String: String]] = [
                ["grant_type": "password", "username": "ada", "password": answer.token],
                ["grant_type": "password", "username": "ada", "password": refreshToken],
                ["grant_type": "password", "username": "ada", "password": "larder_x"],
                ["grant_type": "password", "username": "ada", "password": ""], ["grant_type": "password"],
                ["grant_type": "refresh_token", "refresh_token": answer.token],
                ["grant_type": "refresh_token", "refresh_token": secret],
                ["grant_type": "refresh_token", "refresh_token": ""], ["grant_type": "refresh_token"],
            ]
            for form in forms {
                let reply = try await server.exchange(form: form)
                #expect(reply.status == 401, "\(form)")
                #expect(reply.errorCode == "UNAUTHORIZED", "\(form)")
            }
            for token in [answer.token, refreshToken, "larder_x"] {
                let reply = try await server.exchange(scope, secret: token)
                #expect(reply.status == 401)
                #expect(reply.headers["www-authenticate"] == "Basic realm=\"Larder\", charset=\"UTF-8\"")
            }
            let refresh = try await server.ask("GET", "/v2/", bearer: refreshToken)
            #expect(refresh.status == 401)
            // A registry's token is for its repositories, whoever it was given to.
            for path in ["/metrics", "/api/v1/tokens", "/api/v1/runs"] {
                let reply = try await server.ask("GET", path, bearer: answer.token)
                #expect(reply.status == 403, "\(path)")
            }
            let cache = try await server.ask("GET", "/ccache/lib/\(Self.key)", bearer: answer.token)
            #expect(cache.status == 401)
            // The secret itself will do for everything, without an exchange.
            let direct = try await server.ask("GET", "/v2/team/app/tags/list", bearer: secret)
            #expect(direct.status == 404)
            let mistakes = ["", "grant_type=code", "grant_type", "grant_type=PASSWORD"]
            for text in mistakes {
                let reply = try await server.request("POST", "/v2/token", body: Array(text.utf8))
                #expect(reply.status == 400, "\(text)")
                #expect(reply.errorCode == "UNSUPPORTED", "\(text)")
            }
            let long = try await server.request("POST", "/v2/token", body: [UInt8](repeating: 0x61, count: 20_000))
            #expect(long.status == 413)
            for method in ["HEAD", "PUT", "DELETE"] {
                let reply = try await server.request(method, "/v2/token")
                #expect(reply.status == 405, "\(method)")
            }
        }
    }

    private static let key = String(repeating: "0", count: 40)

    /// `Basic Og==` is an empty name with an empty password: docker's way to say that it has none.
    @Test(arguments: [nil, "Basic Og=="] as [String?])
    func whoHasNoTokenGetsOneForWhatAnybodyMay(authorization: String?) async throws {
        let headers = authorization.map { ["Authorization": $0] } ?? [:]
        let path = "/v2/token?service=larder&offline_token=true&scope=repository:team/app:pull,push,delete"
        let cases: [(setting: String, allowed: [String])] = [
            ("none", []), ("read", ["pull"]), ("write", Self.everything),
        ]
        for (setting, allowed) in cases {
            try await withLiveServer(arguments: ["--allow-anonymous", setting]) { server in
                _ = try await server.makeToken("ci", "*:read")
                let reply = try await server.request("GET", path, headers: headers)
                #expect(reply.status == 200, "\(setting)")
                let answer = try reply.exchange()
                #expect(answer.refreshToken == nil, "\(setting)")
                #expect(try await server.actions(of: answer.token, in: "team/app") == allowed, "\(setting)")
                #expect(try await server.actions(of: answer.token, in: "team/lib") == [], "\(setting)")
                let base = try await server.request("GET", "/v2/", headers: headers)
                #expect(base.status == (setting == "write" ? 200 : 401), "\(setting)")
            }
        }
    }

    // MARK: - Refusals

    /// A client learns whether another scope would help.
    @Test
    func whoAskedForTooLittleIsToldSo() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let secret = try await server.makeToken("ci", "team/*:read,write")
            let answer = try await server.exchange("scope=repository:team/app:pull", secret: secret).exchange()
            let start = "Bearer realm=\"\(server.url)/v2/token\",service=\"larder\""
            let insufficient: [(method: String, path: String, scope: String)] = [
                ("POST", "/v2/team/app/blobs/uploads/", "repository:team/app:pull,push"),
                ("GET", "/v2/team/lib/manifests/1", "repository:team/lib:pull"),
                ("PUT", "/v2/team/lib/manifests/1", "repository:team/lib:pull,push"),
            ]
            for (method, path, scope) in insufficient {
                let body: [UInt8]? = method == "GET" ? nil : []
                let reply = try await server.ask(method, path, bearer: answer.token, body: body)
                #expect(reply.status == 401, "\(method) \(path)")
                #expect(reply.errorCode == "UNAUTHORIZED", "\(method) \(path)")
                let challenge = "\(start),scope=\"\(scope)\",error=\"insufficient_scope\""
                #expect(reply.headers["www-authenticate"] == challenge, "\(method) \(path)")
            }
            // Here none would.
            for (method, path) in [("GET", "/v2/other/manifests/1"), ("DELETE", "/v2/team/app/manifests/1")] {
                let reply = try await server.ask(method, path, bearer: answer.token)
                #expect(reply.status == 403, "\(method) \(path)")
                #expect(reply.errorCode == "DENIED", "\(method) \(path)")
                #expect(reply.headers["www-authenticate"] == nil, "\(method) \(path)")
            }
        }
    }

    // MARK: - Other repositories

    /// To mount is to read there; whoever may not is asked to send the bytes.
    @Test
    func nothingIsMountedFromWhereOneMayNotRead() async throws {
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let root = try await server.makeToken("root", "*:admin")
            let blob = Array("a confidential blob".utf8)
            let digest = "sha256:\(sha256Hex(blob))"
            let upload = "/v2/secret/app/blobs/uploads/?digest=\(digest)"
            let stored = try await server.ask("POST", upload, bearer: root, body: blob)
            #expect(stored.status == 201)
            let writer = try await server.makeToken("writer", "team/*:read,write")
            let reader = try await server.makeToken("reader", "team/*:read,write", "secret/*:read")
            let push = "scope=repository:team/app:pull,push"
            let both = "\(push)&scope=repository:secret/app:pull"
            let cases: [(token: String, status: Int, what: String)] = [
                (writer, 202, "a token for the team"),
                (try await server.exchange(both, secret: writer).exchange().token, 202, "its exchange"),
                (try await server.exchange(push, secret: root).exchange().token, 202, "an exchange without the source"),
                (try await server.exchange(both, secret: root).exchange().token, 201, "an exchange with the source"),
                (reader, 201, "a token for both"),
            ]
            for (token, status, what) in cases {
                for from in ["&from=secret/app", ""] {
                    let path = "/v2/team/app/blobs/uploads/?mount=\(digest)\(from)"
                    let reply = try await server.ask("POST", path, bearer: token, body: [])
                    #expect(reply.status == status, "\(what)\(from)")
                    #expect((reply.headers["docker-content-digest"] == digest) == (status == 201), "\(what)\(from)")
                    let found = try await server.ask("HEAD", "/v2/team/app/blobs/\(digest)", bearer: root)
                    #expect(found.status == (status == 201 ? 200 : 404), "\(what)\(from)")
                }
                // For the next one.
                _ = try await server.ask("DELETE", "/v2/team/app/blobs/\(digest)", bearer: root)
            }
        }
    }

    @Test
    func theCatalogNamesWhatOneMayRead() async throws {
        struct Catalog: Decodable {
            let repositories: [String]
        }
        try await withLiveServer(arguments: ["--allow-anonymous", "none"]) { server in
            let root = try await server.makeToken("root", "*:admin")
            let names = ["a/one", "b/one", "b/two", "c", "d/one", "d/two"]
            for name in names {
                let reply = try await server.ask("POST", "/v2/\(name)/blobs/uploads/", bearer: root, body: [])
                #expect(reply.status == 202)
            }
            let two = try await server.makeToken("two", "*/two:read", "a/*:write")
            let catalog = try await server.exchange("scope=registry:catalog:*", secret: two).exchange().token
            let cases: [(token: String, names: [String])] = [
                (root, names), (two, ["b/two", "d/two"]), (catalog, ["b/two", "d/two"]),
                (try await server.makeToken("none", "x:read"), []),
            ]
            for (token, expected) in cases {
                let whole = try await server.ask("GET", "/v2/_catalog", bearer: token)
                #expect(try JSONDecoder().decode(Catalog.self, from: Data(whole.bytes)).repositories == expected)
                // Page by page: none is empty or too short, and nothing is counted that may not be seen.
                var (listed, path, pages): ([String], String?, Int) = ([], "/v2/_catalog?n=1", 0)
                while let next = path, pages < 10 {
                    let reply = try await server.ask("GET", next, bearer: token)
                    listed += try JSONDecoder().decode(Catalog.self, from: Data(reply.bytes)).repositories
                    let link = reply.headers["link"]?.split(separator: ">").first?.dropFirst()
                    path = link.map { String($0) }
                    pages += 1
                }
                #expect(listed == expected)
                #expect(pages == max(1, expected.count))
            }
            let writer = try await server.makeToken("writer", "*:write")
            let refused = try await server.ask("GET", "/v2/_catalog", bearer: writer)
            #expect(refused.status == 403)
        }
    }
}

// MARK: - What is asked

extension ClientMachine {
    /// Logs in with skopeo, which may fail.
    fileprivate func logIn(to host: String, _ password: String) async throws -> ProgramResult {
        let flags = ["--tls-verify=false", "--username=ada", "--password=\(password)"]
        return try await attempt("skopeo", "login", flags[0], flags[1], flags[2], host)
    }
}

extension LiveServer {
    /// The digest that a tag names, as the administrator sees it; nil when there is no such tag.
    fileprivate func digestOfTag(_ tag: String, in repository: String) async throws -> String? {
        try await administer("HEAD", "/v2/\(repository)/manifests/\(tag)").headers["docker-content-digest"]
    }

    /// One request with a token of either kind.
    fileprivate func ask(
        _ method: String,
        _ path: String,
        bearer: String,
        body: [UInt8]? = nil
    ) async throws -> HTTPReply {
        try await request(method, path, body: body, headers: ["Authorization": "Bearer \(bearer)"])
    }

    /// Asks for a token of the registry with a token of Larder.
    fileprivate func exchange(_ query: String, secret: String) async throws -> HTTPReply {
        let basic = Data("ada:\(secret)".utf8).base64EncodedString()
        return try await request("GET", "/v2/token?\(query)", headers: ["Authorization": "Basic \(basic)"])
    }

    fileprivate func exchange(form: [String: String]) async throws -> HTTPReply {
        let text = form.map { "\($0.key)=\(percentEncoded($0.value))" }.joined(separator: "&")
        let type = ["Content-Type": "application/x-www-form-urlencoded"]
        return try await request("POST", "/v2/token", body: Array(text.utf8), headers: type)
    }

    /// What a token of the registry allows, found out by trying.
    fileprivate func actions(of token: String, in repository: String) async throws -> [String] {
        let tries: [(action: String, method: String, path: String)] = [
            ("pull", "GET", "tags/list"), ("push", "POST", "blobs/uploads/"), ("delete", "DELETE", "manifests/none"),
        ]
        var actions: [String] = []
        for (action, method, path) in tries {
            let body: [UInt8]? = method == "POST" ? [] : nil
            let reply = try await ask(method, "/v2/\(repository)/\(path)", bearer: token, body: body)
            if reply.status != 401 && reply.status != 403 { actions.append(action) }
        }
        return actions
    }
}

/// What `/v2/token` gives.
private struct Exchange: Decodable {
    let token: String
    let accessToken: String
    let refreshToken: String?
    /// In seconds.
    let lifetime: Int

    enum CodingKeys: String, CodingKey {
        case token
        case accessToken = "access_token"
        case refreshToken = "refresh_token"
        case lifetime = "expires_in"
    }
}

extension HTTPReply {
    fileprivate func exchange() throws -> Exchange {
        guard status == 200 else { throw TestFailure("no token: \(status) \(text)") }
        return try JSONDecoder().decode(Exchange.self, from: Data(bytes))
    }

    /// The code of an error of the registry.
    fileprivate var errorCode: String? {
        struct Errors: Decodable {
            struct Item: Decodable {
                let code: String
            }

            let errors: [Item]
        }
        return (try? JSONDecoder().decode(Errors.self, from: Data(bytes)))?.errors.first?.code
    }
}
