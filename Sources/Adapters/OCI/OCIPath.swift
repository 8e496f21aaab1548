import LarderCore
import LarderHTTP

/// What a path under `/v2/` names (distribution specification 1.1, "Endpoints").
enum OCIPath: Equatable {
    case base
    case catalog
    case extensions
    case token
    case manifest(RepositoryName, reference: String)
    case blob(RepositoryName, digest: String)
    case uploads(RepositoryName)
    case upload(RepositoryName, id: String)
    case tags(RepositoryName)
    case referrers(RepositoryName, digest: String)
    /// The name breaks the grammar.
    case invalidName(String)
    case unknown

    /// A repository's name may have slashes and words of the endpoints in it, so a path is read from its end.
    ///
    /// - Parameter segments: What follows `/v2/`.
    init(_ segments: ArraySlice<Substring>) {
        guard let last = segments.last, segments.count > 1 || !last.isEmpty else {
            self = .base
            return
        }
        if segments.elementsEqual(["_catalog"]) {
            self = .catalog
            return
        }
        if segments.elementsEqual(["token"]) {
            self = .token
            return
        }
        let words = segments.suffix(3)
        if words.elementsEqual(["_oci", "ext", "discover"]) {
            self = .extensions
        } else if words.suffix(2).elementsEqual(["tags", "list"]) {
            self.init(segments.dropLast(2)) { .tags($0) }
        } else if words.suffix(2).elementsEqual(["blobs", "uploads"]) {
            self.init(segments.dropLast(2)) { .uploads($0) }
        } else if words.prefix(2).elementsEqual(["blobs", "uploads"]) {
            self.init(segments.dropLast(3)) { last.isEmpty ? .uploads($0) : .upload($0, id: String(last)) }
        } else {
            let reference = String(last)
            switch segments.dropLast().last {
            case "manifests": self.init(segments.dropLast(2)) { .manifest($0, reference: reference) }
            case "blobs": self.init(segments.dropLast(2)) { .blob($0, digest: reference) }
            case "referrers": self.init(segments.dropLast(2)) { .referrers($0, digest: reference) }
            default: self = .unknown
            }
        }
    }

    private init(_ name: ArraySlice<Substring>, make: (RepositoryName) -> OCIPath) {
        let text = name.joined(separator: "/")
        self = RepositoryName(text).map(make) ?? .invalidName(text)
    }

    var repository: RepositoryName? {
        switch self {
        case .manifest(let name, _), .blob(let name, _), .uploads(let name), .upload(let name, _), .tags(let name),
            .referrers(let name, _):
            name
        case .base, .catalog, .extensions, .token, .invalidName, .unknown: nil
        }
    }
}
