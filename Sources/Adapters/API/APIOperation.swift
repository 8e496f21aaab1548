import LarderCore
package import LarderHTTP

/// Everything that can be asked of `/api/v1`: one method of one path.
///
/// The raw value is the operation's name in the OpenAPI document.
package enum APIOperation: String, CaseIterable, Sendable {
    case getStatus
    case getOpenAPI
    case getPrincipal
    case check
    case compact
    case listTokens
    case createToken
    case revokeToken
    case listRepositories
    case getRepository
    case createRepository
    case changeRepository
    case removeRepository
    case flushRepository
    case getPolicy
    case setPolicy
    case removePolicy
    case listDefaultPolicies
    case setDefaultPolicy
    case removeDefaultPolicy
    case previewPolicy
    case prune
    case listRuns
    case getRun
    case listPins
    case pin
    case unpin
    case listRemoved
    case restore
    case findMissingBlobs
    case findBlobSizes
    case putPack
    case fetchBlobs
    case beginUpload
    case getUpload
    case putPart
    case finishUpload
    case cancelUpload
    case listCaches
    case putCache
    case removeCache
    case findCache
    case restoreCache
    case listArtifacts
    case getArtifact
    case putArtifact
    case tagArtifact
    case removeArtifact
    case getArtifactFile
    case getArtifactZip

    /// Method and path; what stands in braces can be anything, and a `{name}` may have slashes.
    ///
    /// A name that ends as another path does, `app/tags`, is told apart from it when its slashes are written `%2F`.
    package var route: (method: RequestMethod, path: String) {
        switch self {
        case .getStatus: (.get, "/status")
        case .getOpenAPI: (.get, "/openapi.json")
        case .getPrincipal: (.get, "/principal")
        case .check: (.post, "/check")
        case .compact: (.post, "/compact")
        case .listTokens: (.get, "/tokens")
        case .createToken: (.post, "/tokens")
        case .revokeToken: (.delete, "/tokens/{token}")
        case .listRepositories: (.get, "/repositories")
        case .getRepository: (.get, "/repositories/{name}")
        case .createRepository: (.put, "/repositories/{name}")
        case .changeRepository: (.patch, "/repositories/{name}")
        case .removeRepository: (.delete, "/repositories/{name}")
        case .flushRepository: (.post, "/repositories/{name}/flush")
        case .getPolicy: (.get, "/policies/{name}")
        case .setPolicy: (.put, "/policies/{name}")
        case .removePolicy: (.delete, "/policies/{name}")
        case .listDefaultPolicies: (.get, "/default-policies")
        case .setDefaultPolicy: (.put, "/default-policies/{kind}")
        case .removeDefaultPolicy: (.delete, "/default-policies/{kind}")
        case .previewPolicy: (.post, "/previews/{name}")
        case .prune: (.post, "/prunes/{name}")
        case .listRuns: (.get, "/runs")
        case .getRun: (.get, "/runs/{id}")
        case .listPins: (.get, "/pins/{name}")
        case .pin: (.put, "/pins/{name}")
        case .unpin: (.delete, "/pins/{name}")
        case .listRemoved: (.get, "/removed/{name}")
        case .restore: (.post, "/restores/{name}")
        case .findMissingBlobs: (.post, "/blobs/{name}/missing")
        case .findBlobSizes: (.post, "/blobs/{name}/sizes")
        case .putPack: (.post, "/blobs/{name}/pack")
        case .fetchBlobs: (.post, "/blobs/{name}/fetch")
        case .beginUpload: (.post, "/uploads/{name}")
        case .getUpload: (.get, "/uploads/{name}")
        case .putPart: (.put, "/uploads/{name}/part")
        case .finishUpload: (.post, "/uploads/{name}/finish")
        case .cancelUpload: (.delete, "/uploads/{name}")
        case .listCaches: (.get, "/caches/{name}")
        case .putCache: (.put, "/caches/{name}")
        case .removeCache: (.delete, "/caches/{name}")
        case .findCache: (.post, "/caches/{name}/find")
        case .restoreCache: (.post, "/caches/{name}/restore")
        case .listArtifacts: (.get, "/artifacts/{name}")
        case .getArtifact: (.get, "/artifacts/{name}/version")
        case .putArtifact: (.put, "/artifacts/{name}")
        case .tagArtifact: (.put, "/artifacts/{name}/tags")
        case .removeArtifact: (.delete, "/artifacts/{name}")
        case .getArtifactFile: (.get, "/artifacts/{name}/file")
        case .getArtifactZip: (.get, "/artifacts/{name}/zip")
        }
    }

    /// What its sender must be allowed.
    var demand: HTTPRoute.Demand {
        switch self {
        case .getOpenAPI: .nothing
        // Anybody with some right.
        case .getPrincipal: .somewhere([])
        case .getStatus, .listRepositories: .somewhere(.read)
        case .getRepository, .findBlobSizes, .fetchBlobs, .listCaches, .findCache, .restoreCache, .listArtifacts,
            .getArtifact, .getArtifactFile, .getArtifactZip:
            .repository(.read)
        case .findMissingBlobs, .putPack, .beginUpload, .getUpload, .putPart, .finishUpload, .cancelUpload, .putCache,
            .putArtifact, .tagArtifact:
            .repository(.write)
        case .removeCache, .removeArtifact: .repository(.delete)
        case .createRepository, .changeRepository, .removeRepository, .flushRepository, .getPolicy, .setPolicy,
            .removePolicy, .previewPolicy, .prune, .listPins, .pin, .unpin, .listRemoved, .restore:
            .repository(.admin)
        case .check, .compact, .listTokens, .createToken, .revokeToken, .listDefaultPolicies, .setDefaultPolicy,
            .removeDefaultPolicy, .listRuns, .getRun:
            .everywhere(.admin)
        }
    }

    /// What kind its repository is: `kind` in the query says so where it may be either.
    func kind(_ query: QueryParameters) -> RepositoryKind {
        switch self {
        case .listArtifacts, .getArtifact, .putArtifact, .tagArtifact, .removeArtifact, .getArtifactFile,
            .getArtifactZip:
            .registry
        default: query["kind"] == RepositoryKind.registry.rawValue ? .registry : .cache
        }
    }

    /// What comes with the request.
    var operation: HTTPRoute.Operation {
        switch self {
        // A pack is any number of blobs, each with the store's limit.
        case .putPack: .customWrite(bodyLimit: ByteCount(.max))
        case .putPart: .customWrite(bodyLimit: nil)
        case .putArtifact: .customWrite(bodyLimit: Manifest.sizeLimit)
        case .findMissingBlobs, .fetchBlobs, .restoreCache: .custom(bodyLimit: APICall.digestListLimit)
        case .findBlobSizes: .custom(bodyLimit: APICall.sizeListLimit)
        default: .custom(bodyLimit: APICall.bodyLimit)
        }
    }
}

extension APIOperation {
    /// What a request means.
    enum Match {
        /// `argument`: What stands for the braces; empty when there are none.
        case operation(APIOperation, argument: String)
        /// The path is known with these methods only.
        case otherMethods([RequestMethod])
        case nothing
    }

    /// Finds the operation of a request.
    ///
    /// `path`: What follows `/api/v1/`.
    static func match(_ method: RequestMethod, _ path: ArraySlice<Substring>) -> Match {
        let wanted = method == .head ? RequestMethod.get : method
        var others: [RequestMethod] = []
        var best: (operation: APIOperation, argument: String)?
        for operation in allCases {
            // Every request passes here: the first words differ for most.
            guard let first = path.first, operation.route.path.dropFirst().hasPrefix(first),
                let argument = operation.argument(in: path)
            else { continue }
            guard operation.route.method == wanted else {
                others.append(operation.route.method)
                continue
            }
            // A name may have slashes, so `/artifacts/{name}` fits what `/artifacts/{name}/zip` means.
            if best.map({ argument.utf8.count < $0.argument.utf8.count }) ?? true { best = (operation, argument) }
        }
        if let best { return .operation(best.operation, argument: best.argument) }
        return others.isEmpty ? .nothing : .otherMethods(others)
    }

    private func argument(in path: ArraySlice<Substring>) -> String? {
        let pattern = route.path.split(separator: "/")
        guard let hole = pattern.firstIndex(where: { $0.hasPrefix("{") }) else {
            return path.elementsEqual(pattern) ? "" : nil
        }
        let tail = pattern[(hole + 1)...]
        guard path.count == pattern.count || (path.count > pattern.count && pattern[hole] == "{name}"),
            path.prefix(hole).elementsEqual(pattern[..<hole]), path.suffix(tail.count).elementsEqual(tail)
        else { return nil }
        return path.dropFirst(hole).dropLast(tail.count).joined(separator: "/")
    }
}
