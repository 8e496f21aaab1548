import HTTPTypes
package import HummingbirdCore
package import LarderCore
package import LarderHTTP
package import LarderStore

/// Bazel's HTTP/1.1 cache (build-cache reference, section 2).
///
/// Paths, with a key of 64 lowercase hexadecimal digits:
/// - `/bazel/REPO[/INSTANCE…]/ac/KEY` and `…/cas/KEY`,
/// - `/ac/KEY` and `/cas/KEY`, behind any prefix, for the repository `default`: the prefix is the instance.
///
/// An instance separates action results; blobs are shared by the whole repository.
package struct BazelHTTPAdapter: HTTPAdapter {
    package let name = "bazel"
    private let store: Store

    package init(store: Store) {
        self.store = store
    }

    package func route(_ line: RequestLine) -> HTTPRoute? {
        guard line.segments.count >= 2 else { return nil }
        let space = line.segments[line.segments.count - 2]
        guard space == "cas" || space == "ac" else { return nil }
        var instance = line.segments.dropLast(2)
        var repository = RepositoryName.default
        if instance.first == "bazel" {
            guard instance.count >= 2, let name = RepositoryName(instance[1]) else {
                return HTTPRoute(.refuse(HTTPAnswer(400, "no valid repository name after /bazel/\n")))
            }
            repository = name
            instance = instance.dropFirst(2)
        }
        return HTTPRoute(
            operation(
                line.method,
                space: space,
                instance: instance,
                key: line.segments[line.segments.count - 1],
                repository
            ),
            repository: repository
        )
    }

    private func operation(
        _ method: RequestMethod,
        space: Substring,
        instance: ArraySlice<Substring>,
        key: Substring,
        _ repository: RepositoryName
    ) -> HTTPRoute.Operation {
        guard let digest = Digest(.sha256, hex: key) else {
            return .refuse(HTTPAnswer(400, "a key is 64 lowercase hexadecimal digits\n"))
        }
        switch (method, space) {
        case (.get, "cas"), (.head, "cas"): return .read(.blob(digest))
        case (.put, "cas"): return .write(.blob(digest))
        case (.get, _), (.head, _), (.put, _): break
        default: return .refuse(.methodNotAllowed("GET, HEAD, PUT"))
        }
        let prefix = instance.isEmpty ? "" : instance.joined(separator: "/") + "/"
        guard let entryKey = EntryKey("bazel/\(prefix)ac/\(key)") else {
            return .refuse(HTTPAnswer(400, "the instance name is too long or not plain text\n"))
        }
        guard method == .put else { return .read(.entry(entryKey)) }
        let isValidated = store.directory.find(repository)?.settings.validatesContent ?? true
        return .write(.entry(entryKey, inspect: isValidated ? ActionResultInspection.references : nil))
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .cacheError(error)
    }

    /// An action result that is not known to be complete: reads the trees it names, and answers 404 unless all is there.
    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        guard case .read(let item) = route.operation,
            let repository = store.directory.find(route.repository)
        else { return HTTPAnswer.miss.response }
        for item in [item] + route.otherKeys.map({ .entry($0) }) {
            switch try await store.read(StoredName(repository: repository.id, item: item)) {
            case .miss: continue
            case .failed(let error): throw error
            case .found(let content): return try await response(content, request)
            case .incomplete(let entry, let content):
                let reader = ActionResultReader(store: store, repository: repository)
                guard let references = try await reader.references(of: content),
                    try await store.complete(entry: entry, references: references, in: repository.id)
                else { continue }
                return try await response(content, request)
            }
        }
        return HTTPAnswer.miss.response
    }

    private func response(_ content: StoredContent, _ request: Request) async throws -> Response {
        let bytes = try await store.bytes(of: content, atMost: Store.inspectedSizeLimit)
        var response = Response(status: .ok, body: ResponseBody(byteBuffer: bytes))
        response.headers[.contentType] = "application/octet-stream"
        response.headers[.eTag] = "\"\(content.digest.hex)\""
        return request.method == .head ? response.createHeadResponse() : response
    }
}
