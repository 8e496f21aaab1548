package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore

/// The remote storage of ccache over HTTP (build-cache reference, section 8), in its three layouts.
///
/// - `subdirs`: `/ccache/REPO/ab/cdef…`,
/// - `flat`: `/ccache/REPO/abcdef…`,
/// - `bazel`: `/ccache/REPO/ac/` and 64 digits.
///
/// Keys are hexadecimal in ccache 4.14; 4.7 writes 4 hexadecimal digits and then base 32 (`0`–`9`, `a`–`v`).
package struct CcacheAdapter: HTTPAdapter {
    package let name = "ccache"

    package init() {}

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.first == "ccache" else { return nil }
        guard line.segments.count >= 3, let repository = RepositoryName(line.segments[1]) else {
            return HTTPRoute(.refuse(HTTPAnswer(400, "the path is /ccache/REPOSITORY/KEY\n")))
        }
        return HTTPRoute(operation(line.method, Array(line.segments.dropFirst(2))), repository: repository)
    }

    private func operation(_ method: RequestMethod, _ parts: [Substring]) -> HTTPRoute.Operation {
        guard let key = Self.key(parts) else { return .refuse(HTTPAnswer(400, "not a key of ccache\n")) }
        switch method {
        case .get, .head: return .read(.entry(key))
        case .put: return .write(.entry(key, inspect: nil))
        case .delete: return .delete(key)
        default: return .refuse(.methodNotAllowed("GET, HEAD, PUT, DELETE"))
        }
    }

    /// The key of a path: the first two layouts name the same entry, so a team can change between them.
    static func key(_ parts: [Substring]) -> EntryKey? {
        switch parts.count {
        case 1 where isKey(parts[0]): EntryKey("ccache/\(parts[0])")
        case 2 where parts[0] == "ac" && isKey(parts[1]) && parts[1].utf8.count == 64: EntryKey("ccache/ac/\(parts[1])")
        case 2 where parts[0].utf8.count == 2 && isKey(parts[0] + parts[1]): EntryKey("ccache/\(parts[0])\(parts[1])")
        default: nil
        }
    }

    private static func isKey(_ text: Substring) -> Bool {
        (16...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .cacheError(error)
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        // Entries of ccache refer to nothing, so none is ever incomplete.
        HTTPAnswer.miss.response
    }
}
