import APIMessages
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/removed/NAME` and `/api/v1/restores/NAME`.
extension APIAdapter {
    func listRemoved(_ call: APICall) async throws -> Response {
        try Self.json(try await call.store.removedEntries(in: try call.name).map(RemovedEntryMessage.init))
    }

    func restore(_ call: APICall) async throws -> Response {
        let name = try call.name
        let message: RestoreRequestMessage = try await call.message("what to restore, such as {\"tag\": \"1.4\"}")
        let item = try PinnedItem(tag: message.tag, key: message.key)
        let restoration = try await call.store.restore(item, tags: try tags(message, in: name, call), in: name)
        return try Self.json(
            RestorationMessage(
                keys: restoration.keys,
                tags: restoration.tags,
                takenTags: restoration.takenTags
            )
        )
    }

    private func tags(_ message: RestoreRequestMessage, in name: RepositoryName, _ call: APICall) throws -> [Tag]? {
        guard let texts = message.asTags else { return nil }
        guard try call.store.repository(name).kind == .registry else {
            throw StoreError.malformed("asTags: only images have tags")
        }
        let tags = texts.compactMap { Tag($0) }
        guard tags.count == texts.count else {
            throw StoreError.malformed("asTags: tags are 1 to 128 letters, digits, . _ and -, the first no . or -")
        }
        return tags
    }
}

extension RemovedEntryMessage {
    fileprivate init(_ entry: RemovedEntry) {
        self.init(
            key: entry.key,
            scope: entry.scope.isEmpty ? nil : entry.scope,
            tags: entry.tags,
            removedAt: entry.removedAt.seconds,
            undoUntil: entry.undoUntil.seconds,
            removedBy: entry.run == nil ? "person" : "run",
            // Records of runs are forgotten after a while; what they removed says then that it was some run.
            run: entry.run.flatMap { $0 > 0 ? $0 : nil },
            root: entry.root,
            isTagOnly: entry.isVisible
        )
    }
}
