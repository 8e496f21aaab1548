package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore

/// The build cache extension of Maven (build-cache reference, section 7):
/// `/maven/REPO/VERSION/GROUP/ARTIFACT/CHECKSUM/FILE`.
///
/// OPTIONS is answered without a `DAV` header, which tells the resolver that folders need not be made.
package struct MavenAdapter: HTTPAdapter {
    package let name = "maven"

    private static let xml = ReadForm(contentType: "application/xml")

    package init() {}

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.first == "maven" else { return nil }
        guard line.segments.count >= 2, let repository = RepositoryName(line.segments[1]) else {
            return HTTPRoute(.refuse(HTTPAnswer(400, "the path is /maven/REPOSITORY/…\n")))
        }
        let isXML = line.segments.last?.hasSuffix(".xml") ?? false
        return HTTPRoute(operation(line, repository), repository: repository, form: isXML ? Self.xml : .plain)
    }

    private func operation(_ line: RequestLine, _ repository: RepositoryName) -> HTTPRoute.Operation {
        if line.method == .options {
            return .refuse(HTTPAnswer(200, headers: [("Allow", "GET, HEAD, PUT, OPTIONS")]))
        }
        let parts = line.segments.dropFirst(2)
        guard parts.count == 5, !line.isFolder, let key = EntryKey("maven/" + parts.joined(separator: "/")) else {
            // What the extension never writes is not there.
            return line.method.isRead
                ? .refuse(.miss)
                : .refuse(HTTPAnswer(400, "the path is VERSION/GROUP/ARTIFACT/CHECKSUM/FILE\n"))
        }
        switch line.method {
        case .get, .head: return .read(.entry(key))
        case .put: return .write(.entry(key, inspect: nil))
        default: return .refuse(.methodNotAllowed("GET, HEAD, PUT, OPTIONS"))
        }
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .cacheError(error)
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        HTTPAnswer.miss.response
    }
}
