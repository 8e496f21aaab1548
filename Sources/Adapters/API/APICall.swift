import Foundation
import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore
import NIOCore

/// A request of `/api/v1`, taken apart.
struct APICall {
    /// Bodies are settings and policies.
    static let bodyLimit = ByteCount.kibibytes(64)
    /// Lists of digests, behind a line that says what they are for.
    static let digestListLimit = ByteCount(Int64(PackFrame.digestCountMax * 32) + bodyLimit.bytes)

    /// Lists of sizes, in JSON.
    static let sizeListLimit = ByteCount.kibibytes(256)

    let operation: APIOperation
    /// What stands for the braces in the operation's path; empty when there are none.
    let argument: String
    let query: QueryParameters
    let request: Request
    let context: HTTPContext

    var store: Store { context.store }

    /// Who asks, for records.
    var actor: String {
        context.principal.identity == .administrator ? "local administrator" : context.principal.name
    }

    /// Whether the sender's entries may have a scope.
    func mayWrite(to scope: EntryScope) -> Bool {
        let scopes = context.principal.scopes
        return !scopes.isBound || scope == scopes.own
    }

    /// Whether the sender may be given entries of a scope.
    func mayRead(_ scope: EntryScope) -> Bool {
        let scopes = context.principal.scopes
        return !scopes.isBound || scopes.readable.contains(scope)
    }

    /// Whether the sender may read a repository.
    var isReadable: @Sendable (RepositoryName) -> Bool { { [context] in context.principal.allows(.read, in: $0) } }

    /// The repository that the path names.
    var name: RepositoryName {
        get throws(StoreError) { try Self.name(argument) }
    }

    /// What kind the repository is, or becomes with the first write.
    var contentKind: RepositoryKind { operation.kind(query) }

    /// The kind of repository that the path names.
    var kind: RepositoryKind {
        get throws(StoreError) { try Self.kind(argument) }
    }

    static func name(_ text: String) throws(StoreError) -> RepositoryName {
        guard let name = RepositoryName(text) else {
            throw .malformed("repository name: lowercase letters and digits, joined by . _ - and separated by /")
        }
        return name
    }

    static func kind(_ text: String) throws(StoreError) -> RepositoryKind {
        guard let kind = RepositoryKind(rawValue: text) else {
            throw .malformed("kind: one of cache, registry, bucket")
        }
        return kind
    }

    /// A whole number of the query; nil when it is not there.
    ///
    /// - Throws: `malformed` outside the range.
    func number(_ parameter: String, in range: ClosedRange<Int64>) throws(StoreError) -> Int64? {
        guard let text = query[parameter] else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            let bound = range.upperBound == .max ? "" : " to \(range.upperBound)"
            throw .malformed("\(parameter): a whole number from \(range.lowerBound)\(bound)")
        }
        return number
    }

    /// `true` or `false` in the query; false when it is not there.
    ///
    /// - Throws: `malformed` for anything else, which may have been meant as either.
    func flag(_ parameter: String) throws(StoreError) -> Bool {
        guard let text = query[parameter] else { return false }
        guard let flag = Bool(text) else { throw .malformed("\(parameter): true or false") }
        return flag
    }

    /// The body as it came.
    ///
    /// - Throws: `tooLarge`.
    func body(atMost limit: ByteCount = Self.bodyLimit) async throws -> ByteBuffer {
        do {
            return try await request.body.collect(upTo: Int(limit.bytes))
        } catch is NIOTooManyBytesError {
            throw StoreError.tooLarge(limit: limit)
        }
    }

    /// Digests of 32 bytes each.
    ///
    /// - Throws: `malformed`.
    func digests(in bytes: ByteBuffer) throws(StoreError) -> [Digest] {
        guard bytes.readableBytes % 32 == 0, bytes.readableBytes / 32 <= PackFrame.digestCountMax else {
            throw .malformed(
                "body: SHA-256 digests of 32 bytes each, one behind the other, at most \(PackFrame.digestCountMax)"
            )
        }
        var digests: [Digest] = []
        digests.reserveCapacity(bytes.readableBytes / 32)
        let view = bytes.readableBytesView
        for start in stride(from: view.startIndex, to: view.endIndex, by: 32) {
            if let digest = Digest(.sha256, bytes: view[start..<(start + 32)]) { digests.append(digest) }
        }
        return digests
    }

    /// A digest in the query.
    ///
    /// - Throws: `malformed`, also when it is not there.
    func digest(_ parameter: String) throws(StoreError) -> Digest {
        guard let digest = query[parameter].flatMap({ Digest($0) }) else {
            throw .malformed("\(parameter): a digest such as sha256:… is needed")
        }
        return digest
    }

    /// The body as text; empty when there is none.
    ///
    /// - Throws: `malformed` for what is not UTF-8.
    func text() async throws -> String {
        guard let text = String(validating: try await body().readableBytesView, as: UTF8.self) else {
            throw StoreError.malformed("body: not UTF-8")
        }
        return text
    }

    /// The body as JSON.
    ///
    /// `wanted`: What it has to be, for people.
    ///
    /// `empty`: What no body stands for; nil: there has to be one.
    ///
    /// `limit`: Of the body.
    ///
    /// - Throws: `malformed`.
    func message<Message: Decodable>(
        _ wanted: String,
        ifEmpty empty: Message? = nil,
        atMost limit: ByteCount = Self.bodyLimit
    ) async throws -> Message {
        let body = try await body(atMost: limit)
        if body.readableBytes == 0, let empty { return empty }
        return try message(wanted, in: body)
    }

    /// Bytes as JSON.
    ///
    /// - Throws: `malformed`.
    func message<Message: Decodable>(_ wanted: String, in body: ByteBuffer) throws(StoreError) -> Message {
        do {
            return try JSONDecoder().decode(Message.self, from: Data(body.readableBytesView))
        } catch {
            throw StoreError.malformed("body: not the JSON of \(wanted)")
        }
    }
}
