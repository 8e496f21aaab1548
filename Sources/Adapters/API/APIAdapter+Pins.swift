import APIMessages
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// `/api/v1/pins/NAME`.
extension APIAdapter {
    /// A million days, as much as the command line can say.
    static let durationSecondsMax: Int64 = 86_400_000_000

    func listPins(_ call: APICall) async throws -> Response {
        try Self.json(try await call.store.pins(in: try call.name).map(PinMessage.init))
    }

    func pin(_ call: APICall) async throws -> Response {
        let (name, item) = (try call.name, try Self.item(call))
        let message: PinRequestMessage = try await call.message("a pin, such as {\"reason\": \"in production\"}")
        if let seconds = message.seconds, !(1...Self.durationSecondsMax).contains(seconds) {
            throw StoreError.malformed("seconds: a whole number from 1 to \(Self.durationSecondsMax)")
        }
        let until = message.seconds.map { sources.now() + Duration.seconds($0) }
        try await call.store.pin(item, reason: message.reason, until: until, in: name)
        guard let pin = try await call.store.pins(in: name).first(where: { $0.item == item }) else {
            throw StoreError.notFound("the pin, which somebody took away again")
        }
        return try Self.json(PinMessage(pin))
    }

    func unpin(_ call: APICall) async throws -> Response {
        let (name, item) = (try call.name, try Self.item(call))
        guard try await call.store.unpin(item, in: name) else { throw StoreError.notFound("pin of \(item.name)") }
        return HTTPAnswer(204).response
    }

    private static func item(_ call: APICall) throws(StoreError) -> PinnedItem {
        try PinnedItem(tag: call.query["tag"], key: call.query["key"])
    }
}

extension PinnedItem {
    /// What a request names: a tag or a key.
    ///
    /// - Throws: `malformed`, also for both and for neither.
    init(tag: String?, key: String?) throws(StoreError) {
        switch (tag, key) {
        case (let text?, nil):
            guard let tag = Tag(text) else {
                throw .malformed("tag: 1 to 128 letters, digits, . _ and -, the first no . or -")
            }
            self = .tag(tag)
        case (nil, let text?):
            guard let key = EntryKey(text) else {
                throw .malformed("key: 1 to \(EntryKey.lengthMax) bytes without control characters")
            }
            self = .entry(key)
        case (nil, nil), (_?, _?):
            throw .malformed("name either a tag or a key")
        }
    }
}

extension PinMessage {
    fileprivate init(_ pin: Pin) {
        var (tag, key): (String?, String?) = (nil, nil)
        switch pin.item {
        case .tag(let name): tag = name.text
        case .entry(let name): key = name.text
        }
        self.init(
            tag: tag,
            key: key,
            reason: pin.reason,
            pinnedAt: pin.pinnedAt.seconds,
            pinnedUntil: pin.pinnedUntil?.seconds
        )
    }
}

extension Timestamp {
    /// Whole seconds since 1970, as the API tells times.
    var seconds: Int64 { milliseconds / 1000 }
}
