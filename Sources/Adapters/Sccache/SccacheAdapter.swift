import HTTPTypes
package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore
import NIOCore

/// sccache over WebDAV (build-cache reference, section 9.1): `/sccache/REPO/[PREFIX/]…`.
///
/// Folders exist wherever one is asked for, so a store is one PROPFIND and one PUT instead of a walk with MKCOL.
package struct SccacheAdapter: HTTPAdapter {
    package let name = "sccache"

    package init() {}

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.first == "sccache" else { return nil }
        guard line.segments.count >= 2, let repository = RepositoryName(line.segments[1]) else {
            return HTTPRoute(.refuse(HTTPAnswer(400, "the path is /sccache/REPOSITORY/…\n")))
        }
        return HTTPRoute(operation(line), repository: repository)
    }

    private func operation(_ line: RequestLine) -> HTTPRoute.Operation {
        let isFolder = line.segments.count == 2 || line.isFolder
        switch line.method {
        case .options:
            return .refuse(
                HTTPAnswer(200, headers: [("DAV", "1"), ("Allow", "GET, HEAD, PUT, DELETE, OPTIONS, PROPFIND, MKCOL")])
            )
        case .mkcol:
            return .refuse(HTTPAnswer(201))
        case .propfind:
            return .custom(bodyLimit: .kibibytes(64))
        default:
            break
        }
        guard !isFolder, let key = Self.key(line) else {
            return line.method.isRead ? .refuse(.miss) : .refuse(HTTPAnswer(400, "not a path of a file\n"))
        }
        switch line.method {
        case .get, .head: return .read(.entry(key))
        case .put: return .write(.entry(key, inspect: nil))
        case .delete: return .delete(key)
        default: return .refuse(.methodNotAllowed("GET, HEAD, PUT, DELETE, OPTIONS, PROPFIND, MKCOL"))
        }
    }

    static func key(_ line: RequestLine) -> EntryKey? {
        EntryKey("sccache/" + line.segments.dropFirst(2).joined(separator: "/"))
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .cacheError(error)
    }

    /// PROPFIND: of a folder always there, of a file if it is.
    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        guard request.method.rawValue == "PROPFIND",
            let line = RequestLine(method: .propfind, target: request.head.path ?? "")
        else { return HTTPAnswer.miss.response }
        for try await _ in request.body {}
        // As the client wrote it, escapes included.
        let path = String(request.head.path?.prefix { $0 != "?" } ?? "/")
        if line.segments.count == 2 || line.isFolder {
            return Multistatus.folder(path: path).response
        }
        guard let key = Self.key(line), let repository = context.store.directory.id(of: route.repository, kind: .cache)
        else { return HTTPAnswer.miss.response }
        for scope in context.principal.scopes.readable {
            let name = StoredName(repository: repository, item: .entry(key.inScope(scope)))
            guard case .found(let content) = try await context.store.read(name) else { continue }
            return Multistatus.file(
                path: path,
                size: content.size,
                digest: content.digest,
                modified: content.pushedAt
            ).response
        }
        return HTTPAnswer.miss.response
    }
}
