import AsyncHTTPClient
import LarderCore
import NIOCore
import NIOHTTP1

extension RegistryClient {
    /// The time for the bytes of one blob to pass.
    private static let transferTimeout = TimeAmount.hours(24)

    /// Whether a repository has a blob.
    func hasBlob(_ blob: Descriptor, in repository: RepositoryName, scope: RegistryScope) async throws -> Bool {
        let target = "/v2/\(repository)/blobs/\(blob.digest)"
        let answer = try await send(RegistryRequest(method: .HEAD, target: target, scope: scope))
        if answer.isSuccess { return true }
        if answer.status == 404 { return false }
        // Registries send on to where the content is only when they have it; what signed that address did so for GET.
        if !origin.owns(answer.url) { return true }
        throw await failure(answer, to: "look up \(blob.digest) in \(repository)")
    }

    /// The bytes of a blob from an offset on.
    func bytes(
        of blob: Descriptor,
        from offset: Int64,
        in repository: RepositoryName,
        scope: RegistryScope
    ) async throws -> BlobBytes {
        let target = "/v2/\(repository)/blobs/\(blob.digest)"
        var request = RegistryRequest(target: target, scope: scope, timeout: .minutes(5))
        if offset > 0 { request.headers.add(name: "Range", value: "bytes=\(offset)-") }
        let answer = try await send(request)
        guard answer.isSuccess else { throw await failure(answer, to: "give \(blob.digest) of \(repository)") }
        let isPart = answer.status == 206
        let start = isPart ? Self.rangeStart(answer.headers.first(name: "Content-Range")) : 0
        let length = answer.headers.first(name: "Content-Length").flatMap { Int64($0) }
        guard start == (isPart ? offset : 0), length == nil || length == blob.size - (isPart ? offset : 0) else {
            throw ClientError("\(origin.label) gives \(blob.digest) with another size than its manifest, \(blob.size)")
        }
        // Who does not know ranges sends everything again.
        return BlobBytes(answer.response.body, dropping: isPart ? 0 : offset)
    }

    /// The first byte in `bytes 100-199/200`; nil when it can't be told.
    private static func rangeStart(_ text: String?) -> Int64? {
        guard let text, text.hasPrefix("bytes ") else { return nil }
        return Int64(text.dropFirst("bytes ".count).prefix { $0 != "-" })
    }

    /// Begins an upload; nil when the blob is there already, by a mount or otherwise.
    func beginUpload(
        of blob: Descriptor,
        to repository: RepositoryName,
        mountingFrom other: RepositoryName?
    ) async throws -> String? {
        let target = "/v2/\(repository)/blobs/uploads/"
        let scope = RegistryScope.push(repository)
        var answer: RegistryAnswer?
        if let other {
            let query = "?mount=\(percentEncoded(blob.digest.description))&from=\(percentEncoded(other.text))"
            let mount = RegistryRequest(method: .POST, target: target + query, scope: scope.and(.pull(other)))
            let mounted = try await send(mount)
            // Who may not read there may still send the bytes.
            answer = mounted.isSuccess ? mounted : nil
            if !mounted.isSuccess { await RegistryHTTP.drain(mounted.response) }
        }
        if answer == nil {
            answer = try await send(RegistryRequest(method: .POST, target: target, scope: scope))
        }
        guard let begun = answer else { return nil }
        guard begun.isSuccess else { throw await failure(begun, to: "begin an upload to \(repository)") }
        await RegistryHTTP.drain(begun.response)
        if begun.status == 201 { return nil }
        guard let location = begun.headers.first(name: "Location") else {
            throw ClientError("\(origin.label) begins an upload to \(repository) and does not say where")
        }
        return origin.url(of: location, from: begun.url)
    }

    /// Sends the bytes of a blob in one piece and ends its upload.
    func finishUpload(
        at location: String,
        of blob: Descriptor,
        to repository: RepositoryName,
        body: HTTPClientRequest.Body
    ) async throws {
        let separator = location.contains("?") ? "&" : "?"
        var request = RegistryRequest(
            method: .PUT,
            target: "\(location)\(separator)digest=\(percentEncoded(blob.digest.description))",
            scope: .push(repository),
            body: body,
            isRepeatable: false,
            timeout: Self.transferTimeout
        )
        request.headers.add(name: "Content-Type", value: "application/octet-stream")
        let answer = try await send(request)
        guard answer.isSuccess else { throw await failure(answer, to: "take \(blob.digest) into \(repository)") }
        await RegistryHTTP.drain(answer.response)
    }

    /// Gives up an upload; registries that can't be told forget it by themselves.
    func cancelUpload(at location: String, to repository: RepositoryName) async {
        let request = RegistryRequest(
            method: .DELETE,
            target: location,
            scope: .push(repository),
            isRepeatable: false,
            timeout: .seconds(10)
        )
        if let answer = try? await send(request) { await RegistryHTTP.drain(answer.response) }
    }
}
