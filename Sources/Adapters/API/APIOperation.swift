package import LarderHTTP

/// Everything that can be asked of `/api/v1`: one method of one path.
///
/// The raw value is the operation's name in the OpenAPI document.
package enum APIOperation: String, CaseIterable, Sendable {
    case getStatus
    case getOpenAPI
    case check
    case compact
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

    /// Method and path; what stands in braces can be anything, and a `{name}` may have slashes.
    package var route: (method: RequestMethod, path: String) {
        switch self {
        case .getStatus: (.get, "/status")
        case .getOpenAPI: (.get, "/openapi.json")
        case .check: (.post, "/check")
        case .compact: (.post, "/compact")
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
        }
    }

    /// Whether everybody may ask for it, not only the administrator.
    var isOpen: Bool { self == .getStatus || self == .getOpenAPI }
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
        for operation in allCases {
            guard let argument = operation.argument(in: path) else { continue }
            if operation.route.method == wanted { return .operation(operation, argument: argument) }
            others.append(operation.route.method)
        }
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
