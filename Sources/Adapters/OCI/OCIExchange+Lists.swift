import HummingbirdCore
import LarderCore
import LarderHTTP
import LarderStore

/// Lists that come in pages.
extension OCIExchange {
    /// Items of a page at most, also when more are asked for or no number is named.
    private static let pageLengthMax = 10_000
    private static let catalogPageLength = 1000
    /// Bytes of descriptors in one page of referrers (a client may read 4 MiB at most).
    private static let referrersByteCountMax = 3 << 20

    /// GET /v2/_catalog.
    func catalog() -> Response {
        guard let count = pageLength(default: Self.catalogPageLength) else { return invalidNumber }
        let names = readableNames(after: query["last"] ?? "", atMost: count + 1).map(\.text)
        let page = names.prefix(count)
        return json(
            "{\"repositories\":[\(Self.list(page))]}\n",
            headers: link("/v2/_catalog", count: count, page: page, hasMore: names.count > count)
        )
    }

    /// Registries that the sender may read, whatever their token was asked for.
    private func readableNames(after last: String, atMost limit: Int) -> [RepositoryName] {
        var names: [RepositoryName] = []
        var last = last
        while names.count < limit {
            let slice = store.directory.names(of: .registry, after: last, atMost: Self.catalogPageLength)
            names += slice.filter { principal.couldBeAllowed(.read, in: $0) }
            guard let end = slice.last else { break }
            last = end.text
        }
        return Array(names.prefix(limit))
    }

    /// GET …/tags/list.
    func tags(_ name: RepositoryName) async throws -> Response {
        guard let count = pageLength(default: Self.pageLengthMax) else { return invalidNumber }
        guard let tags = try await store.tags(in: name, after: query["last"], atMost: count + 1) else {
            return error(404, .nameUnknown, "there is no repository \(name)")
        }
        let page = tags.prefix(count)
        return json(
            "{\"name\":\"\(name)\",\"tags\":[\(Self.list(page))]}\n",
            headers: link("/v2/\(name)/tags/list", count: count, page: page, hasMore: tags.count > count)
        )
    }

    /// GET …/referrers/DIGEST: an index of what is about a manifest, which need not exist.
    func referrers(_ name: RepositoryName, _ text: String) async throws -> Response {
        guard let subject = Digest(text) else { return OCIAdapter.invalidDigest(text).response }
        // A plus that was not escaped may have become a space on the way.
        let types = query.all("artifactType").map { $0.replacing(" ", with: "+") }.filter { !$0.isEmpty }
        let (descriptors, next) = try await store.referrers(
            of: subject,
            in: name,
            after: query["after"].flatMap { Int64($0) } ?? 0,
            byteCountMax: Self.referrersByteCountMax
        ) { types.isEmpty || types.contains(Self.artifactType($0)) }
        var headers: [(name: String, value: String)] = []
        if let next {
            let filter = types.map { "&artifactType=\(percentEncoded($0))" }.joined()
            headers.append(("Link", "</v2/\(name)/referrers/\(subject)?after=\(next)\(filter)>; rel=\"next\""))
        }
        if !types.isEmpty { headers.append(("OCI-Filters-Applied", "artifactType")) }
        let list = descriptors.joined(separator: ",")
        return json(
            "{\"schemaVersion\":2,\"mediaType\":\"\(ManifestType.ociIndex)\",\"manifests\":[\(list)]}\n",
            type: ManifestType.ociIndex,
            headers: headers
        )
    }

    // MARK: - Parts

    /// `n`; nil when it is no number.
    private func pageLength(default count: Int) -> Int? {
        guard let text = query["n"] else { return count }
        guard let number = Int(text), number >= 0 else { return nil }
        return min(number, Self.pageLengthMax)
    }

    private var invalidNumber: Response {
        error(400, .paginationNumberInvalid, "n is a number of items, 0 or more", details: [query["n"] ?? ""])
    }

    /// Names and tags need no escapes.
    private static func list(_ items: some Collection<String>) -> String {
        items.isEmpty ? "" : "\"" + items.joined(separator: "\",\"") + "\""
    }

    private func link(
        _ path: String,
        count: Int,
        page: ArraySlice<String>,
        hasMore: Bool
    ) -> [(name: String, value: String)] {
        guard hasMore, let last = page.last else { return [] }
        return [("Link", "<\(path)?n=\(count)&last=\(percentEncoded(last))>; rel=\"next\"")]
    }

    private static func artifactType(_ descriptor: String) -> String {
        var scanner = JSONScanner(Array(descriptor.utf8))
        var type = ""
        try? scanner.readObject { (scanner, key) throws(JSONError) in
            if key == "artifactType" { type = try scanner.readString() } else { try scanner.skip() }
        }
        return type
    }
}
