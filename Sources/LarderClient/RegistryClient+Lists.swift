import AsyncHTTPClient
import Foundation
package import LarderCore
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

extension RegistryClient {
    /// Bytes of one page of a list.
    private static let pageSizeLimit = 16 << 20
    /// A registry that links on for ever is left after so many pages.
    private static let pageCountMax = 10_000

    /// The names of all repositories that the registry shows.
    package func repositories() async throws -> [RepositoryName] {
        struct Page: Decodable {
            let repositories: [String]?
        }
        var names: [RepositoryName] = []
        let isThere = try await readPages("/v2/_catalog?n=1000", scope: .catalog, of: "its repositories") { body in
            let page: Page = try decode(body)
            names += (page.repositories ?? []).compactMap { RepositoryName($0) }
        }
        guard isThere else { throw ClientError("\(origin.label) does not list its repositories") }
        return names
    }

    /// The tags of a repository, in the registry's order; nil when there is no such repository.
    package func tags(of repository: RepositoryName) async throws -> [Tag]? {
        struct Page: Decodable {
            let tags: [String]?
        }
        var tags: [Tag] = []
        let path = "/v2/\(repository)/tags/list?n=1000"
        let isThere = try await readPages(path, scope: .pull(repository), of: "the tags of \(repository)") { body in
            let page: Page = try decode(body)
            tags += (page.tags ?? []).compactMap { Tag($0) }
        }
        return isThere ? tags : nil
    }

    /// The manifests that refer to one.
    package func referrers(of digest: Digest, in repository: RepositoryName) async throws -> [Descriptor] {
        var found: [Descriptor] = []
        let path = "/v2/\(repository)/referrers/\(digest)"
        let isThere = try await readPages(path, scope: .pull(repository), of: "what refers to \(digest)") { body in
            do {
                let index = try Manifest(Array(body.readableBytesView), contentType: ManifestType.ociIndex)
                found += index.manifests
            } catch {
                throw ClientError("\(origin.label) lists referrers in a way that is not understood: \(error)")
            }
        }
        if isThere { return found }
        // Registries without this list keep it under a tag ("Referrers Tag Schema").
        guard let tag = Tag.referrers(of: digest) else { return [] }
        return try await manifest(.tag(tag), in: repository)?.manifest.manifests ?? []
    }

    /// Reads a list page by page; false when there is no such list.
    private func readPages(
        _ path: String,
        scope: RegistryScope,
        of what: String,
        _ read: (ByteBuffer) throws -> Void
    ) async throws -> Bool {
        var path = path
        for _ in 0..<Self.pageCountMax {
            let answer = try await send(RegistryRequest(target: path, scope: scope))
            if answer.status == 404 {
                await RegistryHTTP.drain(answer.response)
                return false
            }
            guard answer.isSuccess else { throw await failure(answer, to: "list \(what)") }
            try read(try await RegistryHTTP.read(answer.response, limit: Self.pageSizeLimit, label: origin.label))
            guard let next = nextPage(answer), next != path else { return true }
            path = next
        }
        throw ClientError("\(origin.label) lists \(what) on more than \(Self.pageCountMax) pages")
    }

    /// The path of the page that a `Link` calls the next (RFC 8288).
    ///
    /// Only its path counts: behind proxies, registries name hosts that are not reachable.
    private func nextPage(_ answer: RegistryAnswer) -> String? {
        for link in answer.headers["Link"] {
            guard let target = nextLink(in: link) else { continue }
            return String(RegistryOrigin.split(origin.url(of: target, from: answer.url)).path)
        }
        return nil
    }

    private func decode<Page: Decodable>(_ body: ByteBuffer) throws -> Page {
        do {
            return try JSONDecoder().decode(Page.self, from: Data(buffer: body))
        } catch {
            throw ClientError("\(origin.label) answers with a list that is not understood")
        }
    }
}

/// The target of the link with the relation `next` in a `Link` header.
func nextLink(in header: String) -> String? {
    var rest = Substring(header)
    while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
        let target = rest[rest.index(after: start)..<end]
        rest = rest[rest.index(after: end)...]
        let parameters = rest.prefix { $0 != "<" }.filter { $0 != " " && $0 != "\"" }.lowercased()
        if parameters.split(whereSeparator: { $0 == ";" || $0 == "," }).contains("rel=next") { return String(target) }
    }
    return nil
}

extension Tag {
    /// The tag under which registries without a list of referrers keep it (distribution specification 1.1, "Referrers
    /// Tag Schema").
    static func referrers(of digest: Digest) -> Tag? {
        Tag("\(digest.algorithm.name.prefix(32))-\(digest.hex.prefix(64))")
    }
}
