package import LarderCore

/// Why a tree can't be restored, for callers that go on differently.
package enum RestoreFailure: Error, Equatable, Sendable {
    /// A content that the tree needs did not come, came damaged, or is not on this machine any more.
    case lost(Digest)
    /// What came is not what was asked for; says how.
    case unexpected(String)
    /// The restore was given up, from another thread or before.
    case abandoned
}

extension RestoreFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lost(let digest): "the content \(digest) is missing or damaged"
        case .unexpected(let how): "the server sent something else than was asked for: \(how)"
        case .abandoned: "the restore was given up"
        }
    }
}
