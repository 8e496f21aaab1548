import APIMessages
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/repositories[/NAME[/flush]]`.
extension APIAdapter {
    func listRepositories(_ call: APICall) throws -> Response {
        let isReadable = call.isReadable
        return try Self.json(Self.messages(of: call.store.directory.all.filter { isReadable($0.name) }, in: call.store))
    }

    func getRepository(_ call: APICall) throws -> Response {
        try Self.answer(try call.store.repository(try call.name), call)
    }

    func createRepository(_ call: APICall) async throws -> Response {
        let (name, change) = (try call.name, try await Self.change(call))
        let kind = try APICall.kind(change.kind ?? "cache")
        var settings = RepositorySettings()
        try settings.apply(change)
        let repository = try await call.store.createRepository(name, kind: kind, settings: settings)
        return try Self.answer(repository, call, status: 201)
    }

    func changeRepository(_ call: APICall) async throws -> Response {
        let (name, change) = (try call.name, try await Self.change(call))
        if change.kind != nil { throw StoreError.notAllowed("a repository's kind can't be changed") }
        var settings = try call.store.repository(name).settings
        try settings.apply(change)
        return try Self.answer(try await call.store.setRepository(name, settings), call)
    }

    func removeRepository(_ call: APICall) async throws -> Response {
        try await call.store.removeRepository(try call.name)
        return HTTPAnswer(204).response
    }

    func flushRepository(_ call: APICall) async throws -> Response {
        try Self.json(FlushMessage(freedBytes: try await call.store.flushRepository(try call.name).bytes))
    }

    static func messages(of repositories: [Repository], in store: Store) -> [RepositoryMessage] {
        let defaults = Set(store.defaultPolicies.keys)
        return repositories.map { RepositoryMessage($0, defaults: defaults) }
    }

    private static func answer(_ repository: Repository, _ call: APICall, status: Int = 200) throws -> Response {
        try json(
            RepositoryMessage(repository, defaults: Set(call.store.defaultPolicies.keys)),
            status: status
        )
    }

    private static func change(_ call: APICall) async throws -> RepositoryChangeMessage {
        try await call.message("a repository's settings", ifEmpty: RepositoryChangeMessage())
    }
}

extension RepositoryMessage {
    /// `defaults`: Kinds of repositories for which there is a default policy.
    fileprivate init(_ repository: Repository, defaults: Set<RepositoryKind>) {
        let settings = repository.settings
        self.init(
            name: repository.name.text,
            kind: repository.kind.rawValue,
            createdAt: repository.createdAt.seconds,
            usedBytes: repository.usedBytes,
            entryCount: repository.entryCount,
            quotaBytes: settings.quotaBytes?.bytes,
            quotaEntries: settings.quotaEntries,
            validatesContent: settings.validatesContent,
            allowsSparse: settings.allowsSparse,
            allowsOverwrite: settings.allowsOverwrite,
            tagsAreImmutable: settings.tagsAreImmutable,
            mutableTags: settings.mutableTags.map(\.text),
            undoTimeSeconds: settings.undoTime.map { $0.wholeMilliseconds / 1000 },
            pruneSchedule: settings.pruneSchedule,
            hasPolicy: repository.policySetAt != nil || defaults.contains(repository.kind)
        )
    }
}

extension RepositorySettings {
    /// - Throws: `malformed` for a pattern that matches no tag, a time or a schedule that is none.
    fileprivate mutating func apply(_ change: RepositoryChangeMessage) throws(StoreError) {
        if let bytes = change.quotaBytes { quotaBytes = bytes < 0 ? nil : ByteCount(bytes) }
        if let entries = change.quotaEntries { quotaEntries = entries < 0 ? nil : entries }
        if let validates = change.validatesContent { validatesContent = validates }
        if let allows = change.allowsSparse { allowsSparse = allows }
        if let allows = change.allowsOverwrite { allowsOverwrite = allows }
        if let areImmutable = change.tagsAreImmutable { tagsAreImmutable = areImmutable }
        if let patterns = change.mutableTags {
            mutableTags = patterns.compactMap { TagPattern($0) }
            guard mutableTags.count == patterns.count else {
                throw .malformed("pattern of tags: letters, digits, . _ - and * for any run of characters")
            }
        }
        if let seconds = change.undoTimeSeconds {
            guard seconds <= APIAdapter.durationSecondsMax else {
                throw .malformed("undoTimeSeconds: at most \(APIAdapter.durationSecondsMax)")
            }
            undoTime = seconds < 0 ? nil : Duration.seconds(seconds)
        }
        if let schedule = change.pruneSchedule {
            if !schedule.isEmpty { try Store.checkSchedule(schedule) }
            pruneSchedule = schedule.isEmpty ? nil : schedule
        }
    }
}
