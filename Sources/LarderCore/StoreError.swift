/// Everything that an operation of the store can fail with.
///
/// Outcomes such as a miss are return values, not errors. Every adapter translates each case exhaustively, so a new
/// case breaks the build of every adapter until somebody decides what its clients shall see.
package enum StoreError: Error, Hashable, Sendable {
    /// A digest, key, name or length that breaks its grammar; says which and how.
    case malformed(String)
    /// A repository, entry or blob that the operation needs does not exist.
    case notFound(String)
    /// The bytes hash to something else than the name they were sent under.
    case digestMismatch(expected: Digest, actual: Digest)
    /// More or fewer bytes arrived than were declared.
    case lengthMismatch(expected: Int64, actual: Int64)
    /// The content is larger than this limit allows.
    case tooLarge(limit: ByteCount)
    /// The content breaks the rules of its kind (an action result that is none).
    case invalidContent(String)
    /// The content names other content that is not there (a manifest without its layers).
    case missingContent([Digest])
    /// The store is full, or the disk is, and nothing may be removed to make room.
    case noSpace(String)
    /// The repository's own quota is used up.
    case quotaExceeded(String)
    /// What is stored is not what the request demands that it be.
    case conditionFailed(String)
    /// The repository's settings or kind forbid it.
    case notAllowed(String)
    /// Too much is waiting to be written; the same request may succeed a little later.
    case overloaded
    /// The server is stopping.
    case shuttingDown
    /// The operating system refused; what was tried, where, and its error number.
    case io(operation: String, path: String, code: Int32)
    /// What the store reads back is not what it wrote.
    case corrupt(String)
}

extension StoreError: CustomStringConvertible {
    /// A plain sentence for people and logs.
    package var description: String {
        switch self {
        case .malformed(let what): "malformed: \(what)"
        case .notFound(let what): "not found: \(what)"
        case .digestMismatch(let expected, let actual):
            "the content's digest is \(actual), not \(expected) as named"
        case .lengthMismatch(let expected, let actual): "\(actual) bytes arrived where \(expected) were declared"
        case .tooLarge(let limit): "larger than the limit of \(limit)"
        case .invalidContent(let why): "invalid content: \(why)"
        case .missingContent(let digests):
            "content that it names is not there: \(digests.prefix(3).map(\.description).joined(separator: ", "))"
                + (digests.count > 3 ? " and \(digests.count - 3) more" : "")
        case .noSpace(let why): "no space: \(why)"
        case .quotaExceeded(let why): "quota exceeded: \(why)"
        case .conditionFailed(let why): "condition failed: \(why)"
        case .notAllowed(let why): "not allowed: \(why)"
        case .overloaded: "too many writes are waiting; try again"
        case .shuttingDown: "the server is stopping"
        case .io(let operation, let path, let code): "\(operation) \(path) failed with error \(code)"
        case .corrupt(let what): "damaged: \(what)"
        }
    }
}
