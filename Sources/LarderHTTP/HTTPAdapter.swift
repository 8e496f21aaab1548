package import HummingbirdCore
package import LarderCore
package import LarderStore

/// One protocol: says which request means what, and how its failures look.
///
/// The rest is shared.
///
/// An adapter owns no table and no file; it is a value that maps paths to names in the store and errors to answers.
package protocol HTTPAdapter: Sendable {
    /// A short name for logs and metrics: `bazel`, `ccache`, …
    var name: String { get }

    /// What a request means; nil when its path is another adapter's. Runs on the event loop for every request: no
    /// blocking, no allocation that can be avoided.
    func route(_ line: RequestLine) -> HTTPRoute?

    /// The answer to a target that is no path (`RequestLine` refuses it); nil when it is another adapter's.
    func answer(toMalformedTarget target: String) -> HTTPAnswer?

    /// The answer for a failure, in the protocol's own form.
    func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer

    /// The answer to a request that is not let in, in the protocol's own form.
    ///
    /// `hasBearer`: Whether the request showed a Bearer token.
    func answer(to refusal: AccessRefusal, hasBearer: Bool, for operation: HTTPRoute.Operation) -> HTTPAnswer

    /// Answers what the shared roads do not: `custom` routes, and reads of entries that are incomplete.
    func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response
}

extension HTTPAdapter {
    package func answer(toMalformedTarget target: String) -> HTTPAnswer? { nil }

    /// Plain text: 403, or 401 with the challenge that build tools have an answer to.
    package func answer(
        to refusal: AccessRefusal,
        hasBearer: Bool,
        for operation: HTTPRoute.Operation
    ) -> HTTPAnswer {
        .plain(refusal, hasBearer: hasBearer)
    }
}

extension HTTPAnswer {
    /// 403, or 401 with a challenge, in plain text.
    package static func plain(_ refusal: AccessRefusal, hasBearer: Bool) -> HTTPAnswer {
        guard refusal.asksForCredentials else { return HTTPAnswer(403, "\(refusal.text)\n") }
        let challenge = hasBearer ? AccessRefusal.bearerChallenge(isInvalid: true) : AccessRefusal.basicChallenge
        return HTTPAnswer(401, "\(refusal.text)\n", headers: [challenge])
    }
}

/// What a request means.
package struct HTTPRoute: Sendable {
    package enum Operation: Sendable {
        /// GET or HEAD of something in the store.
        case read(StoredName.Item)
        /// PUT of something into the store.
        case write(WriteTarget.Item)
        /// DELETE of an entry.
        case delete(EntryKey)
        /// Anything else: `respond` is called, and reads at most this much of a body.
        case custom(bodyLimit: ByteCount)
        /// The same with a body that is to be stored: refused before it is read when there could be no room for it.
        ///
        /// nil: only the store's own limit holds.
        case customWrite(bodyLimit: ByteCount?)
        /// Answered at once.
        case refuse(HTTPAnswer)
    }

    package let repository: RepositoryName
    /// What the repository must be: one of another kind has nothing for this protocol.
    package let kind: RepositoryKind
    package let operation: Operation
    /// Of a read's answer.
    package let form: ReadForm
    private let givenDemand: Demand?
    /// Under which an entry is looked for when a read of it misses, in order.
    package let otherKeys: [EntryKey]

    /// `demand`: nil: what the operation, and for `custom` the method, says.
    package init(
        _ operation: Operation,
        repository: RepositoryName = .default,
        kind: RepositoryKind = .cache,
        form: ReadForm = .plain,
        demand: Demand? = nil,
        otherKeys: [EntryKey] = []
    ) {
        self.operation = operation
        self.repository = repository
        self.kind = kind
        self.form = form
        givenDemand = demand
        self.otherKeys = otherKeys
    }

    /// The same in the scopes of its sender: they write to their own, and read from those that they may.
    func scoped(for sender: Principal) -> HTTPRoute {
        let scopes = sender.scopes
        guard scopes.isBound, kind == .cache else { return self }
        switch operation {
        case .read(.entry(let key)):
            let keys = scopes.readable.map { key.inScope($0) }
            return with(.read(.entry(keys[0])), otherKeys: Array(keys.dropFirst()))
        case .write(.entry(let key, let inspect)):
            return with(.write(.entry(key.inScope(scopes.own), inspect: inspect)))
        case .delete(let key): return with(.delete(key.inScope(scopes.own)))
        case .read, .write, .custom, .customWrite, .refuse: return self
        }
    }

    private func with(_ operation: Operation, otherKeys: [EntryKey] = []) -> HTTPRoute {
        HTTPRoute(
            operation,
            repository: repository,
            kind: kind,
            form: form,
            demand: givenDemand,
            otherKeys: otherKeys
        )
    }

    /// What the sender of a request must be allowed.
    package enum Demand: Sendable {
        case nothing
        /// To be somebody; anonymous will do where everything is open to them.
        case identity
        /// These actions in one repository at least, whichever; what is answered depends on which.
        case somewhere(RepositoryActions)
        /// These actions in the route's repository.
        case repository(RepositoryActions)
        /// These actions in all repositories: what concerns the whole server.
        case everywhere(RepositoryActions)
    }

    /// What the sender must be allowed for this method.
    package func demand(of method: RequestMethod) -> Demand {
        if let givenDemand { return givenDemand }
        switch operation {
        case .read: return .repository(.read)
        case .write, .customWrite: return .repository(.write)
        case .delete: return .repository(.delete)
        // What promises nothing needs no right.
        case .refuse(let answer) where answer.status >= 300: return .nothing
        case .custom, .refuse:
            switch method {
            case .get, .head, .options, .propfind: return .repository(.read)
            case .delete: return .repository(.delete)
            case .put, .post, .patch, .mkcol, .other: return .repository(.write)
            }
        }
    }
}

/// How the answers to reads look in a protocol, beside what all of them have.
package final class ReadForm: Sendable {
    /// The type of contents that have none of their own.
    package let contentType: String
    /// The header that names the digest, algorithm included, as the entity tag does then too; nil: none.
    package let digestHeader: String?
    /// Headers of every answer.
    package let headers: [(name: String, value: String)]
    /// What a miss is answered with.
    package let miss: HTTPAnswer
    /// The answer to a range that the content does not have.
    package let unsatisfiable: HTTPAnswer
    /// The same headers as they stand in an answer's head.
    let headerLines: String

    package init(
        contentType: String = "application/octet-stream",
        digestHeader: String? = nil,
        headers: [(name: String, value: String)] = [],
        miss: HTTPAnswer = .miss,
        unsatisfiable: HTTPAnswer = HTTPAnswer(416)
    ) {
        self.contentType = contentType
        self.digestHeader = digestHeader
        self.headers = headers
        self.miss = miss
        self.unsatisfiable = unsatisfiable
        headerLines = headers.map { "\r\n\($0.name): \($0.value)" }.joined()
    }

    /// Bytes, and 404 without a body for a miss.
    package static let plain = ReadForm()
}

/// What an adapter's `respond` may use.
package struct HTTPContext: Sendable {
    package let store: Store
    /// The id under which the log speaks of this request.
    package let requestID: String
    /// Who sent the request.
    package let principal: Principal
    package let gatekeeper: Gatekeeper
    /// Counts a read of a repository that is no `read` route, as a hit or a miss.
    package let countRead: @Sendable (_ repository: RepositoryName, _ isHit: Bool) -> Void
}

/// The methods that adapters tell apart.
package enum RequestMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
    case options = "OPTIONS"
    case patch = "PATCH"
    case propfind = "PROPFIND"
    case mkcol = "MKCOL"
    case other = "-"

    package init(name: String) {
        self = RequestMethod(rawValue: name) ?? .other
    }

    package var isRead: Bool { self == .get || self == .head }
}

/// Method, path and query of a request, taken apart once.
package struct RequestLine: Sendable {
    package let method: RequestMethod
    /// The path's segments, percent-decoded, without the empty one before the first slash.
    ///
    /// A path that ends in `/` ends in an empty segment.
    package let segments: [Substring]
    /// What follows `?`, not decoded.
    package let query: Substring?

    /// Whether the path ends in a slash.
    package var isFolder: Bool { segments.last?.isEmpty ?? true }
}

extension RequestLine {
    /// Longer targets are refused.
    package static let targetLengthMax = 4096

    /// Takes a request's target apart.
    ///
    /// - Returns: nil for a target that no client of a store has reason to send: not starting with `/`, too long, with
    ///   empty, `.` or `..` segments, broken escapes, control characters or invalid UTF-8; or with a slash as an escape,
    ///   but under `/api`, where it belongs to a name.
    package init?(method: RequestMethod, target: String) {
        guard let shape = TargetShape(target) else { return nil }
        self.method = method
        let characters = target.utf8
        let start = characters.startIndex
        func text(_ range: Range<Int>) -> Substring {
            target[
                characters.index(
                    start,
                    offsetBy: range.lowerBound
                )..<characters.index(start, offsetBy: range.upperBound)
            ]
        }
        query = shape.query.map(text)
        var segments: [Substring] = []
        segments.reserveCapacity(8)
        var from = 1
        for slash in shape.slashes {
            segments.append(text(from..<slash))
            from = slash + 1
        }
        segments.append(text(from..<shape.pathEnd))
        if !shape.isPlain {
            let allowsSlash = segments[0] == "api"
            for index in segments.indices {
                guard let decoded = Self.decode(segments[index], allowsSlash: allowsSlash) else { return nil }
                segments[index] = decoded
            }
        }
        for (index, segment) in segments.enumerated() {
            if segment.utf8.first == UInt8(ascii: ".") && (segment == "." || segment == "..") { return nil }
            if segment.isEmpty && index != segments.count - 1 { return nil }
        }
        self.segments = segments
    }

    /// Where the parts of a target are, as offsets, found in one pass.
    private struct TargetShape {
        var slashes: [Int] = []
        var pathEnd = 0
        var query: Range<Int>?
        /// No escapes and nothing that must be refused.
        var isPlain = true

        init?(_ target: String) {
            var target = target
            let isRooted = target.withUTF8 { characters -> Bool in
                guard characters.first == UInt8(ascii: "/"), characters.count <= RequestLine.targetLengthMax else {
                    return false
                }
                slashes.reserveCapacity(8)
                pathEnd = characters.count
                for offset in 1..<characters.count {
                    switch characters[offset] {
                    case UInt8(ascii: "/"): slashes.append(offset)
                    case UInt8(ascii: "?"):
                        pathEnd = offset
                        query = (offset + 1)..<characters.count
                        return true
                    case UInt8(ascii: "%"), 0...0x20, 0x7f...: isPlain = false
                    default: break
                    }
                }
                return true
            }
            guard isRooted else { return nil }
        }
    }

    private static func decode(_ segment: Substring, allowsSlash: Bool) -> Substring? {
        var bytes: [UInt8] = []
        var rest = segment.utf8[...]
        while let character = rest.popFirst() {
            guard character == UInt8(ascii: "%") else {
                guard character > 0x20, character != 0x7f else { return nil }
                bytes.append(character)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
                return nil
            }
            let byte = high << 4 | low
            guard byte >= 0x20, byte != 0x7f, byte != UInt8(ascii: "\\"), allowsSlash || byte != UInt8(ascii: "/")
            else {
                return nil
            }
            bytes.append(byte)
        }
        return String(validating: bytes, as: UTF8.self)?[...]
    }

    private static func hexValue(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x37
        case 0x61...0x66: character - 0x57
        default: nil
        }
    }
}
