import Foundation
import LarderTestSupport
import Synchronization
import Testing

/// What was answered with 200 is there after a crash, whole; what was not is there whole or not at all.
@Suite(.serialized)
struct DurabilityTests {
    @Test
    func fiftyKillsUnderLoadLoseNothingThatWasAnswered() async throws {
        var chance = SeededGenerator(seed: testSeed())
        let ledger = Ledger(pool: chance.bytes(1 << 20))
        try await withLiveServer { server in
            for round in 1...50 {
                let killAt = ledger.answeredCount + Int.random(in: 1...60, using: &chance)
                try await loadAndKill(server, ledger, killAt: killAt, seed: chance.next())
                try #require(uploads(server) == [], "round \(round): the start left uploads behind")
                let losses = try await verify(ledger.takeRound(), server, ledger)
                try #require(losses == [], "round \(round)")
                if round.isMultiple(of: 10) {
                    let check = try await server.larder("check")
                    try #require(check.status == 0, "round \(round): \(check.output)\(check.errors)")
                }
            }
            let losses = try await verify(ledger.allPaths, server, ledger)
            #expect(losses == [])
            // Fewer would mean that the load did not run.
            #expect(ledger.answeredCount > 500)
            let check = try await server.larder("check")
            #expect(check.status == 0, "\(check.output)\(check.errors)")
        }
    }

    /// Eight clients upload until the server is killed in the middle of it, and starts again.
    private func loadAndKill(_ server: LiveServer, _ ledger: Ledger, killAt: Int, seed: UInt64) async throws {
        let port = server.port
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<8 {
                group.addTask {
                    var chance = SeededGenerator(seed: seed &+ UInt64(client))
                    // The server goes away in the middle: that ends a client in order.
                    guard let connection = try? WireConnection(port: port) else { return }
                    while !Task.isCancelled {
                        let upload = ledger.begin(client: client, using: &chance)
                        let reply = try? await connection.exchange("PUT", upload.path, body: upload.body)
                        guard let reply else { return }
                        guard reply.status == 200 else { throw TestFailure("PUT: \(reply.status) \(reply.text)") }
                        ledger.note(answered: upload)
                    }
                }
            }
            try await waitUntil("\(killAt) uploads are answered") { ledger.answeredCount >= killAt }
            try await server.killAndRestart()
            try await group.waitForAll()
        }
    }

    /// Asks for everything under the paths; a line for each answer that can't be.
    private func verify(_ paths: [String], _ server: LiveServer, _ ledger: Ledger) async throws -> [String] {
        let connection = try WireConnection(port: server.port)
        var losses: [String] = []
        for path in paths {
            let reply = try await connection.exchange("GET", path)
            if let loss = ledger.loss(at: path, status: reply.status, body: reply.body) { losses.append(loss) }
        }
        return losses
    }

    private func uploads(_ server: LiveServer) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(server.dataFolder)/uploads")) ?? ["no folder"]
    }
}

/// What was sent where, and which of it was answered.
private final class Ledger: Sendable {
    struct Upload: Sendable {
        let path: String
        let number: UInt64
        let body: [UInt8]
    }

    private struct Sent {
        let number: UInt64
        let size: Int
        var isAnswered = false
    }

    private struct State {
        var sentByPath: [String: [Sent]] = [:]
        var roundPaths: Set<String> = []
        var nextNumber: UInt64 = 1
        var answeredCount = 0
    }

    /// Around the inline limit of 16 KiB, and well beyond it.
    private static let sizes = [16, 700, 4096, 16_383, 16_384, 16_385, 70_000, 300_000, 1 << 20]
    private let pool: [UInt8]
    private let state = Mutex(State())

    init(pool: [UInt8]) {
        self.pool = pool
    }

    var answeredCount: Int { state.withLock { $0.answeredCount } }
    var allPaths: [String] { state.withLock { $0.sentByPath.keys.sorted() } }

    /// The paths of this round; begins the next one.
    func takeRound() -> [String] {
        state.withLock { state in
            defer { state.roundPaths = [] }
            return state.roundPaths.sorted()
        }
    }

    /// A new upload: a blob, an entry, or the next version of the entry that this client writes over and over.
    func begin(client: Int, using chance: inout SeededGenerator) -> Upload {
        let size = Self.sizes.randomElement(using: &chance) ?? 16
        let number = state.withLock { state in
            defer { state.nextNumber += 1 }
            return state.nextNumber
        }
        let body = content(number, size)
        let path =
            switch Int.random(in: 0..<3, using: &chance) {
            case 0: "/bazel/main/cas/\(sha256Hex(body))"
            case 1: "/gradle/main/\(String(number, radix: 16))"
            default: "/ccache/main/overwritten0by0client0\(client)"
            }
        state.withLock { state in
            state.sentByPath[path, default: []].append(Sent(number: number, size: size))
            state.roundPaths.insert(path)
        }
        return Upload(path: path, number: number, body: body)
    }

    func note(answered upload: Upload) {
        state.withLock { state in
            guard let last = state.sentByPath[upload.path]?.indices.last else { return }
            state.sentByPath[upload.path]?[last].isAnswered = true
            state.answeredCount += 1
        }
    }

    /// Why an answer can't be; nil when it is right: the last upload that was answered, or one that was sent after it.
    func loss(at path: String, status: Int, body: [UInt8]) -> String? {
        let sent = state.withLock { $0.sentByPath[path] ?? [] }
        let lastAnswered = sent.lastIndex(where: \.isAnswered)
        switch status {
        case 404:
            return lastAnswered == nil ? nil : "\(path): lost"
        case 200:
            let possible = sent[(lastAnswered ?? 0)...]
            return possible.contains { content($0.number, $0.size) == body }
                ? nil : "\(path): \(body.count) bytes that are none of the last \(possible.count) uploads"
        default:
            return "\(path): answered \(status)"
        }
    }

    /// Bytes that tell their number: no two uploads are equal, and half of one is no other.
    private func content(_ number: UInt64, _ size: Int) -> [UInt8] {
        var bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
        bytes += withUnsafeBytes(of: UInt64(size).bigEndian) { Array($0) }
        let start = Int(number % 4096)
        bytes += pool[start..<min(pool.count, start + size - 16)]
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        return bytes
    }
}
