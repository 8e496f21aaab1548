package import LarderCore
import Synchronization

/// All tokens in memory, so that no request asks the database who sent it.
package final class TokenDirectory: Sendable {
    private struct State {
        var byDigest: [Digest: AccessToken] = [:]
        var digestByID: [Int64: Digest] = [:]
        /// Uses that are not written yet, by token.
        var uses: [Int64: Timestamp] = [:]
        var isInUse: Bool
    }

    /// Uses are told apart to this.
    private static let usePrecision: Duration = .seconds(300)

    private let state: Mutex<State>
    private let changes = Atomic<UInt64>(0)

    init(_ tokens: [(digest: Digest, token: AccessToken)], isInUse: Bool) {
        var state = State(isInUse: isInUse)
        for (digest, token) in tokens {
            state.byDigest[digest] = token
            state.digestByID[token.id] = digest
        }
        self.state = Mutex(state)
    }

    /// Changes with every token that comes or goes: whoever remembers what a secret stands for asks again then.
    package var generation: UInt64 { changes.load(ordering: .acquiring) }

    package var count: Int { state.withLock { $0.byDigest.count } }

    /// Whether a token was ever made.
    ///
    /// Before that nobody can have been told one.
    package var isInUse: Bool { state.withLock { $0.isInUse } }

    /// The token of a secret, also one whose time is over; nil when there is none.
    package func find(secret: some StringProtocol) -> AccessToken? {
        guard TokenSecret.isOne(secret) else { return nil }
        // Who tries secrets learns nothing from how long the look-up takes: it compares digests of what was sent.
        let digest = TokenSecret.digest(of: secret)
        return state.withLock { $0.byDigest[digest] }
    }

    /// The token of a number; nil when it was revoked.
    package func find(_ id: Int64) -> AccessToken? {
        state.withLock { state in state.digestByID[id].flatMap { state.byDigest[$0] } }
    }

    /// Notes a use.
    package func noteUse(of token: AccessToken, at time: Timestamp) {
        state.withLock { state in
            let last = max(state.uses[token.id] ?? .init(milliseconds: 0), token.lastUsed ?? .init(milliseconds: 0))
            if time - last >= Self.usePrecision { state.uses[token.id] = time }
        }
    }

    /// Whether the time of one was over before a moment.
    func hasOne(expiredBefore moment: Timestamp) -> Bool {
        state.withLock { $0.byDigest.values.contains { $0.expiresAt.map { $0 < moment } ?? false } }
    }

    /// All tokens, by name, with uses that are not written yet.
    package var all: [AccessToken] {
        let (tokens, uses) = state.withLock { (Array($0.byDigest.values), $0.uses) }
        return tokens.map { token in
            var token = token
            token.lastUsed = uses[token.id] ?? token.lastUsed
            return token
        }.sorted { $0.name.text < $1.name.text }
    }

    func add(_ token: AccessToken, digest: Digest) {
        state.withLock { state in
            state.byDigest[digest] = token
            state.digestByID[token.id] = digest
            state.isInUse = true
        }
        changes.add(1, ordering: .releasing)
    }

    func remove(_ ids: [Int64]) {
        state.withLock { state in
            for id in ids {
                if let digest = state.digestByID.removeValue(forKey: id) { state.byDigest[digest] = nil }
                state.uses[id] = nil
            }
        }
        changes.add(1, ordering: .releasing)
    }

    /// Uses that are to be written.
    var unwrittenUses: [(id: Int64, time: Timestamp)] {
        state.withLock { $0.uses.map { (id: $0.key, time: $0.value) } }
    }

    /// Forgets uses that were written, unless they were renewed meanwhile.
    func noteWritten(_ written: [(id: Int64, time: Timestamp)]) {
        state.withLock { state in
            for (id, time) in written where state.uses[id] == time {
                state.uses[id] = nil
                if let digest = state.digestByID[id] { state.byDigest[digest]?.lastUsed = time }
            }
        }
    }
}
