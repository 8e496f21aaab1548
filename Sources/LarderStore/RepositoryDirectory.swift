package import LarderCore
import LarderMetadata
import Synchronization

/// All repositories in memory, so that routing and admission never ask the database.
package final class RepositoryDirectory: Sendable {
    private struct State {
        var byID: [RepositoryID: Repository] = [:]
        var idByName: [RepositoryName: RepositoryID] = [:]
        var sortedNames: [RepositoryKind: [RepositoryName]] = [:]
        /// Sums by kind.
        var usedBytes: [RepositoryKind: Int64] = [:]

        init(_ repositories: [Repository]) {
            byID = Dictionary(uniqueKeysWithValues: repositories.map { ($0.id, $0) })
            idByName = Dictionary(uniqueKeysWithValues: repositories.map { ($0.name, $0.id) })
            sumUp()
        }

        mutating func sumUp() {
            usedBytes = [:]
            for repository in byID.values { usedBytes[repository.kind, default: 0] += repository.usedBytes }
        }
    }

    private let state: Mutex<State>

    init(_ repositories: [Repository]) {
        state = Mutex(State(repositories))
    }

    /// The repository of a name; nil when there is none.
    package func find(_ name: RepositoryName) -> Repository? {
        state.withLock { state in state.idByName[name].flatMap { state.byID[$0] } }
    }

    /// The number of a repository's row; nil when there is none.
    package func id(of name: RepositoryName) -> RepositoryID? {
        state.withLock { $0.idByName[name] }
    }

    /// The number of a repository of a kind; nil when there is none, or it is of another.
    package func id(of name: RepositoryName, kind: RepositoryKind) -> RepositoryID? {
        state.withLock { state in
            state.idByName[name].flatMap { state.byID[$0]?.kind == kind ? $0 : nil }
        }
    }

    /// The repository of a number; nil when it was removed.
    package func find(_ id: RepositoryID) -> Repository? {
        state.withLock { $0.byID[id] }
    }

    /// The kind of a repository, without what it costs to copy the rest; nil when it was removed.
    func kind(of id: RepositoryID) -> RepositoryKind? {
        state.withLock { $0.byID[id]?.kind }
    }

    /// All repositories, by name.
    package var all: [Repository] {
        state.withLock { Array($0.byID.values) }.sorted { $0.name.text < $1.name.text }
    }

    /// Names of one kind behind a text, in the order of their bytes.
    ///
    /// Sorts only after a repository came or went.
    package func names(of kind: RepositoryKind, after last: String, atMost limit: Int) -> [RepositoryName] {
        let all = state.withLock { state in
            if let sorted = state.sortedNames[kind] { return sorted }
            let sorted = state.byID.values.filter { $0.kind == kind }.map(\.name).sorted { $0.text < $1.text }
            state.sortedNames[kind] = sorted
            return sorted
        }
        var (low, high) = (0, all.count)
        while low < high {
            let middle = (low + high) / 2
            if all[middle].text > last { high = middle } else { low = middle + 1 }
        }
        return Array(all[low...].prefix(limit))
    }

    /// Numbers of the repositories of a kind, in no order.
    func ids(
        of kind: RepositoryKind,
        where isWanted: (RepositoryName) -> Bool = { _ in true }
    ) -> [RepositoryID] {
        state.withLock { $0.byID.values.filter { $0.kind == kind && isWanted($0.name) }.map(\.id) }
    }

    /// Bytes that the repositories of a kind link.
    func usedBytes(of kind: RepositoryKind) -> Int64 {
        state.withLock { $0.usedBytes[kind] ?? 0 }
    }

    package var count: Int { state.withLock { $0.byID.count } }

    func insert(_ repository: Repository) {
        state.withLock { state in
            guard state.byID[repository.id] == nil else { return }
            state.byID[repository.id] = repository
            state.idByName[repository.name] = repository.id
            state.usedBytes[repository.kind, default: 0] += repository.usedBytes
            state.sortedNames[repository.kind] = nil
        }
    }

    func update(_ id: RepositoryID, settings: RepositorySettings) {
        state.withLock { $0.byID[id]?.set(settings) }
    }

    /// Notes that a repository got a policy of its own, or lost it.
    func update(_ id: RepositoryID, policySetAt: Timestamp?) {
        state.withLock { $0.byID[id]?.policySetAt = policySetAt }
    }

    /// Notes that a run by schedule has begun.
    func update(_ id: RepositoryID, prunedAt: Timestamp) {
        state.withLock { $0.byID[id]?.prunedAt = prunedAt }
    }

    func remove(_ id: RepositoryID) {
        state.withLock { state in
            guard let repository = state.byID.removeValue(forKey: id) else { return }
            state.idByName[repository.name] = nil
            state.usedBytes[repository.kind, default: 0] -= repository.usedBytes
            state.sortedNames[repository.kind] = nil
        }
    }

    /// Takes counters that were computed anew.
    func correct(_ repositories: [Repository]) {
        state.withLock { state in
            for repository in repositories {
                state.byID[repository.id]?.usedBytes = repository.usedBytes
                state.byID[repository.id]?.entryCount = repository.entryCount
            }
            state.sumUp()
        }
    }

    func apply(_ changes: [RepositoryID: MetadataEffects.RepositoryChange]) {
        state.withLock { state in
            for (id, change) in changes {
                if let kind = state.byID[id]?.kind { state.usedBytes[kind, default: 0] += change.usedBytes }
                state.byID[id]?.usedBytes += change.usedBytes
                state.byID[id]?.entryCount += change.entryCount
            }
        }
    }
}
