import LarderCore
import LarderTestSupport
import Testing

@testable import LarderMetadata

/// Entries of scopes, whose keys are texts here and whose values are told apart by their sizes.
extension MetadataHarness {
    static func scope(_ text: String) throws -> EntryScope { try #require(EntryScope(text)) }

    static func key(text: String) throws -> EntryKey { try #require(EntryKey(text)) }

    /// Begins an entry and adds all that it refers to, in slices.
    func begin(
        _ value: Int,
        references: [Int] = [],
        in repository: RepositoryID? = nil,
        generation: Int64? = nil,
        at seconds: Int64 = 0
    ) throws -> Int64 {
        let repository = repository ?? main
        let entry = try metadata.write { transaction in
            try transaction.beginEntry(
                Self.blob(value, generation: generation),
                in: repository,
                clock: Self.clock(seconds)
            ).entry
        }.value
        for start in stride(from: 0, to: references.count, by: MetadataTransaction.referencesPerSlice) {
            try add(
                Array(references[start...].prefix(MetadataTransaction.referencesPerSlice)),
                to: entry,
                in: repository
            )
        }
        return entry
    }

    func add(_ references: [Int], to entry: Int64, in repository: RepositoryID? = nil) throws {
        let repository = repository ?? main
        let content = references.map { Self.descriptor($0) }
        _ = try metadata.write { try $0.addPendingReferences(content: content, to: entry, in: repository) }
    }

    func finish(
        _ entry: Int64,
        _ key: String,
        scope: String = "",
        isReplacing: Bool = false,
        in repository: RepositoryID? = nil,
        at seconds: Int64 = 0
    ) throws -> (outcome: EntryOutcome, effects: MetadataEffects) {
        let repository = repository ?? main
        let result = try metadata.write { transaction in
            let outcome = try transaction.finishEntry(
                entry,
                key: try Self.key(text: key),
                scope: try Self.scope(scope),
                isReplacing: isReplacing,
                in: repository,
                clock: Self.clock(seconds)
            )
            if outcome == .exists { try transaction.abandonEntry(entry) }
            return outcome
        }
        return (result.value, result.effects)
    }

    /// Saves an entry as the store does.
    @discardableResult
    func save(
        _ key: String,
        scope: String = "",
        _ value: Int,
        references: [Int] = [],
        isReplacing: Bool = false,
        in repository: RepositoryID? = nil,
        generation: Int64? = nil,
        at seconds: Int64 = 0
    ) throws -> EntryOutcome {
        let entry = try begin(value, references: references, in: repository, generation: generation, at: seconds)
        return try finish(entry, key, scope: scope, isReplacing: isReplacing, in: repository, at: seconds).outcome
    }

    /// The size of the value that a key has, which tells it from others; nil is a miss.
    func value(_ key: String, scope: String = "", in repository: RepositoryID? = nil) throws -> Int64? {
        let (key, scope) = (try Self.key(text: key), try Self.scope(scope))
        return try metadata.read {
            try $0.scopedEntry(key, scope: scope, in: repository ?? main, checkingQuarantine: true)
        }?.value.blob.size
    }

    /// The key of the newest entry whose key begins with a text.
    func newest(_ prefix: String, scope: String = "") throws -> String? {
        let (prefix, scope) = (try Self.key(text: prefix), try Self.scope(scope))
        return try metadata.read {
            try $0.newestEntry(prefix: prefix, scope: scope, in: main, checkingQuarantine: true)
        }?.key
    }

    /// Scopes and keys in the order in which they are listed.
    func listed(
        _ prefix: String,
        scope: String? = nil,
        after last: (scope: String, key: String)? = nil,
        atMost limit: Int = 1000
    ) throws -> [String] {
        let (prefix, scope) = (try Self.key(text: prefix), try scope.map { try Self.scope($0) })
        return try metadata.read {
            try $0.scopedEntries(prefix: prefix, scope: scope, after: last, in: main, atMost: limit)
        }.map { "\($0.scope) \($0.key)" }
    }

    func delete(_ key: String, scope: String = "", undoUntil seconds: Int64? = nil) throws -> Bool {
        let removal = Removal(now: Self.start, undoUntil: seconds.map { Self.start + .seconds($0) })
        return try metadata.write {
            try $0.deleteEntry(try Self.key(text: key).inScope(try Self.scope(scope)), in: main, removal)
        }.value
    }

    func quarantine(_ number: Int) throws {
        let row = try #require(try metadata.read { try $0.blob(Self.digest(number)) })
        _ = try metadata.write { try $0.quarantine(row) }
    }

    func pin(_ key: String, until seconds: Int64? = nil) throws {
        _ = try metadata.write { transaction in
            try transaction.pin(
                .entry(try Self.key(text: key)),
                reason: "in use",
                until: seconds.map { Self.start + .seconds($0) },
                in: main,
                now: Self.start
            )
        }
    }
}
