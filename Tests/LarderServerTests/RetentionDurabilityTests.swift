import Foundation
import Glibc
import LarderTestSupport
import Synchronization
import Testing

/// Kills while policies are applied and what they removed is freed: the folder is sound, and what no rule may remove is
/// there, whole.
@Suite(.serialized)
struct RetentionDurabilityTests {
    private static let policy = """
        {"rules":[{"rulePriority":1,"description":"Keep last 10 images","selection":{"tagStatus":"any",
        "countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}
        """
    /// Has the policy.
    private static let pruned = "pruned"
    /// Has none; nobody deletes anything there.
    private static let safe = "safe"

    /// Without undo a run frees everything itself; with it that happens later, and a further kill comes then.
    @Test(arguments: [(undoTime: "0s", killCount: 5), (undoTime: "1s", killCount: 3)])
    func killsDuringPrunesLoseNothingThatThePolicyKeeps(undoTime: String, killCount: Int) async throws {
        let seed = testSeed()
        let place: Comment = "LARDER_TEST_SEED=\(seed)"
        var chance = SeededGenerator(seed: seed)
        let ledger = ImageLedger(pool: chance.bytes(64 << 10))
        let arguments = ["--undo-time", undoTime, "--unreferenced-age", "0s", "--last-use-precision", "0s"]
        try await withLiveServer(arguments: arguments) { server in
            try await prepare(server, ledger)
            for round in 1...killCount {
                let killAt = ledger.answeredCount + Int.random(in: 40...140, using: &chance)
                try await loadAndKill(server, ledger, killAt: killAt, seed: chance.next())
                try await checkAndStart(server)
                try #require(ledger.failures == [], "round \(round), LARDER_TEST_SEED=\(seed)")
                let losses = try await findLosses(server, ledger)
                try #require(losses == [], "round \(round), LARDER_TEST_SEED=\(seed)")
            }
            // Otherwise it tests nothing.
            #expect(ledger.pruneCount > killCount, place)
            if undoTime != "0s" {
                try await killWhenUndoEnds(server, ledger)
                try await checkAndStart(server)
                let losses = try await findLosses(server, ledger)
                try #require(losses == [], place)
            }
            try await administrate(server, "POST", "/api/v1/prunes/\(Self.pruned)")
            #expect(try await tags(server, in: Self.pruned).count == 10, place)
            let losses = try await findLosses(server, ledger)
            #expect(losses == [], place)
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)\(check.errors)")
        }
    }

    /// Creates the repositories by a push to each, and sets the policy.
    private func prepare(_ server: LiveServer, _ ledger: ImageLedger) async throws {
        let connection = try WireConnection(port: server.port)
        for repository in [Self.pruned, Self.safe] {
            try await push(ledger.take(for: repository), connection, ledger)
        }
        try await administrate(server, "PUT", "/api/v1/policies/\(Self.pruned)", body: Array(Self.policy.utf8))
    }

    /// Checks the folder that a killed server left, then starts a server on it.
    private func checkAndStart(_ server: LiveServer) async throws {
        let check = try await server.larder("check")
        try await server.startAgain()
        try #require(check.status == 0, "\(check.output)\(check.errors)")
    }

    // MARK: - Load

    /// Six clients push and the policy is applied over and over, until the server is killed in the middle of it.
    private func loadAndKill(_ server: LiveServer, _ ledger: ImageLedger, killAt: Int, seed: UInt64) async throws {
        ledger.isOver = false
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<6 {
                let repository = client < 4 ? Self.pruned : Self.safe
                group.addTask {
                    await whileServed(ledger) {
                        let connection = try WireConnection(port: server.port)
                        while !ledger.isOver { try await push(ledger.take(for: repository), connection, ledger) }
                    }
                }
            }
            group.addTask {
                await whileServed(ledger) {
                    while !ledger.isOver {
                        try await administrate(server, "POST", "/api/v1/prunes/\(Self.pruned)")
                        ledger.notePrune()
                    }
                }
            }
            try await waitUntil("\(killAt) pushes are answered", timeoutSeconds: 60) {
                ledger.answeredCount >= killAt || !ledger.failures.isEmpty
            }
            ledger.isOver = true
            try await kill(server)
            try await group.waitForAll()
        }
    }

    private func kill(_ server: LiveServer) async throws {
        server.signal(SIGKILL)
        _ = try await server.wait()
    }

    /// The kill ends a client in order; what fails before is noted.
    private func whileServed(_ ledger: ImageLedger, _ work: () async throws -> Void) async {
        do {
            try await work()
        } catch {
            if !ledger.isOver { ledger.note("\(error)") }
        }
    }

    /// The server frees what it can't bring back any more in small transactions: the first is seen, then it is killed.
    private func killWhenUndoEnds(_ server: LiveServer, _ ledger: ImageLedger) async throws {
        let connection = try WireConnection(port: server.port)
        for _ in 0..<30 { try await push(ledger.take(for: Self.pruned), connection, ledger) }
        try await administrate(server, "POST", "/api/v1/prunes/\(Self.pruned)")
        let before = try await usedBytes(server)
        try await waitUntil("space comes back", timeoutSeconds: 40) { try await usedBytes(server) < before }
        try await kill(server)
    }

    /// Pushes an image as clients do, and sends everything again when something is gone by then.
    private func push(_ image: SentImage, _ connection: WireConnection, _ ledger: ImageLedger) async throws {
        for attempt in 0..<20 {
            for blob in image.blobs {
                let path = "/v2/\(image.repository)/blobs"
                if attempt == 0 {
                    let reply = try await connection.exchange("HEAD", "\(path)/\(digest(blob))")
                    if reply.status == 200 { continue }
                }
                let reply = try await connection.exchange("POST", "\(path)/uploads/?digest=\(digest(blob))", body: blob)
                guard reply.status == 201 else { throw TestFailure("POST: \(reply.status) \(reply.text)") }
            }
            ledger.note(sent: image)
            let reply = try await connection.exchange(
                "PUT",
                "/v2/\(image.repository)/manifests/\(image.tag)",
                headers: ["Content-Type: \(SentImage.type)"],
                body: image.manifest
            )
            if reply.status == 201 { return ledger.note(answered: image) }
            // MANIFEST_BLOB_UNKNOWN: with no grace at all that is allowed.
            guard [400, 404].contains(reply.status) else { throw TestFailure("PUT: \(reply.status) \(reply.text)") }
        }
        throw TestFailure("the image \(image.number) could not be pushed in 20 attempts")
    }

    // MARK: - Checks

    /// A line for everything that should be there and is not, or not whole.
    private func findLosses(_ server: LiveServer, _ ledger: ImageLedger) async throws -> [String] {
        let connection = try WireConnection(port: server.port)
        var wanted = ledger.answered(in: Self.safe) + ledger.surelyNewest(10, in: Self.pruned)
        var losses: [String] = []
        // Whatever else is still listed must be whole, too.
        for tag in try await tags(server, in: Self.pruned) {
            if let image = ledger.image(tag: tag) {
                wanted.append(image)
            } else {
                losses.append("the tag \(tag), which nobody pushed")
            }
        }
        var seen: Set<String> = []
        func compare(_ path: String, _ expected: [UInt8]) async throws {
            guard seen.insert(path).inserted else { return }
            let reply = try await connection.exchange("GET", path)
            if reply.status == 200 && reply.body == expected { return }
            losses.append("GET \(path): \(reply.status) with \(reply.body.count) bytes of \(expected.count)")
        }
        for image in wanted {
            try await compare("/v2/\(image.repository)/manifests/\(image.tag)", image.manifest)
            try await compare("/v2/\(image.repository)/manifests/\(digest(image.manifest))", image.manifest)
            for blob in image.blobs { try await compare("/v2/\(image.repository)/blobs/\(digest(blob))", blob) }
        }
        return losses
    }

    private func tags(_ server: LiveServer, in repository: String) async throws -> [String] {
        struct List: Decodable {
            let tags: [String]
        }
        let connection = try WireConnection(port: server.port)
        let reply = try await connection.exchange("GET", "/v2/\(repository)/tags/list")
        guard reply.status == 200 else { throw TestFailure("tags: \(reply.status) \(reply.text)") }
        return try JSONDecoder().decode(List.self, from: Data(reply.body)).tags
    }

    private func usedBytes(_ server: LiveServer) async throws -> Int64 {
        struct Status: Decodable {
            struct Space: Decodable {
                let usedBytes: Int64
            }

            let space: Space
        }
        let connection = try WireConnection(port: server.port)
        let reply = try await connection.exchange("GET", "/api/v1/status")
        guard reply.status == 200 else { throw TestFailure("status: \(reply.status) \(reply.text)") }
        return try JSONDecoder().decode(Status.self, from: Data(reply.body)).space.usedBytes
    }

    /// A request over `larder.sock` that must succeed.
    private func administrate(
        _ server: LiveServer,
        _ method: String,
        _ path: String,
        body: [UInt8] = []
    ) async throws {
        let request = WireConnection.request(method, path, headers: ["Connection: close"], body: body)
        let answer = try await LocalSocket.exchange("\(server.dataFolder)/larder.sock", request)
        let status = answer.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        guard let status, (200..<300).contains(status) else {
            throw TestFailure("\(method) \(path): \(answer.isEmpty ? "no answer" : answer)")
        }
    }
}

private func digest(_ bytes: [UInt8]) -> String { "sha256:\(sha256Hex(bytes))" }

/// An image, made from its number.
private struct SentImage: Sendable {
    static let type = "application/vnd.oci.image.manifest.v1+json"

    let number: Int
    let repository: String
    let blobs: [[UInt8]]
    let manifest: [UInt8]

    var tag: String { "t\(number)" }

    /// `blobs`: The configuration first.
    init(number: Int, repository: String, blobs: [[UInt8]]) {
        func descriptor(_ bytes: [UInt8]) -> String {
            #"{"mediaType":"a/b","digest":"\#(digest(bytes))","size":\#(bytes.count)}"#
        }
        let layers = blobs.dropFirst().map { descriptor($0) }.joined(separator: ",")
        self.number = number
        self.repository = repository
        self.blobs = blobs
        manifest = Array(
            (#"{"schemaVersion":2,"mediaType":"\#(Self.type)","config":\#(descriptor(blobs[0])),"layers":[\#(layers)],"#
                + #""annotations":{"note":"\#(number)"}}"#).utf8
        )
    }
}

/// Which images were sent, in which order, and which of them were answered.
private final class ImageLedger: Sendable {
    private struct Push {
        let image: SentImage
        /// When its manifest was sent last, and when it was answered, as numbers that only grow.
        var sentAt: Int?
        var answeredAt: Int?
    }

    private struct State {
        var pushes: [Push] = []
        var step = 0
        var answeredCount = 0
        var pruneCount = 0
        var isOver = false
        var failures: [String] = []
    }

    /// Around the inline limit of 16 KiB, and beyond it; layers that all images share.
    private static let layerSizes = [300, 700, 2000, 4096, 9000, 16_384, 16_385, 20_000, 40_000, 60_000]
    private let pool: [UInt8]
    private let state = Mutex(State())

    init(pool: [UInt8]) {
        self.pool = pool
    }

    var answeredCount: Int { state.withLock { $0.answeredCount } }
    var pruneCount: Int { state.withLock { $0.pruneCount } }
    var failures: [String] { state.withLock { $0.failures } }
    /// Whether the server is about to be killed.
    var isOver: Bool {
        get { state.withLock { $0.isOver } }
        set { state.withLock { $0.isOver = newValue } }
    }

    /// The next image: a configuration of its own, two layers of those that all share, and sometimes one of its own.
    func take(for repository: String) -> SentImage {
        state.withLock { state in
            let number = state.pushes.count
            var blobs = [content(number, 48), layer(number % 10), layer((number / 3) % 10)]
            if number.isMultiple(of: 4) { blobs.append(content(number, 18_000)) }
            let image = SentImage(number: number, repository: repository, blobs: blobs)
            state.pushes.append(Push(image: image))
            return image
        }
    }

    private func layer(_ number: Int) -> [UInt8] { content(1_000_000 + number, Self.layerSizes[number]) }

    /// Bytes that tell their number.
    private func content(_ number: Int, _ size: Int) -> [UInt8] {
        let prefix = withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
        return prefix + pool[(number % 1024)..<(number % 1024 + size - 8)]
    }

    func note(sent image: SentImage) {
        state.withLock { state in
            state.step += 1
            state.pushes[image.number].sentAt = state.step
        }
    }

    func note(answered image: SentImage) {
        state.withLock { state in
            state.step += 1
            state.answeredCount += 1
            state.pushes[image.number].answeredAt = state.step
        }
    }

    func notePrune() { state.withLock { $0.pruneCount += 1 } }
    func note(_ failure: String) { state.withLock { $0.failures.append(failure) } }

    func image(tag: String) -> SentImage? {
        state.withLock { state in
            guard let number = Int(tag.dropFirst()), state.pushes.indices.contains(number) else { return nil }
            return state.pushes[number].image
        }
    }

    func answered(in repository: String) -> [SentImage] {
        state.withLock { state in
            state.pushes.filter { $0.image.repository == repository && $0.answeredAt != nil }.map(\.image)
        }
    }

    /// Answered images that were among the newest so many of their repository whenever a policy looked.
    ///
    /// What was not answered before an image was sent may count as newer than that, also when it was never answered.
    func surelyNewest(_ count: Int, in repository: String) -> [SentImage] {
        state.withLock { state in
            let sent = state.pushes.filter { $0.image.repository == repository && $0.sentAt != nil }
            let latest = sent.sorted { ($0.sentAt ?? 0) > ($1.sentAt ?? 0) }.prefix(count + 20)
            return latest.filter { push in
                guard push.answeredAt != nil, let sentAt = push.sentAt else { return false }
                let newerCount = sent.count { other in
                    other.image.number != push.image.number && (other.answeredAt ?? .max) > sentAt
                }
                return newerCount < count
            }.map(\.image)
        }
    }
}

/// Requests over a socket of the file system, each on a connection of its own.
private enum LocalSocket {
    /// Sends a request and reads to the end of its answer, or of the connection.
    static func exchange(_ path: String, _ request: [UInt8]) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try exchangeBlocking(path, request) })
            }
        }
    }

    private static func exchangeBlocking(_ path: String, _ request: [UInt8]) throws -> String {
        let socket = try connect(to: path)
        defer { Glibc.close(socket) }
        var done = 0
        while done < request.count {
            // MSG_NOSIGNAL, whose imported type differs between versions of glibc.
            let count = request.withUnsafeBytes { buffer in
                Glibc.send(socket, buffer.baseAddress.map { $0 + done }, request.count - done, 0x4000)
            }
            guard count > 0 else { throw TestFailure("the server took \(done) of \(request.count) bytes") }
            done += count
        }
        var answer: [UInt8] = []
        while !isWhole(answer) {
            var count = 0
            answer += [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, initialized in
                count = recv(socket, buffer.baseAddress, buffer.count, 0)
                initialized = max(0, count)
            }
            if count <= 0 { break }
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private static func connect(to path: String) throws -> Int32 {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw TestFailure("no socket: error \(errno)") }
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8.prefix(107))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            let reason = errno
            Glibc.close(socket)
            throw TestFailure("can't connect to \(path): error \(reason)")
        }
        return socket
    }

    /// Whether the body is there that the head announces; only the end of the connection tells where it announces none.
    private static func isWhole(_ answer: [UInt8]) -> Bool {
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8)) else { return false }
        let head = String(decoding: answer[..<end.lowerBound], as: UTF8.self).lowercased()
        let line = head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
        guard let length = line.flatMap({ Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }) else {
            return false
        }
        return answer.count >= end.upperBound + length
    }
}
