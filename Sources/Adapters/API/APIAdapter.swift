import APIMessages
import Foundation
import HTTPTypes
package import HummingbirdCore
package import LarderCore
package import LarderHTTP
import LarderStore
import NIOCore

/// Larder's own API: `/healthz`, `/readyz`, `/metrics` and `/api/v1/…`.
///
/// Who may ask for what says `APIOperation.demand`.
package struct APIAdapter: HTTPAdapter {
    /// What the adapter shows beside the store's own status.
    package struct Sources: Sendable {
        /// The metrics in Prometheus' text format.
        package let metricsText: @Sendable () async -> String
        /// Hits and misses by tool and repository.
        package let hitRates: @Sendable () -> [(tool: String, repository: String, hits: Int64, misses: Int64)]
        package let version: String
        package let uptime: @Sendable () -> Duration
        package let now: TimeSource
        /// A new UUID at each call.
        package let makeUploadID: @Sendable () -> String
        /// A new one at each call.
        package let makeTokenSecret: @Sendable () -> TokenSecret

        package init(
            metricsText: @escaping @Sendable () async -> String,
            hitRates: @escaping @Sendable () -> [(tool: String, repository: String, hits: Int64, misses: Int64)],
            version: String,
            uptime: @escaping @Sendable () -> Duration,
            now: @escaping TimeSource,
            makeUploadID: @escaping @Sendable () -> String,
            makeTokenSecret: @escaping @Sendable () -> TokenSecret
        ) {
            self.metricsText = metricsText
            self.hitRates = hitRates
            self.version = version
            self.uptime = uptime
            self.now = now
            self.makeUploadID = makeUploadID
            self.makeTokenSecret = makeTokenSecret
        }
    }

    package let name = "api"
    let sources: Sources
    /// Packs and manifests that are on their way in.
    let transferBudget = ByteBudget(.mebibytes(512))
    /// What is read for answers: packs on their way out, trees, lists of digests, manifests.
    ///
    /// One of its own, so that readers keep nobody from writing.
    let readBudget = ByteBudget(.mebibytes(512))

    package init(sources: Sources) {
        self.sources = sources
    }

    package func route(_ line: RequestLine) -> HTTPRoute? {
        switch line.segments.first {
        case "healthz", "readyz", "metrics":
            guard line.segments.count == 1 else { return nil }
            return HTTPRoute(
                line.method.isRead ? .custom(bodyLimit: .zero) : .refuse(.methodNotAllowed("GET, HEAD")),
                demand: line.segments.first == "metrics" ? .everywhere(.read) : .nothing
            )
        case "api":
            guard line.segments.count >= 3, line.segments[1] == "v1" else {
                return HTTPRoute(.refuse(Self.failure(404, "no such path; the API is /api/v1")))
            }
            guard case .operation(let operation, let argument) = APIOperation.match(line.method, line.segments[2...])
            else { return HTTPRoute(.custom(bodyLimit: APICall.bodyLimit), demand: .nothing) }
            return HTTPRoute(
                operation.operation,
                repository: RepositoryName(argument) ?? .default,
                kind: operation.kind(QueryParameters(line.query)),
                demand: operation.demand
            )
        default:
            return nil
        }
    }

    package func answer(to error: StoreError, for operation: HTTPRoute.Operation) -> HTTPAnswer {
        .apiError(error)
    }

    package func answer(
        to refusal: AccessRefusal,
        hasBearer: Bool,
        for operation: HTTPRoute.Operation
    ) -> HTTPAnswer {
        var answer = Self.failure(refusal.asksForCredentials ? 401 : 403, refusal.text)
        // A browser would ask for a name and a password, which nobody has.
        if refusal.asksForCredentials {
            let isInvalid = if case .credentialsWrong = refusal.reason { true } else { false }
            answer.headers.append(AccessRefusal.bearerChallenge(isInvalid: isInvalid))
        }
        return answer
    }

    package func respond(to request: Request, route: HTTPRoute, context: HTTPContext) async throws -> Response {
        guard
            let line = RequestLine(
                method: RequestMethod(name: request.method.rawValue),
                target: request.head.path ?? ""
            )
        else { return HTTPAnswer(400).response }
        let response: Response
        switch line.segments[0] {
        case "healthz":
            response = HTTPAnswer(200, "ok\n").response
        case "readyz":
            let isReady = await context.store.isReady()
            response = (isReady ? HTTPAnswer(200, "ready\n") : HTTPAnswer(503, "not ready\n")).response
        case "metrics":
            response =
                HTTPAnswer(
                    200,
                    await sources.metricsText(),
                    headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")]
                ).response
        default:
            response = try await respondToAPI(line, request, context)
        }
        return line.method == .head ? response.createHeadResponse() : response
    }

    private func respondToAPI(_ line: RequestLine, _ request: Request, _ context: HTTPContext) async throws -> Response
    {
        switch APIOperation.match(line.method, line.segments.dropFirst(2)) {
        case .operation(let operation, let argument):
            let call = APICall(
                operation: operation,
                argument: argument,
                query: QueryParameters(line.query),
                request: request,
                context: context
            )
            return try await respond(to: call)
        case .otherMethods(let methods):
            let allowed = methods.map(\.rawValue).joined(separator: ", ")
            var answer = Self.failure(405, "method not allowed here; allowed: \(allowed)")
            answer.headers.append(("Allow", allowed))
            return answer.response
        case .nothing:
            return Self.failure(404, "no such path").response
        }
    }

    private func respond(to call: APICall) async throws -> Response {
        if let kind = call.query["kind"] { _ = try APICall.kind(kind) }
        return switch call.operation {
        case .getStatus: try Self.json(try await status(call))
        case .getPrincipal: try getPrincipal(call)
        case .listTokens: try listTokens(call)
        case .createToken: try await createToken(call)
        case .revokeToken: try await revokeToken(call)
        case .getOpenAPI:
            HTTPAnswer(200, OpenAPIDocument.text, headers: [("Content-Type", "application/json")]).response
        case .check: check(call.store, isRepairing: try call.flag("repair"))
        case .compact: try await compact(call)
        case .listRepositories: try listRepositories(call)
        case .getRepository: try getRepository(call)
        case .createRepository: try await createRepository(call)
        case .changeRepository: try await changeRepository(call)
        case .removeRepository: try await removeRepository(call)
        case .flushRepository: try await flushRepository(call)
        case .getPolicy: try await getPolicy(call)
        case .setPolicy: try await setPolicy(call)
        case .removePolicy: try await removePolicy(call)
        case .listDefaultPolicies: try listDefaultPolicies(call)
        case .setDefaultPolicy: try await setDefaultPolicy(call)
        case .removeDefaultPolicy: try await removeDefaultPolicy(call)
        case .previewPolicy: try await previewPolicy(call)
        case .prune: try await prune(call)
        case .listRuns: try await listRuns(call)
        case .getRun: try await getRun(call)
        case .listPins: try await listPins(call)
        case .pin: try await pin(call)
        case .unpin: try await unpin(call)
        case .listRemoved: try await listRemoved(call)
        case .restore: try await restore(call)
        case .findMissingBlobs: try await findMissingBlobs(call)
        case .findBlobSizes: try await findBlobSizes(call)
        case .putPack: try await putPack(call)
        case .fetchBlobs: try await fetchBlobs(call)
        case .beginUpload: try await beginUpload(call)
        case .getUpload: try getUpload(call)
        case .putPart: try await putPart(call)
        case .finishUpload: try await finishUpload(call)
        case .cancelUpload: try await cancelUpload(call)
        case .listCaches: try await listCaches(call)
        case .putCache: try await putCache(call)
        case .removeCache: try await removeCache(call)
        case .findCache: try await findCache(call)
        case .restoreCache: try await restoreCache(call)
        case .listArtifacts: try await listArtifacts(call)
        case .getArtifact: try await getArtifact(call)
        case .putArtifact: try await putArtifact(call)
        case .tagArtifact: try await tagArtifact(call)
        case .removeArtifact: try await removeArtifact(call)
        case .getArtifactFile: try await getArtifactFile(call)
        case .getArtifactZip: try await getArtifactZip(call)
        }
    }

    private func compact(_ call: APICall) async throws -> Response {
        let (before, after) = try await call.store.compact()
        return try Self.json(CompactMessage(bytesBefore: before.bytes, bytesAfter: after.bytes))
    }

    private func status(_ call: APICall) async throws -> StatusMessage {
        let status = try await call.store.status()
        let isReadable = call.isReadable
        let space = StatusMessage.Space(
            usedBytes: status.balance.used,
            reservedBytes: status.balance.reserved,
            capacityBytes: status.capacity.bytes,
            limitBytes: status.limit.bytes,
            diskFreeBytes: status.balance.disk.free,
            diskTotalBytes: status.balance.disk.total,
            freeDiskFloorBytes: status.freeDiskFloor.bytes
        )
        return StatusMessage(
            version: sources.version,
            uptimeSeconds: sources.uptime().seconds,
            space: space,
            blobCount: status.blobCount,
            quarantinedCount: status.quarantinedCount,
            evictedBytes: status.evicted.bytes,
            evictedCount: status.evicted.count,
            lastEvictedAgeSeconds: status.evicted.lastEvictedAge?.seconds,
            oldestKeptAgeSeconds: status.oldestKeptAge?.seconds,
            queueLength: status.queueLength,
            walBytes: status.walBytes,
            repositories: Self.messages(of: status.repositories.filter { isReadable($0.name) }, in: call.store),
            reads: sources.hitRates().filter { RepositoryName($0.repository).map(isReadable) ?? true }.map {
                .init(tool: $0.tool, repository: $0.repository, hits: $0.hits, misses: $0.misses)
            }
        )
    }

    /// Streams lines of JSON while the check runs.
    private func check(_ store: Store, isRepairing: Bool) -> Response {
        let body = ResponseBody { writer in
            let lines = AsyncStream.makeStream(of: CheckLine.self, bufferingPolicy: .bufferingNewest(16))
            async let result = Self.checkResult(store, isRepairing: isRepairing, lines: lines.continuation)
            for await line in lines.stream {
                try await writer.write(try Self.line(line))
            }
            try await writer.write(try Self.line(await result))
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    private static func checkResult(
        _ store: Store,
        isRepairing: Bool,
        lines: AsyncStream<CheckLine>.Continuation
    ) async -> CheckLine {
        defer { lines.finish() }
        do {
            let report = try await store.check(isRepairing: isRepairing) { progress in
                try Task.checkCancellation()
                lines.yield(CheckLine(phase: progress.phase, done: progress.done, total: progress.total))
            }
            return CheckLine(
                report: CheckReportMessage(
                    blobCount: report.blobCount,
                    byteCount: report.byteCount,
                    problems: report.problems,
                    problemCount: report.problemCount,
                    repairedCount: report.repairedCount
                )
            )
        } catch {
            return CheckLine(error: "\(error)")
        }
    }

    static func json(_ value: some Encodable, status: Int = 200) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
        return HTTPAnswer(status, text, headers: [("Content-Type", "application/json")]).response
    }

    /// A line of JSON, for answers that come line by line.
    static func line(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes = ByteBuffer(bytes: try encoder.encode(value))
        bytes.writeString("\n")
        return bytes
    }

    static func failure(_ status: Int, _ text: String) -> HTTPAnswer {
        let body = (try? JSONEncoder().encode(ErrorMessage(error: text))).map { String(decoding: $0, as: UTF8.self) }
        return HTTPAnswer(status, (body ?? "{}") + "\n", headers: [("Content-Type", "application/json")])
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(wholeMilliseconds) / 1000 }
}
