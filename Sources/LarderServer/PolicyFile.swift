import Foundation
package import LarderCore
import LarderRetention
import LarderStore

/// A policy that the configuration names by its file.
struct PolicyFile {
    let path: String
    /// Where relative paths begin.
    let folder: String
    /// For messages.
    let place: String

    /// Reads and checks the policy.
    ///
    /// - Throws: `SettingError` for a file that can't be read or is no policy for repositories of the kind.
    func text(for kind: RepositoryKind) throws(SettingError) -> String {
        guard !path.isEmpty else { throw SettingError("\(place): expected the path of a file with a policy") }
        let file = path.hasPrefix("/") ? path : "\(folder)/\(path)"
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw SettingError("\(place): can't read \(file): \(error.localizedDescription)")
        }
        do {
            _ = try checkPolicy(text, for: kind)
        } catch {
            throw SettingError("\(place): \(file): \(error.reason)")
        }
        return text
    }
}

/// Checks a policy without a store.
///
/// `kind`: nil: of no kind of repository in particular.
///
/// - Returns: How many rules it has.
/// - Throws: `malformed`, with the place.
package func checkPolicy(_ text: String, for kind: RepositoryKind?) throws(StoreError) -> Int {
    try Store.checkedPolicy(text, for: kind).rules.count
}

extension StoreError {
    /// What is wrong, without the word that says whose fault it is.
    var reason: String {
        if case .malformed(let what) = self { what } else { description }
    }
}
